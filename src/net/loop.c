/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "loop_priv.h"

#include <assert.h>
#include <stdlib.h>

enum { DEAD_FIRST = 256, SPARES = 8, SPARE_MAX_BYTES = 16 * 1024, LOG_WAIT_MS = 20, LOG_WAIT_BYTES = 16 * 1024 };

struct call {
    loop_hook run;
    void *arg;
};

struct signal {
    LIST_ENTRY(signal) entry;
    struct event *event;
    struct call call;
};

struct loop {
    struct event_base *base;
    struct call *hooks, *dead;
    size_t hook_count, dead_count, dead_cap;
    TAILQ_HEAD(loop_tasks, loop_task) tasks;
    LIST_HEAD(, loop_resident) residents;
    LIST_HEAD(, signal) signals;
    uint64_t now_ms; /* 0: not read in this turn */
    bool stopping;
    char *scratch;
    size_t read_bytes;
    struct buf spare[SPARES];
    unsigned spare_count;
    struct timer log_timer;
    bool log_waits;
};

static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    if (!config) return NULL;
    struct event_base *base = NULL;
    /* One thread: no locks. The environment must not choose the kernel interface of a payment process. */
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

/* Lines are written a few milliseconds late and many at a time: a system call for each request's line would cost as much as
 * reading the request. Warnings and errors are written at once (base/log). */
static void on_log_due(void *arg)
{
    struct loop *loop = arg;
    loop->log_waits = false;
    log_flush();
}

static void flush_log(struct loop *loop)
{
    if (log_pending() >= LOG_WAIT_BYTES) log_flush();
    if (log_pending() == 0 || loop->log_waits) return;
    loop->log_waits = true;
    timer_set(&loop->log_timer, LOG_WAIT_MS);
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop) return NULL;
    TAILQ_INIT(&loop->tasks);
    LIST_INIT(&loop->residents);
    LIST_INIT(&loop->signals);
    loop->base = base_new();
    loop->dead = calloc(DEAD_FIRST, sizeof *loop->dead);
    loop->dead_cap = DEAD_FIRST;
    loop->read_bytes = LOOP_SCRATCH_BYTES;
    if (loop->base) timer_init(&loop->log_timer, loop, on_log_due, loop);
    if (loop->base && loop->dead) return loop;
    loop_free(loop);
    return NULL;
}

/* The dead may hand over more dead while they are freed (a link its TLS context's last user, …). */
static void bury(struct loop *loop)
{
    for (size_t i = 0; i < loop->dead_count; i++) {
        struct call c = loop->dead[i]; /* a copy: the array may move */
        c.run(c.arg);
    }
    loop->dead_count = 0;
}

static void free_signals(struct loop *loop)
{
    struct signal *s;
    while ((s = LIST_FIRST(&loop->signals))) {
        LIST_REMOVE(s, entry);
        event_free(s->event);
        free(s);
    }
}

void loop_free(struct loop *loop)
{
    struct loop_resident *r;
    if (!loop) return;
    bury(loop);
    while ((r = LIST_FIRST(&loop->residents))) {
        loop_disown(r);
        r->free_it(r->arg);
    }
    bury(loop);
    free_signals(loop);
    if (loop->base) timer_done(&loop->log_timer);
    log_flush();
    secret_free(loop->scratch, LOOP_SCRATCH_BYTES);
    while (loop->spare_count) buf_done(&loop->spare[--loop->spare_count]);
    if (loop->base) event_base_free(loop->base);
    free(loop->hooks);
    free(loop->dead);
    free(loop);
}

/* Runs what was queued before this turn; what is queued meanwhile stands behind the mark and waits for the next one, so nobody
 * can keep the turn. One list, so that a task may be cancelled at any moment. */
static bool run_tasks(struct loop *loop)
{
    struct loop_task mark = {.queued = true}, *t;
    if (TAILQ_EMPTY(&loop->tasks)) return false;
    TAILQ_INSERT_TAIL(&loop->tasks, &mark, entry);
    while ((t = TAILQ_FIRST(&loop->tasks)) != &mark) {
        loop_cancel_task(loop, t);
        t->run(t->arg);
    }
    TAILQ_REMOVE(&loop->tasks, &mark, entry);
    return true;
}

void loop_turn(struct loop *loop)
{
    loop->now_ms = 0;
    /* ONCE in both cases: with NONBLOCK alone libevent goes on as long as anything is ready, and a busy peer would keep the
     * turn from ending. */
    int waiting = run_tasks(loop) ? EVLOOP_NONBLOCK : EVLOOP_NO_EXIT_ON_EMPTY;
    (void)event_base_loop(loop->base, EVLOOP_ONCE | waiting);
    for (size_t i = 0; i < loop->hook_count; i++) loop->hooks[i].run(loop->hooks[i].arg);
    bury(loop);
    flush_log(loop);
    loop->now_ms = 0;
}

void loop_run(struct loop *loop)
{
    loop->stopping = false;
    while (!loop->stopping) loop_turn(loop);
    log_flush();
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    /* Read when first asked for in a turn: no code of ours runs between the start of a turn and the end of its waiting, and
     * the loop is never a const object, so the cast is sound. */
    struct loop *cache = (struct loop *)loop;
    if (!cache->now_ms) cache->now_ms = clock_now_ms();
    return cache->now_ms;
}

uint64_t loop_now_us(const struct loop *loop)
{
    (void)loop;
    return clock_now_us();
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

result loop_at_turn_end(struct loop *loop, loop_hook hook, void *arg)
{
    struct call *more = realloc(loop->hooks, (loop->hook_count + 1) * sizeof *more);
    ENSURE(more != NULL, MEMORY);
    loop->hooks = more;
    loop->hooks[loop->hook_count++] = (struct call){hook, arg};
    return OK;
}

void loop_free_later(struct loop *loop, loop_hook free_it, void *object)
{
    if (loop->dead_count == loop->dead_cap) {
        struct call *more = realloc(loop->dead, 2 * loop->dead_cap * sizeof *more);
        if (!more) {
            /* Freeing now could pull memory from under a caller; losing it is the lesser harm. */
            log_plain(LOG_LEVEL_ERROR, "loop", "out of memory: an object is left unfreed");
            return;
        }
        loop->dead = more;
        loop->dead_cap *= 2;
    }
    loop->dead[loop->dead_count++] = (struct call){free_it, object};
}

void loop_next_turn(struct loop *loop, struct loop_task *task)
{
    if (task->queued) return;
    task->queued = true;
    TAILQ_INSERT_TAIL(&loop->tasks, task, entry);
}

void loop_cancel_task(struct loop *loop, struct loop_task *task)
{
    if (!task->queued) return;
    task->queued = false;
    TAILQ_REMOVE(&loop->tasks, task, entry);
}

void loop_adopt(struct loop *loop, struct loop_resident *r)
{
    LIST_INSERT_HEAD(&loop->residents, r, entry);
}

void loop_disown(struct loop_resident *r)
{
    LIST_REMOVE(r, entry);
}

bool loop_has_residents(const struct loop *loop)
{
    return !LIST_EMPTY(&loop->residents);
}

char *loop_scratch(struct loop *loop)
{
    if (!loop->scratch) loop->scratch = secret_alloc(LOOP_SCRATCH_BYTES);
    return loop->scratch;
}

size_t loop_read_bytes(const struct loop *loop)
{
    return loop->read_bytes;
}

void loop_limit_reads(struct loop *loop, size_t bytes)
{
    assert(bytes > 0 && bytes <= LOOP_SCRATCH_BYTES);
    loop->read_bytes = bytes;
}

void loop_borrow_buffer(struct loop *loop, struct buf *empty)
{
    assert(!empty->at && empty->secret);
    if (!loop->spare_count) return;
    const struct buf *spare = &loop->spare[--loop->spare_count];
    empty->at = spare->at;
    empty->cap = spare->cap;
}

void loop_return_buffer(struct loop *loop, struct buf *b)
{
    if (b->at && b->cap <= SPARE_MAX_BYTES && loop->spare_count < SPARES) {
        loop->spare[loop->spare_count] = *b;
        loop->spare[loop->spare_count++].len = 0;
        b->at = NULL;
        b->cap = 0;
    }
    buf_release(b);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct timer *t = arg;
    (void)fd;
    (void)what;
    t->armed_ms = 0;
    if (!t->due_ms) return;
    uint64_t now = loop_now_ms(t->loop);
    if (now < t->due_ms) { /* moved later meanwhile, or the kernel's coarse clock was early */
        timer_set(t, t->due_ms - now);
        return;
    }
    t->due_ms = 0;
    t->fire(t->arg); /* may free t */
}

void timer_init(struct timer *t, struct loop *loop, loop_hook fire, void *arg)
{
    *t = (struct timer){.loop = loop, .fire = fire, .arg = arg};
    (void)event_assign(&t->at, loop->base, -1, 0, on_timer, t); /* fails for wrong signal flags only */
}

void timer_done(struct timer *t)
{
    (void)event_del(&t->at);
    event_debug_unassign(&t->at);
}

struct timer *timer_new(struct loop *loop, loop_hook fire, void *arg)
{
    struct timer *t = malloc(sizeof *t);
    if (t) timer_init(t, loop, fire, arg);
    return t;
}

void timer_set(struct timer *t, uint64_t in_ms)
{
    t->due_ms = loop_now_ms(t->loop) + in_ms;
    if (t->armed_ms && t->armed_ms <= t->due_ms) return;
    struct timeval in = {.tv_sec = (time_t)(in_ms / 1000), .tv_usec = (suseconds_t)(in_ms % 1000 * 1000)};
    if (event_add(&t->at, &in) == 0)
        t->armed_ms = t->due_ms;
    else
        log_plain(LOG_LEVEL_ERROR, "timer", "out of memory: a deadline is lost");
}

void timer_stop(struct timer *t)
{
    t->due_ms = 0;
}

void timer_free(struct timer *t)
{
    if (!t) return;
    timer_done(t);
    free(t);
}

struct watch {
    struct event at;
    struct call call;
};

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct watch *w = arg;
    (void)fd;
    (void)what;
    w->call.run(w->call.arg); /* may free w */
}

struct watch *watch_new(struct loop *loop, int fd, loop_hook readable, void *arg)
{
    struct watch *w = malloc(sizeof *w);
    if (!w) return NULL;
    w->call = (struct call){readable, arg};
    if (event_assign(&w->at, loop->base, fd, EV_READ | EV_PERSIST, on_watch, w) == 0) {
        if (event_add(&w->at, NULL) == 0) return w;
        event_debug_unassign(&w->at);
    }
    free(w);
    return NULL;
}

void watch_free(struct watch *w)
{
    if (!w) return;
    (void)event_del(&w->at);
    event_debug_unassign(&w->at);
    free(w);
}

static void on_signal(evutil_socket_t signal_number, short what, void *arg)
{
    const struct signal *s = arg;
    (void)signal_number;
    (void)what;
    s->call.run(s->call.arg);
}

result loop_on_signal(struct loop *loop, int signal_number, loop_hook fire, void *arg)
{
    struct signal *s = calloc(1, sizeof *s);
    ENSURE(s != NULL, MEMORY);
    s->call = (struct call){fire, arg};
    s->event = evsignal_new(loop->base, signal_number, on_signal, s);
    if (!s->event || event_add(s->event, NULL) != 0) {
        if (s->event) event_free(s->event);
        free(s);
        return FAIL(IO);
    }
    LIST_INSERT_HEAD(&loop->signals, s, entry);
    return OK;
}
