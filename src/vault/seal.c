/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/seal.h"

#include "base/secret.h"
#include "bytes.h"

#include <limits.h>
#include <openssl/rand.h>
#include <string.h>

/* Fetched once per process: EVP_aes_256_gcm() would look the implementation up again at each use. */
static const EVP_CIPHER *aes_256_gcm(void)
{
    static EVP_CIPHER *cipher;
    if (!cipher) cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    return cipher;
}

result gcm_init(struct gcm *g, const uint8_t key[SEAL_KEY_BYTES])
{
    const EVP_CIPHER *cipher = aes_256_gcm();
    *g = (struct gcm){EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_new()};
    if (cipher && g->seal && g->open && EVP_EncryptInit_ex2(g->seal, cipher, key, NULL, NULL) == 1 &&
        EVP_DecryptInit_ex2(g->open, cipher, key, NULL, NULL) == 1)
        return OK;
    gcm_done(g);
    return FAIL(CRYPTO);
}

void gcm_done(struct gcm *g)
{
    EVP_CIPHER_CTX_free(g->seal); /* cleanses its key schedule */
    EVP_CIPHER_CTX_free(g->open);
    *g = (struct gcm){NULL, NULL};
}

static const uint8_t *bytes_of(slice s)
{
    return (const uint8_t *)s.at;
}

result gcm_seal(struct gcm *g, const uint8_t nonce[SEAL_NONCE_BYTES], slice additional, slice plain, uint8_t *out,
                uint8_t tag[SEAL_TAG_BYTES])
{
    int n;
    uint8_t end[SEAL_TAG_BYTES]; /* GCM leaves nothing for Final to write */
    ENSURE(plain.len <= INT_MAX && additional.len <= INT_MAX, TOO_LARGE);
    ENSURE(EVP_EncryptInit_ex2(g->seal, NULL, NULL, nonce, NULL) == 1, CRYPTO);
    if (additional.len)
        ENSURE(EVP_EncryptUpdate(g->seal, NULL, &n, bytes_of(additional), (int)additional.len) == 1, CRYPTO);
    if (plain.len) ENSURE(EVP_EncryptUpdate(g->seal, out, &n, bytes_of(plain), (int)plain.len) == 1, CRYPTO);
    ENSURE(EVP_EncryptFinal_ex(g->seal, end, &n) == 1 && n == 0, CRYPTO);
    ENSURE(EVP_CIPHER_CTX_ctrl(g->seal, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_BYTES, tag) == 1, CRYPTO);
    return OK;
}

static bool open_into(EVP_CIPHER_CTX *ctx, const uint8_t nonce[SEAL_NONCE_BYTES], slice additional, slice cipher,
                      const uint8_t tag[SEAL_TAG_BYTES], uint8_t *out)
{
    int n;
    uint8_t copy[SEAL_TAG_BYTES], end[SEAL_TAG_BYTES];
    memcpy(copy, tag, sizeof copy); /* the call takes no const */
    if (EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) != 1) return false;
    if (additional.len && EVP_DecryptUpdate(ctx, NULL, &n, bytes_of(additional), (int)additional.len) != 1) return false;
    if (cipher.len && EVP_DecryptUpdate(ctx, out, &n, bytes_of(cipher), (int)cipher.len) != 1) return false;
    if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_BYTES, copy) != 1) return false;
    return EVP_DecryptFinal_ex(ctx, end, &n) == 1;
}

result gcm_open(struct gcm *g, const uint8_t nonce[SEAL_NONCE_BYTES], slice additional, slice cipher,
                const uint8_t tag[SEAL_TAG_BYTES], uint8_t *out)
{
    ENSURE(cipher.len <= INT_MAX && additional.len <= INT_MAX, TOO_LARGE);
    if (open_into(g->open, nonce, additional, cipher, tag, out)) return OK;
    secret_wipe(out, cipher.len); /* SP 800-38D 7.2: no plaintext leaves when the tag does not fit */
    return FAIL(VAULT_SEAL);
}

enum { ADDITIONAL_MAX_BYTES = 1 + 1 + 4 + 2 + SEAL_MERCHANT_MAX_BYTES + SEAL_ID_MAX_BYTES };

static result additional_data(uint32_t key_version, const struct seal_place *p, uint8_t out[ADDITIONAL_MAX_BYTES], slice *text)
{
    ENSURE(p->merchant.len <= SEAL_MERCHANT_MAX_BYTES && p->id.len <= SEAL_ID_MAX_BYTES, TOO_LARGE);
    uint8_t *at = out;
    *at++ = SEAL_FORMAT;
    *at++ = p->table;
    put_u32(at, key_version);
    put_u16(at + 4, (uint16_t)p->merchant.len);
    at += 6;
    if (p->merchant.len) memcpy(at, p->merchant.at, p->merchant.len);
    at += p->merchant.len;
    if (p->id.len) memcpy(at, p->id.at, p->id.len);
    at += p->id.len;
    *text = (slice){(const char *)out, (size_t)(at - out)};
    return OK;
}

result seal_record(struct gcm *g, uint32_t key_version, const struct seal_place *place, slice plain, uint8_t *out)
{
    uint8_t room[ADDITIONAL_MAX_BYTES];
    slice additional;
    TRY(additional_data(key_version, place, room, &additional));
    out[0] = SEAL_FORMAT;
    put_u32(out + 1, key_version);
    uint8_t *nonce = out + SEAL_HEADER_BYTES, *cipher = nonce + SEAL_NONCE_BYTES;
    ENSURE(RAND_bytes(nonce, SEAL_NONCE_BYTES) == 1, CRYPTO);
    return gcm_seal(g, nonce, additional, plain, cipher, cipher + plain.len);
}

bool seal_key_version(slice sealed, uint32_t *version)
{
    if (sealed.len < SEAL_OVERHEAD_BYTES || sealed.at[0] != SEAL_FORMAT) return false;
    *version = get_u32(bytes_of(sealed) + 1);
    return true;
}

result seal_open(struct gcm *g, const struct seal_place *place, slice sealed, uint8_t *out, size_t cap, size_t *len)
{
    uint8_t room[ADDITIONAL_MAX_BYTES];
    slice additional;
    uint32_t version;
    ENSURE(seal_key_version(sealed, &version), VAULT_SEAL);
    size_t plain_len = sealed.len - SEAL_OVERHEAD_BYTES;
    ENSURE(plain_len <= cap, VAULT_SEAL);
    TRY(additional_data(version, place, room, &additional));
    const uint8_t *nonce = bytes_of(sealed) + SEAL_HEADER_BYTES, *cipher = nonce + SEAL_NONCE_BYTES;
    TRY(gcm_open(g, nonce, additional, (slice){(const char *)cipher, plain_len}, cipher + plain_len, out));
    *len = plain_len;
    return OK;
}
