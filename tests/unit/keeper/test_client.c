/* SPDX-License-Identifier: Apache-2.0 */
#include "client_stage.h"

#include "base/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

START_TEST(one_turn_is_one_datagram)
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a"), *b = open_as("b");
    for (uint32_t i = 0; i < 100; i++) ask(i % 2 ? a : b, i);
    ck_assert(receive().len == 0); /* nothing leaves before the turn's end */
    turn();
    slice all = receive();
    struct wire_frame f;
    unsigned frames = 0;
    while (wire_next(&all, &f) == WIRE_FRAME) frames++;
    ck_assert_uint_eq(frames, 102);
    ck_assert(receive().len == 0);
    keeper_end(a);
    keeper_end(b);
    tear_down();
}
END_TEST

START_TEST(what_is_claimed_goes_as_it_is)
{
    set_up(1000);
    keeper_client_set_generation(client, 5);
    struct keeper_dialogue *a = open_as("a");
    turn();
    slice d = receive();
    struct wire_frame f;
    struct wire_open o;
    ck_assert_int_eq(wire_next(&d, &f), WIRE_FRAME);
    wire_fixed(&f, &o, sizeof o);
    ck_assert_uint_eq(o.request, 9);
    ck_assert_uint_eq(o.listener, 1);
    ck_assert_uint_eq(o.route, 2);
    ck_assert_uint_eq(o.permission, PERMIT_PROXY);
    ck_assert_uint_eq(o.generation, 5);
    ck_assert_uint_eq(o.family, WIRE_FAMILY_4);
    ck_assert_uint_eq(o.peer[0], 10);
    ck_assert(slice_is(wire_tail(&f, 0), "cvk_shop"));
    keeper_end(a);
    tear_down();
}
END_TEST

START_TEST(answers_find_their_questions)
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a"), *b = open_as("b");
    ask(a, 40);
    ask(a, 41);
    turn();
    slice d = receive();
    uint64_t id = id_in(d);
    say_opened(id, ERR_NONE);
    say_card(id, 1); /* in any order */
    say_refused(id, 0, ERR_TOKEN_UNKNOWN);
    turns(3);
    ck_assert_str_eq(story, "a opened NONE 3 kid;a revealed 41 NONE 4111111111111111;a revealed 40 TOKEN_UNKNOWN ;");
    ck_assert_uint_eq(keeper_client_waiting(client), 1); /* b */
    keeper_end(a);
    keeper_end(b);
    ck_assert_uint_eq(keeper_client_waiting(client), 0);
    tear_down();
}
END_TEST

START_TEST(a_captured_card_crosses_both_ways)
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a");
    const struct credential card = {.number_len = 12, .number = "411111111116", .holder_len = 3, .holder = "A B", .cvc_len = 3, .cvc = "987",
                                    .month = 12, .year = 2030},
                            cvc = {.cvc_len = 4, .cvc = "1234"};
    ck_assert(!failed(keeper_capture(a, 5, &card)) && !failed(keeper_capture(a, 6, &cvc)) && !failed(keeper_capture(a, 7, &cvc)));
    turn();
    slice d = receive();
    struct wire_frame f;
    struct wire_capture w;
    uint64_t id = id_in(d);
    ck_assert(wire_next(&d, &f) == WIRE_FRAME && wire_next(&d, &f) == WIRE_FRAME && f.type == WIRE_CAPTURE);
    wire_fixed(&f, &w, sizeof w);
    ck_assert(w.month == 12 && w.year == 2030);
    ck_assert(slice_is(wire_tail(&f, 0), "411111111116") && slice_is(wire_tail(&f, 1), "A B") && slice_is(wire_tail(&f, 2), "987"));
    ck_assert(wire_next(&d, &f) == WIRE_FRAME && wire_tail(&f, 0).len == 0 && slice_is(wire_tail(&f, 2), "1234"));
    const struct wire_captured both = {.alias_len = 6, .cvc_alias_len = 7, .created = 1, .fell = 1}, one = {.cvc_alias_len = 7},
                               none = {.error = ERR_VAULT_FULL};
    say_opened(id, ERR_NONE);
    say(WIRE_CAPTURED, id, 0, &both, (const slice[]){SLICE("tok_12"), SLICE("tmp_123")});
    say(WIRE_CAPTURED, id, 2, &none, (const slice[]){SLICE_NONE, SLICE_NONE});
    say(WIRE_CAPTURED, id, 1, &one, (const slice[]){SLICE_NONE, SLICE("tmp_456")});
    turns(4);
    ck_assert_str_eq(story, "a opened NONE 3 kid;a captured 5 NONE 'tok_12' 'tmp_123' new fell;a captured 7 VAULT_FULL;"
                            "a captured 6 NONE '' 'tmp_456';");
    story[0] = '\0';
    ck_assert(!failed(keeper_capture(a, 8, &cvc)));
    keeper_client_replace(client, new_pair()); /* the keeper was restarted */
    turns(4);
    ck_assert_str_eq(story, "a captured 8 KEEPER_AWAY;");
    keeper_end(a);
    tear_down();
}
END_TEST

/* All that belongs to a credential and its choice crosses, and nothing of one is left for the next. */
START_TEST(a_credential_comes_whole)
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a");
    const struct wish wish = {.wanted = WANTED_TOKEN, .merchant_initiated = true};
    ck_assert(!failed(keeper_reveal(a, 1, SLICE("tok_good1"), TOKEN_TEMPORAL, wish)));
    ask(a, 2);
    turn();
    slice d = receive();
    struct wire_frame f;
    struct wire_reveal asked;
    ck_assert_int_eq(wire_next(&d, &f), WIRE_FRAME); /* OPEN */
    ck_assert_int_eq(wire_next(&d, &f), WIRE_FRAME);
    wire_fixed(&f, &asked, sizeof asked);
    ck_assert(asked.kind == 1 && asked.wanted == WANTED_TOKEN && asked.merchant_initiated == 1);
    say_opened(f.dialogue, ERR_NONE);
    struct wire_revealed r = {.kind = CREDENTIAL_NETWORK_TOKEN, .number_len = 16, .month = 12, .year = 2030, .cryptogram_len = 4, .eci_len = 2,
                              .requestor_len = 11, .network_transaction_id_len = 5, .card_last4_len = 4, .brand = BRAND_VISA,
                              .card_has_token = 1, .network_us = 81};
    const slice tails[] = {SLICE("4895370000000002"), SLICE_NONE, SLICE_NONE, SLICE("AAA="), SLICE("05"), SLICE("40010030273"),
                           SLICE("MCC12"), SLICE("1111")};
    say(WIRE_REVEALED, f.dialogue, 0, &r, tails);
    turns(2);
    ck_assert_int_eq(last.kind, CREDENTIAL_NETWORK_TOKEN);
    ck_assert_int_eq(last.brand, BRAND_VISA);
    ck_assert(slice_is((slice){last.cryptogram, last.cryptogram_len}, "AAA="));
    ck_assert(slice_is((slice){last.eci, last.eci_len}, "05"));
    ck_assert(slice_is((slice){last.requestor, last.requestor_len}, "40010030273"));
    ck_assert(slice_is((slice){last.network_transaction_id, last.network_transaction_id_len}, "MCC12"));
    ck_assert_mem_eq(last.card_last4, "1111", 4);
    ck_assert(chosen.kind == CREDENTIAL_NETWORK_TOKEN && chosen.fallback == FALLBACK_NONE && chosen.card_has_token && chosen.network_us == 81);
    say_card(f.dialogue, 1);
    turns(2);
    ck_assert(last.kind == CREDENTIAL_PAN && last.cryptogram_len == 0 && last.network_transaction_id_len == 0 && last.card_last4[0] == 0);
    ck_assert(chosen.kind == CREDENTIAL_PAN && !chosen.card_has_token);
    keeper_end(a);
    tear_down();
}
END_TEST

START_TEST(a_card_s_last_digits_are_four_or_none)
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a");
    ask(a, 1);
    turn();
    uint64_t id = id_in(receive());
    struct wire_revealed r = {.number_len = 16, .month = 12, .year = 2030, .card_last4_len = 3};
    const slice tails[WIRE_TAILS_MAX] = {[0] = SLICE("4111111111111111"), [7] = SLICE("111")};
    say_opened(id, ERR_NONE);
    say(WIRE_REVEALED, id, 0, &r, tails);
    turns(3);
    ck_assert_str_eq(story, "a opened NONE 3 kid;a revealed 1 KEEPER_AWAY ;");
    keeper_end(a);
    tear_down();
}
END_TEST

START_TEST(nothing_comes_after_the_end)
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a");
    ask(a, 1);
    turn();
    uint64_t id = id_in(receive());
    keeper_end(a);
    struct keeper_dialogue *b = open_as("b"); /* the same slot, another generation */
    say_opened(id, ERR_NONE);
    say_card(id, 0);
    turns(3);
    ck_assert_str_eq(story, "");
    ck_assert(keeper_client_is_connected(client)); /* crossing answers are no breach */
    keeper_end(b);
    tear_down();
}
END_TEST

START_TEST(a_lost_keeper_fails_every_open_question_once)
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a"), *b = open_as("b"), *idle = open_as("idle");
    ask(a, 1);
    ask(b, 2);
    turn();
    slice d = receive();
    uint64_t id_a = id_in(d);
    say_opened(id_a, ERR_NONE);
    say_opened(id_a + 2, ERR_NONE); /* idle */
    say_opened(id_a + ((uint64_t)1 << 33), ERR_NONE); /* nobody's */
    turns(3);
    story[0] = '\0';
    close(keeper);
    turns(2);
    ck_assert_str_eq(story, "a revealed 1 KEEPER_AWAY ;b opened KEEPER_AWAY 0 ;b revealed 2 KEEPER_AWAY ;");
    ck_assert(!keeper_client_is_connected(client));
    ck_assert_int_eq(keeper_reveal(a, 5, SLICE("tok_good1"), TOKEN_PERMANENT, (struct wish){0}).err, ERR_KEEPER_AWAY);
    ck_assert_int_eq(keeper_reveal(idle, 5, SLICE("tok_good1"), TOKEN_PERMANENT, (struct wish){0}).err, ERR_KEEPER_AWAY);
    keeper_end(a);
    keeper_end(b);
    keeper_end(idle);
    /* Without a keeper: the failure comes, but not within the call. */
    story[0] = '\0';
    struct keeper_dialogue *c = open_as("c");
    ck_assert_str_eq(story, "");
    turns(2);
    ck_assert_str_eq(story, "c opened KEEPER_AWAY 0 ;");
    keeper_end(c);
    /* A new keeper serves again. */
    keeper_client_replace(client, new_pair());
    struct keeper_dialogue *e = open_as("e");
    turn();
    story[0] = '\0';
    say_opened(id_in(receive()), ERR_NONE);
    turns(2);
    ck_assert_str_eq(story, "e opened NONE 3 kid;");
    keeper_end(e);
    tear_down();
}
END_TEST

/* The old socket may say something, or end, after its successor is there. */
START_TEST(a_replaced_keeper_has_no_say)
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a");
    turn();
    int old = keeper;
    uint64_t id = id_in(receive());
    int fresh = new_pair();
    struct wire_opened o = {.merchant = 1};
    slice none = SLICE_NONE;
    struct buf b;
    buf_init(&b, 4096);
    ck_assert(!failed(wire_put(&b, WIRE_OPENED, id, 0, &o, &none)));
    if (_i) ck_assert_int_eq(send(old, b.at, b.len, 0), (ssize_t)b.len);
    keeper_client_replace(client, fresh);
    close(old);
    turns(3);
    ck_assert(keeper_client_is_connected(client));
    ck_assert_str_eq(story, "a opened KEEPER_AWAY 0 ;");
    keeper_end(a);
    buf_done(&b);
    tear_down();
}
END_TEST

static struct keeper_dialogue *others[3];
static void end_others(void *owner, result r, uint32_t merchant, slice key_id)
{
    on_opened(owner, r, merchant, key_id);
    for (int i = 0; i < 3; i++) {
        keeper_end(others[i]);
        others[i] = NULL;
    }
}

START_TEST(a_failure_may_end_all_the_others)
{
    static const struct keeper_handlers ending = {.on_opened = end_others, .on_revealed = on_revealed, .on_token = on_token};
    struct keeper_caller caller = {.permission = PERMIT_PROXY};
    set_up(1000);
    for (int i = 0; i < 3; i++) {
        others[i] = keeper_open(client, &caller, &ending, (void *)(uintptr_t) "x");
        ask(others[i], (uint32_t)i);
    }
    turn();
    close(keeper);
    turns(2);
    ck_assert_str_eq(story, "x opened KEEPER_AWAY 0 ;"); /* the first ended itself and the rest: no more calls */
    tear_down();
}
END_TEST

START_TEST(a_silent_keeper_is_slow)
{
    set_up(30);
    struct keeper_dialogue *a = open_as("a");
    ask(a, 1);
    turn();
    uint64_t id = id_in(receive());
    while (!strstr(story, "revealed")) turn();
    ck_assert_str_eq(story, "a opened KEEPER_SLOW 0 ;a revealed 1 KEEPER_SLOW ;");
    say_opened(id, ERR_NONE); /* too late: ignored, and no breach */
    say_card(id, 0);
    turns(3);
    ck_assert_str_eq(story, "a opened KEEPER_SLOW 0 ;a revealed 1 KEEPER_SLOW ;");
    ck_assert_int_eq(keeper_reveal(a, 2, SLICE("tok_good1"), TOKEN_PERMANENT, (struct wish){0}).err, ERR_KEEPER_SLOW);
    ck_assert(keeper_client_is_connected(client));
    keeper_end(a);
    tear_down();
}
END_TEST

static void count_breach(void *owner)
{
    ++*(unsigned *)owner;
}

/* Without a keeper, and without a word, it would stay so for ever. */
START_TEST(a_connection_that_cannot_be_taken_up_is_told)
{
    unsigned told = 0;
    set_up(1000);
    keeper_client_on_breach(client, count_breach, &told);
    keeper_client_replace(client, open("/proc/self/exe", O_RDONLY | O_NONBLOCK | O_CLOEXEC)); /* a file: no loop waits for one */
    ck_assert(!keeper_client_is_connected(client) && told == 1);
    keeper_client_replace(client, -1);
    ck_assert_uint_eq(told, 1);
    tear_down();
}
END_TEST

static void breach(void (*say_it)(uint64_t id))
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a");
    ask(a, 1);
    turn();
    unsigned told = 0;
    keeper_client_on_breach(client, count_breach, &told);
    say_it(id_in(receive()));
    turns(3);
    ck_assert(!keeper_client_is_connected(client));
    ck_assert_uint_eq(told, 1);
    ck_assert(strstr(story, "a revealed 1 KEEPER_AWAY") != NULL);
    keeper_end(a);
    tear_down();
}

static void say_unasked(uint64_t id)
{
    say_card(id, 1);
}
static void say_question(uint64_t id)
{
    struct wire_end w = {0};
    say(WIRE_END, id, 0, &w, NULL);
}
static void say_no_such_error(uint64_t id)
{
    struct wire_opened o = {.error = ERR_COUNT};
    slice none = SLICE_NONE;
    say(WIRE_OPENED, id, 0, &o, &none);
}
static void say_token_to_reveal(uint64_t id)
{
    struct wire_token t = {.error = ERR_NONE};
    const slice none[WIRE_TAILS_MAX] = {SLICE_NONE};
    say(WIRE_TOKEN, id, 0, &t, none);
}
static void say_noise(uint64_t id)
{
    (void)id;
    ck_assert_int_eq(send(keeper, "noise that is no frame", 22, 0), 22);
}

START_TEST(a_breach_of_the_protocol_loses_the_keeper)
{
    static void (*const breaches[])(uint64_t) = {say_unasked, say_question, say_no_such_error, say_token_to_reveal, say_noise};
    breach(breaches[_i]);
}
END_TEST

START_TEST(a_full_socket_keeps_all_in_order)
{
    enum { MANY = 30000 };
    set_up(600000);
    struct keeper_dialogue *a = open_as("a");
    for (uint32_t i = 0; i < MANY; i++) {
        ask(a, i);
        if (i % 1000 == 0) turn();
    }
    turn();
    uint32_t next = 0;
    bool opened = false;
    for (int idle = 0; idle < 20 && next < MANY; idle++) {
        struct wire_frame f;
        slice d = receive();
        if (d.len) idle = 0;
        while (wire_next(&d, &f) == WIRE_FRAME) {
            if (f.type == WIRE_OPEN) {
                opened = true;
                continue;
            }
            ck_assert_uint_eq(f.sequence, next);
            next++;
        }
        turn();
    }
    ck_assert(opened);
    ck_assert_uint_eq(next, MANY);
    keeper_end(a);
    tear_down();
}
END_TEST

START_TEST(a_keeper_that_never_reads_is_bounded)
{
    set_up(600000);
    struct keeper_dialogue *a = open_as("a");
    result r = OK;
    uint32_t asked = 0;
    for (; !failed(r) && asked < 1000000; asked++) {
        r = keeper_reveal(a, asked, SLICE("tok_good1"), TOKEN_PERMANENT, (struct wish){0});
        if (asked % 1000 == 0) turn();
    }
    ck_assert_int_eq(r.err, ERR_KEEPER_SLOW);
    struct keeper_caller caller = {.permission = PERMIT_PROXY};
    ck_assert_ptr_null(keeper_open(client, &caller, &handlers, (void *)(uintptr_t) "b"));
    keeper_end(a);
    tear_down();
}
END_TEST

START_TEST(tokens_are_made_and_read)
{
    set_up(1000);
    struct keeper_dialogue *a = open_as("a");
    struct card *card = secret_alloc(sizeof *card);
    memcpy(card->number, "4111111111111111", 16);
    card->number_len = 16;
    card->month = 12;
    card->year = 2030;
    ck_assert(!failed(keeper_token_create(a, 8, card, &(struct alias_form){ALIAS_SIX_FOUR}, true)));
    ck_assert(!failed(keeper_token_get(a, 9, SLICE("tok_good1"))));
    secret_free(card, sizeof *card);
    turn();
    slice d = receive();
    uint64_t id = id_in(d);
    struct wire_token t = {.created = 1, .token_len = 6, .number_len = 4, .brand_len = 4};
    const slice tails[WIRE_TAILS_MAX] = {SLICE("tok123"), SLICE("1111"), SLICE("visa")};
    say(WIRE_TOKEN, id, 0, &t, tails);
    struct wire_token no = {.error = ERR_TOKEN_NOT_FOUND};
    const slice none[WIRE_TAILS_MAX] = {SLICE_NONE};
    say(WIRE_TOKEN, id, 1, &no, none);
    turns(3);
    ck_assert_str_eq(story, "a token 8 NONE tok123 new;a token 9 TOKEN_NOT_FOUND ;");
    keeper_end(a);
    tear_down();
}
END_TEST

START_TEST(thousands_of_dialogues_come_and_go)
{
    enum { MANY = 3000 };
    static struct keeper_dialogue *d[MANY];
    set_up(600000);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) d[i] = open_as("m");
        ck_assert_uint_eq(keeper_client_waiting(client), MANY);
        for (int i = 0; i < MANY; i++) keeper_end(d[i]);
        turn();
        while (receive().len) turn();
    }
    ck_assert_uint_eq(keeper_client_waiting(client), 0);
    tear_down();
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("client");
    const TTest *const list[] = {a_connection_that_cannot_be_taken_up_is_told,
                                 one_turn_is_one_datagram, what_is_claimed_goes_as_it_is, answers_find_their_questions, a_captured_card_crosses_both_ways, a_credential_comes_whole, a_card_s_last_digits_are_four_or_none,
                                 nothing_comes_after_the_end, a_lost_keeper_fails_every_open_question_once,
                                 a_failure_may_end_all_the_others, a_silent_keeper_is_slow,
                                 a_full_socket_keeps_all_in_order, a_keeper_that_never_reads_is_bounded,
                                 tokens_are_made_and_read, thousands_of_dialogues_come_and_go};
    tcase_set_timeout(all, 60);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) tcase_add_test(all, list[i]);
    tcase_add_loop_test(all, a_replaced_keeper_has_no_say, 0, 2);
    tcase_add_loop_test(all, a_breach_of_the_protocol_loses_the_keeper, 0, 5);
    Suite *s = suite_create("client");
    suite_add_tcase(s, all);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
