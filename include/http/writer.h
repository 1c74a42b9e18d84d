/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_WRITER_H
#define HTTP_WRITER_H

/* Writes messages anew: start line, fields, one Content-Length or one Transfer-Encoding, our own Connection. Refuses bytes
 * that may not stand there (control bytes but HTAB in a value, anything but a token as name, anything but visible ASCII in a
 * target: ERR_INTERNAL), so a value made by rewriting cannot split a message. Each call appends all or nothing; ERR_TOO_LARGE
 * and ERR_MEMORY as of the buffer. */

#include "base/buf.h"
#include "http/head.h"

bool http_is_token(slice s); /* RFC 9110 5.6.2: what a name is made of */
MUST_USE result http_write_request_line(struct buf *out, slice method, slice target);
MUST_USE result http_write_status_line(struct buf *out, int status); /* 100 to 999, our own reason phrase; always HTTP/1.1 */
MUST_USE result http_write_field(struct buf *out, slice name, slice value);
MUST_USE result http_write_field_u64(struct buf *out, slice name, uint64_t n);
MUST_USE result http_write_end_of_head(struct buf *out);
MUST_USE result http_write_chunk(struct buf *out, slice data); /* nothing for an empty slice: that would end the body */
MUST_USE result http_write_last_chunk(struct buf *out);
const char *http_reason(int status); /* "Not Found"; "" if unknown */

#endif
