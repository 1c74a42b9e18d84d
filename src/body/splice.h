/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_SPLICE_H
#define BODY_SPLICE_H

/* What a walker leaves behind: stored bytes, and entries in the order of their starts that say where other bytes go.
 *
 *   {"number":"{{T:detokenize}}","cvc":"{{U:transaction}}"}          slot [11,27)  drop [28,54)  slot [35,53)
 *
 * Drop, replace and insert hold only when a network token goes out; a drop or replace that does hides the entries inside it. */

#include "base/buf.h"
#include "body/plan.h"
#include "body/token_table.h"

enum splice_kind { SPLICE_SLOT, SPLICE_DROP, SPLICE_REPLACE, SPLICE_INSERT };
enum splice_why { SPLICE_WHY_EXTRACT, SPLICE_WHY_RULES, SPLICE_WHY_DEFAULT, SPLICE_WHY_SET, SPLICE_WHY_DROP };

struct splice_entry {
    uint64_t start, end; /* in the decoded body */
    uint32_t token;      /* slot */
    uint16_t node;       /* replace, insert: the part of the path tree that is written */
    uint8_t kind, element, format, why;
    bool as_number;
    bool separated;      /* insert: a comma or '&' goes before it */
};
struct splice {
    struct splice_entry *entries;
    uint32_t first, count, cap;
    enum encoding encoding;
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

/* --- edits (edit.c) --- */

/* The edits of a plan as sets of path nodes. */
struct edit_sets {
    uint64_t wanted[16];   /* must exist after the edit: the ends of set paths and the objects above them */
    uint64_t set[16];      /* the ends themselves */
    uint64_t drop[16];
};
void edit_sets_of(const struct plan *plan, struct edit_sets *out);
const struct plan_edit *edit_of_node(const struct plan *plan, uint16_t node); /* the set that ends there, or NULL */
/* The value of <node>: its element or literal, or an object of what is wanted below. */
MUST_USE result edit_write_json(const struct plan *plan, const struct edit_sets *sets, uint16_t node,
                                const struct credential *c, slice token, struct buf *out);
MUST_USE result edit_write_member(const struct plan *plan, const struct edit_sets *sets, uint16_t node,
                                  const struct credential *c, slice token, struct buf *out); /* "name":value */
MUST_USE result edit_write_form(const struct plan *plan, uint16_t node, bool with_name, const struct credential *c,
                                slice token, struct buf *out);

#endif
