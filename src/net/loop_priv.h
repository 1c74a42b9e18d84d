/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_LOOP_PRIV_H
#define NET_LOOP_PRIV_H

/* What the other modules of this room share with the loop: timers that live inside their owner, work for the next turn, and
 * memory that belongs to the loop rather than to one link. */

#include "base/buf.h"
#include "net/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

/* Moving a timer is a store: libevent's heap is touched only when the new time is earlier than the armed one. A timer that
 * wakes too early arms itself for the rest. */
struct timer {
    struct event at;
    struct loop *loop;
    loop_hook fire;
    void *arg;
    uint64_t due_ms;   /* 0: not set */
    uint64_t armed_ms; /* when libevent will call; 0: it will not */
};
void timer_init(struct timer *t, struct loop *loop, loop_hook fire, void *arg);
void timer_done(struct timer *t);

/* One piece of work in the coming turn, before its events. Queuing twice is once. Zero-filled is valid and not queued. */
struct loop_task {
    TAILQ_ENTRY(loop_task) entry;
    loop_hook run;
    void *arg;
    bool queued;
};
void loop_next_turn(struct loop *loop, struct loop_task *task);
void loop_cancel_task(struct loop *loop, struct loop_task *task);

/* An object without an owner (a link that is still sending its last bytes); loop_free() frees what is left. */
struct loop_resident {
    LIST_ENTRY(loop_resident) entry;
    loop_hook free_it;
    void *arg;
};
void loop_adopt(struct loop *loop, struct loop_resident *r);
void loop_disown(struct loop_resident *r);

enum { LOOP_SCRATCH_BYTES = 64 * 1024 };
char *loop_scratch(struct loop *loop); /* secret memory; NULL when memory is short. Wipe what you wrote. */

/* How much of it one read may fill: all, unless a test wants reads to end in the middle of things. */
size_t loop_read_bytes(const struct loop *loop);
void loop_limit_reads(struct loop *loop, size_t bytes);

/* Output buffers wander between the links of a loop: the secure heap is too slow to ask for every message. */
void loop_borrow_buffer(struct loop *loop, struct buf *empty);
void loop_return_buffer(struct loop *loop, struct buf *b); /* b's bytes are wiped already; b keeps its kind and maximum */

#endif
