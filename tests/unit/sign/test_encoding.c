/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/encoding.h"

#include "../base/suite.h"

#include <string.h>

struct pair {
    slice bytes, text, url;
};

/* RFC 4648 10, and bytes that need the two characters in which the alphabets differ. */
static const struct pair pairs[] = {
    {CONST_SLICE(""), CONST_SLICE(""), CONST_SLICE("")},
    {CONST_SLICE("f"), CONST_SLICE("Zg=="), CONST_SLICE("Zg")},
    {CONST_SLICE("fo"), CONST_SLICE("Zm8="), CONST_SLICE("Zm8")},
    {CONST_SLICE("foo"), CONST_SLICE("Zm9v"), CONST_SLICE("Zm9v")},
    {CONST_SLICE("foob"), CONST_SLICE("Zm9vYg=="), CONST_SLICE("Zm9vYg")},
    {CONST_SLICE("fooba"), CONST_SLICE("Zm9vYmE="), CONST_SLICE("Zm9vYmE")},
    {CONST_SLICE("foobar"), CONST_SLICE("Zm9vYmFy"), CONST_SLICE("Zm9vYmFy")},
    {CONST_SLICE("\xfb\xff\xfe\x00"), CONST_SLICE("+//+AA=="), CONST_SLICE("-__-AA")},
};

typedef result codec(slice in, struct buf *out);

static void check_codec(codec *call, slice in, slice expected)
{
    struct buf out;
    buf_init(&out, 1024);
    ck_assert(!failed(buf_append(&out, SLICE(">")))); /* what stands in the buffer stays */
    ck_assert(!failed(call(in, &out)));
    ck_assert(slice_eq(slice_after(buf_slice(&out), 1), expected));
    buf_done(&out);
}

START_TEST(known_pairs)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        check_codec(base64_write, pairs[i].bytes, pairs[i].text);
        check_codec(base64url_write, pairs[i].bytes, pairs[i].url);
        check_codec(base64_read, pairs[i].text, pairs[i].bytes);
        check_codec(base64url_read, pairs[i].url, pairs[i].bytes);
    }
}
END_TEST

START_TEST(every_byte_comes_back)
{
    char bytes[256];
    struct buf text;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        buf_init(&text, 1024);
        ck_assert(!failed(base64_write((slice){bytes, len}, &text)));
        ck_assert_uint_eq(text.len, (len + 2) / 3 * 4);
        check_codec(base64_read, buf_slice(&text), (slice){bytes, len});
        buf_clear(&text);
        ck_assert(!failed(base64url_write((slice){bytes, len}, &text)));
        check_codec(base64url_read, buf_slice(&text), (slice){bytes, len});
        buf_done(&text);
    }
}
END_TEST

static void check_refused(codec *read, slice text)
{
    struct buf out;
    buf_init(&out, 1024);
    ck_assert(!failed(buf_append(&out, SLICE("ab"))));
    ck_assert_msg(read(text, &out).err == ERR_BASE64, "taken: '%.*s'", SLICE_ARG(text));
    ck_assert(slice_is(buf_slice(&out), "ab"));
    for (size_t i = out.len; i < out.cap && i < 64; i++)
        ck_assert_int_ne(out.at[i], 'f'); /* "foob" was there for a moment */
    buf_done(&out);
}

START_TEST(malformed_is_refused)
{
    static const slice both[] = {
        CONST_SLICE("Z"),        CONST_SLICE("Zm9vY"),    CONST_SLICE("Zm9 Yg=="),  CONST_SLICE("Zm9v\n"),
        CONST_SLICE(" Zm9v"),    CONST_SLICE("Zm9vYh=="), CONST_SLICE("Zm9vYmF="),  CONST_SLICE("===="),
        CONST_SLICE("Zm9v===="), CONST_SLICE("Zg==Zg=="), CONST_SLICE("Zm9v\0m9v"), CONST_SLICE("Zm9\xc3"),
        CONST_SLICE("="),        CONST_SLICE("A=B="),     CONST_SLICE("Zm9vYg==="), CONST_SLICE("Zm9v*m8=")};
    static const slice padded[] = {CONST_SLICE("Zg"), CONST_SLICE("Zg="), CONST_SLICE("Zm8"), CONST_SLICE("-__-AA==")};
    static const slice url[] = {CONST_SLICE("Zg=="), CONST_SLICE("Zm8="), CONST_SLICE("Zm9vYh"), CONST_SLICE("Zm9vYmF"),
                                CONST_SLICE("+//+")};
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        check_refused(base64_read, both[i]);
        check_refused(base64url_read, both[i]);
    }
    for (size_t i = 0; i < sizeof padded / sizeof *padded; i++)
        check_refused(base64_read, padded[i]);
    for (size_t i = 0; i < sizeof url / sizeof *url; i++)
        check_refused(base64url_read, url[i]);
}
END_TEST

START_TEST(hexadecimal)
{
    check_codec(hex_write, SLICE("\x00\x0f\xf0\xff\x7f"), SLICE("000ff0ff7f"));
    check_codec(hex_write, SLICE_NONE, SLICE(""));
}
END_TEST

START_TEST(maximum_is_hard)
{
    struct buf out;
    buf_init(&out, 7);
    ck_assert_int_eq(base64_write(SLICE("foob"), &out).err, ERR_TOO_LARGE);
    ck_assert_int_eq(hex_write(SLICE("foob"), &out).err, ERR_TOO_LARGE);
    ck_assert_uint_eq(out.len, 0);
    buf_done(&out);
}
END_TEST

RUN_TESTS("encoding", known_pairs, every_byte_comes_back, malformed_is_refused, hexadecimal, maximum_is_hard)
