/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_LMDB_H
#define VAULT_STORE_LMDB_H

/* The embedded engine: one LMDB environment, plain key → value, full synchronisation, one commit a loop turn.
 *
 * A vault's folder holds store.N/, the environment in use, and CURRENT, which says N. A move (compaction) writes store.N+1 while
 * it holds the write lock of N, and the commit that marks N as moved is the one moment of change: whoever begins a
 * transaction on N later, a waiting writer too, sees the mark and goes on in N+1. CURRENT is only where new processes look first. */

#include "vault/store.h"

enum { STORE_LMDB_FORMAT = 1 };

/* Makes store.1 and CURRENT in an empty vault folder. ERR_IO, ERR_VAULT_STORE, ERR_VAULT_FULL. */
MUST_USE result store_lmdb_create(int folder, const char *path, uint64_t size_bytes);
/* path: of the vault's folder, without symbolic link games: the environment is opened by name. At most once per process and
 * vault: LMDB's locks break otherwise. ERR_VAULT_MISSING, ERR_VAULT_FORMAT, ERR_VAULT_STORE. */
MUST_USE result store_lmdb_open(int folder, const char *path, uint64_t size_bytes, bool read_only, struct store **out);
/* Compacts into store.N+1 and goes on there; other processes follow by themselves. Their writes wait meanwhile, their reads do
 * not. The queue must be empty. ERR_VAULT_FULL, ERR_VAULT_STORE, ERR_IO. */
MUST_USE result store_lmdb_move(struct store *s);
/* Removes what moves have left: store folders other than the one in use. Only after a move, which made
 * CURRENT name the store in use, and under the rotation lock. */
MUST_USE result store_lmdb_sweep(struct store *s);
/* A consistent copy as <target>/store.N while others write; then, when the rest of the backup is there too, its CURRENT. */
MUST_USE result store_lmdb_backup(struct store *s, const char *target, int target_folder);
MUST_USE result store_lmdb_backup_current(struct store *s, int target_folder);

#endif
