/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include <string.h>

/* What stands at <key> of <t>, opened into plain (SEALED_MAX_BYTES, secret). */
static result read_now(struct vault *v, enum store_table t, slice key, uint8_t *plain, slice *out)
{
    uint8_t sealed[SEALED_MAX_BYTES];
    size_t sealed_len = 0, len = 0;
    TRY(vault_read_now(v, t, key, sealed, sizeof sealed, &sealed_len));
    TRY(vault_unseal_scanned(v, t, key, (slice){(char *)sealed, sealed_len}, plain, SEALED_MAX_BYTES, &len));
    *out = (slice){(char *)plain, len};
    return OK;
}

/* The card that it leads to has it. */
static result check_alias(struct vault *v, slice merchant, slice plain, uint8_t *room)
{
    struct token_id token, alias;
    struct alias_list list;
    char key[CARD_KEY_MAX_BYTES];
    TRY(alias_record_decode(plain, &token, &alias));
    TRY(read_now(v, STORE_ALIASES, card_key(merchant, token_id_slice(&token), key), room, &plain));
    TRY(alias_list_decode(plain, &list));
    for (size_t i = 0; i < list.count; i++)
        if (slice_eq(token_id_slice(&list.at[i].alias), token_id_slice(&alias))) return OK;
    return FAIL(VAULT_SEAL);
}

/* Its card is there, and each of its aliases leads to it. */
static result check_list(struct vault *v, slice merchant, slice token, slice plain, uint8_t *room)
{
    struct alias_list list;
    struct token_id leads_to, alias;
    char card[CARD_KEY_MAX_BYTES], key_room[ALIAS_KEY_MAX_BYTES];
    slice key;
    TRY(alias_list_decode(plain, &list));
    TRY(read_now(v, STORE_CARD, card_key(merchant, token, card), room, &plain));
    for (size_t i = 0; i < list.count; i++) {
        TRY(alias_key(v, merchant, token_id_slice(&list.at[i].alias), key_room, &key));
        TRY(read_now(v, STORE_ALIAS, key, room, &plain));
        TRY(alias_record_decode(plain, &leads_to, &alias));
        ENSURE(slice_eq(token_id_slice(&leads_to), token), VAULT_SEAL);
    }
    return OK;
}

result vault_check_alias(struct vault *v, enum store_table t, slice key, slice value, uint8_t *plain)
{
    struct seal_place place;
    size_t len = 0;
    TRY(vault_place(t, key, &place));
    TRY(vault_unseal_scanned(v, t, key, value, plain, SEALED_MAX_BYTES, &len));
    slice text = {(char *)plain, len};
    return t == STORE_ALIAS ? check_alias(v, place.merchant, text, plain) : check_list(v, place.merchant, place.id, text, plain);
}
