/* SPDX-License-Identifier: Apache-2.0 */
/* Firstoken's tokenisation endpoints, for those who come from there: their shapes, our operations, permissions and audit lines. What
 * would give a card number out is answered with why not, and what to do instead. */
#include "api/firstoken_json.h"
#include "call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum deed { DEED_TOKENIZE, DEED_REMOVE, DEED_CLEAR, DEED_REQUEST, DEED_INSPECT, DEED_END, DEED_STORE };

struct outcome { /* of one item */
    result verdict;
    struct card_info info;
};
struct firstoken_call {
    struct service_call base;
    enum deed deed;
    slice allow; /* the methods of this path */
    struct firstoken_json json;
    struct outcome *outcomes;
    size_t count;
};

#define TOKENS "/v1/tokens"
#define TRANSACTIONS "/transactions/requests"

/* The path is <before>, or, where that ends with a slash, it has an id and <after> behind it. */
static const struct operation {
    const char *method, *before, *after, *allow;
    enum deed deed;
    unsigned permission;
} operations[] = {
    {"POST", "/v1/tokenization/simple", "", "POST", DEED_TOKENIZE, PERMIT_TOKENIZE},
    {"POST", "/v1/detokenization/simple", "", "POST", DEED_CLEAR, PERMIT_READ},
    {"DELETE", TOKENS, "", "POST, DELETE", DEED_REMOVE, PERMIT_DELETE},
    {"POST", TRANSACTIONS, "", "POST", DEED_REQUEST, PERMIT_TOKENIZE},
    {"GET", TRANSACTIONS "/", "", "GET, HEAD, DELETE", DEED_CLEAR, PERMIT_READ},
    {"DELETE", TRANSACTIONS "/", "", "GET, HEAD, DELETE", DEED_END, PERMIT_DELETE},
    {"GET", TRANSACTIONS "/", "/inspect", "GET, HEAD", DEED_INSPECT, PERMIT_READ},
    {"POST", TRANSACTIONS "/", "/tokenize", "POST", DEED_STORE, PERMIT_TOKENIZE},
};

static struct firstoken_call *of(struct service_call *c)
{
    return (struct firstoken_call *)c;
}

/* --- which one --- */

static bool is_path_of(const struct operation *o, slice path, slice *id)
{
    slice before = slice_of(o->before), after = slice_of(o->after);
    *id = SLICE_NONE;
    if (!slice_ends(before, SLICE("/"))) return slice_eq(path, before);
    if (!slice_starts(path, before) || !slice_ends(path, after) || path.len <= before.len + after.len) return false;
    *id = slice_range(path, before.len, path.len - after.len);
    return slice_find(*id, '/') == id->len;
}

static bool takes(slice path)
{
    slice id;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (is_path_of(&operations[i], path, &id) && !slice_is(path, TOKENS)) return true;
    return false;
}

static bool takes_removal(slice path)
{
    return slice_is(path, TOKENS);
}

static result understand(struct service_call *c)
{
    struct firstoken_call *f = of(c);
    slice method = c->request.head->method;
    if (slice_is(method, "HEAD")) method = SLICE("GET");
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        const struct operation *o = &operations[i];
        if (!is_path_of(o, c->request.head->path, &c->subject)) continue;
        f->allow = slice_of(o->allow);
        if (!slice_is(method, o->method)) continue;
        f->deed = o->deed;
        c->request.caller.permission = o->permission;
        return OK;
    }
    return FAIL(METHOD);
}

/* --- asking --- */

static void on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created)
{
    struct firstoken_call *f = of(call_from(owner));
    (void)created;
    assert(index < f->count);
    f->outcomes[index].verdict = r;
    if (info) f->outcomes[index].info = *info;
    call_settle(&f->base);
}

static result read_body(struct firstoken_call *f)
{
    static const enum firstoken_kind kinds[] = {[DEED_TOKENIZE] = FIRSTOKEN_CARDS, [DEED_REMOVE] = FIRSTOKEN_TOKENS,
                                                [DEED_REQUEST] = FIRSTOKEN_REQUEST, [DEED_STORE] = FIRSTOKEN_STORE};
    bool has_body = f->deed != DEED_INSPECT && f->deed != DEED_END;
    if (has_body) ENSURE(call_is_json(&f->base), CARD_CONTENT_TYPE);
    if (has_body) TRY(firstoken_json_parse(f->base.request.body, kinds[f->deed], &f->json));
    f->count = f->deed == DEED_TOKENIZE ? f->json.list.count : f->deed == DEED_REMOVE ? f->json.token_count : 1;
    f->outcomes = calloc(f->count, sizeof *f->outcomes);
    ENSURE(f->outcomes != NULL, MEMORY);
    return OK;
}

/* What is wrong with one item has been seen here, or is the keeper's answer. */
static result ask_one(struct firstoken_call *f, uint32_t i)
{
    struct keeper_dialogue *d = f->base.dialogue;
    const struct card_json *card = f->json.list.count ? &f->json.list.cards[i] : NULL;
    slice id = f->base.subject;
    switch (f->deed) {
    case DEED_TOKENIZE:
        TRY(card->verdict);
        return keeper_token_create(d, i, &card->card, &f->json.form, f->json.unique);
    case DEED_REMOVE:
        ENSURE(f->json.tokens[i].len > 0, TOKEN_NOT_FOUND);
        return keeper_token_delete(d, i, token_id_slice(&f->json.tokens[i]));
    case DEED_REQUEST: return keeper_temporal_create(d, i, &card->card, (slice){card->cvc, card->cvc_len}, f->json.ttl_s);
    case DEED_INSPECT: return keeper_temporal_get(d, i, id);
    case DEED_END: return keeper_temporal_delete(d, i, id);
    case DEED_STORE: return keeper_temporal_store(d, i, id, &f->json.form, f->json.unique);
    case DEED_CLEAR: break;
    }
    return FAIL(NEVER_REVEALED);
}

static result ask(struct service_call *c)
{
    struct firstoken_call *f = of(c);
    ENSURE(f->deed != DEED_CLEAR, NEVER_REVEALED);
    TRY(read_body(f));
    for (uint32_t i = 0; i < f->count; i++) {
        f->outcomes[i].verdict = ask_one(f, i);
        c->waiting += !failed(f->outcomes[i].verdict);
    }
    return OK;
}

/* --- failures --- */

/* Theirs is 403 for a key that is missing or wrong, too. */
static int status_of(enum error e)
{
    enum { UNAUTHORIZED = 401, FORBIDDEN = 403 };
    return error_status(e) == UNAUTHORIZED ? FORBIDDEN : error_status(e);
}

static result append_why(struct buf *out, enum error e)
{
    TRY(json_append_member(out, SLICE(",\"desc\":\""), slice_of(error_text(e))));
    return json_append_member(out, SLICE(",\"code\":\""), slice_of(error_name(e)));
}

static result write_failure(const struct firstoken_call *f, result r, struct buf *out, struct service_answer *a)
{
    /* Whoever lacks a permission would look for the one that gives numbers out: there is none. */
    if (f->deed == DEED_CLEAR && r.err == ERR_KEY_PERMISSION) r = FAIL(NEVER_REVEALED);
    if (r.err == ERR_METHOD) a->allow = f->allow;
    a->status = status_of(r.err);
    a->error = r.err;
    TRY(buf_append(out, SLICE("{\"status_code\":")));
    TRY(buf_append_u64(out, (uint64_t)a->status));
    TRY(buf_append(out, SLICE(",\"status\":\"fail\"")));
    TRY(append_why(out, r.err));
    if (f->json.path) {
        TRY(json_append_member(out, SLICE(",\"data\":{\"path\":\""), slice_of(f->json.path)));
        TRY(json_append_member(out, SLICE(",\"description\":\""), slice_of(f->json.fault)));
        TRY(buf_append(out, SLICE("}")));
    }
    return buf_append(out, SLICE("}\n"));
}

/* The failure of all, for which no item is to blame: it is to be sent again. ERR_NONE: there is none. */
static result common_failure(const struct firstoken_call *f)
{
    enum { NOT_ITS_FAULT = 429 };
    result first = f->count ? f->outcomes[0].verdict : OK;
    bool is_batch = f->deed == DEED_TOKENIZE || f->deed == DEED_REMOVE;
    if (is_batch && failed(first) && error_status(first.err) < NOT_ITS_FAULT) return OK;
    for (size_t i = 1; i < f->count; i++)
        if (f->outcomes[i].verdict.err != first.err) return OK;
    return first;
}

/* --- answers --- */

static result append_scheme(const struct firstoken_call *f, struct buf *out)
{
    TRY(buf_append(out, SLICE(",\"tags\":[],\"scheme\":")));
    return buf_append_u64(out, f->json.scheme);
}

static result append_made(const struct firstoken_call *f, const struct outcome *o, struct buf *out)
{
    const struct card_info *i = &o->info;
    if (failed(o->verdict)) {
        TRY(buf_append(out, SLICE("{\"card\":null,\"token\":null")));
        TRY(append_scheme(f, out));
        TRY(buf_append(out, SLICE(",\"status\":0")));
        TRY(append_why(out, o->verdict.err));
        return buf_append(out, SLICE("}"));
    }
    TRY(json_append_member(out, SLICE("{\"card\":\""), slice_of(i->mask.number)));
    TRY(json_append_member(out, SLICE(",\"token\":\""), token_id_slice(i->alias.len ? &i->alias : &i->token)));
    TRY(append_scheme(f, out));
    TRY(buf_append(out, SLICE(",\"status\":1,\"created_by\":{\"name\":\"API\"}")));
    TRY(append_time(out, SLICE(",\"createdAt\":\""), i->created_ms));
    return buf_append(out, SLICE("}"));
}

/* A card number that was taken for a token does not come back. */
static slice token_shown(const struct token_id *id)
{
    struct card card;
    return failed(card_set_number(&card, token_id_slice(id))) ? token_id_slice(id) : SLICE_NONE;
}

static result append_removed(const struct firstoken_call *f, size_t i, struct buf *out)
{
    result r = f->outcomes[i].verdict;
    TRY(json_append_member(out, SLICE("{\"id\":\""), token_shown(&f->json.tokens[i])));
    TRY(buf_append(out, failed(r) ? SLICE(",\"status\":0") : SLICE(",\"status\":1")));
    if (failed(r)) TRY(append_why(out, r.err));
    return buf_append(out, SLICE("}"));
}

static result append_tokens(const struct firstoken_call *f, struct buf *out)
{
    TRY(buf_append(out, SLICE("\"tokens\":[")));
    for (size_t i = 0; i < f->count; i++) {
        if (i) TRY(buf_append(out, SLICE(",")));
        TRY(f->deed == DEED_REMOVE ? append_removed(f, i, out) : append_made(f, &f->outcomes[i], out));
    }
    return buf_append(out, SLICE("]"));
}

static result append_request(const struct firstoken_call *f, struct buf *out)
{
    const struct card_info *i = &f->outcomes[0].info;
    TRY(json_append_member(out, SLICE("\"id\":\""), token_id_slice(&i->token)));
    TRY(json_append_member(out, SLICE(",\"card\":\""), slice_of(i->mask.number)));
    TRY(append_time(out, SLICE(",\"createdAt\":\""), i->created_ms));
    return append_time(out, SLICE(",\"expiresAt\":\""), i->created_ms + (int64_t)f->json.ttl_s * 1000);
}

static result append_data(const struct firstoken_call *f, bool is_alive, struct buf *out)
{
    switch (f->deed) {
    case DEED_TOKENIZE:
    case DEED_STORE:
    case DEED_REMOVE: return append_tokens(f, out);
    case DEED_REQUEST: return append_request(f, out);
    case DEED_INSPECT: return buf_append(out, is_alive ? SLICE("\"status\":\"success\"") : SLICE("\"status\":\"fail\""));
    case DEED_END:
        TRY(json_append_member(out, SLICE("\"id\":\""), f->base.subject));
        return buf_append(out, SLICE(",\"status\":1"));
    case DEED_CLEAR: break;
    }
    return FAIL(INTERNAL);
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    struct firstoken_call *f = of(c);
    if (!failed(r)) r = common_failure(f);
    bool is_gone = f->deed == DEED_INSPECT && r.err == ERR_TOKEN_EXPIRED;
    if (failed(r) && !is_gone) return write_failure(f, r, out, a);
    TRY(buf_append(out, SLICE("{\"status_code\":200,\"status\":\"success\",\"desc\":\"Success\",\"data\":{")));
    TRY(append_data(f, !is_gone, out));
    return buf_append(out, SLICE("}}\n"));
}

static void end(struct service_call *c)
{
    struct firstoken_call *f = of(c);
    firstoken_json_done(&f->json);
    free(f->outcomes);
}

#define ENDPOINT                                                                                                       \
    .bytes = sizeof(struct firstoken_call), .answer_max_bytes = 128 * 1024, .understand = understand, .ask = ask,      \
    .write = write_answer, .end = end, .handlers = {.on_opened = call_opened, .on_token = on_token}

const struct endpoint firstoken_endpoint = {.takes = takes, ENDPOINT};
const struct endpoint firstoken_removal_endpoint = {.takes = takes_removal, .only = {"DELETE", 6}, ENDPOINT};
