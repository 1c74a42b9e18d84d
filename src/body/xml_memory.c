/* SPDX-License-Identifier: Apache-2.0 */
#include "xml_memory.h"

#include "base/secret.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct xml_memory *asking;

/* Stands before every piece. */
struct piece {
    _Alignas(max_align_t) size_t bytes;
    struct xml_memory *owner;
};

static void *piece_new(struct xml_memory *m, size_t bytes)
{
    if (bytes > m->max || m->used > m->max - bytes) {
        m->is_spent = true;
        return NULL;
    }
    size_t whole = sizeof(struct piece) + bytes;
    struct piece *p = m->is_secret ? secret_alloc(whole) : malloc(whole);
    if (!p) return NULL;
    p->bytes = bytes;
    p->owner = m;
    m->used += bytes;
    return p + 1;
}

static void *on_malloc(size_t bytes)
{
    assert(asking != NULL);
    return piece_new(asking, bytes);
}

static void on_free(void *at)
{
    if (!at) return;
    struct piece *p = (struct piece *)at - 1;
    size_t whole = sizeof *p + p->bytes;
    p->owner->used -= p->bytes;
    if (p->owner->is_secret) {
        secret_free(p, whole);
        return;
    }
    secret_wipe(p, whole);
    free(p);
}

static void *on_realloc(void *at, size_t bytes)
{
    if (!at) return on_malloc(bytes);
    const struct piece *p = (struct piece *)at - 1;
    void *new_at = piece_new(p->owner, bytes);
    if (!new_at) return NULL;
    memcpy(new_at, at, p->bytes < bytes ? p->bytes : bytes);
    on_free(at);
    return new_at;
}

const XML_Memory_Handling_Suite xml_memory_functions = {on_malloc, on_realloc, on_free};

void xml_memory_enter(struct xml_memory *m)
{
    assert(asking == NULL);
    asking = m;
}

void xml_memory_leave(void)
{
    asking = NULL;
}
