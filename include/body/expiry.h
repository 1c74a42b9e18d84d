/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_EXPIRY_H
#define BODY_EXPIRY_H

/* Expiry dates as they are written on the way in. */

#include "base/slice.h"

/* MM/YY, MM/YYYY, MM-YY, MM-YYYY, YYYY-MM, YYYY/MM, MMYY. */
bool expiry_parse(slice text, uint8_t *month /* 1..12 */, uint16_t *year /* 2000..2099 */);
bool expiry_parse_month(slice text, uint8_t *month); /* one or two digits */
bool expiry_parse_year(slice text, uint16_t *year);  /* YY or YYYY */

#endif
