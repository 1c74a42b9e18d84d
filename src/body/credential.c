/* SPDX-License-Identifier: Apache-2.0 */
#include "body/credential.h"

#include "base/ascii.h"

const char *credential_kind_name(enum credential_kind k)
{
    return k == CREDENTIAL_NETWORK_TOKEN ? "NETWORK_TOKEN" : "CARD_PAN";
}

const char *network_state_name(enum network_state s)
{
    static const char *const names[NETWORK_STATE_COUNT] = {"NONE",      "PENDING", "ACTIVE",
                                                           "SUSPENDED", "DELETED", "UNPROVISIONED"};
    return s < NETWORK_STATE_COUNT ? names[s] : "NONE";
}

const char *network_reason_name(enum network_reason r)
{
    static const char *const names[NETWORK_REASON_COUNT] = {
        "",
#define NETWORK_REASON(name) #name,
#include "body/network_reasons.def"
#undef NETWORK_REASON
    };
    return r < NETWORK_REASON_COUNT ? names[r] : "";
}

static const char *const brand_names[BRAND_COUNT] = {
    "unknown", "visa", "mastercard", "amex",  "discover", "diners",  "jcb",     "unionpay", "elo",    "hipercard",
    "maestro", "mir",  "rupay",      "verve", "troy",     "dankort", "naranja", "cabal",    "sodexo", "uatp"};

const char *card_brand_name(enum card_brand b)
{
    return b < BRAND_COUNT ? brand_names[b] : brand_names[BRAND_UNKNOWN];
}

bool card_brand_parse(slice name, enum card_brand *out)
{
    for (enum card_brand b = BRAND_UNKNOWN; b < BRAND_COUNT; b++) {
        if (!slice_is(name, brand_names[b])) continue;
        *out = b;
        return true;
    }
    return false;
}

bool cryptogram_is_sound(slice cryptogram)
{
    for (size_t i = 0; i < cryptogram.len; i++) {
        char c = cryptogram.at[i];
        if (!ascii_is_alnum(c) && c != '+' && c != '/' && c != '=' && c != '-' && c != '_') return false;
    }
    return cryptogram.len > 0 && cryptogram.len <= CRYPTOGRAM_MAX_BYTES;
}

static bool is_digits_or_none(const char *at, uint8_t len, uint8_t wanted)
{
    return len == 0 || (len == wanted && slice_is_digits((slice){at, len}));
}

bool credential_is_sound(const struct credential *c)
{
    bool has_number = c->number_len >= PAN_MIN_DIGITS && c->number_len <= PAN_MAX_DIGITS &&
                      slice_is_digits((slice){c->number, c->number_len});
    bool has_expiry = c->month >= 1 && c->month <= 12 && c->year >= 2000 && c->year <= 2099;
    return has_number && has_expiry &&
           (c->cryptogram_len == 0 || cryptogram_is_sound((slice){c->cryptogram, c->cryptogram_len})) &&
           is_digits_or_none(c->eci, c->eci_len, sizeof c->eci) &&
           is_digits_or_none(c->requestor, c->requestor_len, REQUESTOR_DIGITS);
}
