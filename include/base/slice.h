/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

/* A slice is borrowed text or bytes: a start and a length, never NUL-terminated, never owned. Everything that came from
 * outside travels as a slice; what it points into must outlive it. An empty slice may have a NULL start. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *at;
    size_t len;
} slice;

#define SLICE(literal) ((slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE ((slice){NULL, 0})
#define SLICE_ARG(s) (int)(s).len, (s).at /* for "%.*s", own text only, never a secret */

slice slice_of(const char *text /* borrows; NUL-terminated */);
slice slice_range(slice s, size_t from, size_t to); /* asserts from <= to <= s.len */
slice slice_after(slice s, size_t from);
bool slice_eq(slice a, slice b);
bool slice_ieq(slice a, slice b); /* ASCII letters without case: header names (RFC 9110 5.1) */
bool slice_starts(slice s, slice prefix);
bool slice_ends(slice s, slice suffix);
bool slice_is(slice s, const char *text);
/* Trims SP and HTAB on both sides: OWS (RFC 9110 5.6.3). */
slice slice_trim(slice s);
/* Position of the first <c> or <needle>; s.len if there is none. */
size_t slice_find(slice s, char c);
size_t slice_find_slice(slice s, slice needle);
/* Decimal digits only, the whole slice, no sign, no blanks. False when empty, not digits, or above <max>. */
bool slice_to_u64(slice s, uint64_t max, uint64_t *out);
bool slice_is_digits(slice s); /* at least one, all of '0'..'9' */
/* A-Z a-z 0-9 '_' '-': what tokens and the words of a placeholder are made of. */
static inline bool slice_is_word_char(char c)
{
    static const uint64_t set[4] = {UINT64_C(0x03ff200000000000), UINT64_C(0x07fffffe87fffffe)}; /* a bit for each byte */
    unsigned char n = (unsigned char)c;
    return set[n >> 6] >> (n & 63) & 1;
}
bool slice_is_word(slice s); /* at least one, all of them word characters */
bool slice_starts_with_uuid(slice s); /* in either case, of any version (RFC 9562 section 4) */
/* Takes the part before <separator> off the front of *rest; false when *rest is exhausted (its start is NULL). */
bool slice_next(slice *rest, char separator, slice *part);
/* Comparison whose time depends on the lengths only. For keys and digests. */
bool slice_eq_secret(slice a, slice b);

#endif
