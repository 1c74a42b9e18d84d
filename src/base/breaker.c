/* SPDX-License-Identifier: Apache-2.0 */
#include "base/breaker.h"

bool breaker_lets_through(struct breaker *b, uint64_t now_ms)
{
    if (b->state == BREAKER_CLOSED) return true;
    if (now_ms < b->until_ms) return false;
    /* Half open, and its trial has not told how it went for a whole pause: it was cancelled, or hangs. Another is let
     * through, or a forgotten trial would keep the network out for ever. */
    b->state = BREAKER_HALF_OPEN;
    b->until_ms = now_ms + b->pause_ms;
    return true;
}

void breaker_succeeded(struct breaker *b)
{
    *b = (struct breaker){.state = BREAKER_CLOSED};
}

static uint64_t next_pause(const struct breaker *b)
{
    if (b->pause_ms == 0) return BREAKER_FIRST_PAUSE_MS;
    return b->pause_ms < BREAKER_MOST_PAUSE_MS / 2 ? b->pause_ms * 2 : BREAKER_MOST_PAUSE_MS;
}

void breaker_failed(struct breaker *b, uint64_t now_ms, uint32_t random)
{
    if (b->state == BREAKER_OPEN) return; /* a call that was under way when it opened: tells nothing new */
    if (b->state == BREAKER_CLOSED && ++b->failures < BREAKER_FAILURES) return;
    b->state = BREAKER_OPEN;
    b->pause_ms = next_pause(b);
    /* Between half of it and all of it, so that many registrars do not come back at once. */
    b->until_ms = now_ms + b->pause_ms - random % (b->pause_ms / 2 + 1);
}
