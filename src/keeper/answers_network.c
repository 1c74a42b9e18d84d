/* SPDX-License-Identifier: Apache-2.0 */
#include "answers_priv.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "jobs.h"

#include <stdlib.h>
#include <string.h>

/* What the API asks about a card's network token: enrol it, its payment credentials, how it stands. */

static const char *action_of(const struct question *q)
{
    switch (q->type) {
    case WIRE_ENROL: return "token.enrol";
    case WIRE_CREDENTIALS: return "network.credentials";
    default: return "network.read";
    }
}

static const struct config_merchant *merchant_of(const struct question *q)
{
    return &q->standing.version->config->merchants[q->standing.merchant];
}

/* NULL: not activated for this merchant. */
static const struct config_network *network_of(const struct question *q)
{
    int64_t index = merchant_of(q)->network;
    return index >= 0 ? &q->standing.version->config->networks[index] : NULL;
}

static void put_network(const struct question *q, result r, const struct network_record *record, const struct credential *c)
{
    struct wire_network w = {.error = (uint16_t)r.err};
    slice tails[WIRE_TAILS_MAX] = {SLICE_NONE};
    if (record) {
        tails[0] = slice_of(network_reason_name(record->reason));
        if (record->reference_code[0]) tails[1] = (slice){record->reference_code, sizeof record->reference_code};
        w.is_known = 1;
        w.state = (uint8_t)record->state;
        w.already = r.err == ERR_ENROLLED_ALREADY;
        w.month = record->month;
        w.year = record->year;
        w.updated_ms = record->updated_ms;
        w.reason_len = (uint8_t)tails[0].len;
        w.reference_code_len = (uint8_t)tails[1].len;
    }
    if (c) {
        wire_network_tails(c, tails);
        w.has_credential = 1;
        w.brand = (uint8_t)c->brand;
        w.credential_month = c->month;
        w.credential_year = c->year;
        w.number_len = c->number_len;
        w.cryptogram_len = c->cryptogram_len;
        w.eci_len = c->eci_len;
        w.requestor_len = c->requestor_len;
    }
    server_put(q->relay, WIRE_NETWORK, q->dialogue, q->sequence, &w, tails);
}

/* As everywhere: the audit line first. */
static void tell(struct question *q, result r, const struct network_record *record, const struct credential *c)
{
    if (server_find(q->relay, q->dialogue)) {
        result written = answer_audit(q, action_of(q), token_id_slice(&q->token), r);
        answer_count_guess(q, r);
        if (!failed(r)) r = written;
        put_network(q, r, record, failed(r) ? NULL : c);
    }
    answer_finish(q);
}

static bool read_token(struct question *q, slice token)
{
    if (token_id_from(token, &q->token)) return true;
    q->token.len = 0;
    tell(q, FAIL(TOKEN_NOT_FOUND), NULL, NULL);
    return false;
}

/* --- how it stands --- */

static void on_record(void *owner, result r, const struct network_record *record)
{
    tell(owner, r, failed(r) ? NULL : record, NULL);
}

static void on_token_to_tell(void *owner, result r, slice token)
{
    struct question *q = owner;
    r = answer_take_token(q, r, token);
    if (failed(r))
        tell(q, r, NULL, NULL);
    else
        vault_network_get(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), on_record, q);
}

void answer_network_token(struct question *q, const struct wire_frame *f)
{
    if (read_token(q, wire_tail(f, 0))) answer_resolve(q, on_token_to_tell);
}

/* --- payment credentials --- */

static void on_final_record(void *owner, result r, const struct network_record *record)
{
    struct question *q = owner;
    const struct network_record *told = failed(r) ? NULL : record;
    if (told && !answer_asked_about(q, told))
        r = FAIL(VAULT_CONFLICT); /* asked again it is right */
    else if (told && !answer_is_expiry_of(q->credential, told))
        jobs_refresh_for_payment(q->relay->server->jobs, answer_merchant(q), token_id_slice(&q->token));
    tell(q, r, told, q->credential);
}

static void on_final_failure(void *owner, result r, const struct network_record *record)
{
    struct question *q = owner;
    tell(q, failed(r) ? r : q->failure, failed(r) ? NULL : record, NULL);
}

static void on_credentials(void *owner, const struct registry_answer *a)
{
    struct question *q = owner;
    struct keeper_server *server = q->relay->server;
    bool is_usable = a->credential && a->credential->number_len > 0 && a->credential->month > 0;
    q->order = NULL;
    server_stop_waiting(q);
    metrics_time(HISTOGRAM_NETWORK, loop_now_us(server->loop) - q->asked_us);
    q->failure = failed(a->r) ? a->r : FAIL(NETWORK_ANSWER);
    if (!failed(a->r) && is_usable) q->credential = secret_alloc(sizeof *q->credential);
    if (registry_is_stale(a)) jobs_refresh_for_payment(server->jobs, answer_merchant(q), token_id_slice(&q->token));
    if (q->credential) {
        *q->credential = *a->credential;
        q->credential->brand = q->brand;
    }
    vault_network_get(server->vault, answer_merchant(q), token_id_slice(&q->token), q->credential ? on_final_record : on_final_failure, q);
}

static void on_record_for_credentials(void *owner, result r, const struct network_record *record)
{
    struct question *q = owner;
    struct keeper_server *server = q->relay->server;
    const struct config_network *network = network_of(q);
    if (!failed(r) && record->state != NETWORK_ACTIVE) r = FAIL(NETWORK_TOKEN_NONE);
    if (!failed(r) && !network) r = FAIL(NETWORK_OFF);
    if (failed(r)) {
        tell(q, r, r.err == ERR_NETWORK_TOKEN_NONE ? record : NULL, NULL);
        return;
    }
    q->asked_us = loop_now_us(server->loop);
    q->ref = record->ref;
    q->order = registry_credentials(server->registry, network_padded(record->network, sizeof record->network),
                                    network_text_slice(&record->ref), false, network->timeout_ms, on_credentials, q);
    if (q->order)
        server_wait(q);
    else
        tell(q, FAIL(NETWORK_DOWN), record, NULL);
}

static void on_card_for_credentials(void *owner, result r, const struct card *card, const struct card_info *info)
{
    struct question *q = owner;
    (void)card;
    if (failed(r)) {
        tell(q, r, NULL, NULL);
        return;
    }
    q->brand = server_brand(info);
    vault_network_get(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), on_record_for_credentials, q);
}

static void on_token_to_pay(void *owner, result r, slice token)
{
    struct question *q = owner;
    r = answer_take_token(q, r, token);
    if (failed(r))
        tell(q, r, NULL, NULL);
    else
        vault_card_get(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), on_card_for_credentials, q);
}

void answer_credentials(struct question *q, const struct wire_frame *f)
{
    if (read_token(q, wire_tail(f, 0))) answer_resolve(q, on_token_to_pay);
}

/* --- enrolment --- */

static void on_enrolled(void *owner, result r, const struct network_record *record)
{
    struct question *q = owner;
    server_stop_waiting(q);
    tell(q, r, record, NULL);
}

static void on_unsupported_counted(void *owner, result r)
{
    if (failed(r)) log_failure("counters", r); /* the caller's answer is the same */
    tell(owner, FAIL(NETWORK_UNSUPPORTED), NULL, NULL);
}

/* Nobody was asked, and nothing else is written; the report has it all the same, as it has a strategy's. */
static void refuse_unsupported(struct question *q)
{
    struct counter_delta count;
    counter_delta_start(&count, answer_merchant(q), SLICE_NONE);
    count.n[COUNTER_ENROL_ASKED] = count.n[COUNTER_ENROL_UNSUPPORTED_BRAND] = 1;
    vault_count(q->relay->server->vault, &count, 1, NULL, 0, on_unsupported_counted, q);
}

static void on_card_to_enrol(void *owner, result r, const struct card *card, const struct card_info *info)
{
    struct question *q = owner;
    const struct config_network *network = network_of(q);
    (void)card;
    if (!failed(r) && info->state != CARD_ACTIVE) r = FAIL(TOKEN_NO_PAN);
    if (failed(r)) {
        tell(q, r, NULL, NULL);
        return;
    }
    if (!(network->brands & 1u << server_brand(info))) {
        refuse_unsupported(q);
        return;
    }
    const struct enrolment e = {.merchant = merchant_of(q), .network = network, .token = q->token,
                                .billing = {q->billing, q->billing_len}, .cvc = {q->cvc, q->cvc_len}};
    server_wait(q);
    jobs_enrol(q->relay->server->jobs, &e, on_enrolled, q);
}

static result take_cvc(struct question *q, struct dialogue *d, slice cvc)
{
    struct keeper_server *server = q->relay->server;
    const struct temporal_card *t = NULL;
    if (cvc.len > CVC_MAX_DIGITS) {
        TRY(temporal_reserve(server->temporal, answer_merchant(q), cvc, loop_now_ms(server->loop), &d->temporal, &t));
        cvc = (slice){t->cvc, t->cvc_len};
    }
    if (cvc.len == 0) return OK;
    TRY(card_check_cvc(cvc));
    q->cvc = secret_alloc(cvc.len);
    ENSURE(q->cvc != NULL, MEMORY);
    q->cvc_len = (uint8_t)cvc.len;
    memcpy(q->cvc, cvc.at, cvc.len);
    return OK;
}

static result read_enrolment(struct question *q, struct dialogue *d, const struct wire_frame *f)
{
    struct billing_text parts;
    slice billing = wire_tail(f, 2);
    ENSURE(network_of(q) != NULL, NETWORK_OFF);
    ENSURE(token_id_from(wire_tail(f, 0), &q->token), TOKEN_NOT_FOUND);
    ENSURE(wire_billing_read(billing, &parts), KEEPER_FRAME);
    TRY(take_cvc(q, d, wire_tail(f, 1)));
    q->billing = billing.len ? malloc(billing.len) : NULL;
    ENSURE(q->billing || billing.len == 0, MEMORY);
    if (billing.len) memcpy(q->billing, billing.at, billing.len);
    q->billing_len = (uint16_t)billing.len;
    return OK;
}

static void on_token_to_enrol(void *owner, result r, slice token)
{
    struct question *q = owner;
    r = answer_take_token(q, r, token);
    if (failed(r))
        tell(q, r, NULL, NULL);
    else
        vault_card_get(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), on_card_to_enrol, q);
}

void answer_enrol(struct question *q, struct dialogue *d, const struct wire_frame *f)
{
    result r = read_enrolment(q, d, f);
    if (failed(r))
        tell(q, r, NULL, NULL);
    else
        answer_resolve(q, on_token_to_enrol);
}
