/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/cybersource.h"

#include "base/envelope.h"
#include "base/secret.h"
#include "sign/digest.h"
#include "sign/encoding.h"

enum { JWT_LIFE_S = 120, CLAIMS_MAX_BYTES = 16 * 1024 };

/* A line break inside a value would let it pass for another line of what is signed. */
static bool is_one_line(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f) return false;
    return s.len > 0;
}

static result check_common(const struct cybersource_request *r)
{
    const slice needed[] = {r->method, r->target, r->host, r->merchant_id, r->key_id};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        ENSURE(is_one_line(needed[i]), SIGNATURE_FORMAT);
    ENSURE(!r->digest.len || is_one_line(r->digest), SIGNATURE_FORMAT);
    return OK;
}

static result append_lower(struct buf *out, slice text)
{
    TRY(buf_reserve(out, text.len));
    char *to = buf_room(out);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        to[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    buf_added(out, text.len);
    return OK;
}

static result append_pair(struct buf *out, slice name, slice value)
{
    TRY(buf_append(out, name));
    return buf_append(out, value);
}

result cybersource_signing_string(const struct cybersource_request *r, struct buf *out)
{
    TRY(check_common(r));
    ENSURE(is_one_line(r->date), SIGNATURE_FORMAT);
    TRY(append_pair(out, SLICE("host: "), r->host));
    TRY(append_pair(out, SLICE("\ndate: "), r->date));
    TRY(buf_append(out, SLICE("\nrequest-target: "))); /* no parentheses, unlike the draft it was modelled on */
    TRY(append_lower(out, r->method));
    TRY(append_pair(out, SLICE(" "), r->target));
    if (r->digest.len) TRY(append_pair(out, SLICE("\ndigest: SHA-256="), r->digest));
    return append_pair(out, SLICE("\nv-c-merchant-id: "), r->merchant_id);
}

result cybersource_signature_field(const struct cybersource_request *r, slice signature, struct buf *out)
{
    ENSURE(is_one_line(r->key_id) && slice_find(r->key_id, '"') == r->key_id.len, SIGNATURE_FORMAT);
    TRY(append_pair(out, SLICE("keyid=\""), r->key_id));
    TRY(buf_append(out, SLICE("\", algorithm=\"HmacSHA256\", headers=\"host date request-target ")));
    if (r->digest.len) TRY(buf_append(out, SLICE("digest ")));
    TRY(buf_append(out, SLICE("v-c-merchant-id\", signature=\"")));
    TRY(base64_write(signature, out));
    return buf_append(out, SLICE("\""));
}

static result append_header(const struct cybersource_request *r, struct buf *json)
{
    TRY(buf_append(json, r->rs256 ? SLICE("{\"alg\":\"RS256\"") : SLICE("{\"alg\":\"HS256\"")));
    TRY(json_append_member(json, SLICE(",\"kid\":\""), r->key_id));
    return buf_append(json, SLICE("}"));
}

static result append_claims(const struct cybersource_request *r, struct buf *json)
{
    slice path = slice_range(r->target, 0, slice_find(r->target, '?')); /* the resource, without its query */
    TRY(buf_append(json, SLICE("{")));
    if (r->digest.len) {
        TRY(json_append_member(json, SLICE("\"digest\":\""), r->digest));
        TRY(buf_append(json, SLICE(",\"digest-algorithm\":\"SHA-256\",")));
    }
    TRY(buf_append(json, SLICE("\"iat\":")));
    TRY(buf_append_u64(json, (uint64_t)r->issued_s));
    TRY(buf_append(json, SLICE(",\"exp\":")));
    TRY(buf_append_u64(json, (uint64_t)r->issued_s + JWT_LIFE_S));
    TRY(json_append_member(json, SLICE(",\"iss\":\""), r->merchant_id));
    TRY(json_append_member(json, SLICE(",\"jti\":\""), r->jwt_id));
    TRY(json_append_member(json, SLICE(",\"request-host\":\""), r->host));
    TRY(json_append_member(json, SLICE(",\"request-resource-path\":\""), path));
    TRY(buf_append(json, SLICE(",\"request-method\":\"")));
    TRY(append_lower(json, r->method));
    TRY(json_append_member(json, SLICE("\",\"v-c-merchant-id\":\""), r->merchant_id));
    return buf_append(json, SLICE(",\"v-c-jwt-version\":\"2\"}"));
}

static result append_jwt_input(const struct cybersource_request *r, struct buf *json, struct buf *out)
{
    TRY(append_header(r, json));
    TRY(base64url_write(buf_slice(json), out));
    TRY(buf_append(out, SLICE(".")));
    buf_clear(json);
    TRY(append_claims(r, json));
    return base64url_write(buf_slice(json), out);
}

result cybersource_jwt_input(const struct cybersource_request *r, struct buf *out)
{
    struct buf json;
    TRY(check_common(r));
    ENSURE(is_one_line(r->jwt_id) && r->issued_s >= 0, SIGNATURE_FORMAT);
    for (size_t i = 0; i < r->method.len; i++) /* RFC 9110 9.1: a token; it is written into the claims as it is */
        ENSURE(r->method.at[i] != '"' && r->method.at[i] != '\\', SIGNATURE_FORMAT);
    buf_init(&json, CLAIMS_MAX_BYTES);
    result written = append_jwt_input(r, &json, out);
    buf_done(&json);
    return written;
}

struct part {
    const char *name;
    slice *value;
};

static bool take(const struct part *parts, size_t count, slice name, slice value)
{
    for (size_t i = 0; i < count; i++) {
        if (!slice_is(name, parts[i].name)) continue;
        if (parts[i].value->at || !value.len) return false;
        *parts[i].value = value;
        return true;
    }
    return false;
}

static bool all_taken(const struct part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!parts[i].value->at) return false;
    return true;
}

/* name="value" off the front of <*rest>, with the comma after it. No value of these has a comma or an escaped quote in
 * it. */
static bool next_quoted(slice *rest, slice *name, slice *value)
{
    slice part;
    if (!slice_next(rest, ',', &part)) return false;
    part = slice_trim(part);
    size_t equals = slice_find(part, '=');
    slice quoted = equals < part.len ? slice_after(part, equals + 1) : SLICE_NONE;
    if (quoted.len < 2 || quoted.at[0] != '"' || quoted.at[quoted.len - 1] != '"') return false;
    *name = slice_range(part, 0, equals);
    *value = slice_range(quoted, 1, quoted.len - 1);
    return slice_find(*value, '"') == value->len;
}

result cybersource_signature_parse(slice field, struct cybersource_signature *out)
{
    *out = (struct cybersource_signature){SLICE_NONE, SLICE_NONE, SLICE_NONE, SLICE_NONE};
    const struct part parts[] = {{"keyid", &out->key_id},
                                 {"algorithm", &out->algorithm},
                                 {"headers", &out->headers},
                                 {"signature", &out->signature}};
    const size_t count = sizeof parts / sizeof *parts;
    for (slice rest = field, name, value; rest.at;) {
        ENSURE(next_quoted(&rest, &name, &value), SIGNATURE_FORMAT);
        ENSURE(take(parts, count, name, value), SIGNATURE_FORMAT);
    }
    ENSURE(all_taken(parts, count), SIGNATURE_FORMAT);
    return OK;
}

result cybersource_notice_parse(slice field, struct cybersource_notice_signature *out)
{
    *out = (struct cybersource_notice_signature){SLICE_NONE, SLICE_NONE, SLICE_NONE};
    const struct part parts[] = {{"t", &out->time_ms}, {"keyId", &out->key_id}, {"sig", &out->signature}};
    const size_t count = sizeof parts / sizeof *parts;
    for (slice rest = field, part; slice_next(&rest, ';', &part);) {
        part = slice_trim(part);
        size_t equals = slice_find(part, '=');
        ENSURE(equals < part.len, SIGNATURE_FORMAT);
        ENSURE(take(parts, count, slice_range(part, 0, equals), slice_after(part, equals + 1)), SIGNATURE_FORMAT);
    }
    ENSURE(all_taken(parts, count) && slice_is_digits(out->time_ms), SIGNATURE_FORMAT);
    return OK;
}

bool cybersource_notice_matches(const struct cybersource_notice_signature *s, slice key, slice signed_bytes)
{
    uint8_t mac[SHA256_BYTES];
    struct buf given;
    if (failed(hmac_sha256_timed(key, s->time_ms, signed_bytes, mac))) return false;
    buf_init(&given, 2 * SHA256_BYTES);
    bool same = !failed(base64_read(s->signature, &given)) &&
                slice_eq_secret(buf_slice(&given), (slice){(const char *)mac, sizeof mac});
    buf_done(&given);
    secret_wipe(mac, sizeof mac);
    return same;
}
