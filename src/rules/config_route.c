/* SPDX-License-Identifier: Apache-2.0 */
#include "config_priv.h"

#include "rules/host.h"
#include "rules/names.h"
#include "rules/pem.h"
#include "rules/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cardveil's own calls come before the routes without a host: what begins with one of these never reaches them. */
static const char *const API_PATHS[] = {"/v1/tokens",  "/v1/transactions",   "/v1/reports", "/v1/network-events",       "/v1/tokenization/simple",
                                        "/v1/aliases", "/v1/field-sessions", "/fields",     "/v1/detokenization/simple", "/transactions/requests", NULL};
/* Shipped rules, for "did you mean". */
static const char *const SHIPPED_RULES[] = {"adyen",      "booking-webhook", "braintree",       "checkout",    "cielo", "credibanco",
                                            "cybersource", "ota-reservation", "passthrough", "rede",  "stripe", NULL};
#define RULES_ADVICE "; copy Cardveil's 'rules' folder beside this file, or install it with 'meson install'"

/* --- rules --- */

/* Where rules of this name lie: beside the configuration, else installed. False: nowhere, or it cannot be read (told).
 */
static bool find_rules(struct route_loading *r, slice name, slice *path)
{
    struct loading *l = &r->c->l;
    const struct tree_node *place = setting_place(&r->places, SETTING_ID_ROUTE_RULES);
    char beside[160], installed[sizeof RULES_FOLDER + 160];
    slice text;
    (void)snprintf(beside, sizeof beside, "rules/%.*s.yaml", SLICE_ARG(name));
    (void)snprintf(installed, sizeof installed, "%s/%.*s.yaml", RULES_FOLDER, SLICE_ARG(name));
    if (!loading_path(l, slice_of(beside), path)) return false;
    result found = source_read(l->source, *path, &text);
    if (found.err == ERR_NOT_FOUND) {
        if (!loading_copy(l, slice_of(installed), path)) return false;
        found = source_read(l->source, *path, &text);
    }
    if (!failed(found)) return true;
    if (found.err == ERR_MEMORY) {
        l->out_of_memory = true;
    } else if (found.err != ERR_NOT_FOUND) {
        loading_complain(l, place, "cannot read rules '%.*s': %s", SLICE_ARG(*path), strerror(errno));
    } else {
        const char *near = name_nearest(name, SHIPPED_RULES);
        bool is_shipped = near && slice_is(name, near);
        loading_complain(l, place, "no rules '%.*s': neither %s beside this file nor %s%s%s%s", SLICE_ARG(name), beside,
                         installed,
                         is_shipped ? RULES_ADVICE
                         : near     ? "; did you mean '"
                                    : "",
                         near && !is_shipped ? near : "", near && !is_shipped ? "'?" : "");
    }
    return false;
}

static const struct loaded_rules *load_rules(struct route_loading *r, slice name)
{
    struct loaded_rules *known;
    SLIST_FOREACH(known, &r->c->whole->rules, next)
    if (slice_eq(known->name, name)) return known;

    struct loaded_rules *more = calloc(1, sizeof *more);
    if (!more) {
        r->c->l.out_of_memory = true;
        return NULL;
    }
    more->name = name;
    SLIST_INSERT_HEAD(&r->c->whole->rules, more, next);
    slice path;
    if (!find_rules(r, name, &path)) return more;
    result loaded = ruleset_load(r->c->l.source, path, r->c->l.problems, &more->rules);
    if (loaded.err == ERR_MEMORY) r->c->l.out_of_memory = true;
    return more;
}

/* --- upstream --- */

static void check_reach(struct route_loading *r)
{
    const struct upstream_url *url = &r->d->r.upstream;
    const struct tree_node *certificate = r->places.at[SETTING_ID_ROUTE_CERTIFICATE],
                           *key = r->places.at[SETTING_ID_ROUTE_KEY];
    config_check_address(r->c, &(struct config_address){.places = &r->places,
                                                        .url_id = SETTING_ID_ROUTE_UPSTREAM,
                                                        .insecure_id = SETTING_ID_ROUTE_INSECURE,
                                                        .ca_id = SETTING_ID_ROUTE_CA,
                                                        .url = url,
                                                        .insecure = r->d->insecure,
                                                        .leak = "card data"});
    if (!url->tls && (certificate || key))
        loading_complain(&r->c->l, certificate ? certificate : key,
                         "'certificate' and 'key' say nothing for an http:// upstream");
}

/* Somebody must be able to name a target. */
static void check_target_header(struct route_loading *r)
{
    const struct config *config = &r->c->draft.c;
    const struct tree_node *place = r->places.at[SETTING_ID_ROUTE_TARGET_HEADER];
    slice merchant = r->d->r.merchant;
    if (r->places.at[SETTING_ID_ROUTE_UPSTREAM])
        loading_complain(&r->c->l, r->places.at[SETTING_ID_ROUTE_UPSTREAM],
                         "'upstream' says nothing: with target_header the target comes with each request");
    for (size_t i = 0; i < config->merchant_count; i++)
        if ((!merchant.at || slice_eq(merchant, config->merchants[i].name)) && config->merchants[i].target_count) return;
    if (merchant.at)
        loading_complain(&r->c->l, place, "no request can pass: merchant '%.*s' has no 'targets'", SLICE_ARG(merchant));
    else
        loading_complain(&r->c->l, place, "no request can pass: no merchant has 'targets'");
}

static void check_upstream(struct route_loading *r)
{
    struct loading *l = &r->c->l;
    const struct ruleset *rules = r->d->r.rules;
    const struct tree_node *place = setting_place(&r->places, SETTING_ID_ROUTE_UPSTREAM);
    slice text = r->d->upstream;
    if (r->d->r.target_header) {
        check_target_header(r);
        return;
    }
    if (r->places.at[SETTING_ID_ROUTE_UPSTREAM] && !text.at) return; /* told already */
    if (!text.at && !rules) return;
    if (!text.at) text = rules->upstream;
    if (text.len == 0) {
        r->answers_itself = r->d->r.compat == COMPAT_FIRSTOKEN && r->d->r.direction == DIRECTION_FILTER_PUSH;
        if (!r->answers_itself) loading_complain(l, r->places.map, "'upstream' is missing: these rules have no default for it");
        return;
    }
    const char *wrong = url_parse(text, &r->d->r.upstream);
    if (wrong)
        loading_complain(l, place, "'upstream': %s (https://HOST[:PORT][/PATH])", wrong);
    else
        check_reach(r);
}

static void check_upstream_pair(struct route_loading *r)
{
    const struct tree_node *certificate = r->places.at[SETTING_ID_ROUTE_CERTIFICATE];
    const struct tree_node *key = r->places.at[SETTING_ID_ROUTE_KEY];
    if (certificate && !key) loading_complain(&r->c->l, certificate, "'certificate' needs 'key'");
    if (key && !certificate) loading_complain(&r->c->l, key, "'key' needs 'certificate'");
    if (!r->d->r.upstream_certificate.at || !r->d->r.upstream_key.at) return;
    const char *wrong = pem_check_pair(r->d->r.upstream_certificate, r->d->r.upstream_key);
    if (wrong) loading_complain(&r->c->l, key, "%s", wrong);
}

/* --- prefix --- */

/* "/v1/tokens" and all below it, at a segment's end. */
static bool is_at_or_below(slice path, const char *above)
{
    slice a = slice_of(above);
    return slice_starts(path, a) && (path.len == a.len || path.at[a.len] == '/');
}

static void read_host(struct route_loading *r)
{
    slice host = r->d->host;
    if (!host.at) return; /* none, or told already */
    const char *wrong = host_pattern_check(host);
    if (wrong)
        loading_complain(&r->c->l, setting_place(&r->places, SETTING_ID_ROUTE_HOST), "'host': %s", wrong);
    else
        r->d->r.host = host;
}

static void check_prefix(struct route_loading *r)
{
    struct loading *l = &r->c->l;
    if (!r->places.at[SETTING_ID_ROUTE_PREFIX]) {
        if (r->places.at[SETTING_ID_ROUTE_HOST])
            r->d->r.prefix = SLICE("/");
        else if (r->places.map->kind == TREE_MAP)
            loading_complain(l, r->places.map, "'prefix' is missing: the path that leads to this route; or give it a 'host'");
    }
    slice prefix = r->d->r.prefix;
    if (!prefix.at) return;
    const struct tree_node *place = setting_place(&r->places, SETTING_ID_ROUTE_PREFIX);
    const char *wrong = url_check_path(prefix);
    if (wrong) {
        loading_complain(l, place, "'prefix' %s", wrong);
        return;
    }
    if (prefix.len > 1 && prefix.at[prefix.len - 1] == '/')
        loading_complain(l, place, "'prefix' must not end with '/' (only '/' alone may)");
    for (size_t i = 0; API_PATHS[i] && !r->d->host.at; i++) /* a route with a host comes before the API */
        if (is_at_or_below(prefix, API_PATHS[i]))
            loading_complain(l, place, "this route can never be reached: Cardveil's own API answers at %s",
                             API_PATHS[i]);
}

static void check_twice(struct route_loading *r)
{
    const struct config *config = &r->c->draft.c;
    const struct config_route *mine = &r->d->r;
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *other = &config->routes[i];
        if (mine->name.at && slice_eq(mine->name, other->name))
            loading_complain(&r->c->l, r->places.at[SETTING_ID_ROUTE_NAME], "a second route '%.*s'",
                             SLICE_ARG(mine->name));
        bool is_host_right = mine->host.at || !r->places.at[SETTING_ID_ROUTE_HOST];
        bool is_host_same = (mine->host.at != NULL) == (other->host.at != NULL) && slice_ieq(mine->host, other->host);
        if (mine->prefix.at && slice_eq(mine->prefix, other->prefix) && is_host_right && is_host_same)
            loading_complain(&r->c->l, setting_place(&r->places, SETTING_ID_ROUTE_PREFIX),
                             "this route can never be reached: route '%.*s' has the same %s", SLICE_ARG(other->name),
                             mine->host.at ? "host and prefix" : "prefix");
    }
}

/* --- what the rules must offer --- */

/* Does anyone who pays on this route have network tokens? */
static bool has_network(const struct route_loading *r)
{
    const struct config *config = &r->c->draft.c;
    for (size_t i = 0; i < config->merchant_count; i++) {
        const struct config_merchant *m = &config->merchants[i];
        bool pays_here = !r->d->r.merchant.at || slice_eq(m->name, r->d->r.merchant);
        if (pays_here && m->network >= 0) return true;
    }
    return false;
}

static void check_provision(struct route_loading *r, enum setting_id id, bool is_on)
{
    slice merchant = r->d->r.merchant;
    const char *name = strchr(settings_row(id)->path, '.') + 1;
    if (!is_on || r->c->network_is_wrong || has_network(r)) return;
    if (merchant.at)
        loading_complain(
            &r->c->l, r->places.at[id],
            "'%s' does nothing: merchant '%.*s' has no network tokens; set 'network' for it in 'merchants'", name,
            SLICE_ARG(merchant));
    else
        loading_complain(&r->c->l, r->places.at[id],
                         "'%s' does nothing: no merchant has network tokens; set 'network' for one in 'merchants'",
                         name);
}

static void check_network_tokens(struct route_loading *r)
{
    struct loading *l = &r->c->l;
    const struct config_route *route = &r->d->r;
    if (!route->rules) return;
    if (route->volume_percent > 0 && !route->rules->has_network_token)
        loading_complain(
            l, r->places.at[SETTING_ID_ROUTE_VOLUME],
            "rules '%.*s' have no 'network_token' section: this processor takes card numbers only; leave 'volume' out",
            SLICE_ARG(route->rules->name));
    else
        check_provision(r, SETTING_ID_ROUTE_VOLUME, route->volume_percent > 0);
    check_provision(r, SETTING_ID_ROUTE_PROVISION, route->provision != PROVISION_OFF);
    if (route->pan_retry && !ruleset_may_retry(route->rules))
        loading_complain(l, r->places.at[SETTING_ID_ROUTE_PAN_RETRY],
                         "rules '%.*s' do not say which declines may be tried again ('reply: declines' or 'pan_retry')",
                         SLICE_ARG(route->rules->name));
}

/* --- signing --- */

/* Which settings of 'sign' the rules' signature needs; every other one would say nothing. */
static void check_sign_setting(struct route_loading *r, enum setting_id id, bool is_needed)
{
    const struct ruleset *rules = r->d->r.rules;
    const struct setting *row = settings_row(id);
    if (is_needed && !r->places.at[id])
        loading_complain(&r->c->l, r->places.map, "'%s' is missing: rules '%.*s' sign every request", row->path,
                         SLICE_ARG(rules->name));
    if (!is_needed && r->places.at[id])
        loading_complain(&r->c->l, r->places.at[id], "'%s' says nothing: rules '%.*s' do not use it", row->path,
                         SLICE_ARG(rules->name));
}

static void check_sign(struct route_loading *r)
{
    const struct ruleset *rules = r->d->r.rules;
    if (!rules) return;
    const struct sign_rule *sign = &rules->sign;
    bool is_cybersource = sign->kind == SIGN_CYBERSOURCE || sign->kind == SIGN_CYBERSOURCE_JWT;
    bool is_hmac = sign->kind == SIGN_HMAC_SHA256;
    check_sign_setting(r, SETTING_ID_ROUTE_SIGN_KEY_ID,
                       is_cybersource || (is_hmac && sign_rule_has(sign, SIGN_PART_KEY_ID)));
    check_sign_setting(r, SETTING_ID_ROUTE_SIGN_MERCHANT_ID, is_cybersource);
    check_sign_setting(r, SETTING_ID_ROUTE_SIGN_SECRET, is_hmac || (is_cybersource && !sign->rs256));
    check_sign_setting(r, SETTING_ID_ROUTE_SIGN_PRIVATE_KEY, is_cybersource && sign->rs256);
    if (is_cybersource) config_check_base64(r->c, &r->places, SETTING_ID_ROUTE_SIGN_SECRET, r->d->r.sign_secret);
    if (r->d->r.stream && sign->kind != SIGN_NONE)
        loading_complain(&r->c->l, r->places.at[SETTING_ID_ROUTE_STREAM],
                         "'stream' does nothing: rules '%.*s' sign every request over its whole body",
                         SLICE_ARG(rules->name));
}

static void check_deadlines(struct route_loading *r)
{
    const struct config_route *route = &r->d->r;
    if (route->whole_ms >= route->first_byte_ms) return;
    const struct tree_node *place = r->places.at[SETTING_ID_ROUTE_WHOLE] ? r->places.at[SETTING_ID_ROUTE_WHOLE]
                                    : r->places.at[SETTING_ID_ROUTE_FIRST_BYTE]
                                        ? r->places.at[SETTING_ID_ROUTE_FIRST_BYTE]
                                        : r->c->places.at[SETTING_ID_DEADLINE_WHOLE];
    loading_complain(&r->c->l, place ? place : r->places.map,
                     "'deadlines.first_byte' can never be reached: 'deadlines.whole' is shorter");
}

/* --- one route --- */

static void inherit(struct draft_route *d, const struct draft_config *c)
{
    d->r.body_buffer_bytes = c->body_buffer_bytes;
    d->r.placeholders = c->placeholders;
    d->r.connect_ms = c->connect_ms;
    d->r.first_byte_ms = c->first_byte_ms;
    d->r.whole_ms = c->whole_ms;
}

static void read_route(struct config_loading *c, const struct tree_node *n)
{
    struct draft_route draft = {0};
    struct route_loading r = {.c = c, .d = &draft};
    inherit(&draft, &c->draft);
    settings_read(&c->l, SCOPE_ROUTE, n, &draft, &r.places);
    if (draft.rules.at && !c->l.alone) {
        const struct loaded_rules *loaded = load_rules(&r, draft.rules);
        draft.r.rules = loaded ? loaded->rules : NULL;
    }
    check_upstream(&r);
    check_upstream_pair(&r);
    read_host(&r);
    check_prefix(&r);
    check_twice(&r);
    check_network_tokens(&r);
    check_sign(&r);
    config_check_inbound(&r);
    check_deadlines(&r);
    config_name_merchant(c, draft.r.merchant);
    c->draft.c.routes[c->draft.c.route_count++] = draft.r;
}

void config_read_routes(struct config_loading *c)
{
    const struct tree_node *list = c->draft.at_routes;
    if (!list || list->count == 0) return;
    c->draft.c.routes = pool_alloc(c->l.pool, list->count * sizeof *c->draft.c.routes);
    if (!c->draft.c.routes) {
        c->l.out_of_memory = true;
        return;
    }
    for (const struct tree_node *n = list->first; n; n = n->next)
        read_route(c, n);
}
