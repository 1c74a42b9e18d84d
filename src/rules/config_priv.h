/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_CONFIG_PRIV_H
#define RULES_CONFIG_PRIV_H

#include "rules/settings.h"

#include <sys/queue.h>

/* Debian's, and what OpenSSL takes there. */
#define CONFIG_SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

/* Rules are loaded once, however many routes use them; rules that failed are remembered too, to complain once. */
struct loaded_rules {
    SLIST_ENTRY(loaded_rules) next;
    slice name;
    struct ruleset *rules; /* NULL: they failed */
};

/* A configuration with what it owns; config_load() hands out &whole->config. */
struct config_whole {
    struct config config; /* first: config_free() gets back from it */
    struct pool *pool;
    struct secrets *secrets;
    SLIST_HEAD(, loaded_rules) rules;
};

struct config_loading {
    struct loading l;
    struct config_whole *whole;
    struct draft_config draft;
    struct setting_places places;
    bool network_is_wrong; /* some merchant's 'network' is misspelt: no complaints about what follows from it */
};

struct route_loading {
    struct config_loading *c;
    struct draft_route *d;
    struct setting_places places;
    bool answers_itself; /* it has no upstream, and needs none */
};
/* Direction, aliases and what else of a route is about card data on its way in. */
void config_check_inbound(struct route_loading *r);

/* An address of one of our peers, and where it was written. */
struct config_address {
    const struct setting_places *places;
    enum setting_id url_id, insecure_id, ca_id;
    const struct upstream_url *url;
    bool insecure;
    const char *leak; /* "card data" */
};
/* A secret that the platform shows in Base64. */
void config_check_base64(struct config_loading *c, const struct setting_places *places, enum setting_id id, slice secret);
/* Plain HTTP only on loopback or where it was said; verified TLS everywhere else. */
void config_check_address(struct config_loading *c, const struct config_address *a);
void config_read_networks(struct config_loading *c);
void config_read_listens(struct config_loading *c);
void config_read_merchants(struct config_loading *c);
void config_read_routes(struct config_loading *c);
/* Entries of 'targets', each a URL or a mapping, into the pool. */
void config_read_targets(struct config_loading *c, const struct tree_node *list, struct config_target **out, size_t *count);
/* A merchant that is only named, by a listener or a route, has the defaults. */
void config_name_merchant(struct config_loading *c, slice name);

#endif
