/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include "base/clock.h"
#include "leaving.h"

#include <assert.h>
#include <string.h>

/* Each call is one op: read what is there, decide, queue a batch that expects what was read. When another turn, call or process
 * was faster, the batch conflicts and the op starts again; so one PAN gets one token though two processes create it at once.
 *
 *     put:            index ─► record ─► batch ─► done      get: record ─► done
 *     change, delete: record ─► index ─► (delete: what goes with it; a number that goes: its network token) ─► batch ─► done */

enum op_kind { OP_PUT, OP_GET, OP_CHANGE, OP_DELETE };
enum index_step { INDEX_KEEP, INDEX_PUT, INDEX_DELETE };

struct op { /* secret memory */
    struct vault *v;
    enum op_kind kind;
    int tries;
    struct card_put_options options; /* OP_PUT */
    enum card_deed deed;
    union {
        vault_card_callback card;
        vault_info_callback info;
    } done;
    void *owner;
    size_t merchant_len;
    char merchant[MERCHANT_MAX_BYTES];
    struct token_id token;
    struct card_change change;
    struct card asked;         /* OP_PUT */
    struct card_record record; /* as read, then as it shall be */
    struct card_info info;
    uint8_t index[KEYRING_INDEX_BYTES];
    struct token_id indexed;   /* what the index says; len 0: nothing */
    uint8_t old[CARD_SEALED_MAX_BYTES]; /* the record as read, sealed: what the batch expects */
    size_t old_len;
    bool removes_pan;          /* OP_CHANGE: of a card that has one */
    enum index_step index_step; /* while what goes with the card, or must be there without its number, is read */
    struct leaving *leaving;
    uint8_t plain[CARD_RECORD_MAX_BYTES];
};

/* --- ops --- */

static struct op *op_new(struct vault *v, enum op_kind kind, slice merchant, void *owner)
{
    struct op *op = op_pool_take(&v->pools[POOL_CARD], sizeof *op);
    if (!op) return NULL;
    op->v = v;
    op->kind = kind;
    op->owner = owner;
    op->merchant_len = merchant.len;
    memcpy(op->merchant, merchant.at, merchant.len);
    return op;
}

static void op_free(struct op *op)
{
    leaving_free(op->leaving);
    op_pool_give(&op->v->pools[POOL_CARD], op);
}

static slice merchant_of(const struct op *op)
{
    return (slice){op->merchant, op->merchant_len};
}

static void op_answer(void *owner, result r)
{
    struct op *op = owner;
    bool good = !failed(r);
    if (good) card_record_info(&op->record, &op->token, &op->info);
    if (op->kind == OP_GET) {
        op->done.card(op->owner, r, good ? &op->record.card : NULL, good ? &op->info : NULL);
    } else {
        op->done.info(op->owner, r, good ? &op->info : NULL, good ? op->deed : CARD_FOUND);
    }
    op_free(op);
}

/* --- records --- */

static struct seal_place place_of(const struct op *op)
{
    return (struct seal_place){STORE_CARD, merchant_of(op), token_id_slice(&op->token)};
}

static result open_record(struct op *op, slice sealed)
{
    size_t len = 0;
    struct seal_place place = place_of(op);
    ENSURE(sealed.len <= sizeof op->old, VAULT_SEAL);
    TRY(vault_unseal(op->v, &place, sealed, op->plain, sizeof op->plain, &len));
    result r = card_record_decode((slice){(char *)op->plain, len}, &op->record);
    if (failed(r) || op->kind == OP_GET) return r;
    memcpy(op->old, sealed.at, sealed.len);
    op->old_len = sealed.len;
    return OK;
}

static result seal_new_record(struct op *op, uint8_t out[CARD_SEALED_MAX_BYTES], slice *sealed)
{
    size_t len = card_record_encode(&op->record, op->plain), sealed_len = 0;
    struct seal_place place = place_of(op);
    TRY(vault_seal(op->v, &place, (slice){(char *)op->plain, len}, out, &sealed_len));
    *sealed = (slice){(char *)out, sealed_len};
    return OK;
}

static slice index_key(const struct op *op)
{
    return (slice){(const char *)op->index, sizeof op->index};
}

static result find_index(struct op *op, const struct card *card)
{
    return keyring_index(op->v->ring, merchant_of(op), (slice){card->number, card->number_len}, op->index);
}

/* --- writing --- */

static void op_start(struct op *op);

static void on_written(void *owner, result r)
{
    struct op *op = owner;
    if (vault_tries_again(op->v, &op->tries, TRIES_MAX, &r)) {
        op_start(op);
    } else if (!failed(r) && op->kind == OP_DELETE) {
        leaving_finish(op->leaving, op_answer, op);
    } else {
        op_answer(op, r);
    }
}

/* Queues the record as it stands in op, in place of what was read (old_len 0: nothing), and what becomes of its index entry. */
static result write_record(struct op *op, enum index_step index)
{
    char room[CARD_KEY_MAX_BYTES];
    uint8_t sealed_room[CARD_SEALED_MAX_BYTES];
    slice key = card_key(merchant_of(op), token_id_slice(&op->token), room), sealed = SLICE_NONE;
    struct batch b = {0};
    if (op->kind != OP_DELETE) {
        TRY(seal_new_record(op, sealed_room, &sealed));
        b.steps[b.count++] = vault_expect_ring(op->v);
        if (op->removes_pan) leaving_expect_record(op->leaving, &b);
    } else {
        TRY(leaving_add(op->leaving, &b));
    }
    batch_add(&b, STORE_EXPECT, STORE_CARD, key, (slice){(char *)op->old, op->old_len});
    batch_add(&b, op->kind == OP_DELETE ? STORE_DELETE : STORE_PUT, STORE_CARD, key, sealed);
    if (index != INDEX_KEEP) {
        batch_add(&b, STORE_EXPECT, STORE_INDEX, index_key(op), token_id_slice(&op->indexed));
        batch_add(&b, index == INDEX_PUT ? STORE_PUT : STORE_DELETE, STORE_INDEX, index_key(op),
                  index == INDEX_PUT ? token_id_slice(&op->token) : SLICE_NONE);
    }
    store_batch(op->v->store, b.steps, b.count, on_written, op);
    return OK;
}

static void write_or_fail(struct op *op, enum index_step index)
{
    result r = write_record(op, index);
    if (failed(r)) op_answer(op, r);
}

/* --- put --- */

static result fill_new(struct op *op)
{
    TRY(token_id_make(TOKEN_PERMANENT, &op->token));
    memset(&op->record, 0, sizeof op->record);
    op->record.card = op->asked;
    op->record.indexed = !op->options.unique;
    op->record.state = CARD_ACTIVE;
    op->record.created_ms = op->record.updated_ms = clock_wall_ms();
    card_mask(&op->asked, &op->record.mask);
    op->old_len = 0;
    op->deed = CARD_CREATED;
    return OK;
}

static void put_new(struct op *op)
{
    result r = fill_new(op);
    if (failed(r)) {
        op_answer(op, r);
        return;
    }
    write_or_fail(op, op->options.unique ? INDEX_KEEP : INDEX_PUT);
}

static slice number_of(const struct card *c)
{
    return (slice){c->number, c->number_len};
}

static bool expires_later(const struct card *a, const struct card *b)
{
    return a->year != b->year ? a->year > b->year : a->month > b->month;
}

/* Brings expiry and holder up to date, as far as they were given; false: nothing new. An earlier expiry is old news. */
static bool merge_card(struct card *to, const struct card *from)
{
    bool changed = false;
    if (from->month && expires_later(from, to)) {
        to->month = from->month;
        to->year = from->year;
        changed = true;
    }
    if (from->holder_len && !slice_eq((slice){from->holder, from->holder_len}, (slice){to->holder, to->holder_len})) {
        memcpy(to->holder, from->holder, sizeof to->holder);
        to->holder_len = from->holder_len;
        changed = true;
    }
    return changed;
}

static void on_put_record(void *owner, result r, slice sealed)
{
    struct op *op = owner;
    if (r.err == ERR_NOT_FOUND) { /* deleted between the two reads (the batch will conflict), or an entry that leads nowhere */
        put_new(op);
        return;
    }
    if (!failed(r)) r = open_record(op, sealed);
    /* The index is not sealed: whatever it says, only the record itself proves that this token is this card's. */
    if (!failed(r) && (op->record.state != CARD_ACTIVE || !slice_eq_secret(number_of(&op->record.card), number_of(&op->asked))))
        r = FAIL(VAULT_SEAL);
    if (failed(r) || !op->options.may_change || !merge_card(&op->record.card, &op->asked)) {
        op_answer(op, r);
        return;
    }
    op->deed = CARD_CHANGED;
    op->record.updated_ms = clock_wall_ms();
    write_or_fail(op, INDEX_KEEP);
}

static void on_put_index(void *owner, result r, slice token)
{
    struct op *op = owner;
    char room[CARD_KEY_MAX_BYTES];
    op->indexed.len = 0;
    if (r.err == ERR_NOT_FOUND) {
        put_new(op);
        return;
    }
    if (!failed(r) && !token_id_from(token, &op->indexed)) r = FAIL(VAULT_FORMAT);
    if (failed(r)) {
        op_answer(op, r);
        return;
    }
    op->token = op->indexed;
    op->deed = CARD_FOUND;
    store_get(op->v->store, STORE_CARD, card_key(merchant_of(op), token_id_slice(&op->token), room), on_put_record, op);
}

static void put_start(struct op *op)
{
    if (op->options.unique) {
        put_new(op);
        return;
    }
    result r = find_index(op, &op->asked);
    if (failed(r)) {
        op_answer(op, r);
        return;
    }
    store_get(op->v->store, STORE_INDEX, index_key(op), on_put_index, op);
}

/* --- get, change, delete --- */

static void on_leaving(void *owner, result r)
{
    struct op *op = owner;
    if (!failed(r) && op->removes_pan && !leaving_has_active(op->leaving)) r = FAIL(NETWORK_TOKEN_NEEDED);
    if (failed(r))
        op_answer(op, r);
    else
        write_or_fail(op, op->index_step);
}

/* A change is written; before a delete, what goes with the card is read, and before its number goes, what is left to be paid with. */
static void write_or_leave(struct op *op, enum index_step index)
{
    if (op->kind != OP_DELETE && !op->removes_pan) {
        write_or_fail(op, index);
        return;
    }
    op->index_step = index;
    if (!op->leaving) op->leaving = leaving_new(op->v, merchant_of(op), &op->token);
    if (op->leaving)
        leaving_read(op->leaving, on_leaving, op);
    else
        op_answer(op, FAIL(MEMORY));
}

static void on_alter_index(void *owner, result r, slice token)
{
    struct op *op = owner;
    op->indexed.len = 0;
    if (!failed(r) && !token_id_from(token, &op->indexed)) r = FAIL(VAULT_FORMAT);
    if (failed(r) && r.err != ERR_NOT_FOUND) {
        op_answer(op, r);
        return;
    }
    bool ours = slice_eq(token_id_slice(&op->indexed), token_id_slice(&op->token));
    write_or_leave(op, ours ? INDEX_DELETE : INDEX_KEEP);
}

static void apply_change(struct card_record *r, const struct card_change *c)
{
    if (c->set_expiry) {
        r->card.month = c->month;
        r->card.year = c->year;
    }
    if (c->set_holder) {
        memcpy(r->card.holder, c->holder, sizeof r->card.holder);
        r->card.holder_len = c->holder_len;
    }
    if (c->remove_pan && r->state == CARD_ACTIVE) card_record_remove_pan(r);
    r->updated_ms = clock_wall_ms();
}

static void alter(struct op *op)
{
    op->removes_pan = op->kind == OP_CHANGE && op->change.remove_pan && op->record.state == CARD_ACTIVE;
    bool leaves_index = op->record.indexed && (op->kind == OP_DELETE || op->change.remove_pan);
    result r = leaves_index ? find_index(op, &op->record.card) : OK;
    if (failed(r)) {
        op_answer(op, r);
        return;
    }
    if (op->kind == OP_CHANGE) apply_change(&op->record, &op->change);
    if (leaves_index) {
        store_get(op->v->store, STORE_INDEX, index_key(op), on_alter_index, op);
    } else {
        write_or_leave(op, INDEX_KEEP);
    }
}

static void on_record(void *owner, result r, slice sealed)
{
    struct op *op = owner;
    if (r.err == ERR_NOT_FOUND) r = FAIL(TOKEN_NOT_FOUND);
    if (!failed(r)) r = open_record(op, sealed);
    if (failed(r) || op->kind == OP_GET) {
        op_answer(op, r);
        return;
    }
    alter(op);
}

static void op_start(struct op *op)
{
    char room[CARD_KEY_MAX_BYTES];
    if (op->kind == OP_PUT) {
        put_start(op);
        return;
    }
    store_get(op->v->store, STORE_CARD, card_key(merchant_of(op), token_id_slice(&op->token), room), on_record, op);
}

/* --- the calls --- */

static bool is_merchant(slice merchant)
{
    return merchant.len >= 1 && merchant.len <= MERCHANT_MAX_BYTES;
}

void vault_card_put(struct vault *v, slice merchant, const struct card *card, struct card_put_options options,
                    vault_info_callback done, void *owner)
{
    assert(is_merchant(merchant) && card->number_len >= PAN_MIN_DIGITS);
    struct op *op = op_new(v, OP_PUT, merchant, owner);
    if (!op) {
        done(owner, FAIL(MEMORY), NULL, CARD_FOUND);
        return;
    }
    op->done.info = done;
    op->asked = *card;
    op->options = options;
    op_start(op);
}

void vault_card_get(struct vault *v, slice merchant, slice token, vault_card_callback done, void *owner)
{
    struct token_id id;
    assert(is_merchant(merchant));
    struct op *op = token_id_from(token, &id) ? op_new(v, OP_GET, merchant, owner) : NULL;
    if (!op) {
        done(owner, token_id_from(token, &id) ? FAIL(MEMORY) : FAIL(TOKEN_NOT_FOUND), NULL, NULL);
        return;
    }
    op->done.card = done;
    op->token = id;
    op_start(op);
}

static void start_alter(struct vault *v, enum op_kind kind, slice merchant, slice token, const struct card_change *change,
                        vault_info_callback done, void *owner)
{
    struct token_id id;
    assert(is_merchant(merchant));
    if (!token_id_from(token, &id)) {
        done(owner, FAIL(TOKEN_NOT_FOUND), NULL, CARD_FOUND);
        return;
    }
    struct op *op = op_new(v, kind, merchant, owner);
    if (!op) {
        done(owner, FAIL(MEMORY), NULL, CARD_FOUND);
        return;
    }
    op->done.info = done;
    op->token = id;
    if (change) op->change = *change;
    op_start(op);
}

void vault_card_change(struct vault *v, slice merchant, slice token, const struct card_change *change, vault_info_callback done, void *owner)
{
    assert(change->holder_len <= HOLDER_MAX_BYTES && change->month <= 12);
    start_alter(v, OP_CHANGE, merchant, token, change, done, owner);
}

void vault_card_delete(struct vault *v, slice merchant, slice token, vault_info_callback done, void *owner)
{
    start_alter(v, OP_DELETE, merchant, token, NULL, done, owner);
}
