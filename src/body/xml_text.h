/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_XML_TEXT_H
#define BODY_XML_TEXT_H

/* What raw XML stands for, character by character with the raw bytes it came from. expat says what a document means, but not where
 * in an attribute's or a text's raw bytes each character stands; a place that is to be written anew needs that.
 *
 *   raw      P & a m p ; C \r\n &#x34;        Only for what expat has found well formed, and each reading is compared with
 *   decoded  P     &     C  \n    4           expat's: where the two differ, the document is refused. */

#include "base/result.h"
#include "base/slice.h"

enum xml_kind {
    XML_TEXT,      /* references, line ends (XML 1.0 section 2.11) */
    XML_ATTRIBUTE, /* references, white space to blanks (section 3.3.3, type CDATA) */
    XML_CDATA,     /* line ends only */
    XML_ASIDE,     /* comments, processing instructions: line ends only */
};
struct xml_reader {
    slice raw;
    size_t at;
    enum xml_kind kind;
    bool is_latin1; /* ISO-8859-1; else UTF-8 or US-ASCII, of which each byte is a unit */
};
struct xml_unit {
    char bytes[4]; /* UTF-8 */
    uint8_t len;   /* 0: the end */
};
/* ERR_XML_ENTITY: a reference to anything but a character or the five predefined entities. */
MUST_USE result xml_read(struct xml_reader *r, struct xml_unit *u);

/* Reads all of it and compares it with <text>. [from, to) of <text>: where its raw bytes begin and end. ERR_XML_ENTITY,
 * ERR_XML_MISREAD. */
struct xml_span {
    size_t from, to;
};
MUST_USE result xml_compare(struct xml_reader r, slice text, struct xml_span text_span, struct xml_span *raw_span);

static inline bool xml_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The attributes of a start tag, "<name a='1' b = "2">", in order; false: no more. */
struct xml_attribute {
    slice name;
    size_t from, to; /* its value in the tag, without quotes */
};
bool xml_next_attribute(slice tag, size_t *at /* 0 before the first */, struct xml_attribute *out);

#endif
