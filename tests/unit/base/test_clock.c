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

START_TEST(test_rfc3339_is_read)
{
    /* Section 5.8 has the second to fifth as its examples. */
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
        bool is_date;
    } cases[] = {
        {"2026-11-20", 1795132800000, true},
        {"1985-04-12T23:20:50.52Z", 482196050520, false},
        {"1996-12-19T16:39:57-08:00", 851042397000, false},
        {"1990-12-31T23:59:60Z", 662687999999, false},
        {"1990-12-31T15:59:60-08:00", 662687999999, false},
        {"2024-02-29t00:00:00.0019z", 1709164800001, false},
        {"2000-02-29", 951782400000, true},
        {"1970-01-01", 0, true},
        {"1970-01-01T01:00:00+01:00", 0, false},
        {"1970-01-01T00:00:00+01:00", -1, false},
        {"1969-12-31", -1, false},
        {"2023-02-29", -1, false},
        {"2100-02-29", -1, false},
        {"2026-13-01", -1, false},
        {"2026-00-01", -1, false},
        {"2026-11-00", -1, false},
        {"2026-11-31", -1, false},
        {"2026-1-01", -1, false},
        {"2026-11-20T", -1, false},
        {"2026-11-20T10:00Z", -1, false},
        {"2026-11-20T10:00:00", -1, false},
        {"2026-11-20T10:00:00.Z", -1, false},
        {"2026-11-20T24:00:00Z", -1, false},
        {"2026-11-20T10:60:00Z", -1, false},
        {"2026-11-20T10:00:61Z", -1, false},
        {"2026-11-20T10:00:00+1:00", -1, false},
        {"2026-11-20T10:00:00+24:00", -1, false},
        {"2026-11-20T10:00:00ZZ", -1, false},
        {"2026-11-20 10:00:00Z", -1, false},
        {"+026-11-20", -1, false},
        {"", -1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = 0;
        bool is_date = false, is_good = clock_rfc3339_parse(slice_of(cases[i].text), &ms, &is_date);
        ck_assert_msg(is_good == (cases[i].ms >= 0), "%s", cases[i].text);
        if (is_good) ck_assert_msg(ms == cases[i].ms && is_date == cases[i].is_date, "%s: %lld", cases[i].text, (long long)ms);
    }
}
END_TEST

START_TEST(test_months_end)
{
    static const struct {
        unsigned year, month;
        const char *end;
    } cases[] = {{1970, 1, "1970-02-01T00:00:00.000Z"}, {2024, 2, "2024-03-01T00:00:00.000Z"}, {2026, 2, "2026-03-01T00:00:00.000Z"},
                 {2026, 11, "2026-12-01T00:00:00.000Z"}, {2026, 12, "2027-01-01T00:00:00.000Z"}, {2099, 12, "2100-01-01T00:00:00.000Z"}};
    char text[CLOCK_RFC3339_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        clock_rfc3339(clock_month_end_ms(cases[i].year, cases[i].month), text);
        ck_assert_str_eq(text, cases[i].end);
    }
}
END_TEST

RUN_TESTS("clock", test_http_dates, test_rfc3339_is_read, test_months_end)
