/* SPDX-License-Identifier: Apache-2.0 */
#include "body/credential.h"

const char *credential_kind_name(enum credential_kind k)
{
    return k == CREDENTIAL_NETWORK_TOKEN ? "NETWORK_TOKEN" : "CARD_PAN";
}

const char *network_state_name(enum network_state s)
{
    static const char *const names[NETWORK_STATE_COUNT] = {"NONE", "PENDING", "ACTIVE", "SUSPENDED", "DELETED", "UNPROVISIONED"};
    return s < NETWORK_STATE_COUNT ? names[s] : "NONE";
}

const char *network_reason_name(enum network_reason r)
{
    static const char *const names[NETWORK_REASON_COUNT] = {"",
#define NETWORK_REASON(name) #name,
#include "body/network_reasons.def"
#undef NETWORK_REASON
    };
    return r < NETWORK_REASON_COUNT ? names[r] : "";
}

static const char *const brand_names[BRAND_COUNT] = {"unknown",  "visa", "mastercard", "amex", "discover", "diners",
                                                     "jcb", "unionpay", "elo",  "hipercard",  "maestro"};

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
