/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_ECHO_H
#define BODY_ECHO_H

/* The echo guard: finds the secrets an exchange sent when they come back in an answer, and writes their placeholders
 * instead. Bytes may come in any split. A PAN or cryptogram is found anywhere, a PAN also with single blanks or dashes
 * between its digits; a CVC only as a whole value (not a digit, letter or '.' on either side), since three digits occur
 * everywhere. Works on decoded bytes; never on compressed ones. However many secrets there are, the text is passed over
 * once for each of the three kinds, and what could still become a secret of the greatest length is kept back. */

#include "base/buf.h"
#include "body/credential.h"
#include "body/token_table.h"

struct echo_guard;
struct echo_guard *echo_guard_new(void); /* copies nothing until echo_guard_add; secrets in secret memory */
void echo_guard_free(struct echo_guard *g);
/* Copies the secrets; borrows <token> until the last feed or end (the exchange's token table holds it). Of two tokens
 * with the same secret the first is shown. ERR_INTERNAL: a number or CVC with other characters than digits, a
 * cryptogram with '%' or '\' (nothing that could not be found again may go out); ERR_MEMORY. */
MUST_USE result echo_guard_add(struct echo_guard *g, const struct credential *sent, slice token, enum token_kind kind);
bool echo_guard_is_empty(const struct echo_guard *g);
/* Appends what is sure to *out, keeps the rest for the next call. *hits counts replacements. */
MUST_USE result echo_guard_feed(struct echo_guard *g, slice bytes, struct buf *out, unsigned *hits);
MUST_USE result echo_guard_end(struct echo_guard *g, struct buf *out, unsigned *hits); /* flushes; ready for new text */

#endif
