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

static void add_edit(const struct plan *plan, const struct plan_edit *e, struct edit_sets *out)
{
    uint16_t end = path_set_end(plan->paths, e->path);
    if (e->drop) {
        set_bit(out->drop, end);
        return;
    }
    set_bit(e->when == EDIT_WITH_TRANSACTION_ID ? out->gentle : out->set, end);
    want(plan->paths, end, out->wanted);
}

void edit_sets_of(const struct plan *plan, struct edit_sets *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < plan->edit_count; i++) add_edit(plan, &plan->edits[i], out);
}

void edit_sets_for(const struct plan *plan, const struct credential *c, struct edit_sets *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < plan->edit_count; i++)
        if (edit_holds(&plan->edits[i], c)) add_edit(plan, &plan->edits[i], out);
}

bool edit_sets_have(const struct edit_sets *sets, uint16_t node)
{
    return path_bit(sets->wanted, node) || path_bit(sets->set, node);
}

static bool is_set_to_fixed(const struct plan_edit *e)
{
    return e->literal.at || e->by_brand;
}

static slice fixed_text(const struct plan_edit *e, const struct credential *c)
{
    return e->literal.at ? e->literal : e->by_brand[c->brand];
}

bool edit_holds(const struct plan_edit *e, const struct credential *c)
{
    if (e->when == EDIT_WITH_NETWORK_TOKEN && c->kind != CREDENTIAL_NETWORK_TOKEN) return false;
    if (e->drop) return true;
    if (e->has_with && !element_is_there(c, e->with)) return false;
    if (is_set_to_fixed(e)) return e->literal.at || e->by_brand[c->brand].len > 0;
    return element_is_there(c, e->element);
}

bool edit_is_below(const struct plan *plan, const struct plan_edit *e, uint16_t node)
{
    uint16_t at = path_set_end(plan->paths, e->path);
    while (at != node && path_set_node(plan->paths, at)->edge == PATH_EDGE_NAME) at = path_set_node(plan->paths, at)->parent;
    return at == node;
}

const struct plan_edit *edit_of_node(const struct plan *plan, uint16_t node)
{
    for (size_t i = 0; i < plan->edit_count; i++) {
        const struct plan_edit *e = &plan->edits[i];
        if (!e->drop && path_set_end(plan->paths, e->path) == node) return e;
    }
    return NULL;
}

/* An object that is made is there because of the first edit below it. */
static const struct plan_edit *first_edit_below(const struct plan *plan, uint16_t node)
{
    for (size_t i = 0; i < plan->edit_count; i++)
        if (!plan->edits[i].drop && edit_is_below(plan, &plan->edits[i], node)) return &plan->edits[i];
    return NULL;
}

struct splice_entry edit_entry(const struct plan *plan, enum splice_kind kind, uint16_t node, uint64_t start, uint64_t end)
{
    const struct plan_edit *e = first_edit_below(plan, node);
    bool is_transaction = e && e->when == EDIT_WITH_TRANSACTION_ID;
    return (struct splice_entry){.kind = (uint8_t)kind,
                                 .start = start,
                                 .end = end,
                                 .node = node,
                                 .why = is_transaction ? SPLICE_WHY_TRANSACTION : SPLICE_WHY_SET,
                                 .element = (uint8_t)(!e ? ELEMENT_NUMBER : is_set_to_fixed(e) ? ELEMENT_COUNT : e->element),
                                 .format = (uint8_t)(e ? e->format : DATE_DEFAULT),
                                 .as_number = e && e->as_number};
}

static result write_value(const struct plan_edit *e, const struct credential *c, slice token, struct buf *out)
{
    if (is_set_to_fixed(e)) return buf_append(out, fixed_text(e, c));
    if (e->as_number) return element_write(c, token, e->element, e->format, true, ENCODING_JSON_STRING, out);
    TRY(buf_append(out, SLICE("\"")));
    TRY(element_write(c, token, e->element, e->format, false, ENCODING_JSON_STRING, out));
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
    if (is_set_to_fixed(e)) return encoding_write(fixed_text(e, c), ENCODING_FORM, out);
    return element_write(c, token, e->element, e->format, e->as_number, ENCODING_FORM, out);
}
