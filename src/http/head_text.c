/* SPDX-License-Identifier: Apache-2.0 */
#include "reader_priv.h"

#include <string.h>

/* The head's bytes are copied once, when llhttp has taken them; a head that arrives in one piece takes exactly its
 * size. */

enum { TEXT_FIRST_BYTES = 512, MARKS_FIRST = 24, POOL_SLACK_BYTES = 16 * 1024 };

size_t head_pool_bytes(const struct http_limits *limits)
{
    /* Text and marks grow by doubling, and what they outgrow stays in the pool: twice the last size, which is under
     * twice the limit. */
    return 4 * limits->head_bytes + (limits->fields + 1) * (4 * sizeof(struct field_mark) + sizeof(struct http_field)) +
           POOL_SLACK_BYTES;
}

static bool grow_text(struct http_reader *r, size_t need, bool complete)
{
    struct head_text *t = &r->text;
    size_t cap = t->cap ? t->cap : TEXT_FIRST_BYTES;
    while (cap < need)
        cap *= 2;
    if (complete) cap = need;
    char *at = pool_alloc(r->pool, cap);
    if (!at) return false;
    if (t->len) memcpy(at, t->at, t->len);
    t->at = at;
    t->cap = cap;
    return true;
}

bool head_text_append(struct http_reader *r, slice bytes, bool complete)
{
    struct head_text *t = &r->text;
    if (bytes.len == 0) return true;
    if (t->cap - t->len < bytes.len && !grow_text(r, t->len + bytes.len, complete)) return false;
    memcpy(t->at + t->len, bytes.at, bytes.len);
    t->len += bytes.len;
    return true;
}

bool head_text_add_field(struct http_reader *r)
{
    struct head_text *t = &r->text;
    if (t->count == t->mark_cap) {
        size_t cap = t->mark_cap ? t->mark_cap * 2 : MARKS_FIRST;
        struct field_mark *marks = pool_alloc(r->pool, cap * sizeof *marks);
        if (!marks) return false;
        if (t->count) memcpy(marks, t->marks, t->count * sizeof *marks);
        t->marks = marks;
        t->mark_cap = cap;
    }
    t->count++;
    return true;
}
