/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_ENCODING_H
#define SIGN_ENCODING_H

/* Base64 in its two alphabets, and hexadecimal: the spellings that signatures and JOSE use. Strict on the way in: no white
 * space, no bytes after the padding, no bits that stand for nothing. */

#include "base/buf.h"

MUST_USE result base64_write(slice bytes, struct buf *out);                /* RFC 4648 4, padded */
MUST_USE result base64url_write(slice bytes, struct buf *out);             /* RFC 4648 5, without padding (RFC 7515 2) */
MUST_USE result base64_read(slice text, struct buf *out);                  /* ERR_BASE64 */
MUST_USE result base64url_read(slice text, struct buf *out);               /* ERR_BASE64 */
MUST_USE result hex_write(slice bytes, struct buf *out);                   /* lower case */

#endif
