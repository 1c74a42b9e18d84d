/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include "base/log.h"
#include "bytes.h"
#include "counters.h"
#include "files.h"
#include "vault/store_lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const slice meta_keyring = {"keyring", 7}, meta_keys = {"keys", 4}, meta_anchor = {"anchor", 6}, meta_resends = {"resends", 7},
            meta_ca = {"ca", 2};
static const char init_marker[] = "INIT"; /* there while vault_init works: what a killed one left may be thrown away */
enum { SEALS_AT_ONCE = 4096, SEALS_KEY_BYTES = 16 };
static const uint64_t seals_max = (uint64_t)1 << 32;

/* --- the key ring and the store's word on it --- */

struct now {
    uint8_t *out;
    size_t cap, *len;
    result r;
};

static void on_now(void *owner, result r, slice value)
{
    struct now *n = owner;
    n->r = !failed(r) && value.len > n->cap ? FAIL(VAULT_FORMAT) : r;
    if (failed(n->r)) return;
    memcpy(n->out, value.at, value.len);
    *n->len = value.len;
}

result vault_read_now(struct vault *v, enum store_table t, slice key, uint8_t *out, size_t cap, size_t *len)
{
    struct now n = {out, cap, len, FAIL(VAULT_STORE)};
    store_get(v->store, t, key, on_now, &n);
    return n.r;
}

static result load_ring(struct vault *v, struct keyring **out)
{
    result r = keyring_load(v->folder, v->kek, out);
    if (r.err == ERR_VAULT_KEY && v->old_kek) {
        r = keyring_load(v->folder, v->old_kek, out);
        v->under_old_key = !failed(r);
        if (r.err != ERR_VAULT_KEY) return r;
        r = keyring_load(v->folder, v->kek, out); /* vault_rotate_kek came between the two */
    }
    if (failed(r)) return r;
    v->under_old_key = false;
    kek_free(v->old_kek); /* it has done its work */
    v->old_kek = NULL;
    return OK;
}

static result reload_ring(struct vault *v)
{
    struct keyring *ring;
    TRY(load_ring(v, &ring));
    keyring_free(v->ring);
    v->ring = ring;
    return OK;
}

result vault_refresh_ring(struct vault *v)
{
    uint8_t seen[GENERATION_BYTES];
    size_t len = 0;
    uint64_t version = store_version(v->store);
    result r = vault_read_now(v, STORE_META, meta_keyring, seen, sizeof seen, &len);
    if (r.err == ERR_NOT_FOUND) r = OK;
    TRY(r);
    ENSURE(len == 0 || len == sizeof seen, VAULT_FORMAT);
    uint64_t generation = len ? get_u64(seen) : 0;
    bool changed = !slice_eq((slice){v->ring_seen, v->ring_seen_len}, (slice){(char *)seen, len});
    if (!v->ring || changed) TRY(reload_ring(v));
    /* The file is written first, the store's word after it; a file that is behind was put back from an old copy. */
    ENSURE(keyring_generation(v->ring) >= generation, VAULT_RING_OLD);
    memcpy(v->ring_seen, seen, len);
    v->ring_seen_len = len;
    v->ring_version = version;
    return OK;
}

result vault_save_ring(struct vault *v)
{
    return keyring_save(v->ring, v->folder, v->under_old_key ? v->old_kek : v->kek);
}

struct store_write vault_expect_ring(const struct vault *v)
{
    return (struct store_write){STORE_EXPECT, STORE_META, meta_keyring, {v->ring_seen, v->ring_seen_len}};
}

bool vault_tries_again(struct vault *v, int *tries, int tries_max, result *r)
{
    if (r->err != ERR_VAULT_CONFLICT || ++*tries >= tries_max) return false;
    result ring = vault_refresh_ring(v);
    if (failed(ring)) *r = ring;
    return !failed(ring);
}

void batch_add(struct batch *b, enum store_step step, enum store_table table, slice key, slice value)
{
    assert(b->count < BATCH_STEPS_MAX);
    b->steps[b->count++] = (struct store_write){step, table, key, value};
}

/* --- sealing --- */

static slice seals_key(uint32_t version, uint8_t room[SEALS_KEY_BYTES])
{
    memcpy(room, "seals.", 6);
    put_u32(room + 6, version);
    return (slice){(char *)room, 10};
}

result vault_seals_used(struct vault *v, uint32_t version, uint64_t *used, uint64_t *max)
{
    uint8_t room[SEALS_KEY_BYTES], value[8];
    size_t len = 0;
    result r = vault_read_now(v, STORE_META, seals_key(version, room), value, sizeof value, &len);
    if (failed(r) && r.err != ERR_NOT_FOUND) return r;
    *used = len == sizeof value ? get_u64(value) : 0;
    *max = seals_max;
    return OK;
}

struct reservation { /* the batch that takes a block of seals off the key's allowance, and the room its slices point to */
    uint8_t key_room[SEALS_KEY_BYTES], old[8], new[8];
    struct store_write steps[2];
};

static result prepare_reservation(struct vault *v, uint32_t version, struct reservation *out)
{
    size_t len = 0;
    slice key = seals_key(version, out->key_room);
    result r = vault_read_now(v, STORE_META, key, out->old, sizeof out->old, &len);
    if (r.err == ERR_NOT_FOUND) r = OK;
    TRY(r);
    uint64_t used = len == sizeof out->old ? get_u64(out->old) : 0;
    ENSURE(used <= seals_max - SEALS_AT_ONCE, VAULT_KEY_SPENT);
    put_u64(out->new, used + SEALS_AT_ONCE);
    out->steps[0] = (struct store_write){STORE_EXPECT, STORE_META, key, {(char *)out->old, len}};
    out->steps[1] = (struct store_write){STORE_PUT, STORE_META, key, {(char *)out->new, sizeof out->new}};
    return OK;
}

/* The count is kept in the store, in blocks: over processes and crashes, and without a write for each seal. */
static result reserve_seals(struct vault *v, uint32_t version)
{
    struct reservation b;
    result r;
    do { /* a conflict: another process took its block */
        TRY(prepare_reservation(v, version, &b));
        r = store_commit(v->store, b.steps, 2);
    } while (r.err == ERR_VAULT_CONFLICT);
    TRY(r);
    v->seals_version = version;
    v->seals_left = SEALS_AT_ONCE;
    return OK;
}

static void on_reserved(void *owner, result r)
{
    struct vault *v = owner;
    v->reserving = false;
    if (!failed(r) && keyring_active(v->ring)->version == v->seals_version) v->seals_left += SEALS_AT_ONCE;
}

/* Ahead of need, so that a seal hardly ever waits for the disk. */
static void top_up_seals(struct vault *v)
{
    struct reservation b;
    uint32_t version = keyring_active(v->ring)->version;
    if (v->reserving || v->seals_version != version || v->seals_left > SEALS_AT_ONCE / 2) return;
    if (failed(prepare_reservation(v, version, &b))) return; /* told by the seal that finds nothing left */
    v->reserving = true;
    store_batch(v->store, b.steps, 2, on_reserved, v);
}

result vault_seal(struct vault *v, const struct seal_place *place, slice plain, uint8_t *out, size_t *out_len)
{
    struct data_key *key = keyring_active(v->ring);
    if (v->seals_left == 0 || v->seals_version != key->version) TRY(reserve_seals(v, key->version));
    v->seals_left--;
    TRY(seal_record(&key->gcm, key->version, place, plain, out));
    *out_len = plain.len + SEAL_OVERHEAD_BYTES;
    return OK;
}

result vault_unseal(struct vault *v, const struct seal_place *place, slice sealed, uint8_t *out, size_t cap, size_t *len)
{
    uint32_t version;
    ENSURE(seal_key_version(sealed, &version), VAULT_SEAL);
    struct data_key *key = keyring_find(v->ring, version);
    if (!key) { /* sealed by a process that knows a newer ring */
        TRY(reload_ring(v));
        key = keyring_find(v->ring, version);
    }
    ENSURE(key != NULL, VAULT_SEAL);
    return seal_open(&key->gcm, place, sealed, out, cap, len);
}

/* --- making --- */

static bool copy_path(slice path, char out[PATH_MAX])
{
    if (path.len == 0 || path.len >= PATH_MAX - 64) return false;
    memcpy(out, path.at, path.len);
    out[path.len] = '\0';
    return true;
}

static result may_init(int folder)
{
    bool marker, yes;
    TRY(file_exists(folder, init_marker, &marker));
    if (marker) return OK;
    static const char *const names[] = {"CURRENT", "keyring", "audit.log", "store.1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        TRY(file_exists(folder, names[i], &yes));
        ENSURE(!yes, VAULT_EXISTS);
    }
    return OK;
}

static result fill_folder(int folder, const char *path, struct kek *kek, uint64_t size_bytes)
{
    struct keyring *ring;
    TRY(file_replace(folder, init_marker, SLICE_NONE));
    TRY(keyring_new(&ring));
    result r = keyring_save(ring, folder, kek);
    keyring_free(ring);
    TRY(r);
    TRY(audit_create(folder));
    TRY(store_lmdb_create(folder, path, size_bytes));
    ENSURE(unlinkat(folder, init_marker, 0) == 0, IO);
    return file_sync(folder, ".");
}

result vault_init(const struct vault_options *o, bool *key_made)
{
    char path[PATH_MAX];
    struct kek *kek;
    *key_made = false;
    ENSURE(copy_path(o->path, path), IO);
    TRY(file_make_path(o->path));
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ENSURE(folder != -1, IO);
    result r = fchmod(folder, 0700) == 0 ? may_init(folder) : FAIL(IO);
    if (!failed(r)) r = kek_make_file(o->key, key_made);
    if (!failed(r)) r = kek_read(o->key, &kek);
    if (!failed(r)) {
        r = fill_folder(folder, path, kek, o->size_bytes);
        kek_free(kek);
    }
    (void)close(folder);
    return r;
}

/* --- opening --- */

/* LMDB's locks belong to the process: a second environment on the same file would drop those of the first when it closes. */
static struct {
    dev_t device;
    ino_t inode;
} open_vaults[8];
enum { OPEN_VAULTS = sizeof open_vaults / sizeof open_vaults[0] };

static result note_open(int folder)
{
    struct stat st;
    ENSURE(fstat(folder, &st) == 0, IO);
    size_t room = OPEN_VAULTS;
    for (size_t i = 0; i < OPEN_VAULTS; i++) {
        ENSURE(open_vaults[i].inode != st.st_ino || open_vaults[i].device != st.st_dev, VAULT_BUSY);
        if (open_vaults[i].inode == 0) room = i;
    }
    ENSURE(room < OPEN_VAULTS, VAULT_BUSY);
    open_vaults[room].device = st.st_dev;
    open_vaults[room].inode = st.st_ino;
    return OK;
}

static void forget_open(int folder)
{
    struct stat st;
    if (fstat(folder, &st) == -1) return;
    for (size_t i = 0; i < OPEN_VAULTS; i++)
        if (open_vaults[i].inode == st.st_ino && open_vaults[i].device == st.st_dev) open_vaults[i].inode = 0;
}

/* The old key is asked for only where it is needed, so it may be gone once the key ring is under the new one. */
static result open_ring(struct vault *v, const struct vault_options *o)
{
    result r = vault_refresh_ring(v);
    if (r.err == ERR_VAULT_KEY && o->old_key.len) {
        TRY(kek_read(o->old_key, &v->old_kek));
        r = vault_refresh_ring(v);
    }
    TRY(r);
    if (o->serves && v->under_old_key)
        log_plain(LOG_LEVEL_WARN, "vault_old_key", "the key ring is under vault.old_key; run 'cardveil vault rotate --kek'");
    else if (o->serves && o->old_key.len)
        log_plain(LOG_LEVEL_WARN, "vault_old_key", "the key ring is under vault.key; take vault.old_key out of the configuration");
    return OK;
}

static result open_parts(struct vault *v, const struct vault_options *o)
{
    bool marker;
    TRY(file_exists(v->folder, init_marker, &marker));
    ENSURE(!marker, VAULT_MISSING);
    TRY(kek_read(o->key, &v->kek));
    TRY(store_lmdb_open(v->folder, v->path, o->size_bytes, o->read_only, &v->store));
    TRY(open_ring(v, o));
    TRY(audit_open(v->folder, o->read_only, &v->audit));
    if (o->serves) audit_keep_lock(v->audit);
    v->is_open = true;
    return OK;
}

result vault_open(const struct vault_options *o, struct vault **out)
{
    struct vault *v = calloc(1, sizeof *v);
    ENSURE(v != NULL, MEMORY);
    v->folder = -1;
    v->read_only = o->read_only;
    result r = copy_path(o->path, v->path) ? OK : FAIL(VAULT_MISSING);
    if (!failed(r)) v->folder = open(v->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!failed(r) && v->folder == -1) r = errno == ENOENT || errno == ENOTDIR ? FAIL(VAULT_MISSING) : FAIL(IO);
    if (!failed(r)) {
        r = note_open(v->folder);
        if (failed(r)) { /* not ours to forget */
            (void)close(v->folder);
            v->folder = -1;
        }
    }
    if (!failed(r)) r = open_parts(v, o);
    if (failed(r)) {
        vault_close(v);
        return r;
    }
    *out = v;
    return OK;
}

static void finish_writes(struct vault *v)
{
    vault_settle(v);
    if (v->read_only || failed(audit_sync(v->audit))) return;
    result r = vault_anchor_write(v);
    if (failed(r)) log_failure("audit_anchor", r);
}

void vault_close(struct vault *v)
{
    if (!v) return;
    if (v->is_open) finish_writes(v);
    store_close(v->store);
    for (size_t i = 0; i < POOL_COUNT; i++) op_pool_done(&v->pools[i]);
    key_table_stop(v);
    count_hints_free(v);
    audit_close(v->audit);
    keyring_free(v->ring);
    kek_free(v->kek);
    kek_free(v->old_kek);
    if (v->folder != -1) {
        forget_open(v->folder);
        (void)close(v->folder);
    }
    free(v);
}

uint64_t vault_version(struct vault *v)
{
    return store_version(v->store);
}

/* --- turns --- */

void vault_flush(struct vault *v)
{
    store_flush(v->store);
    audit_flush(v->audit);
    key_table_end_turn(v);
}

void vault_settle(struct vault *v)
{
    store_flush(v->store);
    store_abandon(v->store);
    vault_flush(v); /* the audit lines of those answers */
}

void vault_tick(struct vault *v)
{
    store_tick(v->store);
    if (store_version(v->store) != v->ring_version) {
        result r = vault_refresh_ring(v);
        if (failed(r)) log_failure("vault_key_ring", r);
    }
    if (v->read_only) return;
    audit_flush(v->audit);
    result r = audit_sync(v->audit);
    if (failed(r)) log_failure("audit_sync", r);
    if (!failed(r)) vault_anchor_queue(v); /* never ahead of what is on disk */
    top_up_seals(v);
}

result vault_audit(struct vault *v, const struct audit_entry *e)
{
    ENSURE(!v->read_only, VAULT_AUDIT);
    return audit_add(v->audit, e);
}

result vault_audit_cut(struct vault *v, const struct audit_entry *e, char name[AUDIT_NAME_BYTES])
{
    ENSURE(!v->read_only, VAULT_AUDIT);
    TRY(audit_cut(v->audit, e, name));
    return vault_anchor_write(v);
}

bool vault_audit_is_failing(const struct vault *v)
{
    return audit_is_failing(v->audit);
}
