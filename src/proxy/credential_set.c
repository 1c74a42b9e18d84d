/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/credential_set.h"

#include "base/secret.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_ROOM = 4, BLOCK_GROWTH = 4, BLOCK_MOST = 256 };

struct credential_block {
    struct credential_block *next;
    uint32_t used, room;
    struct credential at[];
};

static size_t block_bytes(uint32_t room)
{
    return sizeof(struct credential_block) + room * sizeof(struct credential);
}

result credential_set_reserve(struct credential_set *s, uint32_t index)
{
    if (index < s->room) return OK;
    uint32_t room = s->room ? s->room : FIRST_ROOM;
    while (room <= index) room *= 2;
    const struct credential **at = realloc(s->at, room * sizeof *at); /* pointers only, no secret */
    ENSURE(at != NULL, MEMORY);
    for (uint32_t i = s->room; i < room; i++) at[i] = NULL;
    s->at = at;
    s->room = room;
    return OK;
}

static struct credential_block *block_with_room(struct credential_set *s)
{
    struct credential_block *newest = s->blocks;
    if (newest && newest->used < newest->room) return newest;
    uint32_t room = newest ? newest->room * BLOCK_GROWTH : 1;
    if (room > BLOCK_MOST) room = BLOCK_MOST;
    struct credential_block *b = secret_alloc(block_bytes(room));
    if (!b) return NULL;
    b->next = newest;
    b->room = room;
    s->blocks = b;
    return b;
}

result credential_set_put(struct credential_set *s, uint32_t index, const struct credential *c)
{
    assert(index < s->room && !s->at[index]);
    struct credential_block *b = block_with_room(s);
    ENSURE(b != NULL, MEMORY);
    b->at[b->used] = *c;
    s->at[index] = &b->at[b->used++];
    return OK;
}

bool credential_set_has(const struct credential_set *s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (i >= s->room || !s->at[i]) return false;
    return true;
}

void credential_set_forget(struct credential_set *s)
{
    while (s->blocks) {
        struct credential_block *b = s->blocks;
        s->blocks = b->next;
        secret_free(b, block_bytes(b->room));
    }
    free(s->at);
    *s = (struct credential_set){0};
}
