/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_SERVER_H
#define KEEPER_SERVER_H

/* The keeper's side: many relays on one loop, one vault, one audit trail. It believes nothing that a relay says beyond what only
 * a relay can know (who connected to which listener): who the caller is, which merchant that is, what it may do and how often
 * is looked up here, for every dialogue and every reveal.
 *
 *     frames of all relays ─► questions to the vault ─► vault_flush (writes, audit lines on disk) ─► answers leave
 *
 * No answer leaves before the audit line that tells of it was written; if that fails, every card of the turn is taken back. */

#include "net/loop.h"
#include "rules/config.h"
#include "vault/vault.h"

struct keeper_server;
struct keeper_server_options {
    struct loop *loop;     /* borrows; its turn-end hook is the server's: the server must live until the last turn */
    struct vault *vault;   /* borrows; the server calls vault_flush and vault_tick */
    struct config *config; /* takes, also on failure */
    uint32_t generation;
    /* The other end of this pair broke the protocol, or its connection failed, and is dropped: whoever is there must be ended, and the
     * next one gets a new pair. Not for one that closed its end: it is gone, or sees to itself. NULL: nobody is told. */
    void (*on_breach)(void *owner, uint32_t pair);
    void *owner;
};
MUST_USE result keeper_server_new(const struct keeper_server_options *options, struct keeper_server **out);
void keeper_server_free(struct keeper_server *s);
/* Takes fd; pair: what on_breach names it by. A relay of the same number that is still connected was restarted: its dialogues end. */
MUST_USE result keeper_server_add_relay(struct keeper_server *s, unsigned number, uint32_t pair, int fd);
/* Takes fd: the registrar's end, made anew whenever it (or the keeper) was restarted. Without one card networks are down. */
void keeper_server_registrar(struct keeper_server *s, uint32_t pair, int fd);
/* Takes config. Dialogues that name an earlier generation are judged by that one, as long as it is among the last four.
 * A generation that is known already becomes the current one again: a reload that was taken back. */
MUST_USE result keeper_server_configure(struct keeper_server *s, struct config *config, uint32_t generation);
size_t keeper_server_dialogues(const struct keeper_server *s);

#endif
