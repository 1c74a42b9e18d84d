/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_fixture.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;
enum { TRAIL_MAX_BYTES = 1 << 20 };
static char trail[TRAIL_MAX_BYTES], changed[TRAIL_MAX_BYTES];

static const slice uuid = {"01234567-89ab-4cde-8f01-23456789abcd", 36};

static result add(slice token)
{
    struct audit_entry e = {.action = "reveal", .merchant = shop, .actor = SLICE("listener"), .peer = SLICE("2001:db8::1"), .token = token, .route = SLICE("rede"), .request = 0xABC, .outcome = OK};
    return vault_audit(f.v, &e);
}

static void setup(void)
{
    fixture_make(&f);
    fixture_open(&f);
}

static void teardown(void)
{
    fixture_remove(&f);
}

static struct vault_verdict verify(void)
{
    struct vault_verdict v;
    result r = vault_verify(f.v, NULL, NULL, &v);
    ck_assert_msg(!failed(r), "%s", error_name(r.err));
    return v;
}

static void write_lines(size_t turns, size_t per_turn)
{
    for (size_t i = 0; i < turns; i++) {
        for (size_t j = 0; j < per_turn; j++) ck_assert(!failed(add(uuid)));
        vault_flush(f.v);
    }
}

START_TEST(a_line_says_what_happened)
{
    write_lines(1, 1);
    size_t len = fixture_read(&f, "audit.log", trail, sizeof trail - 1);
    trail[len] = '\0';
    ck_assert_ptr_nonnull(strstr(trail, "{\"seq\":1,\"time\":\"2"));
    ck_assert_ptr_nonnull(strstr(trail, "Z\",\"action\":\"reveal\",\"merchant\":\"shop\",\"actor\":\"listener\",\"peer\":\"2001:db8::1\","
                                        "\"token\":\"01234567-89ab-4cde-8f01-23456789abcd\",\"route\":\"rede\","
                                        "\"request\":\"00000000-00000abc\",\"outcome\":\"OK\",\"prev\":\""
                                        "0000000000000000000000000000000000000000000000000000000000000000\",\"hash\":\""));
    ck_assert(trail[len - 1] == '\n' && trail[len - 2] == '}');
}
END_TEST

START_TEST(nothing_is_written_before_the_flush)
{
    ck_assert(!failed(add(uuid)));
    ck_assert_uint_eq(fixture_read(&f, "audit.log", trail, sizeof trail), 0);
    vault_flush(f.v);
    ck_assert_uint_gt(fixture_read(&f, "audit.log", trail, sizeof trail), 0);
}
END_TEST

START_TEST(what_may_be_a_pan_is_cut)
{
    static const struct {
        const char *word, *written;
    } cases[] = {
        {"4111111111111111", "\"token\":\"411111x1111\""},
        {"4111-1111-1111-1111", "\"token\":\"4111-1x1111\""},
        {"tok_4111111111111111_x", "\"token\":\"tok_411111x1111_x\""},
        {"12345678901", "\"token\":\"12345678901\""},
        {"tmp_01234567-8901-4234-8567-890123456789", "\"token\":\"tmp_01234567-8901-4234-8567-890123456789\""},
        {"a\"b\\c\n", "\"token\":\"a?b?c?\""},
        {"\xC3\xA9", "\"token\":\"\?\?\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) ck_assert(!failed(add(slice_of(cases[i].word))));
    vault_flush(f.v);
    size_t len = fixture_read(&f, "audit.log", trail, sizeof trail - 1);
    trail[len] = '\0';
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) ck_assert_msg(strstr(trail, cases[i].written) != NULL, "%s", cases[i].written);
    ck_assert_ptr_null(strstr(trail, "11111111"));
    ck_assert_uint_eq(verify().audit_bad_line, 0);
}
END_TEST

START_TEST(long_words_are_cut_and_never_break_a_line)
{
    char word[4000];
    memset(word, 'w', sizeof word);
    struct audit_entry e = {.action = "reveal", .merchant = {word, sizeof word}, .actor = {word, sizeof word}, .peer = {word, sizeof word}, .token = {word, sizeof word}, .route = {word, sizeof word}, .outcome = FAIL(TOKEN_UNKNOWN)};
    for (size_t i = 0; i < 10; i++) ck_assert(!failed(vault_audit(f.v, &e)));
    vault_flush(f.v);
    struct vault_verdict v = verify();
    ck_assert_uint_eq(v.audit_lines, 10);
    ck_assert_uint_eq(v.audit_bad_line, 0);
}
END_TEST

START_TEST(any_changed_byte_is_found)
{
    write_lines(2, 3);
    tick(f.v);
    size_t len = fixture_read(&f, "audit.log", trail, sizeof trail);
    struct vault_verdict v = verify();
    ck_assert(v.audit_lines == 6 && v.audit_bad_line == 0);
    size_t line = 1;
    for (size_t i = 0; i < len; i++) {
        memcpy(changed, trail, len);
        changed[i] ^= 1;
        fixture_write(&f, "audit.log", changed, len);
        v = verify();
        ck_assert_msg(v.audit_bad_line != 0 && v.audit_bad_line <= line, "byte %zu in line %zu: %lu", i, line, (unsigned long)v.audit_bad_line);
        line += trail[i] == '\n';
    }
}
END_TEST

static size_t line_end(size_t from, size_t len)
{
    const char *end = memchr(trail + from, '\n', len - from);
    return end ? (size_t)(end - trail) + 1 : len;
}

START_TEST(a_removed_or_doubled_line_is_found)
{
    write_lines(6, 1);
    tick(f.v);
    size_t len = fixture_read(&f, "audit.log", trail, sizeof trail), line = 1;
    for (size_t from = 0, end; from < len; from = end, line++) {
        end = line_end(from, len);
        memcpy(changed, trail, from);
        memcpy(changed + from, trail + end, len - end);
        fixture_write(&f, "audit.log", changed, len - (end - from));
        ck_assert_uint_eq(verify().audit_bad_line, line);
        memcpy(changed, trail, end);
        memcpy(changed + end, trail + from, len - from);
        fixture_write(&f, "audit.log", changed, len + (end - from));
        ck_assert_uint_eq(verify().audit_bad_line, line + 1);
    }
}
END_TEST

START_TEST(a_trail_cut_off_anywhere_is_found)
{
    write_lines(3, 1);
    tick(f.v);
    size_t len = fixture_read(&f, "audit.log", trail, sizeof trail);
    for (size_t cut = 0; cut < len; cut++) {
        fixture_write(&f, "audit.log", trail, cut);
        ck_assert_msg(verify().audit_bad_line != 0, "cut at %zu", cut);
    }
    fixture_write(&f, "audit.log", trail, len);
    ck_assert_uint_eq(verify().audit_bad_line, 0);
    char path[PATH_MAX];
    fixture_path(&f, "audit.log", path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_uint_ne(verify().audit_bad_line, 0);
    fixture_write(&f, "audit.log", trail, len);
}
END_TEST

/* A whole chain computed anew by somebody without the data key does not fit the anchor. */
START_TEST(a_chain_of_somebody_else_is_found)
{
    write_lines(3, 1);
    tick(f.v);
    struct fixture other;
    fixture_make(&other);
    struct vault *ours = f.v;
    fixture_open(&other);
    f.v = other.v;
    write_lines(3, 1);
    f.v = ours;
    size_t len = fixture_read(&other, "audit.log", trail, sizeof trail);
    fixture_remove(&other);
    fixture_write(&f, "audit.log", trail, len);
    ck_assert_uint_eq(verify().audit_bad_line, 3);
}
END_TEST

START_TEST(closing_anchors_the_last_line)
{
    write_lines(3, 1);
    fixture_close(&f);
    size_t len = fixture_read(&f, "audit.log", trail, sizeof trail), end = line_end(line_end(0, len), len);
    fixture_write(&f, "audit.log", trail, end);
    fixture_open(&f);
    ck_assert_uint_eq(verify().audit_bad_line, 3);
}
END_TEST

/* The half line of a power failure was acknowledged to nobody; the chain goes on behind the last whole one. */
START_TEST(a_half_line_at_the_end_is_removed_at_start)
{
    write_lines(2, 1);
    fixture_close(&f);
    size_t len = fixture_read(&f, "audit.log", trail, sizeof trail);
    memcpy(trail + len, "{\"seq\":3,\"ti", 12);
    fixture_write(&f, "audit.log", trail, len + 12);
    fixture_open(&f);
    write_lines(1, 1);
    struct vault_verdict v = verify();
    ck_assert(v.audit_lines == 3 && v.audit_bad_line == 0);
}
END_TEST

static void append_here(unsigned lines)
{
    fixture_open(&f);
    for (unsigned i = 0; i < lines; i++) {
        if (failed(add(uuid))) _exit(1);
        vault_flush(f.v);
        if (i % 16 == 0) tick(f.v);
    }
    fixture_close(&f);
}

START_TEST(several_processes_append_to_one_chain)
{
    enum { PROCESSES = 3, LINES = 100 };
    fixture_close(&f);
    pid_t child[PROCESSES];
    for (size_t i = 0; i < PROCESSES; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            append_here(LINES);
            _exit(0);
        }
    }
    for (size_t i = 0; i < PROCESSES; i++) {
        int status;
        ck_assert_int_eq(waitpid(child[i], &status, 0), child[i]);
        ck_assert_int_eq(status, 0);
    }
    fixture_open(&f);
    struct vault_verdict v = verify();
    ck_assert_uint_eq(v.audit_lines, PROCESSES * LINES);
    ck_assert_uint_eq(v.audit_bad_line, 0);
}
END_TEST

/* No ck_ macro here: each writes into check's own file, which the limit would cut too. */
static void limit_files(rlim_t bytes)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_FSIZE, &r) != 0) abort();
    r.rlim_cur = bytes;
    if (setrlimit(RLIMIT_FSIZE, &r) != 0) abort();
}

START_TEST(a_trail_that_cannot_be_written_refuses_until_it_can)
{
    signal(SIGXFSZ, SIG_IGN);
    write_lines(1, 2);
    size_t before = fixture_read(&f, "audit.log", trail, sizeof trail);
    ck_assert(!failed(add(uuid)));
    limit_files(before + 100); /* part of a line fits */
    vault_flush(f.v);
    limit_files(RLIM_INFINITY);
    ck_assert(vault_audit_is_failing(f.v));
    ck_assert_int_eq(add(uuid).err, ERR_VAULT_AUDIT);
    ck_assert_uint_eq(fixture_read(&f, "audit.log", trail, sizeof trail), before);
    vault_flush(f.v); /* there is room again: the line that waited is written */
    ck_assert(!vault_audit_is_failing(f.v));
    ck_assert(!failed(add(uuid)));
    vault_flush(f.v);
    struct vault_verdict v = verify();
    ck_assert(v.audit_lines == 4 && v.audit_bad_line == 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("audit");
    TCase *t = tcase_create("audit");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_line_says_what_happened);
    tcase_add_test(t, nothing_is_written_before_the_flush);
    tcase_add_test(t, what_may_be_a_pan_is_cut);
    tcase_add_test(t, long_words_are_cut_and_never_break_a_line);
    tcase_add_test(t, any_changed_byte_is_found);
    tcase_add_test(t, a_removed_or_doubled_line_is_found);
    tcase_add_test(t, a_trail_cut_off_anywhere_is_found);
    tcase_add_test(t, a_chain_of_somebody_else_is_found);
    tcase_add_test(t, closing_anchors_the_last_line);
    tcase_add_test(t, a_half_line_at_the_end_is_removed_at_start);
    tcase_add_test(t, several_processes_append_to_one_chain);
    tcase_add_test(t, a_trail_that_cannot_be_written_refuses_until_it_can);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
