/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/signing.h"

#include "base/clock.h"
#include "http/writer.h"
#include "sign/cybersource.h"
#include "sign/digest.h"
#include "sign/encoding.h"

#include <openssl/rand.h>
#include <stdlib.h>

enum { TEXT_MAX_BYTES = 1 << 30, FIELDS_MAX_BYTES = 16 * 1024, JWT_ID_BYTES = 16, SMALL_BYTES = 128, PIECE_BYTES = 32 * 1024 };

struct signing {
    const struct sign_rule *rule;
    const struct config_route *route;
    struct buf text;      /* what is signed; for a JWT, its first two parts */
    struct buf fields;    /* whole header lines */
    char date[CLOCK_HTTP_DATE_BYTES];
    struct buf digest;    /* Base64 of the body's SHA-256; empty: no body */
    struct buf timestamp; /* unix seconds */
    struct buf jwt_id;
    struct cybersource_request cybersource;
};

static slice date_of(const struct signing *s)
{
    return (slice){s->date, sizeof s->date - 1};
}

/* --- the texts --- */

static result make_digest(struct signing *s, slice body)
{
    uint8_t hash[SHA256_BYTES];
    if (!body.at) return OK;
    TRY(sha256(body, hash));
    return base64_write((slice){(const char *)hash, sizeof hash}, &s->digest);
}

static result make_jwt_id(struct signing *s)
{
    uint8_t random[JWT_ID_BYTES];
    ENSURE(RAND_bytes(random, sizeof random) == 1, CRYPTO);
    return hex_write((slice){(const char *)random, sizeof random}, &s->jwt_id);
}

static result make_cybersource(struct signing *s, const struct signing_request *q)
{
    const struct config_route *route = q->route;
    ENSURE(route->sign_key_id.len && route->sign_merchant_id.len, SIGN_KEY);
    TRY(make_jwt_id(s));
    s->cybersource = (struct cybersource_request){
        .method = q->method, .target = q->target, .host = q->host, .date = date_of(s), .merchant_id = route->sign_merchant_id,
        .key_id = route->sign_key_id, .digest = buf_slice(&s->digest), .issued_s = q->wall_ms / 1000,
        .jwt_id = buf_slice(&s->jwt_id), .rs256 = s->rule->rs256};
    return s->rule->kind == SIGN_CYBERSOURCE ? cybersource_signing_string(&s->cybersource, &s->text)
                                             : cybersource_jwt_input(&s->cybersource, &s->text);
}

static result append_body_hash(const struct signing_request *q, struct buf *out)
{
    uint8_t hash[SHA256_BYTES];
    TRY(sha256(q->body, hash));
    return hex_write((slice){(const char *)hash, sizeof hash}, out);
}

static result append_part(struct signing *s, const struct sign_piece *p, const struct signing_request *q, struct buf *out)
{
    size_t question = slice_find(q->target, '?');
    switch (p->part) {
    case SIGN_PART_TEXT: return buf_append(out, p->text);
    case SIGN_PART_METHOD: return buf_append(out, q->method);
    case SIGN_PART_PATH: return buf_append(out, slice_range(q->target, 0, question));
    case SIGN_PART_QUERY: return question < q->target.len ? buf_append(out, slice_after(q->target, question + 1)) : OK;
    case SIGN_PART_HOST: return buf_append(out, q->host);
    case SIGN_PART_DATE: return buf_append(out, date_of(s));
    case SIGN_PART_TIMESTAMP: return buf_append(out, buf_slice(&s->timestamp));
    case SIGN_PART_KEY_ID: return buf_append(out, s->route->sign_key_id);
    case SIGN_PART_BODY: return buf_append(out, q->body);
    case SIGN_PART_BODY_SHA256: return append_body_hash(q, out);
    case SIGN_PART_FIELD: {
        slice value = q->field(q->owner, p->text);
        ENSURE(value.at != NULL, SIGN_FIELD); /* a signature over nothing would be refused by the processor, later and darker */
        return buf_append(out, value);
    }
    case SIGN_PART_SIGNATURE: break;
    }
    return FAIL(INTERNAL);
}

static result make_hmac(struct signing *s, const struct signing_request *q)
{
    for (size_t i = 0; i < s->rule->over_count; i++) TRY(append_part(s, &s->rule->over[i], q, &s->text));
    return OK;
}

static result make(struct signing *s, const struct signing_request *q)
{
    clock_http_date(q->wall_ms, s->date);
    TRY(buf_append_u64(&s->timestamp, (uint64_t)(q->wall_ms / 1000)));
    TRY(make_digest(s, q->body));
    switch (s->rule->kind) {
    case SIGN_CYBERSOURCE:
    case SIGN_CYBERSOURCE_JWT: TRY(make_cybersource(s, q)); break;
    case SIGN_HMAC_SHA256: TRY(make_hmac(s, q)); break;
    case SIGN_DIGEST: return signing_take(s, SLICE_NONE);
    case SIGN_NONE: return FAIL(INTERNAL);
    }
    /* The rest was borrowed for the call only. */
    s->cybersource.target = s->cybersource.host = s->cybersource.method = SLICE_NONE;
    return OK;
}

result signing_new(const struct signing_request *request, struct signing **out)
{
    struct signing *s = calloc(1, sizeof *s);
    ENSURE(s != NULL, MEMORY);
    s->rule = &request->route->rules->sign;
    s->route = request->route;
    buf_init_secret(&s->text, TEXT_MAX_BYTES); /* an HMAC may be over the whole body, card data and all */
    buf_init_secret(&s->fields, FIELDS_MAX_BYTES);
    buf_init(&s->digest, SMALL_BYTES);
    buf_init(&s->timestamp, SMALL_BYTES);
    buf_init(&s->jwt_id, SMALL_BYTES);
    result r = make(s, request);
    if (failed(r))
        signing_free(s);
    else
        *out = s;
    return r;
}

void signing_free(struct signing *s)
{
    if (!s) return;
    buf_done(&s->text);
    buf_done(&s->fields);
    buf_done(&s->digest);
    buf_done(&s->timestamp);
    buf_done(&s->jwt_id);
    free(s);
}

/* --- the signature --- */

bool signing_needs_keeper(const struct signing *s)
{
    return s->rule->kind != SIGN_DIGEST;
}

/* In pieces, which the keeper feeds to one HMAC. */
result signing_ask(struct signing *s, struct keeper_dialogue *d)
{
    bool rs256 = s->rule->kind == SIGN_CYBERSOURCE_JWT && s->rule->rs256;
    slice rest = buf_slice(&s->text);
    while (rest.len > PIECE_BYTES) {
        TRY(keeper_sign(d, 0, slice_range(rest, 0, PIECE_BYTES), false, rs256));
        rest = slice_after(rest, PIECE_BYTES);
    }
    return keeper_sign(d, 0, rest, true, rs256);
}

static result write_digest(struct signing *s)
{
    if (!s->digest.len) return OK;
    TRY(buf_append(&s->fields, SLICE("digest: SHA-256=")));
    TRY(buf_append(&s->fields, buf_slice(&s->digest)));
    return buf_append(&s->fields, SLICE("\r\n"));
}

static result take_cybersource(struct signing *s, slice signature)
{
    struct buf field;
    buf_init(&field, FIELDS_MAX_BYTES);
    result r = cybersource_signature_field(&s->cybersource, signature, &field);
    if (!failed(r)) r = http_write_field(&s->fields, SLICE("signature"), buf_slice(&field));
    buf_done(&field);
    TRY(r);
    TRY(http_write_field(&s->fields, SLICE("date"), date_of(s)));
    TRY(http_write_field(&s->fields, SLICE("v-c-merchant-id"), s->cybersource.merchant_id));
    return write_digest(s);
}

static result take_jwt(struct signing *s, slice signature)
{
    TRY(buf_append(&s->fields, SLICE("authorization: Bearer ")));
    TRY(buf_append(&s->fields, buf_slice(&s->text)));
    TRY(buf_append(&s->fields, SLICE(".")));
    TRY(base64url_write(signature, &s->fields));
    return buf_append(&s->fields, SLICE("\r\n"));
}

static bool is_over_date(const struct sign_rule *rule)
{
    for (size_t i = 0; i < rule->over_count; i++)
        if (rule->over[i].part == SIGN_PART_DATE) return true;
    return false;
}

static result take_hmac(struct signing *s, slice signature)
{
    static const struct signing_request none = {0};
    struct buf value;
    result r = OK;
    buf_init_secret(&value, FIELDS_MAX_BYTES);
    for (size_t i = 0; i < s->rule->value_count && !failed(r); i++) {
        const struct sign_piece *p = &s->rule->value[i];
        if (p->part != SIGN_PART_SIGNATURE)
            r = append_part(s, p, &none, &value);
        else
            r = s->rule->encoding == SIGN_HEX ? hex_write(signature, &value) : base64_write(signature, &value);
    }
    if (!failed(r)) r = http_write_field(&s->fields, s->rule->field, buf_slice(&value));
    if (!failed(r) && is_over_date(s->rule)) r = http_write_field(&s->fields, SLICE("date"), date_of(s));
    buf_done(&value);
    return r;
}

result signing_take(struct signing *s, slice signature)
{
    switch (s->rule->kind) {
    case SIGN_DIGEST: return write_digest(s);
    case SIGN_CYBERSOURCE: return take_cybersource(s, signature);
    case SIGN_CYBERSOURCE_JWT: return take_jwt(s, signature);
    case SIGN_HMAC_SHA256: return take_hmac(s, signature);
    case SIGN_NONE: break;
    }
    return FAIL(INTERNAL);
}

result signing_write_fields(const struct signing *s, struct buf *out)
{
    return buf_append(out, buf_slice(&s->fields));
}

bool signing_withholds(const struct sign_rule *rule, slice name)
{
    switch (rule->kind) {
    case SIGN_NONE: return false;
    case SIGN_DIGEST: return slice_ieq(name, SLICE("digest"));
    case SIGN_CYBERSOURCE:
        return slice_ieq(name, SLICE("digest")) || slice_ieq(name, SLICE("signature")) || slice_ieq(name, SLICE("date")) ||
               slice_ieq(name, SLICE("v-c-merchant-id"));
    case SIGN_CYBERSOURCE_JWT: return slice_ieq(name, SLICE("authorization"));
    case SIGN_HMAC_SHA256: return slice_ieq(name, rule->field) || (is_over_date(rule) && slice_ieq(name, SLICE("date")));
    }
    return false;
}
