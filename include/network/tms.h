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
 * Every call is signed, by HTTP Signature or JWT as configured. */

#include "network/connector.h"

MUST_USE result tms_new(const struct connector_options *options, struct connector **out);

#endif
