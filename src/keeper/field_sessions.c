/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/field_sessions.h"

#include "base/metrics.h"
#include "keeper/share.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM_BYTES = 24 };

struct session {
    char id[FIELD_SESSION_ID_BYTES];
    uint8_t uses_left;
    uint16_t origin_len;
    enum field_kind kind;
    uint64_t expires_ms;
    struct share *share;
    char origin[ORIGIN_MAX_BYTES];
    UT_hash_handle hh;
};
struct field_sessions {
    struct session *by_id;
    struct shares shares;
};

struct field_sessions *field_sessions_new(void)
{
    struct field_sessions *s = calloc(1, sizeof *s);
    if (s) s->shares.places = FIELD_SESSIONS_MAX;
    return s;
}

static void drop(struct field_sessions *s, struct session *one)
{
    HASH_DEL(s->by_id, one);
    share_give_back(&s->shares, one->share);
    free(one);
    metrics_gauge(METRIC_FIELD_SESSIONS, -1);
}

void field_sessions_free(struct field_sessions *s)
{
    struct session *one, *next;
    if (!s) return;
    HASH_ITER(hh, s->by_id, one, next)
        drop(s, one);
    free(s);
}

/* Six random bits a character. */
static result make_id(char id[FIELD_SESSION_ID_BYTES])
{
    static const char words[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    unsigned char random[RANDOM_BYTES];
    ENSURE(RAND_bytes(random, sizeof random) == 1, CRYPTO);
    memcpy(id, "fs_", 3);
    for (size_t i = 0, at = 3; i < sizeof random; i += 3) {
        unsigned bits = (unsigned)random[i] << 16 | (unsigned)random[i + 1] << 8 | random[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            id[at++] = words[bits >> shift & 63];
    }
    return OK;
}

result field_sessions_put(struct field_sessions *s, slice merchant, slice origin, enum field_kind kind, uint32_t ttl_s, uint64_t now_ms,
                          char id[FIELD_SESSION_ID_BYTES])
{
    assert(origin.len <= ORIGIN_MAX_BYTES && ttl_s > 0 && ttl_s <= FIELD_SESSION_TTL_MAX_S);
    struct session *one = calloc(1, sizeof *one);
    ENSURE(one != NULL, MEMORY);
    result r = make_id(one->id);
    if (!failed(r)) r = share_take(&s->shares, merchant, ERR_FIELD_SESSIONS_FULL, &one->share);
    if (failed(r)) {
        free(one);
        return r;
    }
    memcpy(one->origin, origin.at, origin.len);
    one->origin_len = (uint16_t)origin.len;
    one->kind = kind;
    one->uses_left = FIELD_SESSION_USES;
    one->expires_ms = now_ms + (uint64_t)ttl_s * 1000;
    HASH_ADD_KEYPTR(hh, s->by_id, one->id, sizeof one->id, one);
    if (!one->hh.tbl) {
        share_give_back(&s->shares, one->share);
        free(one);
        return FAIL(MEMORY);
    }
    metrics_gauge(METRIC_FIELD_SESSIONS, 1);
    memcpy(id, one->id, sizeof one->id);
    return OK;
}

static struct session *find(const struct field_sessions *s, slice id, uint64_t now_ms)
{
    struct session *one = NULL;
    if (id.len == FIELD_SESSION_ID_BYTES) HASH_FIND(hh, s->by_id, id.at, id.len, one);
    return one && now_ms < one->expires_ms && one->uses_left ? one : NULL;
}

result field_sessions_find(const struct field_sessions *s, slice id, uint64_t now_ms, struct field_session *out)
{
    const struct session *one = find(s, id, now_ms);
    ENSURE(one != NULL, FIELD_SESSION);
    *out = (struct field_session){share_merchant(one->share), {one->origin, one->origin_len}, one->kind, one->expires_ms,
                                  one->uses_left};
    return OK;
}

result field_sessions_use(struct field_sessions *s, slice id, uint64_t now_ms)
{
    struct session *one = find(s, id, now_ms);
    ENSURE(one != NULL, FIELD_SESSION);
    one->uses_left--;
    return OK;
}

void field_sessions_expire(struct field_sessions *s, uint64_t now_ms)
{
    struct session *one, *next;
    HASH_ITER(hh, s->by_id, one, next)
        if (now_ms >= one->expires_ms || one->uses_left == 0) drop(s, one);
}
