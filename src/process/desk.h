/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROCESS_DESK_H
#define PROCESS_DESK_H

/* The registrar's desk: the keeper's orders (keeper/wire.h) come in, go to a network's connector or to a webhook, and what they
 * came to goes back. The keeper names networks, merchants and URLs by their names, so an order is right whatever configuration
 * either side has just taken; one that names nobody here is answered NETWORK_DOWN, and tried again.
 *
 *     keeper ═ ORDER ═► errand ─► connector (network/connector.h) or webhook sender ─► RESULT ═► keeper
 *                          └── CANCEL, or the keeper is gone: the call is given up                                       */

#include "net/loop.h"
#include "net/resolver.h"
#include "rules/config.h"

struct desk;
/* Takes config, also on failure. ERR_CONFIG: a network or webhook is unusable (the log says which); ERR_MEMORY. The desk must live
 * until the loop's last turn. */
MUST_USE result desk_new(struct loop *loop, struct resolver *resolver /* borrows */, struct config *config, struct desk **out);
void desk_free(struct desk *d); /* gives up what is under way; NULL is fine */
void desk_connect(struct desk *d, int fd); /* takes fd: the keeper's new connection */
/* As keeper_client_on_breach(). */
void desk_on_breach(struct desk *d, void (*breach)(void *owner), void *owner);
/* Takes config. Errands under way end under the one before. On failure nothing changes. */
MUST_USE result desk_configure(struct desk *d, struct config *config);

#endif
