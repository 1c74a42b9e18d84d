/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VAULT_FIXTURE_H
#define TESTS_VAULT_FIXTURE_H

/* A vault in a temporary folder, and the calls of the vault made synchronous. */

#include "vault/vault.h"

#include <limits.h>

struct fixture {
    char folder[PATH_MAX - 512];
    char vault_path[PATH_MAX - 256], key[PATH_MAX - 256];
    struct vault_options options;
    struct vault *v;
};
void fixture_make(struct fixture *f);  /* folder, vault_init; not opened */
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);
void fixture_remove(struct fixture *f); /* closes and removes the folder */
void fixture_path(const struct fixture *f, const char *name, char out[PATH_MAX]);
size_t fixture_read(const struct fixture *f, const char *name, char *out, size_t cap);
void fixture_write(const struct fixture *f, const char *name, const char *at, size_t len);
bool fixture_has(const struct fixture *f, const char *name);

extern const slice shop;
struct card test_card(const char *number, const char *expiry, const char *holder);
struct card numbered_card(unsigned n); /* 16 digits with a check digit, from 400000… */

struct answer {
    unsigned calls;
    result r;
    bool created;
    enum card_deed deed;
    struct card_info info;
    struct card card;
};
void on_info(void *owner, result r, const struct card_info *info, enum card_deed deed);
void on_card(void *owner, result r, const struct card *card, const struct card_info *info);
struct answer put_card(struct vault *v, slice merchant, const struct card *c, bool unique); /* flushed */
struct answer get_card(struct vault *v, slice merchant, slice token);
struct answer change_card(struct vault *v, slice merchant, slice token, const struct card_change *change);
void tick(struct vault *v); /* vault_tick and the flush of its turn */
struct answer delete_card(struct vault *v, slice merchant, slice token);

#endif
