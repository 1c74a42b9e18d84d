/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/signing.h"

#include "../base/suite.h"
#include "base/secret.h"
#include "sign/digest.h"

#include <string.h>

/* What goes to the keeper, and what the keeper would make of it: the real HMAC, so that the fields can be compared with known ones. */
static struct asked {
    char text[256 * 1024];
    size_t len, pieces;
    bool ended, rs256;
} asked;

result keeper_sign(struct keeper_dialogue *d, uint32_t index, slice piece, bool last, bool rs256)
{
    (void)d, (void)index;
    ck_assert(!asked.ended && asked.len + piece.len <= sizeof asked.text && piece.len <= 32 * 1024);
    if (piece.len) memcpy(asked.text + asked.len, piece.at, piece.len);
    asked.len += piece.len;
    asked.pieces++;
    asked.ended = last;
    asked.rs256 = rs256;
    return OK;
}

static slice field(void *owner, slice name)
{
    (void)owner;
    if (slice_ieq(name, SLICE("x-login"))) return SLICE("login-1");
    if (slice_ieq(name, SLICE("x-date"))) return SLICE("2025-07-01T00:00:00.000Z");
    return SLICE_NONE;
}

static struct ruleset rules;
static struct config_route route;
static struct buf fields;

static struct signing_request request_for(struct sign_rule rule)
{
    rules.sign = rule;
    route = (struct config_route){.rules = &rules, .sign_key_id = SLICE("key-1"), .sign_merchant_id = SLICE("demo_mid")};
    buf_init_secret(&fields, 16 * 1024);
    return (struct signing_request){.route = &route, .method = SLICE("POST"), .target = SLICE("/pts/v2/payments"),
                                    .host = SLICE("apitest.cybersource.com"),
                                    .body = SLICE("{\"clientReferenceInformation\":{\"code\":\"demo-1\"}}"),
                                    .wall_ms = 1751328000000, .field = field};
}

static slice asked_text(void)
{
    return (slice){asked.text, asked.len};
}

/* The vector of facts, made with a throw-away key: date Tue, 01 Jul 2025, MID demo_mid. */
START_TEST(test_http_signature)
{
    static const char key[] = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                              "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";
    uint8_t mac[SHA256_BYTES];
    struct signing *s;
    ck_assert_int_eq(secret_start(1 << 20).err, ERR_NONE);
    const struct signing_request q = request_for((struct sign_rule){.kind = SIGN_CYBERSOURCE});
    ck_assert_int_eq(signing_new(&q, &s).err, ERR_NONE);
    ck_assert(signing_needs_keeper(s));
    ck_assert_int_eq(signing_ask(s, NULL).err, ERR_NONE);
    ck_assert(asked.ended && !asked.rs256);
    ck_assert(slice_is(asked_text(), "host: apitest.cybersource.com\n"
                                     "date: Tue, 01 Jul 2025 00:00:00 GMT\n"
                                     "request-target: post /pts/v2/payments\n"
                                     "digest: SHA-256=KuZpwCq5orysMY0QLeDxnmg5fCtNVN0SQGPfiz8yvSs=\n"
                                     "v-c-merchant-id: demo_mid"));
    ck_assert_int_eq(hmac_sha256((slice){key, 32}, asked_text(), mac).err, ERR_NONE);
    ck_assert_int_eq(signing_take(s, (slice){(const char *)mac, sizeof mac}).err, ERR_NONE);
    ck_assert_int_eq(signing_write_fields(s, &fields).err, ERR_NONE);
    ck_assert(slice_is(buf_slice(&fields),
                       "signature: keyid=\"key-1\", algorithm=\"HmacSHA256\", headers=\"host date request-target digest "
                       "v-c-merchant-id\", signature=\"Nog0vKtd6FToVTHR8l7A9F9AVlE/6zAdwEJ/WMR6MU8=\"\r\n"
                       "date: Tue, 01 Jul 2025 00:00:00 GMT\r\n"
                       "v-c-merchant-id: demo_mid\r\n"
                       "digest: SHA-256=KuZpwCq5orysMY0QLeDxnmg5fCtNVN0SQGPfiz8yvSs=\r\n"));
    signing_free(s);
    buf_done(&fields);
}
END_TEST

START_TEST(test_jwt)
{
    struct signing *s;
    ck_assert_int_eq(secret_start(1 << 20).err, ERR_NONE);
    const struct signing_request q = request_for((struct sign_rule){.kind = SIGN_CYBERSOURCE_JWT, .rs256 = true});
    ck_assert_int_eq(signing_new(&q, &s).err, ERR_NONE);
    ck_assert_int_eq(signing_ask(s, NULL).err, ERR_NONE);
    ck_assert(asked.rs256);
    ck_assert_int_eq(signing_take(s, SLICE("sig")).err, ERR_NONE);
    ck_assert_int_eq(signing_write_fields(s, &fields).err, ERR_NONE);
    slice all = buf_slice(&fields);
    ck_assert(slice_starts(all, SLICE("authorization: Bearer ")));
    ck_assert(slice_ends(all, SLICE(".c2ln\r\n")));
    ck_assert_uint_lt(slice_find_slice(all, asked_text()), all.len);
    signing_free(s);
    buf_done(&fields);
}
END_TEST

/* dLocal's form: Authorization: V2-HMAC-SHA256, Signature: hex(HMAC(login + date + body)). */
static struct sign_piece over[] = {{SIGN_PART_FIELD, CONST_SLICE("X-Login")}, {SIGN_PART_FIELD, CONST_SLICE("X-Date")},
                                   {SIGN_PART_BODY, CONST_SLICE("")}};
static struct sign_piece value[] = {{SIGN_PART_TEXT, CONST_SLICE("V2-HMAC-SHA256, Signature: ")},
                                    {SIGN_PART_SIGNATURE, CONST_SLICE("")}};
static struct sign_rule dlocal(void)
{
    return (struct sign_rule){.kind = SIGN_HMAC_SHA256, .over = over, .over_count = 3, .field = SLICE("Authorization"),
                              .value = value, .value_count = 2, .encoding = SIGN_HEX};
}

START_TEST(test_hmac_over_parts)
{
    struct signing *s;
    ck_assert_int_eq(secret_start(1 << 20).err, ERR_NONE);
    const struct signing_request q = request_for(dlocal());
    ck_assert_int_eq(signing_new(&q, &s).err, ERR_NONE);
    ck_assert_int_eq(signing_ask(s, NULL).err, ERR_NONE);
    ck_assert(slice_is(asked_text(), "login-12025-07-01T00:00:00.000Z{\"clientReferenceInformation\":{\"code\":\"demo-1\"}}"));
    ck_assert_int_eq(signing_take(s, SLICE("\x01\xfe")).err, ERR_NONE);
    ck_assert_int_eq(signing_write_fields(s, &fields).err, ERR_NONE);
    ck_assert(slice_is(buf_slice(&fields), "Authorization: V2-HMAC-SHA256, Signature: 01fe\r\n"));
    ck_assert(signing_withholds(&rules.sign, SLICE("authorization")));
    ck_assert(!signing_withholds(&rules.sign, SLICE("x-date")));
    signing_free(s);
    buf_done(&fields);
}
END_TEST

/* A large body goes to the keeper in pieces, whole and in order. */
START_TEST(test_a_large_text_goes_in_pieces)
{
    static char body[200 * 1000];
    struct signing *s;
    ck_assert_int_eq(secret_start(1 << 20).err, ERR_NONE);
    struct signing_request q = request_for(dlocal());
    for (size_t i = 0; i < sizeof body; i++) body[i] = (char)('a' + i % 26);
    q.body = (slice){body, sizeof body};
    ck_assert_int_eq(signing_new(&q, &s).err, ERR_NONE);
    ck_assert_int_eq(signing_ask(s, NULL).err, ERR_NONE);
    ck_assert_uint_eq(asked.pieces, 7);
    ck_assert(slice_ends(asked_text(), q.body));
    signing_free(s);
    buf_done(&fields);
}
END_TEST

START_TEST(test_what_cannot_be_signed)
{
    static struct sign_piece missing[] = {{SIGN_PART_FIELD, CONST_SLICE("x-nowhere")}};
    struct signing *s = NULL;
    ck_assert_int_eq(secret_start(1 << 20).err, ERR_NONE);
    struct signing_request q = request_for((struct sign_rule){.kind = SIGN_HMAC_SHA256, .over = missing, .over_count = 1});
    ck_assert_int_eq(signing_new(&q, &s).err, ERR_SIGN_FIELD);
    q = request_for((struct sign_rule){.kind = SIGN_CYBERSOURCE});
    route.sign_merchant_id = SLICE_NONE;
    ck_assert_int_eq(signing_new(&q, &s).err, ERR_SIGN_KEY);
    ck_assert_ptr_null(s);
    buf_done(&fields);
}
END_TEST

START_TEST(test_a_digest_needs_no_keeper)
{
    struct signing *s;
    ck_assert_int_eq(secret_start(1 << 20).err, ERR_NONE);
    struct signing_request q = request_for((struct sign_rule){.kind = SIGN_DIGEST});
    ck_assert_int_eq(signing_new(&q, &s).err, ERR_NONE);
    ck_assert(!signing_needs_keeper(s));
    ck_assert_int_eq(signing_write_fields(s, &fields).err, ERR_NONE);
    ck_assert(slice_is(buf_slice(&fields), "digest: SHA-256=KuZpwCq5orysMY0QLeDxnmg5fCtNVN0SQGPfiz8yvSs=\r\n"));
    signing_free(s);
    buf_clear(&fields);
    q.body = SLICE_NONE;
    ck_assert_int_eq(signing_new(&q, &s).err, ERR_NONE);
    ck_assert_int_eq(signing_write_fields(s, &fields).err, ERR_NONE);
    ck_assert_uint_eq(fields.len, 0);
    signing_free(s);
    buf_done(&fields);
}
END_TEST

RUN_TESTS("signing", test_http_signature, test_jwt, test_hmac_over_parts, test_a_large_text_goes_in_pieces,
          test_what_cannot_be_signed, test_a_digest_needs_no_keeper)
