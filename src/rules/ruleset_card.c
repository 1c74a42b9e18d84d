/* SPDX-License-Identifier: Apache-2.0 */
#include "ruleset_priv.h"

#include "rules/names.h"

#include <stdlib.h>
#include <string.h>

void *rules_grow(struct rules_loading *x, void **array, size_t *count, size_t bytes)
{
    char *more = realloc(*array, (*count + 1) * bytes);
    if (!more) {
        x->l.out_of_memory = true;
        return NULL;
    }
    *array = more;
    return memset(more + (*count)++ * bytes, 0, bytes);
}

/* --- as: --- */

/* Which formats an element can be written in: a month has no YYYY. */
static bool format_fits(enum element e, enum date_format f)
{
    switch (f) {
    case DATE_MM:
        return e == ELEMENT_EXP_MONTH;
    case DATE_YY:
    case DATE_YYYY:
        return e == ELEMENT_EXP_YEAR;
    default:
        return e == ELEMENT_EXPIRY;
    }
}

static const char *formats_of(enum element e)
{
    switch (e) {
    case ELEMENT_EXP_MONTH:
        return "takes MM or number";
    case ELEMENT_EXP_YEAR:
        return "takes YY, YYYY or number";
    case ELEMENT_EXPIRY:
        return "takes MM/YY, MM/YYYY, YYYY/MM, YYYY-MM or MMYY";
    case ELEMENT_NUMBER:
        return "takes number only";
    default:
        return "is always text";
    }
}

/* A CVC of 012 would lose its zero as a number; ECI 05 the same. */
static bool may_be_number(enum element e)
{
    return e == ELEMENT_NUMBER || e == ELEMENT_EXP_MONTH || e == ELEMENT_EXP_YEAR;
}

void rules_read_as(struct rules_loading *x, const struct tree_node *n, void *owner)
{
    struct rules_form *form = owner;
    enum date_format format;
    if (!rules_check_text(x, n, "a format, such as MM, YYYY or number")) return;
    if (slice_is(n->text, "number") && may_be_number(form->element)) {
        if (x->plan->format != BODY_JSON)
            loading_complain(&x->l, n, "such bodies know text only; 'as: number' is for JSON");
        form->as_number = true;
    } else if (date_format_parse(n->text, &format) && format_fits(form->element, format)) {
        form->format = format;
    } else {
        loading_complain(&x->l, n, "%s cannot be written as '%.*s'; it %s", element_name(form->element),
                         name_shown(n->text), n->text.at, formats_of(form->element));
    }
}

/* --- card --- */

static void add_field(struct rules_loading *x, const struct tree_node *n, void *owner)
{
    const struct rules_form *form = owner;
    struct plan *plan = x->plan;
    uint32_t path;
    if (!rules_check_text(x, n, "a path")) return;
    if (!rules_add_path(x, plan->paths, path_of_value(n), &path)) return;
    for (size_t i = 0; i < plan->field_count; i++) {
        if (plan->fields[i].path != path) continue;
        loading_complain(&x->l, n, "'%.*s' is the place of %s already", name_shown(n->text), n->text.at,
                         element_name(plan->fields[i].element));
        return;
    }
    void *fields = plan->fields;
    struct plan_field *field = rules_grow(x, &fields, &plan->field_count, sizeof *field);
    plan->fields = fields;
    if (field) *field = (struct plan_field){path, form->element, form->format, form->as_number};
}

/* PATH, or { at: PATH or list, as: FORMAT } */
static void read_place(struct rules_loading *x, const struct tree_node *n, void *owner)
{
    static const char *const known[] = {"at", "as", NULL};
    struct rules_form form = *(const struct rules_form *)owner;
    if (n->kind != TREE_MAP) {
        add_field(x, n, &form);
        return;
    }
    if (!rules_check_map(x, n, known)) return;
    const struct tree_node *at = tree_get(n, "at"), *as = tree_get(n, "as");
    if (as) rules_for_each(x, as, rules_read_as, &form);
    if (at)
        rules_for_each(x, at, add_field, &form);
    else
        loading_complain(&x->l, n, "'at' is missing: the path");
}

void rules_read_card(struct rules_loading *x, const struct tree_node *card)
{
    static const char *const known[] = {"number", "exp_month", "exp_year", "expiry", "cvc", "holder", NULL};
    if (!rules_check_map(x, card, known)) return;
    if (!x->has_places) {
        loading_complain(&x->l, card, "'card' needs body json, ndjson, form, xml, multipart or csv; other bodies take explicit placeholders only");
        return;
    }
    for (const struct tree_node *n = card->first; n; n = n->next) {
        struct rules_form form = {0};
        bool is_known = false;
        for (size_t i = 0; known[i]; i++)
            is_known = is_known || slice_is(n->key, known[i]);
        if (is_known && element_parse(n->key, &form.element)) rules_for_each(x, n, read_place, &form);
    }
    if (!tree_get(card, "number")) loading_complain(&x->l, card, "'number' is missing: where the card number stands");
}
