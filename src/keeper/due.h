/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_DUE_H
#define KEEPER_DUE_H

/* What is due when: a binary heap of things with a time, the earliest first. Queues of jobs and webhooks stand on it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due { /* first member of what is due */
    int64_t at_ms;
    size_t place; /* from 1; 0: in no heap */
};
struct due_heap { /* zeroed: empty */
    struct due **at; /* from 1 */
    size_t count, room;
};
void due_done(struct due_heap *h); /* frees the heap, not what is in it */
bool due_add(struct due_heap *h, struct due *d); /* false: memory */
void due_remove(struct due_heap *h, struct due *d); /* fine when it is in none */
struct due *due_first(const struct due_heap *h); /* NULL: empty */
struct due *due_first_by(const struct due_heap *h, int64_t now_ms); /* NULL: nothing is due */

/* When to try again after <tries> failures: a second, doubled each time up to an hour, of which half is random, so that those
 * who failed together do not come back together. */
enum { BACK_OFF_FIRST_MS = 1000, BACK_OFF_MOST_MS = 60 * 60 * 1000 };
int64_t back_off_ms(uint32_t tries, uint32_t random);
uint32_t back_off_random(void);

/* Those times are the wall clock's, because they outlive the process. What waits for a back-off waits as long as it would have, all the
 * same, when that clock is set: by how much it was, since the call before; 0: not, or by less than a minute. */
struct due_clock { /* zeroed: not asked yet */
    bool is_known;
    int64_t ahead_ms; /* of the monotonic clock */
};
int64_t due_clock_step_ms(struct due_clock *c, int64_t wall_ms, uint64_t monotonic_ms);
/* Of a time that was read back: further off than any back-off it was set by a clock that was ahead, and is now. */
int64_t due_believable(int64_t due_ms, int64_t now_ms);

#endif
