/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_fixture.h"

#include "base/secret.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const slice shop = {"shop", 4};

static result start_secret(void)
{
    return CRYPTO_secure_malloc_initialized() ? OK : secret_start(1 << 20);
}

void fixture_make(struct fixture *f)
{
    const char *tmp = getenv("TMPDIR");
    bool made;
    memset(f, 0, sizeof *f);
    ck_assert(!failed(start_secret()));
    int len = snprintf(f->folder, sizeof f->folder, "%s/cardveil-vault-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert(len > 0 && (size_t)len < sizeof f->folder);
    ck_assert_ptr_nonnull(mkdtemp(f->folder));
    (void)snprintf(f->vault_path, sizeof f->vault_path, "%s/var/vault", f->folder);
    (void)snprintf(f->key, sizeof f->key, "file:%s/var/vault.key", f->folder);
    f->options = (struct vault_options){.path = slice_of(f->vault_path), .key = slice_of(f->key), .size_bytes = 64 << 20};
    result r = vault_init(&f->options, &made);
    ck_assert_msg(!failed(r), "init: %s", error_name(r.err));
    ck_assert(made);
}

void fixture_open(struct fixture *f)
{
    result r = vault_open(&f->options, &f->v);
    ck_assert_msg(!failed(r), "open: %s", error_name(r.err));
}

void fixture_close(struct fixture *f)
{
    vault_close(f->v);
    f->v = NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void fixture_remove(struct fixture *f)
{
    fixture_close(f);
    ck_assert_int_eq(nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void fixture_path(const struct fixture *f, const char *name, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s/%s", f->vault_path, name);
    ck_assert(len > 0 && len < PATH_MAX);
}

size_t fixture_read(const struct fixture *f, const char *name, char *out, size_t cap)
{
    char path[PATH_MAX];
    fixture_path(f, name, path);
    int fd = open(path, O_RDONLY);
    ck_assert_int_ne(fd, -1);
    ssize_t got = read(fd, out, cap);
    ck_assert_int_ge(got, 0);
    ck_assert_int_eq(close(fd), 0);
    return (size_t)got;
}

void fixture_write(const struct fixture *f, const char *name, const char *at, size_t len)
{
    char path[PATH_MAX];
    fixture_path(f, name, path);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
    ck_assert_int_ne(fd, -1);
    ck_assert_int_eq(write(fd, at, len), (ssize_t)len);
    ck_assert_int_eq(close(fd), 0);
}

bool fixture_has(const struct fixture *f, const char *name)
{
    char path[PATH_MAX];
    fixture_path(f, name, path);
    return access(path, F_OK) == 0;
}

struct card test_card(const char *number, const char *expiry, const char *holder)
{
    struct card c = {0};
    ck_assert(!failed(card_set_number(&c, slice_of(number))));
    ck_assert(!failed(card_set_expiry(&c, slice_of(expiry))));
    ck_assert(!failed(card_set_holder(&c, slice_of(holder))));
    return c;
}

struct card numbered_card(unsigned n)
{
    char digits[20];
    struct card c = {.month = 12, .year = 2030};
    (void)snprintf(digits, sizeof digits, "4%014u0", n % 100000000u);
    for (char last = '0'; last <= '9'; last++) {
        digits[15] = last;
        if (!failed(card_set_number(&c, (slice){digits, 16}))) return c;
    }
    ck_abort_msg("no check digit");
    return c;
}

void on_info(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    struct answer *a = owner;
    a->calls++;
    a->r = r;
    a->deed = deed;
    a->created = deed == CARD_CREATED;
    if (info) a->info = *info;
}

void on_card(void *owner, result r, const struct card *card, const struct card_info *info)
{
    struct answer *a = owner;
    a->calls++;
    a->r = r;
    if (card) a->card = *card;
    if (info) a->info = *info;
}

struct answer put_card(struct vault *v, slice merchant, const struct card *c, bool unique)
{
    struct answer a = {0};
    vault_card_put(v, merchant, c, (struct card_put_options){.unique = unique, .may_change = true}, on_info, &a);
    vault_flush(v);
    ck_assert_uint_eq(a.calls, 1);
    return a;
}

struct answer get_card(struct vault *v, slice merchant, slice token)
{
    struct answer a = {0};
    vault_card_get(v, merchant, token, on_card, &a);
    ck_assert_uint_eq(a.calls, 1);
    return a;
}

struct answer change_card(struct vault *v, slice merchant, slice token, const struct card_change *change)
{
    struct answer a = {0};
    vault_card_change(v, merchant, token, change, on_info, &a);
    vault_flush(v);
    ck_assert_uint_eq(a.calls, 1);
    return a;
}

struct answer delete_card(struct vault *v, slice merchant, slice token)
{
    struct answer a = {0};
    vault_card_delete(v, merchant, token, on_info, &a);
    vault_flush(v);
    ck_assert_uint_eq(a.calls, 1);
    return a;
}

void tick(struct vault *v)
{
    vault_tick(v);
    vault_flush(v);
}
