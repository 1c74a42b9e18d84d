/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_SPLICE_H
#define BODY_SPLICE_H

/* What a walker leaves behind: stored bytes, and entries in the order of their starts that say where other bytes go.
 *
 *   {"number":"{{T:detokenize}}","cvc":"{{U:transaction}}"}          slot [11,27)  drop [28,54)  slot [35,53)
 *
 * Which drops, replacements and insertions hold depends on the credential that goes out, and is decided when it is rendered: drops
 * only with a network token, sets where the credential has what is to be set. A drop or replacement that holds hides the entries
 * inside it. So whether a comma goes before an insertion is known only then: in front of it stand either the members that no drop
 * removes, or all of them. */

#include "base/buf.h"
#include "body/plan.h"
#include "body/token_table.h"

enum splice_kind { SPLICE_SLOT, SPLICE_DROP, SPLICE_REPLACE, SPLICE_INSERT };
enum splice_why { SPLICE_WHY_EXTRACT, SPLICE_WHY_RULES, SPLICE_WHY_DEFAULT, SPLICE_WHY_SET, SPLICE_WHY_TRANSACTION, SPLICE_WHY_DROP };

struct splice_entry {
    uint64_t start, end; /* in the decoded body */
    uint32_t token;      /* slot */
    uint16_t node;       /* replace, insert: the part of the path tree that is written */
    uint8_t kind, element, format, why;
    uint8_t encoding;    /* slot: the splice's, as it was when it was added */
    bool as_number;
    bool lacks_equals;   /* replace: of a form field that is a name only */
    bool is_first;       /* insert: of those at this place */
    bool after_kept;     /* insert: behind something that no drop removes */
    bool after_any;      /* insert: behind anything at all */
};
struct splice {
    struct splice_entry *entries;
    uint32_t first, count, cap;
    enum encoding encoding;           /* of the slots that are added; a walker may change it between them */
    const struct plan *plan;          /* borrows; NULL in snippets */
    const struct token_table *tokens; /* borrows */
    uint32_t edit_token;              /* whose credential decides about edits; SPLICE_NO_TOKEN: no slot, no edits */
    uint8_t edit_rank;                /* how sure that is: 0 none, 1 the first, 2 the first number, 3 a number by rule */
};
#define SPLICE_NO_TOKEN UINT32_MAX

void splice_init(struct splice *s, const struct plan *plan, const struct token_table *tokens, enum encoding encoding);
void splice_done(struct splice *s);
/* *index is stable; the entry's end may be moved later. */
MUST_USE result splice_add(struct splice *s, const struct splice_entry *e, uint32_t *index);
const char *splice_why_text(const struct splice_entry *e);

/* Appends all of <text>, which starts at offset <base>. */
MUST_USE result splice_render(const struct splice *s, slice text, uint64_t base,
                              const struct credential *const *credentials, struct buf *out);
/* Slots only, up to offset <sure>; stops before a slot without a credential. *reached: how far. Forgets what is written. */
MUST_USE result splice_drain(struct splice *s, slice text, uint64_t base, uint64_t sure,
                             const struct credential *const *credentials, struct buf *out, uint64_t *reached);

/* Does this entry go into what is rendered, and is it not inside one that does and hides it? For 'explain'. */
bool splice_entry_shows(const struct splice *s, uint32_t index, const struct credential *const *credentials);

/* --- edits (edit.c) --- */

/* The edits of a plan as sets of path nodes. */
struct edit_sets {
    uint64_t wanted[16];   /* must exist after the edit: the ends of set paths and the objects above them */
    uint64_t set[16];      /* the ends themselves */
    uint64_t drop[16];
    uint64_t gentle[16];   /* ends of sets that leave alone what the caller sent */
};
void edit_sets_of(const struct plan *plan, struct edit_sets *out);                                  /* of all edits */
void edit_sets_for(const struct plan *plan, const struct credential *c, struct edit_sets *out);     /* of those that hold */
bool edit_holds(const struct plan_edit *e, const struct credential *c);
bool edit_sets_have(const struct edit_sets *sets, uint16_t node); /* is anything set at or below it? */
/* Does <node> stand above the end of this edit, or is it its end? */
bool edit_is_below(const struct plan *plan, const struct plan_edit *e, uint16_t node);
/* For an entry of that node: what is set there. */
struct splice_entry edit_entry(const struct plan *plan, enum splice_kind kind, uint16_t node, uint64_t start, uint64_t end);
const struct plan_edit *edit_of_node(const struct plan *plan, uint16_t node); /* the set that ends there, or NULL */
/* The value of <node>: its element or literal, or an object of what is wanted below. */
MUST_USE result edit_write_json(const struct plan *plan, const struct edit_sets *sets, uint16_t node,
                                const struct credential *c, slice token, struct buf *out);
MUST_USE result edit_write_member(const struct plan *plan, const struct edit_sets *sets, uint16_t node,
                                  const struct credential *c, slice token, struct buf *out); /* "name":value */
MUST_USE result edit_write_form(const struct plan *plan, uint16_t node, bool with_name, const struct credential *c,
                                slice token, struct buf *out);

#endif
