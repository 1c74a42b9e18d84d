/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_RULESET_PRIV_H
#define RULES_RULESET_PRIV_H

#include "rules/ruleset.h"
#include "rules/settings.h"
#include "rules/tree.h"

struct ruleset_whole {
    struct ruleset r; /* first: ruleset_free() gets back from it */
    struct pool *pool;
};

struct rules_loading {
    struct loading l;
    struct ruleset *r;
    struct plan *plan;                /* whose places are read: the request's, then the answer's */
    const struct tree_node *edits_at; /* network_token, or else what sets the network transaction id */
    bool has_places; /* the body format has places that paths can name */
    bool has_edits;  /* and members can be set and read there on the way out: JSON and forms */
};
#define RULES_BODIES "json ndjson form xml multipart csv text any"

/* Where a path was written, so that a mistake inside it has a column. */
struct path_text {
    slice text;
    unsigned line, column;
    bool quoted;
};
struct path_text path_of_value(const struct tree_node *n);
struct path_text path_of_key(const struct tree_node *n);

/* Complains about every key that is not in the NULL-ended list. False (and a complaint) if n is no mapping. */
bool rules_check_map(struct rules_loading *x, const struct tree_node *n, const char *const *known);
/* A non-empty scalar, or a complaint: "'name': expected <what>". */
bool rules_check_text(struct rules_loading *x, const struct tree_node *n, const char *what);
/* Calls each(x, child, owner) for a lone scalar or mapping, or for every child of a list. */
void rules_for_each(struct rules_loading *x, const struct tree_node *n,
                    void (*each)(struct rules_loading *x, const struct tree_node *n, void *owner), void *owner);
bool rules_take_bool(struct rules_loading *x, const struct tree_node *n, bool *out);
/* Compiles a path; the same text gets the same number. False after a complaint, or out of memory. */
bool rules_add_path(struct rules_loading *x, struct path_set *set, struct path_text path, uint32_t *number);

/* Grows an array of the plan by one zeroed entry; NULL: out of memory. */
void *rules_grow(struct rules_loading *x, void **array, size_t *count, size_t bytes);
/* A list of codes, or one; each once. False: out of memory. */
struct texts {
    slice *at;
    size_t count;
};
bool rules_read_texts(struct rules_loading *x, const struct tree_node *n, struct texts *out);
bool rules_check_field_name(struct rules_loading *x, const struct tree_node *n); /* RFC 9110 5.1; one that may be set */

/* as: how an element is written. Each word of the list goes to rules_read_as, the owner is the form. */
struct rules_form {
    enum element element;
    enum date_format format;
    bool as_number;
};
void rules_read_as(struct rules_loading *x, const struct tree_node *n, void *form);
/* A new edit that sets something there; NULL after a complaint, or out of memory. */
struct plan_edit *rules_add_set(struct rules_loading *x, struct path_text path);
/* After all edits are read: none may lie inside another. */
void rules_check_edits(struct rules_loading *x);

/* The format of x->plan; *any: the content type chooses it. */
void rules_read_body(struct rules_loading *x, const struct tree_node *body, bool *any);
void rules_read_find(struct rules_loading *x, const struct tree_node *find);     /* into x->plan */
void rules_read_card(struct rules_loading *x, const struct tree_node *card);     /* into x->plan */
void rules_read_answer(struct rules_loading *x, const struct tree_node *answer); /* x->plan is the answer's afterwards */
void rules_read_network_token(struct rules_loading *x, const struct tree_node *network_token);
void rules_read_reply(struct rules_loading *x, const struct tree_node *reply);
void rules_read_initiator(struct rules_loading *x, const struct tree_node *initiator);
void rules_read_sign(struct rules_loading *x, const struct tree_node *sign);

#endif
