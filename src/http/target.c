/* SPDX-License-Identifier: Apache-2.0 */
#include "reader_priv.h"

#include <string.h>

/* Placeholders stand in targets as they are, so '{', '}', '<', '>' and '|' may, though RFC 3986 has them encoded. A
 * backslash may not: some servers read it as '/'. */
static enum http_refusal bytes_check(slice target)
{
    for (size_t i = 0; i < target.len; i++) {
        char c = target.at[i];
        if (c == '#') return REFUSAL_TARGET_FRAGMENT;
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '^' || c == '`') return REFUSAL_TARGET_SYNTAX;
    }
    return REFUSAL_NONE;
}

static void set_origin(struct http_head *h, slice target)
{
    size_t question = slice_find(target, '?');
    h->target = target;
    h->path = slice_range(target, 0, question);
    h->query = question < target.len ? slice_after(target, question + 1) : SLICE_NONE;
}

/* "http://host?query" has an empty path, which is "/" (RFC 9110 4.2.3). */
static bool prepend_slash(struct http_reader *r, slice rest, slice *out)
{
    char *at = pool_alloc(r->pool, rest.len + 1);
    if (!at) return false;
    at[0] = '/';
    if (rest.len) memcpy(at + 1, rest.at, rest.len);
    *out = (slice){at, rest.len + 1};
    return true;
}

static size_t authority_end(slice s)
{
    size_t i = 0;
    while (i < s.len && s.at[i] != '/' && s.at[i] != '?')
        i++;
    return i;
}

/* RFC 9112 3.2.2: "When an origin server receives a request with an absolute-form of request-target, the origin server
 * MUST ignore the received Host header field (if any) and instead use the host information of the request-target". Here
 * both must agree, so that whichever a server behind us takes is the same. */
static enum http_refusal absolute_check(struct http_reader *r, slice target)
{
    static const slice schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (target.len < schemes[i].len || !slice_ieq(slice_range(target, 0, schemes[i].len), schemes[i])) continue;
        slice rest = slice_after(target, schemes[i].len);
        slice authority = slice_range(rest, 0, authority_end(rest));
        rest = slice_after(rest, authority.len);
        if (slice_find(authority, '@') < authority.len) return REFUSAL_TARGET_USERINFO;
        if (!slice_ieq(authority, r->head.authority)) return REFUSAL_HOST_TARGET_MISMATCH;
        if ((rest.len == 0 || rest.at[0] != '/') && !prepend_slash(r, rest, &rest)) return REFUSAL_MEMORY;
        set_origin(&r->head, rest);
        r->head.is_absolute = true;
        return REFUSAL_NONE;
    }
    return REFUSAL_TARGET_FORM;
}

/* RFC 9112 3.2.3: authority-form = uri-host ":" port. HTTP/1.0 clients (and some of 1.1) send no Host with it. */
enum http_refusal connect_check(struct http_reader *r, slice target, slice host)
{
    if (slice_find(target, '@') < target.len) return REFUSAL_TARGET_USERINFO;
    if (!host_is_valid(target)) return REFUSAL_TARGET_FORM;
    if (host.at && !slice_ieq(host, target)) return REFUSAL_HOST_TARGET_MISMATCH;
    if (r->head.framing != HTTP_NO_BODY) return REFUSAL_CONNECT_CONTENT;
    r->head.is_connect = true;
    r->head.authority = r->head.target = target;
    r->head.path = SLICE("");
    return REFUSAL_NONE;
}

/* After the Host is known to be valid. */
enum http_refusal target_check(struct http_reader *r, slice target)
{
    enum http_refusal why = bytes_check(target);
    if (why) return why;
    if (target.len == 0 || target.at[0] != '/') return absolute_check(r, target);
    set_origin(&r->head, target);
    return REFUSAL_NONE;
}
