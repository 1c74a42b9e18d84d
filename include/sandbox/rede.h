/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_REDE_H
#define SANDBOX_REDE_H

/* e.Rede (Brazil): POST and GET on /erede/v1/transactions (Basic) and /erede/v2/transactions (Bearer). Shapes and names are
 * those of the public SDKs. What is wrong with a request is told in Rede's own form, {"returnCode","returnMessage"}; the codes
 * of mistakes are the well-known ones where there are such, and "56" (error in reported data) elsewhere. A payment with a network token is checked against what the simulated
 * network handed out (tms.h): right token, expiry and ECI, and a cryptogram of its own that was not used before; else the brand
 * declines, 82 (Visa) or 88 (Mastercard), 57 for a token that is not ACTIVE. */

#include "sandbox/answer.h"

struct rede;
struct tms;
struct rede *rede_new(struct tms *network /* borrows */); /* NULL: memory */
void rede_free(struct rede *r);
bool rede_takes(slice path);
MUST_USE result rede_handle(struct rede *r, const struct sandbox_request *q, struct sandbox_answer *a);

#endif
