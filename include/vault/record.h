/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_RECORD_H
#define VAULT_RECORD_H

/* The plaintext of a card's record, as it stands inside its seal:
 *
 *     layout 1 | state 1 | indexed 1 | month 1 | year 2 | created 8 | updated 8 | brand length 1, brand | number length 1, number
 *     | holder length 1, holder                                       (numbers big-endian; times in ms since 1970)
 *
 * A record without PAN keeps the mask in the number's place (PCI DSS 3.5.1: truncation), and the brand. */

#include "vault/vault.h"

enum { CARD_RECORD_LAYOUT = 1, CARD_BRAND_MAX_BYTES = sizeof ((struct card_mask *)0)->brand - 1,
       CARD_RECORD_MAX_BYTES = 22 + 1 + CARD_BRAND_MAX_BYTES + 1 + PAN_MAX_DIGITS + 1 + HOLDER_MAX_BYTES };

struct card_record { /* secret memory only */
    struct card card; /* number_len 0 when the PAN was removed */
    struct card_mask mask;
    enum card_state state;
    bool indexed; /* the PAN index leads here */
    int64_t created_ms, updated_ms;
};

/* Returns the length. */
size_t card_record_encode(const struct card_record *r, uint8_t out[CARD_RECORD_MAX_BYTES]);
/* ERR_VAULT_FORMAT for anything that card_record_encode cannot have written. */
MUST_USE result card_record_decode(slice plain, struct card_record *out);
/* PAN out, mask stays. */
void card_record_remove_pan(struct card_record *r);
void card_record_info(const struct card_record *r, const struct token_id *token, struct card_info *out);

#endif
