/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_PROXY_PRIV_H
#define PROXY_PROXY_PRIV_H

/* What the modules of this room share: the relay's one proxy object. */

#include "proxy/gate.h"
#include "proxy/proxy.h"

#include <sys/queue.h>

enum {
    SCRATCH_MAX_BYTES = 1 << 30,        /* a rendered body; the body's own limits are far below */
    COLLECT_MAX_BYTES = 64 * 1024,      /* a guarded answer up to this goes back with Content-Length */
    FLOW_HIGH_BYTES = 256 * 1024,       /* unsent bytes towards one side above which the other is not read */
    STREAM_START_BYTES = 64 * 1024,     /* a streamed body starts to go out once this much has come */
};

struct client;
struct leaves;
struct listening;
struct tunnel;
LIST_HEAD(tunnel_list, tunnel);
LIST_HEAD(client_list, client);

struct proxy {
    struct loop *loop;
    struct resolver *resolver;
    struct gate *gate; /* for new requests */
    struct keeper_client *keeper;
    const struct service *service;
    struct listening *listening;
    size_t listening_count;
    struct admin *admin;
    struct client_list clients;
    struct tunnel_list tunnels;
    struct leaves *leaves;
    size_t client_count, tunnel_count, busy_count;
    uint64_t next_request_id;
    bool draining;
    loop_hook on_idle;
    void *on_idle_owner;
    struct timer *look_timer; /* draining: looks whether the last answers have left */
    struct buf scratch; /* secret: rendered text on its way into a link's output; empty and wiped between uses */
};

void proxy_client_gone(struct proxy *p);
void proxy_exchange_began(struct proxy *p);
void proxy_exchange_ended(struct proxy *p);

#endif
