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
    /* Where the raw bytes of text.at[offset] begin. NULL: raw and decoded text are the same. */
    uint64_t (*raw_at)(const struct walk *w, const struct value *v, size_t offset);
    const struct plan_field *field; /* the rules' field at this place; NULL: none */
    bool is_bare;                   /* a JSON number */
};

struct finder *finder_new(struct walk *w /* borrows */, const struct inbound_options *options);
void finder_free(struct finder *f); /* wipes */
void finder_open(struct finder *f);
MUST_USE result finder_close(struct finder *f);
MUST_USE result finder_value(struct finder *f, const struct value *v);
MUST_USE result finder_end(struct finder *f); /* all containers are closed: what is not grouped yet is settled */

#endif
