/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/alias_record.h"

#include "bytes.h"
#include "vault/seal.h"
#include "vault/store.h"

_Static_assert((int)ALIAS_LIST_MAX_BYTES + (int)SEAL_OVERHEAD_BYTES <= (int)STORE_VALUE_MAX_BYTES, "a list of aliases fits");

enum { ALIAS_LAYOUT = 1 };

const struct alias_entry *alias_list_find(const struct alias_list *l, const struct alias_wish *wish)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct alias_entry *e = &l->at[i];
        bool is_same_text = e->format != ALIAS_TEMPLATE || slice_eq((slice){e->template_text, e->template_len}, wish->template_text);
        if (e->format == wish->format && is_same_text) return e;
    }
    return NULL;
}

size_t alias_record_encode(const struct token_id *token, const struct token_id *alias, uint8_t out[ALIAS_RECORD_MAX_BYTES])
{
    out[0] = ALIAS_LAYOUT;
    return (size_t)(put_text(put_text(out + 1, token_id_slice(token)), token_id_slice(alias)) - out);
}

size_t alias_list_encode(const struct alias_list *l, uint8_t out[ALIAS_LIST_MAX_BYTES])
{
    uint8_t *at = out;
    *at++ = ALIAS_LAYOUT;
    *at++ = (uint8_t)l->count;
    for (size_t i = 0; i < l->count; i++) {
        const struct alias_entry *e = &l->at[i];
        *at++ = (uint8_t)e->format;
        *at++ = e->fell;
        at = put_text(put_text(at, (slice){e->template_text, e->template_len}), token_id_slice(&e->alias));
    }
    return (size_t)(at - out);
}

static bool take_id(slice *rest, struct token_id *out)
{
    slice text;
    return take_text(rest, TOKEN_ID_MAX_BYTES, &text) && token_id_from(text, out);
}

result alias_record_decode(slice plain, struct token_id *token, struct token_id *alias)
{
    ENSURE(plain.len > 1 && plain.at[0] == ALIAS_LAYOUT, VAULT_FORMAT);
    slice rest = slice_after(plain, 1);
    ENSURE(take_id(&rest, token) && take_id(&rest, alias) && rest.len == 0, VAULT_FORMAT);
    return OK;
}

static result decode_entry(slice *rest, struct alias_entry *out)
{
    slice text;
    ENSURE(rest->len > 2, VAULT_FORMAT);
    uint8_t format = (uint8_t)rest->at[0], fell = (uint8_t)rest->at[1];
    ENSURE(format > ALIAS_UUID && format < ALIAS_FORMAT_COUNT && fell <= 1, VAULT_FORMAT);
    *rest = slice_after(*rest, 2);
    ENSURE(take_text(rest, ALIAS_TEMPLATE_MAX_BYTES, &text) && (text.len > 0) == (format == ALIAS_TEMPLATE), VAULT_FORMAT);
    ENSURE(take_id(rest, &out->alias), VAULT_FORMAT);
    out->format = (enum alias_format)format;
    out->fell = fell;
    out->template_len = (uint8_t)text.len;
    if (text.len) memcpy(out->template_text, text.at, text.len);
    return OK;
}

result alias_list_decode(slice plain, struct alias_list *out)
{
    memset(out, 0, sizeof *out);
    ENSURE(plain.len > 2 && plain.at[0] == ALIAS_LAYOUT, VAULT_FORMAT);
    size_t count = (uint8_t)plain.at[1];
    slice rest = slice_after(plain, 2);
    ENSURE(count >= 1 && count <= ALIASES_MAX, VAULT_FORMAT);
    while (out->count < count) TRY(decode_entry(&rest, &out->at[out->count++]));
    ENSURE(rest.len == 0, VAULT_FORMAT);
    return OK;
}
