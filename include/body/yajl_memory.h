/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_YAJL_MEMORY_H
#define BODY_YAJL_MEMORY_H

/* Memory for one yajl parser: small blocks from a fixed room, large ones from malloc, all wiped and given back at once.
 *
 * yajl does not look at what its allocator returns (yajl_buf.c, yajl_bytestack.h), so an allocator that is out of memory must
 * not return: it jumps back to where yajl was called. yajl holds nothing but this memory, so nothing is lost by the jump. */

#include <setjmp.h>
#include <stddef.h>

#include <yajl/yajl_parse.h>

enum { YAJL_MEMORY_ROOM_BYTES = 1024 };

struct yajl_block;
struct yajl_memory {
    jmp_buf escape; /* set before every call of yajl that may allocate */
    yajl_alloc_funcs functions;
    struct yajl_block *blocks;
    size_t used;
    _Alignas(max_align_t) char room[YAJL_MEMORY_ROOM_BYTES];
};

void yajl_memory_init(struct yajl_memory *m);
/* yajl_complete_parse, and what that overlooks: a string behind the document which has no end. */
yajl_status yajl_memory_complete(yajl_handle parser);
void yajl_memory_done(struct yajl_memory *m); /* wipes; the parser is gone with it, without yajl_free */

#endif
