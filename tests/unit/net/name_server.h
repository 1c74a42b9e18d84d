/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_NET_NAME_SERVER_H
#define TESTS_NET_NAME_SERVER_H

/* A name server on loopback that knows one IPv4 address for every name, or says what else the test wants. */

#include "net/resolver.h"

enum { RCODE_OK = 0, RCODE_SERVER_FAILURE = 2, RCODE_NO_SUCH_NAME = 3, SAY_NOTHING = -1 };

struct name_server {
    int fd, rcode;
    unsigned asked; /* A questions */
    uint32_t ttl;
    const char *ip;
    const char *then; /* from the second question on; NULL: the same */
    struct watch *watch;
};
void name_server_start(struct name_server *s, struct loop *loop, struct resolver *resolver); /* which asks nobody else then */
void name_server_stop(struct name_server *s); /* after the resolver is freed */

#endif
