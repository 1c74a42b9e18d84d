/* SPDX-License-Identifier: Apache-2.0 */
#include "http/writer.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct buf out;

static void setup(void)
{
    buf_init(&out, 4096);
}

static void teardown(void)
{
    buf_done(&out);
}

static void expect(result r, const char *wanted)
{
    ck_assert(!failed(r));
    ck_assert_msg(slice_is(buf_slice(&out), wanted), "expected '%s', was '%.*s'", wanted, SLICE_ARG(buf_slice(&out)));
    buf_clear(&out);
}

/* Refused, and nothing of it was appended. */
static void expect_refused(result r, enum error why)
{
    ck_assert_int_eq(r.err, why);
    ck_assert_uint_eq(out.len, 0);
}

START_TEST(start_lines)
{
    expect(http_write_request_line(&out, SLICE("GET"), SLICE("/a?b")), "GET /a?b HTTP/1.1\r\n");
    expect(http_write_status_line(&out, 404), "HTTP/1.1 404 Not Found\r\n");
    expect(http_write_status_line(&out, 599), "HTTP/1.1 599 \r\n");
    expect_refused(http_write_status_line(&out, 99), ERR_INTERNAL);
    expect_refused(http_write_status_line(&out, 1000), ERR_INTERNAL);
    static const char *const targets[] = {"", "/a b", "/a\r\nb", "/a\x7f", "/caf\xc3\xa9", "/\t"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        expect_refused(http_write_request_line(&out, SLICE("GET"), slice_of(targets[i])), ERR_INTERNAL);
    expect_refused(http_write_request_line(&out, SLICE("GET\0"), SLICE("/")), ERR_INTERNAL);
    expect_refused(http_write_request_line(&out, SLICE_NONE, SLICE("/")), ERR_INTERNAL);
    expect_refused(http_write_request_line(&out, SLICE("G T"), SLICE("/")), ERR_INTERNAL);
}
END_TEST

START_TEST(fields)
{
    expect(http_write_field(&out, SLICE("X-A"), SLICE("b \t c\xff")), "X-A: b \t c\xff\r\n");
    expect(http_write_field(&out, SLICE("X"), SLICE_NONE), "X: \r\n");
    expect(http_write_field_u64(&out, SLICE("Content-Length"), 0), "Content-Length: 0\r\n");
    expect(http_write_field_u64(&out, SLICE("Content-Length"), UINT64_MAX), "Content-Length: 18446744073709551615\r\n");
    expect(http_write_end_of_head(&out), "\r\n");
}
END_TEST

/* Every byte value as name and in a value, against RFC 9110 5.5 and 5.6.2 spelled out. */
START_TEST(every_byte_is_judged)
{
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool control = c < ' ' || c == 0x7f;
        bool tchar = c < 0x80 && !control && !strchr(" \"(),/:;<=>?@[\\]{}", c);
        result name = http_write_field(&out, (slice){text, 3}, SLICE("v"));
        ck_assert_msg(failed(name) == !tchar, "name with byte %d", c);
        if (failed(name)) ck_assert_int_eq(name.err, ERR_INTERNAL);
        buf_clear(&out);
        result value = http_write_field(&out, SLICE("n"), (slice){text, 3});
        ck_assert_msg(failed(value) == (control && c != '\t'), "value with byte %d", c);
        buf_clear(&out);
    }
}
END_TEST

START_TEST(bad_byte_at_any_place_is_seen)
{
    char text[100];
    for (size_t i = 0; i < sizeof text; i++) {
        memset(text, 'x', sizeof text);
        text[i] = '\n';
        expect_refused(http_write_field(&out, SLICE("n"), (slice){text, sizeof text}), ERR_INTERNAL);
        expect_refused(http_write_field(&out, (slice){text, sizeof text}, SLICE("v")), ERR_INTERNAL);
    }
    expect_refused(http_write_field(&out, SLICE_NONE, SLICE("v")), ERR_INTERNAL);
}
END_TEST

START_TEST(chunks)
{
    expect(http_write_chunk(&out, SLICE("hello world, this is 31 bytes..")),
           "1f\r\nhello world, this is 31 bytes..\r\n");
    expect(http_write_chunk(&out, SLICE_NONE), "");
    expect(http_write_last_chunk(&out), "0\r\n\r\n");
}
END_TEST

START_TEST(all_or_nothing_when_full)
{
    buf_done(&out);
    buf_init(&out, 16);
    expect_refused(http_write_request_line(&out, SLICE("GET"), SLICE("/longer")), ERR_TOO_LARGE);
    expect_refused(http_write_status_line(&out, 200), ERR_TOO_LARGE);
    expect_refused(http_write_field(&out, SLICE("X-Long-Name"), SLICE("12")), ERR_TOO_LARGE);
    expect_refused(http_write_chunk(&out, SLICE("0123456789ab")), ERR_TOO_LARGE);
    expect(http_write_chunk(&out, SLICE("0123456789a")), "b\r\n0123456789a\r\n");
}
END_TEST

START_TEST(reasons)
{
    ck_assert_str_eq(http_reason(200), "OK");
    ck_assert_str_eq(http_reason(431), "Request Header Fields Too Large");
    ck_assert_str_eq(http_reason(299), "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_writer");
    TCase *t = tcase_create("writer");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, start_lines);
    tcase_add_test(t, fields);
    tcase_add_test(t, every_byte_is_judged);
    tcase_add_test(t, bad_byte_at_any_place_is_seen);
    tcase_add_test(t, chunks);
    tcase_add_test(t, all_or_nothing_when_full);
    tcase_add_test(t, reasons);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int bad = srunner_ntests_failed(sr);
    srunner_free(sr);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
