/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_BRAND_H
#define BODY_BRAND_H

/* Card brands by their issuer ranges and lengths (ISO/IEC 7812-1; the brands' published ranges), and the check digit. */

#include "body/credential.h"

/* By the first six digits (fewer: by what is there, where it leaves one brand only); BRAND_UNKNOWN. */
enum card_brand brand_of_digits(slice digits);
/* Has a number of this brand that length? Of an unknown brand none has. */
bool brand_has_length(enum card_brand brand, size_t digits);
/* The length of nearly all of its numbers; 0: a brand that has several. */
size_t brand_usual_length(enum card_brand brand);
/* Is <digits> (all of a number) of a range and a length that make it a card number where nothing else says so? Maestro's and UATP's
 * wide ranges hold too much else, so they count only where a scheme's code stands in front of the number (<is_named>), and of
 * Maestro's those parts that are known to hold cards. */
bool brand_is_evident(slice digits, bool is_named);
bool luhn_is_valid(slice digits); /* ISO/IEC 7812-1 annex B */
bool check_digit_is_valid(slice digits); /* that, or Naranja's own */
/* What a card number is, of a known brand or not: 12 to 19 digits, not all zeros, with a valid check digit. */
bool card_number_is_valid(slice digits);

#endif
