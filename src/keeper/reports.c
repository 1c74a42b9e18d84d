/* SPDX-License-Identifier: Apache-2.0 */
#include "reports.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLICE_US = 2000,        /* of a turn */
    HOURS_AT_ONCE = 24,     /* where there are counters */
    EMPTY_HOURS_AT_ONCE = 7 * 24,
    HOUR_MS = 60 * 60 * 1000,
    HOURS_AHEAD = 366 * 24, /* a clock that was ahead may have counted there */
};

struct route_sum {
    size_t len;
    char route[ROUTE_NAME_MAX_BYTES];
    uint64_t n[COUNTER_COUNT];
};
struct making {
    struct question *q;
    uint32_t next_hour, to_hour;
    size_t only_len;
    char only[ROUTE_NAME_MAX_BYTES];
    struct route_sum *sums;
    size_t count;
    bool found, no_memory; /* in the hours that were read last */
    TAILQ_ENTRY(making) link;
};
struct reports {
    struct keeper_server *server;
    struct timer *timer;
    TAILQ_HEAD(, making) queue;
};

static struct route_sum *sum_of(struct making *m, slice route)
{
    for (size_t i = 0; i < m->count; i++)
        if (slice_eq((slice){m->sums[i].route, m->sums[i].len}, route)) return &m->sums[i];
    struct route_sum *sums = realloc(m->sums, (m->count + 1) * sizeof *sums), *new_one = NULL;
    if (!sums) return NULL;
    m->sums = sums;
    new_one = &sums[m->count++];
    *new_one = (struct route_sum){.len = route.len};
    if (route.len) memcpy(new_one->route, route.at, route.len);
    return new_one;
}

static void on_sums(void *owner, slice route, const uint64_t n[COUNTER_COUNT])
{
    struct making *m = owner;
    struct route_sum *sum = route.len <= ROUTE_NAME_MAX_BYTES ? sum_of(m, route) : NULL;
    m->found = true;
    if (!sum) m->no_memory = true;
    for (size_t i = 0; sum && i < COUNTER_COUNT; i++) sum->n[i] += n[i];
}

static void finish(struct reports *r, struct making *m, result verdict)
{
    const struct question *q = m->q;
    bool is_wanted = server_find(q->relay, q->dialogue) != NULL;
    for (size_t i = 0; is_wanted && !failed(verdict) && i < m->count; i++) {
        const slice route = {m->sums[i].route, m->sums[i].len};
        struct wire_reported w = {.route_len = (uint8_t)route.len};
        memcpy(w.sums, m->sums[i].n, sizeof w.sums);
        server_put(q->relay, WIRE_REPORTED, q->dialogue, q->sequence, &w, &route);
    }
    const struct wire_reported end = {.error = (uint16_t)verdict.err, .last = 1};
    if (is_wanted) server_put(q->relay, WIRE_REPORTED, q->dialogue, q->sequence, &end, &SLICE_NONE);
    TAILQ_REMOVE(&r->queue, m, link);
    answer_finish(m->q);
    free(m->sums);
    free(m);
}

static result read_hours(struct reports *r, struct making *m)
{
    uint32_t hours = m->found ? HOURS_AT_ONCE : EMPTY_HOURS_AT_ONCE, left = m->to_hour - m->next_hour;
    uint32_t end = m->next_hour + (hours < left ? hours : left);
    m->found = false;
    TRY(vault_count_sum(r->server->vault, answer_merchant(m->q), m->next_hour, end, (slice){m->only, m->only_len}, on_sums, m));
    m->next_hour = end;
    return m->no_memory ? FAIL(MEMORY) : OK;
}

/* Nobody waits for the answer of a dialogue that has ended. */
static bool is_complete(const struct making *m)
{
    return m->next_hour >= m->to_hour || !server_find(m->q->relay, m->q->dialogue);
}

static void on_timer(void *arg)
{
    struct reports *r = arg;
    struct making *m;
    uint64_t start_us = clock_now_us();
    while ((m = TAILQ_FIRST(&r->queue)) != NULL && clock_now_us() - start_us < SLICE_US) {
        result verdict = is_complete(m) ? OK : read_hours(r, m);
        if (failed(verdict) || is_complete(m)) finish(r, m, verdict);
    }
    if (m) timer_set(r->timer, 0);
}

void reports_add(struct reports *r, struct question *q, uint32_t from_hour, uint32_t to_hour, slice route)
{
    uint32_t most = (uint32_t)(server_wall_ms(r->server) / HOUR_MS) + HOURS_AHEAD;
    struct making *m = route.len <= sizeof m->only ? calloc(1, sizeof *m) : NULL;
    if (!m) {
        answer_error(q->relay, WIRE_REPORTED, q->dialogue, q->sequence, ERR_MEMORY);
        answer_finish(q);
        return;
    }
    *m = (struct making){.q = q, .next_hour = from_hour, .to_hour = to_hour < most ? to_hour : most, .only_len = route.len};
    if (route.len) memcpy(m->only, route.at, route.len);
    TAILQ_INSERT_TAIL(&r->queue, m, link);
    server_wait(q);
    timer_set(r->timer, 0);
}

void reports_settle(struct reports *r)
{
    struct making *m;
    while ((m = TAILQ_FIRST(&r->queue)) != NULL) finish(r, m, FAIL(KEEPER_AWAY));
}

struct reports *reports_new(struct keeper_server *server)
{
    struct reports *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->server = server;
    TAILQ_INIT(&r->queue);
    r->timer = timer_new(server->loop, on_timer, r);
    if (r->timer) return r;
    free(r);
    return NULL;
}

void reports_free(struct reports *r)
{
    if (!r) return;
    assert(TAILQ_EMPTY(&r->queue));
    timer_free(r->timer);
    free(r);
}
