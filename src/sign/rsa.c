/* SPDX-License-Identifier: Apache-2.0 */
#include "rsa.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { RSA_MIN_BITS = 2048 }; /* RFC 7518 4.3: "A key of size 2048 bits or larger MUST be used" */

/* Without it OpenSSL would ask the terminal. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out, (void)size, (void)writing, (void)context;
    return -1;
}

static EVP_PKEY *read_public(BIO *in, slice pem)
{
    if (slice_find_slice(pem, SLICE("-----BEGIN CERTIFICATE-----")) == pem.len)
        return PEM_read_bio_PUBKEY(in, NULL, no_passphrase, NULL);
    X509 *certificate = PEM_read_bio_X509(in, NULL, no_passphrase, NULL);
    EVP_PKEY *pkey = certificate ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
    return pkey;
}

static EVP_PKEY *read_pem(slice pem, bool private)
{
    if (!pem.len || pem.len > INT_MAX) return NULL;
    BIO *in = BIO_new_mem_buf(pem.at, (int)pem.len);
    if (!in) return NULL;
    EVP_PKEY *pkey = private ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : read_public(in, pem);
    BIO_free(in);
    ERR_clear_error(); /* its texts may show more than our own error name */
    return pkey;
}

static result take(EVP_PKEY *pkey, struct rsa_key **out)
{
    *out = NULL;
    bool fits = pkey && EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= RSA_MIN_BITS;
    struct rsa_key *k = fits ? calloc(1, sizeof *k) : NULL;
    if (!k) {
        EVP_PKEY_free(pkey);
        return fits ? FAIL(MEMORY) : FAIL(CRYPTO);
    }
    *k = (struct rsa_key){pkey, (size_t)EVP_PKEY_get_size(pkey)};
    *out = k;
    return OK;
}

result rsa_key_private(slice pem, struct rsa_key **out)
{
    return take(read_pem(pem, true), out);
}

result rsa_key_public(slice pem, struct rsa_key **out)
{
    return take(read_pem(pem, false), out);
}

void rsa_key_free(struct rsa_key *k)
{
    if (!k) return;
    EVP_PKEY_free(k->pkey); /* cleanses its private numbers */
    free(k);
}

EVP_PKEY_CTX *rsa_oaep_256(struct rsa_key *k, int (*init)(EVP_PKEY_CTX *ctx))
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
    if (ctx && init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1)
        return ctx;
    EVP_PKEY_CTX_free(ctx);
    return NULL;
}

/* Both: PKCS #1 v1.5 with SHA-256, which is what EVP_DigestSign does with an RSA key when nothing else is asked for. */
static bool sign_into(EVP_MD_CTX *ctx, struct rsa_key *k, slice text, uint8_t *out, size_t *len)
{
    return ctx && EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, k->pkey, NULL) == 1 &&
           EVP_DigestSign(ctx, out, len, (const uint8_t *)text.at, text.len) == 1;
}

result rs256_sign(struct rsa_key *private_key, slice text, struct buf *out)
{
    size_t len = private_key->bytes;
    TRY(buf_reserve(out, len));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = sign_into(ctx, private_key, text, (uint8_t *)buf_room(out), &len);
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    ENSURE(done, CRYPTO);
    buf_added(out, len);
    return OK;
}

bool rs256_verify(struct rsa_key *public_key, slice text, slice signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool right =
        ctx && EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, public_key->pkey, NULL) == 1 &&
        EVP_DigestVerify(ctx, (const uint8_t *)signature.at, signature.len, (const uint8_t *)text.at, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return right;
}
