/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_BODY_H
#define BODY_BODY_H

/* One request body on its way out: decoded, walked once while it arrives, kept as a splice, rendered once per attempt.
 *
 *   bytes ─► content decoding ─► walker (JSON, form, …, text) ─► splice: stored bytes + ordered slots
 *                                                                 │
 *                                credentials, by token index ─────┴─► body_render() ─► out
 *
 * Bytes may come in any split; the result is the same for every split. Nothing outside a slot changes: spelling of numbers,
 * key order, escapes and white space stay. The stored bytes hold placeholders, never card data. */

#include "base/buf.h"
#include "body/inflate.h"
#include "body/plan.h"
#include "body/token_table.h"

struct body;

/* Where a body went wrong: for the caller's answer, never for a log (the path is the caller's own text). */
struct body_fault {
    enum error err;
    uint64_t offset;       /* in the decoded body */
    char path[128];        /* "$.cardNumber", cut to size; "" when unknown */
};

struct body_options {
    const struct plan *plan;        /* borrows */
    enum content_coding coding;
    size_t max_held_bytes;          /* ERR_BODY_TOO_LARGE above it (ERR_BODY_INFLATE when compressed), unless drained */
    bool streamed;                  /* body_drain() will be called */
    size_t expected_bytes;          /* Content-Length where it is known, so that memory is taken once; else 0 */
    slice charset;                  /* borrows, until body_free; of Content-Type; start NULL: none. For XML with paths */
    slice boundary;                 /* the same; of multipart/form-data with paths */
};
struct body *body_new(const struct body_options *options, struct token_table *tokens /* borrows */);
void body_free(struct body *b); /* wipes; NULL is fine */

MUST_USE result body_feed(struct body *b, slice bytes);
MUST_USE result body_end(struct body *b);
const struct body_fault *body_fault(const struct body *b);

/* Renders the whole body. credentials[i] belongs to token i of the table. A slot whose token has no credential: ERR_INTERNAL. */
MUST_USE result body_render(const struct body *b, const struct credential *const *credentials, struct buf *out);
/* Streaming: renders as far as the walker is sure and credentials are known (NULL: not yet), and forgets those bytes. Set and
 * drop edits do not apply to streamed bodies: they go out with the PAN. *done is set when the whole body has been rendered. */
MUST_USE result body_drain(struct body *b, const struct credential *const *credentials, struct buf *out, bool *done);
size_t body_held_bytes(const struct body *b);
uint32_t body_slot_count(const struct body *b);
/* The text at the plan's capture path: a string decoded, a number as spelt, "true", "false". Start NULL: not there (or not yet),
 * null, an object or array, or longer than BODY_CAPTURED_MAX_BYTES (plan.h). */
slice body_captured(const struct body *b);

/* For 'explain': each slot in order. */
struct body_slot_info {
    uint64_t start, end; /* in the stored body */
    uint32_t token;
    enum element element; /* ELEMENT_COUNT: a literal of the rules */
    enum date_format format;
    bool as_number;
    const char *why; /* "extract stage", "card.number of the rules", "network_token.set", "default" */
    bool only_network_token, dropped;
    bool is_edit; /* of the rules, not of the caller: body_slot_edit() says what it writes */
};
bool body_slot_info(const struct body *b, uint32_t slot, struct body_slot_info *out);
/* Does it go out with these credentials, or is it left out, or inside what is dropped or replaced? */
bool body_slot_shows(const struct body *b, uint32_t slot, const struct credential *const *credentials);
/* The n-th thing that a shown edit sets there; NULL: no more, or it drops. *path: of the rules. */
const struct plan_edit *body_slot_edit(const struct body *b, uint32_t slot, const struct credential *const *credentials, size_t n,
                                       slice *path);

/* Short texts (header value, query, path): scanned for placeholders in one go, rendered like a body. */
struct snippet;
MUST_USE result snippet_new(slice text /* copied */, enum encoding encoding, struct token_table *tokens, struct snippet **out);
void snippet_free(struct snippet *s);
bool snippet_has_slots(const struct snippet *s);
MUST_USE result snippet_render(const struct snippet *s, const struct credential *const *credentials, struct buf *out);
/* Cheap test before snippet_new: could <text> hold a placeholder at all (also percent-encoded)? */
bool snippet_is_needed(slice text);

#endif
