/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/client.h"

#include "base/log.h"
#include "base/metrics.h"
#include "http/reader.h"
#include "proxy/exchange.h"
#include "proxy/reply.h"
#include "proxy/tunnel.h"
#include "proxy_priv.h"

#include <assert.h>
#include <stdlib.h>

enum { CLIENT_MAGIC = 0x636c6e74 };

/* PHASE_WAIT: the request is complete, its exchange is not. Each phase has its deadline. */
enum client_phase { PHASE_IDLE = 0, PHASE_HEAD, PHASE_BODY, PHASE_WAIT };

struct client {
    unsigned magic;
    enum client_phase phase;
    struct proxy *proxy;
    struct link *link;
    struct http_reader *reader;
    struct exchange *exchange; /* one at a time */
    uint32_t listen;
    struct client_origin *origin; /* NULL: not in a tunnel */
    bool ending;               /* link_end was called: nothing more is read or written */
    bool peer_done;            /* the peer sends no more; it may still read */
    uint64_t phase_started_ms, body_bytes;
    LIST_ENTRY(client) all;
};

static void on_link(void *owner, struct link *l, enum link_event event);
static void client_pump(struct client *c);

static void enter_phase(struct client *c, enum client_phase phase)
{
    const struct config *config = c->proxy->gate->config;
    static const uint64_t none = 0;
    const uint64_t *deadline[] = {[PHASE_IDLE] = &config->idle_client_ms, [PHASE_HEAD] = &config->head_ms,
                                  [PHASE_BODY] = &config->body_ms, [PHASE_WAIT] = &none};
    c->phase = phase;
    c->phase_started_ms = loop_now_ms(c->proxy->loop);
    link_set_deadline(c->link, *deadline[phase]);
}

struct client *client_new_inside(struct proxy *p, uint32_t listen, int fd, struct tls_server *tls, struct client_origin *origin)
{
    struct client *c = calloc(1, sizeof *c);
    const struct config *config = p->gate->config;
    struct http_limits limits = {.head_bytes = config->head_bytes, .fields = config->head_fields};
    struct http_reader *reader = http_reader_new(HTTP_REQUESTS, &limits);
    struct link *l = link_accept(p->loop, fd, tls, config->tls_handshake_ms, on_link, c);
    if (!c || !reader || !l) {
        link_end(l, LINK_END_ABORT);
        http_reader_free(reader);
        client_origin_free(origin);
        free(c);
        return NULL;
    }
    *c = (struct client){.magic = CLIENT_MAGIC, .proxy = p, .link = l, .reader = reader, .listen = listen, .origin = origin};
    http_reader_take_connect(reader, !origin && config->listens[listen].forward_proxy);
    LIST_INSERT_HEAD(&p->clients, c, all);
    p->client_count++;
    metrics_add(METRIC_CLIENTS, 1);
    metrics_gauge(METRIC_CLIENTS_OPEN, 1);
    return c;
}

struct client *client_new(struct proxy *p, uint32_t listen, int fd)
{
    return client_new_inside(p, listen, fd, p->gate->listen_tls[listen], NULL);
}

static void client_free(void *object)
{
    struct client *c = object;
    assert(c->magic == CLIENT_MAGIC && !c->exchange);
    client_origin_free(c->origin);
    http_reader_free(c->reader);
    c->magic = 0;
    free(c);
}

static void leave(struct client *c)
{
    LIST_REMOVE(c, all);
    c->proxy->client_count--;
    struct exchange *x = c->exchange;
    c->exchange = NULL;
    if (x) exchange_client_gone(x);
    proxy_client_gone(c->proxy);
    loop_free_later(c->proxy->loop, client_free, c);
}

static void client_end(struct client *c, enum link_end how)
{
    if (c->ending) return;
    c->ending = true;
    metrics_add(METRIC_CLIENT_BYTES_IN, link_received_total(c->link));
    metrics_add(METRIC_CLIENT_BYTES_OUT, link_sent_total(c->link) + link_unsent(c->link));
    metrics_gauge(METRIC_CLIENTS_OPEN, -1);
    link_end(c->link, how);
    leave(c);
}

/* CONNECT: the connection is a tunnel's from here on. */
static void hand_over(struct client *c)
{
    c->ending = true;
    tunnel_begin(c->proxy, c->listen, c->link, http_reader_head(c->reader));
    leave(c);
}

struct client *client_next(const struct client *c)
{
    return LIST_NEXT(c, all);
}

void client_free_now(struct client *c)
{
    client_end(c, LINK_END_ABORT);
}

struct link *client_link(struct client *c)
{
    return c->ending ? NULL : c->link;
}

const struct client_origin *client_origin(const struct client *c)
{
    return c->origin;
}

const struct sockaddr *client_peer(const struct client *c)
{
    return c->origin ? client_origin_peer(c->origin) : link_peer(c->link);
}

uint32_t client_listen(const struct client *c)
{
    return c->listen;
}

void client_cut(struct client *c)
{
    c->exchange = NULL; /* it is ending by itself */
    client_end(c, LINK_END_ABORT);
}

void client_exchange_done(struct client *c, bool keep_alive)
{
    c->exchange = NULL;
    if (c->ending) return;
    if (!keep_alive || c->peer_done || c->phase != PHASE_WAIT || c->proxy->draining) {
        client_end(c, LINK_END_FLUSH);
        return;
    }
    size_t used;
    (void)http_reader_feed(c->reader, SLICE_NONE, &used); /* lets go of the head's memory */
    enter_phase(c, PHASE_IDLE);
    link_pause(c->link);
    link_resume(c->link); /* a pipelined request that waits is read in the next turn */
}

void client_pump_later(struct client *c)
{
    if (!c->ending) link_resume(c->link);
}

void client_drain(struct client *c)
{
    if (!c->exchange && c->phase == PHASE_IDLE) client_end(c, LINK_END_FLUSH);
}

/* --- refusing what is not a request --- */

static void log_refusal(const struct client *c, uint64_t id, enum http_refusal why)
{
    char text[REQUEST_ID_BYTES];
    request_id_text(id, text);
    log_begin(LOG_LEVEL_INFO, "exchange");
    log_word("request", (slice){text, sizeof text});
    log_u64("status", (uint64_t)refusal_status(why));
    log_text("reason", refusal_name(why));
    log_u64("listener", c->listen);
    log_end();
}

static void refuse(struct client *c)
{
    enum http_refusal why = http_reader_refusal(c->reader);
    struct exchange *x = c->exchange;
    metrics_refusal(why);
    if (x) { /* the body's framing broke: what was collected goes nowhere */
        exchange_body_refused(x, why);
        return;
    }
    uint64_t id = c->proxy->next_request_id++;
    struct reply reply = reply_of_refusal(why);
    metrics_add(METRIC_REQUESTS, 1);
    metrics_add(METRIC_OUTCOME_REFUSED, 1);
    log_refusal(c, id, why);
    if (!failed(reply_write(link_output(c->link), &reply, id, false, false))) link_flush(c->link);
    client_end(c, LINK_END_FLUSH);
}

/* --- reading --- */

static void on_head(struct client *c)
{
    if (http_reader_head(c->reader)->is_connect) {
        hand_over(c);
        return;
    }
    c->body_bytes = 0;
    c->exchange = exchange_new(c->proxy, c, http_reader_head(c->reader));
    if (!c->exchange) {
        client_end(c, LINK_END_ABORT);
        return;
    }
    enter_phase(c, PHASE_BODY);
    exchange_begin(c->exchange);
}

static void on_message_end(struct client *c)
{
    if (!c->exchange) return;
    enter_phase(c, PHASE_WAIT);
    exchange_body_end(c->exchange);
}

static void on_step(struct client *c, enum http_step step)
{
    switch (step) {
    case HTTP_HEAD: on_head(c); return;
    case HTTP_END: on_message_end(c); return;
    case HTTP_REFUSED: refuse(c); return;
    case HTTP_BODY:
    case HTTP_MORE: return;
    }
}

/* A client that sends requests and takes no answers: no further one is begun until it has read. Without this, unsent answers
 * would pile up for each connection. */
static bool owes_reading(const struct client *c)
{
    return c->phase == PHASE_IDLE && link_unsent(c->link) > FLOW_HIGH_BYTES;
}

static bool must_wait(const struct client *c)
{
    if (http_reader_owes_step(c->reader)) return false;
    return owes_reading(c) || (c->exchange && !exchange_takes_body(c->exchange));
}

static slice next_piece(const struct client *c)
{
    slice in = link_input(c->link);
    size_t most = c->exchange ? exchange_piece_bytes(c->exchange) : SIZE_MAX;
    return in.len > most ? slice_range(in, 0, most) : in;
}

/* The exchange may end, and the client with it, in every call below. The reader is asked until it says MORE: a message's end
 * needs no further bytes. */
static void client_pump(struct client *c)
{
    enum http_step step;
    do {
        slice in = next_piece(c);
        size_t used = 0;
        if (must_wait(c)) {
            link_pause(c->link);
            return;
        }
        if (c->phase == PHASE_IDLE && in.len) enter_phase(c, PHASE_HEAD);
        step = http_reader_feed(c->reader, in, &used);
        if (step == HTTP_BODY && c->exchange) {
            c->body_bytes += used;
            exchange_body(c->exchange, http_reader_body(c->reader)); /* still in the input: consumed after it */
        }
        if (c->ending) return;
        link_consume(c->link, used);
        on_step(c, step);
    } while ((step != HTTP_MORE || link_input(c->link).len) && !c->ending && c->phase != PHASE_WAIT);
}

static void on_readable(struct client *c)
{
    if (c->phase != PHASE_WAIT) client_pump(c);
}

/* --- deadlines --- */

/* A body must bring body_min_rate bytes a second once its first body_ms have passed. */
static void on_body_deadline(struct client *c)
{
    const struct config *config = c->proxy->gate->config;
    uint64_t rate = config->body_min_rate ? config->body_min_rate : 1;
    uint64_t allowed = config->body_ms + c->body_bytes * 1000 / rate;
    uint64_t gone = loop_now_ms(c->proxy->loop) - c->phase_started_ms;
    if (gone < allowed) {
        link_set_deadline(c->link, allowed - gone);
        return;
    }
    exchange_client_timeout(c->exchange);
}

static void on_timeout(struct client *c)
{
    switch (c->phase) {
    case PHASE_IDLE: client_end(c, LINK_END_FLUSH); return;
    case PHASE_HEAD: {
        struct reply reply = reply_of_error(ERR_CLIENT_TIMEOUT);
        uint64_t id = c->proxy->next_request_id++;
        metrics_error(ERR_CLIENT_TIMEOUT);
        log_begin(LOG_LEVEL_INFO, "exchange");
        log_u64("status", 408);
        log_error("reason", ERR_CLIENT_TIMEOUT);
        log_end();
        if (!failed(reply_write(link_output(c->link), &reply, id, false, false))) link_flush(c->link);
        client_end(c, LINK_END_FLUSH);
        return;
    }
    case PHASE_BODY:
        if (c->exchange) {
            on_body_deadline(c);
            return;
        }
        client_end(c, LINK_END_FLUSH);
        return;
    case PHASE_WAIT: return;
    }
}

static void on_writable(struct client *c)
{
    if (c->exchange)
        exchange_client_writable(c->exchange);
    else
        link_resume(c->link); /* it has read what it was owed */
}

static void on_closed(struct client *c)
{
    c->peer_done = true;
    /* A half-closed client with a complete request still waits for its answer. */
    if (c->exchange && c->phase == PHASE_WAIT) return;
    bool is_inside = c->phase == PHASE_HEAD || c->phase == PHASE_BODY;
    if (is_inside && http_reader_eof(c->reader) == HTTP_REFUSED) { /* it cannot be completed, but it can be told */
        refuse(c);
        return;
    }
    client_end(c, c->exchange ? LINK_END_ABORT : LINK_END_FLUSH);
}

static void on_link(void *owner, struct link *l, enum link_event event)
{
    struct client *c = owner;
    assert(c->magic == CLIENT_MAGIC && c->link == l);
    if (c->ending) return;
    switch (event) {
    case LINK_CONNECTED: enter_phase(c, PHASE_IDLE); return;
    case LINK_READABLE: on_readable(c); return;
    case LINK_WRITABLE: on_writable(c); return;
    case LINK_CLOSED: on_closed(c); return;
    case LINK_CUT_OFF:
    case LINK_FAILED: client_end(c, LINK_END_ABORT); return;
    case LINK_TIMED_OUT: on_timeout(c); return;
    }
}
