/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_HOST_H
#define RULES_HOST_H

/* Host names as routes and allow lists name them: "api.example", or "*.example", which is any name with exactly one more label, as in
 * certificates (RFC 9525 6.3). Compared without case. */

#include "base/slice.h"

/* NULL if it is right, else what is wrong: a name or an IPv4 address, or "*." before a name; no port, no dot at its end. */
const char *host_pattern_check(slice pattern);
bool host_pattern_is_wildcard(slice pattern);
bool host_pattern_matches(slice pattern, slice host);
/* The name of an authority ("host:port", RFC 3986 3.2): without port, and without the root's dot. "[::1]" keeps its brackets. */
slice host_of_authority(slice authority);

struct config;
struct config_route;
/* Whether a forward proxy reads what goes to that host: a route of the merchant (start NULL: of any) whose 'host' it is, or whose
 * upstream, at that port (0: any). NULL: none. */
const struct config_route *config_route_for_host(const struct config *c, slice merchant, slice host, uint16_t port);

#endif
