/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROCESS_CONTROL_H
#define PROCESS_CONTROL_H

/* What the supervisor and a role say to each other, over the role's own SOCK_SEQPACKET pair: one fixed message a datagram, with
 * at most one descriptor, and descriptors go to roles only. The end of the pair is the end of the other side. */

#include "base/result.h"

#include <assert.h>
#include <stdint.h>

enum control_type {
    /* role to supervisor */
    CONTROL_READY = 1,   /* sandboxed, serving */
    CONTROL_FAILED,      /* error: why it cannot start; it exits then */
    CONTROL_CONFIGURED,  /* generation, error: the configuration was taken, or nothing changed */
    CONTROL_BREACH,      /* generation: the keeper's word that the other end of that pair broke the protocol; whoever has it is ended */
    /* supervisor to role */
    CONTROL_KEEPER,      /* fd: to a relay or the registrar, its new connection to the keeper */
    CONTROL_RELAY,       /* fd, number, generation: to the keeper, its end of that relay's connection, and the pair's number */
    CONTROL_REGISTRAR,   /* fd, generation: likewise of the registrar's */
    CONTROL_CONFIG,      /* fd, generation: a bundle (rules/source.h) */
    CONTROL_DRAIN,       /* to a relay: finish what runs, then exit */
    CONTROL_STOP,        /* exit now, in order */
    CONTROL_END
};
struct control_message {
    uint32_t type, number, generation, error;
};
static_assert(sizeof(struct control_message) == 16, "no padding may cross the socket");

/* fd -1: none. False: the other side is gone or does not read. */
bool control_send(int socket, const struct control_message *m, int fd);
enum control_received { CONTROL_MESSAGE, CONTROL_NOTHING, CONTROL_GONE };
/* takes_fd: whether descriptors are accepted; *fd is -1 or owned by the caller. A message of another size, of unknown type or
 * with more descriptors counts as CONTROL_GONE. */
enum control_received control_receive(int socket, struct control_message *m, bool takes_fd, int *fd);

#endif
