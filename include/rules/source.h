/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_SOURCE_H
#define RULES_SOURCE_H

/* Where configuration, rules and certificates are read from. The supervisor and the commands read the disk and remember every
 * file they opened; what they remembered becomes a bundle (one sealed memfd), and the roles parse the same bytes out of the
 * bundle: a relay never opens a file, and all processes see the same version.
 *
 *     disk ─► source_disk ─► config_load ─► source_bundle() ─► memfd ─► source_from_bundle ─► config_load (same result)
 *
 * Secrets by reference are read by the supervisor too, but reach only the roles they are for: the other roles' bundles say only
 * that there is one. */

#include "base/pool.h"
#include "base/result.h"
#include "base/slice.h"

/* Relative paths are relative to the folder the process was in when source_disk() was called; the bundle remembers it, so a
 * role finds the same files by the same names wherever it runs. What the vault's key file holds is never read through a
 * source: it would travel to the relays. */
struct source;
struct source *source_disk(void);
/* Maps a bundle; closes nothing. NULL if it is not one (exact lengths are checked). */
struct source *source_from_bundle(int memfd);
void source_free(struct source *s); /* wipes (TLS keys may be inside); NULL is fine */
/* The whole regular file, in secret memory up to 64 KiB; valid until source_free. A second read gives the same bytes. ERR_NOT_FOUND,
 * ERR_IO and errno, ERR_TOO_LARGE (16 MiB a file), ERR_MEMORY. */
MUST_USE result source_read(struct source *s, slice path, slice *out);
/* The absolute form of a path, as source_read() takes it; nothing is opened. ERR_NOT_FOUND (empty, or a NUL inside), ERR_MEMORY. */
MUST_USE result source_absolute(const struct source *s, slice path, struct pool *pool, slice *out);
enum source_audience { SOURCE_FOR_NOBODY = 0, SOURCE_FOR_RELAY = 1, SOURCE_FOR_KEEPER = 2, SOURCE_FOR_REGISTRAR = 4, SOURCE_FOR_ALL = 7 };
/* What "file:PATH" or "env:NAME" holds, byte by byte, in secret memory; valid until source_free. <audience>: bits of who may have
 * it; asked for twice, it travels to both. In a bundle for none of them: OK, and start NULL. Errors as of source_read(); an
 * unset variable is ERR_NOT_FOUND. */
MUST_USE result source_read_secret(struct source *s, slice reference, unsigned audience, slice *out);
/* All files read so far, and the secrets of <audience>, as a sealed memfd (F_SEAL_WRITE|SHRINK|GROW|SEAL), mode for inheritance; -1 and errno. */
int source_bundle(const struct source *s, unsigned audience);

/* What is wrong with what the user wrote, all of it at once. */
struct problem {
    slice file; /* as the user named it */
    unsigned line, column; /* from 1; 0: the whole file */
    char text[240];        /* "unknown key 'prefx'; did you mean 'prefix'?" */
};
struct problems;
struct problems *problems_new(void);
void problems_free(struct problems *p); /* NULL is fine */
/* file is copied. Control characters in the text show as '?'. Past 500 problems (or without memory) only the count goes on. */
__attribute__((format(printf, 5, 6)))
void problems_add(struct problems *p, slice file, unsigned line, unsigned column, const char *format, ...);
size_t problems_count(const struct problems *p);
const struct problem *problems_get(const struct problems *p, size_t i); /* sorted by file, line, column */
void problems_print(const struct problems *p, int fd); /* file:line:column: message, a line each */

#endif
