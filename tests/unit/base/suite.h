/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

/* A test program: a table of tests, each in a process of its own (check's fork mode), so a crash or a leak names its test. */

#include <check.h>
#include <stdlib.h>

/* SLICE() is no constant for a static table. */
#define CONST_SLICE(literal) {(literal), sizeof(literal) - 1}

#define RUN_TESTS(name, ...)                                                                                           \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        const TTest *const tests[] = {__VA_ARGS__};                                                                    \
        TCase *all = tcase_create(name);                                                                               \
        tcase_set_timeout(all, 60); /* catches a hang; nothing is judged by time */                                    \
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(all, tests[i]);                       \
        Suite *s = suite_create(name);                                                                                 \
        suite_add_tcase(s, all);                                                                                       \
        SRunner *r = srunner_create(s);                                                                                \
        srunner_run_all(r, CK_ENV);                                                                                    \
        int failures = srunner_ntests_failed(r);                                                                       \
        srunner_free(r);                                                                                               \
        return failures ? EXIT_FAILURE : EXIT_SUCCESS;                                                                 \
    }

#endif
