/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static slice next_word(slice *rest)
{
    slice word = SLICE_NONE;
    while (word.len == 0 && slice_next(rest, ' ', &word)) continue;
    return word;
}

static uint32_t add_path(struct plan *p, slice text)
{
    char room[256];
    uint32_t number = 0;
    size_t error_at;
    memcpy(room, text.at, text.len);
    for (size_t i = 0; i < text.len; i++)
        if (room[i] == '~') room[i] = ' ';
    ck_assert_int_eq(path_set_add(p->paths, (slice){room, text.len}, &number, &error_at).err, ERR_NONE);
    return number;
}

static void add_field(struct plan *p, slice rest)
{
    struct plan_field f = {.path = add_path(p, next_word(&rest))};
    ck_assert(element_parse(next_word(&rest), &f.element));
    for (slice word = next_word(&rest); word.len; word = next_word(&rest)) {
        if (slice_is(word, "number"))
            f.as_number = true;
        else
            ck_assert(date_format_parse(word, &f.format));
    }
    p->fields[p->field_count++] = f;
}

/* A literal for Visa cards only; at most eight plans' worth live at a time. */
static const slice *for_visa(slice literal)
{
    static slice rows[32][BRAND_COUNT];
    static size_t next;
    slice *row = rows[next++ % 32];
    memset(row, 0, BRAND_COUNT * sizeof *row);
    row[BRAND_VISA] = literal;
    return row;
}

static void add_set(struct plan *p, slice rest)
{
    struct plan_edit e = {.path = add_path(p, next_word(&rest))};
    slice word = next_word(&rest);
    if (slice_starts(word, SLICE("=")))
        e.literal = slice_after(word, 1);
    else if (slice_starts(word, SLICE(":")))
        e.by_brand = for_visa(slice_after(word, 1));
    else
        ck_assert(element_parse(word, &e.element));
    for (word = next_word(&rest); word.len; word = next_word(&rest)) {
        if (slice_is(word, "number"))
            e.as_number = true;
        else if (slice_is(word, "with"))
            ck_assert((e.has_with = element_parse(next_word(&rest), &e.with)));
        else
            ck_assert(date_format_parse(word, &e.format));
    }
    p->edits[p->edit_count++] = e;
}

static void add_other(struct plan *p, slice what, slice rest)
{
    uint32_t path = add_path(p, next_word(&rest));
    p->has_capture = p->has_capture || slice_is(what, "capture");
    if (slice_is(what, "capture")) {
        p->capture = path;
    } else if (slice_is(what, "drop")) {
        p->edits[p->edit_count++] = (struct plan_edit){.path = path, .drop = true};
    } else {
        ck_assert(slice_is(what, "transaction"));
        p->edits[p->edit_count++] = (struct plan_edit){
            .path = path, .when = EDIT_WITH_TRANSACTION_ID, .element = ELEMENT_NETWORK_TRANSACTION_ID};
    }
}

struct plan *plan_of(enum body_format format, const char *lines)
{
    struct plan *p = calloc(1, sizeof *p);
    p->format = format;
    p->paths = path_set_new(plan_language(format));
    p->fields = calloc(32, sizeof *p->fields);
    p->edits = calloc(32, sizeof *p->edits);
    slice rest = slice_of(lines), line;
    while (slice_next(&rest, '\n', &line)) {
        if (line.len == 0) continue;
        slice word = next_word(&line);
        if (slice_is(word, "field"))
            add_field(p, line);
        else if (slice_is(word, "find"))
            p->find_pan = true;
        else if (slice_is(word, "bare"))
            p->bare_tokens = true;
        else if (slice_is(word, "set"))
            add_set(p, line);
        else
            add_other(p, word, line);
    }
    return p;
}

void plan_drop(struct plan *p)
{
    plan_done(p);
    free(p);
}

static void put(char *at, uint8_t *len, const char *text)
{
    *len = (uint8_t)strlen(text);
    memcpy(at, text, *len);
}

const struct credential *card_pan(void)
{
    static struct credential c;
    c = (struct credential){.kind = CREDENTIAL_PAN, .month = 3, .year = 2031};
    put(c.number, &c.number_len, PAN_TEXT);
    put(c.holder, &c.holder_len, "ANA D'\xc3\x81VILA \"A\"");
    put(c.cvc, &c.cvc_len, "123");
    return &c;
}

const struct credential *card_network_token(void)
{
    static struct credential c;
    c = (struct credential){.kind = CREDENTIAL_NETWORK_TOKEN, .month = 12, .year = 2029};
    put(c.number, &c.number_len, NETWORK_NUMBER_TEXT);
    put(c.cryptogram, &c.cryptogram_len, CRYPTOGRAM_TEXT);
    put(c.eci, &c.eci_len, "05");
    put(c.requestor, &c.requestor_len, "40010030273");
    return &c;
}

size_t next_cut(size_t at, size_t len, long split, unsigned *seed)
{
    if (split == WHOLE) return len;
    if (split == BYTEWISE) return at + 1;
    if (split > 0) return at < (size_t)split - 1 ? (size_t)split - 1 : len; /* split - 1: where the cut is */
    size_t step = 1 + (size_t)rand_r(seed) % 23;
    return len - at < step ? len : at + step;
}

static result feed_all(struct body *b, slice in, long split)
{
    unsigned seed = (unsigned)-split;
    for (size_t at = 0; at < in.len;) {
        size_t to = next_cut(at, in.len, split, &seed);
        if (to > in.len) to = in.len;
        /* A copy of its own size, so that a byte read past it is found. */
        char *piece = malloc(to - at);
        memcpy(piece, in.at + at, to - at);
        result r = body_feed(b, (slice){piece, to - at});
        free(piece);
        if (failed(r)) return r;
        at = to;
    }
    return body_end(b);
}

struct outcome run_body_with(const struct body_options *options, slice in, long split, const struct credential *c)
{
    struct token_table *tokens = token_table_new(10000, NULL, NULL);
    struct body *b = body_new(options, tokens);
    ck_assert_ptr_nonnull(b);
    struct outcome o = {.err = feed_all(b, in, split).err};
    o.fault = *body_fault(b);
    o.tokens = token_table_count(tokens);
    buf_init(&o.out, 256u << 20);
    if (o.err == ERR_NONE) {
        const struct credential **credentials = calloc(o.tokens + 1, sizeof *credentials);
        for (uint32_t i = 0; i < o.tokens; i++) credentials[i] = c;
        o.err = body_render(b, credentials, &o.out).err;
        free(credentials);
        if (o.err) buf_clear(&o.out);
    }
    body_free(b);
    token_table_free(tokens);
    return o;
}

struct outcome run_body(const struct plan *plan, slice in, long split, const struct credential *c)
{
    const struct body_options options = {.plan = plan, .max_held_bytes = 16u << 20};
    return run_body_with(&options, in, split, c);
}

void outcome_done(struct outcome *o)
{
    buf_done(&o->out);
}

bool same_outcome(const struct outcome *a, const struct outcome *b)
{
    return a->err == b->err && a->fault.err == b->fault.err && a->fault.offset == b->fault.offset &&
           strcmp(a->fault.path, b->fault.path) == 0 && slice_eq(buf_slice(&a->out), buf_slice(&b->out)) &&
           (a->err || a->tokens == b->tokens);
}

static void check_split(const struct plan *plan, slice in, long split, const struct credential *c,
                        const struct outcome *whole)
{
    struct outcome o = run_body(plan, in, split, c);
    ck_assert_msg(same_outcome(whole, &o), "split %ld of '%.*s': %s at %u '%s', whole: %s at %u '%s'\n%.*s\n%.*s", split,
                  SLICE_ARG(in), error_name(o.err), (unsigned)o.fault.offset, o.fault.path, error_name(whole->err),
                  (unsigned)whole->fault.offset, whole->fault.path, SLICE_ARG(buf_slice(&o.out)),
                  SLICE_ARG(buf_slice(&whole->out)));
    outcome_done(&o);
}

struct outcome run_every_split(const struct plan *plan, slice in, const struct credential *c)
{
    enum { SHORT_BYTES = 400, RANDOM_SPLITS = 8 };
    struct outcome whole = run_body(plan, in, WHOLE, c);
    check_split(plan, in, BYTEWISE, c, &whole);
    for (size_t cut = 1; cut < in.len && in.len <= SHORT_BYTES; cut++) check_split(plan, in, (long)cut + 1, c, &whole);
    for (long seed = 1; seed <= RANDOM_SPLITS; seed++) check_split(plan, in, -seed, c, &whole);
    return whole;
}

void check_case(const struct plan *plan, const struct lines_case *c)
{
    struct outcome o = run_every_split(plan, slice_of(c->in), card_pan());
    ck_assert_msg(o.err == c->err, "%s: %s, not %s", c->in, error_name(o.err), error_name(c->err));
    if (c->out)
        ck_assert_msg(slice_is(buf_slice(&o.out), c->out), "%s\n gives %.*s\n   not %s", c->in,
                      SLICE_ARG(buf_slice(&o.out)), c->out);
    outcome_done(&o);
}
