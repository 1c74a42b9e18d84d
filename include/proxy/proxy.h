/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

/* The relay's work: accept clients, run their exchanges, keep upstream connections. One per relay process. */

#include "keeper/client.h"
#include "keeper/service.h"
#include "rules/config.h"

struct proxy;
struct proxy_options {
    struct loop *loop;
    struct config *config;         /* takes */
    const int *listen_fds;         /* one per config->listens, in order; takes the descriptors */
    int admin_fd;                  /* takes; -1: none */
    struct keeper_client *keeper;  /* borrows */
    const struct service *service; /* borrows; the REST API; NULL: none */
    unsigned relay_index;          /* makes request ids unique among relays */
};
MUST_USE result proxy_new(const struct proxy_options *options, struct proxy **out);
/* New requests use the new configuration, those that run keep theirs. Listeners must be the same (address, merchant, TLS or
 * not, order): changing them needs a restart. Takes config; on ERR_CONFIG (that, or bad TLS material) nothing changes. */
MUST_USE result proxy_reload(struct proxy *p, struct config *config);
/* Stops accepting, closes idle clients, tells busy ones 'Connection: close'. on_idle when the last exchange is done. */
void proxy_drain(struct proxy *p, loop_hook on_idle, void *owner);
void proxy_free(struct proxy *p);

#endif
