/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_PAYMENTS_H
#define KEEPER_PAYMENTS_H

/* What follows from a payment's end: it is counted, its network transaction id is kept for merchant-initiated payments, and
 * after it (never before or during it) the route's strategy may have its card enrolled. Relays number their payments and tell
 * them again until they are kept; each is counted once.
 *
 *     PAYMENT 7 ─► queue of that relay, in order ─► card is the merchant's? ─► counters, trail, strategy ─► mark 7
 *                                                                    ledger's commit ─► PAYMENTS_KEPT 7                     */

#include "server_priv.h"

struct payments;
struct payments *payments_new(struct keeper_server *server); /* NULL: memory */
void payments_free(struct payments *p); /* NULL is fine */
MUST_USE bool payments_take(struct payments *p, struct relay *r, const struct wire_frame *f); /* false: breaks the protocol */
void payments_relay_gone(struct payments *p, const struct relay *r);
void payments_settle(struct payments *p); /* at shutdown: what was gathered is given to the vault */

#endif
