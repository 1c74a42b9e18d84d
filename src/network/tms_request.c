/* SPDX-License-Identifier: Apache-2.0 */
#include "tms_priv.h"

#include "base/clock.h"
#include "base/envelope.h"
#include "sign/cybersource.h"
#include "sign/digest.h"
#include "sign/encoding.h"

#include <openssl/rand.h>

enum { RANDOM_BYTES = 16, FIELDS_MAX = 8, SIGNED_MAX_BYTES = 16 * 1024 };

result tms_random_hex(struct buf *out)
{
    uint8_t random[RANDOM_BYTES];
    ENSURE(RAND_bytes(random, sizeof random) == 1, CRYPTO);
    return hex_write((slice){(const char *)random, sizeof random}, out);
}

/* --- bodies --- */

/* The networks behind TMS: facts of its card types. */
static slice type_of_brand(enum card_brand brand)
{
    switch (brand) {
    case BRAND_VISA:
        return SLICE("001");
    case BRAND_MASTERCARD:
        return SLICE("002");
    case BRAND_AMEX:
        return SLICE("003");
    default:
        return SLICE_NONE;
    }
}

bool tms_brand_is_supported(const struct tms *t, enum card_brand brand)
{
    return brand < BRAND_COUNT && t->connector.config->brands >> brand & 1 && type_of_brand(brand).len;
}

static result append_card(const struct network_card *card, struct buf *out)
{
    char month[] = {(char)('0' + card->month / 10 % 10), (char)('0' + card->month % 10)};
    TRY(json_append_member(out, SLICE(",\"card\":{\"number\":\""), card->number));
    TRY(json_append_member(out, SLICE(",\"expirationMonth\":\""), (slice){month, sizeof month}));
    TRY(buf_append(out, SLICE(",\"expirationYear\":\"")));
    TRY(buf_append_u64(out, card->year));
    TRY(json_append_member(out, SLICE("\",\"type\":\""), type_of_brand(card->brand)));
    if (card->cvc.len) TRY(json_append_member(out, SLICE(",\"securityCode\":\""), card->cvc));
    return buf_append(out, SLICE("}"));
}

static result append_billing(const struct billing *b, struct buf *out)
{
    const struct {
        slice name, value;
    } members[] = {
        {SLICE("\"address1\":\""), b->address_1},     {SLICE("\"address2\":\""), b->address_2},
        {SLICE("\"locality\":\""), b->city},          {SLICE("\"administrativeArea\":\""), b->state},
        {SLICE("\"postalCode\":\""), b->postal_code}, {SLICE("\"country\":\""), b->country},
    };
    bool some = false;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!members[i].value.len) continue;
        TRY(buf_append(out, some ? SLICE(",") : SLICE(",\"billTo\":{")));
        TRY(json_append_member(out, members[i].name, members[i].value));
        some = true;
    }
    return some ? buf_append(out, SLICE("}")) : OK;
}

result tms_write_enrolment(const struct network_card *card, struct buf *out)
{
    TRY(buf_append(out, SLICE("{\"source\":\"ONFILE\"")));
    TRY(append_card(card, out));
    TRY(buf_append(out, SLICE(",\"createPanInstrumentIdentifier\":true")));
    if (card->correlation.len) TRY(json_append_member(out, SLICE(",\"accountReferenceId\":\""), card->correlation));
    TRY(append_billing(&card->billing, out));
    return buf_append(out, SLICE("}"));
}

result tms_write_credentials_wish(bool without_cryptogram, struct buf *out)
{
    TRY(buf_append(out, SLICE("{\"paymentCredentialType\":\"")));
    TRY(buf_append(out, without_cryptogram ? SLICE("NETWORK_TOKEN") : SLICE("CRYPTOGRAM")));
    TRY(buf_append(out, SLICE("\",\"transactionType\":\"ECOM\",\"clientCorrelationId\":\"")));
    TRY(tms_random_hex(out));
    return buf_append(out, SLICE("\"}"));
}

result tms_write_removal(struct buf *out)
{
    return buf_append(out, SLICE("{\"reason\":{\"code\":\"PAYMENT_METHOD_REMOVED\"}}"));
}

/* --- the signed fields --- */

struct signed_fields {
    struct cybersource_request request;
    char date[CLOCK_HTTP_DATE_BYTES];
    struct buf digest; /* the Digest field: "SHA-256=…" */
    struct buf jwt_id;
    struct buf text;      /* what is signed */
    struct buf signature; /* the Signature field, or the bearer token */
};

static void fields_init(struct signed_fields *f)
{
    *f = (struct signed_fields){0};
    buf_init(&f->digest, SIGNED_MAX_BYTES);
    buf_init(&f->jwt_id, SIGNED_MAX_BYTES);
    buf_init(&f->text, SIGNED_MAX_BYTES);
    buf_init_secret(&f->signature, SIGNED_MAX_BYTES);
}

static void fields_done(struct signed_fields *f)
{
    buf_done(&f->digest);
    buf_done(&f->jwt_id);
    buf_done(&f->text);
    buf_done(&f->signature);
}

static result write_digest(slice body, struct buf *out)
{
    uint8_t hash[SHA256_BYTES];
    TRY(sha256(body, hash));
    TRY(buf_append(out, SLICE("SHA-256=")));
    return base64_write((slice){(const char *)hash, sizeof hash}, out);
}

static result sign_http(const struct tms *t, struct signed_fields *f)
{
    uint8_t mac[SHA256_BYTES];
    TRY(cybersource_signing_string(&f->request, &f->text));
    TRY(hmac_sha256(buf_slice(&t->secret), buf_slice(&f->text), mac));
    return cybersource_signature_field(&f->request, (slice){(const char *)mac, sizeof mac}, &f->signature);
}

static result sign_bytes(const struct tms *t, slice text, struct buf *out)
{
    uint8_t mac[SHA256_BYTES];
    if (t->jwt_key) return rs256_sign(t->jwt_key, text, out);
    TRY(hmac_sha256(buf_slice(&t->secret), text, mac));
    return buf_append(out, (slice){(const char *)mac, sizeof mac});
}

static result sign_jwt(const struct tms *t, struct signed_fields *f)
{
    struct buf bytes;
    TRY(tms_random_hex(&f->jwt_id));
    f->request.jwt_id = buf_slice(&f->jwt_id);
    TRY(buf_append(&f->signature, SLICE("Bearer ")));
    TRY(cybersource_jwt_input(&f->request, &f->text));
    TRY(buf_append(&f->signature, buf_slice(&f->text)));
    TRY(buf_append(&f->signature, SLICE(".")));
    buf_init(&bytes, SIGNED_MAX_BYTES);
    result r = sign_bytes(t, buf_slice(&f->text), &bytes);
    if (!failed(r)) r = base64url_write(buf_slice(&bytes), &f->signature);
    buf_done(&bytes);
    return r;
}

static bool is_jwt(const struct tms *t)
{
    return t->connector.config->auth != NETWORK_AUTH_HTTP_SIGNATURE;
}

static result sign_request(const struct tms *t, const struct tms_request *q, struct signed_fields *f)
{
    const struct config_network *config = t->connector.config;
    int64_t now_ms = clock_wall_ms();
    clock_http_date(now_ms, f->date);
    if (q->body.at) TRY(write_digest(q->body, &f->digest));
    slice digest = buf_slice(&f->digest);
    f->request = (struct cybersource_request){
        .method = q->method,
        .target = q->target,
        .host = buf_slice(&t->host),
        .date = {f->date, sizeof f->date - 1},
        .merchant_id = config->merchant_id,
        .key_id = config->key_id,
        .digest = digest.len ? slice_after(digest, sizeof "SHA-256=" - 1) : SLICE_NONE,
        .issued_s = now_ms / 1000,
        .rs256 = t->jwt_key != NULL,
    };
    return is_jwt(t) ? sign_jwt(t, f) : sign_http(t, f);
}

static size_t list_fields(const struct tms *t, const struct tms_request *q, const struct signed_fields *f,
                          struct http_call_field list[FIELDS_MAX])
{
    const struct config_network *config = t->connector.config;
    size_t n = 0;
    list[n++] = (struct http_call_field){SLICE("accept"), q->accept};
    if (q->body.at) list[n++] = (struct http_call_field){SLICE("content-type"), SLICE("application/json")};
    if (config->profile_id.len) list[n++] = (struct http_call_field){SLICE("profile-id"), config->profile_id};
    list[n++] = (struct http_call_field){SLICE("v-c-merchant-id"), config->merchant_id};
    if (is_jwt(t)) {
        list[n++] = (struct http_call_field){SLICE("authorization"), buf_slice(&f->signature)};
        return n;
    }
    list[n++] = (struct http_call_field){SLICE("date"), f->request.date};
    if (q->body.at) list[n++] = (struct http_call_field){SLICE("digest"), buf_slice(&f->digest)};
    list[n++] = (struct http_call_field){SLICE("signature"), buf_slice(&f->signature)};
    return n;
}

result tms_send(struct tms *t, const struct tms_request *q, http_call_done done, void *owner, struct http_call **out)
{
    struct signed_fields f;
    struct http_call_field list[FIELDS_MAX];
    fields_init(&f);
    result r = sign_request(t, q, &f);
    if (!failed(r)) {
        *out = http_call_start(&(struct http_call_request){.pool = t->pool,
                                                           .loop = t->loop,
                                                           .method = q->method,
                                                           .target = q->target,
                                                           .host = buf_slice(&t->host),
                                                           .fields = list,
                                                           .field_count = list_fields(t, q, &f, list),
                                                           .body = q->body,
                                                           .whole_ms = t->connector.config->timeout_ms,
                                                           .max_answer_bytes = TMS_ANSWER_MAX_BYTES},
                               done, owner);
        if (!*out) r = FAIL(MEMORY);
    }
    fields_done(&f);
    return r;
}
