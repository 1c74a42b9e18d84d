/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_FIRSTOKEN_JSON_H
#define API_FIRSTOKEN_JSON_H

/* The bodies of Firstoken's tokenisation API, for those who come from there:
 *
 *     CARDS    {"chd":[{"card":"4111111111111111","name":"ANA","exp":"01/30"}],"tags":[],"scheme":7,"type":"persistent"}
 *     TOKENS   {"tokens":["411111ABCDEF1111"]}
 *     REQUEST  {"chd":{"card":…,"name":…,"exp":…,"cvv":"123"},"amount":0,"currency":"BRL","ttl":300}
 *     STORE    {"tags":[],"scheme":3}
 *
 * Schemes: 1 first six, digits, last four, failing the check digit; 3 the same with letters; 7 UUID; with "isEightDigitsBin":true 1 and 3
 * keep the first eight. "persistent": the same number has the same token; else each call makes a new one. Members that are not named
 * here, amount, currency and what stands in tags are not looked at: nothing of them is kept. */

#include "api/card_json.h"

enum firstoken_kind { FIRSTOKEN_CARDS = 0, FIRSTOKEN_TOKENS, FIRSTOKEN_REQUEST, FIRSTOKEN_STORE, FIRSTOKEN_KIND_COUNT };
enum { FIRSTOKEN_ITEMS_MAX = 100 };

struct firstoken_json {
    struct card_json_list list;   /* CARDS: 1 to 100, REQUEST: one; what is wrong with one stands in its verdict */
    struct token_id tokens[FIRSTOKEN_ITEMS_MAX]; /* TOKENS; len 0: no token looks like that */
    size_t token_count;
    uint32_t ttl_s;               /* REQUEST */
    unsigned scheme;              /* as they number them */
    struct alias_form form;       /* of that scheme */
    bool unique;
    const char *path, *fault;     /* of ERR_REQUEST_FIELD and ERR_SCHEME_LUHN_VALID; NULL otherwise */
};
/* ERR_JSON_…, ERR_UTF8, ERR_MEMORY, ERR_REQUEST_FIELD, ERR_SCHEME_LUHN_VALID. REQUEST: its card's verdict is a failure of the whole. */
MUST_USE result firstoken_json_parse(slice text, enum firstoken_kind kind, struct firstoken_json *out);
void firstoken_json_done(struct firstoken_json *j); /* wipes; a zeroed one is fine */

#endif
