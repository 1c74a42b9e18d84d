/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_network.h"
#include "stage_registrar.h"

#include <stdio.h>
#include <string.h>

/* Cards without their number: when it is destroyed, and what they are paid with then. */

static void wait_ms(uint64_t ms)
{
    for (uint64_t until = loop_now_ms(loop) + ms; loop_now_ms(loop) < until;) turn();
}

static void start(bool no_pan)
{
    set_up();
    registrar_start();
    config->merchants[1].no_pan = no_pan;
}

static void end(void)
{
    config->merchants[1].no_pan = false;
    registrar_stop();
    tear_down();
}

static void enrol(void)
{
    static const struct billing_text billing = {.city = CONST_SLICE("Bogota")};
    struct keeper_caller c = caller("cvk_all", 0);
    c.purpose = KEEPER_FOR_API;
    c.permission = PERMIT_ENROL;
    struct keeper_dialogue *d = open_dialogue(c);
    ck_assert(!failed(keeper_enrol(d, 1, SLICE("tok_good1"), &billing, SLICE_NONE)));
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_ENROL);
    ck_assert(!fake.pan_removed);
    registrar_state(NETWORK_ACTIVE, "ref-9");
    turns(6);
    ck_assert_ptr_nonnull(strstr(story, "network 1 NONE ACTIVE;"));
    keeper_end(d);
}

START_TEST(an_active_token_ends_its_card_s_number)
{
    start(_i);
    enrol();
    ck_assert_int_eq(fake.pan_removed, _i);
    ck_assert_int_eq(strstr(fake.audited, "token.no_pan shop no_pan tok_good1  NONE\n") != NULL, _i);
    end();
}
END_TEST

START_TEST(a_token_that_is_not_active_does_not)
{
    start(true);
    fake_active("tok_good1")->state = NETWORK_SUSPENDED;
    wait_ms(1200);
    ck_assert_uint_eq(fake.removals, 0);
    end();
}
END_TEST

/* A kill between the state and the removal, or a setting that came later: the next sweep finds what was left. */
START_TEST(a_sweep_removes_what_was_left)
{
    start(true);
    (void)fake_active("tok_good1");
    (void)fake_active("tok_removed");
    (void)fake_record("other", "tok_other1");
    wait_ms(1200);
    ck_assert(fake.pan_removed);
    ck_assert_uint_eq(fake.removals, 1); /* the other's was gone */
    wait_ms(1200);
    ck_assert_uint_eq(fake.removals, 1);
    end();
}
END_TEST

START_TEST(a_new_configuration_is_swept_for)
{
    start(false);
    (void)fake_active("tok_good1");
    wait_ms(1200);
    ck_assert_uint_eq(fake.removals, 0);
    config->merchants[1].no_pan = true; /* the fake's configurations share it */
    struct config *next = fake_config();
    ck_assert(!failed(keeper_server_configure(server, next, 2)));
    wait_ms(1200);
    ck_assert(fake.pan_removed);
    end();
}
END_TEST

START_TEST(a_removal_that_failed_is_tried_again)
{
    start(true);
    wait_ms(1200); /* the sweep at the start is over */
    fake.removal_result = FAIL(VAULT_FULL);
    enrol();
    ck_assert(!fake.pan_removed && fake.removals == 1);
    ck_assert_ptr_nonnull(strstr(fake.audited, "token.no_pan shop no_pan tok_good1  VAULT_FULL\n"));
    fake.removal_result = OK;
    wait_ms(2400);
    ck_assert(fake.pan_removed);
    end();
}
END_TEST

/* --- paying --- */

#define WITH_TOKEN "revealed 1 NONE 4895370000000002 "

static void pay_without_pan(const char *expected, bool asks)
{
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    expect("opened NONE 1 shop1;");
    reveal(d, 1, "tok_removed", TOKEN_PERMANENT);
    turns(4);
    if (asks) {
        ck_assert_str_eq(registrar_order()->text, "ORDER_CREDENTIALS cards ref-1");
        registrar_credential("AAAA");
        turns(4);
    }
    ck_assert_msg(strncmp(story, expected, strlen(expected)) == 0, "%s", story);
    ck_assert_ptr_null(strstr(story, "411111"));
    story[0] = '\0';
    keeper_end(d);
    turns(2);
}

START_TEST(paid_with_the_network_token_or_not_at_all)
{
    start(false);
    struct network_record *r = fake_active("tok_removed");
    pay_without_pan(WITH_TOKEN, true);
    config->routes[0].volume_percent = 0; /* a rollout does not leave out what has nothing else */
    pay_without_pan(WITH_TOKEN, true);
    config->routes[0].volume_percent = 100;
    wish.wanted = WANTED_PAN;
    pay_without_pan("revealed 1 TOKEN_NO_PAN;", false);
    wish.wanted = WANTED_BEST;
    r->state = NETWORK_SUSPENDED;
    pay_without_pan("revealed 1 TOKEN_NO_PAN;", false);
    r->state = NETWORK_DELETED;
    pay_without_pan("revealed 1 TOKEN_NO_PAN;", false);
    end();
}
END_TEST

/* A card that has its number is left out as before. */
START_TEST(a_rollout_leaves_out_a_card_that_has_its_number)
{
    start(false);
    (void)fake_active("tok_good1");
    config->routes[0].volume_percent = 0;
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    expect("opened NONE 1 shop1;revealed 1 NONE 4111111111111111 12/2030 ANNA B;");
    ck_assert_int_eq(chosen.fallback, FALLBACK_NOT_IN_VOLUME);
    config->routes[0].volume_percent = 100;
    keeper_end(d);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_token_that_is_not_active_does_not, a_sweep_removes_what_was_left, a_new_configuration_is_swept_for,
                                  a_removal_that_failed_is_tried_again, paid_with_the_network_token_or_not_at_all,
                                  a_rollout_leaves_out_a_card_that_has_its_number};
    TCase *all = tcase_create("no_pan");
    tcase_set_timeout(all, 60);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(all, tests[i]);
    tcase_add_loop_test(all, an_active_token_ends_its_card_s_number, 0, 2);
    Suite *s = suite_create("no_pan");
    suite_add_tcase(s, all);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
