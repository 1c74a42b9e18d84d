/* SPDX-License-Identifier: Apache-2.0 */
#include "media.h"

slice media_type(const struct http_head *h)
{
    slice value = http_head_get(h, "content-type");
    return slice_trim(slice_range(value, 0, slice_find(value, ';')));
}

/* The end of one parameter: the ';' that stands in no quoted string. */
static size_t parameter_end(slice rest)
{
    bool is_quoted = false;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.at[i] == '"') is_quoted = !is_quoted;
        if (rest.at[i] == '\\' && is_quoted) i++;
        if (i < rest.len && rest.at[i] == ';' && !is_quoted) return i;
    }
    return rest.len;
}

slice media_parameter(const struct http_head *h, const char *name)
{
    slice value = http_head_get(h, "content-type"), first = SLICE_NONE;
    slice rest = slice_after(value, slice_find(value, ';'));
    while (rest.len) {
        rest = slice_after(rest, 1);
        size_t end = parameter_end(rest), equals = slice_find(slice_range(rest, 0, end), '=');
        if (equals < end && slice_ieq(slice_trim(slice_range(rest, 0, equals)), slice_of(name))) {
            slice found = slice_trim(slice_range(rest, equals + 1, end));
            bool is_quoted = found.len >= 2 && found.at[0] == '"' && found.at[found.len - 1] == '"';
            if (first.at) return SLICE("");
            first = is_quoted ? slice_range(found, 1, found.len - 1) : found;
        }
        rest = slice_after(rest, end);
    }
    return first;
}

bool media_is_digest_field(slice name)
{
    return slice_ieq(name, SLICE("digest")) || slice_ieq(name, SLICE("content-md5")) || slice_ieq(name, SLICE("content-digest")) ||
           slice_ieq(name, SLICE("repr-digest"));
}
