/* SPDX-License-Identifier: Apache-2.0 */
#include "json_walker.h"

#include <string.h>

/* Drops hold together or not at all, so their commas are counted as if every one of them held. Which insertions hold is known only
 * when the body is rendered: each remembers what stands before it.
 *
 *   {"a":1, "cvc":"123", "b":2}    something kept before: the comma before goes with the member
 *         └────drop────┘
 *   {"cvc":"123", "b":2}           nothing kept before: the comma after goes with it
 *    └────drop───┘                                                                                     */

static uint64_t *state_of(struct json_walker *j, unsigned depth)
{
    return j->states + depth * j->words;
}

static uint64_t *seen_of(struct json_walker *j, unsigned depth)
{
    return j->seen + depth * j->words;
}

/* The first node that is in both sets; PATH_NONE. */
static uint16_t first_common(const struct json_walker *j, const uint64_t *a, const uint64_t *b)
{
    for (size_t i = 0; i < j->words; i++)
        if (a[i] & b[i]) return (uint16_t)(i * 64 + (unsigned)__builtin_ctzll(a[i] & b[i]));
    return PATH_NONE;
}

static bool add(struct json_walker *j, struct splice_entry e, uint32_t *index)
{
    result r = splice_add(&j->walk->splice, &e, index);
    if (failed(r) && !j->stopped) {
        j->stopped = r.err;
        j->stopped_at = j->token_start;
    }
    return !failed(r);
}

/* A value begins. It is replaced if a set path ends here; and if one goes on below it, but it is no object that could hold more
 * members: "securityAuthentication": null. */
bool json_edit_value(struct json_walker *j, bool is_object)
{
    struct json_level *l = &j->levels[j->depth];
    const uint64_t *here = state_of(j, j->depth + 1);
    uint16_t node = first_common(j, here, j->edit_sets.set);
    bool is_kept = is_object || first_common(j, here, j->edit_sets.gentle) != PATH_NONE;
    if (node == PATH_NONE && !is_kept) node = first_common(j, here, j->edit_sets.wanted);
    if (node == PATH_NONE) return true;
    return add(j, edit_entry(j->walk->plan, SPLICE_REPLACE, node, j->token_start, j->token_start), &l->replace);
}

void json_edit_value_done(struct json_walker *j)
{
    struct json_level *l = &j->levels[j->depth];
    if (l->replace != JSON_NO_ENTRY) j->walk->splice.entries[l->replace].end = j->token_end;
    if (l->drop != JSON_NO_ENTRY) j->walk->splice.entries[l->drop].end = j->token_end;
    l->replace = l->drop = JSON_NO_ENTRY;
}

void json_edit_container(struct json_walker *j)
{
    memset(seen_of(j, j->depth), 0, j->words * sizeof(uint64_t));
}

bool json_edit_member(struct json_walker *j)
{
    struct json_level *l = &j->levels[j->depth];
    if (l->has_leading_drop) j->walk->splice.entries[l->leading_drop].end = j->token_start;
    l->has_leading_drop = false;
    bool drop = false;
    if (j->live) {
        const uint64_t *here = state_of(j, j->depth + 1);
        uint64_t *seen = seen_of(j, j->depth);
        for (size_t i = 0; i < j->words; i++) seen[i] |= here[i];
        drop = first_common(j, here, j->edit_sets.drop) != PATH_NONE;
    }
    if (!drop) {
        l->kept++;
        return true;
    }
    uint64_t start = l->kept ? j->last_end : j->token_start;
    struct splice_entry e = {.kind = SPLICE_DROP, .start = start, .end = start, .why = SPLICE_WHY_DROP};
    if (!add(j, e, &l->drop)) return false;
    if (l->kept == 0) {
        l->has_leading_drop = true;
        l->leading_drop = l->drop;
    }
    return true;
}

static bool insert(struct json_walker *j, uint16_t node, bool is_first)
{
    uint32_t index;
    const struct json_level *l = &j->levels[j->depth];
    struct splice_entry e = edit_entry(j->walk->plan, SPLICE_INSERT, node, j->last_end, j->last_end);
    e.is_first = is_first;
    e.after_kept = l->kept > 0;
    e.after_any = l->members > 0;
    return add(j, e, &index);
}

/* The object ends: members that a set path wants and that did not come are inserted after the last one. */
bool json_edit_object_done(struct json_walker *j)
{
    const struct path_set *paths = j->walk->plan->paths;
    if (!j->levels[j->depth].live) return true;
    const uint64_t *here = state_of(j, j->depth), *seen = seen_of(j, j->depth);
    bool is_first = true;
    for (size_t i = 0; i < j->words; i++) {
        for (uint64_t missing = j->edit_sets.wanted[i] & ~seen[i]; missing; missing &= missing - 1) {
            uint16_t node = (uint16_t)(i * 64 + (unsigned)__builtin_ctzll(missing));
            if (!path_bit(here, path_set_node(paths, node)->parent)) continue;
            if (!insert(j, node, is_first)) return false;
            is_first = false;
        }
    }
    return true;
}
