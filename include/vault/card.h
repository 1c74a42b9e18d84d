/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_CARD_H
#define VAULT_CARD_H

/* A card as it is stored, and the checks on what comes in. */

#include "base/result.h"
#include "body/credential.h"

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

/* 12 to 19 digits, Luhn (ISO/IEC 7812-1 annex B), not all zeros. ERR_CARD_NUMBER. */
MUST_USE result card_set_number(struct card *c, slice digits);
MUST_USE result card_set_expiry(struct card *c, slice text); /* MM/YY, MM/YYYY, MM-YY…, YYYY-MM, MMYY. ERR_CARD_EXPIRY */
MUST_USE result card_set_holder(struct card *c, slice text); /* may be empty. ERR_CARD_HOLDER */

/* What may be shown (PCI DSS 3.4.1: at most BIN and last four). */
struct card_mask {
    char number[PAN_MAX_DIGITS + 1]; /* "411111******1111" (first six, last four; fewer digits: only the last four) */
    char brand[12];                  /* visa, mastercard, amex, discover, diners, jcb, unionpay, elo, hipercard, maestro, unknown */
};
void card_mask(const struct card *c, struct card_mask *out);

#endif
