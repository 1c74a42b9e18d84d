/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/secret.h"
#include "suite.h"

#include <string.h>

static const slice pan = CONST_SLICE("4111111111111111");

static bool is_zero(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i]) return false;
    return true;
}

/* Looked at through a volatile pointer: a freed block of the secure heap stays mapped, and the compiler must not know better. */
static bool holds(const volatile char *at, size_t len, slice what)
{
    for (size_t i = 0; i + what.len <= len; i++) {
        size_t same = 0;
        while (same < what.len && at[i + same] == what.at[same]) same++;
        if (same == what.len) return true;
    }
    return false;
}

static void fill(struct buf *b, size_t times)
{
    for (size_t i = 0; i < times; i++) ck_assert(!failed(buf_append(b, pan)));
}

START_TEST(appending)
{
    struct buf b;
    buf_init(&b, 4096);
    ck_assert_uint_eq(b.cap, 0);
    ck_assert(!failed(buf_append(&b, SLICE("len="))));
    ck_assert(!failed(buf_append_u64(&b, UINT64_MAX)));
    ck_assert(!failed(buf_append(&b, SLICE(" "))));
    ck_assert(!failed(buf_append_hex(&b, 0xfee1dead)));
    ck_assert(!failed(buf_append_hex(&b, 0)));
    ck_assert(!failed(buf_append(&b, SLICE_NONE)));
    ck_assert(slice_is(buf_slice(&b), "len=18446744073709551615 fee1dead0"));
    ck_assert(!failed(buf_reserve(&b, 3)));
    memcpy(buf_room(&b), "end", 3);
    buf_added(&b, 3);
    ck_assert(slice_ends(buf_slice(&b), SLICE("0end")));
    buf_done(&b);
}
END_TEST

START_TEST(maximum_is_hard)
{
    struct buf b;
    buf_init(&b, 40);
    fill(&b, 2);
    ck_assert_int_eq(buf_append(&b, pan).err, ERR_TOO_LARGE);
    ck_assert_uint_eq(b.len, 32); /* all or nothing */
    ck_assert_int_eq(buf_reserve(&b, SIZE_MAX).err, ERR_TOO_LARGE);
    ck_assert(!failed(buf_append(&b, SLICE("12345678"))));
    ck_assert_uint_eq(b.cap, 40);
    ck_assert_int_eq(buf_append(&b, SLICE("9")).err, ERR_TOO_LARGE);
    buf_done(&b);
}
END_TEST

START_TEST(consumed_bytes_are_wiped)
{
    struct buf b;
    buf_init(&b, 4096);
    fill(&b, 4);
    buf_consume(&b, 16 * 3);
    ck_assert(slice_eq(buf_slice(&b), pan));
    ck_assert(is_zero(b.at + 16, 16 * 3));
    buf_clear(&b);
    ck_assert(is_zero(b.at, 16));
    ck_assert_uint_gt(b.cap, 0);
    buf_release(&b);
    ck_assert_ptr_null(b.at);
    ck_assert_uint_eq(b.max, 4096);
    fill(&b, 1);
    buf_done(&b);
}
END_TEST

static const volatile char *secure_block(struct buf *b, size_t *len)
{
    ck_assert(!failed(secret_start(65536)));
    buf_init_secret(b, 65536);
    fill(b, 20);
    *len = b->cap;
    ck_assert(holds(b->at, b->cap, pan));
    return b->at;
}

START_TEST(freed_secrets_are_wiped)
{
    struct buf b;
    size_t len;
    const volatile char *old = secure_block(&b, &len);
    buf_done(&b);
    ck_assert(!holds(old, len, pan));
}
END_TEST

START_TEST(outgrown_secrets_are_wiped)
{
    struct buf b;
    size_t len;
    const volatile char *old = secure_block(&b, &len);
    fill(&b, 100);
    ck_assert_ptr_ne((const void *)b.at, (const void *)(uintptr_t)old);
    ck_assert(!holds(old, len, pan));
    buf_done(&b);
}
END_TEST

START_TEST(large_secrets_are_mapped)
{
    struct buf b;
    ck_assert(!failed(secret_start(65536)));
    buf_init_secret(&b, 1 << 20);
    ck_assert(!failed(buf_reserve(&b, 200000)));
    memset(buf_room(&b), 'x', 200000);
    buf_added(&b, 200000);
    ck_assert_uint_eq(buf_slice(&b).len, 200000);
    buf_done(&b);
    char *at = secret_alloc(100);
    ck_assert_ptr_nonnull(at);
    ck_assert(is_zero(at, 100));
    memset(at, 1, 100);
    secret_wipe(at, 100);
    ck_assert(is_zero(at, 100));
    secret_free(at, 100);
    secret_free(NULL, 1);
}
END_TEST

RUN_TESTS("buf", appending, maximum_is_hard, consumed_bytes_are_wiped, freed_secrets_are_wiped, outgrown_secrets_are_wiped,
          large_secrets_are_mapped)
