/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

enum { WAIT_AT_MOST_MS = 60 * 60 * 1000, LIMIT_MARGIN_MS = 1000, LIMIT_DEFAULT_MS = 10 * 1000 };

struct jobs {
    struct keeper_server *server;
    struct due_heap heap;
    size_t out;
    bool is_stopped;
    struct queued *by_id, *by_token;
    struct timer *timer;
};
#define TOKEN_KEY_BYTES (sizeof(((struct queued *)0)->merchant) + sizeof(struct token_id))
static_assert(offsetof(struct queued, token) == offsetof(struct queued, merchant) + sizeof(((struct queued *)0)->merchant),
              "merchant and token are one key");

struct keeper_server *jobs_server(struct jobs *j)
{
    return j->server;
}

bool jobs_is_stopped(const struct jobs *j)
{
    return j->is_stopped;
}

static slice merchant_of(const struct queued *q)
{
    return network_padded(q->merchant, sizeof q->merchant);
}

/* --- in memory --- */

void job_of(const struct queued *q, struct job *out)
{
    *out = (struct job){.kind = q->kind, .token = q->token, .tries = q->tries, .created_ms = q->created_ms, .due_ms = q->due.at_ms,
                        .payload_len = q->payload_len};
    memcpy(out->id, q->id, sizeof out->id);
    memcpy(out->merchant, q->merchant, sizeof out->merchant);
    if (q->payload_len) memcpy(out->payload, q->payload, q->payload_len);
}

/* It goes out once, and is for no second try (PCI DSS 3.3.1). */
static void forget_cvc(struct queued *q)
{
    secret_free(q->cvc, q->cvc_len);
    q->cvc = NULL;
    q->cvc_len = 0;
}

static void free_queued(struct queued *q)
{
    forget_cvc(q);
    if (q->payload) secret_wipe(q->payload, q->payload_len); /* an address may stand in it */
    free(q->payload);
    free(q);
}

static void set_timer(struct jobs *j)
{
    int64_t now_ms = server_wall_ms(j->server);
    const struct due *first = due_first(&j->heap);
    int64_t in_ms = first ? first->at_ms - now_ms : WAIT_AT_MOST_MS;
    if (j->is_stopped || j->out >= JOBS_OUT_MAX || registry_is_away(j->server->registry)) return;
    timer_set(j->timer, in_ms < 0 ? 0 : (uint64_t)(in_ms < WAIT_AT_MOST_MS ? in_ms : WAIT_AT_MOST_MS));
}

static struct queued *find_refresh(struct jobs *j, slice merchant, slice token)
{
    struct queued key, *found = NULL;
    memset(&key, 0, sizeof key);
    if (merchant.len > sizeof key.merchant || token.len > sizeof key.token.at) return NULL;
    memcpy(key.merchant, merchant.at, merchant.len);
    memcpy(key.token.at, token.at, token.len);
    key.token.len = (uint8_t)token.len;
    HASH_FIND(by_token, j->by_token, key.merchant, TOKEN_KEY_BYTES, found);
    return found;
}

/* The second for the same token is one too many: false. */
static bool index_refresh(struct queued *q)
{
    struct jobs *j = q->jobs;
    if (find_refresh(j, merchant_of(q), token_id_slice(&q->token))) return false;
    HASH_ADD(by_token, j->by_token, merchant, TOKEN_KEY_BYTES, q);
    return q->by_token.tbl != NULL;
}

static void unlink_queued(struct queued *q)
{
    struct jobs *j = q->jobs;
    due_remove(&j->heap, &q->due);
    if (q->by_token.tbl) HASH_DELETE(by_token, j->by_token, q);
    if (q->hh.tbl) HASH_DELETE(hh, j->by_id, q);
}

static struct queued *queued_from(struct jobs *j, const struct job *job)
{
    struct queued *q = calloc(1, sizeof *q);
    if (!q) return NULL;
    *q = (struct queued){.jobs = j, .kind = job->kind, .tries = job->tries, .created_ms = job->created_ms, .payload_len = job->payload_len,
                         .due.at_ms = job->due_ms};
    memcpy(q->id, job->id, sizeof q->id);
    memcpy(q->merchant, job->merchant, sizeof q->merchant);
    memcpy(q->token.at, job->token.at, job->token.len); /* no more: it is part of a key, padded with zeros */
    q->token.len = job->token.len;
    q->payload = job->payload_len ? malloc(job->payload_len) : NULL;
    if (q->payload) memcpy(q->payload, job->payload, job->payload_len);
    if (!job->payload_len || q->payload) return q;
    free(q);
    return NULL;
}

/* Else it waits for a date: a renewal, or the daily look. */
static bool waits_for_back_off(const struct queued *q)
{
    return q->kind != JOB_REFRESH || q->tries > 0;
}

/* NULL: memory; the job stands in the vault and runs after the next start. */
static struct queued *add(struct jobs *j, const struct job *job)
{
    struct queued *q = NULL;
    HASH_FIND(hh, j->by_id, job->id, sizeof job->id, q);
    if (q) return q;
    q = queued_from(j, job);
    if (!q) return NULL;
    if (waits_for_back_off(q)) q->due.at_ms = due_believable(q->due.at_ms, server_wall_ms(j->server));
    HASH_ADD(hh, j->by_id, id, sizeof q->id, q);
    if (q->hh.tbl && due_add(&j->heap, &q->due)) {
        if (q->kind == JOB_REFRESH) (void)index_refresh(q);
        metrics_gauge(METRIC_NETWORK_JOBS, 1);
        set_timer(j);
        return q;
    }
    unlink_queued(q);
    free_queued(q);
    return NULL;
}

void jobs_tell(struct queued *q, result r, const struct network_record *record)
{
    jobs_enrolled done = q->done;
    q->done = NULL;
    if (done) done(q->owner, r, record);
}

void jobs_finished(struct queued *q, int64_t again_ms)
{
    struct jobs *j = q->jobs;
    assert(q->is_out && !q->done);
    q->is_out = false;
    j->out--;
    if (again_ms >= 0 && q->kind == JOB_REFRESH && !q->by_token.tbl && !index_refresh(q)) again_ms = -1;
    if (again_ms >= 0) {
        int64_t now_ms = server_wall_ms(j->server);
        q->due.at_ms = q->again ? now_ms : waits_for_back_off(q) ? due_believable(again_ms, now_ms) : again_ms;
        q->again = false;
        if (due_add(&j->heap, &q->due)) {
            set_timer(j);
            return;
        }
    }
    unlink_queued(q);
    free_queued(q);
    metrics_gauge(METRIC_NETWORK_JOBS, -1);
    set_timer(j);
}

/* --- endings that the vault must hear of --- */

static void on_dropped(void *owner, result r)
{
    if (failed(r)) log_failure("network_job", r); /* it runs once more after the next start, and finds nothing to do */
    jobs_finished(owner, -1);
}

void jobs_drop(struct queued *q)
{
    vault_job_delete(q->jobs->server->vault, (slice){q->id, sizeof q->id}, on_dropped, q);
}

static void on_later(void *owner, result r)
{
    struct queued *q = owner;
    if (failed(r)) log_failure("network_job", r);
    jobs_finished(q, q->due.at_ms);
}

static void put_later(struct queued *q)
{
    struct job job;
    forget_cvc(q);
    q->tries++;
    q->due.at_ms = server_wall_ms(q->jobs->server) + back_off_ms(q->tries, back_off_random());
    job_of(q, &job);
    vault_job_put(q->jobs->server->vault, &job, on_later, q);
    secret_wipe(&job, sizeof job);
}

static void on_record_to_tell(void *owner, result r, const struct network_record *record)
{
    struct queued *q = owner;
    jobs_tell(q, r, record);
    put_later(q);
}

/* Whoever waits for an enrolment hears that it is queued. */
void jobs_later(struct queued *q)
{
    if (q->done)
        vault_network_get(q->jobs->server->vault, merchant_of(q), token_id_slice(&q->token), on_record_to_tell, q);
    else
        put_later(q);
}

/* --- running --- */

static const struct config_network *network_of(const struct queued *q)
{
    const struct config *c = q->jobs->server->current->config;
    slice name = network_padded(q->network, sizeof q->network);
    for (size_t i = 0; i < c->network_count; i++)
        if (slice_eq(c->networks[i].name, name)) return &c->networks[i];
    return NULL;
}

/* The registrar keeps the network's own time-out; this is for a registrar that does not. */
static uint64_t limit_of(const struct queued *q)
{
    const struct config_network *n = network_of(q);
    return n ? n->timeout_ms + LIMIT_MARGIN_MS : LIMIT_DEFAULT_MS;
}

static void on_answer(void *owner, const struct registry_answer *a)
{
    struct queued *q = owner;
    q->order = NULL;
    forget_cvc(q);
    jobs_apply(q, a);
}

static void ordered(struct queued *q, struct order *o)
{
    q->order = o;
    if (!o) jobs_later(q);
}

static result audit_enrolment(const struct queued *q)
{
    const struct audit_entry entry = {.action = "network.enrol", .merchant = merchant_of(q), .actor = SLICE("queue"),
                                      .token = token_id_slice(&q->token), .outcome = OK};
    return vault_audit(q->jobs->server->vault, &entry);
}

static void refuse(struct queued *q, enum error e, enum network_reason reason)
{
    const struct registry_answer answer = {.r = {e}, .state = NETWORK_UNPROVISIONED, .reason = reason};
    jobs_apply(q, &answer);
}

static void on_card(void *owner, result r, const struct card *card, const struct card_info *info)
{
    struct queued *q = owner;
    const struct config_network *network = network_of(q);
    if (r.err == ERR_TOKEN_NOT_FOUND) {
        jobs_tell(q, r, NULL);
        jobs_drop(q);
        return;
    }
    if (failed(r) || !network) {
        jobs_later(q);
        return;
    }
    enum card_brand brand = server_brand(info);
    if (info->state != CARD_ACTIVE || card->month == 0) {
        refuse(q, ERR_NETWORK_REFUSED, NETWORK_REASON_INVALID_REQUEST);
    } else if (!(network->brands & 1u << brand)) {
        refuse(q, ERR_NETWORK_UNSUPPORTED, NETWORK_REASON_UNSUPPORTED_BRAND);
    } else if (failed(audit_enrolment(q))) { /* without its line the PAN does not leave */
        jobs_later(q);
    } else {
        const struct registry_card order = {.network = network->name, .number = {card->number, card->number_len},
                                            .holder = {card->holder, card->holder_len}, .cvc = {q->cvc, q->cvc_len},
                                            .billing = {q->payload, q->payload_len}, .correlation = {q->reference, sizeof q->reference},
                                            .month = card->month, .year = card->year, .brand = brand};
        ordered(q, registry_enrol(q->jobs->server->registry, &order, limit_of(q), on_answer, q));
    }
}

static void on_record(void *owner, result r, const struct network_record *record)
{
    struct queued *q = owner;
    struct keeper_server *server = q->jobs->server;
    if (failed(r)) {
        if (r.err != ERR_TOKEN_NOT_FOUND) {
            jobs_later(q);
            return;
        }
        jobs_tell(q, r, NULL);
        jobs_drop(q);
        return;
    }
    memcpy(q->network, record->network, sizeof q->network);
    memcpy(q->reference, record->reference_code, sizeof q->reference);
    if (q->kind == JOB_ENROL ? record->state != NETWORK_PENDING : record->ref.len == 0) {
        jobs_tell(q, OK, record); /* somebody else has brought it to an end */
        jobs_drop(q);
    } else if (q->kind == JOB_ENROL) {
        vault_card_get(server->vault, merchant_of(q), token_id_slice(&q->token), on_card, q);
    } else {
        ordered(q, registry_state(server->registry, network_padded(q->network, sizeof q->network), network_text_slice(&record->ref),
                                  limit_of(q), on_answer, q));
    }
}

static void on_removed(void *owner, const struct registry_answer *a)
{
    struct queued *q = owner;
    q->order = NULL;
    if (failed(a->r) && a->r.err != ERR_NETWORK_TOKEN_GONE && a->r.err != ERR_NETWORK_REFUSED)
        jobs_later(q);
    else
        jobs_drop(q);
}

static void order_removal(struct queued *q)
{
    struct job job;
    slice network, ref;
    job_of(q, &job);
    if (job_removal(&job, &network, &ref))
        ordered(q, registry_remove(q->jobs->server->registry, network, ref, limit_of(q), on_removed, q));
    else
        jobs_drop(q);
}

/* A network may have given one token to two cards: the same number, stored twice or by two merchants. While one of them pays with it, it
 * is not removed; the last one's removal takes it along. */
static void on_holder(void *owner, result r, slice merchant, slice token, const struct network_record *record)
{
    struct queued *q = owner;
    struct job job;
    slice network, ref;
    (void)merchant;
    (void)token;
    if (record) {
        job_of(q, &job);
        bool is_it = job_removal(&job, &network, &ref) && slice_eq(network_text_slice(&record->ref), ref);
        if (is_it && (record->state == NETWORK_PENDING || network_state_has_token(record->state))) q->is_held = true;
    } else if (failed(r) && r.err != ERR_NOT_FOUND) {
        jobs_later(q);
    } else if (q->is_held) {
        jobs_drop(q);
    } else {
        order_removal(q);
    }
}

static void run_removal(struct queued *q)
{
    struct job job;
    slice network, ref;
    job_of(q, &job);
    if (!job_removal(&job, &network, &ref)) {
        jobs_drop(q);
        return;
    }
    memset(q->network, 0, sizeof q->network);
    memcpy(q->network, network.at, network.len < sizeof q->network ? network.len : sizeof q->network);
    q->is_held = false;
    vault_network_find(q->jobs->server->vault, ref, on_holder, q);
}

static void run(struct queued *q)
{
    struct jobs *j = q->jobs;
    due_remove(&j->heap, &q->due);
    q->is_out = true;
    j->out++;
    if (q->kind == JOB_REMOVE)
        run_removal(q);
    else
        vault_network_get(j->server->vault, merchant_of(q), token_id_slice(&q->token), on_record, q);
}

/* Without a registrar nothing is tried, and so nothing backs off: what is due runs when there is one again. */
void jobs_work(struct jobs *j)
{
    struct due *first;
    while (!j->is_stopped && !registry_is_away(j->server->registry) && j->out < JOBS_OUT_MAX &&
           (first = due_first_by(&j->heap, server_wall_ms(j->server))) != NULL)
        run((struct queued *)first);
    set_timer(j);
}

static void on_timer(void *arg)
{
    jobs_work(arg);
}

void jobs_clock_was_set(struct jobs *j, int64_t step_ms)
{
    struct queued *q, *next;
    HASH_ITER (hh, j->by_id, q, next) {
        if (!q->due.place || !waits_for_back_off(q)) continue;
        due_remove(&j->heap, &q->due);
        q->due.at_ms += step_ms;
        (void)due_add(&j->heap, &q->due); /* room was there a moment ago */
    }
    set_timer(j);
}

/* --- for jobs_ask.c --- */

struct queued *jobs_add(struct jobs *j, const struct job *job)
{
    return add(j, job);
}

void jobs_run_at_once(struct queued *q)
{
    if (!q->is_out) run(q);
}

void jobs_refresh(struct jobs *j, slice merchant, slice token, vault_done done, void *owner)
{
    struct job job = {.kind = JOB_REFRESH, .created_ms = server_wall_ms(j->server)};
    struct queued *q = find_refresh(j, merchant, token);
    if (q) {
        q->again = q->is_out;
        job_of(q, &job);
    } else if (failed(vault_job_new_id(job.id)) || !token_id_from(token, &job.token) || merchant.len > sizeof job.merchant) {
        done(owner, FAIL(MEMORY));
        return;
    } else {
        memcpy(job.merchant, merchant.at, merchant.len);
    }
    job.due_ms = job.created_ms;
    if (q && !q->is_out) {
        due_remove(&j->heap, &q->due);
        q->due.at_ms = job.due_ms;
        (void)due_add(&j->heap, &q->due); /* room was there a moment ago */
        set_timer(j);
    } else if (!q && !add(j, &job)) {
        done(owner, FAIL(MEMORY));
        return;
    }
    vault_job_put(j->server->vault, &job, done, owner);
}

static void on_pressed(void *owner, result r)
{
    (void)owner;
    (void)r; /* a later payment comes here again */
}

void jobs_refresh_for_payment(struct jobs *j, slice merchant, slice token)
{
    uint64_t now_ms = loop_now_ms(j->server->loop);
    struct queued *q = find_refresh(j, merchant, token);
    if (q && q->pressed_ms && now_ms - q->pressed_ms < JOBS_PRESS_PAUSE_MS) return;
    jobs_refresh(j, merchant, token, on_pressed, NULL);
    q = find_refresh(j, merchant, token);
    if (q) q->pressed_ms = now_ms;
}

/* --- the queue itself --- */

static bool load_one(void *owner, const struct job *job)
{
    return add(owner, job) != NULL;
}

static void on_removal_queued(void *owner, const struct job *job)
{
    struct jobs *j = owner;
    (void)add(j, job);
}

struct jobs *jobs_new(struct keeper_server *server)
{
    struct jobs *j = calloc(1, sizeof *j);
    if (!j) return NULL;
    j->server = server;
    j->timer = timer_new(server->loop, on_timer, j);
    if (!j->timer) {
        free(j);
        return NULL;
    }
    result r = vault_job_list(server->vault, load_one, j);
    if (failed(r)) log_failure("network_jobs", r); /* the sound ones are there */
    vault_watch_removals(server->vault, on_removal_queued, j);
    set_timer(j);
    return j;
}

void jobs_stop(struct jobs *j)
{
    j->is_stopped = true;
    timer_stop(j->timer);
    vault_watch_removals(j->server->vault, NULL, NULL);
}

void jobs_free(struct jobs *j)
{
    struct queued *q, *next;
    if (!j) return;
    HASH_ITER (hh, j->by_id, q, next) {
        unlink_queued(q);
        free_queued(q);
    }
    due_done(&j->heap);
    timer_free(j->timer);
    free(j);
}
