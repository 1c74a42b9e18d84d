/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/host.h"

#include "rules/config.h"
#include "rules/url.h"

bool host_pattern_is_wildcard(slice pattern)
{
    return slice_starts(pattern, SLICE("*."));
}

const char *host_pattern_check(slice pattern)
{
    bool is_wildcard = host_pattern_is_wildcard(pattern);
    slice name = is_wildcard ? slice_after(pattern, 2) : pattern;
    if (slice_find(name, '*') < name.len) return "'*' may stand in front only, for one whole label: *.example.com";
    if (slice_find(name, ':') < name.len) return "a port does not belong here";
    if (slice_ends(name, SLICE("."))) return "must not end with a dot";
    if (!url_is_host(name)) return "not a host name or IPv4 address";
    return is_wildcard && url_is_ipv4(name) ? "an address has no names under it" : NULL;
}

bool host_pattern_matches(slice pattern, slice host)
{
    if (!host_pattern_is_wildcard(pattern)) return slice_ieq(pattern, host);
    size_t dot = slice_find(host, '.');
    return dot > 0 && dot < host.len && slice_ieq(slice_after(host, dot), slice_after(pattern, 1));
}

slice host_of_authority(slice authority)
{
    size_t end = slice_starts(authority, SLICE("[")) ? slice_find(authority, ']') + 1 : slice_find(authority, ':');
    slice host = slice_range(authority, 0, end < authority.len ? end : authority.len);
    if (host.len > 1 && host.at[host.len - 1] == '.') host.len--;
    return host;
}

const struct config_route *config_route_for_host(const struct config *c, slice merchant, slice host, uint16_t port)
{
    for (size_t i = 0; i < c->route_count; i++) {
        const struct config_route *r = &c->routes[i];
        if (merchant.at && r->merchant.at && !slice_eq(merchant, r->merchant)) continue;
        if (r->host.at && host_pattern_matches(r->host, host)) return r;
        if (r->upstream.host.len && slice_ieq(r->upstream.host, host) && (port == 0 || port == r->upstream.port)) return r;
    }
    return NULL;
}
