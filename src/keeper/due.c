/* SPDX-License-Identifier: Apache-2.0 */
#include "due.h"

#include <openssl/rand.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64, CLOCK_STEP_MS = 60 * 1000 };

void due_done(struct due_heap *h)
{
    free(h->at);
    *h = (struct due_heap){0};
}

static void set(struct due_heap *h, size_t place, struct due *d)
{
    h->at[place] = d;
    d->place = place;
}

static void up(struct due_heap *h, size_t place)
{
    struct due *d = h->at[place];
    while (place > 1 && h->at[place / 2]->at_ms > d->at_ms) {
        set(h, place, h->at[place / 2]);
        place /= 2;
    }
    set(h, place, d);
}

static void down(struct due_heap *h, size_t place)
{
    struct due *d = h->at[place];
    for (size_t child; (child = 2 * place) <= h->count; place = child) {
        if (child < h->count && h->at[child + 1]->at_ms < h->at[child]->at_ms) child++;
        if (h->at[child]->at_ms >= d->at_ms) break;
        set(h, place, h->at[child]);
    }
    set(h, place, d);
}

bool due_add(struct due_heap *h, struct due *d)
{
    if (h->count + 2 > h->room) {
        size_t room = h->room ? h->room * 2 : FIRST_ROOM;
        struct due **at = realloc(h->at, room * sizeof(struct due *));
        if (!at) return false;
        h->at = at;
        h->room = room;
    }
    h->count++;
    set(h, h->count, d);
    up(h, h->count);
    return true;
}

void due_remove(struct due_heap *h, struct due *d)
{
    size_t place = d->place;
    if (place == 0) return;
    struct due *last = h->at[h->count--];
    d->place = 0;
    if (last == d) return;
    set(h, place, last);
    up(h, place);
    down(h, last->place);
}

struct due *due_first(const struct due_heap *h)
{
    return h->count ? h->at[1] : NULL;
}

struct due *due_first_by(const struct due_heap *h, int64_t now_ms)
{
    struct due *first = due_first(h);
    return first && first->at_ms <= now_ms ? first : NULL;
}

int64_t back_off_ms(uint32_t tries, uint32_t random)
{
    int64_t most = BACK_OFF_FIRST_MS;
    for (uint32_t i = 1; i < tries && most < BACK_OFF_MOST_MS; i++) most *= 2;
    if (most > BACK_OFF_MOST_MS) most = BACK_OFF_MOST_MS;
    return most / 2 + random % (most / 2 + 1);
}

uint32_t back_off_random(void)
{
    uint32_t n = 0;
    (void)RAND_bytes((unsigned char *)&n, sizeof n); /* spreads load, keeps no secret: 0 would do */
    return n;
}

int64_t due_clock_step_ms(struct due_clock *c, int64_t wall_ms, uint64_t monotonic_ms)
{
    int64_t ahead_ms = wall_ms - (int64_t)monotonic_ms, step_ms = c->is_known ? ahead_ms - c->ahead_ms : 0;
    if (c->is_known && step_ms < CLOCK_STEP_MS && step_ms > -CLOCK_STEP_MS) return 0;
    *c = (struct due_clock){true, ahead_ms};
    return step_ms;
}

int64_t due_believable(int64_t due_ms, int64_t now_ms)
{
    return due_ms - now_ms > BACK_OFF_MOST_MS ? now_ms : due_ms;
}
