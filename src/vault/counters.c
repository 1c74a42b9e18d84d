/* SPDX-License-Identifier: Apache-2.0 */
#include "counters.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Each place (merchant, hour, route) and each relay's mark is a row. A call reads its rows, adds, and queues one batch that
 * expects what was read; so two calls that meet add up, and what was counted and what says so are one thing on disk. */

enum { COUNT_TRIES_MAX = 1024 }; /* each conflict is somebody else's success */
enum { HINTS = 8 /* merchants whose changes meet in one turn */ };
_Static_assert((int)COUNT_KEY_MAX_BYTES >= (int)MARK_KEY_BYTES && (int)COUNTS_RECORD_MAX_BYTES >= (int)MARK_RECORD_BYTES, "rows hold marks");

const char *counter_name(enum counter c)
{
    static const char *const names[COUNTER_COUNT] = {
#define NT_COUNTER(name, word) word,
#include "vault/counters.def"
#undef NT_COUNTER
    };
    return c < COUNTER_COUNT ? names[c] : "";
}

struct count_op {
    struct vault *v;
    int tries;
    vault_done done;
    void *owner;
    size_t count;
    struct count_row rows[];
};

static void answer(struct count_op *op, result r)
{
    op->done(op->owner, r);
    free(op);
}

/* The row of this key: the one that is there, or a new one. */
static struct count_row *row_of(struct count_op *op, slice key)
{
    for (size_t i = 0; i < op->count; i++)
        if (slice_eq((slice){op->rows[i].key, op->rows[i].key_len}, key)) return &op->rows[i];
    struct count_row *row = &op->rows[op->count++];
    memcpy(row->key, key.at, key.len);
    row->key_len = key.len;
    return row;
}

static result key_of(const struct counter_delta *d, char room[COUNT_KEY_MAX_BYTES], slice *key)
{
    slice merchant = network_padded(d->merchant, sizeof d->merchant), route = network_padded(d->route, sizeof d->route);
    ENSURE(network_name_is_good(merchant) && (route.len == 0 || network_name_is_good(route)), TOO_LARGE);
    *key = count_key(merchant, d->hour, route, room);
    return OK;
}

static result add_delta(struct count_op *op, const struct counter_delta *d)
{
    char room[COUNT_KEY_MAX_BYTES];
    slice key;
    TRY(key_of(d, room, &key));
    struct count_row *row = row_of(op, key);
    for (size_t i = 0; i < COUNTER_COUNT; i++) row->add[i] += d->n[i];
    return OK;
}

static void add_mark(struct count_op *op, const struct counter_mark *m)
{
    char room[MARK_KEY_BYTES];
    struct count_row *row = row_of(op, mark_key(m->relay, room));
    row->is_mark = true;
    row->sequence = m->sequence;
}

/* --- hints: what batches of this turn will have made of a row --- */

struct count_hints {
    size_t last;
    struct count_hint {
        uint64_t round; /* of the store, at which it was queued, + 1; 0: none */
        size_t key_len, len;
        char key[COUNT_KEY_MAX_BYTES];
        uint8_t sealed[COUNT_SEALED_MAX_BYTES];
    } at[HINTS];
};

static struct count_hint *hint_of(struct vault *v, slice key)
{
    for (size_t i = 0; v->count_hints && i < HINTS; i++) {
        struct count_hint *h = &v->count_hints->at[i];
        if (h->round == v->store->rounds + 1 && slice_eq((slice){h->key, h->key_len}, key)) return h;
    }
    return NULL;
}

static bool take_hint(struct vault *v, struct count_row *row)
{
    const struct count_hint *h = hint_of(v, (slice){row->key, row->key_len});
    if (!h) return false;
    memcpy(row->old, h->sealed, h->len);
    row->old_len = h->len;
    return true;
}

static void leave_hint(struct vault *v, const struct count_row *row)
{
    if (!v->count_hints) v->count_hints = calloc(1, sizeof *v->count_hints);
    if (!v->count_hints) return; /* the next one conflicts, and is made again */
    struct count_hint *h = hint_of(v, (slice){row->key, row->key_len});
    if (!h) h = &v->count_hints->at[v->count_hints->last++ % HINTS];
    h->round = v->store->rounds + 1;
    h->key_len = row->key_len;
    memcpy(h->key, row->key, row->key_len);
    h->len = row->new_len;
    memcpy(h->sealed, row->new, row->new_len);
}

void count_hints_free(struct vault *v)
{
    free(v->count_hints);
    v->count_hints = NULL;
}

/* --- rows --- */

static result open_row(struct vault *v, slice key, slice sealed, uint8_t plain[COUNTS_RECORD_MAX_BYTES], slice *out)
{
    size_t len = 0;
    TRY(vault_unseal_scanned(v, STORE_COUNT, key, sealed, plain, COUNTS_RECORD_MAX_BYTES, &len));
    *out = (slice){(char *)plain, len};
    return OK;
}

static result read_row(struct vault *v, struct count_row *row, uint8_t plain[COUNTS_RECORD_MAX_BYTES], slice *out)
{
    slice key = {row->key, row->key_len};
    *out = SLICE_NONE;
    row->old_len = 0;
    if (!take_hint(v, row)) {
        result r = vault_read_now(v, STORE_COUNT, key, row->old, sizeof row->old, &row->old_len);
        if (r.err == ERR_NOT_FOUND) return OK;
        TRY(r);
    }
    return open_row(v, key, (slice){(char *)row->old, row->old_len}, plain, out);
}

static result make_row(struct vault *v, struct count_row *row)
{
    uint8_t plain[COUNTS_RECORD_MAX_BYTES];
    uint64_t n[COUNTER_COUNT] = {0}, sequence = 0;
    slice old;
    size_t len;
    struct seal_place place;
    TRY(read_row(v, row, plain, &old));
    row->new_len = 0;
    if (row->is_mark) {
        if (old.len) TRY(mark_decode(old, &sequence));
        if (row->sequence == 0) return OK;
        ENSURE(row->sequence > sequence, VAULT_CONFLICT);
        len = mark_encode(row->sequence, plain);
    } else {
        if (old.len) TRY(counts_decode(old, n));
        for (size_t i = 0; i < COUNTER_COUNT; i++) n[i] += row->add[i];
        len = counts_encode(n, plain);
    }
    TRY(vault_place(STORE_COUNT, (slice){row->key, row->key_len}, &place));
    return vault_seal(v, &place, (slice){(char *)plain, len}, row->new, &row->new_len);
}

result count_row_add(struct vault *v, const struct counter_delta *d, struct count_row *row, struct batch *b)
{
    slice key;
    row->is_mark = false;
    TRY(key_of(d, row->key, &key));
    row->key_len = key.len;
    memcpy(row->add, d->n, sizeof row->add);
    TRY(make_row(v, row));
    batch_add(b, STORE_EXPECT, STORE_COUNT, key, (slice){(char *)row->old, row->old_len});
    batch_add(b, STORE_PUT, STORE_COUNT, key, (slice){(char *)row->new, row->new_len});
    leave_hint(v, row);
    return OK;
}

/* --- the batch --- */

static void on_counted(void *owner, result r);

static result queue(struct count_op *op)
{
    for (size_t i = 0; i < op->count; i++) TRY(make_row(op->v, &op->rows[i]));
    struct store_write *steps = malloc((1 + 2 * op->count) * sizeof *steps);
    size_t count = 0;
    ENSURE(steps != NULL, MEMORY);
    steps[count++] = vault_expect_ring(op->v);
    for (size_t i = 0; i < op->count; i++) {
        struct count_row *row = &op->rows[i];
        slice key = {row->key, row->key_len};
        steps[count++] = (struct store_write){STORE_EXPECT, STORE_COUNT, key, {(char *)row->old, row->old_len}};
        steps[count++] = (struct store_write){row->new_len ? STORE_PUT : STORE_DELETE, STORE_COUNT, key, {(char *)row->new, row->new_len}};
    }
    store_batch(op->v->store, steps, count, on_counted, op);
    free(steps);
    return OK;
}

static void on_counted(void *owner, result r)
{
    struct count_op *op = owner;
    bool again = vault_tries_again(op->v, &op->tries, COUNT_TRIES_MAX, &r);
    if (again) r = queue(op);
    if (!again || failed(r)) answer(op, r);
}

void vault_count(struct vault *v, const struct counter_delta *deltas, size_t delta_count, const struct counter_mark *marks, size_t mark_count,
                 vault_done done, void *owner)
{
    assert(delta_count <= COUNT_DELTAS_MAX && mark_count <= COUNT_MARKS_MAX);
    struct count_op *op = calloc(1, sizeof *op + (delta_count + mark_count) * sizeof op->rows[0]);
    if (!op) {
        done(owner, FAIL(MEMORY));
        return;
    }
    op->v = v;
    op->done = done;
    op->owner = owner;
    result r = OK;
    for (size_t i = 0; i < delta_count && !failed(r); i++) r = add_delta(op, &deltas[i]);
    for (size_t i = 0; i < mark_count; i++) add_mark(op, &marks[i]);
    if (!failed(r)) r = queue(op);
    if (failed(r)) answer(op, r);
}

result vault_count_mark(struct vault *v, uint64_t relay, uint64_t *sequence)
{
    char room[MARK_KEY_BYTES];
    uint8_t sealed[COUNT_SEALED_MAX_BYTES], plain[COUNTS_RECORD_MAX_BYTES];
    size_t len = 0;
    slice key = mark_key(relay, room), text;
    *sequence = 0;
    result r = vault_read_now(v, STORE_COUNT, key, sealed, sizeof sealed, &len);
    if (r.err == ERR_NOT_FOUND) return OK;
    TRY(r);
    TRY(open_row(v, key, (slice){(char *)sealed, len}, plain, &text));
    return mark_decode(text, sequence);
}

/* --- sums --- */

struct sum {
    size_t route_len;
    char route[ROUTE_NAME_MAX_BYTES];
    uint64_t n[COUNTER_COUNT];
};
struct summing {
    struct vault *v;
    uint32_t to_hour;
    slice only; /* empty: every route */
    struct sum *sums;
    size_t count;
    bool ended;
};

static result sum_of(struct summing *s, slice route, struct sum **out)
{
    for (size_t i = 0; i < s->count; i++) {
        *out = &s->sums[i];
        if (slice_eq((slice){(*out)->route, (*out)->route_len}, route)) return OK;
    }
    struct sum *more = realloc(s->sums, (s->count + 1) * sizeof *more);
    ENSURE(more != NULL, MEMORY);
    s->sums = more;
    *out = &more[s->count++];
    **out = (struct sum){.route_len = route.len};
    memcpy((*out)->route, route.at, route.len);
    return OK;
}

static result add_one(void *owner, enum store_table t, slice key, slice value)
{
    struct summing *s = owner;
    slice merchant, route, text;
    uint32_t hour;
    uint8_t plain[COUNTS_RECORD_MAX_BYTES];
    uint64_t n[COUNTER_COUNT];
    struct sum *sum;
    (void)t;
    ENSURE(count_key_split(key, &merchant, &hour, &route), VAULT_FORMAT);
    s->ended = hour >= s->to_hour;
    if (s->ended) return FAIL(NOT_FOUND);
    if (s->only.len && !slice_eq(route, s->only)) return OK;
    TRY(open_row(s->v, key, value, plain, &text));
    TRY(counts_decode(text, n));
    TRY(sum_of(s, route, &sum));
    for (size_t i = 0; i < COUNTER_COUNT; i++) sum->n[i] += n[i];
    return OK;
}

/* The key that stands before every one of that hour: behind the hour before, past any route's name. */
static slice before_hour(slice merchant, uint32_t hour, char room[COUNT_KEY_MAX_BYTES])
{
    slice key = count_key(merchant, hour ? hour - 1 : 0, SLICE("\xff"), room);
    return hour ? key : slice_range(key, 0, 1 + merchant.len);
}

result vault_count_sum(struct vault *v, slice merchant, uint32_t from_hour, uint32_t to_hour, slice route, vault_count_each each, void *owner)
{
    char room[COUNT_KEY_MAX_BYTES];
    struct summing s = {.v = v, .to_hour = to_hour, .only = route};
    ENSURE(network_name_is_good(merchant), NOT_FOUND);
    slice after = before_hour(merchant, from_hour, room);
    result r = vault_each_past(v, STORE_COUNT, slice_range(after, 0, 1 + merchant.len), after, add_one, &s);
    if (s.ended) r = OK;
    for (size_t i = 0; i < s.count && !failed(r); i++) each(owner, (slice){s.sums[i].route, s.sums[i].route_len}, s.sums[i].n);
    free(s.sums);
    return r;
}
