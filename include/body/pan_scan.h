/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_PAN_SCAN_H
#define BODY_PAN_SCAN_H

/* Finds card numbers in decoded text: 12 to 19 digits of a brand's prefix and length with a valid check digit, also with single
 * blanks or dashes between their digits; a group of digits is never cut. Not in the middle of a word, a UUID, a decimal number or
 * behind a '+' (a telephone number); not all zeros; not a test of ours for tokens: an alias of digits fails the check digit on
 * purpose. All of <text> must be there: a value, a line. */

#include "base/slice.h"
#include "body/credential.h"

struct pan_found {
    size_t start, end;              /* in the text */
    uint8_t len;
    char digits[PAN_MAX_DIGITS];
};
/* The first one that starts at or after <from>; false: none. */
bool pan_scan(slice text, size_t from, struct pan_found *out);

#endif
