/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_CREDENTIAL_H
#define BODY_CREDENTIAL_H

/* What goes out for one token in one attempt. Number, expiry, cryptogram and ECI always come from one answer (design,
 * section 7). Lives in secret memory only; sizes are the standards' maxima. */

#include "base/slice.h"

enum credential_kind { CREDENTIAL_PAN = 0, CREDENTIAL_NETWORK_TOKEN = 1 };
const char *credential_kind_name(enum credential_kind k); /* "CARD_PAN", "NETWORK_TOKEN" */

enum {
    PAN_MIN_DIGITS = 12,
    PAN_MAX_DIGITS = 19,        /* ISO/IEC 7812-1 */
    HOLDER_MAX_BYTES = 128,
    CVC_MAX_DIGITS = 4,
    CRYPTOGRAM_MAX_BYTES = 64,  /* 28 Base64 or 40 hex in the field */
    TOKEN_ID_MIN_BYTES = 6,
    TOKEN_ID_MAX_BYTES = 64,
};

struct credential {
    enum credential_kind kind;
    uint8_t number_len, holder_len, cvc_len, cryptogram_len, eci_len, requestor_len;
    uint8_t month;  /* 1..12; 0: not stored */
    uint16_t year;  /* 2000..2099 */
    char number[PAN_MAX_DIGITS];
    char holder[HOLDER_MAX_BYTES];
    char cvc[CVC_MAX_DIGITS];
    char cryptogram[CRYPTOGRAM_MAX_BYTES];
    char eci[2];
    char requestor[11]; /* token requestor id, EMVCo: 11 digits */
};

#endif
