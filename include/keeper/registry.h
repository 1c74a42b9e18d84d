/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_REGISTRY_H
#define KEEPER_REGISTRY_H

/* The keeper's side of the registrar: orders go out, each comes back once, by callback, and never before the call that gave it
 * returns. A registrar that is away, slow or lost is ERR_NETWORK_DOWN; an answer that comes after its time is dropped, so a
 * cryptogram that was fetched for one payment can never serve another.
 *
 *     registry_… ─► ORDER frame, at the turn's end, after what must be on disk ─► registrar
 *     done ◄─ RESULT frame │ time over (CANCEL goes out) │ connection lost                                                 */

#include "keeper/client.h"
#include "net/loop.h"
#include "vault/network.h"

struct registry;
struct order; /* lives until its answer or registry_cancel() */

/* on_breach: the registrar broke the protocol, or its connection failed, and is dropped; it needs a new one. NULL: memory. */
struct registry *registry_new(struct loop *loop, char *scratch /* borrows, WIRE_BATCH_BYTES, secret */, void (*on_breach)(void *owner), void *owner);
void registry_free(struct registry *r); /* calls nobody back; NULL is fine */
bool registry_is_away(const struct registry *r); /* there is no registrar: every order would fail at once */
void registry_replace(struct registry *r, int fd); /* takes fd; -1: none. What the old one has is answered ERR_NETWORK_DOWN */
/* For shutdown: all that is out is answered ERR_NETWORK_DOWN, at once, and nothing is taken any more. */
void registry_settle(struct registry *r);
/* At the turn's end, after audit lines and writes are on disk. Not sound: what was ordered in this turn does not leave. */
void registry_send(struct registry *r, bool audit_is_sound);
size_t registry_waiting(const struct registry *r); /* orders out */

struct registry_answer {
    result r;               /* NETWORK_… as network/connector.h has them */
    bool is_late;           /* with ERR_NETWORK_DOWN: the time was over */
    bool has_lapsed;        /* with ERR_NETWORK_ANSWER: the credential was past its own expiry */
    enum network_state state;
    enum network_reason reason;
    slice ref, instrument;  /* valid for the call */
    uint8_t month;
    uint16_t year;
    const struct credential *credential; /* of credentials only; valid for the call, wiped after it */
    uint64_t took_us;
};
/* Credentials were refused, or have lapsed, so the token is no longer what the record says: its state is to be read back. */
static inline bool registry_is_stale(const struct registry_answer *a)
{
    return a->r.err == ERR_NETWORK_TOKEN_GONE || a->r.err == ERR_NETWORK_REFUSED || a->has_lapsed;
}
typedef void (*registry_done)(void *owner, const struct registry_answer *answer);
typedef void (*registry_noticed)(void *owner, result r, const slice *refs, size_t count);
typedef void (*registry_delivered)(void *owner, result r, int status);

struct registry_card { /* borrows; secret */
    slice network, number, holder, cvc, billing /* wire_billing_put */, correlation;
    uint8_t month;
    uint16_t year;
    enum card_brand brand;
};
/* NULL: memory, or too many are out. */
struct order *registry_enrol(struct registry *r, const struct registry_card *card, uint64_t limit_ms, registry_done done, void *owner);
struct order *registry_credentials(struct registry *r, slice network, slice ref, bool without_cryptogram, uint64_t limit_ms,
                                   registry_done done, void *owner);
struct order *registry_state(struct registry *r, slice network, slice ref, uint64_t limit_ms, registry_done done, void *owner);
struct order *registry_remove(struct registry *r, slice network, slice ref, uint64_t limit_ms, registry_done done, void *owner);
struct order *registry_notice(struct registry *r, slice network, slice field, slice body, uint64_t limit_ms, registry_noticed done, void *owner);
struct order *registry_deliver(struct registry *r, slice merchant, slice url, slice event_id, slice json, uint64_t limit_ms,
                               registry_delivered done, void *owner);
void registry_cancel(struct order *o); /* no done after it; NULL is fine */

#endif
