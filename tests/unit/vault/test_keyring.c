/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_fixture.h"

#include "vault/keyring.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fixture f;
static char key_path[PATH_MAX];

static void setup(void)
{
    fixture_make(&f);
    ck_assert_int_lt(snprintf(key_path, sizeof key_path, "%s/var/vault.key", f.folder), (int)sizeof key_path);
}

static void teardown(void)
{
    fixture_remove(&f);
}

static void write_key(const char *text)
{
    FILE *file = fopen(key_path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static enum error open_error(void)
{
    struct vault *v = NULL;
    result r = vault_open(&f.options, &v);
    vault_close(v);
    return r.err;
}

START_TEST(the_key_file_is_private_and_never_overwritten)
{
    struct stat st;
    bool made;
    ck_assert_int_eq(stat(key_path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(st.st_size, 65);
    ck_assert_int_eq(vault_init(&f.options, &made).err, ERR_VAULT_EXISTS);
    ck_assert(!made);
    ck_assert_int_eq(open_error(), ERR_NONE);
}
END_TEST

START_TEST(a_key_may_be_hex_or_base64)
{
    static const char *const same[] = {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                                       "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n",
                                       "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", " AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\r\n"};
    struct kek *kek;
    struct keyring *ring = NULL;
    int folder = open(f.vault_path, O_RDONLY | O_DIRECTORY);
    ck_assert(!failed(keyring_new(&ring)));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        write_key(same[i]);
        ck_assert_msg(!failed(kek_read(f.options.key, &kek)), "%zu", i);
        if (i == 0) ck_assert(!failed(keyring_save(ring, folder, kek)));
        struct keyring *loaded;
        ck_assert_msg(!failed(keyring_load(folder, kek, &loaded)), "%zu", i);
        keyring_free(loaded);
        kek_free(kek);
    }
    keyring_free(ring);
    ck_assert_int_eq(close(folder), 0);
}
END_TEST

START_TEST(keys_that_are_none)
{
    static const char *const bad[] = {"", "\n", "00", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g",
                                      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
                                      "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==", "!AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_key(bad[i]);
        ck_assert_msg(open_error() == ERR_VAULT_KEY_FORM, "%zu", i);
    }
    char long_text[4096];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    write_key(long_text);
    ck_assert_int_eq(open_error(), ERR_VAULT_KEY_FORM);
    ck_assert_int_eq(setenv("CARDVEIL_TEST_KEY", "secret", 1), 0);
    f.options.key = SLICE("env:CARDVEIL_TEST_KEY");
    ck_assert_int_eq(open_error(), ERR_VAULT_KEY_FORM);
}
END_TEST

/* Each fault has its own words: what is wrong, and what to do about it. */
START_TEST(key_faults_are_told_apart)
{
    char folder_key[PATH_MAX + 8];
    ck_assert_int_eq(unlink(key_path), 0);
    ck_assert_int_eq(open_error(), ERR_VAULT_KEY_MISSING);
    ck_assert_int_eq(mkfifo(key_path, 0600), 0);
    ck_assert_int_eq(open_error(), ERR_VAULT_KEY_UNREADABLE);
    (void)snprintf(folder_key, sizeof folder_key, "file:%s", f.vault_path);
    f.options.key = slice_of(folder_key);
    ck_assert_int_eq(open_error(), ERR_VAULT_KEY_UNREADABLE);
    f.options.key = SLICE("vault.key");
    ck_assert_int_eq(open_error(), ERR_VAULT_KEY_MISSING);
    f.options.key = SLICE("env:CARDVEIL_TEST_NO_SUCH_VARIABLE");
    ck_assert_int_eq(open_error(), ERR_VAULT_KEY_MISSING);
}
END_TEST

/* Root is asked too, who could read it whatever its mode. */
START_TEST(a_key_file_that_is_open_to_others_is_refused)
{
    static const struct {
        mode_t mode;
        enum error e;
    } cases[] = {{0600, ERR_NONE},  {0400, ERR_NONE},  {0440, ERR_NONE},  {0640, ERR_NONE},
                 {0644, ERR_VAULT_KEY_OPEN_TO_OTHERS}, {0604, ERR_VAULT_KEY_OPEN_TO_OTHERS},
                 {0620, ERR_VAULT_KEY_OPEN_TO_OTHERS}, {0602, ERR_VAULT_KEY_OPEN_TO_OTHERS}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(chmod(key_path, cases[i].mode), 0);
        ck_assert_msg(open_error() == cases[i].e, "%o", (unsigned)cases[i].mode);
    }
}
END_TEST

/* As Kubernetes mounts a secret: a link to ..data/vault.key, which is a link to the version of the day. */
START_TEST(a_key_file_may_be_a_link)
{
    char real[PATH_MAX + 8];
    (void)snprintf(real, sizeof real, "%s.real", key_path);
    ck_assert_int_eq(rename(key_path, real), 0);
    ck_assert_int_eq(symlink(real, key_path), 0);
    ck_assert_int_eq(open_error(), ERR_NONE);
    ck_assert_int_eq(unlink(real), 0);
    ck_assert_int_eq(open_error(), ERR_VAULT_KEY_MISSING);
}
END_TEST

START_TEST(a_key_may_come_from_the_environment)
{
    char text[128] = {0};
    FILE *file = fopen(key_path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    fclose(file);
    ck_assert_int_eq(setenv("CARDVEIL_TEST_KEY", text, 1), 0);
    f.options.key = SLICE("env:CARDVEIL_TEST_KEY");
    ck_assert_int_eq(open_error(), ERR_NONE);
}
END_TEST

START_TEST(another_key_does_not_open_the_vault)
{
    write_key("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
    ck_assert_int_eq(open_error(), ERR_VAULT_KEY);
}
END_TEST

START_TEST(no_byte_of_the_key_ring_can_change)
{
    char ring[4096];
    size_t len = fixture_read(&f, "keyring", ring, sizeof ring);
    for (size_t i = 0; i < len; i++) {
        ring[i] ^= 1;
        fixture_write(&f, "keyring", ring, len);
        enum error e = open_error();
        ck_assert_msg(e == ERR_VAULT_KEY || e == ERR_VAULT_FORMAT, "byte %zu: %s", i, error_name(e));
        ring[i] ^= 1;
    }
    for (size_t cut = 0; cut < len; cut += 7) {
        fixture_write(&f, "keyring", ring, cut);
        ck_assert_int_ne(open_error(), ERR_NONE);
    }
    fixture_write(&f, "keyring", ring, len);
    ck_assert_int_eq(open_error(), ERR_NONE);
}
END_TEST

START_TEST(a_key_ring_from_before_a_rotation_is_refused)
{
    char ring[4096];
    size_t len = fixture_read(&f, "keyring", ring, sizeof ring);
    fixture_open(&f);
    ck_assert(!failed(vault_rotate(f.v, NULL, NULL)));
    fixture_close(&f);
    fixture_write(&f, "keyring", ring, len);
    ck_assert_int_eq(open_error(), ERR_VAULT_RING_OLD);
}
END_TEST

START_TEST(versions_are_added_found_and_dropped)
{
    struct keyring *ring;
    ck_assert(!failed(keyring_new(&ring)));
    for (uint32_t i = 2; i <= KEYRING_VERSIONS_MAX; i++) {
        ck_assert(!failed(keyring_add(ring)));
        ck_assert_uint_eq(keyring_active(ring)->version, i);
    }
    ck_assert_int_eq(keyring_add(ring).err, ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(keyring_find(ring, 3));
    ck_assert_ptr_null(keyring_find(ring, 99));
    keyring_drop_old(ring);
    ck_assert_uint_eq(keyring_count(ring), 1);
    ck_assert_ptr_null(keyring_find(ring, 3));
    ck_assert_uint_eq(keyring_active(ring)->version, KEYRING_VERSIONS_MAX);
    uint8_t sealed[64], plain[8];
    size_t plain_len;
    struct seal_place place = {'C', SLICE("m"), SLICE("token-1")};
    ck_assert(!failed(seal_record(&keyring_active(ring)->gcm, 16, &place, SLICE("x"), sealed)));
    ck_assert(!failed(seal_open(&keyring_active(ring)->gcm, &place, (slice){(char *)sealed, 1 + SEAL_OVERHEAD_BYTES}, plain, sizeof plain, &plain_len)));
    keyring_free(ring);
}
END_TEST

/* Merchant and PAN are divided by a zero byte: "shop1" + "2…" is not "shop" + "12…". Another ring has another index. */
START_TEST(the_pan_index_is_keyed_and_bound_to_the_merchant)
{
    struct keyring *one, *two;
    uint8_t a[KEYRING_INDEX_BYTES], b[KEYRING_INDEX_BYTES];
    ck_assert(!failed(keyring_new(&one)) && !failed(keyring_new(&two)));
    ck_assert(!failed(keyring_index(one, shop, SLICE("4111111111111111"), a)) && !failed(keyring_index(one, shop, SLICE("4111111111111111"), b)));
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert(!failed(keyring_index(one, SLICE("shop4"), SLICE("111111111111111"), b)));
    ck_assert_mem_ne(a, b, sizeof a);
    ck_assert(!failed(keyring_index(two, shop, SLICE("4111111111111111"), b)));
    ck_assert_mem_ne(a, b, sizeof a);
    keyring_free(one);
    keyring_free(two);
}
END_TEST

/* What a killed init left may be made anew; a vault that is there never is. */
START_TEST(an_interrupted_init_is_not_a_vault_and_can_be_repeated)
{
    bool made;
    fixture_write(&f, "INIT", "", 0);
    ck_assert_int_eq(open_error(), ERR_VAULT_MISSING);
    ck_assert_int_eq(vault_init(&f.options, &made).err, ERR_NONE);
    ck_assert_int_eq(open_error(), ERR_NONE);
}
END_TEST

START_TEST(one_process_opens_a_vault_once)
{
    fixture_open(&f);
    ck_assert_int_eq(open_error(), ERR_VAULT_BUSY);
    fixture_close(&f);
    ck_assert_int_eq(open_error(), ERR_NONE);
}
END_TEST

START_TEST(a_missing_vault_is_told_apart)
{
    f.options.path = SLICE("no/such/vault");
    ck_assert_int_eq(open_error(), ERR_VAULT_MISSING);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keyring");
    TCase *t = tcase_create("keyring");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_key_file_is_private_and_never_overwritten);
    tcase_add_test(t, a_key_may_be_hex_or_base64);
    tcase_add_test(t, keys_that_are_none);
    tcase_add_test(t, key_faults_are_told_apart);
    tcase_add_test(t, a_key_file_that_is_open_to_others_is_refused);
    tcase_add_test(t, a_key_file_may_be_a_link);
    tcase_add_test(t, a_key_may_come_from_the_environment);
    tcase_add_test(t, another_key_does_not_open_the_vault);
    tcase_add_test(t, no_byte_of_the_key_ring_can_change);
    tcase_add_test(t, a_key_ring_from_before_a_rotation_is_refused);
    tcase_add_test(t, versions_are_added_found_and_dropped);
    tcase_add_test(t, the_pan_index_is_keyed_and_bound_to_the_merchant);
    tcase_add_test(t, an_interrupted_init_is_not_a_vault_and_can_be_repeated);
    tcase_add_test(t, one_process_opens_a_vault_once);
    tcase_add_test(t, a_missing_vault_is_told_apart);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
