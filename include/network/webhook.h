/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_WEBHOOK_H
#define NETWORK_WEBHOOK_H

/* Delivers one event to one of a merchant's URLs: POST, JSON, signed (sign/webhook.h), verified TLS; delivered means a 2xx status.
 * A redirection is not followed. Order and repetition are the outbox's (the keeper's), not ours. Beside the signature each
 * delivery carries the event's id: the same one for every try, so that a receiver can tell a repetition. */

#include "net/loop.h"
#include "net/resolver.h"
#include "rules/config.h"

#define WEBHOOK_EVENT_FIELD "x-cardveil-event-id"

struct webhook_sender; /* one per registrar and configuration: pools of connections, one per URL */
struct webhook_delivery;
/* ERR_CONFIG: a URL's trust anchors are unusable (the log says which); ERR_MEMORY. */
MUST_USE result webhook_sender_new(struct loop *loop, struct resolver *resolver, const struct config *config /* borrows */,
                                   struct webhook_sender **out);
void webhook_sender_free(struct webhook_sender *s); /* cancels what is under way; NULL is fine */
/* r: OK, ERR_WEBHOOK_UNDELIVERED (status says more; 0: no answer in 10 s). */
typedef void (*webhook_done)(void *owner, result r, int status);
/* NULL: memory, or no such merchant or webhook. done comes once, never before this returns. */
struct webhook_delivery *webhook_send(struct webhook_sender *s, uint32_t merchant, uint32_t webhook /* indices in the configuration */,
                                      slice event_id, slice json, webhook_done done, void *owner);
void webhook_cancel(struct webhook_delivery *d); /* NULL is fine */

#endif
