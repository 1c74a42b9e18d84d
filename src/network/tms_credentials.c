/* SPDX-License-Identifier: Apache-2.0 */
#include "tms_priv.h"

#include "base/secret.h"
#include "json.h"

#include <string.h>

/* Payment credentials, checked field by field: all of them come from this one answer. */

enum {
    CARD_STATE,
    CARD_REASON,
    CARD_TYPE,
    CARD_NUMBER,
    CARD_MONTH,
    CARD_YEAR,
    CARD_CRYPTOGRAM,
    CARD_ECI,
    CARD_REQUESTOR,
    CARD_FIELDS
};
static const char *const paths[CARD_FIELDS] = {
    "tokenizedCard.state",           "tokenizedCard.reason",         "tokenizedCard.type",       "tokenizedCard.number",
    "tokenizedCard.expirationMonth", "tokenizedCard.expirationYear", "tokenizedCard.cryptogram", "tokenizedCard.eci",
    "tokenizedCard.requestorId"};

static enum card_brand brand_from(slice type)
{
    if (slice_is(type, "visa")) return BRAND_VISA;
    if (slice_is(type, "mastercard")) return BRAND_MASTERCARD;
    if (slice_is(type, "americanexpress")) return BRAND_AMEX;
    return BRAND_UNKNOWN;
}

static result take_number(slice number, struct credential *c)
{
    ENSURE(number.len >= PAN_MIN_DIGITS && number.len <= PAN_MAX_DIGITS && slice_is_digits(number), NETWORK_ANSWER);
    memcpy(c->number, number.at, number.len);
    c->number_len = (uint8_t)number.len;
    return OK;
}

static result take_cryptogram(slice cryptogram, struct credential *c)
{
    ENSURE(cryptogram_is_sound(cryptogram), NETWORK_ANSWER);
    memcpy(c->cryptogram, cryptogram.at, cryptogram.len);
    c->cryptogram_len = (uint8_t)cryptogram.len;
    return OK;
}

/* One digit or two, as the network gave it; processors want two. Not every network gives one. */
static result take_eci(slice eci, struct credential *c)
{
    if (eci.len == 0) return OK;
    ENSURE(eci.len <= sizeof c->eci && slice_is_digits(eci), NETWORK_ANSWER);
    c->eci[0] = eci.len == 2 ? eci.at[0] : '0';
    c->eci[1] = eci.at[eci.len - 1];
    c->eci_len = sizeof c->eci;
    return OK;
}

static result take_requestor(slice requestor, struct credential *c)
{
    if (requestor.len == 0) return OK;
    ENSURE(requestor.len == REQUESTOR_DIGITS && slice_is_digits(requestor), NETWORK_ANSWER);
    memcpy(c->requestor, requestor.at, requestor.len);
    c->requestor_len = (uint8_t)requestor.len;
    return OK;
}

static result take_credential(const struct json_field *f, bool without_cryptogram, struct credential *c)
{
    *c = (struct credential){.kind = CREDENTIAL_NETWORK_TOKEN, .brand = brand_from(json_field_text(&f[CARD_TYPE]))};
    TRY(take_number(json_field_text(&f[CARD_NUMBER]), c));
    ENSURE(tms_expiry_from(json_field_text(&f[CARD_MONTH]), json_field_text(&f[CARD_YEAR]), &c->month, &c->year) &&
               c->month,
           NETWORK_ANSWER);
    TRY(take_requestor(json_field_text(&f[CARD_REQUESTOR]), c));
    if (without_cryptogram) return OK;
    TRY(take_cryptogram(json_field_text(&f[CARD_CRYPTOGRAM]), c));
    return take_eci(json_field_text(&f[CARD_ECI]), c);
}

static result read_fields(const struct json_field *f, bool without_cryptogram, struct credential *credential,
                          struct network_answer *out)
{
    ENSURE(tms_state_from(json_field_text(&f[CARD_STATE]), &out->state), NETWORK_ANSWER);
    ENSURE(out->state != NETWORK_DELETED, NETWORK_TOKEN_GONE);
    if (out->state != NETWORK_ACTIVE) {
        slice reason = json_field_text(&f[CARD_REASON]);
        out->reason = reason.len ? tms_reason_from(reason) : NETWORK_REASON_OTHER;
        return FAIL(NETWORK_REFUSED);
    }
    TRY(take_credential(f, without_cryptogram, credential));
    out->month = credential->month;
    out->year = credential->year;
    out->credential = credential;
    return OK;
}

void tms_read_credentials(slice json, bool without_cryptogram, struct credential *credential,
                          struct network_answer *out)
{
    struct json_field *f = secret_alloc(CARD_FIELDS * sizeof *f);
    out->r = f ? json_take_fields(json, paths, CARD_FIELDS, f) : FAIL(MEMORY);
    if (!failed(out->r)) out->r = read_fields(f, without_cryptogram, credential, out);
    secret_free(f, CARD_FIELDS * sizeof *f);
}
