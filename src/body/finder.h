/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_FINDER_H
#define BODY_FINDER_H

/* What walkers tell of the values they meet on the way in, and what is made of it: places (ranges of raw bytes that will be written
 * anew) and cards. A walker whose walk has a finder scans for no placeholders: it tells each value, and where containers (objects,
 * arrays, XML elements, rows, parts) begin and end. */

#include "body/inbound.h"

struct walk;
struct finder;

struct value {
    slice text;                     /* decoded; valid for the call */
    uint64_t start, end;            /* its raw bytes, without quotes */
    /* Where the raw bytes of text.at[offset] begin; of text.len: <end>. Asked in rising order, so that it may go on from where it was:
     * <mark> and <mark_raw> are its own, zero and <start> at first. NULL: raw and decoded text are as long, byte for byte. */
    uint64_t (*raw_at)(const struct walk *w, struct value *v, size_t offset);
    size_t mark;
    uint64_t mark_raw;
    const struct plan_field *field; /* the rules' field at this place; NULL: none */
    bool is_bare;                   /* a JSON number */
};

struct finder *finder_new(struct walk *w /* borrows */, const struct inbound_options *options); /* NULL: memory */
void finder_free(struct finder *f); /* wipes; NULL is fine */
/* Is there anything to be done about a value at this field (NULL: none) at all? */
bool finder_wants(const struct finder *f, const struct plan_field *field);
/* For a text that cannot be written anew: would a number be found in it? */
bool finder_has_number(const struct finder *f, slice text);
MUST_USE result finder_open(struct finder *f);                   /* ERR_MEMORY */
MUST_USE result finder_close(struct finder *f);                  /* ERR_MEMORY, ERR_INBOUND_COUNT */
MUST_USE result finder_close_row(struct finder *f);              /* the same, where nothing of it belongs to what is outside */
MUST_USE result finder_value(struct finder *f, struct value *v); /* those, and ERR_INBOUND_CARD: the walker tells the path */
MUST_USE result finder_end(struct finder *f); /* all containers are closed: what is not grouped yet is settled */

/* After finder_end; see body/inbound.h. */
size_t finder_card_count(const struct finder *f);
const struct credential *finder_card(const struct finder *f, size_t index);
size_t finder_invalid_count(const struct finder *f);
MUST_USE result finder_render(const struct finder *f, const struct inbound_alias *aliases, struct buf *out);

#endif
