/* SPDX-License-Identifier: Apache-2.0 */
#include "inbound_fuzz.h"

#include "body/brand.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CARDS = 32, MOST_FIELDS = 8 };
static const char marker[] = "Qz_marker_zQ";

struct run {
    struct body_fault fault;
    size_t cards;
    struct buf out;
};

static void require(bool condition)
{
    if (!condition) abort();
}

struct plan fuzz_inbound_plan(enum body_format format, const char *fields)
{
    struct plan p = {.format = format, .find_pan = true};
    slice rest = slice_of(fields), line, name;
    p.paths = path_set_new(plan_language(format));
    p.fields = calloc(MOST_FIELDS, sizeof *p.fields);
    while (slice_next(&rest, '\n', &line)) {
        if (line.len == 0) continue;
        struct plan_field *f = &p.fields[p.field_count++];
        size_t at;
        require(slice_next(&line, ' ', &name) && element_parse(name, &f->element));
        require(!failed(path_set_add(p.paths, line, &f->path, &at)));
    }
    return p;
}

static void check_card(const struct credential *c)
{
    require(c->kind == CREDENTIAL_PAN);
    require(c->number_len ? card_number_is_valid((slice){c->number, c->number_len}) : c->cvc_len > 0);
    require(c->cvc_len == 0 || (c->cvc_len >= 3 && slice_is_digits((slice){c->cvc, c->cvc_len})));
    require(c->month ? c->month <= 12 && c->year >= 2000 && c->year <= 2099 : c->year == 0);
    require(c->number_len || (c->month == 0 && c->holder_len == 0));
}

static enum error feed(struct inbound *b, slice text, unsigned seed)
{
    for (size_t at = 0; at < text.len;) {
        size_t n = seed == 0 ? text.len : seed == 1 ? 1 : 1 + (size_t)rand_r(&seed) % 40;
        if (n > text.len - at) n = text.len - at;
        char *piece = malloc(n);
        memcpy(piece, text.at + at, n);
        result r = inbound_feed(b, (slice){piece, n});
        free(piece);
        if (failed(r)) return r.err;
        at += n;
    }
    return inbound_end(b).err;
}

static struct run run(const struct inbound_options *options, slice text, unsigned seed)
{
    struct inbound_alias aliases[MOST_CARDS];
    struct inbound *b = inbound_new(options);
    struct run r = {.cards = 0};
    require(b != NULL);
    buf_init(&r.out, 1u << 22);
    enum error err = feed(b, text, seed);
    r.fault = *inbound_fault(b);
    require(err == r.fault.err);
    if (err == ERR_NONE) {
        r.cards = inbound_card_count(b);
        require(r.cards <= MOST_CARDS);
        for (size_t i = 0; i < r.cards; i++) check_card(inbound_card(b, i));
        for (size_t i = 0; i < r.cards; i++) aliases[i] = (struct inbound_alias){SLICE(marker), SLICE(marker)};
        require(!failed(inbound_render(b, aliases, &r.out)));
    }
    inbound_free(b);
    return r;
}

/* What stands between two markers, without the quotes that a bare number may have got. */
static slice unquoted(slice piece, bool at_start, bool at_end)
{
    if (at_start && slice_starts(piece, SLICE("\""))) piece = slice_after(piece, 1);
    return at_end && slice_ends(piece, SLICE("\"")) ? slice_range(piece, 0, piece.len - 1) : piece;
}

static void check_outside(slice text, slice out)
{
    size_t at = slice_find_slice(out, SLICE(marker));
    slice piece = unquoted(slice_range(out, 0, at), false, at < out.len);
    require(slice_starts(text, piece));
    text = slice_after(text, piece.len);
    while (at < out.len) {
        out = slice_after(out, at + sizeof marker - 1);
        at = slice_find_slice(out, SLICE(marker));
        piece = unquoted(slice_range(out, 0, at), true, at < out.len);
        size_t found = slice_find_slice(text, piece);
        require(piece.len == 0 || found < text.len);
        text = slice_after(text, piece.len ? found + piece.len : 0);
    }
}

static void check_same(const struct run *a, const struct run *b)
{
    require(a->fault.err == b->fault.err && a->fault.offset == b->fault.offset && strcmp(a->fault.path, b->fault.path) == 0);
    require(a->cards == b->cards && slice_eq(buf_slice(&a->out), buf_slice(&b->out)));
}

void fuzz_inbound_in(const struct plan *plan, slice charset, slice text)
{
    const struct inbound_options options = {.plan = plan,
                                            .max_held_bytes = 1u << 20,
                                            .max_cards = MOST_CARDS,
                                            .invalid = (enum invalid_policy)(text.len % 3),
                                            .charset = charset,
                                            .media_type = SLICE("x/y"),
                                            .pass_types = SLICE("image/*"),
                                            .boundary = SLICE("b")};
    const unsigned seeds[] = {1, 2 + (unsigned)text.len, 3 + 7 * (unsigned)text.len};
    struct run whole = run(&options, text, 0);
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        struct run split = run(&options, text, seeds[i]);
        check_same(&whole, &split);
        buf_done(&split.out);
    }
    bool has_masks = options.invalid == INVALID_MASK || slice_find_slice(buf_slice(&whole.out), SLICE("xxx")) < whole.out.len; /* or a track's */
    bool is_plain = !has_masks && slice_find_slice(text, SLICE(marker)) == text.len;
    if (whole.fault.err == ERR_NONE && is_plain) check_outside(text, buf_slice(&whole.out));
    buf_done(&whole.out);
}

void fuzz_inbound(const struct plan *plan, slice text)
{
    fuzz_inbound_in(plan, SLICE_NONE, text);
}
