/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_TRACK_H
#define BODY_TRACK_H

/* What stands behind a card number in the text of a magnetic stripe (ISO/IEC 7813):
 *
 *   %B4111111111111111^DOE/ANA^2512201000012345?     track 1: number, name, expiry (YYMM), then the rest
 *   ;4111111111111111=251220100001234?               track 2: number, expiry, then the rest; a chip writes D for =, hexadecimal text d, too
 *                          └──────────┘
 *
 * The rest is the service code and the discretionary data, with the card's verification value in it: sensitive authentication data,
 * of which nothing may be kept (PCI DSS 3.3.1.1). */

#include "base/slice.h"

struct track_rest {
    size_t from, to; /* never empty */
};
/* <end>: of the number in <text>. False: no track goes on there, or it ends with its expiry. */
bool track_rest_after(slice text, size_t end, struct track_rest *out);

#endif
