/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_RESOLVER_PRIV_H
#define NET_RESOLVER_PRIV_H

/* Names that need no query: literals, "localhost", and the hosts file. */

#include "net/resolver.h"

enum { RESOLVER_NAME_BYTES = 254 }; /* RFC 1035 2.3.4: 255 octets on the wire, 253 as text, and a NUL */

struct hosts;
struct hosts *hosts_parse(slice text); /* lines that are not of hosts(5)'s form are skipped; NULL: memory */
void hosts_free(struct hosts *h);      /* NULL is fine */

/* Lower case, no root dot, no brackets; false: not a name. */
bool name_normalise(slice host, char out[RESOLVER_NAME_BYTES]);
/* 0: must be asked. */
size_t hosts_find(const struct hosts *h, const char *name, uint16_t port, struct address out[RESOLVER_MAX]);
bool address_from_ip(const char *ip, uint16_t port, struct address *out);
void address_set_port(struct address *a, uint16_t port);

#endif
