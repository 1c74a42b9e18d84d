/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/transactions: a card with its CVC gives a temporal token. */
#include "api/card_json.h"
#include "call.h"

struct temporal_call {
    struct service_call base;
    struct card_json_list cards;
    result verdict;
    struct card_info info;
};

static struct temporal_call *of(struct service_call *c)
{
    return (struct temporal_call *)c;
}

static bool takes(slice path)
{
    return slice_is(path, "/v1/transactions");
}

static result understand(struct service_call *c)
{
    ENSURE(slice_is(c->request.head->method, "POST"), METHOD);
    c->request.caller.permission = PERMIT_TOKENIZE;
    return OK;
}

static void on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created)
{
    struct temporal_call *t = of(call_from(owner));
    (void)index;
    (void)created;
    t->verdict = r;
    if (info) t->info = *info;
    call_settle(&t->base);
}

static result ask(struct service_call *c)
{
    struct temporal_call *t = of(c);
    ENSURE(call_is_json(c), CARD_CONTENT_TYPE);
    TRY(card_json_parse(c->request.body, CARD_JSON_TEMPORAL, 1, &t->cards));
    const struct card_json *json = &t->cards.cards[0];
    TRY(json->verdict);
    TRY(keeper_temporal_create(c->dialogue, 0, &json->card, (slice){json->cvc, json->cvc_len}, json->ttl_s));
    c->waiting++;
    return OK;
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    struct temporal_call *t = of(c);
    if (!failed(r)) r = t->verdict;
    if (failed(r)) return call_write_failure(r, out, a);
    a->status = 201;
    TRY(buf_append(out, SLICE("{\"status\":\"success\",\"message\":\"Temporal token created\",\"data\":{")));
    TRY(append_card_info(out, &t->info, t->info.created_ms + (int64_t)t->cards.cards[0].ttl_s * 1000));
    return buf_append(out, SLICE("}}\n"));
}

static void end(struct service_call *c)
{
    card_json_done(&of(c)->cards);
}

const struct endpoint transactions_endpoint = {
    .takes = takes,
    .methods = {"POST", 4},
    .bytes = sizeof(struct temporal_call),
    .answer_max_bytes = 4096,
    .understand = understand,
    .ask = ask,
    .write = write_answer,
    .end = end,
    .handlers = {.on_opened = call_opened, .on_token = on_token},
};
