/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_MULTIPART_HEAD_H
#define BODY_MULTIPART_HEAD_H

/* The header fields of one part of multipart/form-data (RFC 7578 section 4), line by line. Three of them mean something, and each
 * may stand once: Content-Disposition, Content-Type, Content-Transfer-Encoding; others stay as they are, unread. */

#include "base/result.h"
#include "base/slice.h"

enum { PART_NAME_MAX_BYTES = 1024, PART_FIELDS_MAX = 32, PART_HEAD_MAX_BYTES = 8 * 1024 };

struct part_head {
    bool has_disposition, has_type, has_coding;
    bool is_file; /* has a filename */
    bool is_text; /* no type, or text/… */
    unsigned fields;
    size_t name_len;
    char name[PART_NAME_MAX_BYTES];
};

void part_head_begin(struct part_head *h);
/* One line without its end. ERR_MULTIPART_HEAD; ERR_MULTIPART_CODING, _NESTED, _CHARSET: the part cannot be read. */
MUST_USE result part_head_line(struct part_head *h, slice line);
MUST_USE result part_head_end(const struct part_head *h); /* ERR_MULTIPART_HEAD: no name */

#endif
