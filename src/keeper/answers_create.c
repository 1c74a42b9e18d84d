/* SPDX-License-Identifier: Apache-2.0 */
#include "answers_priv.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/secret.h"

#include <string.h>

/* Cards that the API brings.
 *
 *     number, expiry, holder ─┐
 *                             ├─► vault: stored, or found ─► alias, where another form than the card's own id is wanted ─► answer
 *     temporal token ─────────┘
 *     card and CVC ─► temporal token ─► masked card, or its end */

/* --- to be stored --- */

/* The relay has checked this already; a stolen one has not. */
static result read_form(uint8_t format, slice template_text, struct alias_form *out)
{
    *out = (struct alias_form){.format = (enum alias_format)format};
    if (format == ALIAS_TEMPLATE) ENSURE(alias_form_read(template_text, out) == NULL && out->format == ALIAS_TEMPLATE, CARD_FORMAT);
    ENSURE((format == ALIAS_TEMPLATE) == (template_text.len > 0), CARD_FORMAT);
    return OK;
}

static void on_alias(void *owner, result r, slice alias, bool fell)
{
    struct question *q = owner;
    /* Deleted between its two steps: to have stored it and to have no such token would be no answer. */
    if (r.err == ERR_TOKEN_NOT_FOUND || r.err == ERR_TOKEN_NO_PAN) r = FAIL(CARD_GONE);
    if (!failed(r) && !token_id_from(alias, &q->info.alias)) r = FAIL(INTERNAL);
    if (slice_eq(token_id_slice(&q->info.alias), token_id_slice(&q->token))) q->info.alias.len = 0; /* it has as many others as it may */
    q->info.alias_fell = fell;
    if (fell) metrics_add(METRIC_ALIASES_LONGER, 1);
    answer_info(q, r, &q->info, q->deed);
}

static void on_stored(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    struct question *q = owner;
    const struct alias_wish wish = alias_form_wish(&q->form);
    if (failed(r) || !info || alias_is_own_id(&wish)) {
        answer_info(q, r, info, deed);
        return;
    }
    q->info = *info;
    q->token = info->token;
    q->deed = deed;
    vault_alias_make(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), &wish, on_alias, q);
}

/* The card is in server->card, which is wiped. */
static void store_or_fail(struct question *q, result r, bool unique)
{
    struct keeper_server *server = q->relay->server;
    const struct card_put_options options = {.unique = unique, .may_change = q->standing.may_change};
    if (failed(r))
        answer_info(q, r, NULL, CARD_FOUND);
    else
        vault_card_put(server->vault, answer_merchant(q), server->card, options, on_stored, q);
    secret_wipe(server->card, sizeof *server->card);
}

void answer_create(struct question *q, const struct wire_frame *f)
{
    struct wire_create w;
    wire_fixed(f, &w, sizeof w);
    result r = answer_read_card(wire_tail(f, 0), wire_tail(f, 1), w.month, w.year, q->relay->server->card);
    if (!failed(r)) r = read_form(w.format, wire_tail(f, 2), &q->form);
    store_or_fail(q, r, w.unique);
}

/* --- temporal tokens --- */

static void describe(const struct card *card, struct card_info *out)
{
    *out = (struct card_info){.month = card->month, .year = card->year, .has_holder = card->holder_len > 0,
                              .created_ms = clock_wall_ms()};
    out->updated_ms = out->created_ms;
    card_mask(card, &out->mask);
}

static result keep_temporal(struct dialogue *d, const struct question *q, const struct wire_frame *f, struct card_info *out)
{
    struct keeper_server *server = q->relay->server;
    struct card *card = server->card;
    struct wire_temporal w;
    wire_fixed(f, &w, sizeof w);
    TRY(answer_read_card(wire_tail(f, 0), wire_tail(f, 1), w.month, w.year, card));
    TRY(card_check_cvc(wire_tail(f, 2)));
    ENSURE(w.ttl_s > 0 && w.ttl_s <= TEMPORAL_TTL_MAX_S, TEMPORAL_TTL);
    describe(card, out);
    return temporal_put(server->temporal, answer_merchant(q), card, wire_tail(f, 2), w.ttl_s, loop_now_ms(server->loop), &d->made,
                        &out->token);
}

void answer_temporal_create(struct question *q, struct dialogue *d, const struct wire_frame *f)
{
    struct keeper_server *server = q->relay->server;
    struct card_info info;
    result r = keep_temporal(d, q, f, &info);
    secret_wipe(server->card, sizeof *server->card);
    answer_info(q, r, failed(r) ? NULL : &info, CARD_CREATED);
}

/* A payment that has reserved it keeps it: until its dialogue ends, there is none for anybody else. */
static result take(struct question *q, bool is_its_end, struct card *out)
{
    struct keeper_server *server = q->relay->server;
    struct temporal_holder holder = {0};
    const struct temporal_card *t;
    TRY(temporal_reserve(server->temporal, answer_merchant(q), token_id_slice(&q->token), loop_now_ms(server->loop), &holder, &t));
    *out = t->card;
    temporal_settle(server->temporal, &holder, is_its_end);
    return OK;
}

static result read_store(struct question *q, const struct wire_frame *f, bool *unique)
{
    struct card *card = q->relay->server->card;
    struct wire_store w;
    wire_fixed(f, &w, sizeof w);
    *unique = w.unique;
    TRY(read_form(w.format, wire_tail(f, 1), &q->form));
    TRY(take(q, false, card));
    ENSURE(card->number_len > 0, TEMPORAL_NO_CARD);
    return OK;
}

static void tell_temporal(struct question *q, result r, bool is_its_end)
{
    struct card *card = q->relay->server->card;
    struct card_info info;
    if (!failed(r)) r = take(q, is_its_end, card);
    if (!failed(r)) describe(card, &info);
    info.token = q->token;
    secret_wipe(card, sizeof *card);
    answer_info(q, r, failed(r) ? NULL : &info, CARD_FOUND);
}

void answer_temporal(struct question *q, const struct wire_frame *f)
{
    bool unique = false;
    result r = token_id_from(wire_tail(f, 0), &q->token) ? OK : FAIL(TOKEN_EXPIRED);
    if (f->type != WIRE_TEMPORAL_STORE) {
        tell_temporal(q, r, f->type == WIRE_TEMPORAL_DELETE);
        return;
    }
    if (!failed(r)) r = read_store(q, f, &unique);
    store_or_fail(q, r, unique);
}
