/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes that go to TMS, against what is written here by hand, and their signatures, made again with OpenSSL alone.
 */
#include "stage.h"

#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

static struct stage stage;
static struct told told;

static void base64(const unsigned char *bytes, size_t len, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
}

static void hash_of(slice body, char *out)
{
    unsigned char hash[32];
    ck_assert_int_eq(EVP_Digest(body.at, body.len, hash, NULL, EVP_sha256(), NULL), 1);
    base64(hash, sizeof hash, out);
}

static void mac_of(slice text, unsigned char out[32])
{
    unsigned char key[32];
    for (unsigned char i = 0; i < sizeof key; i++)
        key[i] = i;
    ck_assert_ptr_nonnull(HMAC(EVP_sha256(), key, sizeof key, (const unsigned char *)text.at, text.len, out, NULL));
}

static void begin(enum network_auth auth)
{
    memset(&told, 0, sizeof told);
    stage_start(&stage, auth);
}

/* The call's request is there; it is answered, so that nothing is under way. */
static void end(void)
{
    player_answer(&stage.player, 500, NULL, SLICE_NONE);
    WAIT_TOLD(&stage, &told);
    stage_finish(&stage);
}

/* The signature over these lines, made by hand from the fields that came. */
static void check_http_signature(const char *request_target, slice body)
{
    char digest[64], text[1024], field[1024], signature[64];
    unsigned char mac[32];
    slice date = player_field(&stage.player, "date");
    int n;
    ck_assert_uint_eq(date.len, strlen("Thu, 26 Nov 2026 11:21:50 GMT"));
    ck_assert(slice_ends(date, SLICE(" GMT")));
    if (body.at) {
        hash_of(body, digest);
        n = snprintf(
            text, sizeof text,
            "host: 127.0.0.1:%u\ndate: %.*s\nrequest-target: %s\ndigest: SHA-256=%s\nv-c-merchant-id: demo_mid",
            stage.player.port, (int)date.len, date.at, request_target, digest);
    } else {
        n = snprintf(text, sizeof text, "host: 127.0.0.1:%u\ndate: %.*s\nrequest-target: %s\nv-c-merchant-id: demo_mid",
                     stage.player.port, (int)date.len, date.at, request_target);
    }
    mac_of((slice){text, (size_t)n}, mac);
    base64(mac, sizeof mac, signature);
    snprintf(field, sizeof field,
             "keyid=\"demo-key\", algorithm=\"HmacSHA256\", headers=\"host date request-target %sv-c-merchant-id\", "
             "signature=\"%s\"",
             body.at ? "digest " : "", signature);
    ck_assert_msg(slice_is(player_field(&stage.player, "signature"), field), "%s", field);
}

#define ENROLMENT                                                                                                      \
    "{\"source\":\"ONFILE\",\"card\":{\"number\":\"4111111111111111\",\"expirationMonth\":\"03\","                     \
    "\"expirationYear\":\"2031\",\"type\":\"001\",\"securityCode\":\"123\"},\"createPanInstrumentIdentifier\":true,"   \
    "\"accountReferenceId\":\"enrol-1\",\"billTo\":{\"address1\":\"1 \\\"Main\\\" Street\",\"locality\":\"Austin\","   \
    "\"administrativeArea\":\"TX\",\"postalCode\":\"78701\",\"country\":\"US\"}}"

START_TEST(enrol_byte_for_byte)
{
    char expected[4096], digest[64];
    struct network_card card = stage_card();
    begin(NETWORK_AUTH_HTTP_SIGNATURE);
    stage.network.profile_id = SLICE("93B32398-AD51-4CC2-A682-EA3E93614EB1");
    ck_assert_ptr_nonnull(connector_enrol(stage.connector, &card, on_told, &told));
    ck_assert_uint_eq(told.count, 0);
    player_request(&stage.player);
    slice date = player_field(&stage.player, "date"), signature = player_field(&stage.player, "signature");
    hash_of(SLICE(ENROLMENT), digest);
    snprintf(expected, sizeof expected,
             "POST /tms/v2/tokenized-cards HTTP/1.1\r\nhost: 127.0.0.1:%u\r\naccept: application/json\r\n"
             "content-type: application/json\r\nprofile-id: 93B32398-AD51-4CC2-A682-EA3E93614EB1\r\n"
             "v-c-merchant-id: demo_mid\r\ndate: %.*s\r\ndigest: SHA-256=%s\r\nsignature: %.*s\r\n"
             "accept-encoding: identity\r\ncontent-length: %zu\r\n\r\n%s",
             stage.player.port, (int)date.len, date.at, digest, (int)signature.len, signature.at, strlen(ENROLMENT),
             ENROLMENT);
    ck_assert_msg(slice_is(buf_slice(&stage.player.got), expected), "%.*s", (int)stage.player.got.len,
                  stage.player.got.at);
    check_http_signature("post /tms/v2/tokenized-cards", SLICE(ENROLMENT));
    end();
}
END_TEST

START_TEST(only_what_there_is)
{
    struct network_card card = {
        .number = SLICE("5204245750003216"), .month = 12, .year = 2025, .brand = BRAND_MASTERCARD};
    begin(NETWORK_AUTH_HTTP_SIGNATURE);
    ck_assert_ptr_nonnull(connector_enrol(stage.connector, &card, on_told, &told));
    player_request(&stage.player);
    ck_assert(slice_is(player_body(&stage.player),
                       "{\"source\":\"ONFILE\",\"card\":{\"number\":\"5204245750003216\",\"expirationMonth\":\"12\","
                       "\"expirationYear\":\"2025\",\"type\":\"002\"},\"createPanInstrumentIdentifier\":true}"));
    ck_assert_ptr_null(player_field(&stage.player, "profile-id").at);
    end();
}
END_TEST

START_TEST(amex_is_003)
{
    struct network_card card = {.number = SLICE("378282246310005"), .month = 1, .year = 2030, .brand = BRAND_AMEX};
    begin(NETWORK_AUTH_HTTP_SIGNATURE);
    ck_assert_ptr_nonnull(connector_enrol(stage.connector, &card, on_told, &told));
    player_request(&stage.player);
    ck_assert_uint_lt(slice_find_slice(player_body(&stage.player), SLICE("\"type\":\"003\"")),
                      player_body(&stage.player).len);
    end();
}
END_TEST

/* The clientCorrelationId is random: 32 digits in the middle of the body, never the same twice. */
static void check_credentials_body(const char *type, char id[33])
{
    char before[200];
    slice body = player_body(&stage.player);
    snprintf(before, sizeof before,
             "{\"paymentCredentialType\":\"%s\",\"transactionType\":\"ECOM\",\"clientCorrelationId\":\"", type);
    ck_assert_msg(slice_starts(body, slice_of(before)), "%.*s", (int)body.len, body.at);
    ck_assert_uint_eq(body.len, strlen(before) + 32 + 2);
    memcpy(id, body.at + strlen(before), 32);
    id[32] = 0;
    ck_assert_uint_eq(strspn(id, "0123456789abcdef"), 32);
    ck_assert(slice_ends(body, SLICE("\"}")));
}

START_TEST(credentials)
{
    char first[33], second[33];
    begin(NETWORK_AUTH_HTTP_SIGNATURE);
    ck_assert_ptr_nonnull(connector_credentials(stage.connector, SLICE("AB12-cd_9"), false, on_told, &told));
    player_request(&stage.player);
    ck_assert(slice_is(player_line(&stage.player), "POST /tms/v2/tokens/AB12-cd_9/payment-credentials HTTP/1.1"));
    ck_assert(slice_is(player_field(&stage.player, "accept"), "application/jose"));
    ck_assert(slice_is(player_field(&stage.player, "content-type"), "application/json"));
    check_credentials_body("CRYPTOGRAM", first);
    check_http_signature("post /tms/v2/tokens/AB12-cd_9/payment-credentials", player_body(&stage.player));
    player_answer(&stage.player, 500, NULL, SLICE_NONE);
    WAIT_TOLD(&stage, &told);
    told.count = 0;
    ck_assert_ptr_nonnull(connector_credentials(stage.connector, SLICE("AB12-cd_9"), true, on_told, &told));
    player_request(&stage.player);
    check_credentials_body("NETWORK_TOKEN", second);
    ck_assert_str_ne(first, second);
    end();
}
END_TEST

START_TEST(state_has_no_body_and_no_digest)
{
    begin(NETWORK_AUTH_HTTP_SIGNATURE);
    ck_assert_ptr_nonnull(connector_state(stage.connector, SLICE("7010000000016241111"), on_told, &told));
    player_request(&stage.player);
    ck_assert(slice_is(player_line(&stage.player), "GET /tms/v2/tokenized-cards/7010000000016241111 HTTP/1.1"));
    ck_assert_uint_eq(player_body(&stage.player).len, 0);
    ck_assert_ptr_null(player_field(&stage.player, "digest").at);
    ck_assert_ptr_null(player_field(&stage.player, "content-type").at);
    ck_assert_ptr_null(player_field(&stage.player, "content-length").at);
    check_http_signature("get /tms/v2/tokenized-cards/7010000000016241111", SLICE_NONE);
    end();
}
END_TEST

START_TEST(removal)
{
    begin(NETWORK_AUTH_HTTP_SIGNATURE);
    ck_assert_ptr_nonnull(connector_remove(stage.connector, SLICE("AB12"), on_told, &told));
    player_request(&stage.player);
    ck_assert(slice_is(player_line(&stage.player), "POST /tms/v2/tokenized-cards/AB12/delete HTTP/1.1"));
    ck_assert(slice_is(player_body(&stage.player), "{\"reason\":{\"code\":\"PAYMENT_METHOD_REMOVED\"}}"));
    check_http_signature("post /tms/v2/tokenized-cards/AB12/delete", player_body(&stage.player));
    end();
}
END_TEST

/* What is signed is what is sent: the upstream's own base path too. */
START_TEST(a_base_path_is_signed)
{
    begin(NETWORK_AUTH_HTTP_SIGNATURE);
    stage.network.upstream.path = SLICE("/sandbox");
    ck_assert_ptr_nonnull(connector_state(stage.connector, SLICE("AB12"), on_told, &told));
    player_request(&stage.player);
    ck_assert(slice_is(player_line(&stage.player), "GET /sandbox/tms/v2/tokenized-cards/AB12 HTTP/1.1"));
    check_http_signature("get /sandbox/tms/v2/tokenized-cards/AB12", SLICE_NONE);
    end();
}
END_TEST

/* --- JWT --- */

static size_t unbase64url(slice text, unsigned char *out)
{
    char padded[2048];
    size_t n = 0;
    ck_assert_uint_lt(text.len + 4, sizeof padded);
    for (; n < text.len; n++)
        padded[n] = text.at[n] == '-' ? '+' : text.at[n] == '_' ? '/' : text.at[n];
    size_t padding = (4 - n % 4) % 4;
    memset(padded + n, '=', padding);
    int len = EVP_DecodeBlock(out, (unsigned char *)padded, (int)(n + padding));
    ck_assert_int_ge(len, 0);
    return (size_t)len - padding;
}

struct token {
    char header[2048], claims[2048];
    slice input;
    unsigned char signature[512];
    size_t signature_len;
};

static void read_token(struct token *t)
{
    slice field = player_field(&stage.player, "authorization"), header, claims;
    ck_assert(slice_starts(field, SLICE("Bearer ")));
    slice rest = slice_after(field, 7), whole = rest;
    ck_assert(slice_next(&rest, '.', &header) && slice_next(&rest, '.', &claims));
    t->input = slice_range(whole, 0, header.len + 1 + claims.len);
    t->header[unbase64url(header, (unsigned char *)t->header)] = 0;
    t->claims[unbase64url(claims, (unsigned char *)t->claims)] = 0;
    t->signature_len = unbase64url(rest, t->signature);
}

static void check_claims(const struct token *t, slice body)
{
    char part[256], digest[64];
    hash_of(body, digest);
    snprintf(part, sizeof part, "{\"digest\":\"%s\",\"digest-algorithm\":\"SHA-256\",\"iat\":", digest);
    ck_assert_msg(strstr(t->claims, part) == t->claims, "%s", t->claims);
    snprintf(part, sizeof part,
             ",\"request-host\":\"127.0.0.1:%u\",\"request-resource-path\":\"/tms/v2/tokenized-cards\"",
             stage.player.port);
    ck_assert_msg(strstr(t->claims, part) != NULL, "%s", t->claims);
    ck_assert_ptr_nonnull(strstr(t->claims, ",\"request-method\":\"post\",\"v-c-merchant-id\":\"demo_mid\","));
}

static void send_enrolment(enum network_auth auth)
{
    struct network_card card = stage_card();
    begin(auth);
    ck_assert_ptr_nonnull(connector_enrol(stage.connector, &card, on_told, &told));
    player_request(&stage.player);
    ck_assert(slice_is(player_body(&stage.player), ENROLMENT));
    ck_assert(slice_is(player_field(&stage.player, "v-c-merchant-id"), "demo_mid"));
    ck_assert_ptr_null(player_field(&stage.player, "signature").at);
    ck_assert_ptr_null(player_field(&stage.player, "digest").at);
}

START_TEST(jwt_with_the_secret)
{
    struct token t;
    unsigned char mac[32];
    send_enrolment(NETWORK_AUTH_JWT_SECRET);
    read_token(&t);
    ck_assert_str_eq(t.header, "{\"alg\":\"HS256\",\"kid\":\"demo-key\"}");
    check_claims(&t, SLICE(ENROLMENT));
    mac_of(t.input, mac);
    ck_assert_uint_eq(t.signature_len, sizeof mac);
    ck_assert_mem_eq(t.signature, mac, sizeof mac);
    end();
}
END_TEST

START_TEST(jwt_with_the_key)
{
    struct token t;
    send_enrolment(NETWORK_AUTH_JWT_KEY);
    read_token(&t);
    ck_assert_str_eq(t.header, "{\"alg\":\"RS256\",\"kid\":\"demo-key\"}");
    check_claims(&t, SLICE(ENROLMENT));
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    ck_assert_int_eq(EVP_DigestVerifyInit(m, NULL, EVP_sha256(), NULL, stage.rsa), 1);
    ck_assert_int_eq(EVP_DigestVerify(m, t.signature, t.signature_len, (const unsigned char *)t.input.at, t.input.len),
                     1);
    EVP_MD_CTX_free(m);
    end();
}
END_TEST

RUN_TESTS("network tms request", enrol_byte_for_byte, only_what_there_is, amex_is_003, credentials,
          state_has_no_body_and_no_digest, removal, a_base_path_is_signed, jwt_with_the_secret, jwt_with_the_key)
