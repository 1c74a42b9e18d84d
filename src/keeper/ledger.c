/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { COMMIT_EVERY_MS = 250, HOUR_MS = 60 * 60 * 1000 };

struct page {
    struct counter_delta deltas[COUNT_DELTAS_MAX];
    struct counter_mark marks[COUNT_MARKS_MAX];
    size_t delta_count, mark_count;
};
struct ledger {
    struct loop *loop;
    struct vault *vault;
    struct page pages[2], *gathering, *flying;
    bool is_flying, timer_is_set;
    struct timer *timer;
    ledger_kept kept;
    void *owner;
};

static void commit_soon(struct ledger *l)
{
    if (l->timer_is_set) return;
    l->timer_is_set = true;
    timer_set(l->timer, COMMIT_EVERY_MS);
}

static void on_counted(void *owner, result r)
{
    struct ledger *l = owner;
    struct page *p = l->flying;
    l->is_flying = false;
    if (failed(r) && r.err != ERR_VAULT_CONFLICT) { /* told once a quarter of a second: the vault's own log says more */
        commit_soon(l);
        return;
    }
    /* A mark that the store has gone past already would mean two keepers: counting once is worth more than counting all. */
    if (failed(r)) log_failure("counters_refused", r);
    for (size_t i = 0; i < p->mark_count; i++)
        if (p->marks[i].sequence) l->kept(l->owner, p->marks[i].relay, p->marks[i].sequence);
    p->delta_count = p->mark_count = 0;
    if (l->gathering->delta_count || l->gathering->mark_count) commit_soon(l);
}

void ledger_commit(struct ledger *l)
{
    struct page *p = l->flying;
    if (l->is_flying) return;
    if (p->delta_count == 0 && p->mark_count == 0) { /* else it failed, and is tried again as it is */
        l->flying = l->gathering;
        l->gathering = p;
        p = l->flying;
    }
    if (p->delta_count == 0 && p->mark_count == 0) return;
    l->is_flying = true;
    vault_count(l->vault, p->deltas, p->delta_count, p->marks, p->mark_count, on_counted, l);
}

static void on_timer(void *arg)
{
    struct ledger *l = arg;
    l->timer_is_set = false;
    ledger_commit(l);
}

bool ledger_has_room(const struct ledger *l)
{
    return l->gathering->delta_count < COUNT_DELTAS_MAX && l->gathering->mark_count < COUNT_MARKS_MAX;
}

static bool is_padded(const char *at, size_t room, slice name)
{
    return name.len <= room && memcmp(at, name.at ? name.at : "", name.len) == 0 && (name.len == room || at[name.len] == '\0');
}

static struct counter_delta *find_delta(struct page *p, uint32_t hour, slice merchant, slice route)
{
    for (size_t i = p->delta_count; i-- > 0;) {
        struct counter_delta *d = &p->deltas[i];
        if (d->hour == hour && is_padded(d->merchant, sizeof d->merchant, merchant) && is_padded(d->route, sizeof d->route, route)) return d;
    }
    return NULL;
}

static struct counter_delta *new_delta(struct page *p, uint32_t hour, slice merchant, slice route)
{
    if (p->delta_count == COUNT_DELTAS_MAX) return NULL;
    struct counter_delta *d = &p->deltas[p->delta_count++];
    assert(merchant.len <= sizeof d->merchant && route.len <= sizeof d->route);
    counter_delta_start(d, merchant, route);
    d->hour = hour;
    return d;
}

bool ledger_count(struct ledger *l, slice merchant, slice route, enum counter counter, uint64_t n)
{
    uint32_t hour = (uint32_t)(clock_wall_ms() / HOUR_MS);
    struct counter_delta *d = find_delta(l->gathering, hour, merchant, route);
    if (!d) d = new_delta(l->gathering, hour, merchant, route);
    if (!d) return false;
    d->n[counter] += n;
    commit_soon(l);
    return true;
}

bool ledger_mark(struct ledger *l, uint64_t relay, uint64_t number)
{
    struct page *p = l->gathering;
    size_t i = 0;
    while (i < p->mark_count && p->marks[i].relay != relay) i++;
    if (i == COUNT_MARKS_MAX) return false;
    if (i == p->mark_count) p->mark_count++;
    p->marks[i] = (struct counter_mark){relay, number};
    commit_soon(l);
    return true;
}

struct ledger *ledger_new(struct loop *loop, struct vault *vault, ledger_kept kept, void *owner)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->loop = loop;
    l->vault = vault;
    l->kept = kept;
    l->owner = owner;
    l->gathering = &l->pages[0];
    l->flying = &l->pages[1];
    l->timer = timer_new(loop, on_timer, l);
    if (l->timer) return l;
    free(l);
    return NULL;
}

void ledger_free(struct ledger *l)
{
    if (!l) return;
    timer_free(l->timer);
    free(l);
}
