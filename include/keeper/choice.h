/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_CHOICE_H
#define KEEPER_CHOICE_H

/* Which credential goes out for a token in one attempt, and why it is the PAN when it is (README, "Network tokens", Choice). Decided in the
 * keeper, so that the PAN does not leave it for a payment that goes out with the network token. The relay says what it wishes;
 * route, card and network token are looked up where the decision is made.
 *
 *     streamed, no rules ─► not_supported      forced PAN ─► forced      not in volume ─► not_in_volume
 *     record: NONE, PENDING, UNPROVISIONED ─► not_provisioned   SUSPENDED ─► suspended   DELETED ─► deleted
 *     ACTIVE, but past its own expiry ─► not_provisioned: there is no token that is good (any more), and its state is read back
 *     ACTIVE ─► merchant-initiated and the rules go without: stored number and expiry
 *            └► cryptogram in time: network token     failed ─► cryptogram_failed     too late ─► budget_spent            */

#include "body/credential.h"
#include "rules/config.h"
#include "vault/network.h"

enum fallback {
    FALLBACK_NONE = 0,
    FALLBACK_NOT_SUPPORTED,   /* the rules have no network_token section, or the body is streamed */
    FALLBACK_NOT_IN_VOLUME,   /* the route's rollout leaves this token out */
    FALLBACK_NOT_PROVISIONED, /* the card has no network token (yet), or one whose own expiry is past and whose renewal is not known yet */
    FALLBACK_SUSPENDED,
    FALLBACK_DELETED,
    FALLBACK_FORCED,          /* the caller asked for CARD_PAN */
    FALLBACK_CRYPTOGRAM_FAILED,
    FALLBACK_BUDGET_SPENT,
    FALLBACK_COUNT
};
const char *fallback_name(enum fallback f); /* "not_supported", …; NULL for FALLBACK_NONE */

enum wanted {
    WANTED_BEST = 0,          /* as the route's configuration has it */
    WANTED_TOKEN,             /* the caller asked for NETWORK_TOKEN: the volume does not matter */
    WANTED_PAN,               /* the caller asked for CARD_PAN */
    WANTED_PAN_RETRY,         /* the network token was declined */
    WANTED_PAN_STREAMED,      /* the body goes out in pieces: rules cannot set or drop members */
    WANTED_COUNT
};
struct wish {
    enum wanted wanted;
    bool merchant_initiated;
};
struct choice {
    enum credential_kind kind;
    enum fallback fallback;
    bool card_has_token;      /* an ACTIVE network token that is within its expiry, whatever went out */
    uint32_t network_us;      /* waited for the card network */
};
/* x-cardveil-card-token-type: NETWORK_TOKEN or CARD_PAN, without case. */
bool wanted_parse(slice value, enum wanted *out);
/* The state as a payment sees it. An ACTIVE token is good to the end of its month, in UTC; after it, it is as one that there is not:
 * UNPROVISIONED. One whose expiry the network never told has none to be past. */
enum network_state choice_state(const struct network_record *record, int64_t wall_ms);
/* What is decided without the network. FALLBACK_NONE: a network token is to be had if the network gives what it needs. */
enum fallback choice_before_network(const struct config_route *route, slice token, struct wish wish, enum network_state state);
/* Is this token within the route's volume? A stable hash of token and route: the same card always falls on the same side. */
bool choice_in_volume(slice route, slice token, unsigned percent);

#endif
