/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_JWE_H
#define SIGN_JWE_H

/* JSON Web Encryption in its compact form (RFC 7516), RSA-OAEP-256 with A256GCM and nothing else (RFC 7518 4.3, 5.3), and the
 * RS256 signature (RFC 7518 3.3). Plaintext goes to secret buffers. One error for all that is wrong with a ciphertext, so that
 * nothing is learned from it. */

#include "base/buf.h"

struct rsa_key;
MUST_USE result rsa_key_private(slice pem, struct rsa_key **out); /* PKCS#8 or PKCS#1, not encrypted, at least 2048 bits; ERR_CRYPTO */
MUST_USE result rsa_key_public(slice pem /* a certificate or a public key */, struct rsa_key **out);
void rsa_key_free(struct rsa_key *k); /* NULL is fine */

/* ERR_JWE: not compact, another alg or enc, "zip" or "crit" in the header, or it does not open. */
MUST_USE result jwe_decrypt(struct rsa_key *private_key, slice compact, struct buf *out /* secret */);
MUST_USE result jwe_encrypt(struct rsa_key *public_key, slice key_id /* may be empty */, slice plain, struct buf *out);
MUST_USE result rs256_sign(struct rsa_key *private_key, slice text, struct buf *out /* bytes */);
bool rs256_verify(struct rsa_key *public_key, slice text, slice signature);

#endif
