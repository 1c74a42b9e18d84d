/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include <assert.h>
#include <string.h>

/* make:     its aliases ─► (there is one: done) ─► card ─► a random alias that is free ─► batch that expects all that was read ─► done
 * resolve:  alias ─► done */

struct alias_op { /* secret memory */
    struct vault *v;
    int tries;
    vault_alias_callback made; /* NULL: resolve */
    vault_resolve_callback resolved;
    void *owner;
    size_t merchant_len;
    char merchant[MERCHANT_MAX_BYTES];
    struct token_id token, alias; /* resolve: what was asked is the alias */
    enum alias_format format;
    uint8_t template_len;
    char template_text[ALIAS_TEMPLATE_MAX_BYTES];
    unsigned taken; /* random ones, in a row, at this length */
    size_t longer;
    struct alias_list list;
    struct card_record record;
    uint8_t old[ALIAS_LIST_SEALED_MAX_BYTES], card[CARD_SEALED_MAX_BYTES]; /* what the batch expects */
    size_t old_len, card_len;
    char key[ALIAS_KEY_MAX_BYTES];
    uint8_t plain[ALIAS_LIST_MAX_BYTES];
};
_Static_assert((int)ALIAS_LIST_MAX_BYTES >= (int)CARD_RECORD_MAX_BYTES, "plain has room for each");

static slice merchant_of(const struct alias_op *op)
{
    return (slice){op->merchant, op->merchant_len};
}

static struct alias_wish wish_of(const struct alias_op *op)
{
    return (struct alias_wish){op->format, {op->template_text, op->template_len}};
}

static void answer(struct alias_op *op, result r, const struct token_id *what, bool fell)
{
    slice text = failed(r) ? SLICE_NONE : token_id_slice(what);
    if (op->made)
        op->made(op->owner, r, text, fell);
    else
        op->resolved(op->owner, r, text);
    op_pool_give(&op->v->pools[POOL_ALIAS], op);
}

static void fail(struct alias_op *op, result r)
{
    answer(op, r, NULL, false);
}

static result unseal(struct alias_op *op, enum store_table t, slice key, slice sealed, slice *plain)
{
    struct seal_place place;
    size_t len = 0;
    TRY(vault_place(t, key, &place));
    TRY(vault_unseal(op->v, &place, sealed, op->plain, sizeof op->plain, &len));
    *plain = (slice){(char *)op->plain, len};
    return OK;
}

/* --- resolve --- */

static result read_alias(struct alias_op *op, slice key, slice sealed)
{
    slice plain;
    struct token_id alias;
    TRY(unseal(op, STORE_ALIAS, key, sealed, &plain));
    TRY(alias_record_decode(plain, &op->token, &alias));
    ENSURE(slice_eq(token_id_slice(&alias), token_id_slice(&op->alias)), VAULT_SEAL);
    return OK;
}

static void on_alias(void *owner, result r, slice sealed)
{
    struct alias_op *op = owner;
    slice key;
    if (r.err == ERR_NOT_FOUND) r = FAIL(TOKEN_NOT_FOUND);
    if (!failed(r)) r = alias_key(op->v, merchant_of(op), token_id_slice(&op->alias), op->key, &key);
    if (!failed(r)) r = read_alias(op, key, sealed);
    answer(op, r, &op->token, false);
}

/* --- the batch --- */

static void make(struct alias_op *op);

static void on_written(void *owner, result r)
{
    struct alias_op *op = owner;
    if (vault_tries_again(op->v, &op->tries, TRIES_MAX, &r))
        make(op);
    else
        answer(op, r, &op->alias, op->longer > 0);
}

static result seal(struct alias_op *op, enum store_table t, slice key, size_t len, uint8_t *room, slice *sealed)
{
    struct seal_place place;
    size_t sealed_len = 0;
    TRY(vault_place(t, key, &place));
    TRY(vault_seal(op->v, &place, (slice){(char *)op->plain, len}, room, &sealed_len));
    *sealed = (slice){(char *)room, sealed_len};
    return OK;
}

static void add_entry(struct alias_op *op)
{
    struct alias_entry *e = &op->list.at[op->list.count++];
    *e = (struct alias_entry){.format = op->format, .fell = op->longer > 0, .template_len = op->template_len, .alias = op->alias};
    memcpy(e->template_text, op->template_text, sizeof e->template_text);
}

static result write_alias(struct alias_op *op, slice key)
{
    char room[CARD_KEY_MAX_BYTES], other[CARD_KEY_MAX_BYTES];
    uint8_t alias_room[ALIAS_SEALED_MAX_BYTES], list_room[ALIAS_LIST_SEALED_MAX_BYTES];
    slice card = card_key(merchant_of(op), token_id_slice(&op->token), room), alias, list;
    struct batch b = {0};
    TRY(seal(op, STORE_ALIAS, key, alias_record_encode(&op->token, &op->alias, op->plain), alias_room, &alias));
    add_entry(op);
    TRY(seal(op, STORE_ALIASES, card, alias_list_encode(&op->list, op->plain), list_room, &list));
    b.steps[b.count++] = vault_expect_ring(op->v);
    batch_add(&b, STORE_EXPECT, STORE_CARD, card, (slice){(char *)op->card, op->card_len});
    batch_add(&b, STORE_EXPECT, STORE_ALIASES, card, (slice){(char *)op->old, op->old_len});
    batch_add(&b, STORE_EXPECT_ABSENT, STORE_ALIAS, key, SLICE_NONE);
    batch_add(&b, STORE_EXPECT_ABSENT, STORE_CARD, card_key(merchant_of(op), token_id_slice(&op->alias), other), SLICE_NONE);
    batch_add(&b, STORE_PUT, STORE_ALIAS, key, alias);
    batch_add(&b, STORE_PUT, STORE_ALIASES, card, list);
    store_batch(op->v->store, b.steps, b.count, on_written, op);
    return OK;
}

/* --- a free one --- */

static void draw(struct alias_op *op);

static void on_drawn(void *owner, result r, slice sealed)
{
    struct alias_op *op = owner;
    slice key;
    (void)sealed;
    if (!failed(r)) { /* taken */
        draw(op);
        return;
    }
    if (r.err == ERR_NOT_FOUND) r = alias_key(op->v, merchant_of(op), token_id_slice(&op->alias), op->key, &key);
    if (!failed(r)) r = write_alias(op, key);
    if (failed(r)) fail(op, r);
}

/* Longer where it is full, never one that somebody has. */
static result draw_text(struct alias_op *op)
{
    const struct alias_wish wish = wish_of(op);
    if (op->taken++ == ALIAS_TRIES) {
        op->taken = 1;
        op->longer++;
    }
    ENSURE(op->longer <= ALIAS_LONGER_MAX, ALIAS_ROOM);
    return alias_text_make(&wish, (slice){op->record.card.number, op->record.card.number_len}, op->longer, &op->alias);
}

static void draw(struct alias_op *op)
{
    slice key;
    result r = draw_text(op);
    if (!failed(r)) r = alias_key(op->v, merchant_of(op), token_id_slice(&op->alias), op->key, &key);
    if (failed(r))
        fail(op, r);
    else
        store_get(op->v->store, STORE_ALIAS, key, on_drawn, op);
}

/* --- make --- */

static result open_card(struct alias_op *op, slice sealed)
{
    char room[CARD_KEY_MAX_BYTES];
    slice plain;
    ENSURE(sealed.len <= sizeof op->card, VAULT_SEAL);
    TRY(unseal(op, STORE_CARD, card_key(merchant_of(op), token_id_slice(&op->token), room), sealed, &plain));
    TRY(card_record_decode(plain, &op->record));
    ENSURE(op->record.state == CARD_ACTIVE, TOKEN_NO_PAN);
    memcpy(op->card, sealed.at, sealed.len);
    op->card_len = sealed.len;
    return OK;
}

static void on_card(void *owner, result r, slice sealed)
{
    struct alias_op *op = owner;
    if (r.err == ERR_NOT_FOUND) r = FAIL(TOKEN_NOT_FOUND);
    if (!failed(r)) r = open_card(op, sealed);
    if (failed(r))
        fail(op, r);
    else
        draw(op);
}

static result open_list(struct alias_op *op, slice sealed)
{
    char room[CARD_KEY_MAX_BYTES];
    slice plain;
    ENSURE(sealed.len <= sizeof op->old, VAULT_SEAL);
    TRY(unseal(op, STORE_ALIASES, card_key(merchant_of(op), token_id_slice(&op->token), room), sealed, &plain));
    TRY(alias_list_decode(plain, &op->list));
    memcpy(op->old, sealed.at, sealed.len);
    op->old_len = sealed.len;
    return OK;
}

static void on_list(void *owner, result r, slice sealed)
{
    struct alias_op *op = owner;
    char room[CARD_KEY_MAX_BYTES];
    const struct alias_wish wish = wish_of(op);
    if (!failed(r)) r = open_list(op, sealed);
    if (failed(r) && r.err != ERR_NOT_FOUND) {
        fail(op, r);
        return;
    }
    const struct alias_entry *there = alias_list_find(&op->list, &wish);
    if (there)
        answer(op, OK, &there->alias, there->fell);
    else if (op->list.count == ALIASES_MAX)
        answer(op, OK, &op->token, true);
    else
        store_get(op->v->store, STORE_CARD, card_key(merchant_of(op), token_id_slice(&op->token), room), on_card, op);
}

static void make(struct alias_op *op)
{
    char room[CARD_KEY_MAX_BYTES];
    memset(&op->list, 0, sizeof op->list);
    op->old_len = 0;
    op->taken = 0;
    store_get(op->v->store, STORE_ALIASES, card_key(merchant_of(op), token_id_slice(&op->token), room), on_list, op);
}

/* --- the calls --- */

static struct alias_op *op_new(struct vault *v, slice merchant, void *owner)
{
    assert(merchant.len >= 1 && merchant.len <= MERCHANT_MAX_BYTES);
    struct alias_op *op = op_pool_take(&v->pools[POOL_ALIAS], sizeof *op);
    if (!op) return NULL;
    op->v = v;
    op->owner = owner;
    op->merchant_len = merchant.len;
    memcpy(op->merchant, merchant.at, merchant.len);
    return op;
}

void vault_alias_make(struct vault *v, slice merchant, slice token, const struct alias_wish *wish, vault_alias_callback done, void *owner)
{
    struct token_id id;
    result r = token_id_from(token, &id) ? OK : FAIL(TOKEN_NOT_FOUND);
    if (!failed(r) && wish->template_text.len > ALIAS_TEMPLATE_MAX_BYTES) r = FAIL(TOO_LARGE);
    struct alias_op *op = failed(r) || alias_is_own_id(wish) ? NULL : op_new(v, merchant, owner);
    if (!op) {
        if (!failed(r) && !alias_is_own_id(wish)) r = FAIL(MEMORY);
        done(owner, r, failed(r) ? SLICE_NONE : token, false);
        return;
    }
    op->made = done;
    op->token = id;
    op->format = wish->format;
    if (wish->format == ALIAS_TEMPLATE) {
        op->template_len = (uint8_t)wish->template_text.len;
        memcpy(op->template_text, wish->template_text.at, wish->template_text.len);
    }
    make(op);
}

void vault_alias_resolve(struct vault *v, slice merchant, slice text, vault_resolve_callback done, void *owner)
{
    slice key;
    struct token_id id;
    if (token_id_has_form(text, TOKEN_PERMANENT) || token_id_has_form(text, TOKEN_TEMPORAL)) {
        done(owner, OK, text);
        return;
    }
    if (!token_id_from(text, &id)) {
        done(owner, FAIL(TOKEN_NOT_FOUND), SLICE_NONE);
        return;
    }
    struct alias_op *op = op_new(v, merchant, owner);
    if (!op) {
        done(owner, FAIL(MEMORY), SLICE_NONE);
        return;
    }
    op->resolved = done;
    op->alias = id;
    result r = alias_key(v, merchant, text, op->key, &key);
    if (failed(r))
        fail(op, r);
    else
        store_get(v->store, STORE_ALIAS, key, on_alias, op);
}
