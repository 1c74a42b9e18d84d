/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <string.h>

/* Certificates for the forward proxy: for hosts of the caller's routes only, whatever the relay says. */

static const uint8_t point[CA_POINT_BYTES] = {4, 1, 2, 3};

static void route_hosts(void)
{
    config->routes[0].host = SLICE("api.example"); /* shop's */
    config->routes[1].host = SLICE("other.example"); /* other's */
    config->routes[2].host = SLICE("*.any.example"); /* anybody's */
    config->routes[ROUTE_FILTER_PULL].upstream = (struct upstream_url){.tls = true, .host = SLICE("up.example"), .port = 8443};
}

static struct keeper_caller tunnel(const char *key)
{
    struct keeper_caller c = caller(key, 0);
    c.purpose = KEEPER_FOR_TUNNEL;
    c.permission = PERMIT_PROXY;
    return c;
}

START_TEST(for_hosts_of_the_callers_routes)
{
    set_up();
    route_hosts();
    struct keeper_dialogue *d = open_dialogue(tunnel("cvk_shop"));
    ck_assert(!failed(keeper_leaf(d, 1, SLICE("api.example"), point)));
    ck_assert(!failed(keeper_leaf(d, 2, SLICE("x.any.example"), point)));
    ck_assert(!failed(keeper_leaf(d, 3, SLICE("up.example"), point)));
    expect("opened NONE 1 shop1;leaf 1 NONE leaf of api.example;leaf 2 NONE leaf of x.any.example;leaf 3 NONE leaf of up.example;");
    ck_assert_int_eq(memcmp(fake.point, point, sizeof point), 0);
    ck_assert_msg(strstr(fake.audited, "ca.sign shop shop1 api.example  NONE\n") != NULL, "%s", fake.audited);
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(for_no_others)
{
    static const char *const hosts[] = {"other.example", "any.example", "a.b.any.example", "evil.example", "api.example.evil", "", "api.example."};
    set_up();
    route_hosts();
    struct keeper_dialogue *d = open_dialogue(tunnel("cvk_shop"));
    expect("opened NONE 1 shop1;");
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        ck_assert(!failed(keeper_leaf(d, 1, slice_of(hosts[i]), point)));
        expect("leaf 1 KEEPER_REFUSED ;");
    }
    ck_assert_uint_eq(fake.leaves, 0);
    keeper_end(d);
    d = open_dialogue(tunnel("cvk_other"));
    ck_assert(!failed(keeper_leaf(d, 1, SLICE("api.example"), point)));
    ck_assert(!failed(keeper_leaf(d, 2, SLICE("other.example"), point)));
    expect("opened NONE 0 other1;leaf 1 KEEPER_REFUSED ;leaf 2 NONE leaf of other.example;");
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(what_the_ca_says_is_told)
{
    set_up();
    route_hosts();
    struct keeper_dialogue *d = open_dialogue(tunnel("cvk_shop"));
    fake.leaf_result = FAIL(CA_MISSING);
    ck_assert(!failed(keeper_leaf(d, 1, SLICE("api.example"), point)));
    expect("opened NONE 1 shop1;leaf 1 CA_MISSING ;");
    keeper_end(d);
    tear_down();
}
END_TEST

/* A tunnel's dialogue is for nothing else, and no other is for this. */
START_TEST(purposes)
{
    set_up();
    route_hosts();
    struct keeper_dialogue *d = open_dialogue(tunnel("cvk_shop"));
    ck_assert(!failed(keeper_reveal(d, 1, SLICE("tok_good1"), TOKEN_PERMANENT, (struct wish){.wanted = WANTED_PAN})));
    ck_assert(!failed(keeper_sign(d, 2, SLICE("text"), true, false)));
    expect("opened NONE 1 shop1;revealed 1 KEEPER_REFUSED;signed 2 KEEPER_REFUSED ;");
    keeper_end(d);
    d = open_dialogue(caller("cvk_shop", 0));
    ck_assert(!failed(keeper_leaf(d, 1, SLICE("api.example"), point)));
    expect("opened NONE 1 shop1;leaf 1 KEEPER_REFUSED ;");
    keeper_end(d);
    struct keeper_caller c = tunnel("cvk_all");
    c.permission = PERMIT_READ;
    d = open_dialogue(c);
    expect("opened KEEPER_REFUSED 0 all1;");
    keeper_end(d);
    d = open_dialogue(tunnel("cvk_read"));
    expect("opened KEY_PERMISSION 0 read1;");
    keeper_end(d);
    ck_assert_uint_eq(fake.leaves, 0);
    tear_down();
}
END_TEST

RUN_TESTS("leaf", for_hosts_of_the_callers_routes, for_no_others, what_the_ca_says_is_told, purposes)
