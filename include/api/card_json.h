/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_CARD_JSON_H
#define API_CARD_JSON_H

/* Cards as JSON, for POST and PATCH /v1/tokens, POST /v1/transactions and 'cardveil token create':
 *
 *     {"number":"4111111111111111","expiration_date":"12/2030","holder":"ANA SOUZA","unique":true,"format":"six-four"}
 *     {"expiration_date":"01/31","holder":"ANA SOUZA","removePlain":true}                          (a change)
 *     {"number":"4111111111111111","expiration_date":"12/2030","cvc":"123","holder":"ANA SOUZA","ttl":300}   (a temporal token)
 *
 * Strict: one object (or one array of them), known members only, each once. A number may also be a bare JSON number (its text is
 * taken), a holder null; a CVC is text, since a number would lose its zeros. The parser's memory is wiped. */

#include "body/alias.h"
#include "keeper/temporal.h"
#include "vault/vault.h"

struct card_json { /* secret memory only */
    struct card card;
    bool has_number, has_expiry, has_holder, has_unique, has_cvc, has_ttl, has_format, unique, remove_pan;
    struct alias_form format; /* a new token's; ALIAS_UUID where it has none */
    uint32_t ttl_s; /* a temporal token's; TEMPORAL_TTL_DEFAULT_S where it has none */
    uint8_t cvc_len;
    char cvc[CVC_MAX_DIGITS];
    result verdict; /* of this card: a bad one does not stop the others of an array */
};
struct card_json_list {
    struct card_json *cards; /* secret memory */
    size_t count, room;
    bool is_array;
};
enum card_json_kind { CARD_JSON_NEW, CARD_JSON_CHANGE, CARD_JSON_TEMPORAL };
/* ERR_JSON_…, ERR_UTF8, ERR_TOO_LARGE (more than <max> cards), and for a wrong or missing member what the kind has of its own:
 * ERR_CARD_FIELD, ERR_CARD_CHANGE, ERR_TEMPORAL_FIELD. What is wrong with one card's values stands in its verdict:
 * ERR_CARD_NUMBER, _EXPIRY, _HOLDER, _FIELD, _FORMAT, _CVC, ERR_TEMPORAL_TTL, _FIELD. */
MUST_USE result card_json_parse(slice text, enum card_json_kind kind, size_t max, struct card_json_list *out);
/* As card_set_number() does the number; a card has no place for it. ERR_CARD_CVC. */
MUST_USE result card_json_set_cvc(struct card_json *c, slice text);
/* One more, empty; the last one then. ERR_MEMORY. */
MUST_USE result card_json_add(struct card_json_list *list);
void card_json_done(struct card_json_list *list); /* wipes */

#endif
