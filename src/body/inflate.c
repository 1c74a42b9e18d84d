/* SPDX-License-Identifier: Apache-2.0 */
#include "body/inflate.h"

#include "base/secret.h"

#include <stddef.h>
#include <stdlib.h>
#include <zlib.h>

result content_coding_parse(slice value, enum content_coding *out)
{
    value = slice_trim(value);
    /* RFC 9110 section 8.4.1: "All content codings are case-insensitive"; 8.4.1.3: "A recipient SHOULD consider "x-gzip" to be
     * equivalent to "gzip"." */
    if (value.len == 0 || slice_ieq(value, SLICE("identity")))
        *out = CODING_IDENTITY;
    else if (slice_ieq(value, SLICE("gzip")) || slice_ieq(value, SLICE("x-gzip")))
        *out = CODING_GZIP;
    else if (slice_ieq(value, SLICE("deflate")))
        *out = CODING_DEFLATE;
    else
        return FAIL(CONTENT_CODING);
    return OK;
}

enum { PIECE_BYTES = 16 * 1024, BITS_RAW = -MAX_WBITS, BITS_ZLIB = MAX_WBITS, BITS_GZIP = MAX_WBITS + 16 };

struct inflater {
    enum content_coding coding;
    z_stream zlib;
    unsigned char head[2]; /* deflate: looked at before zlib or raw is chosen */
    unsigned head_len;
    bool is_running, is_complete;
    bool has_member; /* gzip: one is complete; another may follow */
};

/* zlib keeps the last 32 KiB of what it decoded, which may be card data, and frees it as it is: so it works in secret memory. */
struct zlib_block {
    _Alignas(max_align_t) size_t bytes;
};

static void *on_alloc(void *context, unsigned items, unsigned size)
{
    (void)context;
    size_t bytes = sizeof(struct zlib_block) + (size_t)items * size;
    struct zlib_block *block = secret_alloc(bytes);
    if (!block) return NULL;
    block->bytes = bytes;
    return block + 1;
}

static void on_free(void *context, void *at)
{
    (void)context;
    if (!at) return;
    struct zlib_block *block = (struct zlib_block *)at - 1;
    secret_free(block, block->bytes);
}

struct inflater *inflater_new(enum content_coding coding)
{
    struct inflater *i = calloc(1, sizeof *i);
    if (!i) return NULL;
    i->coding = coding;
    i->zlib.zalloc = on_alloc;
    i->zlib.zfree = on_free;
    return i;
}

void inflater_free(struct inflater *i)
{
    if (!i) return;
    if (i->is_running) (void)inflateEnd(&i->zlib);
    secret_wipe(i, sizeof *i);
    free(i);
}

static result start(struct inflater *i, int window_bits)
{
    ENSURE(inflateInit2(&i->zlib, window_bits) == Z_OK, MEMORY);
    i->is_running = true;
    return OK;
}

static result finish_member(struct inflater *i)
{
    if (i->coding != CODING_GZIP) {
        i->is_complete = true;
        return OK;
    }
    /* RFC 1952 section 2.2: "A gzip file consists of a series of 'members'". */
    i->has_member = true;
    ENSURE(inflateReset(&i->zlib) == Z_OK, INTERNAL);
    return OK;
}

/* One call of zlib; what it made goes to out. *stuck: it needs more input. */
static result step(struct inflater *i, struct buf *out, bool *stuck)
{
    size_t room = out->max - out->len < PIECE_BYTES ? out->max - out->len : PIECE_BYTES;
    unsigned char over; /* when out is full: does another byte come? */
    if (room) TRY(buf_reserve(out, room));
    i->zlib.next_out = room ? (unsigned char *)buf_room(out) : &over;
    i->zlib.avail_out = room ? (uInt)room : 1;
    uInt had_in = i->zlib.avail_in, had_out = i->zlib.avail_out;
    int status = inflate(&i->zlib, Z_NO_FLUSH);
    uInt made = had_out - i->zlib.avail_out;
    ENSURE(room || made == 0, TOO_LARGE);
    buf_added(out, made);
    if (i->zlib.avail_in < had_in) i->has_member = false; /* inside the next one, if there was one */
    *stuck = made == 0 && i->zlib.avail_in == had_in;
    if (status == Z_STREAM_END) {
        *stuck = false;
        return finish_member(i);
    }
    ENSURE(status != Z_MEM_ERROR, MEMORY);
    ENSURE(status == Z_OK || status == Z_BUF_ERROR, CONTENT_CODING_BROKEN);
    return OK;
}

static result run(struct inflater *i, slice bytes, struct buf *out)
{
    while (bytes.len || i->zlib.avail_in) {
        if (i->zlib.avail_in == 0) {
            size_t piece = bytes.len < PIECE_BYTES ? bytes.len : PIECE_BYTES;
            /* zlib's type is not const, but it only reads. */
            i->zlib.next_in = (unsigned char *)bytes.at;
            i->zlib.avail_in = (uInt)piece;
            bytes = slice_after(bytes, piece);
        }
        bool stuck = false;
        while (!stuck && !i->is_complete) TRY(step(i, out, &stuck));
        ENSURE(i->zlib.avail_in == 0, CONTENT_CODING_BROKEN); /* something follows the end */
    }
    return OK;
}

/* RFC 9110 section 8.4.1.2: deflate is "the zlib data format [RFC1950] containing a deflate compressed data stream"; "Note: Some
 * non-conformant implementations send the deflate compressed data without the zlib wrapper." A zlib head is a multiple of 31. */
static result run_deflate(struct inflater *i, slice bytes, struct buf *out)
{
    while (!i->is_running && bytes.len && i->head_len < sizeof i->head) {
        i->head[i->head_len++] = (unsigned char)bytes.at[0];
        bytes = slice_after(bytes, 1);
    }
    if (!i->is_running) {
        if (i->head_len < sizeof i->head) return OK;
        bool zlib = (i->head[0] & 15) == Z_DEFLATED && (i->head[0] * 256 + i->head[1]) % 31 == 0;
        TRY(start(i, zlib ? BITS_ZLIB : BITS_RAW));
        TRY(run(i, (slice){(const char *)i->head, sizeof i->head}, out));
    }
    return run(i, bytes, out);
}

result inflater_feed(struct inflater *i, slice bytes, struct buf *out)
{
    if (bytes.len == 0) return OK;
    ENSURE(!i->is_complete, CONTENT_CODING_BROKEN);
    if (i->coding == CODING_DEFLATE) return run_deflate(i, bytes, out);
    if (!i->is_running) TRY(start(i, BITS_GZIP));
    return run(i, bytes, out);
}

result inflater_end(struct inflater *i)
{
    ENSURE(i->is_complete || i->has_member, CONTENT_CODING_BROKEN);
    return OK;
}
