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
};

void config_read_listens(struct config_loading *c);
void config_read_merchants(struct config_loading *c);
void config_read_routes(struct config_loading *c);
/* A merchant that is only named, by a listener or a route, has the defaults. */
void config_name_merchant(struct config_loading *c, slice name);

#endif
