/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proportion.h"

#include "suite.h"

#include <math.h>

static void expect(double got, double wanted)
{
    ck_assert_msg(fabs(got - wanted) < 0.0000006, "%.7f, not %.6f", got, wanted);
}

/* From the formulas of the two papers, computed with 40 digits by another program. 56 of 70 against 48 of 80 and the small and extreme
 * counts below it are usual cases for comparing methods: the plain interval fails at them. */
START_TEST(differences_are_those_of_the_method)
{
    static const struct {
        struct proportion a, b;
        double value, low, high;
    } cases[] = {
        {{56, 70}, {48, 80}, 0.200000, 0.052431, 0.333873},
        {{9, 10}, {3, 10}, 0.600000, 0.170523, 0.809018},
        {{6, 7}, {2, 7}, 0.571429, 0.058228, 0.806250},
        {{5, 56}, {0, 29}, 0.089286, -0.038137, 0.192560},
        {{0, 10}, {0, 20}, 0.000000, -0.161125, 0.277533},
        {{0, 10}, {0, 10}, 0.000000, -0.277533, 0.277533},
        {{10, 10}, {0, 20}, 1.000000, 0.679086, 1.000000},
        {{10, 10}, {0, 10}, 1.000000, 0.607509, 1.000000},
        {{1, 1}, {0, 1}, 1.000000, -0.122109, 1.000000},
        {{9200, 10000}, {9000, 10000}, 0.020000, 0.012073, 0.027938},
        {{915000, 1000000}, {900000, 1000000}, 0.015000, 0.014197, 0.015803},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct interval got = proportion_difference(cases[i].a, cases[i].b);
        expect(got.value, cases[i].value);
        expect(got.low, cases[i].low);
        expect(got.high, cases[i].high);
        struct interval mirrored = proportion_difference(cases[i].b, cases[i].a);
        expect(mirrored.low, -cases[i].high);
        expect(mirrored.high, -cases[i].low);
    }
}
END_TEST

START_TEST(intervals_are_those_of_the_method)
{
    static const struct {
        struct proportion p;
        double low, high;
    } cases[] = {
        {{81, 263}, 0.255289, 0.366210}, {{15, 148}, 0.062386, 0.160487}, {{0, 20}, 0, 0.161125},
        {{1, 29}, 0.006113, 0.171755},   {{29, 29}, 0.883030, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct interval got = proportion_interval(cases[i].p);
        expect(got.value, (double)cases[i].p.hits / (double)cases[i].p.n);
        expect(got.low, cases[i].low);
        expect(got.high, cases[i].high);
    }
}
END_TEST

START_TEST(no_interval_leaves_what_is_possible)
{
    for (uint64_t n = 1; n <= 40; n++) {
        for (uint64_t hits = 0; hits <= n; hits++) {
            struct interval i = proportion_interval((struct proportion){hits, n});
            ck_assert(i.low >= 0 && i.low <= i.value && i.value <= i.high && i.high <= 1);
            struct interval d = proportion_difference((struct proportion){hits, n}, (struct proportion){n - hits, n});
            ck_assert(d.low >= -1 && d.low <= d.value && d.value <= d.high && d.high <= 1);
        }
    }
}
END_TEST

RUN_TESTS("proportion", differences_are_those_of_the_method, intervals_are_those_of_the_method,
          no_interval_leaves_what_is_possible)
