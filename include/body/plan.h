/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_PLAN_H
#define BODY_PLAN_H

/* What rules tell the walkers to do with one body format: which place holds which element, and what is set, replaced or
 * dropped when a network token goes out. Built once by rules, then read-only and shared by all exchanges. */

#include "body/element.h"
#include "body/path.h"

enum { BODY_CAPTURED_MAX_BYTES = 64 };
enum body_format {
    BODY_JSON, BODY_FORM, BODY_TEXT /* no places: outbound explicit placeholders only, inbound all of it is looked through */, BODY_XML /* outbound as text with XML escapes, unless it has paths */,
    BODY_MULTIPART /* multipart/form-data, RFC 7578 */, BODY_CSV /* RFC 4180, first row: names */,
    BODY_NDJSON /* JSON documents one after another, each on a line, or behind a record separator (RFC 7464); paths: of one of them */,
    BODY_PARTS /* multipart of other kinds, RFC 2046 */,
    BODY_UNTYPED /* inbound JSON, XML or plain text, as it begins */, BODY_OPAQUE /* inbound not looked into: refused, or listed */,
    BODY_FORMAT_COUNT /* outbound all but JSON and forms are read as text where the rules have no places */
};

enum path_language plan_language(enum body_format format); /* of the paths in such a body */

struct plan_field { /* card: number: $.cardNumber */
    uint32_t path;
    enum element element;
    enum date_format format;
    bool as_number;
};
enum edit_when {
    EDIT_WITH_NETWORK_TOKEN = 0, /* network_token: set / drop */
    EDIT_WITH_TRANSACTION_ID,    /* network_transaction_id: set; whatever goes out, where the credential has one and the caller sent none */
};
struct plan_edit { /* a set whose element the credential lacks (a cryptogram of a merchant-initiated payment, an ECI) is left out */
    uint32_t path;
    enum edit_when when;
    bool drop;
    enum element element;  /* value of set */
    enum date_format format;
    slice literal;         /* or a literal JSON value or form text; start NULL: element */
    const slice *by_brand; /* or one literal for each enum card_brand, BRAND_COUNT of them; an empty one: the edit is left out */
    bool as_number;
    bool has_with;         /* only where the credential has <with> too: fixed text that goes with a cryptogram */
    enum element with;
};
struct plan {
    enum body_format format;
    struct path_set *paths; /* owned */
    struct plan_field *fields;
    size_t field_count;
    struct plan_edit *edits;
    size_t edit_count;
    bool find_pan;         /* inbound: numbers are looked for in every value too */
    bool bare_tokens;      /* outbound: a token alone in a card field is a placeholder (route: compat: pci-proxy, forward-push) */
    bool has_capture;      /* the text of the value there is kept: body_captured(); tells who initiated the payment */
    uint32_t capture;      /* path */
};
void plan_done(struct plan *p); /* frees what it owns */

#endif
