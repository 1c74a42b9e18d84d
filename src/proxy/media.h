/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_MEDIA_H
#define PROXY_MEDIA_H

/* What a message's Content-Type says of its body (RFC 9110 8.3.1). */

#include "body/media_type.h"
#include "http/head.h"

slice media_type(const struct http_head *h); /* without parameters; empty: there is none */
/* A parameter's value, without its quotes; start NULL: not there, or not well-formed. Empty where it stands twice: readers differ in
 * which they take, and neither a charset nor a boundary is empty. */
slice media_parameter(const struct http_head *h, const char *name);
bool media_is_digest_field(slice name); /* Digest, Content-MD5, Content-Digest, Repr-Digest: wrong once a body changed */

#endif
