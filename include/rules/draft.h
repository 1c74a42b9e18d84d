/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_DRAFT_H
#define RULES_DRAFT_H

/* What the settings table writes into while a configuration is read: the final structures, and beside them what is needed only
 * until they are checked (names to look up, defaults that routes inherit). */

#include "rules/config.h"

struct tree_node;

struct draft_config {
    struct config c;
    bool admin_insecure;
    uint64_t body_buffer_bytes, placeholders, connect_ms, first_byte_ms, whole_ms; /* routes inherit these */
    const struct tree_node *at_listen, *at_networks, *at_merchants, *at_routes;
};
struct draft_listen {
    struct config_listen l;
    const struct tree_node *at_tls, *at_tunnels;
};
struct draft_certificate {
    struct config_certificate t;
    slice client_ca;
};
struct draft_network {
    struct config_network n;
    slice upstream; /* as written */
    bool insecure;
};
struct draft_merchant {
    struct config_merchant m;
    slice network; /* its name */
    const struct tree_node *at_webhooks, *at_targets;
};
struct draft_webhook {
    struct config_webhook w;
    slice url; /* as written */
    bool insecure;
};
struct draft_target {
    struct config_target t;
    slice url; /* as written */
    bool insecure;
};
struct draft_route {
    struct config_route r;
    slice rules, upstream, alias, host; /* as written */
    uint64_t cvc_ttl_ms;
    bool insecure;
};

#endif
