/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a load fails once: the load says ERR_MEMORY, leaks nothing (LeakSanitizer) and never crashes. The
 * linker puts these functions in place of malloc and its kin (--wrap, meson.build). */
#include "help.h"

#include "rules/config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *at, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes);

static long until_failure = -1; /* allocations that still succeed; negative: all */
static bool has_failed;

static bool fails(void)
{
    if (until_failure < 0 || until_failure-- > 0) return false;
    has_failed = true;
    until_failure = -1; /* once: what comes after must cope */
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *at, size_t bytes)
{
    return fails() ? NULL : __real_realloc(at, bytes);
}

static void enter(void)
{
    help_enter();
    help_copy("tests/corpus/config", ".");
    help_copy("tests/corpus/config/rules", "rules");
    help_certificate("a");
    help_certificate("b");
    help_secrets();
}

/* A whole load as the supervisor and a role do it. True: nothing failed, <n> was past the last allocation. */
static bool load_with_failure(const char *file, long n, enum error want_without)
{
    struct problems *p = problems_new();
    struct config *c = NULL, *again = NULL;
    struct source *bundle = NULL;
    has_failed = false;
    until_failure = n;
    struct source *disk = source_disk();
    result r = disk ? config_load(disk, slice_of(file), p, &c) : FAIL(MEMORY);
    int fd = !failed(r) ? source_bundle(disk, SOURCE_FOR_NOBODY) : -1;
    if (fd >= 0) bundle = source_from_bundle(fd);
    result second = bundle ? config_load(bundle, slice_of(file), p, &again) : FAIL(MEMORY);
    until_failure = -1;
    if (!has_failed)
        ck_assert_int_eq(r.err, want_without);
    else /* a mistake whose own record found no room is still counted, so a wrong file is never taken for a good one */
        ck_assert_msg(r.err == ERR_MEMORY || r.err == want_without, "allocation %ld: %s", n, error_name(r.err));
    ck_assert((c != NULL) == !failed(r));
    ck_assert((again != NULL) == !failed(second));
    if (has_failed && c)
        ck_assert_msg(second.err == ERR_MEMORY || again, "allocation %ld: %s", n, error_name(second.err));
    config_free(c);
    config_free(again);
    source_free(bundle);
    source_free(disk);
    problems_free(p);
    if (fd >= 0) close(fd);
    return !has_failed;
}

static void fail_every_allocation(const char *file, enum error want_without)
{
    long n = 0;
    while (!load_with_failure(file, n, want_without))
        n++;
    ck_assert_int_gt(n, 20);
}

START_TEST(a_good_configuration)
{
    fail_every_allocation("good_whole.yaml", ERR_NONE);
    fail_every_allocation("good_inbound.yaml", ERR_NONE);
    fail_every_allocation("good_networks.yaml", ERR_NONE);
}
END_TEST

START_TEST(wrong_ones)
{
    fail_every_allocation("rules_missing.yaml", ERR_CONFIG);
    fail_every_allocation("keys.yaml", ERR_CONFIG);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory");
    TCase *t = tcase_create("memory");
    tcase_add_checked_fixture(t, enter, help_leave);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, a_good_configuration);
    tcase_add_test(t, wrong_ones);
    suite_add_tcase(s, t);
    return help_run(s);
}
