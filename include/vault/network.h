/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_NETWORK_H
#define VAULT_NETWORK_H

/* What the vault keeps of network tokens, beside the cards: the state of each card's network token, the queue of work for the
 * registrar, the outbox of webhooks, the network transaction ids, and the counters of the report. All of it is sealed like
 * cards are, survives kill -9 at any moment, and is written by the same group commit.
 *
 *     STORE_NETWORK 'N'  merchant | token          one record per card that was paid with or enrolled
 *     STORE_JOB     'J'  job id                    work for the registrar, until it is done
 *     STORE_EVENT   'E'  event id                  a webhook and how far its delivery is; kept EVENT_KEPT_MS
 *     STORE_TRAIL   'T'  merchant | token | route  network transaction id
 *     STORE_COUNT   'R'  hour | merchant | route   counters                                                                */

#include "body/credential.h"
#include "vault/vault.h"

enum { NETWORK_REF_BYTES = 64, REFERENCE_CODE_BYTES = 36, ROUTE_NAME_MAX_BYTES = 64 };

struct network_text { /* the network's own name of something */
    uint8_t len;
    char at[NETWORK_REF_BYTES];
};
struct network_record { /* secret memory only: it may hold the network token's number */
    enum network_state state;
    uint8_t reason;             /* enum network_reason */
    char network[64];           /* name in the configuration, NUL-padded */
    struct network_text ref, instrument;
    uint8_t number_len, month, requestor_len;
    uint16_t year;              /* the token's own expiry */
    char number[PAN_MAX_DIGITS];/* of the network token, from the network's last answer with one; for merchant-initiated payments */
    char requestor[REQUESTOR_DIGITS];
    char reference_code[REFERENCE_CODE_BYTES]; /* of the enrolment: a UUID; also what the network recognises a repeated try by */
    int64_t first_paid_ms;      /* 0: not yet */
    int64_t asked_ms, updated_ms, renewed_ms;
    uint64_t revision;          /* grows with every change: the order of its events */
};

/* Reads it, and the card's state with it, in one turn. r: ERR_TOKEN_NOT_FOUND (no such card). A card without a record has a zeroed
 * one (NETWORK_NONE). Valid for the call. */
typedef void (*vault_network_callback)(void *owner, result r, const struct network_record *record);
void vault_network_get(struct vault *v, slice merchant, slice token, vault_network_callback done, void *owner);
/* The record behind a network's own name (tokenised card or instrument), for notifications. ERR_NOT_FOUND. */
typedef void (*vault_network_found)(void *owner, result r, slice merchant, slice token, const struct network_record *record);
void vault_network_find(struct vault *v, slice ref, vault_network_found done, void *owner);

/* Changes a record together with what follows from the change, in one atomic batch. Read, decided by <decide>, written; on a
 * conflict it is read and decided again, so decide must have no other effect. A deleted card gets ERR_TOKEN_NOT_FOUND. */
struct job;
struct event;
struct network_change {
    bool write;                 /* false: leave the record as it is */
    const struct job *add;      /* a job to queue with it; NULL: none */
    const slice *done_job;      /* id of the job that this completes (deleted with it); NULL: none */
    const struct event *events; /* webhooks to put into the outbox with it */
    size_t event_count;
};
typedef void (*vault_network_decide)(void *owner, struct network_record *record /* in: as stored; out: as it shall be */,
                                     struct network_change *change);
void vault_network_alter(struct vault *v, slice merchant, slice token, vault_network_decide decide, vault_network_callback done, void *owner);

/* --- the queue of work --- */
enum job_kind { JOB_ENROL = 1, JOB_REFRESH /* read the state back */, JOB_REMOVE /* tell the network that a token is gone */ };
enum { JOB_ID_BYTES = 16, JOB_PAYLOAD_MAX_BYTES = 700, EVENT_ID_BYTES = 36, EVENT_JSON_MAX_BYTES = 1200 };
struct job {
    char id[JOB_ID_BYTES];      /* random */
    enum job_kind kind;
    char merchant[64];          /* NUL-padded */
    struct token_id token;
    uint32_t tries;
    int64_t created_ms, due_ms;
    uint16_t payload_len;
    char payload[JOB_PAYLOAD_MAX_BYTES]; /* JOB_ENROL: the billing address as the keeper's frame has it; JOB_REMOVE: network and ref */
};
void vault_job_new_id(char out[JOB_ID_BYTES]);
typedef bool (*vault_job_each)(void *owner, const struct job *j); /* false ends it */
MUST_USE result vault_job_list(struct vault *v, vault_job_each each, void *owner); /* at once: at start */
typedef void (*vault_done)(void *owner, result r);
void vault_job_put(struct vault *v, const struct job *j, vault_done done, void *owner);    /* new, or again with its next due time */
void vault_job_delete(struct vault *v, slice id, vault_done done, void *owner);

/* --- the outbox --- */
enum event_state { EVENT_PENDING = 0, EVENT_DELIVERED, EVENT_FAILED /* given up after a day */ };
enum { EVENT_TRY_FOR_MS = 24 * 60 * 60 * 1000, EVENT_KEPT_MS = 7 * EVENT_TRY_FOR_MS };
struct event {
    char id[EVENT_ID_BYTES];    /* a UUID: the same in every try */
    char merchant[64];          /* NUL-padded */
    struct token_id token;
    uint64_t revision;          /* order within the token */
    char url[256];              /* NUL-padded: the receiver, also where the configuration has changed since */
    enum event_state state;
    uint32_t tries;
    int16_t last_status;        /* of the receiver; 0: no answer yet */
    int64_t created_ms, due_ms, delivered_ms;
    uint16_t json_len;
    char json[EVENT_JSON_MAX_BYTES];
};
typedef bool (*vault_event_each)(void *owner, const struct event *e);
MUST_USE result vault_event_list(struct vault *v, vault_event_each each, void *owner); /* at once */
void vault_event_put(struct vault *v, const struct event *e, vault_done done, void *owner);
MUST_USE result vault_event_resend(struct vault *v, slice id); /* PENDING again, due now. For the command; ERR_NOT_FOUND */
MUST_USE result vault_event_purge(struct vault *v, int64_t now_ms); /* delivered or failed ones past EVENT_KEPT_MS, a few at a time */
/* Differs after anybody (a command, say) has changed the store: list again. */
uint64_t vault_version(struct vault *v);

/* --- network transaction ids --- */
typedef void (*vault_trail_callback)(void *owner, result r, slice network_transaction_id); /* ERR_NOT_FOUND */
void vault_trail_get(struct vault *v, slice merchant, slice token, slice route, vault_trail_callback done, void *owner);
void vault_trail_put(struct vault *v, slice merchant, slice token, slice route, slice network_transaction_id, vault_done done, void *owner);

/* --- counters --- */
enum counter {
#define NT_COUNTER(name, word) COUNTER_##name,
#include "vault/counters.def"
#undef NT_COUNTER
    COUNTER_COUNT
};
const char *counter_name(enum counter c);
struct counter_delta { /* what one hour, merchant and route gained; route empty: the merchant's own (provisioning) */
    uint32_t hour;     /* since 1970 */
    char merchant[64], route[ROUTE_NAME_MAX_BYTES]; /* NUL-padded */
    uint64_t n[COUNTER_COUNT];
};
struct counter_mark {  /* up to which of a relay's outcomes the counts go: written with them, so that a repeated one is known */
    uint64_t relay, sequence;
};
/* One atomic batch: adds the deltas, moves the marks. */
void vault_count(struct vault *v, const struct counter_delta *deltas, size_t delta_count, const struct counter_mark *marks, size_t mark_count,
                 vault_done done, void *owner);
MUST_USE result vault_count_mark(struct vault *v, uint64_t relay, uint64_t *sequence); /* 0: none */
/* Sums over hours [from, to) of one merchant, per route (route empty: all). At once. */
typedef void (*vault_count_each)(void *owner, slice route, const uint64_t sums[COUNTER_COUNT]);
MUST_USE result vault_count_sum(struct vault *v, slice merchant, uint32_t from_hour, uint32_t to_hour, slice route, vault_count_each each, void *owner);

#endif
