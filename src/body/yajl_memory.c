/* SPDX-License-Identifier: Apache-2.0 */
#include "body/yajl_memory.h"

#include "base/secret.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Stands before every piece, in the room and in blocks. */
struct piece {
    _Alignas(max_align_t) size_t bytes;
};
struct yajl_block {
    struct yajl_block *prev, *next;
    struct piece piece; /* its bytes follow */
};

static bool is_in_room(const struct yajl_memory *m, const struct piece *p)
{
    uintptr_t at = (uintptr_t)p, room = (uintptr_t)m->room;
    return at >= room && at < room + sizeof m->room;
}

static struct piece *from_room(struct yajl_memory *m, size_t bytes)
{
    size_t align = _Alignof(max_align_t);
    size_t whole = sizeof(struct piece) + (bytes + align - 1) / align * align;
    if (bytes > sizeof m->room || whole > sizeof m->room - m->used) return NULL;
    struct piece *p = (struct piece *)(void *)(m->room + m->used);
    m->used += whole;
    return p;
}

static struct piece *from_malloc(struct yajl_memory *m, size_t bytes)
{
    struct yajl_block *b = bytes <= SIZE_MAX / 2 ? malloc(sizeof *b + bytes) : NULL;
    if (!b) longjmp(m->escape, 1);
    DL_APPEND(m->blocks, b);
    return &b->piece;
}

static void *on_malloc(void *context, size_t bytes)
{
    struct yajl_memory *m = context;
    struct piece *p = from_room(m, bytes);
    if (!p) p = from_malloc(m, bytes);
    p->bytes = bytes;
    return p + 1;
}

static void on_free(void *context, void *at)
{
    struct yajl_memory *m = context;
    if (!at) return;
    struct piece *p = (struct piece *)at - 1;
    secret_wipe(at, p->bytes);
    if (is_in_room(m, p)) return;
    struct yajl_block *b = (struct yajl_block *)(void *)((char *)p - offsetof(struct yajl_block, piece));
    DL_DELETE(m->blocks, b);
    free(b);
}

static void *on_realloc(void *context, void *at, size_t bytes)
{
    if (!at) return on_malloc(context, bytes);
    size_t had = ((struct piece *)at - 1)->bytes;
    void *new_at = on_malloc(context, bytes);
    memcpy(new_at, at, had < bytes ? had : bytes);
    on_free(context, at);
    return new_at;
}

void yajl_memory_init(struct yajl_memory *m)
{
    m->functions = (yajl_alloc_funcs){.malloc = on_malloc, .realloc = on_realloc, .free = on_free, .ctx = m};
    m->blocks = NULL;
    m->used = 0;
}

/* yajl waits for the rest of a token, and its own blank at the end does not end a string; a line feed may not stand in one. */
yajl_status yajl_memory_complete(yajl_handle parser)
{
    yajl_status status = yajl_complete_parse(parser);
    return status == yajl_status_ok ? yajl_parse(parser, (const unsigned char *)"\n", 1) : status;
}

void yajl_memory_done(struct yajl_memory *m)
{
    struct yajl_block *b, *next;
    DL_FOREACH_SAFE(m->blocks, b, next) {
        secret_wipe(&b->piece + 1, b->piece.bytes);
        free(b);
    }
    secret_wipe(m->room, m->used);
    m->blocks = NULL;
    m->used = 0;
}
