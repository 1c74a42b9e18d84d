/* SPDX-License-Identifier: Apache-2.0 */
/* GET, PATCH and DELETE /v1/aliases/{alias}: a token's state in the shape of PCI Proxy's alias status API, so that its users
 * can switch, with Basic authorization as they have it: the merchant's name and an API key. The network token itself and its
 * cryptogram are never in it; fingerprint, issuer and country are not known here. */
#include "about.h"
#include "body/json_pick.h"

#include <stdio.h>
#include <string.h>

enum { PATH_MONTH = 0, PATH_YEAR, PATH_REMOVE, PATH_CREATE, PATH_COUNT };

struct alias_call {
    struct about_call about;
    bool seen[PATH_COUNT];
    struct card_change change;
};

static const slice prefix = {"/v1/aliases/", 12};

static struct alias_call *of(struct service_call *c)
{
    return (struct alias_call *)c;
}

static bool takes(slice path)
{
    return slice_starts(path, prefix) && path.len > prefix.len;
}

static result understand(struct service_call *c)
{
    struct token_id id;
    c->subject = slice_after(c->request.head->path, prefix.len);
    ENSURE(token_id_from(c->subject, &id), TOKEN_NOT_FOUND);
    return about_take_method(c);
}

/* --- asking --- */

/* Month and year come apart, two digits each, as text. */
static void on_value(void *owner, uint32_t path, slice value, bool is_text)
{
    struct alias_call *a = owner;
    uint64_t n = 0;
    result r = a->seen[path] ? FAIL(JSON_DUPLICATE_KEY) : OK;
    a->seen[path] = true;
    if (failed(r)) {
        a->about.verdict = r;
    } else if (path == PATH_REMOVE && !is_text) {
        a->change.remove_pan = slice_is(value, "true");
    } else if (path == PATH_MONTH && value.len == 2 && slice_to_u64(value, 12, &n) && n > 0) {
        a->change.month = (uint8_t)n;
    } else if (path == PATH_YEAR && value.len == 2 && slice_to_u64(value, 99, &n)) {
        a->change.year = (uint16_t)(2000 + n);
    } else {
        a->about.verdict = path == PATH_MONTH || path == PATH_YEAR ? FAIL(CARD_EXPIRY) : FAIL(CARD_CHANGE);
    }
}

static result read_change(struct alias_call *a)
{
    static const char *const paths[PATH_COUNT] = {"$.expiryMonth", "$.expiryYear", "$.removePlain", "$.createNetworkToken"};
    struct path_set *set = path_set_new(PATH_JSON);
    result r = set ? OK : FAIL(MEMORY);
    for (size_t i = 0; !failed(r) && i < PATH_COUNT; i++) {
        uint32_t number;
        size_t error_at;
        r = path_set_add(set, slice_of(paths[i]), &number, &error_at);
    }
    if (!failed(r)) r = json_pick(set, a->about.base.request.body, on_value, a);
    path_set_free(set);
    TRY(r);
    TRY(a->about.verdict);
    ENSURE(a->seen[PATH_MONTH] == a->seen[PATH_YEAR], CARD_EXPIRY);
    ENSURE(!a->seen[PATH_CREATE], CARD_CHANGE); /* POST /v1/tokens/enroll makes network tokens: it needs an address */
    a->change.set_expiry = a->seen[PATH_MONTH];
    ENSURE(a->change.set_expiry || a->change.remove_pan, CARD_CHANGE);
    return OK;
}

static result ask(struct service_call *c)
{
    struct alias_call *a = of(c);
    if (a->about.operation == ABOUT_CHANGE) {
        ENSURE(call_is_json(c), CARD_CONTENT_TYPE);
        TRY(read_change(a));
        TRY(keeper_token_change(c->dialogue, ABOUT_CARD, c->subject, &a->change));
    } else if (a->about.operation == ABOUT_DELETE) {
        TRY(keeper_token_delete(c->dialogue, ABOUT_CARD, c->subject));
    } else {
        return about_ask(c);
    }
    c->waiting++;
    return OK;
}

/* --- answering --- */

static const char *code_of(enum error e)
{
    switch (e) {
    case ERR_TOKEN_NOT_FOUND: return "ALIAS_NOT_FOUND";
    case ERR_CARD_EXPIRY: return "INVALID_EXPIRATION";
    case ERR_CARD_CHANGE: return "INVALID_PROPERTY";
    case ERR_KEY_MISSING:
    case ERR_KEY_WRONG: return "UNAUTHORIZED";
    case ERR_KEY_ADDRESS:
    case ERR_KEY_MERCHANT:
    case ERR_KEY_PERMISSION: return "FORBIDDEN";
    case ERR_TOO_MANY_BAD_TOKENS: return "VELOCITY_ERROR";
    case ERR_JSON_SYNTAX:
    case ERR_JSON_CUT_OFF:
    case ERR_JSON_DEPTH:
    case ERR_JSON_DUPLICATE_KEY:
    case ERR_UTF8: return "INVALID_JSON_PAYLOAD";
    default: break;
    }
    int status = error_status(e);
    return status == 409 ? "INVALID_STATE" : status >= 500 ? "SERVER_ERROR" : "CLIENT_ERROR";
}

static result write_error(result r, struct buf *out, struct service_answer *a)
{
    a->status = r.err == ERR_TOKEN_NOT_FOUND ? 400 : error_status(r.err); /* theirs is a 400 */
    a->error = r.err;
    if (r.err == ERR_KEY_MISSING || r.err == ERR_KEY_WRONG) a->challenge = SLICE("Basic realm=\"cardveil\"");
    TRY(json_append_member(out, SLICE("{\"error\":{\"code\":\""), slice_of(code_of(r.err))));
    TRY(json_append_member(out, SLICE(",\"message\":\""), slice_of(error_text(r.err))));
    return buf_append(out, SLICE("}}\n"));
}

/* "02" and "28": two digits each. */
static result append_dates(struct buf *out, unsigned month, unsigned year)
{
    char text[64];
    int len = snprintf(text, sizeof text, "\"expiryMonth\":\"%02u\",\"expiryYear\":\"%02u\"", month, year % 100);
    ENSURE(len > 0 && (size_t)len < sizeof text, INTERNAL);
    return buf_append(out, (slice){text, (size_t)len});
}

/* 489537xxxxxx6287 */
static result append_masked(struct buf *out, const struct card_info *i)
{
    struct card_mask mask = i->mask;
    card_mask_x(&mask);
    slice masked = slice_of(mask.number);
    TRY(json_append_member(out, SLICE(",\"masked\":\""), masked));
    return masked.len > 4 ? json_append_member(out, SLICE(",\"card\":{\"last4\":\""), slice_after(masked, masked.len - 4))
                          : buf_append(out, SLICE(",\"card\":{\"last4\":\"\""));
}

static result append_brand(struct buf *out, const struct card_info *i)
{
    char brand[sizeof i->mask.brand];
    for (size_t k = 0; k < sizeof brand; k++) {
        char c = i->mask.brand[k];
        brand[k] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return json_append_member(out, SLICE("\"cardInfo\":{\"brand\":\""), slice_of(brand));
}

/* tokenInfo: of the first generation of their documents, there only once the card has a network token; networkToken: of the second. */
static result append_network_token(struct buf *out, const struct network_info *n)
{
    if (n->state == NETWORK_NONE) return OK;
    if (n->state == NETWORK_ACTIVE && n->month) {
        TRY(buf_append(out, SLICE(",\"tokenInfo\":{")));
        TRY(append_dates(out, n->month, n->year));
        TRY(buf_append(out, SLICE("}")));
    }
    TRY(json_append_member(out, SLICE(",\"networkToken\":{\"status\":\""), slice_of(network_state_name(n->state))));
    if (n->month) TRY(buf_append(out, SLICE(",")));
    if (n->month) TRY(append_dates(out, n->month, n->year));
    return buf_append(out, SLICE("}"));
}

static result write_status(struct alias_call *a, struct buf *out)
{
    const struct card_info *i = &a->about.info;
    TRY(json_append_member(out, SLICE("{\"alias\":\""), a->about.base.subject));
    TRY(append_time(out, SLICE(",\"type\":\"CARD\",\"dateCreated\":\""), i->created_ms));
    TRY(append_masked(out, i));
    TRY(buf_append(out, i->state == CARD_PAN_REMOVED ? SLICE(",\"panRemoved\":true,") : SLICE(",\"panRemoved\":false,")));
    if (i->month) TRY(append_dates(out, i->month, i->year));
    if (i->month) TRY(buf_append(out, SLICE(",")));
    TRY(append_brand(out, i));
    TRY(buf_append(out, SLICE("}")));
    TRY(append_network_token(out, &a->about.network));
    return buf_append(out, SLICE("}}\n"));
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    struct alias_call *call = of(c);
    if (!failed(r)) r = call->about.verdict;
    if (failed(r)) return write_error(r, out, a);
    if (call->about.operation != ABOUT_DELETE) return write_status(call, out);
    a->status = 204;
    return OK;
}

const struct endpoint aliases_endpoint = {
    .takes = takes,
    .methods = {"GET, HEAD, PATCH, DELETE", 24},
    .bytes = sizeof(struct alias_call),
    .answer_max_bytes = 8192,
    .takes_basic = true,
    .understand = understand,
    .ask = ask,
    .write = write_answer,
    .handlers = {.on_opened = call_opened, .on_token = about_on_token, .on_network = about_on_network},
};
