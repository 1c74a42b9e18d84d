/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_LEAVES_H
#define PROXY_LEAVES_H

/* TLS servers for the hosts that the forward proxy reads: this relay's one key pair, and the certificates that the keeper signed over it,
 * kept for most of their day. At most LEAVES_MAX; past that the oldest goes. */

#include "net/tls.h"

enum { LEAVES_MAX = 256 };

struct leaves;
struct leaves *leaves_new(void); /* NULL: memory */
void leaves_free(struct leaves *l); /* NULL is fine */
const uint8_t *leaves_point(struct leaves *l); /* TLS_POINT_BYTES; the key pair is made at the first call. NULL: ERR_CRYPTO */
/* borrows; NULL: none that is still good */
struct tls_server *leaves_find(struct leaves *l, slice host, uint64_t now_ms);
/* certificate: DER. *out borrows. ERR_CONFIG, ERR_MEMORY, ERR_CRYPTO. */
MUST_USE result leaves_put(struct leaves *l, slice host /* at most 253 bytes */, slice certificate, uint64_t now_ms, struct tls_server **out);
void leaves_clear(struct leaves *l); /* at a reload: the CA may be another */

#endif
