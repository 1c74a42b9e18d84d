/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_fixture.h"

#include "vault/network.h"

#include <check.h>
#include <string.h>

static struct fixture f;

static void setup(void)
{
    fixture_make(&f);
    fixture_open(&f);
}

static void teardown(void)
{
    fixture_remove(&f);
}

static void expect_err(result r, enum error e)
{
    ck_assert_msg(r.err == e, "%s, expected %s", error_name(r.err), error_name(e));
}

START_TEST(a_card_comes_back_as_it_went_in)
{
    struct card c = test_card("4111111111111111", "12/30", "Zoë Müller");
    struct answer made = put_card(f.v, shop, &c, false);
    expect_err(made.r, ERR_NONE);
    ck_assert(made.created);
    ck_assert_str_eq(made.info.mask.number, "411111******1111");
    ck_assert_str_eq(made.info.mask.brand, "visa");
    ck_assert_uint_eq(made.info.token.len, 36);
    ck_assert(made.info.has_holder && made.info.state == CARD_ACTIVE && made.info.created_ms > 0);
    fixture_close(&f);
    fixture_open(&f);
    struct answer got = get_card(f.v, shop, token_id_slice(&made.info.token));
    expect_err(got.r, ERR_NONE);
    ck_assert_mem_eq(&got.card, &c, sizeof c);
    ck_assert_int_eq(got.info.month, 12);
    ck_assert_int_eq(got.info.year, 2030);
}
END_TEST

START_TEST(a_put_is_answered_only_after_the_commit)
{
    struct answer a = {0};
    struct card c = test_card("4111111111111111", "12/30", "");
    vault_card_put(f.v, shop, &c, (struct card_put_options){0}, on_info, &a);
    ck_assert_uint_eq(a.calls, 0);
    vault_flush(f.v);
    ck_assert_uint_eq(a.calls, 1);
    expect_err(a.r, ERR_NONE);
}
END_TEST

START_TEST(one_pan_of_one_merchant_has_one_token)
{
    struct card c = test_card("5555555555554444", "12/30", "A");
    struct answer first = put_card(f.v, shop, &c, false), again = put_card(f.v, shop, &c, false);
    ck_assert(first.created && !again.created);
    ck_assert(slice_eq(token_id_slice(&first.info.token), token_id_slice(&again.info.token)));
    struct card newer = test_card("5555555555554444", "01/33", "B");
    struct answer updated = put_card(f.v, shop, &newer, false);
    ck_assert(!updated.created && slice_eq(token_id_slice(&first.info.token), token_id_slice(&updated.info.token)));
    struct answer got = get_card(f.v, shop, token_id_slice(&first.info.token));
    ck_assert_int_eq(got.card.year, 2033);
    ck_assert_int_eq(got.card.holder[0], 'B');
    struct answer other = put_card(f.v, SLICE("cafe"), &c, false), unique = put_card(f.v, shop, &c, true);
    ck_assert(other.created && unique.created);
    ck_assert(!slice_eq(token_id_slice(&first.info.token), token_id_slice(&other.info.token)));
    ck_assert(!slice_eq(token_id_slice(&first.info.token), token_id_slice(&unique.info.token)));
}
END_TEST

START_TEST(a_put_without_the_permission_to_change_leaves_a_card_as_it_is)
{
    struct card c = test_card("4111111111111111", "12/30", "A"), other = test_card("4111111111111111", "01/33", "B");
    struct answer made = put_card(f.v, shop, &c, false), again = {0};
    vault_card_put(f.v, shop, &other, (struct card_put_options){0}, on_info, &again);
    vault_flush(f.v);
    ck_assert_uint_eq(again.calls, 1);
    expect_err(again.r, ERR_NONE);
    ck_assert_int_eq(again.deed, CARD_FOUND);
    ck_assert_int_eq(again.info.year, 2030);
    struct answer got = get_card(f.v, shop, token_id_slice(&made.info.token));
    ck_assert_mem_eq(&got.card, &c, sizeof c);
    ck_assert_int_eq(put_card(f.v, shop, &other, false).deed, CARD_CHANGED);
    ck_assert_int_eq(put_card(f.v, shop, &other, false).deed, CARD_FOUND);
}
END_TEST

START_TEST(a_later_expiry_never_gives_way_to_an_earlier_one)
{
    static const struct {
        const char *given, *kept;
        enum card_deed deed;
    } steps[] = {{"11/30", "12/30", CARD_FOUND}, {"12/29", "12/30", CARD_FOUND}, {"01/31", "01/31", CARD_CHANGED}, {"02/31", "02/31", CARD_CHANGED},
                 {"12/30", "02/31", CARD_FOUND}};
    struct card c = test_card("4111111111111111", "12/30", "A");
    struct answer made = put_card(f.v, shop, &c, false);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct card given = test_card("4111111111111111", steps[i].given, "A"), kept = test_card("4111111111111111", steps[i].kept, "A");
        ck_assert_int_eq(put_card(f.v, shop, &given, false).deed, steps[i].deed);
        struct answer got = get_card(f.v, shop, token_id_slice(&made.info.token));
        ck_assert_mem_eq(&got.card, &kept, sizeof kept);
    }
}
END_TEST

START_TEST(the_same_pan_many_times_in_one_turn_has_one_token)
{
    struct answer a[50] = {0};
    struct card c = test_card("4111111111111111", "12/30", "");
    for (size_t i = 0; i < 50; i++) vault_card_put(f.v, shop, &c, (struct card_put_options){0}, on_info, &a[i]);
    vault_flush(f.v);
    unsigned created = 0;
    for (size_t i = 0; i < 50; i++) {
        ck_assert_uint_eq(a[i].calls, 1);
        expect_err(a[i].r, ERR_NONE);
        ck_assert(slice_eq(token_id_slice(&a[0].info.token), token_id_slice(&a[i].info.token)));
        created += a[i].created;
    }
    ck_assert_uint_eq(created, 1);
}
END_TEST

START_TEST(a_token_of_another_merchant_is_not_found)
{
    struct card c = test_card("4111111111111111", "12/30", "");
    struct answer made = put_card(f.v, shop, &c, false);
    expect_err(get_card(f.v, SLICE("cafe"), token_id_slice(&made.info.token)).r, ERR_TOKEN_NOT_FOUND);
    expect_err(delete_card(f.v, SLICE("cafe"), token_id_slice(&made.info.token)).r, ERR_TOKEN_NOT_FOUND);
    expect_err(get_card(f.v, shop, SLICE("no-such-token")).r, ERR_TOKEN_NOT_FOUND);
    expect_err(get_card(f.v, shop, SLICE("bad token")).r, ERR_TOKEN_NOT_FOUND);
    expect_err(get_card(f.v, shop, token_id_slice(&made.info.token)).r, ERR_NONE);
}
END_TEST

START_TEST(a_deleted_card_is_gone_from_store_and_index)
{
    struct card c = test_card("4111111111111111", "12/30", "");
    struct answer made = put_card(f.v, shop, &c, false);
    expect_err(delete_card(f.v, shop, token_id_slice(&made.info.token)).r, ERR_NONE);
    expect_err(get_card(f.v, shop, token_id_slice(&made.info.token)).r, ERR_TOKEN_NOT_FOUND);
    expect_err(delete_card(f.v, shop, token_id_slice(&made.info.token)).r, ERR_TOKEN_NOT_FOUND);
    struct answer again = put_card(f.v, shop, &c, false);
    ck_assert(again.created);
    ck_assert(!slice_eq(token_id_slice(&made.info.token), token_id_slice(&again.info.token)));
}
END_TEST

START_TEST(deleting_a_unique_card_leaves_the_other_one_indexed)
{
    struct card c = test_card("4111111111111111", "12/30", "");
    struct answer shared = put_card(f.v, shop, &c, false), unique = put_card(f.v, shop, &c, true);
    expect_err(delete_card(f.v, shop, token_id_slice(&unique.info.token)).r, ERR_NONE);
    struct answer again = put_card(f.v, shop, &c, false);
    ck_assert(!again.created && slice_eq(token_id_slice(&shared.info.token), token_id_slice(&again.info.token)));
}
END_TEST

static void make_it_active(void *owner, struct network_record *record, struct network_change *change)
{
    (void)owner;
    *record = (struct network_record){.state = NETWORK_ACTIVE, .network = "tms", .ref = {7, "TOKEN-1"}, .month = 12, .year = 2031};
    change->write = true;
}

static void on_active(void *owner, result r, const struct network_record *record)
{
    (void)owner;
    (void)record;
    expect_err(r, ERR_NONE);
}

static void make_active(slice token)
{
    vault_network_alter(f.v, shop, token, make_it_active, on_active, NULL);
    vault_flush(f.v);
}

START_TEST(a_removed_pan_leaves_the_mask_only)
{
    struct card c = test_card("4111111111111111", "12/30", "A");
    struct card_change remove = {.remove_pan = true}, expiry = {.set_expiry = true, .month = 1, .year = 2031};
    struct answer made = put_card(f.v, shop, &c, false);
    slice token = token_id_slice(&made.info.token);
    make_active(token);
    struct answer gone = change_card(f.v, shop, token, &remove);
    expect_err(gone.r, ERR_NONE);
    ck_assert_int_eq(gone.info.state, CARD_PAN_REMOVED);
    struct answer got = get_card(f.v, shop, token);
    expect_err(got.r, ERR_NONE);
    ck_assert_uint_eq(got.card.number_len, 0);
    ck_assert_str_eq(got.info.mask.number, "411111******1111");
    ck_assert_str_eq(got.info.mask.brand, "visa");
    expect_err(change_card(f.v, shop, token, &expiry).r, ERR_NONE);
    got = get_card(f.v, shop, token);
    ck_assert_int_eq(got.info.year, 2031);
    ck_assert_str_eq(got.info.mask.number, "411111******1111");
    expect_err(change_card(f.v, shop, token, &remove).r, ERR_NONE);
    struct answer again = put_card(f.v, shop, &c, false);
    ck_assert(again.created && !slice_eq(token, token_id_slice(&again.info.token)));
    expect_err(delete_card(f.v, shop, token).r, ERR_NONE);
    ck_assert(!put_card(f.v, shop, &c, false).created);
}
END_TEST

START_TEST(changes_set_expiry_and_holder)
{
    struct card c = test_card("4111111111111111", "12/30", "A");
    struct card_change change = {.set_expiry = true, .set_holder = true, .month = 2, .year = 2040, .holder_len = 3, .holder = "Bob"};
    struct answer made = put_card(f.v, shop, &c, false);
    expect_err(change_card(f.v, shop, token_id_slice(&made.info.token), &change).r, ERR_NONE);
    struct answer got = get_card(f.v, shop, token_id_slice(&made.info.token));
    ck_assert_int_eq(got.card.month, 2);
    ck_assert_int_eq(got.card.year, 2040);
    ck_assert(slice_is((slice){got.card.holder, got.card.holder_len}, "Bob"));
    expect_err(change_card(f.v, shop, SLICE("no-such-token"), &change).r, ERR_TOKEN_NOT_FOUND);
}
END_TEST

/* Two changes queued in one turn: the second was read before the first was written, conflicts, and is made again on top. */
START_TEST(two_changes_of_one_card_in_one_turn_both_happen)
{
    struct card c = test_card("4111111111111111", "12/30", "A");
    struct card_change expiry = {.set_expiry = true, .month = 2, .year = 2040}, holder = {.set_holder = true, .holder_len = 1, .holder = "B"};
    struct answer made = put_card(f.v, shop, &c, false), one = {0}, two = {0};
    slice token = token_id_slice(&made.info.token);
    vault_card_change(f.v, shop, token, &expiry, on_info, &one);
    vault_card_change(f.v, shop, token, &holder, on_info, &two);
    vault_flush(f.v);
    ck_assert_uint_eq(one.calls + two.calls, 2);
    expect_err(one.r, ERR_NONE);
    expect_err(two.r, ERR_NONE);
    struct answer got = get_card(f.v, shop, token);
    ck_assert(got.card.year == 2040 && got.card.holder[0] == 'B');
}
END_TEST

static void get_within(void *owner, result r, const struct card *card, const struct card_info *info)
{
    struct answer *a = owner;
    struct card before = *card;
    expect_err(r, ERR_NONE);
    struct answer inner = get_card(f.v, shop, token_id_slice(&a->info.token));
    expect_err(inner.r, ERR_NONE);
    ck_assert_mem_eq(&before, card, sizeof before);
    ck_assert_mem_eq(inner.card.number, "5555", 4);
    a->calls++;
    (void)info;
}

START_TEST(a_get_within_the_answer_of_a_get_leaves_the_outer_card_whole)
{
    struct card c = test_card("4111111111111111", "12/30", "A"), d = test_card("5555555555554444", "12/30", "A");
    struct answer one = put_card(f.v, shop, &c, false), two = put_card(f.v, shop, &d, false);
    two.calls = 0;
    vault_card_get(f.v, shop, token_id_slice(&one.info.token), get_within, &two);
    ck_assert_uint_eq(two.calls, 1);
}
END_TEST

START_TEST(closing_answers_what_is_queued)
{
    struct answer a = {0};
    struct card c = test_card("4111111111111111", "12/30", "");
    vault_card_put(f.v, shop, &c, (struct card_put_options){0}, on_info, &a);
    fixture_close(&f);
    ck_assert_uint_eq(a.calls, 1);
    expect_err(a.r, ERR_NONE);
    fixture_open(&f);
    expect_err(get_card(f.v, shop, token_id_slice(&a.info.token)).r, ERR_NONE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cards");
    TCase *t = tcase_create("cards");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_card_comes_back_as_it_went_in);
    tcase_add_test(t, a_put_is_answered_only_after_the_commit);
    tcase_add_test(t, one_pan_of_one_merchant_has_one_token);
    tcase_add_test(t, a_put_without_the_permission_to_change_leaves_a_card_as_it_is);
    tcase_add_test(t, a_later_expiry_never_gives_way_to_an_earlier_one);
    tcase_add_test(t, the_same_pan_many_times_in_one_turn_has_one_token);
    tcase_add_test(t, a_token_of_another_merchant_is_not_found);
    tcase_add_test(t, a_deleted_card_is_gone_from_store_and_index);
    tcase_add_test(t, deleting_a_unique_card_leaves_the_other_one_indexed);
    tcase_add_test(t, a_removed_pan_leaves_the_mask_only);
    tcase_add_test(t, changes_set_expiry_and_holder);
    tcase_add_test(t, two_changes_of_one_card_in_one_turn_both_happen);
    tcase_add_test(t, a_get_within_the_answer_of_a_get_leaves_the_outer_card_whole);
    tcase_add_test(t, closing_answers_what_is_queued);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
