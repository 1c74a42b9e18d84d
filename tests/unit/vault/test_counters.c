/* SPDX-License-Identifier: Apache-2.0 */
#include "network_fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static struct counter_delta delta(uint32_t hour, const char *merchant, const char *route, enum counter c, uint64_t n)
{
    struct counter_delta d = {.hour = hour};
    ck_assert(strlen(merchant) <= sizeof d.merchant && strlen(route) <= sizeof d.route);
    memcpy(d.merchant, merchant, strlen(merchant));
    memcpy(d.route, route, strlen(route));
    d.n[c] = n;
    return d;
}

static result count(const struct counter_delta *deltas, size_t delta_count, const struct counter_mark *marks, size_t mark_count)
{
    struct done d = {0};
    vault_count(f.v, deltas, delta_count, marks, mark_count, on_done, &d);
    vault_flush(f.v);
    ck_assert_uint_eq(d.calls, 1);
    return d.r;
}

static result count_one(uint32_t hour, const char *merchant, const char *route, enum counter c, uint64_t n)
{
    struct counter_delta d = delta(hour, merchant, route, c, n);
    return count(&d, 1, NULL, 0);
}

static uint64_t mark_of(uint64_t relay)
{
    uint64_t sequence = 99;
    expect_err(vault_count_mark(f.v, relay, &sequence), ERR_NONE);
    return sequence;
}

struct sums {
    unsigned routes;
    char names[8][ROUTE_NAME_MAX_BYTES + 1];
    uint64_t n[8][COUNTER_COUNT];
};

static void on_sum(void *owner, slice route, const uint64_t n[COUNTER_COUNT])
{
    struct sums *s = owner;
    ck_assert_uint_lt(s->routes, 8);
    memcpy(s->names[s->routes], route.at, route.len);
    memcpy(s->n[s->routes++], n, COUNTER_COUNT * sizeof n[0]);
}

static struct sums sum(const char *merchant, uint32_t from, uint32_t to, const char *route)
{
    struct sums s = {0};
    expect_err(vault_count_sum(f.v, slice_of(merchant), from, to, slice_of(route), on_sum, &s), ERR_NONE);
    return s;
}

static uint64_t total(const char *merchant, uint32_t from, uint32_t to, const char *route, enum counter c)
{
    struct sums s = sum(merchant, from, to, route);
    uint64_t n = 0;
    for (unsigned i = 0; i < s.routes; i++) n += s.n[i][c];
    return n;
}

START_TEST(counters_have_names)
{
    ck_assert_str_eq(counter_name(COUNTER_TOKEN_APPROVED), "network_token_approved");
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        ck_assert_uint_gt(strlen(counter_name((enum counter)i)), 0);
        for (unsigned j = 0; j < i; j++) ck_assert_str_ne(counter_name((enum counter)i), counter_name((enum counter)j));
    }
}
END_TEST

START_TEST(deltas_add_up)
{
    expect_err(count_one(100, "shop", "rede", COUNTER_TOKEN_APPROVED, 2), ERR_NONE);
    expect_err(count_one(100, "shop", "rede", COUNTER_TOKEN_APPROVED, 3), ERR_NONE);
    expect_err(count_one(100, "shop", "rede", COUNTER_TOKEN_DECLINED, 4), ERR_NONE);
    fixture_close(&f);
    fixture_open(&f);
    struct sums s = sum("shop", 100, 101, "");
    ck_assert_uint_eq(s.routes, 1);
    ck_assert_str_eq(s.names[0], "rede");
    ck_assert(s.n[0][COUNTER_TOKEN_APPROVED] == 5 && s.n[0][COUNTER_TOKEN_DECLINED] == 4 && s.n[0][COUNTER_PAN_APPROVED] == 0);
    expect_sound(f.v);
}
END_TEST

START_TEST(deltas_of_one_place_in_one_call_add_up)
{
    struct counter_delta d[] = {delta(100, "shop", "rede", COUNTER_TOKEN_APPROVED, 2), delta(100, "shop", "", COUNTER_ENROL_ASKED, 1),
                                delta(100, "shop", "rede", COUNTER_TOKEN_APPROVED, 3)};
    expect_err(count(d, 3, NULL, 0), ERR_NONE);
    ck_assert_uint_eq(total("shop", 0, 1000, "", COUNTER_TOKEN_APPROVED), 5);
    ck_assert_uint_eq(total("shop", 0, 1000, "", COUNTER_ENROL_ASKED), 1);
}
END_TEST

START_TEST(calls_of_one_turn_add_up)
{
    enum { MANY = 100 };
    struct done d[MANY] = {0};
    struct counter_delta one = delta(100, "shop", "rede", COUNTER_TOKEN_APPROVED, 1);
    for (unsigned i = 0; i < MANY; i++) vault_count(f.v, &one, 1, NULL, 0, on_done, &d[i]);
    for (unsigned i = 0; i < 10; i++) vault_flush(f.v);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_uint_eq(d[i].calls, 1);
        expect_err(d[i].r, ERR_NONE);
    }
    ck_assert_uint_eq(total("shop", 0, 1000, "", COUNTER_TOKEN_APPROVED), MANY);
}
END_TEST

START_TEST(sums_keep_to_their_hours_merchant_and_route)
{
    static const struct {
        const char *merchant;
        uint32_t from, to;
        const char *route;
        uint64_t n;
    } cases[] = {
        {"shop", 100, 103, "", 1 + 10 + 100 + 1000}, {"shop", 100, 103, "rede", 1 + 100 + 1000}, {"shop", 100, 101, "", 1 + 10},
        {"shop", 101, 102, "", 100},                 {"shop", 102, 103, "", 1000},               {"shop", 103, 200, "", 0},
        {"shop", 0, 100, "", 0},                     {"shop", 0, UINT32_MAX, "red", 0},          {"shop", 0, UINT32_MAX, "cielo", 10},
        {"sho", 0, UINT32_MAX, "", 10000},           {"shop2", 0, UINT32_MAX, "", 100000},       {"nobody", 0, UINT32_MAX, "", 0},
        {"shop", 102, 102, "", 0},                   {"shop", 103, 100, "", 0},
    };
    expect_err(count_one(100, "shop", "rede", COUNTER_TOKEN_APPROVED, 1), ERR_NONE);
    expect_err(count_one(100, "shop", "cielo", COUNTER_TOKEN_APPROVED, 10), ERR_NONE);
    expect_err(count_one(101, "shop", "rede", COUNTER_TOKEN_APPROVED, 100), ERR_NONE);
    expect_err(count_one(102, "shop", "rede", COUNTER_TOKEN_APPROVED, 1000), ERR_NONE);
    expect_err(count_one(101, "sho", "rede", COUNTER_TOKEN_APPROVED, 10000), ERR_NONE);
    expect_err(count_one(101, "shop2", "rede", COUNTER_TOKEN_APPROVED, 100000), ERR_NONE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_uint_eq(total(cases[i].merchant, cases[i].from, cases[i].to, cases[i].route, COUNTER_TOKEN_APPROVED), cases[i].n);
    ck_assert_uint_eq(sum("shop", 100, 103, "").routes, 2);
}
END_TEST

START_TEST(the_longest_names_fit)
{
    char name[65] = {0};
    memset(name, 'n', 64);
    expect_err(count_one(100, name, name, COUNTER_PAN_UNKNOWN, 1), ERR_NONE);
    ck_assert_uint_eq(total(name, 0, UINT32_MAX, name, COUNTER_PAN_UNKNOWN), 1);
    expect_err(count_one(100, "", "rede", COUNTER_PAN_UNKNOWN, 1), ERR_TOO_LARGE);
    expect_err(count_one(100, "a b", "rede", COUNTER_PAN_UNKNOWN, 1), ERR_TOO_LARGE);
}
END_TEST

START_TEST(marks_move_forward_only_and_take_their_counts_with_them)
{
    struct counter_delta d = delta(100, "shop", "rede", COUNTER_TOKEN_APPROVED, 1);
    struct counter_mark first = {7, 10}, next = {7, 11}, other = {8, 3}, gone = {7, 0};
    ck_assert_uint_eq(mark_of(7), 0);
    expect_err(count(&d, 1, &first, 1), ERR_NONE);
    ck_assert_uint_eq(mark_of(7), 10);
    expect_err(count(&d, 1, &first, 1), ERR_VAULT_CONFLICT); /* a repeated one */
    const struct counter_mark both[] = {other, first};
    expect_err(count(&d, 1, both, 2), ERR_VAULT_CONFLICT); /* whole */
    ck_assert_uint_eq(mark_of(8), 0);
    ck_assert_uint_eq(total("shop", 0, 1000, "", COUNTER_TOKEN_APPROVED), 1);
    expect_err(count(&d, 1, &next, 1), ERR_NONE);
    expect_err(count(NULL, 0, &other, 1), ERR_NONE);
    ck_assert_uint_eq(mark_of(7), 11);
    ck_assert_uint_eq(mark_of(8), 3);
    ck_assert_uint_eq(total("shop", 0, 1000, "", COUNTER_TOKEN_APPROVED), 2);
    expect_err(count(NULL, 0, &gone, 1), ERR_NONE);
    expect_err(count(NULL, 0, &gone, 1), ERR_NONE);
    ck_assert_uint_eq(mark_of(7), 0);
    ck_assert_uint_eq(mark_of(8), 3);
    expect_sound(f.v);
}
END_TEST

/* Twice in one turn, before either is written: counted once. */
START_TEST(a_mark_repeated_within_a_turn_is_refused)
{
    struct done one = {0}, two = {0};
    struct counter_delta d = delta(100, "shop", "rede", COUNTER_TOKEN_APPROVED, 1);
    struct counter_mark m = {7, 10};
    vault_count(f.v, &d, 1, &m, 1, on_done, &one);
    vault_count(f.v, &d, 1, &m, 1, on_done, &two);
    vault_flush(f.v);
    expect_err(one.r, ERR_NONE);
    expect_err(two.r, ERR_VAULT_CONFLICT);
    ck_assert_uint_eq(total("shop", 0, 1000, "", COUNTER_TOKEN_APPROVED), 1);
}
END_TEST

/* What an older version wrote has fewer counters. */
START_TEST(counters_that_are_newer_than_the_record_are_zero)
{
    uint8_t plain[COUNTS_RECORD_MAX_BYTES];
    uint64_t in[COUNTER_COUNT], n[COUNTER_COUNT];
    for (unsigned i = 0; i < COUNTER_COUNT; i++) in[i] = i + 1;
    ck_assert_uint_eq(counts_encode(in, plain), sizeof plain);
    plain[1] = 3;
    expect_err(counts_decode((slice){(char *)plain, 2 + 8 * 3}, n), ERR_NONE);
    for (unsigned i = 0; i < COUNTER_COUNT; i++) ck_assert_uint_eq(n[i], i < 3 ? i + 1 : 0);
    expect_err(counts_decode((slice){(char *)plain, 2 + 8 * 4}, n), ERR_VAULT_FORMAT);
    plain[1] = COUNTER_COUNT + 1;
    expect_err(counts_decode((slice){(char *)plain, sizeof plain}, n), ERR_VAULT_FORMAT);
}
END_TEST

/* --- counts that belong to a change --- */

static void pay_and_count(void *owner, struct network_record *record, struct network_change *change)
{
    const struct counter_delta *d = owner;
    record->first_paid_ms++;
    change->write = true;
    change->count = d;
}

static void on_changed(void *owner, result r, const struct network_record *record)
{
    struct done *d = owner;
    (void)record;
    on_done(d, r);
}

struct counting {
    struct done done;
    struct counter_delta delta;
};

static void decide_counting(void *owner, struct network_record *record, struct network_change *change)
{
    struct counting *c = owner;
    pay_and_count(&c->delta, record, change);
}

static void on_counting(void *owner, result r, const struct network_record *record)
{
    struct counting *c = owner;
    on_changed(&c->done, r, record);
}

/* A busy turn: each adds to what the one before it queued, and all are on disk with one flush, not one after the other. */
START_TEST(changes_of_one_turn_count_together)
{
    enum { MANY = 100 };
    static struct counting c[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        struct token_id id = stored_card(f.v, shop, i);
        c[i] = (struct counting){.delta = delta(100 + i % 2, "shop", "", COUNTER_ENROL_ASKED, 1)};
        vault_network_alter(f.v, shop, token_id_slice(&id), decide_counting, on_counting, &c[i]);
    }
    vault_flush(f.v);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_uint_eq(c[i].done.calls, 1);
        expect_err(c[i].done.r, ERR_NONE);
    }
    ck_assert_uint_eq(total("shop", 100, 101, "", COUNTER_ENROL_ASKED), MANY / 2);
    ck_assert_uint_eq(total("shop", 101, 102, "", COUNTER_ENROL_ASKED), MANY / 2);
    expect_sound(f.v);
}
END_TEST

/* Some conflict and are made again, beside a call that counts in the same place, beside more merchants than are remembered. */
START_TEST(changes_that_conflict_count_once)
{
    enum { MANY = 60 };
    static struct counting c[MANY];
    struct done plain = {0};
    struct counter_delta one = delta(100, "shop", "", COUNTER_ENROL_ASKED, 1);
    struct token_id id = stored_card(f.v, shop, 1);
    for (unsigned i = 0; i < MANY; i++) {
        char merchant[] = {(char)('a' + i % 20), '\0'};
        c[i] = (struct counting){.delta = delta(100, i % 3 ? merchant : "shop", "", COUNTER_ENROL_ASKED, 1)};
        vault_network_alter(f.v, shop, token_id_slice(&id), decide_counting, on_counting, &c[i]);
        if (i == MANY / 2) vault_count(f.v, &one, 1, NULL, 0, on_done, &plain);
    }
    for (unsigned i = 0; i < 10; i++) vault_flush(f.v);
    uint64_t counted = total("shop", 0, 1000, "", COUNTER_ENROL_ASKED);
    for (unsigned i = 0; i < MANY; i++) expect_err(c[i].done.r, ERR_NONE);
    for (char name[] = "a"; name[0] <= 't'; name[0]++) counted += total(name, 0, 1000, "", COUNTER_ENROL_ASKED);
    ck_assert_uint_eq(plain.calls, 1);
    ck_assert_uint_eq(counted, MANY + 1);
    ck_assert_int_eq(get_network(f.v, shop, token_id_slice(&id)).record.first_paid_ms, MANY);
}
END_TEST

START_TEST(what_is_refused_counts_nothing)
{
    struct counter_delta good = delta(100, "shop", "", COUNTER_ENROL_ASKED, 1), bad = delta(100, "a b", "", COUNTER_ENROL_ASKED, 1);
    struct token_id id = stored_card(f.v, shop, 1);
    expect_err(alter_network(f.v, shop, SLICE("nobody-here"), pay_and_count, &good).r, ERR_TOKEN_NOT_FOUND);
    expect_err(alter_network(f.v, shop, token_id_slice(&id), pay_and_count, &bad).r, ERR_TOO_LARGE);
    ck_assert_int_eq(get_network(f.v, shop, token_id_slice(&id)).record.first_paid_ms, 0);
    ck_assert_uint_eq(total("shop", 0, 1000, "", COUNTER_ENROL_ASKED), 0);
}
END_TEST

/* The report's cards with a token: one less for each card that is deleted with one. */
START_TEST(a_deleted_card_has_no_token_any_more)
{
    static const enum network_state states[] = {NETWORK_PENDING, NETWORK_ACTIVE, NETWORK_SUSPENDED, NETWORK_DELETED, NETWORK_UNPROVISIONED};
    enum { MANY = 100 };
    static struct answer answers[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        struct token_id id = stored_card(f.v, shop, i);
        struct network_record record = test_record("TOKEN-1", "");
        record.state = states[i % 5];
        expect_err(set_network(f.v, shop, token_id_slice(&id), &record).r, ERR_NONE);
        answers[i] = (struct answer){.info.token = id};
    }
    for (unsigned i = 0; i < MANY; i++) {
        struct token_id id = answers[i].info.token;
        vault_card_delete(f.v, shop, token_id_slice(&id), on_info, &answers[i]);
    }
    vault_flush(f.v);
    for (unsigned i = 0; i < MANY; i++) expect_err(answers[i].r, ERR_NONE);
    ck_assert_uint_eq(total("shop", 0, UINT32_MAX, "", COUNTER_TOKENS_LOST), 2 * MANY / 5);
    expect_sound(f.v);
}
END_TEST

/* --- kill -9 --- */

enum { RELAY = 77 };
struct shared { /* between processes */
    volatile uint64_t sent, acknowledged; /* outcomes that the relay has; those it need not send again */
};
static struct shared *shared;

static void on_counted(void *owner, result r)
{
    if (failed(r)) {
        fprintf(stderr, "count: %s\n", error_name(r.err));
        _exit(10);
    }
    shared->acknowledged = *(uint64_t *)owner;
}

/* The keeper's side: what is at or below the mark was counted by a keeper that died before it could say so. */
static void count_outcomes(uint64_t from, uint64_t to)
{
    uint64_t mark;
    if (failed(vault_count_mark(f.v, RELAY, &mark))) _exit(11);
    if (from <= mark) from = mark + 1;
    if (from > to) {
        shared->acknowledged = to;
        return;
    }
    struct counter_delta d = delta((uint32_t)(to / 50), "shop", "rede", COUNTER_TOKEN_APPROVED, to - from + 1);
    struct counter_mark m = {RELAY, to};
    vault_count(f.v, &d, 1, &m, 1, on_counted, &to);
    vault_flush(f.v);
}

/* The relay sends everything that is not acknowledged, and more each time. */
static void work(void)
{
    fixture_open(&f);
    for (;;) {
        shared->sent += 3;
        count_outcomes(shared->acknowledged + 1, shared->sent);
    }
}

START_TEST(every_outcome_is_counted_exactly_once_over_kill_9)
{
    fixture_close(&f);
    shared = shared_room(sizeof *shared);
    for (unsigned round = 0; round < 12 || (shared->sent <= 60 && round < 300); round++) { /* more on a busy machine */
        run_and_kill(work, 30 + round * 13 % 50);
        fixture_open(&f);
        uint64_t counted = total("shop", 0, UINT32_MAX, "", COUNTER_TOKEN_APPROVED);
        ck_assert_uint_eq(counted, mark_of(RELAY)); /* outcomes are numbered from 1 */
        ck_assert(counted >= shared->acknowledged && counted <= shared->sent);
        expect_sound(f.v);
        fixture_close(&f);
    }
    fixture_open(&f);
    count_outcomes(shared->acknowledged + 1, shared->sent);
    ck_assert_uint_eq(total("shop", 0, UINT32_MAX, "", COUNTER_TOKEN_APPROVED), shared->sent);
    ck_assert_uint_gt(shared->sent, 60);
}
END_TEST

static struct token_id changed[8];

static void change_for_ever(void)
{
    static struct counting c[8];
    fixture_open(&f);
    for (uint32_t hour = 100;; hour++) {
        for (unsigned i = 0; i < 8; i++) {
            c[i] = (struct counting){.delta = delta(hour / 50, "shop", "", COUNTER_ENROL_ASKED, 1)};
            vault_network_alter(f.v, shop, token_id_slice(&changed[i]), decide_counting, on_counting, &c[i]);
        }
        vault_flush(f.v);
    }
}

/* Each change counts one: at whatever moment it dies, the sum is that of the changes there are. */
START_TEST(changes_and_their_counts_agree_over_kill_9)
{
    int64_t changes = 0;
    for (unsigned i = 0; i < 8; i++) changed[i] = stored_card(f.v, shop, i);
    fixture_close(&f);
    for (unsigned round = 0; round < 12; round++) {
        run_and_kill(change_for_ever, 30 + round * 13 % 50);
        fixture_open(&f);
        changes = 0;
        for (unsigned i = 0; i < 8; i++) changes += get_network(f.v, shop, token_id_slice(&changed[i])).record.first_paid_ms;
        ck_assert_uint_eq(total("shop", 0, UINT32_MAX, "", COUNTER_ENROL_ASKED), (uint64_t)changes);
        expect_sound(f.v);
        fixture_close(&f);
    }
    fixture_open(&f);
    ck_assert_int_gt(changes, 60);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("counters");
    TCase *t = tcase_create("counters");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, counters_have_names);
    tcase_add_test(t, deltas_add_up);
    tcase_add_test(t, deltas_of_one_place_in_one_call_add_up);
    tcase_add_test(t, calls_of_one_turn_add_up);
    tcase_add_test(t, sums_keep_to_their_hours_merchant_and_route);
    tcase_add_test(t, the_longest_names_fit);
    tcase_add_test(t, marks_move_forward_only_and_take_their_counts_with_them);
    tcase_add_test(t, a_mark_repeated_within_a_turn_is_refused);
    tcase_add_test(t, counters_that_are_newer_than_the_record_are_zero);
    tcase_add_test(t, changes_of_one_turn_count_together);
    tcase_add_test(t, changes_that_conflict_count_once);
    tcase_add_test(t, what_is_refused_counts_nothing);
    tcase_add_test(t, a_deleted_card_has_no_token_any_more);
    tcase_add_test(t, every_outcome_is_counted_exactly_once_over_kill_9);
    tcase_add_test(t, changes_and_their_counts_agree_over_kill_9);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
