/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STAGE_REGISTRAR_H
#define TESTS_STAGE_REGISTRAR_H

/* The test in the registrar's place: what the keeper orders, and what it is answered. */

#include "keeper/wire.h"
#include "stage.h"

/* What a payment with "tok_good1" is told: the card, or the credential of registrar_credential(). */
#define PAN "revealed 1 NONE 4111111111111111 12/2030 ANNA B;"
#define TOKEN "revealed 1 NONE 4895370000000002 12/2031 ANNA B;"
struct keeper_dialogue *pay(void); /* asks for it, as <wish> has it */

extern int registrar; /* our end of the pair */
void registrar_start(void);
void registrar_stop(void); /* the connection is lost */
/* The next order, after some turns; its text is "TYPE tail tail …". Asserts that there is one. */
struct order_seen {
    enum wire_type type;
    uint64_t id;
    char text[2048];
};
const struct order_seen *registrar_order(void);
const struct order_seen *last_order(void);
bool registrar_is_idle(void); /* nothing was ordered */
void registrar_say(uint64_t id, enum wire_type type, const void *fixed, const slice *tails);
/* Answers to the order before: a state, a failure, a credential with that cryptogram. */
void registrar_state(enum network_state state, const char *ref);
void registrar_fail(enum error e, enum network_reason reason);
void registrar_credential(const char *cryptogram);
/* Every byte that ever went to the client. */
void tap_relay(void); /* instead of the client: a raw relay whose datagrams are kept; opens a dialogue with listener 1 */
void tap_reveal(const char *token, enum wanted wanted, bool merchant_initiated);
slice tap_read(void); /* all that came */

#endif
