/* SPDX-License-Identifier: Apache-2.0 */
#include "compat.h"

#include "http/writer.h"
#include "net/listener.h"
#include "rules/host.h"
#include "rules/target.h"

#define PULL_PATH "/v1/pull"
#define MERCHANT_FIELD "x-cc-merchant-id"
#define URL_FIELD "x-cc-url"
#define KEY_FIELD "pci-proxy-api-key"

/* Their table of errors, as far as ours have a place in it. */
enum compat_code {
    CODE_NONE = 0, CODE_HEADER = 1, CODE_MERCHANT = 2, CODE_TARGET = 3, CODE_KEY = 5, CODE_ROUTE = 9, CODE_PUSH_KEY = 50,
    CODE_METHOD = 100, CODE_BAD_ALIASES = 201, CODE_RATE = 202, CODE_ADDRESS = 203, CODE_ANSWER = 300, CODE_REQUEST = 301,
    CODE_TIMEOUT = 800, CODE_OTHER = 900
};

static bool is_compat(const struct config_route *r)
{
    return r->compat == COMPAT_PCI_PROXY;
}

/* --- /v1/pull --- */

static bool is_pull_route(const struct exchange *x, const struct config_route *r)
{
    if (!is_compat(r) || config_route_is_push(r)) return false;
    return !r->host.at || host_pattern_matches(r->host, host_of_authority(x->head->authority));
}

static bool has_pull_route(const struct exchange *x)
{
    const struct config *config = x->gate->config;
    for (size_t i = 0; i < config->route_count; i++)
        if (is_pull_route(x, &config->routes[i])) return true;
    return false;
}

static bool is_merchants(const struct config_route *r, slice merchant)
{
    return !r->merchant.at || slice_eq(r->merchant, merchant);
}

static bool lies_in(const struct upstream_url *url, const struct upstream_url *in)
{
    if (url->tls != in->tls || url->port != in->port || !slice_ieq(url->host, in->host) || !slice_starts(url->path, in->path)) return false;
    return in->path.len == 0 || url->path.len == in->path.len || url->path.at[in->path.len] == '/';
}

/* The one with the longest path; else one that takes targets of all hosts, which knows by itself which it may. */
static const struct route *find_route(const struct exchange *x, slice merchant, const struct upstream_url *url)
{
    const struct route *best = NULL;
    for (size_t i = 0; i < x->gate->config->route_count; i++) {
        const struct route *r = &x->gate->routes[i];
        const struct config_route *c = r->config;
        if (!is_pull_route(x, c) || !is_merchants(c, merchant) || (!c->target_header && !lies_in(url, &c->upstream))) continue;
        bool is_better = !best || (best->config->target_header && !c->target_header) ||
                         (!c->target_header && c->upstream.path.len > best->config->upstream.path.len);
        if (is_better) best = r;
    }
    return best;
}

static result get_one(const struct http_head *h, const char *name, slice *out)
{
    *out = http_head_get(h, name);
    ENSURE(http_head_count(h, name) == 1 && out->len, COMPAT_HEADER);
    return OK;
}

result compat_find_pull(struct exchange *x, const struct route **out, bool *is_one)
{
    slice merchant, text;
    struct target target;
    *is_one = x->is_pull = slice_is(x->head->path, PULL_PATH) && has_pull_route(x);
    if (!*is_one) return OK;
    TRY(get_one(x->head, MERCHANT_FIELD, &merchant));
    TRY(get_one(x->head, URL_FIELD, &text));
    ENSURE(config_merchant_index(x->gate->config, merchant) >= 0, COMPAT_MERCHANT);
    TRY(target_parse(text, &target));
    *out = find_route(x, merchant, &target.url);
    ENSURE(*out != NULL, TARGET_NOT_ALLOWED);
    x->pull_path = SLICE("/");
    if ((*out)->config->target_header) return OK; /* target_read() takes the URL apart */
    slice rest = slice_after(target.url.path, (*out)->config->upstream.path.len);
    if (rest.len) x->pull_path = rest;
    x->is_upstream_itself = rest.len == 0;
    x->pull_query = target.query;
    return OK;
}

result compat_check_merchant(const struct exchange *x)
{
    const struct config *config = x->gate->config;
    if (!x->is_pull || !x->head) return OK;
    ENSURE(x->merchant >= 0 && (size_t)x->merchant < config->merchant_count, COMPAT_MERCHANT);
    ENSURE(slice_eq(http_head_get(x->head, MERCHANT_FIELD), config->merchants[x->merchant].name), COMPAT_MERCHANT);
    return OK;
}

/* --- /v1/push/KEY --- */

result compat_take_key(struct exchange *x, slice *path)
{
    const struct config_route *route = x->route->config;
    if (!is_compat(route) || !config_route_is_push(route)) return OK;
    slice key = slice_after(*path, 1);
    ENSURE(slice_find(key, '/') == key.len, ROUTE_NOT_ACCEPTED);
    if (key.len) x->push_key = key;
    x->is_upstream_itself = true;
    *path = SLICE("/");
    return OK;
}

slice compat_api_key(const struct exchange *x)
{
    if (!x->route || !is_compat(x->route->config)) return SLICE_NONE;
    if (x->push_key.at) return x->push_key;
    size_t count = http_head_count(x->head, KEY_FIELD);
    return count > 1 ? SLICE("") : http_head_get(x->head, KEY_FIELD); /* which one? neither: it is a wrong key */
}

/* --- fields --- */

static bool begins_with(slice name, slice start)
{
    return name.len > start.len && slice_ieq(slice_range(name, 0, start.len), start);
}

bool compat_is_field(const struct exchange *x, slice name)
{
    if (!is_compat(x->route->config)) return false;
    return begins_with(name, SLICE("x-cc-")) || begins_with(name, SLICE("x-cvv-")) || begins_with(name, SLICE("pci-proxy-"));
}

static result write_counts(struct buf *out, const struct matches *m)
{
    TRY(http_write_field_u64(out, SLICE("x-cc-matches"), m->captured.cards + m->revealed.cards));
    TRY(http_write_field_u64(out, SLICE("x-cc-matches-ca"), m->captured.cards));
    TRY(http_write_field_u64(out, SLICE("x-cc-matches-ac"), m->revealed.cards));
    TRY(http_write_field_u64(out, SLICE("x-cvv-matches"), m->captured.cvcs + m->revealed.cvcs));
    TRY(http_write_field_u64(out, SLICE("x-cvv-matches-cvva"), m->captured.cvcs));
    return http_write_field_u64(out, SLICE("x-cvv-matches-acvv"), m->revealed.cvcs);
}

static result write_caller(const struct exchange *x, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];
    if (!x->client || client_peer(x->client)->sa_family == AF_UNIX) return OK;
    address_host_text(client_peer(x->client), text);
    return http_write_field(out, SLICE("x-cc-forwarded-for"), slice_of(text));
}

result compat_write_fields(const struct exchange *x, struct buf *out, bool to_merchant)
{
    char id[REQUEST_ID_BYTES];
    const struct config_route *route = x->route->config;
    struct matches m = matches_now(x);
    if (!is_compat(route)) return OK;
    request_id_text(x->id, id);
    TRY(write_counts(out, &m));
    TRY(http_write_field(out, SLICE("x-cc-proxy-action-id"), (slice){id, sizeof id}));
    if (!to_merchant) return OK;
    if (x->capture) TRY(matches_write_masked(x, SLICE("pci-proxy-masked-aliases"), out));
    return config_route_is_push(route) ? write_caller(x, out) : OK;
}

/* --- errors --- */

static bool is_of_body(enum error e)
{
    return e >= ERR_JSON_SYNTAX && e <= ERR_BODY_INFLATE;
}

static enum compat_code code_of_caller(const struct exchange *x, enum error e)
{
    switch (e) {
    case ERR_COMPAT_HEADER: return CODE_HEADER;
    case ERR_COMPAT_MERCHANT:
    case ERR_KEY_MERCHANT: return CODE_MERCHANT;
    case ERR_KEY_MISSING: return x->is_pull ? CODE_HEADER : CODE_PUSH_KEY;
    case ERR_KEY_WRONG:
    case ERR_KEY_PERMISSION: return CODE_KEY;
    case ERR_KEY_ADDRESS: return CODE_ADDRESS;
    case ERR_KEY_RATE: return CODE_RATE;
    case ERR_TOO_MANY_BAD_TOKENS: return CODE_BAD_ALIASES;
    case ERR_ROUTE_NONE:
    case ERR_ROUTE_NOT_ACCEPTED: return CODE_ROUTE;
    case ERR_METHOD: return CODE_METHOD;
    default: return e >= ERR_TARGET_MISSING && e <= ERR_TARGET_PRIVATE ? CODE_TARGET : CODE_NONE;
    }
}

static enum compat_code code_of(const struct exchange *x, enum error e)
{
    bool has_answered = x->upstream_status != 0;
    enum compat_code code = code_of_caller(x, e);
    if (code) return code;
    switch (e) {
    case ERR_UPSTREAM_RESOLVE:
    case ERR_UPSTREAM_CONNECT:
    case ERR_UPSTREAM_CONNECT_TIMEOUT:
    case ERR_UPSTREAM_TIMEOUT: return CODE_TIMEOUT;
    case ERR_UPSTREAM_ANSWER:
    case ERR_UPSTREAM_CODING:
    case ERR_ANSWER_TYPE:
    case ERR_ANSWER_PARTIAL:
    case ERR_ANSWER_TOO_LARGE: return CODE_ANSWER;
    case ERR_ROUTE_CONTENT_TYPE:
    case ERR_CONTENT_CODING:
    case ERR_CONTENT_CODING_BROKEN: return has_answered ? CODE_ANSWER : CODE_REQUEST;
    default: break;
    }
    if (is_of_body(e)) return has_answered ? CODE_ANSWER : CODE_REQUEST;
    return CODE_OTHER;
}

void compat_mark_refusal(const struct exchange *x, enum error e, struct reply *reply)
{
    enum { GATEWAY_TIMEOUT = 504 };
    bool speaks = x->is_pull || (x->route && is_compat(x->route->config));
    if (!speaks) return;
    enum compat_code code = code_of(x, e);
    reply->compat_code = (int)code;
    if (code != CODE_TIMEOUT) return;
    reply->status = GATEWAY_TIMEOUT; /* theirs: 504 with an empty body for connect, DNS and read */
    reply->is_empty = true;
}
