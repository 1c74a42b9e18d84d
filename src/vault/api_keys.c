/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include "base/clock.h"
#include "base/secret.h"
#include "bytes.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1 /* out of memory is an answer, not an exit */
#include <uthash.h>

/* A key is "cvk_<id>_<secret>": the id finds it, the secret (32 random bytes, base64url) proves it. The store holds
 * SHA-256(secret): a random 256-bit secret needs no slow hash. The record is sealed, so nobody can plant a key in the store.
 *
 *     record:  layout 1 | revoked 1 | permissions 4 | created 8 | digest 32 | merchant length 1, merchant | allow length 2, allow */

enum {
    LAYOUT = 1,
    SECRET_BYTES = 32,
    SECRET_TEXT_BYTES = 43,
    DIGEST_BYTES = 32,
    ALLOW_MAX_BYTES = 1024,
    FIXED_BYTES = 1 + 1 + 4 + 8 + DIGEST_BYTES,
    RECORD_MAX_BYTES = FIXED_BYTES + 1 + MERCHANT_MAX_BYTES + 2 + ALLOW_MAX_BYTES,
    KEY_TEXT_LEN = 4 + API_KEY_ID_BYTES + 1 + SECRET_TEXT_BYTES,
};
_Static_assert((int)KEY_TEXT_LEN <= (int)API_KEY_TEXT_BYTES, "a key's text fits");
_Static_assert((int)RECORD_MAX_BYTES + (int)SEAL_OVERHEAD_BYTES <= (int)STORE_VALUE_MAX_BYTES, "a key's record fits");

struct api_key {
    UT_hash_handle hh;
    struct api_key *next_old;
    struct api_key_info info;
    uint8_t digest[DIGEST_BYTES];
    char merchant[MERCHANT_MAX_BYTES], allow[ALLOW_MAX_BYTES]; /* what info's slices point to */
};
struct key_table {
    struct api_key *by_id;
    struct api_key *old;   /* replaced this turn: infos handed out may still point there */
    uint64_t version;      /* store_version when generation was looked at */
    uint8_t generation[GENERATION_BYTES];
    size_t generation_len; /* 0: no key was ever made */
    bool loaded;
};

/* --- permissions --- */

static const struct {
    const char *name;
    unsigned bit;
} permissions[] = {
    {"proxy", PERMIT_PROXY},   {"tokenize", PERMIT_TOKENIZE},       {"read", PERMIT_READ},     {"change", PERMIT_CHANGE},
    {"delete", PERMIT_DELETE}, {"credentials", PERMIT_CREDENTIALS}, {"report", PERMIT_REPORT}, {"enroll", PERMIT_ENROL},
};
enum { PERMISSIONS = sizeof permissions / sizeof permissions[0] };

static unsigned permission_bit(slice name)
{
    unsigned all = 0;
    for (size_t i = 0; i < PERMISSIONS; i++) {
        if (slice_is(name, permissions[i].name)) return permissions[i].bit;
        all |= permissions[i].bit;
    }
    return slice_is(name, "all") ? all : 0;
}

bool permission_parse(slice list, unsigned *bits)
{
    slice name;
    *bits = 0;
    if (list.len == 0) return false;
    while (slice_next(&list, ',', &name)) {
        unsigned bit = permission_bit(slice_trim(name));
        if (!bit) return false;
        *bits |= bit;
    }
    return true;
}

const char *permission_name(unsigned bit)
{
    for (size_t i = 0; i < PERMISSIONS; i++)
        if (permissions[i].bit == bit) return permissions[i].name;
    return NULL;
}

/* --- records --- */

struct seal_place key_place(slice id)
{
    return (struct seal_place){STORE_KEY, SLICE_NONE, id};
}

static result digest_of(slice secret, uint8_t out[DIGEST_BYTES])
{
    static EVP_MD *sha256;
    static EVP_MD_CTX *ctx;
    if (!sha256) sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!ctx) ctx = EVP_MD_CTX_new();
    bool good = sha256 && ctx && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1 &&
                EVP_DigestUpdate(ctx, secret.at, secret.len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    return good ? OK : FAIL(CRYPTO);
}

static size_t encode(const struct api_key *k, uint8_t out[RECORD_MAX_BYTES])
{
    out[0] = LAYOUT;
    out[1] = k->info.revoked;
    put_u32(out + 2, k->info.permissions);
    put_u64(out + 6, (uint64_t)k->info.created_ms);
    memcpy(out + 14, k->digest, DIGEST_BYTES);
    uint8_t *at = out + FIXED_BYTES;
    *at++ = (uint8_t)k->info.merchant.len;
    memcpy(at, k->info.merchant.at, k->info.merchant.len);
    at += k->info.merchant.len;
    put_u16(at, (uint16_t)k->info.allow.len);
    at += 2;
    if (k->info.allow.len) memcpy(at, k->info.allow.at, k->info.allow.len);
    return (size_t)(at - out) + k->info.allow.len;
}

static void key_fill(struct api_key *k, slice id, slice merchant, slice allow)
{
    memcpy(k->info.id, id.at, API_KEY_ID_BYTES);
    k->info.id[API_KEY_ID_BYTES] = '\0';
    memcpy(k->merchant, merchant.at, merchant.len);
    if (allow.len) memcpy(k->allow, allow.at, allow.len);
    k->info.merchant = (slice){k->merchant, merchant.len};
    k->info.allow = (slice){k->allow, allow.len};
}

static result decode(slice id, const uint8_t *at, size_t len, struct api_key *k)
{
    ENSURE(id.len == API_KEY_ID_BYTES && len >= FIXED_BYTES + 3 && at[0] == LAYOUT && at[1] <= 1, VAULT_FORMAT);
    size_t merchant_len = at[FIXED_BYTES];
    ENSURE(merchant_len <= MERCHANT_MAX_BYTES && len >= FIXED_BYTES + 3 + merchant_len, VAULT_FORMAT);
    const uint8_t *merchant = at + FIXED_BYTES + 1, *allow = merchant + merchant_len + 2;
    size_t allow_len = get_u16(merchant + merchant_len);
    ENSURE(allow_len <= ALLOW_MAX_BYTES && len == FIXED_BYTES + 3 + merchant_len + allow_len, VAULT_FORMAT);
    k->info.revoked = at[1] == 1;
    k->info.permissions = get_u32(at + 2);
    k->info.created_ms = (int64_t)get_u64(at + 6);
    memcpy(k->digest, at + 14, DIGEST_BYTES);
    key_fill(k, id, (slice){(const char *)merchant, merchant_len}, (slice){(const char *)allow, allow_len});
    return OK;
}

static result open_key(struct vault *v, slice id, slice sealed, struct api_key *k)
{
    uint8_t plain[RECORD_MAX_BYTES]; /* digests and names: nothing secret */
    size_t len = 0;
    struct seal_place place = key_place(id);
    TRY(vault_unseal(v, &place, sealed, plain, sizeof plain, &len));
    return decode(id, plain, len, k);
}

/* --- the table in memory --- */

static void table_empty(struct key_table *t)
{
    struct api_key *k, *next;
    HASH_ITER(hh, t->by_id, k, next)
    {
        HASH_DEL(t->by_id, k);
        k->next_old = t->old;
        t->old = k;
    }
}

void key_table_end_turn(struct vault *v)
{
    if (!v->keys) return;
    for (struct api_key *k = v->keys->old, *next; k; k = next) {
        next = k->next_old;
        free(k);
    }
    v->keys->old = NULL;
}

void key_table_stop(struct vault *v)
{
    if (!v->keys) return;
    table_empty(v->keys);
    key_table_end_turn(v);
    free(v->keys);
    v->keys = NULL;
}

static result load_one(void *owner, enum store_table t, slice key, slice sealed)
{
    struct vault *v = owner;
    (void)t;
    struct api_key *k = calloc(1, sizeof *k);
    ENSURE(k != NULL, MEMORY);
    result r = open_key(v, key, sealed, k);
    if (failed(r)) {
        free(k);
        return r;
    }
    HASH_ADD(hh, v->keys->by_id, info.id, API_KEY_ID_BYTES, k);
    if (k->hh.tbl) return OK;
    free(k);
    return FAIL(MEMORY);
}

/* The generation is read before the keys: a change in between is found by the next check. */
static result table_refresh(struct vault *v)
{
    uint64_t version = store_version(v->store);
    ENSURE(version != 0, VAULT_STORE);
    if (!v->keys) v->keys = calloc(1, sizeof *v->keys);
    struct key_table *t = v->keys;
    ENSURE(t != NULL, MEMORY);
    if (t->loaded && t->version == version) return OK;
    uint8_t generation[GENERATION_BYTES];
    size_t len = 0;
    result r = vault_read_now(v, STORE_META, meta_keys, generation, sizeof generation, &len);
    if (r.err == ERR_NOT_FOUND) r = OK;
    TRY(r);
    if (!t->loaded || !slice_eq((slice){(char *)generation, len}, (slice){(char *)t->generation, t->generation_len})) {
        t->loaded = false;
        table_empty(t);
        TRY(vault_each(v, STORE_KEY, load_one, v));
        memcpy(t->generation, generation, len);
        t->generation_len = len;
        t->loaded = true;
    }
    t->version = version;
    return OK;
}

result vault_key_check(struct vault *v, slice key_text, const struct api_key_info **info)
{
    uint8_t digest[DIGEST_BYTES];
    struct api_key *k = NULL;
    ENSURE(key_text.len == KEY_TEXT_LEN && slice_starts(key_text, SLICE("cvk_")) && key_text.at[4 + API_KEY_ID_BYTES] == '_', KEY_WRONG);
    TRY(table_refresh(v));
    TRY(digest_of(slice_after(key_text, KEY_TEXT_LEN - SECRET_TEXT_BYTES), digest));
    HASH_FIND(hh, v->keys->by_id, key_text.at + 4, API_KEY_ID_BYTES, k);
    ENSURE(k != NULL, KEY_WRONG);
    ENSURE(slice_eq_secret((slice){(char *)digest, sizeof digest}, (slice){(char *)k->digest, sizeof k->digest}), KEY_WRONG);
    ENSURE(!k->info.revoked, KEY_WRONG);
    *info = &k->info;
    return OK;
}

static int by_age(const struct api_key *a, const struct api_key *b)
{
    if (a->info.created_ms != b->info.created_ms) return a->info.created_ms < b->info.created_ms ? -1 : 1;
    return strcmp(a->info.id, b->info.id);
}

result vault_key_list(struct vault *v, vault_key_callback each, void *owner)
{
    TRY(table_refresh(v));
    HASH_SORT(v->keys->by_id, by_age);
    for (struct api_key *k = v->keys->by_id; k; k = k->hh.next) each(owner, &k->info);
    return OK;
}

/* --- making and revoking --- */

/* Writes a key and counts the generation up, so that every process reads its table again. */
static result write_key(struct vault *v, const struct api_key *k, slice expect)
{
    uint8_t plain[RECORD_MAX_BYTES], sealed[RECORD_MAX_BYTES + SEAL_OVERHEAD_BYTES], old[GENERATION_BYTES], new[GENERATION_BYTES];
    size_t old_len = 0, sealed_len = 0;
    slice id = {k->info.id, API_KEY_ID_BYTES};
    result r = vault_read_now(v, STORE_META, meta_keys, old, sizeof old, &old_len);
    if (r.err == ERR_NOT_FOUND) r = OK;
    TRY(r);
    put_u64(new, (old_len == sizeof old ? get_u64(old) : 0) + 1);
    struct seal_place place = key_place(id);
    TRY(vault_seal(v, &place, (slice){(char *)plain, encode(k, plain)}, sealed, &sealed_len));
    struct store_write steps[] = {
        vault_expect_ring(v),
        {STORE_EXPECT, STORE_KEY, id, expect},
        {STORE_EXPECT, STORE_META, meta_keys, {(char *)old, old_len}},
        {STORE_PUT, STORE_KEY, id, {(char *)sealed, sealed_len}},
        {STORE_PUT, STORE_META, meta_keys, {(char *)new, sizeof new}},
    };
    return store_commit(v->store, steps, sizeof steps / sizeof steps[0]);
}

/* 60 random bits in 12 letters and digits: no '-' in front that a command would take for an option. */
static result make_id(char out[API_KEY_ID_BYTES])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t random[API_KEY_ID_BYTES];
    ENSURE(RAND_bytes(random, sizeof random) == 1, CRYPTO);
    for (size_t i = 0; i < sizeof random; i++) out[i] = letters[random[i] & 31];
    return OK;
}

/* Without '_', so that cutting a key at its last '_' gives the secret; that leaves 255 of the 256 bits. */
static result make_secret(char out[SECRET_TEXT_BYTES])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t random[SECRET_BYTES + 1] = {0};
    do {
        ENSURE(RAND_bytes(random, SECRET_BYTES) == 1, CRYPTO);
        for (size_t i = 0, bit = 0; i < SECRET_TEXT_BYTES; i++, bit += 6) {
            unsigned pair = (unsigned)random[bit / 8] << 8 | random[bit / 8 + 1];
            out[i] = letters[pair >> (10 - bit % 8) & 63];
        }
    } while (memchr(out, '_', SECRET_TEXT_BYTES));
    secret_wipe(random, sizeof random);
    return OK;
}

static result make_key(struct vault *v, struct api_key *k, slice merchant, slice allow, char key_text[API_KEY_TEXT_BYTES + 1])
{
    char id[API_KEY_ID_BYTES], *secret = key_text + KEY_TEXT_LEN - SECRET_TEXT_BYTES;
    TRY(make_id(id));
    TRY(make_secret(secret));
    memcpy(key_text, "cvk_", 4);
    memcpy(key_text + 4, id, sizeof id);
    key_text[4 + API_KEY_ID_BYTES] = '_';
    key_text[KEY_TEXT_LEN] = '\0';
    TRY(digest_of((slice){secret, SECRET_TEXT_BYTES}, k->digest));
    key_fill(k, (slice){id, sizeof id}, merchant, allow);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        result r = write_key(v, k, SLICE_NONE);
        if (r.err != ERR_VAULT_CONFLICT) return r;
        TRY(vault_refresh_ring(v));
    }
    return FAIL(VAULT_CONFLICT);
}

result vault_key_create(struct vault *v, slice merchant, unsigned bits, slice allow, char key_text[API_KEY_TEXT_BYTES + 1])
{
    ENSURE(merchant.len >= 1 && merchant.len <= MERCHANT_MAX_BYTES && allow.len <= ALLOW_MAX_BYTES, TOO_LARGE);
    struct api_key *k = calloc(1, sizeof *k);
    ENSURE(k != NULL, MEMORY);
    k->info.permissions = bits;
    k->info.created_ms = clock_wall_ms();
    result r = make_key(v, k, merchant, allow, key_text);
    if (failed(r)) secret_wipe(key_text, API_KEY_TEXT_BYTES + 1);
    free(k);
    return r;
}

static result revoke_once(struct vault *v, slice id, struct api_key *k)
{
    uint8_t sealed[SEALED_MAX_BYTES];
    size_t len = 0;
    TRY(vault_read_now(v, STORE_KEY, id, sealed, sizeof sealed, &len));
    slice expect = {(char *)sealed, len};
    TRY(open_key(v, id, expect, k));
    if (k->info.revoked) return OK;
    k->info.revoked = true;
    return write_key(v, k, expect);
}

result vault_key_revoke(struct vault *v, slice id)
{
    ENSURE(id.len == API_KEY_ID_BYTES, NOT_FOUND);
    struct api_key *k = calloc(1, sizeof *k);
    ENSURE(k != NULL, MEMORY);
    result r = FAIL(VAULT_CONFLICT);
    for (int tries = 0; tries < TRIES_MAX && r.err == ERR_VAULT_CONFLICT; tries++) {
        r = vault_refresh_ring(v);
        if (!failed(r)) r = revoke_once(v, id, k);
    }
    free(k);
    return r;
}
