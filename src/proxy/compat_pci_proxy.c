/* SPDX-License-Identifier: Apache-2.0 */
#include "compat_dialects.h"

#include "http/writer.h"
#include "net/listener.h"

#define PULL_PATH "/v1/pull"
#define MERCHANT_FIELD "x-cc-merchant-id"
#define URL_FIELD "x-cc-url"
#define KEY_FIELD "pci-proxy-api-key"

/* Their table of errors, as far as ours have a place in it. */
enum compat_code {
    CODE_NONE = 0, CODE_HEADER = 1, CODE_MERCHANT = 2, CODE_TARGET = 3, CODE_KEY = 5, CODE_ROUTE = 9, CODE_PUSH_KEY = 50,
    CODE_BAD_ALIASES = 201, CODE_RATE = 202, CODE_ADDRESS = 203, CODE_ANSWER = 300, CODE_REQUEST = 301,
    CODE_TIMEOUT = 800, CODE_OTHER = 900
};

/* --- calls --- */

bool pci_proxy_is_call(slice path)
{
    return slice_is(path, PULL_PATH);
}

result pci_proxy_read_call(const struct exchange *x, struct compat_call *out)
{
    TRY(compat_get_one(x->head, MERCHANT_FIELD, ERR_COMPAT_HEADER, &out->merchant));
    TRY(compat_get_one(x->head, URL_FIELD, ERR_COMPAT_HEADER, &out->url));
    ENSURE(config_merchant_index(x->gate->config, out->merchant) >= 0, COMPAT_MERCHANT);
    return OK;
}

result pci_proxy_check_merchant(const struct exchange *x)
{
    const struct config *config = x->gate->config;
    ENSURE(x->merchant >= 0 && (size_t)x->merchant < config->merchant_count, COMPAT_MERCHANT);
    ENSURE(slice_eq(http_head_get(x->head, MERCHANT_FIELD), config->merchants[x->merchant].name), COMPAT_MERCHANT);
    return OK;
}

result pci_proxy_take_key(struct exchange *x, slice *path)
{
    slice key = slice_after(*path, 1);
    ENSURE(slice_find(key, '/') == key.len, ROUTE_NOT_ACCEPTED);
    if (key.len) x->push_key = key;
    x->is_upstream_itself = true;
    *path = SLICE("/");
    return OK;
}

bool pci_proxy_api_key(const struct exchange *x, slice *key)
{
    size_t count = http_head_count(x->head, KEY_FIELD);
    if (!x->push_key.at && count == 0) return false;
    *key = x->push_key.at ? x->push_key : http_head_get(x->head, KEY_FIELD);
    if (!x->push_key.at && count > 1) *key = SLICE(""); /* which one? neither: it is a wrong key */
    return true;
}

/* --- fields --- */

bool pci_proxy_is_field(slice name)
{
    return compat_begins_with(name, SLICE("x-cc-")) || compat_begins_with(name, SLICE("x-cvv-")) ||
           compat_begins_with(name, SLICE("pci-proxy-"));
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

result pci_proxy_write_fields(const struct exchange *x, struct buf *out, bool to_merchant)
{
    char id[REQUEST_ID_BYTES];
    struct matches m = matches_now(x);
    request_id_text(x->id, id);
    TRY(write_counts(out, &m));
    TRY(http_write_field(out, SLICE("x-cc-proxy-action-id"), (slice){id, sizeof id}));
    if (!to_merchant) return OK;
    if (x->capture) TRY(matches_write_masked(x, SLICE("pci-proxy-masked-aliases"), out));
    return config_route_is_push(x->route->config) ? write_caller(x, out) : OK;
}

/* --- errors --- */

enum error pci_proxy_error(enum error e)
{
    return e == ERR_KEY_MISSING ? ERR_COMPAT_KEY : e;
}

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
    case ERR_COMPAT_KEY: return x->called ? CODE_HEADER : CODE_PUSH_KEY;
    case ERR_KEY_WRONG:
    case ERR_KEY_PERMISSION: return CODE_KEY;
    case ERR_KEY_ADDRESS: return CODE_ADDRESS;
    case ERR_KEY_RATE: return CODE_RATE;
    case ERR_TOO_MANY_BAD_TOKENS: return CODE_BAD_ALIASES;
    case ERR_ROUTE_NONE:
    case ERR_ROUTE_NOT_ACCEPTED: return CODE_ROUTE;
    case ERR_COMPAT_ROUTE: return CODE_TARGET;
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

void pci_proxy_mark_refusal(const struct exchange *x, enum error e, struct reply *reply)
{
    enum { GATEWAY_TIMEOUT = 504 };
    enum compat_code code = code_of(x, e);
    reply->compat_code = (int)code;
    reply->challenge = SLICE("ApiKey header=\"" KEY_FIELD "\"");
    if (code != CODE_TIMEOUT) return;
    reply->status = GATEWAY_TIMEOUT; /* theirs: 504 with an empty body for connect, DNS and read */
    reply->is_empty = true;
}
