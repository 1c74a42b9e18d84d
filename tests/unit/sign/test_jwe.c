/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/jwe.h"

#include "../base/suite.h"
#include "base/secret.h"
#include "sign/encoding.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

static struct buf file, out;
static struct rsa_key *own;

static slice read_file(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", CORPUS_FOLDER, name);
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    buf_clear(&file);
    ck_assert(!failed(buf_reserve(&file, 16384)));
    buf_added(&file, fread(buf_room(&file), 1, 16384, f));
    fclose(f);
    slice text = buf_slice(&file);
    return text.len && text.at[text.len - 1] == '\n' ? slice_range(text, 0, text.len - 1) : text;
}

static void set_up(void)
{
    ck_assert(!failed(secret_start(65536)));
    buf_init(&file, 32768);
    buf_init_secret(&out, 65536);
    ck_assert(!failed(rsa_key_private(read_file("mastercard-decryption-key.pem"), &own)));
}

static void tear_down(void)
{
    rsa_key_free(own);
    buf_done(&file);
    buf_done(&out);
    ck_assert_uint_eq(ERR_peek_error(), 0); /* nothing left behind for the next TLS call to find */
}

/* The same key's public half, as PEM; and keys of other kinds. */
static void write_pem(EVP_PKEY *pkey, bool private, struct buf *pem)
{
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    ck_assert_int_eq(
        private ? PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) : PEM_write_bio_PUBKEY(bio, pkey), 1);
    long len = BIO_get_mem_data(bio, &text);
    ck_assert(!failed(buf_append(pem, (slice){text, (size_t)len})));
    BIO_free(bio);
}

static struct rsa_key *public_half(void)
{
    struct buf pem;
    struct rsa_key *public;
    slice private = read_file("mastercard-decryption-key.pem");
    BIO *bio = BIO_new_mem_buf(private.at, (int)private.len);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    buf_init(&pem, 8192);
    write_pem(pkey, false, &pem);
    ck_assert(!failed(rsa_key_public(buf_slice(&pem), &public)));
    buf_done(&pem);
    EVP_PKEY_free(pkey);
    return public;
}

START_TEST(published_vector_opens)
{
    set_up();
    ck_assert(!failed(jwe_decrypt(own, read_file("mastercard-a256gcm.jwe"), &out)));
    ck_assert(slice_is(buf_slice(&out), "{\"foo\":\"bar\"}"));
    tear_down();
}
END_TEST

START_TEST(other_encryptions_are_refused)
{
    static const char *const names[] = {"mastercard-a128cbc-hs256.jwe", "mastercard-a128gcm.jwe",
                                        "mastercard-a192gcm.jwe"};
    set_up();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_int_eq(jwe_decrypt(own, read_file(names[i]), &out).err, ERR_JWE);
    ck_assert_uint_eq(out.len, 0);
    tear_down();
}
END_TEST

START_TEST(every_byte_counts)
{
    set_up();
    slice compact = read_file("mastercard-a256gcm.jwe");
    char *changed = malloc(compact.len);
    for (size_t i = 0; i < compact.len; i++) {
        memcpy(changed, compact.at, compact.len);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        ck_assert_int_eq(jwe_decrypt(own, (slice){changed, compact.len}, &out).err, ERR_JWE);
        changed[i] = (char)(compact.at[i] ^ 1);
        ck_assert_int_eq(jwe_decrypt(own, (slice){changed, compact.len}, &out).err, ERR_JWE);
        if (i % 16 == 0) ck_assert_int_eq(jwe_decrypt(own, slice_range(compact, 0, i), &out).err, ERR_JWE);
    }
    free(changed);
    ck_assert_uint_eq(out.len, 0);
    tear_down();
}
END_TEST

START_TEST(round_trip)
{
    struct buf compact, again;
    set_up();
    struct rsa_key *public = public_half();
    buf_init(&compact, 16384);
    buf_init(&again, 16384);
    for (size_t len = 0; len <= 2000; len = len * 2 + 1) {
        char plain[2000];
        memset(plain, 'p', sizeof plain);
        buf_clear(&compact);
        buf_clear(&out);
        ck_assert(!failed(jwe_encrypt(public, SLICE("k\"1"), (slice){plain, len}, &compact)));
        ck_assert(!failed(jwe_decrypt(own, buf_slice(&compact), &out)));
        ck_assert(slice_eq(buf_slice(&out), (slice){plain, len}));
    }
    ck_assert(!failed(jwe_encrypt(public, SLICE_NONE, SLICE("one"), &again))); /* its own key and nonce each time */
    slice a = buf_slice(&compact), b = buf_slice(&again), part_a, part_b;
    for (int i = 0; i < 3; i++) {
        ck_assert(slice_next(&a, '.', &part_a) && slice_next(&b, '.', &part_b));
        ck_assert(!slice_eq(part_a, part_b));
    }
    buf_done(&again);
    buf_done(&compact);
    rsa_key_free(public);
    tear_down();
}
END_TEST

/* Encrypts as RFC 7516 5.1 says, RSA-OAEP-256 and A256GCM, whatever <header> says: only the header can be the reason to
 * refuse. */
static void compose(EVP_PKEY *pkey, slice header, struct buf *compact)
{
    static const uint8_t cek[32] = {1}, iv[12] = {2};
    uint8_t wrapped[512], tag[16];
    char text[8];
    int n;
    size_t len = sizeof wrapped;
    EVP_PKEY_CTX *rsa = EVP_PKEY_CTX_new(pkey, NULL);
    ck_assert(EVP_PKEY_encrypt_init(rsa) == 1 && EVP_PKEY_CTX_set_rsa_padding(rsa, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_oaep_md(rsa, EVP_sha256()) == 1 &&
              EVP_PKEY_encrypt(rsa, wrapped, &len, cek, sizeof cek) == 1);
    EVP_PKEY_CTX_free(rsa);
    ck_assert(!failed(base64url_write(header, compact)));
    EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
    ck_assert(EVP_EncryptInit_ex2(gcm, EVP_aes_256_gcm(), cek, iv, NULL) == 1 &&
              EVP_EncryptUpdate(gcm, NULL, &n, (const uint8_t *)compact->at, (int)compact->len) == 1 &&
              EVP_EncryptUpdate(gcm, (uint8_t *)text, &n, (const uint8_t *)"plain", 5) == 1 &&
              EVP_EncryptFinal_ex(gcm, (uint8_t *)text + 5, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) == 1);
    EVP_CIPHER_CTX_free(gcm);
    const slice parts[] = {{(char *)wrapped, len}, {(const char *)iv, sizeof iv}, {text, 5}, {(char *)tag, sizeof tag}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ck_assert(!failed(buf_append(compact, SLICE("."))));
        ck_assert(!failed(base64url_write(parts[i], compact)));
    }
}

struct header_case {
    slice header;
    enum error err;
};

static const struct header_case header_cases[] = {
    {CONST_SLICE("{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\"}"), ERR_NONE},
    {CONST_SLICE("{\"typ\":\"JWT\",\"enc\":\"A256GCM\",\"iat\":1,\"alg\":\"RSA-OAEP-256\"}"), ERR_NONE},
    {CONST_SLICE("{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\"}"), ERR_JWE},
    {CONST_SLICE("{\"alg\":\"RSA1_5\",\"enc\":\"A256GCM\"}"), ERR_JWE},
    {CONST_SLICE("{\"alg\":\"rsa-oaep-256\",\"enc\":\"A256GCM\"}"), ERR_JWE},
    {CONST_SLICE("{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A128GCM\"}"), ERR_JWE},
    {CONST_SLICE("{\"alg\":\"RSA-OAEP-256\"}"), ERR_JWE},
    {CONST_SLICE("{\"enc\":\"A256GCM\"}"), ERR_JWE},
    {CONST_SLICE("{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"zip\":\"DEF\"}"), ERR_JWE},
    {CONST_SLICE("{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"crit\":\"exp\"}"), ERR_JWE},
    {CONST_SLICE("{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"crit\":[\"exp\"],\"exp\":1}"), ERR_JWE},
    {CONST_SLICE("{\"alg\":\"dir\",\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\"}"), ERR_JWE},
    {CONST_SLICE("RSA-OAEP-256 A256GCM"), ERR_JWE},
};

START_TEST(the_header_decides)
{
    struct buf pem, compact;
    struct rsa_key *k;
    set_up();
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    buf_init(&pem, 8192);
    buf_init(&compact, 8192);
    write_pem(pkey, true, &pem);
    ck_assert(!failed(rsa_key_private(buf_slice(&pem), &k)));
    for (size_t i = 0; i < sizeof header_cases / sizeof *header_cases; i++) {
        buf_clear(&compact);
        buf_clear(&out);
        compose(pkey, header_cases[i].header, &compact);
        ck_assert_msg(jwe_decrypt(k, buf_slice(&compact), &out).err == header_cases[i].err, "%.*s",
                      SLICE_ARG(header_cases[i].header));
        ck_assert(slice_is(buf_slice(&out), header_cases[i].err ? "" : "plain"));
    }
    rsa_key_free(k);
    buf_done(&compact);
    buf_done(&pem);
    EVP_PKEY_free(pkey);
    tear_down();
}
END_TEST

START_TEST(not_compact)
{
    static const char *const texts[] = {"", ".", "....", ".....", "a.b.c.d", "{\"protected\":\"\"}"};
    struct buf six;
    set_up();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_int_eq(jwe_decrypt(own, slice_of(texts[i]), &out).err, ERR_JWE);
    buf_init(&six, 16384);
    ck_assert(!failed(buf_append(&six, read_file("mastercard-a256gcm.jwe"))));
    ck_assert(!failed(buf_append(&six, SLICE(".AA"))));
    ck_assert_int_eq(jwe_decrypt(own, buf_slice(&six), &out).err, ERR_JWE);
    buf_done(&six);
    tear_down();
}
END_TEST

START_TEST(another_key_does_not_open)
{
    struct buf pem;
    struct rsa_key *other;
    set_up();
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    buf_init(&pem, 8192);
    write_pem(pkey, true, &pem);
    ck_assert(!failed(rsa_key_private(buf_slice(&pem), &other)));
    ck_assert_int_eq(jwe_decrypt(other, read_file("mastercard-a256gcm.jwe"), &out).err, ERR_JWE);
    rsa_key_free(other);
    buf_done(&pem);
    EVP_PKEY_free(pkey);
    tear_down();
}
END_TEST

static void check_key_refused(EVP_PKEY *pkey)
{
    struct rsa_key *k;
    struct buf pem;
    ck_assert_ptr_nonnull(pkey);
    buf_init(&pem, 8192);
    write_pem(pkey, true, &pem);
    ck_assert_int_eq(rsa_key_private(buf_slice(&pem), &k).err, ERR_CRYPTO);
    ck_assert_ptr_null(k);
    buf_clear(&pem);
    write_pem(pkey, false, &pem);
    ck_assert_int_eq(rsa_key_public(buf_slice(&pem), &k).err, ERR_CRYPTO);
    ck_assert_ptr_null(k);
    buf_done(&pem);
    EVP_PKEY_free(pkey);
}

START_TEST(short_and_other_keys_are_refused)
{
    struct rsa_key *k;
    set_up();
    check_key_refused(EVP_RSA_gen(2047));
    check_key_refused(EVP_RSA_gen(1024));
    check_key_refused(EVP_EC_gen("P-256"));
    ck_assert_int_eq(rsa_key_private(SLICE_NONE, &k).err, ERR_CRYPTO);
    ck_assert_int_eq(rsa_key_public(SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &k).err,
                     ERR_CRYPTO);
    ck_assert_int_eq(rsa_key_public(read_file("mastercard-decryption-key.pem"), &k).err,
                     ERR_CRYPTO); /* a private key is no public one */
    rsa_key_free(NULL);
    tear_down();
}
END_TEST

START_TEST(encrypted_keys_are_refused_without_a_question)
{
    char *text, passphrase[] = "secret";
    struct rsa_key *k;
    set_up();
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(bio, pkey, EVP_aes_256_cbc(), passphrase, 6, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &text);
    ck_assert_int_eq(rsa_key_private((slice){text, (size_t)len}, &k).err, ERR_CRYPTO);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    tear_down();
}
END_TEST

static void self_signed(struct buf *pem)
{
    char *text;
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    X509 *certificate = X509_new();
    ck_assert(X509_set_pubkey(certificate, pkey) && X509_gmtime_adj(X509_getm_notBefore(certificate), 0) &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) && X509_sign(certificate, pkey, EVP_sha256()));
    BIO *bio = BIO_new(BIO_s_mem());
    ck_assert_int_eq(PEM_write_bio_X509(bio, certificate), 1);
    long len = BIO_get_mem_data(bio, &text);
    ck_assert(!failed(buf_append(pem, (slice){text, (size_t)len})));
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(pkey);
}

START_TEST(a_certificate_is_a_public_key)
{
    struct buf pem, compact;
    struct rsa_key *k;
    set_up();
    buf_init(&pem, 8192);
    buf_init(&compact, 8192);
    self_signed(&pem);
    ck_assert(!failed(rsa_key_public(buf_slice(&pem), &k)));
    ck_assert(!failed(jwe_encrypt(k, SLICE_NONE, SLICE("x"), &compact)));
    rsa_key_free(k);
    buf_done(&compact);
    buf_done(&pem);
    tear_down();
}
END_TEST

START_TEST(rs256)
{
    struct buf signature;
    set_up();
    struct rsa_key *public = public_half();
    slice text = SLICE("header.claims");
    buf_init(&signature, 1024);
    ck_assert(!failed(rs256_sign(own, text, &signature)));
    ck_assert_uint_eq(signature.len, 256);
    ck_assert(rs256_verify(public, text, buf_slice(&signature)));
    ck_assert(!rs256_verify(public, SLICE("header.claimt"), buf_slice(&signature)));
    ck_assert(!rs256_verify(public, text, slice_range(buf_slice(&signature), 0, 255)));
    ck_assert(!rs256_verify(public, text, SLICE_NONE));
    for (size_t i = 0; i < signature.len; i++) {
        signature.at[i] ^= 1;
        ck_assert(!rs256_verify(public, text, buf_slice(&signature)));
        signature.at[i] ^= 1;
    }
    buf_done(&signature);
    rsa_key_free(public);
    tear_down();
}
END_TEST

RUN_TESTS("jwe", published_vector_opens, other_encryptions_are_refused, every_byte_counts, round_trip,
          the_header_decides, not_compact, another_key_does_not_open, short_and_other_keys_are_refused,
          encrypted_keys_are_refused_without_a_question, a_certificate_is_a_public_key, rs256)
