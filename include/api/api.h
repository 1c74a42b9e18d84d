/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_API_H
#define API_API_H

/* The REST API on the proxy's listeners: what the proxy calls through keeper/service.h.
 *
 *   POST   /v1/tokens        a card, or an array of up to 100 → token(s)     permission tokenize
 *   GET    /v1/tokens/{id}   status and masked card, never a PAN             permission read
 *   PATCH  /v1/tokens/{id}   new expiry, holder; removePlain                 permission change
 *   DELETE /v1/tokens/{id}                                                   permission delete
 *   POST   /v1/transactions  one card with its CVC → temporal token          permission tokenize
 *
 * Cards are taken as content-type: application/json only; anything else is a 415.                                        */

#include "keeper/service.h"

extern const struct service api_service;

#endif
