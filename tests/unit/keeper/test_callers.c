/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "keeper/callers.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT = 20, WINDOW_MS = 15 * 60 * 1000 };

static struct caller named(const char *key, uint8_t last)
{
    struct caller c = {.family = 4, .at = {192, 0, 2, last}};
    memcpy(c.key_id, key, strlen(key));
    return c;
}

START_TEST(twenty_are_forgiven_the_next_is_not)
{
    struct bad_tokens *t = bad_tokens_new();
    struct caller who = named("key", 1);
    for (unsigned i = 0; i < LIMIT; i++) {
        ck_assert(!bad_tokens_is_blocked(t, &who, 1000 + i, LIMIT, WINDOW_MS));
        bad_tokens_count(t, &who, 1000 + i, WINDOW_MS);
    }
    ck_assert(bad_tokens_is_blocked(t, &who, 2000, LIMIT, WINDOW_MS));
    ck_assert(!bad_tokens_is_blocked(t, &who, 2000, 0, WINDOW_MS)); /* 0: no limit */
    bad_tokens_free(t);
}
END_TEST

START_TEST(the_window_passes)
{
    struct bad_tokens *t = bad_tokens_new();
    struct caller who = named("key", 1);
    for (unsigned i = 0; i < LIMIT; i++) bad_tokens_count(t, &who, 1000, WINDOW_MS);
    ck_assert(bad_tokens_is_blocked(t, &who, 1000 + WINDOW_MS - 1, LIMIT, WINDOW_MS));
    ck_assert(!bad_tokens_is_blocked(t, &who, 1000 + WINDOW_MS, LIMIT, WINDOW_MS));
    bad_tokens_count(t, &who, 1000 + WINDOW_MS, WINDOW_MS);
    ck_assert(!bad_tokens_is_blocked(t, &who, 1001 + WINDOW_MS, LIMIT, WINDOW_MS)); /* counts from one again */
    bad_tokens_free(t);
}
END_TEST

START_TEST(callers_are_told_apart_by_key_and_address)
{
    struct bad_tokens *t = bad_tokens_new();
    struct caller who = named("key", 1), elsewhere = named("key", 2), other = named("other", 1);
    for (unsigned i = 0; i < LIMIT; i++) bad_tokens_count(t, &who, 1000, WINDOW_MS);
    ck_assert(bad_tokens_is_blocked(t, &who, 1000, LIMIT, WINDOW_MS));
    ck_assert(!bad_tokens_is_blocked(t, &elsewhere, 1000, LIMIT, WINDOW_MS));
    ck_assert(!bad_tokens_is_blocked(t, &other, 1000, LIMIT, WINDOW_MS));
    bad_tokens_free(t);
}
END_TEST

START_TEST(the_table_is_bounded)
{
    struct bad_tokens *t = bad_tokens_new();
    struct caller first = named("key", 1);
    for (unsigned i = 0; i < LIMIT; i++) bad_tokens_count(t, &first, 1000, WINDOW_MS);
    for (uint32_t i = 0; i < CALLERS_MAX; i++) {
        struct caller c = named("x", 0);
        memcpy(c.at, &i, sizeof i);
        bad_tokens_count(t, &c, 1001, WINDOW_MS);
    }
    ck_assert(!bad_tokens_is_blocked(t, &first, 1002, LIMIT, WINDOW_MS)); /* the oldest gave way */
    bad_tokens_free(t);
}
END_TEST

START_TEST(a_bucket_holds_a_second)
{
    struct bucket b = {0, 0};
    for (int i = 0; i < 10; i++) ck_assert(bucket_take(&b, 10, 5000));
    ck_assert(!bucket_take(&b, 10, 5000));
    ck_assert(!bucket_take(&b, 10, 5099));
    ck_assert(bucket_take(&b, 10, 5100)); /* a tenth of a second: one more */
    ck_assert(!bucket_take(&b, 10, 5100));
    for (int i = 0; i < 10; i++) ck_assert(bucket_take(&b, 10, 60000)); /* never more than a second's worth */
    ck_assert(!bucket_take(&b, 10, 60000));
    ck_assert(bucket_take(&b, 0, 60000)); /* 0: no limit */
}
END_TEST

START_TEST(each_key_has_its_own_rate)
{
    struct key_rates *t = key_rates_new();
    ck_assert(key_rates_take(t, SLICE("one"), 2, 1000));
    ck_assert(key_rates_take(t, SLICE("one"), 2, 1000));
    ck_assert(!key_rates_take(t, SLICE("one"), 2, 1000));
    ck_assert(key_rates_take(t, SLICE("two"), 2, 1000));
    ck_assert(key_rates_take(t, SLICE("one"), 2, 1500));
    ck_assert(!key_rates_take(t, SLICE("longer than an id is"), 2, 1000));
    key_rates_free(t);
}
END_TEST

RUN_TESTS("callers", twenty_are_forgiven_the_next_is_not, the_window_passes, callers_are_told_apart_by_key_and_address,
          the_table_is_bounded, a_bucket_holds_a_second, each_key_has_its_own_rate)
