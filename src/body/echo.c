/* SPDX-License-Identifier: Apache-2.0 */
#include "body/echo.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Each secret looks for itself with memchr on its first byte, and the earliest match is replaced. Matches may overlap: then all
 * of them are hidden, and each one's placeholder is written.
 *
 *   text    … "pan":"4111 1111 1111 1111", …
 *                    ^ from      (hidden) ^ shown: no byte before it is written any more                              */

enum { JOIN_BYTES = 256, PLACEHOLDER_BYTES = 128, TEXT_BYTES = CRYPTOGRAM_MAX_BYTES };

enum secret_kind { SECRET_NUMBER, SECRET_CRYPTOGRAM, SECRET_CVC };
enum verdict { MATCH_NONE, MATCH_PARTIAL /* more text decides */, MATCH_WHOLE };

struct secret {
    struct secret *next;
    enum secret_kind kind;
    uint8_t len, placeholder_len;
    char text[TEXT_BYTES];
    char placeholder[PLACEHOLDER_BYTES];
    /* The next match at or after the last place asked for. */
    bool is_known;
    enum verdict verdict;
    size_t at, end;
};
struct echo_guard {
    struct secret *secrets; /* in secret memory */
    struct buf tail;        /* what may be the beginning of a secret */
    size_t hidden;          /* bytes at the front of the tail that belong to a match already */
    char before;            /* the byte before the tail; 0: none */
};

struct echo_guard *echo_guard_new(void)
{
    struct echo_guard *g = calloc(1, sizeof *g);
    if (g) buf_init_secret(&g->tail, 64 * 1024);
    return g;
}

void echo_guard_free(struct echo_guard *g)
{
    if (!g) return;
    struct secret *s, *next;
    LL_FOREACH_SAFE(g->secrets, s, next) secret_free(s, sizeof *s);
    buf_done(&g->tail);
    free(g);
}

bool echo_guard_is_empty(const struct echo_guard *g)
{
    return g->secrets == NULL;
}

static void add_text(struct secret *s, slice text)
{
    memcpy(s->placeholder + s->placeholder_len, text.at, text.len);
    s->placeholder_len = (uint8_t)(s->placeholder_len + text.len);
}

static result add(struct echo_guard *g, enum secret_kind kind, slice text, slice token, slice stage)
{
    if (text.len == 0) return OK;
    struct secret *s;
    LL_FOREACH(g->secrets, s) /* a retry sends some of them again */
        if (s->kind == kind && slice_eq_secret((slice){s->text, s->len}, text)) return OK;
    s = secret_alloc(sizeof *s);
    ENSURE(s != NULL, MEMORY);
    s->kind = kind;
    s->len = (uint8_t)text.len;
    memcpy(s->text, text.at, text.len);
    add_text(s, SLICE("{{"));
    add_text(s, token);
    add_text(s, stage);
    add_text(s, SLICE("}}"));
    LL_APPEND(g->secrets, s);
    return OK;
}

result echo_guard_add(struct echo_guard *g, const struct credential *c, slice token, enum token_kind kind)
{
    bool temporal = kind == TOKEN_TEMPORAL;
    ENSURE(token.len <= TOKEN_ID_MAX_BYTES, INTERNAL);
    TRY(add(g, SECRET_NUMBER, (slice){c->number, c->number_len}, token,
            temporal ? SLICE(":transaction") : SLICE(":detokenize")));
    TRY(add(g, SECRET_CVC, (slice){c->cvc, c->cvc_len}, token, SLICE(":transaction | extract:cvv")));
    return add(g, SECRET_CRYPTOGRAM, (slice){c->cryptogram, c->cryptogram_len}, token,
               temporal ? SLICE(":transaction | extract:cryptogram") : SLICE(":detokenize | extract:cryptogram"));
}

/* --- does a secret begin here? --- */

struct view {
    slice text;
    char before; /* the byte before the text; 0: none */
    bool is_end; /* nothing follows the text */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static enum verdict out_of_text(const struct view *v)
{
    return v->is_end ? MATCH_NONE : MATCH_PARTIAL;
}

/* 4111 1111-1111…: one blank or dash between two digits. */
static enum verdict match_number(const struct secret *s, const struct view *v, size_t at, size_t *end)
{
    for (size_t i = 0; i < s->len; i++, at++) {
        if (at == v->text.len) return out_of_text(v);
        if (i > 0 && (v->text.at[at] == ' ' || v->text.at[at] == '-') && ++at == v->text.len) return out_of_text(v);
        if (v->text.at[at] != s->text[i]) return MATCH_NONE;
    }
    *end = at;
    return MATCH_WHOLE;
}

/* Three digits stand everywhere: only as a value of their own. */
static enum verdict match_cvc(const struct secret *s, const struct view *v, size_t at, size_t *end)
{
    char before = at ? v->text.at[at - 1] : v->before;
    if (is_alnum(before) || before == '.') return MATCH_NONE;
    for (size_t i = 0; i < s->len; i++, at++) {
        if (at == v->text.len) return out_of_text(v);
        if (v->text.at[at] != s->text[i]) return MATCH_NONE;
    }
    *end = at;
    if (at == v->text.len) return v->is_end ? MATCH_WHOLE : MATCH_PARTIAL;
    return is_alnum(v->text.at[at]) || v->text.at[at] == '.' ? MATCH_NONE : MATCH_WHOLE;
}

/* One character of a cryptogram in any of the forms an answer may write it in: as it is, %2F, \/ or \u002f. */
static enum verdict match_char(char c, const struct view *v, size_t *at)
{
    char hex[8] = "\\u00";
    if (*at == v->text.len) return out_of_text(v);
    char first = v->text.at[*at];
    if (first == c) {
        ++*at;
        return MATCH_WHOLE;
    }
    if (is_alnum(c) || (first != '%' && first != '\\')) return MATCH_NONE;
    slice rest = slice_after(v->text, *at);
    hex[4] = "0123456789abcdef"[(unsigned char)c >> 4];
    hex[5] = "0123456789abcdef"[(unsigned char)c & 15];
    const slice forms[] = {{hex, 6}, {(char[]){'%', hex[4], hex[5]}, 3}, {(char[]){'\\', c}, 2}};
    enum verdict best = MATCH_NONE;
    for (size_t i = 0; i < 3; i++) {
        size_t len = rest.len < forms[i].len ? rest.len : forms[i].len;
        if (!slice_ieq(slice_range(rest, 0, len), slice_range(forms[i], 0, len))) continue;
        if (len == forms[i].len) {
            *at += len;
            return MATCH_WHOLE;
        }
        best = out_of_text(v);
    }
    return best;
}

static enum verdict match_cryptogram(const struct secret *s, const struct view *v, size_t at, size_t *end)
{
    for (size_t i = 0; i < s->len; i++) {
        enum verdict m = match_char(s->text[i], v, &at);
        if (m != MATCH_WHOLE) return m;
    }
    *end = at;
    return MATCH_WHOLE;
}

static enum verdict match(const struct secret *s, const struct view *v, size_t at, size_t *end)
{
    switch (s->kind) {
    case SECRET_NUMBER:
        return match_number(s, v, at, end);
    case SECRET_CVC:
        return match_cvc(s, v, at, end);
    case SECRET_CRYPTOGRAM:
        return match_cryptogram(s, v, at, end);
    }
    return MATCH_NONE;
}

/* The first place from <from> on where the secret could begin. */
static size_t candidate(const struct secret *s, const struct view *v, size_t from)
{
    slice rest = slice_after(v->text, from);
    size_t n = slice_find(rest, s->text[0]);
    if (s->kind == SECRET_CRYPTOGRAM && !is_alnum(s->text[0])) {
        size_t escape = slice_find(rest, '\\'), percent = slice_find(rest, '%');
        n = escape < n ? escape : n;
        n = percent < n ? percent : n;
    }
    return from + n;
}

static void find_next(struct secret *s, const struct view *v, size_t from)
{
    if (s->is_known && (s->verdict == MATCH_NONE || s->at >= from)) return;
    s->is_known = true;
    for (s->at = candidate(s, v, from); s->at < v->text.len; s->at = candidate(s, v, s->at + 1)) {
        s->verdict = match(s, v, s->at, &s->end);
        if (s->verdict != MATCH_NONE) return;
    }
    s->verdict = MATCH_NONE;
}

/* The earliest; of two that begin together, one that is not decided, else the longer. */
static bool is_before(const struct secret *a, const struct secret *b)
{
    if (!b || a->at != b->at) return !b || a->at < b->at;
    if (a->verdict != b->verdict) return a->verdict == MATCH_PARTIAL;
    return a->verdict == MATCH_WHOLE && a->end > b->end;
}

static struct secret *earliest(struct echo_guard *g, const struct view *v, size_t from)
{
    struct secret *best = NULL, *s;
    LL_FOREACH(g->secrets, s) {
        find_next(s, v, from);
        if (s->verdict != MATCH_NONE && is_before(s, best)) best = s;
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
    struct secret *s;
    size_t shown = g->hidden;
    LL_FOREACH(g->secrets, s) s->is_known = false;
    *held = text.len;
    for (size_t from = 0; (s = earliest(g, &v, from)) != NULL; from = s->at + 1) {
        if (s->verdict == MATCH_PARTIAL) {
            *held = s->at;
            break;
        }
        if (s->end <= shown) continue;
        TRY(show(out, text, &shown, s->at));
        TRY(buf_append(out, (slice){s->placeholder, s->placeholder_len}));
        shown = s->end;
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
    if (!g->secrets) return buf_append(out, bytes);
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
    result r = run(g, buf_slice(&g->tail), true, out, hits, &held);
    buf_clear(&g->tail);
    g->hidden = 0;
    g->before = 0;
    return r;
}
