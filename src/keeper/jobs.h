/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_JOBS_H
#define KEEPER_JOBS_H

/* The queue of work for the registrar: enrol a card, read a token's state back, tell the network that a token is gone. Each job
 * stands in the vault until what it came to is written together with its end, so that kill -9 at any moment loses none; the
 * network recognises an enrolment that is asked again by its reference code.
 *
 *     vault ─► due heap ─► out (JOBS_OUT_MAX at once) ─► registry ─► answer ─┬─ final: record, job's end and webhooks in one batch
 *                ▲                                                           ├─ pending, renewal: the same job, later
 *                └────────────────── back-off, with jitter ──────────────────┴─ NETWORK_DOWN                             */

#include "due.h"
#include "server_priv.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum {
    JOBS_OUT_MAX = 16,
    JOBS_PRESS_PAUSE_MS = 60 * 1000,
    DAY_MS = 24 * 60 * 60 * 1000,
    PENDING_DAYS = 3,       /* that a network may take to give a token; they need seconds, mostly */
    RENEW_BEFORE_DAYS = 30, /* of the token's own expiry: its state is read back daily from then on */
};

struct jobs;
struct jobs *jobs_new(struct keeper_server *server); /* and reads the queue; NULL: memory */
void jobs_free(struct jobs *j); /* NULL is fine */
/* Runs what is due. Called when there is a registrar, and by its own timer. */
void jobs_work(struct jobs *j);

/* How an enrolment that was asked for by API came out. record: as it stands now, NULL where the vault failed. */
typedef void (*jobs_enrolled)(void *owner, result r, const struct network_record *record);
/* Writes record (PENDING) and job, then asks the network at once, with the CVC, which is nowhere but in that one order. */
struct enrolment {
    const struct config_merchant *merchant;
    const struct config_network *network;
    struct token_id token;
    slice billing, cvc;
};
void jobs_enrol(struct jobs *j, const struct enrolment *e, jobs_enrolled done, void *owner);
/* After a payment: the strategy's share. */
void jobs_after_payment(struct jobs *j, const struct config_merchant *merchant, enum provision strategy, slice token,
                        const struct network_record *record);
/* After a card was captured: enrols it if it has no record yet. Its message is done by then. */
void jobs_after_capture(struct jobs *j, slice merchant, slice token);
/* The token's state is to be read back soon; done: it is queued durably. */
void jobs_refresh(struct jobs *j, slice merchant, slice token, vault_done done, void *owner);
/* The same, for what a payment noticed, and so would the next: of one token at most once in JOBS_PRESS_PAUSE_MS. */
void jobs_refresh_for_payment(struct jobs *j, slice merchant, slice token);

/* The wall clock was set: back-offs do not wait for it. What has a date (a renewal) goes by the new time. */
void jobs_clock_was_set(struct jobs *j, int64_t step_ms);
/* No more runs: what is out comes back, and is written down. */
void jobs_stop(struct jobs *j);

/* --- between jobs.c, jobs_ask.c and jobs_apply.c --- */

struct queued {
    struct due due;
    struct jobs *jobs;
    char id[JOB_ID_BYTES];
    enum job_kind kind;
    char merchant[NETWORK_MERCHANT_MAX_BYTES];
    struct token_id token;
    uint32_t tries;
    int64_t created_ms;
    bool is_out;
    bool again;   /* asked for once more while it is out */
    uint64_t pressed_ms; /* when a payment asked for it, by the loop's clock; 0: none has */
    bool is_held; /* a REMOVE whose token another card has, too */
    struct order *order;
    char network[WIRE_NAME_MAX_BYTES];
    char reference[REFERENCE_CODE_BYTES];
    uint8_t cvc_len;
    char *cvc;    /* secret; NULL: none */
    jobs_enrolled done; /* NULL: nobody waits */
    void *owner;
    uint16_t payload_len;
    char *payload;
    UT_hash_handle hh;       /* of all, by id */
    UT_hash_handle by_token; /* of REFRESH jobs, by merchant and token */
};
struct queued *jobs_add(struct jobs *j, const struct job *job); /* that the vault has; NULL: memory */
void jobs_run_at_once(struct queued *q);
struct keeper_server *jobs_server(struct jobs *j);
bool jobs_is_stopped(const struct jobs *j);
void job_of(const struct queued *q, struct job *out);
/* What the network said: writes it down. Ends with jobs_finished(). */
void jobs_apply(struct queued *q, const struct registry_answer *a);
/* again_ms < 0: the job is done and out of the vault; else it runs again at that time, and stands in the vault so. */
void jobs_finished(struct queued *q, int64_t again_ms);
void jobs_later(struct queued *q); /* writes it with its next time, by back-off; then jobs_finished() */
void jobs_drop(struct queued *q);  /* deletes it from the vault, then jobs_finished() */
void jobs_tell(struct queued *q, result r, const struct network_record *record); /* whoever waits for the enrolment */

#endif
