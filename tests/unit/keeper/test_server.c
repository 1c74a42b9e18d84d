/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "keeper/wire.h"
#include "stage.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- reveals --- */

START_TEST(what_a_reveal_says)
{
    set_up();
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 10, "tok_good1", TOKEN_PERMANENT);
    reveal(d, 11, "tok_removed", TOKEN_PERMANENT);
    reveal(d, 12, "tok_good1", TOKEN_TEMPORAL);
    reveal(d, 13, "tok_unknown", TOKEN_TEMPORAL);
    reveal(d, 14, "tok_other1", TOKEN_PERMANENT); /* another merchant's and unknown: no difference */
    reveal(d, 15, "tok_unknown", TOKEN_PERMANENT);
    reveal(d, 16, "short", TOKEN_PERMANENT);
    reveal(d, 17, "with space!", TOKEN_PERMANENT);
    expect("opened NONE 1 shop1;revealed 10 NONE 4111111111111111 12/2030 ANNA B;revealed 11 TOKEN_NO_PAN;"
           "revealed 12 TOKEN_WRONG_KIND;revealed 13 TOKEN_UNKNOWN;revealed 14 TOKEN_UNKNOWN;revealed 15 TOKEN_UNKNOWN;"
           "revealed 16 TOKEN_UNKNOWN;revealed 17 TOKEN_UNKNOWN;");
    ck_assert_ptr_nonnull(strstr(fake.audited, "reveal shop shop1 tok_good1 rede NONE\n"));
    ck_assert_ptr_nonnull(strstr(fake.audited, "reveal shop shop1 tok_other1 rede TOKEN_UNKNOWN\n"));
    ck_assert_uint_eq(fake.lines, 8);
    ck_assert_str_eq(fake.peer, "192.0.2.1");
    keeper_end(d);
    tear_down();
}
END_TEST

/* Without a network token the PAN goes out, and why. */
START_TEST(a_reveal_tells_its_choice)
{
    static const struct {
        uint32_t route;
        enum wanted wanted;
        enum fallback fallback;
    } cases[] = {{0, WANTED_BEST, FALLBACK_NOT_PROVISIONED}, {0, WANTED_TOKEN, FALLBACK_NOT_PROVISIONED}, {0, WANTED_PAN, FALLBACK_FORCED},
                 {0, WANTED_PAN_STREAMED, FALLBACK_NOT_SUPPORTED}, {2, WANTED_BEST, FALLBACK_NOT_SUPPORTED}};
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keeper_caller c = caller("cvk_shop", 0);
        c.route = cases[i].route;
        struct keeper_dialogue *d = open_dialogue(c);
        wish.wanted = cases[i].wanted;
        reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
        expect("opened NONE 1 shop1;revealed 1 NONE 4111111111111111 12/2030 ANNA B;");
        ck_assert_int_eq(chosen.kind, CREDENTIAL_PAN);
        ck_assert_int_eq(chosen.fallback, cases[i].fallback);
        ck_assert(!chosen.card_has_token);
        keeper_end(d);
    }
    tear_down();
}
END_TEST

START_TEST(an_api_dialogue_reveals_nothing)
{
    static const unsigned permissions[] = {PERMIT_TOKENIZE, PERMIT_READ, PERMIT_CHANGE, PERMIT_DELETE};
    set_up();
    for (size_t i = 0; i < 4; i++) {
        struct keeper_caller c = caller("cvk_shop", 0);
        c.purpose = KEEPER_FOR_API;
        c.permission = permissions[i];
        struct keeper_dialogue *d = open_dialogue(c);
        reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
        expect("opened NONE 1 shop1;revealed 1 KEEPER_REFUSED;");
        keeper_end(d);
    }
    ck_assert_uint_eq(fake.lines, 0);
    tear_down();
}
END_TEST

/* --- the audit trail comes first --- */

static int raw;
static bool was_early;
static void look(void)
{
    char one;
    if (recv(raw, &one, 1, MSG_PEEK | MSG_DONTWAIT) > 0) was_early = true;
}

static void raw_send(enum wire_type type, uint64_t id, uint32_t sequence, const void *fixed, const slice *tails)
{
    struct buf b;
    buf_init(&b, 4096);
    ck_assert(!failed(wire_put(&b, type, id, sequence, fixed, tails)));
    ck_assert_int_eq(send(raw, b.at, b.len, 0), (ssize_t)b.len);
    buf_done(&b);
}

static void raw_open(uint64_t id, uint32_t generation)
{
    const struct wire_open o = {.listener = 1, .permission = PERMIT_PROXY, .generation = generation};
    slice none = SLICE_NONE;
    raw_send(WIRE_OPEN, id, 0, &o, &none);
}

static void raw_reveal(uint64_t id, const char *token)
{
    struct wire_reveal a = {.token_len = (uint8_t)strlen(token)};
    slice tail = slice_of(token);
    raw_send(WIRE_REVEAL, id, 0, &a, &tail);
}

/* What came: "TYPE error;"… ; "GONE" when the connection ended. */
static const char *raw_read(void)
{
    static char text[4096], bytes[WIRE_BATCH_BYTES];
    struct wire_frame f;
    text[0] = '\0';
    ssize_t n;
    while ((n = recv(raw, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        slice d = {bytes, (size_t)n};
        while (wire_next(&d, &f) == WIRE_FRAME) {
            uint16_t error = 0;
            size_t at = f.type == WIRE_OPENED || f.type == WIRE_REVEALED ? 4 : f.type == WIRE_TOKEN ? 16 : 0;
            memcpy(&error, f.body.at + at, sizeof error);
            (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s %s;", wire_type_name(f.type), error_name(error));
        }
    }
    return n == 0 ? "GONE" : text;
}

START_TEST(answers_leave_after_the_flush)
{
    set_up();
    raw = add_relay(1);
    was_early = false;
    fake.on_flush = look;
    raw_open(1, 1);
    raw_reveal(1, "tok_good1");
    /* One read a turn and relay, so each answer has a flush of its own before it. */
    turn();
    ck_assert(!was_early);
    fake.on_flush = NULL;
    turns(3);
    ck_assert_str_eq(raw_read(), "OPENED NONE;REVEALED NONE;");
    close(raw);
    tear_down();
}
END_TEST

START_TEST(no_card_leaves_without_its_audit_line)
{
    set_up();
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    reveal(d, 2, "tok_unknown", TOKEN_PERMANENT);
    fake.audit_breaks = true; /* the flush of this very turn */
    expect("opened NONE 1 shop1;revealed 1 VAULT_AUDIT;revealed 2 TOKEN_UNKNOWN;");
    reveal(d, 3, "tok_good1", TOKEN_PERMANENT); /* known beforehand */
    expect("revealed 3 VAULT_AUDIT;");
    fake.audit_breaks = false;
    turns(2);
    reveal(d, 4, "tok_good1", TOKEN_PERMANENT);
    expect("revealed 4 NONE 4111111111111111 12/2030 ANNA B;");
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(an_engine_that_answers_later)
{
    set_up();
    fake.answers_later = true;
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    expect("opened NONE 1 shop1;revealed 1 NONE 4111111111111111 12/2030 ANNA B;");
    /* The dialogue ends while the vault works: nothing is revealed, nothing audited. */
    fake.lines = 0;
    reveal(d, 2, "tok_good1", TOKEN_PERMANENT);
    keeper_end(d);
    expect("");
    ck_assert_uint_eq(fake.lines, 0);
    tear_down();
}
END_TEST

/* --- token API --- */

static struct keeper_dialogue *open_api(unsigned permission)
{
    struct keeper_caller c = caller("cvk_shop", 0);
    c.purpose = KEEPER_FOR_API;
    c.permission = permission;
    return open_dialogue(c);
}

START_TEST(the_token_api)
{
    struct card *card;
    struct card_change change = {.set_expiry = true, .month = 3, .year = 2031};
    set_up();
    card = secret_alloc(sizeof *card);
    ck_assert(!failed(card_set_number(card, SLICE("4111111111111111"))));
    fake.put_deed = CARD_CREATED;
    struct keeper_dialogue *d = open_api(PERMIT_TOKENIZE);
    ck_assert(!failed(keeper_token_create(d, 1, card, &(struct alias_form){ALIAS_UUID}, false)));
    expect("opened NONE 1 shop1;token 1 NONE tok_new_one 411111******1111 visa 12/2030 new;");
    ck_assert(!failed(keeper_token_get(d, 2, SLICE("tok_good1")))); /* opened for something else */
    expect("token 2 KEEPER_REFUSED;");
    keeper_end(d);
    d = open_api(PERMIT_READ);
    ck_assert(!failed(keeper_token_get(d, 3, SLICE("tok_good1"))));
    ck_assert(!failed(keeper_token_get(d, 4, SLICE("tok_other1"))));
    expect("opened NONE 1 shop1;token 3 NONE tok_good1 411111******1111 visa 12/2030;token 4 TOKEN_NOT_FOUND;");
    keeper_end(d);
    d = open_api(PERMIT_CHANGE);
    ck_assert(!failed(keeper_token_change(d, 5, SLICE("tok_good1"), &change)));
    expect("opened NONE 1 shop1;token 5 NONE tok_good1 411111******1111 visa 3/2030;");
    keeper_end(d);
    d = open_api(PERMIT_DELETE);
    ck_assert(!failed(keeper_token_delete(d, 6, SLICE("tok_good1"))));
    ck_assert(!failed(keeper_token_delete(d, 7, SLICE("nope"))));
    turns(4);
    ck_assert_ptr_nonnull(strstr(story, "token 6 NONE tok_good1"));
    ck_assert_ptr_nonnull(strstr(story, "token 7 TOKEN_NOT_FOUND;"));
    static const char *const lines[] = {"token.create shop shop1 tok_new_one  NONE\n", "token.read shop shop1 tok_good1  NONE\n",
                                        "token.change shop shop1 tok_good1  NONE\n", "token.delete shop shop1 tok_good1  NONE\n",
                                        "token.read shop shop1 tok_other1  TOKEN_NOT_FOUND\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) ck_assert_msg(strstr(fake.audited, lines[i]), "%s", lines[i]);
    keeper_end(d);
    secret_free(card, sizeof *card);
    tear_down();
}
END_TEST

/* Reading, changing and deleting tokens that are not there is guessing like a payment with them: one allowance for all. */
START_TEST(unknown_tokens_of_the_api_are_counted)
{
    static const unsigned permissions[] = {PERMIT_READ, PERMIT_CHANGE, PERMIT_DELETE};
    const struct card_change change = {.set_expiry = true, .month = 3, .year = 2031};
    set_up();
    struct keeper_dialogue *d = open_api(permissions[_i]);
    for (unsigned i = 0; i < 21; i++) {
        result r = _i == 0   ? keeper_token_get(d, i, SLICE("tok_other1"))
                   : _i == 1 ? keeper_token_change(d, i, SLICE("tok_guess"), &change)
                             : keeper_token_delete(d, i, SLICE("tok_guess"));
        ck_assert(!failed(r));
        turns(4);
    }
    ck_assert_ptr_nonnull(strstr(story, "token 19 TOKEN_NOT_FOUND;token 20 TOO_MANY_BAD_TOKENS;"));
    keeper_end(d);
    story[0] = '\0';
    d = open_dialogue(caller("cvk_shop", 0)); /* and no payment for the same caller */
    expect("opened TOO_MANY_BAD_TOKENS 0 shop1;");
    keeper_end(d);
    tear_down();
}
END_TEST

/* A create may bring a known card up to date only where the key may change cards; the trail says what it came to. */
START_TEST(a_create_changes_a_card_only_with_the_permission_to)
{
    static const struct {
        const char *key;
        uint32_t listener;
        enum card_deed deed;
        bool may_change;
        const char *audited;
    } cases[] = {
        {"cvk_make", 0, CARD_FOUND, false, "token.find shop make1 tok_new_one  NONE\n"},
        {"cvk_make", 0, CARD_CREATED, false, "token.create shop make1 tok_new_one  NONE\n"},
        {"cvk_shop", 0, CARD_CHANGED, true, "token.change shop shop1 tok_new_one  NONE\n"},
        {NULL, 1, CARD_CHANGED, true, "token.change shop listener tok_new_one  NONE\n"},
    };
    set_up();
    struct card *card = secret_alloc(sizeof *card);
    ck_assert(!failed(card_set_number(card, SLICE("4111111111111111"))));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keeper_caller c = caller(cases[i].key, cases[i].listener);
        c.purpose = KEEPER_FOR_API;
        c.permission = PERMIT_TOKENIZE;
        fake.put_deed = cases[i].deed;
        fake.audited[0] = '\0';
        struct keeper_dialogue *d = open_dialogue(c);
        ck_assert(!failed(keeper_token_create(d, 1, card, &(struct alias_form){ALIAS_UUID}, false)));
        turns(4);
        ck_assert_str_eq(fake.audited, cases[i].audited);
        ck_assert_int_eq(fake.put_options.may_change, cases[i].may_change);
        keeper_end(d);
    }
    secret_free(card, sizeof *card);
    tear_down();
}
END_TEST

/* The keeper checks a card itself: a stolen relay has not. */
START_TEST(a_bad_card_is_not_stored)
{
    struct card bad = {.number_len = 16, .number = "4111111111111112", .month = 12, .year = 2030};
    struct card year = {.number_len = 16, .number = "4111111111111111", .month = 12, .year = 1999};
    struct card name = {.number_len = 16, .number = "4111111111111111", .holder_len = 2, .holder = "\x01z"};
    struct card_change change = {.set_expiry = true, .month = 0, .year = 2031};
    set_up();
    struct keeper_dialogue *d = open_api(PERMIT_TOKENIZE);
    ck_assert(!failed(keeper_token_create(d, 1, &bad, &(struct alias_form){ALIAS_UUID}, false)));
    ck_assert(!failed(keeper_token_create(d, 2, &year, &(struct alias_form){ALIAS_UUID}, false)));
    ck_assert(!failed(keeper_token_create(d, 3, &name, &(struct alias_form){ALIAS_UUID}, false)));
    expect("opened NONE 1 shop1;token 1 CARD_NUMBER;token 2 CARD_EXPIRY;token 3 CARD_HOLDER;");
    keeper_end(d);
    d = open_api(PERMIT_CHANGE);
    ck_assert(!failed(keeper_token_change(d, 4, SLICE("tok_good1"), &change)));
    expect("opened NONE 1 shop1;token 4 CARD_EXPIRY;");
    keeper_end(d);
    tear_down();
}
END_TEST

/* --- relays that break the protocol --- */

static void break_noise(void)
{
    ck_assert_int_eq(send(raw, "this is no frame", 16, 0), 16);
}
static void break_answer(void)
{
    struct wire_opened o = {.error = ERR_NONE};
    slice none = SLICE_NONE;
    raw_send(WIRE_OPENED, 1, 0, &o, &none);
}
static void break_twice(void)
{
    raw_open(1, 1);
    raw_open(1, 1);
}
static void break_slot(void)
{
    raw_open(WIRE_DIALOGUES_MAX, 1);
}
static void break_family(void)
{
    const struct wire_open o = {.listener = 1, .permission = PERMIT_PROXY, .generation = 1, .family = 5};
    slice none = SLICE_NONE;
    raw_send(WIRE_OPEN, 1, 0, &o, &none);
}
static void break_hidden_key(void)
{
    const struct wire_open o = {.listener = 1, .permission = PERMIT_PROXY, .generation = 1, .key_len = 3};
    slice key = SLICE("cvk");
    raw_send(WIRE_OPEN, 1, 0, &o, &key);
}

START_TEST(a_breach_drops_that_relay_only)
{
    static void (*const breaches[])(void) = {break_noise, break_answer, break_twice, break_slot, break_family, break_hidden_key};
    set_up();
    raw = add_relay(1);
    raw_open(7, 1);
    breaches[_i]();
    turns(4);
    const char *got = raw_read();
    ck_assert_str_eq(got, "GONE");
    ck_assert_uint_eq(broken_pairs, 101); /* so that it is ended, and comes with a new pair */
    ck_assert_uint_eq(keeper_server_dialogues(server), 0);
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    expect("opened NONE 1 shop1;");
    keeper_end(d);
    close(raw);
    tear_down();
}
END_TEST

START_TEST(unknown_dialogues_get_nothing)
{
    set_up();
    raw = add_relay(1);
    raw_reveal(42, "tok_good1");
    struct wire_end w = {0};
    raw_send(WIRE_END, 43, 0, &w, NULL);
    turns(4);
    ck_assert_str_eq(raw_read(), "REVEALED KEEPER_REFUSED;");
    ck_assert_uint_eq(fake.lines, 0);
    close(raw);
    tear_down();
}
END_TEST

START_TEST(a_slot_opened_again_ends_the_old_dialogue)
{
    set_up();
    raw = add_relay(1);
    raw_open(1, 1);
    raw_open(1 | (uint64_t)1 << 32, 1);
    raw_reveal(1, "tok_good1");
    raw_reveal(1 | (uint64_t)1 << 32, "tok_good1");
    turns(6);
    ck_assert_str_eq(raw_read(), "OPENED NONE;OPENED NONE;REVEALED KEEPER_REFUSED;REVEALED NONE;");
    ck_assert_uint_eq(keeper_server_dialogues(server), 1);
    close(raw);
    turns(3);
    ck_assert_uint_eq(keeper_server_dialogues(server), 0);
    tear_down();
}
END_TEST

START_TEST(a_restarted_relay_replaces_itself)
{
    set_up();
    raw = add_relay(1);
    raw_open(1, 1);
    turns(2);
    ck_assert_uint_eq(keeper_server_dialogues(server), 1);
    int again = add_relay(1);
    turns(2);
    ck_assert_uint_eq(keeper_server_dialogues(server), 0);
    ck_assert_str_eq(raw_read(), "GONE");
    close(raw);
    close(again);
    tear_down();
}
END_TEST

START_TEST(a_relay_that_does_not_read_is_held)
{
    enum { MANY = 40000 };
    set_up();
    raw = add_relay(1);
    raw_open(1, 1);
    unsigned sent = 0, blocked = 0, got = 0;
    struct wire_reveal a = {.token_len = 9};
    slice tail = SLICE("tok_good1");
    struct buf b;
    buf_init(&b, 4096);
    ck_assert(!failed(wire_put(&b, WIRE_REVEAL, 1, 0, &a, &tail)));
    while (sent < MANY && blocked < 50) {
        if (send(raw, b.at, b.len, MSG_DONTWAIT) == (ssize_t)b.len) {
            sent++;
            blocked = 0;
            if (sent % 500) continue;
        } else {
            blocked++;
        }
        turn();
    }
    ck_assert_uint_lt(sent, MANY); /* it was held */
    for (int idle = 0; idle < 50; idle++) {
        static char bytes[WIRE_BATCH_BYTES];
        ssize_t n;
        while ((n = recv(raw, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
            struct wire_frame f;
            slice d = {bytes, (size_t)n};
            while (wire_next(&d, &f) == WIRE_FRAME) got += f.type == WIRE_REVEALED;
            idle = 0;
        }
        turn();
    }
    ck_assert_uint_eq(got, sent); /* nothing was lost */
    buf_done(&b);
    close(raw);
    tear_down();
}
END_TEST

/* --- configurations --- */

START_TEST(old_and_new_configurations_side_by_side)
{
    set_up();
    raw = add_relay(1);
    struct config *next = fake_config();
    next->route_count = 0;
    ck_assert(!failed(keeper_server_configure(server, next, 2)));
    raw_open(1, 1); /* began before the reload: judged by it */
    raw_open(2, 2);
    raw_open(3, 3); /* nobody has told of this one: a restart came between, it may be asked again */
    turns(5);
    ck_assert_str_eq(raw_read(), "OPENED NONE;OPENED KEEPER_REFUSED;OPENED KEEPER_AWAY;");
    close(raw);
    tear_down();
}
END_TEST

START_TEST(configurations_go_when_nobody_holds_them)
{
    set_up();
    raw = add_relay(1);
    raw_open(1, 1);
    turns(2);
    for (uint32_t g = 2; g < 10; g++) ck_assert(!failed(keeper_server_configure(server, fake_config(), g)));
    ck_assert_uint_eq(fake_configs_alive(), 5); /* the last four, and the one that a dialogue holds */
    raw_reveal(1, "tok_good1");
    turns(3);
    ck_assert_str_eq(raw_read(), "OPENED NONE;REVEALED NONE;");
    close(raw);
    turns(3);
    ck_assert_uint_eq(fake_configs_alive(), 4);
    ck_assert(!failed(keeper_server_configure(server, fake_config(), 8))); /* taken back: known already */
    ck_assert_uint_eq(fake_configs_alive(), 4);
    ck_assert(!failed(keeper_server_configure(server, fake_config(), 10)));
    ck_assert_uint_eq(fake_configs_alive(), 4);
    tear_down();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_a_reveal_says, a_reveal_tells_its_choice, an_api_dialogue_reveals_nothing,
                                  answers_leave_after_the_flush, no_card_leaves_without_its_audit_line,
                                  an_engine_that_answers_later, the_token_api,
                                  a_create_changes_a_card_only_with_the_permission_to, a_bad_card_is_not_stored,
                                  unknown_dialogues_get_nothing, a_slot_opened_again_ends_the_old_dialogue,
                                  a_restarted_relay_replaces_itself, a_relay_that_does_not_read_is_held,
                                  old_and_new_configurations_side_by_side, configurations_go_when_nobody_holds_them};
    TCase *all = tcase_create("server");
    tcase_set_timeout(all, 60);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(all, tests[i]);
    tcase_add_loop_test(all, a_breach_drops_that_relay_only, 0, 6);
    tcase_add_loop_test(all, unknown_tokens_of_the_api_are_counted, 0, 3);
    Suite *s = suite_create("server");
    suite_add_tcase(s, all);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
