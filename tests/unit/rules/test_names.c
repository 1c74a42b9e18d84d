/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "rules/names.h"
#include "rules/url.h"

#include <limits.h>
#include <string.h>

START_TEST(distances)
{
    static const struct {
        const char *a, *b;
        unsigned distance;
    } cases[] = {
        {"", "", 0},
        {"abc", "abc", 0},
        {"abc", "", 3},
        {"", "abc", 3},
        {"prefx", "prefix", 1},
        {"perfix", "prefix", 1},
        {"prefix", "pre-fix", 1},
        {"Prefix", "prefix", 0},
        {"first-byte", "first_byte", 0},
        {"kitten", "sitting", 3},
        {"ca", "abc", 3},
        {"drian", "drain", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(name_distance(slice_of(cases[i].a), slice_of(cases[i].b)) == cases[i].distance, "%s, %s: %u",
                      cases[i].a, cases[i].b, name_distance(slice_of(cases[i].a), slice_of(cases[i].b)));
    char longer[66];
    memset(longer, 'a', sizeof longer);
    ck_assert_uint_eq(name_distance((slice){longer, 65}, SLICE("a")), UINT_MAX);
    ck_assert_uint_eq(name_distance((slice){longer, 64}, (slice){longer, 64}), 0);
}
END_TEST

START_TEST(nearest)
{
    static const char *const known[] = {"at", "merchant", "insecure", "tls", "network_tokens", NULL};
    static const struct {
        const char *name, *near;
    } cases[] = {
        {"merchnat", "merchant"},
        {"network_token", "network_tokens"},
        {"Insecure", "insecure"},
        {"tsl", "tls"},
        {"a", "at"},
        {"x", NULL},
        {"something", NULL},
        {"", NULL},
        {"abc", NULL},
        {"networktokns", "network_tokens"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = name_nearest(slice_of(cases[i].name), known);
        bool same = got && cases[i].near ? strcmp(got, cases[i].near) == 0 : got == cases[i].near;
        ck_assert_msg(same, "%s: %s", cases[i].name, got ? got : "none");
    }
}
END_TEST

START_TEST(good_urls)
{
    static const struct {
        const char *text;
        bool tls;
        const char *host;
        unsigned port;
        const char *path;
        bool is_loopback;
    } cases[] = {
        {"https://api.example.com", true, "api.example.com", 443, "", false},
        {"https://api.example.com/", true, "api.example.com", 443, "", false},
        {"https://api.example.com:8443/a/b/", true, "api.example.com", 8443, "/a/b", false},
        {"http://127.0.0.1:9100/payment/rest", false, "127.0.0.1", 9100, "/payment/rest", true},
        {"http://127.8.9.1", false, "127.8.9.1", 80, "", true},
        {"http://localhost:80", false, "localhost", 80, "", true},
        {"http://[::1]:81/x", false, "::1", 81, "/x", true},
        {"https://[2001:db8::1]", true, "2001:db8::1", 443, "", false},
        {"http://my_service", false, "my_service", 80, "", false},
        {"http://localhost.example.com", false, "localhost.example.com", 80, "", false},
        {"http://128.0.0.1", false, "128.0.0.1", 80, "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct upstream_url u;
        const char *wrong = url_parse(slice_of(cases[i].text), &u);
        ck_assert_msg(!wrong, "%s: %s", cases[i].text, wrong);
        ck_assert_int_eq(u.tls, cases[i].tls);
        ck_assert_msg(slice_is(u.host, cases[i].host), "%s", cases[i].text);
        ck_assert_uint_eq(u.port, cases[i].port);
        ck_assert_msg(slice_is(u.path, cases[i].path), "%s", cases[i].text);
        ck_assert_int_eq(url_is_loopback(&u), cases[i].is_loopback);
    }
}
END_TEST

START_TEST(bad_urls)
{
    static const char *const cases[] = {
        "",
        "api.example.com",
        "ftp://a",
        "HTTPS://a",
        "https://",
        "https:///x",
        "https://a:0",
        "https://a:65536",
        "https://a:",
        "https://a:1x",
        "https://user@a",
        "https://user:pw@a/",
        "https://a?b",
        "https://a/b?c",
        "https://a/b#c",
        "https://a b",
        "https://a/b c",
        "https://a//b",
        "https://a/../b",
        "https://a/./b",
        "https://a/%2e",
        "https://[::1",
        "https://[::g]",
        "https://[::1]x",
        "https://1.2.3",
        "https://1.2.3.256",
        "https://1.2.3.4.5",
        "https://a..b",
        "https://-a",
        "https://a-",
        "https://a.",
        "https://a\\b",
        "https://a/\xC3\xA9",
        "https://a/\x01",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct upstream_url u;
        ck_assert_msg(url_parse(slice_of(cases[i]), &u) != NULL, "%s", cases[i]);
    }
}
END_TEST

START_TEST(host_fields)
{
    static const struct {
        const char *url, *host;
    } cases[] = {
        {"https://api.example.com/v1", "api.example.com"},
        {"https://api.example.com:443", "api.example.com"},
        {"https://api.example.com:80", "api.example.com:80"},
        {"http://127.0.0.1:80", "127.0.0.1"},
        {"http://127.0.0.1:443", "127.0.0.1:443"},
        {"http://[::1]:81", "[::1]:81"},
        {"https://[2001:db8::1]", "[2001:db8::1]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct upstream_url u;
        struct buf host;
        buf_init(&host, 300);
        ck_assert_ptr_null(url_parse(slice_of(cases[i].url), &u));
        ck_assert(!failed(url_write_host(&u, &host)));
        ck_assert_msg(slice_is(buf_slice(&host), cases[i].host), "%s", cases[i].url);
        buf_done(&host);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("names");
    TCase *t = tcase_create("names");
    tcase_add_test(t, distances);
    tcase_add_test(t, nearest);
    tcase_add_test(t, good_urls);
    tcase_add_test(t, bad_urls);
    tcase_add_test(t, host_fields);
    suite_add_tcase(s, t);
    return help_run(s);
}
