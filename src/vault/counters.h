/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_COUNTERS_H
#define VAULT_COUNTERS_H

/* Rows of counters in other calls' batches: what is counted and what it counts are one change on disk.
 *
 * A row is one place's sums, and a busy merchant has many changes in one turn, each of which adds to the same row. So that they
 * do not conflict one after the other, each builds on what the one before it queued (the hint); a hint that proves wrong is a
 * conflict like any other, and after it the row is read from the store. */

#include "vault_priv.h"

enum { COUNT_SEALED_MAX_BYTES = COUNTS_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES };
struct count_row { /* what the steps point to: lives until the batch is queued */
    bool is_mark;
    size_t key_len, old_len, new_len;
    char key[COUNT_KEY_MAX_BYTES];
    uint64_t sequence;         /* of a mark: 0 deletes it */
    uint64_t add[COUNTER_COUNT];
    uint8_t old[COUNT_SEALED_MAX_BYTES], new[COUNT_SEALED_MAX_BYTES];
};
/* Reads the delta's row, adds, seals, and adds its steps; the batch must expect the key ring (vault_expect_ring). ERR_TOO_LARGE,
 * ERR_VAULT_…. */
MUST_USE result count_row_add(struct vault *v, const struct counter_delta *d, struct count_row *row, struct batch *b);
void count_hints_free(struct vault *v);

#endif
