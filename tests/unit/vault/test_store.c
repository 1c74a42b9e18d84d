/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_fixture.h"

#include "vault/store_lmdb.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;
static struct store *s;
static int folder;

/* The store alone, in the folder of a vault that is not open. */
static void open_store(uint64_t bytes)
{
    folder = open(f.vault_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ne(folder, -1);
    result r = store_lmdb_open(folder, f.vault_path, bytes, false, &s);
    ck_assert_msg(!failed(r), "%s", error_name(r.err));
}

static void close_store(void)
{
    store_close(s);
    s = NULL;
    if (folder != -1) ck_assert_int_eq(close(folder), 0);
    folder = -1;
}

static void setup(void)
{
    fixture_make(&f);
    open_store(64 << 20);
}

static void teardown(void)
{
    close_store();
    fixture_remove(&f);
}

struct done {
    unsigned calls;
    result r;
};
static void on_done(void *owner, result r)
{
    struct done *d = owner;
    d->calls++;
    d->r = r;
}

struct got {
    result r;
    size_t len;
    char value[STORE_VALUE_MAX_BYTES];
};
static void on_value(void *owner, result r, slice value)
{
    struct got *g = owner;
    g->r = r;
    g->len = value.len;
    if (value.len) memcpy(g->value, value.at, value.len);
}

static struct got get(slice key)
{
    struct got g;
    store_get(s, STORE_CARD, key, on_value, &g);
    return g;
}

static bool holds(slice key, slice value)
{
    struct got g = get(key);
    return !failed(g.r) && slice_eq((slice){g.value, g.len}, value);
}

static result put(slice key, slice value)
{
    struct store_write w = {STORE_PUT, STORE_CARD, key, value};
    return store_commit(s, &w, 1);
}

START_TEST(a_batch_is_answered_by_the_flush_that_commits_it)
{
    struct done d = {0};
    struct store_write w = {STORE_PUT, STORE_CARD, SLICE("a"), SLICE("1")};
    store_batch(s, &w, 1, on_done, &d);
    ck_assert_uint_eq(d.calls, 0);
    ck_assert_int_eq(get(SLICE("a")).r.err, ERR_NOT_FOUND);
    store_flush(s);
    ck_assert(d.calls == 1 && !failed(d.r));
    ck_assert(holds(SLICE("a"), SLICE("1")));
}
END_TEST

static void see_committed(void *owner, result r)
{
    bool *seen = owner;
    *seen = !failed(r) && holds(SLICE("first"), SLICE("1")) && holds(SLICE("last"), SLICE("2"));
}

/* The first answer of a group already sees the group's last write: the commit comes before all of them. */
START_TEST(a_turn_is_one_commit)
{
    bool first = false, last = false;
    struct store_write one = {STORE_PUT, STORE_CARD, SLICE("first"), SLICE("1")}, two = {STORE_PUT, STORE_CARD, SLICE("last"), SLICE("2")};
    uint64_t before = store_version(s);
    store_batch(s, &one, 1, see_committed, &first);
    store_batch(s, &two, 1, see_committed, &last);
    store_flush(s);
    ck_assert(first && last);
    ck_assert_uint_ne(store_version(s), before);
}
END_TEST

START_TEST(a_batch_whose_expectation_fails_changes_nothing)
{
    struct done good = {0}, bad = {0};
    ck_assert(!failed(put(SLICE("a"), SLICE("1"))));
    struct store_write wrong[] = {{STORE_PUT, STORE_CARD, SLICE("b"), SLICE("2")}, {STORE_EXPECT, STORE_CARD, SLICE("a"), SLICE("0")}, {STORE_DELETE, STORE_CARD, SLICE("a"), SLICE_NONE}};
    struct store_write right[] = {{STORE_EXPECT, STORE_CARD, SLICE("a"), SLICE("1")}, {STORE_EXPECT_ABSENT, STORE_CARD, SLICE("c"), SLICE_NONE}, {STORE_PUT, STORE_CARD, SLICE("c"), SLICE("3")}};
    store_batch(s, wrong, 3, on_done, &bad);
    store_batch(s, right, 3, on_done, &good);
    store_flush(s);
    ck_assert_int_eq(bad.r.err, ERR_VAULT_CONFLICT);
    ck_assert_int_eq(good.r.err, ERR_NONE);
    ck_assert(holds(SLICE("a"), SLICE("1")) && holds(SLICE("c"), SLICE("3")));
    ck_assert_int_eq(get(SLICE("b")).r.err, ERR_NOT_FOUND);
    ck_assert_int_eq(store_commit(s, right, 3).err, ERR_VAULT_CONFLICT); /* c is there now */
}
END_TEST

struct items {
    size_t count, stop;
    bool done;
    char keys[16][8];
};
static bool on_item(void *owner, slice key, slice value)
{
    struct items *i = owner;
    ck_assert_uint_lt(i->count, 16);
    memcpy(i->keys[i->count], key.at, key.len);
    i->keys[i->count++][key.len] = '\0';
    (void)value;
    return i->count != i->stop;
}

static void on_scanned(void *owner, result r)
{
    struct items *i = owner;
    ck_assert(!failed(r));
    i->done = true;
}

START_TEST(a_scan_goes_through_one_table_in_order)
{
    struct items all = {0}, some = {0}, rest = {0}, stopped = {.stop = 1};
    struct store_write other = {STORE_PUT, STORE_INDEX, SLICE("x"), SLICE("1")};
    ck_assert(!failed(put(SLICE("b"), SLICE("1"))) && !failed(put(SLICE("a"), SLICE("1"))) && !failed(put(SLICE("c"), SLICE("1"))));
    ck_assert(!failed(store_commit(s, &other, 1)));
    store_scan(s, STORE_CARD, SLICE_NONE, 100, on_item, on_scanned, &all);
    ck_assert(all.count == 3 && strcmp(all.keys[0], "a") == 0 && strcmp(all.keys[2], "c") == 0);
    store_scan(s, STORE_CARD, SLICE_NONE, 2, on_item, on_scanned, &some);
    ck_assert_uint_eq(some.count, 2);
    store_scan(s, STORE_CARD, SLICE("b"), 100, on_item, on_scanned, &rest);
    ck_assert(rest.count == 1 && strcmp(rest.keys[0], "c") == 0);
    store_scan(s, STORE_CARD, SLICE_NONE, 100, on_item, on_scanned, &stopped);
    ck_assert_uint_eq(stopped.count, 1);
    ck_assert(all.done && some.done && rest.done && stopped.done);
}
END_TEST

static slice numbered(char room[32], unsigned n)
{
    return (slice){room, (size_t)snprintf(room, 32, "record-%06u", n)};
}

/* As in a disk that is full: what does not fit is refused, what was there stays, deleting works, and there is room again. */
START_TEST(a_full_store_refuses_and_recovers)
{
    char room[32], value[2000];
    unsigned n = 0;
    struct done full = {0}, removed = {0};
    memset(value, 'v', sizeof value);
    close_store();
    open_store(1 << 20);
    while (!failed(put(numbered(room, n), (slice){value, sizeof value}))) n++;
    ck_assert_uint_gt(n, 50);
    ck_assert_int_eq(put(numbered(room, n), (slice){value, sizeof value}).err, ERR_VAULT_FULL);
    struct store_write more = {STORE_PUT, STORE_CARD, numbered(room, n), {value, sizeof value}};
    store_batch(s, &more, 1, on_done, &full);
    struct store_write less = {STORE_DELETE, STORE_CARD, numbered(room, 0), SLICE_NONE};
    store_batch(s, &less, 1, on_done, &removed);
    store_flush(s);
    ck_assert_int_eq(full.r.err, ERR_VAULT_FULL);
    ck_assert_int_eq(removed.r.err, ERR_NONE); /* not dragged down by the put of the same turn */
    for (unsigned i = 1; i < n; i++) ck_assert(holds(numbered(room, i), (slice){value, sizeof value}));
    for (unsigned i = 1; i < n; i++) {
        struct store_write w = {STORE_DELETE, STORE_CARD, numbered(room, i), SLICE_NONE};
        ck_assert_int_eq(store_commit(s, &w, 1).err, ERR_NONE);
    }
    ck_assert_int_eq(put(SLICE("again"), (slice){value, sizeof value}).err, ERR_NONE);
}
END_TEST

/* A process with a larger map writes past the end of ours: the next transaction here takes the new size. */
START_TEST(a_map_grown_by_another_process_is_followed)
{
    char room[32], value[2000];
    int status;
    enum { MANY = 2000 };
    memset(value, 'v', sizeof value);
    close_store();
    int go[2], done[2];
    char byte = 0;
    ck_assert(pipe(go) == 0 && pipe(done) == 0);
    pid_t child = fork();
    if (child == 0) {
        if (read(go[0], &byte, 1) != 1) _exit(1);
        open_store(64 << 20);
        for (unsigned i = 0; i < MANY; i++)
            if (failed(put(numbered(room, i), (slice){value, sizeof value}))) _exit(2);
        if (write(done[1], &byte, 1) != 1) _exit(3);
        close_store();
        _exit(0);
    }
    open_store(1 << 20);
    ck_assert_int_eq(get(SLICE("a")).r.err, ERR_NOT_FOUND);
    ck_assert_int_eq(write(go[1], &byte, 1), 1);
    ck_assert_int_eq(read(done[0], &byte, 1), 1);
    ck_assert(holds(numbered(room, MANY - 1), (slice){value, sizeof value}));
    ck_assert_int_eq(put(SLICE("a"), SLICE("1")).err, ERR_NONE);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* The get of an answer may read and write: the snapshot has ended before. */
static void read_and_write(void *owner, result r, slice value)
{
    unsigned *depth = owner;
    ck_assert(!failed(r) && slice_is(value, "1"));
    if (++*depth < 5) store_get(s, STORE_CARD, SLICE("a"), read_and_write, depth);
    ck_assert_int_eq(put(SLICE("b"), SLICE("2")).err, ERR_NONE);
    ck_assert(slice_is(value, "1"));
}

START_TEST(answers_may_use_the_store)
{
    unsigned depth = 0;
    ck_assert(!failed(put(SLICE("a"), SLICE("1"))));
    store_get(s, STORE_CARD, SLICE("a"), read_and_write, &depth);
    ck_assert_uint_eq(depth, 5);
}
END_TEST

START_TEST(a_read_only_store_refuses_writes)
{
    store_close(s);
    ck_assert(!failed(store_lmdb_open(folder, f.vault_path, 64 << 20, true, &s)));
    ck_assert_int_eq(put(SLICE("a"), SLICE("1")).err, ERR_VAULT_STORE);
    ck_assert_int_eq(get(SLICE("a")).r.err, ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_folder_without_a_store_of_ours_is_refused)
{
    char path[PATH_MAX];
    close_store();
    fixture_path(&f, "store.1/data.mdb", path);
    ck_assert_int_eq(truncate(path, 0), 0);
    folder = open(f.vault_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(store_lmdb_open(folder, f.vault_path, 64 << 20, false, &s).err, ERR_VAULT_FORMAT);
    fixture_write(&f, "CURRENT", "x\n", 2);
    ck_assert_int_eq(store_lmdb_open(folder, f.vault_path, 64 << 20, false, &s).err, ERR_VAULT_FORMAT);
    fixture_path(&f, "CURRENT", path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(store_lmdb_open(folder, f.vault_path, 64 << 20, false, &s).err, ERR_VAULT_MISSING);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *t = tcase_create("store");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_batch_is_answered_by_the_flush_that_commits_it);
    tcase_add_test(t, a_turn_is_one_commit);
    tcase_add_test(t, a_batch_whose_expectation_fails_changes_nothing);
    tcase_add_test(t, a_scan_goes_through_one_table_in_order);
    tcase_add_test(t, a_full_store_refuses_and_recovers);
    tcase_add_test(t, a_map_grown_by_another_process_is_followed);
    tcase_add_test(t, answers_may_use_the_store);
    tcase_add_test(t, a_read_only_store_refuses_writes);
    tcase_add_test(t, a_folder_without_a_store_of_ours_is_refused);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
