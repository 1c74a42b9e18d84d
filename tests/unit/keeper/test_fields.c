/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/field_sessions.h"

#include "stage.h"

#include <string.h>

static const slice shop = CONST_SLICE("shop"), origin = CONST_SLICE("https://shop.example");

/* --- the table alone --- */

static void put(struct field_sessions *s, uint32_t ttl_s, uint64_t now, char id[FIELD_SESSION_ID_BYTES])
{
    ck_assert_int_eq(field_sessions_put(s, shop, origin, FIELD_BOTH, ttl_s, now, id).err, ERR_NONE);
}

START_TEST(a_session_lasts_its_time_and_its_uses)
{
    struct field_sessions *s = field_sessions_new();
    struct field_session found;
    char one[FIELD_SESSION_ID_BYTES], two[FIELD_SESSION_ID_BYTES];
    const slice id = {one, sizeof one}, other = {two, sizeof two};
    put(s, 60, 1000, one);
    put(s, 60, 1000, two);
    ck_assert(memcmp(one, two, sizeof one) != 0 && memcmp(one, "fs_", 3) == 0 && slice_is_word(id));
    ck_assert_int_eq(field_sessions_find(s, id, 60999, &found).err, ERR_NONE);
    ck_assert(slice_is(found.merchant, "shop") && slice_eq(found.origin, origin) && found.kind == FIELD_BOTH && found.expires_ms == 61000);
    ck_assert_int_eq(field_sessions_find(s, id, 61000, &found).err, ERR_FIELD_SESSION);
    for (unsigned i = 0; i < FIELD_SESSION_USES; i++) ck_assert_int_eq(field_sessions_use(s, id, 1000).err, ERR_NONE);
    ck_assert_int_eq(field_sessions_use(s, id, 1000).err, ERR_FIELD_SESSION);
    ck_assert_int_eq(field_sessions_find(s, id, 1000, &found).err, ERR_FIELD_SESSION);
    ck_assert_int_eq(field_sessions_find(s, slice_range(other, 0, 34), 1000, &found).err, ERR_FIELD_SESSION);
    field_sessions_expire(s, 1000); /* the used one goes, the other stays */
    ck_assert_int_eq(field_sessions_find(s, other, 1000, &found).err, ERR_NONE);
    field_sessions_expire(s, 61000);
    ck_assert_int_eq(field_sessions_find(s, other, 1000, &found).err, ERR_FIELD_SESSION);
    field_sessions_free(s);
}
END_TEST

/* And one merchant's flood leaves room for the others. */
START_TEST(the_table_is_bounded)
{
    struct field_sessions *s = field_sessions_new();
    char id[FIELD_SESSION_ID_BYTES];
    for (unsigned i = 0; i < FIELD_SESSIONS_MAX / 2; i++) put(s, 60, 0, id);
    ck_assert_int_eq(field_sessions_put(s, shop, origin, FIELD_TOKEN, 60, 0, id).err, ERR_FIELD_SESSIONS_FULL);
    for (unsigned i = 0; i < FIELD_SESSIONS_MAX / 4; i++)
        ck_assert_int_eq(field_sessions_put(s, SLICE("other"), origin, FIELD_TOKEN, 60, 0, id).err, ERR_NONE);
    ck_assert_int_eq(field_sessions_put(s, SLICE("other"), origin, FIELD_TOKEN, 60, 0, id).err, ERR_FIELD_SESSIONS_FULL);
    field_sessions_expire(s, 60000);
    put(s, 60, 60000, id);
    field_sessions_free(s);
}
END_TEST

/* --- through the wire --- */

static struct keeper_dialogue *open_by(const char *key, enum keeper_purpose purpose, unsigned permission)
{
    struct keeper_caller c = caller(key, 0);
    c.purpose = purpose;
    c.permission = permission;
    return open_dialogue(c);
}

static void open_session(enum field_kind kind)
{
    struct keeper_dialogue *d = open_by("cvk_shop", KEEPER_FOR_API, PERMIT_TOKENIZE);
    ck_assert_int_eq(keeper_fields_open(d, 0, origin, kind, 60).err, ERR_NONE);
    ck_assert_ptr_nonnull(wait_for("fields 0 NONE https://shop.example"));
    keeper_end(d);
    turns(2);
    story[0] = '\0';
}

static void ask_for_card(struct keeper_dialogue *d, uint32_t index, bool temporal)
{
    struct card c = {.month = 12, .year = 2030};
    ck_assert(!failed(card_set_number(&c, SLICE("4111111111111111"))));
    result r = temporal ? keeper_temporal_create(d, index, &c, SLICE("123"), 60) : keeper_token_create(d, index, &c, &(struct alias_form){ALIAS_UUID}, false);
    ck_assert_int_eq(r.err, ERR_NONE);
}

START_TEST(a_session_makes_what_it_is_for_and_nothing_else)
{
    set_up();
    open_session(FIELD_TOKEN);
    struct keeper_dialogue *d = open_by(field_session, KEEPER_FOR_FIELDS, PERMIT_TOKENIZE);
    ck_assert_int_eq(keeper_fields_get(d, 0).err, ERR_NONE);
    ask_for_card(d, 1, true);
    ask_for_card(d, 2, false);
    ck_assert_int_eq(keeper_token_get(d, 3, SLICE("tok_shop1")).err, ERR_NONE);
    ck_assert_int_eq(keeper_fields_open(d, 4, origin, FIELD_TOKEN, 60).err, ERR_NONE);
    turns(8);
    ck_assert_msg(strstr(story, "fields 0 NONE https://shop.example 0 ") != NULL, "%s", story);
    ck_assert_msg(strstr(story, "token 1 FIELD_SESSION_KIND;") != NULL, "%s", story);
    ck_assert_msg(strstr(story, "token 2 NONE ") != NULL, "%s", story);
    ck_assert_msg(strstr(story, "token 3 KEEPER_REFUSED;") != NULL, "%s", story);
    ck_assert_msg(strstr(story, "fields 4 KEEPER_REFUSED;") != NULL, "%s", story);
    ck_assert_ptr_nonnull(strstr(fake.audited, "fields.open shop"));
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(a_session_takes_a_few_cards)
{
    set_up();
    open_session(FIELD_BOTH);
    for (unsigned i = 0; i < FIELD_SESSION_USES; i++) {
        struct keeper_dialogue *d = open_by(field_session, KEEPER_FOR_FIELDS, PERMIT_TOKENIZE);
        ask_for_card(d, 1, false);
        ask_for_card(d, 2, true); /* the same card: one use */
        ck_assert_ptr_nonnull(wait_for("token 2 NONE"));
        keeper_end(d);
        story[0] = '\0';
    }
    struct keeper_dialogue *d = open_by(field_session, KEEPER_FOR_FIELDS, PERMIT_TOKENIZE);
    ck_assert_ptr_nonnull(wait_for("FIELD_SESSION"));
    keeper_end(d);
    tear_down();
}
END_TEST

START_TEST(who_has_no_session_is_nobody)
{
    set_up();
    open_session(FIELD_TOKEN);
    static const char *const wrong[] = {"", "cvk_shop", "fs_00000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct keeper_dialogue *d = open_by(wrong[i], KEEPER_FOR_FIELDS, PERMIT_TOKENIZE);
        ck_assert_ptr_nonnull(wait_for("opened FIELD_SESSION"));
        keeper_end(d);
        story[0] = '\0';
    }
    struct keeper_dialogue *d = open_by(field_session, KEEPER_FOR_API, PERMIT_TOKENIZE); /* a session is no API key */
    ck_assert_ptr_nonnull(wait_for("opened KEY_WRONG"));
    keeper_end(d);
    d = open_by(field_session, KEEPER_FOR_FIELDS, PERMIT_READ);
    ck_assert_ptr_nonnull(wait_for("opened KEEPER_REFUSED"));
    keeper_end(d);
    d = open_by("cvk_shop", KEEPER_FOR_API, PERMIT_TOKENIZE); /* and what it is for is not told to others */
    ck_assert_int_eq(keeper_fields_get(d, 0).err, ERR_NONE);
    ck_assert_ptr_nonnull(wait_for("fields 0 KEEPER_REFUSED"));
    keeper_end(d);
    tear_down();
}
END_TEST

RUN_TESTS("fields", a_session_lasts_its_time_and_its_uses, the_table_is_bounded, a_session_makes_what_it_is_for_and_nothing_else,
          a_session_takes_a_few_cards, who_has_no_session_is_nobody)
