/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_CARD_H
#define VAULT_CARD_H

/* A card as it is stored, and the checks on what comes in. */

#include "base/result.h"
#include "body/credential.h"
#include "body/token_table.h"

struct card { /* secret memory only */
    uint8_t number_len, holder_len;
    uint8_t month;
    uint16_t year;
    char number[PAN_MAX_DIGITS];
    char holder[HOLDER_MAX_BYTES];
};
struct token_id {
    uint8_t len;
    char at[TOKEN_ID_MAX_BYTES];
};
slice token_id_slice(const struct token_id *id);
bool token_id_from(slice text, struct token_id *out); /* 6 to 64 of A-Za-z0-9_- */
/* A random UUID, version 4 (RFC 9562 5.4); of a temporal token with "tmp_" before it, so that each kind shows. ERR_CRYPTO. */
MUST_USE result token_id_make(enum token_kind kind, struct token_id *out);
bool token_id_has_form(slice text, enum token_kind kind); /* of those: nothing else is told, least of all whether it exists */

/* 12 to 19 digits, Luhn (ISO/IEC 7812-1 annex B), not all zeros. ERR_CARD_NUMBER. */
MUST_USE result card_set_number(struct card *c, slice digits);
MUST_USE result card_set_expiry(struct card *c, slice text); /* MM/YY, MM/YYYY, MM-YY…, YYYY-MM, MMYY. ERR_CARD_EXPIRY */
MUST_USE result card_set_holder(struct card *c, slice text); /* may be empty. ERR_CARD_HOLDER */
/* Three or four digits. ERR_CARD_CVC. A card has no place for it: it is stored nowhere (PCI DSS 3.3.1). */
MUST_USE result card_check_cvc(slice text);

/* What may be shown (PCI DSS 3.4.1: at most BIN and last four). */
struct card_mask {
    char number[PAN_MAX_DIGITS + 1]; /* "411111******1111" (first six, last four; fewer digits: only the last four) */
    char brand[12];                  /* card_brand_name */
};
void card_mask(const struct card *c, struct card_mask *out);
void card_mask_x(struct card_mask *mask); /* the number as "411111xxxxxx1111": other vendors' way, and safe in any header or document */
enum card_brand card_brand_of(const struct card *c); /* by its first six digits; BRAND_UNKNOWN also where the PAN was removed */

#endif
