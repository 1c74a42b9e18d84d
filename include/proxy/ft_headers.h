/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FT_HEADERS_H
#define PROXY_FT_HEADERS_H

/* The header ft-headers of Firstoken's users: one JSON object whose members are header fields for the destination.
 *
 *     ft-headers: {"Authorization": "Basic YTpi", "X-Version": 2, "Content-Type": "application/json"}
 *
 * What is taken cannot split a message or speak for us: names are tokens (RFC 9110 5.6.2) and none that frames a message, belongs to
 * a connection, or is read here; values are visible ASCII, blanks and tabs (RFC 9110 5.5), whatever escapes JSON has for more. */

#include "base/pool.h"
#include "http/head.h"

enum { FT_HEADERS_MAX = 64 };

struct ft_headers {
    struct http_field *fields;
    size_t count;
    slice blamed; /* on error: the name that is at fault; start NULL: none */
};
/* All in <pool>. ERR_FT_HEADERS_…, ERR_MEMORY, ERR_TOO_LARGE. */
MUST_USE result ft_headers_read(slice text, struct pool *pool, struct ft_headers *out);

#endif
