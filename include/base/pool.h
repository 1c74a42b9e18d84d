/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

/* One pool per exchange: everything taken from it lives until the pool is reset, and is wiped then (heads hold API keys).
 * Capped, so a stranger's text cannot grow it without limit. */

#include "base/result.h"
#include "base/slice.h"

struct pool;

struct pool *pool_new(size_t max_bytes);            /* NULL when memory is short; takes no block before the first use */
void pool_free(struct pool *p);                     /* wipes; NULL is fine */
void pool_reset(struct pool *p);                    /* wipes and gives all blocks but the first back */
void *pool_alloc(struct pool *p, size_t bytes);     /* zeroed, aligned for any type; NULL past the maximum */
MUST_USE result pool_copy(struct pool *p, slice text, slice *out); /* ERR_TOO_LARGE */

#endif
