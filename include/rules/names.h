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

#endif
