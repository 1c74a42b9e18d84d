/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_KEYRING_H
#define VAULT_KEYRING_H

/* The keys of one vault: data keys by version (the newest seals, all open), and the key of the PAN index. On disk they are one
 * file, sealed whole with AES-256-GCM under the key-encryption key, so neither a key nor their order can be changed:
 *
 *     keyring:  "CVKR" | format 1 | generation 8 | nonce 12 | sealed { count 4 | { version 4 | created 8 | key 32 }… | index key 32 } | tag 16
 *
 * The generation counts up with each change. The store remembers it too: a key ring older than the store's is a rolled back
 * one. Keys live in secret memory; PCI DSS 4.0.1 requirements 3.6 and 3.7. */

#include "vault/seal.h"

enum { KEYRING_VERSIONS_MAX = 16, KEYRING_INDEX_BYTES = 32 };

/* --- the key-encryption key --- */
struct kek; /* secret memory */
/* source: "file:PATH" or "env:NAME"; 64 hex digits or base64 of 32 bytes, white space around it is free. A file
 * that others may read or change is refused. ERR_VAULT_KEY_MISSING, _UNREADABLE, _FORM, _OPEN_TO_OTHERS, ERR_MEMORY. Read once:
 * no file is opened later. */
MUST_USE result kek_read(slice source, struct kek **out);
/* Makes the file of a "file:" source, 0600, with a random key, unless it is there. Never overwrites. */
MUST_USE result kek_make_file(slice source, bool *made);
void kek_free(struct kek *k);

/* --- the key ring --- */
struct keyring;
struct data_key {
    uint32_t version;
    int64_t created_ms;
    struct gcm gcm;
};
MUST_USE result keyring_new(struct keyring **out); /* version 1, generation 1 */
/* ERR_VAULT_KEY: the key-encryption key does not fit; ERR_VAULT_FORMAT; ERR_VAULT_MISSING */
MUST_USE result keyring_load(int folder, struct kek *kek, struct keyring **out);
/* Writes it, the generation counted up by one, in one step; the replaced file is overwritten. */
MUST_USE result keyring_save(struct keyring *k, int folder, struct kek *kek);
void keyring_free(struct keyring *k);

uint64_t keyring_generation(const struct keyring *k);
uint32_t keyring_count(const struct keyring *k);
struct data_key *keyring_active(struct keyring *k);                  /* the newest */
struct data_key *keyring_find(struct keyring *k, uint32_t version);  /* NULL: not here */
MUST_USE result keyring_add(struct keyring *k);                      /* a new newest version; ERR_TOO_LARGE when full */
void keyring_drop_old(struct keyring *k);                            /* keeps the newest only; the others are wiped */
/* HMAC-SHA-256 under the index key of merchant, 0x00, PAN: where a card's token is found by its number. */
MUST_USE result keyring_index(struct keyring *k, slice merchant, slice pan, uint8_t out[KEYRING_INDEX_BYTES]);

#endif
