/* SPDX-License-Identifier: Apache-2.0 */
#include "ruleset_priv.h"

#include "rules/names.h"

#include <stdlib.h>
#include <string.h>

/* Grows an array of the plan by one zeroed entry; NULL: out of memory. */
static void *grow(struct rules_loading *x, void **array, size_t *count, size_t bytes)
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

struct form {
    enum element element;
    enum date_format format;
    bool as_number;
};

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

static void read_as_word(struct rules_loading *x, const struct tree_node *n, void *owner)
{
    struct form *form = owner;
    enum date_format format;
    if (!rules_check_text(x, n, "a format, such as MM, YYYY or number")) return;
    if (slice_is(n->text, "number") && may_be_number(form->element)) {
        if (x->r->plan.format == BODY_FORM)
            loading_complain(&x->l, n, "forms know text only; 'as: number' is for JSON");
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
    const struct form *form = owner;
    struct plan *plan = &x->r->plan;
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
    struct plan_field *field = grow(x, &fields, &plan->field_count, sizeof *field);
    plan->fields = fields;
    if (field) *field = (struct plan_field){path, form->element, form->format, form->as_number};
}

/* PATH, or { at: PATH or list, as: FORMAT } */
static void read_place(struct rules_loading *x, const struct tree_node *n, void *owner)
{
    static const char *const known[] = {"at", "as", NULL};
    struct form form = *(const struct form *)owner;
    if (n->kind != TREE_MAP) {
        add_field(x, n, &form);
        return;
    }
    if (!rules_check_map(x, n, known)) return;
    const struct tree_node *at = tree_get(n, "at"), *as = tree_get(n, "as");
    if (as) rules_for_each(x, as, read_as_word, &form);
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
        loading_complain(&x->l, card, "'card' needs body json or form; other bodies take explicit placeholders only");
        return;
    }
    for (const struct tree_node *n = card->first; n; n = n->next) {
        struct form form = {0};
        bool is_known = false;
        for (size_t i = 0; known[i]; i++)
            is_known = is_known || slice_is(n->key, known[i]);
        if (is_known && element_parse(n->key, &form.element)) rules_for_each(x, n, read_place, &form);
    }
    if (!tree_get(card, "number")) loading_complain(&x->l, card, "'number' is missing: where the card number stands");
}

/* --- network_token --- */

/* RFC 9535 2.1.2: a singular path. Only there can 'set' make what is missing; outside quoted names "..", "[*]", ".*"
 * and
 * "[0]" say several places, or one in an array, which cannot be made. */
static bool is_settable(slice path)
{
    char quote = '\0';
    if (path.len < 2) return false;
    for (size_t i = 0; i + 1 < path.len; i++) {
        char c = path.at[i], next = path.at[i + 1];
        if (quote && c == '\\') {
            i++;
        } else if (quote) {
            if (c == quote) quote = '\0';
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if ((c == '.' && (next == '.' || next == '*')) || (c == '[' && next != '\'' && next != '"')) {
            return false;
        }
    }
    return true;
}

static struct plan_edit *add_edit(struct rules_loading *x, struct path_text text)
{
    struct plan *plan = &x->r->plan;
    uint32_t path;
    if (!rules_add_path(x, plan->paths, text, &path)) return NULL;
    for (size_t i = 0; i < plan->edit_count; i++) {
        if (plan->edits[i].path != path) continue;
        problems_add(x->l.problems, x->l.file, text.line, text.column, "'%.*s' is %s already", name_shown(text.text),
                     text.text.at, plan->edits[i].drop ? "dropped" : "set");
        return NULL;
    }
    void *edits = plan->edits;
    struct plan_edit *edit = grow(x, &edits, &plan->edit_count, sizeof *edit);
    plan->edits = edits;
    if (edit) edit->path = path;
    return edit;
}

static void read_drop(struct rules_loading *x, const struct tree_node *n, void *owner)
{
    (void)owner;
    if (!rules_check_text(x, n, "a path")) return;
    if (x->r->plan.format == BODY_JSON && slice_is(n->text, "$")) {
        loading_complain(&x->l, n, "'$' is the whole body: it cannot be dropped");
        return;
    }
    struct plan_edit *edit = add_edit(x, path_of_value(n));
    if (edit) edit->drop = true;
}

/* RFC 8259 section 6 */
static bool is_json_number(slice s)
{
    size_t i = 0, from;
    if (i < s.len && s.at[i] == '-') i++;
    for (from = i; i < s.len && s.at[i] >= '0' && s.at[i] <= '9';)
        i++;
    if (i == from || (s.at[from] == '0' && i > from + 1)) return false;
    if (i < s.len && s.at[i] == '.') {
        for (from = ++i; i < s.len && s.at[i] >= '0' && s.at[i] <= '9';)
            i++;
        if (i == from) return false;
    }
    if (i < s.len && (s.at[i] == 'e' || s.at[i] == 'E')) {
        i++;
        if (i < s.len && (s.at[i] == '+' || s.at[i] == '-')) i++;
        for (from = i; i < s.len && s.at[i] >= '0' && s.at[i] <= '9';)
            i++;
        if (i == from) return false;
    }
    return i == s.len;
}

static bool is_json_literal(slice s)
{
    return slice_is(s, "true") || slice_is(s, "false") || slice_is(s, "null") || is_json_number(s);
}

/* A JSON string. Control characters cannot come: the tree refuses them. */
static void write_json_string(struct rules_loading *x, slice text, slice *out)
{
    char *at = pool_alloc(x->l.pool, text.len * 2 + 2);
    if (!at) {
        x->l.out_of_memory = true;
        return;
    }
    size_t len = 0;
    at[len++] = '"';
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\') at[len++] = '\\';
        at[len++] = text.at[i];
    }
    at[len++] = '"';
    *out = (slice){at, len};
}

/* What a network token has; its requestor id is the merchant's, the cardholder's name and the CVC are not there. */
static const char *const SETTABLE[] = {"number", "expiry",     "exp_month", "exp_year",  "last4",
                                       "bin",    "cryptogram", "eci",       "requestor", NULL};

static bool read_element(struct rules_loading *x, const struct tree_node *n, enum element *out)
{
    for (size_t i = 0; SETTABLE[i]; i++)
        if (slice_is(n->text, SETTABLE[i])) return element_parse(n->text, out);
    const char *near = name_nearest(n->text, SETTABLE);
    loading_complain(&x->l, n, "unknown element '%.*s'%s%s%s (fixed text needs quotes)", name_shown(n->text),
                     n->text.at, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return false;
}

/* 'set' writes an element in its own form, or as a bare JSON number: plan_edit has no date format. */
static bool is_number_here(struct rules_loading *x, const struct tree_node *as, enum element e)
{
    if (!rules_check_text(x, as, "number")) return false;
    if (!slice_is(as->text, "number") || !may_be_number(e))
        loading_complain(
            &x->l, as, "%s cannot be set as '%.*s'; 'set' takes 'as: number' only, for number, exp_month and exp_year",
            element_name(e), name_shown(as->text), as->text.at);
    else if (x->r->plan.format == BODY_FORM)
        loading_complain(&x->l, as, "forms know text only; 'as: number' is for JSON");
    return true;
}

/* cryptogram | "fixed text" | true, 3 | { element: exp_month, as: number } */
static void read_set_value(struct rules_loading *x, const struct tree_node *n, struct plan_edit *edit)
{
    static const char *const known[] = {"element", "as", NULL};
    bool is_json = x->r->plan.format == BODY_JSON;
    if (n->kind == TREE_MAP) {
        const struct tree_node *element = tree_get(n, "element"), *as = tree_get(n, "as");
        if (!rules_check_map(x, n, known)) return;
        if (!element) loading_complain(&x->l, n, "'element' is missing: which part of the network token");
        if (!element || !rules_check_text(x, element, "an element") || !read_element(x, element, &edit->element))
            return;
        if (as) edit->as_number = is_number_here(x, as, edit->element);
        return;
    }
    if (n->kind == TREE_SCALAR && n->quoted) {
        if (is_json)
            write_json_string(x, n->text, &edit->literal);
        else
            (void)loading_copy(&x->l, n->text, &edit->literal);
        return;
    }
    if (!rules_check_text(x, n, "an element (cryptogram, eci, …) or fixed text in quotes")) return;
    if (is_json && is_json_literal(n->text))
        (void)loading_copy(&x->l, n->text, &edit->literal);
    else
        (void)read_element(x, n, &edit->element);
}

static void read_sets(struct rules_loading *x, const struct tree_node *set)
{
    if (set->kind != TREE_MAP) {
        (void)rules_check_map(x, set, SETTABLE);
        return;
    }
    for (const struct tree_node *n = set->first; n; n = n->next) {
        if (x->r->plan.format == BODY_JSON && !is_settable(n->key)) {
            problems_add(x->l.problems, x->l.file, n->key_line, n->key_column,
                         "'%.*s': 'set' needs a path to one member, of names only, such as $.a.b", name_shown(n->key),
                         n->key.at);
            continue;
        }
        struct plan_edit *edit = add_edit(x, path_of_key(n));
        if (edit) read_set_value(x, n, edit);
    }
}

void rules_read_network_token(struct rules_loading *x, const struct tree_node *network_token)
{
    static const char *const known[] = {"set", "drop", "mit_without_cryptogram", NULL};
    if (!rules_check_map(x, network_token, known)) return;
    if (!x->has_places) {
        loading_complain(&x->l, network_token, "'network_token' needs body json or form");
        return;
    }
    const struct tree_node *set = tree_get(network_token, "set"), *drop = tree_get(network_token, "drop");
    const struct tree_node *mit = tree_get(network_token, "mit_without_cryptogram");
    x->r->has_network_token = true;
    if (set) read_sets(x, set);
    if (drop) rules_for_each(x, drop, read_drop, NULL);
    if (mit) (void)rules_take_bool(x, mit, &x->r->network_token_mit_without_cryptogram);
    if (!set && !drop)
        loading_complain(&x->l, network_token, "says nothing: add 'set' (where the cryptogram goes) or 'drop'");
}
