/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_CALL_H
#define NETWORK_CALL_H

/* One HTTP request of our own and its whole answer, over a pool of verified TLS connections: what connectors and webhook delivery
 * are made of. The answer's body is collected up to a maximum, in secret memory (it may hold a cryptogram). A request whose bytes
 * may have left is not repeated here; whoever asks decides. One that an idle connection would not take (it had died) goes out on a
 * new one.
 *
 *     QUEUED ─► CONNECTING ─► EXCHANGING ─► OVER       from start to OVER at most whole_ms; interim answers (1xx) are skipped
 *        └── an idle connection ──┘ └─► CONNECTING: it died before a byte was out                                           */

#include "http/upstream.h"

struct http_call;
struct http_call_field {
    slice name, value;
};
struct http_call_request { /* borrows for the call of http_call_start only */
    struct upstream_pool *pool;
    struct loop *loop;
    slice method, target, host; /* host: as it stands in the Host field */
    const struct http_call_field *fields;
    size_t field_count;
    slice body;                 /* start NULL: none */
    uint64_t whole_ms;          /* connect to last byte */
    size_t max_answer_bytes;    /* of the body; a larger one is ERR_UPSTREAM_ANSWER */
};
struct http_call_answer {
    result r;          /* OK: an answer came, whatever its status. UPSTREAM_…: none did. INTERNAL: a field that HTTP cannot carry */
    bool may_have_left; /* r not OK: some of the request's bytes may have reached the other side */
    int status;         /* also with r not OK, where the answer's head came whole and the rest did not; 0: no head came */
    slice content_type, body; /* valid for the call */
};
typedef void (*http_call_done)(void *owner, const struct http_call_answer *answer);
/* NULL: memory. done comes once, never before this returns; the connection is free for the next call by then. */
struct http_call *http_call_start(const struct http_call_request *request, http_call_done done, void *owner);
void http_call_cancel(struct http_call *c); /* no done after it; NULL is fine */

#endif
