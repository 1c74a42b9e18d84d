/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_fixture.h"

#include "lmdb_priv.h" /* vault_crash_point */

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
    vault_crash_point = NULL;
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

/* --- archived files --- */

static const char archived_3[] = "audit.00000000000000000003.log", archived_6[] = "audit.00000000000000000006.log";

static result cut(char name[AUDIT_NAME_BYTES])
{
    const struct audit_entry e = {.actor = SLICE("command"), .peer = SLICE("uid:0"), .outcome = OK};
    return vault_audit_cut(f.v, &e, name);
}

/* Lines 1 to 3 archived, 4 to 6 archived, 7 and 8 in use; 4 and 7 tell of the cuts. */
static void make_three_files(void)
{
    char name[AUDIT_NAME_BYTES];
    ck_assert_int_eq(cut(name).err, ERR_NOT_FOUND);
    write_lines(3, 1);
    ck_assert(!failed(cut(name)));
    ck_assert_str_eq(name, archived_3);
    write_lines(1, 2);
    ck_assert(!failed(cut(name)));
    ck_assert_str_eq(name, archived_6);
    write_lines(1, 1);
    tick(f.v);
}

static void expect_trail(uint64_t first, uint64_t lines, uint64_t bad_line)
{
    struct vault_verdict v = verify();
    ck_assert_uint_eq(v.audit_first_line, first);
    ck_assert_uint_eq(v.audit_lines, lines);
    ck_assert_uint_eq(v.audit_bad_line, bad_line);
}

static void take_away(const char *name)
{
    char path[PATH_MAX];
    fixture_path(&f, name, path);
    ck_assert_int_eq(unlink(path), 0);
}

START_TEST(the_chain_goes_on_over_archived_files)
{
    make_three_files();
    expect_trail(1, 8, 0);
    size_t len = fixture_read(&f, "audit.log", trail, sizeof trail - 1);
    trail[len] = '\0';
    ck_assert(strncmp(trail, "{\"seq\":7,", 9) == 0);
    ck_assert_ptr_nonnull(strstr(trail, "\"action\":\"vault.archive\",\"merchant\":\"\",\"actor\":\"command\",\"peer\":\"uid:0\""));
    take_away(archived_3);
    expect_trail(4, 5, 0);
    take_away(archived_6);
    expect_trail(7, 2, 0);
    fixture_close(&f);
    fixture_open(&f);
    write_lines(1, 1);
    expect_trail(7, 3, 0);
}
END_TEST

START_TEST(an_archived_file_that_is_altered_or_missing_between_is_found)
{
    make_three_files();
    size_t len = fixture_read(&f, archived_6, trail, sizeof trail);
    for (size_t i = 0; i < len; i += 11) {
        memcpy(changed, trail, len);
        changed[i] ^= 1;
        fixture_write(&f, archived_6, changed, len);
        uint64_t bad = verify().audit_bad_line;
        ck_assert_msg(bad >= 4 && bad <= 7, "byte %zu: %lu", i, (unsigned long)bad);
    }
    fixture_write(&f, archived_6, trail, len);
    expect_trail(1, 8, 0);
    take_away(archived_6); /* not the oldest */
    ck_assert_uint_eq(verify().audit_bad_line, 4);
    fixture_write(&f, archived_6, trail, len);
    take_away("audit.log");
    fixture_write(&f, "audit.log", "", 0);
    ck_assert_uint_eq(verify().audit_bad_line, 7); /* behind it, the anchor */
}
END_TEST

/* Nothing but the front may be missing: lines that are as good as new, but not these. */
START_TEST(a_front_of_somebody_else_is_found)
{
    make_three_files();
    take_away(archived_3);
    size_t len = fixture_read(&f, archived_6, trail, sizeof trail);
    char *prev = memmem(trail, len, "\"prev\":\"", 8);
    ck_assert_ptr_nonnull(prev);
    prev[8] = prev[8] == '0' ? '1' : '0';
    fixture_write(&f, archived_6, trail, len);
    ck_assert_uint_eq(verify().audit_bad_line, 4);
}
END_TEST

static void die_when_named(const char *name)
{
    if (strcmp(name, "audit_named") == 0) _exit(9);
}

START_TEST(a_cut_killed_half_way_is_no_harm_and_the_next_one_mends_it)
{
    char name[AUDIT_NAME_BYTES];
    int status;
    write_lines(3, 1);
    fixture_close(&f);
    pid_t child = fork();
    if (child == 0) {
        vault_crash_point = die_when_named;
        fixture_open(&f);
        (void)!failed(cut(name));
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    fixture_open(&f);
    ck_assert(fixture_has(&f, archived_3)); /* the same file by two names */
    write_lines(3, 1);
    tick(f.v);
    expect_trail(1, 6, 0);
    ck_assert(!failed(cut(name)));
    ck_assert_str_eq(name, archived_6);
    ck_assert(!fixture_has(&f, archived_3));
    expect_trail(1, 7, 0);
}
END_TEST

/* Writers that have the file open while it is cut, again and again: no line is lost, none stands in two files. */
START_TEST(cuts_beside_writers_lose_nothing)
{
    enum { WRITERS = 3, WRITES = 200, CUTS = 20 };
    char name[AUDIT_NAME_BYTES];
    pid_t writers[WRITERS];
    int status;
    fixture_close(&f);
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        if (writers[i] != 0) continue;
        fixture_open(&f);
        write_lines(WRITES, 1);
        fixture_close(&f);
        _exit(0);
    }
    fixture_open(&f);
    write_lines(1, 1);
    for (size_t i = 0; i < CUTS; i++) {
        ck_assert(!failed(cut(name)));
        usleep(1000);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(waitpid(writers[i], &status, 0), writers[i]);
        ck_assert_int_eq(status, 0);
    }
    expect_trail(1, WRITERS * WRITES + 1 + CUTS, 0);
}
END_TEST

/* A file that somebody took away is not written on unseen. */
START_TEST(a_trail_that_was_taken_away_fails_closed)
{
    write_lines(1, 1);
    size_t len = fixture_read(&f, "audit.log", trail, sizeof trail);
    tick(f.v);
    take_away("audit.log");
    ck_assert(!failed(add(uuid)));
    vault_flush(f.v);
    ck_assert(vault_audit_is_failing(f.v));
    fixture_write(&f, "audit.log", trail, len);
    vault_flush(f.v);
    ck_assert(!vault_audit_is_failing(f.v));
    expect_trail(1, 2, 0);
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
    tcase_add_test(t, the_chain_goes_on_over_archived_files);
    tcase_add_test(t, an_archived_file_that_is_altered_or_missing_between_is_found);
    tcase_add_test(t, a_front_of_somebody_else_is_found);
    tcase_add_test(t, a_cut_killed_half_way_is_no_harm_and_the_next_one_mends_it);
    tcase_add_test(t, cuts_beside_writers_lose_nothing);
    tcase_add_test(t, a_trail_that_was_taken_away_fails_closed);
    tcase_add_test(t, a_trail_that_cannot_be_written_refuses_until_it_can);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
