/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "base/log.h"
#include "base/metrics.h"
#include "due.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum {
    OUT_MAX = 64,
    RECEIVER_OUT_MAX = 8, /* to one URL, while it takes what it gets; one that does not has a single delivery under way */
    DELIVERY_LIMIT_MS = 45 * 1000, /* the registrar's own is shorter; this is for one that does not keep it */
    WAIT_AT_MOST_MS = 60 * 60 * 1000,
    PURGE_EVERY_TICKS = 60,
    PAGE_EVENTS = 256,       /* read in one turn: payments go on meanwhile */
    RESEND_SEEN_MS = 2000,   /* the next tick reads what a command has resent */
};

struct receiver { /* a merchant's URL */
    struct due due; /* in the events' heap while one more of its chains may go out: as due as the first of them */
    struct events *events;
    struct receiver_key {
        char merchant[NETWORK_MERCHANT_MAX_BYTES];
        char url[sizeof((struct event *)0)->url];
    } key;
    struct due_heap heap; /* its chains, but for those whose first is out */
    size_t chains, out;
    bool is_failing; /* it did not take its last delivery */
    UT_hash_handle hh;
};
struct chain_key {
    struct receiver *receiver;
    struct token_id token;
};
struct pending {
    struct event e;
    struct chain *chain;
    int64_t stored_since_ms; /* as the vault has it: another one there is a resend */
    bool is_out;
    bool again;              /* resent while it is out */
    STAILQ_ENTRY(pending) link;
    UT_hash_handle hh; /* by id */
};
struct chain {
    struct due due; /* in its receiver's heap unless its first is out */
    struct chain_key key;
    STAILQ_HEAD(, pending) queue; /* by revision */
    UT_hash_handle hh;
};
struct events {
    struct keeper_server *server;
    struct due_heap heap; /* of receivers */
    struct receiver *receivers;
    struct chain *chains;
    struct pending *by_id;
    size_t out;
    unsigned ticks;
    uint64_t resends;
    bool is_stopped, is_reading; /* is_reading: nothing goes out, since an earlier event of its chain may be yet to come */
    struct event_cursor cursor;
    struct timer *timer, *reader;
};

static bool may_deliver(const struct events *v)
{
    return !v->is_stopped && !v->is_reading && v->out < OUT_MAX && !registry_is_away(v->server->registry);
}

static void set_timer(struct events *v)
{
    int64_t now_ms = server_wall_ms(v->server);
    const struct due *first = due_first(&v->heap);
    if (!may_deliver(v) || !first) return;
    int64_t in_ms = first->at_ms - now_ms;
    timer_set(v->timer, in_ms < 0 ? 0 : (uint64_t)(in_ms < WAIT_AT_MOST_MS ? in_ms : WAIT_AT_MOST_MS));
}

/* --- receivers --- */

static struct receiver *receiver_of(struct events *v, const struct event *e)
{
    struct receiver_key key;
    struct receiver *r = NULL;
    memcpy(key.merchant, e->merchant, sizeof key.merchant);
    memcpy(key.url, e->url, sizeof key.url);
    HASH_FIND(hh, v->receivers, &key, sizeof key, r);
    if (r) return r;
    r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->events = v;
    r->key = key;
    HASH_ADD(hh, v->receivers, key, sizeof r->key, r);
    if (r->hh.tbl) return r;
    free(r);
    return NULL;
}

static void forget_if_idle(struct receiver *r)
{
    if (r->chains) return;
    due_remove(&r->events->heap, &r->due);
    due_done(&r->heap);
    HASH_DEL(r->events->receivers, r);
    free(r);
}

/* One that hangs holds its own places and nobody else's. */
static void offer(struct receiver *r)
{
    const struct due *first = due_first(&r->heap);
    struct events *v = r->events;
    due_remove(&v->heap, &r->due);
    if (!first || r->out >= (r->is_failing ? 1 : RECEIVER_OUT_MAX)) return;
    r->due.at_ms = first->at_ms;
    if (!due_add(&v->heap, &r->due)) log_failure("webhooks", FAIL(MEMORY)); /* it goes with the next that is added */
    set_timer(v);
}

/* --- chains --- */

static struct chain *chain_of(struct events *v, const struct event *e)
{
    struct chain_key key;
    struct chain *c = NULL;
    memset(&key, 0, sizeof key);
    key.receiver = receiver_of(v, e);
    if (!key.receiver) return NULL;
    memcpy(key.token.at, e->token.at, e->token.len);
    key.token.len = e->token.len;
    HASH_FIND(hh, v->chains, &key, sizeof key, c);
    if (c) return c;
    c = calloc(1, sizeof *c);
    if (c) {
        memcpy(&c->key, &key, sizeof key); /* its padding, too */
        STAILQ_INIT(&c->queue);
        HASH_ADD(hh, v->chains, key, sizeof c->key, c);
    }
    if (c && c->hh.tbl) {
        key.receiver->chains++;
        return c;
    }
    free(c);
    forget_if_idle(key.receiver);
    return NULL;
}

static void drop_if_empty(struct chain *c)
{
    struct receiver *r = c->key.receiver;
    if (!STAILQ_EMPTY(&c->queue)) return;
    due_remove(&r->heap, &c->due);
    HASH_DEL(r->events->chains, c);
    free(c);
    r->chains--;
    offer(r);
    forget_if_idle(r);
}

/* The first of a chain decides when the chain is due. */
static void schedule(struct chain *c)
{
    const struct pending *first = STAILQ_FIRST(&c->queue);
    struct receiver *r = c->key.receiver;
    due_remove(&r->heap, &c->due);
    if (first && !first->is_out) {
        c->due.at_ms = first->e.due_ms;
        if (!due_add(&r->heap, &c->due)) log_failure("webhooks", FAIL(MEMORY)); /* it goes with the next that is added */
    }
    offer(r);
}

static void insert(struct chain *c, struct pending *p)
{
    struct pending *after = NULL, *one;
    STAILQ_FOREACH (one, &c->queue, link) {
        if (one->e.revision > p->e.revision && !one->is_out) break;
        after = one;
    }
    if (after)
        STAILQ_INSERT_AFTER(&c->queue, after, p, link);
    else
        STAILQ_INSERT_HEAD(&c->queue, p, link);
}

/* It goes at once, for another day. */
static void resend(struct pending *p, const struct event *e, int64_t now_ms)
{
    p->stored_since_ms = e->since_ms;
    p->e.since_ms = now_ms;
    p->e.due_ms = now_ms;
    p->e.tries = 0;
    p->again = p->is_out;
    schedule(p->chain);
}

static bool add(struct events *v, const struct event *e)
{
    struct pending *p = NULL;
    int64_t now_ms = server_wall_ms(v->server);
    if (e->state != EVENT_PENDING) return true;
    HASH_FIND(hh, v->by_id, e->id, sizeof e->id, p);
    if (p && p->stored_since_ms != e->since_ms) resend(p, e, now_ms);
    if (p) return true;
    p = calloc(1, sizeof *p);
    if (!p) return false;
    p->e = *e;
    p->stored_since_ms = e->since_ms;
    p->e.due_ms = due_believable(e->due_ms, now_ms);
    if (p->e.since_ms > now_ms) p->e.since_ms = now_ms;
    p->chain = chain_of(v, e);
    if (p->chain) HASH_ADD(hh, v->by_id, e.id, sizeof p->e.id, p);
    if (!p->chain || !p->hh.tbl) {
        if (p->chain) drop_if_empty(p->chain);
        free(p);
        return false;
    }
    insert(p->chain, p);
    metrics_gauge(METRIC_NETWORK_EVENTS, 1);
    schedule(p->chain);
    return true;
}

static void remove_pending(struct pending *p)
{
    struct events *v = p->chain->key.receiver->events;
    STAILQ_REMOVE(&p->chain->queue, p, pending, link);
    HASH_DEL(v->by_id, p);
    metrics_gauge(METRIC_NETWORK_EVENTS, -1);
    free(p);
}

/* --- delivery --- */

static void on_booked(void *owner, result r)
{
    struct pending *p = owner;
    struct chain *c = p->chain;
    struct events *v = c->key.receiver->events;
    v->out--;
    c->key.receiver->out--;
    p->is_out = false;
    if (r.err == ERR_VAULT_CONFLICT) { /* resent meanwhile: it stands in the vault as that has it, and is read soon */
        p->e.state = EVENT_PENDING;
        p->e.due_ms = server_wall_ms(v->server) + RESEND_SEEN_MS;
    } else if (failed(r)) {
        log_failure("webhook", r); /* it is delivered again after the next start, with the same id */
    } else {
        p->stored_since_ms = p->e.since_ms;
    }
    if (p->e.state != EVENT_PENDING) remove_pending(p);
    schedule(c);
    drop_if_empty(c);
    set_timer(v);
}

static void on_delivered(void *owner, result r, int status)
{
    struct pending *p = owner;
    struct event *e = &p->e;
    int64_t now = server_wall_ms(p->chain->key.receiver->events->server);
    e->tries++;
    e->last_status = (int16_t)status;
    if (!failed(r) || r.err == ERR_WEBHOOK_UNDELIVERED) p->chain->key.receiver->is_failing = failed(r); /* a lost registrar says nothing of it */
    if (!failed(r)) {
        e->state = EVENT_DELIVERED;
        e->delivered_ms = now;
    } else if (now - e->since_ms >= EVENT_TRY_FOR_MS) {
        e->state = EVENT_FAILED;
        log_begin(LOG_LEVEL_WARN, "webhook_given_up");
        log_word("id", (slice){e->id, sizeof e->id});
        log_i64("status", status);
        log_end();
    } else {
        e->due_ms = now + back_off_ms(e->tries, back_off_random());
    }
    if (p->again) {
        e->state = EVENT_PENDING;
        e->due_ms = now;
    }
    p->again = false;
    vault_event_put(p->chain->key.receiver->events->server->vault, e, p->stored_since_ms, on_booked, p);
}

static void deliver(struct receiver *r)
{
    struct events *v = r->events;
    struct chain *c = (struct chain *)due_first(&r->heap);
    struct pending *p = STAILQ_FIRST(&c->queue);
    const struct event *e = &p->e;
    p->is_out = true;
    r->out++;
    v->out++;
    schedule(c);
    struct order *o = registry_deliver(v->server->registry, network_padded(e->merchant, sizeof e->merchant),
                                       network_padded(e->url, sizeof e->url), (slice){e->id, sizeof e->id}, (slice){e->json, e->json_len},
                                       DELIVERY_LIMIT_MS, on_delivered, p);
    if (!o) on_delivered(p, FAIL(WEBHOOK_UNDELIVERED), 0);
}

/* As jobs_work has it. */
void events_work(struct events *v)
{
    struct due *first;
    while (may_deliver(v) && (first = due_first_by(&v->heap, server_wall_ms(v->server))) != NULL)
        deliver((struct receiver *)first);
    set_timer(v);
}

static void on_timer(void *arg)
{
    events_work(arg);
}

/* --- the outbox itself --- */

void events_add(struct events *v, const struct event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!add(v, &events[i])) log_failure("webhooks", FAIL(MEMORY)); /* it goes after the next start */
}

static bool load_one(void *owner, const struct event *e)
{
    return add(owner, e);
}

static void on_reader(void *arg)
{
    struct events *v = arg;
    if (v->is_stopped) return;
    result r = vault_event_page(v->server->vault, &v->cursor, PAGE_EVENTS, &v->is_reading, load_one, v);
    if (failed(r)) log_failure("webhooks", r); /* the sound ones are there */
    if (v->is_reading)
        timer_set(v->reader, 0);
    else
        set_timer(v);
}

static void load(struct events *v)
{
    v->cursor = (struct event_cursor){0};
    v->is_reading = true;
    timer_set(v->reader, 0);
}

void events_clock_was_set(struct events *v, int64_t step_ms)
{
    struct pending *p, *next_pending;
    struct chain *c, *next_chain;
    HASH_ITER (hh, v->by_id, p, next_pending) {
        p->e.due_ms += step_ms;
        p->e.since_ms += step_ms;
    }
    HASH_ITER (hh, v->chains, c, next_chain) schedule(c);
}

void events_tick(struct events *v)
{
    uint64_t resends = v->resends;
    if (v->is_stopped) return;
    result r = vault_event_resends(v->server->vault, &resends);
    if (!failed(r) && resends != v->resends) {
        v->resends = resends;
        load(v);
    }
    if (++v->ticks % PURGE_EVERY_TICKS) return;
    r = vault_event_purge(v->server->vault, server_wall_ms(v->server));
    if (failed(r)) log_failure("webhooks", r);
}

struct events *events_new(struct keeper_server *server)
{
    struct events *v = calloc(1, sizeof *v);
    if (!v) return NULL;
    v->server = server;
    v->timer = timer_new(server->loop, on_timer, v);
    v->reader = timer_new(server->loop, on_reader, v);
    if (!v->timer || !v->reader) {
        timer_free(v->timer);
        timer_free(v->reader);
        free(v);
        return NULL;
    }
    result r = vault_event_resends(server->vault, &v->resends);
    if (failed(r)) log_failure("webhooks", r);
    load(v);
    return v;
}

void events_stop(struct events *v)
{
    v->is_stopped = true;
    timer_stop(v->timer);
    timer_stop(v->reader);
}

void events_free(struct events *v)
{
    struct pending *p, *next;
    if (!v) return;
    HASH_ITER (hh, v->by_id, p, next) {
        struct chain *c = p->chain;
        remove_pending(p);
        drop_if_empty(c);
    }
    due_done(&v->heap);
    timer_free(v->timer);
    timer_free(v->reader);
    free(v);
}
