/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "events.h"
#include "no_pan.h"

#include <stdlib.h>
#include <string.h>

/* An answer of the network becomes the record's new state, the job's end or next time, the merchant's webhooks and the report's counts: one
 * batch.
 *
 *     PENDING ─► ACTIVE ⇄ SUSPENDED ─► DELETED          PENDING ─► UNPROVISIONED (why: reason)
 *     DELETED and UNPROVISIONED end the job; ACTIVE waits for its renewal, SUSPENDED and PENDING are looked at again. A network need not
 *     say why it gives no token, nor that it gives none: what is PENDING for PENDING_DAYS is UNPROVISIONED, so that the card may be enrolled
 *     again; should the network tell of its token after all, it is taken.                                                                */

struct applying {
    struct queued *q;
    /* What the network said. */
    result r;
    enum network_state state;
    enum network_reason reason;
    struct network_text ref, instrument;
    uint8_t month;
    uint16_t year;
    /* What it comes to: decided anew in every try. */
    enum network_state from, to;
    bool is_new_to_merchant, is_over;
    int64_t now_ms;
    struct job next;
    slice id;
    struct event *events;
    size_t event_count;
    struct counter_delta count;
};

static void copy_ref(struct network_text *to, slice from)
{
    to->len = (uint8_t)from.len;
    if (from.len) memcpy(to->at, from.at, from.len);
}

/* --- the record --- */

static enum network_state next_state(const struct applying *a, const struct network_record *record)
{
    bool had_one = a->from == NETWORK_ACTIVE || a->from == NETWORK_SUSPENDED;
    if (a->r.err == ERR_NETWORK_TOKEN_GONE) return had_one ? NETWORK_DELETED : NETWORK_UNPROVISIONED;
    if (failed(a->r)) return had_one ? a->from : NETWORK_UNPROVISIONED; /* refused, unsupported: says nothing of a token that there is */
    if (a->state == NETWORK_DELETED && !had_one) return NETWORK_UNPROVISIONED; /* of an enrolment: there is none to pay with */
    if (a->state != NETWORK_PENDING) return a->state;
    if (had_one) return a->from;
    return a->now_ms - record->asked_ms > (int64_t)PENDING_DAYS * DAY_MS ? NETWORK_UNPROVISIONED : NETWORK_PENDING;
}

/* Somebody else has brought it to an end. */
static bool is_final(const struct applying *a)
{
    bool came_after_all = a->q->kind == JOB_REFRESH && !failed(a->r) && (a->state == NETWORK_ACTIVE || a->state == NETWORK_SUSPENDED);
    return a->from == NETWORK_DELETED || a->from == NETWORK_NONE || (a->from == NETWORK_UNPROVISIONED && !came_after_all);
}

static void forget_number(struct network_record *record)
{
    secret_wipe(record->number, sizeof record->number);
    record->number_len = 0;
}

/* A token of another expiry may have another number: what is stored for merchant-initiated payments is fetched anew. */
static bool take_expiry(const struct applying *a, struct network_record *record)
{
    if (a->month == 0 || (record->month == a->month && record->year == a->year)) return false;
    record->month = a->month;
    record->year = a->year;
    forget_number(record);
    return true;
}

static void change_record(struct applying *a, struct network_record *record)
{
    if (a->ref.len) record->ref = a->ref;
    if (a->instrument.len) record->instrument = a->instrument;
    bool is_renewed = take_expiry(a, record) && a->from == NETWORK_ACTIVE;
    record->state = a->to;
    enum network_reason reason = a->reason ? a->reason : NETWORK_REASON_OTHER;
    record->reason = (uint8_t)(a->to == NETWORK_UNPROVISIONED ? reason : NETWORK_REASON_NONE);
    if (is_renewed) record->renewed_ms = a->now_ms;
    if (a->to == NETWORK_DELETED) forget_number(record);
    a->is_new_to_merchant = is_renewed || (a->from != a->to && (a->to == NETWORK_ACTIVE || a->to == NETWORK_SUSPENDED || a->to == NETWORK_DELETED));
    if (a->from != a->to || is_renewed) record->updated_ms = a->now_ms;
}

/* --- what is next --- */

static int64_t next_time(const struct applying *a, const struct network_record *record, uint32_t tries)
{
    int64_t tomorrow = a->now_ms + DAY_MS, renewal = 0;
    if (record->month) renewal = clock_month_end_ms(record->year, record->month) - (int64_t)RENEW_BEFORE_DAYS * DAY_MS;
    if (a->to == NETWORK_PENDING) return a->now_ms + back_off_ms(tries, back_off_random());
    return a->to == NETWORK_ACTIVE && renewal > tomorrow ? renewal : tomorrow;
}

static void plan_next(struct applying *a, const struct network_record *record, struct network_change *change)
{
    a->is_over = a->to == NETWORK_DELETED || a->to == NETWORK_UNPROVISIONED || (a->to == NETWORK_ACTIVE && record->month == 0);
    if (a->is_over) {
        change->done_job = &a->id;
        return;
    }
    job_of(a->q, &a->next);
    a->next.kind = JOB_REFRESH;
    a->next.payload_len = 0;
    a->next.tries = a->to == NETWORK_PENDING ? a->q->tries + 1 : 0;
    a->next.due_ms = next_time(a, record, a->next.tries);
    change->add = &a->next;
}

/* --- what the report has of it --- */

static void count(struct applying *a, struct network_change *change)
{
    bool had_one = network_state_has_token(a->from), has_one = network_state_has_token(a->to);
    uint64_t *n = a->count.n;
    if (a->from == a->to) return;
    counter_delta_start(&a->count, network_padded(a->q->merchant, sizeof a->q->merchant), SLICE_NONE);
    n[COUNTER_TOKENS_GAINED] = has_one && !had_one;
    n[COUNTER_ENROL_ACTIVE] = has_one && a->from == NETWORK_PENDING;
    n[COUNTER_TOKENS_LOST] = had_one && !has_one;
    if (a->to == NETWORK_UNPROVISIONED) n[COUNTER_ENROL_INVALID_REQUEST + (a->reason ? a->reason : NETWORK_REASON_OTHER) - 1] = 1;
    change->count = &a->count;
}
static_assert(COUNTER_ENROL_OTHER - COUNTER_ENROL_INVALID_REQUEST == NETWORK_REASON_OTHER - NETWORK_REASON_INVALID_REQUEST,
              "one counter for each reason, in order");

static void decide(void *owner, struct network_record *record, struct network_change *change)
{
    struct applying *a = owner;
    a->from = record->state;
    a->event_count = 0;
    if (is_final(a)) {
        a->to = a->from;
        a->is_new_to_merchant = false;
        a->is_over = true;
        change->done_job = &a->id;
        return;
    }
    a->to = next_state(a, record);
    change_record(a, record);
    plan_next(a, record, change);
    count(a, change);
    change->write = true;
    if (!a->is_new_to_merchant) return;
    a->event_count = events_make(jobs_server(a->q->jobs), a->q->merchant, &a->q->token, record, a->events, NETWORK_EVENTS_MAX);
    change->events = a->events;
    change->event_count = a->event_count;
}

/* --- afterwards --- */

static void audit(const struct applying *a)
{
    const struct audit_entry entry = {.action = "network.state", .merchant = network_padded(a->q->merchant, sizeof a->q->merchant),
                                      .actor = SLICE("network"), .token = token_id_slice(&a->q->token), .outcome = a->r};
    result ignored = vault_audit(jobs_server(a->q->jobs)->vault, &entry); /* the state is written: nothing can be taken back */
    (void)ignored;
}

static result outcome(const struct applying *a)
{
    if (a->to != NETWORK_UNPROVISIONED) return OK;
    return a->r.err == ERR_NETWORK_UNSUPPORTED ? a->r : FAIL(NETWORK_REFUSED);
}

static void free_applying(struct applying *a)
{
    free(a->events);
    free(a);
}

/* Written or not, it is tried: nothing else knows of that token any more. What fails again is written again. */
static void on_removal_put(void *owner, result r)
{
    struct applying *a = owner;
    if (failed(r)) log_failure("network_removal", r);
    if (!jobs_add(a->q->jobs, &a->next) && failed(r)) log_failure("network_removal", FAIL(MEMORY)); /* else it runs after the next start */
    jobs_drop(a->q);
    free_applying(a);
}

/* The card was deleted while the network made a token for it: the network is told, so that no token lives without its card. */
static void on_orphan(struct applying *a)
{
    struct queued *q = a->q;
    jobs_tell(q, FAIL(TOKEN_NOT_FOUND), NULL);
    a->next = (struct job){.kind = JOB_REMOVE, .token = q->token, .created_ms = a->now_ms, .due_ms = a->now_ms};
    memcpy(a->next.merchant, q->merchant, sizeof a->next.merchant);
    job_set_removal(&a->next, network_padded(q->network, sizeof q->network), network_text_slice(&a->ref));
    if (q->kind == JOB_ENROL && a->ref.len && !failed(vault_job_new_id(a->next.id))) {
        vault_job_put(jobs_server(q->jobs)->vault, &a->next, on_removal_put, a);
        return;
    }
    jobs_drop(q);
    free_applying(a);
}

static void on_applied(void *owner, result r, const struct network_record *record)
{
    struct applying *a = owner;
    struct queued *q = a->q;
    if (r.err == ERR_TOKEN_NOT_FOUND) {
        on_orphan(a);
        return;
    }
    if (failed(r)) {
        log_failure("network_state", r);
        jobs_later(q);
        free_applying(a);
        return;
    }
    if (a->from != a->to) audit(a);
    events_add(jobs_server(q->jobs)->events, a->events, a->event_count);
    jobs_tell(q, outcome(a), record);
    if (a->to == NETWORK_ACTIVE)
        no_pan_apply(jobs_server(q->jobs)->no_pan, network_padded(q->merchant, sizeof q->merchant), token_id_slice(&q->token));
    if (!a->is_over) {
        q->kind = JOB_REFRESH;
        q->tries = a->next.tries;
        secret_wipe(q->payload, q->payload_len);
        q->payload_len = 0;
    }
    jobs_finished(q, a->is_over ? -1 : a->next.due_ms);
    free_applying(a);
}

/* Is it an answer that changes something, or must the network be asked again? */
static bool is_answer(const struct queued *q, const struct registry_answer *a)
{
    switch (a->r.err) {
    case ERR_NONE: return a->state != NETWORK_NONE && (a->ref.len > 0 || q->kind == JOB_REFRESH || a->state == NETWORK_UNPROVISIONED);
    case ERR_NETWORK_TOKEN_GONE:
    case ERR_NETWORK_REFUSED: return true; /* also of one that was PENDING, read back: the network has made up its mind */
    case ERR_NETWORK_UNSUPPORTED: return q->kind == JOB_ENROL;
    default: return false;
    }
}

void jobs_apply(struct queued *q, const struct registry_answer *answer)
{
    struct applying *a = is_answer(q, answer) ? calloc(1, sizeof *a) : NULL;
    if (a) a->events = calloc(NETWORK_EVENTS_MAX, sizeof *a->events);
    if (!a || !a->events) {
        free(a);
        jobs_later(q);
        return;
    }
    a->q = q;
    a->r = answer->r;
    a->state = answer->state;
    a->reason = answer->r.err == ERR_NETWORK_UNSUPPORTED ? NETWORK_REASON_UNSUPPORTED_BRAND : answer->reason;
    a->month = answer->month;
    a->year = answer->year;
    a->now_ms = server_wall_ms(jobs_server(q->jobs));
    a->id = (slice){q->id, sizeof q->id};
    copy_ref(&a->ref, answer->ref);
    copy_ref(&a->instrument, answer->instrument);
    vault_network_alter(jobs_server(q->jobs)->vault, network_padded(q->merchant, sizeof q->merchant), token_id_slice(&q->token), decide,
                        on_applied, a);
}
