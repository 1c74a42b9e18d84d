/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_LMDB_PRIV_H
#define VAULT_LMDB_PRIV_H

/* The two halves of the LMDB engine: store_lmdb.c (transactions) and store_lmdb_move.c (folders, moves, backup). */

#include "vault/store_lmdb.h"

#include <lmdb.h>
#include <limits.h>
#include <sys/queue.h>

struct pending; /* one queued batch */
STAILQ_HEAD(pending_list, pending);

struct lmdb_env { /* one store.N, open */
    uint32_t number;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *reader; /* kept, reset between reads: keeps its slot in the reader table */
};
struct lmdb_store {
    struct store base;
    int folder, moving; /* moving: lock file held by a move */
    char path[PATH_MAX];
    uint64_t size_bytes;
    bool read_only, broken;
    struct lmdb_env in;
    uint64_t seen_txn; /* last transaction whose snapshot was checked for the moved mark */
    struct pending_list queue;
};

extern const struct store_engine store_lmdb_engine;
extern const slice lmdb_meta_format, lmdb_meta_moved;

enum { LMDB_STORED_KEY_BYTES = STORE_KEY_MAX_BYTES + 1 };
MDB_val lmdb_key(char room[LMDB_STORED_KEY_BYTES], enum store_table t, slice key);
result lmdb_result(struct lmdb_store *s, int rc);
/* The transaction's 'moved' mark: 0 none. */
uint32_t lmdb_moved_to(const struct lmdb_env *e, MDB_txn *txn);

/* Opens <path>/store.<number>; the environment must exist and be of our format. ERR_NOT_FOUND where the folder is not there. */
MUST_USE result lmdb_env_open(struct lmdb_store *s, uint32_t number, struct lmdb_env *out);
void lmdb_env_shut(struct lmdb_env *e);
/* Opens the store in use, starting where CURRENT points and following moved marks. */
MUST_USE result lmdb_open_current(struct lmdb_store *s);
/* Leaves the environment in use for that one, which the moved mark names. */
MUST_USE result lmdb_follow(struct lmdb_store *s, uint32_t number);

/* For tests of crashes: called with a name at each step that a kill could separate from the next. NULL: none. */
extern void (*vault_crash_point)(const char *name);
#define CRASH_POINT(name)                                                                                              \
    do {                                                                                                               \
        if (vault_crash_point) vault_crash_point(name);                                                                \
    } while (0)

#endif
