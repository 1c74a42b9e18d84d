/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_PEM_H
#define RULES_PEM_H

/* Checks of PEM files while a configuration is read, so that 'check' finds what a TLS handshake would trip over. */

#include "base/slice.h"

/* NULL if it is right, else what is wrong: at least one certificate, and every one of them whole. */
const char *pem_check_certificates(slice pem);
/* One private key, not encrypted. */
const char *pem_check_private_key(slice pem);
/* The key belongs to the first certificate; both were checked alone before. */
const char *pem_check_pair(slice certificates, slice key);

#endif
