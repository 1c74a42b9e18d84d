/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Each test runs in a process of its own, so stderr may be turned into a pipe. */
static int pipe_end;
static char said[256 * 1024];

static void listen_to_stderr(void)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ne(dup2(ends[1], STDERR_FILENO), -1);
    close(ends[1]);
    pipe_end = ends[0];
    log_start("relay", 3, LOG_LEVEL_INFO);
}

static const char *heard(void)
{
    log_flush();
    close(STDERR_FILENO);
    size_t len = 0;
    ssize_t n;
    while ((n = read(pipe_end, said + len, sizeof said - 1 - len)) > 0) len += (size_t)n;
    said[len] = '\0';
    return said;
}

static void say_word(slice word)
{
    log_begin(LOG_LEVEL_INFO, "t");
    log_word("w", word);
    log_end();
}

START_TEST(a_line)
{
    listen_to_stderr();
    log_begin(LOG_LEVEL_INFO, "exchange");
    log_u64("status", 200);
    log_i64("left", -5);
    log_i64("least", INT64_MIN);
    log_error("why", ERR_JSON_DEPTH);
    log_errno("errno", ECONNRESET);
    log_errno("strange", 99999);
    log_word("route", SLICE("rede"));
    log_end();
    const char *line = heard();
    ck_assert_ptr_nonnull(strstr(line, "\",\"level\":\"info\",\"process\":\"relay\",\"n\":3,\"event\":\"exchange\",\"status\":200,"
                                       "\"left\":-5,\"least\":-9223372036854775808,\"why\":\"JSON_DEPTH\","
                                       "\"errno\":\"ECONNRESET\",\"strange\":\"unknown\",\"route\":\"rede\"}\n"));
    ck_assert_int_eq(strncmp(line, "{\"time\":\"20", 11), 0);
}
END_TEST

static const struct {
    slice word;
    const char *shown;
} words[] = {
    {CONST_SLICE("4111111111111111"), "411111x1111"},
    {CONST_SLICE("card/5555555555554444/x"), "card/555555x4444/x"},
    {CONST_SLICE("a4111111111111111b5555555555554444"), "a411111x1111b555555x4444"},
    {CONST_SLICE("123456789012"), "123456x9012"},
    {CONST_SLICE("12345678901"), "12345678901"},
    {CONST_SLICE("tok_Ab-9.z:8080/@"), "tok_Ab-9.z:8080/@"},
    {CONST_SLICE("a\"b\\c\nd e\x01\x7f\xc3\xa4<"), "a?b?c?d?e?????"},
    {CONST_SLICE("a\0b"), "a?b"},
    {CONST_SLICE(""), ""},
};

START_TEST(words_are_masked_and_checked)
{
    listen_to_stderr();
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) say_word(words[i].word);
    slice rest = slice_of(heard()), line;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char want[128];
        snprintf(want, sizeof want, "\"w\":\"%s\"}", words[i].shown);
        ck_assert(slice_next(&rest, '\n', &line));
        ck_assert_msg(slice_ends(line, slice_of(want)), "case %zu: %.*s", i, SLICE_ARG(line));
    }
}
END_TEST

/* Cutting a word to its maximum must not leave a PAN whole at the edge. */
START_TEST(no_long_digit_run_ever)
{
    listen_to_stderr();
    char text[300];
    for (size_t lead = 0; lead < 160; lead++) {
        memset(text, 'a', sizeof text);
        memcpy(text + lead, "4111111111111111", 16);
        say_word((slice){text, lead + 16});
    }
    const char *all = heard();
    size_t run = 0;
    for (const char *c = strchr(all, 'w'); *c; c++) {
        run = *c >= '0' && *c <= '9' ? run + 1 : 0;
        ck_assert_uint_lt(run, 12);
    }
}
END_TEST

START_TEST(a_word_is_not_cut_within_digits)
{
    char word[160];
    memset(word, 'a', sizeof word);
    memcpy(word + 117, "4111111111111111", 16); /* its eleventh digit is the 128th byte */
    listen_to_stderr();
    say_word((slice){word, sizeof word});
    const char *line = heard();
    ck_assert_ptr_null(strstr(line, "4111111"));
    ck_assert_ptr_nonnull(strstr(line, "a411111x1111\"}"));
}
END_TEST

START_TEST(a_long_line_is_cut_and_still_ends)
{
    listen_to_stderr();
    log_begin(LOG_LEVEL_INFO, "long");
    for (int i = 0; i < 200; i++) log_text("name", "a text of some length, again and again");
    log_end();
    log_plain(LOG_LEVEL_INFO, "next", "quote \" and backslash \\");
    const char *all = heard();
    const char *end = strchr(all, '\n');
    ck_assert_ptr_nonnull(end);
    ck_assert_int_lt(end - all, 2048);
    ck_assert_int_eq(end[-1], '}');
    ck_assert_ptr_nonnull(strstr(end, "\"reason\":\"quote \\\" and backslash \\\\\"}\n"));
}
END_TEST

START_TEST(levels_and_many_lines)
{
    listen_to_stderr();
    log_plain(LOG_LEVEL_DEBUG, "debug", "not wanted");
    log_failure("start", FAIL(CONFIG));
    for (int i = 0; i < 400; i++) log_plain(LOG_LEVEL_INFO, "many", "x");
    slice rest = slice_of(heard()), line;
    size_t lines = 0;
    ck_assert(slice_next(&rest, '\n', &line));
    ck_assert_uint_lt(slice_find_slice(line, SLICE("\"error\":\"CONFIG\"")), line.len);
    while (slice_next(&rest, '\n', &line))
        if (line.len) lines++;
    ck_assert_uint_eq(lines, 400);
}
END_TEST

RUN_TESTS("log", a_line, words_are_masked_and_checked, no_long_digit_run_ever, a_word_is_not_cut_within_digits, a_long_line_is_cut_and_still_ends,
          levels_and_many_lines)
