/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_OP_POOL_H
#define VAULT_OP_POOL_H

/* Room for calls under way, one size per pool, in secret memory: taken zeroed, wiped when given back, locked only once. */

#include <stddef.h>
#include <stdint.h>

struct op_slab;
struct op_link;
struct op_pool { /* zeroed: empty */
    struct op_link *free;
    struct op_slab *slabs;
    uint64_t running;
    size_t bytes;
};
void *op_pool_take(struct op_pool *p, size_t bytes /* the same in every call */); /* NULL: memory is short */
void op_pool_give(struct op_pool *p, void *op);
void op_pool_done(struct op_pool *p); /* each one was given back */

#endif
