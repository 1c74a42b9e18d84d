/* SPDX-License-Identifier: Apache-2.0 */
#include "lmdb_priv.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { ROUNDS_MAX = 32 /* of a flush: answers that lead to another try */, TRIES_MAX = 8, HEAD_ROOM_BYTES = 4 << 20 };

struct step {
    enum store_step step;
    char key_room[LMDB_STORED_KEY_BYTES];
    MDB_val key, value; /* value points behind the steps of its batch */
};
struct pending {
    STAILQ_ENTRY(pending) next;
    store_on_done on_done;
    void *owner;
    result r;
    size_t count;
    struct step steps[];
};

static struct lmdb_store *self(struct store *s)
{
    assert(s->engine == &store_lmdb_engine);
    return (struct lmdb_store *)s;
}

MDB_val lmdb_key(char room[LMDB_STORED_KEY_BYTES], enum store_table t, slice key)
{
    assert(key.len <= STORE_KEY_MAX_BYTES);
    room[0] = (char)t;
    if (key.len) memcpy(room + 1, key.at, key.len);
    return (MDB_val){key.len + 1, room};
}

result lmdb_result(struct lmdb_store *s, int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return OK;
    case MDB_NOTFOUND:
        return FAIL(NOT_FOUND);
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
        return FAIL(VAULT_FULL);
    case ENOMEM:
        return FAIL(MEMORY);
    case EIO:
    case MDB_PANIC:
        /* After a failed fsync the kernel may have dropped the pages: what is on disk is unknown until a restart reads it. */
        if (!s->broken) log_plain(LOG_LEVEL_ERROR, "store_broken", "a write to disk failed; restart this process and run 'cardveil vault verify'");
        s->broken = true;
        return FAIL(VAULT_STORE);
    default:
        return FAIL(VAULT_STORE);
    }
}

/* --- reading --- */

/* Another process has written past the end of our map. Its map's size stands in the store; but what is only the head-room for
 * deletes is not taken over for puts. */
static int follow_size(struct lmdb_store *s)
{
    MDB_envinfo info;
    int rc = mdb_env_set_mapsize(s->in.env, 0);
    if (rc || (rc = mdb_env_info(s->in.env, &info)) || info.me_mapsize > s->size_bytes + HEAD_ROOM_BYTES) return rc;
    return mdb_env_set_mapsize(s->in.env, s->size_bytes); /* or as much as is in use */
}

static int renew_reader(struct lmdb_store *s)
{
    int rc = mdb_txn_renew(s->in.reader);
    if (rc != MDB_MAP_RESIZED) return rc;
    rc = follow_size(s);
    return rc ? rc : mdb_txn_renew(s->in.reader);
}

/* Begins a read; the moved mark is looked for once per committed transaction, so an idle store costs no look-up. */
static result begin_read(struct lmdb_store *s)
{
    ENSURE(!s->broken, VAULT_STORE);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (!s->in.env) TRY(lmdb_open_current(s));
        TRY(lmdb_result(s, renew_reader(s)));
        uint64_t txn = mdb_txn_id(s->in.reader);
        if (txn == s->seen_txn) return OK;
        uint32_t moved = lmdb_moved_to(&s->in, s->in.reader);
        if (!moved) {
            s->seen_txn = txn;
            return OK;
        }
        mdb_txn_reset(s->in.reader);
        TRY(lmdb_follow(s, moved));
    }
    return FAIL(VAULT_STORE);
}

static void lmdb_get(struct store *base, enum store_table t, slice key, store_on_value on_value, void *owner)
{
    struct lmdb_store *s = self(base);
    char room[LMDB_STORED_KEY_BYTES], copy[STORE_VALUE_MAX_BYTES];
    MDB_val k = lmdb_key(room, t, key), v = {0, NULL};
    result r = begin_read(s);
    if (!failed(r)) {
        r = lmdb_result(s, mdb_get(s->in.reader, s->in.dbi, &k, &v));
        if (!failed(r) && v.mv_size > sizeof copy) r = FAIL(VAULT_FORMAT);
        /* Copied (it is ciphertext), so that the snapshot ends here and the callback may read or write. */
        if (!failed(r)) memcpy(copy, v.mv_data, v.mv_size);
        mdb_txn_reset(s->in.reader);
    }
    on_value(owner, r, failed(r) ? SLICE_NONE : (slice){copy, v.mv_size});
}

static result scan_table(struct lmdb_store *s, enum store_table t, slice after, size_t limit, store_on_item on_item, void *owner)
{
    char room[LMDB_STORED_KEY_BYTES];
    MDB_cursor *cursor;
    MDB_val k = lmdb_key(room, t, after), v, start = k;
    TRY(lmdb_result(s, mdb_cursor_open(s->in.reader, s->in.dbi, &cursor)));
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    if (rc == MDB_SUCCESS && after.len && k.mv_size == start.mv_size && memcmp(k.mv_data, start.mv_data, k.mv_size) == 0)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    for (; rc == MDB_SUCCESS && limit > 0; limit--) {
        const char *at = k.mv_data;
        if (at[0] != (char)t) break;
        if (!on_item(owner, (slice){at + 1, k.mv_size - 1}, (slice){v.mv_data, v.mv_size})) break;
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? OK : lmdb_result(s, rc);
}

static void lmdb_scan(struct store *base, enum store_table t, slice after, size_t limit, store_on_item on_item,
                      store_on_done on_done, void *owner)
{
    struct lmdb_store *s = self(base);
    result r = begin_read(s);
    if (!failed(r)) {
        r = scan_table(s, t, after, limit, on_item, owner);
        mdb_txn_reset(s->in.reader);
    }
    on_done(owner, r);
}

static uint64_t lmdb_version(struct store *base)
{
    struct lmdb_store *s = self(base);
    MDB_envinfo info;
    if (s->broken || (!s->in.env && failed(lmdb_open_current(s)))) return 0;
    if (mdb_env_info(s->in.env, &info) != MDB_SUCCESS) return 0;
    return (uint64_t)s->in.number << 48 ^ (info.me_last_txnid + 1);
}

static result lmdb_space(struct store *base, uint64_t *used, uint64_t *max)
{
    struct lmdb_store *s = self(base);
    MDB_envinfo info;
    MDB_stat stat;
    TRY(begin_read(s));
    mdb_txn_reset(s->in.reader);
    TRY(lmdb_result(s, mdb_env_info(s->in.env, &info)));
    TRY(lmdb_result(s, mdb_env_stat(s->in.env, &stat)));
    *used = (info.me_last_pgno + 1) * stat.ms_psize;
    *max = info.me_mapsize;
    return OK;
}

/* --- writing --- */

static struct pending *pending_new(const struct store_write *w, size_t count, store_on_done on_done, void *owner)
{
    size_t value_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        assert(w[i].value.len <= STORE_VALUE_MAX_BYTES);
        value_bytes += w[i].value.len;
    }
    struct pending *p = malloc(sizeof *p + count * sizeof p->steps[0] + value_bytes);
    if (!p) return NULL;
    p->on_done = on_done;
    p->owner = owner;
    p->count = count;
    p->r = OK;
    char *values = (char *)&p->steps[count];
    for (size_t i = 0; i < count; i++) {
        struct step *step = &p->steps[i];
        step->step = w[i].step == STORE_EXPECT && !w[i].value.len ? STORE_EXPECT_ABSENT : w[i].step;
        step->key = lmdb_key(step->key_room, w[i].table, w[i].key);
        step->value = (MDB_val){w[i].value.len, values};
        if (w[i].value.len) memcpy(values, w[i].value.at, w[i].value.len);
        values += w[i].value.len;
    }
    return p;
}

static void lmdb_batch(struct store *base, const struct store_write *steps, size_t count, store_on_done on_done, void *owner)
{
    struct lmdb_store *s = self(base);
    struct pending *p = pending_new(steps, count, on_done, owner);
    if (!p) {
        on_done(owner, FAIL(MEMORY));
        return;
    }
    STAILQ_INSERT_TAIL(&s->queue, p, next);
}

static int check_expectations(const struct lmdb_env *e, MDB_txn *txn, struct pending *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct step *step = &p->steps[i];
        if (step->step != STORE_EXPECT && step->step != STORE_EXPECT_ABSENT) continue;
        MDB_val v;
        int rc = mdb_get(txn, e->dbi, &step->key, &v);
        if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) return rc;
        bool absent = rc == MDB_NOTFOUND;
        bool holds = step->step == STORE_EXPECT_ABSENT
                         ? absent
                         : !absent && v.mv_size == step->value.mv_size && memcmp(v.mv_data, step->value.mv_data, v.mv_size) == 0;
        if (!holds) p->r = FAIL(VAULT_CONFLICT);
    }
    return MDB_SUCCESS;
}

static int apply(const struct lmdb_env *e, MDB_txn *txn, struct pending *p)
{
    p->r = OK;
    int rc = check_expectations(e, txn, p);
    for (size_t i = 0; i < p->count && rc == MDB_SUCCESS && !failed(p->r); i++) {
        struct step *step = &p->steps[i];
        if (step->step == STORE_PUT) rc = mdb_put(txn, e->dbi, &step->key, &step->value, 0);
        if (step->step == STORE_DELETE) {
            rc = mdb_del(txn, e->dbi, &step->key, NULL);
            if (rc == MDB_NOTFOUND) rc = MDB_SUCCESS;
        }
    }
    return rc;
}

/* Begins a write in the environment in use. Waits for other processes' writers (LMDB's robust mutex: a dead owner does not block). */
static result begin_write(struct lmdb_store *s, MDB_txn **out)
{
    ENSURE(!s->broken && !s->read_only, VAULT_STORE);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (!s->in.env) TRY(lmdb_open_current(s));
        int rc = mdb_txn_begin(s->in.env, NULL, 0, out);
        if (rc == MDB_MAP_RESIZED) {
            TRY(lmdb_result(s, follow_size(s)));
            continue;
        }
        TRY(lmdb_result(s, rc));
        uint32_t moved = lmdb_moved_to(&s->in, *out);
        if (!moved) return OK;
        mdb_txn_abort(*out);
        TRY(lmdb_follow(s, moved));
    }
    return FAIL(VAULT_STORE);
}

static void fail_group(struct pending_list *group, result r)
{
    struct pending *p;
    STAILQ_FOREACH(p, group, next) p->r = r;
}

/* All batches of the group in one transaction. A batch whose expectations do not hold is left out; any other failure is the
 * whole group's, since then nothing was committed. */
static result commit_group(struct lmdb_store *s, struct pending_list *group)
{
    MDB_txn *txn;
    result r = begin_write(s, &txn);
    if (failed(r)) {
        fail_group(group, r);
        return r;
    }
    int rc = MDB_SUCCESS;
    struct pending *p;
    STAILQ_FOREACH(p, group, next)
    {
        rc = apply(&s->in, txn, p);
        if (rc != MDB_SUCCESS) break;
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_txn_commit(txn);
    } else {
        mdb_txn_abort(txn);
    }
    r = lmdb_result(s, rc);
    if (r.err == ERR_NOT_FOUND) r = FAIL(VAULT_STORE);
    if (failed(r)) fail_group(group, r);
    return r;
}

/* A card that goes takes more records with it than the job that tells its network and the row that counts it. */
static bool makes_room(const struct pending *p)
{
    size_t puts = 0, deletes = 0;
    for (size_t i = 0; i < p->count; i++) {
        puts += p->steps[i].step == STORE_PUT;
        deletes += p->steps[i].step == STORE_DELETE;
    }
    return puts == 0 || deletes > puts;
}

/* A full map fails the whole group, though one of it may be a delete: after dropping dead readers (whose snapshots keep old
 * pages from being used again) each batch is tried once by itself. A delete copies pages before it frees them, so it gets
 * head-room that puts do not: a full vault can always be emptied. */
static void commit_singly(struct lmdb_store *s, struct pending_list *group)
{
    int dead;
    struct pending_list rest = STAILQ_HEAD_INITIALIZER(rest), one = STAILQ_HEAD_INITIALIZER(one);
    if (s->in.env) (void)mdb_reader_check(s->in.env, &dead);
    STAILQ_CONCAT(&rest, group);
    for (struct pending *p; (p = STAILQ_FIRST(&rest));) {
        STAILQ_REMOVE_HEAD(&rest, next);
        STAILQ_INSERT_TAIL(&one, p, next);
        bool deletes = makes_room(p);
        if (deletes && s->in.env) (void)mdb_env_set_mapsize(s->in.env, s->size_bytes + HEAD_ROOM_BYTES);
        (void)commit_group(s, &one);
        if (deletes && s->in.env) (void)mdb_env_set_mapsize(s->in.env, s->size_bytes);
        STAILQ_CONCAT(group, &one);
    }
}

static void answer_group(struct pending_list *group)
{
    for (struct pending *p; (p = STAILQ_FIRST(group));) {
        STAILQ_REMOVE_HEAD(group, next);
        p->on_done(p->owner, p->r);
        free(p);
    }
}

/* A move holds the write lock for as long as the copy takes. Asking first keeps the event loop from waiting for it: the queue
 * stays, and the next flush tries again. Correctness does not rest on this, it rests on LMDB's lock and the moved mark. */
static bool is_moving(struct lmdb_store *s)
{
    if (s->moving == -1) return false;
    if (flock(s->moving, LOCK_SH | LOCK_NB) == -1) return errno == EWOULDBLOCK;
    (void)flock(s->moving, LOCK_UN);
    return false;
}

static void lmdb_flush(struct store *base)
{
    struct lmdb_store *s = self(base);
    for (int round = 0; round < ROUNDS_MAX && !STAILQ_EMPTY(&s->queue); round++) {
        if (is_moving(s)) return;
        struct pending_list group = STAILQ_HEAD_INITIALIZER(group);
        STAILQ_CONCAT(&group, &s->queue);
        result r = commit_group(s, &group);
        if (r.err == ERR_VAULT_FULL) commit_singly(s, &group);
        base->rounds++;
        answer_group(&group);
    }
}

static void keep_result(void *owner, result r)
{
    *(result *)owner = r;
}

static result lmdb_commit(struct store *base, const struct store_write *steps, size_t count)
{
    struct lmdb_store *s = self(base);
    result r = FAIL(VAULT_STORE);
    struct pending *p = pending_new(steps, count, keep_result, &r);
    ENSURE(p != NULL, MEMORY);
    struct pending_list one = STAILQ_HEAD_INITIALIZER(one);
    STAILQ_INSERT_TAIL(&one, p, next);
    if (commit_group(s, &one).err == ERR_VAULT_FULL) commit_singly(s, &one);
    answer_group(&one);
    return r;
}

/* Slots of killed readers pin old pages: the file would grow until it is full. */
static void lmdb_tick(struct store *base)
{
    struct lmdb_store *s = self(base);
    int dead;
    if (s->in.env && !s->broken) (void)mdb_reader_check(s->in.env, &dead);
    /* Leaves a moved store even when nobody asks for anything, so that its folder's space is given back. */
    if (!failed(begin_read(s))) mdb_txn_reset(s->in.reader);
}

static void lmdb_abandon(struct store *base)
{
    struct lmdb_store *s = self(base);
    while (!STAILQ_EMPTY(&s->queue)) {
        struct pending_list group = STAILQ_HEAD_INITIALIZER(group);
        STAILQ_CONCAT(&group, &s->queue);
        fail_group(&group, FAIL(VAULT_BUSY));
        base->rounds++;
        answer_group(&group);
    }
}

static void lmdb_close(struct store *base)
{
    struct lmdb_store *s = self(base);
    lmdb_abandon(base);
    lmdb_env_shut(&s->in);
    if (s->moving != -1) (void)close(s->moving);
    free(s);
}

const struct store_engine store_lmdb_engine = {
    .name = "lmdb",
    .get = lmdb_get,
    .scan = lmdb_scan,
    .batch = lmdb_batch,
    .commit = lmdb_commit,
    .flush = lmdb_flush,
    .abandon = lmdb_abandon,
    .tick = lmdb_tick,
    .version = lmdb_version,
    .space = lmdb_space,
    .close = lmdb_close,
};
