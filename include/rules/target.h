/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_TARGET_H
#define RULES_TARGET_H

/* Targets that callers name, in the header x-cardveil-url or in CONNECT, and the lists that allow them. What two programs could read
 * as two different hosts is refused (RFC 3986 7.3 to 7.6), so that the host that is looked for in the list is the one that is connected
 * to: userinfo, backslashes, encoded or non-ASCII hosts, a dot at the end, addresses in any form but their usual one, ports with
 * leading zeros. */

#include "rules/config.h"

enum { TARGET_URL_MAX_BYTES = 2048, TARGET_HOST_MAX_BYTES = 253 };

struct target {
    struct upstream_url url; /* path: "" or "/…", as written, without the query */
    slice query;             /* without '?'; start NULL: none */
};
/* An http or https URL. *out borrows text. ERR_TARGET_…, which say what is wrong. */
MUST_USE result target_parse(slice text, struct target *out);
/* What an entry of a list is: scheme, host or pattern (rules/host.h), port; without path and query. */
MUST_USE result target_parse_pattern(slice text, struct upstream_url *out);
/* "api.example:443", the authority-form of CONNECT (RFC 9112 3.2.3). *out: https. */
MUST_USE result target_parse_authority(slice text, struct upstream_url *out);

/* The entry that allows it: same scheme and port, and a host that fits (rules/host.h), the very name before a wildcard. NULL: none. */
const struct config_target *target_find(const struct config_target *list, size_t count, const struct upstream_url *url);
/* Is the host an address that is private, loopback or otherwise not of the public internet? False for names: those are judged when
 * they are resolved. */
bool target_is_private_address(const struct upstream_url *url);

#endif
