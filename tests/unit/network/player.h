/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_NETWORK_PLAYER_H
#define TESTS_NETWORK_PLAYER_H

/* The other side, played by hand over plain sockets of its own: it reads one request at a time with its own few lines
 * of HTTP, not with ours, and sends the bytes that the test gives it. */

#include "../net/tools.h"
#include "base/buf.h"

struct player {
    struct loop *loop;
    int listening, fd; /* -1: not open */
    uint16_t port;
    unsigned accepted; /* connections so far */
    struct buf got;    /* the request as it came */
    size_t head_bytes; /* with the empty line */
};

void player_init(struct player *p, struct loop *loop);
void player_done(struct player *p);
void player_accept(struct player *p);    /* turns until a connection is there */
bool player_is_called(struct player *p); /* a connection, or bytes on the one that is open; takes no turn */
void player_request(
    struct player *p); /* turns until a whole request is there, on the open connection or on a new one */
slice player_line(const struct player *p);                    /* "POST /a HTTP/1.1" */
slice player_field(const struct player *p, const char *name); /* start NULL: not there */
slice player_body(const struct player *p);
void player_send(struct player *p, slice bytes);
/* A whole answer with Content-Length. type: NULL for none. */
void player_answer(struct player *p, int status, const char *type, slice body);
void player_close(struct player *p);
void player_reset(struct player *p);

#endif
