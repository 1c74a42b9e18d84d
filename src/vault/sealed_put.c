/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include <assert.h>
#include <string.h>

struct put_op { /* secret memory: kept open, so that a conflict with a rotation can be sealed anew */
    struct vault *v;
    int tries;
    enum store_table table;
    vault_done done;
    void *owner;
    size_t key_len, plain_len;
    char key[STORE_KEY_MAX_BYTES];
    uint8_t plain[EVENT_RECORD_MAX_BYTES];
};

static void on_put(void *owner, result r);

static result queue(struct put_op *op)
{
    uint8_t sealed[EVENT_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES];
    size_t sealed_len = 0;
    struct seal_place place;
    slice key = {op->key, op->key_len};
    TRY(vault_place(op->table, key, &place));
    TRY(vault_seal(op->v, &place, (slice){(char *)op->plain, op->plain_len}, sealed, &sealed_len));
    struct store_write steps[] = {
        vault_expect_ring(op->v),
        {STORE_PUT, op->table, key, {(char *)sealed, sealed_len}},
    };
    store_batch(op->v->store, steps, sizeof steps / sizeof steps[0], on_put, op);
    return OK;
}

static void put_answer(struct put_op *op, result r)
{
    op->done(op->owner, r);
    op_pool_give(&op->v->pools[POOL_PUT], op);
}

static void on_put(void *owner, result r)
{
    struct put_op *op = owner;
    bool again = vault_tries_again(op->v, &op->tries, TRIES_MAX, &r);
    if (again) r = queue(op);
    if (!again || failed(r)) put_answer(op, r);
}

void vault_put_sealed(struct vault *v, enum store_table t, slice key, slice plain, vault_done done, void *owner)
{
    assert(key.len <= STORE_KEY_MAX_BYTES && plain.len <= EVENT_RECORD_MAX_BYTES);
    struct put_op *op = op_pool_take(&v->pools[POOL_PUT], sizeof *op);
    if (!op) {
        done(owner, FAIL(MEMORY));
        return;
    }
    op->v = v;
    op->table = t;
    op->done = done;
    op->owner = owner;
    op->key_len = key.len;
    memcpy(op->key, key.at, key.len);
    op->plain_len = plain.len;
    memcpy(op->plain, plain.at, plain.len);
    result r = queue(op);
    if (failed(r)) put_answer(op, r);
}
