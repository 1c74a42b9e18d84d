/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "compat.h"
#include "http/writer.h"
#include "rules/host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAY(state) (1u << (state))
static const unsigned may_follow[EXCHANGE_STATE_COUNT] = {
    [EXCHANGE_HEAD] = MAY(EXCHANGE_BODY) | MAY(EXCHANGE_REFUSE) | MAY(EXCHANGE_ABORT),
    [EXCHANGE_BODY] = MAY(EXCHANGE_RESOLVE) | MAY(EXCHANGE_SEND) | MAY(EXCHANGE_REFUSE) | MAY(EXCHANGE_ABORT) |
                      MAY(EXCHANGE_DONE),
    [EXCHANGE_RESOLVE] = MAY(EXCHANGE_SEND) | MAY(EXCHANGE_DONE) | MAY(EXCHANGE_REFUSE) | MAY(EXCHANGE_ABORT),
    [EXCHANGE_SEND] = MAY(EXCHANGE_REPLY) | MAY(EXCHANGE_DONE) | MAY(EXCHANGE_REFUSE) | MAY(EXCHANGE_ABORT),
    [EXCHANGE_REPLY] = MAY(EXCHANGE_RESOLVE) | MAY(EXCHANGE_SEND) | MAY(EXCHANGE_REWRITE) | MAY(EXCHANGE_DONE) |
                       MAY(EXCHANGE_REFUSE) | MAY(EXCHANGE_ABORT),
    [EXCHANGE_REWRITE] = MAY(EXCHANGE_DONE) | MAY(EXCHANGE_REFUSE) | MAY(EXCHANGE_ABORT),
    [EXCHANGE_REFUSE] = MAY(EXCHANGE_DONE),
    [EXCHANGE_ABORT] = MAY(EXCHANGE_DONE),
    [EXCHANGE_DONE] = 0,
};

void exchange_to(struct exchange *x, enum exchange_state next)
{
    assert(may_follow[x->state] & MAY(next));
    x->state = next;
}

bool exchange_is_over(const struct exchange *x)
{
    return x->state == EXCHANGE_DONE;
}

struct link *exchange_client_link(struct exchange *x)
{
    return x->client ? client_link(x->client) : NULL;
}

/* --- life --- */

struct exchange *exchange_from(void *owner)
{
    struct exchange *x = owner;
    assert(x->magic == EXCHANGE_MAGIC);
    return x;
}

struct exchange *exchange_new(struct proxy *p, struct client *c, const struct http_head *head)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    *x = (struct exchange){
        .magic = EXCHANGE_MAGIC,
        .proxy = p,
        .client = c,
        .gate = gate_hold(p->gate),
        .head = head,
        .id = p->next_request_id++,
        .is_head_method = head->is_head_method,
        .keep_alive = head->keep_alive,
        .is_http_1_0 = head->minor == 0,
        .awaits_continue = head->expects_continue,
        .merchant = -1,
        .started_us = loop_now_us(p->loop),
    };
    buf_init_secret(&x->collected, COLLECT_MAX_BYTES + FLOW_HIGH_BYTES);
    buf_init(&x->answer_head, SCRATCH_MAX_BYTES);
    buf_init_secret(&x->plain_body, p->service ? p->service->max_body_bytes : 0);
    proxy_exchange_began(p);
    metrics_add(METRIC_REQUESTS, 1);
    return x;
}

static void free_field_snippets(struct exchange *x)
{
    for (size_t i = 0; x->field_snippets && i < x->field_snippet_count; i++) snippet_free(x->field_snippets[i]);
    free(x->field_snippets);
    x->field_snippets = NULL;
}

/* The keeper hears whether the temporal tokens of this exchange are used up. */
static bool may_have_used_tokens(const struct exchange *x)
{
    if (x->answer_work == MESSAGE_REVEALS) return x->answer >= ANSWER_PASSED;
    return x->attempt || request_may_have_left(x);
}

/* And whether anybody may know the aliases of the CVCs that were captured on it: if not, nobody will ever use them up. */
static bool may_have_told_aliases(const struct exchange *x)
{
    if (x->answer_work == MESSAGE_CAPTURED) return x->client && x->answer >= ANSWER_PASSED;
    return x->attempt || request_may_have_left(x);
}

static void end_dialogue(struct exchange *x)
{
    if (!may_have_used_tokens(x))
        keeper_end_unsent(x->dialogue);
    else if (may_have_told_aliases(x))
        keeper_end(x->dialogue);
    else
        keeper_end_untold(x->dialogue);
    x->dialogue = NULL;
}

/* What only a running exchange needs; the rest is freed at the end of the turn. Called while <head> is still valid. */
static void let_go(struct exchange *x)
{
    end_dialogue(x);
    if (x->call) x->proxy->service->cancel(x->call);
    x->call = NULL;
    upstream_wish_cancel(x->wish);
    x->wish = NULL;
    upstream_drop(x->upstream);
    x->upstream = NULL;
    target_let_go(x);
    credential_set_forget(&x->credentials);
    capture_done(x);
}

void exchange_done(struct exchange *x)
{
    credential_set_forget(&x->credentials);
    free_field_snippets(x);
    body_free(x->body);
    snippet_free(x->path_snippet);
    snippet_free(x->query_snippet);
    token_table_free(x->tokens);
    echo_guard_free(x->guard);
    inflater_free(x->inflater);
    signing_free(x->signing);
    target_free(x);
    attempt_forget_held(x);
    capture_free(x->capture);
    free(x->field_texts);
    pool_free(x->kept_pool);
    pool_free(x->call_pool);
    buf_done(&x->collected);
    buf_done(&x->answer_head);
    buf_done(&x->plain_body);
    gate_release(x->gate);
    gate_release(x->call_gate);
    x->magic = 0;
}

static void exchange_free(void *object)
{
    struct exchange *x = exchange_from(object);
    exchange_done(x);
    free(x);
}

static enum metric outcome_of(const struct exchange *x)
{
    if (!x->client && x->error == ERR_CLIENT_GONE) return METRIC_OUTCOME_CLIENT_GONE;
    if (x->refusal) return METRIC_OUTCOME_REFUSED;
    bool goes_on = x->route && config_route_goes_on(x->route->config);
    if (x->error == ERR_NONE) return goes_on ? METRIC_OUTCOME_FORWARDED : METRIC_OUTCOME_API;
    if (x->request != REQUEST_UNSENT) return METRIC_OUTCOME_UNKNOWN;
    return error_status(x->error) >= 502 && x->tries ? METRIC_OUTCOME_UPSTREAM_FAILED : METRIC_OUTCOME_REFUSED;
}

void exchange_finish(struct exchange *x, bool keep_alive)
{
    struct client *c = x->client;
    exchange_to(x, EXCHANGE_DONE);
    attempt_report(x);
    metrics_add(outcome_of(x), 1);
    metrics_time(HISTOGRAM_EXCHANGE, loop_now_us(x->proxy->loop) - x->started_us);
    if (x->error) metrics_error(x->error);
    exchange_log(x);
    let_go(x);
    x->client = NULL;
    x->head = NULL;
    proxy_exchange_ended(x->proxy);
    loop_free_later(x->proxy->loop, exchange_free, x);
    if (c) client_exchange_done(c, keep_alive);
}

/* --- ending early --- */

static void refuse_with(struct exchange *x, struct reply reply)
{
    struct link *l = exchange_client_link(x);
    x->status = reply.status;
    if (x->answer >= ANSWER_PASSED) {
        exchange_abort(x, x->error);
        return;
    }
    exchange_to(x, EXCHANGE_REFUSE);
    end_dialogue(x); /* before the caller reads the refusal: he may send the same tokens again at once */
    bool keep_alive = x->keep_alive && x->body_complete && !x->proxy->draining;
    if (l && failed(reply_write(link_output(l), &reply, x->id, keep_alive, x->is_head_method))) keep_alive = false;
    if (l) link_flush(l);
    exchange_finish(x, keep_alive);
}

/* The first place in the body where that token stands. */
static bool find_token(const struct exchange *x, uint32_t token, struct body_fault *place)
{
    struct body_slot_info info;
    if (!x->body || x->streamed) return false;
    for (uint32_t i = 0; body_slot_info(x->body, i, &info); i++) {
        if (info.token != token || info.only_network_token || info.dropped) continue;
        place->offset = info.start;
        return true;
    }
    return false;
}

static const struct client_origin *client_origin_of(const struct exchange *x)
{
    return x->client ? client_origin(x->client) : NULL;
}

static bool is_capturing_request(const struct exchange *x)
{
    return x->route && x->request_work == MESSAGE_CAPTURED;
}

/* A partner whose message could not be taken sends it again for a 503. */
static void refuse_for(struct exchange *x, enum error e, bool outcome_unknown)
{
    enum { INTERNAL_ERROR = 500, SEND_AGAIN = 503 };
    /* A second attempt of which nothing was sent changes nothing: the first one's answer is the answer. */
    if (x->held && !outcome_unknown && !request_may_have_left(x)) {
        attempt_answer_held(x, e);
        return;
    }
    if (x->is_proxied && !client_origin_of(x) && (e == ERR_KEY_MISSING || e == ERR_KEY_WRONG)) e = ERR_PROXY_KEY;
    e = compat_error(x, e);
    bool has_answered = x->state == EXCHANGE_REWRITE; /* the other side: what it was asked for is done */
    struct reply reply = outcome_unknown || has_answered ? reply_of_unknown_outcome(e) : reply_of_error(e);
    const struct body_fault *fault = x->capture ? capture_fault(x->capture) : x->body ? body_fault(x->body) : NULL;
    if (is_capturing_request(x) && reply.status >= INTERNAL_ERROR && !x->tries) reply.status = SEND_AGAIN;
    if (fault && fault->err == e) reply.fault = fault;
    if (e == ERR_ROUTE_CONTENT_TYPE) request_tell_types(x, &reply);
    struct body_fault place = {.err = e};
    if (x->bad_token && find_token(x, x->bad_token - 1, &place)) reply.fault = &place;
    if (x->bad_token) reply.token = token_table_id(x->tokens, x->bad_token - 1);
    reply.pan_retry = x->attempt > 0;
    x->error = e;
    compat_mark_refusal(x, e, &reply);
    refuse_with(x, reply);
}

void exchange_refuse(struct exchange *x, enum error e)
{
    refuse_for(x, e, false);
}

void exchange_refuse_unknown(struct exchange *x, enum error e)
{
    refuse_for(x, e, true);
}

void exchange_body_refused(struct exchange *x, enum http_refusal why)
{
    x->refusal = why;
    refuse_with(x, reply_of_refusal(why));
}

void exchange_abort(struct exchange *x, enum error e)
{
    struct client *c = x->client;
    x->error = e;
    exchange_to(x, EXCHANGE_ABORT);
    if (c) client_cut(c);
    exchange_finish(x, false);
}

/* What is wrong with a request is told to those who may send one: until the keeper knows the caller, it waits. */
static void refuse_when_known(struct exchange *x, enum error e)
{
    if (x->opened || !x->dialogue)
        exchange_refuse(x, e);
    else
        x->refusal_due = e;
}

/* --- the steps --- */

/* A route for a host has all of it, what looks like our API too: a partner's may have the same paths. */
static bool is_for_service(const struct exchange *x, const struct route *route)
{
    bool is_hosted = route && route->config->host.at;
    return !is_hosted && x->proxy->service && x->proxy->service->takes(x->head->path);
}

static const struct config_listen *listen_of(const struct exchange *x)
{
    return &x->gate->config->listens[client_listen(x->client)];
}

/* RFC 9110 7.4: the client believed a certificate; is this host one that it was for? */
static bool is_for_connection(const struct exchange *x)
{
    const struct client_origin *origin = client_origin(x->client);
    slice host = host_of_authority(x->head->authority);
    return origin ? slice_ieq(host, client_origin_host(origin)) : link_is_for(client_link(x->client), host);
}

/* A plain request to a forward proxy is for the port that its target has. */
static uint16_t port_of(slice authority)
{
    uint64_t port;
    size_t name = slice_starts(authority, SLICE("[")) ? slice_find(authority, ']') : 0;
    slice rest = slice_after(authority, name);
    size_t colon = slice_find(rest, ':');
    return colon < rest.len && slice_to_u64(slice_after(rest, colon + 1), UINT16_MAX, &port) && port ? (uint16_t)port : 80;
}

static const struct route *find_route(const struct exchange *x, slice *prefix)
{
    const struct client_origin *origin = client_origin(x->client);
    const struct http_head *h = x->head;
    if (x->is_proxied) {
        slice merchant = origin ? client_origin_merchant(origin) : listen_of(x)->merchant;
        uint16_t port = origin ? client_origin_port(origin) : port_of(h->authority);
        return gate_route_proxied(x->gate, merchant, h->authority, port, h->path, prefix);
    }
    const struct route *route = gate_route(x->gate, h->authority, h->path);
    if (route) *prefix = route->config->prefix;
    return route;
}

static bool is_read(const struct exchange *x)
{
    return config_route_for_host(x->gate->config, SLICE_NONE, host_of_authority(x->head->authority), 0);
}

static result begin(struct exchange *x)
{
    slice prefix = SLICE("/");
    bool is_call = false;
    const struct route *route = NULL;
    x->is_proxied = client_origin(x->client) || (x->head->is_absolute && listen_of(x)->forward_proxy);
    ENSURE(is_for_connection(x), MISDIRECTED);
    if (!x->is_proxied) TRY(compat_find_call(x, &route, &is_call));
    if (!is_call) route = find_route(x, &prefix);
    if (!x->is_proxied && is_for_service(x, route)) {
        size_t most = x->proxy->service->max_body_bytes;
        ENSURE(x->head->framing != HTTP_LENGTH || x->head->length <= most, TOO_LARGE);
        return OK;
    }
    ENSURE(route != NULL || !x->is_proxied || is_read(x), PROXY_HOST);
    ENSURE(route != NULL, ROUTE_NONE);
    x->route = route;
    x->tokens = token_table_new(x->route->config->placeholders, tokens_on_new, x);
    ENSURE(x->tokens != NULL, MEMORY);
    TRY(request_plan(x, prefix));
    TRY(tokens_open(x));
    TRY(x->request_work == MESSAGE_CAPTURED ? capture_scan_request(x) : request_scan(x));
    x->head_tokens = token_table_count(x->tokens);
    ENSURE(x->error == ERR_NONE, KEEPER_AWAY);
    return OK;
}

static void send_continue(struct exchange *x)
{
    struct link *l = exchange_client_link(x);
    bool authorised = x->opened || !x->route;
    if (!x->awaits_continue || !authorised || !l || x->body_complete) return;
    x->awaits_continue = false;
    /* RFC 9110 10.1.1: the answer is the interim one, or a final status without reading the content. */
    if (!failed(link_write(l, SLICE("HTTP/1.1 100 Continue\r\n\r\n")))) link_flush(l);
}

void exchange_begin(struct exchange *x)
{
    result r = begin(x);
    if (failed(r) && !x->dialogue) {
        exchange_refuse(x, r.err);
        return;
    }
    exchange_to(x, EXCHANGE_BODY);
    if (failed(r)) {
        refuse_when_known(x, r.err);
        return;
    }
    exchange_step(x);
}

static bool may_start_stream(const struct exchange *x)
{
    return x->streamed && x->opened && (x->body_complete || body_held_bytes(x->body) >= STREAM_START_BYTES) &&
           credential_set_has(&x->credentials, x->head_tokens);
}

void exchange_step(struct exchange *x)
{
    if (x->refusal_due) return;
    switch (x->state) {
    case EXCHANGE_BODY:
        send_continue(x);
        if (may_start_stream(x)) {
            exchange_to(x, EXCHANGE_SEND);
            request_send(x);
            return;
        }
        if (!x->body_complete || x->streamed) return;
        if (!x->route) {
            service_call_start(x);
            return;
        }
        exchange_to(x, EXCHANGE_RESOLVE);
        /* fall through */
    case EXCHANGE_RESOLVE:
        if (!x->opened || x->waiting || !exchange_sign(x)) return;
        if (!config_route_goes_on(x->route->config)) {
            capture_answer_caller(x);
            return;
        }
        exchange_to(x, EXCHANGE_SEND);
        request_send(x);
        return;
    case EXCHANGE_SEND:
    case EXCHANGE_REPLY:
        if (x->streamed) request_stream(x);
        return;
    case EXCHANGE_REWRITE: rewrite_step(x); return;
    case EXCHANGE_HEAD:
    case EXCHANGE_REFUSE:
    case EXCHANGE_ABORT:
    case EXCHANGE_DONE:
    case EXCHANGE_STATE_COUNT: return;
    }
}

static result feed(struct exchange *x, slice bytes)
{
    if (!x->route) return buf_append(&x->plain_body, bytes);
    if (x->answer >= ANSWER_COLLECTED) return OK; /* an early answer: the rest is not wanted */
    if (x->request_work == MESSAGE_CAPTURED) return capture_feed(x->capture, bytes);
    if (x->request_work == MESSAGE_PASSES) {
        ENSURE(x->plain_body.len + bytes.len <= x->plain_body.max, BODY_TOO_LARGE);
        return buf_append(&x->plain_body, bytes);
    }
    if (!x->body) return OK;
    TRY(body_feed(x->body, bytes));
    return (result){x->error};
}

static result end_body(struct exchange *x)
{
    if (!x->route || x->answer >= ANSWER_COLLECTED) return OK;
    if (x->request_work == MESSAGE_CAPTURED) return capture_request_ended(x);
    return x->body ? body_end(x->body) : OK;
}

void exchange_body(struct exchange *x, slice bytes)
{
    x->bytes_in += bytes.len;
    if (bytes.len == 0 || exchange_is_over(x) || x->refusal_due) return;
    result r = feed(x, bytes);
    if (failed(r))
        refuse_when_known(x, r.err);
    else if (x->streamed)
        exchange_step(x);
}

void exchange_body_end(struct exchange *x)
{
    x->body_complete = true;
    if (x->refusal_due) return;
    result r = end_body(x);
    if (!failed(r) && x->error) r = (result){x->error};
    if (!failed(r)) r = tokens_body_ended(x);
    if (failed(r)) {
        refuse_when_known(x, r.err);
        return;
    }
    exchange_step(x);
}

bool exchange_takes_body(const struct exchange *x)
{
    if (!x->streamed || x->state < EXCHANGE_BODY) return true;
    size_t unsent = x->upstream ? link_unsent(upstream_link(x->upstream)) : 0;
    if (unsent > FLOW_HIGH_BYTES) return false;
    /* What is held waits for the keeper or the processor. If neither owes anything, only more of the body can free it (one
     * long string, say), up to the route's buffer. Less unsent than the low-water mark is no debt: no LINK_WRITABLE would
     * tell that it is paid. */
    bool owed = x->waiting || unsent >= LINK_LOW_WATER_BYTES || !x->upstream;
    return body_held_bytes(x->body) <= FLOW_HIGH_BYTES || !owed;
}

void exchange_client_writable(struct exchange *x)
{
    if (x->upstream && x->state == EXCHANGE_REPLY) link_resume(upstream_link(x->upstream));
}

void exchange_client_timeout(struct exchange *x)
{
    exchange_refuse(x, ERR_CLIENT_TIMEOUT);
}

void exchange_client_gone(struct exchange *x)
{
    x->client = NULL;
    x->head = NULL;
    x->error = ERR_CLIENT_GONE;
    x->status = error_status(ERR_CLIENT_GONE);
    /* A request that the processor has in full is seen through, so that its outcome stands in the log. */
    if (x->state == EXCHANGE_REPLY && x->request == REQUEST_SENT) {
        if (x->upstream) link_resume(upstream_link(x->upstream));
        return;
    }
    exchange_to(x, EXCHANGE_ABORT);
    exchange_finish(x, false);
}
