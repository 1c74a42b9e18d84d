/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_network.h"
#include "stage_registrar.h"

#include "base/breaker.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The credential of a payment, with a registrar. */

START_TEST(a_fresh_cryptogram_for_a_customer)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = pay();
    ck_assert_str_eq(registrar_order()->text, "ORDER_CREDENTIALS cards ref-1");
    registrar_credential("AAABBB==");
    expect(TOKEN);
    ck_assert(chosen.kind == CREDENTIAL_NETWORK_TOKEN && chosen.fallback == FALLBACK_NONE && chosen.card_has_token && chosen.network_us > 0);
    ck_assert(slice_is((slice){revealed.cryptogram, revealed.cryptogram_len}, "AAABBB=="));
    ck_assert(slice_is((slice){revealed.eci, 2}, "05") && slice_is((slice){revealed.card_last4, 4}, "1111") && revealed.brand == BRAND_VISA);
    ck_assert_uint_eq(revealed.network_transaction_id_len, 0);
    ck_assert_ptr_nonnull(strstr(fake.audited, "network.credential shop shop1 tok_good1 rede NONE\n"));
    ck_assert_ptr_null(strstr(fake.audited, "reveal "));
    /* Its number stays for merchant-initiated payments, its cryptogram nowhere. */
    const struct network_record *r = fake_record("shop", "tok_good1");
    ck_assert(slice_is((slice){r->number, r->number_len}, "4895370000000002") && r->month == 12);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* The frames that the relay gets, byte by byte: a stolen relay learns the network token, and not the card's number. */
START_TEST(the_pan_does_not_leave_the_keeper)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    tap_relay();
    tap_reveal("tok_good1", WANTED_BEST, false);
    (void)registrar_order();
    registrar_credential("AAABBB==");
    slice all = tap_read();
    ck_assert_uint_lt(slice_find_slice(all, SLICE("4895370000000002")), all.len);
    ck_assert_uint_eq(slice_find_slice(all, SLICE("4111111111111111")), all.len);
    ck_assert_uint_eq(slice_find_slice(all, SLICE("411111")), all.len);
    tap_reveal("tok_good1", WANTED_PAN, false); /* the same search finds it where it does leave */
    all = tap_read();
    ck_assert_uint_lt(slice_find_slice(all, SLICE("4111111111111111")), all.len);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(concurrent_payments_get_one_each)
{
    struct keeper_dialogue *d[8];
    uint64_t ids[8];
    set_up();
    registrar_start();
    config->routes[0].budget_ms = 5000;
    fake_active("tok_good1");
    for (uint32_t i = 0; i < 8; i++) {
        d[i] = open_dialogue(caller("cvk_shop", 0));
        reveal(d[i], i, "tok_good1", TOKEN_PERMANENT);
    }
    for (size_t i = 0; i < 8; i++) {
        const struct order_seen *o = registrar_order();
        ck_assert_int_eq(o->type, WIRE_ORDER_CREDENTIALS);
        ids[i] = o->id;
        for (size_t k = 0; k < i; k++) ck_assert_uint_ne(ids[i], ids[k]);
    }
    turns(4);
    story[0] = '\0';
    for (size_t i = 8; i-- > 0;) {
        char cryptogram[32];
        (void)snprintf(cryptogram, sizeof cryptogram, "CRYPTO%zu=", i);
        const struct wire_result w = {.state = NETWORK_ACTIVE, .has_credential = 1, .credential_month = 12, .credential_year = 2031,
                                      .number_len = 16, .cryptogram_len = (uint8_t)strlen(cryptogram)};
        const slice tails[WIRE_TAILS_MAX] = {[2] = SLICE("4895370000000002"), [3] = slice_of(cryptogram)};
        registrar_say(ids[i], WIRE_RESULT, &w, tails);
        char told[80];
        (void)snprintf(told, sizeof told, "revealed %zu NONE 4895370000000002 12/2031 ANNA B;", i);
        expect(told);
        ck_assert(slice_is((slice){revealed.cryptogram, revealed.cryptogram_len}, cryptogram));
    }
    for (size_t i = 0; i < 8; i++) keeper_end(d[i]);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_slow_network_costs_the_budget_and_no_more)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = pay();
    uint64_t id = registrar_order()->id;
    ck_assert_ptr_nonnull(wait_for(PAN));
    ck_assert(chosen.fallback == FALLBACK_BUDGET_SPENT && chosen.card_has_token && chosen.network_us >= 140000);
    ck_assert_str_eq(registrar_order()->text, "ORDER_CANCEL");
    /* What comes late is for nobody: not for the next payment either. */
    const struct wire_result late = {.state = NETWORK_ACTIVE, .has_credential = 1, .credential_month = 12, .credential_year = 2031, .number_len = 16,
                                     .cryptogram_len = 4};
    const slice tails[WIRE_TAILS_MAX] = {[2] = SLICE("4895370000000002"), [3] = SLICE("LATE")};
    registrar_say(id, WIRE_RESULT, &late, tails);
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    ck_assert_uint_ne(registrar_order()->id, id);
    registrar_credential("FRESH===");
    expect(TOKEN);
    ck_assert(slice_is((slice){revealed.cryptogram, revealed.cryptogram_len}, "FRESH==="));
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* A network that hangs, and so is never known to be down: after some budgets spent in a row nobody waits, but for one now and then. */
START_TEST(a_network_that_hangs_costs_no_more_than_some_budgets)
{
    struct keeper_dialogue *d[BREAKER_FAILURES];
    set_up();
    registrar_start();
    fake_active("tok_good1");
    for (uint32_t i = 0; i < BREAKER_FAILURES; i++) {
        d[i] = open_dialogue(caller("cvk_shop", 0));
        reveal(d[i], i, "tok_good1", TOKEN_PERMANENT);
        ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_CREDENTIALS);
    }
    for (size_t i = 0; i < BREAKER_FAILURES; i++) ck_assert_int_eq(registrar_order()->type, WIRE_ORDER_CANCEL);
    for (size_t i = 0; i < BREAKER_FAILURES; i++) keeper_end(d[i]);
    turns(4);
    story[0] = '\0';
    struct keeper_dialogue *one = pay();
    expect(PAN);
    ck_assert(chosen.fallback == FALLBACK_BUDGET_SPENT && chosen.card_has_token && chosen.network_us == 0);
    struct timespec pause = {.tv_sec = BREAKER_FIRST_PAUSE_MS / 1000};
    nanosleep(&pause, NULL);
    turns(4);
    reveal(one, 1, "tok_good1", TOKEN_PERMANENT); /* the one that sees that it is back */
    ck_assert_str_eq(registrar_order()->text, "ORDER_CREDENTIALS cards ref-1");
    registrar_credential("FRESH===");
    expect(TOKEN);
    reveal(one, 2, "tok_good1", TOKEN_PERMANENT);
    (void)registrar_order();
    registrar_credential("FRESH2==");
    ck_assert_ptr_nonnull(wait_for("revealed 2 NONE 4895370000000002 12/2031 ANNA B;"));
    keeper_end(one);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(every_failure_is_the_pan_with_its_reason)
{
    static const enum error failures[] = {ERR_NETWORK_DOWN, ERR_NETWORK_ANSWER, ERR_NETWORK_CREDENTIALS};
    set_up();
    registrar_start();
    fake_active("tok_good1");
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct keeper_dialogue *d = pay();
        (void)registrar_order();
        registrar_fail(failures[i], NETWORK_REASON_NONE);
        expect(PAN);
        ck_assert(chosen.fallback == FALLBACK_CRYPTOGRAM_FAILED && chosen.card_has_token);
        keeper_end(d);
    }
    struct keeper_dialogue *d = pay(); /* a number without a cryptogram is nothing for a customer's payment */
    (void)registrar_order();
    registrar_credential("");
    expect(PAN);
    keeper_end(d);
    d = pay(); /* the registrar dies */
    (void)registrar_order();
    registrar_stop();
    expect(PAN);
    ck_assert_uint_eq(broken_pairs, 0); /* which is no breach */
    ck_assert_int_eq(chosen.fallback, FALLBACK_CRYPTOGRAM_FAILED);
    keeper_end(d);
    d = pay(); /* and is not there */
    expect(PAN);
    ck_assert_int_eq(chosen.fallback, FALLBACK_CRYPTOGRAM_FAILED);
    keeper_end(d);
    tear_down();
}
END_TEST

/* A registrar that is not itself any more: what it says is looked at before it may stand in a request, or in the vault. */
START_TEST(what_is_no_credential_goes_nowhere)
{
    static const struct {
        const char *number, *cryptogram, *eci, *requestor;
        uint8_t month;
        uint16_t year;
    } cases[] = {
        {"48953700000000\",", "AAAA", "05", "40010030273", 11, 2031}, {"489537000000000a", "AAAA", "05", "40010030273", 11, 2031},
        {"48953", "AAAA", "05", "40010030273", 11, 2031},              {"", "AAAA", "05", "40010030273", 11, 2031},
        {"4895370000000002", "A\",\"x\":\"", "05", "40010030273", 11, 2031}, {"4895370000000002", "A\r\nx: y", "05", "40010030273", 11, 2031},
        {"4895370000000002", "A%41", "05", "40010030273", 11, 2031},   {"4895370000000002", "A\\u0041", "05", "40010030273", 11, 2031},
        {"4895370000000002", "AAAA", "\"}", "40010030273", 11, 2031},  {"4895370000000002", "AAAA", "5", "40010030273", 11, 2031},
        {"4895370000000002", "AAAA", "05", "4001003027\n", 11, 2031},  {"4895370000000002", "AAAA", "05", "4", 11, 2031},
        {"4895370000000002", "AAAA", "05", "40010030273", 0, 2031},    {"4895370000000002", "AAAA", "05", "40010030273", 11, 31},
    };
    set_up();
    registrar_start();
    fake_active("tok_good1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct wire_result w = {.state = NETWORK_ACTIVE, .has_credential = 1, .credential_month = cases[i].month,
                                      .credential_year = cases[i].year, .number_len = (uint8_t)strlen(cases[i].number),
                                      .cryptogram_len = (uint8_t)strlen(cases[i].cryptogram), .eci_len = (uint8_t)strlen(cases[i].eci),
                                      .requestor_len = (uint8_t)strlen(cases[i].requestor)};
        const slice tails[WIRE_TAILS_MAX] = {[2] = slice_of(cases[i].number), [3] = slice_of(cases[i].cryptogram), [4] = slice_of(cases[i].eci),
                                             [5] = slice_of(cases[i].requestor)};
        struct keeper_dialogue *d = pay();
        registrar_say(registrar_order()->id, WIRE_RESULT, &w, tails);
        expect(PAN);
        ck_assert_int_eq(chosen.fallback, FALLBACK_CRYPTOGRAM_FAILED);
        ck_assert_uint_eq(fake_record("shop", "tok_good1")->number_len, 0);
        keeper_end(d);
    }
    registrar_stop();
    tear_down();
}
END_TEST

static void say_raw(const void *at, size_t len)
{
    ck_assert_int_eq(send(registrar, at, len, 0), (ssize_t)len);
    turns(4);
}

static void say_noise(uint64_t id)
{
    (void)id;
    say_raw("not a frame, and longer than a head", 35);
}

static void say_half(uint64_t id)
{
    const struct wire_result w = {.state = NETWORK_ACTIVE};
    struct buf b;
    buf_init(&b, 4096);
    ck_assert(!failed(wire_put(&b, WIRE_RESULT, id, 0, &w, (slice[WIRE_TAILS_MAX]){SLICE_NONE})));
    say_raw(b.at, b.len - 1);
    buf_done(&b);
}

static void say_another_type(uint64_t id)
{
    const struct wire_result_notice w = {.refs_len = 5};
    registrar_say(id, WIRE_RESULT_NOTICE, &w, &(slice){"ref-1", 5});
}

static void say_an_order(uint64_t id)
{
    registrar_say(id, WIRE_ORDER_CANCEL, NULL, NULL);
}

static void say_what_was_not_asked(uint64_t id)
{
    const struct wire_result w = {.state = NETWORK_ACTIVE};
    registrar_say(id + 1000, WIRE_RESULT, &w, (slice[WIRE_TAILS_MAX]){SLICE_NONE});
}

static void say_no_error_of_ours(uint64_t id)
{
    const struct wire_result w = {.error = ERR_COUNT};
    registrar_say(id, WIRE_RESULT, &w, (slice[WIRE_TAILS_MAX]){SLICE_NONE});
}

static void (*const breaches[])(uint64_t id) = {say_noise, say_half, say_another_type, say_an_order, say_what_was_not_asked, say_no_error_of_ours};

START_TEST(a_breach_of_the_registrar_ends_its_connection_and_no_payment)
{
    set_up();
    fake_active("tok_good1");
    for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++) {
        char one;
        broken_pairs = 0;
        registrar_start(); /* the next one is as good as any */
        struct keeper_dialogue *d = pay();
        (void)registrar_order();
        registrar_credential("AAABBB==");
        expect(TOKEN);
        keeper_end(d);
        d = pay();
        breaches[i](registrar_order()->id);
        expect(PAN);
        ck_assert_int_eq(chosen.fallback, FALLBACK_CRYPTOGRAM_FAILED);
        ck_assert_msg(recv(registrar, &one, 1, MSG_DONTWAIT) == 0, "breach %zu", i);
        ck_assert_uint_eq(broken_pairs, 999);
        keeper_end(d);
        registrar_stop();
    }
    tear_down();
}
END_TEST

START_TEST(an_answer_given_twice_is_for_nobody)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = pay();
    (void)registrar_order();
    registrar_credential("AAABBB==");
    expect(TOKEN);
    for (unsigned i = 0; i < 100; i++) registrar_credential("TWICE===");
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    (void)registrar_order();
    registrar_credential("FRESH===");
    expect(TOKEN);
    ck_assert(slice_is((slice){revealed.cryptogram, revealed.cryptogram_len}, "FRESH==="));
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_token_that_is_gone_is_read_back)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = pay();
    (void)registrar_order();
    registrar_fail(ERR_NETWORK_TOKEN_GONE, NETWORK_REASON_NONE);
    expect(PAN);
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    registrar_fail(ERR_NETWORK_TOKEN_GONE, NETWORK_REASON_NONE);
    ck_assert_int_eq(fake_record("shop", "tok_good1")->state, NETWORK_DELETED);
    ck_assert_uint_eq(fake_network.job_count, 0);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_cryptogram_that_is_refused_has_the_state_read_back)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = pay();
    (void)registrar_order();
    registrar_fail(ERR_NETWORK_REFUSED, NETWORK_REASON_OTHER);
    expect(PAN);
    ck_assert_str_eq(registrar_order()->text, "ORDER_STATE cards ref-1");
    registrar_fail(ERR_NETWORK_REFUSED, NETWORK_REASON_DECLINED); /* says nothing of a token that there is */
    ck_assert_int_eq(fake_record("shop", "tok_good1")->state, NETWORK_ACTIVE);
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(without_a_pan_there_is_no_fallback)
{
    set_up();
    registrar_start();
    fake_active("tok_removed");
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 1, "tok_removed", TOKEN_PERMANENT);
    (void)registrar_order();
    registrar_credential("AAABBB==");
    expect("opened NONE 1 shop1;" TOKEN);
    ck_assert(slice_is((slice){revealed.card_last4, 4}, "1111"));
    reveal(d, 2, "tok_removed", TOKEN_PERMANENT);
    (void)registrar_order();
    registrar_fail(ERR_NETWORK_DOWN, NETWORK_REASON_NONE);
    expect("revealed 2 TOKEN_NO_PAN;");
    wish.wanted = WANTED_PAN;
    reveal(d, 3, "tok_removed", TOKEN_PERMANENT);
    expect("revealed 3 TOKEN_NO_PAN;");
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(states_that_are_not_paid_with)
{
    static const struct {
        enum network_state state;
        enum fallback fallback;
    } cases[] = {{NETWORK_NONE, FALLBACK_NOT_PROVISIONED}, {NETWORK_PENDING, FALLBACK_NOT_PROVISIONED},
                 {NETWORK_UNPROVISIONED, FALLBACK_NOT_PROVISIONED}, {NETWORK_SUSPENDED, FALLBACK_SUSPENDED}, {NETWORK_DELETED, FALLBACK_DELETED}};
    set_up();
    registrar_start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_active("tok_good1")->state = cases[i].state;
        struct keeper_dialogue *d = pay();
        expect(PAN);
        ck_assert_int_eq(chosen.fallback, cases[i].fallback);
        ck_assert(!chosen.card_has_token);
        keeper_end(d);
    }
    fake_active("tok_good1");
    wish.wanted = WANTED_PAN;
    struct keeper_dialogue *d = pay();
    expect(PAN);
    ck_assert(chosen.fallback == FALLBACK_FORCED && chosen.card_has_token);
    keeper_end(d);
    ck_assert(registrar_is_idle()); /* nobody was asked */
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(merchant_initiated_payments)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    wish.merchant_initiated = true;
    (void)snprintf(fake_network.trails, sizeof fake_network.trails, "shop tok_good1 rede MCC12\nshop tok_good1 cielo OTHER\n");
    struct keeper_dialogue *d = pay(); /* rules that want a cryptogram all the same */
    (void)registrar_order();
    registrar_credential("AAABBB==");
    expect(TOKEN);
    ck_assert(slice_is((slice){revealed.network_transaction_id, revealed.network_transaction_id_len}, "MCC12"));
    config->routes[0].rules->network_token_mit_without_cryptogram = true;
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT); /* the stored number, and no call */
    expect(TOKEN);
    ck_assert(revealed.cryptogram_len == 0 && revealed.requestor_len == 11 && chosen.fallback == FALLBACK_NONE);
    ck_assert(slice_is((slice){revealed.network_transaction_id, revealed.network_transaction_id_len}, "MCC12"));
    ck_assert(registrar_is_idle());
    fake_record("shop", "tok_good1")->number_len = 0; /* never told: asked for, without a cryptogram */
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    (void)registrar_order();
    registrar_credential("");
    expect(TOKEN);
    fake_record("shop", "tok_good1")->state = NETWORK_SUSPENDED; /* a PAN has the network transaction id, too */
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    expect(PAN);
    ck_assert(slice_is((slice){revealed.network_transaction_id, revealed.network_transaction_id_len}, "MCC12"));
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* Deleted and enrolled anew while the network was asked: what it gives is of the token that is gone, in this payment and in the record. */
START_TEST(a_credential_of_a_token_that_was_replaced_meanwhile)
{
    set_up();
    registrar_start();
    for (uint8_t stored = 0; stored <= 16; stored = (uint8_t)(stored + 16)) {
        struct network_record *r = fake_active("tok_good1");
        r->number_len = stored;
        memset(r->number, '5', stored);
        struct keeper_dialogue *d = pay();
        (void)registrar_order();
        r->ref = (struct network_text){5, "ref-2"};
        registrar_credential("AAABBB==");
        expect(PAN);
        ck_assert(chosen.fallback == FALLBACK_CRYPTOGRAM_FAILED && chosen.card_has_token);
        ck_assert(r->number_len == stored && r->month == 12);
        keeper_end(d);
    }
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_pan_retry_needs_a_network_token_first)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    wish.wanted = WANTED_PAN_RETRY;
    struct keeper_dialogue *d = pay();
    expect("revealed 1 KEEPER_REFUSED;");
    wish.wanted = WANTED_BEST;
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    (void)registrar_order();
    registrar_credential("AAABBB==");
    expect(TOKEN);
    wish.wanted = WANTED_PAN_RETRY;
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    expect(PAN);
    ck_assert_ptr_nonnull(strstr(fake.audited, "reveal shop shop1 tok_good1 rede NONE\n"));
    keeper_end(d);
    d = pay(); /* another dialogue has no such right */
    expect("revealed 1 KEEPER_REFUSED;");
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_dialogue_that_ended_gets_nothing)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    struct keeper_dialogue *d = pay();
    (void)registrar_order();
    keeper_end(d);
    turns(3);
    struct keeper_dialogue *next = open_dialogue(caller("cvk_shop", 0)); /* ENDs travel with the next question */
    turns(3);
    fake.lines = 0;
    registrar_credential("AAABBB==");
    expect("opened NONE 1 shop1;");
    ck_assert_uint_eq(fake.lines, 0);
    keeper_end(next);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(no_network_token_leaves_without_its_audit_line)
{
    set_up();
    registrar_start();
    fake_active("tok_good1")->number_len = 16; /* stored: nothing to write but the audit line */
    struct keeper_dialogue *d = pay();
    (void)registrar_order();
    fake.audit_breaks = true;
    registrar_credential("AAABBB==");
    expect("revealed 1 VAULT_AUDIT;");
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

START_TEST(a_merchant_without_a_network)
{
    set_up();
    registrar_start();
    config->merchants[1].network = -1;
    fake_active("tok_good1");
    struct keeper_dialogue *d = pay();
    expect(PAN);
    ck_assert(chosen.fallback == FALLBACK_NOT_PROVISIONED && !chosen.card_has_token);
    ck_assert(registrar_is_idle());
    keeper_end(d);
    registrar_stop();
    tear_down();
}
END_TEST

/* The keeper that waits tells its relay so, and stays one that may be slow for the network's sake alone. */
START_TEST(a_relay_is_told_that_the_network_is_waited_for)
{
    set_up();
    registrar_start();
    fake_active("tok_good1");
    config->routes[0].budget_ms = 1000;
    tap_relay();
    tap_reveal("tok_good1", WANTED_BEST, false);
    (void)registrar_order();
    for (unsigned i = 0; i < 300; i++) turn();
    slice all = tap_read();
    struct wire_frame f;
    unsigned signs = 0;
    while (wire_next(&all, &f) == WIRE_FRAME) signs += f.type == WIRE_WORKING;
    ck_assert_uint_ge(signs, 2);
    registrar_credential("AAABBB==");
    registrar_stop();
    tear_down();
}
END_TEST

RUN_TESTS("reveal", a_fresh_cryptogram_for_a_customer, the_pan_does_not_leave_the_keeper, concurrent_payments_get_one_each,
          a_slow_network_costs_the_budget_and_no_more, a_network_that_hangs_costs_no_more_than_some_budgets,
          every_failure_is_the_pan_with_its_reason, what_is_no_credential_goes_nowhere,
          a_breach_of_the_registrar_ends_its_connection_and_no_payment, an_answer_given_twice_is_for_nobody,
          a_token_that_is_gone_is_read_back,
          a_cryptogram_that_is_refused_has_the_state_read_back,
          without_a_pan_there_is_no_fallback, states_that_are_not_paid_with, merchant_initiated_payments,
          a_credential_of_a_token_that_was_replaced_meanwhile,
          a_pan_retry_needs_a_network_token_first, a_dialogue_that_ended_gets_nothing, no_network_token_leaves_without_its_audit_line,
          a_merchant_without_a_network, a_relay_is_told_that_the_network_is_waited_for)
