/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BREAKER_H
#define BASE_BREAKER_H

/* A circuit breaker: after some failures in a row calls are answered at once instead of being made or waited for; after a pause
 * one call is let through to see. So a network that is down, or hangs, costs payments nothing but the token.
 *
 *     CLOSED ──failures in a row──► OPEN ──pause──► HALF_OPEN ──success──► CLOSED        pause doubles up to its most,
 *                                    ▲                  └──failure──► OPEN               with jitter, and starts small again
 *
 * A trial that never tells how it went (its caller gave up) is followed by another after the same pause. Time is an argument, so that tests need not wait. */

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED = 0, BREAKER_OPEN, BREAKER_HALF_OPEN };
struct breaker { /* zeroed: closed */
    enum breaker_state state;
    unsigned failures;
    uint64_t until_ms, pause_ms;
};
enum { BREAKER_FAILURES = 5, BREAKER_FIRST_PAUSE_MS = 1000, BREAKER_MOST_PAUSE_MS = 60 * 1000 };
bool breaker_lets_through(struct breaker *b, uint64_t now_ms); /* may move OPEN to HALF_OPEN: then this call is the trial */
void breaker_succeeded(struct breaker *b);
void breaker_failed(struct breaker *b, uint64_t now_ms, uint32_t random);

#endif
