/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_BRAND_H
#define BODY_BRAND_H

/* Card brands by their issuer ranges and lengths (ISO/IEC 7812-1; the brands' published ranges), and the check digit. */

#include "body/credential.h"

/* By the first six digits (fewer: by what is there); BRAND_UNKNOWN. */
enum card_brand brand_of_digits(slice digits);
/* Has a number of this brand that length? Of an unknown brand none has. */
bool brand_has_length(enum card_brand brand, size_t digits);
bool luhn_is_valid(slice digits); /* ISO/IEC 7812-1 annex B */

#endif
