/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_ABOUT_H
#define API_ABOUT_H

/* A call about one stored card, whatever shape its answer has: what /v1/tokens/{id} and /v1/aliases/{alias} have in common. */

#include "call.h"

enum about_operation { ABOUT_GET = 0, ABOUT_CHANGE, ABOUT_DELETE };
enum { ABOUT_CARD, ABOUT_NETWORK_TOKEN }; /* the questions' indices */

struct about_call { /* an endpoint's own call begins with one */
    struct service_call base;
    enum about_operation operation;
    result verdict;
    struct card_info info;
    struct network_info network; /* of a card without one: NETWORK_NONE */
};

/* Operation and permission by the method. ERR_METHOD. */
MUST_USE result about_take_method(struct service_call *c);
/* The card, and its network token where the merchant has a network. */
MUST_USE result about_ask(struct service_call *c);
/* Handlers of the answers. */
void about_on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created);
void about_on_network(void *owner, uint32_t index, result r, const struct network_info *info, const struct credential *credential);

#endif
