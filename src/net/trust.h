/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_TRUST_H
#define NET_TRUST_H

/* One X509_STORE per set of trust anchors, however many contexts use it: a system bundle costs megabytes and tens of
 * milliseconds, and every route names it. */

#include "base/result.h"
#include "base/slice.h"

#include <openssl/x509.h>

struct trust;
MUST_USE result trust_hold(slice pem, struct trust **out); /* ERR_CONFIG: no certificate, or a damaged one; ERR_MEMORY */
X509_STORE *trust_store(const struct trust *t);
void trust_release(struct trust *t); /* NULL is fine */

#endif
