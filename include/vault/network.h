/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_NETWORK_H
#define VAULT_NETWORK_H

/* What the vault keeps of network tokens, beside the cards: the state of each card's network token, the queue of work for the
 * registrar, the outbox of webhooks, the network transaction ids, and the counters of the report. All of it is sealed like
 * cards are, survives kill -9 at any moment, and is written by the same group commit.
 *
 *     STORE_NETWORK 'N'  merchant | token          one record per card that was paid with or enrolled
 *     STORE_REF     'F'  HMAC of ref | merchant | token   leads from the network's own names to the records; holds nothing itself
 *     STORE_JOB     'J'  job id                    work for the registrar, until it is done
 *     STORE_EVENT   'E'  created | event id        a webhook and how far its delivery is; kept EVENT_KEPT_MS
 *     STORE_TRAIL   'T'  merchant | token | route  network transaction id
 *     STORE_COUNT   'R'  merchant | hour | route   counters; and by relay: the marks
 *
 * vault_card_delete takes the card's record, its index and its trails with it, in the same batch. Where the record has a ref and is
 * not DELETED, that batch queues a JOB_REMOVE, which needs no card, so that the network is told, and counts TOKENS_LOST if the card had a token. Other jobs of the card stay and do no harm: whoever
 * does one finds ERR_TOKEN_NOT_FOUND and deletes it; where the network had given a token by then, its answer must be followed by a
 * JOB_REMOVE. Events stay: they are the merchant's to hear.
 *
 * Merchant, token and route are names of the configuration's kind, at most 64 bytes each: ERR_TOO_LARGE (writes) or nothing found. */

#include "body/credential.h"
#include "vault/vault.h"

enum { NETWORK_REF_BYTES = 64, REFERENCE_CODE_BYTES = 36, ROUTE_NAME_MAX_BYTES = 64, NETWORK_MERCHANT_MAX_BYTES = 64 };

struct network_text { /* the network's own name of something: A-Z a-z 0-9 _ - */
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
    char reference_code[REFERENCE_CODE_BYTES]; /* of the enrolment: a UUID, or zeros; also what the network recognises a repeated try by */
    int64_t first_paid_ms;      /* 0: not yet */
    int64_t asked_ms, updated_ms, renewed_ms;
    uint64_t revision;          /* grows with every change (vault_network_alter sees to it): the order of its events */
};

/* r: ERR_TOKEN_NOT_FOUND (no such card). A card without a record has a zeroed one (NETWORK_NONE). Valid for the call. */
typedef void (*vault_network_callback)(void *owner, result r, const struct network_record *record);
void vault_network_get(struct vault *v, slice merchant, slice token, vault_network_callback done, void *owner);
/* The records behind a network's own name (tokenised card or instrument), for notifications: many tokens, of several merchants, may
 * share an instrument. Called with each record, r OK; then a last time with record NULL, r: OK, ERR_NOT_FOUND (there was none), or
 * what went wrong. The callback may use the vault. */
typedef void (*vault_network_found)(void *owner, result r, slice merchant, slice token, const struct network_record *record);
void vault_network_find(struct vault *v, slice ref, vault_network_found done, void *owner);

/* At once: the records of one merchant whose tokens stand past <after> (empty: from the first), at most <limit>; *more: there are
 * others. Valid for the call; the callback may use the vault. A damaged one is left out. */
typedef void (*vault_network_each)(void *owner, slice token, const struct network_record *record);
MUST_USE result vault_network_page(struct vault *v, slice merchant, slice after, size_t limit, vault_network_each each, void *owner, bool *more);

/* Changes a record together with what follows from the change, in one atomic batch. Read, decided by <decide>, written; on a
 * conflict it is read and decided again, so decide must have no other effect; what <change> points to is borrowed until the next
 * decide or the answer. A deleted card gets ERR_TOKEN_NOT_FOUND, and nothing is done. ERR_VAULT_FORMAT: the record, the job or an
 * event is not one that could be read again. <done> gets the record as it is stored then. */
enum { NETWORK_EVENTS_MAX = 16 };
struct job;
struct event;
struct counter_delta;
struct network_change {
    bool write;                 /* false: leave the record as it is; the rest is done all the same */
    const struct job *add;      /* a job to queue with it; NULL: none */
    const slice *done_job;      /* id of the job that this completes (deleted with it); NULL: none */
    const struct event *events; /* webhooks to put into the outbox with it */
    size_t event_count;         /* NETWORK_EVENTS_MAX at most */
    const struct counter_delta *count; /* what it comes to for the report, exact whatever dies; NULL: nothing */
};
/* Does a card of this state have a network token? What the report counts as gained and lost. */
static inline bool network_state_has_token(enum network_state s)
{
    return s == NETWORK_ACTIVE || s == NETWORK_SUSPENDED;
}
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
    char payload[JOB_PAYLOAD_MAX_BYTES]; /* JOB_ENROL: the billing address as the keeper's frame has it; JOB_REMOVE: see below */
};
MUST_USE result vault_job_new_id(char out[JOB_ID_BYTES]); /* ERR_CRYPTO */
/* The payload of a JOB_REMOVE: network length 1 | network | ref. */
void job_set_removal(struct job *j, slice network, slice ref);
bool job_removal(const struct job *j, slice *network, slice *ref); /* slices into j; false: not one */
typedef bool (*vault_job_each)(void *owner, const struct job *j); /* false ends it */
/* At once, for the start; in no order, in flat memory. A damaged one is left out, and told (ERR_VAULT_SEAL, ERR_VAULT_FORMAT) after
 * all others were given. */
MUST_USE result vault_job_list(struct vault *v, vault_job_each each, void *owner);
typedef void (*vault_done)(void *owner, result r);
void vault_job_put(struct vault *v, const struct job *j, vault_done done, void *owner);    /* new, or again with its next due time */
void vault_job_delete(struct vault *v, slice id, vault_done done, void *owner); /* OK also when it was gone */
/* Told, after its commit, of each JOB_REMOVE that a vault_card_delete of this process queued. One watcher; NULL: none. */
typedef void (*vault_removal_queued)(void *owner, const struct job *j);
void vault_watch_removals(struct vault *v, vault_removal_queued queued, void *owner);

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
    int64_t created_ms;         /* part of its key: never changes */
    int64_t since_ms;           /* the day of tries counts from here: created_ms, or the last resend */
    int64_t due_ms, delivered_ms;
    uint16_t json_len;
    char json[EVENT_JSON_MAX_BYTES];
};
typedef bool (*vault_event_each)(void *owner, const struct event *e);
/* At once, the oldest first, in flat memory; damaged ones as vault_job_list has them. Within one token the revision is the order:
 * the clock may have been set back. */
MUST_USE result vault_event_list(struct vault *v, vault_event_each each, void *owner);
/* The same in pages, for those who have other work: <limit> records at most, past the cursor, which moves on; *more: it is not the end. */
struct event_cursor { /* zeroed: the beginning */
    size_t len;
    char key[8 + EVENT_ID_BYTES];
};
MUST_USE result vault_event_page(struct vault *v, struct event_cursor *c, size_t limit, bool *more, vault_event_each each, void *owner);
/* In place of one with this since_ms, or of none. ERR_VAULT_CONFLICT: somebody has resent it since, and it stays as it is. */
void vault_event_put(struct vault *v, const struct event *e, int64_t since_ms, vault_done done, void *owner);
/* PENDING again, tries 0, due now, with a day to go; its id stays. At once, and from any process: the command calls it while the
 * keeper has the vault open, and the keeper sees it by vault_event_resends. ERR_NOT_FOUND. */
MUST_USE result vault_event_resend(struct vault *v, slice id);
/* How often anybody has resent anything: when it has grown, list again. Read anew only after vault_version has changed: cheap. */
MUST_USE result vault_event_resends(struct vault *v, uint64_t *count);
/* Queues (for the next vault_flush) the deletion of a few delivered or failed ones past EVENT_KEPT_MS: call it now and then. */
MUST_USE result vault_event_purge(struct vault *v, int64_t now_ms);
/* Differs after anybody (a command, say) has changed the store. */
uint64_t vault_version(struct vault *v);

/* --- network transaction ids: 1 to NETWORK_TRANSACTION_ID_MAX_BYTES of printable ASCII; the last one put stays --- */
typedef void (*vault_trail_callback)(void *owner, result r, slice network_transaction_id); /* ERR_NOT_FOUND */
void vault_trail_get(struct vault *v, slice merchant, slice token, slice route, vault_trail_callback done, void *owner);
void vault_trail_put(struct vault *v, slice merchant, slice token, slice route, slice network_transaction_id, vault_done done, void *owner); /* ERR_TOKEN_NOT_FOUND */

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
/* One of that place, in this hour, with nothing in it. Names that are too long are cut, and refused where they are counted. */
void counter_delta_start(struct counter_delta *d, slice merchant, slice route);
struct counter_mark {  /* up to which of a relay's outcomes the counts go: written with them, so that a repeated one is known */
    uint64_t relay, sequence; /* sequence 0: the relay is gone for good, its mark is deleted */
};
enum { COUNT_DELTAS_MAX = 256, COUNT_MARKS_MAX = 256 };
/* One atomic batch: adds the deltas (several of one place are one), moves the marks. The vault cannot know which outcomes a delta
 * came from: before it adds an outcome, the keeper asks vault_count_mark, and leaves out what is at or below the relay's mark.
 * As a last line, a batch with a mark that is not past the stored one is refused whole: ERR_VAULT_CONFLICT, nothing was counted.
 * One call a turn: calls of one turn for the same place conflict and are made again one after the other. */
void vault_count(struct vault *v, const struct counter_delta *deltas, size_t delta_count, const struct counter_mark *marks, size_t mark_count,
                 vault_done done, void *owner);
MUST_USE result vault_count_mark(struct vault *v, uint64_t relay, uint64_t *sequence); /* 0: none */
/* Sums over hours [from, to) of one merchant, per route (route empty: all). At once. */
typedef void (*vault_count_each)(void *owner, slice route, const uint64_t sums[COUNTER_COUNT]);
MUST_USE result vault_count_sum(struct vault *v, slice merchant, uint32_t from_hour, uint32_t to_hour, slice route, vault_count_each each, void *owner);

#endif
