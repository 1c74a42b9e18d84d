/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_TARGET_POOLS_H
#define PROXY_TARGET_POOLS_H

/* Connections of one route whose targets come with the requests: a pool for each target host, made when it is first asked for, held
 * by the exchanges that use it, and freed some time after the last of them. At most TARGET_POOLS_MAX at once: past that the one that
 * nobody has used for longest gives way, and if all are in use the request is refused.
 *
 *     take ─► target_pool in use ─► release ─► kept, with its idle connections ─► freed                                 */

#include "http/upstream.h"
#include "rules/config.h"

enum { TARGET_POOLS_MAX = 64 };

struct target_pools;
struct target_pool;
/* <common>: what all have in common (copied); host, port, tls and public_only are each target's own. <tls>: for https targets (borrows).
 * NULL: memory. */
struct target_pools *target_pools_new(const struct upstream_settings *common, struct tls_client *tls);
void target_pools_free(struct target_pools *p); /* none may be in use; NULL is fine */
/* ERR_TARGET_BUSY, ERR_MEMORY. */
MUST_USE result target_pools_take(struct target_pools *p, const struct upstream_url *url, bool may_be_private, struct target_pool **out);
void target_pool_release(struct target_pool *t); /* NULL is fine */
struct upstream_pool *target_pool_upstream(struct target_pool *t);
size_t target_pools_count(const struct target_pools *p); /* for tests */

#endif
