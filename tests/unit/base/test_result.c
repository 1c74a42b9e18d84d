/* SPDX-License-Identifier: Apache-2.0 */
#include "base/result.h"

#include "base/clock.h"
#include "suite.h"

#include <string.h>

static result half(int n)
{
    ENSURE(n % 2 == 0, USAGE);
    return OK;
}

static result both(int a, int b)
{
    TRY(half(a));
    return half(b);
}

START_TEST(passing_on)
{
    ck_assert(!failed(both(2, 4)));
    ck_assert_int_eq(both(1, 4).err, ERR_USAGE);
    ck_assert_int_eq(both(2, 3).err, ERR_USAGE);
    ck_assert_int_eq(FAIL(JSON_DEPTH).err, ERR_JSON_DEPTH);
}
END_TEST

/* A row that lacks its text, or has a status that HTTP does not know, would reach a caller. */
START_TEST(every_error_is_told_properly)
{
    for (enum error e = ERR_NONE + 1; e < ERR_COUNT; e++) {
        ck_assert_int_ge(error_status(e), 400);
        ck_assert_int_le(error_status(e), 599);
        ck_assert_uint_gt(strlen(error_text(e)), 10);
        ck_assert_uint_gt(strlen(error_name(e)), 1);
        ck_assert_int_ge(error_level(e), LOG_LEVEL_INFO);
        ck_assert_int_le(error_level(e), LOG_LEVEL_ERROR);
        for (enum error other = ERR_NONE + 1; other < e; other++) ck_assert_str_ne(error_name(e), error_name(other));
    }
    ck_assert_int_eq(error_status(ERR_TOKEN_UNKNOWN), 422);
    ck_assert_str_eq(error_name(ERR_TOKEN_UNKNOWN), "TOKEN_UNKNOWN");
}
END_TEST

START_TEST(dates)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1795201586123, "2026-11-20T19:06:26.123Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {4107542399999, "2100-02-28T23:59:59.999Z"},
    };
    char text[CLOCK_RFC3339_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        clock_rfc3339(cases[i].ms, text);
        ck_assert_str_eq(text, cases[i].text);
    }
    uint64_t before = clock_now_us();
    ck_assert_uint_ge(clock_now_us(), before);
    ck_assert_uint_ge(clock_now_ms(), before / 1000);
}
END_TEST

RUN_TESTS("result", passing_on, every_error_is_told_properly, dates)
