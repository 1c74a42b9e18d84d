/* SPDX-License-Identifier: Apache-2.0 */
#include "tms_priv.h"

#include "base/clock.h"
#include "sign/cybersource.h"
#include "sign/digest.h"
#include "sign/encoding.h"

#include <time.h>

/* What the real platform checks of a request, by either of its two kinds of signature. */

enum { CLOCK_SKEW_S = 300, JWT_MAX_LIFE_S = 300, TEXT_MAX_BYTES = 64 * 1024 };

/* Base64 of the body's SHA-256 is <text>; without a body there must be none. */
static bool digest_fits(const struct sandbox_request *q, slice text)
{
    uint8_t digest[SHA256_BYTES];
    struct buf expected;
    if (!q->body.len) return !text.at;
    if (!text.at || failed(sha256(q->body, digest))) return false;
    buf_init(&expected, 2 * SHA256_BYTES);
    bool same = !failed(base64_write((slice){(const char *)digest, sizeof digest}, &expected)) &&
                slice_eq(buf_slice(&expected), text);
    buf_done(&expected);
    return same;
}

/* --- HTTP Signature --- */

static bool is_current(slice date)
{
    char text[CLOCK_HTTP_DATE_BYTES];
    int64_t now_ms = clock_wall_ms();
    for (int64_t skew_s = 0; date.at && skew_s <= CLOCK_SKEW_S;
         skew_s++) { /* by writing, not parsing: one form only is right */
        clock_http_date(now_ms - skew_s * 1000, text);
        if (slice_is(date, text)) return true;
        clock_http_date(now_ms + skew_s * 1000, text);
        if (slice_is(date, text)) return true;
    }
    return false;
}

static bool mac_fits(const struct tms *t, slice text, slice mac /* bytes */)
{
    uint8_t expected[SHA256_BYTES];
    return !failed(hmac_sha256(buf_slice(&t->secret), text, expected)) &&
           slice_eq_secret((slice){(const char *)expected, sizeof expected}, mac);
}

static bool string_is_signed(const struct tms *t, const struct cybersource_request *r, slice signature /* Base64 */)
{
    struct buf text, mac;
    buf_init(&text, TEXT_MAX_BYTES);
    buf_init(&mac, TEXT_MAX_BYTES);
    bool fits = !failed(cybersource_signing_string(r, &text)) && !failed(base64_read(signature, &mac)) &&
                mac_fits(t, buf_slice(&text), buf_slice(&mac));
    buf_done(&mac);
    buf_done(&text);
    return fits;
}

static bool http_signature_is_right(const struct tms *t, const struct sandbox_request *q, slice field)
{
    struct cybersource_signature s;
    slice prefix = SLICE("SHA-256="), digest = http_head_get(q->head, "digest"), date = http_head_get(q->head, "date");
    if (failed(cybersource_signature_parse(field, &s))) return false;
    if (digest.at && !slice_starts(digest, prefix)) return false;
    digest = digest.at ? slice_after(digest, prefix.len) : SLICE_NONE;
    const char *headers =
        digest.at ? "host date request-target digest v-c-merchant-id" : "host date request-target v-c-merchant-id";
    if (!slice_eq(s.key_id, t->options->key_id) || !slice_is(s.algorithm, "HmacSHA256") ||
        !slice_is(s.headers, headers))
        return false;
    if (!slice_eq(http_head_get(q->head, "v-c-merchant-id"), t->options->merchant_id)) return false;
    const struct cybersource_request r = {.method = q->head->method,
                                          .target = q->head->target,
                                          .host = q->head->authority,
                                          .date = date,
                                          .merchant_id = t->options->merchant_id,
                                          .key_id = t->options->key_id,
                                          .digest = digest};
    return digest_fits(q, digest) && is_current(date) && string_is_signed(t, &r, s.signature);
}

/* --- JWT --- */

static const struct field_rule header_rules[] = {
    {"alg", CHECK_TEXT, 5, 5, true},
    {"kid", CHECK_TEXT, 1, 64, true},
    {"typ", CHECK_TEXT, 3, 3, false},
};
static const struct field_rule claim_rules[] = {
    {"digest", CHECK_TEXT, 44, 44, false},
    {"digest-algorithm", CHECK_TEXT, 7, 7, false},
    {"iat", CHECK_INTEGER, 10, 10, true},
    {"exp", CHECK_INTEGER, 10, 10, true},
    {"iss", CHECK_TEXT, 1, 64, true},
    {"jti", CHECK_TEXT, 1, 64, true},
    {"request-host", CHECK_TEXT, 1, 255, true},
    {"request-resource-path", CHECK_TEXT, 1, 2048, true},
    {"request-method", CHECK_TEXT, 3, 7, true},
    {"v-c-merchant-id", CHECK_TEXT, 1, 64, true},
    {"v-c-jwt-version", CHECK_TEXT, 1, 1, true},
    {"v-c-response-mle-kid", CHECK_TEXT, 1, 64, false},
};
#define COUNT(table) (sizeof(table) / sizeof *(table))

/* One part of the token, decoded; its fields live in the request's pool. */
static bool read_part(const struct sandbox_request *q, slice text, const struct field_rule *rules, size_t count,
                      struct fields *f)
{
    struct buf json;
    slice wrong;
    buf_init(&json, TEXT_MAX_BYTES);
    bool good = !failed(base64url_read(text, &json)) && !failed(fields_from_json(f, q->pool, buf_slice(&json))) &&
                fields_check(f, rules, count, &wrong) == FAULT_NONE;
    buf_done(&json);
    return good;
}

static bool times_are_right(const struct fields *claims)
{
    uint64_t issued, ends, now = (uint64_t)(clock_wall_ms() / 1000);
    return slice_to_u64(fields_text(claims, "iat"), UINT32_MAX, &issued) &&
           slice_to_u64(fields_text(claims, "exp"), UINT32_MAX, &ends) && issued <= now + CLOCK_SKEW_S && ends > now &&
           ends > issued && ends - issued <= JWT_MAX_LIFE_S;
}

/* The claims speak of this request and no other. */
static bool claims_fit(const struct tms *t, const struct sandbox_request *q, const struct fields *claims)
{
    slice digest = fields_text(claims, "digest");
    return slice_eq(fields_text(claims, "request-host"), q->head->authority) &&
           slice_eq(fields_text(claims, "request-resource-path"), q->head->path) &&
           slice_is(fields_text(claims, "request-method"), slice_is(q->head->method, "GET") ? "get" : "post") &&
           slice_eq(fields_text(claims, "v-c-merchant-id"), t->options->merchant_id) &&
           slice_eq(fields_text(claims, "iss"), t->options->merchant_id) &&
           slice_is(fields_text(claims, "v-c-jwt-version"), "2") &&
           (digest.at != NULL) == (fields_get(claims, "digest-algorithm") != NULL) &&
           (!digest.at || slice_is(fields_text(claims, "digest-algorithm"), "SHA-256")) && digest_fits(q, digest);
}

static bool token_is_signed(const struct tms *t, const struct fields *header, slice input,
                            slice signature /* base64url */)
{
    struct buf bytes;
    bool fits = false;
    buf_init(&bytes, TEXT_MAX_BYTES);
    if (!failed(base64url_read(signature, &bytes))) {
        if (slice_is(fields_text(header, "alg"), "HS256"))
            fits = slice_eq(fields_text(header, "kid"), t->options->key_id) && mac_fits(t, input, buf_slice(&bytes));
        if (slice_is(fields_text(header, "alg"), "RS256") && t->jwt_key)
            fits = rs256_verify(t->jwt_key, input, buf_slice(&bytes));
    }
    buf_done(&bytes);
    return fits;
}

static bool jwt_is_right(const struct tms *t, const struct sandbox_request *q, slice token)
{
    struct fields header, claims;
    slice rest = token, parts[2];
    if (!slice_next(&rest, '.', &parts[0]) || !slice_next(&rest, '.', &parts[1]) || !rest.at) return false;
    slice input = slice_range(token, 0, parts[0].len + 1 + parts[1].len);
    return read_part(q, parts[0], header_rules, COUNT(header_rules), &header) &&
           token_is_signed(t, &header, input, rest) &&
           read_part(q, parts[1], claim_rules, COUNT(claim_rules), &claims) && times_are_right(&claims) &&
           claims_fit(t, q, &claims);
}

bool tms_is_authorized(const struct tms *t, const struct sandbox_request *q)
{
    slice signature = http_head_get(q->head, "signature"), authorization = http_head_get(q->head, "authorization");
    slice bearer = SLICE("Bearer ");
    if ((signature.at != NULL) == (authorization.at != NULL)) return false; /* one of them, and only one */
    if (signature.at) return http_signature_is_right(t, q, signature);
    return slice_starts(authorization, bearer) && jwt_is_right(t, q, slice_after(authorization, bearer.len));
}
