/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_priv.h"

#include "base/clock.h"
#include "bytes.h"

#include <string.h>

enum { PURGED_AT_ONCE = 64 };

static result open_event(struct vault *v, slice key, slice value, struct event *out)
{
    uint8_t plain[EVENT_RECORD_MAX_BYTES];
    size_t len = 0;
    TRY(vault_unseal_scanned(v, STORE_EVENT, key, value, plain, sizeof plain, &len));
    return event_decode(key, (slice){(char *)plain, len}, out);
}

static result check_since(struct vault *v, slice key, slice sealed, int64_t since_ms)
{
    struct event e;
    TRY(open_event(v, key, sealed, &e));
    ENSURE(e.since_ms == since_ms, VAULT_CONFLICT);
    return OK;
}

void vault_event_put(struct vault *v, const struct event *e, int64_t since_ms, vault_done done, void *owner)
{
    uint8_t plain[EVENT_RECORD_MAX_BYTES];
    char key[EVENT_KEY_BYTES];
    size_t len = 0;
    event_key(e, key);
    result r = event_encode(e, plain, &len);
    if (failed(r))
        done(owner, r);
    else
        vault_put_sealed_over(v, STORE_EVENT, (slice){key, sizeof key}, (slice){(char *)plain, len}, check_since, since_ms, done, owner);
}

/* --- list --- */

struct listing {
    struct vault *v;
    vault_event_each each;
    void *owner;
    struct event_cursor *cursor; /* of a page; NULL: all of it */
    size_t left;
    bool ended;
    result worst;
};

static result list_one(void *owner, enum store_table t, slice key, slice value)
{
    struct listing *l = owner;
    struct event e;
    (void)t;
    if (l->cursor) {
        l->ended = l->left-- == 0;
        if (l->ended) return FAIL(NOT_FOUND);
        l->cursor->len = key.len < sizeof l->cursor->key ? key.len : sizeof l->cursor->key;
        memcpy(l->cursor->key, key.at, l->cursor->len);
    }
    result r = open_event(l->v, key, value, &e);
    if (failed(r)) {
        if (r.err != ERR_NOT_FOUND && !failed(l->worst)) l->worst = r;
        return OK;
    }
    l->ended = !l->each(l->owner, &e);
    return l->ended ? FAIL(NOT_FOUND) : OK;
}

result vault_event_list(struct vault *v, vault_event_each each, void *owner)
{
    struct listing l = {.v = v, .each = each, .owner = owner, .worst = OK};
    result r = vault_each(v, STORE_EVENT, list_one, &l);
    return failed(r) && !l.ended ? r : l.worst;
}

result vault_event_page(struct vault *v, struct event_cursor *c, size_t limit, bool *more, vault_event_each each, void *owner)
{
    const struct event_cursor from = *c;
    struct listing l = {.v = v, .each = each, .owner = owner, .cursor = c, .left = limit, .worst = OK};
    result r = vault_each_past(v, STORE_EVENT, SLICE_NONE, (slice){from.key, from.len}, list_one, &l);
    *more = l.ended;
    return failed(r) && !l.ended ? r : l.worst;
}

/* --- resend --- */

struct search {
    slice id;
    bool found;
    char key[EVENT_KEY_BYTES];
};

static result match_one(void *owner, enum store_table t, slice key, slice value)
{
    struct search *s = owner;
    (void)t;
    (void)value;
    if (key.len != EVENT_KEY_BYTES || !slice_eq(slice_after(key, 8), s->id)) return OK;
    memcpy(s->key, key.at, key.len);
    s->found = true;
    return FAIL(NOT_FOUND); /* ends it */
}

static result read_resends(struct vault *v, uint8_t old[8], size_t *len, uint64_t *count)
{
    *len = 0;
    result r = vault_read_now(v, STORE_META, meta_resends, old, 8, len);
    if (r.err == ERR_NOT_FOUND) r = OK;
    TRY(r);
    ENSURE(*len == 0 || *len == 8, VAULT_FORMAT);
    *count = *len ? get_u64(old) : 0;
    return OK;
}

static result resend_once(struct vault *v, slice key)
{
    uint8_t old[SEALED_MAX_BYTES], plain[EVENT_RECORD_MAX_BYTES], sealed[SEALED_MAX_BYTES], count_old[8], count_new[8];
    size_t old_len = 0, len = 0, sealed_len = 0, count_len;
    uint64_t count;
    struct event e;
    struct seal_place place;
    TRY(vault_read_now(v, STORE_EVENT, key, old, sizeof old, &old_len));
    TRY(open_event(v, key, (slice){(char *)old, old_len}, &e));
    TRY(read_resends(v, count_old, &count_len, &count));
    put_u64(count_new, count + 1);
    e.state = EVENT_PENDING;
    e.tries = 0;
    e.since_ms = e.due_ms = clock_wall_ms();
    TRY(event_encode(&e, plain, &len));
    TRY(vault_place(STORE_EVENT, key, &place));
    TRY(vault_seal(v, &place, (slice){(char *)plain, len}, sealed, &sealed_len));
    struct store_write steps[] = {
        vault_expect_ring(v),
        {STORE_EXPECT, STORE_EVENT, key, {(char *)old, old_len}},
        {STORE_EXPECT, STORE_META, meta_resends, {(char *)count_old, count_len}},
        {STORE_PUT, STORE_EVENT, key, {(char *)sealed, sealed_len}},
        {STORE_PUT, STORE_META, meta_resends, {(char *)count_new, sizeof count_new}},
    };
    return store_commit(v->store, steps, sizeof steps / sizeof steps[0]);
}

result vault_event_resend(struct vault *v, slice id)
{
    struct search s = {.id = id};
    int tries = 0;
    result r = vault_each(v, STORE_EVENT, match_one, &s);
    if (failed(r) && !s.found) return r;
    ENSURE(s.found, NOT_FOUND);
    do r = resend_once(v, (slice){s.key, sizeof s.key});
    while (vault_tries_again(v, &tries, TRIES_MAX, &r));
    return r;
}

result vault_event_resends(struct vault *v, uint64_t *count)
{
    uint8_t old[8];
    size_t len;
    uint64_t version = store_version(v->store);
    if (!version || version != v->resends_version) TRY(read_resends(v, old, &len, &v->resends));
    v->resends_version = version;
    *count = v->resends;
    return OK;
}

/* --- purge --- */

struct purge {
    struct vault *v;
    int64_t before_ms;
    size_t queued;
};

static void on_purged(void *owner, result r)
{
    (void)owner;
    (void)r; /* changed meanwhile (resent, say), or no room: a later purge sees it again */
}

static result purge_one(void *owner, enum store_table t, slice key, slice value)
{
    struct purge *p = owner;
    struct event e;
    if (p->queued == PURGED_AT_ONCE || key.len != EVENT_KEY_BYTES || (int64_t)get_u64((const uint8_t *)key.at) >= p->before_ms)
        return FAIL(NOT_FOUND); /* ends it: what follows is younger */
    if (failed(open_event(p->v, key, value, &e)) || e.state == EVENT_PENDING || e.since_ms >= p->before_ms) return OK;
    struct store_write steps[] = {{STORE_EXPECT, t, key, value}, {STORE_DELETE, t, key, SLICE_NONE}};
    store_batch(p->v->store, steps, sizeof steps / sizeof steps[0], on_purged, NULL);
    p->queued++;
    return OK;
}

result vault_event_purge(struct vault *v, int64_t now_ms)
{
    struct purge p = {.v = v, .before_ms = now_ms - EVENT_KEPT_MS};
    result r = vault_each(v, STORE_EVENT, purge_one, &p);
    return r.err == ERR_NOT_FOUND ? OK : r;
}
