/* SPDX-License-Identifier: Apache-2.0 */
#include "body/echo.h"

#include "base/ascii.h"
#include "base/secret.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* One table for each kind of secret, and one pass over the text for each table, however many secrets there are. The
 * earliest match is replaced. Matches may overlap: then all of them are hidden, and each one's placeholder is written.
 *
 *   text    … "pan":"4111 1111 1111 1111", …
 *                    ^ from      (hidden) ^ shown: no byte before it is written any more */

enum { JOIN_BYTES = 256, FIRST_SLOTS = 4 };

enum kind { KIND_NUMBER, KIND_CVC, KIND_CRYPTOGRAM, KINDS };
enum verdict { MATCH_NONE, MATCH_PARTIAL /* more text decides */, MATCH_WHOLE };

struct secret {
    uint64_t key;      /* the digits as a number; of a cryptogram a hash */
    const char *token; /* borrowed */
    uint32_t text_at;  /* a cryptogram: where it stands in texts */
    uint8_t len;       /* of the secret; 0: a free slot */
    uint8_t token_len;
    bool is_temporal;
};

/* Open addressing: a search is made at every few bytes of an answer, and the whole secret is in the slot it comes to.
 */
struct table {
    struct secret *slots; /* in secret memory; the number of slots is a power of two, and a quarter of them is free */
    uint32_t slot_count, used;
    uint64_t lens; /* bit n - 1: some secret has n characters */
    uint8_t min_len, max_len;
    /* The next match at or after the last place asked for. */
    bool is_known;
    enum verdict verdict;
    size_t at, end;
    const struct secret *hit;
};

struct echo_guard { /* in secret memory */
    struct table tables[KINDS];
    struct buf texts;            /* the cryptograms, one after the other */
    bool in_cryptogram[256];     /* the bytes that a cryptogram may be written with, */
    bool begins_cryptogram[256]; /* and those it may begin with */
    struct buf tail;             /* what may be the beginning of a secret */
    size_t hidden;               /* bytes at the front of the tail that belong to a match already */
    char before;                 /* the byte before the tail; 0: none */
};

static const bool in_number[256] = {[' '] = true, ['-'] = true, ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true,
                                    ['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true};

struct echo_guard *echo_guard_new(void)
{
    struct echo_guard *g = secret_alloc(sizeof *g);
    if (!g) return NULL;
    buf_init_secret(&g->tail, 64 * 1024);
    buf_init_secret(&g->texts, UINT32_MAX);
    return g;
}

void echo_guard_free(struct echo_guard *g)
{
    if (!g) return;
    for (int k = 0; k < KINDS; k++)
        secret_free(g->tables[k].slots, g->tables[k].slot_count * sizeof(struct secret));
    buf_done(&g->texts);
    buf_done(&g->tail);
    secret_free(g, sizeof *g);
}

bool echo_guard_is_empty(const struct echo_guard *g)
{
    for (int k = 0; k < KINDS; k++)
        if (g->tables[k].used) return false;
    return true;
}

/* --- the tables --- */

/* The slot to look at first; the next ones follow it. The upper half of the product depends on every digit (Knuth 6.4).
 */
static uint32_t slot_of(const struct table *t, uint64_t key)
{
    return (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 32) & (t->slot_count - 1);
}

static uint32_t slot_next(const struct table *t, uint32_t i)
{
    return (i + 1) & (t->slot_count - 1);
}

static bool has_len(const struct table *t, size_t len)
{
    return t->lens >> (len - 1) & 1;
}

static const struct secret *find_digits(const struct table *t, uint64_t value, size_t len)
{
    if (!has_len(t, len)) return NULL;
    for (uint32_t i = slot_of(t, value); t->slots[i].len; i = slot_next(t, i))
        if (t->slots[i].key == value && t->slots[i].len == len) return &t->slots[i];
    return NULL;
}

static void put(struct table *t, const struct secret *s)
{
    uint32_t i = slot_of(t, s->key);
    while (t->slots[i].len)
        i = slot_next(t, i);
    t->slots[i] = *s;
}

static result make_room(struct table *t)
{
    if (t->used < t->slot_count / 4 * 3) return OK;
    struct table larger = *t;
    larger.slot_count = t->slot_count ? t->slot_count * 2 : FIRST_SLOTS;
    larger.slots = secret_alloc(larger.slot_count * sizeof *larger.slots);
    ENSURE(larger.slots != NULL, MEMORY);
    for (uint32_t i = 0; i < t->slot_count; i++)
        if (t->slots[i].len) put(&larger, &t->slots[i]);
    secret_free(t->slots, t->slot_count * sizeof *t->slots);
    *t = larger;
    return OK;
}

static result insert(struct table *t, const struct secret *s)
{
    TRY(make_room(t));
    put(t, s);
    if (t->used == 0 || s->len < t->min_len) t->min_len = s->len;
    if (s->len > t->max_len) t->max_len = s->len;
    t->lens |= (uint64_t)1 << (s->len - 1);
    t->used++;
    return OK;
}

/* Of two tokens with the same secret the first is shown; a retry sends some of them again. */
static result add_digits(struct table *t, slice digits, struct secret s)
{
    if (digits.len == 0) return OK;
    ENSURE(slice_to_u64(digits, UINT64_MAX, &s.key), INTERNAL);
    s.len = (uint8_t)digits.len;
    return find_digits(t, s.key, s.len) ? OK : insert(t, &s);
}

static uint64_t hash_add(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 0x100000001B3u; /* FNV-1a */
}

static const uint64_t hash_start = 0xCBF29CE484222325u;

static void allow_character(struct echo_guard *g, char c, bool is_first)
{
    g->in_cryptogram[(unsigned char)c] = true;
    if (is_first) g->begins_cryptogram[(unsigned char)c] = true;
    if (ascii_is_alnum(c)) return;
    if (is_first) g->begins_cryptogram['%'] = g->begins_cryptogram['\\'] = true;
    for (const char *p = "%\\uU0123456789abcdefABCDEF"; *p; p++)
        g->in_cryptogram[(unsigned char)*p] = true;
}

static result add_cryptogram(struct echo_guard *g, slice text, struct secret s)
{
    struct table *t = &g->tables[KIND_CRYPTOGRAM];
    if (text.len == 0) return OK;
    /* They are Base64 or hex; with an escape's own signs in them, an answer could be read in two ways. */
    ENSURE(slice_find(text, '%') == text.len && slice_find(text, '\\') == text.len, INTERNAL);
    s.key = hash_start;
    for (size_t i = 0; i < text.len; i++)
        s.key = hash_add(s.key, text.at[i]);
    s.len = (uint8_t)text.len;
    for (uint32_t i = t->used ? slot_of(t, s.key) : 0; t->used && t->slots[i].len; i = slot_next(t, i)) {
        const struct secret *o = &t->slots[i];
        if (o->key == s.key && slice_eq_secret((slice){g->texts.at + o->text_at, o->len}, text)) return OK;
    }
    s.text_at = (uint32_t)g->texts.len;
    TRY(buf_append(&g->texts, text));
    for (size_t i = 0; i < text.len; i++)
        allow_character(g, text.at[i], i == 0);
    return insert(t, &s);
}

result echo_guard_add(struct echo_guard *g, const struct credential *c, slice token, enum token_kind kind)
{
    ENSURE(token.len <= TOKEN_ID_MAX_BYTES, INTERNAL);
    const struct secret s = {.token = token.at, .token_len = (uint8_t)token.len, .is_temporal = kind == TOKEN_TEMPORAL};
    TRY(add_digits(&g->tables[KIND_NUMBER], (slice){c->number, c->number_len}, s));
    TRY(add_digits(&g->tables[KIND_CVC], (slice){c->cvc, c->cvc_len}, s));
    return add_cryptogram(g, (slice){c->cryptogram, c->cryptogram_len}, s);
}

static result append_placeholder(struct buf *out, enum kind kind, const struct secret *s)
{
    slice stage = s->is_temporal || kind == KIND_CVC ? SLICE(":transaction") : SLICE(":detokenize");
    TRY(buf_append(out, SLICE("{{")));
    TRY(buf_append(out, (slice){s->token, s->token_len}));
    TRY(buf_append(out, stage));
    if (kind == KIND_CVC) TRY(buf_append(out, SLICE(" | extract:cvv")));
    if (kind == KIND_CRYPTOGRAM) TRY(buf_append(out, SLICE(" | extract:cryptogram")));
    return buf_append(out, SLICE("}}"));
}

/* --- where does the next secret begin? --- */

struct view {
    slice text;
    char before; /* the byte before the text; 0: none */
    bool is_end; /* nothing follows the text */
};

/* The first place from <from> on where <min> bytes of the set stand together (fewer, where text may follow), else the
 * end. The last byte is looked at first, so most text is passed in steps of <min>. The bytes up to *sure are known to
 * be of the set. */
static size_t next_window(const bool *set, size_t min, const struct view *v, size_t from, size_t *sure)
{
    while (from < v->text.len) {
        size_t end = v->text.len - from < min ? v->text.len : from + min;
        if (v->is_end && end - from < min) break;
        size_t stop = *sure > from ? *sure : from, at = end;
        while (at > stop && set[(unsigned char)v->text.at[at - 1]])
            at--;
        if (end > *sure) *sure = end;
        if (at == stop) return from;
        from = at;
    }
    return v->text.len;
}

/* 4111 1111-1111…: one blank or dash between two digits. *stop: where fewer digits than the shortest number end, so
 * that none begins before it. What could become a longer number is kept, whether or not there is one that begins so. */
static enum verdict match_number(struct table *t, const struct view *v, size_t *stop)
{
    uint64_t value = 0;
    size_t at = t->at, n = 0;
    t->hit = NULL;
    while (n < t->max_len) {
        if (n && at < v->text.len && (v->text.at[at] == ' ' || v->text.at[at] == '-')) at++;
        if (at == v->text.len && !v->is_end) return MATCH_PARTIAL;
        if (at == v->text.len || !ascii_is_digit(v->text.at[at])) break;
        value = value * 10 + (uint64_t)(v->text.at[at++] - '0');
        const struct secret *s = ++n < t->min_len ? NULL : find_digits(t, value, n);
        if (!s) continue;
        t->hit = s;
        t->end = at;
    }
    *stop = n < t->min_len ? at : t->at + 1;
    return t->hit ? MATCH_WHOLE : MATCH_NONE;
}

static enum verdict find_number(struct table *t, const struct view *v, size_t from)
{
    size_t sure = from;
    while ((t->at = next_window(in_number, t->min_len, v, from, &sure)) < v->text.len) {
        from = t->at + 1;
        if (!ascii_is_digit(v->text.at[t->at])) continue;
        enum verdict m = match_number(t, v, &from);
        if (m != MATCH_NONE) return m;
    }
    return MATCH_NONE;
}

/* Eight bytes at a time: a byte less '0' (exclusive or) is below 10 where it is a digit (Warren, Hacker's Delight,
 * 6-1). */
static size_t next_digit(slice text, size_t at)
{
    for (; text.len - at >= 8; at += 8) {
        uint64_t w;
        memcpy(&w, text.at + at, 8);
        w = le64toh(w) ^ 0x3030303030303030u;
        w = (w - 0x0A0A0A0A0A0A0A0Au) & ~w & 0x8080808080808080u;
        if (w) return at + (size_t)__builtin_ctzll(w) / 8;
    }
    while (at < text.len && !ascii_is_digit(text.at[at]))
        at++;
    return at;
}

static bool is_of_word(char c)
{
    return ascii_is_alnum(c) || c == '.';
}

/* Three digits stand everywhere: only as a value of their own. */
static enum verdict find_cvc(struct table *t, const struct view *v, size_t from)
{
    slice text = v->text;
    while ((t->at = next_digit(text, from)) < text.len) {
        uint64_t value = 0;
        char before = t->at ? text.at[t->at - 1] : v->before;
        size_t end = t->at;
        for (; end < text.len && end - t->at < t->max_len && ascii_is_digit(text.at[end]); end++)
            value = value * 10 + (uint64_t)(text.at[end] - '0');
        from = end;
        if (!is_of_word(before) && end == text.len && !v->is_end) return MATCH_PARTIAL;
        if (is_of_word(before) || (end < text.len && is_of_word(text.at[end]))) {
            while (from < text.len && is_of_word(text.at[from]))
                from++;
            continue;
        }
        t->end = end;
        t->hit = find_digits(t, value, end - t->at);
        if (t->hit) return MATCH_WHOLE;
    }
    return MATCH_NONE;
}

static bool hex_value(slice two, unsigned *value)
{
    *value = 0;
    for (size_t i = 0; i < two.len; i++) {
        char c = two.at[i], lower = (char)(c | 0x20);
        if (!ascii_is_digit(c) && (lower < 'a' || lower > 'f')) return false;
        *value = *value * 16 + (unsigned)(ascii_is_digit(c) ? c - '0' : lower - 'a' + 10);
    }
    return true;
}

/* One character of a cryptogram in any of the forms an answer may write it in: as it is, %2F, \/ or \u002f. Letters and
 * digits are written as they are. */
static enum verdict read_character(const struct view *v, size_t *at, char *c)
{
    slice rest = slice_after(v->text, *at);
    unsigned value;
    if (rest.len == 0) return v->is_end ? MATCH_NONE : MATCH_PARTIAL;
    *c = rest.at[0];
    if (*c != '%' && *c != '\\') {
        ++*at;
        return MATCH_WHOLE;
    }
    bool is_unicode = *c == '\\' && rest.len > 1 && (rest.at[1] | 0x20) == 'u';
    size_t len = is_unicode ? 6 : *c == '%' ? 3 : 2;
    if (rest.len < len) return v->is_end ? MATCH_NONE : MATCH_PARTIAL;
    if (len == 2) {
        *c = rest.at[1];
    } else {
        if (is_unicode && (rest.at[2] != '0' || rest.at[3] != '0')) return MATCH_NONE;
        if (!hex_value(slice_range(rest, len - 2, len), &value)) return MATCH_NONE;
        *c = (char)value;
    }
    *at += len;
    return ascii_is_alnum(*c) ? MATCH_NONE : MATCH_WHOLE;
}

static bool is_written_at(slice cryptogram, const struct view *v, size_t at)
{
    char c;
    for (size_t i = 0; i < cryptogram.len; i++)
        if (read_character(v, &at, &c) != MATCH_WHOLE || c != cryptogram.at[i]) return false;
    return true;
}

static const struct secret *find_text(const struct echo_guard *g, uint64_t hash, size_t len, const struct view *v)
{
    const struct table *t = &g->tables[KIND_CRYPTOGRAM];
    if (!has_len(t, len)) return NULL;
    for (uint32_t i = slot_of(t, hash); t->slots[i].len; i = slot_next(t, i)) {
        const struct secret *s = &t->slots[i];
        if (s->key != hash || s->len != len) continue;
        if (is_written_at((slice){g->texts.at + s->text_at, len}, v, t->at)) return s;
    }
    return NULL;
}

static enum verdict match_cryptogram(struct echo_guard *g, const struct view *v)
{
    struct table *t = &g->tables[KIND_CRYPTOGRAM];
    uint64_t hash = hash_start;
    size_t at = t->at;
    char c;
    t->hit = NULL;
    for (size_t n = 1; n <= t->max_len; n++) {
        enum verdict m = read_character(v, &at, &c);
        if (m == MATCH_PARTIAL) return m;
        if (m == MATCH_NONE || !g->in_cryptogram[(unsigned char)c]) break;
        hash = hash_add(hash, c);
        const struct secret *s = find_text(g, hash, n, v);
        if (!s) continue;
        t->hit = s;
        t->end = at;
    }
    return t->hit ? MATCH_WHOLE : MATCH_NONE;
}

static enum verdict find_cryptogram(struct echo_guard *g, const struct view *v, size_t from)
{
    struct table *t = &g->tables[KIND_CRYPTOGRAM];
    size_t sure = from;
    for (; (t->at = next_window(g->in_cryptogram, t->min_len, v, from, &sure)) < v->text.len; from = t->at + 1) {
        if (!g->begins_cryptogram[(unsigned char)v->text.at[t->at]]) continue;
        enum verdict m = match_cryptogram(g, v);
        if (m != MATCH_NONE) return m;
    }
    return MATCH_NONE;
}

static void find_next(struct echo_guard *g, enum kind kind, const struct view *v, size_t from)
{
    struct table *t = &g->tables[kind];
    if (t->is_known && (t->verdict == MATCH_NONE || t->at >= from)) return;
    t->is_known = true;
    if (kind == KIND_NUMBER)
        t->verdict = find_number(t, v, from);
    else if (kind == KIND_CVC)
        t->verdict = find_cvc(t, v, from);
    else
        t->verdict = find_cryptogram(g, v, from);
}

/* The earliest; of two that begin together, one that is not decided, else the longer. */
static bool is_before(const struct table *a, const struct table *b)
{
    if (!b || a->at != b->at) return !b || a->at < b->at;
    if (a->verdict != b->verdict) return a->verdict == MATCH_PARTIAL;
    return a->verdict == MATCH_WHOLE && a->end > b->end;
}

static const struct table *earliest(struct echo_guard *g, const struct view *v, size_t from)
{
    const struct table *best = NULL;
    for (enum kind k = 0; k < KINDS; k++) {
        if (g->tables[k].used == 0) continue;
        find_next(g, k, v, from);
        if (g->tables[k].verdict != MATCH_NONE && is_before(&g->tables[k], best)) best = &g->tables[k];
    }
    return best;
}

static result show(struct buf *out, slice text, size_t *shown, size_t end)
{
    if (end <= *shown) return OK;
    TRY(buf_append(out, slice_range(text, *shown, end)));
    *shown = end;
    return OK;
}

/* Writes what is decided; *held: what follows it is to be kept. */
static result run(struct echo_guard *g, slice text, bool is_end, struct buf *out, unsigned *hits, size_t *held)
{
    struct view v = {text, g->before, is_end};
    const struct table *next;
    size_t shown = g->hidden;
    for (int k = 0; k < KINDS; k++)
        g->tables[k].is_known = false;
    *held = text.len;
    for (size_t from = 0; (next = earliest(g, &v, from)) != NULL; from = next->at + 1) {
        if (next->verdict == MATCH_PARTIAL) {
            *held = next->at;
            break;
        }
        if (next->end <= shown) continue;
        TRY(show(out, text, &shown, next->at));
        TRY(append_placeholder(out, (enum kind)(next - g->tables), next->hit));
        shown = next->end;
        ++*hits;
    }
    TRY(show(out, text, &shown, *held));
    g->hidden = shown > *held ? shown - *held : 0;
    if (*held) g->before = text.at[*held - 1];
    return OK;
}

result echo_guard_feed(struct echo_guard *g, slice bytes, struct buf *out, unsigned *hits)
{
    size_t held;
    if (echo_guard_is_empty(g)) return buf_append(out, bytes);
    while (g->tail.len && bytes.len) { /* only as much as decides about the tail is copied */
        size_t n = bytes.len < JOIN_BYTES ? bytes.len : JOIN_BYTES;
        TRY(buf_append(&g->tail, slice_range(bytes, 0, n)));
        bytes = slice_after(bytes, n);
        TRY(run(g, buf_slice(&g->tail), false, out, hits, &held));
        buf_consume(&g->tail, held);
    }
    if (bytes.len == 0) return OK;
    TRY(run(g, bytes, false, out, hits, &held));
    return buf_append(&g->tail, slice_after(bytes, held));
}

result echo_guard_end(struct echo_guard *g, struct buf *out, unsigned *hits)
{
    size_t held;
    result r = g->tail.len ? run(g, buf_slice(&g->tail), true, out, hits, &held) : OK;
    buf_clear(&g->tail);
    g->hidden = 0;
    g->before = 0;
    return r;
}
