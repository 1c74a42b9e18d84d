/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/tokens: a card, or an array of them, gives tokens. */
#include "api/card_json.h"
#include "call.h"

#include <assert.h>
#include <stdlib.h>

enum { CARDS_MAX = 100 };

struct outcome { /* of one card */
    result verdict;
    bool created;
    struct card_info info;
};
struct create_call {
    struct service_call base;
    struct card_json_list cards;
    struct outcome *outcomes; /* one for each card */
};

static struct create_call *of(struct service_call *c)
{
    return (struct create_call *)c;
}

static bool takes(slice path)
{
    return slice_is(path, "/v1/tokens");
}

static result understand(struct service_call *c)
{
    ENSURE(slice_is(c->request.head->method, "POST"), METHOD);
    c->request.caller.permission = PERMIT_TOKENIZE;
    return OK;
}

/* --- asking --- */

static void on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created)
{
    struct create_call *t = of(call_from(owner));
    assert(index < t->cards.count);
    t->outcomes[index].verdict = r;
    t->outcomes[index].created = created;
    if (info) t->outcomes[index].info = *info;
    call_settle(&t->base);
}

static result read_cards(struct create_call *t)
{
    result r = card_json_parse(t->base.request.body, CARD_JSON_NEW, CARDS_MAX, &t->cards);
    if (r.err == ERR_TOO_LARGE) return FAIL(CARD_COUNT);
    TRY(r);
    ENSURE(t->cards.count > 0, CARD_COUNT);
    t->outcomes = calloc(t->cards.count, sizeof *t->outcomes);
    ENSURE(t->outcomes != NULL, MEMORY);
    return OK;
}

static result ask(struct service_call *c)
{
    struct create_call *t = of(c);
    ENSURE(call_is_json(c), CARD_CONTENT_TYPE);
    TRY(read_cards(t));
    for (size_t i = 0; i < t->cards.count; i++) {
        const struct card_json *card = &t->cards.cards[i];
        t->outcomes[i].verdict = card->verdict;
        if (failed(card->verdict)) continue;
        TRY(keeper_token_create(c->dialogue, (uint32_t)i, &card->card, &card->format, card->unique));
        c->waiting++;
    }
    return OK;
}

/* --- answering --- */

static result write_one(const struct create_call *t, struct buf *out, struct service_answer *a)
{
    const struct outcome *o = &t->outcomes[0];
    if (failed(o->verdict)) return call_write_failure(o->verdict, out, a);
    a->status = o->created ? 201 : 200;
    TRY(json_append_member(out, SLICE("{\"status\":\"success\",\"message\":\""),
                           o->created ? SLICE("Token stored") : SLICE("Token already exists")));
    TRY(buf_append(out, SLICE(",\"data\":{")));
    TRY(append_card_info(out, &o->info, 0));
    return buf_append(out, SLICE("}}\n"));
}

/* A batch may be mixed: each card has its own status, in the order given. */
static result write_batch(const struct create_call *t, struct buf *out)
{
    size_t stored = 0;
    for (size_t i = 0; i < t->cards.count; i++) stored += !failed(t->outcomes[i].verdict);
    TRY(buf_append(out, SLICE("{\"status\":\"success\",\"message\":\"")));
    TRY(buf_append_u64(out, stored));
    TRY(buf_append(out, SLICE(" of ")));
    TRY(buf_append_u64(out, t->cards.count));
    TRY(buf_append(out, SLICE(" tokens stored\",\"data\":{\"tokens\":[")));
    for (size_t i = 0; i < t->cards.count; i++) {
        const struct outcome *o = &t->outcomes[i];
        if (i) TRY(buf_append(out, SLICE(",")));
        if (failed(o->verdict)) {
            TRY(json_append_member(out, SLICE("{\"status\":\"fail\",\"code\":\""), slice_of(error_name(o->verdict.err))));
            TRY(json_append_member(out, SLICE(",\"message\":\""), slice_of(error_text(o->verdict.err))));
        } else {
            TRY(buf_append(out, SLICE("{")));
            TRY(append_card_info(out, &o->info, 0));
        }
        TRY(buf_append(out, SLICE("}")));
    }
    return buf_append(out, SLICE("]}}\n"));
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    struct create_call *t = of(c);
    if (failed(r)) return call_write_failure(r, out, a);
    return t->cards.is_array ? write_batch(t, out) : write_one(t, out, a);
}

static void end(struct service_call *c)
{
    card_json_done(&of(c)->cards);
    free(of(c)->outcomes);
}

const struct endpoint tokens_endpoint = {
    .takes = takes,
    .methods = {"POST, DELETE", 12},
    .bytes = sizeof(struct create_call),
    .answer_max_bytes = 128 * 1024,
    .understand = understand,
    .ask = ask,
    .write = write_answer,
    .end = end,
    .handlers = {.on_opened = call_opened, .on_token = on_token},
};
