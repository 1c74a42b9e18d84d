/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SHOP_H
#define SANDBOX_SHOP_H

/* A merchant's own system behind a filter route: POST /shop/… takes whatever comes (it is in the record, like all requests) and
 * says so, in XML to who sent XML, else in JSON. */

#include "sandbox/answer.h"

bool shop_takes(slice path);
MUST_USE result shop_handle(const struct sandbox_request *q, struct sandbox_answer *a);

#endif
