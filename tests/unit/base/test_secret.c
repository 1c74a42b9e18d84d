/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include "suite.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum { BLOCKS = 40 /* more than are kept of one size */, HEAP_BYTES = 1 << 20 };

static bool is_all(const char *at, size_t bytes, char c)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != c) return false;
    return true;
}

static bool is_zero(const char *at, size_t bytes)
{
    return is_all(at, bytes, 0);
}

/* Sizes around those of OpenSSL's blocks, of the spares and of mapped memory. */
static const size_t sizes[] = {0, 1, 31, 32, 33, 100, 1024, 4095, 4096, 4097, 64 * 1024, 64 * 1024 + 1, 512 * 1024};

START_TEST(a_block_that_was_used_comes_back_as_zeros)
{
    size_t bytes = sizes[_i];
    char *at[BLOCKS];
    ck_assert(!failed(secret_start(HEAP_BYTES)));
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            at[i] = secret_alloc(bytes);
            ck_assert_ptr_nonnull(at[i]);
            ck_assert(is_zero(at[i], bytes));
            memset(at[i], 0x5a, bytes);
        }
        for (size_t i = 0; i < BLOCKS; i++) secret_free(at[i], bytes);
    }
}
END_TEST

START_TEST(blocks_in_use_do_not_overlap)
{
    size_t bytes = sizes[_i];
    char *at[BLOCKS];
    ck_assert(!failed(secret_start(HEAP_BYTES)));
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < BLOCKS; i++) memset(at[i] = secret_alloc(bytes), (int)i, bytes);
        for (size_t i = 0; i < BLOCKS; i++) ck_assert(is_all(at[i], bytes, (char)i));
        for (size_t i = 0; i < BLOCKS; i++) secret_free(at[i], bytes);
    }
}
END_TEST

/* A size's spares may serve every request that OpenSSL's heap would have rounded up to it. */
START_TEST(a_larger_request_of_the_same_block_size_finds_zeros)
{
    ck_assert(!failed(secret_start(HEAP_BYTES)));
    for (size_t i = 0; i < BLOCKS; i++) {
        char *small = secret_alloc(65);
        memset(small, 0x5a, 65);
        secret_free(small, 65);
        char *large = secret_alloc(128);
        ck_assert(CRYPTO_secure_allocated(large));
        ck_assert(is_zero(large, 128));
        memset(large, 0xa5, 128);
        secret_free(large, 128);
    }
    ck_assert_uint_le(CRYPTO_secure_used(), 128); /* one block, used again and again */
}
END_TEST

static size_t mapped_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%lu", &pages), 1);
    (void)fclose(f);
    return pages * 4096;
}

/* Large blocks are kept for the next body, but not many of them, however they are asked for. */
START_TEST(little_large_memory_is_kept)
{
    enum { LARGE = 1 << 20, KEPT_AT_MOST = 4 << 20, SLACK = 1 << 20 };
    char *at[BLOCKS];
    ck_assert(!failed(secret_start(HEAP_BYTES)));
    size_t before = mapped_bytes();
    for (size_t i = 0; i < BLOCKS; i++) at[i] = secret_alloc(LARGE + i % 7 * 100000);
    ck_assert_uint_ge(mapped_bytes(), before + (size_t)BLOCKS * LARGE);
    for (size_t i = 0; i < BLOCKS; i++) secret_free(at[i], LARGE + i % 7 * 100000);
    ck_assert_uint_le(mapped_bytes(), before + KEPT_AT_MOST + SLACK);
    char *again = secret_alloc(LARGE + 4 * 100000); /* the last that came back */
    ck_assert_uint_le(mapped_bytes(), before + KEPT_AT_MOST + SLACK);
    ck_assert(is_zero(again, LARGE + 4 * 100000));
    secret_free(again, LARGE + 4 * 100000);
    secret_free(secret_alloc(4 * KEPT_AT_MOST), 4 * KEPT_AT_MOST);
    ck_assert_uint_le(mapped_bytes(), before + KEPT_AT_MOST + SLACK);
}
END_TEST

START_TEST(a_wipe_leaves_zeros_and_no_more)
{
    char text[64];
    memset(text, 'x', sizeof text);
    secret_wipe(text + 8, 16);
    ck_assert(is_zero(text + 8, 16));
    ck_assert_int_eq(text[7], 'x');
    ck_assert_int_eq(text[24], 'x');
    secret_wipe(NULL, 0);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("secret");
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    tcase_add_loop_test(all, a_block_that_was_used_comes_back_as_zeros, 0, SIZES);
    tcase_add_loop_test(all, blocks_in_use_do_not_overlap, 0, SIZES);
    tcase_add_test(all, a_larger_request_of_the_same_block_size_finds_zeros);
    tcase_add_test(all, little_large_memory_is_kept);
    tcase_add_test(all, a_wipe_leaves_zeros_and_no_more);
    Suite *s = suite_create("secret");
    suite_add_tcase(s, all);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
