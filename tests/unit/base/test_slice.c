/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include "suite.h"

#include <string.h>

START_TEST(comparing)
{
    ck_assert(slice_eq(SLICE("host"), SLICE("host")));
    ck_assert(!slice_eq(SLICE("host"), SLICE("hosT")));
    ck_assert(!slice_eq(SLICE("host"), SLICE("hos")));
    ck_assert(slice_eq(SLICE_NONE, SLICE("")));
    ck_assert(slice_ieq(SLICE("Content-LENGTH"), SLICE("content-length")));
    ck_assert(!slice_ieq(SLICE("a["), SLICE("a{"))); /* 0x5b and 0x7b differ by the case bit, but are no letters */
    ck_assert(!slice_ieq(SLICE("\xc3\x84"), SLICE("\xc3\xa4")));
    ck_assert(slice_is(SLICE("GET"), "GET"));
    ck_assert(!slice_is(SLICE("GET"), "GETS"));
    ck_assert(slice_eq_secret(SLICE("key"), SLICE("key")));
    ck_assert(!slice_eq_secret(SLICE("key"), SLICE("kez")));
    ck_assert(!slice_eq_secret(SLICE("key"), SLICE("keyy")));
    ck_assert(slice_eq_secret(SLICE_NONE, SLICE_NONE));
}
END_TEST

START_TEST(ends)
{
    ck_assert(slice_starts(SLICE("unix:/a"), SLICE("unix:")));
    ck_assert(slice_starts(SLICE("x"), SLICE("")));
    ck_assert(!slice_starts(SLICE("un"), SLICE("unix:")));
    ck_assert(slice_ends(SLICE("a.localhost"), SLICE(".localhost")));
    ck_assert(!slice_ends(SLICE("localhost"), SLICE(".localhost")));
    ck_assert(slice_eq(slice_trim(SLICE(" \t a b\t ")), SLICE("a b")));
    ck_assert(slice_trim(SLICE(" \t ")).len == 0);
    ck_assert(slice_eq(slice_trim(SLICE("\ra\n")), SLICE("\ra\n"))); /* OWS is SP and HTAB only */
}
END_TEST

START_TEST(finding)
{
    ck_assert_uint_eq(slice_find(SLICE("a:b:c"), ':'), 1);
    ck_assert_uint_eq(slice_find(SLICE("abc"), ':'), 3);
    ck_assert_uint_eq(slice_find(SLICE_NONE, ':'), 0);
    ck_assert_uint_eq(slice_find_slice(SLICE("x{{y{{"), SLICE("{{")), 1);
    ck_assert_uint_eq(slice_find_slice(SLICE("{"), SLICE("{{")), 1);
    ck_assert_uint_eq(slice_find_slice(SLICE("abc"), SLICE("")), 0);
    ck_assert_uint_eq(slice_find_slice(SLICE_NONE, SLICE("a")), 0);
}
END_TEST

START_TEST(words)
{
    for (int c = 0; c < 256; c++) {
        bool is_one = c != 0 && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", c) != NULL;
        char text[] = {'a', (char)c, '9'};
        ck_assert_int_eq(slice_is_word_char((char)c), is_one);
        ck_assert_int_eq(slice_is_word((slice){text, sizeof text}), is_one);
    }
    ck_assert(!slice_is_word(SLICE("")));
    ck_assert(slice_is_word(SLICE("cd613e30-d8f1-4adf-91b7-584a2265b1f5")));
    ck_assert(!slice_is_word(SLICE("cd613e30-d8f1-4adf-91b7-584a2265b1f5 ")));
}
END_TEST

static const struct {
    slice text;
    uint64_t max;
    bool good;
    uint64_t value;
} numbers[] = {
    {CONST_SLICE("0"), UINT64_MAX, true, 0},
    {CONST_SLICE("007"), UINT64_MAX, true, 7},
    {CONST_SLICE("18446744073709551615"), UINT64_MAX, true, UINT64_MAX},
    {CONST_SLICE("18446744073709551616"), UINT64_MAX, false, 0},
    {CONST_SLICE("99999999999999999999999999"), UINT64_MAX, false, 0},
    {CONST_SLICE("65535"), 65535, true, 65535},
    {CONST_SLICE("65536"), 65535, false, 0},
    {CONST_SLICE(""), 9, false, 0},
    {CONST_SLICE("-1"), 9, false, 0},
    {CONST_SLICE("+1"), 9, false, 0},
    {CONST_SLICE(" 1"), 9, false, 0},
    {CONST_SLICE("1 "), 9, false, 0},
    {CONST_SLICE("0x1"), 9, false, 0},
    {CONST_SLICE("1\0"), 9, false, 0},
    {CONST_SLICE("\xb1"), 9, false, 0},
};

START_TEST(number)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint64_t n = 4711;
        ck_assert_msg(slice_to_u64(numbers[i].text, numbers[i].max, &n) == numbers[i].good, "case %zu", i);
        ck_assert_msg(n == (numbers[i].good ? numbers[i].value : 4711), "case %zu", i);
    }
}
END_TEST

START_TEST(parts)
{
    const char *want[] = {"a", "", "b", ""};
    slice rest = SLICE("a,,b,"), part;
    size_t i = 0;
    for (; slice_next(&rest, ',', &part); i++) {
        ck_assert_uint_lt(i, 4);
        ck_assert(slice_is(part, want[i]));
    }
    ck_assert_uint_eq(i, 4);
    rest = SLICE_NONE;
    ck_assert(!slice_next(&rest, ',', &part));
    rest = SLICE("");
    ck_assert(slice_next(&rest, ',', &part) && part.len == 0);
}
END_TEST

START_TEST(ranges)
{
    ck_assert(slice_eq(slice_range(SLICE("abcd"), 1, 3), SLICE("bc")));
    ck_assert(slice_eq(slice_after(SLICE("abcd"), 4), SLICE("")));
    ck_assert_uint_eq(slice_range(SLICE_NONE, 0, 0).len, 0);
    ck_assert_uint_eq(slice_of(NULL).len, 0);
}
END_TEST

RUN_TESTS("slice", comparing, ends, finding, words, number, parts, ranges)
