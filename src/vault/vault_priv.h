/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VAULT_PRIV_H
#define VAULT_VAULT_PRIV_H

/* What the vault's modules share. Each owns one part of struct vault; sealing goes through vault_seal and vault_unseal, which
 * know the key ring and its renewal. */

#include "audit.h"
#include "vault/keyring.h"
#include "vault/record.h"
#include "vault/store.h"
#include "vault/vault.h"

#include <limits.h>

enum { MERCHANT_MAX_BYTES = SEAL_MERCHANT_MAX_BYTES, GENERATION_BYTES = 8, SEALED_MAX_BYTES = STORE_VALUE_MAX_BYTES };

struct card_ops;
struct key_table;

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
    struct card_ops *ops;   /* cards.c */
    struct key_table *keys; /* api_keys.c */
};

extern const slice meta_keyring, meta_keys, meta_anchor;

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
/* One value at once, for the synchronous calls; cap bytes at most. ERR_NOT_FOUND, ERR_VAULT_STORE. */
MUST_USE result vault_read_now(struct vault *v, enum store_table t, slice key, uint8_t *out, size_t cap, size_t *len);

/* --- key of a card in the store: merchant length 1 | merchant | token --- */
enum { CARD_KEY_MAX_BYTES = 1 + MERCHANT_MAX_BYTES + TOKEN_ID_MAX_BYTES };
slice card_key(slice merchant, slice token, char room[CARD_KEY_MAX_BYTES]);
bool card_key_split(slice key, slice *merchant, slice *token);

/* --- cards.c --- */
MUST_USE result card_ops_start(struct vault *v);
void card_ops_stop(struct vault *v);

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
/* Each record of a table, in short scans; the callback may use the store. */
MUST_USE result vault_each(struct vault *v, enum store_table t, vault_on_record on_record, void *owner);
/* Where a record of the table CARD, KEY or META belongs. */
MUST_USE result vault_place(enum store_table t, slice key, struct seal_place *out);

#endif
