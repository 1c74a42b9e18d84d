/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/keyring.h"

#include "base/clock.h"
#include "base/secret.h"
#include "bytes.h"
#include "files.h"
#include "kek.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <string.h>

struct keyring { /* secret memory; keys in the order of their versions */
    uint64_t generation;
    uint32_t count;
    struct data_key data[KEYRING_VERSIONS_MAX];
    uint8_t key[KEYRING_VERSIONS_MAX][SEAL_KEY_BYTES];
    uint8_t index_key[SEAL_KEY_BYTES];
    EVP_MAC_CTX *index_mac;
};

static const char file_name[] = "keyring";
enum {
    MAGIC_BYTES = 4,
    FORMAT = 1,
    HEADER_BYTES = MAGIC_BYTES + 1 + 8,
    ENTRY_BYTES = 4 + 8 + SEAL_KEY_BYTES,
    PLAIN_MAX_BYTES = 4 + KEYRING_VERSIONS_MAX * ENTRY_BYTES + SEAL_KEY_BYTES,
    FILE_MAX_BYTES = HEADER_BYTES + SEAL_NONCE_BYTES + PLAIN_MAX_BYTES + SEAL_TAG_BYTES,
};
static const char magic[MAGIC_BYTES] = {'C', 'V', 'K', 'R'};

static result start_index(struct keyring *k)
{
    static EVP_MAC *hmac; /* fetched once per process */
    if (!hmac) hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    ENSURE(hmac != NULL, CRYPTO);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    k->index_mac = EVP_MAC_CTX_new(hmac);
    ENSURE(k->index_mac && EVP_MAC_init(k->index_mac, k->index_key, sizeof k->index_key, params) == 1, CRYPTO);
    return OK;
}

static result start_key(struct keyring *k, uint32_t version, int64_t created_ms)
{
    struct data_key *d = &k->data[k->count];
    *d = (struct data_key){.version = version, .created_ms = created_ms};
    TRY(gcm_init(&d->gcm, k->key[k->count]));
    k->count++;
    return OK;
}

result keyring_add(struct keyring *k)
{
    ENSURE(k->count < KEYRING_VERSIONS_MAX, TOO_LARGE);
    uint32_t version = k->count ? k->data[k->count - 1].version + 1 : 1;
    ENSURE(version != 0, TOO_LARGE);
    ENSURE(RAND_bytes(k->key[k->count], SEAL_KEY_BYTES) == 1, CRYPTO);
    return start_key(k, version, clock_wall_ms());
}

static result fill_new(struct keyring *k)
{
    ENSURE(RAND_bytes(k->index_key, sizeof k->index_key) == 1, CRYPTO);
    TRY(start_index(k));
    return keyring_add(k);
}

result keyring_new(struct keyring **out)
{
    struct keyring *k = secret_alloc(sizeof *k);
    ENSURE(k != NULL, MEMORY);
    result r = fill_new(k);
    if (failed(r)) {
        keyring_free(k);
        return r;
    }
    *out = k;
    return OK;
}

static void stop_keys(struct keyring *k)
{
    for (uint32_t i = 0; i < k->count; i++) gcm_done(&k->data[i].gcm);
    EVP_MAC_CTX_free(k->index_mac);
    secret_wipe(k, sizeof *k);
}

void keyring_free(struct keyring *k)
{
    if (!k) return;
    stop_keys(k);
    secret_free(k, sizeof *k);
}

static result parse_keys(struct keyring *k, const uint8_t *at, size_t len)
{
    ENSURE(len >= 4, VAULT_FORMAT);
    uint32_t count = get_u32(at), last = 0;
    ENSURE(count >= 1 && count <= KEYRING_VERSIONS_MAX && len == 4 + count * (size_t)ENTRY_BYTES + SEAL_KEY_BYTES, VAULT_FORMAT);
    at += 4;
    for (uint32_t i = 0; i < count; i++, at += ENTRY_BYTES) {
        uint32_t version = get_u32(at);
        ENSURE(version > last, VAULT_FORMAT);
        memcpy(k->key[i], at + 12, SEAL_KEY_BYTES);
        TRY(start_key(k, version, (int64_t)get_u64(at + 4)));
        last = version;
    }
    memcpy(k->index_key, at, SEAL_KEY_BYTES);
    return start_index(k);
}

static result open_file(struct keyring *k, struct kek *kek, const uint8_t *file, size_t len, uint8_t *plain)
{
    ENSURE(len > HEADER_BYTES + SEAL_NONCE_BYTES + SEAL_TAG_BYTES, VAULT_FORMAT);
    ENSURE(memcmp(file, magic, MAGIC_BYTES) == 0 && file[MAGIC_BYTES] == FORMAT, VAULT_FORMAT);
    size_t plain_len = len - HEADER_BYTES - SEAL_NONCE_BYTES - SEAL_TAG_BYTES;
    const uint8_t *nonce = file + HEADER_BYTES, *cipher = nonce + SEAL_NONCE_BYTES;
    result r = gcm_open(&kek->gcm, nonce, (slice){(const char *)file, HEADER_BYTES},
                        (slice){(const char *)cipher, plain_len}, cipher + plain_len, plain);
    ENSURE(!failed(r), VAULT_KEY);
    k->generation = get_u64(file + MAGIC_BYTES + 1);
    return parse_keys(k, plain, plain_len);
}

static result read_file(int folder, uint8_t *file, size_t *len)
{
    result r = file_read(folder, file_name, file, FILE_MAX_BYTES, len);
    if (r.err == ERR_NOT_FOUND) return FAIL(VAULT_MISSING);
    if (r.err == ERR_TOO_LARGE) return FAIL(VAULT_FORMAT);
    return r;
}

static result load_once(int folder, struct kek *kek, struct keyring *k, uint8_t *plain)
{
    uint8_t file[FILE_MAX_BYTES], again[FILE_MAX_BYTES];
    size_t len = 0, again_len = 0;
    TRY(read_file(folder, file, &len));
    for (;;) {
        result r = open_file(k, kek, file, len, plain);
        if (!failed(r)) return OK;
        /* A rotation may have replaced the file and overwritten the one that was being read: only bytes that stay wrong are. */
        TRY(read_file(folder, again, &again_len));
        if (slice_eq((slice){(char *)file, len}, (slice){(char *)again, again_len})) return r;
        stop_keys(k);
        memcpy(file, again, again_len);
        len = again_len;
    }
}

result keyring_load(int folder, struct kek *kek, struct keyring **out)
{
    struct keyring *k = secret_alloc(sizeof *k);
    uint8_t *plain = secret_alloc(FILE_MAX_BYTES);
    result r = k && plain ? load_once(folder, kek, k, plain) : FAIL(MEMORY);
    secret_free(plain, FILE_MAX_BYTES);
    if (failed(r)) {
        keyring_free(k);
        return r;
    }
    *out = k;
    return OK;
}

static size_t print_keys(const struct keyring *k, uint8_t *plain)
{
    uint8_t *at = plain;
    put_u32(at, k->count);
    at += 4;
    for (uint32_t i = 0; i < k->count; i++, at += ENTRY_BYTES) {
        put_u32(at, k->data[i].version);
        put_u64(at + 4, (uint64_t)k->data[i].created_ms);
        memcpy(at + 12, k->key[i], SEAL_KEY_BYTES);
    }
    memcpy(at, k->index_key, SEAL_KEY_BYTES);
    return (size_t)(at - plain) + SEAL_KEY_BYTES;
}

result keyring_save(struct keyring *k, int folder, struct kek *kek)
{
    uint8_t file[FILE_MAX_BYTES];
    uint8_t *plain = secret_alloc(PLAIN_MAX_BYTES);
    ENSURE(plain != NULL, MEMORY);
    size_t plain_len = print_keys(k, plain);
    memcpy(file, magic, MAGIC_BYTES);
    file[MAGIC_BYTES] = FORMAT;
    put_u64(file + MAGIC_BYTES + 1, k->generation + 1);
    uint8_t *nonce = file + HEADER_BYTES, *cipher = nonce + SEAL_NONCE_BYTES;
    result r = RAND_bytes(nonce, SEAL_NONCE_BYTES) == 1 ? OK : FAIL(CRYPTO);
    if (!failed(r))
        r = gcm_seal(&kek->gcm, nonce, (slice){(char *)file, HEADER_BYTES}, (slice){(char *)plain, plain_len}, cipher,
                     cipher + plain_len);
    secret_free(plain, PLAIN_MAX_BYTES);
    TRY(r);
    size_t len = HEADER_BYTES + SEAL_NONCE_BYTES + plain_len + SEAL_TAG_BYTES;
    TRY(file_replace_shred(folder, file_name, (slice){(char *)file, len}));
    k->generation++;
    return OK;
}

uint64_t keyring_generation(const struct keyring *k)
{
    return k->generation;
}

uint32_t keyring_count(const struct keyring *k)
{
    return k->count;
}

struct data_key *keyring_active(struct keyring *k)
{
    return &k->data[k->count - 1];
}

struct data_key *keyring_find(struct keyring *k, uint32_t version)
{
    for (uint32_t i = k->count; i-- > 0;)
        if (k->data[i].version == version) return &k->data[i];
    return NULL;
}

void keyring_drop_old(struct keyring *k)
{
    uint32_t last = k->count - 1;
    if (last == 0) return;
    for (uint32_t i = 0; i < last; i++) gcm_done(&k->data[i].gcm);
    k->data[0] = k->data[last];
    memcpy(k->key[0], k->key[last], SEAL_KEY_BYTES);
    secret_wipe(k->key[1], (size_t)last * SEAL_KEY_BYTES);
    memset(&k->data[1], 0, last * sizeof k->data[1]);
    k->count = 1;
}

result keyring_index(struct keyring *k, slice merchant, slice pan, uint8_t out[KEYRING_INDEX_BYTES])
{
    static const uint8_t zero;
    size_t len = 0;
    bool good = EVP_MAC_init(k->index_mac, NULL, 0, NULL) == 1 &&
                EVP_MAC_update(k->index_mac, (const uint8_t *)merchant.at, merchant.len) == 1 &&
                EVP_MAC_update(k->index_mac, &zero, 1) == 1 &&
                EVP_MAC_update(k->index_mac, (const uint8_t *)pan.at, pan.len) == 1 &&
                EVP_MAC_final(k->index_mac, out, &len, KEYRING_INDEX_BYTES) == 1 && len == KEYRING_INDEX_BYTES;
    return good ? OK : FAIL(CRYPTO);
}
