/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_PAN_SCAN_H
#define BODY_PAN_SCAN_H

/* Finds card numbers in decoded text: 12 to 19 digits of a brand's prefix and length with a valid check digit, also with single
 * blanks or dashes (of any kind) between their digits, and with points, slashes, tabs, '+' or two blanks where they are grouped as cards
 * show it; a group of digits is never cut.
 *
 *   card 4111 1111 1111 1111 12 25     the first group that a number can start with; of several lengths the brand's usual one,
 *        └─────────────────┘           or else the longest
 *
 * Letters in touch make it none (UUIDs, digests, order numbers), but for a scheme's code right in front, alone or with an underscore
 * (VI4111…, CCVI4111…, card_4111…), and behind it EXP, CVV, CVC, or an expiry after 'D' (track 2, ISO/IEC 7813), 'X' or '_'.
 * Nor is it one in a UUID, a decimal number, an IBAN or a telephone number (behind '+', up to 15 digits: ITU-T E.164), or what is a
 * date or an order number by the way its digits are grouped. No test of ours for tokens: an alias of digits fails the check digit on
 * purpose. All of <text> must be there: a value, a line. Takes time in proportion to its length, and no memory. */

#include "base/slice.h"
#include "body/credential.h"

struct pan_found { /* card data: wipe it */
    size_t start, end; /* in the text */
    uint8_t len;
    char digits[PAN_MAX_DIGITS];
};
/* The first one that starts at or after <from>; false: none. */
bool pan_scan(slice text, size_t from, struct pan_found *out);
/* A number of JSON (RFC 8259 section 6), however it is written: its value, but for the sign, is a card number. */
bool pan_scan_number(slice literal, struct pan_found *out /* all of it */);

#endif
