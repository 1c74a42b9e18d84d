/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_fixture.h"

#include <check.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;
static char text[API_KEY_TEXT_BYTES + 1];

static void setup(void)
{
    fixture_make(&f);
    fixture_open(&f);
    result r = vault_key_create(f.v, shop, PERMIT_PROXY | PERMIT_READ, SLICE("10.0.0.0/8"), text);
    ck_assert_msg(!failed(r), "%s", error_name(r.err));
}

static void teardown(void)
{
    fixture_remove(&f);
}

static enum error check_error(slice key)
{
    const struct api_key_info *info = NULL;
    return vault_key_check(f.v, key, &info).err;
}

START_TEST(a_key_says_whose_it_is)
{
    const struct api_key_info *info = NULL;
    ck_assert_uint_eq(strlen(text), 4 + 12 + 1 + 43);
    ck_assert(!failed(vault_key_check(f.v, slice_of(text), &info)));
    ck_assert_mem_eq(info->id, text + 4, API_KEY_ID_BYTES);
    ck_assert(slice_is(info->merchant, "shop") && slice_is(info->allow, "10.0.0.0/8"));
    ck_assert_uint_eq(info->permissions, PERMIT_PROXY | PERMIT_READ);
    ck_assert(!info->revoked && info->created_ms > 0);
    fixture_close(&f);
    fixture_open(&f);
    ck_assert_int_eq(check_error(slice_of(text)), ERR_NONE);
}
END_TEST

START_TEST(no_character_of_a_key_can_change)
{
    char key[sizeof text];
    for (size_t i = 0; i < strlen(text); i++) {
        memcpy(key, text, sizeof key);
        key[i] = key[i] == 'x' ? 'y' : 'x';
        ck_assert_msg(check_error(slice_of(key)) == ERR_KEY_WRONG, "character %zu", i);
    }
    for (size_t len = 0; len < strlen(text); len++) ck_assert_int_eq(check_error((slice){text, len}), ERR_KEY_WRONG);
    ck_assert_int_eq(check_error(SLICE("cvk_aaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")), ERR_KEY_WRONG);
}
END_TEST

START_TEST(a_revoked_key_is_refused)
{
    slice id = {text + 4, API_KEY_ID_BYTES};
    ck_assert_int_eq(check_error(slice_of(text)), ERR_NONE);
    ck_assert(!failed(vault_key_revoke(f.v, id)));
    ck_assert_int_eq(check_error(slice_of(text)), ERR_KEY_WRONG);
    ck_assert(!failed(vault_key_revoke(f.v, id)));
    ck_assert_int_eq(vault_key_revoke(f.v, SLICE("aaaaaaaaaaaa")).err, ERR_NOT_FOUND);
    ck_assert_int_eq(vault_key_revoke(f.v, SLICE("short")).err, ERR_NOT_FOUND);
}
END_TEST

struct seen {
    unsigned count, revoked;
};
static void count_key(void *owner, const struct api_key_info *info)
{
    struct seen *s = owner;
    s->count++;
    s->revoked += info->revoked;
}

START_TEST(keys_are_listed)
{
    char second[API_KEY_TEXT_BYTES + 1];
    struct seen s = {0};
    ck_assert(!failed(vault_key_create(f.v, SLICE("cafe"), PERMIT_DEFAULT, SLICE_NONE, second)));
    ck_assert(!failed(vault_key_revoke(f.v, (slice){second + 4, API_KEY_ID_BYTES})));
    ck_assert(!failed(vault_key_list(f.v, count_key, &s)));
    ck_assert_uint_eq(s.count, 2);
    ck_assert_uint_eq(s.revoked, 1);
}
END_TEST

static void revoke_here(void)
{
    struct vault *v;
    if (failed(vault_open(&f.options, &v))) _exit(1);
    if (failed(vault_key_revoke(v, (slice){text + 4, API_KEY_ID_BYTES}))) _exit(2);
    vault_close(v);
}

/* Forked before the vault is opened, as a command is: LMDB's environment does not survive a fork. */
START_TEST(a_key_revoked_by_another_process_is_refused_at_once)
{
    int go[2], done[2];
    char byte = 0;
    fixture_close(&f);
    ck_assert(pipe(go) == 0 && pipe(done) == 0);
    pid_t child = fork();
    if (child == 0) {
        if (read(go[0], &byte, 1) != 1) _exit(3);
        revoke_here();
        if (write(done[1], &byte, 1) != 1) _exit(4);
        _exit(0);
    }
    fixture_open(&f);
    ck_assert_int_eq(check_error(slice_of(text)), ERR_NONE);
    ck_assert_int_eq(write(go[1], &byte, 1), 1);
    ck_assert_int_eq(read(done[0], &byte, 1), 1);
    ck_assert_int_eq(check_error(slice_of(text)), ERR_KEY_WRONG);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* An info of this turn stays valid though the table is read again within it. */
START_TEST(an_info_lives_until_the_turn_ends)
{
    const struct api_key_info *info = NULL;
    char second[API_KEY_TEXT_BYTES + 1];
    ck_assert(!failed(vault_key_check(f.v, slice_of(text), &info)));
    ck_assert(!failed(vault_key_create(f.v, shop, PERMIT_DEFAULT, SLICE_NONE, second)));
    ck_assert_int_eq(check_error(slice_of(second)), ERR_NONE);
    ck_assert(slice_is(info->merchant, "shop"));
    vault_flush(f.v);
    ck_assert_int_eq(check_error(slice_of(text)), ERR_NONE);
}
END_TEST

START_TEST(permission_lists)
{
    static const struct {
        const char *list;
        bool good;
        unsigned bits;
    } cases[] = {
        {"proxy", true, PERMIT_PROXY},     {"proxy,read", true, PERMIT_PROXY | PERMIT_READ}, {"all", true, 255}, {"enroll", true, PERMIT_ENROL}, {"report, credentials", true, PERMIT_REPORT | PERMIT_CREDENTIALS},
        {"", false, 0},                    {"Proxy", false, 0},                              {"proxy,", false, 0}, {",proxy", false, 0},
        {"admin", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned bits;
        ck_assert_msg(permission_parse(slice_of(cases[i].list), &bits) == cases[i].good, "%s", cases[i].list);
        if (cases[i].good) ck_assert_uint_eq(bits, cases[i].bits);
    }
    ck_assert_str_eq(permission_name(PERMIT_REPORT), "report");
    ck_assert_str_eq(permission_name(PERMIT_ENROL), "enroll");
    ck_assert_ptr_null(permission_name(1u << 20));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api_keys");
    TCase *t = tcase_create("api_keys");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_key_says_whose_it_is);
    tcase_add_test(t, no_character_of_a_key_can_change);
    tcase_add_test(t, a_revoked_key_is_refused);
    tcase_add_test(t, keys_are_listed);
    tcase_add_test(t, a_key_revoked_by_another_process_is_refused_at_once);
    tcase_add_test(t, an_info_lives_until_the_turn_ends);
    tcase_add_test(t, permission_lists);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
