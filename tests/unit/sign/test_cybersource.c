/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/cybersource.h"

#include "../base/suite.h"
#include "sign/digest.h"
#include "sign/encoding.h"

#include <string.h>

/* Own vectors, made with a throw-away key: bytes 00 to 1f. */
static const slice secret = CONST_SLICE("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
static const slice body = CONST_SLICE("{\"clientReferenceInformation\":{\"code\":\"demo-1\"}}");

static const struct cybersource_request request = {
    .method = CONST_SLICE("POST"),
    .target = CONST_SLICE("/pts/v2/payments"),
    .host = CONST_SLICE("apitest.cybersource.com"),
    .date = CONST_SLICE("Tue, 01 Jul 2025 00:00:00 GMT"),
    .merchant_id = CONST_SLICE("demo_mid"),
    .key_id = CONST_SLICE("08c94330-f618-42a3-b09d-e1e43be5efda"),
    .digest = CONST_SLICE("KuZpwCq5orysMY0QLeDxnmg5fCtNVN0SQGPfiz8yvSs="),
    .issued_s = 1751328000,
    .jwt_id = CONST_SLICE("0b6f3b7e-8b1c-4c7e-9d0e-3f5a1c2b4d6e"),
};

static struct buf out, key;

static void set_up(void)
{
    buf_init(&out, 4096);
    buf_init_secret(&key, 64);
    ck_assert(!failed(base64_read(secret, &key)));
}

static void tear_down(void)
{
    buf_done(&out);
    buf_done(&key);
}

static void check_out(const char *expected)
{
    ck_assert_msg(slice_is(buf_slice(&out), expected), "%.*s", SLICE_ARG(buf_slice(&out)));
}

START_TEST(digest_of_the_body)
{
    uint8_t digest[SHA256_BYTES];
    set_up();
    ck_assert(!failed(sha256(body, digest)));
    ck_assert(!failed(base64_write((slice){(const char *)digest, sizeof digest}, &out)));
    ck_assert(slice_eq(buf_slice(&out), request.digest));
    tear_down();
}
END_TEST

START_TEST(signing_string)
{
    struct cybersource_request r = request;
    set_up();
    ck_assert(!failed(cybersource_signing_string(&r, &out)));
    check_out(
        "host: apitest.cybersource.com\ndate: Tue, 01 Jul 2025 00:00:00 GMT\nrequest-target: post /pts/v2/payments\n"
        "digest: SHA-256=KuZpwCq5orysMY0QLeDxnmg5fCtNVN0SQGPfiz8yvSs=\nv-c-merchant-id: demo_mid");
    buf_clear(&out);
    r.method = SLICE("GET");
    r.digest = SLICE_NONE;
    ck_assert(!failed(cybersource_signing_string(&r, &out)));
    check_out(
        "host: apitest.cybersource.com\ndate: Tue, 01 Jul 2025 00:00:00 GMT\nrequest-target: get /pts/v2/payments\n"
        "v-c-merchant-id: demo_mid");
    tear_down();
}
END_TEST

START_TEST(signature_field_and_back)
{
    uint8_t mac[SHA256_BYTES];
    struct cybersource_signature parts;
    set_up();
    ck_assert(!failed(cybersource_signing_string(&request, &out)));
    ck_assert(!failed(hmac_sha256(buf_slice(&key), buf_slice(&out), mac)));
    buf_clear(&out);
    ck_assert(!failed(cybersource_signature_field(&request, (slice){(const char *)mac, sizeof mac}, &out)));
    check_out("keyid=\"08c94330-f618-42a3-b09d-e1e43be5efda\", algorithm=\"HmacSHA256\", "
              "headers=\"host date request-target digest v-c-merchant-id\", "
              "signature=\"Nog0vKtd6FToVTHR8l7A9F9AVlE/6zAdwEJ/WMR6MU8=\"");
    ck_assert(!failed(cybersource_signature_parse(buf_slice(&out), &parts)));
    ck_assert(slice_eq(parts.key_id, request.key_id) && slice_is(parts.algorithm, "HmacSHA256"));
    ck_assert(slice_is(parts.headers, "host date request-target digest v-c-merchant-id"));
    ck_assert(slice_is(parts.signature, "Nog0vKtd6FToVTHR8l7A9F9AVlE/6zAdwEJ/WMR6MU8="));
    struct cybersource_request without_body = request;
    without_body.digest = SLICE_NONE;
    buf_clear(&out);
    ck_assert(!failed(cybersource_signature_field(&without_body, SLICE("x"), &out)));
    ck_assert(!failed(cybersource_signature_parse(buf_slice(&out), &parts)));
    ck_assert(slice_is(parts.headers, "host date request-target v-c-merchant-id"));
    tear_down();
}
END_TEST

/* A control character in any field, or nothing where something is needed. */
START_TEST(nothing_passes_for_another_line)
{
    struct cybersource_request r;
    slice *const fields[] = {&r.method, &r.target, &r.host, &r.merchant_id, &r.key_id, &r.digest, &r.date, &r.jwt_id};
    const size_t count = sizeof fields / sizeof *fields;
    static const slice evil[] = {CONST_SLICE("a\nb"), CONST_SLICE("a\rb"), CONST_SLICE("a\0b"), CONST_SLICE("a\x7f")};
    set_up();
    for (size_t f = 0; f < count; f++) {
        for (size_t e = 0; e < sizeof evil / sizeof *evil; e++) {
            r = request;
            *fields[f] = evil[e];
            if (fields[f] != &r.jwt_id)
                ck_assert_int_eq(cybersource_signing_string(&r, &out).err, ERR_SIGNATURE_FORMAT);
            if (fields[f] != &r.date) ck_assert_int_eq(cybersource_jwt_input(&r, &out).err, ERR_SIGNATURE_FORMAT);
        }
        r = request;
        *fields[f] = SLICE_NONE;
        if (fields[f] == &r.digest || fields[f] == &r.jwt_id) continue;
        ck_assert_int_eq(cybersource_signing_string(&r, &out).err, ERR_SIGNATURE_FORMAT);
    }
    r = request;
    r.key_id = SLICE("a\", algorithm=\"none");
    ck_assert_int_eq(cybersource_signature_field(&r, SLICE("x"), &out).err, ERR_SIGNATURE_FORMAT);
    ck_assert_uint_eq(out.len, 0);
    tear_down();
}
END_TEST

static void check_jwt(const struct cybersource_request *r, const char *header, const char *claims)
{
    struct buf part;
    set_up();
    ck_assert(!failed(cybersource_jwt_input(r, &out)));
    size_t dot = slice_find(buf_slice(&out), '.');
    ck_assert_uint_lt(dot, out.len);
    buf_init(&part, 4096);
    ck_assert(!failed(base64url_read(slice_range(buf_slice(&out), 0, dot), &part)));
    ck_assert_msg(slice_is(buf_slice(&part), header), "%.*s", SLICE_ARG(buf_slice(&part)));
    buf_clear(&part);
    ck_assert(!failed(base64url_read(slice_after(buf_slice(&out), dot + 1), &part)));
    ck_assert_msg(slice_is(buf_slice(&part), claims), "%.*s", SLICE_ARG(buf_slice(&part)));
    buf_done(&part);
    tear_down();
}

START_TEST(jwt_claims)
{
    check_jwt(&request, "{\"alg\":\"HS256\",\"kid\":\"08c94330-f618-42a3-b09d-e1e43be5efda\"}",
              "{\"digest\":\"KuZpwCq5orysMY0QLeDxnmg5fCtNVN0SQGPfiz8yvSs=\",\"digest-algorithm\":\"SHA-256\",\"iat\":"
              "1751328000,"
              "\"exp\":1751328120,\"iss\":\"demo_mid\",\"jti\":\"0b6f3b7e-8b1c-4c7e-9d0e-3f5a1c2b4d6e\","
              "\"request-host\":\"apitest.cybersource.com\",\"request-resource-path\":\"/pts/v2/payments\","
              "\"request-method\":\"post\",\"v-c-merchant-id\":\"demo_mid\",\"v-c-jwt-version\":\"2\"}");
    struct cybersource_request r = request;
    r.rs256 = true;
    r.digest = SLICE_NONE;
    r.method = SLICE("GET");
    r.target = SLICE("/tms/v2/tokenized-cards/\"7\\0\"?x=1");
    check_jwt(
        &r, "{\"alg\":\"RS256\",\"kid\":\"08c94330-f618-42a3-b09d-e1e43be5efda\"}",
        "{\"iat\":1751328000,\"exp\":1751328120,\"iss\":\"demo_mid\",\"jti\":\"0b6f3b7e-8b1c-4c7e-9d0e-3f5a1c2b4d6e\","
        "\"request-host\":\"apitest.cybersource.com\",\"request-resource-path\":\"/tms/v2/tokenized-cards/"
        "\\\"7\\\\0\\\"\","
        "\"request-method\":\"get\",\"v-c-merchant-id\":\"demo_mid\",\"v-c-jwt-version\":\"2\"}");
}
END_TEST

START_TEST(malformed_signature_fields)
{
    static const char *const fields[] = {
        "",
        "keyid=\"a\"",
        "keyid=\"a\", algorithm=\"b\", headers=\"c\"",
        "keyid=\"a\", algorithm=\"b\", headers=\"c\", signature=\"\"",
        "keyid=\"a\", algorithm=\"b\", headers=\"c\", signature=\"d\",",
        "keyid=\"a\", algorithm=\"b\", headers=\"c\", signature=\"d\", keyid=\"a\"",
        "keyid=\"a\", algorithm=\"b\", headers=\"c\", signature=\"d\", created=\"1\"",
        "keyid=a, algorithm=\"b\", headers=\"c\", signature=\"d\"",
        "keyid=\"a\" algorithm=\"b\" headers=\"c\" signature=\"d\"",
        "keyid=\"a\"x\", algorithm=\"b\", headers=\"c\", signature=\"d\"",
        "keyid=\", algorithm=\"b\", headers=\"c\", signature=\"d\"",
        "KEYID=\"a\", algorithm=\"b\", headers=\"c\", signature=\"d\"",
    };
    struct cybersource_signature parts;
    ck_assert(!failed(
        cybersource_signature_parse(SLICE("signature=\"d\",headers=\"c\",keyid=\"a\",algorithm=\"b\""), &parts)));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        ck_assert_msg(cybersource_signature_parse(slice_of(fields[i]), &parts).err == ERR_SIGNATURE_FORMAT, "taken: %s",
                      fields[i]);
}
END_TEST

START_TEST(notices)
{
    struct cybersource_notice_signature s;
    slice signed_bytes = SLICE("{\"a\":1}");
    set_up();
    ck_assert(!failed(cybersource_notice_parse(SLICE("t=1617830804768;keyId=bf44c857-b182-bb05-e053-34b8d30a7a72;sig="
                                                     "cDOmvqoCyoJ46ppWmSMeO185afvTeEN8dDjG4c3TJ8E="),
                                               &s)));
    ck_assert(slice_is(s.time_ms, "1617830804768") && slice_is(s.key_id, "bf44c857-b182-bb05-e053-34b8d30a7a72"));
    ck_assert(cybersource_notice_matches(&s, buf_slice(&key), signed_bytes));
    ck_assert(!cybersource_notice_matches(&s, buf_slice(&key), SLICE("{\"a\":2}")));
    ck_assert(!cybersource_notice_matches(&s, SLICE("another key"), signed_bytes));
    struct cybersource_notice_signature changed = s;
    changed.time_ms = SLICE("1617830804769");
    ck_assert(!cybersource_notice_matches(&changed, buf_slice(&key), signed_bytes));
    for (size_t i = 0; i < s.signature.len; i++) {
        char text[64];
        memcpy(text, s.signature.at, s.signature.len);
        text[i] ^= 1;
        changed = s;
        changed.signature = (slice){text, s.signature.len};
        ck_assert(!cybersource_notice_matches(&changed, buf_slice(&key), signed_bytes));
        changed.signature.len = i;
        ck_assert(!cybersource_notice_matches(&changed, buf_slice(&key), signed_bytes));
    }
    tear_down();
}
END_TEST

START_TEST(malformed_notice_fields)
{
    static const char *const fields[] = {"",
                                         "t=1;keyId=k",
                                         "t=1;sig=s",
                                         "keyId=k;sig=s",
                                         "t=1;t=1;keyId=k;sig=s",
                                         "t=;keyId=k;sig=s",
                                         "t=x1;keyId=k;sig=s",
                                         "t=1;keyId=k;sig=",
                                         "t=1;keyId=k;sig=s;",
                                         "t=1;keyId=k;sig=s;v",
                                         "t=1,keyId=k,sig=s",
                                         "c2lnbmF0dXJl"};
    struct cybersource_notice_signature s;
    ck_assert(!failed(cybersource_notice_parse(SLICE("sig=s==; keyId=k; t=1"), &s)));
    ck_assert(slice_is(s.signature, "s=="));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        ck_assert_msg(cybersource_notice_parse(slice_of(fields[i]), &s).err == ERR_SIGNATURE_FORMAT, "taken: %s",
                      fields[i]);
}
END_TEST

RUN_TESTS("cybersource", digest_of_the_body, signing_string, signature_field_and_back, nothing_passes_for_another_line,
          jwt_claims, malformed_signature_fields, notices, malformed_notice_fields)
