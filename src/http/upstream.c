/* SPDX-License-Identifier: Apache-2.0 */
#include "http/upstream.h"

#include "base/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { UPSTREAM_MAGIC = 0x75707374, WISH_MAGIC = 0x77697368, IDLE_MAX = 256 };

struct upstream {
    unsigned magic;
    struct upstream_pool *pool;
    struct link *link;
    struct http_reader *reader;
    LIST_ENTRY(upstream) idle;
};
LIST_HEAD(idle_list, upstream);

struct upstream_pool {
    struct upstream_settings settings;
    struct idle_list idle; /* the most recently used first */
    size_t idle_count;
};

struct upstream_wish {
    unsigned magic;
    struct upstream_pool *pool;
    struct resolver_query *query;
    struct address found[RESOLVER_MAX];
    size_t found_count, next;
    struct link *link;
    struct timer *soon; /* defers answers, so that none comes before upstream_connect returns */
    result verdict;
    struct upstream *made;
    upstream_callback done;
    void *owner;
};

struct upstream_pool *upstream_pool_new(const struct upstream_settings *settings)
{
    struct upstream_pool *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->settings = *settings;
    LIST_INIT(&p->idle);
    return p;
}

static void upstream_free(struct upstream *u, enum link_end how)
{
    metrics_add(METRIC_UPSTREAM_BYTES_IN, link_received_total(u->link));
    metrics_add(METRIC_UPSTREAM_BYTES_OUT, link_sent_total(u->link));
    metrics_gauge(METRIC_UPSTREAMS_OPEN, -1);
    link_end(u->link, how);
    http_reader_free(u->reader);
    u->magic = 0;
    free(u); /* the link, which callbacks reach, dies at the end of the turn; nothing else points here */
}

static void leave_idle(struct upstream *u)
{
    LIST_REMOVE(u, idle);
    u->pool->idle_count--;
}

static void on_idle_event(void *owner, struct link *l, enum link_event event)
{
    struct upstream *u = owner;
    (void)l;
    assert(u->magic == UPSTREAM_MAGIC);
    if (event == LINK_WRITABLE) return;
    leave_idle(u);
    upstream_free(u, event == LINK_TIMED_OUT ? LINK_END_FLUSH : LINK_END_ABORT);
}

void upstream_pool_free(struct upstream_pool *p)
{
    if (!p) return;
    while (!LIST_EMPTY(&p->idle)) {
        struct upstream *u = LIST_FIRST(&p->idle);
        leave_idle(u);
        upstream_free(u, LINK_END_FLUSH);
    }
    free(p);
}

struct upstream *upstream_take_idle(struct upstream_pool *p)
{
    struct upstream *u;
    while ((u = LIST_FIRST(&p->idle)) != NULL) {
        leave_idle(u);
        if (link_is_alive(u->link) && link_input(u->link).len == 0) {
            link_set_deadline(u->link, 0);
            return u;
        }
        upstream_free(u, LINK_END_ABORT);
    }
    return NULL;
}

void upstream_give_back(struct upstream *u)
{
    struct upstream_pool *p = u->pool;
    assert(u->magic == UPSTREAM_MAGIC);
    bool clean = link_is_alive(u->link) && http_reader_is_idle(u->reader) && link_input(u->link).len == 0 &&
                 link_unsent(u->link) == 0;
    if (!clean || p->idle_count >= IDLE_MAX) {
        upstream_free(u, LINK_END_ABORT);
        return;
    }
    size_t used;
    (void)http_reader_feed(u->reader, SLICE_NONE, &used); /* lets go of the last head's memory */
    link_set_owner(u->link, on_idle_event, u);
    link_resume(u->link);
    link_set_deadline(u->link, p->settings.idle_ms);
    LIST_INSERT_HEAD(&p->idle, u, idle);
    p->idle_count++;
}

void upstream_finish(struct upstream *u)
{
    assert(u->magic == UPSTREAM_MAGIC);
    upstream_free(u, LINK_END_FLUSH);
}

void upstream_drop(struct upstream *u)
{
    if (!u) return;
    assert(u->magic == UPSTREAM_MAGIC);
    upstream_free(u, LINK_END_ABORT);
}

struct link *upstream_link(struct upstream *u)
{
    return u->link;
}

struct http_reader *upstream_reader(struct upstream *u)
{
    return u->reader;
}

static void wish_free(void *object)
{
    struct upstream_wish *w = object;
    w->magic = 0;
    timer_free(w->soon);
    free(w);
}

static void wish_end(struct upstream_wish *w)
{
    resolver_cancel(w->query);
    w->query = NULL;
    link_end(w->link, LINK_END_ABORT);
    w->link = NULL;
    timer_stop(w->soon);
    loop_free_later(w->pool->settings.loop, wish_free, w);
}

void upstream_wish_cancel(struct upstream_wish *w)
{
    if (!w) return;
    assert(w->magic == WISH_MAGIC);
    upstream_drop(w->made);
    w->made = NULL;
    w->done = NULL;
    wish_end(w);
}

static void on_soon(void *arg)
{
    struct upstream_wish *w = arg;
    assert(w->magic == WISH_MAGIC);
    struct upstream *u = w->made;
    upstream_callback done = w->done;
    w->made = NULL;
    wish_end(w);
    if (done) done(w->owner, w->verdict, u);
}

static void wish_answer(struct upstream_wish *w, result verdict)
{
    w->verdict = verdict;
    timer_set(w->soon, 0);
}

static void on_wish_link(void *owner, struct link *l, enum link_event event);

static void try_next_address(struct upstream_wish *w)
{
    const struct upstream_settings *s = &w->pool->settings;
    while (s->public_only && w->next < w->found_count && !address_is_public((const struct sockaddr *)&w->found[w->next].at)) {
        if (w->verdict.err == ERR_UPSTREAM_RESOLVE) w->verdict = FAIL(TARGET_PRIVATE); /* else one was tried, and that is what is told */
        w->next++;
    }
    if (w->next == w->found_count) {
        wish_answer(w, w->verdict);
        return;
    }
    const struct address *a = &w->found[w->next++];
    w->link = link_connect(s->loop, (const struct sockaddr *)&a->at, a->len, s->tls, s->host, s->connect_ms,
                           on_wish_link, w);
    if (!w->link) wish_answer(w, FAIL(UPSTREAM_CONNECT));
}

static result reason_of(enum link_failure f)
{
    switch (f) {
    case LINK_FAILURE_TIMEOUT: return FAIL(UPSTREAM_CONNECT_TIMEOUT);
    case LINK_FAILURE_TLS:
    case LINK_FAILURE_CERTIFICATE: return FAIL(UPSTREAM_TLS);
    case LINK_FAILURE_NONE:
    case LINK_FAILURE_CONNECT: break;
    }
    return FAIL(UPSTREAM_CONNECT);
}

static struct upstream *upstream_from(struct upstream_wish *w)
{
    struct upstream *u = calloc(1, sizeof *u);
    if (!u) return NULL;
    *u = (struct upstream){.magic = UPSTREAM_MAGIC, .pool = w->pool};
    u->reader = http_reader_new(HTTP_ANSWERS, &w->pool->settings.head_limits);
    if (!u->reader) {
        free(u);
        return NULL;
    }
    u->link = w->link;
    w->link = NULL;
    metrics_add(METRIC_UPSTREAMS, 1);
    metrics_gauge(METRIC_UPSTREAMS_OPEN, 1);
    return u;
}

static void on_new_link_waiting(void *owner, struct link *l, enum link_event event)
{
    /* Between being connected and being handed over, within one turn: whatever happens shows when it is used. */
    (void)owner;
    (void)l;
    (void)event;
}

static void on_wish_link(void *owner, struct link *l, enum link_event event)
{
    struct upstream_wish *w = owner;
    assert(w->magic == WISH_MAGIC && w->link == l);
    if (event == LINK_CONNECTED) {
        link_set_owner(l, on_new_link_waiting, NULL);
        link_set_deadline(l, 0);
        w->made = upstream_from(w);
        wish_answer(w, w->made ? OK : FAIL(MEMORY));
        return;
    }
    /* A refused certificate says more than the next address's refused connection. */
    if (w->verdict.err != ERR_UPSTREAM_TLS)
        w->verdict = event == LINK_TIMED_OUT ? FAIL(UPSTREAM_CONNECT_TIMEOUT) : reason_of(link_failure(l));
    link_end(l, LINK_END_ABORT);
    w->link = NULL;
    try_next_address(w);
}

static void on_found(void *owner, const struct address *found, size_t count)
{
    struct upstream_wish *w = owner;
    assert(w->magic == WISH_MAGIC);
    w->query = NULL;
    w->found_count = count < RESOLVER_MAX ? count : RESOLVER_MAX;
    if (w->found_count) memcpy(w->found, found, w->found_count * sizeof *found);
    w->verdict = FAIL(UPSTREAM_RESOLVE);
    try_next_address(w);
}

struct upstream_wish *upstream_connect(struct upstream_pool *p, upstream_callback done, void *owner)
{
    struct upstream_wish *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    *w = (struct upstream_wish){.magic = WISH_MAGIC, .pool = p, .done = done, .owner = owner};
    w->soon = timer_new(p->settings.loop, on_soon, w);
    if (!w->soon) {
        free(w);
        return NULL;
    }
    struct resolver_query *query = NULL;
    resolver_find(p->settings.resolver, p->settings.host, p->settings.port, on_found, w, &query);
    w->query = query;
    return w;
}
