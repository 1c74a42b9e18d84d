/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_PAN_SCAN_H
#define BODY_PAN_SCAN_H

/* Finds card numbers in decoded text: 12 to 19 digits of a brand's prefix and length with a valid check digit, also with single
 * blanks or dashes between their digits; a group of digits is never cut.
 *
 *   card 4111 1111 1111 1111 12 25     the first group that a number can start with; of several lengths the brand's usual one,
 *        └─────────────────┘           or else the longest
 *
 * Not in the middle of a word, a UUID, a decimal number, an IBAN or a telephone number; not a date or an order number by the way
 * its digits are grouped; not all zeros. No test of ours for tokens: an alias of digits fails the check digit on purpose. All of
 * <text> must be there: a value, a line. Takes time in proportion to its length, and no memory. */

#include "base/slice.h"
#include "body/credential.h"

struct pan_found { /* card data: wipe it */
    size_t start, end; /* in the text */
    uint8_t len;
    char digits[PAN_MAX_DIGITS];
};
/* The first one that starts at or after <from>; false: none. */
bool pan_scan(slice text, size_t from, struct pan_found *out);

#endif
