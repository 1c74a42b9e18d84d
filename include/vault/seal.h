/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_SEAL_H
#define VAULT_SEAL_H

/* Sealing of one record: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce.
 *
 *     sealed:  format 1 | key version 4 | nonce 12 | ciphertext | tag 16          (numbers big-endian)
 *     additional data: format 1 | table 1 | key version 4 | merchant length 2 | merchant | record id
 *
 * The additional data bind a record to its place: moved to another merchant, another id, another table or another key version,
 * it does not open. Each key has two kept contexts (seal and open), in which only the nonce is set: setting a key anew costs
 * more than the record itself. One process, one thread. */

#include "base/result.h"
#include "base/slice.h"

#include <openssl/evp.h>

enum { SEAL_FORMAT = 1, SEAL_NONCE_BYTES = 12, SEAL_TAG_BYTES = 16, SEAL_HEADER_BYTES = 5,
       SEAL_OVERHEAD_BYTES = SEAL_HEADER_BYTES + SEAL_NONCE_BYTES + SEAL_TAG_BYTES,
       SEAL_KEY_BYTES = 32, SEAL_MERCHANT_MAX_BYTES = 128, SEAL_ID_MAX_BYTES = 136 };

struct gcm { /* one key; zeroed: none */
    EVP_CIPHER_CTX *seal, *open;
};
MUST_USE result gcm_init(struct gcm *g, const uint8_t key[SEAL_KEY_BYTES]); /* ERR_CRYPTO */
void gcm_done(struct gcm *g); /* wipes the contexts */
/* The bare cipher, for the key ring and for known-answer tests. Seal: out gets plain.len bytes, tag 16. Open: out gets
 * cipher.len bytes; when the tag does not fit, out is wiped and ERR_VAULT_SEAL comes back. */
MUST_USE result gcm_seal(struct gcm *g, const uint8_t nonce[SEAL_NONCE_BYTES], slice additional, slice plain, uint8_t *out,
                         uint8_t tag[SEAL_TAG_BYTES]);
MUST_USE result gcm_open(struct gcm *g, const uint8_t nonce[SEAL_NONCE_BYTES], slice additional, slice cipher,
                         const uint8_t tag[SEAL_TAG_BYTES], uint8_t *out);

struct seal_place {
    uint8_t table;
    slice merchant, id; /* at most SEAL_…_MAX_BYTES each */
};
/* out gets plain.len + SEAL_OVERHEAD_BYTES. ERR_CRYPTO, ERR_TOO_LARGE. */
MUST_USE result seal_record(struct gcm *g, uint32_t key_version, const struct seal_place *place, slice plain, uint8_t *out);
bool seal_key_version(slice sealed, uint32_t *version); /* false: not a record of this format */
/* out (secret memory) has room for sealed.len - SEAL_OVERHEAD_BYTES. The caller found the key by seal_key_version. ERR_VAULT_SEAL. */
MUST_USE result seal_open(struct gcm *g, const struct seal_place *place, slice sealed, uint8_t *out, size_t cap, size_t *len);

#endif
