/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/temporal.h"

#include "base/secret.h"
#include "stage.h"

#include <stdio.h>
#include <string.h>

static const slice shop = CONST_SLICE("shop"), other = CONST_SLICE("other");

static struct card some_card(const char *number)
{
    struct card c = {.month = 12, .year = 2030};
    ck_assert(!failed(card_set_number(&c, slice_of(number))));
    ck_assert(!failed(card_set_holder(&c, SLICE("ANNA B"))));
    return c;
}

/* --- the table alone --- */

enum { PLACES = 32 };
static struct temporal_table *table;
static struct temporal_maker maker; /* of all that the tests put */

static void table_set_up(void)
{
    ck_assert(!failed(secret_start(1 << 20)));
    table = temporal_table_new(PLACES);
    ck_assert_ptr_nonnull(table);
}

static void table_tear_down(void)
{
    temporal_release(table, &maker, true);
    ck_assert(LIST_EMPTY(&maker));
    temporal_table_free(table);
}

static enum error put_for(slice merchant, struct temporal_maker *of, struct token_id *id)
{
    const struct card c = some_card("4111111111111111");
    return temporal_put(table, merchant, &c, SLICE("123"), 60, 0, of, id).err;
}

static struct token_id put(uint32_t ttl_s, uint64_t now_ms)
{
    const struct card c = some_card("4111111111111111");
    struct token_id id;
    ck_assert_int_eq(temporal_put(table, shop, &c, SLICE("123"), ttl_s, now_ms, &maker, &id).err, ERR_NONE);
    return id;
}

static enum error reserve(slice merchant, const struct token_id *id, uint64_t now_ms, struct temporal_holder *holder)
{
    const struct temporal_card *card = NULL;
    result r = temporal_reserve(table, merchant, token_id_slice(id), now_ms, holder, &card);
    ck_assert(failed(r) == (card == NULL));
    if (card) ck_assert(slice_is((slice){card->cvc, card->cvc_len}, "123") && card->card.number_len == 16);
    return r.err;
}

START_TEST(a_token_is_used_once)
{
    struct temporal_holder first = {0}, second = {0};
    table_set_up();
    const struct token_id id = put(60, 1000);
    ck_assert_int_eq(reserve(other, &id, 1000, &first), ERR_TOKEN_EXPIRED);
    ck_assert_int_eq(reserve(shop, &id, 1000, &first), ERR_NONE);
    ck_assert_int_eq(reserve(shop, &id, 1000, &second), ERR_TOKEN_EXPIRED);
    ck_assert_int_eq(reserve(shop, &id, 1000, &first), ERR_NONE); /* the same authorisation, tried again with the number */
    temporal_settle(table, &second, true); /* holds nothing, so settles nothing */
    ck_assert(temporal_is_known(table, shop, token_id_slice(&id), 1000));
    temporal_settle(table, &first, false);
    ck_assert_int_eq(reserve(shop, &id, 1000, &second), ERR_NONE);
    temporal_settle(table, &second, true);
    ck_assert(!temporal_is_known(table, shop, token_id_slice(&id), 1000));
    ck_assert_int_eq(reserve(shop, &id, 1000, &first), ERR_TOKEN_EXPIRED);
    ck_assert(LIST_EMPTY(&first) && LIST_EMPTY(&second));
    table_tear_down();
}
END_TEST

START_TEST(time_ends_it_in_any_state)
{
    struct temporal_holder holder = {0};
    table_set_up();
    const struct token_id waits = put(2, 1000), held = put(2, 1000), lasts = put(TEMPORAL_TTL_MAX_S, 1000);
    ck_assert_int_eq(reserve(shop, &held, 2999, &holder), ERR_NONE);
    ck_assert(temporal_is_known(table, shop, token_id_slice(&waits), 2999));
    ck_assert(!temporal_is_known(table, shop, token_id_slice(&waits), 3000));
    ck_assert_int_eq(reserve(shop, &waits, 3000, &holder), ERR_TOKEN_EXPIRED);
    temporal_expire(table, 3000);
    ck_assert(LIST_EMPTY(&holder));
    ck_assert(!temporal_is_known(table, shop, token_id_slice(&held), 2999)); /* gone, not only late */
    ck_assert(temporal_is_known(table, shop, token_id_slice(&lasts), 28800 * 1000 + 999));
    ck_assert(!temporal_is_known(table, shop, token_id_slice(&lasts), 28800 * 1000 + 1000));
    temporal_settle(table, &holder, false);
    table_tear_down();
}
END_TEST

/* A card that is used up leaves nothing behind: the place was wiped, and the next token finds it so. */
START_TEST(what_is_used_is_wiped)
{
    static const struct temporal_card nothing;
    struct temporal_holder holder = {0};
    const struct temporal_card *card = NULL;
    table_set_up();
    const struct token_id used = put(60, 0), late = put(1, 0);
    ck_assert(!failed(temporal_reserve(table, shop, token_id_slice(&used), 0, &holder, &card)));
    temporal_settle(table, &holder, true);
    ck_assert_mem_eq(card, &nothing, sizeof nothing);
    ck_assert(!failed(temporal_reserve(table, shop, token_id_slice(&late), 0, &holder, &card)));
    temporal_expire(table, 1000);
    ck_assert_mem_eq(card, &nothing, sizeof nothing);
    table_tear_down();
}
END_TEST

/* However much one takes, as much is left for the others: each next one may have half of it. */
START_TEST(nobody_fills_it_for_the_others)
{
    static const struct {
        slice name;
        unsigned room;
    } merchants[] = {{CONST_SLICE("shop"), 16}, {CONST_SLICE("other"), 8}, {CONST_SLICE("third"), 4}, {CONST_SLICE("fourth"), 2},
                     {CONST_SLICE("fifth"), 1}, {CONST_SLICE("sixth"), 1}, {CONST_SLICE("seventh"), 0}};
    struct temporal_holder holder = {0};
    struct token_id id, one = {0};
    table_set_up();
    for (size_t m = 0; m < sizeof merchants / sizeof *merchants; m++) {
        for (unsigned i = 0; i < merchants[m].room; i++) ck_assert_int_eq(put_for(merchants[m].name, &maker, m ? &id : &one), ERR_NONE);
        for (unsigned i = 0; i < 3; i++) ck_assert_int_eq(put_for(merchants[m].name, &maker, &id), ERR_TEMPORAL_FULL);
    }
    ck_assert_int_eq(reserve(shop, &one, 0, &holder), ERR_NONE);
    temporal_settle(table, &holder, true); /* one is paid with: a place for those that have none, not for the one with 15 */
    ck_assert_int_eq(put_for(shop, &maker, &id), ERR_TEMPORAL_FULL);
    ck_assert_int_eq(put_for(SLICE("seventh"), &maker, &id), ERR_NONE);
    temporal_expire(table, 60000);
    for (unsigned i = 0; i < PLACES / 2; i++) ck_assert_int_eq(put_for(other, &maker, &id), ERR_NONE);
    ck_assert_int_eq(put_for(other, &maker, &id), ERR_TEMPORAL_FULL);
    table_tear_down();
}
END_TEST

/* Whatever became of it before its maker's end: free, reserved, used, over. */
START_TEST(what_nobody_was_told_of_is_dropped)
{
    struct temporal_maker told = {0}, untold = {0};
    struct temporal_holder holder = {0};
    struct token_id stays, waits, held, used;
    const struct temporal_card *card = NULL;
    static const struct temporal_card nothing;
    table_set_up();
    (void)put(60, 0); /* of another dialogue */
    ck_assert(!put_for(shop, &told, &stays) && !put_for(shop, &untold, &waits) && !put_for(shop, &untold, &held) && !put_for(shop, &untold, &used));
    ck_assert_int_eq(reserve(shop, &used, 0, &holder), ERR_NONE);
    temporal_settle(table, &holder, true);
    ck_assert_int_eq(reserve(shop, &waits, 0, &holder), ERR_NONE);
    temporal_settle(table, &holder, false);
    ck_assert(!failed(temporal_reserve(table, shop, token_id_slice(&held), 0, &holder, &card)));
    temporal_release(table, &told, true);
    temporal_release(table, &untold, false);
    ck_assert(LIST_EMPTY(&told) && LIST_EMPTY(&untold) && LIST_EMPTY(&holder));
    ck_assert_mem_eq(card, &nothing, sizeof nothing);
    ck_assert(temporal_is_known(table, shop, token_id_slice(&stays), 0) && !temporal_is_known(table, shop, token_id_slice(&waits), 0));
    for (unsigned i = 2; i < PLACES / 2; i++) (void)put(60, 0); /* each of the three gave its place back, once */
    ck_assert_int_eq(put_for(shop, &maker, &waits), ERR_TEMPORAL_FULL);
    table_tear_down();
}
END_TEST

/* --- between relay and keeper --- */

static char token[TOKEN_ID_MAX_BYTES + 1];

static struct keeper_dialogue *open_api(const char *key)
{
    struct keeper_caller c = caller(key, 0);
    c.purpose = KEEPER_FOR_API;
    c.permission = PERMIT_TOKENIZE;
    return open_dialogue(c);
}

static result ask_create(struct keeper_dialogue *d, const char *cvc, uint32_t ttl_s)
{
    const struct card c = some_card("4111111111111111");
    return keeper_temporal_create(d, 3, &c, slice_of(cvc), ttl_s);
}

/* One of shop's; its id goes into <token>. */
static void make_token(void)
{
    struct keeper_dialogue *d = open_api("cvk_shop");
    ck_assert(!failed(ask_create(d, "987", 60)));
    turns(4);
    const char *at = strstr(story, "tmp_");
    ck_assert_ptr_nonnull(at);
    (void)snprintf(token, sizeof token, "%.40s", at);
    char told[256];
    (void)snprintf(told, sizeof told, "opened NONE 1 shop1;token 3 NONE %s 411111******1111 visa 12/2030 new;", token);
    expect(told);
    keeper_end(d);
}

START_TEST(made_and_revealed_with_its_cvc)
{
    set_up();
    make_token();
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 0, token, TOKEN_TEMPORAL);
    expect("opened NONE 1 shop1;revealed 0 NONE 4111111111111111 12/2030 ANNA B cvc 987;");
    keeper_end(d);
    char line[256];
    (void)snprintf(line, sizeof line, "temporal.create shop shop1 %s  NONE\nreveal shop shop1 %s rede NONE\n", token, token);
    ck_assert_str_eq(fake.audited, line);
    tear_down();
}
END_TEST

START_TEST(each_kind_where_it_belongs)
{
    set_up();
    make_token();
    struct keeper_caller theirs = caller("cvk_other", 0);
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 0, token, TOKEN_PERMANENT);
    reveal(d, 1, "tok_good1", TOKEN_TEMPORAL);
    reveal(d, 2, "tmp_00000000-0000-4000-8000-000000000000", TOKEN_PERMANENT);
    reveal(d, 3, "tmp_00000000-0000-4000-8000-000000000000", TOKEN_TEMPORAL);
    expect("opened NONE 1 shop1;revealed 0 TOKEN_WRONG_KIND;revealed 1 TOKEN_WRONG_KIND;revealed 2 TOKEN_UNKNOWN;"
           "revealed 3 TOKEN_EXPIRED;");
    keeper_end(d);
    theirs.route = 1; /* to another merchant it is like one that never was */
    d = open_dialogue(theirs);
    reveal(d, 0, token, TOKEN_TEMPORAL);
    reveal(d, 1, token, TOKEN_PERMANENT);
    expect("opened NONE 0 other1;revealed 0 TOKEN_EXPIRED;revealed 1 TOKEN_UNKNOWN;");
    keeper_end(d);
    tear_down();
}
END_TEST

/* <how> a dialogue that has the token ends; then another one asks. */
static void then_ask_again(void (*how)(struct keeper_dialogue *d), const char *answer)
{
    set_up();
    make_token();
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0)), *late;
    reveal(d, 0, token, TOKEN_TEMPORAL);
    expect("opened NONE 1 shop1;revealed 0 NONE 4111111111111111 12/2030 ANNA B cvc 987;");
    late = open_dialogue(caller("cvk_shop", 0));
    reveal(late, 0, token, TOKEN_TEMPORAL);
    expect("opened NONE 1 shop1;revealed 0 TOKEN_EXPIRED;"); /* at the same time */
    keeper_end_unsent(late);
    how(d);
    turns(4);
    late = open_dialogue(caller("cvk_shop", 0));
    reveal(late, 0, token, TOKEN_TEMPORAL);
    turns(4);
    ck_assert_ptr_nonnull(strstr(story, answer));
    keeper_end(late);
    tear_down();
}

static void lose_relay(struct keeper_dialogue *d)
{
    keeper_client_replace(client, add_relay(0)); /* the relay was restarted */
    keeper_end_unsent(d);
}

START_TEST(used_when_something_may_have_left)
{
    then_ask_again(keeper_end, "revealed 0 TOKEN_EXPIRED;");
}
END_TEST

START_TEST(free_again_when_nothing_has_left)
{
    then_ask_again(keeper_end_unsent, "revealed 0 NONE 4111111111111111 12/2030 ANNA B cvc 987;");
}
END_TEST

START_TEST(used_when_the_relay_is_lost)
{
    then_ask_again(lose_relay, "revealed 0 TOKEN_EXPIRED;");
}
END_TEST

/* No other question is needed to carry the END: nobody may come for a long time. */
START_TEST(the_end_is_told_at_once)
{
    static void (*const how[])(struct keeper_dialogue *) = {keeper_end, keeper_end_unsent};
    set_up();
    make_token();
    for (int i = 1; i >= 0; i--) {
        struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
        reveal(d, 0, token, TOKEN_TEMPORAL);
        expect("opened NONE 1 shop1;revealed 0 NONE 4111111111111111 12/2030 ANNA B cvc 987;");
        ck_assert_uint_eq(keeper_server_dialogues(server), 1);
        how[i](d);
        turns(4);
        ck_assert_uint_eq(keeper_server_dialogues(server), 0);
    }
    tear_down();
}
END_TEST

START_TEST(nothing_is_revealed_without_its_audit_line)
{
    set_up();
    make_token();
    fake.audit_breaks = true;
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 0, token, TOKEN_TEMPORAL);
    expect("opened NONE 1 shop1;revealed 0 VAULT_AUDIT;");
    keeper_end_unsent(d);
    fake.audit_breaks = fake.audit_is_failing = false;
    d = open_dialogue(caller("cvk_shop", 0));
    reveal(d, 0, token, TOKEN_TEMPORAL);
    expect("opened NONE 1 shop1;revealed 0 NONE 4111111111111111 12/2030 ANNA B cvc 987;");
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(a_merchant_s_share)
{
    set_up();
    struct keeper_dialogue *d = open_api("cvk_shop"), *theirs = open_api("cvk_other");
    turns(4);
    for (int i = 0; i < FAKE_TEMPORAL_TOKENS / 2; i++) {
        ck_assert(!failed(ask_create(d, "123", 60)));
        turns(4);
        ck_assert_ptr_nonnull(strstr(story, "token 3 NONE tmp_"));
        story[0] = '\0';
    }
    ck_assert(!failed(ask_create(d, "123", 60)));
    expect("token 3 TEMPORAL_FULL;");
    ck_assert(!failed(ask_create(theirs, "123", 60)));
    turns(4);
    ck_assert_ptr_nonnull(strstr(story, "token 3 NONE tmp_"));
    keeper_end(d);
    keeper_end(theirs);
    tear_down();
}
END_TEST

/* POST /v1/transactions whose caller went before he was answered; the END needs no other question to carry it. */
START_TEST(made_for_nobody)
{
    static void (*const how[])(struct keeper_dialogue *) = {keeper_end_untold, keeper_end_unsent, keeper_end};
    set_up();
    for (size_t i = 0; i < 3; i++) {
        struct keeper_dialogue *d = open_api("cvk_shop");
        ck_assert(!failed(ask_create(d, "987", 60)));
        turns(4);
        ck_assert_int_eq(sscanf(strstr(story, "tmp_"), "%40s", token), 1);
        how[i](d);
        turns(4);
        story[0] = '\0';
        d = open_dialogue(caller("cvk_shop", 0));
        reveal(d, 0, token, TOKEN_TEMPORAL);
        turns(4);
        ck_assert_ptr_nonnull(strstr(story, i < 2 ? "revealed 0 TOKEN_EXPIRED" : "revealed 0 NONE 4111"));
        keeper_end(d);
    }
    tear_down();
}
END_TEST

/* A relay checks what it sends; a stolen one may not. */
START_TEST(bad_ones_are_not_made)
{
    set_up();
    struct keeper_dialogue *d = open_api("cvk_shop"), *reader = open_api("cvk_read");
    ck_assert(!failed(ask_create(d, "12", 60)));
    ck_assert(!failed(ask_create(d, "12a", 60)));
    ck_assert(!failed(ask_create(d, "123", 0)));
    ck_assert(!failed(ask_create(d, "123", TEMPORAL_TTL_MAX_S + 1)));
    ck_assert(!failed(ask_create(reader, "123", 60)));
    expect("opened NONE 1 shop1;opened KEY_PERMISSION 0 read1;token 3 CARD_CVC;token 3 CARD_CVC;token 3 TEMPORAL_TTL;"
           "token 3 TEMPORAL_TTL;token 3 KEY_PERMISSION;");
    keeper_end(d);
    keeper_end(reader);
    tear_down();
}
END_TEST

RUN_TESTS("temporal", a_token_is_used_once, time_ends_it_in_any_state, what_is_used_is_wiped,
          nobody_fills_it_for_the_others, what_nobody_was_told_of_is_dropped, a_merchant_s_share, made_for_nobody, made_and_revealed_with_its_cvc, each_kind_where_it_belongs, used_when_something_may_have_left,
          free_again_when_nothing_has_left, used_when_the_relay_is_lost, the_end_is_told_at_once,
          nothing_is_revealed_without_its_audit_line, bad_ones_are_not_made)
