/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/names.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, SHOWN_MAX_BYTES = 60 };

static char fold(char c)
{
    if (c == '-') return '_';
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned name_distance(slice a, slice b)
{
    if (a.len > NAME_MAX_BYTES || b.len > NAME_MAX_BYTES) return UINT_MAX;
    unsigned before[NAME_MAX_BYTES + 1], last[NAME_MAX_BYTES + 1], now[NAME_MAX_BYTES + 1];
    for (size_t j = 0; j <= b.len; j++) {
        last[j] = (unsigned)j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = fold(a.at[i - 1]) == fold(b.at[j - 1]);
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (same ? 0 : 1));
            bool swapped =
                i > 1 && j > 1 && fold(a.at[i - 1]) == fold(b.at[j - 2]) && fold(a.at[i - 2]) == fold(b.at[j - 1]);
            if (swapped) now[j] = least(now[j], before[j - 2] + 1);
        }
        memcpy(before, last, sizeof before);
        memcpy(last, now, sizeof last);
    }
    return last[b.len];
}

const char *name_nearest(slice name, const char *const *known)
{
    unsigned allowed = name.len < 6 ? 1 : (unsigned)(name.len / 3);
    const char *best = NULL;
    unsigned best_distance = allowed + 1;
    for (; *known; known++) {
        unsigned d = name_distance(name, slice_of(*known));
        if (d < best_distance && d < strlen(*known)) {
            best = *known;
            best_distance = d;
        }
    }
    return best;
}

void name_write_hint(slice name, const char *const *known, char out[NAME_HINT_BYTES])
{
    const char *near = name_nearest(name, known);
    size_t used = (size_t)snprintf(out, NAME_HINT_BYTES, near ? "; did you mean '%s'?" : known[0] ? "; known here: " : "; none is known here", near);
    for (size_t i = 0; !near && known[i] && used < NAME_HINT_BYTES; i++)
        used += (size_t)snprintf(out + used, NAME_HINT_BYTES - used, "%s%s", i ? ", " : "", known[i]);
}

int name_shown(slice text)
{
    return (int)(text.len < SHOWN_MAX_BYTES ? text.len : SHOWN_MAX_BYTES);
}
