/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/gate.h"

#include "http/upstream.h"
#include "proxy/target_pools.h"
#include "rules/host.h"

#include <assert.h>
#include <stdlib.h>

static result open_listen_tls(const struct config_listen *l, struct tls_server **out)
{
    struct tls_identity *identities = calloc(l->certificate_count, sizeof *identities);
    ENSURE(identities != NULL, MEMORY);
    for (size_t i = 0; i < l->certificate_count; i++)
        identities[i] = (struct tls_identity){l->certificates[i].certificate, l->certificates[i].key};
    result r = tls_server_new(identities, l->certificate_count, l->client_ca, out);
    free(identities);
    return r;
}

static result open_listens(struct gate *g)
{
    const struct config *c = g->config;
    g->listen_tls = calloc(c->listen_count + 1, sizeof *g->listen_tls);
    ENSURE(g->listen_tls != NULL, MEMORY);
    for (size_t i = 0; i < c->listen_count; i++) {
        const struct config_listen *l = &c->listens[i];
        if (l->tls) TRY(open_listen_tls(l, &g->listen_tls[i]));
    }
    return OK;
}

static result open_route(struct gate *g, size_t i, struct loop *loop, struct resolver *resolver)
{
    const struct config_route *c = &g->config->routes[i];
    struct route *r = &g->routes[i];
    r->config = c;
    r->request_plan = c->rules->plan;
    r->request_plan.bare_tokens = c->compat == COMPAT_PCI_PROXY;
    r->answer_plan = c->rules->answer;
    r->answer_plan.bare_tokens = c->direction == DIRECTION_FORWARD_PUSH;
    r->index = (uint32_t)i;
    if (!config_route_goes_on(c)) return OK;
    if (c->upstream.tls || c->target_header) {
        slice ca = c->upstream_ca.len ? c->upstream_ca : g->config->system_ca;
        TRY(tls_client_new(ca, c->upstream_certificate, c->upstream_key, &r->tls));
    }
    const struct upstream_settings settings = {
        .loop = loop,
        .resolver = resolver,
        .host = c->upstream.host,
        .port = c->upstream.port,
        .tls = r->tls,
        .connect_ms = c->connect_ms,
        .idle_ms = g->config->idle_upstream_ms,
        .head_limits = {.head_bytes = g->config->head_bytes, .fields = g->config->head_fields},
    };
    if (c->target_header)
        r->targets = target_pools_new(&settings, r->tls);
    else
        r->pool = upstream_pool_new(&settings);
    ENSURE(r->targets != NULL || r->pool != NULL, MEMORY);
    return OK;
}

static result open_plain_plan(struct plan *p, enum body_format format, bool find_pan)
{
    p->format = format;
    p->find_pan = find_pan;
    p->paths = path_set_new(plan_language(format));
    ENSURE(p->paths != NULL, MEMORY);
    return OK;
}

static result open_plain_plans(struct gate *g)
{
    for (int format = BODY_JSON; format < BODY_FORMAT_COUNT; format++) {
        TRY(open_plain_plan(&g->plain[format], (enum body_format)format, false));
        TRY(open_plain_plan(&g->finding[format], (enum body_format)format, true));
    }
    return OK;
}

static result open_all(struct gate *g, struct loop *loop, struct resolver *resolver)
{
    TRY(open_listens(g));
    TRY(open_plain_plans(g));
    g->routes = calloc(g->config->route_count + 1, sizeof *g->routes);
    ENSURE(g->routes != NULL, MEMORY);
    for (size_t i = 0; i < g->config->route_count; i++) TRY(open_route(g, i, loop, resolver));
    return OK;
}

result gate_new(struct loop *loop, struct resolver *resolver, struct config *config, struct gate **out)
{
    struct gate *g = calloc(1, sizeof *g);
    if (!g) {
        config_free(config);
        return FAIL(MEMORY);
    }
    g->references = 1;
    g->config = config;
    result r = open_all(g, loop, resolver);
    if (failed(r)) {
        gate_release(g);
        return r;
    }
    *out = g;
    return OK;
}

struct gate *gate_hold(struct gate *g)
{
    g->references++;
    return g;
}

void gate_release(struct gate *g)
{
    if (!g) return;
    assert(g->references > 0);
    if (--g->references) return;
    for (size_t i = 0; g->routes && i < g->config->route_count; i++) {
        upstream_pool_free(g->routes[i].pool);
        target_pools_free(g->routes[i].targets);
        tls_client_free(g->routes[i].tls);
    }
    for (size_t i = 0; g->listen_tls && i < g->config->listen_count; i++) tls_server_free(g->listen_tls[i]);
    for (int format = BODY_JSON; format < BODY_FORMAT_COUNT; format++) {
        plan_done(&g->plain[format]);
        plan_done(&g->finding[format]);
    }
    free(g->routes);
    free(g->listen_tls);
    config_free(g->config);
    free(g);
}

static bool holds(slice prefix, slice path)
{
    if (slice_is(prefix, "/")) return true;
    return slice_starts(path, prefix) && (path.len == prefix.len || path.at[prefix.len] == '/');
}

unsigned gate_host_fit(slice pattern, slice host)
{
    if (!pattern.at) return 1;
    if (!host_pattern_matches(pattern, host)) return 0;
    return host_pattern_is_wildcard(pattern) ? 2 : 3;
}

const struct route *gate_route(const struct gate *g, slice authority, slice path)
{
    const struct route *best = NULL;
    unsigned best_fit = 0;
    slice host = host_of_authority(authority);
    for (size_t i = 0; i < g->config->route_count; i++) {
        const struct route *r = &g->routes[i];
        unsigned fit = gate_host_fit(r->config->host, host);
        if (fit < best_fit || fit == 0 || !holds(r->config->prefix, path)) continue;
        if (fit == best_fit && r->config->prefix.len <= best->config->prefix.len) continue;
        best = r;
        best_fit = fit;
    }
    return best;
}

/* 0: no; 1: the host is its upstream; 2 and 3: its 'host', as a wildcard, or this very name. */
static unsigned proxied_fit(const struct config_route *c, slice host, uint16_t port)
{
    unsigned fit = c->host.at ? gate_host_fit(c->host, host) : 0;
    if (fit) return fit;
    return c->upstream.host.len && slice_ieq(c->upstream.host, host) && c->upstream.port == port;
}

const struct route *gate_route_proxied(const struct gate *g, slice merchant, slice authority, uint16_t port, slice path, slice *prefix)
{
    const struct route *best = NULL;
    unsigned best_fit = 0;
    slice host = host_of_authority(authority);
    for (size_t i = 0; i < g->config->route_count; i++) {
        const struct config_route *c = g->routes[i].config;
        unsigned fit = proxied_fit(c, host, port);
        slice cut = fit != 1 ? c->prefix : c->upstream.path.len ? c->upstream.path : SLICE("/");
        bool is_his = merchant.len == 0 || !c->merchant.at || slice_eq(c->merchant, merchant);
        if (fit < best_fit || fit == 0 || !is_his || !holds(cut, path)) continue;
        if (fit == best_fit && cut.len <= prefix->len) continue;
        best = &g->routes[i];
        best_fit = fit;
        *prefix = cut;
    }
    return best;
}
