/* SPDX-License-Identifier: Apache-2.0 */
#include "network_fixture.h"

#include "vault_priv.h"

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

/* --- the record --- */

START_TEST(a_card_without_a_record_has_an_empty_one)
{
    struct network_record none = {0};
    struct token_id id = stored_card(f.v, shop, 1);
    struct network_answer a = get_network(f.v, shop, token_id_slice(&id));
    expect_err(a.r, ERR_NONE);
    ck_assert_mem_eq(&a.record, &none, sizeof none);
    expect_err(get_network(f.v, SLICE("cafe"), token_id_slice(&id)).r, ERR_TOKEN_NOT_FOUND);
    expect_err(get_network(f.v, shop, SLICE("no-such-token")).r, ERR_TOKEN_NOT_FOUND);
    expect_err(get_network(f.v, shop, SLICE("bad token")).r, ERR_TOKEN_NOT_FOUND);
    expect_err(set_network(f.v, SLICE("cafe"), token_id_slice(&id), &none).r, ERR_TOKEN_NOT_FOUND);
}
END_TEST

START_TEST(a_record_comes_back_as_it_went_in)
{
    struct token_id id = stored_card(f.v, shop, 1);
    struct network_record record = test_record("TOKEN-1", "INSTRUMENT-1");
    record.revision = 7;
    expect_err(set_network(f.v, shop, token_id_slice(&id), &record).r, ERR_NONE);
    fixture_close(&f);
    fixture_open(&f);
    struct network_answer a = get_network(f.v, shop, token_id_slice(&id));
    expect_err(a.r, ERR_NONE);
    ck_assert_mem_eq(&a.record, &record, sizeof record);
    expect_sound(f.v);
}
END_TEST

static void suspend(void *owner, struct network_record *record, struct network_change *change)
{
    (void)owner;
    record->state = NETWORK_SUSPENDED;
    change->write = true;
}

START_TEST(each_change_counts_the_revision_up)
{
    struct token_id id = stored_card(f.v, shop, 1);
    for (uint64_t i = 1; i <= 3; i++) {
        struct network_answer a = alter_network(f.v, shop, token_id_slice(&id), suspend, NULL);
        ck_assert_uint_eq(a.record.revision, i);
        ck_assert_uint_eq(get_network(f.v, shop, token_id_slice(&id)).record.revision, i);
    }
}
END_TEST

START_TEST(a_record_that_could_not_be_read_again_is_not_written)
{
    struct token_id id = stored_card(f.v, shop, 1);
    struct network_record good = test_record("TOKEN-1", "");
    for (unsigned i = 0; i < 9; i++) {
        struct network_record bad = good;
        if (i == 0) bad.state = NETWORK_STATE_COUNT;
        if (i == 1) bad.reason = NETWORK_REASON_COUNT;
        if (i == 2) bad.month = 13;
        if (i == 3) bad.year = 1999;
        if (i == 4) bad.number[3] = 'x';
        if (i == 5) bad.ref.at[0] = '/';
        if (i == 6) bad.reference_code[8] = '0';
        if (i == 7) bad.network[1] = ' ';
        if (i == 8) bad.requestor_len = REQUESTOR_DIGITS + 1;
        expect_err(set_network(f.v, shop, token_id_slice(&id), &bad).r, ERR_VAULT_FORMAT);
        ck_assert_int_eq(get_network(f.v, shop, token_id_slice(&id)).record.state, NETWORK_NONE);
    }
    expect_err(set_network(f.v, shop, token_id_slice(&id), &good).r, ERR_NONE);
}
END_TEST

/* --- a change and what follows from it --- */

struct plan {
    bool write;
    const struct job *add;
    slice done_job;
    const struct event *events;
    size_t event_count;
    unsigned asked;
};

static void follow(void *owner, struct network_record *record, struct network_change *change)
{
    struct plan *p = owner;
    p->asked++;
    record->state = NETWORK_ACTIVE;
    change->write = p->write;
    change->add = p->add;
    if (p->done_job.len) change->done_job = &p->done_job;
    change->events = p->events;
    change->event_count = p->event_count;
}

START_TEST(record_job_and_events_change_together)
{
    static struct job_list jobs;
    static struct event_list events;
    struct token_id id = stored_card(f.v, shop, 1);
    slice token = token_id_slice(&id);
    struct job enrol = test_job(JOB_ENROL, token), refresh = test_job(JOB_REFRESH, token);
    struct event told[] = {test_event(token, 1, 5000), test_event(token, 1, 5001)};
    expect_err(put_job(f.v, &enrol), ERR_NONE);
    struct plan p = {.write = true, .add = &refresh, .done_job = {enrol.id, JOB_ID_BYTES}, .events = told, .event_count = 2};
    struct network_answer a = alter_network(f.v, shop, token, follow, &p);
    expect_err(a.r, ERR_NONE);
    ck_assert_int_eq(a.record.state, NETWORK_ACTIVE);
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, 1);
    ck_assert_mem_eq(&jobs.jobs[0], &refresh, sizeof refresh);
    list_events(f.v, &events);
    ck_assert_uint_eq(events.count, 2);
    ck_assert_mem_eq(events.events, told, sizeof told);
}
END_TEST

START_TEST(nothing_of_a_change_happens_where_one_part_is_refused)
{
    static struct job_list jobs;
    static struct event_list events;
    struct token_id id = stored_card(f.v, shop, 1);
    slice token = token_id_slice(&id);
    struct job refresh = test_job(JOB_REFRESH, token);
    struct event told[] = {test_event(token, 1, 5000), test_event(token, 1, 5001)};
    told[1].url[0] = '\0';
    struct plan p = {.write = true, .add = &refresh, .events = told, .event_count = 2};
    expect_err(alter_network(f.v, shop, token, follow, &p).r, ERR_VAULT_FORMAT);
    told[1] = test_event(token, 1, 5001);
    expect_err(delete_card(f.v, shop, token).r, ERR_NONE);
    expect_err(alter_network(f.v, shop, token, follow, &p).r, ERR_TOKEN_NOT_FOUND);
    ck_assert_uint_eq(p.asked, 1); /* not for the card that is gone */
    list_jobs(f.v, &jobs);
    list_events(f.v, &events);
    ck_assert_uint_eq(jobs.count + events.count, 0);
}
END_TEST

START_TEST(what_follows_needs_no_change_of_the_record)
{
    static struct job_list jobs;
    struct token_id id = stored_card(f.v, shop, 1);
    slice token = token_id_slice(&id);
    struct job refresh = test_job(JOB_REFRESH, token);
    struct plan p = {.write = false, .add = &refresh};
    struct network_answer a = alter_network(f.v, shop, token, follow, &p);
    expect_err(a.r, ERR_NONE);
    ck_assert_int_eq(a.record.state, NETWORK_NONE);
    ck_assert_int_eq(get_network(f.v, shop, token).record.state, NETWORK_NONE);
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, 1);
    p.add = NULL;
    expect_err(alter_network(f.v, shop, token, follow, &p).r, ERR_NONE);
}
END_TEST

struct payments {
    unsigned decided, answers;
};

static void first_payment(void *owner, struct network_record *record, struct network_change *change)
{
    struct payments *p = owner;
    if (record->first_paid_ms) return;
    record->first_paid_ms = 77;
    change->write = true;
    p->decided++;
}

static void paid(void *owner, result r, const struct network_record *record)
{
    struct payments *p = owner;
    expect_err(r, ERR_NONE);
    ck_assert_int_eq(record->first_paid_ms, 77);
    p->answers++;
}

/* As when 64 payments with one card meet: each was decided on a record without a payment; one is written, the others see it. */
START_TEST(many_changes_of_one_card_in_one_turn_see_each_other)
{
    struct payments p = {0};
    struct token_id id = stored_card(f.v, shop, 1);
    for (unsigned i = 0; i < 64; i++) vault_network_alter(f.v, shop, token_id_slice(&id), first_payment, paid, &p);
    vault_flush(f.v);
    ck_assert_uint_eq(p.answers, 64);
    ck_assert_uint_eq(get_network(f.v, shop, token_id_slice(&id)).record.revision, 1);
}
END_TEST

static void count_payment(void *owner, struct network_record *record, struct network_change *change)
{
    (void)owner;
    record->first_paid_ms++;
    change->write = true;
}

static void counted(void *owner, result r, const struct network_record *record)
{
    unsigned *answers = owner;
    expect_err(r, ERR_NONE);
    (void)record;
    ++*answers;
}

START_TEST(changes_that_all_write_add_up)
{
    enum { MANY = 24 };
    unsigned answers = 0;
    struct token_id id = stored_card(f.v, shop, 1);
    for (unsigned i = 0; i < MANY; i++) vault_network_alter(f.v, shop, token_id_slice(&id), count_payment, counted, &answers);
    vault_flush(f.v);
    ck_assert_uint_eq(answers, MANY);
    struct network_answer a = get_network(f.v, shop, token_id_slice(&id));
    ck_assert_int_eq(a.record.first_paid_ms, MANY);
    ck_assert_uint_eq(a.record.revision, MANY);
}
END_TEST

/* A card changed between the reading and the batch: the change is decided again, and neither is lost. */
START_TEST(a_change_of_the_card_meanwhile_is_no_failure)
{
    struct token_id id = stored_card(f.v, shop, 1);
    struct card_change expiry = {.set_expiry = true, .month = 1, .year = 2040};
    struct answer card = {0};
    struct payments p = {0};
    vault_card_change(f.v, shop, token_id_slice(&id), &expiry, on_info, &card);
    vault_network_alter(f.v, shop, token_id_slice(&id), first_payment, paid, &p);
    vault_flush(f.v);
    ck_assert_uint_eq(p.answers, 1);
    ck_assert_uint_eq(p.decided, 2); /* decided, then again */
    ck_assert_int_eq(get_card(f.v, shop, token_id_slice(&id)).info.year, 2040);
}
END_TEST

/* --- finding by the network's names --- */

START_TEST(a_record_is_found_by_each_of_its_names)
{
    struct token_id id = stored_card(f.v, shop, 1);
    struct network_record record = test_record("TOKEN-1", "INSTRUMENT-1"), other = test_record("TOKEN-2", "INSTRUMENT-1");
    expect_err(set_network(f.v, shop, token_id_slice(&id), &record).r, ERR_NONE);
    static const char *const names[] = {"TOKEN-1", "INSTRUMENT-1"};
    for (size_t i = 0; i < 2; i++) {
        struct finding g = find_network(f.v, names[i]);
        expect_err(g.end, ERR_NONE);
        ck_assert_uint_eq(g.records, 1);
        ck_assert(slice_eq(token_id_slice(&g.tokens[0]), token_id_slice(&id)));
        ck_assert_str_eq(g.merchants[0], "shop");
    }
    expect_err(find_network(f.v, "TOKEN-2").end, ERR_NOT_FOUND);
    expect_err(find_network(f.v, "").end, ERR_NOT_FOUND);
    expect_err(find_network(f.v, "INSTRUMENT").end, ERR_NOT_FOUND);
    expect_err(set_network(f.v, shop, token_id_slice(&id), &other).r, ERR_NONE); /* replaced: the old name leads nowhere */
    expect_err(find_network(f.v, "TOKEN-1").end, ERR_NOT_FOUND);
    ck_assert_uint_eq(find_network(f.v, "TOKEN-2").records, 1);
    ck_assert_uint_eq(find_network(f.v, "INSTRUMENT-1").records, 1);
    expect_sound(f.v);
}
END_TEST

START_TEST(all_tokens_of_all_merchants_that_share_an_instrument_are_found)
{
    enum { MANY = 50 }; /* several pages */
    unsigned of_shop = 0;
    for (unsigned i = 0; i < MANY; i++) {
        slice merchant = i % 2 ? shop : SLICE("cafe");
        struct token_id id = stored_card(f.v, merchant, i);
        char ref[16] = "TOKEN-XX";
        ref[6] = (char)('A' + i / 10);
        ref[7] = (char)('A' + i % 10);
        struct network_record record = test_record(ref, "SHARED");
        expect_err(set_network(f.v, merchant, token_id_slice(&id), &record).r, ERR_NONE);
    }
    struct finding g = find_network(f.v, "SHARED");
    expect_err(g.end, ERR_NONE);
    ck_assert_uint_eq(g.records, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        of_shop += strcmp(g.merchants[i], "shop") == 0;
        for (unsigned j = 0; j < i; j++) ck_assert(!slice_eq(token_id_slice(&g.tokens[i]), token_id_slice(&g.tokens[j])));
    }
    ck_assert_uint_eq(of_shop, MANY / 2);
}
END_TEST

static void end_it(void *owner, struct network_record *record, struct network_change *change)
{
    (void)owner;
    record->state = NETWORK_DELETED;
    change->write = true;
}

static void found_and_altered(void *owner, result r, slice merchant, slice token, const struct network_record *record)
{
    if (record) vault_network_alter(f.v, merchant, token, end_it, counted, owner);
    (void)r;
}

START_TEST(what_is_found_may_be_changed_at_once)
{
    unsigned answers = 0;
    struct network_record record = test_record("SHARED", "");
    for (unsigned i = 0; i < 20; i++) {
        struct token_id id = stored_card(f.v, shop, i);
        expect_err(set_network(f.v, shop, token_id_slice(&id), &record).r, ERR_NONE);
    }
    vault_network_find(f.v, SLICE("SHARED"), found_and_altered, &answers);
    vault_flush(f.v);
    ck_assert_uint_eq(answers, 20);
    ck_assert_uint_eq(find_network(f.v, "SHARED").records, 20);
}
END_TEST

/* The index is not sealed: an entry somebody planted finds nothing, since the record does not have that name. */
START_TEST(a_planted_index_entry_finds_nothing)
{
    char room[CARD_KEY_MAX_BYTES], entry_room[REF_KEY_MAX_BYTES];
    slice entry;
    struct token_id id = stored_card(f.v, shop, 1);
    struct network_record record = test_record("TOKEN-1", "");
    expect_err(set_network(f.v, shop, token_id_slice(&id), &record).r, ERR_NONE);
    expect_err(ref_key(f.v, SLICE("TOKEN-9"), card_key(shop, token_id_slice(&id), room), entry_room, &entry), ERR_NONE);
    struct store_write w = {STORE_PUT, STORE_REF, entry, SLICE("\1")};
    expect_err(store_commit(f.v->store, &w, 1), ERR_NONE);
    expect_err(find_network(f.v, "TOKEN-9").end, ERR_NOT_FOUND);
    ck_assert_uint_eq(find_network(f.v, "TOKEN-1").records, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("network");
    TCase *t = tcase_create("network");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_card_without_a_record_has_an_empty_one);
    tcase_add_test(t, a_record_comes_back_as_it_went_in);
    tcase_add_test(t, each_change_counts_the_revision_up);
    tcase_add_test(t, a_record_that_could_not_be_read_again_is_not_written);
    tcase_add_test(t, record_job_and_events_change_together);
    tcase_add_test(t, nothing_of_a_change_happens_where_one_part_is_refused);
    tcase_add_test(t, what_follows_needs_no_change_of_the_record);
    tcase_add_test(t, many_changes_of_one_card_in_one_turn_see_each_other);
    tcase_add_test(t, changes_that_all_write_add_up);
    tcase_add_test(t, a_change_of_the_card_meanwhile_is_no_failure);
    tcase_add_test(t, a_record_is_found_by_each_of_its_names);
    tcase_add_test(t, all_tokens_of_all_merchants_that_share_an_instrument_are_found);
    tcase_add_test(t, what_is_found_may_be_changed_at_once);
    tcase_add_test(t, a_planted_index_entry_finds_nothing);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
