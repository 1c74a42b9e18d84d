/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_fixture.h"

#include "lmdb_priv.h" /* vault_crash_point */

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;
static char new_key[PATH_MAX];
static struct token_id token;

/* A vault with a card in it, and a second key beside the first: options have both. */
static void setup(void)
{
    static const char text[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    struct card c = test_card("4111111111111111", "12/30", "");
    fixture_make(&f);
    fixture_open(&f);
    token = put_card(f.v, shop, &c, false).info.token;
    fixture_close(&f);
    ck_assert_int_lt(snprintf(new_key, sizeof new_key, "file:%s/new.key", f.folder), (int)sizeof new_key);
    FILE *file = fopen(new_key + strlen("file:"), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    fclose(file);
    ck_assert_int_eq(chmod(new_key + strlen("file:"), 0600), 0);
    f.options.old_key = f.options.key;
    f.options.key = slice_of(new_key);
}

static void teardown(void)
{
    vault_crash_point = NULL;
    fixture_remove(&f);
}

static enum error open_with(slice key, slice old_key)
{
    struct vault_options o = f.options;
    struct vault *v = NULL;
    o.key = key;
    o.old_key = old_key;
    result r = vault_open(&o, &v);
    vault_close(v);
    return r.err;
}

static bool under_old_key(void)
{
    struct vault_stat s;
    ck_assert(!failed(vault_stat(f.v, &s)));
    return s.under_old_key;
}

static bool rotate_kek(void)
{
    bool moved;
    result r = vault_rotate_kek(f.v, &moved);
    ck_assert_msg(!failed(r), "%s", error_name(r.err));
    return moved;
}

static void expect_card(void)
{
    ck_assert(!failed(get_card(f.v, shop, token_id_slice(&token)).r));
}

START_TEST(the_new_key_opens_the_vault_and_the_old_one_no_more)
{
    char before[4096];
    slice old = f.options.old_key, new = f.options.key;
    size_t len = fixture_read(&f, "keyring", before, sizeof before);
    ck_assert_int_eq(open_with(new, SLICE_NONE), ERR_VAULT_KEY);
    fixture_open(&f);
    ck_assert(under_old_key());
    ck_assert(rotate_kek());
    ck_assert(!under_old_key());
    expect_card();
    ck_assert(!rotate_kek()); /* nothing left to do */
    fixture_close(&f);
    ck_assert_int_eq(open_with(new, SLICE_NONE), ERR_NONE);
    ck_assert_int_eq(open_with(old, SLICE_NONE), ERR_VAULT_KEY);
    /* The old ring put back, with the old key at hand: an attacker who has both gets no further. */
    fixture_write(&f, "keyring", before, len);
    ck_assert_int_eq(open_with(old, SLICE_NONE), ERR_VAULT_RING_OLD);
    ck_assert_int_eq(open_with(new, old), ERR_VAULT_RING_OLD);
}
END_TEST

START_TEST(the_old_key_is_asked_for_only_where_it_is_needed)
{
    slice old = f.options.old_key, new = f.options.key, none = SLICE("env:CARDVEIL_TEST_NO_SUCH_VARIABLE");
    ck_assert_int_eq(open_with(new, none), ERR_VAULT_KEY_MISSING);
    ck_assert_int_eq(open_with(none, old), ERR_VAULT_KEY_MISSING);
    ck_assert_int_eq(open_with(new, new), ERR_VAULT_KEY);
    fixture_open(&f);
    ck_assert(rotate_kek());
    fixture_close(&f);
    ck_assert_int_eq(open_with(new, none), ERR_NONE);
}
END_TEST

/* A data key rotation in between leaves the ring under the key that opened it. */
START_TEST(data_keys_may_be_rotated_before_and_after)
{
    slice old = f.options.old_key;
    fixture_open(&f);
    ck_assert(!failed(vault_rotate(f.v, NULL, NULL)));
    ck_assert(under_old_key());
    fixture_close(&f);
    ck_assert_int_eq(open_with(old, SLICE_NONE), ERR_NONE);
    fixture_open(&f);
    ck_assert(rotate_kek());
    ck_assert(!failed(vault_rotate(f.v, NULL, NULL)));
    expect_card();
    fixture_close(&f);
    ck_assert_int_eq(open_with(old, SLICE_NONE), ERR_VAULT_KEY);
    f.options.old_key = SLICE_NONE;
    fixture_open(&f);
    expect_card();
}
END_TEST

static void die(const char *name)
{
    if (strcmp(name, "kek_changed") == 0) _exit(9);
}

/* Between the file and the store's word: either run again, or left as it is, the vault opens. */
START_TEST(killed_half_way_it_opens_and_can_be_run_again)
{
    char before[4096];
    int status;
    slice old = f.options.old_key;
    size_t len = fixture_read(&f, "keyring", before, sizeof before);
    pid_t child = fork();
    if (child == 0) {
        vault_crash_point = die;
        fixture_open(&f);
        (void)rotate_kek();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    fixture_open(&f);
    ck_assert(!under_old_key());
    expect_card();
    ck_assert(!rotate_kek());
    fixture_close(&f);
    fixture_write(&f, "keyring", before, len);
    ck_assert_int_eq(open_with(old, SLICE_NONE), ERR_VAULT_RING_OLD);
}
END_TEST

/* A keeper that has both keys goes on: it reads what is there, and stores. */
START_TEST(a_process_that_has_both_keys_goes_on)
{
    struct card c = test_card("5555555555554444", "12/30", "");
    int go[2], status;
    char one = 0;
    ck_assert_int_eq(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        if (read(go[0], &one, 1) != 1) _exit(1);
        fixture_open(&f);
        bool moved = rotate_kek();
        fixture_close(&f);
        _exit(moved ? 0 : 1);
    }
    fixture_open(&f);
    ck_assert_int_eq(write(go[1], &one, 1), 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    expect_card();
    struct answer a = put_card(f.v, shop, &c, false);
    ck_assert_msg(a.calls == 1 && !failed(a.r), "%s", error_name(a.r.err));
    tick(f.v);
    ck_assert(!under_old_key());
    fixture_close(&f);
    f.options.old_key = SLICE_NONE;
    fixture_open(&f);
    ck_assert(!failed(get_card(f.v, shop, token_id_slice(&a.info.token)).r));
    close(go[0]);
    close(go[1]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rotate_kek");
    TCase *t = tcase_create("rotate_kek");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_new_key_opens_the_vault_and_the_old_one_no_more);
    tcase_add_test(t, the_old_key_is_asked_for_only_where_it_is_needed);
    tcase_add_test(t, data_keys_may_be_rotated_before_and_after);
    tcase_add_test(t, killed_half_way_it_opens_and_can_be_run_again);
    tcase_add_test(t, a_process_that_has_both_keys_goes_on);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
