/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_GATE_H
#define PROXY_GATE_H

/* One version of the configuration made ready to serve: TLS contexts, the route table, a pool of processor connections per
 * route. Reference-counted: a reload makes a new gate for new requests, exchanges that run keep the one they began with, and
 * the last of them frees it. */

#include "net/resolver.h"
#include "net/tls.h"
#include "rules/config.h"

struct target_pools;
struct upstream_pool;

struct route {
    const struct config_route *config;
    uint32_t index;
    struct plan request_plan, answer_plan; /* the rules', as this route takes them; what they own is the rules' */
    struct upstream_pool *pool;    /* NULL with target_header, and where nothing goes on */
    struct target_pools *targets;  /* NULL without */
    struct tls_client *tls; /* NULL: plain */
};
struct gate {
    unsigned references;
    struct config *config;
    struct route *routes; /* config->route_count */
    struct tls_server **listen_tls; /* config->listen_count; NULL entries are plain */
    struct plan plain[BODY_FORMAT_COUNT];   /* explicit placeholders only: for passthrough rules and pass_other, by format */
    struct plan finding[BODY_FORMAT_COUNT]; /* the same of what comes in: card numbers are found by scan alone */
};

/* Takes config, on failure too. ERR_CONFIG: TLS material is bad; ERR_MEMORY. */
MUST_USE result gate_new(struct loop *loop, struct resolver *resolver, struct config *config, struct gate **out);
struct gate *gate_hold(struct gate *g);
void gate_release(struct gate *g); /* NULL is fine */
/* How well a route's host (start NULL: any) fits this one, without port: 3 this very name, 2 a wildcard, 1 any; 0: not at all. */
unsigned gate_host_fit(slice pattern, slice host);
/* The route for that host (a Host field: with or without port, in any case) and path; NULL if none. A route for this very name comes
 * before one for a wildcard, that one before routes without a host; then the longest prefix that holds the path, in whole segments. */
const struct route *gate_route(const struct gate *g, slice authority, slice path);
/* The same for what came through the forward proxy: only routes that read this host, and are the merchant's (empty: anybody's), count; one
 * with the host as its 'host' before one with it as its upstream, whose own path is its prefix then. *prefix: what is cut off. */
const struct route *gate_route_proxied(const struct gate *g, slice merchant, slice authority, uint16_t port, slice path, slice *prefix);

#endif
