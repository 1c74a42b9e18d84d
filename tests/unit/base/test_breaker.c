/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include "base/breaker.h"

static void fail_times(struct breaker *b, unsigned times, uint64_t now_ms)
{
    for (unsigned i = 0; i < times; i++) {
        ck_assert(breaker_lets_through(b, now_ms));
        breaker_failed(b, now_ms, 0);
    }
}

START_TEST(closed_until_failures_come_in_a_row)
{
    struct breaker b = {0};
    fail_times(&b, BREAKER_FAILURES - 1, 100);
    ck_assert_int_eq(b.state, BREAKER_CLOSED);
    breaker_succeeded(&b);
    fail_times(&b, BREAKER_FAILURES - 1, 100);
    ck_assert_int_eq(b.state, BREAKER_CLOSED);
    fail_times(&b, 1, 100);
    ck_assert_int_eq(b.state, BREAKER_OPEN);
    ck_assert(!breaker_lets_through(&b, 100));
    ck_assert(!breaker_lets_through(&b, 100 + BREAKER_FIRST_PAUSE_MS - 1));
}
END_TEST

START_TEST(one_trial_after_the_pause)
{
    struct breaker b = {0};
    fail_times(&b, BREAKER_FAILURES, 100);
    ck_assert(breaker_lets_through(&b, 100 + BREAKER_FIRST_PAUSE_MS));
    ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
    ck_assert(!breaker_lets_through(&b, 100 + BREAKER_FIRST_PAUSE_MS));
    breaker_succeeded(&b);
    ck_assert_int_eq(b.state, BREAKER_CLOSED);
    ck_assert(breaker_lets_through(&b, 100 + BREAKER_FIRST_PAUSE_MS));
    ck_assert_uint_eq(b.failures, 0);
}
END_TEST

START_TEST(the_pause_doubles_up_to_its_most_and_starts_small_again)
{
    struct breaker b = {0};
    uint64_t now = 100, want = BREAKER_FIRST_PAUSE_MS;
    fail_times(&b, BREAKER_FAILURES, now);
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_eq(b.until_ms, now + want);
        now = b.until_ms;
        ck_assert(breaker_lets_through(&b, now));
        breaker_failed(&b, now, 0);
        ck_assert_int_eq(b.state, BREAKER_OPEN);
        want = want * 2 < BREAKER_MOST_PAUSE_MS ? want * 2 : BREAKER_MOST_PAUSE_MS;
    }
    ck_assert_uint_eq(b.until_ms, now + BREAKER_MOST_PAUSE_MS);
    now = b.until_ms;
    ck_assert(breaker_lets_through(&b, now));
    breaker_succeeded(&b);
    fail_times(&b, BREAKER_FAILURES, now);
    ck_assert_uint_eq(b.until_ms, now + BREAKER_FIRST_PAUSE_MS);
}
END_TEST

START_TEST(jitter_stays_between_half_and_whole)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (uint32_t random = 0; random < 5000; random += 7) {
        struct breaker b = {0};
        for (int i = 0; i < BREAKER_FAILURES; i++)
            breaker_failed(&b, 10000, random);
        uint64_t pause = b.until_ms - 10000;
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
    }
    ck_assert_uint_ge(least, BREAKER_FIRST_PAUSE_MS / 2);
    ck_assert_uint_le(most, BREAKER_FIRST_PAUSE_MS);
    ck_assert_uint_lt(least, most);
}
END_TEST

/* A payment's trial call is cancelled when its budget is spent: the network must not stay out for ever. */
START_TEST(a_trial_that_never_tells_is_followed_by_another)
{
    struct breaker b = {0};
    fail_times(&b, BREAKER_FAILURES, 100);
    uint64_t now = b.until_ms;
    ck_assert(breaker_lets_through(&b, now));
    ck_assert(!breaker_lets_through(&b, now + BREAKER_FIRST_PAUSE_MS - 1));
    ck_assert(breaker_lets_through(&b, now + BREAKER_FIRST_PAUSE_MS));
    ck_assert(!breaker_lets_through(&b, now + BREAKER_FIRST_PAUSE_MS));
}
END_TEST

START_TEST(what_was_under_way_when_it_opened)
{
    struct breaker b = {0};
    fail_times(&b, BREAKER_FAILURES, 100);
    uint64_t until = b.until_ms;
    breaker_failed(&b, 500, 0); /* late, and nothing new */
    ck_assert_uint_eq(b.until_ms, until);
    ck_assert_int_eq(b.state, BREAKER_OPEN);
    breaker_succeeded(&b); /* late, and good news */
    ck_assert(breaker_lets_through(&b, 501));
}
END_TEST

RUN_TESTS("network breaker", closed_until_failures_come_in_a_row, one_trial_after_the_pause,
          the_pause_doubles_up_to_its_most_and_starts_small_again, jitter_stays_between_half_and_whole,
          a_trial_that_never_tells_is_followed_by_another, what_was_under_way_when_it_opened)
