/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_INFLATE_H
#define BODY_INFLATE_H

/* Content decoding with zlib, streaming. "deflate" takes zlib and raw streams (RFC 9110 8.4.1.2 and what is sent in truth). */

#include "base/buf.h"

enum content_coding { CODING_IDENTITY, CODING_GZIP, CODING_DEFLATE };
/* Content-Encoding's value: empty or "identity", "gzip" (also "x-gzip"), "deflate". ERR_CONTENT_CODING. */
MUST_USE result content_coding_parse(slice value, enum content_coding *out);

struct inflater;
struct inflater *inflater_new(enum content_coding coding /* not identity */);
void inflater_free(struct inflater *i);
/* Appends decoded bytes to out, which is capped by its own maximum. ERR_TOO_LARGE, ERR_CONTENT_CODING_BROKEN. */
MUST_USE result inflater_feed(struct inflater *i, slice bytes, struct buf *out);
MUST_USE result inflater_end(struct inflater *i); /* ERR_CONTENT_CODING_BROKEN if the stream is incomplete */

#endif
