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

struct temporal {
    struct token_id id;
    uint8_t merchant_len;
    char merchant[MERCHANT_NAME_MAX_BYTES];
    uint64_t expires_ms;
    bool is_reserved;
    LIST_ENTRY(temporal) held;   /* of its holder, when reserved */
    struct temporal *next_spare; /* when not in use */
    UT_hash_handle hh;
};

struct temporal_table {
    struct temporal *by_id;
    struct temporal_card *cards; /* secret; card i belongs to place i */
    struct temporal *spare;      /* places that were in use before */
    uint32_t touched;            /* places from here on were never in use */
    struct temporal places[TEMPORAL_MAX];
};

struct temporal_table *temporal_table_new(void)
{
    struct temporal_table *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->cards = secret_alloc(TEMPORAL_MAX * sizeof *t->cards);
    if (t->cards) return t;
    free(t);
    return NULL;
}

void temporal_table_free(struct temporal_table *t)
{
    if (!t) return;
    HASH_CLEAR(hh, t->by_id);
    secret_free(t->cards, TEMPORAL_MAX * sizeof *t->cards);
    free(t);
}

/* --- places --- */

static struct temporal *take_place(struct temporal_table *t)
{
    struct temporal *place = t->spare;
    if (place)
        t->spare = place->next_spare;
    else if (t->touched < TEMPORAL_MAX)
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
    if (one->is_reserved) LIST_REMOVE(one, held);
    HASH_DEL(t->by_id, one);
    give_place_back(t, one);
    metrics_gauge(METRIC_TEMPORAL_TOKENS, -1);
}

/* --- the table --- */

static void fill(struct temporal_table *t, struct temporal *one, slice merchant, const struct card *card, slice cvc)
{
    struct temporal_card *c = card_of(t, one);
    assert(merchant.len <= sizeof one->merchant && cvc.len <= sizeof c->cvc);
    memcpy(one->merchant, merchant.at, merchant.len);
    one->merchant_len = (uint8_t)merchant.len;
    c->card = *card;
    memcpy(c->cvc, cvc.at, cvc.len);
    c->cvc_len = (uint8_t)cvc.len;
}

result temporal_put(struct temporal_table *t, slice merchant, const struct card *card, slice cvc, uint32_t ttl_s, uint64_t now_ms,
                    struct token_id *out)
{
    assert(ttl_s > 0 && ttl_s <= TEMPORAL_TTL_MAX_S);
    TRY(token_id_make(TOKEN_TEMPORAL, out));
    struct temporal *one = take_place(t);
    ENSURE(one != NULL, TEMPORAL_FULL);
    *one = (struct temporal){.id = *out, .expires_ms = now_ms + (uint64_t)ttl_s * 1000};
    HASH_ADD_KEYPTR(hh, t->by_id, one->id.at, one->id.len, one);
    if (!one->hh.tbl) {
        give_place_back(t, one);
        return FAIL(MEMORY);
    }
    fill(t, one, merchant, card, cvc);
    metrics_gauge(METRIC_TEMPORAL_TOKENS, 1);
    return OK;
}

static struct temporal *find(const struct temporal_table *t, slice merchant, slice token, uint64_t now_ms)
{
    struct temporal *one = NULL;
    HASH_FIND(hh, t->by_id, token.at, token.len, one);
    bool is_his = one && slice_eq((slice){one->merchant, one->merchant_len}, merchant);
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

void temporal_expire(struct temporal_table *t, uint64_t now_ms)
{
    struct temporal *one, *next;
    HASH_ITER(hh, t->by_id, one, next)
        if (now_ms >= one->expires_ms) drop(t, one);
}
