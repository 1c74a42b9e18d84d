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

/* --- deletion --- */

static void count_row(void *owner, result r)
{
    (void)owner;
    expect_err(r, ERR_NONE);
}

static bool on_row(void *owner, slice key, slice value)
{
    (void)key;
    (void)value;
    ++*(size_t *)owner;
    return true;
}

static size_t rows_of(enum store_table t)
{
    size_t rows = 0;
    store_scan(f.v->store, t, SLICE_NONE, SIZE_MAX, on_row, count_row, &rows);
    return rows;
}

static void finish_job(void *owner, struct network_record *record, struct network_change *change)
{
    record->state = NETWORK_ACTIVE;
    change->write = true;
    change->done_job = owner;
}

static void rename_it(void *owner, struct network_record *record, struct network_change *change)
{
    (void)owner;
    *record = test_record("TOKEN-2", "");
    change->write = true;
}

static void renamed(void *owner, result r, const struct network_record *record)
{
    unsigned *answers = owner;
    expect_err(r, ERR_NONE);
    (void)record;
    ++*answers;
}

struct removals {
    unsigned count;
    size_t trails; /* that were there when it was told */
    struct job job;
};

static void on_removal(void *owner, const struct job *j)
{
    struct removals *r = owner;
    r->count++;
    r->trails = rows_of(STORE_TRAIL);
    r->job = *j;
}

START_TEST(a_deleted_card_takes_everything_with_it_and_tells_the_network)
{
    static struct job_list jobs;
    struct removals seen = {0};
    char out[NETWORK_TRANSACTION_ID_MAX_BYTES + 1];
    slice network, ref;
    struct token_id id = stored_card(f.v, shop, 1), other = stored_card(f.v, shop, 2);
    slice token = token_id_slice(&id);
    struct network_record record = test_record("TOKEN-1", "SHARED");
    expect_err(set_network(f.v, shop, token, &record).r, ERR_NONE);
    expect_err(set_network(f.v, shop, token_id_slice(&other), &record).r, ERR_NONE);
    expect_err(put_trail(f.v, token, "rede", "0123"), ERR_NONE);
    expect_err(put_trail(f.v, token, "cielo", "4567"), ERR_NONE);
    expect_err(put_trail(f.v, token_id_slice(&other), "rede", "89"), ERR_NONE);
    vault_watch_removals(f.v, on_removal, &seen);
    expect_err(delete_card(f.v, shop, token).r, ERR_NONE);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_uint_eq(seen.trails, 1); /* the other card's: these went in the same batch */
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, 1);
    ck_assert_mem_eq(jobs.jobs[0].id, seen.job.id, JOB_ID_BYTES);
    ck_assert(seen.job.kind == JOB_REMOVE && seen.job.payload_len == jobs.jobs[0].payload_len);
    ck_assert_mem_eq(jobs.jobs[0].payload, seen.job.payload, seen.job.payload_len);
    ck_assert(job_removal(&jobs.jobs[0], &network, &ref) && slice_is(network, "tms") && slice_is(ref, "TOKEN-1"));
    ck_assert(slice_eq(token_id_slice(&jobs.jobs[0].token), token) && jobs.jobs[0].due_ms > 0);
    expect_err(get_network(f.v, shop, token).r, ERR_TOKEN_NOT_FOUND);
    expect_err(get_trail(f.v, token, "rede", out), ERR_NOT_FOUND);
    ck_assert_uint_eq(rows_of(STORE_NETWORK), 1);
    ck_assert_uint_eq(rows_of(STORE_REF), 2);
    ck_assert_uint_eq(rows_of(STORE_TRAIL), 1);
    ck_assert_uint_eq(find_network(f.v, "SHARED").records, 1);
    expect_sound(f.v);
}
END_TEST

START_TEST(a_card_that_no_network_knows_is_deleted_without_a_job)
{
    static struct job_list jobs;
    struct token_id none = stored_card(f.v, shop, 1), pending = stored_card(f.v, shop, 2), gone = stored_card(f.v, shop, 3);
    struct network_record record = test_record("", "");
    record.state = NETWORK_PENDING;
    expect_err(set_network(f.v, shop, token_id_slice(&pending), &record).r, ERR_NONE);
    record = test_record("TOKEN-3", "");
    record.state = NETWORK_DELETED; /* by the network itself */
    expect_err(set_network(f.v, shop, token_id_slice(&gone), &record).r, ERR_NONE);
    expect_err(delete_card(f.v, shop, token_id_slice(&none)).r, ERR_NONE);
    expect_err(delete_card(f.v, shop, token_id_slice(&pending)).r, ERR_NONE);
    expect_err(delete_card(f.v, shop, token_id_slice(&gone)).r, ERR_NONE);
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, 0);
    ck_assert_uint_eq(rows_of(STORE_NETWORK) + rows_of(STORE_REF), 0);
}
END_TEST

/* The enrolment that a deleted card leaves behind serves nobody: whoever does it finds no card. */
START_TEST(a_job_of_a_deleted_card_is_harmless)
{
    static struct job_list jobs;
    struct token_id id = stored_card(f.v, shop, 1);
    struct job enrol = test_job(JOB_ENROL, token_id_slice(&id));
    slice job = {enrol.id, JOB_ID_BYTES};
    struct done d = {0};
    expect_err(put_job(f.v, &enrol), ERR_NONE);
    expect_err(delete_card(f.v, shop, token_id_slice(&id)).r, ERR_NONE);
    expect_err(alter_network(f.v, shop, token_id_slice(&id), finish_job, &job).r, ERR_TOKEN_NOT_FOUND);
    vault_job_delete(f.v, job, on_done, &d);
    vault_flush(f.v);
    expect_err(d.r, ERR_NONE);
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, 0);
    ck_assert_uint_eq(rows_of(STORE_NETWORK), 0);
}
END_TEST

START_TEST(more_trails_than_one_batch_holds_go_with_their_card)
{
    struct token_id id = stored_card(f.v, shop, 1);
    for (unsigned i = 0; i < 70; i++) {
        char route[8] = {'r', (char)('a' + i / 10), (char)('0' + i % 10)};
        expect_err(put_trail(f.v, token_id_slice(&id), route, "1"), ERR_NONE);
    }
    expect_err(delete_card(f.v, shop, token_id_slice(&id)).r, ERR_NONE);
    ck_assert_uint_eq(rows_of(STORE_TRAIL), 0);
}
END_TEST

/* In one turn: the delete was read before the trail was put, so its batch knows nothing of it. */
START_TEST(a_trail_put_while_its_card_is_deleted_goes_too)
{
    struct token_id id = stored_card(f.v, shop, 1);
    struct done put = {0}, late = {0};
    struct answer gone = {0};
    vault_trail_put(f.v, shop, token_id_slice(&id), SLICE("rede"), SLICE("0123"), on_done, &put);
    vault_card_delete(f.v, shop, token_id_slice(&id), on_info, &gone);
    vault_trail_put(f.v, shop, token_id_slice(&id), SLICE("cielo"), SLICE("4567"), on_done, &late);
    vault_flush(f.v);
    expect_err(put.r, ERR_NONE);
    expect_err(gone.r, ERR_NONE);
    expect_err(late.r, ERR_TOKEN_NOT_FOUND);
    ck_assert_uint_eq(rows_of(STORE_TRAIL), 0);
}
END_TEST

/* The record gets another name between the reading and the batch of the delete. */
START_TEST(a_record_changed_while_its_card_is_deleted_goes_too)
{
    static struct job_list jobs;
    struct token_id id = stored_card(f.v, shop, 1);
    struct network_record record = test_record("TOKEN-1", "");
    struct answer gone = {0};
    slice network, ref;
    expect_err(set_network(f.v, shop, token_id_slice(&id), &record).r, ERR_NONE);
    unsigned answers = 0;
    vault_network_alter(f.v, shop, token_id_slice(&id), rename_it, renamed, &answers);
    vault_card_delete(f.v, shop, token_id_slice(&id), on_info, &gone);
    vault_flush(f.v);
    ck_assert_uint_eq(answers, 1);
    expect_err(gone.r, ERR_NONE);
    ck_assert_uint_eq(rows_of(STORE_NETWORK) + rows_of(STORE_REF), 0);
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, 1);
    ck_assert(job_removal(&jobs.jobs[0], &network, &ref) && slice_is(ref, "TOKEN-2"));
}
END_TEST

/* Deleting makes room even where nothing can be written, though a job must be. */
START_TEST(a_card_with_a_network_token_can_be_deleted_from_a_full_vault)
{
    enum { MANY = 4000 };
    static struct token_id ids[MANY];
    unsigned n = 0;
    fixture_close(&f);
    f.options.size_bytes = 1 << 20;
    fixture_open(&f);
    for (; n < MANY; n++) {
        struct card c = numbered_card(n);
        struct answer a = put_card(f.v, shop, &c, true);
        struct network_record record = test_record("TOKEN-1", "SHARED");
        if (failed(a.r) || failed(set_network(f.v, shop, token_id_slice(&a.info.token), &record).r)) break;
        ids[n] = a.info.token;
    }
    ck_assert(n > 10 && n < MANY);
    struct done d = {0};
    struct job fill = test_job(JOB_REFRESH, token_id_slice(&ids[0]));
    fill.payload_len = JOB_PAYLOAD_MAX_BYTES;
    for (unsigned i = 0; i < 1000 && !failed(d.r); i++) {
        expect_err(vault_job_new_id(fill.id), ERR_NONE);
        d.r = put_job(f.v, &fill);
    }
    expect_err(d.r, ERR_VAULT_FULL);
    expect_err(delete_card(f.v, shop, token_id_slice(&ids[0])).r, ERR_NONE);
    ck_assert_uint_ge(rows_of(STORE_JOB), 1);
}
END_TEST

/* --- the tables under administration --- */

static void count_something(void)
{
    struct counter_delta d = {.hour = 100, .merchant = "shop", .route = "rede", .n = {1}};
    struct counter_mark m = {.relay = 5, .sequence = 6};
    struct done done = {0};
    vault_count(f.v, &d, 1, &m, 1, on_done, &done);
    vault_flush(f.v);
    expect_err(done.r, ERR_NONE);
}

/* One of everything, of the card with this token. */
static void fill(slice token)
{
    struct network_record record = test_record("TOKEN-1", "INSTRUMENT-1");
    struct job job = test_job(JOB_ENROL, token);
    struct event event = test_event(token, 1, 5000);
    expect_err(set_network(f.v, shop, token, &record).r, ERR_NONE);
    expect_err(put_job(f.v, &job), ERR_NONE);
    expect_err(put_event(f.v, &event), ERR_NONE);
    expect_err(put_trail(f.v, token, "rede", "0123"), ERR_NONE);
    count_something();
}

static void expect_filled(slice token)
{
    static struct job_list jobs;
    static struct event_list events;
    char out[NETWORK_TRANSACTION_ID_MAX_BYTES + 1];
    uint64_t sequence = 0;
    ck_assert_int_eq(get_network(f.v, shop, token).record.state, NETWORK_ACTIVE);
    list_jobs(f.v, &jobs);
    list_events(f.v, &events);
    ck_assert(jobs.count == 1 && events.count == 1);
    expect_err(get_trail(f.v, token, "rede", out), ERR_NONE);
    ck_assert_str_eq(out, "0123");
    expect_err(vault_count_mark(f.v, 5, &sequence), ERR_NONE);
    ck_assert_uint_eq(sequence, 6);
    ck_assert_uint_eq(find_network(f.v, "INSTRUMENT-1").records, 1);
    expect_sound(f.v);
}

START_TEST(rotation_seals_every_table_anew)
{
    struct vault_stat s;
    struct token_id id = stored_card(f.v, shop, 1);
    fill(token_id_slice(&id));
    for (unsigned i = 0; i < 2; i++) {
        expect_err(vault_rotate(f.v, NULL, NULL), ERR_NONE);
        expect_err(vault_stat(f.v, &s), ERR_NONE);
        ck_assert(s.records_under_old_keys == 0 && s.key_versions == 1);
        ck_assert(s.network_records == 1 && s.jobs == 1 && s.events == 1);
        expect_filled(token_id_slice(&id));
    }
    fixture_close(&f);
    fixture_open(&f);
    expect_filled(token_id_slice(&id));
}
END_TEST

START_TEST(a_backup_has_every_table)
{
    char copy[PATH_MAX];
    struct token_id id = stored_card(f.v, shop, 1);
    fill(token_id_slice(&id));
    fixture_path(&f, "copy", copy);
    expect_err(vault_backup(f.v, slice_of(copy), NULL, NULL), ERR_NONE);
    fixture_close(&f);
    struct fixture restored = f;
    restored.options.path = slice_of(copy);
    fixture_open(&restored);
    f.v = restored.v;
    expect_filled(token_id_slice(&id));
}
END_TEST

static const enum store_table tables[] = {STORE_NETWORK, STORE_JOB, STORE_EVENT, STORE_TRAIL, STORE_COUNT};

struct first {
    size_t key_len, value_len;
    char key[STORE_KEY_MAX_BYTES], value[STORE_VALUE_MAX_BYTES];
};

static bool on_first(void *owner, slice key, slice value)
{
    struct first *x = owner;
    memcpy(x->key, key.at, x->key_len = key.len);
    memcpy(x->value, value.at, x->value_len = value.len);
    return false;
}

/* Altered, or moved to another key: verify tells, and nobody gets it. */
START_TEST(verify_finds_what_was_touched)
{
    struct vault_verdict verdict;
    struct first x = {0};
    struct token_id id = stored_card(f.v, shop, 1);
    fill(token_id_slice(&id));
    enum store_table t = tables[_i / 2];
    store_scan(f.v->store, t, SLICE_NONE, 1, on_first, count_row, &x);
    ck_assert_uint_gt(x.value_len, 0);
    if (_i % 2)
        x.value[x.value_len / 2] ^= 1;
    else
        x.key[x.key_len - 1] ^= 1;
    struct store_write w = {STORE_PUT, t, {x.key, x.key_len}, {x.value, x.value_len}};
    expect_err(store_commit(f.v->store, &w, 1), ERR_NONE);
    expect_err(vault_verify(f.v, NULL, NULL, &verdict), ERR_NONE);
    /* With a network record that does not open, its two names lead nowhere. */
    ck_assert_uint_eq(verdict.bad_records, t == STORE_NETWORK && _i % 2 ? 3 : 1);
}
END_TEST

START_TEST(verify_finds_names_that_lead_nowhere_and_records_that_no_name_leads_to)
{
    struct vault_verdict verdict;
    struct first x = {0};
    struct token_id id = stored_card(f.v, shop, 1);
    fill(token_id_slice(&id));
    store_scan(f.v->store, STORE_REF, SLICE_NONE, 1, on_first, count_row, &x);
    x.key[x.key_len - 1] ^= 1;
    struct store_write plant = {STORE_PUT, STORE_REF, {x.key, x.key_len}, {x.value, x.value_len}};
    expect_err(store_commit(f.v->store, &plant, 1), ERR_NONE);
    expect_err(vault_verify(f.v, NULL, NULL, &verdict), ERR_NONE);
    ck_assert_uint_eq(verdict.bad_records, 1);
    plant.step = STORE_DELETE;
    expect_err(store_commit(f.v->store, &plant, 1), ERR_NONE);
    expect_sound(f.v);
    x.key[x.key_len - 1] ^= 1;
    expect_err(store_commit(f.v->store, &plant, 1), ERR_NONE);
    expect_err(vault_verify(f.v, NULL, NULL, &verdict), ERR_NONE);
    ck_assert_uint_eq(verdict.bad_records, 1);
}
END_TEST

/* --- trails --- */

START_TEST(the_last_trail_stays)
{
    char out[NETWORK_TRANSACTION_ID_MAX_BYTES + 1];
    struct token_id id = stored_card(f.v, shop, 1);
    slice token = token_id_slice(&id);
    expect_err(get_trail(f.v, token, "rede", out), ERR_NOT_FOUND);
    expect_err(put_trail(f.v, token, "rede", "first id"), ERR_NONE);
    expect_err(put_trail(f.v, token, "rede", "second"), ERR_NONE);
    expect_err(put_trail(f.v, token, "red", "other"), ERR_NONE);
    expect_err(get_trail(f.v, token, "rede", out), ERR_NONE);
    ck_assert_str_eq(out, "second");
    expect_err(put_trail(f.v, token, "rede", ""), ERR_VAULT_FORMAT);
    expect_err(put_trail(f.v, token, "rede", "new\nline"), ERR_VAULT_FORMAT);
    expect_err(put_trail(f.v, token, "", "1"), ERR_TOO_LARGE);
    expect_err(put_trail(f.v, SLICE("no-such-token"), "rede", "1"), ERR_TOKEN_NOT_FOUND);
    expect_err(get_trail(f.v, token, "rede", out), ERR_NONE);
    ck_assert_str_eq(out, "second");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("network tables");
    TCase *t = tcase_create("network tables");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_deleted_card_takes_everything_with_it_and_tells_the_network);
    tcase_add_test(t, a_card_that_no_network_knows_is_deleted_without_a_job);
    tcase_add_test(t, a_job_of_a_deleted_card_is_harmless);
    tcase_add_test(t, more_trails_than_one_batch_holds_go_with_their_card);
    tcase_add_test(t, a_trail_put_while_its_card_is_deleted_goes_too);
    tcase_add_test(t, a_record_changed_while_its_card_is_deleted_goes_too);
    tcase_add_test(t, a_card_with_a_network_token_can_be_deleted_from_a_full_vault);
    tcase_add_test(t, rotation_seals_every_table_anew);
    tcase_add_test(t, a_backup_has_every_table);
    tcase_add_loop_test(t, verify_finds_what_was_touched, 0, 2 * (int)(sizeof tables / sizeof tables[0]));
    tcase_add_test(t, verify_finds_names_that_lead_nowhere_and_records_that_no_name_leads_to);
    tcase_add_test(t, the_last_trail_stays);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
