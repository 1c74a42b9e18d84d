/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_priv.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdlib.h>

struct tls_key {
    EVP_PKEY *pair;
    uint8_t point[TLS_POINT_BYTES];
};

static result key_fill(struct tls_key *k)
{
    size_t len = 0;
    k->pair = EVP_EC_gen("P-256");
    ENSURE(k->pair != NULL, CRYPTO);
    /* The provider gives the point uncompressed unless it is told otherwise. */
    bool got = EVP_PKEY_get_octet_string_param(k->pair, OSSL_PKEY_PARAM_PUB_KEY, k->point, sizeof k->point, &len) == 1;
    ENSURE(got && len == sizeof k->point && k->point[0] == POINT_CONVERSION_UNCOMPRESSED, CRYPTO);
    return OK;
}

result tls_key_new(struct tls_key **out)
{
    struct tls_key *k = calloc(1, sizeof *k);
    ENSURE(k != NULL, MEMORY);
    result r = key_fill(k);
    ERR_clear_error();
    if (failed(r)) {
        tls_key_free(k);
        return r;
    }
    *out = k;
    return OK;
}

void tls_key_free(struct tls_key *k)
{
    if (!k) return;
    EVP_PKEY_free(k->pair);
    free(k);
}

const uint8_t *tls_key_point(const struct tls_key *k)
{
    return k->point;
}

static result use_leaf(SSL_CTX *context, const struct tls_key *key, slice certificate)
{
    const unsigned char *at = (const unsigned char *)certificate.at;
    ENSURE(certificate.len > 0 && certificate.len <= INT_MAX, CONFIG);
    X509 *leaf = d2i_X509(NULL, &at, (long)certificate.len);
    ENSURE(leaf != NULL, CONFIG);
    bool used = SSL_CTX_use_certificate(context, leaf) == 1 && SSL_CTX_use_PrivateKey(context, key->pair) == 1 &&
                SSL_CTX_check_private_key(context) == 1;
    X509_free(leaf);
    ENSURE(used, CONFIG);
    return OK;
}

result tls_server_new_leaf(const struct tls_key *key, slice certificate, struct tls_server **out)
{
    struct tls_server *t;
    SSL_CTX *context;
    TRY(tls_server_bare(&t, &context));
    result r = use_leaf(context, key, certificate);
    ERR_clear_error();
    if (failed(r)) {
        tls_server_free(t);
        return r;
    }
    *out = t;
    return OK;
}
