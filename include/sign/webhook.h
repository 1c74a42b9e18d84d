/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_WEBHOOK_H
#define SIGN_WEBHOOK_H

/* Signature of the webhooks that Cardveil sends: "t=<unix seconds>,s=<hex of HMAC-SHA-256(secret, t "." body)>". The time is
 * signed with the body, so that an old delivery cannot be played back; a receiver refuses what is older than five minutes. */

#include "base/buf.h"

#define WEBHOOK_SIGNATURE_FIELD "x-cardveil-signature"
MUST_USE result webhook_signature_write(slice secret, int64_t time_s, slice body, struct buf *out);
/* For tests and the sandbox's receiver. age_s: at most so old, and as far ahead of our clock. */
bool webhook_signature_matches(slice field, slice secret, slice body, int64_t now_s, int64_t age_s);

#endif
