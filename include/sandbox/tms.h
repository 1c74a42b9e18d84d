/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_TMS_H
#define SANDBOX_TMS_H

/* A simulated card network: Cybersource TMS as its SDK's documents describe it, for cards of Visa and Mastercard. Every request's
 * HTTP Signature or JWT is verified, every field checked; cards become network tokens after a delay, answers with a cryptogram are
 * encrypted, changes are told by signed notifications. What it handed out it remembers, so that a simulated processor can tell
 * whether a payment's token, cryptogram and ECI are right, and tests can count.
 *
 *     POST /tms/v2/tokenized-cards                     enrol; the same card and accountReferenceId: the same token
 *     GET  /tms/v2/tokenized-cards/{id}                state;  POST …/{id}/delete: let go of it
 *     POST /tms/v2/tokens/{id}/payment-credentials     a JWE (application/jose)
 *     GET  /tms/v1/instrumentidentifiers/{id}          the card behind it, and its token's state
 *
 *     card ─► UNPROVISIONED ─delay─► ACTIVE ◄─► SUSPENDED        network tokens are 489537… (Visa) and 520473… (Mastercard):
 *                 │ reason: never       └──► DELETED ◄┘          never a card number
 *
 * Where the documents are silent it does this: payment-credentials of a token that was never ACTIVE are 409, of one that
 * is no longer they show its state and neither number nor cryptogram; a token that its merchant
 * deleted is 410 from then on, one that the network deleted shows its state. */

#include "net/loop.h"
#include "sandbox/answer.h"

#include <stdio.h>

struct tms;
struct tms_options { /* borrows for the life of the tms; secrets Base64, keys PEM */
    slice merchant_id, key_id, secret;
    slice jwt_key;         /* certificate or public key for RS256; empty: RS256 is not taken */
    slice answer_key;      /* certificate or public key that answers are encrypted to; empty: no payment credentials */
    uint64_t provision_ms; /* from enrolment to ACTIVE */
    slice notify_url;      /* empty: no notifications. http:// on loopback, or https:// with notify_ca */
    slice notify_ca, notify_key_id, notify_key;
    bool notify_whole_body; /* what v-c-signature is over: the whole body, else its payload member */
};
/* *why tells what is wrong with the options: ERR_BASE64, ERR_CRYPTO, ERR_USAGE. */
MUST_USE result tms_new(struct loop *loop, const struct tms_options *options, struct tms **out, const char **why);
void tms_free(struct tms *t); /* before its loop; NULL is fine */

bool tms_takes(slice path);
MUST_USE result tms_handle(struct tms *t, const struct sandbox_request *q, struct sandbox_answer *a);

/* For people and tests, not part of TMS:
 *     GET /_sandbox/network[?mask=1]   what was handed out, and how often it was used; DELETE forgets it all
 *     POST /_sandbox/network           {"latency_ms": 5000, "mode": "normal" | "reset" | "down"}: how /tms/ answers from now on
 *     POST /_sandbox/tms/{id}/event    {"state": "ACTIVE" | "SUSPENDED" | "DELETED" | "RENEWED" | "REPLACED"} */
bool tms_control_takes(slice path);
MUST_USE result tms_control_handle(struct tms *t, const struct sandbox_request *q, struct sandbox_answer *a);

/* A payment's card as a processor sees it. Each sight of a cryptogram counts as a use of it. */
struct tms_payment {
    slice number, cryptogram, eci; /* the latter two may be empty */
    uint64_t month, year;
    bool merchant_initiated;       /* may go without a cryptogram */
};
enum tms_verdict {
    TMS_NOT_A_TOKEN, /* a card number, and no cryptogram with it */
    TMS_RIGHT,
    TMS_WRONG,       /* a cryptogram that is not this token's, was used, or is missing; another ECI or expiry; no such token */
    TMS_NOT_ACTIVE,
};
/* card: the number behind the token when RIGHT or NOT_ACTIVE, valid until the token is forgotten; else payment->number. */
enum tms_verdict tms_judge(struct tms *t, const struct tms_payment *payment, slice *card);

void tms_print_cards(FILE *out);

#endif
