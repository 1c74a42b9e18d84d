/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_SOURCE_H
#define RULES_SOURCE_H

/* Where configuration, rules and certificates are read from. The supervisor and the commands read the disk and remember every
 * file they opened; what they remembered becomes a bundle (one sealed memfd), and the roles parse the same bytes out of the
 * bundle: a relay never opens a file, and all processes see the same version.
 *
 *     disk ─► source_disk ─► config_load ─► source_bundle() ─► memfd ─► source_from_bundle ─► config_load (same result)   */

#include "base/result.h"
#include "base/slice.h"

struct source;
struct source *source_disk(void);
/* Maps a bundle; closes nothing. NULL if it is not one (exact lengths are checked). */
struct source *source_from_bundle(int memfd);
void source_free(struct source *s); /* wipes (TLS keys may be inside); NULL is fine */
/* The whole file; valid until source_free. ERR_NOT_FOUND, ERR_IO, ERR_TOO_LARGE (16 MiB a file). */
MUST_USE result source_read(struct source *s, slice path, slice *out);
/* All files read so far as a sealed memfd (F_SEAL_WRITE|SHRINK|GROW|SEAL), mode for inheritance; -1 and errno. */
int source_bundle(const struct source *s);

/* What is wrong with what the user wrote, all of it at once. */
struct problem {
    slice file; /* as the user named it */
    unsigned line, column; /* from 1; 0: the whole file */
    char text[240];        /* "unknown key 'prefx'; did you mean 'prefix'?" */
};
struct problems;
struct problems *problems_new(void);
void problems_free(struct problems *p);
__attribute__((format(printf, 5, 6)))
void problems_add(struct problems *p, slice file, unsigned line, unsigned column, const char *format, ...);
size_t problems_count(const struct problems *p);
const struct problem *problems_get(const struct problems *p, size_t i); /* sorted by file, line, column */
void problems_print(const struct problems *p, int fd); /* file:line:column: message, a line each */

#endif
