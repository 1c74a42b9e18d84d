/* SPDX-License-Identifier: Apache-2.0 */
#include "client_stage.h"

#include "vault/network.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

START_TEST(questions_about_network_tokens)
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a");
    const struct billing_text billing = {.city = SLICE("Bogota"), .country = SLICE("CO")};
    ck_assert(!failed(keeper_enrol(a, 1, SLICE("tok_good1"), &billing, SLICE("123"))));
    ck_assert(!failed(keeper_credentials(a, 2, SLICE("tok_good1"))));
    ck_assert(!failed(keeper_network_token(a, 3, SLICE("tok_good1"))));
    ck_assert(!failed(keeper_notice(a, 4, 1, SLICE("t=1"), SLICE("{}"))));
    ck_assert(!failed(keeper_report(a, 5, 10, 20, SLICE("rede"))));
    turn();
    slice d = receive();
    struct wire_frame f;
    static const enum wire_type asked[] = {WIRE_OPEN, WIRE_ENROL, WIRE_CREDENTIALS, WIRE_NETWORK_TOKEN, WIRE_NOTICE, WIRE_REPORT};
    struct billing_text read;
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(wire_next(&d, &f), WIRE_FRAME);
        ck_assert_int_eq(f.type, asked[i]);
        if (f.type != WIRE_ENROL) continue;
        ck_assert(slice_is(wire_tail(&f, 1), "123"));
        ck_assert(wire_billing_read(wire_tail(&f, 2), &read) && slice_is(read.city, "Bogota") && slice_is(read.country, "CO"));
    }
    uint64_t id = f.dialogue;
    say_opened(id, ERR_NONE);
    const struct wire_network known = {.is_known = 1, .state = NETWORK_UNPROVISIONED, .already = 1, .month = 1, .year = 2031, .reason_len = 8,
                                       .reference_code_len = 3};
    const slice known_tails[WIRE_TAILS_MAX] = {SLICE("DECLINED"), SLICE("a-b")};
    say(WIRE_NETWORK, id, 0, &known, known_tails);
    const struct wire_network fresh = {.has_credential = 1, .credential_month = 2, .credential_year = 2032, .number_len = 16, .cryptogram_len = 4};
    const slice fresh_tails[WIRE_TAILS_MAX] = {[2] = SLICE("4895370000000002"), [3] = SLICE("AAA=")};
    say(WIRE_NETWORK, id, 1, &fresh, fresh_tails);
    const struct wire_network none = {.error = ERR_NETWORK_OFF};
    const slice no_tails[WIRE_TAILS_MAX] = {SLICE_NONE};
    say(WIRE_NETWORK, id, 2, &none, no_tails);
    const struct wire_noticed noticed = {.error = ERR_SIGNATURE_WRONG};
    say(WIRE_NOTICED, id, 3, &noticed, NULL);
    struct wire_reported row = {.sums = {[COUNTER_TOKEN_APPROVED] = 7}, .route_len = 4};
    say(WIRE_REPORTED, id, 4, &row, &(slice){"rede", 4});
    row = (struct wire_reported){.last = 1};
    say(WIRE_REPORTED, id, 4, &row, no_tails);
    turns(10);
    ck_assert_str_eq(story, "a opened NONE 3 kid;a network 1 NONE UNPROVISIONED DECLINED a-b already 1/2031;"
                            "a network 2 NONE 4895370000000002 AAA= 2/2032;a network 3 NETWORK_OFF;a noticed 4 SIGNATURE_WRONG;"
                            "a report 5 NONE rede 7;a report 5 NONE end;");
    ck_assert_uint_eq(keeper_client_waiting(client), 0);
    keeper_end(a);
    tear_down();
}
END_TEST

START_TEST(what_is_too_long_is_not_asked)
{
    static char many[WIRE_PIECE_MAX_BYTES + 1];
    set_up(1000);
    struct keeper_dialogue *a = open_as("a");
    memset(many, 'x', sizeof many);
    const struct billing_text billing = {.city = {many, 101}}, none = {0};
    const slice token = SLICE("tok_good1");
    ck_assert_int_eq(keeper_enrol(a, 1, token, &billing, SLICE("123")).err, ERR_ENROL_FIELD);
    ck_assert_int_eq(keeper_enrol(a, 1, token, &none, (slice){many, 65}).err, ERR_ENROL_FIELD);
    ck_assert_int_eq(keeper_credentials(a, 1, (slice){many, 65}).err, ERR_TOKEN_UNKNOWN);
    ck_assert_int_eq(keeper_notice(a, 1, 0, (slice){many, 1025}, SLICE("{}")).err, ERR_SIGNATURE_FORMAT);
    ck_assert_int_eq(keeper_notice(a, 1, 0, SLICE("t"), (slice){many, sizeof many}).err, ERR_TOO_LARGE);
    ck_assert_int_eq(keeper_report(a, 1, 0, 1, (slice){many, 65}).err, ERR_ROUTE_NONE);
    keeper_end(a);
    tear_down();
}
END_TEST

/* A text in pieces is one question, whose answer is due after its last piece. */
START_TEST(a_text_is_signed_in_pieces)
{
    static char many[WIRE_PIECE_MAX_BYTES + 10];
    set_up(20);
    struct keeper_dialogue *a = open_as("a");
    memset(many, 'x', sizeof many);
    ck_assert(!failed(keeper_sign(a, 7, SLICE("first"), false, false)));
    ck_assert(!failed(keeper_sign(a, 7, (slice){many, sizeof many}, false, false)));
    turn();
    slice d = receive();
    say_opened(id_in(d), ERR_NONE);
    pass(60); /* past the limit: nobody waits for an answer yet */
    ck_assert_str_eq(story, "a opened NONE 3 kid;");
    ck_assert(!failed(keeper_sign(a, 7, SLICE("last"), true, false)));
    turn();
    slice rest = receive();
    struct wire_frame f;
    struct wire_sign w;
    ck_assert_int_eq(wire_next(&rest, &f), WIRE_FRAME);
    wire_fixed(&f, &w, sizeof w);
    ck_assert(f.type == WIRE_SIGN && f.sequence == 0 && w.last && slice_is(wire_tail(&f, 0), "last"));
    uint64_t id = f.dialogue;
    const struct wire_signed s = {.signature_len = 3};
    say(WIRE_SIGNED, id, 0, &s, &(slice){"sig", 3});
    turns(3);
    ck_assert_str_eq(story, "a opened NONE 3 kid;a signed 7 NONE sig;");
    ck_assert_uint_eq(keeper_client_waiting(client), 0);
    keeper_end(a);
    tear_down();
}
END_TEST

/* The keeper that waits for the card network says so, and is not taken for dead. */
START_TEST(a_keeper_at_work_is_waited_for)
{
    set_up(400);
    struct keeper_dialogue *a = open_as("a");
    ck_assert(!failed(keeper_credentials(a, 2, SLICE("tok_good1"))));
    turn();
    uint64_t id = id_in(receive());
    say_opened(id, ERR_NONE);
    for (unsigned i = 0; i < 6; i++) {
        pass(100);
        say(WIRE_WORKING, id, 0, NULL, NULL);
    }
    ck_assert_str_eq(story, "a opened NONE 3 kid;");
    pass(500);
    ck_assert_str_eq(story, "a opened NONE 3 kid;a network 2 KEEPER_SLOW;");
    keeper_end(a);
    tear_down();
}
END_TEST

/* --- ends of payments --- */

static unsigned payments_in(slice d, uint64_t *first, uint64_t *last_number)
{
    struct wire_frame f;
    struct wire_payment w;
    unsigned n = 0;
    while (wire_next(&d, &f) == WIRE_FRAME) {
        if (f.type != WIRE_PAYMENT) continue;
        wire_fixed(&f, &w, sizeof w);
        ck_assert(f.dialogue == 0 && f.sequence == 0 && w.relay != 0);
        ck_assert(slice_is(wire_tail(&f, 0), "tok_good1") && slice_is(wire_tail(&f, 1), "MCC12"));
        if (n++ == 0) *first = w.number;
        *last_number = w.number;
    }
    return n;
}

static void pay(void)
{
    const struct payment_outcome o = {.merchant = 1, .route = 2, .token = SLICE("tok_good1"), .first = CREDENTIAL_NETWORK_TOKEN,
                                      .card_has_token = true, .first_verdict = PAYMENT_APPROVED, .network_transaction_id = SLICE("MCC12")};
    keeper_payment(client, &o);
}

START_TEST(payments_are_told_until_they_are_kept)
{
    uint64_t first = 0, final = 0;
    set_up(1000);
    pay();
    pay();
    ck_assert_uint_eq(receive().len, 0); /* nobody waits: they go together, a little later */
    pass(60);
    ck_assert_uint_eq(payments_in(receive(), &first, &final), 2);
    ck_assert(first == 1 && final == 2);
    const struct wire_payments_kept kept = {.up_to = 1};
    say(WIRE_PAYMENTS_KEPT, 0, 0, &kept, NULL);
    turns(2);
    /* A new keeper hears again what the old one has not kept, and what came while there was none. */
    close(keeper);
    turns(2);
    pay();
    keeper_client_replace(client, new_pair());
    pass(60);
    ck_assert_uint_eq(payments_in(receive(), &first, &final), 2);
    ck_assert(first == 2 && final == 3);
    pass(60);
    ck_assert_uint_eq(receive().len, 0); /* told once to each keeper */
    tear_down();
}
END_TEST

START_TEST(payments_leave_with_the_relay)
{
    uint64_t first = 0, final = 0;
    set_up(1000);
    pay();
    keeper_client_free(client);
    ck_assert_uint_eq(payments_in(receive(), &first, &final), 1);
    loop_free(loop);
    close(keeper);
}
END_TEST

RUN_TESTS("client network", questions_about_network_tokens, what_is_too_long_is_not_asked, a_text_is_signed_in_pieces,
          a_keeper_at_work_is_waited_for, payments_are_told_until_they_are_kept, payments_leave_with_the_relay)
