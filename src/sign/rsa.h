/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_RSA_PRIV_H
#define SIGN_RSA_PRIV_H

/* Inside of an RSA key, for this room only. */

#include "sign/jwe.h"

#include <openssl/evp.h>

struct rsa_key {
    EVP_PKEY *pkey;
    size_t bytes; /* of the modulus: the length of everything it encrypts or signs */
};

/* A context for RSA-OAEP with SHA-256 as hash and in MGF1 (RFC 7518 4.3), begun by <init>: EVP_PKEY_encrypt_init or
 * EVP_PKEY_decrypt_init. Returns owned; NULL when it could not be made. */
EVP_PKEY_CTX *rsa_oaep_256(struct rsa_key *k, int (*init)(EVP_PKEY_CTX *ctx));

#endif
