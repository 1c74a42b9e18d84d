/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include <assert.h>
#include <string.h>

/* get: trail ─► done      put: card, as it is sealed ─► batch that expects it ─► done; so none is put once the card is gone */

enum { PUT_TRIES_MAX = 256 };

struct trail_op { /* secret memory */
    struct vault *v;
    int tries;
    vault_trail_callback got; /* NULL: put */
    vault_done put;
    void *owner;
    size_t merchant_len, token_len, key_len, plain_len;
    char merchant[NETWORK_MERCHANT_MAX_BYTES], token[TOKEN_ID_MAX_BYTES];
    char key[TRAIL_KEY_ROOM_BYTES];
    uint8_t plain[TRAIL_RECORD_MAX_BYTES];
};

static void answer(struct trail_op *op, result r, slice id)
{
    if (op->got)
        op->got(op->owner, r, id);
    else
        op->put(op->owner, r);
    op_pool_give(&op->v->pools[POOL_TRAIL], op);
}

static struct trail_op *op_new(struct vault *v, slice merchant, slice token, slice route, void *owner)
{
    struct trail_op *op = op_pool_take(&v->pools[POOL_TRAIL], sizeof *op);
    if (!op) return NULL;
    op->v = v;
    op->owner = owner;
    op->merchant_len = merchant.len;
    memcpy(op->merchant, merchant.at, merchant.len);
    op->token_len = token.len;
    memcpy(op->token, token.at, token.len);
    op->key_len = trail_key(merchant, token, route, op->key).len;
    return op;
}

static slice key_of(const struct trail_op *op)
{
    return (slice){op->key, op->key_len};
}

static bool are_names(slice merchant, slice token, slice route)
{
    struct token_id id;
    return network_name_is_good(merchant) && network_name_is_good(route) && token_id_from(token, &id);
}

/* --- get --- */

static void on_trail(void *owner, result r, slice sealed)
{
    struct trail_op *op = owner;
    struct seal_place place;
    slice id = SLICE_NONE;
    if (!failed(r)) r = vault_place(STORE_TRAIL, key_of(op), &place);
    if (!failed(r)) r = vault_unseal(op->v, &place, sealed, op->plain, sizeof op->plain, &op->plain_len);
    if (!failed(r)) r = trail_decode((slice){(char *)op->plain, op->plain_len}, &id);
    answer(op, r, failed(r) ? SLICE_NONE : id);
}

void vault_trail_get(struct vault *v, slice merchant, slice token, slice route, vault_trail_callback done, void *owner)
{
    if (!are_names(merchant, token, route)) {
        done(owner, FAIL(NOT_FOUND), SLICE_NONE);
        return;
    }
    struct trail_op *op = op_new(v, merchant, token, route, owner);
    if (!op) {
        done(owner, FAIL(MEMORY), SLICE_NONE);
        return;
    }
    op->got = done;
    store_get(v->store, STORE_TRAIL, key_of(op), on_trail, op);
}

/* --- put --- */

static void on_put(void *owner, result r);

static result queue(struct trail_op *op, slice card)
{
    uint8_t sealed[TRAIL_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES];
    char room[CARD_KEY_MAX_BYTES];
    size_t sealed_len = 0;
    struct seal_place place;
    TRY(vault_place(STORE_TRAIL, key_of(op), &place));
    TRY(vault_seal(op->v, &place, (slice){(char *)op->plain, op->plain_len}, sealed, &sealed_len));
    struct store_write steps[] = {
        vault_expect_ring(op->v),
        {STORE_EXPECT, STORE_CARD, card_key((slice){op->merchant, op->merchant_len}, (slice){op->token, op->token_len}, room), card},
        {STORE_PUT, STORE_TRAIL, key_of(op), {(char *)sealed, sealed_len}},
    };
    store_batch(op->v->store, steps, sizeof steps / sizeof steps[0], on_put, op);
    return OK;
}

static void on_card(void *owner, result r, slice sealed)
{
    struct trail_op *op = owner;
    if (r.err == ERR_NOT_FOUND) r = FAIL(TOKEN_NOT_FOUND);
    if (!failed(r)) r = queue(op, sealed);
    if (failed(r)) answer(op, r, SLICE_NONE);
}

static void put_start(struct trail_op *op)
{
    char room[CARD_KEY_MAX_BYTES];
    slice key = card_key((slice){op->merchant, op->merchant_len}, (slice){op->token, op->token_len}, room);
    store_get(op->v->store, STORE_CARD, key, on_card, op);
}

static void on_put(void *owner, result r)
{
    struct trail_op *op = owner;
    if (vault_tries_again(op->v, &op->tries, PUT_TRIES_MAX, &r))
        put_start(op);
    else
        answer(op, r, SLICE_NONE);
}

void vault_trail_put(struct vault *v, slice merchant, slice token, slice route, slice network_transaction_id, vault_done done, void *owner)
{
    if (!are_names(merchant, token, route)) {
        done(owner, FAIL(TOO_LARGE));
        return;
    }
    struct trail_op *op = op_new(v, merchant, token, route, owner);
    result r = op ? trail_encode(network_transaction_id, op->plain, &op->plain_len) : FAIL(MEMORY);
    if (failed(r)) {
        if (op) op_pool_give(&v->pools[POOL_TRAIL], op);
        done(owner, r);
        return;
    }
    op->put = done;
    put_start(op);
}
