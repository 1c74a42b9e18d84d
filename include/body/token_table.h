/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_TOKEN_TABLE_H
#define BODY_TOKEN_TABLE_H

/* The tokens one exchange has met, each once: every slot of a token, in body, headers, query or path, refers to the same
 * entry, so one decision fills them all. */

#include "base/result.h"
#include "base/slice.h"

enum token_kind { TOKEN_PERMANENT /* detokenize */, TOKEN_TEMPORAL /* transaction */ };
const char *token_kind_placeholder(enum token_kind k); /* "detokenize", "transaction" */

struct token_table;
/* Called when a token is met for the first time, so that its reveal can start at once. */
typedef void (*token_callback)(void *owner, uint32_t index);

struct token_table *token_table_new(size_t max_placeholders, token_callback on_new, void *owner);
void token_table_free(struct token_table *t);
/* ERR_PLACEHOLDER_COUNT past the maximum (each call counts); ERR_TOKEN_WRONG_KIND if met before as the other kind. */
MUST_USE result token_table_add(struct token_table *t, slice id, enum token_kind kind, uint32_t *index);
uint32_t token_table_count(const struct token_table *t);
slice token_table_id(const struct token_table *t, uint32_t index);
enum token_kind token_table_kind(const struct token_table *t, uint32_t index);

/* What is told of them: how many tokens gave their card, and how many their CVC. A temporal token has both, and most slots take only
 * one of the two, beside a permanent token that has the same card. */
struct token_counts {
    uint32_t cards, cvcs;
};
void token_table_takes(struct token_table *t, uint32_t index, bool is_cvc); /* by a slot of it */
void token_table_reveal(struct token_table *t, uint32_t index);             /* its slots can be filled */
struct token_counts token_table_revealed(const struct token_table *t);

#endif
