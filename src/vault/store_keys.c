/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include "bytes.h"

#include <assert.h>
#include <string.h>

static char *put_merchant(char *at, slice merchant)
{
    assert(merchant.len <= MERCHANT_MAX_BYTES);
    return (char *)put_text((uint8_t *)at, merchant);
}

slice card_key(slice merchant, slice token, char room[CARD_KEY_MAX_BYTES])
{
    assert(token.len <= TOKEN_ID_MAX_BYTES);
    char *at = put_merchant(room, merchant);
    if (token.len) memcpy(at, token.at, token.len); /* none: before the merchant's first */
    return (slice){room, (size_t)(at - room) + token.len};
}

/* Merchant, and what follows it. */
static bool split_merchant(slice key, slice *merchant, slice *rest)
{
    *rest = key;
    return take_text(rest, MERCHANT_MAX_BYTES, merchant);
}

bool card_key_split(slice key, slice *merchant, slice *token)
{
    return split_merchant(key, merchant, token) && token->len >= TOKEN_ID_MIN_BYTES && token->len <= TOKEN_ID_MAX_BYTES;
}

slice trail_prefix(slice merchant, slice token, char room[TRAIL_KEY_ROOM_BYTES])
{
    char *at = (char *)put_text((uint8_t *)put_merchant(room, merchant), token);
    return (slice){room, (size_t)(at - room)};
}

slice trail_key(slice merchant, slice token, slice route, char room[TRAIL_KEY_ROOM_BYTES])
{
    slice prefix = trail_prefix(merchant, token, room);
    assert(merchant.len <= NETWORK_MERCHANT_MAX_BYTES && route.len >= 1 && route.len <= ROUTE_NAME_MAX_BYTES);
    memcpy(room + prefix.len, route.at, route.len);
    return (slice){room, prefix.len + route.len};
}

slice count_key(slice merchant, uint32_t hour, slice route, char room[COUNT_KEY_MAX_BYTES])
{
    assert(merchant.len >= 1 && merchant.len <= NETWORK_MERCHANT_MAX_BYTES && route.len <= ROUTE_NAME_MAX_BYTES);
    char *at = put_merchant(room, merchant);
    put_u32((uint8_t *)at, hour);
    if (route.len) memcpy(at + 4, route.at, route.len);
    return (slice){room, (size_t)(at + 4 - room) + route.len};
}

bool count_key_split(slice key, slice *merchant, uint32_t *hour, slice *route)
{
    slice rest;
    if (!split_merchant(key, merchant, &rest) || merchant->len == 0 || rest.len < 4) return false;
    *hour = get_u32((const uint8_t *)rest.at);
    *route = slice_after(rest, 4);
    return route->len <= ROUTE_NAME_MAX_BYTES;
}

slice mark_key(uint64_t relay, char room[MARK_KEY_BYTES])
{
    room[0] = '\0'; /* no merchant's */
    put_u64((uint8_t *)room + 1, relay);
    return (slice){room, MARK_KEY_BYTES};
}

/* No merchant stands before the name in what is hashed, so no PAN's index can equal it. */
result ref_hash(struct vault *v, slice ref, uint8_t out[KEYRING_INDEX_BYTES])
{
    return keyring_index(v->ring, SLICE_NONE, ref, out);
}

result ref_key(struct vault *v, slice ref, slice record_key, char room[REF_KEY_MAX_BYTES], slice *out)
{
    TRY(ref_hash(v, ref, (uint8_t *)room));
    memcpy(room + KEYRING_INDEX_BYTES, record_key.at, record_key.len);
    *out = (slice){room, KEYRING_INDEX_BYTES + record_key.len};
    return OK;
}

bool ref_key_split(slice key, slice *record_key)
{
    slice merchant, token;
    if (key.len < KEYRING_INDEX_BYTES) return false;
    *record_key = slice_after(key, KEYRING_INDEX_BYTES);
    return card_key_split(*record_key, &merchant, &token);
}

/* An alias is never a number with a valid check digit, so no PAN's index can equal it. */
result alias_key(struct vault *v, slice merchant, slice alias, char room[ALIAS_KEY_MAX_BYTES], slice *out)
{
    char *at = put_merchant(room, merchant);
    TRY(keyring_index(v->ring, merchant, alias, (uint8_t *)at));
    *out = (slice){room, (size_t)(at - room) + KEYRING_INDEX_BYTES};
    return OK;
}

result vault_place(enum store_table t, slice key, struct seal_place *out)
{
    bool good = true;
    *out = (struct seal_place){(uint8_t)t, SLICE_NONE, key};
    if (t == STORE_CARD || t == STORE_NETWORK || t == STORE_ALIASES) good = card_key_split(key, &out->merchant, &out->id);
    if (t == STORE_TRAIL || t == STORE_COUNT || t == STORE_ALIAS) good = split_merchant(key, &out->merchant, &out->id);
    return good ? OK : FAIL(VAULT_FORMAT);
}
