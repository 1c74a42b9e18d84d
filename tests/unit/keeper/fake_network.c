/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_network.h"

#include "base/clock.h"
#include "fake_vault.h"
#include "vault/network_record.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_network fake_network;

/* --- writes that wait for the flush --- */

struct write {
    struct write *next;
    vault_network_callback altered;
    vault_done done;
    void *owner;
    result r;
    struct network_record record;
};
static struct write *writes;

static void later(struct write w)
{
    struct write *copy = malloc(sizeof *copy), **end = &writes;
    *copy = w;
    copy->next = NULL;
    while (*end) end = &(*end)->next;
    *end = copy;
}

bool fake_network_flush(void)
{
    bool any = writes != NULL;
    fake_network.sums = 0;
    while (writes) {
        struct write *w = writes;
        writes = w->next;
        if (w->altered)
            w->altered(w->owner, w->r, failed(w->r) ? NULL : &w->record);
        else
            w->done(w->owner, w->r);
        free(w);
    }
    return any;
}

static result outcome(void)
{
    return fake_network.writes_fail ? FAIL(VAULT_BUSY) : OK;
}

/* --- records --- */

struct network_record *fake_record(const char *merchant, const char *token)
{
    struct fake_record *f;
    for (size_t i = 0; i < fake_network.record_count; i++) {
        f = &fake_network.records[i];
        if (strcmp(f->merchant, merchant) == 0 && strcmp(f->token, token) == 0) return &f->record;
    }
    f = &fake_network.records[fake_network.record_count++];
    (void)snprintf(f->merchant, sizeof f->merchant, "%s", merchant);
    (void)snprintf(f->token, sizeof f->token, "%s", token);
    return &f->record;
}

struct network_record *fake_active(const char *token)
{
    struct network_record *r = fake_record("shop", token);
    *r = (struct network_record){.state = NETWORK_ACTIVE, .network = "cards", .ref = {5, "ref-1"}, .month = 12, .year = 2031, .revision = 3};
    return r;
}

static struct network_record *find(slice merchant, slice token)
{
    char m[65], t[65];
    (void)snprintf(m, sizeof m, "%.*s", SLICE_ARG(merchant));
    (void)snprintf(t, sizeof t, "%.*s", SLICE_ARG(token));
    return fake_has_card(merchant, token) ? fake_record(m, t) : NULL;
}

void vault_network_get(struct vault *v, slice merchant, slice token, vault_network_callback done, void *owner)
{
    const struct network_record *r = find(merchant, token);
    (void)v;
    done(owner, r ? OK : FAIL(TOKEN_NOT_FOUND), r);
}

result vault_network_page(struct vault *v, slice merchant, slice after, size_t limit, vault_network_each each, void *owner, bool *more)
{
    (void)v;
    (void)after;
    assert(limit > fake_network.record_count);
    *more = false;
    for (size_t i = 0; i < fake_network.record_count; i++) {
        struct fake_record *f = &fake_network.records[i];
        if (slice_is(merchant, f->merchant)) each(owner, slice_of(f->token), &f->record);
    }
    return OK;
}

void vault_network_find(struct vault *v, slice ref, vault_network_found done, void *owner)
{
    bool any = false;
    (void)v;
    for (size_t i = 0; i < fake_network.record_count; i++) {
        struct fake_record *f = &fake_network.records[i];
        if (!slice_eq(network_text_slice(&f->record.ref), ref) && !slice_eq(network_text_slice(&f->record.instrument), ref)) continue;
        any = true;
        done(owner, OK, slice_of(f->merchant), slice_of(f->token), &f->record);
    }
    done(owner, any ? OK : FAIL(NOT_FOUND), SLICE_NONE, SLICE_NONE, NULL);
}

static void put_job(const struct job *j)
{
    size_t i = 0;
    while (i < fake_network.job_count && memcmp(fake_network.jobs[i].id, j->id, sizeof j->id) != 0) i++;
    if (i == FAKE_MAX) i = 0;
    if (i == fake_network.job_count) fake_network.job_count++;
    fake_network.jobs[i] = *j;
}

static void delete_job(slice id)
{
    for (size_t i = 0; i < fake_network.job_count; i++)
        if (memcmp(fake_network.jobs[i].id, id.at, JOB_ID_BYTES) == 0) fake_network.jobs[i--] = fake_network.jobs[--fake_network.job_count];
}

static void put_event(const struct event *e)
{
    size_t i = 0;
    while (i < fake_network.event_count && memcmp(fake_network.events[i].id, e->id, sizeof e->id) != 0) i++;
    if (i == FAKE_MAX) i = 0;
    if (i == fake_network.event_count) fake_network.event_count++;
    fake_network.events[i] = *e;
}

static void note_count(const struct counter_delta *d)
{
    for (enum counter c = 0; c < COUNTER_COUNT; c++) {
        size_t used = strlen(fake_network.counted);
        if (d->n[c])
            (void)snprintf(fake_network.counted + used, sizeof fake_network.counted - used, "%.64s %.64s %u %u\n", d->merchant, d->route, c,
                           (unsigned)d->n[c]);
    }
}

void vault_network_alter(struct vault *v, slice merchant, slice token, vault_network_decide decide, vault_network_callback done, void *owner)
{
    struct network_record *stored = find(merchant, token), shall;
    struct network_change change = {0};
    (void)v;
    if (!stored || fake_network.writes_fail) {
        later((struct write){.altered = done, .owner = owner, .r = stored ? outcome() : FAIL(TOKEN_NOT_FOUND)});
        return;
    }
    shall = *stored;
    decide(owner, &shall, &change); /* a conflict: decided again, from what is stored */
    shall = *stored;
    change = (struct network_change){0};
    decide(owner, &shall, &change);
    if (change.write) {
        shall.revision = stored->revision + 1;
        *stored = shall;
    }
    if (change.done_job) delete_job(*change.done_job);
    if (change.add) put_job(change.add);
    for (size_t i = 0; i < change.event_count; i++) put_event(&change.events[i]);
    if (change.count) note_count(change.count);
    later((struct write){.altered = done, .owner = owner, .record = *stored});
}

/* --- jobs and events --- */

result vault_job_new_id(char out[JOB_ID_BYTES])
{
    static unsigned last;
    memset(out, 0, JOB_ID_BYTES);
    (void)snprintf(out, JOB_ID_BYTES, "job-%u", ++last);
    return OK;
}

result vault_job_list(struct vault *v, vault_job_each each, void *owner)
{
    (void)v;
    for (size_t i = 0; i < fake_network.job_count && each(owner, &fake_network.jobs[i]); i++) continue;
    return OK;
}

void vault_job_put(struct vault *v, const struct job *j, vault_done done, void *owner)
{
    (void)v;
    if (!fake_network.writes_fail) put_job(j);
    later((struct write){.done = done, .owner = owner, .r = outcome()});
}

void vault_job_delete(struct vault *v, slice id, vault_done done, void *owner)
{
    (void)v;
    if (!fake_network.writes_fail) delete_job(id);
    later((struct write){.done = done, .owner = owner, .r = outcome()});
}

void vault_watch_removals(struct vault *v, vault_removal_queued queued, void *owner)
{
    (void)v;
    fake_network.removal_queued = queued;
    fake_network.removal_owner = owner;
}

/* Short pages; the cursor is the place in the array. */
result vault_event_page(struct vault *v, struct event_cursor *c, size_t limit, bool *more, vault_event_each each, void *owner)
{
    (void)v;
    for (size_t i = 0; i < 20 && i < limit && c->len < fake_network.event_count; i++) (void)each(owner, &fake_network.events[c->len++]);
    *more = c->len < fake_network.event_count;
    return OK;
}

void vault_event_put(struct vault *v, const struct event *e, int64_t since_ms, vault_done done, void *owner)
{
    (void)v;
    result r = outcome();
    for (size_t i = 0; i < fake_network.event_count; i++)
        if (memcmp(fake_network.events[i].id, e->id, sizeof e->id) == 0 && fake_network.events[i].since_ms != since_ms) r = FAIL(VAULT_CONFLICT);
    if (!failed(r)) put_event(e);
    later((struct write){.done = done, .owner = owner, .r = r});
}

result vault_event_resends(struct vault *v, uint64_t *count)
{
    (void)v;
    *count = fake_network.resends;
    return OK;
}

result vault_event_purge(struct vault *v, int64_t now_ms)
{
    (void)v;
    (void)now_ms;
    return OK;
}

/* --- trails and counters --- */

void vault_trail_get(struct vault *v, slice merchant, slice token, slice route, vault_trail_callback done, void *owner)
{
    char key[300];
    (void)v;
    int len = snprintf(key, sizeof key, "%.*s %.*s %.*s ", SLICE_ARG(merchant), SLICE_ARG(token), SLICE_ARG(route));
    const char *at = strstr(fake_network.trails, key);
    if (at)
        done(owner, OK, (slice){at + len, strcspn(at + len, "\n")});
    else
        done(owner, FAIL(NOT_FOUND), SLICE_NONE);
}

void vault_trail_put(struct vault *v, slice merchant, slice token, slice route, slice id, vault_done done, void *owner)
{
    size_t used = strlen(fake_network.trails);
    (void)v;
    (void)snprintf(fake_network.trails + used, sizeof fake_network.trails - used, "%.*s %.*s %.*s %.*s\n", SLICE_ARG(merchant),
                   SLICE_ARG(token), SLICE_ARG(route), SLICE_ARG(id));
    later((struct write){.done = done, .owner = owner, .r = outcome()});
}

void vault_count(struct vault *v, const struct counter_delta *deltas, size_t delta_count, const struct counter_mark *marks, size_t mark_count,
                 vault_done done, void *owner)
{
    (void)v;
    fake_network.commits++;
    for (size_t i = 0; i < delta_count && !fake_network.count_fails; i++) note_count(&deltas[i]);
    for (size_t i = 0; i < mark_count && !fake_network.count_fails; i++) {
        size_t k = 0;
        while (k < fake_network.mark_count && fake_network.marks[k].relay != marks[i].relay) k++;
        if (k == FAKE_MAX) k = 0; /* a fuzzer's relays draw many numbers */
        if (k == fake_network.mark_count) fake_network.mark_count++;
        fake_network.marks[k] = marks[i];
    }
    later((struct write){.done = done, .owner = owner, .r = fake_network.count_fails ? FAIL(VAULT_BUSY) : OK});
}

result vault_count_mark(struct vault *v, uint64_t relay, uint64_t *sequence)
{
    (void)v;
    *sequence = 0;
    if (fake_network.marks_fail) return FAIL(VAULT_STORE);
    for (size_t k = 0; k < fake_network.mark_count; k++)
        if (fake_network.marks[k].relay == relay) *sequence = fake_network.marks[k].sequence;
    return OK;
}

result vault_count_sum(struct vault *v, slice merchant, uint32_t from_hour, uint32_t to_hour, slice route, vault_count_each each, void *owner)
{
    uint64_t sums[COUNTER_COUNT] = {[COUNTER_TOKEN_APPROVED] = from_hour, [COUNTER_TOKEN_DECLINED] = to_hour};
    (void)v;
    if (!slice_is(merchant, "shop")) return FAIL(INTERNAL);
    for (uint64_t start = clock_now_us(); clock_now_us() - start < fake_network.sum_takes_us;) continue;
    if (++fake_network.sums > fake_network.sums_in_a_turn) fake_network.sums_in_a_turn = fake_network.sums;
    each(owner, route.len ? route : SLICE("rede"), sums);
    if (route.len == 0) each(owner, SLICE("cielo"), sums);
    return OK;
}
