/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

/* Addresses and listening sockets. The supervisor binds, the relays accept. */

#include "base/result.h"
#include "base/slice.h"
#include "net/loop.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* "127.0.0.1:8080", "[::1]:8080", "0.0.0.0:8443", "unix:PATH". No names. ERR_CONFIG. */
struct address {
    struct sockaddr_storage at;
    socklen_t len;
};
MUST_USE result address_parse(slice text, struct address *out);
/* The host alone, as inet_ntop(3) writes it; "unix" for every other family. */
void address_host_text(const struct sockaddr *a, char out[INET6_ADDRSTRLEN]);
bool address_is_loopback(const struct address *a); /* 127.0.0.0/8, ::1, unix */
/* Of the public internet: not private, loopback, link-local, shared (CGNAT), multicast, unspecified, reserved, and not one of those inside
 * an IPv4-mapped, NAT64 or 6to4 address (RFC 6890). Unix sockets are not. */
bool address_is_public(const struct sockaddr *a);
/* Binds and listens, non-blocking, close-on-exec, SO_REUSEADDR; reuse_port for one socket per relay. ERR_IO with errno. */
MUST_USE result address_listen(const struct address *a, bool reuse_port, int *fd);

/* CIDR lists for API keys: "10.0.0.0/8,::1/128"; a plain address is a /32 or /128. IPv4-mapped IPv6 is compared as IPv4. */
struct cidr {
    unsigned char at[16];
    unsigned char family_is_6, bits;
};
MUST_USE result cidr_parse(slice text, struct cidr *out); /* ERR_CONFIG */
bool cidr_contains(const struct cidr *c, const struct sockaddr *a); /* AF_UNIX counts as 127.0.0.1 */

struct listener;
typedef void (*listener_callback)(void *owner, struct listener *l, int fd /* takes; non-blocking */,
                                  const struct sockaddr *peer, socklen_t peer_len);
/* Takes fd. Keeps a spare descriptor: when the process runs out, it pauses for 100 ms instead of spinning (EMFILE). */
struct listener *listener_new(struct loop *loop, int fd, listener_callback on_accept, void *owner);
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);
void listener_free(struct listener *l); /* closes; NULL is fine */

#endif
