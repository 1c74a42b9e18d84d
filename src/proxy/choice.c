/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/choice.h"

const char *fallback_name(enum fallback f)
{
    switch (f) {
    case FALLBACK_NONE: return NULL;
    case FALLBACK_NOT_SUPPORTED: return "not_supported";
    case FALLBACK_NOT_IN_VOLUME: return "not_in_volume";
    case FALLBACK_FORCED: return "forced";
    case FALLBACK_NOT_PROVISIONED: return "not_provisioned";
    }
    return NULL;
}

/* FNV-1a, 64 bits: only an even spread over the percentiles is wanted, no secrecy. */
static uint64_t mix(uint64_t hash, slice text)
{
    for (size_t i = 0; i < text.len; i++) hash = (hash ^ (unsigned char)text.at[i]) * 0x100000001b3u;
    return (hash ^ 0xff) * 0x100000001b3u;
}

bool choice_in_volume(slice route, slice token, unsigned percent)
{
    uint64_t hash = mix(mix(0xcbf29ce484222325u, route), token);
    hash ^= hash >> 32; /* the low bits of FNV are the weaker ones */
    return hash % 100 < percent;
}

bool choice_is_kind(slice forced)
{
    return slice_ieq(forced, SLICE("NETWORK_TOKEN")) || slice_ieq(forced, SLICE("CARD_PAN"));
}

struct choice choice_make(const struct config_route *route, slice token, enum token_kind kind, slice forced,
                          const struct credential *revealed)
{
    if (revealed->kind == CREDENTIAL_NETWORK_TOKEN) return (struct choice){CREDENTIAL_NETWORK_TOKEN, FALLBACK_NONE};
    if (!route->rules->has_network_token) return (struct choice){CREDENTIAL_PAN, FALLBACK_NOT_SUPPORTED};
    if (slice_ieq(forced, SLICE("CARD_PAN"))) return (struct choice){CREDENTIAL_PAN, FALLBACK_FORCED};
    /* A temporal token is another one each time: it is on no side of the rollout. */
    if (kind == TOKEN_PERMANENT && !choice_in_volume(route->name, token, route->volume_percent))
        return (struct choice){CREDENTIAL_PAN, FALLBACK_NOT_IN_VOLUME};
    return (struct choice){CREDENTIAL_PAN, FALLBACK_NOT_PROVISIONED};
}
