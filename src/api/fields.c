/* SPDX-License-Identifier: Apache-2.0 */
/* Hosted card fields, for an iframe of the merchant's page:
 *
 *   GET  /fields/{session}        the page: fields, and the script that talks to the page around it
 *   GET  /fields/assets/{file}    its script and style; nothing of a session
 *   POST /fields/{session}        the card, from that script: a token, a temporal token, or both, as the session's kind has it
 *
 * The page may be framed by the session's origin only (CSP frame-ancestors), loads nothing but its own two files, sends nothing but
 * to where it came from, and its messages go to that origin only. A card is taken as application/json, which no page of another
 * origin can have a browser send without asking first, and we never allow it. */
#include "api/card_json.h"
#include "call.h"
#include "fields_assets.h"

#include <assert.h>
#include <string.h>

enum { INDEX_SESSION = 0, INDEX_TOKEN, INDEX_TEMPORAL, FIELDS_MAX_BYTES = 1024, PAGE_MAX_BYTES = 32 * 1024 };

static const slice prefix = {"/fields/", 8};
#define COMMON_FIELDS \
    "x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\ncross-origin-opener-policy: same-origin\r\n" \
    "cross-origin-resource-policy: same-origin\r\npermissions-policy: camera=(), geolocation=(), microphone=()\r\n"
#define CSP_BEFORE_ANCESTORS \
    "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; " \
    "form-action 'none'; require-trusted-types-for 'script'; frame-ancestors "

enum fields_request { FIELDS_ASSET, FIELDS_PAGE, FIELDS_CARD };
struct fields_call {
    struct service_call base;
    enum fields_request what;
    const struct asset *asset;
    result verdict;
    enum field_kind kind;
    size_t origin_len, fields_len;
    char origin[ORIGIN_MAX_BYTES];
    char fields[FIELDS_MAX_BYTES]; /* of the answer's head */
    struct card_json_list cards;
    struct card_info token, temporal;
    bool has_token, has_temporal;
};

static const struct asset {
    const char *name, *type;
    const slice *text;
} assets[] = {{"fields.js", "text/javascript; charset=utf-8", &fields_js_slice}, {"fields.css", "text/css; charset=utf-8", &fields_css_slice}};

static struct fields_call *of(struct service_call *c)
{
    return (struct fields_call *)c;
}

static bool takes(slice path)
{
    return slice_starts(path, prefix) && path.len > prefix.len;
}

static const struct asset *find_asset(slice path)
{
    slice folder = SLICE("assets/");
    if (!slice_starts(path, folder)) return NULL;
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++)
        if (slice_is(slice_after(path, folder.len), assets[i].name)) return &assets[i];
    return NULL;
}

static bool is_get(const struct service_call *c)
{
    return slice_is(c->request.head->method, "GET") || slice_is(c->request.head->method, "HEAD");
}

static result understand(struct service_call *c)
{
    struct fields_call *f = of(c);
    c->subject = slice_after(c->request.head->path, prefix.len);
    f->asset = find_asset(c->subject);
    bool is_post = slice_is(c->request.head->method, "POST") && !f->asset;
    ENSURE(is_get(c) || is_post, METHOD);
    f->what = f->asset ? FIELDS_ASSET : is_post ? FIELDS_CARD : FIELDS_PAGE;
    c->needs_nobody = f->asset != NULL;
    c->request.caller.purpose = KEEPER_FOR_FIELDS;
    c->request.caller.permission = PERMIT_TOKENIZE;
    c->request.caller.api_key = c->subject;
    return OK;
}

/* --- the card --- */

static void on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created)
{
    struct fields_call *f = of(call_from(owner));
    (void)created; /* whether the shop knew the card before is not the payer's business */
    if (failed(r) && !failed(f->verdict)) f->verdict = r;
    if (info && index == INDEX_TOKEN) {
        f->token = *info;
        f->has_token = true;
    } else if (info) {
        f->temporal = *info;
        f->has_temporal = true;
    }
    call_settle(&f->base);
}

/* A session that makes no temporal tokens takes no CVC. */
static result read_card(struct fields_call *f)
{
    bool with_cvc = f->kind != FIELD_TOKEN;
    TRY(card_json_parse(f->base.request.body, with_cvc ? CARD_JSON_TEMPORAL : CARD_JSON_NEW, 1, &f->cards));
    ENSURE(f->cards.count == 1, CARD_FIELD);
    return f->cards.cards[0].verdict;
}

static result ask_for_card(struct fields_call *f)
{
    struct service_call *c = &f->base;
    TRY(read_card(f));
    const struct card_json *json = &f->cards.cards[0];
    if (f->kind != FIELD_TRANSACTION) {
        const struct alias_form own_id = {.format = ALIAS_UUID}; /* what it looks like is not the payer's choice */
        TRY(keeper_token_create(c->dialogue, INDEX_TOKEN, &json->card, &own_id, false));
        c->waiting++;
    }
    if (f->kind == FIELD_TOKEN) return OK;
    TRY(keeper_temporal_create(c->dialogue, INDEX_TEMPORAL, &json->card, (slice){json->cvc, json->cvc_len}, TEMPORAL_TTL_DEFAULT_S));
    c->waiting++;
    return OK;
}

static void on_fields(void *owner, uint32_t index, result r, const struct field_session_info *info)
{
    struct fields_call *f = of(call_from(owner));
    (void)index;
    if (!failed(r)) {
        assert(info->origin.len <= sizeof f->origin);
        memcpy(f->origin, info->origin.at, info->origin.len);
        f->origin_len = info->origin.len;
        f->kind = info->kind;
    }
    if (!failed(r) && f->what == FIELDS_CARD) r = ask_for_card(f);
    if (failed(r) && !failed(f->verdict)) f->verdict = r;
    call_settle(&f->base);
}

static result ask(struct service_call *c)
{
    if (of(c)->what == FIELDS_ASSET) return OK;
    if (of(c)->what == FIELDS_CARD) ENSURE(call_is_json(c), CARD_CONTENT_TYPE);
    TRY(keeper_fields_get(c->dialogue, INDEX_SESSION));
    c->waiting++;
    return OK;
}

/* --- answering --- */

static result write_asset(const struct fields_call *f, struct buf *out, struct service_answer *a)
{
    a->content_type = slice_of(f->asset->type);
    a->fields = SLICE(COMMON_FIELDS);
    return buf_append(out, *f->asset->text);
}

/* The page's text with the session's values in the places of %ORIGIN% and %KIND%. An origin is a scheme, a host and a port: it has no
 * character that means something in HTML or in a header (read_origin in field_sessions.c). */
static result append_filled(struct buf *out, slice page, slice origin, slice kind)
{
    while (page.len) {
        size_t origin_at = slice_find_slice(page, SLICE("%ORIGIN%")), kind_at = slice_find_slice(page, SLICE("%KIND%"));
        size_t at = origin_at < kind_at ? origin_at : kind_at;
        TRY(buf_append(out, slice_range(page, 0, at)));
        if (at == page.len) return OK;
        TRY(buf_append(out, at == origin_at ? origin : kind));
        page = slice_after(page, at + (at == origin_at ? sizeof "%ORIGIN%" : sizeof "%KIND%") - 1);
    }
    return OK;
}

static result set_fields(struct fields_call *f, slice ancestors, struct service_answer *a)
{
    struct buf fields;
    buf_init(&fields, sizeof f->fields);
    result r = buf_append(&fields, SLICE(COMMON_FIELDS CSP_BEFORE_ANCESTORS));
    if (!failed(r)) r = buf_append(&fields, ancestors);
    if (!failed(r)) r = buf_append(&fields, SLICE("\r\n"));
    if (!failed(r)) {
        memcpy(f->fields, fields.at, fields.len);
        f->fields_len = fields.len;
    }
    buf_done(&fields);
    a->fields = (slice){f->fields, f->fields_len};
    a->content_type = SLICE("text/html; charset=utf-8");
    return r;
}

static result write_page(struct fields_call *f, struct buf *out, struct service_answer *a)
{
    static const char *const kinds[] = {[FIELD_TOKEN] = "token", [FIELD_TRANSACTION] = "transaction", [FIELD_BOTH] = "both"};
    slice origin = {f->origin, f->origin_len};
    TRY(set_fields(f, origin, a));
    return append_filled(out, page_html_slice, origin, slice_of(kinds[f->kind]));
}

/* Seen by the payer: a page that says what to do, in a frame whose session is over. Any page may frame it: it holds nothing. */
static result write_expired(struct fields_call *f, result r, struct buf *out, struct service_answer *a)
{
    a->status = error_status(r.err);
    a->error = r.err;
    TRY(set_fields(f, SLICE("*"), a));
    return buf_append(out, expired_html_slice);
}

static result write_card(const struct fields_call *f, struct buf *out)
{
    const struct card_info *i = f->has_token ? &f->token : &f->temporal;
    TRY(buf_append(out, SLICE("{\"status\":\"success\",\"message\":\"Card taken\",\"data\":{")));
    if (f->has_token) TRY(json_append_member(out, SLICE("\"token\":\""), token_id_slice(&f->token.token)));
    if (f->has_token && f->has_temporal) TRY(buf_append(out, SLICE(",")));
    if (f->has_temporal) TRY(json_append_member(out, SLICE("\"transaction\":\""), token_id_slice(&f->temporal.token)));
    TRY(json_append_member(out, SLICE(",\"card\":{\"number\":\""), slice_of(i->mask.number)));
    TRY(json_append_member(out, SLICE(",\"brand\":\""), slice_of(i->mask.brand)));
    TRY(append_expiry(out, SLICE(",\"expiration_date\":\""), i->month, i->year));
    return buf_append(out, SLICE("}}}\n"));
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    struct fields_call *f = of(c);
    if (!failed(r)) r = f->verdict;
    if (failed(r) && f->what == FIELDS_PAGE && r.err != ERR_METHOD) return write_expired(f, r, out, a);
    if (failed(r)) return call_write_failure(r, out, a);
    if (f->what == FIELDS_ASSET) return write_asset(f, out, a);
    if (f->what == FIELDS_PAGE) return write_page(f, out, a);
    a->status = 201;
    return write_card(f, out);
}

static void end(struct service_call *c)
{
    card_json_done(&of(c)->cards);
}

const struct endpoint fields_endpoint = {
    .takes = takes,
    .methods = {"GET, HEAD, POST", 15},
    .bytes = sizeof(struct fields_call),
    .answer_max_bytes = PAGE_MAX_BYTES,
    .understand = understand,
    .ask = ask,
    .write = write_answer,
    .end = end,
    .handlers = {.on_opened = call_opened, .on_token = on_token, .on_fields = on_fields},
};
