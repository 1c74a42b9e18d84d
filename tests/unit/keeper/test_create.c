/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <stdio.h>
#include <string.h>

/* Cards that the API brings, under an alias or not, and what it may do with temporal tokens. */

static const struct alias_form own_id = {.format = ALIAS_UUID}, six_four = {.format = ALIAS_SIX_FOUR};

static struct keeper_dialogue *open_api(const char *key, unsigned permission)
{
    struct keeper_caller c = caller(key, 0);
    c.purpose = KEEPER_FOR_API;
    c.permission = permission;
    struct keeper_dialogue *d = open_dialogue(c);
    turns(4);
    ck_assert_ptr_nonnull(strstr(story, "opened NONE"));
    story[0] = '\0';
    return d;
}

static struct card some_card(void)
{
    struct card c = {.number_len = 16, .month = 12, .year = 2030};
    memcpy(c.number, "4111111111111111", 16);
    return c;
}

static void create(struct keeper_dialogue *d, const struct alias_form *form)
{
    const struct card c = some_card();
    ck_assert_int_eq(keeper_token_create(d, 1, &c, form, false).err, ERR_NONE);
}

START_TEST(a_card_is_stored_under_the_alias_that_is_wanted)
{
    set_up();
    struct keeper_dialogue *d = open_api("cvk_shop", PERMIT_TOKENIZE);
    fake.put_deed = CARD_CREATED;
    create(d, &own_id);
    expect("token 1 NONE tok_new_one 411111******1111 visa 12/2030 new;");
    create(d, &six_four);
    expect("token 1 NONE tok_new_one 411111******1111 visa 12/2030 new as 411111ABCDEF1111;");
    ck_assert_int_eq(fake.wished, ALIAS_SIX_FOUR);
    fake.put_deed = CARD_FOUND;
    fake.falls = true;
    create(d, &(struct alias_form){ALIAS_TEMPLATE, 10, "tok_{uuid}"});
    expect("token 1 NONE tok_new_one 411111******1111 visa 12/2030 as 411111ABCDEF1111 fell;");
    ck_assert_int_eq(fake.wished, ALIAS_TEMPLATE);
    fake.falls_to_own = true; /* it has as many others as it may: no alias, then */
    create(d, &six_four);
    expect("token 1 NONE tok_new_one 411111******1111 visa 12/2030 fell;");
    fake.alias_result = FAIL(ALIAS_ROOM);
    create(d, &six_four);
    expect("token 1 ALIAS_ROOM;");
    fake.alias_result = FAIL(TOKEN_NOT_FOUND); /* deleted meanwhile, which is no guess of the caller's */
    create(d, &six_four);
    expect("token 1 CARD_GONE;");
    ck_assert_str_eq(fake.audited, "token.create shop shop1 tok_new_one  NONE\ntoken.create shop shop1 tok_new_one  NONE\n"
                                   "token.find shop shop1 tok_new_one  NONE\ntoken.find shop shop1 tok_new_one  NONE\n"
                                   "token.create shop shop1 tok_new_one  ALIAS_ROOM\ntoken.create shop shop1 tok_new_one  CARD_GONE\n");
    keeper_end(d);
    tear_down();
}
END_TEST

/* As a stolen relay may send them. */
START_TEST(the_keeper_checks_the_form_itself)
{
    static const struct alias_form bad[] = {
        {ALIAS_TEMPLATE, 0, ""}, {ALIAS_TEMPLATE, 4, "uuid"}, {ALIAS_TEMPLATE, 10, "tmp_{uuid}"}, {ALIAS_TEMPLATE, 9, "a.1{uuid}"}, {ALIAS_TEMPLATE, 22, "4111111111111111{uuid}"},
        {ALIAS_SIX_FOUR, 10, "tok_{uuid}"}, {ALIAS_UUID, 1, "x"},
    };
    set_up();
    struct keeper_dialogue *d = open_api("cvk_shop", PERMIT_TOKENIZE);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        create(d, &bad[i]);
        expect("token 1 CARD_FORMAT;");
        ck_assert_int_eq(keeper_temporal_store(d, 2, SLICE("tmp_none"), &bad[i], false).err, ERR_NONE);
        expect("token 2 CARD_FORMAT;");
    }
    ck_assert_uint_eq(fake.put_card.number_len, 0); /* nothing is stored for one that has no right form */
    keeper_end(d);
    tear_down();
}
END_TEST

/* --- temporal tokens --- */

static char temporal[TOKEN_ID_MAX_BYTES + 1];

static void make_temporal(const char *key)
{
    const struct card c = some_card();
    struct keeper_dialogue *d = open_api(key, PERMIT_TOKENIZE);
    ck_assert(!failed(keeper_temporal_create(d, 3, &c, SLICE("987"), 60)));
    turns(4);
    const char *at = strstr(story, "tmp_");
    ck_assert_ptr_nonnull(at);
    (void)snprintf(temporal, sizeof temporal, "%.40s", at);
    story[0] = '\0';
    keeper_end(d);
}

static void ask(struct keeper_dialogue *d, const char *what, const char *token, const char *wanted)
{
    slice id = slice_of(token);
    result r = *what == 'g' ? keeper_temporal_get(d, 4, id) : *what == 'd' ? keeper_temporal_delete(d, 4, id) : keeper_temporal_store(d, 4, id, &six_four, true);
    ck_assert_int_eq(r.err, ERR_NONE);
    turns(4);
    ck_assert_msg(strstr(story, wanted) != NULL, "%s: %s", what, story);
    story[0] = '\0';
}

static void is_paid_with(const char *wanted)
{
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 0, temporal, TOKEN_TEMPORAL);
    turns(4);
    ck_assert_msg(strstr(story, wanted) != NULL, "%s", story);
    story[0] = '\0';
    keeper_end(d);
}

START_TEST(a_temporal_token_is_looked_at_and_ended)
{
    char line[256];
    set_up();
    make_temporal("cvk_shop");
    struct keeper_dialogue *reader = open_api("cvk_shop", PERMIT_READ), *other = open_api("cvk_other", PERMIT_READ | PERMIT_DELETE | PERMIT_TOKENIZE);
    struct keeper_dialogue *deleter = open_api("cvk_shop", PERMIT_DELETE);
    fake.audited[0] = '\0';
    ask(reader, "get", temporal, " 411111******1111 visa 12/2030;");
    (void)snprintf(line, sizeof line, "temporal.read shop shop1 %s  NONE\n", temporal);
    ck_assert_str_eq(fake.audited, line);
    ask(other, "get", temporal, "token 4 TOKEN_EXPIRED;"); /* another merchant's is like none */
    ask(other, "delete", temporal, "token 4 TOKEN_EXPIRED;");
    ask(other, "store", temporal, "token 4 TOKEN_EXPIRED;");
    ask(reader, "get", "tmp_00000000-0000-4000-8000-000000000000", "token 4 TOKEN_EXPIRED;");
    ask(reader, "get", "tok_good1", "token 4 TOKEN_EXPIRED;");
    ask(reader, "get", "a.b", "token 4 TOKEN_EXPIRED;");
    ask(reader, "delete", temporal, "token 4 KEEPER_REFUSED;"); /* not what the dialogue is for */
    ask(reader, "store", temporal, "token 4 KEEPER_REFUSED;");
    fake.audited[0] = '\0';
    ask(deleter, "delete", temporal, "token 4 NONE tmp_");
    (void)snprintf(line, sizeof line, "temporal.delete shop shop1 %s  NONE\n", temporal);
    ck_assert_str_eq(fake.audited, line);
    ask(deleter, "delete", temporal, "token 4 TOKEN_EXPIRED;");
    is_paid_with("revealed 0 TOKEN_EXPIRED;");
    keeper_end(reader);
    keeper_end(other);
    keeper_end(deleter);
    tear_down();
}
END_TEST

START_TEST(its_card_is_stored_and_it_is_still_paid_with)
{
    set_up();
    make_temporal("cvk_shop");
    struct keeper_dialogue *d = open_api("cvk_shop", PERMIT_TOKENIZE), *payment;
    fake.put_deed = CARD_CREATED;
    fake.audited[0] = '\0';
    ask(d, "store", temporal, "token 4 NONE tok_new_one 411111******1111 visa 12/2030 new as 411111ABCDEF1111;");
    ck_assert_str_eq(fake.audited, "token.create shop shop1 tok_new_one  NONE\n");
    ck_assert(fake.put_options.unique && fake.put_card.number_len == 16);
    ck_assert_int_eq(fake.wished, ALIAS_SIX_FOUR);
    payment = open_dialogue(caller("cvk_shop", 0)); /* which has it until its end */
    reveal(payment, 0, temporal, TOKEN_TEMPORAL);
    expect("opened NONE 1 shop1;revealed 0 NONE 4111111111111111 12/2030  cvc 987;");
    ask(d, "store", temporal, "token 4 TOKEN_EXPIRED;");
    keeper_end_unsent(payment);
    turns(4);
    is_paid_with("revealed 0 NONE 4111111111111111");
    is_paid_with("revealed 0 TOKEN_EXPIRED;");
    keeper_end(d);
    tear_down();
}
END_TEST

RUN_TESTS("create", a_card_is_stored_under_the_alias_that_is_wanted, the_keeper_checks_the_form_itself, a_temporal_token_is_looked_at_and_ended,
          its_card_is_stored_and_it_is_still_paid_with)
