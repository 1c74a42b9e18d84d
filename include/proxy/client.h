/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_CLIENT_H
#define PROXY_CLIENT_H

/* A client's connection: reads requests one after the other, runs one exchange at a time, so pipelined requests are answered
 * in order (RFC 9112 9.3.2). Holds no buffers while idle.
 *
 *   IDLE ──first byte──► HEAD ──head──► BODY ──end──► WAIT ──exchange done──► IDLE
 *                                                        └── or the connection ends                                       */

#include "net/link.h"

struct client;
struct proxy;

/* Who opened the tunnel that a client stands in, and to which host: its requests are for that host, and are his. */
struct client_origin;
struct http_head;
struct keeper_caller;
/* <head>: of the CONNECT, for its API key. host: at most 253 bytes. NULL: memory. */
struct client_origin *client_origin_new(const struct sockaddr *peer, const struct http_head *head, slice host, uint16_t port);
void client_origin_free(struct client_origin *o); /* wipes; NULL is fine */
void client_origin_set_merchant(struct client_origin *o, slice name /* at most 64 bytes */);
slice client_origin_merchant(const struct client_origin *o);
const struct sockaddr *client_origin_peer(const struct client_origin *o);
slice client_origin_host(const struct client_origin *o);
uint16_t client_origin_port(const struct client_origin *o);
/* Peer and API key, where the caller has given none of his own. */
void client_origin_introduce(const struct client_origin *o, struct keeper_caller *caller);

/* At the inner end of a tunnel. Takes fd and origin, on failure too. NULL: memory. */
struct client *client_new_inside(struct proxy *p, uint32_t listen, int fd, struct tls_server *tls, struct client_origin *origin);
const struct client_origin *client_origin(const struct client *c); /* NULL: it came to the listener itself */
struct client *client_new(struct proxy *p, uint32_t listen, int fd); /* takes fd; NULL: memory */
/* The exchange calls these. */
void client_exchange_done(struct client *c, bool keep_alive);
void client_pump_later(struct client *c);   /* the exchange can take more of the body */
void client_cut(struct client *c);          /* ends the connection so that a cut answer shows as cut */
struct link *client_link(struct client *c);
const struct sockaddr *client_peer(const struct client *c);
uint32_t client_listen(const struct client *c);
/* Draining: an idle client is closed, a busy one after its exchange. */
void client_drain(struct client *c);
struct client *client_next(const struct client *c);
void client_free_now(struct client *c);     /* at proxy_free only */

#endif
