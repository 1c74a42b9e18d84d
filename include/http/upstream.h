/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_UPSTREAM_H
#define HTTP_UPSTREAM_H

/* Connections to one processor: idle ones are kept and reused, new ones are made by trying the host's addresses in turn.
 * One request at a time on each. A connection is given back only after a clean answer; anything odd and it is dropped. An idle
 * connection on which anything happens (bytes, end) is dropped at once: surplus bytes must never become an answer.
 *
 *     take_idle ──► upstream in use ──► give_back ──► idle (until idle_ms) 
 *     connect: resolve ─► address 1 ─► address 2 … ──►┘    └─► drop                                                     */

#include "http/reader.h"
#include "net/link.h"
#include "net/resolver.h"
#include "net/tls.h"

struct upstream_pool;
struct upstream;      /* a connection in use by one exchange */
struct upstream_wish; /* a connection being made */

struct upstream_settings {
    struct loop *loop;
    struct resolver *resolver;
    slice host; /* borrows for the pool's life */
    uint16_t port;
    struct tls_client *tls; /* borrows; NULL: plain */
    uint64_t connect_ms;    /* for each address, TLS handshake included */
    uint64_t idle_ms;
    bool public_only;       /* addresses that are not of the public internet are passed over: judged as they are connected to, after the
                             * name was resolved, so that no name server can lead a request into our own network */
    struct http_limits head_limits;
};
struct upstream_pool *upstream_pool_new(const struct upstream_settings *settings /* copied */);
void upstream_pool_free(struct upstream_pool *p); /* none may be in use; idle ones are closed */

struct upstream *upstream_take_idle(struct upstream_pool *p); /* NULL: none alive */
/* u is NULL on failure: ERR_TARGET_PRIVATE (public_only), ERR_UPSTREAM_RESOLVE, _CONNECT, _CONNECT_TIMEOUT, _TLS (that of the last address), ERR_MEMORY. */
typedef void (*upstream_callback)(void *owner, result r, struct upstream *u);
/* Never calls back before it returns. NULL: memory. */
struct upstream_wish *upstream_connect(struct upstream_pool *p, upstream_callback done, void *owner);
void upstream_wish_cancel(struct upstream_wish *w); /* NULL is fine */

struct link *upstream_link(struct upstream *u);
struct http_reader *upstream_reader(struct upstream *u);
void upstream_give_back(struct upstream *u);
void upstream_finish(struct upstream *u); /* sends what is unsent, then ends: for bytes that are no exchange */
void upstream_drop(struct upstream *u); /* resets the connection; NULL is fine */

#endif
