/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include <assert.h>
#include <string.h>

struct put_op { /* secret memory: kept open, so that a conflict with a rotation can be sealed anew */
    struct vault *v;
    int tries;
    enum store_table table;
    vault_put_check check; /* NULL: whatever is there */
    int64_t wanted;
    vault_done done;
    void *owner;
    size_t key_len, plain_len;
    char key[STORE_KEY_MAX_BYTES];
    uint8_t plain[EVENT_RECORD_MAX_BYTES];
};

static void on_put(void *owner, result r);

static result check_old(const struct put_op *op, uint8_t old[SEALED_MAX_BYTES], size_t *len)
{
    slice key = {op->key, op->key_len};
    result r = vault_read_now(op->v, op->table, key, old, SEALED_MAX_BYTES, len);
    if (r.err == ERR_NOT_FOUND) return OK;
    TRY(r);
    return op->check(op->v, key, (slice){(char *)old, *len}, op->wanted);
}

static result queue(struct put_op *op)
{
    uint8_t sealed[EVENT_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES], old[SEALED_MAX_BYTES];
    size_t sealed_len = 0, old_len = 0;
    struct seal_place place;
    slice key = {op->key, op->key_len};
    TRY(vault_place(op->table, key, &place));
    TRY(vault_seal(op->v, &place, (slice){(char *)op->plain, op->plain_len}, sealed, &sealed_len));
    if (op->check) TRY(check_old(op, old, &old_len));
    struct store_write steps[] = {
        vault_expect_ring(op->v),
        {STORE_PUT, op->table, key, {(char *)sealed, sealed_len}},
        {STORE_EXPECT, op->table, key, {(char *)old, old_len}},
    };
    store_batch(op->v->store, steps, op->check ? 3 : 2, on_put, op);
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
    vault_put_sealed_over(v, t, key, plain, NULL, 0, done, owner);
}

void vault_put_sealed_over(struct vault *v, enum store_table t, slice key, slice plain, vault_put_check check, int64_t wanted,
                           vault_done done, void *owner)
{
    assert(key.len <= STORE_KEY_MAX_BYTES && plain.len <= EVENT_RECORD_MAX_BYTES);
    struct put_op *op = op_pool_take(&v->pools[POOL_PUT], sizeof *op);
    if (!op) {
        done(owner, FAIL(MEMORY));
        return;
    }
    op->v = v;
    op->table = t;
    op->check = check;
    op->wanted = wanted;
    op->done = done;
    op->owner = owner;
    op->key_len = key.len;
    memcpy(op->key, key.at, key.len);
    op->plain_len = plain.len;
    memcpy(op->plain, plain.at, plain.len);
    result r = queue(op);
    if (failed(r)) put_answer(op, r);
}
