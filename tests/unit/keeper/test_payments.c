/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_network.h"
#include "stage_registrar.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ends of payments: counted once, whatever dies in between; and what follows from them. */

static struct payment_outcome outcome(void)
{
    return (struct payment_outcome){.merchant = 1, .route = 0, .token = SLICE("tok_good1"), .first = CREDENTIAL_NETWORK_TOKEN,
                                    .card_has_token = true, .first_verdict = PAYMENT_APPROVED};
}

static void tell(const struct payment_outcome *o)
{
    keeper_payment(client, o);
}

static void until_committed(size_t commits)
{
    for (unsigned i = 0; i < 2000 && fake_network.commits < commits; i++) turn();
    turns(4);
    ck_assert_uint_ge(fake_network.commits, commits);
}

/* How often <counter> was committed for a route. */
static unsigned counted(const char *route, enum counter c)
{
    char line[100];
    unsigned sum = 0, n;
    (void)snprintf(line, sizeof line, "shop %s %u ", route, c);
    for (const char *at = fake_network.counted; (at = strstr(at, line)) != NULL; at += strlen(line)) {
        ck_assert_int_eq(sscanf(at + strlen(line), "%u", &n), 1);
        sum += n;
    }
    return sum;
}

START_TEST(what_a_payment_counts_for)
{
    static const struct {
        enum credential_kind first;
        bool has_token;
        enum payment_verdict verdict;
        enum fallback fallback;
        bool retried;
        enum payment_verdict retry;
        enum counter counters[2];
    } cases[] = {
        {CREDENTIAL_NETWORK_TOKEN, true, PAYMENT_APPROVED, FALLBACK_NONE, false, 0, {COUNTER_TOKEN_APPROVED, COUNTER_TOKEN_APPROVED}},
        {CREDENTIAL_NETWORK_TOKEN, true, PAYMENT_DECLINED, FALLBACK_NONE, true, PAYMENT_APPROVED, {COUNTER_TOKEN_DECLINED, COUNTER_RETRY_APPROVED}},
        {CREDENTIAL_NETWORK_TOKEN, true, PAYMENT_UNKNOWN, FALLBACK_NONE, false, 0, {COUNTER_TOKEN_UNKNOWN, COUNTER_TOKEN_UNKNOWN}},
        {CREDENTIAL_PAN, true, PAYMENT_DECLINED, FALLBACK_FORCED, false, 0, {COUNTER_PAN_WITH_TOKEN_DECLINED, COUNTER_FALLBACK_FORCED}},
        {CREDENTIAL_PAN, false, PAYMENT_APPROVED, FALLBACK_BUDGET_SPENT, false, 0, {COUNTER_PAN_APPROVED, COUNTER_FALLBACK_BUDGET_SPENT}},
        {CREDENTIAL_PAN, false, PAYMENT_UNKNOWN, FALLBACK_NOT_SUPPORTED, false, 0, {COUNTER_PAN_UNKNOWN, COUNTER_FALLBACK_NOT_SUPPORTED}},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct payment_outcome o = outcome();
        o.first = cases[i].first;
        o.card_has_token = cases[i].has_token;
        o.first_verdict = cases[i].verdict;
        o.fallback = cases[i].fallback;
        o.retried = cases[i].retried;
        o.retry_verdict = cases[i].retry;
        fake_network.counted[0] = '\0';
        tell(&o);
        until_committed(i + 1);
        for (size_t k = 0; k < 2; k++) ck_assert_msg(counted("rede", cases[i].counters[k]) == 1, "case %zu: %s", i, fake_network.counted);
    }
    tear_down();
}
END_TEST

START_TEST(each_is_counted_once_whatever_dies)
{
    set_up();
    struct payment_outcome o = outcome();
    for (unsigned i = 0; i < 10; i++) tell(&o);
    until_committed(1);
    ck_assert_uint_eq(counted("rede", COUNTER_TOKEN_APPROVED), 10);
    /* The acknowledgement is lost with the connection: all are told again, none is counted again. */
    for (unsigned i = 0; i < 5; i++) tell(&o);
    turns(50); /* taken, and not on disk yet */
    keeper_client_replace(client, add_relay(0));
    until_committed(2);
    turns(50); /* the second telling has come, too */
    until_committed(fake_network.commits);
    ck_assert_uint_eq(counted("rede", COUNTER_TOKEN_APPROVED), 15);
    /* A new keeper knows by the mark what is in the counts. */
    keeper_client_replace(client, -1);
    turns(4);
    struct keeper_server *dead = server; /* its hook lives as long as the loop */
    config = fake_config();
    const struct keeper_server_options options = {.loop = loop, .config = config, .generation = 1};
    for (unsigned i = 0; i < 5; i++) tell(&o);
    ck_assert(!failed(keeper_server_new(&options, &server)));
    keeper_client_replace(client, add_relay(0));
    until_committed(fake_network.commits + 1);
    ck_assert_uint_eq(counted("rede", COUNTER_TOKEN_APPROVED), 20);
    ck_assert_uint_eq(fake_network.mark_count, 1);
    ck_assert_uint_eq(fake_network.marks[0].sequence, 20);
    keeper_client_free(client);
    keeper_server_free(server);
    keeper_server_free(dead);
    loop_free(loop);
}
END_TEST

/* A mark that cannot be read: what comes meanwhile waits, so that none is acknowledged by the one after it and lost for the report. */
START_TEST(a_mark_that_cannot_be_read_costs_no_payment)
{
    set_up();
    struct payment_outcome o = outcome();
    fake_network.marks_fail = true;
    for (unsigned i = 0; i < 2; i++) tell(&o);
    turns(50);
    ck_assert_uint_eq(fake_network.commits, 0);
    fake_network.marks_fail = false;
    tell(&o);
    until_committed(1);
    ck_assert_uint_eq(counted("rede", COUNTER_TOKEN_APPROVED), 3);
    ck_assert_uint_eq(fake_network.marks[0].sequence, 3);
    tear_down();
}
END_TEST

/* Of those that waited the keeper before had counted some, as the mark has it in the end. */
START_TEST(a_mark_that_is_read_late_leaves_out_what_is_counted)
{
    set_up();
    struct payment_outcome o = outcome();
    tell(&o);
    until_committed(1);
    turns(50);
    keeper_client_replace(client, -1);
    turns(4);
    struct keeper_server *dead = server; /* its hook lives as long as the loop */
    config = fake_config();
    const struct keeper_server_options options = {.loop = loop, .config = config, .generation = 1};
    for (unsigned i = 0; i < 3; i++) tell(&o);
    ck_assert(!failed(keeper_server_new(&options, &server)));
    fake_network.marks_fail = true;
    keeper_client_replace(client, add_relay(0));
    turns(50);
    ck_assert_uint_eq(fake_network.commits, 1);
    fake_network.marks[0].sequence = 3;
    fake_network.marks_fail = false;
    tell(&o);
    until_committed(2);
    ck_assert_uint_eq(counted("rede", COUNTER_TOKEN_APPROVED), 1 + 2);
    ck_assert_uint_eq(fake_network.marks[0].sequence, 5);
    keeper_client_free(client);
    keeper_server_free(server);
    keeper_server_free(dead);
    loop_free(loop);
}
END_TEST

/* Kept while nobody listened: the relay hears of it when it tells again, and forgets them. */
START_TEST(an_acknowledgement_that_was_lost_comes_again)
{
    int pair[2];
    char one;
    set_up();
    struct payment_outcome o = outcome();
    fake_network.count_fails = true; /* not before the connection is gone */
    for (unsigned i = 0; i < 5; i++) tell(&o);
    turns(100);
    keeper_client_replace(client, -1);
    turns(4);
    fake_network.count_fails = false;
    until_committed(fake_network.commits + 1);
    keeper_client_replace(client, add_relay(0));
    turns(300);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    keeper_client_replace(client, pair[0]);
    turns(300);
    ck_assert_int_eq(recv(pair[1], &one, 1, MSG_DONTWAIT), -1); /* nothing is left to be told */
    ck_assert_uint_eq(counted("rede", COUNTER_TOKEN_APPROVED), 5);
    close(pair[1]);
    tear_down();
}
END_TEST

START_TEST(a_commit_that_fails_is_made_again)
{
    set_up();
    struct payment_outcome o = outcome();
    fake_network.count_fails = true;
    tell(&o);
    until_committed(2);
    tell(&o);
    turns(30);
    fake_network.count_fails = false;
    until_committed(fake_network.commits + 2);
    ck_assert_uint_eq(counted("rede", COUNTER_TOKEN_APPROVED), 2);
    tear_down();
}
END_TEST

START_TEST(nobody_counts_for_another)
{
    set_up();
    struct payment_outcome o = outcome();
    o.token = SLICE("tok_other1"); /* another merchant's */
    tell(&o);
    o = outcome();
    o.route = 1; /* another merchant's */
    tell(&o);
    o = outcome();
    o.merchant = 77;
    tell(&o);
    o = outcome();
    o.route = 77;
    tell(&o);
    o = outcome();
    o.route = 2; /* anybody's */
    tell(&o);
    until_committed(1);
    char only[64];
    (void)snprintf(only, sizeof only, "shop any %u 1\n", COUNTER_TOKEN_APPROVED);
    ck_assert_str_eq(fake_network.counted, only);
    ck_assert_uint_eq(fake_network.marks[0].sequence, 5); /* all are settled */
    tear_down();
}
END_TEST

static void tell_raw(int relay, uint64_t as, uint64_t number)
{
    const struct wire_payment w = {.relay = as, .number = number, .generation = 1, .merchant = 1, .first = CREDENTIAL_PAN, .token_len = 9};
    const slice tails[] = {SLICE("tok_good1"), SLICE_NONE};
    struct buf b;
    buf_init(&b, 1024);
    ck_assert(!failed(wire_put(&b, WIRE_PAYMENT, 0, 0, &w, tails)));
    ck_assert_int_eq(send(relay, b.at, b.len, 0), (ssize_t)b.len);
    buf_done(&b);
    turns(4);
}

static bool is_cut_off(int relay)
{
    char bytes[1024];
    ssize_t n;
    while ((n = recv(relay, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) continue;
    return n == 0;
}

/* A stolen one that told under one number after the other would fill the table in which each has its mark. */
START_TEST(a_relay_tells_under_one_number)
{
    set_up();
    int relay = add_relay(5);
    tell_raw(relay, 7, 1);
    tell_raw(relay, 7, 2);
    ck_assert(!is_cut_off(relay));
    tell_raw(relay, 8, 1);
    ck_assert(is_cut_off(relay));
    close(relay);
    relay = add_relay(5); /* a new one draws a new number */
    tell_raw(relay, 9, 1);
    ck_assert(!is_cut_off(relay));
    close(relay);
    tear_down();
}
END_TEST

START_TEST(the_network_transaction_id_is_kept)
{
    set_up();
    struct payment_outcome o = outcome();
    o.network_transaction_id = SLICE("MCC123");
    tell(&o);
    until_committed(1);
    ck_assert_str_eq(fake_network.trails, "shop tok_good1 rede MCC123\n");
    tear_down();
}
END_TEST

/* A processor may give an id to a payment that it declines, too. The next one by the merchant names the last that was approved. */
START_TEST(the_id_of_what_was_not_approved_is_not_kept)
{
    static const struct {
        enum payment_verdict first, retry;
        bool retried, is_kept;
    } cases[] = {
        {PAYMENT_DECLINED, PAYMENT_UNKNOWN, false, false}, {PAYMENT_UNKNOWN, PAYMENT_UNKNOWN, false, false},
        {PAYMENT_DECLINED, PAYMENT_DECLINED, true, false}, {PAYMENT_DECLINED, PAYMENT_UNKNOWN, true, false},
        {PAYMENT_DECLINED, PAYMENT_APPROVED, true, true},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct payment_outcome o = outcome();
        o.network_transaction_id = SLICE("MCC123");
        o.first_verdict = cases[i].first;
        o.retried = cases[i].retried;
        o.retry_verdict = cases[i].retry;
        tell(&o);
        until_committed(i + 1);
        ck_assert_msg((fake_network.trails[0] != '\0') == cases[i].is_kept, "case %zu", i);
    }
    tear_down();
}
END_TEST

/* --- strategies --- */

static size_t enrolments_after(enum provision strategy, unsigned payments, enum payment_verdict verdict)
{
    set_up();
    config->routes[0].provision = strategy;
    struct payment_outcome o = outcome();
    o.first = CREDENTIAL_PAN;
    o.card_has_token = false;
    o.first_verdict = verdict;
    for (unsigned i = 0; i < payments; i++) {
        tell(&o);
        until_committed(i + 1);
    }
    size_t jobs = fake_network.job_count;
    ck_assert_int_eq(fake_record("shop", "tok_good1")->state, jobs ? NETWORK_PENDING : NETWORK_NONE);
    ck_assert_uint_eq(counted("", COUNTER_ENROL_ASKED), jobs);
    tear_down();
    return jobs;
}

START_TEST(strategies)
{
    static const struct {
        enum provision strategy;
        unsigned payments;
        enum payment_verdict verdict;
        size_t enrolments;
    } cases[] = {
        {PROVISION_OFF, 3, PAYMENT_APPROVED, 0},  {PROVISION_NEW, 1, PAYMENT_APPROVED, 1}, {PROVISION_NEW, 1, PAYMENT_UNKNOWN, 1},
        {PROVISION_NEW, 2, PAYMENT_DECLINED, 0},  {PROVISION_NEW, 3, PAYMENT_APPROVED, 1}, {PROVISION_USED, 1, PAYMENT_APPROVED, 0},
        {PROVISION_USED, 2, PAYMENT_APPROVED, 1}, {PROVISION_ALL, 1, PAYMENT_APPROVED, 1}, {PROVISION_ALL, 3, PAYMENT_APPROVED, 1},
    };
    ck_assert_uint_eq(enrolments_after(cases[_i].strategy, cases[_i].payments, cases[_i].verdict), cases[_i].enrolments);
}
END_TEST

START_TEST(a_used_card_is_not_new)
{
    set_up();
    fake_record("shop", "tok_good1")->first_paid_ms = 1;
    config->routes[0].provision = PROVISION_NEW;
    struct payment_outcome o = outcome();
    tell(&o);
    until_committed(1);
    ck_assert_uint_eq(fake_network.job_count, 0);
    config->routes[0].provision = PROVISION_USED;
    registrar_start();
    tell(&o);
    ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_ENROL);
    registrar_state(NETWORK_ACTIVE, "ref-1");
    ck_assert_int_eq(fake_record("shop", "tok_good1")->state, NETWORK_ACTIVE);
    until_committed(2);
    ck_assert(counted("", COUNTER_ENROL_ACTIVE) == 1 && counted("", COUNTER_TOKENS_GAINED) == 1);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_merchant_without_a_network_enrols_nobody)
{
    set_up();
    config->merchants[1].network = -1;
    config->routes[0].provision = PROVISION_ALL;
    struct payment_outcome o = outcome();
    tell(&o);
    until_committed(1);
    ck_assert_uint_eq(fake_network.job_count, 0);
    tear_down();
}
END_TEST

int main(void)
{
    const TTest *const list[] = {what_a_payment_counts_for, each_is_counted_once_whatever_dies, a_mark_that_cannot_be_read_costs_no_payment,
                                 a_mark_that_is_read_late_leaves_out_what_is_counted, an_acknowledgement_that_was_lost_comes_again,
                                 a_commit_that_fails_is_made_again,
                                        nobody_counts_for_another, a_relay_tells_under_one_number, the_network_transaction_id_is_kept,
                                 the_id_of_what_was_not_approved_is_not_kept, a_used_card_is_not_new,
                                        a_merchant_without_a_network_enrols_nobody};
    TCase *all = tcase_create("payments");
    tcase_set_timeout(all, 60);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) tcase_add_test(all, list[i]);
    tcase_add_loop_test(all, strategies, 0, 9);
    Suite *s = suite_create("payments");
    suite_add_tcase(s, all);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
