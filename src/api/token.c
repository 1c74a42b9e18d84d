/* SPDX-License-Identifier: Apache-2.0 */
/* GET, PATCH and DELETE /v1/tokens/{id}. */
#include "api/card_json.h"
#include "call.h"

#include <string.h>

enum operation { OPERATION_GET = 0, OPERATION_CHANGE, OPERATION_DELETE };
enum { ABOUT_CARD, ABOUT_NETWORK_TOKEN }; /* the questions' indices */

struct token_call {
    struct service_call base;
    enum operation operation;
    struct card_json_list change;
    result verdict;
    struct card_info info;
    struct network_info network; /* of a card without one: NETWORK_NONE */
};

static struct token_call *of(struct service_call *c)
{
    return (struct token_call *)c;
}

static bool takes(slice path)
{
    return slice_starts(path, SLICE("/v1/tokens/"));
}

static result understand(struct service_call *c)
{
    static const struct {
        const char *method;
        enum operation operation;
        unsigned permission;
    } methods[] = {{"GET", OPERATION_GET, PERMIT_READ},
                   {"HEAD", OPERATION_GET, PERMIT_READ},
                   {"PATCH", OPERATION_CHANGE, PERMIT_CHANGE},
                   {"DELETE", OPERATION_DELETE, PERMIT_DELETE}};
    TRY(call_take_token(c, SLICE("")));
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (!slice_is(c->request.head->method, methods[i].method)) continue;
        of(c)->operation = methods[i].operation;
        c->request.caller.permission = methods[i].permission;
        return OK;
    }
    return FAIL(METHOD);
}

/* --- asking --- */

static void on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created)
{
    struct token_call *t = of(call_from(owner));
    (void)index;
    (void)created;
    if (failed(r)) t->verdict = r;
    if (info) t->info = *info;
    call_settle(&t->base);
}

/* What it says of a card that there is not is what the other question says, too. */
static void on_network(void *owner, uint32_t index, result r, const struct network_info *info, const struct credential *credential)
{
    struct token_call *t = of(call_from(owner));
    (void)index;
    (void)credential;
    bool is_none = r.err == ERR_NETWORK_OFF || r.err == ERR_NETWORK_TOKEN_NONE;
    if (failed(r) && !is_none && !failed(t->verdict)) t->verdict = r;
    if (!failed(r) && info) t->network = *info;
    call_settle(&t->base);
}

static result ask_get(struct service_call *c)
{
    TRY(keeper_token_get(c->dialogue, ABOUT_CARD, c->subject));
    c->waiting++;
    if (!call_has_network(c)) return OK;
    TRY(keeper_network_token(c->dialogue, ABOUT_NETWORK_TOKEN, c->subject));
    c->waiting++;
    return OK;
}

static result ask_change(struct token_call *t)
{
    struct service_call *c = &t->base;
    ENSURE(call_is_json(c), CARD_CONTENT_TYPE);
    TRY(card_json_parse(c->request.body, CARD_JSON_CHANGE, 1, &t->change));
    const struct card_json *json = &t->change.cards[0];
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
    TRY(keeper_token_change(c->dialogue, ABOUT_CARD, c->subject, &change));
    c->waiting++;
    return OK;
}

static result ask(struct service_call *c)
{
    switch (of(c)->operation) {
    case OPERATION_GET: return ask_get(c);
    case OPERATION_CHANGE: return ask_change(of(c));
    case OPERATION_DELETE: break;
    }
    TRY(keeper_token_delete(c->dialogue, ABOUT_CARD, c->subject));
    c->waiting++;
    return OK;
}

/* --- answering --- */

static result append_network_token(struct buf *out, const struct network_info *n)
{
    if (n->state == NETWORK_NONE) return OK;
    TRY(json_append_member(out, SLICE(",\"network_token\":{\"status\":\""), slice_of(network_state_name(n->state))));
    if (n->reason[0]) TRY(json_append_member(out, SLICE(",\"reason\":\""), slice_of(n->reason)));
    if (n->month) TRY(append_expiry(out, SLICE(",\"expiration_date\":\""), n->month, n->year));
    if (n->updated_ms) TRY(append_time(out, SLICE(",\"updated_at\":\""), n->updated_ms));
    return buf_append(out, SLICE("}"));
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    static const slice messages[] = {[OPERATION_GET] = {"Token found", 11},
                                     [OPERATION_CHANGE] = {"Token changed", 13},
                                     [OPERATION_DELETE] = {"Token deleted", 13}};
    struct token_call *t = of(c);
    if (!failed(r)) r = t->verdict;
    if (failed(r)) return call_write_failure(r, out, a);
    TRY(json_append_member(out, SLICE("{\"status\":\"success\",\"message\":\""), messages[t->operation]));
    TRY(buf_append(out, SLICE(",\"data\":{")));
    if (t->operation == OPERATION_DELETE) {
        TRY(json_append_member(out, SLICE("\"token\":\""), c->subject));
    } else {
        TRY(append_card_info(out, &t->info, 0));
        TRY(append_network_token(out, &t->network));
    }
    return buf_append(out, SLICE("}}\n"));
}

static void end(struct service_call *c)
{
    card_json_done(&of(c)->change);
}

const struct endpoint token_endpoint = {
    .takes = takes,
    .methods = {"GET, HEAD, PATCH, DELETE", 24},
    .bytes = sizeof(struct token_call),
    .answer_max_bytes = 8192,
    .understand = understand,
    .ask = ask,
    .write = write_answer,
    .end = end,
    .handlers = {.on_opened = call_opened, .on_token = on_token, .on_network = on_network},
};
