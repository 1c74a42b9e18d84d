/* SPDX-License-Identifier: Apache-2.0 */
#include "network_fixture.h"

#include <check.h>
#include <string.h>
#include <unistd.h>

static struct fixture f;
static struct job_list jobs;

static void setup(void)
{
    fixture_make(&f);
    fixture_open(&f);
}

static void teardown(void)
{
    fixture_remove(&f);
}

START_TEST(a_job_comes_back_as_it_went_in)
{
    struct job j = test_job(JOB_ENROL, SLICE("token-1"));
    struct done d = {0};
    vault_job_put(f.v, &j, on_done, &d);
    ck_assert_uint_eq(d.calls, 0); /* only after the commit */
    vault_flush(f.v);
    ck_assert_uint_eq(d.calls, 1);
    expect_err(d.r, ERR_NONE);
    fixture_close(&f);
    fixture_open(&f);
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, 1);
    ck_assert_mem_eq(&jobs.jobs[0], &j, sizeof j);
}
END_TEST

START_TEST(a_job_put_again_has_its_new_time)
{
    struct job j = test_job(JOB_REFRESH, SLICE("token-1"));
    expect_err(put_job(f.v, &j), ERR_NONE);
    j.tries++;
    j.due_ms += 60000;
    expect_err(put_job(f.v, &j), ERR_NONE);
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, 1);
    ck_assert_mem_eq(&jobs.jobs[0], &j, sizeof j);
}
END_TEST

START_TEST(a_deleted_job_is_gone_and_may_be_deleted_again)
{
    struct job one = test_job(JOB_REFRESH, SLICE("token-1")), two = test_job(JOB_REFRESH, SLICE("token-2"));
    expect_err(put_job(f.v, &one), ERR_NONE);
    expect_err(put_job(f.v, &two), ERR_NONE);
    for (unsigned i = 0; i < 2; i++) {
        struct done d = {0};
        vault_job_delete(f.v, (slice){one.id, JOB_ID_BYTES}, on_done, &d);
        vault_flush(f.v);
        expect_err(d.r, ERR_NONE);
        list_jobs(f.v, &jobs);
        ck_assert_uint_eq(jobs.count, 1);
        ck_assert_mem_eq(jobs.jobs[0].id, two.id, JOB_ID_BYTES);
    }
}
END_TEST

START_TEST(a_job_that_could_not_be_read_again_is_not_written)
{
    struct job good = test_job(JOB_ENROL, SLICE("token-1"));
    for (unsigned i = 0; i < 5; i++) {
        struct job bad = good;
        if (i == 0) bad.kind = JOB_REMOVE + 1;
        if (i == 1) bad.merchant[0] = '\0';
        if (i == 2) bad.token.len = 0;
        if (i == 3) bad.payload_len = JOB_PAYLOAD_MAX_BYTES + 1;
        if (i == 4) bad.due_ms = -1;
        struct done d = {0};
        vault_job_put(f.v, &bad, on_done, &d);
        ck_assert_uint_eq(d.calls, 1);
        expect_err(d.r, ERR_VAULT_FORMAT);
    }
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, 0);
}
END_TEST

START_TEST(the_longest_job_fits)
{
    struct job j = test_job(JOB_ENROL, SLICE("token-1"));
    j.payload_len = JOB_PAYLOAD_MAX_BYTES;
    memset(j.payload, 'x', sizeof j.payload);
    memset(j.merchant, 'm', sizeof j.merchant);
    j.token.len = TOKEN_ID_MAX_BYTES;
    memset(j.token.at, 't', sizeof j.token.at);
    expect_err(put_job(f.v, &j), ERR_NONE);
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, 1);
    ck_assert_mem_eq(&jobs.jobs[0], &j, sizeof j);
}
END_TEST

START_TEST(a_removal_names_its_network_and_token)
{
    slice network, ref;
    struct job j = test_job(JOB_ENROL, SLICE("token-1"));
    ck_assert(!job_removal(&j, &network, &ref));
    job_set_removal(&j, SLICE("tms"), SLICE("TOKEN-1"));
    ck_assert(j.kind == JOB_REMOVE && job_removal(&j, &network, &ref));
    ck_assert(slice_is(network, "tms") && slice_is(ref, "TOKEN-1"));
    expect_err(put_job(f.v, &j), ERR_NONE);
    j.payload_len = 4;
    ck_assert(!job_removal(&j, &network, &ref)); /* cut off */
    j.payload_len = 0;
    ck_assert(!job_removal(&j, &network, &ref));
}
END_TEST

static bool stop_at_three(void *owner, const struct job *j)
{
    (void)j;
    return ++*(unsigned *)owner < 3;
}

/* More than one page of a scan, each once; a listing ends where it is told to. */
START_TEST(all_jobs_are_listed)
{
    enum { MANY = 200 };
    static struct job put[MANY];
    struct done d[MANY] = {0};
    unsigned calls = 0;
    for (unsigned i = 0; i < MANY; i++) {
        put[i] = test_job(JOB_REFRESH, SLICE("token-1"));
        vault_job_put(f.v, &put[i], on_done, &d[i]);
    }
    vault_flush(f.v);
    for (unsigned i = 0; i < MANY; i++) expect_err(d[i].r, ERR_NONE);
    list_jobs(f.v, &jobs);
    ck_assert_uint_eq(jobs.count, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        unsigned found = 0;
        for (unsigned j = 0; j < MANY; j++) found += memcmp(put[i].id, jobs.jobs[j].id, JOB_ID_BYTES) == 0;
        ck_assert_uint_eq(found, 1);
    }
    expect_err(vault_job_list(f.v, stop_at_three, &calls), ERR_NONE);
    ck_assert_uint_eq(calls, 3);
}
END_TEST

static bool count_one(void *owner, const struct job *j)
{
    (void)j;
    ++*(unsigned *)owner;
    return true;
}

/* The store's file with one byte of one job changed: the others are listed, and the damage is told. */
START_TEST(a_damaged_job_hides_no_other)
{
    static char file[8 << 20];
    unsigned listed = 0;
    struct job one = test_job(JOB_REFRESH, SLICE("token-1")), two = test_job(JOB_REFRESH, SLICE("token-2"));
    one.id[0] = 1; /* stands first */
    two.id[0] = 2;
    expect_err(put_job(f.v, &one), ERR_NONE);
    expect_err(put_job(f.v, &two), ERR_NONE);
    fixture_close(&f);
    size_t len = fixture_read(&f, "store.1/data.mdb", file, sizeof file);
    for (char *at = file; (at = memmem(at, (size_t)(file + len - at), one.id, JOB_ID_BYTES)); at += JOB_ID_BYTES)
        at[JOB_ID_BYTES + 40] ^= 1; /* inside the ciphertext, in each copy of the page */
    fixture_write(&f, "store.1/data.mdb", file, len);
    fixture_open(&f);
    expect_err(vault_job_list(f.v, count_one, &listed), ERR_VAULT_SEAL);
    ck_assert_uint_eq(listed, 1);
}
END_TEST

/* --- kill -9 --- */

enum { JOBS_MAX = 20000 };
struct shared { /* between processes; of each job what was acknowledged */
    volatile unsigned next;
    volatile bool put[JOBS_MAX], asked[JOBS_MAX], done[JOBS_MAX];
    char ids[JOBS_MAX][JOB_ID_BYTES];
};
static struct shared *shared;

static void acknowledge(void *owner, result r)
{
    if (failed(r)) _exit(10);
    *(volatile bool *)owner = true;
}

static void put_next(unsigned n)
{
    struct job j = test_job(JOB_REFRESH, SLICE("token-1"));
    memcpy(shared->ids[n], j.id, JOB_ID_BYTES);
    vault_job_put(f.v, &j, acknowledge, (void *)&shared->put[n]);
}

static void finish(unsigned n)
{
    shared->asked[n] = true;
    vault_job_delete(f.v, (slice){shared->ids[n], JOB_ID_BYTES}, acknowledge, (void *)&shared->done[n]);
}

/* As the keeper does: new jobs, and jobs done, one flush a turn. Every third job is done in the turn after its own. */
static void work(void)
{
    enum { A_TURN = 4 };
    fixture_open(&f);
    for (unsigned n = shared->next; n + A_TURN < JOBS_MAX; n += A_TURN) {
        shared->next = n + A_TURN;
        for (unsigned i = n; i < n + A_TURN; i++) put_next(i);
        for (unsigned i = n < A_TURN ? 0 : n - A_TURN; i < n; i++)
            if (i % 3 == 0 && shared->put[i]) finish(i);
        vault_flush(f.v);
    }
}

static bool mark_listed(void *owner, const struct job *j)
{
    bool *listed = owner;
    for (unsigned i = 0; i < shared->next; i++)
        if (memcmp(shared->ids[i], j->id, JOB_ID_BYTES) == 0) listed[i] = true;
    return true;
}

START_TEST(no_acknowledged_job_is_lost_and_none_done_comes_back_after_kill_9)
{
    static bool listed[JOBS_MAX];
    unsigned put = 0, done = 0;
    fixture_close(&f);
    shared = shared_room(sizeof *shared);
    for (unsigned round = 0; round < 10 || ((put <= 40 || done <= 10) && round < 300); round++) { /* more on a busy machine */
        run_and_kill(work, 30 + round * 13 % 50);
        fixture_open(&f);
        memset(listed, 0, sizeof listed);
        expect_err(vault_job_list(f.v, mark_listed, listed), ERR_NONE);
        expect_sound(f.v);
        put = done = 0;
        for (unsigned i = 0; i < shared->next; i++) {
            put += shared->put[i];
            done += shared->done[i];
            if (shared->done[i]) ck_assert_msg(!listed[i], "job %u came back", i);
            if (shared->put[i] && !shared->asked[i]) ck_assert_msg(listed[i], "job %u is lost", i);
        }
        fixture_close(&f);
    }
    ck_assert(put > 40 && done > 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("jobs");
    TCase *t = tcase_create("jobs");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_job_comes_back_as_it_went_in);
    tcase_add_test(t, a_job_put_again_has_its_new_time);
    tcase_add_test(t, a_deleted_job_is_gone_and_may_be_deleted_again);
    tcase_add_test(t, a_job_that_could_not_be_read_again_is_not_written);
    tcase_add_test(t, the_longest_job_fits);
    tcase_add_test(t, a_removal_names_its_network_and_token);
    tcase_add_test(t, all_jobs_are_listed);
    tcase_add_test(t, a_damaged_job_hides_no_other);
    tcase_add_test(t, no_acknowledged_job_is_lost_and_none_done_comes_back_after_kill_9);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
