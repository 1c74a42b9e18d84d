/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FILES_H
#define VAULT_FILES_H

/* The vault's small files. All are named relative to the vault's folder (an open directory), made 0600, and given to the
 * folder's owner when root makes them ('sudo cardveil vault rotate' must not lock the keeper out). */

#include "base/result.h"
#include "base/slice.h"

#include <sys/types.h>

/* Reads at most cap bytes; ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_IO. */
MUST_USE result file_read(int folder, const char *name, void *out, size_t cap, size_t *len);
MUST_USE result file_read_all(int fd, void *out, size_t cap, size_t *len); /* ERR_TOO_LARGE, ERR_IO */
/* Replaces the file in one step: temporary file, fsync, rename, fsync of the folder. After a crash there is the old or the
 * new content. ERR_VAULT_FULL, ERR_IO. */
MUST_USE result file_replace(int folder, const char *name, slice content);
/* As file_replace, and overwrites the replaced file's bytes before they are given back: best effort, since a file system
 * may keep copies. For the key ring. */
MUST_USE result file_replace_shred(int folder, const char *name, slice content);
MUST_USE result file_exists(int folder, const char *name, bool *yes);
MUST_USE result file_sync(int folder, const char *name); /* fsync of a file or folder */
MUST_USE result file_make_folder(int folder, const char *name); /* 0700 */
MUST_USE result file_make_path(slice path);                     /* with the folders above it; exists: fine */
MUST_USE result file_remove_folder(int folder, const char *name); /* with the plain files in it; missing: fine */
void file_give_to_owner(int folder, const char *name);
/* Opens and locks name, made if missing. -1 when another process has it (or on failure: errno is not EWOULDBLOCK). */
int file_lock(int folder, const char *name, int how /* LOCK_EX, LOCK_SH, | LOCK_NB */);
MUST_USE result file_write_all(int fd, slice content); /* ERR_VAULT_FULL, ERR_IO */

#endif
