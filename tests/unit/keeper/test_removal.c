/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_network.h"
#include "stage_registrar.h"

/* The queue that tells the network of tokens whose card is gone. */

static void queue_removal(const struct job *j)
{
    fake_network.jobs[fake_network.job_count++] = *j;
    fake_network.removal_queued(fake_network.removal_owner, j);
}

/* The vault tells of a card that is gone: the network is told that its token is, until it has heard. */
START_TEST(a_removal_is_told_to_the_network)
{
    struct job j = {.id = "removal", .kind = JOB_REMOVE, .merchant = "shop", .token = {9, "tok_good1"}};
    set_up();
    registrar_start();
    job_set_removal(&j, SLICE("cards"), SLICE("ref-1"));
    queue_removal(&j);
    ck_assert_str_eq(registrar_order()->text, "ORDER_REMOVE cards ref-1");
    registrar_fail(ERR_NETWORK_DOWN, NETWORK_REASON_NONE);
    ck_assert_uint_eq(fake_network.job_count, 1);
    ck_assert_str_eq(registrar_order()->text, "ORDER_REMOVE cards ref-1");
    registrar_state(NETWORK_DELETED, "");
    ck_assert_uint_eq(fake_network.job_count, 0);
    registrar_stop();
    tear_down();
}
END_TEST

/* A network may give one token to two cards (the same number, stored by two merchants): one merchant's deletion must not take the
 * other's token from him. */
START_TEST(a_token_that_another_card_has_is_not_removed)
{
    struct job j = {.id = "removal", .kind = JOB_REMOVE, .merchant = "shop", .token = {9, "tok_gone1"}};
    struct network_record *other = fake_record("other", "tok_other1");
    *other = (struct network_record){.state = NETWORK_ACTIVE, .network = "cards", .ref = {5, "ref-1"}, .month = 12, .year = 2031};
    set_up();
    registrar_start();
    job_set_removal(&j, SLICE("cards"), SLICE("ref-1"));
    queue_removal(&j);
    ck_assert(registrar_is_idle());
    ck_assert_uint_eq(fake_network.job_count, 0);
    other->state = NETWORK_DELETED; /* nobody pays with it any more */
    queue_removal(&j);
    ck_assert_str_eq(registrar_order()->text, "ORDER_REMOVE cards ref-1");
    registrar_state(NETWORK_DELETED, "");
    ck_assert_uint_eq(fake_network.job_count, 0);
    registrar_stop();
    tear_down();
}
END_TEST

/* The card goes while the network makes its token. Even where the vault cannot write that down, the network is told. */
static void orphan(bool writes_fail)
{
    struct keeper_caller c = caller("cvk_all", 0);
    const struct billing_text no_address = {0};
    set_up();
    registrar_start();
    fake.has_new = true;
    c.purpose = KEEPER_FOR_API;
    c.permission = PERMIT_ENROL;
    struct keeper_dialogue *d = open_dialogue(c);
    ck_assert(!failed(keeper_enrol(d, 1, SLICE("tok_new_one"), &no_address, SLICE_NONE)));
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_ENROL);
    fake.has_new = false;
    fake_network.writes_fail = writes_fail;
    registrar_state(NETWORK_ACTIVE, "ref-9");
    expect("opened NONE 1 all1;network 1 TOKEN_NOT_FOUND;");
    ck_assert_str_eq(registrar_order()->text, "ORDER_REMOVE cards ref-9");
    ck_assert_uint_eq(fake_network.job_count, 1); /* the removal's, or what is left of the enrolment */
    fake_network.job_count = 0;
    fake_network.writes_fail = false;
    registrar_fail(ERR_NETWORK_DOWN, NETWORK_REASON_NONE);
    ck_assert(fake_network.job_count == 1 && fake_network.jobs[0].kind == JOB_REMOVE);
    ck_assert_str_eq(registrar_order()->text, "ORDER_REMOVE cards ref-9");
    registrar_state(NETWORK_DELETED, "");
    ck_assert_uint_eq(fake_network.job_count, 0);
    keeper_end(d);
    registrar_stop();
    tear_down();
}

START_TEST(a_token_that_came_without_its_card)
{
    orphan(false);
}
END_TEST

START_TEST(a_token_that_came_without_its_card_to_a_broken_vault)
{
    orphan(true);
}
END_TEST

RUN_TESTS("removal", a_removal_is_told_to_the_network, a_token_that_another_card_has_is_not_removed, a_token_that_came_without_its_card,
          a_token_that_came_without_its_card_to_a_broken_vault)
