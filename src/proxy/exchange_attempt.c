/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include <assert.h>
#include <stdlib.h>

/* One exchange makes one attempt, or two: a network token that was clearly declined, for a reason that the rules and the table of
 * reasons allow, is followed by the card's number, once. The first answer is kept until a byte of the second attempt has left: if
 * that never happens, it is the answer.
 *
 *     REPLY (whole answer collected) ─► verdict ─┬─ no retry ─► the answer goes to the caller
 *                                                └─ retry ─► held ─► RESOLVE (PANs) ─► SEND ─► REPLY ─► the second answer       */

struct held_answer {
    struct buf head, body;
    int status;
    enum answer_framing framing;
    bool is_foreign_text;
    struct choice choice;
};

void attempt_forget_held(struct exchange *x)
{
    if (!x->held) return;
    buf_done(&x->held->head);
    buf_done(&x->held->body);
    free(x->held);
    x->held = NULL;
}

/* Moves what <from> holds; <from> is empty then, of the same kind. */
static void move(struct buf *to, struct buf *from)
{
    *to = *from;
    if (from->secret)
        buf_init_secret(from, to->max);
    else
        buf_init(from, to->max);
}

static bool hold(struct exchange *x)
{
    struct held_answer *h = calloc(1, sizeof *h);
    if (!h) return false;
    h->status = x->status;
    h->framing = x->framing;
    h->is_foreign_text = x->is_foreign_text;
    h->choice = x->choice;
    move(&h->head, &x->answer_head);
    move(&h->body, &x->collected);
    x->held = h;
    return true;
}

/* --- the first attempt's end --- */

static void judge(struct exchange *x)
{
    struct attempt *a = &x->attempts[x->attempt];
    a->choice = x->choice;
    a->status = x->upstream_status;
    verdict_of(x->route->config->rules, x->upstream_status, buf_slice(&x->collected), &a->verdict);
}

/* Never without someone who waits for the answer: nobody would learn of the second payment. */
static bool wants_retry(const struct exchange *x)
{
    const struct attempt *first = &x->attempts[0];
    return x->attempt == 0 && x->route->config->pan_retry && first->choice.kind == CREDENTIAL_NETWORK_TOKEN &&
           first->verdict.may_retry && x->request == REQUEST_SENT && x->body_complete && !x->streamed && x->client && x->dialogue;
}

/* As before anything was sent, but for the answer that is held and the secrets that the echo guard knows. */
static void begin_again(struct exchange *x)
{
    inflater_free(x->inflater);
    x->inflater = NULL;
    signing_free(x->signing);
    x->signing = NULL;
    x->is_signed = false;
    x->request = REQUEST_UNSENT;
    x->answer = ANSWER_NONE;
    x->framing = ANSWER_WITHOUT_BODY;
    x->upstream_status = 0;
    x->tries = 0;
    x->attempt = 1;
    x->waiting = 0;
    x->answered_us = x->sent_us = 0;
    credential_set_forget(&x->credentials);
}

bool attempt_again(struct exchange *x)
{
    if (!x->guard) return false; /* no card went out */
    judge(x);
    if (!wants_retry(x) || !hold(x)) return false;
    answer_release_upstream(x);
    begin_again(x);
    exchange_to(x, EXCHANGE_RESOLVE);
    result r = tokens_ask_again(x);
    if (failed(r)) exchange_refuse(x, r.err);
    return true;
}

/* --- when the second attempt did not come to be --- */

void attempt_answer_held(struct exchange *x, enum error why)
{
    struct held_answer *h = x->held;
    x->held = NULL;
    x->attempt = 0;
    x->choice = h->choice;
    x->upstream_status = x->status = h->status;
    x->framing = h->framing;
    x->is_foreign_text = h->is_foreign_text;
    buf_done(&x->answer_head);
    buf_done(&x->collected);
    x->answer_head = h->head;
    x->collected = h->body;
    free(h);
    x->retry_failure = why;
    x->request = REQUEST_SENT;
    x->answer = ANSWER_COLLECTED;
    bool keep_alive = x->keep_alive && !x->proxy->draining;
    struct link *l = exchange_client_link(x);
    if (failed(envelope_put_on(x)) || failed(answer_write_collected(x))) keep_alive = false;
    if (l) link_flush(l);
    exchange_finish(x, keep_alive);
}

/* --- for the report --- */

/* The keeper takes indices for those of its client's generation; this exchange may have begun under an earlier one. */
static bool find_current(const struct exchange *x, struct payment_outcome *out)
{
    const struct config *own = x->gate->config, *current = x->proxy->gate->config;
    int64_t merchant = config_merchant_index(current, own->merchants[x->merchant].name);
    for (size_t i = 0; merchant >= 0 && i < current->route_count; i++) {
        if (!slice_eq(current->routes[i].name, x->route->config->name)) continue;
        out->merchant = (uint32_t)merchant;
        out->route = (uint32_t)i;
        return true;
    }
    return false; /* it is configured no more: nobody will ask */
}

void attempt_report(struct exchange *x)
{
    const struct attempt *first = &x->attempts[0], *last = &x->attempts[x->attempt];
    if (!x->route || x->request_work != MESSAGE_REVEALS || !x->told_of || x->merchant < 0 || (x->request == REQUEST_UNSENT && x->attempt == 0)) return;
    const struct ruleset *rules = x->route->config->rules;
    bool is_known = rules->approved_count > 0; /* rules that know no approval (passthrough) know no payment */
    if (!is_known || x->gate->config->network_count == 0 || token_table_kind(x->tokens, x->told_of - 1) != TOKEN_PERMANENT) return;
    const struct choice *choice = first->status ? &first->choice : &x->choice;
    struct payment_outcome outcome = {
        .token = token_table_id(x->tokens, x->told_of - 1),
        .first = choice->kind,
        .fallback = choice->fallback,
        .card_has_token = choice->card_has_token,
        .first_verdict = first->verdict.what,
        .retried = x->attempt == 1 && x->request != REQUEST_UNSENT,
        .retry_verdict = x->attempts[1].verdict.what,
        .network_transaction_id = {last->verdict.network_transaction_id, last->verdict.network_transaction_id_len},
    };
    if (find_current(x, &outcome)) keeper_payment(x->proxy->keeper, &outcome);
}
