/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/jwe.h"

#include "base/envelope.h"
#include "base/secret.h"
#include "jose_header.h"
#include "rsa.h"
#include "sign/encoding.h"

#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

/* RFC 7518 5.3: IV of 96 bits, tag of 128, key of 256. */
enum { CEK_BYTES = 32, IV_BYTES = 12, TAG_BYTES = 16, HEADER_MAX_BYTES = 4096, PARTS = 5 };

/* BASE64URL(header) "." BASE64URL(encrypted key) "." BASE64URL(iv) "." BASE64URL(ciphertext) "." BASE64URL(tag), RFC
 * 7516 3.1 */
enum part { PART_HEADER, PART_KEY, PART_IV, PART_CIPHERTEXT, PART_TAG };

struct parts {
    slice text[PARTS];
    struct buf bytes[PARTS];
};

static bool split(slice compact, struct parts *p)
{
    for (int i = 0; i < PARTS; i++)
        if (!slice_next(&compact, '.', &p->text[i])) return false;
    return !compact.at;
}

static bool decode(struct parts *p)
{
    for (int i = 0; i < PARTS; i++)
        if (failed(base64url_read(p->text[i], &p->bytes[i]))) return false;
    return true;
}

static bool is_ours(const struct parts *p, const struct rsa_key *key)
{
    struct jose_header h;
    return jose_header_parse(buf_slice(&p->bytes[PART_HEADER]), &h) && slice_is(h.alg, "RSA-OAEP-256") &&
           slice_is(h.enc, "A256GCM") && !h.zip && !h.crit && p->bytes[PART_KEY].len == key->bytes &&
           p->bytes[PART_IV].len == IV_BYTES && p->bytes[PART_TAG].len == TAG_BYTES &&
           p->bytes[PART_CIPHERTEXT].len <= INT_MAX && p->text[PART_HEADER].len <= INT_MAX;
}

/* RFC 7516 11.5: "the recipient MUST NOT distinguish between format, padding, and length errors of encrypted keys"; it
 * goes on with a random key, which then fails at the tag like everything else. */
static bool unwrap(struct rsa_key *private_key, slice wrapped, uint8_t *room /* of private_key->bytes */,
                   uint8_t cek[CEK_BYTES])
{
    size_t len = private_key->bytes;
    if (RAND_priv_bytes(cek, CEK_BYTES) != 1) return false;
    EVP_PKEY_CTX *ctx = rsa_oaep_256(private_key, EVP_PKEY_decrypt_init);
    if (!ctx) return false;
    bool opened = EVP_PKEY_decrypt(ctx, room, &len, (const uint8_t *)wrapped.at, wrapped.len) == 1 && len == CEK_BYTES;
    if (opened) memcpy(cek, room, CEK_BYTES);
    EVP_PKEY_CTX_free(ctx);
    return true;
}

static const EVP_CIPHER *aes_256_gcm(void)
{
    static EVP_CIPHER *cipher; /* fetched once per process */
    if (!cipher) cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    return cipher;
}

static bool open_into(EVP_CIPHER_CTX *ctx, const uint8_t cek[CEK_BYTES], struct parts *p, uint8_t *out)
{
    int n;
    uint8_t end[TAG_BYTES];
    slice additional = p->text[PART_HEADER], cipher = buf_slice(&p->bytes[PART_CIPHERTEXT]);
    return EVP_DecryptInit_ex2(ctx, aes_256_gcm(), cek, (const uint8_t *)p->bytes[PART_IV].at, NULL) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *)additional.at, (int)additional.len) == 1 &&
           (!cipher.len || EVP_DecryptUpdate(ctx, out, &n, (const uint8_t *)cipher.at, (int)cipher.len) == 1) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, p->bytes[PART_TAG].at) == 1 &&
           EVP_DecryptFinal_ex(ctx, end, &n) == 1;
}

static result open_ciphertext(const uint8_t cek[CEK_BYTES], struct parts *p, struct buf *out)
{
    size_t len = p->bytes[PART_CIPHERTEXT].len;
    TRY(buf_reserve(out, len + 1)); /* one more: GCM may be given an empty text, but no NULL */
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    ENSURE(ctx, MEMORY);
    bool opened = open_into(ctx, cek, p, (uint8_t *)buf_room(out));
    EVP_CIPHER_CTX_free(ctx);
    if (opened) {
        buf_added(out, len);
        return OK;
    }
    secret_wipe(buf_room(out), len); /* SP 800-38D 7.2: no plaintext leaves when the tag does not fit */
    return FAIL(JWE);
}

static result decrypt_parts(struct rsa_key *private_key, slice compact, struct parts *p, struct buf *out)
{
    ENSURE(split(compact, p) && decode(p) && is_ours(p, private_key), JWE);
    size_t room = CEK_BYTES + private_key->bytes;
    uint8_t *cek = secret_alloc(room);
    ENSURE(cek, MEMORY);
    bool ready = unwrap(private_key, buf_slice(&p->bytes[PART_KEY]), cek + CEK_BYTES, cek);
    result r = ready ? open_ciphertext(cek, p, out) : FAIL(JWE);
    secret_free(cek, room);
    ERR_clear_error(); /* a left-over error would be taken for one of the next TLS call's */
    return r;
}

result jwe_decrypt(struct rsa_key *private_key, slice compact, struct buf *out)
{
    struct parts p = {0};
    assert(out->secret);
    for (int i = 0; i < PARTS; i++)
        buf_init(&p.bytes[i], compact.len + 4);
    result r = decrypt_parts(private_key, compact, &p, out);
    for (int i = 0; i < PARTS; i++)
        buf_done(&p.bytes[i]);
    return r;
}

static result write_header(slice key_id, struct buf *out)
{
    struct buf json;
    buf_init(&json, HEADER_MAX_BYTES);
    result r = buf_append(&json, SLICE("{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\""));
    if (!failed(r) && key_id.len) r = json_append_member(&json, SLICE(",\"kid\":\""), key_id);
    if (!failed(r)) r = buf_append(&json, SLICE("}"));
    if (!failed(r)) r = base64url_write(buf_slice(&json), out);
    buf_done(&json);
    return r;
}

static result wrap(struct rsa_key *public_key, const uint8_t cek[CEK_BYTES], struct buf *out)
{
    size_t len = public_key->bytes;
    TRY(buf_reserve(out, len));
    EVP_PKEY_CTX *ctx = rsa_oaep_256(public_key, EVP_PKEY_encrypt_init);
    bool wrapped = ctx && EVP_PKEY_encrypt(ctx, (uint8_t *)buf_room(out), &len, cek, CEK_BYTES) == 1;
    EVP_PKEY_CTX_free(ctx);
    ENSURE(wrapped, CRYPTO);
    buf_added(out, len);
    return OK;
}

static bool seal_into(EVP_CIPHER_CTX *ctx, const uint8_t cek[CEK_BYTES], slice additional, slice plain, struct parts *p)
{
    int n;
    uint8_t end[TAG_BYTES];
    const uint8_t *iv = (const uint8_t *)p->bytes[PART_IV].at;
    return EVP_EncryptInit_ex2(ctx, aes_256_gcm(), cek, iv, NULL) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)additional.at, (int)additional.len) == 1 &&
           (!plain.len || EVP_EncryptUpdate(ctx, (uint8_t *)buf_room(&p->bytes[PART_CIPHERTEXT]), &n,
                                            (const uint8_t *)plain.at, (int)plain.len) == 1) &&
           EVP_EncryptFinal_ex(ctx, end, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, buf_room(&p->bytes[PART_TAG])) == 1;
}

static result seal(const uint8_t cek[CEK_BYTES], slice additional, slice plain, struct parts *p)
{
    TRY(buf_reserve(&p->bytes[PART_IV], IV_BYTES));
    TRY(buf_reserve(&p->bytes[PART_CIPHERTEXT], plain.len));
    TRY(buf_reserve(&p->bytes[PART_TAG], TAG_BYTES));
    ENSURE(RAND_bytes((uint8_t *)buf_room(&p->bytes[PART_IV]), IV_BYTES) == 1, CRYPTO);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    ENSURE(ctx, MEMORY);
    bool sealed = seal_into(ctx, cek, additional, plain, p);
    EVP_CIPHER_CTX_free(ctx);
    ENSURE(sealed, CRYPTO);
    buf_added(&p->bytes[PART_IV], IV_BYTES);
    buf_added(&p->bytes[PART_CIPHERTEXT], plain.len);
    buf_added(&p->bytes[PART_TAG], TAG_BYTES);
    return OK;
}

static result encrypt_parts(struct rsa_key *public_key, slice key_id, slice plain, const uint8_t cek[CEK_BYTES],
                            struct parts *p, struct buf *out)
{
    TRY(write_header(key_id, &p->bytes[PART_HEADER])); /* this one as its text: it is authenticated so */
    TRY(wrap(public_key, cek, &p->bytes[PART_KEY]));
    TRY(seal(cek, buf_slice(&p->bytes[PART_HEADER]), plain, p));
    TRY(buf_append(out, buf_slice(&p->bytes[PART_HEADER])));
    for (int i = PART_KEY; i < PARTS; i++) {
        TRY(buf_append(out, SLICE(".")));
        TRY(base64url_write(buf_slice(&p->bytes[i]), out));
    }
    return OK;
}

result jwe_encrypt(struct rsa_key *public_key, slice key_id, slice plain, struct buf *out)
{
    struct parts p = {0};
    ENSURE(plain.len <= INT_MAX, TOO_LARGE);
    uint8_t *cek = secret_alloc(CEK_BYTES);
    ENSURE(cek, MEMORY);
    size_t room = HEADER_MAX_BYTES * 2 + public_key->bytes + plain.len;
    for (int i = 0; i < PARTS; i++)
        buf_init(&p.bytes[i], room);
    result r =
        RAND_priv_bytes(cek, CEK_BYTES) == 1 ? encrypt_parts(public_key, key_id, plain, cek, &p, out) : FAIL(CRYPTO);
    for (int i = 0; i < PARTS; i++)
        buf_done(&p.bytes[i]);
    secret_free(cek, CEK_BYTES);
    ERR_clear_error();
    return r;
}
