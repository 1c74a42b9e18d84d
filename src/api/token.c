/* SPDX-License-Identifier: Apache-2.0 */
/* GET, PATCH and DELETE /v1/tokens/{id}. */
#include "about.h"
#include "api/card_json.h"

#include <string.h>

struct token_call {
    struct about_call about;
    struct card_json_list change;
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
    TRY(call_take_token(c, SLICE("")));
    return about_take_method(c);
}

/* --- asking --- */

static result ask_change(struct token_call *t)
{
    struct service_call *c = &t->about.base;
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
    switch (of(c)->about.operation) {
    case ABOUT_GET: return about_ask(c);
    case ABOUT_CHANGE: return ask_change(of(c));
    case ABOUT_DELETE: break;
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
    static const slice messages[] = {[ABOUT_GET] = {"Token found", 11},
                                     [ABOUT_CHANGE] = {"Token changed", 13},
                                     [ABOUT_DELETE] = {"Token deleted", 13}};
    struct token_call *t = of(c);
    if (!failed(r)) r = t->about.verdict;
    if (failed(r)) return call_write_failure(r, out, a);
    TRY(json_append_member(out, SLICE("{\"status\":\"success\",\"message\":\""), messages[t->about.operation]));
    TRY(buf_append(out, SLICE(",\"data\":{")));
    if (t->about.operation == ABOUT_DELETE) {
        TRY(json_append_member(out, SLICE("\"token\":\""), c->subject));
    } else {
        TRY(append_card_info(out, &t->about.info, 0));
        TRY(append_network_token(out, &t->about.network));
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
    .handlers = {.on_opened = call_opened, .on_token = about_on_token, .on_network = about_on_network},
};
