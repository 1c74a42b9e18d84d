/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_INBOUND_H
#define BODY_INBOUND_H

/* One message body on its way in: decoded, walked once while it arrives, the card data in it found by rule and by scan, grouped into
 * cards, and rendered with aliases where numbers and CVCs stood.
 *
 *   bytes ─► content decoding ─► walker (JSON, form, XML, multipart, CSV, …) ─► finder ─► cards + ordered places
 *                                                                                     │
 *                                                  aliases, by card index ────────────┴─► inbound_render() ─► out
 *
 * Bytes may come in any split; the result is the same for every split. Nothing outside a place changes. What is held has card
 * data in it, so all of it is secret memory, and it is held whole: not a byte of it goes on before every card has its alias.
 *
 * An element belongs to the only number in the smallest container (object, array, XML element, row, form) that has both; where the
 * rules name numbers there, those found by scan do not count. The same number twice in a container is one card, unless what stands
 * beside it differs. A CVC that belongs to no number, or could belong to several, is a card of its own without number; an expiry or
 * holder like that is left out. Holder and expiry stay in the message as they stand; numbers and CVCs never do.
 *
 * At a field that the rules call a number, and at all that stands below it, 12 to 19 digits with a valid check digit are one, of
 * whatever brand, blanks and dashes aside. Nothing, blanks, null, true and false stay. So does what has the form of a token: 6 to 64
 * word characters with a letter among them, and no card number, stuck to letters or in groups (what a UUID has in digits is chance, and
 * counts for nothing). All else is invalid, masked numbers too ("411111******1111",
 * "411111xxxxxx1111"), and digits that fail the check: an alias of digits (alias: digits) is made so that it fails, and cannot be
 * told from a mistyped number here. A route on which such aliases come back says invalid: pass. A CVC is three or four digits; a
 * temporal token ("tmp_" and a UUID) stays. The scan looks at member, field and column names as well; where it finds the number of a magnetic stripe, what
 * stands behind its expiry becomes 'x' (PCI DSS 3.3.1.1: no track is kept). The first row of CSV must name a column of the rules. */

#include "base/buf.h"
#include "body/body.h"
#include "body/credential.h"
#include "body/inflate.h"
#include "body/plan.h"

struct inbound;

enum invalid_policy {     /* what is to become of a value at a ruled number or CVC that is none, nor one of our aliases */
    INVALID_REFUSE = 0,   /* ERR_INBOUND_CARD, with the path to it */
    INVALID_MASK,         /* its digits become 'x', but for the last four of a number */
    INVALID_PASS,         /* it stays: the caller answers for it */
};
struct inbound_options {
    const struct plan *plan;        /* borrows; which fields, and whether numbers are looked for everywhere (find_pan) */
    enum content_coding coding;
    size_t max_held_bytes;          /* ERR_BODY_TOO_LARGE above it (ERR_BODY_INFLATE when compressed) */
    size_t expected_bytes;          /* Content-Length where it is known; else 0 */
    size_t max_cards;               /* ERR_INBOUND_COUNT */
    enum invalid_policy invalid;
    slice charset;                  /* of Content-Type; start NULL: none. Copied */
    slice boundary;                 /* of multipart. Copied */
    slice media_type;               /* of the message, without parameters: ERR_INBOUND_TYPE names it. Copied */
    slice pass_types;               /* borrows; what may be opaque (media_type.h): it goes on as it came */
};
struct inbound *inbound_new(const struct inbound_options *options); /* NULL: memory */
void inbound_free(struct inbound *b); /* wipes; NULL is fine */
MUST_USE result inbound_feed(struct inbound *b, slice bytes);
MUST_USE result inbound_end(struct inbound *b);
const struct body_fault *inbound_fault(const struct inbound *b);

/* The cards found, in the order of their first place. kind is CREDENTIAL_PAN; number_len 0: only a CVC; month 0: no expiry. Valid
 * until inbound_free. Only after inbound_end. */
size_t inbound_card_count(const struct inbound *b);
const struct credential *inbound_card(const struct inbound *b, size_t index);
/* Places whose value was not valid and was masked or passed. */
size_t inbound_invalid_count(const struct inbound *b);

struct inbound_alias { /* borrows */
    slice number;      /* word characters only; empty where the card has no number */
    slice cvc;         /* the same */
};
/* Appends the whole body; aliases[i] belongs to card i. ERR_INTERNAL where one is missing that is needed. A number that stood bare in
 * JSON becomes a string, unless its alias is all digits without leading zero. */
MUST_USE result inbound_render(const struct inbound *b, const struct inbound_alias *aliases, struct buf *out);

/* A header value, query or path on its way in: numbers found by scan alone. Cheap when there is none. The scan looks at every value, here and
 * in bodies, as it stands and with percent escapes undone: a Referer or a member of JSON may be a URL. */
struct inbound_text;
MUST_USE result inbound_text_new(slice text /* copied to secret memory */, enum encoding encoding, struct inbound_text **out /* NULL: no number in it */);
void inbound_text_free(struct inbound_text *t);
size_t inbound_text_card_count(const struct inbound_text *t);
const struct credential *inbound_text_card(const struct inbound_text *t, size_t index);
MUST_USE result inbound_text_render(const struct inbound_text *t, const struct inbound_alias *aliases, struct buf *out);

#endif
