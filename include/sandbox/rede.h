/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_REDE_H
#define SANDBOX_REDE_H

/* e.Rede (Brazil): POST and GET on /erede/v1/transactions (Basic) and /erede/v2/transactions (Bearer). Shapes and names are
 * those of the public SDKs. What is wrong with a request is told in Rede's own form, {"returnCode","returnMessage"}; the codes
 * of mistakes are the well-known ones where there are such, and "56" (error in reported data) elsewhere. */

#include "sandbox/answer.h"

struct rede;
struct rede *rede_new(void); /* NULL: memory */
void rede_free(struct rede *r);
bool rede_takes(slice path);
MUST_USE result rede_handle(struct rede *r, const struct sandbox_request *q, struct sandbox_answer *a);

#endif
