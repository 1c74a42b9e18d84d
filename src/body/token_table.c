/* SPDX-License-Identifier: Apache-2.0 */
#include "body/token_table.h"

#include "body/credential.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->is_lost = true)
#include <uthash.h>

/* A payment has one token or two, so the first few are simply compared; a batch gets a hash table. */
enum { COMPARED = 8, FIRST_ENTRIES = 2 };

struct entry {
    enum token_kind kind;
    uint32_t index;
    uint8_t len;
    bool is_lost; /* the hash table had no memory for it */
    bool gives_card, gives_cvc, is_revealed;
    char id[TOKEN_ID_MAX_BYTES];
    UT_hash_handle hh;
};

struct token_table {
    token_callback on_new;
    void *owner;
    size_t left; /* placeholders still allowed */
    struct entry **entries;
    uint32_t count, cap;
    const struct entry *last; /* the one met last: the slots of a card stand together */
    struct entry *by_id; /* entries from COMPARED on */
};

const char *token_kind_placeholder(enum token_kind k)
{
    return k == TOKEN_PERMANENT ? "detokenize" : "transaction";
}

struct token_table *token_table_new(size_t max_placeholders, token_callback on_new, void *owner)
{
    struct token_table *t = malloc(sizeof *t);
    if (t) *t = (struct token_table){.left = max_placeholders, .on_new = on_new, .owner = owner};
    return t;
}

void token_table_free(struct token_table *t)
{
    if (!t) return;
    HASH_CLEAR(hh, t->by_id);
    for (uint32_t i = 0; i < t->count; i++) free(t->entries[i]);
    free(t->entries);
    free(t);
}

static bool has_id(const struct entry *e, slice id)
{
    return e->len == id.len && memcmp(e->id, id.at, id.len) == 0;
}

static const struct entry *find(const struct token_table *t, slice id)
{
    struct entry *found = NULL;
    if (t->last && has_id(t->last, id)) return t->last;
    for (uint32_t i = 0; i < t->count && i < COMPARED; i++) {
        if (has_id(t->entries[i], id)) return t->entries[i];
    }
    if (t->by_id) HASH_FIND(hh, t->by_id, id.at, id.len, found);
    return found;
}

static result grow(struct token_table *t)
{
    if (t->count < t->cap) return OK;
    uint32_t cap = t->cap ? t->cap * 2 : FIRST_ENTRIES;
    struct entry **entries = realloc(t->entries, cap * sizeof *entries);
    ENSURE(entries != NULL, MEMORY);
    t->entries = entries;
    t->cap = cap;
    return OK;
}

static result insert(struct token_table *t, slice id, enum token_kind kind, const struct entry **out)
{
    TRY(grow(t));
    struct entry *e = malloc(sizeof *e);
    ENSURE(e != NULL, MEMORY);
    *e = (struct entry){.kind = kind, .index = t->count, .len = (uint8_t)id.len};
    memcpy(e->id, id.at, id.len);
    if (t->count >= COMPARED) {
        HASH_ADD_KEYPTR(hh, t->by_id, e->id, e->len, e);
        if (e->is_lost) {
            free(e);
            return FAIL(MEMORY);
        }
    }
    t->entries[t->count++] = e;
    *out = e;
    return OK;
}

result token_table_add(struct token_table *t, slice id, enum token_kind kind, uint32_t *index)
{
    ENSURE(id.len >= TOKEN_ID_MIN_BYTES && id.len <= TOKEN_ID_MAX_BYTES, PLACEHOLDER_TOKEN);
    ENSURE(t->left > 0, PLACEHOLDER_COUNT);
    const struct entry *e = find(t, id);
    bool is_new = e == NULL;
    if (is_new) TRY(insert(t, id, kind, &e));
    ENSURE(e->kind == kind, TOKEN_WRONG_KIND);
    t->left--;
    t->last = e;
    *index = e->index;
    if (is_new && t->on_new) t->on_new(t->owner, e->index);
    return OK;
}

uint32_t token_table_count(const struct token_table *t)
{
    return t->count;
}

static struct entry *entry_at(const struct token_table *t, uint32_t index)
{
    assert(index < t->count);
    return t->entries[index];
}

slice token_table_id(const struct token_table *t, uint32_t index)
{
    const struct entry *e = entry_at(t, index);
    return (slice){e->id, e->len};
}

enum token_kind token_table_kind(const struct token_table *t, uint32_t index)
{
    return entry_at(t, index)->kind;
}

void token_table_takes(struct token_table *t, uint32_t index, bool is_cvc)
{
    struct entry *e = entry_at(t, index);
    if (is_cvc)
        e->gives_cvc = true;
    else
        e->gives_card = true;
}

void token_table_reveal(struct token_table *t, uint32_t index)
{
    entry_at(t, index)->is_revealed = true;
}

struct token_counts token_table_revealed(const struct token_table *t)
{
    struct token_counts n = {0};
    for (uint32_t i = 0; i < t->count; i++) {
        const struct entry *e = t->entries[i];
        n.cards += e->is_revealed && e->gives_card;
        n.cvcs += e->is_revealed && e->gives_cvc;
    }
    return n;
}
