/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_XML_WALKER_H
#define BODY_XML_WALKER_H

/* The inside of the XML walker, shared by its two files: xml_walker.c follows expat's events, xml_value.c takes the values they
 * make.
 *
 *   <Card no="4111">  41 &amp; <![CDATA[ 42 ]]> 43 <!-- 44 --> </Card>
 *             └──┘   └────────┘         └──┘   └──┘     └──┘             five values: an attribute, three pieces, a comment
 *
 * A piece is character data without markup in it, so its raw bytes can be written anew without harm to what stands around them.
 * What reads as one number across two pieces is refused (ERR_XML_SPLIT). White space around a value is not part of it.
 *
 * A comment or a processing instruction is no place that a path can name; but a card number in one has left the sender all the
 * same, so both are values without a field: numbers found there get aliases like anywhere. Outbound they may hold no placeholder
 * (ERR_PLACEHOLDER_PLACE).
 *
 * No declarations of documents are read (ERR_XML_DOCTYPE): no entities, no default attributes, nothing from outside. Outbound a
 * DOCTYPE that only names its type or an external one is left as it stands, and the external one is never loaded; inbound, where its
 * identifiers could hold a number, there may be none. Nor may a name hold one (ERR_XML_NAME): it stands in two tags. */

#include "body/path_match.h"
#include "walker.h"
#include "xml_memory.h"
#include "xml_text.h"

enum { XML_MAX_DEPTH = 64 };

struct xml_level {
    uint64_t name_at; /* raw */
    uint32_t name_len;
    bool is_live;     /* some path is true of the element, or goes on below it */
    const struct plan_field *field;
};
struct xml_walker {
    struct walk *walk;
    XML_Parser parser;
    struct xml_memory memory;
    bool is_started, is_declared; /* is_declared: the encoding is known from outside the document */
    bool is_latin1, is_utf8;
    bool has_root, is_failed;
    enum error stopped;
    uint64_t stopped_at;
    uint64_t origin;      /* where the document begins, and expat counts from */
    uint64_t fed;         /* expat has these */
    uint64_t event_end;   /* past what the last event told */
    uint64_t piece_start; /* the current piece's raw bytes begin here */
    enum xml_kind kind;   /* of the current piece */
    unsigned depth;
    bool has_number_text; /* since the last tag: text of a field that is a number or a CVC */
    size_t tail_digits;   /* since the last tag: digits at the end, with blanks and dashes between them */
    slice attribute;      /* while one is looked at, for the fault's path */
    struct buf text;      /* of the current piece, as expat told it */
    size_t words;         /* per set of path nodes */
    struct placeholder_scanner scanner;
    struct xml_level levels[XML_MAX_DEPTH + 1];
    uint64_t states[];    /* per depth */
};

/* Takes what expat told of the raw bytes [from, to). False: stopped. */
bool xml_take_value(struct xml_walker *x, slice text, uint64_t from, uint64_t to, enum xml_kind kind, const struct plan_field *field);
/* Keeps the first reason to stop. False always. */
bool xml_stop(struct xml_walker *x, enum error err, uint64_t offset);

#endif
