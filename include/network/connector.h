/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_CONNECTOR_H
#define NETWORK_CONNECTOR_H

/* A card network's token service as the registrar sees it: enrol a card, fetch payment credentials, read a token's state, let go
 * of it, and tell whether an inbound notification is genuine. One table of functions per kind of service; Cybersource TMS is the
 * first (network/tms.h). A connector owns its connections, its credentials and its circuit breaker; it knows no merchant, no vault
 * and no queue. All calls answer once, by callback, never before they return.
 *
 *     registrar ─► connector ─► breaker open? ─► signed HTTPS call (network/call.h) ─► answer, parsed to types ─► done          */

#include "body/credential.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "rules/config.h"

enum { NETWORK_REF_MAX_BYTES = 64, BILLING_MAX_BYTES = 100 };

/* The network's own name of something: a tokenised card, an instrument identifier. Letters, digits, '-', '_'; anything else in an
 * answer is ERR_NETWORK_ANSWER. */
struct network_ref {
    uint8_t len;
    char at[NETWORK_REF_MAX_BYTES];
};
bool network_ref_from(slice text, struct network_ref *out);
slice network_ref_slice(const struct network_ref *r);

struct billing {       /* bill_to of an enrolment; each at most BILLING_MAX_BYTES, any may be empty */
    slice address_1, address_2, city, state, postal_code, country;
};
struct network_card {  /* borrows; secret */
    slice number, holder, cvc; /* holder and cvc may be empty */
    uint8_t month;
    uint16_t year;
    enum card_brand brand;
    struct billing billing;
    slice correlation;  /* ours, the same for every try of one enrolment: the network recognises a repeated call by it */
};

struct network_answer {
    result r;           /* OK, or NETWORK_DOWN (nothing known: try later), _REFUSED (reason says why), _UNSUPPORTED, _ANSWER,
                         * _CREDENTIALS, _TOKEN_GONE */
    enum network_state state;
    enum network_reason reason;
    struct network_ref ref;         /* of the tokenised card */
    struct network_ref instrument;  /* of the card behind it, where the service has such; len 0: none */
    uint8_t month;                  /* the token's own expiry; 0: not told */
    uint16_t year;
    const struct credential *credential; /* answers to credentials() only, r OK: valid for the call, secret */
    uint64_t took_us;
};
typedef void (*network_done)(void *owner, const struct network_answer *answer);

struct connector;
struct network_call; /* one call under way */

struct connector_engine {
    const char *name; /* "cybersource" */
    struct network_call *(*enrol)(struct connector *c, const struct network_card *card, network_done done, void *owner);
    /* A fresh cryptogram each time (ecom). without_cryptogram: number and expiry only, for merchant-initiated payments. */
    struct network_call *(*credentials)(struct connector *c, slice ref, bool without_cryptogram, network_done done, void *owner);
    struct network_call *(*state)(struct connector *c, slice ref, network_done done, void *owner);
    struct network_call *(*remove)(struct connector *c, slice ref, network_done done, void *owner);
    void (*cancel)(struct network_call *call);
    /* An inbound notification: is it signed by the network, and which tokenised cards or instruments does it speak of? Synchronous.
     * One that is speaks of the first <room> that can be read in it, of nobody maybe. ERR_SIGNATURE_…, ERR_MEMORY. */
    result (*notice)(struct connector *c, slice signature_field, slice body, struct network_ref *refs, size_t room, size_t *count);
    void (*free)(struct connector *c);
};
struct connector {
    const struct connector_engine *engine;
    const struct config_network *config;
};

struct connector_options {
    struct loop *loop;
    struct resolver *resolver;
    const struct config *config;          /* borrows for the connector's life */
    const struct config_network *network; /* borrows: which one */
};
/* By the network's type. ERR_CONFIG: its keys are unusable (the log says which); ERR_MEMORY. */
MUST_USE result connector_new(const struct connector_options *options, struct connector **out);

/* NULL: memory. A call's breaker may answer NETWORK_DOWN at once (in the next turn). */
static inline struct network_call *connector_enrol(struct connector *c, const struct network_card *card, network_done done, void *owner)
{
    return c->engine->enrol(c, card, done, owner);
}
static inline struct network_call *connector_credentials(struct connector *c, slice ref, bool without_cryptogram, network_done done, void *owner)
{
    return c->engine->credentials(c, ref, without_cryptogram, done, owner);
}
static inline struct network_call *connector_state(struct connector *c, slice ref, network_done done, void *owner)
{
    return c->engine->state(c, ref, done, owner);
}
static inline struct network_call *connector_remove(struct connector *c, slice ref, network_done done, void *owner)
{
    return c->engine->remove(c, ref, done, owner);
}
static inline void connector_cancel(struct connector *c, struct network_call *call) /* no done after it; NULL is fine */
{
    if (call) c->engine->cancel(call);
}
MUST_USE static inline result connector_notice(struct connector *c, slice signature_field, slice body, struct network_ref *refs,
                                               size_t room, size_t *count)
{
    return c->engine->notice(c, signature_field, body, refs, room, count);
}
static inline void connector_free(struct connector *c) /* no call may be under way; NULL is fine */
{
    if (c) c->engine->free(c);
}

#endif
