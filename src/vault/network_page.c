/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include "base/secret.h"

struct paging {
    struct vault *v;
    vault_network_each each;
    void *owner;
    size_t left;
    uint8_t *plain;                /* secret; SEALED_MAX_BYTES */
    struct network_record *record; /* secret */
};

/* A damaged record is left out: 'vault verify' tells of it. */
static result on_record(void *owner, enum store_table t, slice key, slice value)
{
    struct paging *p = owner;
    slice merchant, token;
    size_t len = 0;
    ENSURE(p->left-- > 0, TOO_LARGE);
    ENSURE(card_key_split(key, &merchant, &token), VAULT_FORMAT);
    result r = vault_unseal_scanned(p->v, t, key, value, p->plain, SEALED_MAX_BYTES, &len);
    if (!failed(r)) r = network_record_decode((slice){(char *)p->plain, len}, p->record);
    if (!failed(r)) p->each(p->owner, token, p->record);
    else if (r.err != ERR_VAULT_SEAL && r.err != ERR_VAULT_FORMAT && r.err != ERR_NOT_FOUND) return r;
    return OK;
}

result vault_network_page(struct vault *v, slice merchant, slice after, size_t limit, vault_network_each each, void *owner, bool *more)
{
    char prefix_room[CARD_KEY_MAX_BYTES], after_room[CARD_KEY_MAX_BYTES];
    struct paging p = {.v = v, .each = each, .owner = owner, .left = limit};
    p.plain = secret_alloc(SEALED_MAX_BYTES);
    p.record = secret_alloc(sizeof *p.record);
    result r = p.plain && p.record ? OK : FAIL(MEMORY);
    if (!failed(r))
        r = vault_each_past(v, STORE_NETWORK, card_key(merchant, SLICE_NONE, prefix_room), card_key(merchant, after, after_room), on_record, &p);
    *more = r.err == ERR_TOO_LARGE;
    secret_free(p.plain, SEALED_MAX_BYTES);
    secret_free(p.record, sizeof *p.record);
    return *more ? OK : r;
}
