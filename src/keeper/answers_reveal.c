/* SPDX-License-Identifier: Apache-2.0 */
#include "answers_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "jobs.h"

#include <stdlib.h>
#include <string.h>

/* The credential of a payment. The card is read last; where a network token goes out its PAN goes into no frame.
 *
 *     network record ─► choice ─┬─ not the token: why ────────────────────────────┐
 *                               ├─ merchant-initiated: stored number ─────────────┤
 *                               └─ registrar: cryptogram, within the budget ──────┴─► trail (merchant-initiated) ─► card ─► answer */

static const struct config_route *route_of(const struct question *q)
{
    return &q->standing.version->config->routes[q->standing.route];
}

/* --- the answer --- */

enum card_brand server_brand(const struct card_info *info)
{
    enum card_brand brand = BRAND_UNKNOWN;
    slice name = {info->mask.brand, strnlen(info->mask.brand, sizeof info->mask.brand)};
    return card_brand_parse(name, &brand) ? brand : BRAND_UNKNOWN;
}

/* Of the masked number, which has them also where the PAN was removed. */
static slice last_four(const struct card *card, const struct card_info *info)
{
    slice number = {card->number, card->number_len};
    if (info) number = (slice){info->mask.number, strnlen(info->mask.number, sizeof info->mask.number)};
    return number.len >= 4 ? slice_after(number, number.len - 4) : SLICE_NONE;
}

static void put_network_token(const struct question *q, const struct card *card, const struct card_info *info)
{
    const struct credential *c = q->credential;
    slice last4 = last_four(card, info);
    struct wire_revealed w = {.network_us = q->choice.network_us, .kind = CREDENTIAL_NETWORK_TOKEN, .card_has_token = true,
                              .month = c->month, .year = c->year, .brand = (uint8_t)server_brand(info), .number_len = c->number_len,
                              .holder_len = card->holder_len, .cryptogram_len = c->cryptogram_len, .eci_len = c->eci_len,
                              .requestor_len = c->requestor_len, .network_transaction_id_len = q->trail_len,
                              .card_last4_len = (uint8_t)last4.len};
    const slice tails[WIRE_TAILS_MAX] = {{c->number, c->number_len}, {card->holder, card->holder_len}, SLICE_NONE,
                                         {c->cryptogram, c->cryptogram_len}, {c->eci, c->eci_len}, {c->requestor, c->requestor_len},
                                         {q->trail, q->trail_len}, last4};
    server_put(q->relay, WIRE_REVEALED, q->dialogue, q->sequence, &w, tails);
}

static void put_pan(const struct question *q, const struct card *card, const struct card_info *info, slice cvc)
{
    slice last4 = last_four(card, info);
    struct wire_revealed w = {.network_us = q->choice.network_us, .kind = CREDENTIAL_PAN, .fallback = (uint8_t)q->choice.fallback,
                              .card_has_token = q->choice.card_has_token, .month = card->month, .year = card->year,
                              .brand = (uint8_t)(info ? server_brand(info) : BRAND_UNKNOWN), .number_len = card->number_len,
                              .holder_len = card->holder_len, .cvc_len = (uint8_t)cvc.len,
                              .network_transaction_id_len = q->trail_len, .card_last4_len = (uint8_t)last4.len};
    const slice tails[WIRE_TAILS_MAX] = {[0] = {card->number, card->number_len}, [1] = {card->holder, card->holder_len}, [2] = cvc,
                                         [6] = {q->trail, q->trail_len}, [7] = last4};
    server_put(q->relay, WIRE_REVEALED, q->dialogue, q->sequence, &w, tails);
}

static void count_reveal(const struct question *q, result r)
{
    metrics_add(failed(r) ? METRIC_REVEALS_REFUSED : METRIC_REVEALS, 1);
    answer_count_guess(q, r);
}

/* The audit line first: without it nothing is revealed. A dialogue that ended meanwhile gets nothing, so tells nothing. */
static void tell(struct question *q, result r, const struct card *card, const struct card_info *info, slice cvc)
{
    struct dialogue *d = server_find(q->relay, q->dialogue);
    if (d) {
        result written = answer_audit(q, q->credential ? "network.credential" : "reveal", token_id_slice(&q->token), r);
        if (!failed(r)) r = written;
        if (failed(r)) {
            answer_error(q->relay, WIRE_REVEALED, q->dialogue, q->sequence, r.err);
        } else if (q->credential) {
            d->gave_network_token = true;
            put_network_token(q, card, info);
        } else {
            put_pan(q, card, info, cvc);
        }
        count_reveal(q, r);
    }
    answer_finish(q);
}

/* --- the card --- */

static bool is_temporal_of_his(const struct question *q)
{
    struct keeper_server *server = q->relay->server;
    return temporal_is_known(server->temporal, answer_merchant(q), token_id_slice(&q->token), loop_now_ms(server->loop));
}

/* To a merchant, another merchant's token and none at all are the same (no oracle). A card whose PAN was removed is paid with its
 * network token or not at all. */
static result judge(const struct question *q, result r, const struct card *card, const struct card_info *info)
{
    if (r.err == ERR_TOKEN_NOT_FOUND) return is_temporal_of_his(q) ? FAIL(TOKEN_WRONG_KIND) : FAIL(TOKEN_UNKNOWN);
    if (failed(r)) return r;
    ENSURE(card && info, INTERNAL);
    ENSURE(q->kind == TOKEN_PERMANENT, TOKEN_WRONG_KIND);
    ENSURE(q->credential || (info->state == CARD_ACTIVE && card->number_len > 0), TOKEN_NO_PAN);
    return OK;
}

static void on_card(void *owner, result found, const struct card *card, const struct card_info *info)
{
    struct question *q = owner;
    tell(q, judge(q, found, card, info), card, info, SLICE_NONE);
}

static void fetch_card(struct question *q)
{
    vault_card_get(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), on_card, q);
}

static void on_trail(void *owner, result r, slice network_transaction_id)
{
    struct question *q = owner;
    if (!failed(r) && network_transaction_id.len <= sizeof q->trail) {
        memcpy(q->trail, network_transaction_id.at, network_transaction_id.len);
        q->trail_len = (uint8_t)network_transaction_id.len;
    }
    fetch_card(q);
}

/* The network transaction id of an earlier payment on this route belongs into a merchant-initiated one, whatever goes out. */
static void fetch_rest(struct question *q)
{
    if (q->wish.merchant_initiated)
        vault_trail_get(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), route_of(q)->name, on_trail, q);
    else
        fetch_card(q);
}

/* --- the network token --- */

static bool goes_without_cryptogram(const struct question *q)
{
    return q->wish.merchant_initiated && route_of(q)->rules->network_token_mit_without_cryptogram;
}

/* For merchant-initiated payments. Another expiry than the record's is a renewal that nobody has told of: reading the state back writes
 * it, and tells the merchant; written here it would be news to nobody. */
static void keep_number(void *owner, struct network_record *record, struct network_change *change)
{
    struct question *q = owner;
    const struct credential *c = q->credential;
    q->has_news = false;
    if (record->state != NETWORK_ACTIVE || !answer_asked_about(q, record)) return;
    bool is_same_number = slice_eq((slice){record->number, record->number_len}, (slice){c->number, c->number_len});
    bool is_same_expiry = answer_is_expiry_of(c, record);
    q->has_news = !is_same_expiry || (record->number_len > 0 && !is_same_number);
    if (is_same_expiry ? is_same_number : record->month > 0) return;
    record->number_len = c->number_len;
    memcpy(record->number, c->number, c->number_len);
    record->requestor_len = c->requestor_len;
    memcpy(record->requestor, c->requestor, c->requestor_len);
    record->month = c->month; /* the first that is known */
    record->year = c->year;
    change->write = true;
}

/* While the network was asked the card may have got another token: what came is of one that is gone. A record that cannot be read or
 * written is no reason; without its number the next merchant-initiated payment asks the network. */
static void on_record_again(void *owner, result r, const struct network_record *record)
{
    struct question *q = owner;
    if (!failed(r) && !answer_asked_about(q, record)) {
        secret_free(q->credential, sizeof *q->credential);
        q->credential = NULL;
        q->choice.fallback = FALLBACK_CRYPTOGRAM_FAILED;
    }
    if (q->has_news) jobs_refresh_for_payment(q->relay->server->jobs, answer_merchant(q), token_id_slice(&q->token));
    fetch_rest(q);
}

static struct breaker *patience_of(const struct question *q)
{
    const struct standing *s = &q->standing;
    return version_patience(s->version, s->route, (uint32_t)s->version->config->merchants[s->merchant].network);
}

static bool has_patience(const struct question *q)
{
    struct breaker *b = patience_of(q);
    return !b || breaker_lets_through(b, loop_now_ms(q->relay->server->loop));
}

/* Whatever came within the budget, be it a refusal, was worth the wait. */
static void book_wait(const struct question *q, bool is_late)
{
    struct breaker *b = patience_of(q);
    if (!b) return;
    enum breaker_state before = b->state;
    if (is_late)
        breaker_failed(b, loop_now_ms(q->relay->server->loop), back_off_random());
    else
        breaker_succeeded(b);
    if (before != BREAKER_CLOSED || b->state != BREAKER_OPEN) return;
    log_begin(LOG_LEVEL_WARN, "network_slow");
    log_word("route", route_of(q)->name);
    log_text("reason", "payments go out with the card number, at once; now and then one waits to see whether the network is back");
    log_end();
}

static bool is_usable(const struct question *q, const struct registry_answer *a)
{
    return !failed(a->r) && a->credential && a->credential->number_len > 0 && a->credential->month > 0 &&
           (a->credential->cryptogram_len > 0 || goes_without_cryptogram(q));
}

static void on_answer(void *owner, const struct registry_answer *a)
{
    struct question *q = owner;
    struct keeper_server *server = q->relay->server;
    uint64_t waited = loop_now_us(server->loop) - q->asked_us;
    q->order = NULL;
    server_stop_waiting(q);
    q->choice.network_us = waited < UINT32_MAX ? (uint32_t)waited : UINT32_MAX;
    metrics_time(HISTOGRAM_NETWORK, waited);
    book_wait(q, a->is_late);
    if (is_usable(q, a)) q->credential = secret_alloc(sizeof *q->credential);
    if (q->credential) {
        *q->credential = *a->credential;
        vault_network_alter(server->vault, answer_merchant(q), token_id_slice(&q->token), keep_number, on_record_again, q);
        return;
    }
    q->choice.fallback = a->is_late ? FALLBACK_BUDGET_SPENT : FALLBACK_CRYPTOGRAM_FAILED;
    if (registry_is_stale(a)) jobs_refresh_for_payment(server->jobs, answer_merchant(q), token_id_slice(&q->token));
    fetch_rest(q);
}

/* As the network last told it, for a merchant-initiated payment where the rules go without a cryptogram: no call at all. */
static void use_stored(struct question *q, const struct network_record *record)
{
    q->credential = secret_alloc(sizeof *q->credential);
    if (q->credential) {
        struct credential *c = q->credential;
        *c = (struct credential){.kind = CREDENTIAL_NETWORK_TOKEN, .number_len = record->number_len, .month = record->month,
                                 .year = record->year, .requestor_len = record->requestor_len};
        memcpy(c->number, record->number, record->number_len);
        memcpy(c->requestor, record->requestor, record->requestor_len);
    } else {
        q->choice.fallback = FALLBACK_CRYPTOGRAM_FAILED;
    }
    fetch_rest(q);
}

static void ask_network(struct question *q, const struct network_record *record)
{
    struct keeper_server *server = q->relay->server;
    q->ref = record->ref;
    q->asked_us = loop_now_us(server->loop);
    q->order = registry_credentials(server->registry, network_padded(record->network, sizeof record->network),
                                    network_text_slice(&record->ref), goes_without_cryptogram(q), route_of(q)->budget_ms, on_answer, q);
    if (q->order) {
        server_wait(q);
        return;
    }
    q->choice.fallback = FALLBACK_CRYPTOGRAM_FAILED;
    fetch_rest(q);
}

static void give_up_waiting(struct question *q)
{
    q->choice.fallback = FALLBACK_BUDGET_SPENT;
    fetch_rest(q);
}

static void on_card_out_of_volume(void *owner, result r, const struct card *card, const struct card_info *info);

static void on_record(void *owner, result r, const struct network_record *record)
{
    struct question *q = owner;
    if (failed(r)) {
        on_card(q, r, NULL, NULL);
        return;
    }
    enum network_state state = choice_state(record, clock_wall_ms());
    q->choice.card_has_token = state == NETWORK_ACTIVE;
    q->choice.fallback = choice_before_network(route_of(q), token_id_slice(&q->token), q->wish, state);
    if (state != record->state && q->choice.fallback == FALLBACK_NOT_PROVISIONED) /* it has lapsed, and nobody has told of the next one */
        jobs_refresh_for_payment(q->relay->server->jobs, answer_merchant(q), token_id_slice(&q->token));
    if (q->choice.fallback == FALLBACK_NOT_IN_VOLUME && state == NETWORK_ACTIVE)
        vault_card_get(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), on_card_out_of_volume, q);
    else if (q->choice.fallback != FALLBACK_NONE || !server_find(q->relay, q->dialogue))
        fetch_rest(q);
    else if (goes_without_cryptogram(q) && record->number_len > 0)
        use_stored(q, record);
    else if (has_patience(q))
        ask_network(q, record);
    else
        give_up_waiting(q);
}

/* A rollout is between number and network token: a card whose number is gone goes with the only one it has. */
static void on_card_out_of_volume(void *owner, result r, const struct card *card, const struct card_info *info)
{
    struct question *q = owner;
    (void)card;
    bool has_no_pan = !failed(r) && info->state == CARD_PAN_REMOVED;
    if (has_no_pan) q->wish.wanted = WANTED_TOKEN;
    if (has_no_pan)
        vault_network_get(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), on_record, q);
    else
        fetch_rest(q);
}

/* --- the question --- */

/* Reserved until the dialogue's end: what the relay says then decides whether the token is used up. A temporal token is another
 * one each time, so it is on no side of the rollout. */
static void reveal_temporal(struct question *q, struct dialogue *d)
{
    struct keeper_server *server = q->relay->server;
    const struct temporal_card *t = NULL;
    struct wish wish = q->wish;
    if (wish.wanted == WANTED_BEST) wish.wanted = WANTED_TOKEN;
    q->choice.fallback = choice_before_network(route_of(q), token_id_slice(&q->token), wish, NETWORK_NONE);
    result r = temporal_reserve(server->temporal, answer_merchant(q), token_id_slice(&q->token), loop_now_ms(server->loop),
                                &d->temporal, &t);
    tell(q, r, t ? &t->card : NULL, NULL, t ? (slice){t->cvc, t->cvc_len} : SLICE_NONE);
}

static void on_token(void *owner, result r, slice token)
{
    struct question *q = owner;
    r = answer_take_token(q, r, token);
    slice own = token_id_slice(&q->token);
    if (failed(r)) {
        on_card(q, r, NULL, NULL);
    } else if (q->standing.version->config->merchants[q->standing.merchant].network >= 0) {
        vault_network_get(q->relay->server->vault, answer_merchant(q), own, on_record, q);
    } else {
        q->choice.fallback = choice_before_network(route_of(q), own, q->wish, NETWORK_NONE);
        fetch_rest(q);
    }
}

void answer_reveal(struct question *q, struct dialogue *d, const struct wire_frame *f)
{
    struct wire_reveal w;
    wire_fixed(f, &w, sizeof w);
    q->kind = w.kind ? TOKEN_TEMPORAL : TOKEN_PERMANENT;
    q->wish = (struct wish){.wanted = w.wanted, .merchant_initiated = w.merchant_initiated};
    if (!token_id_from(wire_tail(f, 0), &q->token)) {
        on_card(q, FAIL(TOKEN_NOT_FOUND), NULL, NULL);
        return;
    }
    if (q->kind == TOKEN_TEMPORAL && token_id_has_form(token_id_slice(&q->token), TOKEN_TEMPORAL))
        reveal_temporal(q, d);
    else
        answer_resolve(q, on_token);
}
