/* SPDX-License-Identifier: Apache-2.0 */
#include "op_pool.h"

#include "base/secret.h"

#include <assert.h>
#include <utlist.h>

enum { SLAB_BYTES = 96 * 1024, OP_ALIGN = 16 };

struct op_link {
    struct op_link *next;
};
struct op_slab {
    struct op_slab *next;
    size_t bytes;
    _Alignas(OP_ALIGN) char ops[];
};

static size_t stride(const struct op_pool *p)
{
    return (p->bytes + OP_ALIGN - 1) / OP_ALIGN * OP_ALIGN;
}

static bool grow(struct op_pool *p)
{
    size_t count = SLAB_BYTES / stride(p), bytes = sizeof(struct op_slab) + count * stride(p);
    struct op_slab *s = secret_alloc(bytes);
    if (!s) return false;
    s->bytes = bytes;
    LL_PREPEND(p->slabs, s);
    while (count-- > 0) {
        struct op_link *op = (struct op_link *)(void *)(s->ops + count * stride(p));
        LL_PREPEND(p->free, op);
    }
    return true;
}

void *op_pool_take(struct op_pool *p, size_t bytes)
{
    if (!p->bytes) p->bytes = bytes;
    assert(p->bytes == bytes && bytes >= sizeof(struct op_link) && bytes <= SLAB_BYTES);
    if (!p->free && !grow(p)) return NULL;
    struct op_link *op = p->free;
    LL_DELETE(p->free, op);
    op->next = NULL;
    p->running++;
    return op;
}

void op_pool_give(struct op_pool *p, void *op)
{
    secret_wipe(op, p->bytes);
    struct op_link *link = op;
    LL_PREPEND(p->free, link);
    p->running--;
}

void op_pool_done(struct op_pool *p)
{
    assert(p->running == 0); /* the store has answered each batch by now */
    for (struct op_slab *s = p->slabs, *next; s; s = next) {
        next = s->next;
        secret_free(s, s->bytes);
    }
    *p = (struct op_pool){0};
}
