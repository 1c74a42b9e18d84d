/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

/* One client request and its answer.
 *
 *   HEAD ─► BODY ─► RESOLVE ─► SEND ─► REPLY ─► DONE          RESOLVE overlaps BODY: tokens are asked for as they are met. It
 *     │       │ └─streamed──────┘│       │                    ends with the signature, where the rules sign.
 *     └───────┴─────────┴────────┴───────┴──► REFUSE (we answer) / ABORT (the connection is cut) ─► DONE
 *
 *   REPLY ─► SEND     the connection died before a byte of the request was out: another one is taken
 *   REPLY ─► RESOLVE  PAN retry, once: a clear decline of a network token is held, and the tokens are asked for as card numbers
 *
 * An attempt whose bytes may have reached the processor and whose outcome is unknown is never repeated (README, "What it refuses"). */

#include "http/head.h"
#include "http/refusal.h"
#include "proxy/client.h"

struct exchange;

/* <head> belongs to the client's reader and stays valid until the exchange is done. NULL: memory. */
struct exchange *exchange_new(struct proxy *p, struct client *c, const struct http_head *head);
void exchange_begin(struct exchange *x);                 /* may end it (client_exchange_done) before it returns */
void exchange_body(struct exchange *x, slice bytes);     /* likewise */
void exchange_body_end(struct exchange *x);              /* likewise */
bool exchange_takes_body(const struct exchange *x);      /* false: back-pressure; client_pump_later() will tell */
size_t exchange_piece_bytes(const struct exchange *x);    /* at most so much of the body at once */
void exchange_client_writable(struct exchange *x);
void exchange_client_timeout(struct exchange *x);        /* the body did not come in time: 408 */
void exchange_body_refused(struct exchange *x, enum http_refusal why); /* the body's framing is broken: 400 */
void exchange_client_gone(struct exchange *x);           /* the client object dies now; what was sent is seen through */

#endif
