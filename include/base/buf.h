/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

/* A growing byte buffer with a hard maximum, wiped whenever memory leaves it (grow, consume, clear, done).
 *
 *     at            at+len         at+cap     max: never larger than this
 *     |-- content --|--- free -----|
 *
 * A secret buffer takes its memory from base/secret. */

#include "base/result.h"
#include "base/slice.h"

struct buf {
    char *at;
    size_t len, cap, max;
    bool secret;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_init_secret(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b);                                  /* wipes and frees; may be used again after buf_init */
MUST_USE result buf_reserve(struct buf *b, size_t free_bytes); /* room for that many more; ERR_TOO_LARGE, ERR_MEMORY */
MUST_USE result buf_append(struct buf *b, slice bytes);        /* ERR_TOO_LARGE, ERR_MEMORY; appends all or nothing */
MUST_USE result buf_append_u64(struct buf *b, uint64_t n);     /* decimal */
MUST_USE result buf_append_hex(struct buf *b, uint64_t n);     /* lower-case, no leading zeros: chunk sizes */
void buf_added(struct buf *b, size_t bytes);   /* after writing into the room that buf_reserve made */
void buf_consume(struct buf *b, size_t bytes); /* drops from the front */
void buf_clear(struct buf *b);                 /* empties and wipes, keeps the memory */
void buf_release(struct buf *b);               /* gives the memory back, keeps max and kind: for idle owners */
slice buf_slice(const struct buf *b);          /* valid until the next call that changes b */
char *buf_room(struct buf *b);                 /* where buf_reserve made room */

#endif
