/* SPDX-License-Identifier: Apache-2.0 */
#include "network_fixture.h"

#include "vault_priv.h"

#include <check.h>
#include <string.h>
#include <unistd.h>

/* A card's number may go while its network token is there to be paid with, for good. */

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

static const struct card_change removal = {.remove_pan = true};

static void set_state(slice token, enum network_state state, uint16_t year)
{
    struct network_record record = test_record("TOKEN-1", "INSTRUMENT-1");
    record.state = state;
    record.year = year;
    record.reason = state == NETWORK_UNPROVISIONED ? NETWORK_REASON_DECLINED : NETWORK_REASON_NONE;
    expect_err(set_network(f.v, shop, token, &record).r, ERR_NONE);
}

START_TEST(only_with_an_active_token)
{
    static const struct {
        enum network_state state;
        uint16_t year;
        enum error e;
    } cases[] = {{NETWORK_NONE, 2031, ERR_NETWORK_TOKEN_NEEDED},      {NETWORK_PENDING, 2031, ERR_NETWORK_TOKEN_NEEDED},
                 {NETWORK_UNPROVISIONED, 2031, ERR_NETWORK_TOKEN_NEEDED}, {NETWORK_SUSPENDED, 2031, ERR_NETWORK_TOKEN_NEEDED},
                 {NETWORK_DELETED, 2031, ERR_NETWORK_TOKEN_NEEDED},   {NETWORK_ACTIVE, 2020, ERR_NETWORK_TOKEN_NEEDED}, /* past its expiry */
                 {NETWORK_ACTIVE, 2031, ERR_NONE}};
    struct token_id id = stored_card(f.v, shop, 1);
    slice token = token_id_slice(&id);
    expect_err(change_card(f.v, shop, token, &removal).r, ERR_NETWORK_TOKEN_NEEDED); /* no record at all */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_state(token, cases[i].state, cases[i].year);
        expect_err(change_card(f.v, shop, token, &removal).r, cases[i].e);
        ck_assert_int_eq(get_card(f.v, shop, token).card.number_len, failed((result){cases[i].e}) ? 16 : 0);
    }
    expect_sound(f.v);
}
END_TEST

/* A change that is refused for its number changes nothing else either. */
START_TEST(all_or_nothing)
{
    struct token_id id = stored_card(f.v, shop, 1);
    const struct card_change both = {.remove_pan = true, .set_expiry = true, .month = 1, .year = 2039};
    expect_err(change_card(f.v, shop, token_id_slice(&id), &both).r, ERR_NETWORK_TOKEN_NEEDED);
    ck_assert_uint_eq(get_card(f.v, shop, token_id_slice(&id)).info.year, 2030);
}
END_TEST

START_TEST(what_is_gone_is_gone)
{
    static char file[1 << 22];
    struct card c = numbered_card(1);
    struct token_id id = stored_card(f.v, shop, 1);
    slice token = token_id_slice(&id);
    remove_pan(f.v, token);
    set_state(token, NETWORK_DELETED, 2031); /* the network ends its token: the card stays as it is */
    expect_err(change_card(f.v, shop, token, &removal).r, ERR_NONE);
    ck_assert_uint_eq(get_card(f.v, shop, token).card.number_len, 0);
    struct answer again = put_card(f.v, shop, &c, false);
    ck_assert(again.created && !slice_eq(token, token_id_slice(&again.info.token)));
    expect_sound(f.v);
    fixture_close(&f);
    size_t len = fixture_read(&f, "store.1/data.mdb", file, sizeof file);
    ck_assert(len > 1000 && memmem(file, len, c.number, c.number_len) == NULL);
    fixture_open(&f);
}
END_TEST

static void suspend(void *owner, struct network_record *record, struct network_change *change)
{
    (void)owner;
    record->state = NETWORK_SUSPENDED;
    change->write = true;
}

static void altered(void *owner, result r, const struct network_record *record)
{
    (void)record;
    *(result *)owner = r;
}

/* In one turn, in either order: never a card with neither. */
START_TEST(a_removal_and_a_suspension_meet)
{
    struct token_id id = stored_card(f.v, shop, 1);
    slice token = token_id_slice(&id);
    struct answer a = {0};
    result r = FAIL(INTERNAL);
    set_state(token, NETWORK_ACTIVE, 2031);
    if (_i) vault_network_alter(f.v, shop, token, suspend, altered, &r);
    vault_card_change(f.v, shop, token, &removal, on_info, &a);
    if (!_i) vault_network_alter(f.v, shop, token, suspend, altered, &r);
    for (unsigned i = 0; i < 4; i++) vault_flush(f.v);
    expect_err(r, ERR_NONE);
    ck_assert_uint_eq(a.calls, 1);
    expect_err(a.r, _i ? ERR_NETWORK_TOKEN_NEEDED : ERR_NONE);
    ck_assert_int_eq(get_card(f.v, shop, token).card.number_len, _i ? 16 : 0);
    expect_sound(f.v);
}
END_TEST

/* --- a page of records --- */

struct pages {
    unsigned count;
    struct token_id last, seen[40];
};

static void on_record(void *owner, slice token, const struct network_record *record)
{
    struct pages *p = owner;
    ck_assert(record->state == NETWORK_ACTIVE && token_id_from(token, &p->last));
    p->seen[p->count++] = p->last;
}

START_TEST(records_by_the_page)
{
    struct pages p = {0};
    struct network_record record = test_record("TOKEN-1", "INSTRUMENT-1");
    struct token_id other = stored_card(f.v, SLICE("other"), 1), longer = stored_card(f.v, SLICE("shop2"), 1);
    bool more = true;
    expect_err(set_network(f.v, SLICE("other"), token_id_slice(&other), &record).r, ERR_NONE);
    expect_err(set_network(f.v, SLICE("shop2"), token_id_slice(&longer), &record).r, ERR_NONE);
    for (unsigned n = 0; n < 20; n++) {
        struct token_id id = stored_card(f.v, shop, n);
        set_state(token_id_slice(&id), NETWORK_ACTIVE, 2031);
    }
    for (unsigned calls = 0; more; calls++) {
        unsigned before = p.count;
        expect_err(vault_network_page(f.v, shop, token_id_slice(&p.last), 8, on_record, &p, &more), ERR_NONE);
        ck_assert(calls < 3 && p.count - before <= 8);
    }
    ck_assert_uint_eq(p.count, 20);
    for (unsigned i = 1; i < p.count; i++) ck_assert(memcmp(p.seen[i - 1].at, p.seen[i].at, 36) < 0);
    expect_err(vault_network_page(f.v, SLICE("nobody"), SLICE_NONE, 8, on_record, &p, &more), ERR_NONE);
    ck_assert(!more && p.count == 20);
}
END_TEST

/* --- kill -9 --- */

enum { CARDS_MAX = 20000 };
struct shared {
    volatile unsigned next;
    volatile bool removed[CARDS_MAX];
    struct token_id token[CARDS_MAX];
};
static struct shared *shared;

static void on_gone(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    (void)info;
    (void)deed;
    if (failed(r)) _exit(10);
    *(volatile bool *)owner = true;
}

static void work(void)
{
    fixture_open(&f);
    for (unsigned n = shared->next; n < CARDS_MAX; n++) {
        shared->token[n] = stored_card(f.v, shop, n);
        set_state(token_id_slice(&shared->token[n]), NETWORK_ACTIVE, 2031);
        shared->next = n + 1;
        vault_card_change(f.v, shop, token_id_slice(&shared->token[n]), &removal, on_gone, (void *)&shared->removed[n]);
        if (n % 3 == 2) vault_flush(f.v);
    }
}

START_TEST(an_acknowledged_removal_stays_and_none_is_half_done_after_kill_9)
{
    unsigned removed = 0;
    fixture_close(&f);
    shared = shared_room(sizeof *shared);
    for (unsigned round = 0; round < 8 || (removed <= 10 && round < 300); round++) { /* more on a busy machine */
        run_and_kill(work, 60 + round * 13 % 50);
        fixture_open(&f);
        expect_sound(f.v); /* number and index entry went together, or stayed together */
        removed = 0;
        for (unsigned n = 0; n < shared->next; n++) {
            struct answer a = get_card(f.v, shop, token_id_slice(&shared->token[n]));
            expect_err(a.r, ERR_NONE);
            ck_assert(a.info.state == (a.card.number_len ? CARD_ACTIVE : CARD_PAN_REMOVED));
            if (shared->removed[n]) ck_assert_uint_eq(a.card.number_len, 0);
            removed += shared->removed[n];
        }
        fixture_close(&f);
    }
    ck_assert_uint_gt(removed, 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("no_pan");
    TCase *t = tcase_create("no_pan");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, only_with_an_active_token);
    tcase_add_test(t, all_or_nothing);
    tcase_add_test(t, what_is_gone_is_gone);
    tcase_add_loop_test(t, a_removal_and_a_suspension_meet, 0, 2);
    tcase_add_test(t, records_by_the_page);
    tcase_add_test(t, an_acknowledged_removal_stays_and_none_is_half_done_after_kill_9);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
