/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"

#include "rules/host.h"

START_TEST(patterns)
{
    static const char *const good[] = {"api.example", "a", "localhost", "*.example", "*.a.b.example", "192.0.2.1", "x_y.example", "xn--bcher-kva.example"};
    static const char *const bad[] = {"",        "*",         "*.",     "a.example.", "a.example:443", "*.*.example", "a*.example", "*.192.0.2.1", "0x7f.1",
                                      "127.1",   "2130706433", "[::1]", "::1",        "a b",           "-a.example",  "a..example", ".example",    "0x7f000001",
                                      "1.2.3.04", "https://a", "a/b",   "b\303\274cher.example", "a%2eexample"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) ck_assert_msg(!host_pattern_check(slice_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(host_pattern_check(slice_of(bad[i])) != NULL, "%s", bad[i]);
}
END_TEST

START_TEST(matching)
{
    static const struct {
        const char *pattern, *host;
        bool fits;
    } cases[] = {
        {"api.example", "api.example", true},   {"api.example", "API.Example", true},      {"api.example", "x.api.example", false},
        {"*.example", "api.example", true},     {"*.Example", "API.eXample", true},        {"*.example", "a.b.example", false},
        {"*.example", "example", false},        {"*.example", ".example", false},          {"*.example", "", false},
        {"*.example", "api.example.com", false}, {"*.b.example", "a.b.example", true},     {"*.b.example", "ab.example", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(host_pattern_matches(slice_of(cases[i].pattern), slice_of(cases[i].host)) == cases[i].fits, "%zu", i);
}
END_TEST

START_TEST(names_of_authorities)
{
    static const char *const cases[][2] = {{"a.example", "a.example"}, {"a.example:8443", "a.example"}, {"a.example.", "a.example"},
                                           {"a.example.:443", "a.example"}, {"a.example:", "a.example"}, {"[::1]:8443", "[::1]"},
                                           {"[::1]", "[::1]"}, {"[::1", "[::1"}, {"", ""}, {":80", ""}, {".", "."}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(slice_is(host_of_authority(slice_of(cases[i][0])), cases[i][1]), "%s", cases[i][0]);
}
END_TEST

RUN_TESTS("host", patterns, matching, names_of_authorities)
