/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_API_H
#define API_API_H

/* The REST API on the proxy's listeners: what the proxy calls through keeper/service.h. One endpoint a file of src/api.
 *
 *   POST   /v1/tokens        a card, or an array of up to 100 → token(s)     permission tokenize
 *   GET    /v1/tokens/{id}   status, masked card, network token's status     permission read
 *   PATCH  /v1/tokens/{id}   new expiry, holder; removePlain                 permission change
 *   DELETE /v1/tokens/{id}                                                   permission delete
 *   POST   /v1/transactions  one card with its CVC → temporal token          permission tokenize
 *   POST   /v1/tokens/enroll                    a stored card, with its network          permission enroll
 *   GET    /v1/tokens/{id}/payment-credentials  network token, fresh cryptogram, ECI     permission credentials
 *   GET    /v1/reports/network-tokens           counts, rates, their difference          permission report
 *   GET    /v1/aliases/{alias}                  the same as GET /v1/tokens/{id}, as PCI Proxy has it    permission read
 *   PATCH, DELETE                               likewise                                 change, delete
 *   POST   /v1/field-sessions                   a session of hosted card fields          permission tokenize
 *   GET    /fields/{session}, /fields/assets/…  the page with the fields, its files      the session
 *   POST   /fields/{session}                    a card out of that page                  the session
 *   POST   /v1/network-events/{network}         a card network's notification            its signature
 *
 * And in Firstoken's shapes, with the permissions of those above:
 *
 *   POST   /v1/tokenization/simple              cards, as in POST /v1/tokens             tokenize
 *   DELETE /v1/tokens                           several tokens                           delete
 *   POST   /transactions/requests               as POST /v1/transactions                 tokenize
 *   GET    /transactions/requests/{id}/inspect  is it alive                              read
 *   POST   /transactions/requests/{id}/tokenize its card becomes a stored one            tokenize
 *   DELETE /transactions/requests/{id}          its end                                  delete
 *   POST   /v1/detokenization/simple, GET /transactions/requests/{id}                    a 403, whoever asks: no number goes out
 *
 * Cards and enrolments are taken as content-type: application/json only; anything else is a 415. What a caller may not know of
 * (no such token, a token of another merchant) is one and the same answer.                                                      */

#include "keeper/service.h"

extern const struct service api_service;

#endif
