/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_DIGEST_H
#define SIGN_DIGEST_H

/* SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104), whole or in pieces. */

#include "base/result.h"
#include "base/slice.h"

enum { SHA256_BYTES = 32 };

MUST_USE result sha256(slice bytes, uint8_t out[SHA256_BYTES]);                     /* ERR_CRYPTO */
MUST_USE result hmac_sha256(slice key, slice bytes, uint8_t out[SHA256_BYTES]);     /* ERR_CRYPTO */

/* HMAC-SHA-256(key, time "." bytes): what Cybersource's notifications and our own webhooks sign. ERR_CRYPTO */
MUST_USE result hmac_sha256_timed(slice key, slice time /* decimal, as it is written */, slice bytes, uint8_t out[SHA256_BYTES]);

/* In pieces: for bodies that do not come at once. */
struct hmac;
MUST_USE result hmac_new(slice key, struct hmac **out);
MUST_USE result hmac_feed(struct hmac *h, slice bytes);
MUST_USE result hmac_end(struct hmac *h, uint8_t out[SHA256_BYTES]);
void hmac_free(struct hmac *h); /* wipes; NULL is fine */

#endif
