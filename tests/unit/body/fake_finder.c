/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_finder.h"

#include "help.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_MAX = 20000, TOLD_MAX_BYTES = 64 << 20, SHORT_BYTES = 400, RANDOM_SPLITS = 8 };

struct finder {
    struct walk *walk;
    struct buf told;
    struct fake_place {
        uint64_t start, end;
    } *places;
    size_t count;
    unsigned depth;
};

static void say(struct finder *f, slice text)
{
    ck_assert(!failed(buf_append(&f->told, text)));
}

struct finder *finder_new(struct walk *w, const struct inbound_options *options)
{
    (void)options;
    struct finder *f = calloc(1, sizeof *f);
    f->walk = w;
    f->places = calloc(PLACES_MAX, sizeof *f->places);
    buf_init(&f->told, TOLD_MAX_BYTES);
    return f;
}

void finder_free(struct finder *f)
{
    buf_done(&f->told);
    free(f->places);
    free(f);
}

bool finder_wants(const struct finder *f, const struct plan_field *field)
{
    (void)f, (void)field;
    return true;
}

bool finder_has_number(const struct finder *f, slice text)
{
    (void)f, (void)text;
    return false;
}

result finder_open(struct finder *f)
{
    f->depth++;
    say(f, SLICE("("));
    return OK;
}

result finder_close(struct finder *f)
{
    ck_assert_uint_gt(f->depth, 0);
    f->depth--;
    say(f, SLICE(")"));
    return OK;
}

static uint64_t raw_of(const struct finder *f, struct value *v, size_t offset)
{
    if (!v->raw_at) return v->start + offset;
    return v->raw_at(f->walk, v, offset);
}

/* As the real one: where a number begins, and where what follows it begins. */
static void add_place(struct finder *f, struct value *v, size_t from, size_t to)
{
    struct fake_place p = {raw_of(f, v, from), raw_of(f, v, to)};
    ck_assert_uint_lt(f->count, PLACES_MAX);
    ck_assert(p.start >= v->start && p.start < p.end && p.end <= v->end);
    ck_assert(f->count == 0 || p.start >= f->places[f->count - 1].end);
    f->places[f->count++] = p;
}

result finder_value(struct finder *f, struct value *v)
{
    ck_assert(v->start <= v->end && v->end <= walk_end(f->walk));
    ck_assert(v->raw_at || v->end - v->start == v->text.len);
    v->mark = 0;
    v->mark_raw = v->start;
    ck_assert(raw_of(f, v, 0) == v->start);
    say(f, SLICE("["));
    say(f, v->text);
    if (v->field) {
        say(f, SLICE("="));
        say(f, slice_of(element_name(v->field->element)));
    }
    say(f, SLICE("]"));
    for (size_t i = 0, from = 0; i <= v->text.len; i++) {
        if (i < v->text.len && v->text.at[i] >= '0' && v->text.at[i] <= '9') continue;
        if (i - from >= PAN_MIN_DIGITS && i - from <= PAN_MAX_DIGITS) add_place(f, v, from, i);
        from = i + 1;
    }
    ck_assert_uint_eq(raw_of(f, v, v->text.len), v->end);
    return OK;
}

result finder_close_row(struct finder *f)
{
    return finder_close(f);
}

result finder_end(struct finder *f)
{
    ck_assert_uint_eq(f->depth, 0);
    return OK;
}

/* --- the walkers --- */

static void *make(struct walk *w)
{
    return w->plan->format == BODY_XML ? (void *)xml_walker_new(w) : (void *)multipart_walker_new(w, true);
}

static result feed(struct walk *w, void *walker, bool all)
{
    return w->plan->format == BODY_XML ? xml_walker_feed(walker, all) : multipart_walker_feed(walker);
}

static result end(struct walk *w, void *walker)
{
    return w->plan->format == BODY_XML ? xml_walker_end(walker) : multipart_walker_end(walker);
}

static void drop(struct walk *w, void *walker)
{
    if (w->plan->format == BODY_XML)
        xml_walker_free(walker);
    else
        multipart_walker_free(walker);
}

static result store(struct walk *w, void *walker, slice piece)
{
    size_t room = w->held.max - w->held.len;
    bool fits = piece.len <= room;
    result r = buf_append(&w->held, fits ? piece : slice_range(piece, 0, room));
    if (!failed(r) && !fits) r = FAIL(BODY_TOO_LARGE);
    result fed = feed(w, walker, failed(r));
    return failed(fed) ? fed : r;
}

static result feed_all(struct walk *w, void *walker, slice in, long split)
{
    unsigned seed = (unsigned)-split;
    for (size_t at = 0; at < in.len;) {
        size_t to = next_cut(at, in.len, split, &seed);
        TRY(store(w, walker, slice_range(in, at, to)));
        at = to;
    }
    return end(w, walker);
}

static void begin(struct walk *w, const struct fake_options *o)
{
    *w = (struct walk){.plan = o->plan, .charset = o->charset, .boundary = o->boundary, .max_names = 1 << 20};
    buf_init(&w->held, o->max_held_bytes ? o->max_held_bytes : 16u << 20);
}

static void write_places(const struct finder *f, struct buf *out)
{
    slice in = buf_slice(&f->walk->held);
    size_t at = 0;
    for (size_t i = 0; i < f->count; i++) {
        ck_assert(!failed(buf_append(out, slice_range(in, at, (size_t)f->places[i].start))));
        ck_assert(!failed(buf_append(out, SLICE("#"))));
        at = (size_t)f->places[i].end;
    }
    ck_assert(!failed(buf_append(out, slice_after(in, at))));
}

struct fake_run fake_inbound(const struct fake_options *options, slice in, long split)
{
    struct walk w;
    struct fake_run r = {0};
    begin(&w, options);
    w.finder = finder_new(&w, NULL);
    void *walker = make(&w);
    ck_assert_ptr_nonnull(walker);
    buf_init(&r.told, TOLD_MAX_BYTES);
    buf_init(&r.out, TOLD_MAX_BYTES);
    r.err = feed_all(&w, walker, in, split).err;
    r.fault = w.fault;
    ck_assert(!failed(buf_append(&r.told, buf_slice(&w.finder->told))));
    if (r.err == ERR_NONE) {
        ck_assert(!failed(finder_end(w.finder)));
        write_places(w.finder, &r.out);
    }
    drop(&w, walker);
    finder_free(w.finder);
    buf_done(&w.held);
    return r;
}

struct fake_run fake_outbound(const struct fake_options *options, slice in, long split)
{
    const struct credential *credentials[64];
    struct walk w;
    struct fake_run r = {0};
    for (size_t i = 0; i < 64; i++) credentials[i] = card_pan();
    begin(&w, options);
    w.tokens = token_table_new(64, NULL, NULL);
    splice_init(&w.splice, w.plan, w.tokens, w.plan->format == BODY_XML ? ENCODING_XML : ENCODING_TEXT);
    void *walker = make(&w);
    ck_assert_ptr_nonnull(walker);
    buf_init(&r.out, TOLD_MAX_BYTES);
    buf_init(&r.told, 0);
    r.err = feed_all(&w, walker, in, split).err;
    r.fault = w.fault;
    if (r.err == ERR_NONE) r.err = splice_render(&w.splice, buf_slice(&w.held), 0, credentials, &r.out).err;
    if (r.err) buf_clear(&r.out);
    drop(&w, walker);
    splice_done(&w.splice);
    token_table_free(w.tokens);
    buf_done(&w.held);
    return r;
}

void fake_run_done(struct fake_run *r)
{
    buf_done(&r->told);
    buf_done(&r->out);
}

typedef struct fake_run fake_run_function(const struct fake_options *options, slice in, long split);

static void check_same(const struct fake_run *whole, fake_run_function *run, const struct fake_options *options, slice in, long split)
{
    struct fake_run r = run(options, in, split);
    ck_assert_msg(r.err == whole->err && r.fault.err == whole->fault.err && r.fault.offset == whole->fault.offset &&
                      strcmp(r.fault.path, whole->fault.path) == 0,
                  "split %ld of '%.*s': %s at %u '%s', whole: %s at %u '%s'", split, SLICE_ARG(in), error_name(r.err),
                  (unsigned)r.fault.offset, r.fault.path, error_name(whole->err), (unsigned)whole->fault.offset, whole->fault.path);
    ck_assert_msg(slice_eq(buf_slice(&r.told), buf_slice(&whole->told)), "split %ld of '%.*s': %.*s, whole: %.*s", split, SLICE_ARG(in),
                  SLICE_ARG(buf_slice(&r.told)), SLICE_ARG(buf_slice(&whole->told)));
    ck_assert_msg(slice_eq(buf_slice(&r.out), buf_slice(&whole->out)), "split %ld of '%.*s': %.*s, whole: %.*s", split, SLICE_ARG(in),
                  SLICE_ARG(buf_slice(&r.out)), SLICE_ARG(buf_slice(&whole->out)));
    fake_run_done(&r);
}

static struct fake_run every_split(fake_run_function *run, const struct fake_options *options, slice in)
{
    struct fake_run whole = run(options, in, WHOLE);
    check_same(&whole, run, options, in, BYTEWISE);
    for (size_t cut = 1; cut < in.len && in.len <= SHORT_BYTES; cut++) check_same(&whole, run, options, in, (long)cut + 1);
    for (long seed = 1; seed <= RANDOM_SPLITS; seed++) check_same(&whole, run, options, in, -seed);
    return whole;
}

struct fake_run fake_every_split(const struct fake_options *options, slice in)
{
    return every_split(fake_inbound, options, in);
}

struct fake_run fake_outbound_every_split(const struct fake_options *options, slice in)
{
    return every_split(fake_outbound, options, in);
}
