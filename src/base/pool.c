/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include "base/secret.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 2048 - 64 };

struct block {
    struct block *next;
    size_t used, cap;
    alignas(max_align_t) char at[];
};

struct pool {
    struct block *blocks; /* the newest first */
    size_t taken, max;
};

struct pool *pool_new(size_t max_bytes)
{
    struct pool *p = calloc(1, sizeof *p);
    if (p) p->max = max_bytes;
    return p;
}

static void block_free(struct block *b)
{
    secret_wipe(b->at, b->used);
    free(b);
}

void pool_reset(struct pool *p)
{
    while (p->blocks && p->blocks->next) {
        struct block *b = p->blocks;
        p->blocks = b->next;
        p->taken -= b->cap;
        block_free(b);
    }
    if (!p->blocks) return;
    secret_wipe(p->blocks->at, p->blocks->used);
    p->blocks->used = 0;
}

void pool_free(struct pool *p)
{
    if (!p) return;
    pool_reset(p);
    free(p->blocks);
    free(p);
}

static struct block *block_for(struct pool *p, size_t bytes)
{
    if (p->blocks && p->blocks->cap - p->blocks->used >= bytes) return p->blocks;
    size_t cap = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    if (cap > p->max || p->taken > p->max - cap) return NULL;
    struct block *b = malloc(sizeof *b + cap);
    if (!b) return NULL;
    *b = (struct block){.next = p->blocks, .cap = cap};
    p->blocks = b;
    p->taken += cap;
    return b;
}

void *pool_alloc(struct pool *p, size_t bytes)
{
    size_t align = alignof(max_align_t);
    if (bytes == 0) bytes = 1;
    if (bytes > p->max) return NULL;
    bytes = (bytes + align - 1) / align * align;
    struct block *b = block_for(p, bytes);
    if (!b) return NULL;
    void *at = b->at + b->used;
    b->used += bytes;
    memset(at, 0, bytes);
    return at;
}

result pool_copy(struct pool *p, slice text, slice *out)
{
    char *at = pool_alloc(p, text.len);
    ENSURE(at != NULL, TOO_LARGE);
    if (text.len) memcpy(at, text.at, text.len);
    *out = (slice){at, text.len};
    return OK;
}
