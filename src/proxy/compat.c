/* SPDX-License-Identifier: Apache-2.0 */
#include "compat_dialects.h"

#include "base/pool.h"
#include "rules/host.h"
#include "rules/target.h"

enum { CALL_MAX_BYTES = 1024 * 1024 };

/* Whose language an exchange speaks: that of the path it came by, else its route's. */
static enum route_compat spoken(const struct exchange *x)
{
    if (x->called) return x->called;
    return x->route ? x->route->config->compat : COMPAT_NONE;
}

result compat_get_one(const struct http_head *h, const char *name, enum error otherwise, slice *out)
{
    *out = http_head_get(h, name);
    return http_head_count(h, name) == 1 && out->len ? OK : (result){otherwise};
}

bool compat_begins_with(slice name, slice start)
{
    return name.len > start.len && slice_ieq(slice_range(name, 0, start.len), start);
}

/* --- paths that take the destination's URL from a field --- */

/* How well the route's host fits; 0: it takes no such calls, or not for this host. */
static unsigned pull_fit(const struct exchange *x, const struct config_route *r, enum route_compat called)
{
    if (r->compat != called || config_route_is_push(r)) return 0;
    return gate_host_fit(r->host, host_of_authority(x->head->authority));
}

static bool has_pull_route(const struct exchange *x, enum route_compat called)
{
    const struct config *config = x->gate->config;
    for (size_t i = 0; i < config->route_count; i++)
        if (pull_fit(x, &config->routes[i], called)) return true;
    return false;
}

static bool lies_in(const struct upstream_url *url, const struct upstream_url *in)
{
    if (url->tls != in->tls || url->port != in->port || !slice_ieq(url->host, in->host) || !slice_starts(url->path, in->path)) return false;
    return in->path.len == 0 || url->path.len == in->path.len || url->path.at[in->path.len] == '/';
}

/* One that takes targets of all hosts comes last: it knows by itself which it may. */
static bool is_nearer(const struct config_route *a, const struct config_route *b)
{
    if (a->target_header || b->target_header) return !a->target_header;
    return a->upstream.path.len > b->upstream.path.len;
}

/* Of those for the host that is called, as ever the very name first, the one with the longest path. */
static const struct route *find_route(const struct exchange *x, slice merchant, const struct upstream_url *url)
{
    const struct route *best = NULL;
    unsigned best_fit = 0;
    for (size_t i = 0; i < x->gate->config->route_count; i++) {
        const struct route *r = &x->gate->routes[i];
        const struct config_route *c = r->config;
        unsigned fit = pull_fit(x, c, x->called);
        bool is_his = !merchant.at || config_route_serves(c, merchant);
        if (!fit || fit < best_fit || !is_his || (!c->target_header && !lies_in(url, &c->upstream))) continue;
        if (fit == best_fit && !is_nearer(c, best->config)) continue;
        best = r;
        best_fit = fit;
    }
    return best;
}

static enum route_compat called_of(slice path)
{
    if (pci_proxy_is_call(path)) return COMPAT_PCI_PROXY;
    return firstoken_is_call(path) ? COMPAT_FIRSTOKEN : COMPAT_NONE;
}

static result read_call(struct exchange *x, struct compat_call *call)
{
    *call = (struct compat_call){.url = SLICE_NONE};
    return x->called == COMPAT_PCI_PROXY ? pci_proxy_read_call(x, call) : firstoken_read_call(x, call);
}

result compat_find_call(struct exchange *x, const struct route **out, bool *is_one)
{
    struct compat_call call;
    struct target target;
    enum route_compat called = called_of(x->head->path);
    *is_one = called && has_pull_route(x, called);
    if (!*is_one) return OK;
    x->called = called;
    x->call_pool = pool_new(CALL_MAX_BYTES);
    ENSURE(x->call_pool != NULL, MEMORY);
    TRY(read_call(x, &call));
    TRY(target_parse(call.url, &target));
    *out = find_route(x, call.merchant, &target.url);
    ENSURE(*out != NULL, COMPAT_ROUTE);
    x->called_path = SLICE("/");
    if ((*out)->config->target_header) return OK; /* target_read() takes the URL apart */
    slice rest = slice_after(target.url.path, (*out)->config->upstream.path.len);
    if (rest.len) x->called_path = rest;
    x->is_upstream_itself = rest.len == 0;
    return target_join_query(x, target.query);
}

/* --- what they differ in --- */

result compat_check_merchant(const struct exchange *x)
{
    return x->called == COMPAT_PCI_PROXY && x->head ? pci_proxy_check_merchant(x) : OK;
}

result compat_take_path(struct exchange *x, slice *path)
{
    const struct config_route *route = x->route->config;
    if (!config_route_is_push(route)) return OK;
    if (route->compat == COMPAT_PCI_PROXY) return pci_proxy_take_key(x, path);
    /* /routes/ID leads to the upstream itself, /routes/ID/ to its "/" */
    if (route->compat == COMPAT_FIRSTOKEN) x->is_upstream_itself = slice_eq(x->head->path, route->prefix);
    return OK;
}

bool compat_api_key(const struct exchange *x, slice *key)
{
    switch (spoken(x)) {
    case COMPAT_PCI_PROXY: return pci_proxy_api_key(x, key);
    case COMPAT_FIRSTOKEN: return firstoken_api_key(x, key);
    case COMPAT_NONE: break;
    }
    return false;
}

bool compat_is_field(const struct exchange *x, slice name)
{
    switch (spoken(x)) {
    case COMPAT_PCI_PROXY: return pci_proxy_is_field(name);
    case COMPAT_FIRSTOKEN: return firstoken_is_field(name);
    case COMPAT_NONE: break;
    }
    return false;
}

result compat_write_fields(const struct exchange *x, struct buf *out, bool to_merchant)
{
    return spoken(x) == COMPAT_PCI_PROXY ? pci_proxy_write_fields(x, out, to_merchant) : OK;
}

enum error compat_error(const struct exchange *x, enum error e)
{
    if (x->called == COMPAT_FIRSTOKEN) return firstoken_error(e);
    return spoken(x) == COMPAT_PCI_PROXY ? pci_proxy_error(e) : e;
}

void compat_mark_refusal(const struct exchange *x, enum error e, struct reply *reply)
{
    switch (spoken(x)) {
    case COMPAT_PCI_PROXY: pci_proxy_mark_refusal(x, e, reply); return;
    case COMPAT_FIRSTOKEN: firstoken_mark_refusal(x, reply); return;
    case COMPAT_NONE: return;
    }
}
