/* SPDX-License-Identifier: Apache-2.0 */
#include "body/inflate.h"

#include "../base/suite.h"

#include <string.h>
#include <zlib.h>

static struct buf compress_text(slice text, int window_bits)
{
    struct buf out;
    z_stream z = {0};
    buf_init(&out, 1u << 24);
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert(!failed(buf_reserve(&out, deflateBound(&z, text.len) + 64)));
    z.next_in = (unsigned char *)text.at;
    z.avail_in = (uInt)text.len;
    z.next_out = (unsigned char *)buf_room(&out);
    z.avail_out = (uInt)(out.cap - out.len);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_added(&out, z.total_out);
    (void)deflateEnd(&z);
    return out;
}

static enum error decode(enum content_coding coding, slice in, size_t piece, size_t max, struct buf *out)
{
    struct inflater *i = inflater_new(coding);
    buf_init(out, max);
    result r = OK;
    while (in.len && !failed(r)) {
        size_t n = in.len < piece ? in.len : piece;
        r = inflater_feed(i, slice_range(in, 0, n), out);
        in = slice_after(in, n);
    }
    if (!failed(r)) r = inflater_end(i);
    inflater_free(i);
    return r.err;
}

static const struct {
    enum content_coding coding;
    int window_bits;
} kinds[] = {{CODING_GZIP, 15 + 16}, {CODING_DEFLATE, 15}, {CODING_DEFLATE, -15}, {CODING_DEFLATE, 9}};
enum { KINDS = sizeof kinds / sizeof *kinds };
static const size_t pieces[] = {1, 2, 3, 7, 100, 100000};
enum { PIECES = sizeof pieces / sizeof *pieces };

static void fill(char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) at[i] = (char)("{\"cardNumber\": 12, "[i % 18] + (char)(i / 997 % 3));
}

START_TEST(every_split)
{
    static char text[50000];
    fill(text, sizeof text);
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t len = 0; len <= sizeof text; len = len ? len * 25 : 2) {
            struct buf in = compress_text((slice){text, len}, kinds[k].window_bits);
            for (size_t p = 0; p < PIECES; p++) {
                struct buf out;
                ck_assert_int_eq(decode(kinds[k].coding, buf_slice(&in), pieces[p], sizeof text, &out), ERR_NONE);
                ck_assert(slice_eq(buf_slice(&out), (slice){text, len}));
                buf_done(&out);
            }
            buf_done(&in);
        }
    }
}
END_TEST

START_TEST(several_members)
{
    struct buf in = compress_text(SLICE("{\"a\":"), 31), more = compress_text(SLICE("1}"), 31), out;
    ck_assert(!failed(buf_append(&in, buf_slice(&more))));
    for (size_t p = 0; p < PIECES; p++) {
        ck_assert_int_eq(decode(CODING_GZIP, buf_slice(&in), pieces[p], 100, &out), ERR_NONE);
        ck_assert(slice_is(buf_slice(&out), "{\"a\":1}"));
        buf_done(&out);
        for (size_t cut = 1; cut < in.len; cut++) { /* cut off anywhere but between the two */
            bool between = cut == in.len - more.len;
            enum error err = decode(CODING_GZIP, slice_range(buf_slice(&in), 0, cut), pieces[p], 100, &out);
            ck_assert_int_eq(err, between ? ERR_NONE : ERR_CONTENT_CODING_BROKEN);
            buf_done(&out);
        }
    }
    ck_assert(!failed(buf_append(&in, SLICE("x")))); /* what follows is no member */
    ck_assert_int_eq(decode(CODING_GZIP, buf_slice(&in), 5, 100, &out), ERR_CONTENT_CODING_BROKEN);
    buf_done(&out);
    buf_done(&in);
    buf_done(&more);
}
END_TEST

START_TEST(cut_or_followed)
{
    for (size_t k = 0; k < KINDS; k++) {
        struct buf in = compress_text(SLICE("some text, some more text, some text again"), kinds[k].window_bits), out;
        for (size_t cut = 0; cut < in.len; cut++) {
            ck_assert_int_eq(decode(kinds[k].coding, slice_range(buf_slice(&in), 0, cut), 9, 100, &out),
                             ERR_CONTENT_CODING_BROKEN);
            buf_done(&out);
        }
        ck_assert(!failed(buf_append(&in, SLICE("\0"))));
        for (size_t p = 0; p < PIECES; p++) {
            ck_assert_int_eq(decode(kinds[k].coding, buf_slice(&in), pieces[p], 100, &out), ERR_CONTENT_CODING_BROKEN);
            buf_done(&out);
        }
        buf_done(&in);
    }
}
END_TEST

/* Every byte changed: a gzip or zlib stream says so, or decodes to the same (bits that carry nothing). */
START_TEST(corrupt)
{
    slice text = SLICE("some text, some more text, some text again");
    for (size_t k = 0; k < 2; k++) {
        struct buf in = compress_text(text, kinds[k].window_bits), out;
        unsigned refused = 0;
        for (size_t i = 0; i < in.len; i++) {
            in.at[i] ^= 0x55;
            enum error err = decode(kinds[k].coding, buf_slice(&in), 1000, 1000, &out);
            refused += err != ERR_NONE;
            ck_assert(err || slice_eq(buf_slice(&out), text));
            in.at[i] ^= 0x55;
            buf_done(&out);
        }
        ck_assert_uint_gt(refused, in.len - 10);
        buf_done(&in);
    }
}
END_TEST

START_TEST(bomb)
{
    static char zeros[4 << 20];
    struct buf in = compress_text((slice){zeros, sizeof zeros}, 31), out;
    for (size_t p = 0; p < PIECES; p++) {
        ck_assert_int_eq(decode(CODING_GZIP, buf_slice(&in), pieces[p], 65536, &out), ERR_TOO_LARGE);
        ck_assert_uint_le(out.cap, 65536);
        buf_done(&out);
    }
    ck_assert_int_eq(decode(CODING_GZIP, buf_slice(&in), 4096, sizeof zeros - 1, &out), ERR_TOO_LARGE);
    buf_done(&out);
    ck_assert_int_eq(decode(CODING_GZIP, buf_slice(&in), 4096, sizeof zeros, &out), ERR_NONE); /* exactly full */
    ck_assert_uint_eq(out.len, sizeof zeros);
    buf_done(&out);
    buf_done(&in);
}
END_TEST

START_TEST(names)
{
    static const struct {
        const char *value;
        int coding; /* -1: refused */
    } cases[] = {
        {"", CODING_IDENTITY},   {"identity", CODING_IDENTITY}, {" gzip\t", CODING_GZIP}, {"X-GZip", CODING_GZIP}, {"GZIP", CODING_GZIP},
        {"deflate", CODING_DEFLATE}, {"br", -1},                {"zstd", -1},             {"gzip, gzip", -1},      {"gzip,", -1},
        {"compress", -1},        {"gzi", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum content_coding coding;
        result r = content_coding_parse(slice_of(cases[i].value), &coding);
        ck_assert_int_eq(r.err, cases[i].coding < 0 ? ERR_CONTENT_CODING : ERR_NONE);
        if (!r.err) ck_assert_int_eq(coding, cases[i].coding);
    }
}
END_TEST

RUN_TESTS("inflate", every_split, several_members, cut_or_followed, corrupt, bomb, names)
