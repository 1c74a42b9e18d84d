/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_NO_PAN_H
#define KEEPER_NO_PAN_H

/* Merchants with 'no_pan: yes' keep no card number once the network token is ACTIVE. It is destroyed right after the state was written;
 * whatever came in between (a kill, a full disk, a configuration that said otherwise) is made good by a sweep over these merchants'
 * records, a page a tick, at the start and after each change of the configuration.
 *
 *     state ACTIVE ─► no_pan_apply ─► card has a number ─► vault: number and index entry go, while the token is ACTIVE ─► audit */

#include "server_priv.h"

struct no_pan;
struct no_pan *no_pan_new(struct keeper_server *server); /* NULL: memory */
void no_pan_free(struct no_pan *n);                      /* NULL is fine; after the vault has settled */
/* The card's network token is ACTIVE. Nothing happens where the merchant has no such setting, or the number is gone. */
void no_pan_apply(struct no_pan *n, slice merchant, slice token);
void no_pan_tick(struct no_pan *n); /* every second or so */

#endif
