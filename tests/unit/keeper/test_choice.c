/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/choice.h"

#include "base/clock.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ruleset with = {.has_network_token = true}, without = {.has_network_token = false};

static struct config_route route_of(struct ruleset *rules, unsigned percent)
{
    return (struct config_route){.name = SLICE("rede"), .rules = rules, .volume_percent = percent};
}

/* The whole table of keeper/choice.h, as far as it is decided without the network. NULL: a network token may go out. */
START_TEST(test_why_the_pan_goes_out)
{
    static const struct {
        bool supported;
        unsigned percent;
        enum wanted wanted;
        enum network_state state;
        const char *reason;
    } cases[] = {
        {false, 100, WANTED_BEST, NETWORK_ACTIVE, "not_supported"},
        {false, 100, WANTED_TOKEN, NETWORK_ACTIVE, "not_supported"},
        {false, 100, WANTED_PAN, NETWORK_ACTIVE, "not_supported"},
        {true, 100, WANTED_PAN_STREAMED, NETWORK_ACTIVE, "not_supported"},
        {true, 100, WANTED_PAN, NETWORK_ACTIVE, "forced"},
        {true, 0, WANTED_PAN, NETWORK_NONE, "forced"},
        {true, 100, WANTED_PAN_RETRY, NETWORK_ACTIVE, "forced"},
        {true, 0, WANTED_BEST, NETWORK_ACTIVE, "not_in_volume"},
        {true, 0, WANTED_BEST, NETWORK_NONE, "not_in_volume"},
        {true, 0, WANTED_TOKEN, NETWORK_NONE, "not_provisioned"},
        {true, 100, WANTED_BEST, NETWORK_NONE, "not_provisioned"},
        {true, 100, WANTED_BEST, NETWORK_PENDING, "not_provisioned"},
        {true, 100, WANTED_BEST, NETWORK_UNPROVISIONED, "not_provisioned"},
        {true, 100, WANTED_BEST, NETWORK_SUSPENDED, "suspended"},
        {true, 100, WANTED_TOKEN, NETWORK_SUSPENDED, "suspended"},
        {true, 100, WANTED_BEST, NETWORK_DELETED, "deleted"},
        {true, 100, WANTED_BEST, NETWORK_ACTIVE, NULL},
        {true, 100, WANTED_TOKEN, NETWORK_ACTIVE, NULL},
        {true, 0, WANTED_TOKEN, NETWORK_ACTIVE, NULL}, /* asked for by the caller: the rollout does not matter */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct config_route route = route_of(cases[i].supported ? &with : &without, cases[i].percent);
        for (unsigned mit = 0; mit < 2; mit++) {
            const struct wish wish = {.wanted = cases[i].wanted, .merchant_initiated = mit};
            enum fallback f = choice_before_network(&route, SLICE("token-1"), wish, cases[i].state);
            const char *name = fallback_name(f);
            ck_assert_msg(cases[i].reason ? name && strcmp(name, cases[i].reason) == 0 : !name && f == FALLBACK_NONE, "case %zu: %s", i,
                          name ? name : "none");
        }
    }
}
END_TEST

/* A token that the record still has as ACTIVE is good to the last millisecond of its month, and then no more. */
START_TEST(test_a_token_past_its_expiry_is_none)
{
    static const struct {
        enum network_state state;
        uint16_t year;
        uint8_t month;
        const char *now;
        enum network_state seen;
    } cases[] = {
        {NETWORK_ACTIVE, 2026, 11, "2026-11-01T00:00:00Z", NETWORK_ACTIVE},
        {NETWORK_ACTIVE, 2026, 11, "2026-11-30T23:59:59.999Z", NETWORK_ACTIVE},
        {NETWORK_ACTIVE, 2026, 11, "2026-12-01T00:00:00Z", NETWORK_UNPROVISIONED},
        {NETWORK_ACTIVE, 2026, 12, "2026-12-31T23:59:59.999Z", NETWORK_ACTIVE},
        {NETWORK_ACTIVE, 2026, 12, "2027-01-01T00:00:00Z", NETWORK_UNPROVISIONED},
        {NETWORK_ACTIVE, 2025, 12, "2026-06-15T12:00:00Z", NETWORK_UNPROVISIONED},
        {NETWORK_ACTIVE, 0, 0, "2026-06-15T12:00:00Z", NETWORK_ACTIVE}, /* never told */
        {NETWORK_SUSPENDED, 2025, 12, "2026-06-15T12:00:00Z", NETWORK_SUSPENDED},
        {NETWORK_DELETED, 2025, 12, "2026-06-15T12:00:00Z", NETWORK_DELETED},
        {NETWORK_PENDING, 2025, 12, "2026-06-15T12:00:00Z", NETWORK_PENDING},
        {NETWORK_NONE, 0, 0, "2026-06-15T12:00:00Z", NETWORK_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct network_record record = {.state = cases[i].state, .month = cases[i].month, .year = cases[i].year};
        int64_t now;
        bool is_date;
        ck_assert(clock_rfc3339_parse(slice_of(cases[i].now), &now, &is_date));
        ck_assert_msg(choice_state(&record, now) == cases[i].seen, "case %zu: %s", i, network_state_name(choice_state(&record, now)));
    }
}
END_TEST

START_TEST(test_every_reason_has_a_name)
{
    ck_assert_ptr_null(fallback_name(FALLBACK_NONE));
    ck_assert_ptr_null(fallback_name(FALLBACK_COUNT));
    for (enum fallback f = FALLBACK_NONE + 1; f < FALLBACK_COUNT; f++) ck_assert_ptr_nonnull(fallback_name(f));
}
END_TEST

START_TEST(test_kinds_that_may_be_forced)
{
    static const struct {
        const char *text;
        enum wanted wanted;
    } good[] = {{"CARD_PAN", WANTED_PAN}, {"NETWORK_TOKEN", WANTED_TOKEN}, {"card_pan", WANTED_PAN}, {"Network_Token", WANTED_TOKEN}};
    static const char *const bad[] = {"", "PAN", "CARD_PAN,NETWORK_TOKEN", "CARD-PAN", "NETWORK_TOKENS", "NETWORK_TOKE"};
    enum wanted wanted;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(wanted_parse(slice_of(good[i].text), &wanted), "%s", good[i].text);
        ck_assert_int_eq(wanted, good[i].wanted);
    }
    wanted = WANTED_BEST;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!wanted_parse(slice_of(bad[i]), &wanted), "%s", bad[i]);
    ck_assert_int_eq(wanted, WANTED_BEST);
}
END_TEST

START_TEST(test_volume_is_even_and_stable)
{
    static const unsigned percents[] = {0, 10, 50, 90, 100};
    enum { CARDS = 10000 };
    unsigned in = 0, percent = percents[_i];
    for (unsigned i = 0; i < CARDS; i++) {
        char token[32];
        int len = snprintf(token, sizeof token, "card-%u", i);
        slice id = {token, (size_t)len};
        bool once = choice_in_volume(SLICE("rede"), id, percent);
        ck_assert(once == choice_in_volume(SLICE("rede"), id, percent));
        in += once;
    }
    /* Five standard deviations of a binomial share over 10,000 cards: at most 2.5 %. */
    int difference = (int)in - (int)(CARDS * percent / 100);
    ck_assert_int_le(abs(difference), percent % 100 ? 250 : 0);
}
END_TEST

START_TEST(test_routes_split_differently)
{
    unsigned same = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char token[32];
        int len = snprintf(token, sizeof token, "card-%u", i);
        slice id = {token, (size_t)len};
        same += choice_in_volume(SLICE("rede"), id, 50) == choice_in_volume(SLICE("cielo"), id, 50);
    }
    ck_assert_uint_gt(same, 400);
    ck_assert_uint_lt(same, 600);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("choice");
    TCase *t = tcase_create("choice");
    tcase_add_test(t, test_why_the_pan_goes_out);
    tcase_add_test(t, test_a_token_past_its_expiry_is_none);
    tcase_add_test(t, test_every_reason_has_a_name);
    tcase_add_loop_test(t, test_volume_is_even_and_stable, 0, 5);
    tcase_add_test(t, test_kinds_that_may_be_forced);
    tcase_add_test(t, test_routes_split_differently);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
