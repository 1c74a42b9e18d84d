/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_LINK_H
#define NET_LINK_H

/* A link is one stream connection, plain TCP (or unix) or TLS, seen by its owner as few events:
 *
 *   link_accept ─┐                    ┌─ LINK_READABLE   bytes in link_input(); take them with link_consume()
 *                ├─ LINK_CONNECTED ───┼─ LINK_WRITABLE   the output fell below its low-water mark (64 KiB)
 *   link_connect ┘                    ├─ LINK_CLOSED     the peer ended cleanly (FIN; over TLS close_notify)
 *                                     ├─ LINK_CUT_OFF    reset, or over TLS a FIN without close_notify: truncation
 *                                     ├─ LINK_FAILED     connect or handshake failed; link_failure() says why
 *                                     └─ LINK_TIMED_OUT  the deadline set by link_set_deadline() passed
 *
 * After CLOSED the link may still be written to (half-close); after CUT_OFF and FAILED it is dead. TIMED_OUT leaves it as it
 * was: the owner decides. Reading uses one scratch buffer per loop: an idle link holds no buffers. Output buffers are wiped
 * as they are written. Input that the owner leaves is kept, and LINK_READABLE comes again only when more arrives (or after
 * link_resume). SIGPIPE must be ignored. */

#include "base/buf.h"
#include "base/result.h"
#include "base/slice.h"
#include "net/loop.h"

#include <sys/socket.h>

struct link;
struct tls_server; /* net/tls.h */
struct tls_client;

enum {
    LINK_LOW_WATER_BYTES = 64 * 1024,        /* LINK_WRITABLE follows when unsent output was this much or more */
    LINK_INPUT_MAX_BYTES = 256 * 1024,       /* input left by the owner: reading pauses by itself until it is consumed */
    LINK_OUTPUT_MAX_BYTES = 64 * 1024 * 1024 /* unsent output: ERR_TOO_LARGE beyond it */
};

enum link_event { LINK_CONNECTED, LINK_READABLE, LINK_WRITABLE, LINK_CLOSED, LINK_CUT_OFF, LINK_FAILED, LINK_TIMED_OUT };
const char *link_event_name(enum link_event e);
typedef void (*link_callback)(void *owner, struct link *l, enum link_event event);

/* Takes the descriptor (non-blocking already) in both cases. NULL: memory; the descriptor is closed. With TLS the handshake
 * begins at once, under handshake_ms; without, LINK_CONNECTED comes in the next turn (accept) or when connected. */
struct link *link_accept(struct loop *loop, int fd, struct tls_server *tls /* borrows; NULL: plain */,
                         uint64_t handshake_ms, link_callback on_event, void *owner);
struct link *link_connect(struct loop *loop, const struct sockaddr *to, socklen_t to_len,
                          struct tls_client *tls /* borrows; NULL: plain */, slice server_name /* SNI and verified name */,
                          uint64_t connect_ms, link_callback on_event, void *owner);
void link_set_owner(struct link *l, link_callback on_event, void *owner); /* idle upstream links change hands */

slice link_input(const struct link *l);             /* valid until the callback returns or link_consume */
void link_consume(struct link *l, size_t bytes);
void link_pause(struct link *l);                    /* no more reading: back-pressure */
void link_resume(struct link *l);                   /* LINK_READABLE comes at once (next turn) if input is waiting */

/* Output. Append to link_output() (a secret buffer), then link_flush(); or link_write() does both. Nothing is reported from
 * inside these calls: a broken connection becomes LINK_CUT_OFF in the next turn, and output to a dead link is dropped. */
struct buf *link_output(struct link *l);
MUST_USE result link_write(struct link *l, slice bytes);
void link_flush(struct link *l);                    /* tries at once, the rest when writable */
size_t link_unsent(const struct link *l);           /* bytes appended that the kernel has not taken */
uint64_t link_sent_total(const struct link *l);     /* bytes the kernel (or OpenSSL) has taken, ever */
uint64_t link_received_total(const struct link *l);

void link_set_deadline(struct link *l, uint64_t in_ms); /* 0: none. One deadline a link; setting again moves it */

enum link_failure { LINK_FAILURE_NONE, LINK_FAILURE_CONNECT, LINK_FAILURE_TIMEOUT, LINK_FAILURE_TLS, LINK_FAILURE_CERTIFICATE };
enum link_failure link_failure(const struct link *l);
const char *link_failure_text(const struct link *l); /* for logs: "certificate has expired"; static, no stranger's text */

const struct sockaddr *link_peer(const struct link *l); /* of the remote side; AF_UNIX for unix sockets */
bool link_is_tls(const struct link *l);
/* Accepted over TLS: false if another of the server's certificates is the one for <host>, and the one that was shown does not
 * name it: the connection was opened for another host (RFC 9110 7.4). */
bool link_is_for(const struct link *l, slice host);
bool link_is_alive(const struct link *l);               /* false once anything closed, cut off, failed: for pools */

/* Ends the link: no further callback comes. FLUSH sends what is unsent and close_notify, then FIN, then lingers shortly for
 * the peer (so that an answer sent before the request was read whole is not lost to a reset); ABORT resets at once and wipes
 * the output. Freed at the end of the turn, or when flushed. NULL is fine. */
enum link_end { LINK_END_FLUSH, LINK_END_ABORT };
void link_end(struct link *l, enum link_end how);

#endif
