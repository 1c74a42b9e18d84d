/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tunnel.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "http/upstream.h"
#include "http/writer.h"
#include "proxy/client.h"
#include "proxy/leaves.h"
#include "proxy/reply.h"
#include "proxy_priv.h"
#include "rules/host.h"
#include "rules/target.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TUNNEL_MAGIC = 0x746e6e6c, LEAF_QUESTION = 0, ANY_PORT = 0 };

/* REACHING: the keeper signs, or the host is connected to, or the far end of a pair is opening. */
enum tunnel_state { TUNNEL_ASKING = 0, TUNNEL_REACHING, TUNNEL_OPEN, TUNNEL_GONE };

struct tunnel {
    unsigned magic;
    enum tunnel_state state;
    struct proxy *proxy;
    struct gate *gate; /* held */
    uint32_t listen;
    uint64_t id, started_us;
    struct link *client, *far;     /* far: NULL until it is reached; the upstream's, or one end of a pair */
    struct client_origin *origin;  /* moves to the inner client */
    struct upstream_url to;        /* its host is <host> */
    char host[TARGET_HOST_MAX_BYTES];
    bool reads;
    int status;
    enum error error;
    int64_t merchant;
    struct keeper_dialogue *dialogue;
    struct upstream_pool *pool;    /* of this tunnel alone */
    struct upstream_wish *wish;
    struct upstream *upstream;
    LIST_ENTRY(tunnel) all;
};

static struct tunnel *tunnel_of(void *owner)
{
    struct tunnel *t = owner;
    assert(t->magic == TUNNEL_MAGIC);
    return t;
}

struct tunnel *tunnel_next(const struct tunnel *t)
{
    return LIST_NEXT(t, all);
}

/* --- ending --- */

static void log_tunnel(const struct tunnel *t)
{
    char id[REQUEST_ID_BYTES], peer[INET6_ADDRSTRLEN];
    const struct config *config = t->gate->config;
    request_id_text(t->id, id);
    log_begin(t->error ? error_level(t->error) : LOG_LEVEL_INFO, "tunnel");
    log_word("request", (slice){id, sizeof id});
    log_u64("status", (uint64_t)t->status);
    if (t->error) log_error("reason", t->error);
    if (t->to.host.len) log_word("target", t->to.host);
    if (t->status == 200) log_text("read", t->reads ? "yes" : "no");
    if (t->merchant >= 0 && (size_t)t->merchant < config->merchant_count) log_word("merchant", config->merchants[t->merchant].name);
    log_u64("bytes_in", link_received_total(t->client));
    log_u64("bytes_out", link_sent_total(t->client) + link_unsent(t->client));
    log_u64("us", loop_now_us(t->proxy->loop) - t->started_us);
    address_host_text(link_peer(t->client), peer);
    log_word("peer", slice_of(peer));
    log_end();
}

static void tunnel_free(void *object)
{
    struct tunnel *t = tunnel_of(object);
    client_origin_free(t->origin);
    gate_release(t->gate);
    t->magic = 0;
    free(t);
}

static void end_far(struct tunnel *t, enum link_end how)
{
    upstream_wish_cancel(t->wish);
    t->wish = NULL;
    if (t->upstream && how == LINK_END_ABORT) upstream_drop(t->upstream);
    if (t->upstream && how == LINK_END_FLUSH) upstream_finish(t->upstream);
    if (!t->upstream) link_end(t->far, how);
    t->upstream = NULL;
    t->far = NULL;
    upstream_pool_free(t->pool);
    t->pool = NULL;
}

static void tunnel_end(struct tunnel *t, enum link_end how)
{
    struct proxy *p = t->proxy;
    if (t->state == TUNNEL_GONE) return;
    t->state = TUNNEL_GONE;
    log_tunnel(t);
    metrics_add(METRIC_CLIENT_BYTES_IN, link_received_total(t->client));
    metrics_add(METRIC_CLIENT_BYTES_OUT, link_sent_total(t->client) + link_unsent(t->client));
    metrics_gauge(METRIC_CLIENTS_OPEN, -1);
    keeper_end(t->dialogue);
    t->dialogue = NULL;
    end_far(t, how);
    link_end(t->client, how);
    LIST_REMOVE(t, all);
    p->tunnel_count--;
    proxy_client_gone(p);
    loop_free_later(p->loop, tunnel_free, t);
}

/* A wrong key is a wrong key of the proxy's: clients know 407 (RFC 9110 15.5.8). */
static void refuse(struct tunnel *t, enum error e)
{
    if (e == ERR_KEY_MISSING || e == ERR_KEY_WRONG) e = ERR_PROXY_KEY;
    struct reply reply = reply_of_error(e);
    t->error = e;
    t->status = reply.status;
    metrics_error(e);
    metrics_add(METRIC_OUTCOME_REFUSED, 1);
    if (!failed(reply_write(link_output(t->client), &reply, t->id, false, false))) link_flush(t->client);
    tunnel_end(t, LINK_END_FLUSH);
}

void tunnel_drain(struct tunnel *t)
{
    if (!t->reads || t->state != TUNNEL_OPEN) tunnel_end(t, LINK_END_FLUSH);
}

void tunnel_free_now(struct tunnel *t)
{
    tunnel_end(t, LINK_END_ABORT);
}

/* --- bytes --- */

/* Passed on unread: no deadline of ours knows what they wait for, but how long nothing comes at all. */
static void keep_awake(struct tunnel *t)
{
    if (!t->reads) link_set_deadline(t->client, t->gate->config->idle_client_ms);
}

static void pump(struct tunnel *t, struct link *from, struct link *to)
{
    slice in = link_input(from);
    if (in.len == 0) return;
    if (failed(buf_append(link_output(to), in))) {
        tunnel_end(t, LINK_END_ABORT);
        return;
    }
    link_consume(from, in.len);
    link_flush(to);
    keep_awake(t);
    if (link_unsent(to) > FLOW_HIGH_BYTES) link_pause(from);
}

static void on_link(void *owner, struct link *l, enum link_event event);

/* --- opening --- */

/* RFC 9110 9.3.6: "Any 2xx (Successful) response indicates that the sender … will switch to tunnel mode immediately after the response
 * header section"; neither Content-Length nor Transfer-Encoding may be sent with it. */
static void open_up(struct tunnel *t)
{
    struct buf *out = link_output(t->client);
    t->state = TUNNEL_OPEN;
    t->status = 200;
    metrics_add(METRIC_OUTCOME_FORWARDED, 1);
    if (failed(http_write_status_line(out, t->status)) || failed(http_write_end_of_head(out))) {
        tunnel_end(t, LINK_END_ABORT);
        return;
    }
    link_flush(t->client);
    keep_awake(t);
    link_resume(t->client);
}

static void read_with(struct tunnel *t, struct tls_server *server)
{
    int pair[2];
    struct client_origin *origin = t->origin;
    t->reads = true;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
        refuse(t, ERR_IO);
        return;
    }
    t->origin = NULL;
    t->far = link_accept(t->proxy->loop, pair[0], NULL, 0, on_link, t);
    struct client *inner = client_new_inside(t->proxy, t->listen, pair[1], server, origin);
    if (!t->far || !inner) refuse(t, ERR_MEMORY);
}

static void on_leaf(void *owner, uint32_t index, result r, slice certificate)
{
    struct tunnel *t = tunnel_of(owner);
    struct tls_server *server;
    (void)index;
    if (!failed(r)) r = leaves_put(t->proxy->leaves, t->to.host, certificate, loop_now_ms(t->proxy->loop), &server);
    if (failed(r))
        refuse(t, r.err);
    else
        read_with(t, server);
}

static void read_host(struct tunnel *t)
{
    struct tls_server *server = leaves_find(t->proxy->leaves, t->to.host, loop_now_ms(t->proxy->loop));
    if (server) {
        read_with(t, server);
        return;
    }
    const uint8_t *point = leaves_point(t->proxy->leaves);
    result r = point ? keeper_leaf(t->dialogue, LEAF_QUESTION, t->to.host, point) : FAIL(CRYPTO);
    if (failed(r)) refuse(t, r.err);
}

static void on_connected(void *owner, result r, struct upstream *u)
{
    struct tunnel *t = tunnel_of(owner);
    t->wish = NULL;
    if (failed(r)) {
        refuse(t, r.err);
        return;
    }
    t->upstream = u;
    t->far = upstream_link(u);
    link_set_owner(t->far, on_link, t);
    open_up(t);
}

/* Only where it is said to, or to port 443 of the public internet: nobody shall reach our own network through us. A host that one of the
 * caller's routes has at another port may get cards that nobody here would read: not by a wildcard, nor by the absence of a list. */
static result check_other(const struct tunnel *t, const struct config_listen *l, slice merchant, bool *public_only)
{
    const struct config_target *entry = target_find(l->tunnels, l->tunnel_count, &t->to);
    bool is_named = entry && !host_pattern_is_wildcard(entry->url.host);
    ENSURE(is_named || !config_route_for_host(t->gate->config, merchant, t->to.host, ANY_PORT), PROXY_PORT);
    ENSURE(l->proxy_others == PROXY_OTHERS_TUNNEL, PROXY_HOST);
    ENSURE(entry || (l->tunnel_count == 0 && t->to.port == 443), PROXY_TARGET);
    *public_only = !entry || !entry->may_be_private;
    return OK;
}

static result connect_other(struct tunnel *t, const struct config_listen *l, slice merchant)
{
    const struct config *c = t->gate->config;
    struct upstream_settings s = {.loop = t->proxy->loop, .resolver = t->proxy->resolver, .host = t->to.host, .port = t->to.port,
                                  .connect_ms = c->tls_handshake_ms, .idle_ms = c->idle_client_ms,
                                  .head_limits = {.head_bytes = c->head_bytes, .fields = c->head_fields}};
    TRY(check_other(t, l, merchant, &s.public_only));
    t->pool = upstream_pool_new(&s);
    ENSURE(t->pool != NULL, MEMORY);
    t->wish = upstream_connect(t->pool, on_connected, t);
    ENSURE(t->wish != NULL, MEMORY);
    return OK;
}

static void on_opened(void *owner, result r, uint32_t merchant, slice key_id)
{
    struct tunnel *t = tunnel_of(owner);
    const struct config *c = t->gate->config;
    (void)key_id;
    if (failed(r)) {
        refuse(t, r.err);
        return;
    }
    t->merchant = merchant;
    t->state = TUNNEL_REACHING;
    slice name = merchant < c->merchant_count ? c->merchants[merchant].name : SLICE("");
    client_origin_set_merchant(t->origin, name);
    if (config_route_for_host(c, name, t->to.host, t->to.port)) {
        read_host(t);
        return;
    }
    r = connect_other(t, &c->listens[t->listen], name);
    if (failed(r)) refuse(t, r.err);
}

static const struct keeper_handlers handlers = {.on_opened = on_opened, .on_leaf = on_leaf};

static void on_link(void *owner, struct link *l, enum link_event event)
{
    struct tunnel *t = tunnel_of(owner);
    struct link *other = l == t->client ? t->far : t->client;
    bool is_open = t->state == TUNNEL_OPEN;
    switch (event) {
    case LINK_CONNECTED: open_up(t); return;
    case LINK_READABLE:
        if (is_open) pump(t, l, other);
        return;
    case LINK_WRITABLE:
        if (is_open) link_resume(other);
        return;
    case LINK_CLOSED:
        if (is_open) pump(t, l, other); /* what was left while the other side did not read */
        tunnel_end(t, is_open ? LINK_END_FLUSH : LINK_END_ABORT);
        return;
    case LINK_TIMED_OUT: tunnel_end(t, LINK_END_FLUSH); return;
    case LINK_CUT_OFF:
    case LINK_FAILED: tunnel_end(t, LINK_END_ABORT); return;
    }
}

/* --- beginning --- */

static result read_target(struct tunnel *t, slice authority)
{
    struct upstream_url to;
    TRY(target_parse_authority(authority, &to));
    for (size_t i = 0; i < to.host.len; i++) {
        char c = to.host.at[i];
        t->host[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    t->to = to;
    t->to.host = (slice){t->host, to.host.len};
    return OK;
}

static result ask(struct tunnel *t, const struct http_head *head)
{
    struct keeper_caller caller = {.listener = t->listen, .purpose = KEEPER_FOR_TUNNEL, .permission = PERMIT_PROXY, .request = t->id};
    TRY(read_target(t, head->authority));
    t->origin = client_origin_new(link_peer(t->client), head, t->to.host, t->to.port);
    ENSURE(t->origin != NULL, MEMORY);
    client_origin_introduce(t->origin, &caller);
    t->dialogue = keeper_open(t->proxy->keeper, &caller, &handlers, t);
    ENSURE(t->dialogue != NULL, MEMORY);
    return OK;
}

void tunnel_begin(struct proxy *p, uint32_t listen, struct link *client, const struct http_head *head)
{
    struct tunnel *t = calloc(1, sizeof *t);
    if (!t) {
        metrics_gauge(METRIC_CLIENTS_OPEN, -1);
        link_end(client, LINK_END_ABORT);
        return;
    }
    *t = (struct tunnel){.magic = TUNNEL_MAGIC, .proxy = p, .gate = gate_hold(p->gate), .listen = listen, .id = p->next_request_id++,
                         .started_us = loop_now_us(p->loop), .client = client, .merchant = -1};
    LIST_INSERT_HEAD(&p->tunnels, t, all);
    p->tunnel_count++;
    metrics_add(METRIC_REQUESTS, 1);
    link_set_owner(client, on_link, t);
    link_set_deadline(client, 0);
    link_pause(client);
    result r = ask(t, head);
    if (failed(r)) refuse(t, r.err);
}
