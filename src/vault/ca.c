/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/ca.h"

#include "base/secret.h"
#include "bytes.h"
#include "vault_priv.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum {
    RECORD_FORMAT = 1,
    RECORD_HEAD_BYTES = 3,
    SERIAL_BYTES = 16,
    DAY_S = 24 * 3600,
    CA_DAYS = 5 * 365,
    EARLIER_S = 3600, /* clocks differ */
    NAMES_TEXT_BYTES = 2048,
};

/* The CA while it is used. */
struct ca {
    EVP_PKEY *key;
    X509 *certificate;
};

static void ca_done(struct ca *ca)
{
    EVP_PKEY_free(ca->key); /* the private number lies in OpenSSL's secure heap, and is wiped */
    X509_free(ca->certificate);
    ERR_clear_error();
}

/* --- the record --- */

static result read_record(slice plain, struct ca *out)
{
    *out = (struct ca){0};
    ENSURE(plain.len > RECORD_HEAD_BYTES && plain.at[0] == RECORD_FORMAT, VAULT_FORMAT);
    size_t key_len = get_u16((const uint8_t *)plain.at + 1);
    ENSURE(key_len <= plain.len - RECORD_HEAD_BYTES, VAULT_FORMAT);
    const unsigned char *key = (const unsigned char *)plain.at + RECORD_HEAD_BYTES, *certificate = key + key_len;
    out->key = d2i_AutoPrivateKey(NULL, &key, (long)key_len);
    out->certificate = d2i_X509(NULL, &certificate, (long)(plain.len - RECORD_HEAD_BYTES - key_len));
    bool fits = out->key && out->certificate && X509_check_private_key(out->certificate, out->key) == 1;
    if (!fits) ca_done(out);
    ENSURE(fits, VAULT_FORMAT);
    return OK;
}

static result open_ca(struct vault *v, struct ca *out)
{
    uint8_t sealed[STORE_VALUE_MAX_BYTES];
    size_t sealed_len = 0, len = 0;
    struct seal_place place;
    result r = vault_read_now(v, STORE_META, meta_ca, sealed, sizeof sealed, &sealed_len);
    if (r.err == ERR_NOT_FOUND) return FAIL(CA_MISSING);
    TRY(r);
    TRY(vault_place(STORE_META, meta_ca, &place));
    uint8_t *plain = secret_alloc(STORE_VALUE_MAX_BYTES);
    ENSURE(plain != NULL, MEMORY);
    r = vault_unseal(v, &place, (slice){(char *)sealed, sealed_len}, plain, STORE_VALUE_MAX_BYTES, &len);
    if (!failed(r)) r = read_record((slice){(char *)plain, len}, out);
    secret_free(plain, STORE_VALUE_MAX_BYTES);
    return r;
}

/* Into <plain>, STORE_VALUE_MAX_BYTES of secret memory. */
static result write_record(const struct ca *ca, uint8_t *plain, size_t *len)
{
    int key_len = i2d_PrivateKey(ca->key, NULL), certificate_len = i2d_X509(ca->certificate, NULL);
    ENSURE(key_len > 0 && certificate_len > 0, CRYPTO);
    *len = RECORD_HEAD_BYTES + (size_t)key_len + (size_t)certificate_len;
    ENSURE(*len <= STORE_VALUE_MAX_BYTES - SEAL_OVERHEAD_BYTES, TOO_LARGE);
    unsigned char *at = plain + RECORD_HEAD_BYTES;
    plain[0] = RECORD_FORMAT;
    put_u16(plain + 1, (uint16_t)key_len);
    ENSURE(i2d_PrivateKey(ca->key, &at) == key_len && i2d_X509(ca->certificate, &at) == certificate_len, CRYPTO);
    return OK;
}

static result keep(struct vault *v, const struct ca *ca, slice expected)
{
    uint8_t sealed[STORE_VALUE_MAX_BYTES];
    size_t len = 0, sealed_len = 0;
    struct seal_place place;
    TRY(vault_place(STORE_META, meta_ca, &place));
    uint8_t *plain = secret_alloc(STORE_VALUE_MAX_BYTES);
    ENSURE(plain != NULL, MEMORY);
    result r = write_record(ca, plain, &len);
    if (!failed(r)) r = vault_seal(v, &place, (slice){(char *)plain, len}, sealed, &sealed_len);
    secret_free(plain, STORE_VALUE_MAX_BYTES);
    TRY(r);
    const struct store_write steps[] = {
        vault_expect_ring(v),
        {STORE_EXPECT, STORE_META, meta_ca, expected},
        {STORE_PUT, STORE_META, meta_ca, {(char *)sealed, sealed_len}},
    };
    return store_commit(v->store, steps, sizeof steps / sizeof steps[0]);
}

/* --- certificates --- */

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/* Random: RFC 5280 4.1.2.2 wants a positive number of at most 20 bytes. */
static bool set_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return set;
}

static X509 *certificate_new(EVP_PKEY *key, long seconds)
{
    X509 *c = X509_new();
    bool made = c && X509_set_version(c, X509_VERSION_3) == 1 && set_serial(c) && X509_set_pubkey(c, key) == 1 &&
                X509_gmtime_adj(X509_getm_notBefore(c), -EARLIER_S) && X509_gmtime_adj(X509_getm_notAfter(c), seconds);
    if (made) return c;
    X509_free(c);
    return NULL;
}

/* Names only: a constraint on one kind of name says nothing of the others, so addresses are excluded whole (RFC 5280 4.2.1.10). */
static result write_constraints(const slice *names, size_t count, char out[NAMES_TEXT_BYTES])
{
    int at = snprintf(out, NAMES_TEXT_BYTES, "critical,excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0");
    ENSURE(count > 0 && count <= CA_NAMES_MAX, TOO_LARGE);
    for (size_t i = 0; i < count; i++) {
        size_t room = NAMES_TEXT_BYTES - (size_t)at;
        int len = snprintf(out + at, room, ",permitted;DNS:%.*s", SLICE_ARG(names[i]));
        ENSURE((size_t)len < room, TOO_LARGE);
        at += len;
    }
    return OK;
}

/* Each CA has a name of its own, so that a client which trusts an old one and a new one tells them apart. */
static bool set_name(X509 *c)
{
    char text[64];
    unsigned char random[4];
    if (RAND_bytes(random, sizeof random) != 1) return false;
    (void)snprintf(text, sizeof text, "Cardveil local CA %02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
    X509_NAME *name = X509_get_subject_name(c);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0) == 1 && X509_set_issuer_name(c, name) == 1;
}

static result make_ca(const slice *names, size_t count, struct ca *out)
{
    char constraints[NAMES_TEXT_BYTES];
    TRY(write_constraints(names, count, constraints));
    out->key = EVP_EC_gen("P-256");
    out->certificate = out->key ? certificate_new(out->key, (long)CA_DAYS * DAY_S) : NULL;
    X509 *c = out->certificate;
    bool made = c && set_name(c) && add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") && add_extension(c, c, NID_subject_key_identifier, "hash") &&
                add_extension(c, c, NID_name_constraints, constraints) && X509_sign(c, out->key, EVP_sha256()) > 0;
    ENSURE(made, CRYPTO);
    return OK;
}

result vault_ca_init(struct vault *v, const slice *names, size_t count, bool replace)
{
    uint8_t old[STORE_VALUE_MAX_BYTES];
    size_t old_len = 0;
    struct ca ca = {0};
    result r = vault_read_now(v, STORE_META, meta_ca, old, sizeof old, &old_len);
    if (r.err == ERR_NOT_FOUND) r = OK;
    TRY(r);
    ENSURE(old_len == 0 || replace, CA_EXISTS);
    r = make_ca(names, count, &ca);
    if (!failed(r)) r = vault_refresh_ring(v);
    if (!failed(r)) r = keep(v, &ca, (slice){(char *)old, old_len});
    ca_done(&ca);
    return r;
}

static result append_pem(const struct ca *ca, struct buf *out)
{
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    ENSURE(bio != NULL, MEMORY);
    result r = FAIL(CRYPTO);
    if (PEM_write_bio_X509(bio, ca->certificate) == 1) {
        long len = BIO_get_mem_data(bio, &text);
        r = buf_append(out, (slice){text, (size_t)len});
    }
    BIO_free(bio);
    return r;
}

result vault_ca_certificate(struct vault *v, struct buf *out)
{
    struct ca ca;
    TRY(open_ca(v, &ca));
    result r = append_pem(&ca, out);
    ca_done(&ca);
    return r;
}

result vault_ca_check(struct vault *v)
{
    struct ca ca;
    TRY(open_ca(v, &ca));
    ca_done(&ca);
    return OK;
}

/* --- leaves --- */

/* NULL: not a point of the curve. */
static EVP_PKEY *key_of_point(const uint8_t point[CA_POINT_BYTES])
{
    char group[] = "P-256";
    uint8_t copy[CA_POINT_BYTES];
    memcpy(copy, point, sizeof copy);
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                               OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof copy), OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    bool made = context && point[0] == POINT_CONVERSION_UNCOMPRESSED && EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
    EVP_PKEY_CTX_free(context);
    return made ? key : NULL;
}

static result verdict_of(int error)
{
    switch (error) {
    case X509_V_OK: return OK;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION: return FAIL(CA_NAME);
    case X509_V_ERR_CERT_HAS_EXPIRED: return FAIL(CA_EXPIRED);
    default: return FAIL(CRYPTO);
    }
}

/* Verified as a client will verify it, from its bytes, so that no leaf leaves that nobody would believe: name constraints, above all. */
static result check_leaf(const struct ca *ca, slice der)
{
    const unsigned char *at = (const unsigned char *)der.at;
    X509 *leaf = d2i_X509(NULL, &at, (long)der.len);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    result r = FAIL(MEMORY);
    if (leaf && store && context && X509_STORE_add_cert(store, ca->certificate) == 1 && X509_STORE_CTX_init(context, store, leaf, NULL) == 1 &&
        X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER) == 1) {
        bool good = X509_verify_cert(context) == 1;
        int error = X509_STORE_CTX_get_error(context);
        r = good ? OK : verdict_of(error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error);
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(leaf);
    return r;
}

/* Without a subject: the name stands in subjectAltName, which is critical then (RFC 5280 4.1.2.6). */
static result fill_leaf(const struct ca *ca, slice host, X509 *leaf)
{
    char name[sizeof "critical,DNS:" + CA_NAME_MAX_BYTES];
    ENSURE(host.len > 0 && host.len <= CA_NAME_MAX_BYTES, CA_NAME);
    (void)snprintf(name, sizeof name, "critical,DNS:%.*s", SLICE_ARG(host));
    X509 *issuer = ca->certificate;
    bool filled = X509_set_issuer_name(leaf, X509_get_subject_name(issuer)) == 1 &&
                  add_extension(leaf, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                  add_extension(leaf, issuer, NID_key_usage, "critical,digitalSignature") &&
                  add_extension(leaf, issuer, NID_ext_key_usage, "serverAuth") &&
                  add_extension(leaf, issuer, NID_authority_key_identifier, "keyid:always") &&
                  add_extension(leaf, issuer, NID_subject_alt_name, name);
    ENSURE(filled, CRYPTO);
    ENSURE(X509_sign(leaf, ca->key, EVP_sha256()) > 0, CRYPTO);
    return OK;
}

static result append_der(X509 *c, struct buf *out)
{
    int len = i2d_X509(c, NULL);
    ENSURE(len > 0 && len <= CA_LEAF_MAX_BYTES, CRYPTO);
    TRY(buf_reserve(out, (size_t)len));
    unsigned char *at = (unsigned char *)buf_room(out);
    ENSURE(i2d_X509(c, &at) == len, CRYPTO);
    buf_added(out, (size_t)len);
    return OK;
}

/* What a name may be made of: it becomes part of the extension's text. */
static bool is_plain_name(slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_')) return false;
    }
    return host.len > 0;
}

result vault_ca_sign(struct vault *v, slice host, const uint8_t point[CA_POINT_BYTES], struct buf *out)
{
    struct ca ca;
    ENSURE(is_plain_name(host), CA_NAME);
    TRY(open_ca(v, &ca));
    EVP_PKEY *key = key_of_point(point);
    X509 *leaf = key ? certificate_new(key, DAY_S) : NULL;
    result r = leaf ? fill_leaf(&ca, host, leaf) : FAIL(CRYPTO);
    size_t before = out->len;
    if (!failed(r)) r = append_der(leaf, out);
    if (!failed(r)) r = check_leaf(&ca, slice_after(buf_slice(out), before));
    X509_free(leaf);
    EVP_PKEY_free(key);
    ca_done(&ca);
    return r;
}
