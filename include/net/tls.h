/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_TLS_H
#define NET_TLS_H

/* TLS contexts. Everything comes as PEM bytes in memory (the relay reads no files). TLS 1.2 and 1.3 only, no renegotiation,
 * no compression, AEAD suites with forward secrecy; sessions are resumed by ticket. Upstream certificates and names are
 * always verified; there is no switch that turns it off. Built once, never edited; reload builds new ones. */

#include "base/result.h"
#include "base/slice.h"

struct tls_server;
struct tls_client;

/* What a server may show: the chain, leaf first, and the leaf's private key. */
struct tls_identity {
    slice certificate, key;
};
/* At least one identity. A client that names a host (SNI) is shown the first whose certificate has that name, or else the first
 * with a wildcard for it, or else the first of all. client_ca: if not empty, clients must present a certificate under it (mTLS),
 * whatever name they ask for. */
MUST_USE result tls_server_new(const struct tls_identity *identities, size_t count, slice client_ca, struct tls_server **out);
/* A key pair on P-256 that never leaves the process, for certificates that are made while it runs. */
struct tls_key;
enum { TLS_POINT_BYTES = 65 }; /* the public key, uncompressed (SEC 1 2.3.3) */
MUST_USE result tls_key_new(struct tls_key **out);
void tls_key_free(struct tls_key *k); /* NULL is fine */
const uint8_t *tls_key_point(const struct tls_key *k);
/* A server with a certificate over that key, in DER, without a chain. ERR_CONFIG: it is none, or for another key. */
MUST_USE result tls_server_new_leaf(const struct tls_key *key, slice certificate, struct tls_server **out);
void tls_server_free(struct tls_server *t); /* links that use it keep it alive (reference-counted) */

/* ca: trust anchors; certificate, key: for mTLS, or both empty. alpn is http/1.1. */
MUST_USE result tls_client_new(slice ca, slice certificate, slice key, struct tls_client **out);
void tls_client_free(struct tls_client *t);

#endif
