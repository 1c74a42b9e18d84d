/* SPDX-License-Identifier: Apache-2.0 */
#include "network_fixture.h"

#include <check.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;
static struct event_list events;

static void setup(void)
{
    fixture_make(&f);
    fixture_open(&f);
}

static void teardown(void)
{
    fixture_remove(&f);
}

static struct event only_event(void)
{
    list_events(f.v, &events);
    ck_assert_uint_eq(events.count, 1);
    return events.events[0];
}

START_TEST(an_event_comes_back_as_it_went_in)
{
    struct event e = test_event(SLICE("token-1"), 9, 5000);
    e.state = EVENT_DELIVERED;
    e.tries = 3;
    e.last_status = 204;
    e.delivered_ms = 7000;
    expect_err(put_event(f.v, &e), ERR_NONE);
    fixture_close(&f);
    fixture_open(&f);
    struct event got = only_event();
    ck_assert_mem_eq(&got, &e, sizeof e);
    struct done d = {0};
    e.state = EVENT_PENDING; /* its next state replaces it */
    e.since_ms = 0;
    vault_event_put(f.v, &e, got.since_ms, on_done, &d);
    vault_flush(f.v);
    expect_err(d.r, ERR_NONE);
    got = only_event();
    ck_assert_int_eq(got.state, EVENT_PENDING);
    ck_assert_int_eq(got.since_ms, e.created_ms);
}
END_TEST

/* A delivery is written down while a command resends the event: the resend is not undone by it, whichever comes first. */
START_TEST(what_is_resent_meanwhile_stays_so)
{
    for (unsigned later = 0; later < 2; later++) {
        struct done d = {0};
        struct event e = test_event(SLICE("token-1"), 9, 5000 + later);
        expect_err(put_event(f.v, &e), ERR_NONE);
        e.state = later ? EVENT_FAILED : EVENT_DELIVERED;
        if (!later) expect_err(vault_event_resend(f.v, event_id(&e)), ERR_NONE);
        vault_event_put(f.v, &e, e.since_ms, on_done, &d);
        if (later) expect_err(vault_event_resend(f.v, event_id(&e)), ERR_NONE);
        vault_flush(f.v);
        ck_assert_uint_eq(d.calls, 1);
        expect_err(d.r, ERR_VAULT_CONFLICT);
        list_events(f.v, &events);
        ck_assert_uint_eq(events.count, 1 + later);
        ck_assert(events.events[later].state == EVENT_PENDING && events.events[later].since_ms > 5001);
    }
}
END_TEST

struct pages {
    size_t count, of_this;
    int64_t last_ms;
};

static bool on_paged(void *owner, const struct event *e)
{
    struct pages *p = owner;
    ck_assert_int_gt(e->created_ms, p->last_ms);
    p->last_ms = e->created_ms;
    p->count++;
    p->of_this++;
    return true;
}

START_TEST(pages_have_all_of_it)
{
    static const size_t limits[] = {1, 7, 20, 99, 100, 101};
    for (unsigned i = 0; i < 100; i++) {
        struct event e = test_event(SLICE("token-1"), i, 1000 + (int64_t)i);
        expect_err(put_event(f.v, &e), ERR_NONE);
    }
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct event_cursor c = {0};
        struct pages p = {0};
        bool more = true;
        while (more) {
            p.of_this = 0;
            expect_err(vault_event_page(f.v, &c, limits[i], &more, on_paged, &p), ERR_NONE);
            ck_assert(p.of_this == limits[i] || (!more && p.of_this < limits[i]));
        }
        ck_assert_uint_eq(p.count, 100);
    }
}
END_TEST

START_TEST(the_longest_event_fits)
{
    struct event e = test_event(SLICE("token-1"), 9, 5000);
    e.json_len = EVENT_JSON_MAX_BYTES;
    memset(e.json, 'x', sizeof e.json);
    memset(e.url, 'u', sizeof e.url);
    memset(e.merchant, 'm', sizeof e.merchant);
    e.token.len = TOKEN_ID_MAX_BYTES;
    memset(e.token.at, 't', sizeof e.token.at);
    expect_err(put_event(f.v, &e), ERR_NONE);
    struct event got = only_event();
    ck_assert_mem_eq(&got, &e, sizeof e);
}
END_TEST

START_TEST(an_event_that_could_not_be_read_again_is_not_written)
{
    struct event good = test_event(SLICE("token-1"), 9, 5000);
    for (unsigned i = 0; i < 8; i++) {
        struct event bad = good;
        struct done d = {0};
        if (i == 0) bad.state = EVENT_FAILED + 1;
        if (i == 1) bad.id[0] = 'x';
        if (i == 2) bad.merchant[0] = '/';
        if (i == 3) bad.token.at[0] = ' ';
        if (i == 4) bad.url[3] = '\n';
        if (i == 5) bad.last_status = 1000;
        if (i == 6) bad.json_len = EVENT_JSON_MAX_BYTES + 1;
        if (i == 7) bad.created_ms = -1;
        vault_event_put(f.v, &bad, bad.since_ms, on_done, &d);
        expect_err(d.r, ERR_VAULT_FORMAT);
        ck_assert_uint_eq(d.calls, 1);
    }
    list_events(f.v, &events);
    ck_assert_uint_eq(events.count, 0);
}
END_TEST

/* Whatever their ids are, and across the pages of a scan. */
START_TEST(events_are_listed_in_the_order_of_their_making)
{
    enum { MANY = 200 };
    struct done d[MANY] = {0};
    for (unsigned i = 0; i < MANY; i++) {
        struct event e = test_event(SLICE("token-1"), i, 1000 + (int64_t)(i * 77 % MANY) * 300);
        vault_event_put(f.v, &e, e.since_ms, on_done, &d[i]);
    }
    vault_flush(f.v);
    list_events(f.v, &events);
    ck_assert_uint_eq(events.count, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        expect_err(d[i].r, ERR_NONE);
        ck_assert_int_eq(events.events[i].created_ms, 1000 + (int64_t)i * 300);
    }
}
END_TEST

static bool count_first(void *owner, const struct event *e)
{
    (void)e;
    ++*(unsigned *)owner;
    return false;
}

START_TEST(a_listing_ends_where_it_is_told_to)
{
    unsigned calls = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct event e = test_event(SLICE("token-1"), i, 1000);
        expect_err(put_event(f.v, &e), ERR_NONE);
    }
    expect_err(vault_event_list(f.v, count_first, &calls), ERR_NONE);
    ck_assert_uint_eq(calls, 1);
}
END_TEST

/* --- resend --- */

START_TEST(a_resent_event_has_a_new_day)
{
    uint64_t before = 9, after = 9;
    struct event e = test_event(SLICE("token-1"), 4, 5000), other = test_event(SLICE("token-1"), 5, 5000);
    e.state = EVENT_FAILED;
    e.tries = 12;
    e.last_status = 503;
    expect_err(put_event(f.v, &e), ERR_NONE);
    expect_err(vault_event_resends(f.v, &before), ERR_NONE);
    ck_assert_uint_eq(before, 0);
    expect_err(vault_event_resend(f.v, event_id(&other)), ERR_NOT_FOUND);
    expect_err(vault_event_resend(f.v, SLICE("")), ERR_NOT_FOUND);
    expect_err(vault_event_resend(f.v, event_id(&e)), ERR_NONE);
    struct event got = only_event();
    ck_assert(got.state == EVENT_PENDING && got.tries == 0 && got.created_ms == e.created_ms);
    ck_assert(got.due_ms > e.created_ms && got.since_ms == got.due_ms);
    ck_assert_mem_eq(got.id, e.id, sizeof e.id);
    ck_assert_uint_eq(got.revision, 4);
    expect_err(vault_event_resends(f.v, &after), ERR_NONE);
    ck_assert_uint_eq(after, 1);
}
END_TEST

struct child { /* told over pipes what to do */
    pid_t pid;
    int go, back;
};

static void serve_resend(slice id, int go, int back)
{
    char byte = 0;
    if (read(go, &byte, 1) != 1) _exit(1);
    fixture_open(&f);
    if (failed(vault_event_resend(f.v, id))) _exit(2);
    fixture_close(&f);
    if (write(back, &byte, 1) != 1) _exit(3);
    _exit(0);
}

static struct child start_child(slice id)
{
    int go[2], back[2];
    ck_assert(pipe(go) == 0 && pipe(back) == 0);
    struct child c = {fork(), go[1], back[0]};
    ck_assert_int_ne(c.pid, -1);
    if (c.pid == 0) serve_resend(id, go[0], back[1]);
    return c;
}

/* The command's process, while this one, the keeper's, has the vault open and goes on writing. */
START_TEST(an_event_resent_by_another_process_is_seen)
{
    int status;
    char byte = 0;
    uint64_t resends = 9;
    struct event e = test_event(SLICE("token-1"), 4, 5000), more = test_event(SLICE("token-2"), 1, 6000);
    e.state = EVENT_DELIVERED;
    expect_err(put_event(f.v, &e), ERR_NONE);
    fixture_close(&f); /* no environment is open over the fork */
    struct child c = start_child(event_id(&e));
    fixture_open(&f);
    expect_err(vault_event_resends(f.v, &resends), ERR_NONE);
    ck_assert_uint_eq(resends, 0);
    uint64_t version = vault_version(f.v);
    ck_assert_int_eq(write(c.go, &byte, 1), 1);
    ck_assert_int_eq(read(c.back, &byte, 1), 1);
    ck_assert_int_eq(waitpid(c.pid, &status, 0), c.pid);
    ck_assert_int_eq(status, 0);
    ck_assert(vault_version(f.v) != version);
    expect_err(vault_event_resends(f.v, &resends), ERR_NONE);
    ck_assert_uint_eq(resends, 1);
    ck_assert_int_eq(only_event().state, EVENT_PENDING);
    expect_err(put_event(f.v, &more), ERR_NONE); /* our own writes are no resend */
    expect_err(vault_event_resends(f.v, &resends), ERR_NONE);
    ck_assert_uint_eq(resends, 1);
}
END_TEST

/* --- purge --- */

START_TEST(old_events_are_purged_unless_they_wait)
{
    enum { OLD = 5000 };
    const int64_t now = OLD + EVENT_KEPT_MS + 1;
    struct event delivered = test_event(SLICE("token-1"), 1, OLD), failed_ = test_event(SLICE("token-1"), 2, OLD), waiting = test_event(SLICE("token-1"), 3, OLD),
                 young = test_event(SLICE("token-1"), 4, OLD + 1), resent = test_event(SLICE("token-1"), 5, OLD);
    delivered.state = young.state = resent.state = EVENT_DELIVERED;
    failed_.state = EVENT_FAILED;
    resent.since_ms = now - 1000;
    struct event *all[] = {&delivered, &failed_, &waiting, &young, &resent};
    for (size_t i = 0; i < 5; i++) expect_err(put_event(f.v, all[i]), ERR_NONE);
    expect_err(vault_event_purge(f.v, now), ERR_NONE);
    vault_flush(f.v);
    list_events(f.v, &events);
    ck_assert_uint_eq(events.count, 3);
    for (size_t i = 0; i < 3; i++) ck_assert_uint_ge(events.events[i].revision, 3);
}
END_TEST

START_TEST(a_long_purge_takes_several_calls)
{
    enum { MANY = 200 };
    struct done d[MANY] = {0};
    unsigned calls = 0;
    for (unsigned i = 0; i < MANY; i++) {
        struct event e = test_event(SLICE("token-1"), i, 1000);
        e.state = EVENT_DELIVERED;
        vault_event_put(f.v, &e, e.since_ms, on_done, &d[i]);
    }
    vault_flush(f.v);
    do {
        expect_err(vault_event_purge(f.v, 2000 + EVENT_KEPT_MS), ERR_NONE);
        vault_flush(f.v);
        list_events(f.v, &events);
    } while (events.count && ++calls < 100);
    ck_assert(calls > 1 && calls < 100);
}
END_TEST

/* Queued, not yet written, when the command resends it: the resend wins. */
START_TEST(a_purge_does_not_take_an_event_that_is_resent_meanwhile)
{
    struct event e = test_event(SLICE("token-1"), 1, 1000);
    e.state = EVENT_DELIVERED;
    expect_err(put_event(f.v, &e), ERR_NONE);
    expect_err(vault_event_purge(f.v, 2000 + EVENT_KEPT_MS), ERR_NONE);
    expect_err(vault_event_resend(f.v, event_id(&e)), ERR_NONE);
    vault_flush(f.v);
    ck_assert_int_eq(only_event().state, EVENT_PENDING);
}
END_TEST

/* --- kill -9 --- */

enum { EVENTS_MAX = 8000 };
struct shared { /* between processes; of each event what was acknowledged */
    volatile unsigned next;
    volatile bool put[EVENTS_MAX], asked[EVENTS_MAX], delivered[EVENTS_MAX];
    struct event all[EVENTS_MAX];
};
static struct shared *shared;

static void acknowledge(void *owner, result r)
{
    if (failed(r)) _exit(10);
    *(volatile bool *)owner = true;
}

/* A turn: a change of a card with its webhook, as vault_network_alter writes it, and the delivery of an earlier one. */
static void with_event(void *owner, struct network_record *record, struct network_change *change)
{
    struct event *e = owner;
    e->revision = record->revision + 1;
    record->updated_ms = (int64_t)e->revision;
    change->write = true;
    change->events = e;
    change->event_count = 1;
}

static void on_altered(void *owner, result r, const struct network_record *record)
{
    const struct event *e = owner;
    (void)record;
    acknowledge((void *)&shared->put[e - shared->all], r);
}

static struct token_id card;

static void work(void)
{
    fixture_open(&f);
    for (unsigned n = shared->next; n < EVENTS_MAX; n++) {
        shared->all[n] = test_event(token_id_slice(&card), 0, 1000 + (int64_t)n);
        shared->next = n + 1;
        vault_network_alter(f.v, shop, token_id_slice(&card), with_event, on_altered, &shared->all[n]);
        if (n > 0 && n % 2 && shared->put[n - 1]) {
            struct event told = shared->all[n - 1];
            told.state = EVENT_DELIVERED;
            shared->asked[n - 1] = true;
            vault_event_put(f.v, &told, told.since_ms, acknowledge, (void *)&shared->delivered[n - 1]);
        }
        vault_flush(f.v);
    }
}

struct seen {
    uint64_t last_revision;
    unsigned count;
    bool listed[EVENTS_MAX], delivered[EVENTS_MAX];
};

static bool on_seen(void *owner, const struct event *e)
{
    struct seen *s = owner;
    unsigned n = (unsigned)(e->created_ms - 1000);
    ck_assert_uint_lt(n, EVENTS_MAX);
    ck_assert_uint_eq(e->revision, s->last_revision + 1); /* each change has its event, in order */
    s->last_revision = e->revision;
    s->count++;
    s->listed[n] = true;
    s->delivered[n] = e->state == EVENT_DELIVERED;
    return true;
}

START_TEST(no_acknowledged_event_is_lost_and_record_and_events_agree_after_kill_9)
{
    static struct seen seen;
    unsigned delivered = 0;
    card = stored_card(f.v, shop, 1);
    fixture_close(&f);
    shared = shared_room(sizeof *shared);
    for (unsigned round = 0; round < 10 || ((seen.count <= 20 || delivered <= 5) && round < 300); round++) { /* more on a busy machine */
        run_and_kill(work, 30 + round * 13 % 50);
        fixture_open(&f);
        memset(&seen, 0, sizeof seen);
        expect_err(vault_event_list(f.v, on_seen, &seen), ERR_NONE);
        ck_assert_uint_eq(get_network(f.v, shop, token_id_slice(&card)).record.revision, seen.last_revision);
        delivered = 0;
        for (unsigned i = 0; i < shared->next; i++) {
            if (shared->put[i]) ck_assert_msg(seen.listed[i], "event %u is lost", i);
            if (shared->delivered[i]) ck_assert_msg(seen.delivered[i], "event %u would be delivered again", i);
            if (!shared->asked[i]) ck_assert(!seen.delivered[i]);
            delivered += shared->delivered[i];
        }
        expect_sound(f.v);
        fixture_close(&f);
    }
    ck_assert(seen.count > 20 && delivered > 5);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("events");
    TCase *t = tcase_create("events");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_event_comes_back_as_it_went_in);
    tcase_add_test(t, the_longest_event_fits);
    tcase_add_test(t, what_is_resent_meanwhile_stays_so);
    tcase_add_test(t, pages_have_all_of_it);
    tcase_add_test(t, an_event_that_could_not_be_read_again_is_not_written);
    tcase_add_test(t, events_are_listed_in_the_order_of_their_making);
    tcase_add_test(t, a_listing_ends_where_it_is_told_to);
    tcase_add_test(t, a_resent_event_has_a_new_day);
    tcase_add_test(t, an_event_resent_by_another_process_is_seen);
    tcase_add_test(t, old_events_are_purged_unless_they_wait);
    tcase_add_test(t, a_long_purge_takes_several_calls);
    tcase_add_test(t, a_purge_does_not_take_an_event_that_is_resent_meanwhile);
    tcase_add_test(t, no_acknowledged_event_is_lost_and_record_and_events_agree_after_kill_9);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
