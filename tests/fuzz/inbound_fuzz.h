/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INBOUND_FUZZ_H
#define TESTS_INBOUND_FUZZ_H

/* What the fuzz targets of bodies on their way in share. An input is a body; its length seeds the cuts and chooses what becomes of
 * invalid values. Whatever the bytes, these hold:
 *
 *   - every split gives the same error in the same place, or the same bytes and as many cards;
 *   - what stands outside numbers and CVCs comes out as it went in, in order;
 *   - each card has a valid number, or a CVC alone, and an expiry that is one, or none. */

#include "body/inbound.h"

/* Each line of <fields>: an element's name and its path, with a blank between. */
struct plan fuzz_inbound_plan(enum body_format format, const char *fields);
void fuzz_inbound(const struct plan *plan, slice text); /* the boundary of multipart bodies is "b" */
void fuzz_inbound_in(const struct plan *plan, slice charset, slice text);

#endif
