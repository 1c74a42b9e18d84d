/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/choice.h"

#include "base/clock.h"

const char *fallback_name(enum fallback f)
{
    static const char *const names[FALLBACK_COUNT] = {[FALLBACK_NOT_SUPPORTED] = "not_supported",
                                                      [FALLBACK_NOT_IN_VOLUME] = "not_in_volume",
                                                      [FALLBACK_NOT_PROVISIONED] = "not_provisioned",
                                                      [FALLBACK_SUSPENDED] = "suspended",
                                                      [FALLBACK_DELETED] = "deleted",
                                                      [FALLBACK_FORCED] = "forced",
                                                      [FALLBACK_CRYPTOGRAM_FAILED] = "cryptogram_failed",
                                                      [FALLBACK_BUDGET_SPENT] = "budget_spent"};
    return f < FALLBACK_COUNT ? names[f] : NULL;
}

bool wanted_parse(slice value, enum wanted *out)
{
    bool is_token = slice_ieq(value, SLICE("NETWORK_TOKEN"));
    if (!is_token && !slice_ieq(value, SLICE("CARD_PAN"))) return false;
    *out = is_token ? WANTED_TOKEN : WANTED_PAN;
    return true;
}

/* FNV-1a, 64 bits: only an even spread over the percentiles is wanted, no secrecy. */
static uint64_t mix(uint64_t hash, slice text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 0x100000001b3u;
    return (hash ^ 0xff) * 0x100000001b3u;
}

bool choice_in_volume(slice route, slice token, unsigned percent)
{
    uint64_t hash = mix(mix(0xcbf29ce484222325u, route), token);
    hash ^= hash >> 32; /* the low bits of FNV are the weaker ones */
    return hash % 100 < percent;
}

enum network_state choice_state(const struct network_record *record, int64_t wall_ms)
{
    bool has_lapsed = record->month > 0 && wall_ms >= clock_month_end_ms(record->year, record->month);
    return record->state == NETWORK_ACTIVE && has_lapsed ? NETWORK_UNPROVISIONED : record->state;
}

static enum fallback of_state(enum network_state state)
{
    switch (state) {
    case NETWORK_ACTIVE:
        return FALLBACK_NONE;
    case NETWORK_SUSPENDED:
        return FALLBACK_SUSPENDED;
    case NETWORK_DELETED:
        return FALLBACK_DELETED;
    case NETWORK_NONE:
    case NETWORK_PENDING:
    case NETWORK_UNPROVISIONED:
    case NETWORK_STATE_COUNT:
        break;
    }
    return FALLBACK_NOT_PROVISIONED;
}

enum fallback choice_before_network(const struct config_route *route, slice token, struct wish wish,
                                    enum network_state state)
{
    if (!route->rules->has_network_token || wish.wanted == WANTED_PAN_STREAMED) return FALLBACK_NOT_SUPPORTED;
    /* A retry is asked for by the exchange, which knows its reason: for it the PAN is as good as forced. */
    if (wish.wanted == WANTED_PAN || wish.wanted == WANTED_PAN_RETRY) return FALLBACK_FORCED;
    if (wish.wanted == WANTED_BEST && !choice_in_volume(route->name, token, route->volume_percent))
        return FALLBACK_NOT_IN_VOLUME;
    return of_state(state);
}
