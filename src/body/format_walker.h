/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_FORMAT_WALKER_H
#define BODY_FORMAT_WALKER_H

/* The one place that knows which walker serves which format. Inbound it also sees to what is asked of every format: a charset whose
 * digits are where we look for them, no zero bytes in text, and nothing opaque that the route does not list. */

#include "walker.h"

union walker {
    struct json_walker *json;
    struct form_walker *form;
    struct text_walker *text;
    struct csv_walker *csv;
    struct xml_walker *xml;
    struct multipart_walker *multipart;
    struct ndjson_walker *ndjson;
};
struct format_walker {
    enum body_format format;
    bool is_untyped; /* inbound; while the format is BODY_UNTYPED it has not begun */
    size_t blanks;   /* at the front of one that has not */
    union walker as;
};

bool format_walker_init(struct format_walker *f, struct walk *w /* borrows */, enum body_format format); /* false: memory */
void format_walker_done(struct format_walker *f);                                                        /* also after init failed */
/* As in walker.h. Also ERR_CHARSET, ERR_INBOUND_TYPE, ERR_INBOUND_UNTYPED. */
MUST_USE result format_walker_feed(struct format_walker *f, struct walk *w, bool all);
MUST_USE result format_walker_end(struct format_walker *f, struct walk *w);
uint64_t format_walker_sure(const struct format_walker *f, const struct walk *w);

/* A document within a held body: a part, or one of several that follow each other. */
struct nested {
    enum body_format format;
    uint64_t from, to;
    slice type, charset; /* of the part; start NULL: none */
    slice name;          /* for the fault's path; may be empty */
};
/* Looks at it with <plan>; outbound its slots are those of <w>. All the errors of walkers; the fault is the outer walk's then. */
MUST_USE result nested_walk(struct walk *w, const struct plan *plan, const struct nested *n);

#endif
