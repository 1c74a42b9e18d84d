/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/target_pools.h"

#include "../base/suite.h"

#include <stdio.h>

static struct loop *loop;
static struct resolver *resolver;

static struct target_pools *start(uint64_t idle_ms)
{
    loop = loop_new();
    resolver = resolver_new(loop, SLICE(""));
    struct target_pools *p = target_pools_new(&(struct upstream_settings){.loop = loop, .resolver = resolver, .connect_ms = 1000, .idle_ms = idle_ms,
                                                                          .head_limits = {.head_bytes = 1024, .fields = 10}}, NULL);
    ck_assert_ptr_nonnull(p);
    return p;
}

static void finish(struct target_pools *p)
{
    target_pools_free(p);
    resolver_free(resolver);
    loop_free(loop);
}

static struct target_pool *take(struct target_pools *p, const char *host, uint16_t port, bool tls, bool may_be_private)
{
    struct target_pool *t = NULL;
    struct upstream_url url = {.tls = tls, .host = slice_of(host), .port = port};
    result r = target_pools_take(p, &url, may_be_private, &t);
    ck_assert(failed(r) == (t == NULL));
    if (failed(r)) ck_assert_int_eq(r.err, ERR_TARGET_BUSY);
    return t;
}

START_TEST(one_pool_for_each_target)
{
    struct target_pools *p = start(1000);
    struct target_pool *all[] = {take(p, "a.example", 443, false, false), take(p, "a.example", 444, false, false), take(p, "b.example", 443, false, false),
                                 take(p, "a.example", 443, false, true)};
    struct target_pool *again = take(p, "A.Example", 443, false, false);
    ck_assert_ptr_eq(again, all[0]);
    ck_assert_uint_eq(target_pools_count(p), 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_ptr_nonnull(target_pool_upstream(all[i]));
        for (size_t j = 0; j < i; j++) ck_assert_ptr_ne(target_pool_upstream(all[i]), target_pool_upstream(all[j]));
        target_pool_release(all[i]);
    }
    target_pool_release(again);
    ck_assert_ptr_eq(take(p, "a.example", 443, false, false), all[0]); /* kept for the next one */
    target_pool_release(all[0]);
    target_pool_release(NULL);
    finish(p);
}
END_TEST

START_TEST(their_number_is_bounded)
{
    struct target_pools *p = start(60000);
    struct target_pool *all[TARGET_POOLS_MAX];
    char host[32];
    for (int i = 0; i < TARGET_POOLS_MAX; i++) {
        (void)snprintf(host, sizeof host, "h%d.example", i);
        all[i] = take(p, host, 443, false, false);
        ck_assert_ptr_nonnull(all[i]);
    }
    ck_assert_ptr_null(take(p, "more.example", 443, false, false)); /* all are in use */
    ck_assert_ptr_eq(take(p, "h0.example", 443, false, false), all[0]);
    target_pool_release(all[0]);
    target_pool_release(all[5]);
    struct target_pool *more = take(p, "more.example", 443, false, false); /* the unused one gave way */
    ck_assert_ptr_nonnull(more);
    ck_assert_uint_eq(target_pools_count(p), TARGET_POOLS_MAX);
    all[5] = more;
    for (int i = 0; i < TARGET_POOLS_MAX; i++) target_pool_release(all[i]);
    finish(p);
}
END_TEST

START_TEST(unused_ones_are_freed)
{
    struct target_pools *p = start(5);
    struct target_pool *kept = take(p, "kept.example", 443, false, false);
    target_pool_release(take(p, "a.example", 443, false, false));
    target_pool_release(take(p, "b.example", 443, false, false));
    for (int i = 0; i < 1000 && target_pools_count(p) > 1; i++) loop_turn(loop);
    ck_assert_uint_eq(target_pools_count(p), 1);
    ck_assert_ptr_eq(take(p, "kept.example", 443, false, false), kept); /* in use: never */
    target_pool_release(kept);
    target_pool_release(kept);
    finish(p);
}
END_TEST

RUN_TESTS("target_pools", one_pool_for_each_target, their_number_is_bounded, unused_ones_are_freed)
