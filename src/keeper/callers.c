/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/callers.h"

#include <stdlib.h>
#include <string.h>

/* Memory that runs out must refuse, not end the keeper. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct bad {
    struct caller who;
    uint64_t count, since_ms;
    UT_hash_handle hh;
};
struct bad_tokens {
    struct bad *table; /* in order of since_ms: uthash keeps the order of insertion */
};

struct bad_tokens *bad_tokens_new(void)
{
    return calloc(1, sizeof(struct bad_tokens));
}

static void drop_bad(struct bad_tokens *t, struct bad *b)
{
    HASH_DEL(t->table, b);
    free(b);
}

void bad_tokens_free(struct bad_tokens *t)
{
    if (!t) return;
    while (t->table) drop_bad(t, t->table);
    free(t);
}

/* The entry of <who> if its window has not passed; drops those at the front whose window has. */
static struct bad *find_bad(struct bad_tokens *t, const struct caller *who, uint64_t now_ms, uint64_t window_ms)
{
    struct bad *b = NULL;
    while (t->table && now_ms - t->table->since_ms >= window_ms) drop_bad(t, t->table);
    HASH_FIND(hh, t->table, who, sizeof *who, b);
    return b;
}

static struct bad *add_bad(struct bad_tokens *t, const struct caller *who, uint64_t now_ms)
{
    if (HASH_COUNT(t->table) >= CALLERS_MAX) drop_bad(t, t->table);
    struct bad *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->who = *who;
    b->since_ms = now_ms;
    HASH_ADD(hh, t->table, who, sizeof b->who, b);
    if (b->hh.tbl) return b;
    free(b);
    return NULL;
}

void bad_tokens_count(struct bad_tokens *t, const struct caller *who, uint64_t now_ms, uint64_t window_ms)
{
    struct bad *b = find_bad(t, who, now_ms, window_ms);
    if (!b) b = add_bad(t, who, now_ms);
    if (b) b->count++;
}

bool bad_tokens_is_blocked(struct bad_tokens *t, const struct caller *who, uint64_t now_ms, uint64_t limit,
                           uint64_t window_ms)
{
    if (limit == 0 || !t->table) return false;
    const struct bad *b = find_bad(t, who, now_ms, window_ms);
    return b && b->count >= limit;
}

bool bucket_take(struct bucket *b, uint64_t per_second, uint64_t now_ms)
{
    if (per_second == 0) return true;
    uint64_t elapsed = now_ms - b->at_ms;
    uint64_t refilled = elapsed >= 1000 ? b->spent_thousandths : elapsed * per_second;
    b->spent_thousandths -= refilled < b->spent_thousandths ? refilled : b->spent_thousandths;
    b->at_ms = now_ms;
    if (b->spent_thousandths + 1000 > per_second * 1000) return false;
    b->spent_thousandths += 1000;
    return true;
}

struct rate {
    char key_id[API_KEY_ID_BYTES];
    struct bucket bucket;
    UT_hash_handle hh;
};
struct key_rates {
    struct rate *table;
};

struct key_rates *key_rates_new(void)
{
    return calloc(1, sizeof(struct key_rates));
}

static void drop_rate(struct key_rates *t, struct rate *r)
{
    HASH_DEL(t->table, r);
    free(r);
}

void key_rates_free(struct key_rates *t)
{
    if (!t) return;
    while (t->table) drop_rate(t, t->table);
    free(t);
}

static struct rate *add_rate(struct key_rates *t, const char *id)
{
    if (HASH_COUNT(t->table) >= CALLERS_MAX) drop_rate(t, t->table);
    struct rate *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    memcpy(r->key_id, id, sizeof r->key_id);
    HASH_ADD(hh, t->table, key_id, sizeof r->key_id, r);
    if (r->hh.tbl) return r;
    free(r);
    return NULL;
}

bool key_rates_take(struct key_rates *t, slice key_id, uint64_t per_second, uint64_t now_ms)
{
    char id[API_KEY_ID_BYTES] = {0};
    struct rate *r = NULL;
    if (per_second == 0) return true;
    if (key_id.len > sizeof id) return false;
    memcpy(id, key_id.at, key_id.len);
    HASH_FIND(hh, t->table, id, sizeof id, r);
    if (!r) r = add_rate(t, id);
    return r && bucket_take(&r->bucket, per_second, now_ms);
}
