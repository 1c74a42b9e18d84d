/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_CA_H
#define VAULT_CA_H

/* The local certificate authority of the forward proxy: its key and certificate are one sealed record of the vault, and never leave it.
 * What it may sign is bounded twice: it is asked for names of the configuration only (by the keeper), and its own certificate has a
 * path length of 0 and name constraints (RFC 5280 4.2.1.9, 4.2.1.10), so that clients who trust it trust it for those names and names
 * under them, and for no address.
 *
 *     'cardveil ca init' ─► record: format 1 | key length 2 | key, PKCS #8 | certificate, DER ─► vault_ca_sign: a day's leaf for one host  */

#include "base/buf.h"
#include "vault/vault.h"

enum {
    CA_POINT_BYTES = 65,        /* a public key on P-256, uncompressed (SEC 1 2.3.3): all that comes from a relay, besides the name */
    CA_LEAF_MAX_BYTES = 1024,
    CA_NAMES_MAX = 64,
    CA_NAME_MAX_BYTES = 253,
};
/* Makes it, for these host names (lower case, no addresses) and all under them. ERR_CA_EXISTS unless <replace>; ERR_TOO_LARGE: too many
 * or too long names; ERR_CRYPTO, ERR_VAULT_…. At once: for the command. */
MUST_USE result vault_ca_init(struct vault *v, const slice *names, size_t count, bool replace);
/* Its certificate as PEM. ERR_CA_MISSING. */
MUST_USE result vault_ca_certificate(struct vault *v, struct buf *out);
/* A server's certificate (DER) for that host and public key, good from an hour ago for a day. ERR_CA_MISSING; ERR_CA_NAME: not one of its
 * names; ERR_CA_EXPIRED; ERR_CRYPTO: no point of the curve. <out> is to be used on success only. */
MUST_USE result vault_ca_sign(struct vault *v, slice host, const uint8_t point[CA_POINT_BYTES], struct buf *out);
/* Opens the record, for 'vault verify'. ERR_CA_MISSING: there is none. */
MUST_USE result vault_ca_check(struct vault *v);

#endif
