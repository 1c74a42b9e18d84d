/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include "base/secret.h"
#include "bytes.h"
#include "files.h"
#include "lmdb_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Rotation while others serve. Each step may be the last before a crash; run again, it goes on where the state says:
 *
 *     1 a new newest key in the key ring file       several keys there: an earlier run got this far, its key is used
 *     2 the store's word counts up                  from here on nothing sealed under an older key can be written
 *     3 re-seal every record, in small commits      until a pass finds none under an older key
 *     4 compact into the next store folder, go on there, remove the old folder (deleted records' pages go with it)
 *     5 the older keys leave the key ring file      what is still sealed under them, anywhere, is gone for good
 *     6 the store's word counts up                  other processes forget the older keys                          */

struct rotation {
    struct vault *v;
    vault_progress progress;
    void *owner;
    uint64_t done, total, resealed;
    uint32_t newest;
    uint8_t *plain; /* secret */
};

enum { BATCH_RECORDS = 512 }; /* other writers wait for one commit of these */

/* The store's word becomes the ring's generation: every batch of any process that expects the old word conflicts. */
static result tell_generation(struct vault *v)
{
    uint8_t new[GENERATION_BYTES];
    put_u64(new, keyring_generation(v->ring));
    struct store_write steps[] = {
        vault_expect_ring(v),
        {STORE_PUT, STORE_META, meta_keyring, {(char *)new, sizeof new}},
    };
    TRY(store_commit(v->store, steps, 2));
    memcpy(v->ring_seen, new, sizeof new);
    v->ring_seen_len = sizeof new;
    return OK;
}

static result add_key(struct vault *v)
{
    if (keyring_count(v->ring) == 1) {
        TRY(keyring_add(v->ring));
        TRY(vault_save_ring(v));
    }
    CRASH_POINT("key_added");
    TRY(tell_generation(v));
    CRASH_POINT("key_told");
    return OK;
}

/* A change of the record by somebody else meanwhile conflicts, and has sealed it anew already. */
static void on_resealed(void *owner, result r)
{
    result *worst = owner;
    if (failed(r) && r.err != ERR_VAULT_CONFLICT) *worst = r;
}

struct reseal_pass {
    struct rotation *o;
    size_t queued;
    result worst;
};

static result reseal(void *owner, enum store_table t, slice key, slice value)
{
    struct reseal_pass *p = owner;
    struct rotation *o = p->o;
    struct seal_place place;
    uint8_t sealed[STORE_VALUE_MAX_BYTES];
    uint32_t version;
    size_t len = 0, sealed_len = 0;
    if (o->progress && o->done < o->total) o->progress(o->owner, ++o->done, o->total);
    if (!seal_key_version(value, &version) || version == o->newest) return OK;
    TRY(vault_place(t, key, &place));
    TRY(vault_unseal(o->v, &place, value, o->plain, STORE_VALUE_MAX_BYTES, &len));
    result r = vault_seal(o->v, &place, (slice){(char *)o->plain, len}, sealed, &sealed_len);
    secret_wipe(o->plain, len);
    TRY(r);
    struct store_write steps[] = {
        vault_expect_ring(o->v),
        {STORE_EXPECT, t, key, value},
        {STORE_PUT, t, key, {(char *)sealed, sealed_len}},
    };
    store_batch(o->v->store, steps, sizeof steps / sizeof steps[0], on_resealed, &p->worst);
    o->resealed++;
    if (++p->queued % BATCH_RECORDS == 0) {
        store_flush(o->v->store);
        CRASH_POINT("resealing");
    }
    return p->worst;
}

/* The audit trail's anchor and the CA are sealed, but stand among what is not. */
static result reseal_meta(struct reseal_pass *p, slice key)
{
    uint8_t sealed[STORE_VALUE_MAX_BYTES];
    size_t len = 0;
    result r = vault_read_now(p->o->v, STORE_META, key, sealed, sizeof sealed, &len);
    if (r.err == ERR_NOT_FOUND) return OK;
    TRY(r);
    return reseal(p, STORE_META, key, (slice){(char *)sealed, len});
}

/* Passes until one finds nothing to do: then, and since step 2, no record is under an older key. */
static result reseal_all(struct rotation *o)
{
    do {
        struct reseal_pass p = {.o = o, .worst = OK};
        o->resealed = 0;
        result r = vault_each_sealed(o->v, reseal, &p);
        if (!failed(r)) r = reseal_meta(&p, meta_anchor);
        if (!failed(r)) r = reseal_meta(&p, meta_ca);
        store_flush(o->v->store); /* before p goes: the queue points to it */
        TRY(r);
        TRY(p.worst);
    } while (o->resealed > 0);
    return OK;
}

static result count_record(void *owner, enum store_table t, slice key, slice value)
{
    (void)t;
    (void)key;
    (void)value;
    ++*(uint64_t *)owner;
    return OK;
}

static result rotate_locked(struct rotation *o)
{
    struct vault *v = o->v;
    vault_flush(v);
    TRY(vault_refresh_ring(v));
    TRY(add_key(v));
    o->newest = keyring_active(v->ring)->version;
    TRY(vault_each_sealed(v, count_record, &o->total));
    TRY(reseal_all(o));
    CRASH_POINT("resealed");
    TRY(store_lmdb_move(v->store));
    CRASH_POINT("moved");
    TRY(store_lmdb_sweep(v->store));
    CRASH_POINT("swept");
    keyring_drop_old(v->ring);
    TRY(vault_save_ring(v));
    CRASH_POINT("keys_dropped");
    return tell_generation(v);
}

static result lock_rotation(struct vault *v, int *lock)
{
    ENSURE(!v->read_only, VAULT_STORE);
    *lock = file_lock(v->folder, "rotate.lock", LOCK_EX | LOCK_NB);
    if (*lock == -1) return errno == EWOULDBLOCK ? FAIL(VAULT_BUSY) : FAIL(IO);
    return OK;
}

result vault_rotate(struct vault *v, vault_progress progress, void *owner)
{
    struct rotation o = {.v = v, .progress = progress, .owner = owner};
    int lock;
    TRY(lock_rotation(v, &lock));
    o.plain = secret_alloc(STORE_VALUE_MAX_BYTES);
    result r = o.plain ? rotate_locked(&o) : FAIL(MEMORY);
    secret_free(o.plain, STORE_VALUE_MAX_BYTES);
    (void)close(lock);
    return r;
}

/* File first, then the store's word, as with data keys: a ring from before, put back, is refused by then, and every process
 * that has the vault open reads the new one. Killed between the two, it is repaired by the next call. */
static result rotate_kek_locked(struct vault *v, bool *moved)
{
    vault_flush(v);
    TRY(vault_refresh_ring(v));
    *moved = v->under_old_key;
    if (*moved) {
        v->under_old_key = false;
        result r = vault_save_ring(v);
        v->under_old_key = failed(r);
        TRY(r);
    }
    CRASH_POINT("kek_changed");
    return tell_generation(v);
}

result vault_rotate_kek(struct vault *v, bool *moved)
{
    int lock;
    TRY(lock_rotation(v, &lock));
    result r = rotate_kek_locked(v, moved);
    (void)close(lock);
    return r;
}
