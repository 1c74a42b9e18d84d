/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

/* A message head, parsed to types. The outgoing message is written anew from it, with our own framing (RFC 9112); nothing
 * ambiguous survives the parse. All slices live in the pool of the reader that made the head. */

#include "base/result.h"
#include "base/slice.h"

struct http_field {
    slice name;  /* as received */
    slice value; /* trimmed of OWS */
};

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE /* answers only */ };

struct http_head {
    bool is_answer;
    unsigned minor; /* HTTP/1.minor: 0 or 1 */
    /* request */
    slice method; /* of the allow-list: GET HEAD POST PUT PATCH DELETE OPTIONS */
    bool is_head_method;
    bool is_connect;  /* only where it was asked for; then authority is the target, and path is empty */
    bool is_absolute; /* the target was in absolute-form */
    slice target;    /* origin-form: path and query, as received; absolute-form is taken apart */
    slice path;      /* of target, without the query; begins with '/' */
    slice query;     /* without '?'; start NULL when there is no '?' */
    slice authority; /* the one Host */
    bool expects_continue; /* HTTP/1.1 with a body to come (RFC 9110 10.1.1) */
    /* answer */
    int status;
    slice reason;
    /* both */
    enum http_framing framing;
    uint64_t length;      /* with HTTP_LENGTH, or with length_told */
    bool length_told;     /* an answer without body (to HEAD, 304) that had a Content-Length: what a GET would have got */
    bool keep_alive;
    struct http_field *fields; /* without Host (requests), framing and hop-by-hop ones: those are taken out by the reader */
    size_t field_count;
};

/* First field of that name; start NULL if there is none. */
slice http_head_get(const struct http_head *h, const char *name);
size_t http_head_count(const struct http_head *h, const char *name);
/* Host, fields that frame a message (their twins with '_' too), and those of one connection only: never taken from a caller's text. */
bool http_field_is_written_anew(slice name);

#endif
