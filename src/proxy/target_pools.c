/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/target_pools.h"

#include "rules/target.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct target_pool {
    struct target_pools *all;
    struct upstream_pool *pool;
    bool tls, may_be_private;
    uint16_t port;
    size_t host_len;
    char host[TARGET_HOST_MAX_BYTES]; /* lower case */
    unsigned users;
    uint64_t unused_since_ms;
    TAILQ_ENTRY(target_pool) link;
};
TAILQ_HEAD(pool_list, target_pool);

struct target_pools {
    struct upstream_settings common;
    struct tls_client *tls;
    struct timer *sweep;
    struct pool_list list; /* the least recently used first */
    size_t count;
};

struct target_pools *target_pools_new(const struct upstream_settings *common, struct tls_client *tls)
{
    struct target_pools *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->common = *common;
    p->tls = tls;
    TAILQ_INIT(&p->list);
    return p;
}

static void forget(struct target_pool *t)
{
    assert(t->users == 0);
    TAILQ_REMOVE(&t->all->list, t, link);
    t->all->count--;
    upstream_pool_free(t->pool);
    free(t);
}

void target_pools_free(struct target_pools *p)
{
    if (!p) return;
    while (!TAILQ_EMPTY(&p->list)) forget(TAILQ_FIRST(&p->list));
    timer_free(p->sweep);
    free(p);
}

/* By then its idle connections have been closed, by their own deadline. */
static uint64_t keep_ms(const struct target_pools *p)
{
    return p->common.idle_ms + 1;
}

static void on_sweep(void *arg)
{
    struct target_pools *p = arg;
    uint64_t now = loop_now_ms(p->common.loop);
    struct target_pool *t = TAILQ_FIRST(&p->list), *next;
    bool some_unused = false;
    for (; t; t = next) {
        next = TAILQ_NEXT(t, link);
        if (t->users) continue;
        if (now - t->unused_since_ms >= keep_ms(p))
            forget(t);
        else
            some_unused = true;
    }
    if (some_unused) timer_set(p->sweep, keep_ms(p));
}

static bool is_for(const struct target_pool *t, const struct upstream_url *url, bool may_be_private)
{
    return t->tls == url->tls && t->port == url->port && t->may_be_private == may_be_private &&
           slice_ieq((slice){t->host, t->host_len}, url->host);
}

static bool make_room(struct target_pools *p)
{
    struct target_pool *t;
    if (p->count < TARGET_POOLS_MAX) return true;
    TAILQ_FOREACH (t, &p->list, link) {
        if (t->users) continue;
        forget(t);
        return true;
    }
    return false;
}

static result open_pool(struct target_pool *t)
{
    struct upstream_settings s = t->all->common;
    s.host = (slice){t->host, t->host_len};
    s.port = t->port;
    s.tls = t->tls ? t->all->tls : NULL;
    s.public_only = !t->may_be_private;
    t->pool = upstream_pool_new(&s);
    ENSURE(t->pool != NULL, MEMORY);
    return OK;
}

static result pool_make(struct target_pools *p, const struct upstream_url *url, bool may_be_private, struct target_pool **out)
{
    assert(url->host.len <= TARGET_HOST_MAX_BYTES);
    if (!p->sweep) p->sweep = timer_new(p->common.loop, on_sweep, p);
    ENSURE(p->sweep != NULL, MEMORY);
    struct target_pool *t = calloc(1, sizeof *t);
    ENSURE(t != NULL, MEMORY);
    *t = (struct target_pool){.all = p, .tls = url->tls, .may_be_private = may_be_private, .port = url->port, .host_len = url->host.len};
    for (size_t i = 0; i < url->host.len; i++) {
        char c = url->host.at[i];
        t->host[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    if (failed(open_pool(t))) {
        free(t);
        return FAIL(MEMORY);
    }
    TAILQ_INSERT_TAIL(&p->list, t, link);
    p->count++;
    *out = t;
    return OK;
}

result target_pools_take(struct target_pools *p, const struct upstream_url *url, bool may_be_private, struct target_pool **out)
{
    struct target_pool *t;
    TAILQ_FOREACH (t, &p->list, link)
        if (is_for(t, url, may_be_private)) break;
    if (!t) {
        ENSURE(make_room(p), TARGET_BUSY);
        TRY(pool_make(p, url, may_be_private, &t));
    }
    TAILQ_REMOVE(&p->list, t, link);
    TAILQ_INSERT_TAIL(&p->list, t, link);
    t->users++;
    *out = t;
    return OK;
}

void target_pool_release(struct target_pool *t)
{
    if (!t) return;
    assert(t->users > 0);
    if (--t->users) return;
    t->unused_since_ms = loop_now_ms(t->all->common.loop);
    timer_set(t->all->sweep, keep_ms(t->all)); /* moves it: the last one that falls free is looked at with all the others */
}

struct upstream_pool *target_pool_upstream(struct target_pool *t)
{
    return t->pool;
}

size_t target_pools_count(const struct target_pools *p)
{
    return p->count;
}
