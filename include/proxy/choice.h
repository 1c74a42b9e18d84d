/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_CHOICE_H
#define PROXY_CHOICE_H

/* Which credential goes out for a token in one attempt, and why it is the PAN when it is (design, section 7). */

#include "body/credential.h"
#include "body/token_table.h"
#include "rules/config.h"

enum fallback {
    FALLBACK_NONE = 0,
    FALLBACK_NOT_SUPPORTED,   /* the rules have no network_token section */
    FALLBACK_NOT_IN_VOLUME,   /* the route's rollout leaves this token out */
    FALLBACK_FORCED,          /* the caller asked for CARD_PAN */
    FALLBACK_NOT_PROVISIONED, /* the card has no network token; one behind a temporal token never has */
};
const char *fallback_name(enum fallback f); /* "not_supported", …; NULL for FALLBACK_NONE */

struct choice {
    enum credential_kind kind;
    enum fallback fallback;
};
/* May x-cardveil-card-token-type have this value? NETWORK_TOKEN or CARD_PAN, without case. */
bool choice_is_kind(slice forced);
/* <forced>: value of x-cardveil-card-token-type, empty if none. <revealed>: what the keeper gave for the token. */
struct choice choice_make(const struct config_route *route, slice token, enum token_kind kind, slice forced,
                          const struct credential *revealed);
/* Is this token within the route's volume? A stable hash of token and route: the same card always falls on the same side. */
bool choice_in_volume(slice route, slice token, unsigned percent);

#endif
