/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_REPLY_H
#define PROXY_REPLY_H

/* The answers that the proxy gives itself: one JSON envelope, {"status":"fail","message":…,"data":{"code","description","path"}}. */

#include "base/envelope.h"
#include "body/body.h"
#include "http/refusal.h"

struct reply {
    int status;
    const char *code;        /* stable name */
    const char *text;        /* what is wrong and what to do */
    slice description;       /* the RFC's sentence, or why an answer was not taken; may be empty */
    const struct body_fault *fault; /* where; NULL: not in a body */
    slice place;             /* in a header; may be empty */
    slice token;             /* the one it is about; may be empty */
    bool outcome_unknown;    /* adds x-cardveil-outcome: unknown; <fault> is one of the answer */
    slice challenge;         /* what a 401 asks for; empty: an API key in x-api-key */
    int compat_code;         /* adds x-cc-error-code and x-cc-error, as PCI Proxy's users expect them; 0: none */
    bool is_empty;           /* no body */
    bool pan_retry;          /* adds x-cardveil-pan-retry: 1: it is the second attempt whose outcome is told */
};
struct reply reply_of_error(enum error e);
/* The same once the other side has acted on the request, or may have: never "nothing was sent", never a status that calls for sending
 * it again (503 and its Retry-After): whoever does might pay twice. */
struct reply reply_of_unknown_outcome(enum error e);
struct reply reply_of_refusal(enum http_refusal r);

/* Head and body of such an answer. */
MUST_USE result reply_write(struct buf *out, const struct reply *reply, uint64_t request_id, bool keep_alive,
                            bool without_body /* HEAD */);
/* Status line and the fields that every answer of ours begins with. */
MUST_USE result reply_write_head(struct buf *out, int status, uint64_t request_id, bool from_processor);
/* The fields that a status itself calls for. <allow>: the methods for a 405; empty: all that the proxy passes on. <challenge>: what a
 * 401 asks for; empty: an API key. */
MUST_USE result reply_write_status_fields(struct buf *out, int status, slice allow, slice challenge);
/* Connection, Content-Length, end of head. */
MUST_USE result reply_write_length(struct buf *out, uint64_t length, bool keep_alive);
/* Connection, end of head. RFC 9110 8.6: "MUST NOT send a Content-Length header field in any response with a status code of … 204". */
MUST_USE result reply_write_no_content(struct buf *out, bool keep_alive);

#endif
