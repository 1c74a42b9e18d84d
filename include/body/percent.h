/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_PERCENT_H
#define BODY_PERCENT_H

/* One character of percent-encoded text (RFC 3986 section 2.1). */

#include "base/slice.h"

static inline int percent_hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character at the front of <raw> (not empty) and how many raw bytes it takes: 1 or 3. False: "%" without two hexadecimal
 * digits; then *c is the percent sign itself. */
static inline bool percent_read(slice raw, bool plus_is_blank, char *c, size_t *len)
{
    *len = 1;
    *c = raw.at[0] == '+' && plus_is_blank ? ' ' : raw.at[0];
    if (*c != '%') return true;
    int high = raw.len >= 3 ? percent_hex(raw.at[1]) : -1, low = raw.len >= 3 ? percent_hex(raw.at[2]) : -1;
    if (high < 0 || low < 0) return false;
    *len = 3;
    *c = (char)(high * 16 + low);
    return true;
}

#endif
