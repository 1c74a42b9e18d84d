/* SPDX-License-Identifier: Apache-2.0 */
#include "config_priv.h"

#include "body/media_type.h"
#include "net/listener.h"
#include "rules/names.h"

/* A route's direction, and the settings that only make sense with one or the other. */

bool config_route_is_push(const struct config_route *r)
{
    return r->direction == DIRECTION_FORWARD_PUSH || r->direction == DIRECTION_FILTER_PUSH;
}

bool config_route_goes_on(const struct config_route *r)
{
    return r->target_header || r->upstream.host.len > 0;
}

enum message_work config_route_request_work(const struct config_route *r)
{
    switch (r->direction) {
    case DIRECTION_FORWARD_PUSH:
        return MESSAGE_PASSES;
    case DIRECTION_FILTER_PUSH:
        return MESSAGE_CAPTURED;
    case DIRECTION_FORWARD_PULL:
    case DIRECTION_FILTER_PULL:
        break;
    }
    return MESSAGE_REVEALS;
}

enum message_work config_route_answer_work(const struct config_route *r)
{
    switch (r->direction) {
    case DIRECTION_FORWARD_PUSH:
        return MESSAGE_REVEALS;
    case DIRECTION_FILTER_PULL:
        return MESSAGE_CAPTURED;
    case DIRECTION_FORWARD_PULL:
        return r->rules->has_answer ? MESSAGE_CAPTURED : MESSAGE_PASSES;
    case DIRECTION_FILTER_PUSH:
        break;
    }
    return MESSAGE_PASSES;
}

bool config_route_captures(const struct config_route *r)
{
    return config_route_request_work(r) == MESSAGE_CAPTURED || config_route_answer_work(r) == MESSAGE_CAPTURED;
}

bool config_route_finds_pans(const struct config_route *r)
{
    if (!config_route_captures(r)) return false;
    bool is_answer = config_route_answer_work(r) == MESSAGE_CAPTURED;
    const struct plan *plan = is_answer ? &r->rules->answer : &r->rules->plan;
    /* rules that say nothing of answers, and bodies without places, leave nothing but to look */
    return plan->find_pan || plan->format == BODY_TEXT || (is_answer && !r->rules->has_answer);
}

/* --- aliases --- */

static void read_alias(struct route_loading *r)
{
    struct alias_form form;
    slice text = r->d->alias;
    if (!text.at) return; /* told already */
    if (r->d->r.compat == COMPAT_PCI_PROXY && !r->places.at[SETTING_ID_ROUTE_ALIAS]) text = SLICE("32"); /* as long as theirs are */
    const char *wrong = alias_form_read(text, &form);
    if (wrong)
        loading_complain(&r->c->l, setting_place(&r->places, SETTING_ID_ROUTE_ALIAS), "'alias': %s", wrong);
    else
        r->d->r.alias.wish = (struct alias_wish){form.format, form.template_len ? text : SLICE_NONE};
}

/* --- what does not fit --- */

static void says_nothing(struct route_loading *r, enum setting_id id, const char *why)
{
    const struct tree_node *at = r->places.at[id];
    if (at) loading_complain(&r->c->l, at, "'%s' says nothing here: %s", settings_row(id)->path, why);
}

static void check_capture_settings(struct route_loading *r)
{
    static const enum setting_id ids[] = {SETTING_ID_ROUTE_ALIAS, SETTING_ID_ROUTE_UNIQUE, SETTING_ID_ROUTE_INVALID,
                                          SETTING_ID_ROUTE_CVC_TTL, SETTING_ID_ROUTE_MASKED, SETTING_ID_ROUTE_PASS_TYPES};
    if (config_route_captures(&r->d->r)) return;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        says_nothing(r, ids[i],
                     "no card data becomes aliases on this route; see 'direction', and 'answer' in its rules");
}

static void check_finding(struct route_loading *r)
{
    const struct config_route *route = &r->d->r;
    const struct ruleset *rules = route->rules;
    const struct tree_node *at = r->places.at[SETTING_ID_ROUTE_DIRECTION];
    if (route->direction == DIRECTION_FILTER_PUSH && !ruleset_finds_cards(rules))
        loading_complain(
            &r->c->l, at,
            "nothing would be found: rules '%.*s' do not say where a request has card data; add 'card' or 'find: pan'",
            SLICE_ARG(rules->name));
    if (route->direction == DIRECTION_FILTER_PULL && !rules->has_answer && !rules->plan.find_pan)
        loading_complain(&r->c->l, at,
                         "nothing would be found: rules '%.*s' do not say where an answer has card data; add 'answer' "
                         "or 'find: pan'",
                         SLICE_ARG(rules->name));
}

/* Cards of a push are enrolled as they are found, and none is found where a partner asks for them. */
static void check_push_provision(struct route_loading *r)
{
    const struct config_route *route = &r->d->r;
    if (route->direction == DIRECTION_FORWARD_PUSH)
        says_nothing(r, SETTING_ID_ROUTE_PROVISION, "a partner that asks brings no card to enroll");
    else if (route->provision == PROVISION_USED)
        says_nothing(r, SETTING_ID_ROUTE_PROVISION, "'used' waits for a payment, and none goes out on a push route; say 'new', or 'all'");
}

/* Whoever asks on a forward-push route gets card numbers, so who may is said by address; a push is no payment. */
static void check_push(struct route_loading *r)
{
    static const enum setting_id payments[] = {SETTING_ID_ROUTE_VOLUME, SETTING_ID_ROUTE_PAN_RETRY,
                                               SETTING_ID_ROUTE_BUDGET};
    const struct config_route *route = &r->d->r;
    const struct tree_node *at = r->places.at[SETTING_ID_ROUTE_DIRECTION];
    if (!config_route_is_push(route)) {
        says_nothing(r, SETTING_ID_ROUTE_CALLERS,
                     "on a pull route the merchant asks, with its API key; 'callers' is for push");
        return;
    }
    if (!route->merchant.at)
        loading_complain(&r->c->l, at, "a push route needs 'merchant': whose tokens they are, a partner cannot say");
    if (route->direction == DIRECTION_FORWARD_PUSH && !r->places.at[SETTING_ID_ROUTE_CALLERS])
        loading_complain(&r->c->l, at, "forward-push needs 'callers': who asks on it is given card numbers");
    for (size_t i = 0; i < sizeof payments / sizeof *payments; i++)
        says_nothing(r, payments[i], "no payment goes out on a push route");
    check_push_provision(r);
    says_nothing(r, SETTING_ID_ROUTE_STREAM, "messages of a push route are held whole");
    if (route->target_header)
        loading_complain(&r->c->l, r->places.at[SETTING_ID_ROUTE_TARGET_HEADER],
                         "'target_header' on a push route: a partner does not say where your messages go; set 'upstream'");
    if (route->rules->sign.kind != SIGN_NONE)
        loading_complain(&r->c->l, at, "rules '%.*s' sign every request, which a push route does not",
                         SLICE_ARG(route->rules->name));
}

/* The networks of 'callers', as the keeper reads them. */
static void check_callers(struct route_loading *r)
{
    slice rest = r->d->r.callers, one;
    struct cidr range;
    while (rest.at && slice_next(&rest, ',', &one)) {
        one = slice_trim(one);
        if (!failed(cidr_parse(one, &range))) continue;
        loading_complain(&r->c->l, r->places.at[SETTING_ID_ROUTE_CALLERS],
                         "'callers': '%.*s' is no address or network (192.0.2.7, 192.0.2.0/24, 2001:db8::/32)",
                         name_shown(one), one.at);
    }
}

static void check_pass_types(struct route_loading *r)
{
    slice rest = r->d->r.pass_types, one;
    while (rest.at && slice_next(&rest, ',', &one)) {
        one = slice_trim(one);
        if (media_type_may_be_listed(one)) continue;
        loading_complain(&r->c->l, r->places.at[SETTING_ID_ROUTE_PASS_TYPES],
                         "'pass_types': '%.*s' is no content type that may go on without being looked at (image/png, image/*, "
                         "application/pdf); text, JSON, XML, forms and multipart are always looked at",
                         name_shown(one), one.at);
    }
}

/* --- the language of another proxy --- */

/* Whoever may push gets the alias: where a known card has a known one, he learns whether a number that he tries is a token's. With
 * first six and last four known, that is a million tries. */
static void check_answered_here(struct route_loading *r)
{
    static const enum setting_id ids[] = {SETTING_ID_ROUTE_CA, SETTING_ID_ROUTE_CERTIFICATE, SETTING_ID_ROUTE_KEY, SETTING_ID_ROUTE_INSECURE,
                                          SETTING_ID_ROUTE_CONNECT, SETTING_ID_ROUTE_FIRST_BYTE, SETTING_ID_ROUTE_WHOLE};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        says_nothing(r, ids[i], "without 'upstream' this route sends nothing anywhere");
    if (r->places.at[SETTING_ID_ROUTE_CALLERS] && !r->d->r.alias.unique)
        loading_complain(&r->c->l, r->places.at[SETTING_ID_ROUTE_CALLERS],
                         "'callers' of a route without 'upstream' needs 'unique: yes': who needs no API key could try card numbers against "
                         "tokens that he has");
}

/* Both are asked for by URL, before it is known who calls. */
static bool is_same_destination(const struct config_route *a, const struct config_route *b)
{
    const struct upstream_url *x = &a->upstream, *y = &b->upstream;
    if (a->target_header || b->target_header) return a->target_header && b->target_header;
    return x->host.len && x->tls == y->tls && x->port == y->port && slice_ieq(x->host, y->host) && slice_eq(x->path, y->path);
}

static void check_one_merchant(struct route_loading *r)
{
    const struct config *config = &r->c->draft.c;
    const struct config_route *mine = &r->d->r;
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *other = &config->routes[i];
        bool is_asked_alike = other->compat == COMPAT_FIRSTOKEN && !config_route_is_push(other) && slice_ieq(other->host, mine->host);
        if (!is_asked_alike || !is_same_destination(mine, other) || slice_eq(mine->merchant, other->merchant)) continue;
        loading_complain(&r->c->l, r->places.at[SETTING_ID_ROUTE_COMPAT],
                         "/proxy/ chooses routes by URL alone: route '%.*s' has the same destination and another merchant; give each a 'host', "
                         "or leave 'merchant' out of one for both",
                         SLICE_ARG(other->name));
    }
}

static void check_firstoken(struct route_loading *r)
{
    const struct config_route *route = &r->d->r;
    if (route->compat != COMPAT_FIRSTOKEN) return;
    if (route->direction == DIRECTION_FORWARD_PUSH)
        says_nothing(r, SETTING_ID_ROUTE_COMPAT, "Firstoken has nothing like forward-push");
    if (!config_route_is_push(route)) check_one_merchant(r);
}

void config_check_inbound(struct route_loading *r)
{
    struct config_route *route = &r->d->r;
    read_alias(r);
    route->cvc_ttl_s = r->d->cvc_ttl_ms / 1000;
    check_callers(r);
    check_pass_types(r);
    if (!route->rules) return;
    check_finding(r);
    check_capture_settings(r);
    check_push(r);
    check_firstoken(r);
    if (r->answers_itself) check_answered_here(r);
    if (route->pan_retry && config_route_answer_work(route) == MESSAGE_CAPTURED)
        loading_complain(&r->c->l, r->places.at[SETTING_ID_ROUTE_PAN_RETRY],
                         "'pan_retry' does not go together with answers whose card data becomes aliases (filter-pull, or 'answer' in the rules)");
}
