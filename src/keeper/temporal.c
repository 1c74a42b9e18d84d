/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/temporal.h"

#include "base/metrics.h"
#include "base/secret.h"
#include "keeper/share.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct temporal {
    struct token_id id;
    struct share *share;
    uint64_t expires_ms;
    bool is_reserved, is_new;
    LIST_ENTRY(temporal) held;   /* of its holder, when reserved */
    LIST_ENTRY(temporal) made;   /* of its maker, when new */
    struct temporal *next_spare; /* when not in use */
    UT_hash_handle hh;
};

struct temporal_table {
    struct temporal *by_id;
    struct shares shares;
    struct temporal_card *cards; /* secret; card i belongs to place i */
    struct temporal *spare;      /* places that were in use before */
    size_t touched;              /* places from here on were never in use */
    struct temporal places[];
};

struct temporal_table *temporal_table_new(size_t places)
{
    struct temporal_table *t = calloc(1, sizeof *t + places * sizeof *t->places);
    if (!t) return NULL;
    t->shares.places = places;
    t->cards = secret_alloc(places * sizeof *t->cards);
    if (!t->cards) {
        free(t);
        return NULL;
    }
    metrics_gauge(METRIC_TEMPORAL_ROOM, (int64_t)places);
    return t;
}

/* --- places --- */

static struct temporal *take_place(struct temporal_table *t)
{
    struct temporal *place = t->spare;
    if (place)
        t->spare = place->next_spare;
    else
        place = &t->places[t->touched++];
    return place;
}

static struct temporal_card *card_of(const struct temporal_table *t, const struct temporal *place)
{
    return &t->cards[place - t->places];
}

static void give_place_back(struct temporal_table *t, struct temporal *place)
{
    secret_wipe(card_of(t, place), sizeof *t->cards);
    *place = (struct temporal){.next_spare = t->spare};
    t->spare = place;
}

static void drop(struct temporal_table *t, struct temporal *one)
{
    struct share *share = one->share;
    if (one->is_reserved) LIST_REMOVE(one, held);
    if (one->is_new) LIST_REMOVE(one, made);
    HASH_DEL(t->by_id, one);
    give_place_back(t, one);
    share_give_back(&t->shares, share);
    metrics_gauge(METRIC_TEMPORAL_TOKENS, -1);
}

void temporal_table_free(struct temporal_table *t)
{
    struct temporal *one, *next;
    if (!t) return;
    HASH_ITER(hh, t->by_id, one, next)
        drop(t, one);
    metrics_gauge(METRIC_TEMPORAL_ROOM, -(int64_t)t->shares.places);
    secret_free(t->cards, t->shares.places * sizeof *t->cards);
    free(t);
}

/* --- the table --- */

static void fill(struct temporal_table *t, struct temporal *one, const struct card *card, slice cvc)
{
    struct temporal_card *c = card_of(t, one);
    assert(cvc.len <= sizeof c->cvc);
    c->card = *card;
    memcpy(c->cvc, cvc.at, cvc.len);
    c->cvc_len = (uint8_t)cvc.len;
}

static result add(struct temporal_table *t, struct share *share, const struct token_id *id, uint64_t expires_ms, struct temporal **out)
{
    struct temporal *one = take_place(t);
    *one = (struct temporal){.id = *id, .share = share, .expires_ms = expires_ms};
    HASH_ADD_KEYPTR(hh, t->by_id, one->id.at, one->id.len, one);
    if (!one->hh.tbl) {
        give_place_back(t, one);
        return FAIL(MEMORY);
    }
    *out = one;
    return OK;
}

result temporal_put(struct temporal_table *t, slice merchant, const struct card *card, slice cvc, uint32_t ttl_s, uint64_t now_ms,
                    struct temporal_maker *maker, struct token_id *out)
{
    struct share *share = NULL;
    struct temporal *one = NULL;
    assert(ttl_s > 0 && ttl_s <= TEMPORAL_TTL_MAX_S);
    TRY(token_id_make(TOKEN_TEMPORAL, out));
    TRY(share_take(&t->shares, merchant, ERR_TEMPORAL_FULL, &share));
    result r = add(t, share, out, now_ms + (uint64_t)ttl_s * 1000, &one);
    if (failed(r)) {
        share_give_back(&t->shares, share);
        return r;
    }
    fill(t, one, card, cvc);
    one->is_new = true;
    LIST_INSERT_HEAD(maker, one, made);
    metrics_gauge(METRIC_TEMPORAL_TOKENS, 1);
    return OK;
}

static struct temporal *find(const struct temporal_table *t, slice merchant, slice token, uint64_t now_ms)
{
    struct temporal *one = NULL;
    HASH_FIND(hh, t->by_id, token.at, token.len, one);
    bool is_his = one && slice_eq(share_merchant(one->share), merchant);
    return is_his && now_ms < one->expires_ms ? one : NULL;
}

bool temporal_is_known(const struct temporal_table *t, slice merchant, slice token, uint64_t now_ms)
{
    return find(t, merchant, token, now_ms) != NULL;
}

static bool is_held_by(const struct temporal *wanted, const struct temporal_holder *holder)
{
    const struct temporal *one;
    LIST_FOREACH (one, holder, held)
        if (one == wanted) return true;
    return false;
}

result temporal_reserve(struct temporal_table *t, slice merchant, slice token, uint64_t now_ms, struct temporal_holder *holder,
                        const struct temporal_card **out)
{
    struct temporal *one = find(t, merchant, token, now_ms);
    ENSURE(one != NULL, TOKEN_EXPIRED);
    if (!is_held_by(one, holder)) {
        ENSURE(!one->is_reserved, TOKEN_EXPIRED);
        one->is_reserved = true;
        LIST_INSERT_HEAD(holder, one, held);
    }
    *out = card_of(t, one);
    return OK;
}

void temporal_settle(struct temporal_table *t, struct temporal_holder *holder, bool used)
{
    struct temporal *one;
    while ((one = LIST_FIRST(holder)) != NULL) {
        LIST_REMOVE(one, held);
        one->is_reserved = false;
        if (used) drop(t, one);
    }
}

void temporal_release(struct temporal_table *t, struct temporal_maker *maker, bool told)
{
    struct temporal *one;
    while ((one = LIST_FIRST(maker)) != NULL) {
        LIST_REMOVE(one, made);
        one->is_new = false;
        if (!told) drop(t, one);
    }
}

void temporal_expire(struct temporal_table *t, uint64_t now_ms)
{
    struct temporal *one, *next;
    HASH_ITER(hh, t->by_id, one, next)
        if (now_ms >= one->expires_ms) drop(t, one);
}
