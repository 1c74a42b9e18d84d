/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

/* Where enrolments come from: the API, or a strategy after a payment or a capture. Each writes record, job and count in one batch. */

struct asking {
    struct jobs *jobs;
    struct job job;
    slice network; /* name; of the configuration that <version> holds */
    struct version *version;
    char reference[REFERENCE_CODE_BYTES];
    bool is_first_payment, wants_enrolment, is_asked; /* is_asked: by this one */
    struct counter_delta count;
    uint8_t cvc_len;
    char *cvc; /* secret */
    jobs_enrolled done;
    void *owner;
};

static void free_asking(struct asking *a)
{
    secret_free(a->cvc, a->cvc_len);
    server_release(a->version);
    secret_wipe(a, sizeof *a); /* the job has the billing address */
    free(a);
}

static result prepare(struct asking *a, slice merchant, slice token, slice billing)
{
    struct token_id reference;
    struct job *job = &a->job;
    TRY(token_id_make(TOKEN_PERMANENT, &reference));
    TRY(vault_job_new_id(job->id));
    ENSURE(reference.len == sizeof a->reference && merchant.len <= sizeof job->merchant && billing.len <= sizeof job->payload, INTERNAL);
    ENSURE(token_id_from(token, &job->token), TOKEN_NOT_FOUND);
    memcpy(a->reference, reference.at, sizeof a->reference);
    memcpy(job->merchant, merchant.at, merchant.len);
    job->kind = JOB_ENROL;
    job->created_ms = job->due_ms = clock_wall_ms();
    job->payload_len = (uint16_t)billing.len;
    if (billing.len) memcpy(job->payload, billing.at, billing.len);
    return OK;
}

static struct asking *asking_new(struct jobs *j, const struct config_merchant *merchant, slice network, slice token, slice billing, result *r)
{
    struct asking *a = calloc(1, sizeof *a);
    *r = FAIL(MEMORY);
    if (!a) return NULL;
    a->jobs = j;
    a->version = jobs_server(j)->current;
    server_hold(a->version);
    a->network = network;
    *r = prepare(a, merchant->name, token, billing);
    if (!failed(*r)) return a;
    free_asking(a);
    return NULL;
}

static void ask(struct asking *a, struct network_record *record, struct network_change *change)
{
    record->state = NETWORK_PENDING;
    record->reason = NETWORK_REASON_NONE;
    record->asked_ms = record->updated_ms = a->job.created_ms;
    memset(record->network, 0, sizeof record->network);
    memcpy(record->network, a->network.at, a->network.len);
    memcpy(record->reference_code, a->reference, sizeof record->reference_code);
    record->ref.len = record->instrument.len = record->number_len = record->requestor_len = 0;
    record->month = 0;
    record->year = 0;
    counter_delta_start(&a->count, network_padded(a->job.merchant, sizeof a->job.merchant), SLICE_NONE);
    a->count.n[COUNTER_ENROL_ASKED] = 1;
    change->write = true;
    change->add = &a->job;
    change->count = &a->count;
}

static bool has_or_awaits_one(enum network_state s)
{
    return s == NETWORK_PENDING || s == NETWORK_ACTIVE || s == NETWORK_SUSPENDED;
}

/* --- by API --- */

static void decide_enrolment(void *owner, struct network_record *record, struct network_change *change)
{
    struct asking *a = owner;
    a->is_asked = !has_or_awaits_one(record->state);
    if (a->is_asked) ask(a, record, change);
}

static void on_enrolment_written(void *owner, result r, const struct network_record *record)
{
    struct asking *a = owner;
    if (!failed(r) && !a->is_asked) r = FAIL(ENROLLED_ALREADY);
    if (failed(r)) {
        a->done(a->owner, r, record);
        free_asking(a);
        return;
    }
    struct queued *q = jobs_add(a->jobs, &a->job);
    if (q) {
        q->cvc = a->cvc;
        q->cvc_len = a->cvc_len;
        a->cvc = NULL;
        q->done = a->done;
        q->owner = a->owner;
        jobs_run_at_once(q);
    } else {
        a->done(a->owner, OK, record); /* queued all the same: it stands in the vault */
    }
    free_asking(a);
}

void jobs_enrol(struct jobs *j, const struct enrolment *e, jobs_enrolled done, void *owner)
{
    result r;
    struct asking *a = asking_new(j, e->merchant, e->network->name, token_id_slice(&e->token), e->billing, &r);
    if (a && e->cvc.len) {
        a->cvc = secret_alloc(e->cvc.len);
        if (a->cvc) memcpy(a->cvc, e->cvc.at, a->cvc_len = (uint8_t)e->cvc.len);
    }
    if (!a) {
        done(owner, r, NULL);
        return;
    }
    if (e->cvc.len && !a->cvc) {
        free_asking(a);
        done(owner, FAIL(MEMORY), NULL);
        return;
    }
    a->done = done;
    a->owner = owner;
    vault_network_alter(jobs_server(j)->vault, e->merchant->name, token_id_slice(&e->token), decide_enrolment, on_enrolment_written, a);
}

/* --- after a payment --- */

static bool strategy_wants(enum provision strategy, bool is_first)
{
    if (strategy == PROVISION_OFF) return false;
    return strategy == PROVISION_ALL || strategy == (is_first ? PROVISION_NEW : PROVISION_USED);
}

static void decide_after_payment(void *owner, struct network_record *record, struct network_change *change)
{
    struct asking *a = owner;
    bool is_first = record->first_paid_ms == 0;
    if (is_first) {
        record->first_paid_ms = a->job.created_ms;
        change->write = true;
    }
    a->is_asked = a->wants_enrolment && is_first == a->is_first_payment && record->state == NETWORK_NONE;
    if (a->is_asked) ask(a, record, change);
}

static void on_strategy_written(void *owner, result r, const struct network_record *record)
{
    struct asking *a = owner;
    (void)record;
    if (failed(r)) {
        if (r.err != ERR_TOKEN_NOT_FOUND) log_failure("provisioning", r);
    } else if (a->is_asked) {
        (void)jobs_add(a->jobs, &a->job);
    }
    free_asking(a);
}

void jobs_after_payment(struct jobs *j, const struct config_merchant *merchant, enum provision strategy, slice token,
                        const struct network_record *record)
{
    result r;
    const struct config *c = jobs_server(j)->current->config;
    int64_t index = config_merchant_index(c, merchant->name);
    int64_t network = index < 0 ? -1 : c->merchants[index].network;
    bool is_first = record->first_paid_ms == 0;
    if (network < 0) return;
    bool wants = strategy_wants(strategy, is_first) && record->state == NETWORK_NONE;
    if (!is_first && !wants) return;
    struct asking *a = asking_new(j, merchant, c->networks[network].name, token, SLICE_NONE, &r);
    if (!a) {
        log_failure("provisioning", r);
        return;
    }
    a->is_first_payment = is_first;
    a->wants_enrolment = wants;
    vault_network_alter(jobs_server(j)->vault, merchant->name, token, decide_after_payment, on_strategy_written, a);
}

/* --- after a capture --- */

/* The first payment is still to come: first_paid_ms stays. */
static void decide_after_capture(void *owner, struct network_record *record, struct network_change *change)
{
    struct asking *a = owner;
    a->is_asked = record->state == NETWORK_NONE;
    if (a->is_asked) ask(a, record, change);
}

void jobs_after_capture(struct jobs *j, slice merchant, slice token)
{
    result r;
    const struct config *c = jobs_server(j)->current->config;
    int64_t index = config_merchant_index(c, merchant);
    int64_t network = index < 0 ? -1 : c->merchants[index].network;
    if (network < 0 || jobs_is_stopped(j)) return;
    struct asking *a = asking_new(j, &c->merchants[index], c->networks[network].name, token, SLICE_NONE, &r);
    if (a)
        vault_network_alter(jobs_server(j)->vault, merchant, token, decide_after_capture, on_strategy_written, a);
    else
        log_failure("provisioning", r);
}
