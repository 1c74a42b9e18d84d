/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_CAPTURE_H
#define PROXY_CAPTURE_H

/* One message on its way in, whole: its body, and what of its head has card numbers. The cards of both are numbered through and
 * asked of the keeper once the message is complete; not a byte of it goes on before each has its alias.
 *
 *   head's texts ─► inbound_text ─┐                          ┌─► capture_render_text()
 *   body ─────────► inbound ──────┴► cards ─► keeper ─► aliases ─► capture_render_body()                                     */

#include "body/inbound.h"
#include "keeper/client.h"

enum { MASKED_MAX_BYTES = 4096 };

struct capture;
struct capture *capture_new(void); /* NULL: memory */
void capture_free(struct capture *c); /* wipes; NULL is fine */

/* The body: once, before it is fed. Messages without one have none. */
MUST_USE result capture_open_body(struct capture *c, const struct inbound_options *options);
MUST_USE result capture_feed(struct capture *c, slice bytes); /* nothing without a body */
MUST_USE result capture_end(struct capture *c);
const struct body_fault *capture_fault(const struct capture *c); /* NULL: no body */
/* Looks for card numbers in a value of the head. *text: its number from 1; 0: there is none in it. */
MUST_USE result capture_add_text(struct capture *c, slice value, enum encoding encoding, uint32_t *text);
/* Where no alias can stand (a field's name), or none can be asked for. True also where it cannot be said for want of memory. */
bool capture_finds(slice text);

/* Asks for every card's alias; <index> of keeper_handlers.on_captured is the card's. Only after capture_end. *asked: how many. */
MUST_USE result capture_ask(struct capture *c, struct keeper_dialogue *d, uint32_t *asked);
/* For 'explain', instead of asking: each card's alias is its masked number, each CVC's "xxx". */
MUST_USE result capture_show(struct capture *c);
MUST_USE result capture_take(struct capture *c, uint32_t card, const struct captured *what);

struct capture_counts {
    uint64_t cards, cvcs; /* that got an alias */
    uint64_t invalid;     /* values at ruled fields that were masked or passed */
    uint64_t fell;        /* aliases of a longer format than the route's */
};
struct capture_counts capture_counts(const struct capture *c);
bool capture_changes_body(const struct capture *c);
/* Once every card has its alias. */
MUST_USE result capture_render_body(const struct capture *c, struct buf *out);
MUST_USE result capture_render_text(const struct capture *c, uint32_t text, struct buf *out);
/* "alias=411111xxxxxx1111; alias=…", whole pairs up to MASKED_MAX_BYTES; the rest is left out. */
MUST_USE result capture_write_masked(const struct capture *c, struct buf *out);

#endif
