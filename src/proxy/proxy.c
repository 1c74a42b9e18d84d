/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/listener.h"
#include "proxy/admin.h"
#include "proxy/client.h"
#include "proxy/leaves.h"
#include "proxy/tunnel.h"
#include "proxy_priv.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOOK_AGAIN_MS = 20 };

struct listening {
    struct proxy *proxy;
    struct listener *listener;
    uint32_t index; /* in the configuration: the same after every reload */
};

static void on_accept(void *owner, struct listener *l, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct listening *at = owner;
    struct proxy *p = at->proxy;
    (void)l;
    (void)peer;
    (void)peer_len;
    if (p->client_count + p->tunnel_count >= p->gate->config->connections) {
        log_plain(LOG_LEVEL_WARN, "connection refused", "the limit 'connections' is reached");
        close(fd);
        return;
    }
    struct client *c = client_new(p, at->index, fd);
    if (!c) log_failure("connection refused", FAIL(MEMORY));
}

/* Request ids: a random start for each process, then counted: unique among relays and restarts for all that matters. */
static result choose_first_id(struct proxy *p, unsigned relay_index)
{
    uint64_t random;
    ENSURE(RAND_bytes((unsigned char *)&random, sizeof random) == 1, CRYPTO);
    p->next_request_id = (random << 8) ^ relay_index;
    return OK;
}

static result open_listeners(struct proxy *p, const int *fds)
{
    const struct config *c = p->gate->config;
    p->listening = calloc(c->listen_count + 1, sizeof *p->listening);
    ENSURE(p->listening != NULL, MEMORY);
    for (size_t i = 0; i < c->listen_count; i++) {
        struct listening *at = &p->listening[i];
        *at = (struct listening){.proxy = p, .index = (uint32_t)i};
        at->listener = listener_new(p->loop, fds[i], on_accept, at);
        ENSURE(at->listener != NULL, MEMORY);
        p->listening_count++;
    }
    return OK;
}

/* Looked at from a timer: the last exchange is done before its answer has left. Connections that still send, or linger for
 * their peer, are waited for; net/link.h bounds how long. */
static void on_look(void *arg)
{
    struct proxy *p = arg;
    if (!p->draining || p->busy_count || !p->on_idle) return;
    if (loop_has_residents(p->loop)) {
        timer_set(p->look_timer, LOOK_AGAIN_MS);
        return;
    }
    loop_hook on_idle = p->on_idle;
    p->on_idle = NULL;
    on_idle(p->on_idle_owner);
}

static result open_proxy(struct proxy *p, const struct proxy_options *o)
{
    p->resolver = resolver_new(o->loop, o->config->hosts_file);
    if (!p->resolver) {
        config_free(o->config);
        return FAIL(IO);
    }
    TRY(gate_new(o->loop, p->resolver, o->config, &p->gate));
    TRY(choose_first_id(p, o->relay_index));
    p->leaves = leaves_new();
    ENSURE(p->leaves != NULL, MEMORY);
    p->look_timer = timer_new(p->loop, on_look, p);
    ENSURE(p->look_timer != NULL, MEMORY);
    TRY(open_listeners(p, o->listen_fds));
    if (o->admin_fd == -1) return OK;
    p->admin = admin_new(p, o->admin_fd);
    ENSURE(p->admin != NULL, MEMORY);
    return OK;
}

result proxy_new(const struct proxy_options *options, struct proxy **out)
{
    struct proxy *p = calloc(1, sizeof *p);
    if (!p) {
        config_free(options->config);
        return FAIL(MEMORY);
    }
    p->loop = options->loop;
    p->keeper = options->keeper;
    p->service = options->service;
    LIST_INIT(&p->clients);
    LIST_INIT(&p->tunnels);
    buf_init_secret(&p->scratch, SCRATCH_MAX_BYTES);
    result r = open_proxy(p, options);
    if (failed(r)) {
        proxy_free(p);
        return r;
    }
    *out = p;
    return OK;
}

/* What a listener stands for is fixed when it is bound: the keeper and the relays must agree on it at every moment. */
static bool same_listeners(const struct config *a, const struct config *b)
{
    if (a->listen_count != b->listen_count) return false;
    for (size_t i = 0; i < a->listen_count; i++) {
        const struct config_listen *was = &a->listens[i], *is = &b->listens[i];
        if (!slice_eq(was->at, is->at) || !slice_eq(was->merchant, is->merchant) || was->tls != is->tls) return false;
    }
    return true;
}

result proxy_reload(struct proxy *p, struct config *config)
{
    struct gate *fresh;
    if (!same_listeners(p->gate->config, config)) {
        config_free(config);
        return FAIL(CONFIG);
    }
    TRY(gate_new(p->loop, p->resolver, config, &fresh));
    gate_release(p->gate);
    p->gate = fresh;
    leaves_clear(p->leaves); /* the CA may be another one by now */
    return OK;
}

static void tell_if_idle(struct proxy *p)
{
    if (p->draining && !p->busy_count && p->on_idle) timer_set(p->look_timer, 0);
}

void proxy_drain(struct proxy *p, loop_hook on_idle, void *owner)
{
    struct client *c, *next;
    struct tunnel *t, *next_tunnel;
    p->draining = true;
    p->on_idle = on_idle;
    p->on_idle_owner = owner;
    for (size_t i = 0; i < p->listening_count; i++) {
        listener_free(p->listening[i].listener);
        p->listening[i].listener = NULL;
    }
    for (c = LIST_FIRST(&p->clients); c; c = next) {
        next = client_next(c);
        client_drain(c);
    }
    for (t = LIST_FIRST(&p->tunnels); t; t = next_tunnel) {
        next_tunnel = tunnel_next(t);
        tunnel_drain(t);
    }
    tell_if_idle(p);
}

void proxy_client_gone(struct proxy *p)
{
    tell_if_idle(p);
}

void proxy_exchange_began(struct proxy *p)
{
    p->busy_count++;
}

void proxy_exchange_ended(struct proxy *p)
{
    assert(p->busy_count > 0);
    p->busy_count--;
    tell_if_idle(p);
}

void proxy_free(struct proxy *p)
{
    if (!p) return;
    p->on_idle = NULL;
    while (!LIST_EMPTY(&p->clients)) client_free_now(LIST_FIRST(&p->clients));
    while (!LIST_EMPTY(&p->tunnels)) tunnel_free_now(LIST_FIRST(&p->tunnels));
    for (size_t i = 0; i < p->listening_count; i++) listener_free(p->listening[i].listener);
    free(p->listening);
    admin_free(p->admin);
    timer_free(p->look_timer);
    leaves_free(p->leaves);
    gate_release(p->gate);
    resolver_free(p->resolver);
    buf_done(&p->scratch);
    free(p);
}
