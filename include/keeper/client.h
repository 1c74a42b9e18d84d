/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_CLIENT_H
#define KEEPER_CLIENT_H

/* The relay's side of the keeper. One dialogue per exchange: open it with who is calling, reveal the tokens it met, end it.
 * Frames of one loop turn go out as one batch at the turn's end, so OPEN and the REVEALs of a small request travel together
 * and cost a fraction of a system call. The keeper binds the dialogue to the caller's merchant and to one purpose; what the
 * relay claims is checked there.
 *
 *     keeper_open ─┬─ on_opened(ERR_NONE | KEY_…)                keeper_end or keeper_end_unsent (always; on_… never comes after it)
 *                  └─ keeper_reveal(index…) ─ on_revealed(index, …)                                                        */

#include "base/result.h"
#include "body/credential.h"
#include "body/token_table.h"
#include "net/loop.h"
#include "vault/vault.h"

#include <sys/socket.h>

struct keeper_client;  /* one per relay process */
struct keeper_dialogue;

/* Takes fd, a connected SOCK_SEQPACKET socket, or -1: none yet. keeper_client_replace() gives a new one after the keeper was
 * restarted; all open dialogues have failed by then, or fail now (ERR_KEEPER_AWAY). answer_ms: how long the keeper may be silent
 * while a dialogue has open questions. Sends in a turn-end hook, so it must live until the loop's last turn. NULL: memory. */
struct keeper_client *keeper_client_new(struct loop *loop, int fd, uint64_t answer_ms);
void keeper_client_free(struct keeper_client *c); /* calls nobody back; NULL is fine */
void keeper_client_replace(struct keeper_client *c, int fd);
bool keeper_client_is_connected(const struct keeper_client *c);
/* Which configuration the listener and route indices of the next keeper_open() belong to: the keeper keeps the last few, so
 * that requests which began before a reload are judged by theirs. Set it together with proxy_reload(). */
void keeper_client_set_generation(struct keeper_client *c, uint32_t generation);
/* Dialogues that wait for an answer: 0 when nothing is under way. For tests and /readyz. */
size_t keeper_client_waiting(const struct keeper_client *c);

enum keeper_purpose { KEEPER_FOR_PROXY, KEEPER_FOR_API };
struct keeper_caller {
    uint32_t listener;        /* index in the configuration; the keeper looks up whether it stands for a merchant */
    slice api_key;            /* as presented; start NULL: none */
    struct sockaddr_storage peer;
    enum keeper_purpose purpose;
    uint32_t route;           /* index in the configuration, with KEEPER_FOR_PROXY */
    unsigned permission;      /* the one needed: PERMIT_… */
    uint64_t request;         /* request id, for the audit trail */
};
struct keeper_handlers {
    /* r: ERR_NONE, KEY_MISSING, KEY_WRONG, KEY_ADDRESS, KEY_PERMISSION, KEY_MERCHANT, KEY_RATE, TOO_MANY_BAD_TOKENS,
     * KEEPER_AWAY, KEEPER_SLOW. merchant: index in the configuration. key_id: for the log; empty for a listener's merchant. */
    void (*on_opened)(void *owner, result r, uint32_t merchant, slice key_id);
    /* r: ERR_NONE, TOKEN_UNKNOWN, TOKEN_WRONG_KIND, TOKEN_EXPIRED, TOKEN_NO_PAN, TOO_MANY_BAD_TOKENS, KEEPER_…, VAULT_….
     * The credential is valid for the call and wiped after it: copy it to secret memory. */
    void (*on_revealed)(void *owner, uint32_t index, result r, const struct credential *credential);
    /* Answer to keeper_token_…() and keeper_temporal_create(); info is valid for the call, NULL on failure. */
    void (*on_token)(void *owner, uint32_t index, result r, const struct card_info *info, bool created);
};
/* NULL: memory, or too much is waiting for the keeper. Never calls back before it returns. Without a keeper the dialogue is made
 * all the same and on_opened(ERR_KEEPER_AWAY) comes soon. */
struct keeper_dialogue *keeper_open(struct keeper_client *c, const struct keeper_caller *caller,
                                    const struct keeper_handlers *handlers /* borrows, static */, void *owner);
/* The questions below may follow keeper_open() at once, they need not wait for on_opened(). A failure here (ERR_KEEPER_AWAY,
 * ERR_KEEPER_SLOW, ERR_TOKEN_UNKNOWN: no token is that long, ERR_MEMORY) means that the question was not asked: no answer comes. */
MUST_USE result keeper_reveal(struct keeper_dialogue *d, uint32_t index, slice token, enum token_kind kind);
MUST_USE result keeper_token_create(struct keeper_dialogue *d, uint32_t index, const struct card *card, bool unique);
/* cvc: as card_check_cvc() wants it; ttl_s: 1 to 28,800. Answered by on_token. */
MUST_USE result keeper_temporal_create(struct keeper_dialogue *d, uint32_t index, const struct card *card, slice cvc, uint32_t ttl_s);
MUST_USE result keeper_token_get(struct keeper_dialogue *d, uint32_t index, slice token);
MUST_USE result keeper_token_change(struct keeper_dialogue *d, uint32_t index, slice token, const struct card_change *change);
MUST_USE result keeper_token_delete(struct keeper_dialogue *d, uint32_t index, slice token);
/* NULL is fine; no callback comes after it. The temporal tokens that were revealed are used up: a byte of them may be at the
 * processor. */
void keeper_end(struct keeper_dialogue *d);
/* The same, but nothing of what was revealed has left this process: temporal tokens may be revealed again. Told to the keeper at
 * once, so that the caller may try again as soon as he is answered. */
void keeper_end_unsent(struct keeper_dialogue *d);

#endif
