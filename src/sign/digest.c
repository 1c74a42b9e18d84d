/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/digest.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

struct hmac {
    EVP_MAC_CTX *ctx; /* holds the key; cleansed when freed */
};

/* Both fetched once per process: a look-up at each use would cost more than the digest of a small body. */
static const EVP_MD *fetched_sha256(void)
{
    static EVP_MD *md;
    if (!md) md = EVP_MD_fetch(NULL, "SHA256", NULL);
    return md;
}

static EVP_MAC *fetched_hmac(void)
{
    static EVP_MAC *mac;
    if (!mac) mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    return mac;
}

static const uint8_t *bytes_of(slice s)
{
    return (const uint8_t *)(s.len ? s.at : "");
}

result sha256(slice bytes, uint8_t out[SHA256_BYTES])
{
    const EVP_MD *md = fetched_sha256();
    ENSURE(md && EVP_Digest(bytes_of(bytes), bytes.len, out, NULL, md, NULL) == 1, CRYPTO);
    return OK;
}

static bool start(struct hmac *h, slice key)
{
    char name[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC *mac = fetched_hmac();
    if (mac) h->ctx = EVP_MAC_CTX_new(mac);
    return h->ctx && EVP_MAC_init(h->ctx, bytes_of(key), key.len, params) == 1;
}

result hmac_new(slice key, struct hmac **out)
{
    *out = NULL;
    struct hmac *h = calloc(1, sizeof *h);
    ENSURE(h, MEMORY);
    if (!start(h, key)) {
        hmac_free(h);
        return FAIL(CRYPTO);
    }
    *out = h;
    return OK;
}

result hmac_feed(struct hmac *h, slice bytes)
{
    ENSURE(bytes.len == 0 || EVP_MAC_update(h->ctx, bytes_of(bytes), bytes.len) == 1, CRYPTO);
    return OK;
}

result hmac_end(struct hmac *h, uint8_t out[SHA256_BYTES])
{
    size_t len;
    ENSURE(EVP_MAC_final(h->ctx, out, &len, SHA256_BYTES) == 1, CRYPTO);
    assert(len == SHA256_BYTES);
    return OK;
}

void hmac_free(struct hmac *h)
{
    if (!h) return;
    EVP_MAC_CTX_free(h->ctx);
    free(h);
}

static result feed_and_end(struct hmac *h, const slice *pieces, size_t count, uint8_t out[SHA256_BYTES])
{
    for (size_t i = 0; i < count; i++)
        TRY(hmac_feed(h, pieces[i]));
    return hmac_end(h, out);
}

static result hmac_of(slice key, const slice *pieces, size_t count, uint8_t out[SHA256_BYTES])
{
    struct hmac *h;
    TRY(hmac_new(key, &h));
    result r = feed_and_end(h, pieces, count, out);
    hmac_free(h);
    return r;
}

result hmac_sha256(slice key, slice bytes, uint8_t out[SHA256_BYTES])
{
    return hmac_of(key, &bytes, 1, out);
}

result hmac_sha256_timed(slice key, slice time, slice bytes, uint8_t out[SHA256_BYTES])
{
    const slice pieces[] = {time, SLICE("."), bytes};
    return hmac_of(key, pieces, sizeof pieces / sizeof *pieces, out);
}
