/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/leaves.h"

#include "../base/suite.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

static unsigned char der[2048];

/* Self-signed by another key, over the point: what is in it is not looked at here. */
static slice certificate_over(const uint8_t *point)
{
    char group[] = "P-256";
    uint8_t copy[TLS_POINT_BYTES];
    memcpy(copy, point, sizeof copy);
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                               OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof copy), OSSL_PARAM_construct_end()};
    EVP_PKEY *public = NULL, *signer = EVP_EC_gen("P-256");
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    ck_assert_int_eq(EVP_PKEY_fromdata_init(context), 1);
    ck_assert_int_eq(EVP_PKEY_fromdata(context, &public, EVP_PKEY_PUBLIC_KEY, parameters), 1);
    X509 *c = X509_new();
    X509_set_pubkey(c, public);
    X509_gmtime_adj(X509_getm_notBefore(c), 0);
    X509_gmtime_adj(X509_getm_notAfter(c), 3600);
    ck_assert_int_gt(X509_sign(c, signer, EVP_sha256()), 0);
    unsigned char *at = der;
    int len = i2d_X509(c, &at);
    ck_assert_int_gt(len, 0);
    X509_free(c);
    EVP_PKEY_free(public);
    EVP_PKEY_free(signer);
    EVP_PKEY_CTX_free(context);
    return (slice){(const char *)der, (size_t)len};
}

START_TEST(kept_for_most_of_a_day)
{
    struct leaves *l = leaves_new();
    struct tls_server *a = NULL, *b = NULL;
    const uint8_t *point = leaves_point(l);
    ck_assert_ptr_nonnull(point);
    ck_assert_int_eq(point[0], 4);
    ck_assert_ptr_eq(leaves_point(l), point); /* one key pair for all */
    ck_assert_ptr_null(leaves_find(l, SLICE("a.example"), 0));
    ck_assert(!failed(leaves_put(l, SLICE("a.example"), certificate_over(point), 1000, &a)));
    ck_assert_ptr_eq(leaves_find(l, SLICE("a.example"), 1000), a);
    ck_assert_ptr_eq(leaves_find(l, SLICE("a.example"), 1000 + 20 * 3600 * 1000 - 1), a);
    ck_assert_ptr_null(leaves_find(l, SLICE("a.example"), 1000 + 20 * 3600 * 1000));
    ck_assert_ptr_null(leaves_find(l, SLICE("b.example"), 1000));
    ck_assert(!failed(leaves_put(l, SLICE("a.example"), certificate_over(point), 99000000, &b)));
    ck_assert_ptr_eq(leaves_find(l, SLICE("a.example"), 99000000), b);
    leaves_clear(l);
    ck_assert_ptr_null(leaves_find(l, SLICE("a.example"), 99000000));
    leaves_free(l);
    leaves_free(NULL);
}
END_TEST

START_TEST(what_is_no_certificate_of_ours)
{
    struct leaves *l = leaves_new(), *other = leaves_new();
    struct tls_server *s = NULL;
    ck_assert_int_eq(leaves_put(l, SLICE("a.example"), SLICE("junk"), 0, &s).err, ERR_CONFIG);
    ck_assert_int_eq(leaves_put(l, SLICE("a.example"), SLICE_NONE, 0, &s).err, ERR_CONFIG);
    ck_assert_int_eq(leaves_put(l, SLICE("a.example"), certificate_over(leaves_point(other)), 0, &s).err, ERR_CONFIG);
    ck_assert_ptr_null(leaves_find(l, SLICE("a.example"), 0));
    leaves_free(l);
    leaves_free(other);
}
END_TEST

START_TEST(their_number_is_bounded)
{
    struct leaves *l = leaves_new();
    struct tls_server *s = NULL;
    char host[32];
    slice certificate = certificate_over(leaves_point(l));
    for (int i = 0; i <= LEAVES_MAX; i++) {
        int len = snprintf(host, sizeof host, "h%d.example", i);
        ck_assert(!failed(leaves_put(l, (slice){host, (size_t)len}, certificate, 0, &s)));
    }
    ck_assert_ptr_null(leaves_find(l, SLICE("h0.example"), 0)); /* the oldest went */
    ck_assert_ptr_nonnull(leaves_find(l, SLICE("h1.example"), 0));
    ck_assert_ptr_eq(leaves_find(l, (slice){host, strlen(host)}, 0), s);
    leaves_free(l);
}
END_TEST

RUN_TESTS("leaves", kept_for_most_of_a_day, what_is_no_certificate_of_ours, their_number_is_bounded)
