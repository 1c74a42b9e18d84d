/* SPDX-License-Identifier: Apache-2.0 */
#include "json_walker.h"

#include "base/ascii.h"

#include <stdio.h>

static bool is_shorthand(slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool letter = ascii_is_letter(c) || c == '_' || (unsigned char)c >= 0x80;
        if (!letter && !(i > 0 && ascii_is_digit(c))) return false;
    }
    return name.len > 0;
}

static void add_name(struct walk *w, slice quoted)
{
    slice name = slice_range(quoted, 1, quoted.len - 1);
    if (is_shorthand(name)) {
        walk_fault_text(w, SLICE("."));
        walk_fault_text(w, name);
        return;
    }
    walk_fault_text(w, SLICE("["));
    walk_fault_text(w, quoted);
    walk_fault_text(w, SLICE("]"));
}

/* Follows RFC 9535 with names as the caller spelled them. A streamed body has forgotten the names it passed on. */
result json_fault(struct json_walker *j, enum error err, uint64_t offset)
{
    struct walk *w = j->walk;
    if (w->fault.err != ERR_NONE) return (result){err};
    walk_fault_text(w, SLICE("$"));
    for (unsigned d = 1; d <= j->depth; d++) {
        const struct json_level *l = &j->levels[d];
        if (l->members == 0) break;
        if (!l->is_map) {
            char index[16];
            int len = snprintf(index, sizeof index, "[%u]", l->members - 1);
            walk_fault_text(w, (slice){index, (size_t)len});
        } else if (l->key_at >= w->base) {
            add_name(w, walk_raw(w, l->key_at, l->key_end));
        } else {
            walk_fault_text(w, SLICE(".?"));
        }
    }
    return walk_fail(w, err, offset);
}
