/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_TLS_PRIV_H
#define NET_TLS_PRIV_H

/* What a link asks of a TLS context. */

#include "net/tls.h"

#include <openssl/ssl.h>

/* Return owned: an SSL in its role, without a descriptor. NULL: memory, or (client) a server name that cannot be verified:
 * empty, longer than 253 bytes, or with a NUL in it. */
SSL *tls_server_open(struct tls_server *t);
/* A server with one context, whose certificate and key are still to be set in *context. */
MUST_USE result tls_server_bare(struct tls_server **out, SSL_CTX **context);
bool tls_server_fits(const struct tls_server *t, const SSL *ssl, slice host); /* see link_is_for() */
SSL *tls_client_open(struct tls_client *t, slice server_name);
void tls_server_hold(struct tls_server *t);
void tls_client_hold(struct tls_client *t);

#endif
