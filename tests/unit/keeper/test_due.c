/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/keeper/due.h"
#include "../base/suite.h"

#include <stdlib.h>

enum { THINGS = 500 };

START_TEST(the_earliest_is_first)
{
    static struct due things[THINGS];
    struct due_heap h = {0};
    uint32_t seed = 1;
    for (size_t i = 0; i < THINGS; i++) {
        seed = seed * 1664525u + 1013904223u;
        things[i].at_ms = seed % 1000;
        ck_assert(due_add(&h, &things[i]));
    }
    for (size_t i = 0; i < THINGS; i += 3) due_remove(&h, &things[i]); /* from anywhere */
    due_remove(&h, &things[0]); /* once is enough */
    int64_t last = -1;
    size_t seen = 0;
    struct due *d;
    while ((d = due_first(&h)) != NULL) {
        ck_assert_int_ge(d->at_ms, last);
        ck_assert_uint_ne((size_t)(d - things) % 3, 0);
        last = d->at_ms;
        seen++;
        due_remove(&h, d);
    }
    ck_assert_uint_eq(seen, THINGS - (THINGS + 2) / 3);
    due_done(&h);
}
END_TEST

START_TEST(back_off_doubles_up_to_an_hour)
{
    static const struct {
        uint32_t tries;
        int64_t most;
    } cases[] = {{0, 1000}, {1, 1000}, {2, 2000}, {3, 4000}, {11, 1024000}, {12, 2048000}, {13, 3600000}, {40, 3600000}, {UINT32_MAX, 3600000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(back_off_ms(cases[i].tries, 0), cases[i].most / 2);
        for (uint32_t random = 0; random < 50; random++) {
            int64_t ms = back_off_ms(cases[i].tries, random * 0x9e3779b9u);
            ck_assert_int_ge(ms, cases[i].most / 2);
            ck_assert_int_le(ms, cases[i].most);
        }
    }
}
END_TEST

START_TEST(a_clock_that_is_set)
{
    struct due_clock c = {0};
    ck_assert_int_eq(due_clock_step_ms(&c, 1000 * 1000, 5000), 0);
    ck_assert_int_eq(due_clock_step_ms(&c, 1002 * 1000, 7000), 0);
    ck_assert_int_eq(due_clock_step_ms(&c, 1003 * 1000 + 59999, 8000), 0); /* an adjustment */
    ck_assert_int_eq(due_clock_step_ms(&c, 4 * 1000, 9000), -1000 * 1000);
    ck_assert_int_eq(due_clock_step_ms(&c, 5 * 1000, 10000), 0); /* told once */
    ck_assert_int_eq(due_clock_step_ms(&c, 66 * 1000, 11000), 60 * 1000);
    ck_assert_int_eq(due_believable(7, 1000), 7);
    ck_assert_int_eq(due_believable(1000 + BACK_OFF_MOST_MS, 1000), 1000 + BACK_OFF_MOST_MS);
    ck_assert_int_eq(due_believable(1001 + BACK_OFF_MOST_MS, 1000), 1000);
}
END_TEST

RUN_TESTS("due", the_earliest_is_first, back_off_doubles_up_to_an_hour, a_clock_that_is_set)
