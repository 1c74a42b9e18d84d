/* SPDX-License-Identifier: Apache-2.0 */
#include "http/reader.h"

#include <check.h>
#define HTTP_HEAD HTTP_METHOD_HEAD /* llhttp has a method of our step's name */
#include <llhttp.h>
#undef HTTP_HEAD
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a head says once it is read; where a message ends; and the table of refusals. */

static const struct http_limits limits = {.head_bytes = 16 * 1024, .fields = 100};

#define H "Host: shop.test\r\n"
#define GET "GET /a HTTP/1.1\r\n" H
#define POST "POST /a HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define OK200 "HTTP/1.1 200 OK\r\n"

/* Reads one head and stops there. */
static struct http_reader *head_of(enum http_side side, const char *text)
{
    struct http_reader *r = http_reader_new(side, &limits);
    size_t used;
    ck_assert_ptr_nonnull(r);
    enum http_step step = http_reader_feed(r, slice_of(text), &used);
    ck_assert_msg(step == HTTP_HEAD, "%s: %s", text, refusal_name(http_reader_refusal(r)));
    return r;
}

static void expect_slice(slice got, const char *wanted)
{
    ck_assert_msg(slice_is(got, wanted), "expected '%s', was '%.*s'", wanted, SLICE_ARG(got));
}

START_TEST(head_is_taken_apart)
{
    struct http_reader *r =
        head_of(HTTP_REQUESTS, "POST /a/b?c=d&e HTTP/1.1\r\nHost: shop.test:8080\r\nX-A:  one \t\r\nx-a: two\r\n"
                               "Connection: close, X-Drop\r\nX-Drop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
                               "Trailer: X\r\nProxy-Connection: x\r\nExpect: 100-Continue\r\n"
                               "Content-Length: 0012\r\n\r\n");
    const struct http_head *h = http_reader_head(r);
    expect_slice(h->method, "POST");
    expect_slice(h->target, "/a/b?c=d&e");
    expect_slice(h->path, "/a/b");
    expect_slice(h->query, "c=d&e");
    expect_slice(h->authority, "shop.test:8080");
    ck_assert(h->expects_continue && !h->keep_alive && !h->is_head_method && !h->is_answer);
    ck_assert_int_eq(h->framing, HTTP_LENGTH);
    ck_assert_uint_eq(h->length, 12);
    ck_assert_uint_eq(h->field_count, 2);
    expect_slice(http_head_get(h, "X-a"), "one");
    ck_assert_uint_eq(http_head_count(h, "x-A"), 2);
    ck_assert_ptr_null(http_head_get(h, "x-drop").at);
    ck_assert_uint_eq(http_head_count(h, "connection"), 0);
    http_reader_free(r);
}
END_TEST

static enum http_step read_connect(const char *text, struct http_reader **out)
{
    size_t used;
    *out = http_reader_new(HTTP_REQUESTS, &limits);
    http_reader_take_connect(*out, true);
    return http_reader_feed(*out, slice_of(text), &used);
}

START_TEST(connect_where_it_is_taken)
{
    static const char *const good[] = {"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\nX-A: b\r\n\r\n",
                                       "CONNECT api.test:443 HTTP/1.1\r\nHost: API.test:443\r\n\r\nbytes of the tunnel",
                                       "CONNECT api.test:443 HTTP/1.0\r\n\r\n", "CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n"};
    struct http_reader *r;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(read_connect(good[i], &r) == HTTP_HEAD, "%s: %s", good[i], refusal_name(http_reader_refusal(r)));
        const struct http_head *h = http_reader_head(r);
        ck_assert(h->is_connect && h->path.len == 0 && h->framing == HTTP_NO_BODY);
        expect_slice(h->authority, i == 3 ? "[::1]:8443" : "api.test:443");
        http_reader_free(r);
    }
    size_t used; /* it is asked for again with each message, and other requests are as ever */
    ck_assert_int_eq(read_connect("GET /a HTTP/1.1\r\n" H "\r\n", &r), HTTP_HEAD);
    ck_assert(!http_reader_head(r)->is_connect);
    ck_assert_int_eq(http_reader_feed(r, SLICE_NONE, &used), HTTP_END);
    ck_assert_int_eq(http_reader_feed(r, slice_of(good[0]), &used), HTTP_HEAD);
    ck_assert(http_reader_head(r)->is_connect);
    http_reader_free(r);
}
END_TEST

START_TEST(connects_that_are_refused)
{
    static const struct {
        const char *text;
        enum http_refusal why;
    } bad[] = {
        {"CONNECT api.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n", REFUSAL_HOST_TARGET_MISMATCH},
        {"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n", REFUSAL_HOST_TARGET_MISMATCH},
        {"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\nHost: api.test:443\r\n\r\n", REFUSAL_HOST_MANY},
        {"CONNECT api.test:443 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", REFUSAL_CONNECT_CONTENT},
        {"CONNECT api.test:443 HTTP/1.1\r\nContent-Length: 0\r\n\r\n", REFUSAL_CONNECT_CONTENT},
        {"CONNECT api.test:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", REFUSAL_CONNECT_CONTENT},
        {"CONNECT user@api.test:443 HTTP/1.1\r\n\r\n", REFUSAL_TARGET_USERINFO},
    };
    struct http_reader *r;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(read_connect(bad[i].text, &r), HTTP_REFUSED);
        ck_assert_msg(http_reader_refusal(r) == bad[i].why, "%s: %s", bad[i].text, refusal_name(http_reader_refusal(r)));
        http_reader_free(r);
    }
    static const char *const others[] = {"CONNECT /a HTTP/1.1\r\n" H "\r\n", "CONNECT http://api.test:443 HTTP/1.1\r\n\r\n", "CONNECT * HTTP/1.1\r\n\r\n",
                                         "CONNECT HTTP/1.1\r\n\r\n", "CONNECT api%2etest:443 HTTP/1.1\r\n\r\n", "CONNECT :443 HTTP/1.1\r\n\r\n",
                                         "CONNECT api.test:99999 HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_msg(read_connect(others[i], &r) == HTTP_REFUSED, "%s", others[i]);
        http_reader_free(r);
    }
}
END_TEST

START_TEST(absolute_form_becomes_origin_form)
{
    static const char *const rows[][3] = {
        {"http://shop.test/a?b", "/a", "b"},
        {"http://SHOP.test", "/", NULL},
        {"https://shop.test?", "/", ""},
        {"http://shop.test?x=/y@z", "/", "x=/y@z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        snprintf(text, sizeof text, "HEAD %s HTTP/1.1\r\n" H "\r\n", rows[i][0]);
        struct http_reader *r = head_of(HTTP_REQUESTS, text);
        const struct http_head *h = http_reader_head(r);
        expect_slice(h->path, rows[i][1]);
        ck_assert_int_eq(h->query.at != NULL, rows[i][2] != NULL);
        if (rows[i][2]) expect_slice(h->query, rows[i][2]);
        ck_assert(h->is_head_method && h->target.at[0] == '/');
        http_reader_free(r);
    }
}
END_TEST

START_TEST(keep_alive_follows_version_and_options)
{
    static const struct {
        const char *text;
        bool keep;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", true},
        {"GET / HTTP/1.0\r\n" H "\r\n", false},
        {"GET / HTTP/1.0\r\n" H "Connection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n" H "Connection: Keep-Alive, close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: x, ,CLOSE \t\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_reader *r = head_of(HTTP_REQUESTS, rows[i].text);
        ck_assert_msg(http_reader_head(r)->keep_alive == rows[i].keep, "%s", rows[i].text);
        http_reader_free(r);
    }
}
END_TEST

START_TEST(expectation_needs_1_1_and_a_body)
{
    static const struct {
        const char *text;
        bool expects;
    } rows[] = {
        {"POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", true},
        {"POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", false},
        {"POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n", false},
        {"POST / HTTP/1.0\r\n" H "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_reader *r = head_of(HTTP_REQUESTS, rows[i].text);
        ck_assert_msg(http_reader_head(r)->expects_continue == rows[i].expects, "%s", rows[i].text);
        http_reader_free(r);
    }
}
END_TEST

START_TEST(answer_head_is_taken_apart)
{
    struct http_reader *r =
        head_of(HTTP_ANSWERS, "HTTP/1.0 404 Not \xc3\x89 here\r\nUpgrade: h2\r\nConnection: upgrade, content-type\r\n"
                              "Content-Type: text/plain\r\nContent_Length: 3\r\n\r\n");
    const struct http_head *h = http_reader_head(r);
    ck_assert(h->is_answer && !h->keep_alive);
    ck_assert_int_eq(h->status, 404);
    expect_slice(h->reason, "Not \xc3\x89 here");
    ck_assert_int_eq(h->framing, HTTP_UNTIL_CLOSE);
    ck_assert_uint_eq(h->field_count, 1);
    expect_slice(http_head_get(h, "content-type"), "text/plain");
    http_reader_free(r);
}
END_TEST

START_TEST(answer_to_head_tells_its_length)
{
    struct http_reader *r = http_reader_new(HTTP_ANSWERS, &limits);
    size_t used;
    http_reader_expect_head_answer(r, true);
    ck_assert_int_eq(http_reader_feed(r, SLICE("HTTP/1.1 100 C\r\n\r\n"), &used), HTTP_HEAD);
    ck_assert_int_eq(http_reader_feed(r, SLICE_NONE, &used), HTTP_END);
    ck_assert_int_eq(http_reader_feed(r, SLICE(OK200 "Content-Length: 42\r\n\r\n"), &used), HTTP_HEAD);
    const struct http_head *h = http_reader_head(r);
    ck_assert(h->framing == HTTP_NO_BODY && h->length_told && h->length == 42 && h->keep_alive);
    ck_assert_int_eq(http_reader_feed(r, SLICE_NONE, &used), HTTP_END);
    /* The expectation was for that answer only. */
    ck_assert_int_eq(http_reader_feed(r, SLICE(OK200 "Content-Length: 2\r\n\r\nab"), &used), HTTP_HEAD);
    ck_assert_int_eq(http_reader_head(r)->framing, HTTP_LENGTH);
    http_reader_free(r);
}
END_TEST

START_TEST(odd_204_is_not_kept_alive)
{
    struct http_reader *r = head_of(HTTP_ANSWERS, "HTTP/1.1 204 N\r\nContent-Length: 2\r\n\r\n");
    ck_assert(!http_reader_head(r)->keep_alive && !http_reader_head(r)->length_told);
    http_reader_free(r);
    r = head_of(HTTP_ANSWERS, "HTTP/1.1 204 N\r\nContent-Length: 0\r\n\r\n");
    ck_assert(http_reader_head(r)->keep_alive);
    http_reader_free(r);
}
END_TEST

/* END stops at its byte, and a head stays readable until the next feed. */
START_TEST(pipelining_stops_at_each_end)
{
    static const char both[] = POST "Content-Length: 2\r\n\r\nab" GET "\r\n";
    struct http_reader *r = http_reader_new(HTTP_REQUESTS, &limits);
    slice left = SLICE(both);
    static const enum http_step order[] = {HTTP_HEAD, HTTP_BODY, HTTP_END};
    for (size_t i = 0; i < 3; i++) {
        size_t used;
        ck_assert_int_eq(http_reader_feed(r, left, &used), order[i]);
        left = slice_after(left, used);
    }
    expect_slice(left, GET "\r\n");
    expect_slice(http_reader_head(r)->method, "POST");
    size_t used;
    ck_assert_int_eq(http_reader_feed(r, left, &used), HTTP_HEAD);
    ck_assert_uint_eq(used, left.len);
    ck_assert(!http_reader_is_idle(r));
    ck_assert_int_eq(http_reader_feed(r, SLICE_NONE, &used), HTTP_END);
    ck_assert_int_eq(http_reader_feed(r, SLICE_NONE, &used), HTTP_MORE);
    ck_assert(http_reader_is_idle(r));
    http_reader_free(r);
}
END_TEST

START_TEST(body_points_into_the_bytes)
{
    struct http_reader *r = head_of(HTTP_REQUESTS, CHUNKED);
    slice bytes = SLICE("3\r\nabc\r\n2\r\nde\r\n");
    size_t used;
    ck_assert_int_eq(http_reader_feed(r, bytes, &used), HTTP_BODY);
    ck_assert_ptr_eq(http_reader_body(r).at, bytes.at + 3);
    ck_assert_uint_eq(http_reader_body(r).len, 3);
    http_reader_free(r);
}
END_TEST

START_TEST(refusals_have_names_and_sentences)
{
    for (unsigned i = 1; i < REFUSAL_COUNT; i++) {
        enum http_refusal r = (enum http_refusal)i;
        ck_assert_int_gt((int)strlen(refusal_name(r)), 2);
        ck_assert_msg(strncmp(refusal_rfc(r), "RFC ", 4) == 0, "%s", refusal_name(r));
        ck_assert_int_gt((int)strlen(refusal_text(r)), 10);
        ck_assert(refusal_status(r) >= 400 && refusal_status(r) <= 505);
    }
}
END_TEST

START_TEST(llhttp_is_new_enough)
{
    ck_assert(LLHTTP_VERSION_MAJOR > 9 || (LLHTTP_VERSION_MAJOR == 9 && LLHTTP_VERSION_MINOR >= 2));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_reader_head");
    TCase *heads = tcase_create("heads");
    tcase_add_test(heads, head_is_taken_apart);
    tcase_add_test(heads, absolute_form_becomes_origin_form);
    tcase_add_test(heads, keep_alive_follows_version_and_options);
    tcase_add_test(heads, expectation_needs_1_1_and_a_body);
    tcase_add_test(heads, answer_head_is_taken_apart);
    tcase_add_test(heads, answer_to_head_tells_its_length);
    tcase_add_test(heads, odd_204_is_not_kept_alive);
    tcase_add_test(heads, pipelining_stops_at_each_end);
    tcase_add_test(heads, body_points_into_the_bytes);
    tcase_add_test(heads, refusals_have_names_and_sentences);
    tcase_add_test(heads, llhttp_is_new_enough);
    tcase_add_test(heads, connect_where_it_is_taken);
    tcase_add_test(heads, connects_that_are_refused);
    suite_add_tcase(s, heads);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int bad = srunner_ntests_failed(sr);
    srunner_free(sr);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
