/* SPDX-License-Identifier: Apache-2.0 */
#include "leaving.h"

#include "base/clock.h"
#include "base/log.h"
#include "counters.h"

#include <string.h>

enum { TRAILS_AT_ONCE = 24 };

struct leaving {
    struct vault *v;
    vault_done done;
    void *owner;
    size_t merchant_len;
    char merchant[MERCHANT_MAX_BYTES];
    struct token_id token;
    struct network_record record;
    uint8_t old[NETWORK_SEALED_MAX_BYTES]; /* as read, sealed */
    size_t old_len;                        /* 0: there is none */
    bool tells;                            /* job: it is queued with the batch */
    struct job job;
    size_t trails;
    size_t trail_len[TRAILS_AT_ONCE];
    char trail[TRAILS_AT_ONCE][STORE_KEY_MAX_BYTES];
    struct alias_list aliases;
    uint8_t old_list[ALIAS_LIST_SEALED_MAX_BYTES];
    size_t old_list_len;                   /* 0: there is none */
    char room[CARD_KEY_MAX_BYTES], ref_room[2][REF_KEY_MAX_BYTES], alias_room[ALIASES_MAX][ALIAS_KEY_MAX_BYTES];
    uint8_t plain[ALIAS_LIST_MAX_BYTES], sealed_job[JOB_RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES];
    struct count_row count;
};
_Static_assert((int)ALIAS_LIST_MAX_BYTES >= (int)NETWORK_RECORD_MAX_BYTES && (int)ALIAS_LIST_MAX_BYTES >= (int)JOB_RECORD_MAX_BYTES,
               "plain has room for each");
_Static_assert((int)TRAILS_AT_ONCE + (int)ALIASES_MAX + 20 <= (int)BATCH_STEPS_MAX, "one batch has room for all of it");

struct leaving *leaving_new(struct vault *v, slice merchant, const struct token_id *token)
{
    struct leaving *l = op_pool_take(&v->pools[POOL_LEAVING], sizeof *l);
    if (!l) return NULL;
    l->v = v;
    l->merchant_len = merchant.len;
    memcpy(l->merchant, merchant.at, merchant.len);
    l->token = *token;
    return l;
}

void leaving_free(struct leaving *l)
{
    if (l) op_pool_give(&l->v->pools[POOL_LEAVING], l);
}

static slice merchant_of(const struct leaving *l)
{
    return (slice){l->merchant, l->merchant_len};
}

/* --- reading --- */

static bool on_trail(void *owner, slice key, slice value)
{
    struct leaving *l = owner;
    char room[TRAIL_KEY_ROOM_BYTES];
    (void)value;
    if (!slice_starts(key, trail_prefix(merchant_of(l), token_id_slice(&l->token), room)) || key.len > STORE_KEY_MAX_BYTES) return false;
    memcpy(l->trail[l->trails], key.at, key.len);
    l->trail_len[l->trails++] = key.len;
    return true;
}

static void scan_trails(struct leaving *l, store_on_done on_done)
{
    char room[TRAIL_KEY_ROOM_BYTES];
    l->trails = 0;
    store_scan(l->v->store, STORE_TRAIL, trail_prefix(merchant_of(l), token_id_slice(&l->token), room), TRAILS_AT_ONCE, on_trail,
               on_done, l);
}

static void on_trails_read(void *owner, result r)
{
    struct leaving *l = owner;
    l->done(l->owner, r);
}

static result open_record(struct leaving *l, slice sealed)
{
    size_t len = 0;
    struct seal_place place = {STORE_NETWORK, merchant_of(l), token_id_slice(&l->token)};
    ENSURE(sealed.len <= sizeof l->old, VAULT_SEAL);
    TRY(vault_unseal(l->v, &place, sealed, l->plain, sizeof l->plain, &len));
    TRY(network_record_decode((slice){(char *)l->plain, len}, &l->record));
    memcpy(l->old, sealed.at, sealed.len);
    l->old_len = sealed.len;
    return OK;
}

static result open_list(struct leaving *l, slice sealed)
{
    size_t len = 0;
    struct seal_place place = {STORE_ALIASES, merchant_of(l), token_id_slice(&l->token)};
    ENSURE(sealed.len <= sizeof l->old_list, VAULT_SEAL);
    TRY(vault_unseal(l->v, &place, sealed, l->plain, sizeof l->plain, &len));
    TRY(alias_list_decode((slice){(char *)l->plain, len}, &l->aliases));
    memcpy(l->old_list, sealed.at, sealed.len);
    l->old_list_len = sealed.len;
    return OK;
}

static void on_list(void *owner, result r, slice sealed)
{
    struct leaving *l = owner;
    memset(&l->aliases, 0, sizeof l->aliases);
    l->old_list_len = 0;
    if (!failed(r)) r = open_list(l, sealed);
    if (failed(r) && r.err != ERR_NOT_FOUND)
        l->done(l->owner, r);
    else
        scan_trails(l, on_trails_read);
}

static void on_record(void *owner, result r, slice sealed)
{
    struct leaving *l = owner;
    l->old_len = 0;
    if (!failed(r)) r = open_record(l, sealed);
    if (failed(r) && r.err != ERR_NOT_FOUND)
        l->done(l->owner, r);
    else
        store_get(l->v->store, STORE_ALIASES, card_key(merchant_of(l), token_id_slice(&l->token), l->room), on_list, l);
}

void leaving_read(struct leaving *l, vault_done done, void *owner)
{
    l->done = done;
    l->owner = owner;
    store_get(l->v->store, STORE_NETWORK, card_key(merchant_of(l), token_id_slice(&l->token), l->room), on_record, l);
}

/* --- a number that goes --- */

bool leaving_has_active(const struct leaving *l)
{
    const struct network_record *record = &l->record;
    if (!l->old_len || record->state != NETWORK_ACTIVE) return false;
    return record->month == 0 || clock_wall_ms() < clock_month_end_ms(record->year, record->month);
}

void leaving_expect_record(struct leaving *l, struct batch *b)
{
    slice key = card_key(merchant_of(l), token_id_slice(&l->token), l->room);
    batch_add(b, STORE_EXPECT, STORE_NETWORK, key, (slice){(char *)l->old, l->old_len});
}

/* --- the batch --- */

static result add_job(struct leaving *l, struct batch *b)
{
    size_t len = 0, sealed_len = 0;
    struct seal_place place = {STORE_JOB, SLICE_NONE, {l->job.id, sizeof l->job.id}};
    slice network = network_padded(l->record.network, sizeof l->record.network);
    int64_t now = clock_wall_ms();
    ENSURE(l->merchant_len <= sizeof l->job.merchant, VAULT_FORMAT); /* vault_network_alter takes no longer one */
    l->job = (struct job){.token = l->token, .created_ms = now, .due_ms = now};
    TRY(vault_job_new_id(l->job.id));
    memcpy(l->job.merchant, l->merchant, l->merchant_len);
    job_set_removal(&l->job, network, network_text_slice(&l->record.ref));
    TRY(job_encode(&l->job, l->plain, &len));
    TRY(vault_seal(l->v, &place, (slice){(char *)l->plain, len}, l->sealed_job, &sealed_len));
    b->steps[b->count++] = vault_expect_ring(l->v);
    batch_add(b, STORE_PUT, STORE_JOB, place.id, (slice){(char *)l->sealed_job, sealed_len});
    return OK;
}

static result add_count(struct leaving *l, struct batch *b)
{
    struct counter_delta lost;
    if (!network_state_has_token(l->record.state)) return OK;
    counter_delta_start(&lost, merchant_of(l), SLICE_NONE);
    lost.n[COUNTER_TOKENS_LOST] = 1;
    return count_row_add(l->v, &lost, &l->count, b);
}

static void add_trails(struct leaving *l, struct batch *b)
{
    for (size_t i = 0; i < l->trails; i++) batch_add(b, STORE_DELETE, STORE_TRAIL, (slice){l->trail[i], l->trail_len[i]}, SLICE_NONE);
}

static result add_aliases(struct leaving *l, struct batch *b, slice card)
{
    batch_add(b, STORE_EXPECT, STORE_ALIASES, card, (slice){(char *)l->old_list, l->old_list_len});
    if (!l->old_list_len) return OK;
    batch_add(b, STORE_DELETE, STORE_ALIASES, card, SLICE_NONE);
    for (size_t i = 0; i < l->aliases.count; i++) {
        slice key;
        TRY(alias_key(l->v, merchant_of(l), token_id_slice(&l->aliases.at[i].alias), l->alias_room[i], &key));
        batch_add(b, STORE_DELETE, STORE_ALIAS, key, SLICE_NONE);
    }
    return OK;
}

result leaving_add(struct leaving *l, struct batch *b)
{
    slice token = token_id_slice(&l->token), key = card_key(merchant_of(l), token, l->room);
    const struct network_text *names[] = {&l->record.ref, &l->record.instrument};
    l->tells = false;
    add_trails(l, b);
    TRY(add_aliases(l, b, key));
    leaving_expect_record(l, b);
    if (!l->old_len) return OK;
    batch_add(b, STORE_DELETE, STORE_NETWORK, key, SLICE_NONE);
    for (size_t i = 0; i < 2; i++) {
        slice entry;
        if (!names[i]->len) continue;
        TRY(ref_key(l->v, network_text_slice(names[i]), key, l->ref_room[i], &entry));
        batch_add(b, STORE_DELETE, STORE_REF, entry, SLICE_NONE);
    }
    l->tells = l->record.ref.len && l->record.state != NETWORK_DELETED;
    if (!l->tells) return OK;
    TRY(add_job(l, b));
    return add_count(l, b);
}

/* --- after it --- */

static void on_swept(void *owner, result r);

static void sweep(void *owner, result r)
{
    struct leaving *l = owner;
    struct batch b = {0};
    if (failed(r)) log_failure("trails_left", r); /* without their card they serve nobody */
    if (failed(r) || !l->trails) {
        l->done(l->owner, OK);
        return;
    }
    add_trails(l, &b);
    store_batch(l->v->store, b.steps, b.count, on_swept, l);
}

static void on_swept(void *owner, result r)
{
    struct leaving *l = owner;
    if (failed(r)) {
        sweep(l, r);
    } else {
        scan_trails(l, sweep);
    }
}

void leaving_finish(struct leaving *l, vault_done done, void *owner)
{
    l->done = done;
    l->owner = owner;
    if (l->tells && l->v->on_removal) l->v->on_removal(l->v->removal_owner, &l->job);
    scan_trails(l, sweep);
}
