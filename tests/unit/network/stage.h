/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_NETWORK_STAGE_H
#define TESTS_NETWORK_STAGE_H

/* A TMS connector in front of a platform that is played by hand, with keys made for the occasion. The secret and the
 * notification key are the bytes 00 to 1f. */

#include "network/connector.h"
#include "player.h"
#include "sign/jwe.h"

#define STAGE_SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

struct stage {
    struct loop *loop;
    struct resolver *resolver;
    struct player player;
    struct config config;
    struct config_network network;
    struct connector *connector;
    EVP_PKEY *rsa; /* answer_key and jwt_key */
    char *private_pem;
    struct rsa_key *public_key; /* encrypts to answer_key */
};
void stage_start(struct stage *s, enum network_auth auth);
void stage_finish(struct stage *s);
void stage_turns(struct stage *s); /* a few */

/* What a call came to. */
struct told {
    unsigned count;
    struct network_answer answer;
    struct credential credential; /* copied, if there was one */
};
void on_told(void *owner, const struct network_answer *a);
#define WAIT_TOLD(s, t) TURN_UNTIL((s)->loop, (t)->count == 1)

/* A card of the documents; correlation "enrol-1". */
struct network_card stage_card(void);
/* The platform's answer to a call for credentials: <json> encrypted. */
void stage_answer_jwe(struct stage *s, slice json);

#endif
