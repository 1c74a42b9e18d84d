/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/tms.h"

#include "sign/encoding.h"
#include "tms_priv.h"

#include <stdlib.h>

enum { SECRET_MAX_BYTES = 1024, CREDENTIALS_MAX_BYTES = 8192 };
static const char VISA_ECI[] = "07", MASTERCARD_ECI[] = "06", REQUESTOR_ID[] = "40010051602";

static const struct field_rule enrol_rules[] = {
    {"source", CHECK_TEXT, 5, 6, true},
    {"card", CHECK_OBJECT, 0, 0, true},
    {"card/number", CHECK_CARD_NUMBER, 12, 19, true},
    {"card/expirationMonth", CHECK_MONTH, 2, 2, true},
    {"card/expirationYear", CHECK_YEAR, 4, 4, true},
    {"card/type", CHECK_DIGITS, 3, 3, false},
    {"card/securityCode", CHECK_DIGITS, 3, 4, false},
    {"createPanInstrumentIdentifier", CHECK_BOOL, 0, 5, false},
    {"consumerId", CHECK_TEXT, 1, 36, false},
    {"accountReferenceId", CHECK_TEXT, 1, TMS_REFERENCE_MAX, false},
    {"billTo", CHECK_OBJECT, 0, 0, false},
    {"billTo/address1", CHECK_TEXT, 1, 100, false},
    {"billTo/address2", CHECK_TEXT, 1, 100, false},
    {"billTo/locality", CHECK_TEXT, 1, 100, false},
    {"billTo/administrativeArea", CHECK_TEXT, 1, 100, false},
    {"billTo/postalCode", CHECK_TEXT, 1, 100, false},
    {"billTo/country", CHECK_TEXT, 2, 2, false},
};
static const struct field_rule credentials_rules[] = {
    {"paymentCredentialType", CHECK_TEXT, 10, 13, true},
    {"transactionType", CHECK_TEXT, 3, 4, false},
    {"clientCorrelationId", CHECK_TEXT, 1, 64, false},
};
static const struct field_rule delete_rules[] = {
    {"reason", CHECK_OBJECT, 0, 0, true},
    {"reason/code", CHECK_TEXT, 1, 64, true},
    {"reason/description", CHECK_TEXT, 0, 255, false},
};
#define COUNT(table) (sizeof(table) / sizeof *(table))

/* --- mistakes --- */

static result answer_error(struct sandbox_answer *a, int status, const char *type, const char *message, slice field)
{
    struct json j = {.out = &a->body};
    a->status = status;
    json_open(&j, NULL, '{');
    json_open(&j, "errors", '[');
    json_open(&j, NULL, '{');
    json_text(&j, "type", slice_of(type));
    json_text(&j, "message", slice_of(message));
    if (field.len) {
        json_open(&j, "details", '[');
        json_open(&j, NULL, '{');
        json_text(&j, "name", field);
        json_close(&j, '}');
        json_close(&j, ']');
    }
    json_close(&j, '}');
    json_close(&j, ']');
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

static result answer_unauthorized(struct sandbox_answer *a)
{
    a->status = 401;
    return buf_append(&a->body, SLICE("{\"response\":{\"rmsg\":\"Authentication Failed\"}}"));
}

static result answer_not_found(struct sandbox_answer *a)
{
    return answer_error(a, 404, "notFound", "Token not found", SLICE_NONE);
}

static result answer_removed(struct sandbox_answer *a)
{
    return answer_error(a, 410, "notAvailable", "Token not available. The token has been deleted.", SLICE_NONE);
}

/* The body's fields; false: a mistake was answered, or *r is an error of our own. */
static bool read_body(const struct sandbox_request *q, const struct field_rule *rules, size_t count, struct fields *f,
                      struct sandbox_answer *a, result *r)
{
    slice name;
    *r = OK;
    if (!request_has_content_type(q, "application/json")) {
        *r = answer_error(a, 415, "unsupportedMediaType", "Content-Type: application/json is needed", SLICE_NONE);
        return false;
    }
    result read = fields_from_json(f, q->pool, q->body);
    if (failed(read)) {
        *r = read.err == ERR_MEMORY ? read
                                    : answer_error(a, 400, "invalidRequest", "Not one valid JSON object", SLICE_NONE);
        return false;
    }
    enum field_fault fault = fields_check(f, rules, count, &name);
    if (!fault) return true;
    *r = fault == FAULT_MISSING ? answer_error(a, 400, "missingFields", "Required field is missing", name)
                                : answer_error(a, 400, "invalidFields", "Invalid field", name);
    return false;
}

/* --- a token, told --- */

static bool is_mastercard(const struct tms_token *t)
{
    return tms_is_mastercard(slice_of(t->card));
}

static void put_expiry(struct json *j, unsigned month, unsigned year)
{
    char text[12];
    snprintf(text, sizeof text, "%02u", month);
    json_text(j, "expirationMonth", slice_of(text));
    snprintf(text, sizeof text, "%04u", year);
    json_text(j, "expirationYear", slice_of(text));
}

static void put_link(struct json *j, const char *name, const char *before, const char *id)
{
    char href[96];
    snprintf(href, sizeof href, "%s%s", before, id);
    json_open(j, name, '{');
    json_text(j, "href", slice_of(href));
    json_close(j, '}');
}

/* With number, cryptogram and ECI when <with> is not NULL: for encrypted answers only. */
struct told {
    const char *cryptogram, *security_code;
};
static void put_token(struct json *j, const struct tms_token *t, const struct told *with)
{
    char masked[24];
    snprintf(masked, sizeof masked, "%.6sXXXXXX%s", t->number, t->number + TMS_NUMBER_DIGITS - 4);
    json_text(j, "id", slice_of(t->id));
    json_text(j, "object", SLICE("tokenizedCard"));
    if (t->reference[0]) json_text(j, "accountReferenceId", slice_of(t->reference));
    json_text(j, "source", SLICE("ONFILE"));
    json_text(j, "state", slice_of(tms_state_name(t->state)));
    json_text(j, "type", is_mastercard(t) ? SLICE("mastercard") : SLICE("visa"));
    if (t->reason) json_text(j, "reason", slice_of(t->reason));
    if (t->provisioned) {
        json_text(j, "enrollmentId", slice_of(t->id));
        json_text(j, "tokenReferenceId", slice_of(t->id));
        json_text(j, "requestorId", slice_of(REQUESTOR_ID));
        json_text(j, "number", slice_of(with ? t->number : masked));
        put_expiry(j, t->month, t->year);
    }
    if (with) json_number(j, "applicationTransactionCounter", t->counter);
    if (with && with->cryptogram) {
        json_text(j, "cryptogram", slice_of(with->cryptogram));
        json_text(j, "eci", slice_of(is_mastercard(t) ? MASTERCARD_ECI : VISA_ECI));
    }
    if (with && with->security_code) json_text(j, "securityCode", slice_of(with->security_code));
    json_open(j, "card", '{');
    json_text(j, "suffix", slice_of(t->suffix));
    put_expiry(j, t->card_month, t->card_year);
    json_close(j, '}');
}

static result answer_token(struct sandbox_answer *a, int status, const struct tms_token *t)
{
    struct json j = {.out = &a->body};
    a->status = status;
    json_open(&j, NULL, '{');
    json_open(&j, "_links", '{');
    put_link(&j, "self", "/tms/v2/tokenized-cards/", t->id);
    put_link(&j, "instrumentIdentifier", "/tms/v1/instrumentidentifiers/", t->instrument);
    json_close(&j, '}');
    put_token(&j, t, NULL);
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

/* --- calls --- */

/* card.type: 001 Visa, 002 Mastercard; another than the number's is a mistake. */
static bool type_fits(slice type, slice number)
{
    if (!type.at) return true;
    if (slice_is(type, "001")) return tms_is_visa(number);
    if (slice_is(type, "002")) return tms_is_mastercard(number);
    return !tms_is_visa(number) && !tms_is_mastercard(number);
}

/* Text, unlike at some processors: "01" to "12", "20YY". */
static bool read_expiry(const struct fields *f, struct tms_expiry *out)
{
    const struct field *month = fields_get(f, "card/expirationMonth"), *year = fields_get(f, "card/expirationYear");
    uint64_t m, y;
    if (month->kind != FIELD_STRING || year->kind != FIELD_STRING) return false;
    if (!slice_to_u64(month->value, 12, &m) || !slice_to_u64(year->value, 2099, &y)) return false;
    *out = (struct tms_expiry){(unsigned)m, (unsigned)y};
    return expiry_is_current(out->year, out->month);
}

static result handle_enrol(struct tms *t, const struct sandbox_request *q, struct sandbox_answer *a)
{
    struct fields f;
    result r;
    struct tms_expiry expiry;
    if (!read_body(q, enrol_rules, COUNT(enrol_rules), &f, a, &r)) return r;
    slice number = fields_text(&f, "card/number"), reference = fields_text(&f, "accountReferenceId");
    if (!slice_is(fields_text(&f, "source"), "ONFILE"))
        return answer_error(a, 400, "invalidFields", "This sandbox takes source ONFILE only", SLICE("source"));
    if (!type_fits(fields_text(&f, "card/type"), number))
        return answer_error(a, 400, "invalidFields", "Invalid field", SLICE("card/type"));
    if (!read_expiry(&f, &expiry))
        return answer_error(a, 400, "invalidFields", "Not an expiry in text, or past", SLICE("card/expirationYear"));
    struct tms_token *token = tms_store_enrolled(t->store, number, reference);
    bool is_new = !token;
    if (is_new) {
        token = tms_store_add(t->store, number, reference, expiry);
        ENSURE(token, MEMORY);
        TRY(tms_life_begin(t, token));
    }
    token->asked++;
    return answer_token(a, is_new ? 201 : 200, token);
}

static result encrypt(struct tms *t, const struct tms_token *token, const struct told *with, struct buf *plain,
                      struct buf *out)
{
    struct json j = {.out = plain};
    json_open(&j, NULL, '{');
    json_open(&j, "card",
              '{'); /* the card behind it, as the real one tells it: not what a payment is to be made with */
    json_text(&j, "number", slice_of(token->card));
    put_expiry(&j, token->card_month, token->card_year);
    json_text(&j, "type", is_mastercard(token) ? SLICE("002") : SLICE("001"));
    json_close(&j, '}');
    json_open(&j, "tokenizedCard", '{');
    put_token(&j, token, with);
    json_close(&j, '}');
    json_close(&j, '}');
    ENSURE(!j.failed, MEMORY);
    return jwe_encrypt(t->answer_key, SLICE_NONE, buf_slice(plain), out);
}

static result answer_credentials(struct tms *t, const struct tms_token *token, const struct told *with,
                                 struct sandbox_answer *a)
{
    struct buf plain;
    a->status = 200;
    a->content_type = "application/jose";
    buf_init_secret(&plain, CREDENTIALS_MAX_BYTES);
    result r = encrypt(t, token, with, &plain, &a->body);
    buf_done(&plain);
    return r;
}

static result handle_credentials(struct tms *t, struct tms_token *token, const struct sandbox_request *q,
                                 struct sandbox_answer *a)
{
    struct fields f;
    result r;
    char code[4];
    if (!read_body(q, credentials_rules, COUNT(credentials_rules), &f, a, &r)) return r;
    slice type = fields_text(&f, "paymentCredentialType"), use = fields_text(&f, "transactionType");
    if (use.at && !slice_is(use, "ECOM") && !slice_is(use, "AFT"))
        return answer_error(a, 400, "invalidFields", "Invalid field", SLICE("transactionType"));
    if (token->removed) return answer_removed(a);
    if (!token->provisioned)
        return answer_error(a, 409, "conflict", "There is no network token for this card", SLICE_NONE);
    if (!t->answer_key)
        return answer_error(a, 424, "failedDependency", "No public key to encrypt to; see --network-answer-certificate",
                            SLICE_NONE);
    if (token->state != TMS_ACTIVE) return answer_credentials(t, token, NULL, a);
    if (token->behaviour->behaviour == TMS_CARD_NO_CRYPTOGRAM)
        return answer_error(a, 500, "serverError", "The card network gave no cryptogram", SLICE_NONE);
    if (slice_is(type, "NETWORK_TOKEN")) return answer_credentials(t, token, &(struct told){NULL, NULL}, a);
    if (slice_is(type, "SECURITY_CODE")) {
        random_digits(code, 3);
        return answer_credentials(t, token, &(struct told){.security_code = code}, a);
    }
    if (!slice_is(type, "CRYPTOGRAM"))
        return answer_error(a, 400, "invalidFields", "Invalid field", SLICE("paymentCredentialType"));
    struct tms_cryptogram *c = tms_store_issue(t->store, token);
    ENSURE(c, MEMORY);
    return answer_credentials(t, token, &(struct told){.cryptogram = c->text}, a);
}

static result handle_delete(struct tms_token *token, const struct sandbox_request *q, struct sandbox_answer *a)
{
    struct fields f;
    result r;
    if (!read_body(q, delete_rules, COUNT(delete_rules), &f, a, &r)) return r;
    slice code = fields_text(&f, "reason/code");
    if (!slice_is(code, "FRAUD") && !slice_is(code, "PAYMENT_METHOD_REMOVED"))
        return answer_error(a, 400, "invalidFields", "Invalid field", SLICE("reason/code"));
    if (token->removed) return answer_removed(a);
    token->removed = true;
    token->state = TMS_DELETED;
    return answer_token(a, 200, token);
}

static result handle_instrument(struct tms *t, slice id, struct sandbox_answer *a)
{
    const struct tms_token *token = tms_store_by_instrument(t->store, id);
    char masked[24];
    if (!token) return answer_not_found(a);
    struct json j = {.out = &a->body};
    snprintf(masked, sizeof masked, "%.6sXXXXXX%s", token->card, token->suffix);
    a->status = 200;
    json_open(&j, NULL, '{');
    json_text(&j, "id", id);
    json_text(&j, "object", SLICE("instrumentIdentifier"));
    json_text(&j, "state", SLICE("ACTIVE"));
    json_open(&j, "card", '{');
    json_text(&j, "number", slice_of(masked));
    json_close(&j, '}');
    json_open(&j, "tokenizedCard", '{');
    put_token(&j, token, NULL);
    json_close(&j, '}');
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

/* --- dispatch --- */

bool tms_takes(slice path)
{
    return slice_starts(path, SLICE("/tms/"));
}

static result handle_token(struct tms *t, const struct sandbox_request *q, slice rest, struct sandbox_answer *a)
{
    slice id;
    if (!slice_next(&rest, '/', &id)) return answer_not_found(a);
    struct tms_token *token = tms_store_by_id(t->store, id);
    if (!token) return answer_not_found(a);
    if (slice_is(rest, "delete") && slice_is(q->head->method, "POST")) return handle_delete(token, q, a);
    if (rest.at || !slice_is(q->head->method, "GET"))
        return answer_error(a, 405, "methodNotAllowed", "Not available here", SLICE_NONE);
    return token->removed ? answer_removed(a) : answer_token(a, 200, token);
}

static result handle_call(struct tms *t, const struct sandbox_request *q, struct sandbox_answer *a)
{
    slice path = q->head->path, cards = SLICE("/tms/v2/tokenized-cards"), below = SLICE("/tms/v2/tokenized-cards/"),
          tokens = SLICE("/tms/v2/tokens/"), instruments = SLICE("/tms/v1/instrumentidentifiers/"), id;
    bool is_post = slice_is(q->head->method, "POST");
    if (slice_eq(path, cards) && is_post) return handle_enrol(t, q, a);
    if (slice_starts(path, below)) return handle_token(t, q, slice_after(path, below.len), a);
    if (slice_starts(path, instruments) && !is_post) return handle_instrument(t, slice_after(path, instruments.len), a);
    if (!slice_starts(path, tokens) || !is_post) return answer_not_found(a);
    slice rest = slice_after(path, tokens.len);
    struct tms_token *token =
        slice_next(&rest, '/', &id) && slice_is(rest, "payment-credentials") ? tms_store_by_id(t->store, id) : NULL;
    return token ? handle_credentials(t, token, q, a) : answer_not_found(a);
}

result tms_handle(struct tms *t, const struct sandbox_request *q, struct sandbox_answer *a)
{
    a->delay_ms = t->latency_ms;
    if (t->mode == TMS_RESET) {
        a->manner = MANNER_RESET;
        return OK;
    }
    if (t->mode == TMS_DOWN)
        return answer_error(a, 503, "serviceUnavailable", "The service is not available", SLICE_NONE);
    if (tms_is_authorized(t, q)) return handle_call(t, q, a);
    t->refused++;
    return answer_unauthorized(a);
}

/* --- payments --- */

static bool eci_is_right(const struct tms_token *t, slice eci)
{
    return slice_is(eci, is_mastercard(t) ? MASTERCARD_ECI : VISA_ECI);
}

static enum tms_verdict judge_token(struct tms *t, const struct tms_token *token, const struct tms_payment *p)
{
    struct tms_cryptogram *c = p->cryptogram.len ? tms_store_cryptogram(t->store, p->cryptogram) : NULL;
    unsigned used_before = c ? c->used++ : 0;
    if (token->state != TMS_ACTIVE) return TMS_NOT_ACTIVE;
    if (!p->cryptogram.len) {
        bool fits = p->month == token->month && p->year == token->year && (!p->eci.len || eci_is_right(token, p->eci));
        return p->merchant_initiated && fits ? TMS_RIGHT : TMS_WRONG;
    }
    bool fits = c && c->token == token->index && !used_before && p->month == c->month && p->year == c->year;
    return fits && eci_is_right(token, p->eci) ? TMS_RIGHT : TMS_WRONG;
}

enum tms_verdict tms_judge(struct tms *t, const struct tms_payment *p, slice *card)
{
    const struct tms_token *token = tms_store_by_number(t->store, p->number);
    *card = p->number;
    if (!token && !tms_is_token_number(p->number) && !p->cryptogram.len) return TMS_NOT_A_TOKEN;
    if (!token) return TMS_WRONG;
    enum tms_verdict verdict = judge_token(t, token, p);
    if (verdict != TMS_WRONG) *card = slice_of(token->card);
    return verdict;
}

/* --- life --- */

static result tms_start(struct tms *t, const char **why)
{
    const struct tms_options *o = t->options;
    *why = "--network-secret: not one line of Base64";
    TRY(base64_read(o->secret, &t->secret));
    ENSURE(t->secret.len, BASE64);
    *why = "--network-jwt-certificate: not a certificate or public key (RSA, 2048 bits or more) in PEM";
    if (o->jwt_key.len) TRY(rsa_key_public(o->jwt_key, &t->jwt_key));
    *why = "--network-answer-certificate: not a certificate or public key (RSA, 2048 bits or more) in PEM";
    if (o->answer_key.len) TRY(rsa_key_public(o->answer_key, &t->answer_key));
    *why = "out of memory";
    t->store = tms_store_new();
    ENSURE(t->store, MEMORY);
    return o->notify_url.len ? tms_notifier_new(t->loop, o, &t->notifier, why) : OK;
}

result tms_new(struct loop *loop, const struct tms_options *options, struct tms **out, const char **why)
{
    struct tms *t = calloc(1, sizeof *t);
    *out = NULL;
    *why = "out of memory";
    ENSURE(t, MEMORY);
    t->loop = loop;
    t->options = options;
    buf_init_secret(&t->secret, SECRET_MAX_BYTES);
    result started = tms_start(t, why);
    if (failed(started)) {
        tms_free(t);
        return started;
    }
    *out = t;
    return OK;
}

void tms_free(struct tms *t)
{
    if (!t) return;
    tms_notifier_free(t->notifier);
    tms_store_free(t->store);
    rsa_key_free(t->jwt_key);
    rsa_key_free(t->answer_key);
    buf_done(&t->secret);
    free(t);
}
