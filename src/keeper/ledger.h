/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_LEDGER_H
#define KEEPER_LEDGER_H

/* Gathers what the report counts and commits it, a few times a second, together with the marks up to which each relay's payments
 * are in it: one atomic batch, so that a payment that is told again after a crash is counted once.
 *
 *     count, mark ─► gathering ──every 250 ms──► flying (one batch at a time) ──on disk──► kept(relay, number)             */

#include "net/loop.h"
#include "vault/network.h"

struct ledger;
typedef void (*ledger_kept)(void *owner, uint64_t relay, uint64_t number); /* that relay's payments up to there are on disk */
struct ledger *ledger_new(struct loop *loop, struct vault *vault, ledger_kept kept, void *owner); /* NULL: memory */
void ledger_free(struct ledger *l); /* what is not committed is lost; NULL is fine */
/* false: there is no room until the next commit (ledger_has_room). */
bool ledger_count(struct ledger *l, slice merchant, slice route, enum counter counter, uint64_t n);
bool ledger_mark(struct ledger *l, uint64_t relay, uint64_t number);
/* Is there room for one payment's counters and mark? */
bool ledger_has_room(const struct ledger *l);
void ledger_commit(struct ledger *l); /* now; at shutdown */

#endif
