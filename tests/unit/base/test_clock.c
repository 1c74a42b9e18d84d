/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "suite.h"

START_TEST(test_http_dates)
{
    /* The first is RFC 9110's own example. */
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{784111777000, "Sun, 06 Nov 1994 08:49:37 GMT"},
                 {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
                 {1751328000999, "Tue, 01 Jul 2025 00:00:00 GMT"},
                 {1709164799000, "Wed, 28 Feb 2024 23:59:59 GMT"},
                 {1709164800000, "Thu, 29 Feb 2024 00:00:00 GMT"}};
    char text[CLOCK_HTTP_DATE_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        clock_http_date(cases[i].ms, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

RUN_TESTS("clock", test_http_dates)
