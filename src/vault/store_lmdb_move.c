/* SPDX-License-Identifier: Apache-2.0 */
#include "lmdb_priv.h"

#include "bytes.h"
#include "files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void (*vault_crash_point)(const char *name);

const slice lmdb_meta_format = {"format", 6};
const slice lmdb_meta_moved = {"moved", 5};
static const char current_name[] = "CURRENT", moving_name[] = "moving.lock";
enum { NAME_BYTES = 32, OPEN_TRIES = 200, OPEN_PAUSE_US = 5000, READERS = 126, RACE_PAUSE_US = 20000 };
static const uint64_t default_size_bytes = (uint64_t)64 << 30; /* sparse */

static void store_name(uint32_t number, char out[NAME_BYTES])
{
    (void)snprintf(out, NAME_BYTES, "store.%lu", (unsigned long)number);
}

static void store_path(const char *path, uint32_t number, char out[PATH_MAX])
{
    char name[NAME_BYTES];
    store_name(number, name);
    int len = snprintf(out, PATH_MAX, "%s/%s", path, name);
    if (len < 0 || len >= PATH_MAX) out[0] = '\0'; /* refused by the open that follows */
}

/* --- CURRENT --- */

static result current_read(int folder, uint32_t *number)
{
    char text[16];
    size_t len;
    uint64_t n;
    result r = file_read(folder, current_name, text, sizeof text, &len);
    if (r.err == ERR_NOT_FOUND) return FAIL(VAULT_MISSING);
    if (r.err == ERR_TOO_LARGE) return FAIL(VAULT_FORMAT);
    TRY(r);
    if (len && text[len - 1] == '\n') len--;
    ENSURE(slice_to_u64((slice){text, len}, UINT32_MAX, &n) && n > 0, VAULT_FORMAT);
    *number = (uint32_t)n;
    return OK;
}

static result current_write(int folder, uint32_t number)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%lu\n", (unsigned long)number);
    return file_replace(folder, current_name, (slice){text, (size_t)len});
}

/* --- one environment --- */

void lmdb_env_shut(struct lmdb_env *e)
{
    if (e->reader) mdb_txn_abort(e->reader);
    if (e->env) mdb_env_close(e->env);
    *e = (struct lmdb_env){0};
}

uint32_t lmdb_moved_to(const struct lmdb_env *e, MDB_txn *txn)
{
    char room[LMDB_STORED_KEY_BYTES];
    MDB_val k = lmdb_key(room, STORE_META, lmdb_meta_moved), v;
    if (mdb_get(txn, e->dbi, &k, &v) != MDB_SUCCESS || v.mv_size != 4) return 0;
    return get_u32(v.mv_data);
}

static result check_format(const struct lmdb_env *e, MDB_txn *txn)
{
    char room[LMDB_STORED_KEY_BYTES];
    MDB_val k = lmdb_key(room, STORE_META, lmdb_meta_format), v;
    int rc = mdb_get(txn, e->dbi, &k, &v);
    ENSURE(rc == MDB_SUCCESS && v.mv_size == 4 && get_u32(v.mv_data) == STORE_LMDB_FORMAT, VAULT_FORMAT);
    return OK;
}

static int env_begin(struct lmdb_store *s, uint32_t number, struct lmdb_env *e)
{
    char path[PATH_MAX];
    store_path(s->path, number, path);
    e->number = number;
    int rc = mdb_env_create(&e->env);
    if (rc) return rc;
    if ((rc = mdb_env_set_mapsize(e->env, s->size_bytes)) || (rc = mdb_env_set_maxreaders(e->env, READERS))) return rc;
    unsigned flags = MDB_NOTLS | (s->read_only ? MDB_RDONLY : 0u);
    if ((rc = mdb_env_open(e->env, path, flags, 0600))) return rc;
    rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &e->reader);
    if (rc == MDB_READERS_FULL) {
        int dead;
        (void)mdb_reader_check(e->env, &dead);
        rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &e->reader);
    }
    if (rc == MDB_MAP_RESIZED && (rc = mdb_env_set_mapsize(e->env, 0)) == 0)
        rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &e->reader);
    return rc ? rc : mdb_dbi_open(e->reader, NULL, 0, &e->dbi);
}

static void give_env_to_owner(struct lmdb_store *s, uint32_t number)
{
    char name[2 * NAME_BYTES];
    (void)snprintf(name, sizeof name, "store.%lu/data.mdb", (unsigned long)number);
    file_give_to_owner(s->folder, name);
    (void)snprintf(name, sizeof name, "store.%lu/lock.mdb", (unsigned long)number);
    file_give_to_owner(s->folder, name);
}

result lmdb_env_open(struct lmdb_store *s, uint32_t number, struct lmdb_env *out)
{
    struct lmdb_env e = {0};
    char name[NAME_BYTES + sizeof "/data.mdb"], folder[NAME_BYTES];
    bool there = false;
    store_name(number, folder);
    (void)snprintf(name, sizeof name, "%s/data.mdb", folder);
    TRY(file_exists(s->folder, name, &there)); /* mdb_env_open would make an empty one */
    ENSURE(there, NOT_FOUND);
    int rc = env_begin(s, number, &e);
    result r = rc == ENOENT ? FAIL(NOT_FOUND) : lmdb_result(s, rc);
    if (!failed(r)) r = check_format(&e, e.reader);
    if (failed(r)) {
        lmdb_env_shut(&e);
        return r;
    }
    mdb_txn_reset(e.reader);
    give_env_to_owner(s, number);
    *out = e;
    return OK;
}

result lmdb_open_current(struct lmdb_store *s)
{
    struct lmdb_env e;
    for (int tries = 0; tries < OPEN_TRIES; tries++) {
        uint32_t number;
        TRY(current_read(s->folder, &number));
        result r = lmdb_env_open(s, number, &e);
        if (r.err == ERR_NOT_FOUND) { /* moved and removed between the two: CURRENT says something else now */
            (void)usleep(OPEN_PAUSE_US);
            continue;
        }
        TRY(r);
        s->in = e;
        s->seen_txn = UINT64_MAX; /* the first read looks for the moved mark */
        return OK;
    }
    return FAIL(VAULT_MISSING);
}

result lmdb_follow(struct lmdb_store *s, uint32_t number)
{
    struct lmdb_env e;
    result r = lmdb_env_open(s, number, &e);
    lmdb_env_shut(&s->in);
    if (r.err == ERR_NOT_FOUND) return lmdb_open_current(s); /* moved twice since */
    TRY(r);
    s->in = e;
    s->seen_txn = UINT64_MAX;
    return OK;
}

/* --- making and opening --- */

static result put_format(struct lmdb_env *e)
{
    MDB_txn *txn;
    uint8_t format[4];
    char room[LMDB_STORED_KEY_BYTES];
    MDB_val k = lmdb_key(room, STORE_META, lmdb_meta_format), v = {sizeof format, format};
    put_u32(format, STORE_LMDB_FORMAT);
    int rc = mdb_txn_begin(e->env, NULL, 0, &txn);
    ENSURE(rc == MDB_SUCCESS, VAULT_STORE);
    MDB_dbi dbi;
    if ((rc = mdb_dbi_open(txn, NULL, 0, &dbi)) || (rc = mdb_put(txn, dbi, &k, &v, 0))) {
        mdb_txn_abort(txn);
        return FAIL(VAULT_STORE);
    }
    return mdb_txn_commit(txn) == MDB_SUCCESS ? OK : FAIL(VAULT_FULL);
}

result store_lmdb_create(int folder, const char *path, uint64_t size_bytes)
{
    char name[NAME_BYTES], env_path[PATH_MAX];
    struct lmdb_env e = {.number = 1};
    store_name(1, name);
    store_path(path, 1, env_path);
    TRY(file_remove_folder(folder, name));
    TRY(file_make_folder(folder, name));
    int rc = mdb_env_create(&e.env);
    if (rc == MDB_SUCCESS) rc = mdb_env_set_mapsize(e.env, size_bytes ? size_bytes : default_size_bytes);
    if (rc == MDB_SUCCESS) rc = mdb_env_open(e.env, env_path, MDB_NOTLS, 0600);
    result r = rc == MDB_SUCCESS ? put_format(&e) : rc == ENOSPC ? FAIL(VAULT_FULL) : FAIL(VAULT_STORE);
    lmdb_env_shut(&e);
    TRY(r);
    TRY(file_sync(folder, name));
    return current_write(folder, 1);
}

result store_lmdb_open(int folder, const char *path, uint64_t size_bytes, bool read_only, struct store **out)
{
    struct lmdb_store *s = calloc(1, sizeof *s);
    ENSURE(s != NULL, MEMORY);
    s->base.engine = &store_lmdb_engine;
    s->folder = folder;
    s->size_bytes = size_bytes ? size_bytes : default_size_bytes;
    s->read_only = read_only;
    STAILQ_INIT(&s->queue);
    s->moving = -1;
    size_t len = strlen(path);
    result r = len < sizeof s->path - NAME_BYTES ? OK : FAIL(VAULT_MISSING);
    if (!failed(r)) memcpy(s->path, path, len + 1);
    if (!failed(r) && !read_only) {
        s->moving = openat(folder, moving_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (s->moving == -1) r = FAIL(IO);
        file_give_to_owner(folder, moving_name);
    }
    if (!failed(r)) r = lmdb_open_current(s);
    if (failed(r)) {
        store_close(&s->base);
        return r;
    }
    *out = &s->base;
    return OK;
}

/* --- moving --- */

static result copy_compact(struct lmdb_store *s, int folder, const char *path, uint32_t number)
{
    char name[NAME_BYTES], data[NAME_BYTES + sizeof "/data.mdb"], copy_path[PATH_MAX];
    store_name(number, name);
    store_path(path, number, copy_path);
    (void)snprintf(data, sizeof data, "%s/data.mdb", name);
    TRY(file_remove_folder(folder, name));
    TRY(file_make_folder(folder, name));
    mode_t mask = umask(0077);
    int rc = mdb_env_copy2(s->in.env, copy_path, MDB_CP_COMPACT);
    (void)umask(mask);
    TRY(lmdb_result(s, rc));
    TRY(file_sync(folder, data)); /* mdb_env_copy2 does not */
    TRY(file_sync(folder, name));
    return file_sync(folder, ".");
}

static result mark_moved(struct lmdb_store *s, MDB_txn *txn, uint32_t to)
{
    uint8_t number[4];
    char room[LMDB_STORED_KEY_BYTES];
    MDB_val k = lmdb_key(room, STORE_META, lmdb_meta_moved), v = {sizeof number, number};
    put_u32(number, to);
    int rc = mdb_put(txn, s->in.dbi, &k, &v, 0);
    if (rc != MDB_SUCCESS) mdb_txn_abort(txn);
    return lmdb_result(s, rc ? rc : mdb_txn_commit(txn));
}

/* With txn, the old environment's write lock, held: nobody can commit there between the copy and the mark. The copy is whole
 * and on disk before the mark is: a crash before the commit leaves a copy that nothing refers to, one after it a store that
 * the mark leads to. */
static result move_locked(struct lmdb_store *s, MDB_txn *txn, uint32_t to)
{
    struct lmdb_env e = {0};
    result r = copy_compact(s, s->folder, s->path, to);
    CRASH_POINT("copied");
    if (!failed(r)) r = lmdb_env_open(s, to, &e); /* makes its lock file, for the vault's owner */
    if (failed(r)) mdb_txn_abort(txn);
    if (!failed(r)) r = mark_moved(s, txn, to);
    CRASH_POINT("marked");
    if (failed(r)) { /* a full disk, mostly: give the room back */
        char name[NAME_BYTES];
        store_name(to, name);
        lmdb_env_shut(&e);
        result ignored = file_remove_folder(s->folder, name);
        (void)ignored;
        return r;
    }
    lmdb_env_shut(&s->in);
    s->in = e;
    s->seen_txn = UINT64_MAX;
    r = current_write(s->folder, to);
    CRASH_POINT("current");
    return r;
}

static result begin_move(struct lmdb_store *s, MDB_txn **txn)
{
    uint64_t version = store_version(&s->base);
    ENSURE(version != 0 && STAILQ_EMPTY(&s->queue), VAULT_STORE);
    int rc = mdb_txn_begin(s->in.env, NULL, 0, txn);
    if (rc == MDB_MAP_RESIZED && (rc = mdb_env_set_mapsize(s->in.env, 0)) == 0) rc = mdb_txn_begin(s->in.env, NULL, 0, txn);
    TRY(lmdb_result(s, rc));
    if (lmdb_moved_to(&s->in, *txn) == 0) return OK;
    mdb_txn_abort(*txn);
    return FAIL(VAULT_BUSY); /* only a rotation moves, and there is one at a time */
}

result store_lmdb_move(struct store *base)
{
    assert(base->engine == &store_lmdb_engine);
    struct lmdb_store *s = (struct lmdb_store *)base;
    MDB_txn *txn;
    ENSURE(!s->read_only && !s->broken, VAULT_STORE);
    store_tick(base); /* follows an earlier move */
    while (flock(s->moving, LOCK_EX) == -1) ENSURE(errno == EINTR, IO);
    (void)usleep(RACE_PAUSE_US); /* writers that asked just before: let them pass the lock rather than wait at it */
    result r = begin_move(s, &txn);
    if (!failed(r)) r = move_locked(s, txn, s->in.number + 1);
    (void)flock(s->moving, LOCK_UN);
    return r;
}

/* Renamed first: an opener that comes by CURRENT's old word finds nothing, and never half a folder to make an empty store in. */
static result remove_store(struct lmdb_store *s, const char *name)
{
    static const char dead[] = "removed";
    TRY(file_remove_folder(s->folder, dead));
    ENSURE(renameat(s->folder, name, s->folder, dead) == 0, IO);
    CRASH_POINT("renamed");
    return file_remove_folder(s->folder, dead);
}

result store_lmdb_sweep(struct store *base)
{
    assert(base->engine == &store_lmdb_engine);
    struct lmdb_store *s = (struct lmdb_store *)base;
    char in_use[NAME_BYTES];
    store_name(s->in.number, in_use);
    int fd = openat(s->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd == -1 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd != -1) (void)close(fd);
        return FAIL(IO);
    }
    result r = OK;
    for (struct dirent *e; !failed(r) && (e = readdir(dir));) {
        slice name = slice_of(e->d_name);
        if (slice_is(name, in_use)) continue;
        if (slice_starts(name, SLICE("store."))) r = remove_store(s, e->d_name);
        if (slice_is(name, "removed")) r = file_remove_folder(s->folder, e->d_name);
    }
    (void)closedir(dir);
    return r;
}

result store_lmdb_backup(struct store *base, const char *target, int target_folder)
{
    assert(base->engine == &store_lmdb_engine);
    struct lmdb_store *s = (struct lmdb_store *)base;
    store_tick(base);
    ENSURE(s->in.env && strlen(target) < PATH_MAX - NAME_BYTES, VAULT_STORE);
    return copy_compact(s, target_folder, target, s->in.number);
}

result store_lmdb_backup_current(struct store *base, int target_folder)
{
    assert(base->engine == &store_lmdb_engine);
    return current_write(target_folder, ((struct lmdb_store *)base)->in.number);
}
