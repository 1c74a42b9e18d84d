/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include "suite.h"

#include <stdalign.h>
#include <string.h>

START_TEST(aligned_and_zeroed)
{
    struct pool *p = pool_new(64 * 1024);
    for (size_t n = 0; n < 200; n++) {
        unsigned char *at = pool_alloc(p, n);
        ck_assert_ptr_nonnull(at);
        ck_assert_uint_eq((uintptr_t)at % alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++) ck_assert_uint_eq(at[i], 0);
        memset(at, 0xff, n);
    }
    pool_free(p);
}
END_TEST

START_TEST(reset_wipes)
{
    struct pool *p = pool_new(64 * 1024);
    slice key;
    ck_assert(!failed(pool_copy(p, SLICE("x-api-key: cv_live_0123456789"), &key)));
    ck_assert(slice_starts(key, SLICE("x-api-key")));
    const volatile char *at = key.at; /* the first block stays, so this is still the pool's memory */
    pool_reset(p);
    for (size_t i = 0; i < key.len; i++) ck_assert_int_eq(at[i], 0);
    pool_free(p);
}
END_TEST

START_TEST(never_past_the_maximum)
{
    struct pool *p = pool_new(10000);
    slice copy;
    static char large[20000];
    ck_assert_ptr_null(pool_alloc(p, 10001));
    ck_assert_ptr_null(pool_alloc(p, SIZE_MAX));
    ck_assert_int_eq(pool_copy(p, (slice){large, sizeof large}, &copy).err, ERR_TOO_LARGE);
    size_t got = 0;
    while (pool_alloc(p, 1000)) got += 1000;
    ck_assert_uint_gt(got, 0);
    ck_assert_uint_le(got, 10000);
    pool_reset(p);
    size_t again = 0;
    while (pool_alloc(p, 1000)) again += 1000;
    ck_assert_uint_eq(again, got);
    pool_free(p);
    pool_free(NULL);
}
END_TEST

START_TEST(large_pieces)
{
    struct pool *p = pool_new(1 << 20);
    char *a = pool_alloc(p, 100000), *b = pool_alloc(p, 10);
    ck_assert(a && b);
    memset(a, 1, 100000);
    ck_assert_int_eq(b[0], 0);
    pool_free(p);
}
END_TEST

RUN_TESTS("pool", aligned_and_zeroed, reset_wipes, never_past_the_maximum, large_pieces)
