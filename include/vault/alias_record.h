/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_ALIAS_RECORD_H
#define VAULT_ALIAS_RECORD_H

/* The plaintext of the two records of an alias, as they stand inside their seals ("text": length 1, then the bytes):
 *
 *     STORE_ALIAS:    layout 1 | text token | text alias
 *     STORE_ALIASES:  layout 1 | count 1 | { format 1 | fell 1 | text template | text alias } … */

#include "vault/alias.h"

struct alias_entry {
    enum alias_format format;
    bool fell;
    uint8_t template_len;
    char template_text[ALIAS_TEMPLATE_MAX_BYTES];
    struct token_id alias;
};
struct alias_list { /* zeroed: none */
    size_t count;
    struct alias_entry at[ALIASES_MAX];
};
enum {
    ALIAS_RECORD_MAX_BYTES = 1 + 2 * (1 + TOKEN_ID_MAX_BYTES),
    ALIAS_LIST_MAX_BYTES = 2 + ALIASES_MAX * (2 + 1 + ALIAS_TEMPLATE_MAX_BYTES + 1 + TOKEN_ID_MAX_BYTES),
};
const struct alias_entry *alias_list_find(const struct alias_list *l, const struct alias_wish *wish); /* NULL: none of that form */
/* Each returns the length. */
size_t alias_record_encode(const struct token_id *token, const struct token_id *alias, uint8_t out[ALIAS_RECORD_MAX_BYTES]);
size_t alias_list_encode(const struct alias_list *l, uint8_t out[ALIAS_LIST_MAX_BYTES]);
/* ERR_VAULT_FORMAT for anything that the encoders cannot have written. */
MUST_USE result alias_record_decode(slice plain, struct token_id *token, struct token_id *alias);
MUST_USE result alias_list_decode(slice plain, struct alias_list *out);

#endif
