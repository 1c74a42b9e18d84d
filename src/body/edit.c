/* SPDX-License-Identifier: Apache-2.0 */
#include "splice.h"

#include "body/path_match.h"

#include <string.h>

_Static_assert(sizeof((struct edit_sets *)0)->wanted == PATH_WORDS_MAX * sizeof(uint64_t), "a bit for every path node");

static void set_bit(uint64_t *set, uint16_t node)
{
    set[node / 64] |= UINT64_C(1) << (node % 64);
}

/* An object can be made only where the rules name it: not for an array element, "*" or "..". */
static void want(const struct path_set *paths, uint16_t node, uint64_t *wanted)
{
    for (;;) {
        const struct path_node *n = path_set_node(paths, node);
        if (n->edge != PATH_EDGE_NAME || path_set_node(paths, n->parent)->edge == PATH_EDGE_STICKY) return;
        set_bit(wanted, node);
        node = n->parent;
    }
}

void edit_sets_of(const struct plan *plan, struct edit_sets *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < plan->edit_count; i++) {
        const struct plan_edit *e = &plan->edits[i];
        uint16_t end = path_set_end(plan->paths, e->path);
        if (e->drop) {
            set_bit(out->drop, end);
        } else {
            set_bit(out->set, end);
            want(plan->paths, end, out->wanted);
        }
    }
}

const struct plan_edit *edit_of_node(const struct plan *plan, uint16_t node)
{
    for (size_t i = 0; i < plan->edit_count; i++) {
        const struct plan_edit *e = &plan->edits[i];
        if (!e->drop && path_set_end(plan->paths, e->path) == node) return e;
    }
    return NULL;
}

static result write_value(const struct plan_edit *e, const struct credential *c, slice token, struct buf *out)
{
    if (e->literal.at) return buf_append(out, e->literal);
    if (e->as_number) return element_write(c, token, e->element, DATE_DEFAULT, true, ENCODING_JSON_STRING, out);
    TRY(buf_append(out, SLICE("\"")));
    TRY(element_write(c, token, e->element, DATE_DEFAULT, false, ENCODING_JSON_STRING, out));
    return buf_append(out, SLICE("\""));
}

/* Recursion is bounded by the length of a path: 64 segments. */
result edit_write_json(const struct plan *plan, const struct edit_sets *sets, uint16_t node, const struct credential *c,
                       slice token, struct buf *out)
{
    const struct plan_edit *e = edit_of_node(plan, node);
    if (e) return write_value(e, c, token, out);
    const char *before = "{";
    for (uint16_t child = path_set_node(plan->paths, node)->first_child; child != PATH_NONE;
         child = path_set_node(plan->paths, child)->next_sibling) {
        if (!path_bit(sets->wanted, child)) continue;
        TRY(buf_append(out, slice_of(before)));
        TRY(edit_write_member(plan, sets, child, c, token, out));
        before = ",";
    }
    return buf_append(out, SLICE("}"));
}

result edit_write_member(const struct plan *plan, const struct edit_sets *sets, uint16_t node,
                         const struct credential *c, slice token, struct buf *out)
{
    TRY(buf_append(out, SLICE("\"")));
    TRY(encoding_write(path_set_node(plan->paths, node)->name, ENCODING_JSON_STRING, out));
    TRY(buf_append(out, SLICE("\":")));
    return edit_write_json(plan, sets, node, c, token, out);
}

result edit_write_form(const struct plan *plan, uint16_t node, bool with_name, const struct credential *c, slice token,
                       struct buf *out)
{
    const struct plan_edit *e = edit_of_node(plan, node);
    ENSURE(e != NULL, INTERNAL);
    if (with_name) {
        TRY(encoding_write(path_set_node(plan->paths, node)->name, ENCODING_FORM, out));
        TRY(buf_append(out, SLICE("=")));
    }
    if (e->literal.at) return encoding_write(e->literal, ENCODING_FORM, out);
    return element_write(c, token, e->element, DATE_DEFAULT, e->as_number, ENCODING_FORM, out);
}
