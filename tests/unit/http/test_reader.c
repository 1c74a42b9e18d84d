/* SPDX-License-Identifier: Apache-2.0 */
#include "transcript.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct http_limits limits = {.head_bytes = 16 * 1024, .fields = 100};

struct row {
    const char *steps;
    const char *bytes;
    size_t len;
};
#define ROW(steps, bytes)                                                                                              \
    {                                                                                                                  \
        steps, bytes, sizeof(bytes) - 1                                                                                \
    }
#define H "Host: shop.test\r\n"
#define GET "GET /a HTTP/1.1\r\n" H
#define POST "POST /a HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define OK200 "HTTP/1.1 200 OK\r\n"

static const struct row accepted[] = {
    ROW("HEAD END EOF", GET "\r\n"),
    ROW("HEAD END EOF", "\r\n\r\n" GET "\r\n"),
    ROW("HEAD END HEAD END HEAD END EOF", GET "\r\n" GET "\r\n\r\n" GET "\r\n"),
    ROW("HEAD BODY END EOF", POST "Content-Length: 3\r\n\r\nabc"),
    ROW("HEAD BODY END EOF", POST "Content-Length: 003 \r\n\r\nabc"),
    ROW("HEAD END EOF", POST "Content-Length: 0\r\n\r\n"),
    ROW("HEAD END EOF", POST "\r\n"),
    ROW("HEAD BODY END HEAD BODY END EOF", POST "Content-Length: 3\r\n\r\nabc" CHUNKED "1\r\nx\r\n0\r\n\r\n"),
    ROW("HEAD BODY END EOF", CHUNKED "3;a=b;c=\"d e\"\r\nabc\r\n0A\r\n0123456789\r\n000\r\n\r\n"),
    ROW("HEAD END EOF", CHUNKED "0\r\n\r\n"),
    ROW("HEAD BODY END HEAD END EOF", CHUNKED "1\r\nx\r\n0\r\nX-Sum: 1\r\nA:\r\n\r\n" GET "\r\n"),
    ROW("HEAD BODY END EOF", POST "Transfer-Encoding: \tCHUNKED \r\n\r\n1\r\nx\r\n0\r\n\r\n"),
    ROW("HEAD BODY END EOF", "GET /a HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx"),
    ROW("HEAD BODY END EOF", "DELETE /a HTTP/1.0\r\n" H "Content-Length: 1\r\n\r\nx"),
    ROW("HEAD END EOF", "OPTIONS /?a=b?c HTTP/1.1\r\nhOsT:[::1]:8080\r\n\r\n"),
    ROW("HEAD END EOF", "GET http://shop.test HTTP/1.1\r\n" H "\r\n"),
    ROW("HEAD END EOF", "GET HTTPS://Shop.Test?x={{a:detokenize}} HTTP/1.1\r\n" H "\r\n"),
    ROW("HEAD END EOF", GET "X: caf\xc3\xa9\xff\r\nEmpty:\r\nBlank: \t \r\n\r\n"),
    ROW("HEAD END EOF", GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEA\r\n\r\n"),
    ROW("HEAD BODY END HEAD END EOF",
        POST "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx" GET "\r\n"),
    ROW("EOF", ""),
    ROW("EOF", "\r\n"),
    ROW("EOF", "\r"),
};

static const struct row refused[] = {
    ROW("REFUSED:LEADING_CRLF", "\r\n\r\n\r\n" GET "\r\n"),
    ROW("REFUSED:LEADING_CRLF", "\n" GET "\r\n"),
    ROW("REFUSED:LEADING_CRLF", "\rGET / HTTP/1.1\r\n"),
    ROW("REFUSED:REQUEST_LINE", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ROW("REFUSED:REQUEST_LINE", "GET  /a HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:REQUEST_LINE", "GET /a  HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:REQUEST_LINE", "GET /a HTTP/1.1 \r\n" H "\r\n"),
    ROW("REFUSED:REQUEST_LINE", "GET /a XTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:REQUEST_LINE", "OPTIONS /a RTSP/1.0\r\n" H "\r\n"),
    ROW("REFUSED:METHOD", "get /a HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:METHOD", "GETX /a HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:METHOD", "TRACE /a HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:METHOD", "SOURCE /a ICE/1.0\r\n" H "\r\n"),
    ROW("REFUSED:CONNECT", "CONNECT a:443 HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:VERSION", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ROW("REFUSED:VERSION", "GET /a HTTP/2.0\r\n" H "\r\n"),
    ROW("REFUSED:VERSION", "GET /a HTTP/1.9\r\n" H "\r\n"),
    ROW("REFUSED:VERSION", "GET /a\r\n" H "\r\n"),
    ROW("REFUSED:TARGET_SYNTAX", "GET /a\\b HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:TARGET_SYNTAX", "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:TARGET_FORM", "OPTIONS * HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:TARGET_FORM", "GET ftp://shop.test/ HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:TARGET_USERINFO", "GET http://u:p@shop.test/ HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:TARGET_FRAGMENT", "GET /a#b HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:HOST_TARGET_MISMATCH", "GET http://evil.test/ HTTP/1.1\r\n" H "\r\n"),
    ROW("REFUSED:HOST_MISSING", "GET /a HTTP/1.1\r\n\r\n"),
    ROW("REFUSED:HOST_MISSING", "GET /a HTTP/1.0\r\n\r\n"),
    ROW("REFUSED:HOST_MISSING", "GET /a HTTP/1.1\r\nHost: \r\n\r\n"),
    ROW("REFUSED:HOST_MANY", GET H "\r\n"),
    ROW("REFUSED:HOST_BAD", "GET /a HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    ROW("REFUSED:HOST_BAD", "GET /a HTTP/1.1\r\nHost: a:99999\r\n\r\n"),
    ROW("REFUSED:HOST_BAD", "GET /a HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    ROW("REFUSED:HOST_BAD", "GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    ROW("REFUSED:FIELD_NAME", GET "A : b\r\n\r\n"),
    ROW("REFUSED:FIELD_NAME", GET ": b\r\n\r\n"),
    ROW("REFUSED:FIELD_NAME", GET "Ab\r\n\r\n"),
    ROW("REFUSED:FIELD_NAME", GET "A\xff: b\r\n\r\n"),
    ROW("REFUSED:FIELD_NAME", GET "A\0: b\r\n\r\n"),
    ROW("REFUSED:FIELD_UNDERSCORE", GET "Transfer_Encoding: chunked\r\n\r\n"),
    ROW("REFUSED:FIELD_UNDERSCORE", GET "content_LENGTH: 1\r\n\r\n"),
    ROW("REFUSED:FIELD_VALUE", GET "A: b\0c\r\n\r\n"),
    ROW("REFUSED:FIELD_VALUE", GET "A: b\x7f\r\n\r\n"),
    ROW("REFUSED:OBS_FOLD", GET "A: b\r\n c\r\n\r\n"),
    ROW("REFUSED:OBS_FOLD", "GET /a HTTP/1.1\r\n Host: a\r\n\r\n"),
    ROW("REFUSED:BARE_CR", GET "A: b\rc: d\r\n\r\n"),
    ROW("REFUSED:BARE_CR", GET "A: b\r\n\rX"),
    ROW("REFUSED:BARE_LF", GET "A: b\nc: d\r\n\r\n"),
    ROW("REFUSED:BARE_LF", GET "A:\n b\r\n\r\n"),
    ROW("REFUSED:BARE_LF", GET "A: \n\r\n"),
    ROW("REFUSED:OBS_FOLD", GET "A:\r\n \x01\r\n\r\n"),
    ROW("REFUSED:OBS_FOLD", GET "A: \r\n\tb\r\n\r\n"),
    ROW("REFUSED:FIELD_VALUE", GET "A: \x01\r\n\r\n"),
    ROW("REFUSED:CONNECTION_OPTION", GET "Connection: close, Host\r\n\r\n"),
    ROW("REFUSED:CONNECTION_OPTION", GET "Connection: Content-Type\r\n\r\n"),
    ROW("REFUSED:EXPECT", POST "Expect: 200-maybe\r\nContent-Length: 1\r\n\r\nx"),
    ROW("REFUSED:EXPECT", POST "Expect: 100-continue\r\nExpect: x\r\nContent-Length: 1\r\n\r\nx"),
    ROW("REFUSED:UPGRADE", GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    ROW("REFUSED:UPGRADE", GET "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: foo\r\n\r\n"),
    ROW("REFUSED:TRANSFER_ENCODING", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ROW("REFUSED:TRANSFER_ENCODING", POST "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n"),
    ROW("REFUSED:TRANSFER_ENCODING", POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("REFUSED:TRANSFER_ENCODING", POST "Transfer-Encoding: chunked, gzip\r\n\r\n"),
    ROW("REFUSED:TRANSFER_ENCODING", POST "Transfer-Encoding: \r\n\r\n"),
    ROW("REFUSED:TE_AND_LENGTH", POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("REFUSED:TE_AND_LENGTH", POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
    ROW("REFUSED:TE_ON_1_0", "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("REFUSED:CONTENT_LENGTH", POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
    ROW("REFUSED:CONTENT_LENGTH", POST "Content-Length: +1\r\n\r\nx"),
    ROW("REFUSED:CONTENT_LENGTH", POST "Content-Length: 1, 1\r\n\r\nx"),
    ROW("REFUSED:CONTENT_LENGTH", POST "Content-Length: \r\n\r\nx"),
    ROW("REFUSED:CONTENT_LENGTH", POST "Content-Length: 18446744073709551616\r\n\r\nx"),
    ROW("HEAD REFUSED:CHUNK_SYNTAX", CHUNKED "0x1\r\nx\r\n0\r\n\r\n"),
    ROW("HEAD BODY REFUSED:CHUNK_SYNTAX", CHUNKED "1\r\nxy\r\n0\r\n\r\n"),
    ROW("HEAD BODY REFUSED:CHUNK_SYNTAX", CHUNKED "1\r\nx\n0\r\n\r\n"),
    ROW("HEAD REFUSED:CHUNK_SYNTAX", CHUNKED "1;a=\"\r\n\"\r\nx\r\n0\r\n\r\n"),
    ROW("HEAD REFUSED:TRAILER_FIELD", CHUNKED "0\r\nContent-Length: 1\r\n\r\n"),
    ROW("HEAD REFUSED:TRAILER_FIELD", CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ROW("HEAD REFUSED:TRAILER_FIELD", CHUNKED "0\r\nHost: evil.test\r\n\r\n"),
    ROW("HEAD REFUSED:TRAILER_FIELD", CHUNKED "0\r\nA: b\r\ncontent_length: 1\r\n\r\n"),
    ROW("HEAD REFUSED:TRAILER_SYNTAX", CHUNKED "0\r\nA: b\r\n c\r\n\r\n"),
    ROW("HEAD REFUSED:TRAILER_SYNTAX", CHUNKED "0\r\n\rX"),
    ROW("HEAD END REFUSED:AFTER_CLOSE", GET "Connection: close\r\n\r\n" GET "\r\n"),
    ROW("HEAD END REFUSED:AFTER_CLOSE", "GET /a HTTP/1.0\r\n" H "\r\nx"),
    ROW("REFUSED:INCOMPLETE", "G"),
    ROW("REFUSED:INCOMPLETE", GET),
    ROW("HEAD BODY REFUSED:INCOMPLETE", POST "Content-Length: 3\r\n\r\nab"),
    ROW("HEAD BODY REFUSED:INCOMPLETE", CHUNKED "1\r\nx\r\n"),
    ROW("HEAD BODY REFUSED:INCOMPLETE", CHUNKED "1\r\nx\r\n0\r\n"),
};

static const struct row answers[] = {
    ROW("HEAD BODY END EOF", OK200 "Content-Length: 3\r\n\r\nabc"),
    ROW("HEAD BODY END EOF", "HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc"),
    ROW("HEAD BODY END EOF", "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n"),
    ROW("HEAD END EOF", OK200 "Content-Length: 0\r\n\r\n"),
    ROW("HEAD BODY END EOF", OK200 "\r\nuntil close"),
    ROW("HEAD END EOF", OK200 "\r\n"),
    ROW("HEAD BODY END EOF", "HTTP/1.0 200 OK\r\n\r\nuntil close"),
    ROW("HEAD END HEAD END HEAD BODY END EOF",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\n\r\n" OK200
        "Content-Length: 1\r\n\r\nx"),
    ROW("HEAD END HEAD END EOF",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\nHTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n"),
    ROW("HEAD END REFUSED:ANSWER_SURPLUS", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nab"),
    ROW("HEAD END EOF", "HTTP/1.1 304 N\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ROW("HEAD BODY END EOF", OK200 "Connection: Upgrade\r\nUpgrade: h2,h2c\r\nContent-Length: 1\r\n\r\nx"),
    ROW("HEAD END EOF", OK200 "Transfer_Encoding: x\r\nContent-Length: 0\r\nConnection: Content-Type\r\n\r\n"),
    ROW("HEAD END REFUSED:ANSWER_SURPLUS",
        OK200 "Connection: close\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
    ROW("HEAD END REFUSED:ANSWER_STATUS", OK200 "Content-Length: 0\r\n\r\nsurplus"),
    ROW("REFUSED:ANSWER_STATUS", "\r\n" OK200 "\r\n"),
    ROW("REFUSED:ANSWER_STATUS", "ICY 200 OK\r\n\r\n"),
    ROW("REFUSED:ANSWER_STATUS", "HTTP/1.1 20 OK\r\n\r\n"),
    ROW("REFUSED:ANSWER_STATUS", "HTTP/1.1 2000 OK\r\n\r\n"),
    ROW("REFUSED:ANSWER_STATUS", "HTTP/1.1 099 OK\r\n\r\n"),
    ROW("REFUSED:ANSWER_STATUS", "HTTP/1.1  200 OK\r\n\r\n"),
    ROW("REFUSED:ANSWER_STATUS", "HTTP/1.1 200 O\0K\r\n\r\n"),
    ROW("REFUSED:ANSWER_STATUS", "HTTP/1.1 200 O\x01K\r\n\r\n"),
    ROW("REFUSED:BARE_LF", "HTTP/1.1 200 OK\nA: b\r\n\r\n"),
    ROW("REFUSED:BARE_CR", "HTTP/1.1 200 OK\rA: b\r\n\r\n"),
    ROW("REFUSED:VERSION", "HTTP/2.0 200 OK\r\n\r\n"),
    ROW("REFUSED:ANSWER_UPGRADE", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n"),
    ROW("REFUSED:ANSWER_TE", OK200 "Transfer-Encoding: gzip\r\n\r\nabc"),
    ROW("REFUSED:ANSWER_TE", OK200 "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ROW("REFUSED:ANSWER_TE", OK200 "Transfer-Encoding: chunked, gzip\r\n\r\nabc"),
    ROW("REFUSED:ANSWER_TE", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("REFUSED:TE_AND_LENGTH", OK200 "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
    ROW("REFUSED:CONTENT_LENGTH", OK200 "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
    ROW("REFUSED:ANSWER_INTERIM_BODY", "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello"),
    ROW("REFUSED:ANSWER_INTERIM_BODY", "HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("REFUSED:FIELD_NAME", OK200 "A b: c\r\n\r\n"),
    ROW("REFUSED:OBS_FOLD", OK200 "A: b\r\n c\r\n\r\n"),
    ROW("HEAD BODY REFUSED:CHUNK_SYNTAX", OK200 "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nzz\r\n"),
    ROW("HEAD BODY REFUSED:ANSWER_CUT_OFF", OK200 "Content-Length: 3\r\n\r\nab"),
    ROW("HEAD BODY REFUSED:ANSWER_CUT_OFF", OK200 "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"),
    ROW("REFUSED:ANSWER_CUT_OFF", "HTTP/1.1 200 OK\r\nA"),
    ROW("EOF", ""),
};

static const struct row head_answers[] = {
    ROW("HEAD END EOF", OK200 "Content-Length: 3\r\n\r\n"),
    ROW("HEAD END EOF", OK200 "Transfer-Encoding: chunked\r\n\r\n"),
    ROW("HEAD END EOF", OK200 "\r\n"),
    ROW("HEAD END HEAD END EOF", "HTTP/1.1 100 Continue\r\n\r\n" OK200 "Content-Length: 3\r\n\r\n"),
    ROW("HEAD END REFUSED:ANSWER_STATUS", OK200 "Content-Length: 3\r\n\r\nabc"),
};

static char *text_of(const struct buf *b)
{
    char *s = strndup(b->at ? b->at : "", b->len);
    ck_assert_ptr_nonnull(s);
    while (*s && s[strlen(s) - 1] == ' ')
        s[strlen(s) - 1] = '\0';
    return s;
}

static void expect_equal(const struct transcript *whole, const struct reading *what, struct cut how)
{
    struct transcript t;
    transcript_take(&t, what, how);
    char *a = text_of(&whole->full), *b = text_of(&t.full);
    ck_assert_msg(slice_eq(buf_slice(&whole->full), buf_slice(&t.full)),
                  "cut (first %zu, every %zu, seed %llu) tells another story\nwhole:\n%s\ncut:\n%s", how.first,
                  how.every, (unsigned long long)how.seed, a, b);
    free(a);
    free(b);
    transcript_done(&t);
}

/* Whole; in every pair of pieces; byte by byte; at random. And rewritten, read again. */
static void check_row(const struct row *row, enum http_side side, bool head_answer)
{
    struct reading what = {
        .side = side, .limits = limits, .head_answer = head_answer, .eof = true, .bytes = {row->bytes, row->len}};
    struct transcript whole;
    transcript_take(&whole, &what, (struct cut){0});
    char *steps = text_of(&whole.steps);
    ck_assert_msg(strcmp(steps, row->steps) == 0, "expected '%s', was '%s' for:\n%s", row->steps, steps, row->bytes);
    free(steps);
    expect_equal(&whole, &what, (struct cut){.every = 1});
    for (size_t first = 1; first < row->len; first++)
        expect_equal(&whole, &what, (struct cut){.first = first});
    for (uint64_t seed = 1; seed <= 20; seed++)
        expect_equal(&whole, &what, (struct cut){.every = 7, .seed = seed});
    ck_assert_msg(transcript_rereads_equal(&whole, &what), "reads differently when rewritten:\n%s", row->bytes);
    transcript_done(&whole);
}

#define LENGTH_OF(table) (int)(sizeof(table) / sizeof *(table))

START_TEST(accepts)
{
    check_row(&accepted[_i], HTTP_REQUESTS, false);
}
END_TEST
START_TEST(refuses)
{
    check_row(&refused[_i], HTTP_REQUESTS, false);
}
END_TEST
START_TEST(reads_answers)
{
    check_row(&answers[_i], HTTP_ANSWERS, false);
}
END_TEST
START_TEST(reads_answers_to_head)
{
    check_row(&head_answers[_i], HTTP_ANSWERS, true);
}
END_TEST

static void expect_steps(const struct reading *what, const char *steps)
{
    struct transcript t;
    transcript_take(&t, what, (struct cut){0});
    char *got = text_of(&t.steps);
    ck_assert_msg(strcmp(got, steps) == 0, "expected '%s', was '%s'", steps, got);
    free(got);
    expect_equal(&t, what, (struct cut){.every = 1});
    expect_equal(&t, what, (struct cut){.every = 5000, .seed = 7});
    transcript_done(&t);
}

static void append(struct buf *b, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        ck_assert(!failed(buf_append(b, slice_of(text))));
}

static void expect_of(struct buf *b, enum http_side side, const char *steps)
{
    struct reading what = {.side = side, .limits = limits, .bytes = buf_slice(b)};
    expect_steps(&what, steps);
    buf_done(b);
}

static struct buf text_buf(const char *start)
{
    struct buf b;
    buf_init(&b, 64 * 1024 * 1024);
    append(&b, start, 1);
    return b;
}

START_TEST(head_size_is_exact)
{
    for (int over = 0; over <= 1; over++) {
        struct buf b = text_buf(GET "A: ");
        append(&b, "x", 16 * 1024 - b.len - 4 + (size_t)over);
        append(&b, "\r\n\r\n", 1);
        expect_of(&b, HTTP_REQUESTS, over ? "REFUSED:HEAD_SIZE" : "HEAD END");
    }
}
END_TEST

START_TEST(target_size_has_its_own_answer)
{
    struct buf b = text_buf("GET /");
    append(&b, "x", 20000);
    expect_of(&b, HTTP_REQUESTS, "REFUSED:TARGET_SIZE");
}
END_TEST

START_TEST(answer_head_size)
{
    struct buf b = text_buf("HTTP/1.1 200 ");
    append(&b, "x", 20000);
    expect_of(&b, HTTP_ANSWERS, "REFUSED:HEAD_SIZE");
}
END_TEST

START_TEST(field_count_is_exact)
{
    struct buf b = text_buf(GET);
    append(&b, "A: b\r\n", 99);
    append(&b, "\r\n", 1);
    expect_of(&b, HTTP_REQUESTS, "HEAD END");
    b = text_buf(GET);
    append(&b, "A: b\r\n", 100);
    append(&b, "\r\n", 1);
    expect_of(&b, HTTP_REQUESTS, "REFUSED:FIELD_COUNT");
}
END_TEST

START_TEST(connection_options_are_few)
{
    struct buf b = text_buf(GET "Connection: a");
    append(&b, ",a", 40);
    append(&b, "\r\n\r\n", 1);
    expect_of(&b, HTTP_REQUESTS, "REFUSED:CONNECTION_OPTION");
}
END_TEST

START_TEST(one_byte_chunks_are_refused)
{
    struct buf b = text_buf(CHUNKED);
    append(&b, "1\r\nx\r\n", 100000);
    expect_of(&b, HTTP_REQUESTS, "HEAD BODY REFUSED:CHUNK_OVERHEAD");
}
END_TEST

START_TEST(a_few_one_byte_chunks_are_fine)
{
    struct buf b = text_buf(CHUNKED);
    append(&b, "1\r\nx\r\n", 3000);
    append(&b, "0\r\n\r\n", 1);
    expect_of(&b, HTTP_REQUESTS, "HEAD BODY END");
}
END_TEST

START_TEST(small_chunks_are_fine_for_ever)
{
    struct buf b = text_buf(CHUNKED);
    append(&b, "6\r\nabcdef\r\n", 100000);
    append(&b, "0\r\n\r\n", 1);
    expect_of(&b, HTTP_REQUESTS, "HEAD BODY END");
}
END_TEST

START_TEST(large_extensions_are_refused)
{
    struct buf b = text_buf(CHUNKED);
    for (int i = 0; i < 20; i++) {
        append(&b, "1;", 1);
        append(&b, "e", 1024);
        append(&b, "\r\nx\r\n", 1);
    }
    expect_of(&b, HTTP_REQUESTS, "HEAD BODY REFUSED:CHUNK_OVERHEAD");
}
END_TEST

START_TEST(endless_chunk_lines_are_refused)
{
    static const char *const fillers[] = {"0", "1;e", "1;e=", "1;e=\""};
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++) {
        struct buf b = text_buf(CHUNKED);
        append(&b, fillers[i], 1);
        append(&b, "0", 20000);
        expect_of(&b, HTTP_REQUESTS, "HEAD REFUSED:CHUNK_OVERHEAD");
    }
}
END_TEST

START_TEST(answers_may_be_chattier)
{
    struct buf b = text_buf(OK200 "Transfer-Encoding: chunked\r\n\r\n");
    append(&b, "1\r\nx\r\n", 30000);
    append(&b, "0\r\n\r\n", 1);
    expect_of(&b, HTTP_ANSWERS, "HEAD BODY END");
    b = text_buf(OK200 "Transfer-Encoding: chunked\r\n\r\n");
    append(&b, "1\r\nx\r\n", 100000);
    expect_of(&b, HTTP_ANSWERS, "HEAD BODY REFUSED:CHUNK_OVERHEAD");
}
END_TEST

START_TEST(trailers_are_limited)
{
    struct buf b = text_buf(CHUNKED "0\r\nA: ");
    append(&b, "x", 9000);
    append(&b, "\r\n\r\n", 1);
    expect_of(&b, HTTP_REQUESTS, "HEAD REFUSED:TRAILER_SIZE");
    b = text_buf(CHUNKED "0\r\n");
    append(&b, "A: b\r\n", 101);
    append(&b, "\r\n", 1);
    expect_of(&b, HTTP_REQUESTS, "HEAD REFUSED:TRAILER_SIZE");
}
END_TEST

START_TEST(no_field_limit_but_zero_fields)
{
    struct reading what = {
        .side = HTTP_ANSWERS, .limits = {.head_bytes = 64, .fields = 0}, .bytes = SLICE(OK200 "A: b\r\n\r\n")};
    expect_steps(&what, "REFUSED:FIELD_COUNT");
    what.bytes = SLICE("HTTP/1.1 204 N\r\n\r\n");
    expect_steps(&what, "HEAD END");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_reader");
    TCase *rows = tcase_create("rows"), *limit = tcase_create("limits");
    tcase_set_timeout(rows, 0);
    tcase_set_timeout(limit, 0);
    tcase_add_loop_test(rows, accepts, 0, LENGTH_OF(accepted));
    tcase_add_loop_test(rows, refuses, 0, LENGTH_OF(refused));
    tcase_add_loop_test(rows, reads_answers, 0, LENGTH_OF(answers));
    tcase_add_loop_test(rows, reads_answers_to_head, 0, LENGTH_OF(head_answers));
    tcase_add_test(limit, head_size_is_exact);
    tcase_add_test(limit, target_size_has_its_own_answer);
    tcase_add_test(limit, answer_head_size);
    tcase_add_test(limit, field_count_is_exact);
    tcase_add_test(limit, connection_options_are_few);
    tcase_add_test(limit, one_byte_chunks_are_refused);
    tcase_add_test(limit, a_few_one_byte_chunks_are_fine);
    tcase_add_test(limit, small_chunks_are_fine_for_ever);
    tcase_add_test(limit, large_extensions_are_refused);
    tcase_add_test(limit, endless_chunk_lines_are_refused);
    tcase_add_test(limit, answers_may_be_chattier);
    tcase_add_test(limit, trailers_are_limited);
    tcase_add_test(limit, no_field_limit_but_zero_fields);
    suite_add_tcase(s, rows);
    suite_add_tcase(s, limit);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int bad = srunner_ntests_failed(sr);
    srunner_free(sr);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
