/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_TMS_H
#define NETWORK_TMS_H

/* Cybersource TMS: network tokens of Visa, Mastercard and Amex behind one API. Source: facts of Cybersource's SDK documents.
 *
 *   enrol        POST /tms/v2/tokenized-cards                       source ONFILE, createPanInstrumentIdentifier
 *   credentials  POST /tms/v2/tokens/{ref}/payment-credentials      answer: a JWE, opened with the merchant's RSA key
 *   state        GET  /tms/v2/tokenized-cards/{ref}
 *   remove       POST /tms/v2/tokenized-cards/{ref}/delete
 *   notice       tms.networktoken.provisioned, .updated; v-c-signature over the body or its payload member
 *
 * Every call is signed, by HTTP Signature or JWT as configured. What answers come to:
 *
 *   2xx                      OK; UNPROVISIONED without a reason is PENDING, with one NETWORK_REFUSED. A token that is not ACTIVE has
 *                            no credentials: NETWORK_REFUSED with its state, DELETED NETWORK_TOKEN_GONE
 *   400, 409, other 4xx      NETWORK_REFUSED with the reason in the body; none: INVALID_REQUEST (400) or OTHER. The network itself
 *                            calls SERVICE_UNAVAILABLE and SYSTEM_ERROR failures: whoever enrols may ask again later
 *   401, 403, 424            NETWORK_CREDENTIALS
 *   404, 410                 NETWORK_TOKEN_GONE with DELETED (to an enrolment: NETWORK_ANSWER)
 *   408, 429, 5xx, none      NETWORK_DOWN; these count against the circuit breaker, and so does what is no HTTP
 *   anything else            NETWORK_ANSWER, with nothing of it to be used
 *
 * The instrument identifier is taken from instrumentIdentifier.id or _links.instrumentIdentifier.href; where it stands the documents
 * do not say.
 *
 * A notification is old, and refused (ERR_SIGNATURE_WRONG), when its signature's t= is more than 10 minutes away from our clock: time
 * enough for the platform's own three retries, a minute apart. One of the platform's pages calls t= the time when the key was made;
 * should that be so, every notification is refused, the log says why with its age, and the state is read by polling. Of payload the
 * parts that name tokens are read: data.id, and the last segment of each data._links.instrumentIdentifiers[].href. Both forms of
 * payload are taken, as they came and without the white space between tokens. What is rightly signed is never refused for what stands
 * in it: a test call names no token, and what cannot be read now could not be read the next time. The log has it. */

#include "network/connector.h"

MUST_USE result tms_connector_new(const struct connector_options *options, struct connector **out);

#endif
