/* SPDX-License-Identifier: Apache-2.0 */
#include "inbound_help.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CARDS = 1000, NAME_BYTES = 24 };

static result feed_all(struct inbound *b, slice in, long split)
{
    unsigned seed = (unsigned)-split;
    for (size_t at = 0; at < in.len;) {
        size_t to = next_cut(at, in.len, split, &seed);
        if (to > in.len) to = in.len;
        char *piece = malloc(to - at); /* of its own size, so that a byte read past it is found */
        memcpy(piece, in.at + at, to - at);
        result r = inbound_feed(b, (slice){piece, to - at});
        free(piece);
        if (failed(r)) return r;
        at = to;
    }
    return inbound_end(b);
}

static void put(struct buf *b, const char *before, const char *at, size_t len)
{
    if (len == 0) return;
    ck_assert(!failed(buf_append(b, slice_of(before))));
    ck_assert(!failed(buf_append(b, (slice){at, len})));
}

static void tell_card(const struct credential *c, struct buf *out)
{
    char expiry[16];
    int len = c->month ? snprintf(expiry, sizeof expiry, "%02u/%u", c->month, c->year) : 0;
    ck_assert_int_eq(c->kind, CREDENTIAL_PAN);
    if (out->len) put(out, "", "; ", 2);
    put(out, "", c->number, c->number_len);
    put(out, " ", expiry, (size_t)len);
    put(out, " [", c->holder, c->holder_len);
    put(out, "", "]", c->holder_len > 0);
    put(out, c->number_len ? " " : "", c->cvc, c->cvc_len);
}

static enum error render(const struct inbound *b, struct buf *out)
{
    size_t count = inbound_card_count(b);
    char(*names)[2][NAME_BYTES] = calloc(count + 1, sizeof *names);
    struct inbound_alias *aliases = calloc(count + 1, sizeof *aliases);
    for (size_t i = 0; i < count; i++) {
        const struct credential *c = inbound_card(b, i);
        int number = snprintf(names[i][0], NAME_BYTES, "alias_%zu", i), cvc = snprintf(names[i][1], NAME_BYTES, "cvc_%zu", i);
        if (c->number_len) aliases[i].number = (slice){names[i][0], (size_t)number};
        if (c->cvc_len) aliases[i].cvc = (slice){names[i][1], (size_t)cvc};
    }
    enum error err = inbound_render(b, aliases, out).err;
    free(aliases);
    free(names);
    return err;
}

struct inbound_outcome run_inbound_with(const struct inbound_options *options, slice in, long split)
{
    struct inbound *b = inbound_new(options);
    ck_assert_ptr_nonnull(b);
    struct inbound_outcome o = {.err = feed_all(b, in, split).err};
    o.fault = *inbound_fault(b);
    ck_assert_int_eq(o.fault.err, o.err);
    buf_init(&o.out, 256u << 20);
    buf_init(&o.cards, 16u << 20);
    if (o.err == ERR_NONE) {
        o.count = inbound_card_count(b);
        o.invalid = inbound_invalid_count(b);
        for (size_t i = 0; i < o.count; i++) tell_card(inbound_card(b, i), &o.cards);
        o.err = render(b, &o.out);
    }
    inbound_free(b);
    return o;
}

static struct inbound_options options_of(const struct plan *plan, enum invalid_policy invalid)
{
    return (struct inbound_options){.plan = plan, .max_held_bytes = 16u << 20, .max_cards = MOST_CARDS, .invalid = invalid};
}

struct inbound_outcome run_inbound(const struct plan *plan, slice in, long split)
{
    const struct inbound_options options = options_of(plan, INVALID_REFUSE);
    return run_inbound_with(&options, in, split);
}

void inbound_outcome_done(struct inbound_outcome *o)
{
    buf_done(&o->out);
    buf_done(&o->cards);
}

static bool same(const struct inbound_outcome *a, const struct inbound_outcome *b)
{
    return a->err == b->err && a->fault.offset == b->fault.offset && strcmp(a->fault.path, b->fault.path) == 0 &&
           slice_eq(buf_slice(&a->out), buf_slice(&b->out)) && slice_eq(buf_slice(&a->cards), buf_slice(&b->cards)) &&
           a->count == b->count && a->invalid == b->invalid;
}

static void check_split(const struct inbound_options *options, slice in, long split, const struct inbound_outcome *whole)
{
    struct inbound_outcome o = run_inbound_with(options, in, split);
    ck_assert_msg(same(whole, &o), "split %ld of '%.*s': %s at %u '%s', whole: %s at %u '%s'\n%.*s\n%.*s", split, SLICE_ARG(in),
                  error_name(o.err), (unsigned)o.fault.offset, o.fault.path, error_name(whole->err), (unsigned)whole->fault.offset,
                  whole->fault.path, SLICE_ARG(buf_slice(&o.out)), SLICE_ARG(buf_slice(&whole->out)));
    inbound_outcome_done(&o);
}

struct inbound_outcome run_inbound_every_split(const struct inbound_options *options, slice in)
{
    enum { SHORT_BYTES = 400, RANDOM_SPLITS = 8 };
    struct inbound_outcome whole = run_inbound_with(options, in, WHOLE);
    check_split(options, in, BYTEWISE, &whole);
    for (size_t cut = 1; cut < in.len && in.len <= SHORT_BYTES; cut++) check_split(options, in, (long)cut + 1, &whole);
    for (long seed = 1; seed <= RANDOM_SPLITS; seed++) check_split(options, in, -seed, &whole);
    return whole;
}

void check_inbound_case(const struct plan *plan, const struct inbound_case *c)
{
    const struct inbound_options options = options_of(plan, c->invalid);
    struct inbound_outcome o = run_inbound_every_split(&options, slice_of(c->in));
    ck_assert_msg(o.err == c->err, "%s: %s, not %s", c->in, error_name(o.err), error_name(c->err));
    if (c->out)
        ck_assert_msg(slice_is(buf_slice(&o.out), c->out), "%s\n gives %.*s\n   not %s", c->in, SLICE_ARG(buf_slice(&o.out)), c->out);
    if (c->cards)
        ck_assert_msg(slice_is(buf_slice(&o.cards), c->cards), "%s\n has %.*s\n not %s", c->in, SLICE_ARG(buf_slice(&o.cards)), c->cards);
    if (c->path) ck_assert_str_eq(o.fault.path, c->path);
    inbound_outcome_done(&o);
}

void check_inbound_cases(enum body_format format, const char *rules, const struct inbound_case *cases, size_t count)
{
    struct plan *plan = plan_of(format, rules);
    for (size_t i = 0; i < count; i++) check_inbound_case(plan, &cases[i]);
    plan_drop(plan);
}
