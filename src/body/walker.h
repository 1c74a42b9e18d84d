/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_WALKER_H
#define BODY_WALKER_H

/* What every walker works on: the decoded bytes the body holds, and the splice it fills, or the finder it tells of what it meets. A
 * walker is fed after the bytes were stored, and looks at them where they are stored, so a token that arrives in pieces needs no
 * second copy. */

#include "body/body.h"
#include "body/placeholder.h"
#include "splice.h"

enum capture { CAPTURE_NONE, CAPTURE_WHOLE, CAPTURE_TOO_LONG };
struct walk {
    const struct plan *plan;
    struct finder *finder; /* borrows; inbound: card data is looked for (finder.h), and no placeholders. NULL: outbound */
    slice charset;         /* borrows; of Content-Type; start NULL: none */
    slice boundary;        /* borrows; of multipart */
    slice media_type;      /* borrows; inbound: of the body; for what is opaque */
    slice pass_types;      /* borrows; inbound: what may be opaque (media_type.h) */
    struct token_table *tokens;
    struct splice splice;
    struct buf held;  /* decoded bytes not yet forgotten */
    uint64_t base;    /* offset of held.at[0] */
    bool streamed;    /* edits do not apply */
    size_t max_names; /* member names remembered at one time */
    enum capture capture; /* of the text at the plan's capture path */
    uint8_t captured_len;
    char captured[BODY_CAPTURED_MAX_BYTES];
    struct body_fault fault;
};

static inline uint64_t walk_end(const struct walk *w)
{
    return w->base + w->held.len;
}

static inline const char *walk_at(const struct walk *w, uint64_t offset)
{
    return w->held.at + (offset - w->base);
}

static inline slice walk_raw(const struct walk *w, uint64_t from, uint64_t to)
{
    return from == to ? SLICE_NONE : (slice){walk_at(w, from), (size_t)(to - from)};
}

/* A slot for what the scanner found; <grow> bytes (quotes) on both sides go too when it becomes a bare number. */
MUST_USE result walk_add_slot(struct walk *w, const struct placeholder_found *found, const struct plan_field *field,
                              bool whole, unsigned grow);
/* The same for a value of a card's number or CVC that is nothing but a token, where the plan has bare_tokens. <start>, <end>: its raw
 * bytes, which are <text> itself. A valid card number is none. */
MUST_USE result walk_add_bare(struct walk *w, slice text, uint64_t start, uint64_t end, const struct plan_field *field, unsigned grow);
/* Outbound, text in which every character is one raw byte, from offset <at> on: the two above for what is in it. What <s> is left in
 * tells of a placeholder that is not closed. ERR_PLACEHOLDER_PLACE: there is one, and it is no place for any. */
MUST_USE result walk_scan_text(struct walk *w, struct placeholder_scanner *s, slice text, uint64_t at, const struct plan_field *field,
                               bool is_place);
/* Keeps the text at the plan's capture path: the first one that came there. In pieces: more of it. */
void walk_capture(struct walk *w, slice text);
void walk_capture_more(struct walk *w, slice text);
/* Notes where and why it failed; the first fault stays. */
result walk_fail(struct walk *w, enum error err, uint64_t offset);
void walk_fault_text(struct walk *w, slice text); /* appends to the fault's path, cut to size between characters */
/* Percent-encoded text, decoded: <raw> itself where nothing is encoded, or else in <room>. A percent sign without two hexadecimal
 * digits is one when lenient, or ERR_FORM_SYNTAX. Then the raw_at of that text (finder.h). */
MUST_USE result walk_percent_decode(slice raw, bool plus_is_blank, bool lenient, struct buf *room, slice *text);
struct value;
uint64_t walk_percent_raw_at(const struct walk *w, struct value *v, size_t offset);

/* Every walker begins at the walk's base. feed() looks at what is new up to walk_end(), end() at the end of the body. sure(): no byte before it will be
 * part of a slot that is not known yet. <all>: no more will come before the walk stops, so nothing may be put off. */
struct json_walker;
struct json_walker *json_walker_new(struct walk *w /* borrows */);
MUST_USE result json_walker_feed(struct json_walker *j, bool all);
MUST_USE result json_walker_end(struct json_walker *j);
uint64_t json_walker_sure(const struct json_walker *j);
void json_walker_free(struct json_walker *j);

struct form_walker;
struct form_walker *form_walker_new(struct walk *w);
MUST_USE result form_walker_feed(struct form_walker *f);
MUST_USE result form_walker_end(struct form_walker *f);
uint64_t form_walker_sure(const struct form_walker *f);
void form_walker_free(struct form_walker *f);

struct text_walker;
struct text_walker *text_walker_new(struct walk *w);
MUST_USE result text_walker_feed(struct text_walker *t);
MUST_USE result text_walker_end(struct text_walker *t);
uint64_t text_walker_sure(const struct text_walker *t);
void text_walker_free(struct text_walker *t);

struct xml_walker;
struct xml_walker *xml_walker_new(struct walk *w);
MUST_USE result xml_walker_feed(struct xml_walker *x, bool all);
MUST_USE result xml_walker_end(struct xml_walker *x);
uint64_t xml_walker_sure(const struct xml_walker *x);
void xml_walker_free(struct xml_walker *x);

struct multipart_walker;
struct multipart_walker *multipart_walker_new(struct walk *w, bool is_form /* multipart/form-data */);
MUST_USE result multipart_walker_feed(struct multipart_walker *m);
MUST_USE result multipart_walker_end(struct multipart_walker *m);
uint64_t multipart_walker_sure(const struct multipart_walker *m);
void multipart_walker_free(struct multipart_walker *m);

struct csv_walker;
struct csv_walker *csv_walker_new(struct walk *w);
MUST_USE result csv_walker_feed(struct csv_walker *c);
MUST_USE result csv_walker_end(struct csv_walker *c);
uint64_t csv_walker_sure(const struct csv_walker *c);
void csv_walker_free(struct csv_walker *c);

struct ndjson_walker;
struct ndjson_walker *ndjson_walker_new(struct walk *w);
MUST_USE result ndjson_walker_feed(struct ndjson_walker *n);
MUST_USE result ndjson_walker_end(struct ndjson_walker *n);
uint64_t ndjson_walker_sure(const struct ndjson_walker *n);
void ndjson_walker_free(struct ndjson_walker *n);

#endif
