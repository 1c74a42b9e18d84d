/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_ENROL_JSON_H
#define API_ENROL_JSON_H

/* The body of POST /v1/tokens/enroll:
 *
 *     {"transaction_info":{"type":"enroll_card"},
 *      "card":{"number":"{{ TOKEN : detokenize }}","expiration_date":"{{ TOKEN : detokenize }}","security_code":"{{ TEMPORAL : transaction }}"},
 *      "bill_to":{"address_1":"Carrera 140","address_2":"","city":"Bogotá DC","state":"Bogotá","postal_code":"110001","country":"CO"}}
 *
 * number and expiration_date are placeholders of one permanent token; a number in clear is refused, for it would have been in the
 * merchant's systems. security_code (digits, or a temporal token's placeholder) and address_2 may be left out, null or empty. Other
 * members are not looked at: those who come from another vault send more. */

#include "base/result.h"
#include "keeper/client.h"

enum { ENROL_TEXT_MAX_BYTES = 100, ENROL_VALUE_MAX_BYTES = 600, ENROL_FIELD_COUNT = 10 };

struct enrol_json { /* secret memory only: it may hold a CVC */
    struct token_id token;
    slice cvc;                   /* digits, or a temporal token's id; empty: none */
    struct billing_text billing; /* country in capitals; these point into values */
    const char *path;            /* ERR_ENROL_FIELD: the member, "bill_to.city", and what is wrong with it */
    const char *fault;
    struct enrol_value {
        bool seen, too_long, is_no_text;
        size_t len;
        char at[ENROL_VALUE_MAX_BYTES];
    } values[ENROL_FIELD_COUNT];
};
struct enrol_json *enrol_json_new(void); /* NULL: memory */
/* ERR_JSON_…, ERR_UTF8, ERR_MEMORY; ERR_ENROL_FIELD: path and fault say more. */
MUST_USE result enrol_json_parse(slice text, struct enrol_json *out);
void enrol_json_free(struct enrol_json *e); /* wipes; NULL is fine */

#endif
