/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include "api/card_json.h"
#include "base/clock.h"
#include "base/envelope.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_MAGIC = 0x61706963, CARDS_MAX = 100, ANSWER_MAX_BYTES = 128 * 1024, BODY_MAX_BYTES = 64 * 1024, KEY_ID_MAX = 16 };

enum operation { OPERATION_NONE = 0, OPERATION_CREATE, OPERATION_GET, OPERATION_CHANGE, OPERATION_DELETE, OPERATION_TEMPORAL };

struct outcome {
    result verdict;
    bool created;
    struct card_info info;
};

struct service_call {
    unsigned magic;
    enum operation operation;
    struct service_request request;
    slice token; /* of the path */
    struct keeper_dialogue *dialogue;
    struct card_json_list cards;
    struct outcome *outcomes; /* one per card; one for the other operations */
    size_t count, waiting;
    char key_id[KEY_ID_MAX];
    size_t key_id_len;
    service_done done;
    void *owner;
};

static const slice collection = {"/v1/tokens", 10}, transactions = {"/v1/transactions", 16};

static bool takes(slice path)
{
    return slice_eq(path, transactions) || slice_eq(path, collection) ||
           (slice_starts(path, collection) && path.len > collection.len && path.at[collection.len] == '/');
}

/* --- answering --- */

static result append_time(struct buf *out, slice before, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_rfc3339(wall_ms, text);
    return json_append_member(out, before, slice_of(text));
}

/* expires_ms: 0 for a card that is stored, which tells when it was changed instead. */
static result append_info(struct buf *out, const struct card_info *i, int64_t expires_ms)
{
    char expiry[16];
    int len = snprintf(expiry, sizeof expiry, "%02u/%04u", (unsigned)i->month, (unsigned)i->year);
    ENSURE(len > 0 && (size_t)len < sizeof expiry, INTERNAL);
    TRY(json_append_member(out, SLICE("\"token\":\""), token_id_slice(&i->token)));
    TRY(json_append_member(out, SLICE(",\"status\":\""),
                           i->state == CARD_ACTIVE ? SLICE("ACTIVE") : SLICE("PAN_REMOVED")));
    TRY(json_append_member(out, SLICE(",\"card\":{\"number\":\""), slice_of(i->mask.number)));
    TRY(json_append_member(out, SLICE(",\"brand\":\""), slice_of(i->mask.brand)));
    TRY(json_append_member(out, SLICE(",\"expiration_date\":\""), slice_of(expiry)));
    TRY(buf_append(out, i->has_holder ? SLICE(",\"has_holder\":true}") : SLICE(",\"has_holder\":false}")));
    TRY(append_time(out, SLICE(",\"created_at\":\""), i->created_ms));
    if (expires_ms) return append_time(out, SLICE(",\"expires_at\":\""), expires_ms);
    return append_time(out, SLICE(",\"updated_at\":\""), i->updated_ms);
}

static result append_failure(struct buf *out, result r)
{
    return envelope_append_failure(out, &(struct failure){.code = error_name(r.err), .text = error_text(r.err)});
}

static result append_one(const struct service_call *c, struct buf *out)
{
    static const slice messages[] = {[OPERATION_CREATE] = {"Token stored", 12},
                                     [OPERATION_GET] = {"Token found", 11},
                                     [OPERATION_CHANGE] = {"Token changed", 13},
                                     [OPERATION_DELETE] = {"Token deleted", 13},
                                     [OPERATION_TEMPORAL] = {"Temporal token created", 22}};
    const struct outcome *o = &c->outcomes[0];
    slice message = messages[c->operation];
    if (c->operation == OPERATION_CREATE && !o->created) message = SLICE("Token already exists");
    TRY(json_append_member(out, SLICE("{\"status\":\"success\",\"message\":\""), message));
    TRY(buf_append(out, SLICE(",\"data\":{")));
    if (c->operation == OPERATION_DELETE) {
        TRY(json_append_member(out, SLICE("\"token\":\""), c->token));
    } else {
        bool is_temporal = c->operation == OPERATION_TEMPORAL;
        TRY(append_info(out, &o->info, is_temporal ? o->info.created_ms + (int64_t)c->cards.cards[0].ttl_s * 1000 : 0));
    }
    return buf_append(out, SLICE("}}\n"));
}

/* A batch may be mixed: each card has its own status, in the order given. */
static result append_batch(const struct service_call *c, struct buf *out)
{
    size_t stored = 0;
    for (size_t i = 0; i < c->count; i++) stored += !failed(c->outcomes[i].verdict);
    TRY(buf_append(out, SLICE("{\"status\":\"success\",\"message\":\"")));
    TRY(buf_append_u64(out, stored));
    TRY(buf_append(out, SLICE(" of ")));
    TRY(buf_append_u64(out, c->count));
    TRY(buf_append(out, SLICE(" tokens stored\",\"data\":{\"tokens\":[")));
    for (size_t i = 0; i < c->count; i++) {
        const struct outcome *o = &c->outcomes[i];
        if (i) TRY(buf_append(out, SLICE(",")));
        if (failed(o->verdict)) {
            TRY(json_append_member(out, SLICE("{\"status\":\"fail\",\"code\":\""), slice_of(error_name(o->verdict.err))));
            TRY(json_append_member(out, SLICE(",\"message\":\""), slice_of(error_text(o->verdict.err))));
        } else {
            TRY(buf_append(out, SLICE("{")));
            TRY(append_info(out, &o->info, 0));
        }
        TRY(buf_append(out, SLICE("}")));
    }
    return buf_append(out, SLICE("]}}\n"));
}

static void call_free(void *object)
{
    struct service_call *c = object;
    assert(c->magic == CALL_MAGIC);
    card_json_done(&c->cards);
    free(c->outcomes);
    c->magic = 0;
    free(c);
}

static void call_end(struct service_call *c)
{
    keeper_end(c->dialogue);
    c->dialogue = NULL;
    loop_free_later(c->request.loop, call_free, c);
}

static int status_of(const struct service_call *c, result r)
{
    if (failed(r)) return error_status(r.err);
    bool makes_one = c->operation == OPERATION_TEMPORAL || (c->operation == OPERATION_CREATE && !c->cards.is_array);
    return makes_one && c->outcomes[0].created ? 201 : 200;
}

/* RFC 9110 10.2.1: the Allow field "lists the set of methods advertised as supported by the target resource". */
static slice allowed_methods(const struct service_call *c)
{
    bool is_item = slice_starts(c->request.head->path, collection) && c->request.head->path.len > collection.len;
    return !is_item ? SLICE("POST") : SLICE("GET, HEAD, PATCH, DELETE");
}

static void answer(struct service_call *c, result r)
{
    struct buf json;
    buf_init(&json, ANSWER_MAX_BYTES);
    if (!failed(r) && !c->cards.is_array) r = c->outcomes[0].verdict;
    result written = failed(r)             ? append_failure(&json, r)
                     : c->cards.is_array ? append_batch(c, &json)
                                         : append_one(c, &json);
    struct service_answer a = {.status = status_of(c, failed(written) ? written : r),
                               .json = buf_slice(&json),
                               .error = failed(written) ? written.err : r.err,
                               .key_id = {c->key_id, c->key_id_len}};
    if (a.error == ERR_METHOD) a.allow = allowed_methods(c);
    call_end(c);
    c->done(c->owner, &a);
    buf_done(&json);
}

/* --- asking the keeper --- */

static void on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created)
{
    struct service_call *c = owner;
    assert(c->magic == CALL_MAGIC && index < c->count && c->waiting > 0);
    c->outcomes[index].verdict = r;
    c->outcomes[index].created = created;
    if (info) c->outcomes[index].info = *info;
    if (--c->waiting == 0) answer(c, OK);
}

static result ask_create(struct service_call *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct card_json *card = &c->cards.cards[i];
        c->outcomes[i].verdict = card->verdict;
        if (failed(card->verdict)) continue;
        TRY(keeper_token_create(c->dialogue, (uint32_t)i, &card->card, card->unique));
        c->waiting++;
    }
    return OK;
}

static result ask_change(struct service_call *c)
{
    const struct card_json *json = &c->cards.cards[0];
    TRY(json->verdict);
    ENSURE(json->has_expiry || json->has_holder || json->remove_pan, CARD_CHANGE);
    struct card_change change = {
        .set_expiry = json->has_expiry,
        .set_holder = json->has_holder,
        .remove_pan = json->remove_pan,
        .month = json->card.month,
        .year = json->card.year,
        .holder_len = json->card.holder_len,
    };
    memcpy(change.holder, json->card.holder, change.holder_len);
    c->waiting++;
    return keeper_token_change(c->dialogue, 0, c->token, &change);
}

static result ask_temporal(struct service_call *c)
{
    const struct card_json *json = &c->cards.cards[0];
    TRY(json->verdict);
    c->waiting++;
    return keeper_temporal_create(c->dialogue, 0, &json->card, (slice){json->cvc, json->cvc_len}, json->ttl_s);
}

/* Demanded, not guessed: a page of any site may have a browser post a form or text/plain to a listener that needs no key, but
 * not application/json (Fetch 2.2.2, "CORS-safelisted request-header"). */
static bool is_json(const struct http_head *head)
{
    slice value = http_head_get(head, "content-type");
    slice type = slice_trim(slice_range(value, 0, slice_find(value, ';')));
    return http_head_count(head, "content-type") == 1 && slice_ieq(type, SLICE("application/json"));
}

static result read_cards(struct service_call *c)
{
    ENSURE(is_json(c->request.head), CARD_CONTENT_TYPE);
    if (c->operation == OPERATION_CHANGE) return card_json_parse(c->request.body, CARD_JSON_CHANGE, 1, &c->cards);
    if (c->operation == OPERATION_TEMPORAL) return card_json_parse(c->request.body, CARD_JSON_TEMPORAL, 1, &c->cards);
    result r = card_json_parse(c->request.body, CARD_JSON_NEW, CARDS_MAX, &c->cards);
    if (r.err == ERR_TOO_LARGE) return FAIL(CARD_COUNT);
    TRY(r);
    ENSURE(c->cards.count > 0, CARD_COUNT);
    return OK;
}

static result prepare(struct service_call *c)
{
    if (c->operation != OPERATION_GET && c->operation != OPERATION_DELETE) {
        result r = read_cards(c);
        if (failed(r)) card_json_done(&c->cards); /* also: an answer to all of the call, not a batch's */
        TRY(r);
    }
    c->count = c->operation == OPERATION_CREATE ? c->cards.count : 1;
    c->outcomes = calloc(c->count + 1, sizeof *c->outcomes);
    ENSURE(c->outcomes != NULL, MEMORY);
    return OK;
}

static result ask(struct service_call *c)
{
    TRY(prepare(c));
    switch (c->operation) {
    case OPERATION_CREATE: return ask_create(c);
    case OPERATION_CHANGE: return ask_change(c);
    case OPERATION_TEMPORAL: return ask_temporal(c);
    case OPERATION_GET: c->waiting++; return keeper_token_get(c->dialogue, 0, c->token);
    case OPERATION_DELETE: c->waiting++; return keeper_token_delete(c->dialogue, 0, c->token);
    case OPERATION_NONE: break;
    }
    return FAIL(INTERNAL);
}

static void on_opened(void *owner, result r, uint32_t merchant, slice key_id)
{
    struct service_call *c = owner;
    assert(c->magic == CALL_MAGIC);
    (void)merchant;
    c->key_id_len = key_id.len < sizeof c->key_id ? key_id.len : sizeof c->key_id;
    if (c->key_id_len) memcpy(c->key_id, key_id.at, c->key_id_len);
    if (!failed(r)) r = ask(c);
    if (failed(r) || c->waiting == 0) answer(c, r);
}

static const struct keeper_handlers handlers = {.on_opened = on_opened, .on_token = on_token};

/* --- what is asked for --- */

static result understand(struct service_call *c)
{
    slice method = c->request.head->method, path = c->request.head->path;
    if (slice_eq(path, collection) || slice_eq(path, transactions)) {
        ENSURE(slice_is(method, "POST"), METHOD);
        c->operation = slice_eq(path, transactions) ? OPERATION_TEMPORAL : OPERATION_CREATE;
        c->request.caller.permission = PERMIT_TOKENIZE;
        return OK;
    }
    struct token_id id;
    c->token = slice_after(path, collection.len + 1);
    ENSURE(token_id_from(c->token, &id), TOKEN_NOT_FOUND);
    c->operation = OPERATION_GET;
    c->request.caller.permission = PERMIT_READ;
    if (slice_is(method, "GET") || slice_is(method, "HEAD")) return OK;
    c->operation = OPERATION_CHANGE;
    c->request.caller.permission = PERMIT_CHANGE;
    if (slice_is(method, "PATCH")) return OK;
    c->operation = OPERATION_DELETE;
    c->request.caller.permission = PERMIT_DELETE;
    ENSURE(slice_is(method, "DELETE"), METHOD);
    return OK;
}

static struct service_call *start(const struct service_request *request, service_done done, void *owner)
{
    struct service_call *c = calloc(1, sizeof *c);
    if (!c) {
        done(owner, &(struct service_answer){.status = 503, .error = ERR_MEMORY});
        return NULL;
    }
    *c = (struct service_call){.magic = CALL_MAGIC, .request = *request, .done = done, .owner = owner};
    result r = understand(c);
    c->request.caller.purpose = KEEPER_FOR_API;
    if (!failed(r)) {
        c->dialogue = keeper_open(request->keeper, &c->request.caller, &handlers, c);
        if (!c->dialogue) r = FAIL(MEMORY);
    }
    if (!failed(r)) return c;
    answer(c, r);
    return NULL;
}

static void cancel(struct service_call *c)
{
    assert(c->magic == CALL_MAGIC);
    call_end(c);
}

const struct service api_service = {.takes = takes, .max_body_bytes = BODY_MAX_BYTES, .start = start, .cancel = cancel};
