/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_PROXY_KEY_H
#define PROXY_PROXY_KEY_H

/* The API key of a client that uses us as its proxy: "Proxy-Authorization: Bearer KEY", or Basic with the key as password, or as user
 * name without a password (RFC 9110 11.7.2, RFC 7617, RFC 6750). */

#include "http/head.h"
#include "vault/vault.h"

struct proxy_key { /* wipe it with secret_wipe() */
    char text[API_KEY_TEXT_BYTES];
    size_t len;
    bool is_given; /* false: there was no such field. True with len 0: something that is no key, which is a wrong one */
};
void proxy_key_read(const struct http_head *h, struct proxy_key *out);

#endif
