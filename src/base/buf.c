/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/secret.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 512 };

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_init_secret(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes, .secret = true};
}

static void give_back(struct buf *b)
{
    if (!b->at) return;
    if (b->secret) {
        secret_free(b->at, b->cap);
    } else {
        secret_wipe(b->at, b->cap);
        free(b->at);
    }
    b->at = NULL;
    b->cap = 0;
}

void buf_done(struct buf *b)
{
    give_back(b);
    b->len = 0;
}

void buf_release(struct buf *b)
{
    buf_done(b);
}

result buf_reserve(struct buf *b, size_t free_bytes)
{
    if (b->cap - b->len >= free_bytes) return OK;
    ENSURE(free_bytes <= b->max && b->len <= b->max - free_bytes, TOO_LARGE);
    size_t need = b->len + free_bytes;
    size_t cap = b->cap ? b->cap : FIRST_BYTES;
    while (cap < need) cap = cap > b->max / 2 ? b->max : cap * 2;
    if (cap > b->max) cap = b->max;
    char *at = b->secret ? secret_alloc(cap) : malloc(cap);
    ENSURE(at != NULL, MEMORY);
    size_t len = b->len;
    if (len) memcpy(at, b->at, len);
    give_back(b);
    b->at = at;
    b->len = len;
    b->cap = cap;
    return OK;
}

result buf_append(struct buf *b, slice bytes)
{
    if (bytes.len == 0) return OK;
    TRY(buf_reserve(b, bytes.len));
    memcpy(b->at + b->len, bytes.at, bytes.len);
    b->len += bytes.len;
    return OK;
}

static result append_number(struct buf *b, uint64_t n, unsigned base)
{
    char text[24];
    size_t at = sizeof text;
    do {
        text[--at] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n);
    return buf_append(b, (slice){text + at, sizeof text - at});
}

result buf_append_u64(struct buf *b, uint64_t n)
{
    return append_number(b, n, 10);
}

result buf_append_hex(struct buf *b, uint64_t n)
{
    return append_number(b, n, 16);
}

void buf_added(struct buf *b, size_t bytes)
{
    assert(bytes <= b->cap - b->len);
    b->len += bytes;
}

void buf_consume(struct buf *b, size_t bytes)
{
    assert(bytes <= b->len);
    if (bytes == 0) return;
    size_t left = b->len - bytes;
    if (left) memmove(b->at, b->at + bytes, left);
    secret_wipe(b->at + left, bytes);
    b->len = left;
}

void buf_clear(struct buf *b)
{
    if (b->len) secret_wipe(b->at, b->len);
    b->len = 0;
}

slice buf_slice(const struct buf *b)
{
    return (slice){b->at, b->len};
}

char *buf_room(struct buf *b)
{
    return b->at + b->len;
}
