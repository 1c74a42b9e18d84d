/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_CREDENTIAL_H
#define BODY_CREDENTIAL_H

/* What goes out for one token in one attempt. Number, expiry, cryptogram and ECI always come from one answer of the
 * network (README, "Network tokens"). Lives in secret memory only; sizes are the standards' maxima. */

#include "base/slice.h"

enum credential_kind { CREDENTIAL_PAN = 0, CREDENTIAL_NETWORK_TOKEN = 1 };
const char *credential_kind_name(enum credential_kind k); /* "CARD_PAN", "NETWORK_TOKEN" */

/* Where a network token stands. Only ACTIVE is paid with (facts: TMS states, seed 002). */
enum network_state {
    NETWORK_NONE = 0,      /* never asked for */
    NETWORK_PENDING,       /* asked for, or being provisioned */
    NETWORK_ACTIVE,
    NETWORK_SUSPENDED,     /* may come back */
    NETWORK_DELETED,       /* final */
    NETWORK_UNPROVISIONED, /* refused by the network or the issuer; see its reason */
    NETWORK_STATE_COUNT
};
const char *network_state_name(enum network_state s); /* "ACTIVE", …; NONE: "NONE" */

/* Why there is no network token: what TMS gives as a failure's reason, and "" for none. */
enum network_reason {
    NETWORK_REASON_NONE = 0,
#define NETWORK_REASON(name) NETWORK_REASON_##name,
#include "body/network_reasons.def"
#undef NETWORK_REASON
    NETWORK_REASON_COUNT
};
const char *network_reason_name(enum network_reason r); /* "CARD_NOT_ELIGIBLE" */

enum card_brand {
    BRAND_UNKNOWN = 0, BRAND_VISA, BRAND_MASTERCARD, BRAND_AMEX, BRAND_DISCOVER, BRAND_DINERS, BRAND_JCB, BRAND_UNIONPAY, BRAND_ELO,
    BRAND_HIPERCARD, BRAND_MAESTRO, BRAND_MIR, BRAND_RUPAY, BRAND_VERVE, BRAND_TROY, BRAND_DANKORT, BRAND_NARANJA, BRAND_CABAL, BRAND_SODEXO,
    BRAND_UATP, BRAND_COUNT
};
const char *card_brand_name(enum card_brand b); /* "visa", …, "unknown" */
bool card_brand_parse(slice name, enum card_brand *out);

enum {
    PAN_MIN_DIGITS = 12,
    PAN_MAX_DIGITS = 19,        /* ISO/IEC 7812-1 */
    HOLDER_MAX_BYTES = 128,
    CVC_MAX_DIGITS = 4,
    CRYPTOGRAM_MAX_BYTES = 64,  /* 28 Base64 or 40 hex in the field */
    TOKEN_ID_MIN_BYTES = 6,
    TOKEN_ID_MAX_BYTES = 64,
    REQUESTOR_DIGITS = 11,
    NETWORK_TRANSACTION_ID_MAX_BYTES = 64,
};

struct credential {
    enum credential_kind kind;
    enum card_brand brand; /* of the card, also where the number is a network token's */
    uint8_t number_len, holder_len, cvc_len, cryptogram_len, eci_len, requestor_len, network_transaction_id_len;
    uint8_t month;  /* 1..12; 0: not stored */
    uint16_t year;  /* 2000..2099 */
    char number[PAN_MAX_DIGITS];
    char holder[HOLDER_MAX_BYTES];
    char cvc[CVC_MAX_DIGITS];
    char cryptogram[CRYPTOGRAM_MAX_BYTES];
    char eci[2];
    char requestor[REQUESTOR_DIGITS]; /* token requestor id, EMVCo: 11 digits */
    char network_transaction_id[NETWORK_TRANSACTION_ID_MAX_BYTES]; /* of an earlier payment on this route; merchant-initiated payments only */
    char card_last4[4]; /* the card's own, where a processor asks for it beside a network token; zeros: unknown */
};

/* Whether what a network gave may go to a processor: digits where the standards have digits, a cryptogram in Base64 (either
 * alphabet) or hex, an expiry that is one. Anything else could say something of its own in a request, and could not be found in
 * an answer (body/echo.h). Whoever takes a credential from elsewhere asks, the keeper of the registrar too. */
bool credential_is_sound(const struct credential *c);
bool cryptogram_is_sound(slice cryptogram); /* not empty */

#endif
