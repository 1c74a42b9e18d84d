/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_MULTIPART_HEAD_H
#define BODY_MULTIPART_HEAD_H

/* The header fields of one part of multipart/form-data (RFC 7578 section 4), or of another multipart (RFC 2046 section 5.1), line by
 * line. Three of them mean something, and each may stand once: Content-Disposition, Content-Type, Content-Transfer-Encoding; others stay
 * as they are, unread. */

#include "base/result.h"
#include "base/slice.h"

enum { PART_NAME_MAX_BYTES = 1024, PART_TYPE_MAX_BYTES = 128, PART_CHARSET_MAX_BYTES = 32, PART_FIELDS_MAX = 32, PART_HEAD_MAX_BYTES = 8 * 1024 };

struct part_head {
    bool has_disposition, has_type, has_coding;
    bool is_form;  /* of form-data: it has a name */
    bool is_file;  /* has a filename */
    bool is_text;  /* no type, or text/… */
    bool is_coded; /* base64, quoted-printable, or anything but what it is */
    unsigned fields;
    size_t name_len, type_len, charset_len; /* without a type, without a charset: 0 */
    char type[PART_TYPE_MAX_BYTES], charset[PART_CHARSET_MAX_BYTES];
    char name[PART_NAME_MAX_BYTES];
};

void part_head_begin(struct part_head *h, bool is_form);
/* One line without its end. ERR_MULTIPART_HEAD; ERR_MULTIPART_NESTED, _CHARSET: the part cannot be read. */
MUST_USE result part_head_line(struct part_head *h, slice line);
MUST_USE result part_head_end(const struct part_head *h); /* ERR_MULTIPART_HEAD: no name */

#endif
