/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include "base/ascii.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

slice slice_of(const char *text)
{
    return (slice){text, text ? strlen(text) : 0};
}

slice slice_range(slice s, size_t from, size_t to)
{
    assert(from <= to && to <= s.len);
    if (from == to) return (slice){s.at, 0};
    return (slice){s.at + from, to - from};
}

slice slice_after(slice s, size_t from)
{
    return slice_range(s, from, s.len);
}

bool slice_eq(slice a, slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool slice_ieq(slice a, slice b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i])) return false;
    return true;
}

bool slice_starts(slice s, slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_range(s, 0, prefix.len), prefix);
}

bool slice_ends(slice s, slice suffix)
{
    return s.len >= suffix.len && slice_eq(slice_after(s, s.len - suffix.len), suffix);
}

bool slice_is(slice s, const char *text)
{
    return slice_eq(s, slice_of(text));
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

slice slice_trim(slice s)
{
    while (s.len && is_ows(s.at[0])) s = slice_after(s, 1);
    while (s.len && is_ows(s.at[s.len - 1])) s.len--;
    return s;
}

size_t slice_find(slice s, char c)
{
    const char *hit = s.len ? memchr(s.at, c, s.len) : NULL;
    return hit ? (size_t)(hit - s.at) : s.len;
}

size_t slice_find_slice(slice s, slice needle)
{
    if (needle.len == 0) return 0;
    const char *hit = s.len ? memmem(s.at, s.len, needle.at, needle.len) : NULL;
    return hit ? (size_t)(hit - s.at) : s.len;
}

bool slice_is_digits(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_digit(s.at[i])) return false;
    return s.len > 0;
}

bool slice_is_word(slice s)
{
    bool all = true;
    for (size_t i = 0; i < s.len; i++) all &= slice_is_word_char(s.at[i]);
    return s.len > 0 && all;
}

bool slice_starts_with_uuid(slice s)
{
    static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
    if (s.len < sizeof form - 1) return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'h' ? !ascii_is_hex(s.at[i]) : s.at[i] != '-') return false;
    return true;
}

bool slice_to_u64(slice s, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    if (!slice_is_digits(s)) return false;
    for (size_t i = 0; i < s.len; i++) {
        uint64_t digit = (uint64_t)(s.at[i] - '0');
        if (n > (UINT64_MAX - digit) / 10) return false;
        n = n * 10 + digit;
    }
    if (n > max) return false;
    *out = n;
    return true;
}

bool slice_next(slice *rest, char separator, slice *part)
{
    if (!rest->at) return false;
    size_t end = slice_find(*rest, separator);
    *part = slice_range(*rest, 0, end);
    *rest = end < rest->len ? slice_after(*rest, end + 1) : SLICE_NONE;
    return true;
}

bool slice_eq_secret(slice a, slice b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.at, b.at, a.len) == 0);
}
