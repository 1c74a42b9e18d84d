/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_LEAVING_H
#define VAULT_LEAVING_H

/* What goes with a card that is deleted: its aliases, its network record and the index entries that lead there, its trails, and, where the
 * network knows the card, a JOB_REMOVE that tells it. Read first, then part of the batch that deletes the card:
 *
 *     leaving_read ─► leaving_add ─► (the card's batch is on disk) ─► leaving_finish ─► done
 *
 * A trail can only be put while its card is there; so what a payment put between reading and deleting, and what one batch had no
 * room for, is found by leaving_finish, after which there is none. */

#include "vault_priv.h"

struct leaving; /* secret memory */
struct leaving *leaving_new(struct vault *v, slice merchant, const struct token_id *token); /* NULL: memory */
void leaving_free(struct leaving *l);                                                       /* NULL is fine */
/* Again after a conflict. ERR_VAULT_SEAL, ERR_VAULT_FORMAT, ERR_VAULT_STORE. */
void leaving_read(struct leaving *l, vault_done done, void *owner);
/* Of a card whose number goes, while it stays: after leaving_read. Has it a network token to be paid with? And the expectation that it
 * still has that very one. */
bool leaving_has_active(const struct leaving *l);
void leaving_expect_record(struct leaving *l, struct batch *b);
MUST_USE result leaving_add(struct leaving *l, struct batch *b); /* what it points to lives as long as l */
void leaving_finish(struct leaving *l, vault_done done, void *owner); /* r: OK always: the card is gone */

#endif
