/* SPDX-License-Identifier: Apache-2.0 */
#include "ruleset_priv.h"

#include "body/path_match.h"
#include "rules/names.h"

#include <string.h>

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
    struct plan_edit *edit = rules_grow(x, &edits, &plan->edit_count, sizeof *edit);
    plan->edits = edits;
    if (edit) edit->path = path;
    return edit;
}

struct plan_edit *rules_add_set(struct rules_loading *x, struct path_text path)
{
    if (x->r->plan.format != BODY_JSON || is_settable(path.text)) return add_edit(x, path);
    problems_add(x->l.problems, x->l.file, path.line, path.column,
                 "'%.*s': 'set' needs a path to one member, of names only, such as $.a.b", name_shown(path.text),
                 path.text.at);
    return NULL;
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

/* What a network token has, and what is known beside it; the cardholder's name and the CVC are not there. */
static const char *const SETTABLE[] = {"number",
                                       "expiry",
                                       "exp_month",
                                       "exp_year",
                                       "last4",
                                       "bin",
                                       "cryptogram",
                                       "eci",
                                       "requestor",
                                       "card_last4",
                                       "network_transaction_id",
                                       NULL};

static bool read_element(struct rules_loading *x, const struct tree_node *n, enum element *out)
{
    for (size_t i = 0; SETTABLE[i]; i++)
        if (slice_is(n->text, SETTABLE[i])) return element_parse(n->text, out);
    const char *near = name_nearest(n->text, SETTABLE);
    loading_complain(&x->l, n, "unknown element '%.*s'%s%s%s (fixed text needs quotes)", name_shown(n->text),
                     n->text.at, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return false;
}

/* "fixed text"; in JSON true, null and 3 too. False: something else stands there, nothing said yet. */
static bool read_literal(struct rules_loading *x, const struct tree_node *n, slice *out)
{
    bool is_json = x->r->plan.format == BODY_JSON;
    if (n->kind != TREE_SCALAR || !(n->quoted || (is_json && is_json_literal(n->text)))) return false;
    if (is_json && n->quoted)
        write_json_string(x, n->text, out);
    else
        (void)loading_copy(&x->l, n->text, out);
    if (!out->at) *out = SLICE(""); /* out of memory, which is said elsewhere */
    return true;
}

/* brand: { visa: "vts", mastercard: "mdes" } */
static void read_brands(struct rules_loading *x, const struct tree_node *n, struct plan_edit *edit)
{
    const char *known[BRAND_COUNT] = {NULL};
    slice *values = pool_alloc(x->l.pool, BRAND_COUNT * sizeof *values);
    for (unsigned b = BRAND_UNKNOWN + 1; b < BRAND_COUNT; b++)
        known[b - 1] = card_brand_name((enum card_brand)b);
    if (!values) {
        x->l.out_of_memory = true;
        return;
    }
    edit->by_brand = values;
    if (!rules_check_map(x, n, known)) return;
    if (!n->first) loading_complain(&x->l, n, "'brand' is empty: say what each brand of card is called there");
    for (const struct tree_node *child = n->first; child; child = child->next) {
        enum card_brand brand;
        if (!card_brand_parse(child->key, &brand) || brand == BRAND_UNKNOWN) continue; /* said already */
        if (!read_literal(x, child, &values[brand]) || values[brand].len == 0)
            loading_complain(&x->l, child, "expected fixed text in quotes, such as visa: \"vts\"");
    }
}

static void read_element_value(struct rules_loading *x, const struct tree_node *element, const struct tree_node *as,
                               struct plan_edit *edit)
{
    struct rules_form form = {0};
    if (!rules_check_text(x, element, "an element") || !read_element(x, element, &form.element)) return;
    if (as) rules_for_each(x, as, rules_read_as, &form);
    edit->element = form.element;
    edit->format = form.format;
    edit->as_number = form.as_number;
}

/* { element: expiry, as: MM/YYYY } | { brand: { … } } | { value: "Y" }, each of them with 'with: cryptogram' if need be
 */
static void read_set_map(struct rules_loading *x, const struct tree_node *n, struct plan_edit *edit)
{
    static const char *const known[] = {"element", "as", "brand", "value", "with", NULL};
    const struct tree_node *element = tree_get(n, "element"), *as = tree_get(n, "as"), *brand = tree_get(n, "brand");
    const struct tree_node *value = tree_get(n, "value"), *with = tree_get(n, "with");
    if (!rules_check_map(x, n, known)) return;
    if ((element != NULL) + (brand != NULL) + (value != NULL) != 1) {
        loading_complain(&x->l, n,
                         "expected one of 'element' (a part of the network token), 'brand' and 'value' (fixed text)");
        return;
    }
    if (as && !element) loading_complain(&x->l, as, "'as' is for elements; fixed text is written as it stands");
    if (element) read_element_value(x, element, as, edit);
    if (brand) read_brands(x, brand, edit);
    if (value && !read_literal(x, value, &edit->literal))
        loading_complain(&x->l, value, "expected fixed text in quotes");
    if (with && rules_check_text(x, with, "an element, such as cryptogram"))
        edit->has_with = read_element(x, with, &edit->with);
}

/* cryptogram | "fixed text" | true, 3 | { … } */
static void read_set_value(struct rules_loading *x, const struct tree_node *n, struct plan_edit *edit)
{
    if (n->kind == TREE_MAP)
        read_set_map(x, n, edit);
    else if (!read_literal(x, n, &edit->literal) &&
             rules_check_text(x, n, "an element (cryptogram, eci, …) or fixed text in quotes"))
        (void)read_element(x, n, &edit->element);
}

static void read_sets(struct rules_loading *x, const struct tree_node *set)
{
    if (set->kind != TREE_MAP) {
        (void)rules_check_map(x, set, SETTABLE);
        return;
    }
    for (const struct tree_node *n = set->first; n; n = n->next) {
        struct plan_edit *edit = rules_add_set(x, path_of_key(n));
        if (edit) read_set_value(x, n, edit);
    }
}

/* --- edits inside others --- */

static const struct plan_edit *edit_ending_at(const struct plan *plan, uint16_t node)
{
    for (size_t i = 0; i < plan->edit_count; i++)
        if (path_set_end(plan->paths, plan->edits[i].path) == node) return &plan->edits[i];
    return NULL;
}

void rules_check_edits(struct rules_loading *x)
{
    const struct plan *plan = &x->r->plan;
    for (size_t i = 0; i < plan->edit_count; i++) {
        const struct plan_edit *inner = &plan->edits[i], *outer = NULL;
        uint16_t node = path_set_end(plan->paths, inner->path);
        while (!outer && path_set_node(plan->paths, node)->edge != PATH_EDGE_ROOT) {
            node = path_set_node(plan->paths, node)->parent;
            outer = edit_ending_at(plan, node);
        }
        if (!outer) continue;
        slice path = path_set_text(plan->paths, inner->path), whole = path_set_text(plan->paths, outer->path);
        loading_complain(&x->l, x->edits_at,
                         "'%.*s' lies inside '%.*s', which is %s whole; name the members there one by one",
                         name_shown(path), path.at, name_shown(whole), whole.at, outer->drop ? "dropped" : "set");
    }
}

void rules_read_network_token(struct rules_loading *x, const struct tree_node *network_token)
{
    static const char *const known[] = {"set", "drop", "mit_without_cryptogram", NULL};
    if (!rules_check_map(x, network_token, known)) return;
    if (!x->has_edits) {
        loading_complain(&x->l, network_token, "'network_token' needs body json or form");
        return;
    }
    const struct tree_node *set = tree_get(network_token, "set"), *drop = tree_get(network_token, "drop");
    const struct tree_node *mit = tree_get(network_token, "mit_without_cryptogram");
    x->r->has_network_token = true;
    x->edits_at = network_token;
    if (set) read_sets(x, set);
    if (drop) rules_for_each(x, drop, read_drop, NULL);
    if (mit) (void)rules_take_bool(x, mit, &x->r->network_token_mit_without_cryptogram);
    if (!set && !drop)
        loading_complain(&x->l, network_token, "says nothing: add 'set' (where the cryptogram goes) or 'drop'");
}
