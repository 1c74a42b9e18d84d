/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "fake_network.h"
#include "stage_registrar.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Cards that were found in messages: who may have them kept, what becomes of number and CVC, and when the card is enrolled. */

static struct credential found(const char *number, const char *cvc)
{
    struct credential c = {.number_len = (uint8_t)strlen(number), .cvc_len = (uint8_t)strlen(cvc)};
    memcpy(c.number, number, c.number_len);
    memcpy(c.cvc, cvc, c.cvc_len);
    return c;
}

static struct credential whole(const char *cvc)
{
    struct credential c = found("4111111111111111", cvc);
    c.month = 12;
    c.year = 2030;
    c.holder_len = 6;
    memcpy(c.holder, "ANNA B", 6);
    return c;
}

static struct keeper_dialogue *open_push(const char *key, uint32_t route, const char *from)
{
    struct keeper_caller c = caller(key, 0);
    c.purpose = KEEPER_FOR_PUSH;
    c.permission = route == ROUTE_FORWARD_PUSH ? PERMIT_PROXY : PERMIT_TOKENIZE;
    c.route = route;
    if (from) ck_assert_int_eq(inet_pton(AF_INET, from, &((struct sockaddr_in *)(void *)&c.peer)->sin_addr), 1);
    struct keeper_dialogue *d = open_dialogue(c);
    turns(4);
    ck_assert_ptr_nonnull(strstr(story, "opened NONE 1"));
    story[0] = '\0';
    return d;
}

static struct keeper_dialogue *open_pull(uint32_t route)
{
    struct keeper_caller c = caller("cvk_shop", 0);
    c.route = route;
    struct keeper_dialogue *d = open_dialogue(c);
    expect("opened NONE 1 shop1;");
    return d;
}

static void capture(struct keeper_dialogue *d, uint32_t index, struct credential c)
{
    ck_assert_int_eq(keeper_capture(d, index, &c).err, ERR_NONE);
}

/* --- a number --- */

START_TEST(a_number_becomes_its_alias)
{
    set_up();
    fake.put_deed = CARD_CREATED;
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 7, whole(""));
    expect("captured 7 NONE tok_new_one new;");
    ck_assert(fake.put_card.month == 12 && fake.put_card.year == 2030 && fake.put_card.holder_len == 6);
    ck_assert(!fake.put_options.unique && !fake.put_options.may_change);
    ck_assert_str_eq(fake.audited, "token.capture shop make1 tok_new_one bookings NONE\n");
    keeper_end(d);
    tear_down();
}
END_TEST

/* Whoever pushes from an address has no other way to learn whether the merchant knew a card, so this is none either. */
START_TEST(an_address_does_not_learn_what_was_known)
{
    static const enum card_deed deeds[] = {CARD_CREATED, CARD_FOUND};
    set_up();
    for (size_t i = 0; i < 2; i++) {
        fake.put_deed = deeds[i];
        struct keeper_dialogue *d = open_push(NULL, ROUTE_FILTER_PUSH, "198.51.100.9");
        capture(d, 1, whole(""));
        expect("captured 1 NONE tok_new_one;");
        keeper_end(d);
    }
    ck_assert_str_eq(fake.audited, "token.capture shop address tok_new_one bookings NONE\ntoken.capture shop address tok_new_one bookings NONE\n");
    ck_assert_str_eq(fake.peer, "198.51.100.9");
    tear_down();
}
END_TEST

START_TEST(the_merchant_pulls_cards_in)
{
    set_up();
    fake.put_deed = CARD_CHANGED;
    struct keeper_dialogue *d = open_pull(ROUTE_FILTER_PULL);
    reveal(d, 0, "tok_good1", TOKEN_PERMANENT);
    capture(d, 1, found("4111111111111111", ""));
    turns(4);
    ck_assert_ptr_nonnull(strstr(story, "revealed 0 NONE 4111"));
    ck_assert_ptr_nonnull(strstr(story, "captured 1 NONE tok_new_one;"));
    ck_assert(fake.put_options.may_change); /* his key may */
    ck_assert_ptr_nonnull(strstr(fake.audited, "token.change shop shop1 tok_new_one channel NONE\n"));
    keeper_end(d);
    tear_down();
}
END_TEST

/* The route says so, in the keeper's own configuration. */
START_TEST(a_unique_route_makes_one_each_time)
{
    set_up();
    config->routes[ROUTE_FILTER_PUSH].alias.unique = true;
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 1, whole(""));
    expect("captured 1 NONE tok_new_one;");
    ck_assert(fake.put_options.unique);
    config->routes[ROUTE_FILTER_PUSH].alias.unique = false;
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(what_is_no_card_is_not_kept)
{
    set_up();
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    struct credential no_year = found("4111111111111111", "");
    no_year.month = 3;
    capture(d, 1, found("4111111111111112", ""));
    capture(d, 2, found("4111111111111111", "12"));
    capture(d, 3, found("", "1x3"));
    capture(d, 4, found("", ""));
    capture(d, 5, no_year);
    expect("captured 1 CARD_NUMBER;captured 2 CARD_CVC;captured 3 CARD_CVC;captured 4 CARD_NUMBER;captured 5 CARD_EXPIRY;");
    keeper_end(d);
    tear_down();
}
END_TEST

/* He stays in the message as he stands: no reason to stop it. */
START_TEST(a_holder_that_cannot_be_stored_is_left_out)
{
    set_up();
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    struct credential c = whole("");
    c.holder[2] = '\n';
    capture(d, 1, c);
    expect("captured 1 NONE tok_new_one;");
    ck_assert(fake.put_card.holder_len == 0 && fake.put_card.month == 12);
    keeper_end(d);
    tear_down();
}
END_TEST

/* By the route as the keeper has it; a form that is full is told. */
START_TEST(the_route_says_what_an_alias_looks_like)
{
    set_up();
    config->routes[ROUTE_FILTER_PUSH].alias.wish.format = ALIAS_SIX_FOUR;
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 1, whole(""));
    expect("captured 1 NONE 411111ABCDEF1111;");
    ck_assert_int_eq(fake.wished, ALIAS_SIX_FOUR);
    fake.falls = true;
    capture(d, 2, whole("987"));
    expect("captured 2 NONE 411111ABCDEF1111 cvc fell;");
    fake.alias_result = FAIL(ALIAS_ROOM);
    cvc_alias.len = 0;
    capture(d, 3, whole("987"));
    expect("captured 3 ALIAS_ROOM;");
    ck_assert_uint_eq(cvc_alias.len, 0);
    ck_assert_ptr_nonnull(strstr(fake.audited, "token.capture shop make1 tok_new_one bookings ALIAS_ROOM\n"));
    ck_assert_ptr_null(strstr(fake.audited, "ABCDEF")); /* the card's own name stands in the trail */
    config->routes[ROUTE_FILTER_PUSH].alias.wish.format = ALIAS_UUID;
    keeper_end(d);
    tear_down();
}
END_TEST

/* The merchant deletes the card, or destroys its number, between the two steps of a capture. */
START_TEST(a_card_that_goes_meanwhile_is_kept_anew)
{
    static const enum error how[] = {ERR_TOKEN_NOT_FOUND, ERR_TOKEN_NO_PAN};
    set_up();
    config->routes[ROUTE_FILTER_PUSH].alias.wish.format = ALIAS_SIX_FOUR;
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    fake.gone = how[_i];
    fake.gone_times = 1;
    capture(d, 1, whole(""));
    expect("captured 1 NONE 411111ABCDEF1111;");
    ck_assert(fake.puts == 2 && fake.put_card.month == 12 && fake.put_card.holder_len == 6);
    ck_assert_mem_eq(fake.put_card.number, "4111111111111111", 16);
    ck_assert_str_eq(fake.audited, "token.capture shop make1 tok_new_one bookings NONE\ntoken.capture shop make1 tok_new_one bookings NONE\n");
    fake.gone_times = 1;
    capture(d, 2, whole("987"));
    expect("captured 2 NONE 411111ABCDEF1111 cvc;");
    ck_assert_uint_eq(fake.puts, 4);
    fake.gone_times = 2; /* the partner sends again */
    capture(d, 3, whole(""));
    expect("captured 3 CARD_GONE;");
    ck_assert_uint_eq(fake.puts, 6);
    config->routes[ROUTE_FILTER_PUSH].alias.wish.format = ALIAS_UUID;
    keeper_end(d);
    tear_down();
}
END_TEST

/* --- who may not --- */

START_TEST(a_push_captures_and_nothing_else)
{
    set_up();
    struct keeper_dialogue *d = open_push("cvk_shop", ROUTE_FILTER_PUSH, NULL);
    struct card card = {.number_len = 16};
    memcpy(card.number, "4111111111111111", 16);
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    ck_assert(!failed(keeper_token_create(d, 2, &card, &(struct alias_form){ALIAS_UUID}, false)));
    ck_assert(!failed(keeper_temporal_create(d, 3, &card, SLICE("123"), 60)));
    ck_assert(!failed(keeper_token_get(d, 4, SLICE("tok_good1"))));
    ck_assert(!failed(keeper_sign(d, 5, SLICE("text"), true, false)));
    expect("revealed 1 KEEPER_REFUSED;token 2 KEEPER_REFUSED;token 3 KEEPER_REFUSED;token 4 KEEPER_REFUSED;signed 5 KEEPER_REFUSED ;");
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(a_partner_who_takes_gets_reveals_and_nothing_else)
{
    set_up();
    struct keeper_dialogue *d = open_push(NULL, ROUTE_FORWARD_PUSH, "198.51.100.9");
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    capture(d, 2, whole(""));
    ck_assert(!failed(keeper_sign(d, 3, SLICE("text"), true, false)));
    turns(4);
    ck_assert_ptr_nonnull(strstr(story, "revealed 1 NONE 4111"));
    ck_assert_ptr_nonnull(strstr(story, "captured 2 KEEPER_REFUSED;signed 3 KEEPER_REFUSED"));
    ck_assert_str_eq(fake.audited, "reveal shop address tok_good1 hotels NONE\n");
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(no_other_dialogue_captures)
{
    set_up();
    struct keeper_caller api = caller("cvk_shop", 0);
    api.purpose = KEEPER_FOR_API;
    api.permission = PERMIT_TOKENIZE;
    struct keeper_dialogue *payer = open_pull(0), *maker = open_dialogue(api);
    expect("opened NONE 1 shop1;");
    capture(payer, 1, whole(""));
    capture(maker, 2, whole("123"));
    expect("captured 1 KEEPER_REFUSED;captured 2 KEEPER_REFUSED;");
    ck_assert_uint_eq(fake.lines, 0);
    keeper_end(payer);
    keeper_end(maker);
    tear_down();
}
END_TEST

START_TEST(a_partner_may_guess_only_so_often)
{
    set_up();
    struct keeper_dialogue *d = open_push(NULL, ROUTE_FORWARD_PUSH, "198.51.100.9");
    for (uint32_t i = 0; i < 20; i++) reveal(d, i, "tok_unknown", TOKEN_PERMANENT);
    reveal(d, 20, "tok_good1", TOKEN_PERMANENT);
    turns(4);
    ck_assert_ptr_nonnull(strstr(story, "revealed 19 TOKEN_UNKNOWN;revealed 20 TOO_MANY_BAD_TOKENS;"));
    keeper_end(d);
    tear_down();
}
END_TEST

/* --- a CVC --- */

static void pay_by_cvc(const char *expected)
{
    struct keeper_dialogue *d = open_pull(0);
    char token[TOKEN_ID_MAX_BYTES + 1] = "";
    memcpy(token, cvc_alias.at, cvc_alias.len);
    reveal(d, 0, token, TOKEN_TEMPORAL);
    expect(expected);
    keeper_end(d);
    turns(2);
}

START_TEST(a_cvc_is_a_temporal_token_with_its_card)
{
    set_up();
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 1, whole("987"));
    expect("captured 1 NONE tok_new_one cvc;");
    ck_assert(token_id_has_form(token_id_slice(&cvc_alias), TOKEN_TEMPORAL));
    keeper_end(d);
    char lines[256];
    (void)snprintf(lines, sizeof lines, "token.capture shop make1 tok_new_one bookings NONE\ntemporal.create shop make1 %.*s bookings NONE\n",
                   SLICE_ARG(token_id_slice(&cvc_alias)));
    ck_assert_str_eq(fake.audited, lines);
    pay_by_cvc("revealed 0 NONE 4111111111111111 12/2030 ANNA B cvc 987;");
    pay_by_cvc("revealed 0 TOKEN_EXPIRED;"); /* one authorisation */
    tear_down();
}
END_TEST

START_TEST(a_cvc_alone_has_no_number)
{
    set_up();
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 1, found("", "987"));
    expect("captured 1 NONE  cvc;");
    keeper_end(d);
    ck_assert_uint_eq(fake.lines, 1);
    ck_assert_ptr_nonnull(strstr(fake.audited, "temporal.create shop make1 tmp_"));
    pay_by_cvc("revealed 0 NONE  0/0  cvc 987;");
    ck_assert(revealed.number_len == 0 && revealed.kind == CREDENTIAL_PAN);
    pay_by_cvc("revealed 0 TOKEN_EXPIRED;");
    tear_down();
}
END_TEST

/* The route's own, not the longest there is. */
START_TEST(a_cvc_lives_as_long_as_its_route_says)
{
    set_up();
    config->routes[ROUTE_FILTER_PUSH].cvc_ttl_s = 1;
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 1, found("", "987"));
    expect("captured 1 NONE  cvc;");
    config->routes[ROUTE_FILTER_PUSH].cvc_ttl_s = 60;
    keeper_end(d);
    for (uint64_t until = loop_now_ms(loop) + 1000; loop_now_ms(loop) < until;) turn();
    pay_by_cvc("revealed 0 TOKEN_EXPIRED;");
    tear_down();
}
END_TEST

/* <how> the dialogue of a message ends, whose CVC's alias somebody may know or nobody. The merchant may pay before it ends. */
static void end_as(void (*how)(struct keeper_dialogue *d), bool pays_before, const char *then)
{
    set_up();
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 1, whole("987"));
    expect("captured 1 NONE tok_new_one cvc;");
    if (pays_before) pay_by_cvc("revealed 0 NONE 4111111111111111 12/2030 ANNA B cvc 987;");
    how(d);
    turns(4);
    ck_assert_uint_eq(keeper_server_dialogues(server), 0); /* told at once, without another question to carry it */
    pay_by_cvc(then);
    tear_down();
}

static void lose_relay(struct keeper_dialogue *d)
{
    keeper_client_replace(client, add_relay(0)); /* the relay was restarted */
    keeper_end_unsent(d);
}

static const struct {
    void (*how)(struct keeper_dialogue *d);
    bool pays_before, stays;
} endings[] = {
    {keeper_end, false, true},         {keeper_end, true, false},       {keeper_end_unsent, false, false}, {keeper_end_unsent, true, false},
    {keeper_end_untold, false, false}, {lose_relay, false, true},
};

/* A message that did not go on leaves no CVC; one that may have, also where its relay died and nobody knows, does. */
START_TEST(a_cvc_stays_where_somebody_may_have_its_alias)
{
    end_as(endings[_i].how, endings[_i].pays_before,
           endings[_i].stays ? "revealed 0 NONE 4111111111111111 12/2030 ANNA B cvc 987;" : "revealed 0 TOKEN_EXPIRED;");
}
END_TEST

/* Answers that did not reach the merchant: what was revealed for the request is used all the same. */
START_TEST(an_answer_that_nobody_got_leaves_no_cvc)
{
    set_up();
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 1, whole("987"));
    expect("captured 1 NONE tok_new_one cvc;");
    keeper_end(d);
    char first[TOKEN_ID_MAX_BYTES + 1] = "";
    memcpy(first, cvc_alias.at, cvc_alias.len);
    d = open_pull(ROUTE_FILTER_PULL);
    reveal(d, 0, first, TOKEN_TEMPORAL);
    expect("revealed 0 NONE 4111111111111111 12/2030 ANNA B cvc 987;");
    capture(d, 1, whole("654"));
    expect("captured 1 NONE tok_new_one cvc;");
    keeper_end_untold(d);
    turns(4);
    pay_by_cvc("revealed 0 TOKEN_EXPIRED;");
    d = open_pull(0);
    reveal(d, 0, first, TOKEN_TEMPORAL);
    expect("revealed 0 TOKEN_EXPIRED;");
    keeper_end(d);
    tear_down();
}
END_TEST

/* Nothing is half kept: a message that is not answered, or whose card found no place, leaves no CVC. */
START_TEST(no_cvc_without_its_card)
{
    set_up();
    fake.put_result = FAIL(VAULT_FULL);
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 1, whole("987"));
    expect("captured 1 VAULT_FULL;");
    ck_assert_str_eq(fake.audited, "token.capture shop make1  bookings VAULT_FULL\n");
    fake.put_result = OK;
    fake.answers_later = true;
    capture(d, 2, whole("987"));
    keeper_end(d);
    turns(4);
    ck_assert_ptr_null(strstr(fake.audited, "temporal.create"));
    ck_assert_uint_eq(cvc_alias.len, 0);
    tear_down();
}
END_TEST

START_TEST(nothing_is_kept_without_its_audit_line)
{
    set_up();
    fake.audit_is_failing = true;
    fake.audit_breaks = true;
    fake.lines = 1;
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 1, whole("987"));
    expect("captured 1 VAULT_AUDIT;");
    ck_assert_uint_eq(cvc_alias.len, 0);
    keeper_end(d);
    fake.audit_breaks = fake.audit_is_failing = false;
    tear_down();
}
END_TEST

/* --- the strategy's share --- */

static void provision(enum provision p)
{
    config->routes[ROUTE_FILTER_PUSH].provision = p;
}

START_TEST(enrolled_when_the_message_is_done)
{
    static const enum provision strategies[] = {PROVISION_NEW, PROVISION_ALL};
    set_up();
    registrar_start();
    provision(strategies[_i]);
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    fake.has_new = true;
    capture(d, 1, whole("987"));
    expect("captured 1 NONE tok_new_one cvc;");
    ck_assert(registrar_is_idle() && fake_network.job_count == 0);
    keeper_end(d);
    const struct order_seen *o = registrar_order();
    ck_assert_int_eq(o->type, WIRE_ORDER_ENROL);
    ck_assert_ptr_null(strstr(o->text, "987")); /* the CVC is for a payment */
    const struct network_record *r = fake_record("shop", "tok_new_one");
    ck_assert(r->state == NETWORK_PENDING && r->first_paid_ms == 0);
    registrar_state(NETWORK_ACTIVE, "ref-9");
    turns(4);
    ck_assert_int_eq(r->state, NETWORK_ACTIVE);
    d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL); /* it has one */
    capture(d, 1, whole(""));
    expect("captured 1 NONE tok_new_one;");
    keeper_end(d);
    turns(6);
    ck_assert(fake_network.job_count == 1 && fake_network.jobs[0].kind == JOB_REFRESH);
    provision(PROVISION_OFF);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(not_enrolled)
{
    static const struct {
        enum provision strategy;
        bool has_expiry, has_network;
    } cases[] = {{PROVISION_OFF, true, true}, {PROVISION_USED, true, true}, {PROVISION_NEW, false, true}, {PROVISION_NEW, true, false}};
    set_up();
    registrar_start();
    fake.has_new = true;
    fake.has_no_expiry = !cases[_i].has_expiry;
    provision(cases[_i].strategy);
    if (!cases[_i].has_network) config->merchants[1].network = -1;
    struct keeper_dialogue *d = open_push("cvk_make", ROUTE_FILTER_PUSH, NULL);
    capture(d, 1, whole(""));
    expect("captured 1 NONE tok_new_one;");
    keeper_end(d);
    turns(6);
    ck_assert(registrar_is_idle() && fake_network.job_count == 0);
    config->merchants[1].network = 0;
    provision(PROVISION_OFF);
    registrar_stop();
    tear_down();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_number_becomes_its_alias, an_address_does_not_learn_what_was_known, the_merchant_pulls_cards_in,
                                  a_unique_route_makes_one_each_time, the_route_says_what_an_alias_looks_like, what_is_no_card_is_not_kept, a_holder_that_cannot_be_stored_is_left_out,
                                  a_push_captures_and_nothing_else, a_partner_who_takes_gets_reveals_and_nothing_else, no_other_dialogue_captures,
                                  a_partner_may_guess_only_so_often, a_cvc_is_a_temporal_token_with_its_card, a_cvc_alone_has_no_number,
                                  a_cvc_lives_as_long_as_its_route_says, an_answer_that_nobody_got_leaves_no_cvc, no_cvc_without_its_card, nothing_is_kept_without_its_audit_line};
    TCase *all = tcase_create("capture");
    tcase_set_timeout(all, 60);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(all, tests[i]);
    tcase_add_loop_test(all, enrolled_when_the_message_is_done, 0, 2);
    tcase_add_loop_test(all, not_enrolled, 0, 4);
    tcase_add_loop_test(all, a_card_that_goes_meanwhile_is_kept_anew, 0, 2);
    tcase_add_loop_test(all, a_cvc_stays_where_somebody_may_have_its_alias, 0, sizeof endings / sizeof *endings);
    Suite *s = suite_create("capture");
    suite_add_tcase(s, all);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
