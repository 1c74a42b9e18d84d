/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_TUNNEL_H
#define PROXY_TUNNEL_H

/* What CONNECT asks for, on a listener with 'forward_proxy: on' (RFC 9110 9.3.6). The keeper says who is calling; then the host decides:
 *
 *   a route of the caller reads it   the far end is a socket pair, and at its other end stands a client of ours like any other, with
 *                                    a certificate for this host that the local CA signed: its requests are read and rewritten
 *   others: tunnel                   the far end is the host itself, at an address that may be connected to: bytes pass unread
 *   others: refuse                   403
 *   a route of the caller has this   403, unless the listener's 'targets' names this very host and port: what is meant for that route's
 *   host as upstream, at another     processor shall not pass unread
 *   port
 *
 *     client link ◄──bytes──► far link        ends with the first side that ends; what it sent is delivered */

#include "http/head.h"
#include "net/link.h"

struct proxy;
struct tunnel;

/* Takes the link, whose owner it becomes; <head> is copied from. Whatever fails is told to the client. */
void tunnel_begin(struct proxy *p, uint32_t listen, struct link *client, const struct http_head *head);
/* Draining: one that reads ends with its inner client, every other one now. */
void tunnel_drain(struct tunnel *t);
void tunnel_free_now(struct tunnel *t); /* at proxy_free only */
struct tunnel *tunnel_next(const struct tunnel *t);

#endif
