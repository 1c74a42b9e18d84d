/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/choice.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct ruleset with = {.has_network_token = true}, without = {.has_network_token = false};

static struct config_route route_of(struct ruleset *rules, unsigned percent)
{
    return (struct config_route){.name = SLICE("rede"), .rules = rules, .volume_percent = percent};
}

START_TEST(test_why_the_pan_goes_out)
{
    static const struct {
        bool supported;
        unsigned percent;
        const char *forced;
        enum credential_kind revealed, kind;
        const char *reason; /* NULL: none */
        enum token_kind token;
    } cases[] = {
        {false, 0, "", CREDENTIAL_PAN, CREDENTIAL_PAN, "not_supported", TOKEN_PERMANENT},
        {false, 0, "CARD_PAN", CREDENTIAL_PAN, CREDENTIAL_PAN, "not_supported", TOKEN_PERMANENT},
        {true, 100, "CARD_PAN", CREDENTIAL_PAN, CREDENTIAL_PAN, "forced", TOKEN_PERMANENT},
        {true, 100, "card_pan", CREDENTIAL_PAN, CREDENTIAL_PAN, "forced", TOKEN_PERMANENT},
        {true, 0, "", CREDENTIAL_PAN, CREDENTIAL_PAN, "not_in_volume", TOKEN_PERMANENT},
        {true, 100, "", CREDENTIAL_PAN, CREDENTIAL_PAN, "not_provisioned", TOKEN_PERMANENT},
        {true, 100, "", CREDENTIAL_NETWORK_TOKEN, CREDENTIAL_NETWORK_TOKEN, NULL, TOKEN_PERMANENT},
        {true, 0, "", CREDENTIAL_PAN, CREDENTIAL_PAN, "not_provisioned", TOKEN_TEMPORAL},
        {false, 100, "", CREDENTIAL_PAN, CREDENTIAL_PAN, "not_supported", TOKEN_TEMPORAL},
        {true, 0, "CARD_PAN", CREDENTIAL_PAN, CREDENTIAL_PAN, "forced", TOKEN_TEMPORAL},
    };
    const struct config_route route = route_of(cases[_i].supported ? &with : &without, cases[_i].percent);
    struct credential revealed = {.kind = cases[_i].revealed};
    struct choice c = choice_make(&route, SLICE("token-1"), cases[_i].token, slice_of(cases[_i].forced), &revealed);
    ck_assert_int_eq(c.kind, cases[_i].kind);
    if (cases[_i].reason)
        ck_assert_str_eq(fallback_name(c.fallback), cases[_i].reason);
    else
        ck_assert_ptr_null(fallback_name(c.fallback));
}
END_TEST

START_TEST(test_kinds_that_may_be_forced)
{
    static const char *const good[] = {"CARD_PAN", "NETWORK_TOKEN", "card_pan", "Network_Token"};
    static const char *const bad[] = {"", "PAN", "CARD_PAN,NETWORK_TOKEN", "CARD-PAN", "NETWORK_TOKENS", "NETWORK_TOKE"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) ck_assert_msg(choice_is_kind(slice_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!choice_is_kind(slice_of(bad[i])), "%s", bad[i]);
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
    tcase_add_loop_test(t, test_why_the_pan_goes_out, 0, 10);
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
