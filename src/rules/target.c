/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/target.h"

#include "net/listener.h"
#include "rules/host.h"
#include "rules/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool is_ascii(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] >= 0x80) return false;
    return true;
}

/* RFC 3986 2 has fewer; '{', '}', '<', '>' and '|' may stand there too, for placeholders. A backslash is '/' to some programs. */
static bool is_url_text(slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '^' || c == '`') return false;
    }
    return true;
}

/* RFC 5952: one address, one text. Other forms ("::ffff:7f00:1", a zone) are not taken at all. */
static bool is_usual_ipv6(slice text)
{
    char given[INET6_ADDRSTRLEN], usual[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (text.len == 0 || text.len >= sizeof given || slice_find(text, '\0') < text.len) return false;
    memcpy(given, text.at, text.len);
    given[text.len] = '\0';
    return inet_pton(AF_INET6, given, &address) == 1 && inet_ntop(AF_INET6, &address, usual, sizeof usual) &&
           slice_ieq(slice_of(usual), text);
}

/* Digits and dots, or with "0x" somewhere: meant as an address, whatever comes of it. */
static bool looks_like_ipv4(slice host)
{
    slice rest = host, label = SLICE_NONE;
    while (slice_next(&rest, '.', &label)) continue;
    return slice_is_digits(label) || (label.len > 1 && label.at[0] == '0' && (label.at[1] | 0x20) == 'x');
}

static result check_name(slice host, bool is_pattern)
{
    ENSURE(is_ascii(host), TARGET_IDN);
    ENSURE(slice_find(host, '%') == host.len, TARGET_ENCODED);
    ENSURE(!slice_ends(host, SLICE(".")), TARGET_DOT);
    bool is_wildcard = is_pattern && host_pattern_is_wildcard(host);
    if (is_wildcard) host = slice_after(host, 2);
    ENSURE(host.len > 0 && host.len <= TARGET_HOST_MAX_BYTES, TARGET_HOST);
    if (looks_like_ipv4(host)) {
        ENSURE(!is_wildcard, TARGET_HOST); /* an address has no names under it */
        ENSURE(url_is_ipv4(host), TARGET_ADDRESS_FORM);
        return OK;
    }
    ENSURE(url_is_host(host), TARGET_HOST);
    return OK;
}

static result parse_port(slice text, uint16_t *port)
{
    uint64_t n;
    ENSURE(text.len > 0 && text.at[0] != '0' && slice_to_u64(text, UINT16_MAX, &n), TARGET_PORT);
    *port = (uint16_t)n;
    return OK;
}

/* host [ ":" port ], RFC 3986 3.2.2 */
static result parse_authority(slice text, bool is_pattern, struct upstream_url *out)
{
    size_t end;
    ENSURE(slice_find(text, '@') == text.len, TARGET_USERINFO);
    if (slice_starts(text, SLICE("["))) {
        end = slice_find(text, ']');
        ENSURE(end < text.len, TARGET_HOST);
        out->host = slice_range(text, 1, end);
        ENSURE(is_usual_ipv6(out->host), TARGET_ADDRESS_FORM);
        end++;
    } else {
        end = slice_find(text, ':');
        out->host = slice_range(text, 0, end);
        TRY(check_name(out->host, is_pattern));
    }
    if (end == text.len) return OK;
    ENSURE(text.at[end] == ':', TARGET_HOST);
    return parse_port(slice_after(text, end + 1), &out->port);
}

static bool take_scheme(slice *text, slice scheme)
{
    if (text->len < scheme.len || !slice_ieq(slice_range(*text, 0, scheme.len), scheme)) return false;
    *text = slice_after(*text, scheme.len);
    return true;
}

static size_t authority_end(slice s)
{
    size_t i = 0;
    while (i < s.len && !memchr("/?#\\", s.at[i], 4)) i++;
    return i;
}

static result parse(slice text, bool is_pattern, struct target *out)
{
    *out = (struct target){.url = {.path = SLICE("")}};
    ENSURE(text.len <= TARGET_URL_MAX_BYTES, TARGET_LENGTH);
    out->url.tls = take_scheme(&text, SLICE("https://"));
    ENSURE(out->url.tls || take_scheme(&text, SLICE("http://")), TARGET_SCHEME);
    out->url.port = out->url.tls ? 443 : 80;
    size_t end = authority_end(text);
    TRY(parse_authority(slice_range(text, 0, end), is_pattern, &out->url));
    slice rest = slice_after(text, end);
    ENSURE(slice_find(rest, '#') == rest.len, TARGET_FRAGMENT);
    ENSURE(is_url_text(rest), TARGET_SYNTAX);
    size_t question = slice_find(rest, '?');
    out->url.path = slice_range(rest, 0, question);
    if (question < rest.len) out->query = slice_after(rest, question + 1);
    return OK;
}

result target_parse(slice text, struct target *out)
{
    return parse(text, false, out);
}

result target_parse_pattern(slice text, struct upstream_url *out)
{
    struct target whole;
    TRY(parse(text, true, &whole));
    ENSURE((whole.url.path.len == 0 || slice_is(whole.url.path, "/")) && !whole.query.at, TARGET_ORIGIN);
    *out = whole.url;
    out->path = SLICE("");
    return OK;
}

result target_parse_authority(slice text, struct upstream_url *out)
{
    *out = (struct upstream_url){.tls = true, .path = SLICE("")};
    ENSURE(text.len <= TARGET_URL_MAX_BYTES, TARGET_LENGTH);
    TRY(parse_authority(text, false, out));
    ENSURE(out->port != 0, TARGET_PORT);
    return OK;
}

const struct config_target *target_find(const struct config_target *list, size_t count, const struct upstream_url *url)
{
    const struct config_target *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct upstream_url *allowed = &list[i].url;
        if (allowed->tls != url->tls || allowed->port != url->port || !host_pattern_matches(allowed->host, url->host)) continue;
        if (!best || host_pattern_is_wildcard(best->url.host)) best = &list[i];
    }
    return best;
}

bool target_is_private_address(const struct upstream_url *url)
{
    char text[INET6_ADDRSTRLEN + 8];
    struct address a;
    bool is_ipv6 = slice_find(url->host, ':') < url->host.len;
    if (url->host.len >= INET6_ADDRSTRLEN) return false;
    int len = snprintf(text, sizeof text, is_ipv6 ? "[%.*s]:1" : "%.*s:1", SLICE_ARG(url->host));
    if (failed(address_parse((slice){text, (size_t)len}, &a))) return false;
    return !address_is_public((const struct sockaddr *)&a.at);
}
