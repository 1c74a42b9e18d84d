/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VAULT_PRIV_H
#define VAULT_VAULT_PRIV_H

/* What the vault's modules share. Each owns one part of struct vault; sealing goes through vault_seal and vault_unseal, which
 * know the key ring and its renewal. */

#include "audit.h"
#include "op_pool.h"
#include "vault/alias_record.h"
#include "vault/keyring.h"
#include "vault/network_record.h"
#include "vault/record.h"
#include "vault/store.h"
#include "vault/vault.h"

#include <limits.h>

enum { MERCHANT_MAX_BYTES = SEAL_MERCHANT_MAX_BYTES, GENERATION_BYTES = 8, SEALED_MAX_BYTES = STORE_VALUE_MAX_BYTES,
       TRIES_MAX = 16 /* of a call whose batch conflicts */, CARD_SEALED_MAX_BYTES = CARD_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES };

struct key_table;
enum vault_pool { POOL_CARD, POOL_LEAVING, POOL_NETWORK, POOL_FIND, POOL_TRAIL, POOL_PUT, POOL_ALIAS, POOL_COUNT };

struct vault {
    char path[PATH_MAX];
    int folder;
    bool read_only;
    struct kek *kek, *old_kek; /* old_kek: NULL unless the key ring needed it */
    bool under_old_key;        /* the key ring file is sealed under old_kek */
    struct keyring *ring;
    /* The store's word on the key ring, as last read: part of every batch that seals, so nothing sealed under a key that a
     * rotation is leaving can be written once that rotation has begun. Empty: not written yet. */
    char ring_seen[GENERATION_BYTES];
    size_t ring_seen_len;
    struct store *store;
    uint64_t ring_version;  /* store_version at which ring_seen was read */
    uint32_t seals_version; /* data key for which seals are reserved, and how many are left */
    uint64_t seals_left;
    bool reserving;         /* a further block is asked for */
    struct audit *audit;
    uint64_t anchored_seq;  /* of the audit trail: what the store holds already */
    uint64_t anchoring_seq; /* what a queued batch will make it hold; 0: none is queued */
    bool is_open;           /* whole */
    struct op_pool pools[POOL_COUNT]; /* of calls under way */
    struct key_table *keys; /* api_keys.c */
    uint64_t resends, resends_version; /* events.c: as read at that version of the store; 0: not read */
    struct count_hints *count_hints;   /* counters.c; NULL: none yet */
    vault_removal_queued on_removal;   /* jobs.c */
    void *removal_owner;
};

extern const slice meta_keyring, meta_keys, meta_anchor, meta_resends, meta_ca;

/* --- vault.c --- */
/* The expectation that belongs to every batch that puts something sealed. */
struct store_write vault_expect_ring(const struct vault *v);
/* Seals under the newest key; *out_len gets plain.len + SEAL_OVERHEAD_BYTES. Keeps count: at most 2^32 seals under one key
 * (NIST SP 800-38D 8.3), over all processes. ERR_VAULT_KEY_SPENT, ERR_CRYPTO, ERR_VAULT_STORE. */
MUST_USE result vault_seal(struct vault *v, const struct seal_place *place, slice plain, uint8_t *out, size_t *out_len);
MUST_USE result vault_seals_used(struct vault *v, uint32_t version, uint64_t *used, uint64_t *max);
/* Opens; reads the key ring again where the key version is not known yet. ERR_VAULT_SEAL. */
MUST_USE result vault_unseal(struct vault *v, const struct seal_place *place, slice sealed, uint8_t *out, size_t cap, size_t *len);
/* Writes the key ring under the key-encryption key that opened it. */
MUST_USE result vault_save_ring(struct vault *v);
/* Reads the store's word on the key ring, and the ring where that has changed. ERR_VAULT_RING_OLD, ERR_VAULT_KEY, ERR_VAULT_STORE. */
MUST_USE result vault_refresh_ring(struct vault *v);
/* After a batch was answered with *r: true where it conflicted and is to be made again, on what is stored by now; the conflict may
 * have been the key ring's generation, which is read again here. False: *r is the answer. */
bool vault_tries_again(struct vault *v, int *tries, int tries_max, result *r);
/* One value at once, for the synchronous calls; cap bytes at most. ERR_NOT_FOUND, ERR_VAULT_STORE. */
MUST_USE result vault_read_now(struct vault *v, enum store_table t, slice key, uint8_t *out, size_t cap, size_t *len);

/* --- store_keys.c: where a record stands in its table ("text": length 1, then the bytes) --- */
enum {
    CARD_KEY_MAX_BYTES = 1 + MERCHANT_MAX_BYTES + TOKEN_ID_MAX_BYTES, /* of cards and network records: text merchant | token */
    REF_KEY_MAX_BYTES = KEYRING_INDEX_BYTES + CARD_KEY_MAX_BYTES,     /* HMAC of the name | key of the network record */
    TRAIL_KEY_ROOM_BYTES = 1 + MERCHANT_MAX_BYTES + 1 + TOKEN_ID_MAX_BYTES + ROUTE_NAME_MAX_BYTES, /* texts merchant, token | route */
    COUNT_KEY_MAX_BYTES = 1 + NETWORK_MERCHANT_MAX_BYTES + 4 + ROUTE_NAME_MAX_BYTES, /* text merchant | hour 4 | route */
    MARK_KEY_BYTES = 1 + 8,                                           /* 0 | relay 8 */
    ALIAS_KEY_MAX_BYTES = 1 + MERCHANT_MAX_BYTES + KEYRING_INDEX_BYTES, /* text merchant | HMAC of the alias */
    NETWORK_SEALED_MAX_BYTES = NETWORK_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES,
    ALIAS_SEALED_MAX_BYTES = ALIAS_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES,
    ALIAS_LIST_SEALED_MAX_BYTES = ALIAS_LIST_MAX_BYTES + SEAL_OVERHEAD_BYTES,
};
slice card_key(slice merchant, slice token, char room[CARD_KEY_MAX_BYTES]);
bool card_key_split(slice key, slice *merchant, slice *token);
slice trail_prefix(slice merchant, slice token, char room[TRAIL_KEY_ROOM_BYTES]); /* of all its trails, and before the first one */
slice trail_key(slice merchant, slice token, slice route, char room[TRAIL_KEY_ROOM_BYTES]);
slice count_key(slice merchant, uint32_t hour, slice route, char room[COUNT_KEY_MAX_BYTES]);
bool count_key_split(slice key, slice *merchant, uint32_t *hour, slice *route); /* false also for a mark's */
slice mark_key(uint64_t relay, char room[MARK_KEY_BYTES]);
MUST_USE result ref_hash(struct vault *v, slice ref, uint8_t out[KEYRING_INDEX_BYTES]);
MUST_USE result ref_key(struct vault *v, slice ref, slice record_key, char room[REF_KEY_MAX_BYTES], slice *out);
bool ref_key_split(slice key, slice *record_key);
MUST_USE result alias_key(struct vault *v, slice merchant, slice alias, char room[ALIAS_KEY_MAX_BYTES], slice *out);
/* Where a sealed record of any table belongs. ERR_VAULT_FORMAT. */
MUST_USE result vault_place(enum store_table t, slice key, struct seal_place *out);

/* --- sealed_put.c --- */
/* Queues one record, sealed, in place of what is there; made again on a conflict. */
void vault_put_sealed(struct vault *v, enum store_table t, slice key, slice plain /* EVENT_RECORD_MAX_BYTES at most */, vault_done done, void *owner);
/* The same in place of what <check> lets go; a failure of it is the answer. sealed: as stored, never empty. */
typedef result (*vault_put_check)(struct vault *v, slice key, slice sealed, int64_t wanted);
void vault_put_sealed_over(struct vault *v, enum store_table t, slice key, slice plain, vault_put_check check, int64_t wanted,
                           vault_done done, void *owner);

/* A batch while it is put together; what its slices point to must live until it is queued. */
enum { BATCH_STEPS_MAX = 64 };
struct batch {
    size_t count;
    struct store_write steps[BATCH_STEPS_MAX];
};
void batch_add(struct batch *b, enum store_step step, enum store_table table, slice key, slice value);

/* --- api_keys.c --- */
void key_table_stop(struct vault *v);
void key_table_end_turn(struct vault *v); /* frees what infos of this turn pointed to */
struct seal_place key_place(slice id);

/* --- audit_anchor.c --- */
/* The audit trail's head, sealed in the store: cutting lines off the file's end is noticed. */
MUST_USE result vault_anchor_write(struct vault *v); /* at once: at close */
void vault_anchor_queue(struct vault *v);            /* with the turn's next commit */
MUST_USE result vault_anchor_read(struct vault *v, struct audit_head *out); /* seq 0: none */

/* --- admin.c --- */
typedef result (*vault_on_record)(void *owner, enum store_table t, slice key, slice value);
/* Each record of a table, in short scans; the callback may use the store, and ends it by a failure. */
MUST_USE result vault_each(struct vault *v, enum store_table t, vault_on_record on_record, void *owner);
/* Those whose keys begin with the prefix and stand past <after>. */
MUST_USE result vault_each_past(struct vault *v, enum store_table t, slice prefix, slice after, vault_on_record on_record, void *owner);
/* Each record of each table of sealed records; the audit trail's anchor is not in a table. */
MUST_USE result vault_each_sealed(struct vault *v, vault_on_record on_record, void *owner);
/* Opens what a scan brought; a writer or a rotation may have replaced it since. ERR_NOT_FOUND: gone; ERR_VAULT_SEAL. */
MUST_USE result vault_unseal_scanned(struct vault *v, enum store_table t, slice key, slice value, uint8_t *out, size_t cap, size_t *len);

/* --- network_verify.c --- */
/* What 'vault verify' asks of a record of the network tokens' tables. plain (SEALED_MAX_BYTES) and record are secret room. */
MUST_USE result vault_check_network(struct vault *v, enum store_table t, slice key, slice value, uint8_t *plain, struct network_record *record);

/* --- alias_verify.c --- */
/* The same of a record of aliases. */
MUST_USE result vault_check_alias(struct vault *v, enum store_table t, slice key, slice value, uint8_t *plain);

#endif
