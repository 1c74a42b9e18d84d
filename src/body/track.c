/* SPDX-License-Identifier: Apache-2.0 */
#include "track.h"

#include "base/ascii.h"

enum { EXPIRY_DIGITS = 4, REST_LEAST = 3 /* the service code */, TRACK_MOST = 79, NAME_MOST = 26 };

/* A separator stands where there is no expiry. */
static size_t skip_expiry(slice text, size_t at, char separator)
{
    size_t digits = 0;
    if (at < text.len && text.at[at] == separator) return at + 1;
    while (digits < EXPIRY_DIGITS && at + digits < text.len && ascii_is_digit(text.at[at + digits])) digits++;
    return digits == EXPIRY_DIGITS ? at + digits : text.len;
}

static size_t end_of_track2(slice text, size_t at)
{
    while (at < text.len && (ascii_is_digit(text.at[at]) || text.at[at] == '=')) at++;
    return at;
}

/* Its discretionary data may be any printable characters up to the end sentinel; where that was lost, letters, digits and separators. */
static size_t end_of_track1(slice text, size_t at)
{
    size_t end = at;
    while (end < text.len && end - at < TRACK_MOST && text.at[end] >= ' ' && text.at[end] <= '~' && text.at[end] != '?') end++;
    if (end < text.len && text.at[end] == '?') return end;
    for (end = at; end < text.len; end++) {
        char c = text.at[end];
        if (!ascii_is_alnum(c) && c != '^') break;
    }
    return end;
}

static size_t find_name_end(slice text, size_t at)
{
    for (size_t i = 0; i <= NAME_MOST && at + i < text.len; i++)
        if (text.at[at + i] == '^') return at + i;
    return text.len;
}

bool track_rest_after(slice text, size_t end, struct track_rest *out)
{
    size_t name_end;
    if (end >= text.len) return false;
    switch (text.at[end]) {
    case '=':
    case 'D':
    case 'd':
        out->from = skip_expiry(text, end + 1, '=');
        out->to = end_of_track2(text, out->from);
        break;
    case '^':
        name_end = find_name_end(text, end + 1);
        if (name_end == text.len) return false;
        out->from = skip_expiry(text, name_end + 1, '^');
        out->to = end_of_track1(text, out->from);
        break;
    default:
        return false;
    }
    return out->to >= out->from + REST_LEAST;
}
