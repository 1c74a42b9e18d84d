/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_CREDIBANCO_H
#define SANDBOX_CREDIBANCO_H

/* Credibanco (Colombia): register.do, paymentorder.do and getOrderStatusExtended.do under /payment/rest/ and, with the field
 * names of travel agencies (MCC 4722), under /proxy/rest/. Forms in, JSON out; HTTP 200 always, errors in errorCode, as the
 * manual says: 1 order exists, 3 currency, 4 missing field, 5 bad value or access denied, 6 unknown order, 7 system. */

#include "sandbox/answer.h"

struct credibanco;
struct credibanco *credibanco_new(void); /* NULL: memory */
void credibanco_free(struct credibanco *c);
bool credibanco_takes(slice path);
MUST_USE result credibanco_handle(struct credibanco *c, const struct sandbox_request *q, struct sandbox_answer *a);

#endif
