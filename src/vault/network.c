/* SPDX-License-Identifier: Apache-2.0 */
#include "counters.h"

#include <assert.h>
#include <string.h>

/* get:   record ─► card is there ─► done
 * alter: record ─► card, as it is sealed ─► decide ─► batch that expects both ─► done; on a conflict from the start
 *
 * The record is read first: what was read then belongs to a card that was there after it. */

enum { ALTER_TRIES_MAX = 256 }; /* each conflict is somebody else's success: many payments with one card may meet in one turn */

struct network_op { /* secret memory */
    struct vault *v;
    int tries;
    vault_network_decide decide; /* NULL: get */
    vault_network_callback done;
    void *owner;
    size_t merchant_len;
    char merchant[MERCHANT_MAX_BYTES];
    struct token_id token;
    struct network_record before, record; /* as read; as it shall be */
    uint8_t old[NETWORK_SEALED_MAX_BYTES], card[CARD_SEALED_MAX_BYTES]; /* what the batch expects */
    size_t old_len, card_len;
    uint8_t plain[EVENT_RECORD_MAX_BYTES];
};
_Static_assert((int)EVENT_RECORD_MAX_BYTES >= (int)NETWORK_RECORD_MAX_BYTES && (int)EVENT_RECORD_MAX_BYTES >= (int)JOB_RECORD_MAX_BYTES,
               "plain has room for each");

static slice merchant_of(const struct network_op *op)
{
    return (slice){op->merchant, op->merchant_len};
}

static void op_answer(struct network_op *op, result r)
{
    op->done(op->owner, r, failed(r) ? NULL : &op->record);
    op_pool_give(&op->v->pools[POOL_NETWORK], op);
}

/* --- writing --- */

struct rooms { /* what the steps of a batch point to until it is queued */
    char key[CARD_KEY_MAX_BYTES], ref_key[4][REF_KEY_MAX_BYTES], event_key[NETWORK_EVENTS_MAX][EVENT_KEY_BYTES];
    uint8_t record[NETWORK_SEALED_MAX_BYTES], job[JOB_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES];
    uint8_t event[NETWORK_EVENTS_MAX][EVENT_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES];
    size_t ref_keys;
    struct count_row count;
};

/* Seals what stands in op->plain and adds its put. */
static result add_sealed(struct network_op *op, struct batch *b, enum store_table t, slice key, size_t len, uint8_t *room)
{
    struct seal_place place;
    size_t sealed_len = 0;
    TRY(vault_place(t, key, &place));
    TRY(vault_seal(op->v, &place, (slice){(char *)op->plain, len}, room, &sealed_len));
    batch_add(b, STORE_PUT, t, key, (slice){(char *)room, sealed_len});
    return OK;
}

static bool is_named(const struct network_record *r, slice name)
{
    return slice_eq(network_text_slice(&r->ref), name) || slice_eq(network_text_slice(&r->instrument), name);
}

/* For each name that one record has and the other has not. */
static result add_refs(struct network_op *op, struct batch *b, enum store_step step, const struct network_record *has,
                       const struct network_record *has_not, struct rooms *rooms, slice key)
{
    const struct network_text *names[] = {&has->ref, &has->instrument};
    for (size_t i = 0; i < 2; i++) {
        slice name = network_text_slice(names[i]), entry;
        if (!name.len || is_named(has_not, name)) continue;
        TRY(ref_key(op->v, name, key, rooms->ref_key[rooms->ref_keys++], &entry));
        batch_add(b, step, STORE_REF, entry, step == STORE_PUT ? SLICE("\1") : SLICE_NONE);
    }
    return OK;
}

static result add_record(struct network_op *op, struct batch *b, struct rooms *rooms, slice key)
{
    size_t len = 0;
    TRY(network_record_encode(&op->record, op->plain, &len));
    TRY(add_sealed(op, b, STORE_NETWORK, key, len, rooms->record));
    TRY(add_refs(op, b, STORE_DELETE, &op->before, &op->record, rooms, key));
    return add_refs(op, b, STORE_PUT, &op->record, &op->before, rooms, key);
}

static result add_events(struct network_op *op, struct batch *b, const struct network_change *change, struct rooms *rooms)
{
    for (size_t i = 0; i < change->event_count; i++) {
        size_t len = 0;
        event_key(&change->events[i], rooms->event_key[i]);
        TRY(event_encode(&change->events[i], op->plain, &len));
        TRY(add_sealed(op, b, STORE_EVENT, (slice){rooms->event_key[i], EVENT_KEY_BYTES}, len, rooms->event[i]));
    }
    return OK;
}

static void on_altered(void *owner, result r);

static result write_change(struct network_op *op, const struct network_change *change)
{
    struct rooms rooms;
    struct batch b = {0};
    size_t len = 0;
    slice key = card_key(merchant_of(op), token_id_slice(&op->token), rooms.key);
    ENSURE(change->event_count <= NETWORK_EVENTS_MAX, TOO_LARGE);
    rooms.ref_keys = 0;
    b.steps[b.count++] = vault_expect_ring(op->v);
    batch_add(&b, STORE_EXPECT, STORE_CARD, key, (slice){(char *)op->card, op->card_len});
    batch_add(&b, STORE_EXPECT, STORE_NETWORK, key, (slice){(char *)op->old, op->old_len});
    if (change->write) TRY(add_record(op, &b, &rooms, key));
    if (change->done_job) batch_add(&b, STORE_DELETE, STORE_JOB, *change->done_job, SLICE_NONE);
    if (change->add) {
        TRY(job_encode(change->add, op->plain, &len));
        TRY(add_sealed(op, &b, STORE_JOB, (slice){change->add->id, JOB_ID_BYTES}, len, rooms.job));
    }
    TRY(add_events(op, &b, change, &rooms));
    if (change->count) TRY(count_row_add(op->v, change->count, &rooms.count, &b));
    store_batch(op->v->store, b.steps, b.count, on_altered, op);
    return OK;
}

static void decide(struct network_op *op)
{
    struct network_change change = {0};
    op->record = op->before;
    op->decide(op->owner, &op->record, &change);
    if (!change.write) op->record = op->before;
    if (change.write && op->record.revision <= op->before.revision) op->record.revision = op->before.revision + 1;
    if (!change.write && !change.add && !change.done_job && !change.event_count && !change.count) {
        op_answer(op, OK);
        return;
    }
    result r = write_change(op, &change);
    if (failed(r)) op_answer(op, r);
}

/* --- reading --- */

static void on_card(void *owner, result r, slice sealed)
{
    struct network_op *op = owner;
    if (r.err == ERR_NOT_FOUND) r = FAIL(TOKEN_NOT_FOUND);
    if (!failed(r) && sealed.len > sizeof op->card) r = FAIL(VAULT_FORMAT);
    if (failed(r) || !op->decide) {
        op->record = op->before;
        op_answer(op, r);
        return;
    }
    memcpy(op->card, sealed.at, sealed.len);
    op->card_len = sealed.len;
    decide(op);
}

static result open_record(struct network_op *op, slice sealed)
{
    size_t len = 0;
    struct seal_place place = {STORE_NETWORK, merchant_of(op), token_id_slice(&op->token)};
    ENSURE(sealed.len <= sizeof op->old, VAULT_SEAL);
    TRY(vault_unseal(op->v, &place, sealed, op->plain, sizeof op->plain, &len));
    TRY(network_record_decode((slice){(char *)op->plain, len}, &op->before));
    memcpy(op->old, sealed.at, sealed.len);
    op->old_len = sealed.len;
    return OK;
}

static void on_record(void *owner, result r, slice sealed)
{
    struct network_op *op = owner;
    char room[CARD_KEY_MAX_BYTES];
    memset(&op->before, 0, sizeof op->before);
    op->old_len = 0;
    if (!failed(r)) r = open_record(op, sealed);
    if (failed(r) && r.err != ERR_NOT_FOUND)
        op_answer(op, r);
    else
        store_get(op->v->store, STORE_CARD, card_key(merchant_of(op), token_id_slice(&op->token), room), on_card, op);
}

static void op_start(struct network_op *op)
{
    char room[CARD_KEY_MAX_BYTES];
    store_get(op->v->store, STORE_NETWORK, card_key(merchant_of(op), token_id_slice(&op->token), room), on_record, op);
}

static void on_altered(void *owner, result r)
{
    struct network_op *op = owner;
    if (vault_tries_again(op->v, &op->tries, ALTER_TRIES_MAX, &r))
        op_start(op);
    else
        op_answer(op, r);
}

/* --- the calls --- */

static void start(struct vault *v, slice merchant, slice token, vault_network_decide decide_or_null, vault_network_callback done, void *owner)
{
    struct token_id id;
    assert(merchant.len >= 1 && merchant.len <= MERCHANT_MAX_BYTES);
    if (!token_id_from(token, &id)) {
        done(owner, FAIL(TOKEN_NOT_FOUND), NULL);
        return;
    }
    struct network_op *op = op_pool_take(&v->pools[POOL_NETWORK], sizeof *op);
    if (!op) {
        done(owner, FAIL(MEMORY), NULL);
        return;
    }
    op->v = v;
    op->decide = decide_or_null;
    op->done = done;
    op->owner = owner;
    op->token = id;
    op->merchant_len = merchant.len;
    memcpy(op->merchant, merchant.at, merchant.len);
    op_start(op);
}

void vault_network_get(struct vault *v, slice merchant, slice token, vault_network_callback done, void *owner)
{
    start(v, merchant, token, NULL, done, owner);
}

void vault_network_alter(struct vault *v, slice merchant, slice token, vault_network_decide decide_, vault_network_callback done, void *owner)
{
    if (merchant.len > NETWORK_MERCHANT_MAX_BYTES)
        done(owner, FAIL(TOO_LARGE), NULL);
    else
        start(v, merchant, token, decide_, done, owner);
}
