/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/temporal.h"

#include "base/metrics.h"
#include "base/secret.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Memory that runs out must refuse, not end the keeper. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum { MERCHANT_NAME_MAX_BYTES = 64 /* as in the configuration */ };

struct share { /* of one merchant, while it has any */
    uint8_t merchant_len;
    char merchant[MERCHANT_NAME_MAX_BYTES];
    size_t held;
    UT_hash_handle hh;
};
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
    struct share *shares;
    struct temporal_card *cards; /* secret; card i belongs to place i */
    struct temporal *spare;      /* places that were in use before */
    size_t room, used, touched;  /* places from touched on were never in use */
    struct temporal places[];
};

struct temporal_table *temporal_table_new(size_t places)
{
    struct temporal_table *t = calloc(1, sizeof *t + places * sizeof *t->places);
    if (!t) return NULL;
    t->room = places;
    t->cards = secret_alloc(places * sizeof *t->cards);
    if (!t->cards) {
        free(t);
        return NULL;
    }
    metrics_gauge(METRIC_TEMPORAL_ROOM, (int64_t)places);
    return t;
}

void temporal_table_free(struct temporal_table *t)
{
    struct share *s, *next;
    if (!t) return;
    metrics_gauge(METRIC_TEMPORAL_TOKENS, -(int64_t)t->used);
    metrics_gauge(METRIC_TEMPORAL_ROOM, -(int64_t)t->room);
    HASH_CLEAR(hh, t->by_id);
    HASH_ITER(hh, t->shares, s, next)
    {
        HASH_DEL(t->shares, s);
        free(s);
    }
    secret_free(t->cards, t->room * sizeof *t->cards);
    free(t);
}

/* --- shares --- */

/* The merchant's, with room for one more. ERR_TEMPORAL_FULL, ERR_MEMORY. */
static result share_for(struct temporal_table *t, slice merchant, struct share **out)
{
    assert(merchant.len >= 1 && merchant.len <= MERCHANT_NAME_MAX_BYTES);
    size_t held = 0, left = t->room - t->used;
    HASH_FIND(hh, t->shares, merchant.at, merchant.len, *out);
    if (*out) held = (*out)->held;
    ENSURE(held < left, TEMPORAL_FULL);
    if (*out) return OK;
    struct share *s = calloc(1, sizeof *s);
    ENSURE(s != NULL, MEMORY);
    s->merchant_len = (uint8_t)merchant.len;
    memcpy(s->merchant, merchant.at, merchant.len);
    HASH_ADD_KEYPTR(hh, t->shares, s->merchant, s->merchant_len, s);
    if (!s->hh.tbl) {
        free(s);
        return FAIL(MEMORY);
    }
    *out = s;
    return OK;
}

static void drop_empty_share(struct temporal_table *t, struct share *s)
{
    if (s->held) return;
    HASH_DEL(t->shares, s);
    free(s);
}

/* --- places --- */

static struct temporal *take_place(struct temporal_table *t)
{
    struct temporal *place = t->spare;
    assert(t->used < t->room);
    if (place)
        t->spare = place->next_spare;
    else
        place = &t->places[t->touched++];
    t->used++;
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
    t->used--;
}

static void drop(struct temporal_table *t, struct temporal *one)
{
    struct share *share = one->share;
    if (one->is_reserved) LIST_REMOVE(one, held);
    if (one->is_new) LIST_REMOVE(one, made);
    HASH_DEL(t->by_id, one);
    give_place_back(t, one);
    share->held--;
    drop_empty_share(t, share);
    metrics_gauge(METRIC_TEMPORAL_TOKENS, -1);
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
    share->held++;
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
    TRY(share_for(t, merchant, &share));
    result r = add(t, share, out, now_ms + (uint64_t)ttl_s * 1000, &one);
    if (failed(r)) {
        drop_empty_share(t, share);
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
    bool is_his = one && slice_eq((slice){one->share->merchant, one->share->merchant_len}, merchant);
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
