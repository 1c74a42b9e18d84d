/* SPDX-License-Identifier: Apache-2.0 */
#include "answers_priv.h"

#include "base/metrics.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

/* A card that was found in a message becomes an alias, by the route's configuration as it is here: the relay has no say.
 *
 *     number ─► vault: stored, or found ─► alias in the route's format ─┐
 *     CVC ──────────────────────────────────────────────────────────────┴─► audit ─► temporal tokens (CVC) ─► answer
 *
 * A card that has a CVC, or whose alias needs a record of its own, waits in secret memory until then. */

static const struct config_route *route_of(const struct question *q)
{
    return &q->standing.version->config->routes[q->standing.route];
}

/* --- the answer --- */

static void put_captured(const struct question *q, const struct token_id *cvc_alias)
{
    const slice tails[] = {token_id_slice(&q->alias), token_id_slice(cvc_alias)};
    /* An alias says nothing of a card; whether the card was known is for those who may ask by the API, too. */
    struct wire_captured w = {.alias_len = (uint8_t)tails[0].len, .cvc_alias_len = (uint8_t)tails[1].len, .fell = q->fell,
                              .created = q->standing.may_know && q->has_number && q->deed == CARD_CREATED};
    server_put(q->relay, WIRE_CAPTURED, q->dialogue, q->sequence, &w, tails);
}

static result audit_number(const struct question *q, result r)
{
    if (!q->has_number) return OK;
    return answer_audit(q, !failed(r) && q->deed == CARD_CHANGED ? "token.change" : "token.capture", token_id_slice(&q->token), r);
}

static result keep_cvc(const struct question *q, struct dialogue *d, struct token_id *out)
{
    struct keeper_server *server = q->relay->server;
    const struct temporal_card *found = q->found;
    result r = temporal_put(server->temporal, answer_merchant(q), &found->card, (slice){found->cvc, found->cvc_len},
                            (uint32_t)route_of(q)->cvc_ttl_s, loop_now_ms(server->loop), &d->made, out);
    result written = answer_audit(q, "temporal.create", failed(r) ? SLICE_NONE : token_id_slice(out), r);
    return failed(r) ? r : written;
}

/* Never before the dialogue has ended; without memory for it, the card's first payment is the next occasion. */
static void note_for_enrolment(const struct question *q, struct dialogue *d)
{
    enum provision strategy = route_of(q)->provision;
    if (strategy != PROVISION_NEW && strategy != PROVISION_ALL) return;
    if (d->captured_count == d->captured_room) {
        size_t room = d->captured_room ? d->captured_room * 2 : 4;
        struct token_id *more = realloc(d->captured, room * sizeof *more);
        if (!more) return;
        d->captured = more;
        d->captured_room = room;
    }
    d->captured[d->captured_count++] = q->token;
}

/* A CVC is only kept for a message that still waits for its alias. */
static void finish(struct question *q, result r)
{
    struct dialogue *d = server_find(q->relay, q->dialogue);
    struct token_id cvc_alias = {0};
    result written = audit_number(q, r);
    if (!failed(r)) r = written;
    if (d && !failed(r) && q->has_number && q->has_expiry) note_for_enrolment(q, d);
    if (d && !failed(r) && q->found && q->found->cvc_len) r = keep_cvc(q, d, &cvc_alias);
    metrics_add(failed(r) ? METRIC_CAPTURES_FAILED : METRIC_CAPTURES, 1);
    if (failed(r))
        answer_error(q->relay, WIRE_CAPTURED, q->dialogue, q->sequence, r.err);
    else
        put_captured(q, &cvc_alias);
    answer_finish(q);
}

/* --- the alias --- */

static void put(struct question *q, const struct card *card);

/* Between its two steps the merchant may delete the card, or destroy its number. Then it is one that is not known, and is kept anew; once,
 * whoever sends the message again finds it as it is by then. */
static bool is_gone(result r)
{
    return r.err == ERR_TOKEN_NOT_FOUND || r.err == ERR_TOKEN_NO_PAN;
}

static void put_again(struct question *q)
{
    result written = audit_number(q, OK); /* of the one that is gone */
    q->is_put_again = true;
    if (failed(written))
        finish(q, written);
    else
        put(q, &q->found->card);
}

static void on_alias(void *owner, result r, slice alias, bool fell)
{
    struct question *q = owner;
    if (is_gone(r) && q->found && !q->is_put_again) {
        put_again(q);
        return;
    }
    if (is_gone(r)) r = FAIL(CARD_GONE);
    if (!failed(r) && !token_id_from(alias, &q->alias)) r = FAIL(INTERNAL);
    q->fell = fell;
    if (fell) metrics_add(METRIC_ALIASES_LONGER, 1);
    finish(q, r);
}

static void on_put(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    struct question *q = owner;
    if (!failed(r) && !info) r = FAIL(INTERNAL);
    if (failed(r)) {
        finish(q, r);
        return;
    }
    q->token = info->token;
    q->has_expiry = info->month > 0;
    q->deed = deed;
    vault_alias_make(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), &route_of(q)->alias.wish, on_alias, q);
}

static void put(struct question *q, const struct card *card)
{
    const struct card_put_options options = {.unique = route_of(q)->alias.unique, .may_change = q->standing.may_change};
    vault_card_put(q->relay->server->vault, answer_merchant(q), card, options, on_put, q);
}

/* --- the question --- */

/* A holder that cannot be stored is left out: he stays in the message as he stands, and is no reason to stop it. */
static result read_number(const struct wire_frame *f, const struct wire_capture *w, struct card *out)
{
    slice number = wire_tail(f, 0), holder = wire_tail(f, 1);
    result r = answer_read_card(number, holder, w->month, w->year, out);
    return r.err == ERR_CARD_HOLDER ? answer_read_card(number, SLICE_NONE, w->month, w->year, out) : r;
}

static result read_found(struct question *q, const struct wire_frame *f, struct card *card)
{
    struct wire_capture w;
    slice cvc = wire_tail(f, 2);
    wire_fixed(f, &w, sizeof w);
    q->has_number = w.number_len > 0 || w.cvc_len == 0; /* neither: no card */
    memset(card, 0, sizeof *card);
    if (q->has_number) TRY(read_number(f, &w, card));
    if (w.cvc_len) TRY(card_check_cvc(cvc));
    if (!w.cvc_len && alias_is_own_id(&route_of(q)->alias.wish)) return OK;
    q->found = secret_alloc(sizeof *q->found);
    ENSURE(q->found != NULL, MEMORY);
    q->found->card = *card;
    q->found->cvc_len = w.cvc_len;
    if (cvc.len) memcpy(q->found->cvc, cvc.at, cvc.len);
    return OK;
}

void answer_capture(struct question *q, const struct wire_frame *f)
{
    struct keeper_server *server = q->relay->server;
    result r = read_found(q, f, server->card);
    if (failed(r) || !q->has_number)
        finish(q, r);
    else
        put(q, server->card);
    secret_wipe(server->card, sizeof *server->card);
}
