/* SPDX-License-Identifier: Apache-2.0 */
#include "ruleset_priv.h"

#include "rules/names.h"

/* --- body --- */

static const struct body_name {
    const char *name;
    enum body_format format;
    bool any, has_places, has_edits;
} NAMES[] = {{"json", BODY_JSON, false, true, true},
             {"ndjson", BODY_NDJSON, false, true, false},
             {"form", BODY_FORM, false, true, true},
             {"xml", BODY_XML, false, true, false},
             {"multipart", BODY_MULTIPART, false, true, false},
             {"csv", BODY_CSV, false, true, false},
             {"text", BODY_TEXT, false, false, false},
             {"any", BODY_TEXT, true, false, false}};
enum { NAME_COUNT = sizeof NAMES / sizeof *NAMES };

static void take_name(struct rules_loading *x, const struct body_name *name, bool *any)
{
    x->plan->format = name->format;
    x->has_places = name->has_places;
    x->has_edits = name->has_edits;
    *any = name->any;
}

void rules_read_body(struct rules_loading *x, const struct tree_node *n, bool *any)
{
    const char *known[NAME_COUNT + 1] = {NULL};
    x->has_places = x->has_edits = true; /* whichever is meant: no complaints about what follows from a mistake here */
    if (!rules_check_text(x, n, "one of: " RULES_BODIES)) return;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        known[i] = NAMES[i].name;
        if (!slice_is(n->text, NAMES[i].name)) continue;
        take_name(x, &NAMES[i], any);
        return;
    }
    const char *near = name_nearest(n->text, known);
    loading_complain(&x->l, n, "expected one of: " RULES_BODIES ", found '%.*s'%s%s%s", name_shown(n->text), n->text.at,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* --- find --- */

/* find: pan. What else could be looked for everywhere has no check digit. */
void rules_read_find(struct rules_loading *x, const struct tree_node *n)
{
    if (!rules_check_text(x, n, "pan: card numbers are looked for in every value")) return;
    if (slice_is(n->text, "pan"))
        x->plan->find_pan = true;
    else
        loading_complain(&x->l, n, "expected pan (card numbers are looked for in every value), found '%.*s'",
                         name_shown(n->text), n->text.at);
}

/* --- answer --- */

/* answer: { body: json, card: { … }, find: pan }: card data that comes back, or tokens that a partner asks for. */
void rules_read_answer(struct rules_loading *x, const struct tree_node *answer)
{
    static const char *const known[] = {"body", "card", "find", NULL};
    if (!rules_check_map(x, answer, known)) return;
    const struct tree_node *body = tree_get(answer, "body"), *card = tree_get(answer, "card"),
                           *find = tree_get(answer, "find");
    x->plan = &x->r->answer;
    x->r->has_answer = true;
    if (body)
        rules_read_body(x, body, &x->r->any_answer);
    else
        loading_complain(&x->l, answer, "'body' is missing: one of " RULES_BODIES);
    x->plan->paths = path_set_new(plan_language(x->plan->format));
    if (!x->plan->paths) {
        x->l.out_of_memory = true;
        return;
    }
    if (body && card) rules_read_card(x, card);
    if (find) rules_read_find(x, find);
    if (!card && !find)
        loading_complain(&x->l, answer, "says nothing: add 'card' (where card data stands) or 'find: pan'");
}
