/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_URL_H
#define RULES_URL_H

/* Upstream addresses: http[s]://HOST[:PORT][/PATH] (RFC 3986), without userinfo, query and fragment. */

#include "base/buf.h"
#include "rules/config.h"

/* NULL and *out (borrows text) if it is right; else what is wrong. One slash at the end is dropped. */
const char *url_parse(slice text, struct upstream_url *out);
/* The same with a query, for addresses that are called as they stand (webhooks): *out has "/PATH[?QUERY]" as its path. */
const char *url_parse_target(slice text, struct upstream_url *out);
/* A host name (RFC 1123 2.1, '_' too), or an IPv4 address in its one right form: nothing that a resolver could take for another. */
bool url_is_host(slice host);
bool url_is_ipv4(slice host);
/* "localhost", 127.0.0.0/8, ::1 */
bool url_is_loopback(const struct upstream_url *url);
/* A path made of RFC 3986 segments, beginning with '/': no blank, no "//", no "." or ".." segment, no query, no fragment, no
 * percent-encoding. NULL if it is right. */
const char *url_check_path(slice path);
/* The whole of it, as url_parse() takes it; with the path as it stands. */
MUST_USE result url_write(const struct upstream_url *url, struct buf *out);
/* The Host field's value (RFC 9110 7.2): "api.example", "[::1]:8080"; the port only where it is not the scheme's own. */
MUST_USE result url_write_host(const struct upstream_url *url, struct buf *out);

#endif
