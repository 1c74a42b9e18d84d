/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "vault_fixture.h"

#include "vault/ca.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static struct fixture f;
static EVP_PKEY *relay_key;
static uint8_t point[CA_POINT_BYTES];
static struct buf out;

static void start(void)
{
    size_t len = 0;
    fixture_make(&f);
    fixture_open(&f);
    relay_key = EVP_EC_gen("P-256");
    ck_assert_int_eq(EVP_PKEY_get_octet_string_param(relay_key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len), 1);
    ck_assert_uint_eq(len, sizeof point);
    buf_init(&out, 64 * 1024);
}

static void finish(void)
{
    EVP_PKEY_free(relay_key);
    buf_done(&out);
    fixture_remove(&f);
}

static void init(const char *names, bool replace)
{
    slice list[CA_NAMES_MAX], rest = slice_of(names);
    size_t count = 0;
    while (slice_next(&rest, ' ', &list[count])) count++;
    result r = vault_ca_init(f.v, list, count, replace);
    ck_assert_msg(!failed(r), "%s", error_name(r.err));
}

static enum error sign(const char *host)
{
    buf_clear(&out);
    return vault_ca_sign(f.v, slice_of(host), point, &out).err;
}

static X509 *leaf_of(const char *host)
{
    ck_assert_msg(sign(host) == ERR_NONE, "%s", host);
    const unsigned char *at = (const unsigned char *)out.at;
    X509 *leaf = d2i_X509(NULL, &at, (long)out.len);
    ck_assert_ptr_nonnull(leaf);
    ck_assert_ptr_eq(at, out.at + out.len);
    return leaf;
}

static X509 *ca_certificate(void)
{
    buf_clear(&out);
    ck_assert(!failed(vault_ca_certificate(f.v, &out)));
    BIO *bio = BIO_new_mem_buf(out.at, (int)out.len);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ck_assert_ptr_nonnull(ca);
    return ca;
}

/* As a client does it. */
static int verify(X509 *ca, X509 *leaf, const char *host)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(context, store, leaf, NULL);
    X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(context), host, 0);
    int error = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return error;
}

START_TEST(leaves_are_believed)
{
    start();
    init("api.example wild.example", false);
    X509 *ca = ca_certificate();
    static const char *const hosts[] = {"api.example", "wild.example", "a.wild.example", "a.b_c.wild.example"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        X509 *leaf = leaf_of(hosts[i]);
        ck_assert_msg(verify(ca, leaf, hosts[i]) == X509_V_OK, "%s: %s", hosts[i], X509_verify_cert_error_string(verify(ca, leaf, hosts[i])));
        ck_assert_int_eq(verify(ca, leaf, "else.wild.example"), X509_V_ERR_HOSTNAME_MISMATCH);
        ck_assert_int_eq(X509_check_private_key(leaf, relay_key), 1);
        ck_assert_int_eq(X509_check_ca(leaf), 0);
        int days, seconds;
        ck_assert_int_eq(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(leaf), X509_get0_notAfter(leaf)), 1);
        ck_assert(days == 1 && seconds <= 3600 + 1);
        X509_free(leaf);
    }
    X509_free(ca);
    finish();
}
END_TEST

START_TEST(names_that_it_is_not_for)
{
    static const char *const hosts[] = {"example", "xapi.example", "evil.example", "api.example.evil", "10.0.0.1", "::1", "*.api.example", "API.example",
                                        "", "a b.api.example", "a.api.example,IP:127.0.0.1", "api.example\n"};
    start();
    init("api.example", false);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) ck_assert_msg(sign(hosts[i]) == ERR_CA_NAME, "%s", hosts[i]);
    char name[300];
    memset(name, 'x', sizeof name);
    memcpy(name + 254 - 12, ".api.example", 13);
    ck_assert_int_eq(sign(name), ERR_CA_NAME); /* too long */
    finish();
}
END_TEST

START_TEST(points_that_are_none)
{
    start();
    init("api.example", false);
    point[64] ^= 1;
    ck_assert_int_eq(sign("api.example"), ERR_CRYPTO);
    point[64] ^= 1;
    point[0] = 2; /* "compressed", but as long as not */
    ck_assert_int_eq(sign("api.example"), ERR_CRYPTO);
    memset(point, 0, sizeof point);
    ck_assert_int_eq(sign("api.example"), ERR_CRYPTO);
    memset(point, 0xff, sizeof point);
    point[0] = 4;
    ck_assert_int_eq(sign("api.example"), ERR_CRYPTO);
    finish();
}
END_TEST

START_TEST(made_once)
{
    slice name = SLICE("api.example");
    start();
    ck_assert_int_eq(sign("api.example"), ERR_CA_MISSING);
    ck_assert_int_eq(vault_ca_certificate(f.v, &out).err, ERR_CA_MISSING);
    ck_assert_int_eq(vault_ca_check(f.v).err, ERR_CA_MISSING);
    init("api.example", false);
    X509 *first = ca_certificate();
    ck_assert_int_eq(vault_ca_init(f.v, &name, 1, false).err, ERR_CA_EXISTS);
    X509 *same = ca_certificate();
    ck_assert_int_eq(X509_cmp(first, same), 0);
    init("api.example", true);
    X509 *second = ca_certificate(), *leaf = leaf_of("api.example");
    ck_assert_int_ne(X509_cmp(first, second), 0);
    ck_assert_int_ne(X509_NAME_cmp(X509_get_subject_name(first), X509_get_subject_name(second)), 0);
    ck_assert_int_eq(verify(second, leaf, "api.example"), X509_V_OK);
    ck_assert_int_ne(verify(first, leaf, "api.example"), X509_V_OK);
    X509_free(first);
    X509_free(same);
    X509_free(second);
    X509_free(leaf);
    finish();
}
END_TEST

START_TEST(how_many_names)
{
    slice names[CA_NAMES_MAX + 1];
    start();
    for (size_t i = 0; i <= CA_NAMES_MAX; i++) names[i] = SLICE("a.example");
    ck_assert_int_eq(vault_ca_init(f.v, names, 0, false).err, ERR_TOO_LARGE);
    ck_assert_int_eq(vault_ca_init(f.v, names, CA_NAMES_MAX + 1, false).err, ERR_TOO_LARGE);
    ck_assert(!failed(vault_ca_init(f.v, names, CA_NAMES_MAX, false)));
    char longest[CA_NAME_MAX_BYTES];
    memset(longest, 'x', sizeof longest);
    for (size_t i = 0; i < CA_NAMES_MAX; i++) names[i] = (slice){longest, sizeof longest};
    ck_assert_int_eq(vault_ca_init(f.v, names, CA_NAMES_MAX, true).err, ERR_TOO_LARGE);
    ck_assert_int_eq(sign("a.example"), ERR_NONE); /* the one before is still there */
    finish();
}
END_TEST

/* Sealed, through a rotation and another opening; the key is nowhere on disk. */
START_TEST(kept_sealed)
{
    start();
    init("api.example", false);
    X509 *before = ca_certificate();
    ck_assert(!failed(vault_rotate(f.v, NULL, NULL)));
    fixture_close(&f);
    fixture_open(&f);
    X509 *after = ca_certificate(), *leaf = leaf_of("api.example");
    ck_assert_int_eq(X509_cmp(before, after), 0);
    ck_assert_int_eq(verify(before, leaf, "api.example"), X509_V_OK);
    ck_assert(!failed(vault_ca_check(f.v)));
    X509_free(before);
    X509_free(after);
    X509_free(leaf);
    finish();
}
END_TEST

RUN_TESTS("ca", leaves_are_believed, names_that_it_is_not_for, points_that_are_none, made_once, how_many_names, kept_sealed)
