/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_fixture.h"

#include "lmdb_priv.h" /* vault_crash_point */

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;

static void setup(void)
{
    fixture_make(&f);
}

static void teardown(void)
{
    vault_crash_point = NULL;
    fixture_remove(&f);
}

static void rotate(void)
{
    result r = vault_rotate(f.v, NULL, NULL);
    ck_assert_msg(!failed(r), "%s", error_name(r.err));
}

static void expect_sound(void)
{
    struct vault_verdict v;
    result r = vault_verify(f.v, NULL, NULL, &v);
    ck_assert_msg(!failed(r), "%s", error_name(r.err));
    ck_assert_uint_eq(v.bad_records, 0);
    ck_assert_uint_eq(v.audit_bad_line, 0);
}

static struct vault_stat stat_now(void)
{
    struct vault_stat s;
    result r = vault_stat(f.v, &s);
    ck_assert_msg(!failed(r), "%s", error_name(r.err));
    return s;
}

enum { CARDS = 300 };
static struct token_id tokens[CARDS];

static void put_cards(void)
{
    for (unsigned i = 0; i < CARDS; i++) {
        struct card c = numbered_card(i);
        struct answer a = put_card(f.v, shop, &c, false);
        ck_assert(!failed(a.r));
        tokens[i] = a.info.token;
    }
}

static void expect_cards(void)
{
    for (unsigned i = 0; i < CARDS; i++) {
        struct card c = numbered_card(i);
        struct answer a = get_card(f.v, shop, token_id_slice(&tokens[i]));
        ck_assert_msg(!failed(a.r), "card %u: %s", i, error_name(a.r.err));
        ck_assert_mem_eq(a.card.number, c.number, sizeof c.number);
    }
}

static bool file_contains(const char *name, slice what)
{
    static char room[8 << 20];
    size_t len = fixture_read(&f, name, room, sizeof room);
    return memmem(room, len, what.at, what.len) != NULL;
}

START_TEST(a_rotation_keeps_everything_and_drops_the_old_key)
{
    char key[API_KEY_TEXT_BYTES + 1];
    const struct api_key_info *info;
    fixture_open(&f);
    put_cards();
    ck_assert(!failed(vault_key_create(f.v, shop, PERMIT_DEFAULT, SLICE_NONE, key)));
    struct audit_entry e = {.action = "reveal", .merchant = shop, .outcome = OK};
    ck_assert(!failed(vault_audit(f.v, &e)));
    vault_flush(f.v);
    tick(f.v);
    for (unsigned i = 0; i < 3; i++) {
        rotate();
        struct vault_stat s = stat_now();
        ck_assert(s.cards == CARDS && s.keys == 1 && s.key_version == 2 + i && s.key_versions == 1 && s.records_under_old_keys == 0);
        expect_cards();
        expect_sound();
        ck_assert_int_eq(vault_key_check(f.v, slice_of(key), &info).err, ERR_NONE);
        ck_assert(!fixture_has(&f, i == 0 ? "store.1" : i == 1 ? "store.2" : "store.3"));
    }
    fixture_close(&f);
    fixture_open(&f);
    expect_cards();
    expect_sound();
}
END_TEST

/* A deleted record's page may still hold its ciphertext, until the rotation: then neither its bytes nor its key are there. */
START_TEST(a_deleted_record_is_gone_from_the_file_after_a_rotation)
{
    fixture_open(&f);
    struct card c = test_card("4111111111111111", "12/30", "A");
    struct answer a = put_card(f.v, shop, &c, false);
    slice token = token_id_slice(&a.info.token);
    ck_assert(!failed(delete_card(f.v, shop, token).r));
    ck_assert(file_contains("store.1/data.mdb", token)); /* or this test would show nothing */
    rotate();
    ck_assert(!file_contains("store.2/data.mdb", token));
}
END_TEST

START_TEST(no_pan_stands_in_any_file)
{
    static const char *const names[] = {"store.1/data.mdb", "audit.log", "keyring"};
    fixture_open(&f);
    struct card c = test_card("4111111111111111", "12/30", "HOLDERNAME");
    ck_assert(!failed(put_card(f.v, shop, &c, false).r));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert(!file_contains(names[i], SLICE("4111111111111111")));
        ck_assert(!file_contains(names[i], SLICE("HOLDERNAME")));
    }
    ck_assert(file_contains("store.1/data.mdb", SLICE("shop")));
}
END_TEST

/* --- others at work meanwhile --- */

struct shared { /* between processes */
    volatile int stop, started;
    volatile unsigned count;
    struct token_id tokens[100000];
};
static struct shared *shared;

static void share(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
}

static void acknowledge(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    (void)owner;
    (void)deed;
    if (failed(r)) {
        fprintf(stderr, "writer: %s\n", error_name(r.err));
        _exit(10);
    }
    shared->tokens[shared->count] = info->token;
    shared->count++;
}

/* Writes, and reads back what it wrote, until it is stopped; as the keeper does, one flush a turn. */
static void write_until_stopped(void)
{
    fixture_open(&f);
    struct answer a;
    for (unsigned i = 0; !shared->stop && shared->count < 90000; i += 4) {
        for (unsigned j = 0; j < 4; j++) {
            struct card c = numbered_card(i + j);
            vault_card_put(f.v, shop, &c, (struct card_put_options){0}, acknowledge, NULL);
        }
        vault_flush(f.v);
        shared->started = 1;
        if (shared->count == 0) continue;
        a = get_card(f.v, shop, token_id_slice(&shared->tokens[(i * 7919u) % shared->count]));
        if (failed(a.r)) {
            fprintf(stderr, "reader: %s\n", error_name(a.r.err));
            _exit(11);
        }
        if (i % 64 == 0) tick(f.v);
    }
    fixture_close(&f);
}

static pid_t start_writer(void)
{
    pid_t child = fork();
    ck_assert_int_ne(child, -1);
    if (child == 0) {
        write_until_stopped();
        _exit(0);
    }
    while (!shared->started) usleep(1000);
    return child;
}

static void expect_acknowledged(void)
{
    for (unsigned i = 0; i < shared->count; i++) {
        struct answer a = get_card(f.v, shop, token_id_slice(&shared->tokens[i]));
        ck_assert_msg(!failed(a.r), "token %u of %u: %s", i, shared->count, error_name(a.r.err));
    }
}

START_TEST(a_rotation_beside_a_writer_loses_nothing)
{
    int status;
    share();
    pid_t writer = start_writer();
    fixture_open(&f);
    for (unsigned i = 0; i < 4; i++) {
        rotate();
        usleep(20000);
    }
    shared->stop = 1;
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_gt(shared->count, 100);
    expect_acknowledged();
    struct vault_stat s = stat_now();
    ck_assert_uint_eq(s.records_under_old_keys, 0);
    ck_assert_uint_eq(s.key_versions, 1);
    ck_assert_uint_eq(s.cards, shared->count);
    expect_sound();
}
END_TEST

static void make_keys_until_stopped(void)
{
    char key[API_KEY_TEXT_BYTES + 1];
    fixture_open(&f);
    while (!shared->stop) {
        if (failed(vault_key_create(f.v, shop, PERMIT_DEFAULT, SLICE_NONE, key))) _exit(1);
        shared->count++;
        shared->started = 1;
    }
    fixture_close(&f);
}

/* Keys are committed at once, without asking whether a move is under way: only the write lock keeps them from being lost. */
START_TEST(a_rotation_beside_a_writer_that_does_not_ask_loses_nothing)
{
    int status;
    share();
    pid_t writer = fork();
    ck_assert_int_ne(writer, -1);
    if (writer == 0) {
        make_keys_until_stopped();
        _exit(0);
    }
    while (!shared->started) usleep(1000);
    fixture_open(&f);
    for (unsigned i = 0; i < 6; i++) rotate();
    shared->stop = 1;
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_gt(shared->count, 10);
    ck_assert_uint_eq(stat_now().keys, shared->count);
    expect_sound();
}
END_TEST

START_TEST(two_processes_that_store_the_same_cards_get_the_same_tokens)
{
    enum { SAME = 200 };
    int status;
    share();
    pid_t child[2];
    for (size_t p = 0; p < 2; p++) {
        child[p] = fork();
        if (child[p] == 0) {
            fixture_open(&f);
            for (unsigned i = 0; i < SAME; i++) {
                struct card c = numbered_card(i);
                struct answer a = put_card(f.v, shop, &c, false);
                if (failed(a.r)) _exit(1);
                shared->tokens[p * SAME + i] = a.info.token;
            }
            fixture_close(&f);
            _exit(0);
        }
    }
    for (size_t p = 0; p < 2; p++) {
        ck_assert_int_eq(waitpid(child[p], &status, 0), child[p]);
        ck_assert_int_eq(status, 0);
    }
    for (unsigned i = 0; i < SAME; i++)
        ck_assert(slice_eq(token_id_slice(&shared->tokens[i]), token_id_slice(&shared->tokens[SAME + i])));
    fixture_open(&f);
    ck_assert_uint_eq(stat_now().cards, SAME);
    expect_sound();
}
END_TEST

/* --- kills --- */

START_TEST(every_acknowledged_token_opens_after_kill_9)
{
    share();
    for (unsigned round = 0; round < 12; round++) {
        int status;
        shared->started = 0;
        pid_t writer = start_writer();
        usleep(1000 * (5 + round * 7 % 40));
        ck_assert_int_eq(kill(writer, SIGKILL), 0);
        ck_assert_int_eq(waitpid(writer, &status, 0), writer);
        ck_assert(WIFSIGNALED(status));
        fixture_open(&f);
        expect_acknowledged();
        expect_sound();
        fixture_close(&f);
    }
    ck_assert_uint_gt(shared->count, 100);
}
END_TEST

static const char *die_at;
static void crash(const char *name)
{
    if (strcmp(name, die_at) == 0) kill(getpid(), SIGKILL);
}

static void rotate_and_die(const char *where)
{
    int status;
    pid_t child = fork();
    ck_assert_int_ne(child, -1);
    if (child == 0) {
        die_at = where;
        vault_crash_point = crash;
        fixture_open(&f);
        result r = vault_rotate(f.v, NULL, NULL);
        fprintf(stderr, "not killed at %s: %s\n", where, error_name(r.err));
        _exit(1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status), "the rotation does not come by '%s'", where);
}

static const char *const points[] = {"key_added", "key_told", "resealing", "resealed", "copied", "marked", "current", "moved", "renamed", "swept", "keys_dropped"};
enum { POINTS = sizeof points / sizeof points[0] };

START_TEST(a_rotation_killed_anywhere_loses_nothing_and_can_be_run_again)
{
    enum { MORE = 600 }; /* more than one commit of a rotation */
    struct token_id more[MORE];
    fixture_open(&f);
    put_cards();
    struct answer a[MORE] = {0};
    for (unsigned i = 0; i < MORE; i++) {
        struct card c = numbered_card(1000 + i);
        vault_card_put(f.v, shop, &c, (struct card_put_options){0}, on_info, &a[i]);
    }
    vault_flush(f.v);
    for (unsigned i = 0; i < MORE; i++) more[i] = a[i].info.token;
    fixture_close(&f);
    rotate_and_die(points[_i]);
    fixture_open(&f); /* as it is */
    expect_cards();
    expect_sound();
    struct card c = test_card("4111111111111111", "12/30", "");
    struct answer put = put_card(f.v, shop, &c, false); /* and it takes new cards */
    ck_assert(!failed(put.r));
    rotate();
    expect_cards();
    for (unsigned i = 0; i < MORE; i++) ck_assert(!failed(get_card(f.v, shop, token_id_slice(&more[i])).r));
    ck_assert(!failed(get_card(f.v, shop, token_id_slice(&put.info.token)).r));
    expect_sound();
    struct vault_stat s = stat_now();
    ck_assert(s.key_versions == 1 && s.records_under_old_keys == 0 && s.cards == CARDS + MORE + 1);
    unsigned stores = 0;
    char name[32];
    for (unsigned i = 1; i < 8; i++) {
        (void)snprintf(name, sizeof name, "store.%u", i);
        stores += fixture_has(&f, name);
    }
    ck_assert_uint_eq(stores, 1);
    ck_assert(!fixture_has(&f, "removed"));
}
END_TEST

/* The hardest one: killed while another process writes through it. */
START_TEST(a_rotation_killed_beside_a_writer_loses_nothing)
{
    int status;
    share();
    pid_t writer = start_writer();
    while (shared->count < 600) usleep(1000);
    rotate_and_die(points[_i]);
    unsigned then = shared->count;
    for (unsigned i = 0; i < 2000 && shared->count < then + 40; i++) usleep(1000); /* it goes on writing */
    shared->stop = 1;
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_ge(shared->count, then + 40);
    fixture_open(&f);
    expect_acknowledged();
    rotate();
    expect_acknowledged();
    ck_assert_uint_eq(stat_now().cards, shared->count);
    expect_sound();
}
END_TEST

/* --- backup --- */

START_TEST(a_backup_can_be_restored)
{
    char copy[PATH_MAX];
    struct fixture restored = {0};
    fixture_open(&f);
    put_cards();
    rotate();
    struct audit_entry e = {.action = "reveal", .merchant = shop, .outcome = OK};
    ck_assert(!failed(vault_audit(f.v, &e)));
    vault_flush(f.v);
    tick(f.v);
    ck_assert_int_lt(snprintf(copy, sizeof copy, "%s/copy/deep", f.folder), (int)sizeof copy);
    ck_assert(!failed(vault_backup(f.v, slice_of(copy), NULL, NULL)));
    ck_assert_int_eq(vault_backup(f.v, slice_of(copy), NULL, NULL).err, ERR_VAULT_EXISTS);
    rotate(); /* the copy has its own key ring */
    fixture_close(&f);
    restored = f;
    restored.options.path = slice_of(copy);
    fixture_open(&restored);
    f.v = restored.v;
    expect_cards();
    expect_sound();
    rotate();
    expect_cards();
}
END_TEST

START_TEST(a_backup_beside_a_writer_is_sound)
{
    char copy[PATH_MAX];
    int status;
    share();
    pid_t writer = start_writer();
    fixture_open(&f);
    unsigned before = shared->count;
    ck_assert_int_lt(snprintf(copy, sizeof copy, "%s/copy", f.folder), (int)sizeof copy);
    ck_assert(!failed(vault_backup(f.v, slice_of(copy), NULL, NULL)));
    shared->stop = 1;
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
    fixture_close(&f);
    f.options.path = slice_of(copy);
    fixture_open(&f);
    shared->count = before;
    expect_acknowledged();
    expect_sound();
}
END_TEST

START_TEST(one_rotation_or_backup_at_a_time)
{
    char path[PATH_MAX], copy[PATH_MAX];
    fixture_open(&f);
    fixture_path(&f, "rotate.lock", path);
    int lock = open(path, O_RDWR | O_CREAT, 0600); /* an open file of its own: flock sees another owner */
    ck_assert_int_ne(lock, -1);
    ck_assert_int_eq(flock(lock, LOCK_EX | LOCK_NB), 0);
    ck_assert_int_eq(vault_rotate(f.v, NULL, NULL).err, ERR_VAULT_BUSY);
    ck_assert_int_lt(snprintf(copy, sizeof copy, "%s/copy", f.folder), (int)sizeof copy);
    ck_assert_int_eq(vault_backup(f.v, slice_of(copy), NULL, NULL).err, ERR_VAULT_BUSY);
    ck_assert_int_eq(close(lock), 0);
    rotate();
}
END_TEST

/* While a move copies, writes wait in the queue, reads are answered, and nothing blocks. */
START_TEST(writes_wait_for_a_move_without_blocking)
{
    char path[PATH_MAX];
    struct answer a = {0};
    struct card c = test_card("4111111111111111", "12/30", ""), d = test_card("5555555555554444", "12/30", "");
    fixture_open(&f);
    struct answer before = put_card(f.v, shop, &d, false);
    fixture_path(&f, "moving.lock", path);
    int lock = open(path, O_RDWR);
    ck_assert_int_ne(lock, -1);
    ck_assert_int_eq(flock(lock, LOCK_EX | LOCK_NB), 0);
    vault_card_put(f.v, shop, &c, (struct card_put_options){0}, on_info, &a);
    vault_flush(f.v);
    ck_assert_uint_eq(a.calls, 0);
    ck_assert(!failed(get_card(f.v, shop, token_id_slice(&before.info.token)).r));
    ck_assert_int_eq(close(lock), 0);
    vault_flush(f.v);
    ck_assert_uint_eq(a.calls, 1);
    ck_assert(!failed(a.r));
}
END_TEST

START_TEST(settling_leaves_no_call_open_even_during_a_move)
{
    char path[PATH_MAX];
    struct answer a = {0};
    struct card c = test_card("4111111111111111", "12/30", "");
    fixture_open(&f);
    fixture_path(&f, "moving.lock", path);
    int lock = open(path, O_RDWR);
    ck_assert_int_ne(lock, -1);
    ck_assert_int_eq(flock(lock, LOCK_EX | LOCK_NB), 0);
    vault_card_put(f.v, shop, &c, (struct card_put_options){0}, on_info, &a);
    vault_settle(f.v);
    ck_assert_uint_eq(a.calls, 1);
    ck_assert_int_eq(a.r.err, ERR_VAULT_BUSY);
    ck_assert_int_eq(close(lock), 0);
    ck_assert(put_card(f.v, shop, &c, false).created);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rotate");
    TCase *t = tcase_create("rotate");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_rotation_keeps_everything_and_drops_the_old_key);
    tcase_add_test(t, a_deleted_record_is_gone_from_the_file_after_a_rotation);
    tcase_add_test(t, no_pan_stands_in_any_file);
    tcase_add_test(t, a_rotation_beside_a_writer_loses_nothing);
    tcase_add_test(t, a_rotation_beside_a_writer_that_does_not_ask_loses_nothing);
    tcase_add_test(t, two_processes_that_store_the_same_cards_get_the_same_tokens);
    tcase_add_test(t, every_acknowledged_token_opens_after_kill_9);
    tcase_add_loop_test(t, a_rotation_killed_anywhere_loses_nothing_and_can_be_run_again, 0, POINTS);
    tcase_add_loop_test(t, a_rotation_killed_beside_a_writer_loses_nothing, 0, POINTS);
    tcase_add_test(t, a_backup_can_be_restored);
    tcase_add_test(t, a_backup_beside_a_writer_is_sound);
    tcase_add_test(t, one_rotation_or_backup_at_a_time);
    tcase_add_test(t, writes_wait_for_a_move_without_blocking);
    tcase_add_test(t, settling_leaves_no_call_open_even_during_a_move);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
