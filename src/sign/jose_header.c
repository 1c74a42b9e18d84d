/* SPDX-License-Identifier: Apache-2.0 */
#include "jose_header.h"

static void skip_blanks(slice *s)
{
    while (s->len && (s->at[0] == ' ' || s->at[0] == '\t' || s->at[0] == '\n' || s->at[0] == '\r'))
        *s = slice_after(*s, 1);
}

static bool skip(slice *s, char c)
{
    skip_blanks(s);
    if (!s->len || s->at[0] != c) return false;
    *s = slice_after(*s, 1);
    return true;
}

/* The inside of a string, its escapes left as they are: enough to compare it with a name that needs none. */
static bool take_string(slice *s, slice *inside)
{
    if (!skip(s, '"')) return false;
    for (size_t i = 0; i < s->len; i++) {
        if ((unsigned char)s->at[i] < 0x20) return false;
        if (s->at[i] == '\\') {
            i++;
        } else if (s->at[i] == '"') {
            *inside = slice_range(*s, 0, i);
            *s = slice_after(*s, i + 1);
            return true;
        }
    }
    return false;
}

/* A number, true, false or null: nothing here depends on which. */
static bool skip_word(slice *s)
{
    size_t n = 0;
    while (n < s->len && ((s->at[n] >= '0' && s->at[n] <= '9') || (s->at[n] >= 'a' && s->at[n] <= 'z') ||
                          s->at[n] == 'E' || s->at[n] == '-' || s->at[n] == '+' || s->at[n] == '.'))
        n++;
    *s = slice_after(*s, n);
    return n > 0;
}

static bool set_once(slice *to, slice value)
{
    if (to->at || !value.at) return false; /* twice, or not a string */
    *to = value;
    return true;
}

static bool take_member(slice *s, struct jose_header *out)
{
    slice name, value = SLICE_NONE;
    if (!take_string(s, &name) || slice_find(name, '\\') < name.len || !skip(s, ':'))
        return false; /* an escaped name could be "crit" */
    skip_blanks(s);
    if (slice_is(name, "crit")) out->crit = true;
    if (slice_is(name, "zip")) out->zip = true;
    if (s->len && s->at[0] == '"' ? !take_string(s, &value) : !skip_word(s)) return false;
    if (slice_is(name, "alg")) return set_once(&out->alg, value);
    if (slice_is(name, "enc")) return set_once(&out->enc, value);
    return true;
}

bool jose_header_parse(slice json, struct jose_header *out)
{
    *out = (struct jose_header){SLICE_NONE, SLICE_NONE, false, false};
    if (!skip(&json, '{')) return false;
    do {
        if (!take_member(&json, out)) return false;
    } while (skip(&json, ','));
    if (!skip(&json, '}')) return false;
    skip_blanks(&json);
    return json.len == 0;
}
