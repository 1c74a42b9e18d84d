/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_NETWORK_RECORD_H
#define VAULT_NETWORK_RECORD_H

/* The plaintexts of the records of network tokens, as they stand inside their seals (numbers big-endian, times in ms since 1970,
 * "text": length 1, then the bytes; each begins with its layout 1):
 *
 *     network  state 1 | reason 1 | month 1 | year 2 | first paid 8 | asked 8 | updated 8 | renewed 8 | revision 8
 *              | texts: reference code, network, ref, instrument, number, requestor
 *     job      kind 1 | tries 4 | created 8 | due 8 | texts: merchant, token | payload length 2, payload
 *     event    state 1 | tries 4 | last status 2 | revision 8 | since 8 | due 8 | delivered 8 | texts: merchant, token
 *              | URL length 2, URL | JSON length 2, JSON                             (id and created stand in the key)
 *     trail    text: network transaction id
 *     counts   how many 1, 8 each: fewer than we know where an older version wrote it, the rest is 0
 *     mark     sequence 8
 *
 * Decoding refuses what encoding cannot have written, with ERR_VAULT_FORMAT; encoding refuses, likewise, what decoding would. */

#include "vault/network.h"
#include "vault/store.h"

enum {
    RECORD_LAYOUT = 1,
    NETWORK_RECORD_MAX_BYTES = 1 + 5 + 5 * 8 + 6 + REFERENCE_CODE_BYTES + 64 + 2 * NETWORK_REF_BYTES + PAN_MAX_DIGITS + REQUESTOR_DIGITS,
    JOB_RECORD_MAX_BYTES = 1 + 5 + 16 + 2 + NETWORK_MERCHANT_MAX_BYTES + TOKEN_ID_MAX_BYTES + 2 + JOB_PAYLOAD_MAX_BYTES,
    EVENT_RECORD_MAX_BYTES = 1 + 7 + 8 + 24 + 2 + NETWORK_MERCHANT_MAX_BYTES + TOKEN_ID_MAX_BYTES + 2 + 256 + 2 + EVENT_JSON_MAX_BYTES,
    TRAIL_RECORD_MAX_BYTES = 1 + 1 + NETWORK_TRANSACTION_ID_MAX_BYTES,
    COUNTS_RECORD_MAX_BYTES = 1 + 1 + 8 * COUNTER_COUNT,
    MARK_RECORD_BYTES = 1 + 8,
};

MUST_USE result network_record_encode(const struct network_record *r, uint8_t out[NETWORK_RECORD_MAX_BYTES], size_t *len);
MUST_USE result network_record_decode(slice plain, struct network_record *out);
MUST_USE result job_encode(const struct job *j, uint8_t out[JOB_RECORD_MAX_BYTES], size_t *len);
MUST_USE result job_decode(slice id, slice plain, struct job *out);
MUST_USE result event_encode(const struct event *e, uint8_t out[EVENT_RECORD_MAX_BYTES], size_t *len);
MUST_USE result event_decode(slice key, slice plain, struct event *out);
MUST_USE result trail_encode(slice network_transaction_id, uint8_t out[TRAIL_RECORD_MAX_BYTES], size_t *len);
MUST_USE result trail_decode(slice plain, slice *network_transaction_id); /* into plain */
size_t counts_encode(const uint64_t n[COUNTER_COUNT], uint8_t out[COUNTS_RECORD_MAX_BYTES]);
MUST_USE result counts_decode(slice plain, uint64_t n[COUNTER_COUNT]);
size_t mark_encode(uint64_t sequence, uint8_t out[MARK_RECORD_BYTES]);
MUST_USE result mark_decode(slice plain, uint64_t *sequence);

/* Key of an event: created 8 | id, so that the table's order is that of creation. */
enum { EVENT_KEY_BYTES = 8 + EVENT_ID_BYTES };
void event_key(const struct event *e, char out[EVENT_KEY_BYTES]);

/* A name as the configuration has them: 1 to 64 of A-Za-z0-9._- */
bool network_name_is_good(slice name);
slice network_padded(const char *at, size_t room); /* what stands before the NULs */
slice network_text_slice(const struct network_text *t);

#endif
