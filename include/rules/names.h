/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_NAMES_H
#define RULES_NAMES_H

/* "did you mean": the known name nearest to what was written. */

#include "base/slice.h"

/* Optimal string alignment distance (insert, delete, replace, swap of neighbours), ASCII letters without case, '-' equal to
 * '_'. Names over 64 bytes are far from everything. */
unsigned name_distance(slice a, slice b);

/* The nearest of the NULL-ended list; NULL if none is near: at most one edit for each three letters, and one for short names. */
const char *name_nearest(slice name, const char *const *known);

/* "; did you mean 'prefix'?" or "; known here: a, b, c" or "; none is known here", for the end of a message. */
enum { NAME_HINT_BYTES = 176 };
void name_write_hint(slice name, const char *const *known, char out[NAME_HINT_BYTES]);
/* The length of a stranger's text that goes into a message: all of it, at most 60 bytes. For "%.*s". */
int name_shown(slice text);

#endif
