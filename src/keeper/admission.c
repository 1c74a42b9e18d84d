/* SPDX-License-Identifier: Apache-2.0 */
#include "server_priv.h"

#include "net/listener.h"

#include <netinet/in.h>
#include <string.h>

enum { REFUSALS_AUDITED_PER_SECOND = 50, IPV6_CUSTOMER_BYTES = 8 };

static void read_peer(const struct wire_open *o, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    out->ss_family = AF_UNIX;
    if (o->family == WIRE_FAMILY_4) {
        struct sockaddr_in *in = (void *)out;
        in->sin_family = AF_INET;
        memcpy(&in->sin_addr, o->peer, 4);
    } else if (o->family == WIRE_FAMILY_6) {
        struct sockaddr_in6 *in = (void *)out;
        in->sin6_family = AF_INET6;
        memcpy(&in->sin6_addr, o->peer, 16);
    }
}

static void name_caller(const struct wire_open *o, struct caller *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */
    out->family = o->family;
    if (o->family == WIRE_FAMILY_4) {
        memcpy(out->at, o->peer, 4);
    } else if (o->family == WIRE_FAMILY_6 && memcmp(o->peer, mapped, sizeof mapped) == 0) {
        out->family = WIRE_FAMILY_4;
        memcpy(out->at, o->peer + sizeof mapped, 4);
    } else if (o->family == WIRE_FAMILY_6) {
        memcpy(out->at, o->peer, IPV6_CUSTOMER_BYTES);
    }
}

/* Once a dialogue: each of its audit lines names it. */
static void write_peer(const struct wire_open *o, struct standing *s)
{
    struct sockaddr_storage peer;
    read_peer(o, &peer);
    address_host_text((const struct sockaddr *)&peer, s->peer);
    s->peer_len = (uint8_t)strlen(s->peer);
}

/* What a key, or a listener, stands for. */
struct grant {
    unsigned permits;
    slice merchant; /* valid for the turn; empty: nobody is known */
};

/* A list that does not parse admits nobody. */
static bool address_is_allowed(slice allow, const struct wire_open *o)
{
    struct sockaddr_storage peer;
    struct cidr cidr;
    slice part;
    if (allow.len == 0) return true;
    read_peer(o, &peer);
    while (slice_next(&allow, ',', &part)) {
        if (failed(cidr_parse(slice_trim(part), &cidr))) return false;
        if (cidr_contains(&cidr, (const struct sockaddr *)&peer)) return true;
    }
    return false;
}

static enum error merchant_index(const struct config *c, slice name, uint32_t *out)
{
    int64_t i = config_merchant_index(c, name);
    if (i < 0) return ERR_KEY_WRONG; /* a key of a merchant that is not configured (any more) */
    *out = (uint32_t)i;
    return ERR_NONE;
}

/* Merchant and permissions by the listener: who can reach it is the merchant (a sidecar on loopback, a unix socket). */
static enum error admit_listener(const struct config_listen *l, struct dialogue *d, struct grant *g)
{
    struct standing *s = &d->standing;
    if (!l->merchant.at) return ERR_KEY_MISSING;
    s->caller.key_id[0] = '@';
    size_t n = l->merchant.len < sizeof s->caller.key_id - 1 ? l->merchant.len : sizeof s->caller.key_id - 1;
    memcpy(s->caller.key_id + 1, l->merchant.at, n);
    *g = (struct grant){PERMIT_DEFAULT, l->merchant};
    return merchant_index(s->version->config, l->merchant, &s->merchant);
}

static enum error admit_key(struct keeper_server *server, const struct config_listen *l, struct dialogue *d,
                            const struct wire_open *o, slice key, struct grant *g)
{
    struct standing *s = &d->standing;
    const struct api_key_info *info = NULL;
    if (failed(vault_key_check(server->vault, key, &info)) || info->revoked) return ERR_KEY_WRONG;
    *g = (struct grant){info->permissions, info->merchant};
    s->actor_len = (uint8_t)strnlen(info->id, sizeof s->actor);
    memcpy(s->actor, info->id, s->actor_len);
    memcpy(s->caller.key_id, info->id, s->actor_len);
    if (!address_is_allowed(info->allow, o)) return ERR_KEY_ADDRESS;
    if (l->merchant.at && !slice_eq(l->merchant, info->merchant)) return ERR_KEY_MERCHANT;
    return merchant_index(s->version->config, info->merchant, &s->merchant);
}

const struct config_route *standing_route(const struct standing *s)
{
    bool has_route = s->purpose == KEEPER_FOR_PROXY || s->purpose == KEEPER_FOR_PUSH;
    const struct config *c = s->version ? s->version->config : NULL;
    return c && has_route && s->route < c->route_count ? &c->routes[s->route] : NULL;
}

/* What the route's traffic takes, and no more: whoever pushes cards in gets none out. */
static unsigned permission_of(const struct config_route *route)
{
    return route->direction == DIRECTION_FILTER_PUSH ? PERMIT_TOKENIZE : PERMIT_PROXY;
}

/* An honest relay asks for nothing else. */
static bool is_sound(const struct standing *s)
{
    const struct config_route *route = standing_route(s);
    if (s->purpose == KEEPER_FOR_FIELDS) return s->permission == PERMIT_TOKENIZE;
    if (s->purpose == KEEPER_FOR_TUNNEL) return s->permission == PERMIT_PROXY;
    if (s->purpose == KEEPER_FOR_API) return s->permission != 0 && !(s->permission & PERMIT_PROXY);
    return route && config_route_is_push(route) == (s->purpose == KEEPER_FOR_PUSH) && s->permission == permission_of(route);
}

static bool is_caller(const struct config_route *route, const struct wire_open *o)
{
    return route->callers.len > 0 && address_is_allowed(route->callers, o);
}

/* Merchant and permission by where the partner calls from: of the route's own merchant, so it must have one. */
static bool admit_address(const struct wire_open *o, struct dialogue *d, struct grant *g)
{
    struct standing *s = &d->standing;
    const struct config_route *route = s->purpose == KEEPER_FOR_PUSH ? standing_route(s) : NULL;
    if (!route || !config_route_is_push(route) || !route->merchant.at || !is_caller(route, o)) return false;
    if (merchant_index(s->version->config, route->merchant, &s->merchant)) return false;
    s->by_address = true;
    s->caller.key_id[0] = '=';
    *g = (struct grant){permission_of(route), route->merchant};
    return true;
}

static enum error admit_without_key(const struct config_listen *l, const struct wire_open *o, struct dialogue *d, struct grant *g)
{
    const struct config_route *route = standing_route(&d->standing);
    if (admit_address(o, d, g)) return ERR_NONE;
    /* Who can merely reach the merchant's listener is no partner of his. */
    if (route && route->direction == DIRECTION_FORWARD_PUSH) return ERR_KEY_MISSING;
    return admit_listener(l, d, g);
}

static enum error check_purpose(const struct dialogue *d, const struct wire_open *o, unsigned permits)
{
    const struct standing *s = &d->standing;
    const struct config_route *route = standing_route(s);
    if (!is_sound(s)) return ERR_KEEPER_REFUSED;
    if ((permits & s->permission) != s->permission) return ERR_KEY_PERMISSION;
    if (!route) return ERR_NONE;
    if (!config_route_serves(route, s->version->config->merchants[s->merchant].name)) return ERR_KEY_MERCHANT;
    /* Card numbers go to the caller himself: a merchant's key that leaked must not take them to anywhere. */
    bool takes = route->direction == DIRECTION_FORWARD_PUSH;
    return takes && !is_caller(route, o) ? ERR_KEY_ADDRESS : ERR_NONE;
}

static enum error check_rates(struct keeper_server *server, const struct dialogue *d)
{
    const struct standing *s = &d->standing;
    const struct config *c = s->version->config;
    uint64_t now = loop_now_ms(server->loop);
    if (bad_tokens_is_blocked(server->bad, &s->caller, now, c->bad_tokens, c->bad_tokens_window_ms))
        return ERR_TOO_MANY_BAD_TOKENS;
    slice key_id = {s->actor, s->actor_len};
    if (key_id.len && !key_rates_take(server->rates, key_id, c->rate_per_key, now)) return ERR_KEY_RATE;
    return ERR_NONE;
}

/* A card network's notification: nobody is known before its signature was checked, and nothing is granted but to have it checked.
 * A dialogue is enough for one; the address answers for those that were wrong. */
static enum error admit_notice(struct keeper_server *server, const struct dialogue *d)
{
    return d->standing.permission ? ERR_KEEPER_REFUSED : check_rates(server, d);
}

/* A payer before hosted card fields: the session is all that he has, and says whose merchant's it is. */
static enum error admit_fields(struct keeper_server *server, const struct config_listen *l, struct dialogue *d, slice id, struct grant *g)
{
    struct standing *s = &d->standing;
    struct field_session session;
    result r = field_sessions_find(server->field_sessions, id, loop_now_ms(server->loop), &session);
    if (failed(r)) return r.err;
    *g = (struct grant){PERMIT_TOKENIZE, session.merchant};
    memcpy(d->field_session, id.at, sizeof d->field_session);
    static_assert(sizeof s->actor == FIELD_SESSION_SHOWN_BYTES, "the part of it that may be shown");
    s->actor_len = sizeof s->actor;
    memcpy(s->actor, id.at, s->actor_len);
    memcpy(s->caller.key_id, id.at, s->actor_len);
    if (l->merchant.at && !slice_eq(l->merchant, session.merchant)) return ERR_KEY_MERCHANT;
    return merchant_index(s->version->config, session.merchant, &s->merchant);
}

static enum error admit(struct keeper_server *server, struct dialogue *d, const struct wire_open *o, slice key,
                        struct grant *g)
{
    const struct config *c = d->standing.version->config;
    if (o->listener >= c->listen_count) return ERR_KEEPER_REFUSED;
    if (o->purpose == KEEPER_FOR_NOTICE) return admit_notice(server, d);
    const struct config_listen *l = &c->listens[o->listener];
    enum error e = o->purpose == KEEPER_FOR_FIELDS ? admit_fields(server, l, d, o->has_key ? key : SLICE_NONE, g)
                   : o->has_key ? admit_key(server, l, d, o, key, g) : admit_without_key(l, o, d, g);
    d->standing.may_change = (g->permits & PERMIT_CHANGE) != 0;
    d->standing.may_know = (g->permits & PERMIT_TOKENIZE) && !d->standing.by_address;
    if (!e) e = check_purpose(d, o, g->permits);
    if (!e) e = check_rates(server, d);
    return e;
}

/* PCI DSS 4.0.1 10.2.1.4: invalid access attempts are logged. A stranger can make as many as he likes, so only the first few
 * of a second go into the trail; the relay's log and the metrics have them all. */
static void audit_refusal(struct keeper_server *server, const struct dialogue *d, slice merchant)
{
    const struct standing *s = &d->standing;
    if (!bucket_take(&server->refusals_audited, REFUSALS_AUDITED_PER_SECOND, loop_now_ms(server->loop))) return;
    struct audit_entry entry = {.action = "access.refused", .merchant = merchant, .actor = {s->actor, s->actor_len},
                                .peer = {s->peer, s->peer_len}, .request = s->request, .outcome = {d->refusal}};
    const struct config_route *route = standing_route(s);
    if (route) entry.route = route->name;
    if (s->actor_len == 0) entry.actor = SLICE("listener");
    result ignored = vault_audit(server->vault, &entry); /* nothing was given: nothing to take back */
    (void)ignored;
}

static bool audited(enum error e)
{
    return e == ERR_KEY_WRONG || e == ERR_KEY_ADDRESS || e == ERR_KEY_PERMISSION || e == ERR_KEY_MERCHANT ||
           e == ERR_KEEPER_REFUSED || e == ERR_TOO_MANY_BAD_TOKENS;
}

/* Requests that began before a reload name the configuration before; a stolen relay may not live in the past for long. */
static struct version *find_version(const struct keeper_server *server, uint32_t generation)
{
    struct version *v = server_version(server, generation);
    if (!v || v == server->current) return v;
    return loop_now_ms(server->loop) - v->replaced_ms < STALE_MS ? v : NULL;
}

void server_admit(struct dialogue *d, const struct wire_frame *f)
{
    struct keeper_server *server = d->relay->server;
    struct standing *s = &d->standing;
    struct wire_open o;
    struct grant g = {0};
    wire_fixed(f, &o, sizeof o);
    s->version = find_version(server, o.generation);
    s->request = o.request;
    s->route = o.route;
    s->permission = o.permission;
    s->purpose = o.purpose;
    name_caller(&o, &s->caller);
    write_peer(&o, s);
    if (s->version) server_hold(s->version);
    /* A keeper that was restarted does not know what was before it: its relay hears of the new one in a moment. */
    enum error no_version = server_version(server, o.generation) ? ERR_KEEPER_REFUSED : ERR_KEEPER_AWAY;
    d->refusal = s->version ? admit(server, d, &o, wire_tail(f, 0), &g) : no_version;
    if (audited(d->refusal)) audit_refusal(server, d, g.merchant);
}
