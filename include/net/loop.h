/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

/* One event loop per process, over libevent's core. A turn is: run what is ready, then the turn-end hooks in the order they
 * were added (flush batches, free the dead, write the log). Nothing a callback can reach is freed inside a callback: it is
 * handed to loop_free_later() and dies at the end of the turn.
 *
 *     events ─► callbacks ─► hooks (keeper batches, log, …) ─► the dead are freed ─► next turn                            */

#include "base/result.h"

#include <stdint.h>

struct loop;
struct event_base;

struct loop *loop_new(void);            /* NULL when the kernel or memory refuses */
void loop_free(struct loop *loop);      /* frees what is waiting in loop_free_later first */
void loop_run(struct loop *loop);       /* until loop_stop */
void loop_turn(struct loop *loop);      /* one turn, waits for at least one event: for tests and small clients */
void loop_stop(struct loop *loop);
uint64_t loop_now_ms(const struct loop *loop); /* monotonic, read once a turn */
uint64_t loop_now_us(const struct loop *loop); /* monotonic, exact */
struct event_base *loop_base(struct loop *loop);

typedef void (*loop_hook)(void *arg);
MUST_USE result loop_at_turn_end(struct loop *loop, loop_hook hook, void *arg);     /* for the loop's life */
void loop_free_later(struct loop *loop, loop_hook free_it, void *object);           /* at the end of this turn, once */

/* Links that were ended with FLUSH still send, or linger for their peer: stopping now would cut their last answers. */
bool loop_has_residents(const struct loop *loop);

/* A one-shot timer. timer_set() again moves it; a timer that is freed never fires. Deadlines are coarse (milliseconds). */
struct timer;
struct timer *timer_new(struct loop *loop, loop_hook fire, void *arg);
void timer_set(struct timer *t, uint64_t in_ms);
void timer_stop(struct timer *t);
void timer_free(struct timer *t); /* NULL is fine */

/* Tells when a descriptor is readable (level-triggered). */
struct watch;
struct watch *watch_new(struct loop *loop, int fd, loop_hook readable, void *arg);
void watch_free(struct watch *w); /* does not close the descriptor; NULL is fine */

/* A signal delivered in the loop. */
MUST_USE result loop_on_signal(struct loop *loop, int signal_number, loop_hook fire, void *arg);

#endif
