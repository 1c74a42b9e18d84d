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
