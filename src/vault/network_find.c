/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include <string.h>

/* Entries of one name stand beside each other; they are read a page at a time, and each leads to a record. The index is not
 * sealed: whatever it says, only the record itself proves that it has that name. */

enum { PAGE = 16 };

struct find_op { /* secret memory */
    struct vault *v;
    vault_network_found found;
    void *owner;
    result worst;
    struct network_text name;
    uint8_t hash[KEYRING_INDEX_BYTES];
    size_t count, at; /* of the page */
    size_t key_len[PAGE];
    char key[PAGE][REF_KEY_MAX_BYTES];
    bool last_page, any;
    bool ready, running, ended; /* find_go */
    struct network_record record;
    uint8_t plain[NETWORK_RECORD_MAX_BYTES];
};

static void find_go(struct find_op *op);

static void note(struct find_op *op, result r)
{
    if (failed(r) && r.err != ERR_NOT_FOUND && !failed(op->worst)) op->worst = r;
}

static result open_record(struct find_op *op, slice key, slice sealed)
{
    size_t len = 0;
    struct seal_place place;
    TRY(vault_place(STORE_NETWORK, key, &place));
    TRY(vault_unseal(op->v, &place, sealed, op->plain, sizeof op->plain, &len));
    return network_record_decode((slice){(char *)op->plain, len}, &op->record);
}

static slice record_key(const struct find_op *op)
{
    slice key = SLICE_NONE;
    (void)ref_key_split((slice){op->key[op->at], op->key_len[op->at]}, &key); /* looked at by on_entry */
    return key;
}

static void on_record(void *owner, result r, slice sealed)
{
    struct find_op *op = owner;
    slice key = record_key(op), merchant, token, name = network_text_slice(&op->name);
    if (!failed(r)) r = open_record(op, key, sealed);
    note(op, r);
    bool is_it = !failed(r) && (slice_eq(network_text_slice(&op->record.ref), name) || slice_eq(network_text_slice(&op->record.instrument), name));
    if (is_it && card_key_split(key, &merchant, &token)) {
        op->any = true;
        op->found(op->owner, OK, merchant, token, &op->record);
    }
    op->at++;
    find_go(op);
}

static bool on_entry(void *owner, slice key, slice value)
{
    struct find_op *op = owner;
    slice record;
    (void)value;
    if (!slice_starts(key, (slice){(char *)op->hash, sizeof op->hash})) {
        op->last_page = true;
        return false;
    }
    if (key.len > REF_KEY_MAX_BYTES || !ref_key_split(key, &record)) {
        note(op, FAIL(VAULT_FORMAT));
        op->last_page = true;
        return false;
    }
    memcpy(op->key[op->count], key.at, key.len);
    op->key_len[op->count++] = key.len;
    return true;
}

static void on_page(void *owner, result r)
{
    struct find_op *op = owner;
    note(op, r);
    if (failed(r) || op->count < PAGE) op->last_page = true;
    find_go(op);
}

static void next_page(struct find_op *op)
{
    char after[REF_KEY_MAX_BYTES];
    size_t len = op->count ? op->key_len[op->count - 1] : sizeof op->hash;
    memcpy(after, op->count ? op->key[op->count - 1] : (char *)op->hash, len);
    op->count = op->at = 0;
    store_scan(op->v->store, STORE_REF, (slice){after, len}, PAGE, on_entry, on_page, op);
}

static void step(struct find_op *op)
{
    char room[CARD_KEY_MAX_BYTES];
    if (op->at < op->count) {
        slice key = record_key(op);
        memcpy(room, key.at, key.len);
        store_get(op->v->store, STORE_NETWORK, (slice){room, key.len}, on_record, op);
    } else if (!op->last_page) {
        next_page(op);
    } else {
        op->ended = true;
    }
}

/* A store may answer within the call or later: the steps follow each other in this loop, never one inside the other. */
static void find_go(struct find_op *op)
{
    op->ready = true;
    if (op->running) return;
    op->running = true;
    while (op->ready && !op->ended) {
        op->ready = false;
        step(op);
    }
    op->running = false;
    if (!op->ended) return;
    result r = failed(op->worst) ? op->worst : op->any ? OK : FAIL(NOT_FOUND);
    op->found(op->owner, r, SLICE_NONE, SLICE_NONE, NULL);
    op_pool_give(&op->v->pools[POOL_FIND], op);
}

void vault_network_find(struct vault *v, slice ref, vault_network_found found, void *owner)
{
    if (ref.len == 0 || ref.len > NETWORK_REF_BYTES) {
        found(owner, FAIL(NOT_FOUND), SLICE_NONE, SLICE_NONE, NULL);
        return;
    }
    struct find_op *op = op_pool_take(&v->pools[POOL_FIND], sizeof *op);
    result r = op ? ref_hash(v, ref, op->hash) : FAIL(MEMORY);
    if (failed(r)) {
        if (op) op_pool_give(&v->pools[POOL_FIND], op);
        found(owner, r, SLICE_NONE, SLICE_NONE, NULL);
        return;
    }
    op->v = v;
    op->found = found;
    op->owner = owner;
    op->name.len = (uint8_t)ref.len;
    memcpy(op->name.at, ref.at, ref.len);
    find_go(op);
}
