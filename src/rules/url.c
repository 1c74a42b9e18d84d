/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/url.h"

#include "base/ascii.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

enum { HOST_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 };

static bool is_letter_or_digit(char c)
{
    return ascii_is_alnum(c);
}

/* RFC 1123 2.1; '_' is taken too, container networks use it. */
static bool is_host_name(slice host)
{
    slice rest = host, label;
    if (host.len == 0 || host.len > HOST_MAX_BYTES) return false;
    while (slice_next(&rest, '.', &label)) {
        if (label.len == 0 || label.len > LABEL_MAX_BYTES) return false;
        if (label.at[0] == '-' || label.at[label.len - 1] == '-') return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_letter_or_digit(label.at[i]) && label.at[i] != '-' && label.at[i] != '_') return false;
    }
    return true;
}

static bool parse_ip(int family, slice host, void *out)
{
    char text[INET6_ADDRSTRLEN];
    if (host.len == 0 || host.len >= sizeof text) return false;
    memcpy(text, host.at, host.len);
    text[host.len] = '\0';
    return inet_pton(family, text, out) == 1;
}

bool url_is_ipv4(slice host)
{
    struct in_addr address;
    return parse_ip(AF_INET, host, &address);
}

static bool is_hexadecimal(slice label)
{
    if (label.len < 2 || label.at[0] != '0' || (label.at[1] != 'x' && label.at[1] != 'X')) return false;
    for (size_t i = 2; i < label.len; i++)
        if (!isxdigit((unsigned char)label.at[i])) return false;
    return true;
}

/* A last label that is a number ("2130706433", "127.1", "0x7f.0x1") is an address to inet_aton(3) and so to many resolvers: it must be
 * a right one. */
bool url_is_host(slice host)
{
    slice rest = host, label = SLICE_NONE;
    while (slice_next(&rest, '.', &label))
        continue;
    if (slice_is_digits(label) || is_hexadecimal(label)) return url_is_ipv4(host);
    return is_host_name(host);
}

static const char *parse_port(slice text, uint16_t *port)
{
    uint64_t n;
    if (!slice_to_u64(text, UINT16_MAX, &n) || n == 0) return "the port must be a number from 1 to 65535";
    *port = (uint16_t)n;
    return NULL;
}

static const char *parse_authority(slice text, struct upstream_url *out)
{
    struct in6_addr address;
    slice rest;
    if (slice_find(text, '@') < text.len) return "a user name or password does not belong here; send it in a header";
    if (slice_starts(text, SLICE("["))) {
        size_t end = slice_find(text, ']');
        if (end == text.len) return "a ']' is missing";
        out->host = slice_range(text, 1, end);
        rest = slice_after(text, end + 1);
        if (!parse_ip(AF_INET6, out->host, &address)) return "not an IPv6 address between the brackets";
    } else {
        size_t end = slice_find(text, ':');
        out->host = slice_range(text, 0, end);
        rest = slice_after(text, end);
        if (!url_is_host(out->host)) return "not a host name or IPv4 address";
    }
    if (rest.len == 0) return NULL;
    if (rest.at[0] != ':') return "something between the host and the path";
    return parse_port(slice_after(rest, 1), &out->port);
}

const char *url_check_path(slice path)
{
    slice rest = path, segment;
    if (!slice_starts(path, SLICE("/"))) return "must begin with '/'";
    rest = slice_after(rest, 1);
    if (rest.len == 0) return NULL;
    while (slice_next(&rest, '/', &segment)) {
        bool is_last = !rest.at;
        if (segment.len == 0 && !is_last) return "must not have '//' inside";
        if (slice_is(segment, ".") || slice_is(segment, "..")) return "must not have '.' or '..' as a segment";
        for (size_t i = 0; i < segment.len; i++) {
            char c = segment.at[i];
            if (c == '?' || c == '#') return "must not have a query or fragment";
            if (c == '%') return "must not have percent-encoded characters";
            /* RFC 3986 3.3: pchar = unreserved / pct-encoded / sub-delims / ":" / "@" */
            if (!is_letter_or_digit(c) && !strchr("-._~!$&'()*+,;=:@", c))
                return "has a character that a path cannot have";
        }
    }
    return NULL;
}

/* Scheme, host and port; *rest: what follows them. */
static const char *parse_origin(slice text, bool may_have_query, struct upstream_url *out, slice *rest)
{
    *out = (struct upstream_url){.path = SLICE("")};
    if (slice_starts(text, SLICE("https://"))) {
        out->tls = true;
        out->port = 443;
        text = slice_after(text, 8);
    } else if (slice_starts(text, SLICE("http://"))) {
        out->port = 80;
        text = slice_after(text, 7);
    } else {
        return "must begin with https:// (or http://)";
    }
    size_t end = slice_find(text, '/'), query = slice_find(text, '?');
    if (query < text.len && !may_have_query) return "must not have a query ('?')";
    if (slice_find(text, '#') < text.len) return "must not have a fragment ('#')";
    if (query < end) end = query;
    *rest = slice_after(text, end);
    return parse_authority(slice_range(text, 0, end), out);
}

const char *url_parse(slice text, struct upstream_url *out)
{
    slice path;
    const char *wrong = parse_origin(text, false, out, &path);
    if (wrong || path.len == 0) return wrong;
    wrong = url_check_path(path);
    if (path.at[path.len - 1] == '/') path.len--;
    out->path = path;
    return wrong;
}

/* RFC 3986 3.4: pchar, '/' and '?'; percent-encoding whole. */
static const char *check_query(slice query)
{
    for (size_t i = 0; i < query.len; i++) {
        char c = query.at[i];
        bool is_encoded = c == '%' && i + 2 < query.len && isxdigit((unsigned char)query.at[i + 1]) &&
                          isxdigit((unsigned char)query.at[i + 2]);
        if (!is_encoded && !is_letter_or_digit(c) && !strchr("-._~!$&'()*+,;=:@/?", c))
            return "has a character that a query cannot have";
    }
    return NULL;
}

const char *url_parse_target(slice text, struct upstream_url *out)
{
    slice target;
    const char *wrong = parse_origin(text, true, out, &target);
    if (wrong) return wrong;
    size_t query = slice_find(target, '?');
    if (query == 0 && target.len) return "needs a '/' before its query";
    out->path = target.len ? target : SLICE("/");
    wrong = target.len ? url_check_path(slice_range(target, 0, query)) : NULL;
    return wrong || query == target.len ? wrong : check_query(slice_after(target, query + 1));
}

bool url_is_loopback(const struct upstream_url *url)
{
    struct in_addr four;
    struct in6_addr six;
    if (slice_ieq(url->host, SLICE("localhost"))) return true;
    if (parse_ip(AF_INET, url->host, &four)) return (ntohl(four.s_addr) >> 24) == 127;
    return parse_ip(AF_INET6, url->host, &six) && IN6_IS_ADDR_LOOPBACK(&six);
}

result url_write_host(const struct upstream_url *url, struct buf *out)
{
    bool is_ipv6 = slice_find(url->host, ':') < url->host.len;
    if (is_ipv6) TRY(buf_append(out, SLICE("[")));
    TRY(buf_append(out, url->host));
    if (is_ipv6) TRY(buf_append(out, SLICE("]")));
    if (url->port == (url->tls ? 443 : 80)) return OK;
    TRY(buf_append(out, SLICE(":")));
    return buf_append_u64(out, url->port);
}

result url_write(const struct upstream_url *url, struct buf *out)
{
    TRY(buf_append(out, url->tls ? SLICE("https://") : SLICE("http://")));
    TRY(url_write_host(url, out));
    return buf_append(out, url->path);
}
