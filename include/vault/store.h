/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_H
#define VAULT_STORE_H

/* Where sealed records live: an asynchronous interface of get, scan and conditional batches, so that the vault above it is
 * the same over an embedded engine, which answers at once, and over a database server, which does not. The store sees
 * ciphertext and digests only.
 *
 * A batch is one atomic change: when each of its expectations holds, all of its puts and deletes are made, else none is and
 * the answer is ERR_VAULT_CONFLICT; the vault reads again and tries again. That is how several processes write to one vault
 * without a lock that outlives a call.
 *
 *     get ─► value          scan ─► items, done           batch ─► (queued) ─► flush: one group commit ─► done(OK) after it is on disk */

#include "base/result.h"
#include "base/slice.h"

enum store_table { STORE_META = 'M', STORE_CARD = 'C', STORE_INDEX = 'I', STORE_KEY = 'K',
                   STORE_NETWORK = 'N', STORE_REF = 'F', STORE_JOB = 'J', STORE_EVENT = 'E', STORE_TRAIL = 'T', STORE_COUNT = 'R',
                   STORE_ALIAS = 'A', STORE_ALIASES = 'L' };
enum { STORE_KEY_MAX_BYTES = 256, STORE_VALUE_MAX_BYTES = 2048 };

enum store_step { STORE_EXPECT_ABSENT, STORE_EXPECT, STORE_PUT, STORE_DELETE };
struct store_write {
    enum store_step step;
    enum store_table table;
    slice key, value; /* value: of STORE_EXPECT and STORE_PUT; empty in STORE_EXPECT: absent */
};

struct store;
/* r: ERR_NOT_FOUND, ERR_VAULT_STORE. value is valid for the call; the callback may use the store. */
typedef void (*store_on_value)(void *owner, result r, slice value);
/* false ends the scan. Key and value are valid for the call; the callback must not use the store. */
typedef bool (*store_on_item)(void *owner, slice key, slice value);
typedef void (*store_on_done)(void *owner, result r);

struct store_engine {
    const char *name;
    void (*get)(struct store *s, enum store_table t, slice key, store_on_value on_value, void *owner);
    void (*scan)(struct store *s, enum store_table t, slice after, size_t limit, store_on_item on_item, store_on_done on_done, void *owner);
    void (*batch)(struct store *s, const struct store_write *steps, size_t count, store_on_done on_done, void *owner);
    result (*commit)(struct store *s, const struct store_write *steps, size_t count);
    void (*flush)(struct store *s);
    void (*abandon)(struct store *s);
    void (*tick)(struct store *s);
    uint64_t (*version)(struct store *s);
    result (*space)(struct store *s, uint64_t *used_bytes, uint64_t *max_bytes);
    void (*close)(struct store *s);
};
struct store {
    const struct store_engine *engine;
    uint64_t rounds; /* group commits so far: batches that are queued while it stays the same are decided together, in their order */
};

static inline void store_get(struct store *s, enum store_table t, slice key, store_on_value on_value, void *owner)
{
    s->engine->get(s, t, key, on_value, owner);
}
/* In the order of keys, from the first one past <after> (empty: from the first), at most <limit> items: a long scan is made of
 * short ones, since a snapshot held for long keeps old pages from being used again. */
static inline void store_scan(struct store *s, enum store_table t, slice after, size_t limit, store_on_item on_item,
                              store_on_done on_done, void *owner)
{
    s->engine->scan(s, t, after, limit, on_item, on_done, owner);
}
/* Queues; copies what the steps point to. Answered by store_flush (a later one, while a rotation moves the
 * store), never before this call returns. r: ERR_VAULT_CONFLICT,
 * ERR_VAULT_FULL, ERR_VAULT_STORE, ERR_MEMORY. */
static inline void store_batch(struct store *s, const struct store_write *steps, size_t count, store_on_done on_done, void *owner)
{
    s->engine->batch(s, steps, count, on_done, owner);
}
/* The same, alone and at once: returns when it is on disk. For administration. */
MUST_USE static inline result store_commit(struct store *s, const struct store_write *steps, size_t count)
{
    return s->engine->commit(s, steps, count);
}
static inline void store_flush(struct store *s)
{
    s->engine->flush(s);
}
/* Answers what is still queued with ERR_VAULT_BUSY, without doing it. */
static inline void store_abandon(struct store *s)
{
    s->engine->abandon(s);
}
static inline void store_tick(struct store *s)
{
    s->engine->tick(s);
}
/* A number that differs after anybody has changed anything. Cheap enough for each request. 0: the store cannot be read. */
static inline uint64_t store_version(struct store *s)
{
    return s->engine->version(s);
}
MUST_USE static inline result store_space(struct store *s, uint64_t *used_bytes, uint64_t *max_bytes)
{
    return s->engine->space(s, used_bytes, max_bytes);
}
static inline void store_close(struct store *s)
{
    if (s) s->engine->close(s);
}

#endif
