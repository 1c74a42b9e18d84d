/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "rules/settings.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loading loading;

static void enter(void)
{
    help_enter();
    loading = (struct loading){.source = source_disk(),
                               .problems = problems_new(),
                               .file = SLICE("etc/f.yaml"),
                               .folder = SLICE("etc/"),
                               .pool = pool_new(1 << 20),
                               .secrets = secrets_new()};
}

static void leave(void)
{
    source_free(loading.source);
    problems_free(loading.problems);
    pool_free(loading.pool);
    secrets_free(loading.secrets);
    help_leave();
}

/* A row of one type, whose member is the whole of a variable. */
static bool parse(enum setting_type type, const char *text, uint64_t min, uint64_t max, const char *words, void *out)
{
    const struct setting row = {.path = "x", .type = type, .min = min, .max = max, .words = words};
    const struct tree_node node = {.kind = TREE_SCALAR, .line = 1, .column = 1, .text = slice_of(text)};
    return setting_parse(&loading, &row, &node, out);
}

enum { NO = -1 };
struct number {
    enum setting_type type;
    const char *text;
    int64_t want; /* NO: refused */
};

START_TEST(numbers)
{
    static const struct number cases[] = {
        {SETTING_DURATION, "500ms", 500},
        {SETTING_DURATION, "30s", 30000},
        {SETTING_DURATION, "15m", 900000},
        {SETTING_DURATION, "8h", 28800000},
        {SETTING_DURATION, "0s", 0},
        {SETTING_DURATION, "1H", 3600000},
        {SETTING_DURATION, "30", NO},
        {SETTING_DURATION, "s", NO},
        {SETTING_DURATION, "", NO},
        {SETTING_DURATION, "-1s", NO},
        {SETTING_DURATION, "1.5s", NO},
        {SETTING_DURATION, "1 s", NO},
        {SETTING_DURATION, "1d", NO},
        {SETTING_DURATION, "18446744073709551615h", NO},
        {SETTING_DURATION, "28h", NO},
        {SETTING_DURATION, "99999999999999999999ms", NO},
        {SETTING_SIZE, "512", 512},
        {SETTING_SIZE, "16K", 16384},
        {SETTING_SIZE, "16k", 16384},
        {SETTING_SIZE, "1M", 1048576},
        {SETTING_SIZE, "0", 0},
        {SETTING_SIZE, "1G", NO},
        {SETTING_SIZE, "1MB", NO},
        {SETTING_SIZE, "1KiB", NO},
        {SETTING_SIZE, "0x10", NO},
        {SETTING_SIZE, "+1", NO},
        {SETTING_SIZE, "18446744073709551616", NO},
        {SETTING_SIZE, "16777216T", NO},
        {SETTING_SIZE, "99999999999T", NO},
        {SETTING_COUNT, "7", 7},
        {SETTING_COUNT, "007", 7},
        {SETTING_COUNT, "none", NO},
        {SETTING_COUNT, "100000001", NO},
        {SETTING_COUNT, "1e3", NO},
        {SETTING_COUNT, "\xD9\xA1", NO},
        {SETTING_COUNT_OR_NONE, "none", 0},
        {SETTING_COUNT_OR_NONE, "3", 3},
        {SETTING_COUNT_OR_NONE, "None", NO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t got = 0;
        bool right = parse(cases[i].type, cases[i].text, 0, 100000000, NULL, &got);
        ck_assert_msg(right == (cases[i].want != NO), "'%s'", cases[i].text);
        if (right) ck_assert_msg(got == (uint64_t)cases[i].want, "'%s': %llu", cases[i].text, (unsigned long long)got);
    }
}
END_TEST

START_TEST(bounds_are_inclusive)
{
    uint64_t got;
    ck_assert(parse(SETTING_COUNT, "10", 10, 20, NULL, &got));
    ck_assert(parse(SETTING_COUNT, "20", 10, 20, NULL, &got));
    ck_assert(!parse(SETTING_COUNT, "9", 10, 20, NULL, &got));
    ck_assert(!parse(SETTING_COUNT, "21", 10, 20, NULL, &got));
}
END_TEST

START_TEST(small_numbers)
{
    static const struct number cases[] = {
        {SETTING_PERCENT, "0%", 0},   {SETTING_PERCENT, "100%", 100}, {SETTING_PERCENT, "101%", NO},
        {SETTING_PERCENT, "50", NO},  {SETTING_PERCENT, "%", NO},     {SETTING_PERCENT, "5 %", NO},
        {SETTING_PERCENT, "-5%", NO}, {SETTING_PERCENT, "0.5%", NO},  {SETTING_WORKERS, "4", 4},
        {SETTING_WORKERS, "0", NO},   {SETTING_WORKERS, "101", NO},   {SETTING_WORKERS, "all", NO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned got = 0;
        bool right = parse(cases[i].type, cases[i].text, cases[i].type == SETTING_WORKERS, 100, NULL, &got);
        ck_assert_msg(right == (cases[i].want != NO), "'%s'", cases[i].text);
        if (right) ck_assert_int_eq((int64_t)got, cases[i].want);
    }
    unsigned cores = 0;
    cpu_set_t set;
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    ck_assert(parse(SETTING_WORKERS, "auto", 1, 256, NULL, &cores));
    ck_assert_uint_eq(cores, (unsigned)CPU_COUNT(&set));
}
END_TEST

START_TEST(switches_and_levels)
{
    static const char *const on[] = {"on", "yes", "true", "On", "YES", "True"}, *const off[] = {"off", "no", "false",
                                                                                                "OFF"};
    static const char *const neither[] = {"", "1", "0", "y", "n", "enabled", "on "};
    for (size_t i = 0; i < 6; i++) {
        bool got = false;
        ck_assert(parse(SETTING_BOOL, on[i], 0, 0, NULL, &got) && got);
    }
    for (size_t i = 0; i < 4; i++) {
        bool got = true;
        ck_assert(parse(SETTING_BOOL, off[i], 0, 0, NULL, &got) && !got);
    }
    for (size_t i = 0; i < 7; i++) {
        bool got;
        ck_assert(!parse(SETTING_BOOL, neither[i], 0, 0, NULL, &got));
    }
    enum log_level level = LOG_LEVEL_DEBUG;
    ck_assert(parse(SETTING_CHOICE, "warn", 0, 0, "debug info warn error", &level));
    ck_assert_int_eq(level, LOG_LEVEL_WARN);
    ck_assert(!parse(SETTING_CHOICE, "warning", 0, 0, "debug info warn error", &level));
    ck_assert(!parse(SETTING_CHOICE, "debug info", 0, 0, "debug info warn error", &level));
}
END_TEST

START_TEST(texts)
{
    static const struct {
        enum setting_type type;
        const char *text, *want; /* "~" stands for the test's folder; NULL: refused */
    } cases[] = {
        {SETTING_NAME, "shop-1.a_B", "shop-1.a_B"},
        {SETTING_NAME, "", NULL},
        {SETTING_NAME, "a b", NULL},
        {SETTING_NAME, "../etc", NULL},
        {SETTING_NAME, ".", NULL},
        {SETTING_NAME, "-x", NULL},
        {SETTING_NAME, "a/b", NULL},
        {SETTING_NAME, "caf\xC3\xA9", NULL},
        {SETTING_NAME, "123456789012345678901", NULL},
        {SETTING_PATH, "var/vault", "~/etc/var/vault"},
        {SETTING_PATH, "/var/vault", "/var/vault"},
        {SETTING_PATH, "", NULL},
        {SETTING_KEY_REFERENCE, "file:k", "file:~/etc/k"},
        {SETTING_KEY_REFERENCE, "file:/k", "file:/k"},
        {SETTING_KEY_REFERENCE, "env:CARDVEIL_KEY", "env:CARDVEIL_KEY"},
        {SETTING_KEY_REFERENCE, "env:9A", NULL},
        {SETTING_KEY_REFERENCE, "env:", NULL},
        {SETTING_KEY_REFERENCE, "env:A-B", NULL},
        {SETTING_KEY_REFERENCE, "file:", NULL},
        {SETTING_KEY_REFERENCE, "k", NULL},
        {SETTING_ADDRESS, "127.0.0.1:80", "127.0.0.1:80"},
        {SETTING_ADDRESS, "[::1]:80", "[::1]:80"},
        {SETTING_ADDRESS, "unix:s.sock", "unix:~/etc/s.sock"},
        {SETTING_ADDRESS, "unix:/s", "unix:/s"},
        {SETTING_ADDRESS, "localhost:80", NULL},
        {SETTING_ADDRESS, "127.0.0.1", NULL},
        {SETTING_ADDRESS, "unix:", NULL},
        {SETTING_ADDRESS, "127.0.0.1:65536", NULL},
        {SETTING_ADDRESS, ":80", NULL},
        {SETTING_ADDRESS, "::1:80", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        slice got = SLICE_NONE;
        bool right = parse(cases[i].type, cases[i].text, 1, 20, NULL, &got);
        ck_assert_msg(right == (cases[i].want != NULL), "'%s'", cases[i].text);
        if (!right) continue;
        char want[5000];
        const char *home = strchr(cases[i].want, '~');
        (void)snprintf(want, sizeof want, "%.*s%s%s", home ? (int)(home - cases[i].want) : (int)strlen(cases[i].want),
                       cases[i].want, home ? help_folder : "", home ? home + 1 : "");
        ck_assert_msg(slice_is(got, want), "'%s': %.*s", cases[i].text, SLICE_ARG(got));
    }
    char longest[200] = "unix:/";
    memset(longest + 6, 'a', 107 - 1);
    slice got;
    ck_assert(parse(SETTING_ADDRESS, longest, 0, 0, NULL, &got)); /* sun_path: 107 bytes and a NUL */
    longest[strlen(longest)] = 'a';
    ck_assert(!parse(SETTING_ADDRESS, longest, 0, 0, NULL, &got));
}
END_TEST

START_TEST(pem_files)
{
    slice got;
    ck_assert_int_eq(mkdir("etc", 0700), 0);
    help_certificate("etc/a");
    help_write("etc/text", "no PEM\n");
    help_write("etc/empty", "");
    char *pem = help_read_file("etc/a.pem");
    pem[strlen(pem) / 2] = '!';
    help_write("etc/damaged.pem", pem);
    free(pem);
    help_write("etc/encrypted.key",
               "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    ck_assert(parse(SETTING_CERTIFICATES, "a.pem", 0, 0, NULL, &got));
    ck_assert(slice_starts(got, SLICE("-----BEGIN CERTIFICATE")));
    ck_assert(parse(SETTING_PRIVATE_KEY, "a.key", 0, 0, NULL, &got));
    static const struct {
        enum setting_type type;
        const char *file, *said;
    } cases[] = {
        {SETTING_CERTIFICATES, "text", "'x': no certificate in the file; expected PEM"},
        {SETTING_CERTIFICATES, "a.key", "'x': no certificate in the file; expected PEM"},
        {SETTING_CERTIFICATES, "empty", "'x': the file is empty"},
        {SETTING_CERTIFICATES, "damaged.pem", "'x': a certificate in the file is damaged"},
        {SETTING_CERTIFICATES, "missing", "'x': cannot read 'etc/missing': No such file or directory"},
        {SETTING_CERTIFICATES, ".", "'x': cannot read 'etc/.': Is a directory"},
        {SETTING_PRIVATE_KEY, "a.pem", "'x': no private key in the file; expected PEM"},
        {SETTING_PRIVATE_KEY, "empty", "'x': the file is empty"},
        {SETTING_PRIVATE_KEY, "text", "'x': no private key in the file; expected PEM"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        problems_free(loading.problems);
        loading.problems = problems_new();
        ck_assert(!parse(cases[i].type, cases[i].file, 0, 0, NULL, &got));
        ck_assert_str_eq(problems_get(loading.problems, 0)->text, cases[i].said);
    }
}
END_TEST

/* A key pasted where its path belongs must not come back in a message. */
START_TEST(secrets_are_not_shown)
{
    struct draft_config c = {0};
    struct draft_certificate l = {0};
    struct tree_node node = {.kind = TREE_SCALAR, .line = 1, .column = 1};
    node.text = SLICE("0123456789abcdef0123456789abcdef");
    ck_assert(!setting_parse(&loading, settings_row(SETTING_ID_VAULT_KEY), &node, &c));
    node.text = SLICE("-----BEGIN PRIVATE KEY-----0123456789abcdef");
    ck_assert(!setting_parse(&loading, settings_row(SETTING_ID_CERTIFICATE_KEY), &node, &l));
    char *said = help_problems(loading.problems);
    ck_assert_msg(!strstr(said, "0123456789abcdef"), "%s", said);
    ck_assert_uint_eq(problems_count(loading.problems), 2);
    free(said);
}
END_TEST

START_TEST(the_table_is_whole)
{
    for (int i = 0; i < SETTING_ID_COUNT; i++) {
        const struct setting *s = settings_row((enum setting_id)i);
        bool reload = s->flags & SETTING_FLAG_RELOAD, restart = s->flags & SETTING_FLAG_RESTART;
        ck_assert_msg(reload != restart, "%s: one of RELOAD and RESTART", s->path);
        ck_assert_msg(s->help[0] && s->help[strlen(s->help) - 1] != '.', "%s: help", s->path);
        for (int j = 0; j < i; j++) {
            const struct setting *other = settings_row((enum setting_id)j);
            ck_assert_msg(other->scope != s->scope || strcmp(other->path, s->path) != 0, "%s stands twice", s->path);
        }
        if (!(s->flags & SETTING_FLAG_INHERITED)) continue;
        bool has_parent = false;
        for (int j = 0; j < i; j++) {
            const struct setting *other = settings_row((enum setting_id)j);
            has_parent = has_parent || (other->scope == SCOPE_CONFIG && strcmp(other->path, s->path) == 0 &&
                                        other->type == s->type && other->min == s->min && other->max == s->max);
        }
        ck_assert_msg(has_parent, "%s inherits from nothing like it", s->path);
    }
}
END_TEST

static void check_print(bool markdown, const char *golden)
{
    int fd = memfd_create("settings", MFD_CLOEXEC);
    config_print_settings(fd, markdown);
    char *text = help_read_fd(fd);
    help_golden(golden, text);
    free(text);
    close(fd);
}

START_TEST(the_table_is_printed_as_the_manual_has_it)
{
    check_print(false, "config/settings.help");
    check_print(true, "config/settings.md");
}
END_TEST

START_TEST(units_are_written_shortest)
{
    char text[32];
    static const struct {
        uint64_t n;
        const char *duration, *size;
    } cases[] = {{0, "0ms", "0"},
                 {1, "1ms", "1"},
                 {1000, "1s", "1000"},
                 {1024, "1024ms", "1K"},
                 {90000, "90s", "90000"},
                 {3600000, "1h", "3600000"},
                 {1ULL << 36, "68719476736ms", "64G"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setting_write_duration(cases[i].n, text);
        ck_assert_str_eq(text, cases[i].duration);
        setting_write_size(cases[i].n, text);
        ck_assert_str_eq(text, cases[i].size);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("settings");
    TCase *t = tcase_create("settings");
    tcase_add_checked_fixture(t, enter, leave);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, numbers);
    tcase_add_test(t, bounds_are_inclusive);
    tcase_add_test(t, small_numbers);
    tcase_add_test(t, switches_and_levels);
    tcase_add_test(t, texts);
    tcase_add_test(t, pem_files);
    tcase_add_test(t, secrets_are_not_shown);
    tcase_add_test(t, the_table_is_whole);
    tcase_add_test(t, the_table_is_printed_as_the_manual_has_it);
    tcase_add_test(t, units_are_written_shortest);
    suite_add_tcase(s, t);
    return help_run(s);
}
