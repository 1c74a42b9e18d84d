/* SPDX-License-Identifier: Apache-2.0 */
#include "tms_priv.h"

#include "base/clock.h"

/* A token's states, and what becomes of it by itself. */

enum { SLOW_MORE_MS = 5000, LATER_MS = 1000, TOKEN_YEARS = 3 };

static void this_month(unsigned *month, unsigned *year)
{
    char now[CLOCK_RFC3339_BYTES];
    uint64_t number = 0;
    clock_rfc3339(clock_wall_ms(), now);
    if (slice_to_u64((slice){now, 4}, 9999, &number)) *year = (unsigned)number;
    if (slice_to_u64((slice){now + 5, 2}, 12, &number)) *month = (unsigned)number;
}

static bool becomes_active(struct tms *t, struct tms_token *token)
{
    this_month(&token->month, &token->year);
    if (token->behaviour->behaviour != TMS_CARD_RENEWED) token->year += TOKEN_YEARS;
    token->state = TMS_ACTIVE;
    token->provisioned = true;
    tms_notify(t->notifier, token, true);
    return true;
}

static void renew(struct tms_token *token)
{
    this_month(&token->month, &token->year);
    token->year += TOKEN_YEARS + 1;
}

/* The cardholder has a new card; the network token stays and stands for it. */
static void replace_card(struct tms_token *token)
{
    random_digits(token->suffix, sizeof token->suffix - 1);
    token->card_year += TOKEN_YEARS;
}

bool tms_event_parse(slice name, enum tms_event *out)
{
    static const char *const names[TMS_EVENT_COUNT] = {"ACTIVE", "SUSPENDED", "DELETED", "RENEWED", "REPLACED"};
    for (int i = 0; i < TMS_EVENT_COUNT; i++) {
        if (!slice_is(name, names[i])) continue;
        *out = (enum tms_event)i;
        return true;
    }
    return false;
}

bool tms_life_event(struct tms *t, struct tms_token *token, enum tms_event event)
{
    if (token->state == TMS_DELETED) return false;
    if (!token->provisioned) return event == TMS_EVENT_ACTIVE && !token->reason && becomes_active(t, token);
    switch (event) {
    case TMS_EVENT_ACTIVE:
        token->state = TMS_ACTIVE;
        break;
    case TMS_EVENT_SUSPENDED:
        token->state = TMS_SUSPENDED;
        break;
    case TMS_EVENT_DELETED:
        token->state = TMS_DELETED;
        break;
    case TMS_EVENT_RENEWED:
        renew(token);
        break;
    case TMS_EVENT_REPLACED:
        replace_card(token);
        break;
    case TMS_EVENT_COUNT:
        return false;
    }
    tms_notify(t->notifier, token, false);
    return true;
}

static bool later_event(const struct tms_token *token, enum tms_event *event)
{
    switch (token->behaviour->behaviour) {
    case TMS_CARD_SUSPENDED:
        *event = TMS_EVENT_SUSPENDED;
        return true;
    case TMS_CARD_DELETED:
        *event = TMS_EVENT_DELETED;
        return true;
    case TMS_CARD_RENEWED:
        *event = TMS_EVENT_RENEWED;
        return true;
    case TMS_CARD_REPLACED:
        *event = TMS_EVENT_REPLACED;
        return true;
    case TMS_CARD_ELIGIBLE:
    case TMS_CARD_REFUSED:
    case TMS_CARD_SLOW:
    case TMS_CARD_NO_CRYPTOGRAM:
        return false;
    }
    return false;
}

static void on_due(void *arg)
{
    struct tms_token *token = arg;
    enum tms_event event = TMS_EVENT_ACTIVE;
    bool first = !token->provisioned, more = later_event(token, &event);
    bool done = tms_life_event(token->owner, token, first ? TMS_EVENT_ACTIVE : event); /* false: removed meanwhile */
    if (first && more && done) timer_set(token->timer, LATER_MS);
}

result tms_life_begin(struct tms *t, struct tms_token *token)
{
    const struct tms_card *card = token->behaviour;
    uint64_t wait_ms = t->options->provision_ms + (card->behaviour == TMS_CARD_SLOW ? SLOW_MORE_MS : 0);
    token->reason = card->reason;
    if (card->behaviour == TMS_CARD_REFUSED) return OK;
    token->owner = t;
    token->timer = timer_new(t->loop, on_due, token);
    ENSURE(token->timer, MEMORY);
    if (wait_ms) {
        timer_set(token->timer, wait_ms);
    } else {
        on_due(token);
    }
    return OK;
}
