/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/rede.h"

#include "base/clock.h"
#include "sandbox/fields.h"
#include "sandbox/tms.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of the table of decisions, by the amount that asks for them. */
enum { AMOUNT_NOT_ALLOWED = 9057, AMOUNT_CRYPTOGRAM_VISA = 9082, AMOUNT_CRYPTOGRAM_MASTERCARD = 9088 };
enum { KEPT_TRANSACTIONS = 1000, TID_DIGITS = 20, REFERENCE_MAX_BYTES = 50 };

struct transaction {
    char tid[TID_DIGITS + 1], nsu[10], authorization[7], bin[7], last4[5], time[CLOCK_RFC3339_BYTES];
    char reference[REFERENCE_MAX_BYTES + 1];
    int64_t amount, installments;
    bool debit;
    const struct decision *decision;
};

struct rede {
    struct tms *network;
    struct transaction kept[KEPT_TRANSACTIONS]; /* a ring: the newest takes the place of the oldest */
    size_t made;
};

static const struct field_rule payment_rules[] = {
    {"amount", CHECK_INTEGER, 1, 10, true},
    {"reference", CHECK_TEXT, 1, REFERENCE_MAX_BYTES, true},
    {"cardNumber", CHECK_CARD_NUMBER, 12, 19, true},
    {"expirationMonth", CHECK_MONTH, 1, 2, true},
    {"expirationYear", CHECK_YEAR, 4, 4, true},
    {"securityCode", CHECK_DIGITS, 3, 4, false},
    {"cardHolderName", CHECK_TEXT, 1, 30, false},
    {"cardholderName", CHECK_TEXT, 1, 30, false},
    {"capture", CHECK_BOOL, 0, 5, false},
    {"kind", CHECK_TEXT, 5, 6, false},
    {"installments", CHECK_ANY_INTEGER, 1, 2, false},
    {"softDescriptor", CHECK_TEXT, 1, 18, false},
    {"subscription", CHECK_BOOL, 0, 5, false},
    {"origin", CHECK_ANY_INTEGER, 1, 2, false},
    {"distributorAffiliation", CHECK_ANY_INTEGER, 1, 9, false},
    {"storageCard", CHECK_DIGITS, 1, 1, false},
    {"brandTid", CHECK_TEXT, 1, 21, false},
    {"tokenCryptogram", CHECK_TEXT, 20, 64, false},
    {"transactionCredentials", CHECK_OBJECT, 0, 0, false},
    {"transactionCredentials/credentialId", CHECK_DIGITS, 2, 2, false},
    {"securityAuthentication", CHECK_OBJECT, 0, 0, false},
    {"securityAuthentication/sai", CHECK_DIGITS, 2, 2, false},
    {"threeDSecure", CHECK_OBJECT, 0, 0, false},
    {"threeDSecure/embedded", CHECK_BOOL, 0, 5, false},
    {"threeDSecure/onFailure", CHECK_TEXT, 1, 10, false},
    {"threeDSecure/userAgent", CHECK_TEXT, 1, 255, false},
    {"threeDSecure/cavv", CHECK_TEXT, 1, 32, false},
    {"threeDSecure/eci", CHECK_DIGITS, 2, 2, false},
    {"threeDSecure/xid", CHECK_TEXT, 1, 28, false},
    {"urls", CHECK_LIST, 0, 0, false},
};
enum { PAYMENT_RULES = sizeof payment_rules / sizeof *payment_rules };

/* Codes by field: size, format, missing. */
static const struct {
    const char *name, *size, *format, *missing;
} mistake_codes[] = {
    {"cardNumber", "36", "37", "38"},      {"expirationYear", "1", "2", "3"},
    {"securityCode", "15", "16", "56"},    {"cardHolderName", "55", "59", "56"},
    {"cardholderName", "55", "59", "56"},  {"amount", "70", "71", "73"},
    {"kind", "76", "76", "56"},
};

struct rede *rede_new(struct tms *network)
{
    struct rede *r = calloc(1, sizeof *r);
    if (r) r->network = network;
    return r;
}

void rede_free(struct rede *r)
{
    free(r);
}

static bool is_version(slice path, slice base)
{
    return slice_eq(path, base) || (slice_starts(path, base) && path.at[base.len] == '/');
}

bool rede_takes(slice path)
{
    return is_version(path, SLICE("/erede/v1/transactions")) || is_version(path, SLICE("/erede/v2/transactions"));
}

static result answer_code(struct sandbox_answer *a, int status, slice code, slice message)
{
    struct json j = {.out = &a->body};
    a->status = status;
    json_open(&j, NULL, '{');
    json_text(&j, "returnCode", code);
    json_text(&j, "returnMessage", message);
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

static result answer_mistake(struct sandbox_answer *a, enum field_fault fault, slice name)
{
    static const char *const texts[] = {"", "Required parameter missing", "Invalid parameter size", "Invalid parameter format",
                                        "Unknown parameter"};
    const char *code = "56";
    for (size_t i = 0; i < sizeof mistake_codes / sizeof *mistake_codes; i++) {
        if (!slice_is(name, mistake_codes[i].name)) continue;
        if (fault == FAULT_SIZE) code = mistake_codes[i].size;
        if (fault == FAULT_FORMAT) code = mistake_codes[i].format;
        if (fault == FAULT_MISSING) code = mistake_codes[i].missing;
    }
    char message[128];
    snprintf(message, sizeof message, "%.*s: %s", (int)(name.len < 60 ? name.len : 60), name.at, texts[fault]);
    return answer_code(a, 400, slice_of(code), slice_of(message));
}

/* Basic: base64 of "affiliation:token", both not empty. Bearer: any word. */
static bool is_authorized(const struct sandbox_request *q)
{
    slice value = http_head_get(q->head, "authorization");
    bool is_v2 = slice_starts(q->head->path, SLICE("/erede/v2/"));
    if (!value.at || slice_find_slice(value, SLICE("{{")) < value.len) return false;
    size_t space = slice_find(value, ' ');
    slice scheme = slice_range(value, 0, space);
    slice rest = slice_trim(slice_after(value, space));
    if (is_v2) return slice_ieq(scheme, SLICE("Bearer")) && rest.len >= 8;

    unsigned char plain[300];
    if (!slice_ieq(scheme, SLICE("Basic")) || rest.len == 0 || rest.len > 400 || rest.len % 4 != 0) return false;
    int len = EVP_DecodeBlock(plain, (const unsigned char *)rest.at, (int)rest.len);
    if (len <= 0) return false;
    slice pair = {(const char *)plain, (size_t)len};
    while (pair.len > 0 && pair.at[pair.len - 1] == '\0') pair.len--; /* EVP_DecodeBlock counts the padding too */
    size_t colon = slice_find(pair, ':');
    return colon > 0 && colon + 1 < pair.len;
}

/* --- a payment --- */

static const char *brand_name(slice number)
{
    if (number.at[0] == '4') return "Visa";
    if (number.at[0] == '5' || number.at[0] == '2') return "Mastercard";
    return number.at[0] == '3' ? "Amex" : "Elo";
}

/* transactionCredentials.credentialId from 06 on: the merchant, not the cardholder, starts the payment. */
static bool is_merchant_initiated(const struct fields *f)
{
    uint64_t id;
    return slice_to_u64(fields_text(f, "transactionCredentials/credentialId"), 99, &id) && id >= 6;
}

/* The card network has its say first, then the table of decisions, which is about the card, also behind a token. */
static const struct decision *decide(const struct rede *r, const struct fields *f, uint64_t amount)
{
    slice card;
    struct tms_payment payment = {.number = fields_text(f, "cardNumber"),
                                  .cryptogram = fields_text(f, "tokenCryptogram"),
                                  .eci = fields_text(f, "securityAuthentication/sai"),
                                  .merchant_initiated = is_merchant_initiated(f)};
    bool is_visa = slice_starts(payment.number, SLICE("4"));
    if (!slice_to_u64(fields_text(f, "expirationMonth"), 12, &payment.month) ||
        !slice_to_u64(fields_text(f, "expirationYear"), 2099, &payment.year))
        return decision_for(SLICE_NONE, AMOUNT_NOT_ALLOWED, false);
    switch (tms_judge(r->network, &payment, &card)) {
    case TMS_NOT_A_TOKEN: return decision_for(card, amount, false);
    case TMS_RIGHT: return decision_for(card, amount, true);
    case TMS_WRONG:
        return decision_for(SLICE_NONE, is_visa ? AMOUNT_CRYPTOGRAM_VISA : AMOUNT_CRYPTOGRAM_MASTERCARD, false);
    case TMS_NOT_ACTIVE: break;
    }
    return decision_for(SLICE_NONE, AMOUNT_NOT_ALLOWED, false);
}

static struct transaction *transaction_new(struct rede *r, const struct fields *f)
{
    struct transaction *t = &r->kept[r->made++ % KEPT_TRANSACTIONS];
    slice number = fields_text(f, "cardNumber"), reference = fields_text(f, "reference");
    uint64_t amount = 0, installments = 1;
    *t = (struct transaction){0};
    if (slice_to_u64(fields_text(f, "amount"), INT64_MAX, &amount)) t->amount = (int64_t)amount;
    if (fields_get(f, "installments") && slice_to_u64(fields_text(f, "installments"), 99, &installments))
        t->installments = (int64_t)installments;
    random_digits(t->tid, TID_DIGITS);
    random_digits(t->nsu, sizeof t->nsu - 1);
    random_digits(t->authorization, sizeof t->authorization - 1);
    clock_rfc3339(clock_wall_ms(), t->time);
    memcpy(t->bin, number.at, 6);
    memcpy(t->last4, number.at + number.len - 4, 4);
    memcpy(t->reference, reference.at, reference.len);
    t->debit = slice_is(fields_text(f, "kind"), "debit");
    t->decision = decide(r, f, amount);
    return t;
}

static void put_brand(struct json *j, const struct transaction *t, slice number, bool opened)
{
    const struct decision *d = t->decision;
    json_open(j, "brand", '{');
    json_text(j, "name", slice_of(brand_name(number)));
    if (opened) {
        json_text(j, "returnCode", slice_of(d->brand_code));
        json_text(j, "returnMessage", slice_of(d->help));
    }
    if (slice_is(slice_of(d->rede_code), "00")) {
        json_text(j, "authorizationCode", slice_of(t->authorization));
        json_text(j, "brandTid", slice_of(t->nsu));
    }
    json_close(j, '}');
}

static void put_echo(struct json *j, const struct fields *f)
{
    static const char *const names[] = {"cardNumber", "cardHolderName", "expirationMonth", "expirationYear", "securityCode",
                                        "tokenCryptogram"};
    json_open(j, "echo", '{');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fields_get(f, names[i])) json_text(j, names[i], fields_text(f, names[i]));
    json_close(j, '}');
}

static result answer_payment(struct sandbox_answer *a, const struct transaction *t, const struct fields *f, bool brand_opened)
{
    struct json j = {.out = &a->body};
    const struct decision *d = t->decision;
    slice number = fields_text(f, "cardNumber");
    a->status = 200;
    a->manner = d->manner;
    json_open(&j, NULL, '{');
    json_text(&j, "returnCode", slice_of(d->rede_code));
    json_text(&j, "returnMessage", slice_of(d->rede_text));
    json_text(&j, "reference", slice_of(t->reference));
    json_text(&j, "tid", slice_of(t->tid));
    json_text(&j, "nsu", slice_of(t->nsu));
    if (slice_is(slice_of(d->rede_code), "00")) json_text(&j, "authorizationCode", slice_of(t->authorization));
    json_text(&j, "dateTime", slice_of(t->time));
    json_number(&j, "amount", t->amount);
    if (t->installments) json_number(&j, "installments", t->installments);
    json_text(&j, "cardBin", slice_of(t->bin));
    json_text(&j, "last4", slice_of(t->last4));
    put_brand(&j, t, number, brand_opened);
    if (d->manner == MANNER_ECHO) {
        put_echo(&j, f);
        a->echo = number;
    }
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

static result handle_payment(struct rede *r, const struct sandbox_request *q, struct sandbox_answer *a)
{
    struct fields f;
    slice name;
    uint64_t month = 0, year = 0;
    if (!request_has_content_type(q, "application/json"))
        return answer_code(a, 415, SLICE("56"), SLICE("Content-Type: application/json is needed"));
    result read = fields_from_json(&f, q->pool, q->body);
    if (read.err == ERR_MEMORY) return read;
    if (failed(read)) return answer_code(a, 400, SLICE("56"), SLICE("Error in reported data: not one valid JSON object"));
    enum field_fault fault = fields_check(&f, payment_rules, PAYMENT_RULES, &name);
    if (fault) return answer_mistake(a, fault, name);
    slice kind = fields_text(&f, "kind");
    if (kind.at && !slice_is(kind, "credit") && !slice_is(kind, "debit"))
        return answer_mistake(a, FAULT_FORMAT, SLICE("kind"));
    bool has_expiry = slice_to_u64(fields_text(&f, "expirationMonth"), 12, &month) &&
                      slice_to_u64(fields_text(&f, "expirationYear"), 2099, &year);
    if (!has_expiry || !expiry_is_current((unsigned)year, (unsigned)month))
        return answer_code(a, 400, SLICE("79"), SLICE("Expired card. Transaction cannot be resubmitted. Contact issuer."));
    bool brand_opened = slice_ieq(http_head_get(q->head, "transaction-response"), SLICE("brand-return-opened"));
    return answer_payment(a, transaction_new(r, &f), &f, brand_opened);
}

/* --- a query --- */

static const struct transaction *transaction_find(const struct rede *r, slice tid)
{
    size_t count = r->made < KEPT_TRANSACTIONS ? r->made : KEPT_TRANSACTIONS;
    for (size_t i = 0; i < count; i++)
        if (slice_is(tid, r->kept[i].tid)) return &r->kept[i];
    return NULL;
}

static result handle_query(const struct rede *r, slice tid, struct sandbox_answer *a)
{
    const struct transaction *t = transaction_find(r, tid);
    if (!t) return answer_code(a, 404, SLICE("78"), SLICE("Transaction does not exist."));
    bool approved = slice_is(slice_of(t->decision->rede_code), "00");
    struct json j = {.out = &a->body};
    char now[CLOCK_RFC3339_BYTES];
    clock_rfc3339(clock_wall_ms(), now);
    a->status = 200;
    json_open(&j, NULL, '{');
    json_text(&j, "requestDateTime", slice_of(now));
    json_open(&j, "authorization", '{');
    json_text(&j, "dateTime", slice_of(t->time));
    json_text(&j, "returnCode", slice_of(t->decision->rede_code));
    json_text(&j, "returnMessage", slice_of(t->decision->rede_text));
    json_text(&j, "status", approved ? SLICE("Approved") : SLICE("Denied"));
    json_text(&j, "reference", slice_of(t->reference));
    json_text(&j, "tid", slice_of(t->tid));
    json_text(&j, "nsu", slice_of(t->nsu));
    if (approved) json_text(&j, "authorizationCode", slice_of(t->authorization));
    json_text(&j, "kind", t->debit ? SLICE("Debit") : SLICE("Credit"));
    json_number(&j, "amount", t->amount);
    json_text(&j, "currency", SLICE("BRL"));
    json_text(&j, "cardBin", slice_of(t->bin));
    json_text(&j, "last4", slice_of(t->last4));
    json_close(&j, '}');
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

result rede_handle(struct rede *r, const struct sandbox_request *q, struct sandbox_answer *a)
{
    slice base = SLICE("/erede/v1/transactions");
    slice rest = slice_after(q->head->path, base.len);
    if (!is_authorized(q)) return answer_code(a, 401, SLICE("26"), SLICE("affiliation: Required parameter missing"));
    if (rest.len == 0 && slice_is(q->head->method, "POST")) return handle_payment(r, q, a);
    if (rest.len > 1 && slice_is(q->head->method, "GET")) return handle_query(r, slice_after(rest, 1), a);
    return answer_code(a, 405, SLICE("56"), SLICE("Method not allowed here"));
}
