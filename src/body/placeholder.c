/* SPDX-License-Identifier: Apache-2.0 */
#include "body/placeholder.h"

#include "base/ascii.h"

#include <string.h>

/* --- the grammar --- */

struct reader {
    slice rest;
};

static void skip(struct reader *r, size_t n)
{
    r->rest.at += n;
    r->rest.len -= n;
}

static void skip_blanks(struct reader *r)
{
    size_t n = 0;
    while (n < r->rest.len && ascii_is_white(r->rest.at[n])) n++;
    skip(r, n);
}

static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (!r->rest.len || r->rest.at[0] != c) return false;
    skip(r, 1);
    return true;
}

/* Up to the next blank or separator; may be empty. */
static slice take_word(struct reader *r)
{
    skip_blanks(r);
    size_t n = 0;
    while (n < r->rest.len && !ascii_is_white(r->rest.at[n]) && r->rest.at[n] != ':' && r->rest.at[n] != '|') n++;
    slice word = {r->rest.at, n};
    skip(r, n);
    return word;
}

static bool is_token(slice word)
{
    return word.len >= TOKEN_ID_MIN_BYTES && word.len <= TOKEN_ID_MAX_BYTES && slice_is_word(word);
}

static bool is_word(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!slice_is_word_char(text.at[i]) && text.at[i] != '/') return false;
    return text.len > 0;
}

static bool is(slice word, slice name)
{
    return word.len == name.len && memcmp(word.at, name.at, name.len) == 0;
}

/* Firstoken's documents have "detokenization" too, in an example. */
static bool parse_kind(slice word, enum token_kind *out)
{
    *out = is(word, SLICE("detokenize")) || is(word, SLICE("detokenization")) ? TOKEN_PERMANENT : TOKEN_TEMPORAL;
    return *out == TOKEN_PERMANENT || is(word, SLICE("transaction"));
}

static bool parse_extract(slice word, enum element *out)
{
    static const struct {
        slice name;
        enum element element;
    } extracts[] = {
        {{"card", 4}, ELEMENT_NUMBER},   {{"name", 4}, ELEMENT_HOLDER},            {{"expiration", 10}, ELEMENT_EXPIRY},
        {{"cvv", 3}, ELEMENT_CVC},       {{"last4", 5}, ELEMENT_LAST4},            {{"bin", 3}, ELEMENT_BIN},
        {{"eci", 3}, ELEMENT_ECI},       {{"cryptogram", 10}, ELEMENT_CRYPTOGRAM}, {{"token", 5}, ELEMENT_TOKEN},
    };
    for (size_t i = 0; i < sizeof extracts / sizeof *extracts; i++) {
        if (!is(word, extracts[i].name)) continue;
        *out = extracts[i].element;
        return true;
    }
    return false;
}

/* extract, date, parse: each at most once, in this order. */
static result parse_stage(slice name, slice value, struct placeholder *p)
{
    if (is(name, SLICE("extract"))) {
        ENSURE(!p->has_extract && p->date == DATE_DEFAULT && !p->parse_integer, PLACEHOLDER_STAGE);
        ENSURE(parse_extract(value, &p->element), PLACEHOLDER_STAGE);
        /* A permanent token never has a CVC (PCI DSS 3.3.1: not kept after authorization). */
        ENSURE(p->element != ELEMENT_CVC || p->kind == TOKEN_TEMPORAL, PLACEHOLDER_STAGE);
        p->has_extract = true;
        return OK;
    }
    if (is(name, SLICE("date"))) {
        ENSURE(p->date == DATE_DEFAULT && !p->parse_integer, PLACEHOLDER_STAGE);
        ENSURE(!p->has_extract || p->element == ELEMENT_EXPIRY, PLACEHOLDER_STAGE);
        /* MMYY is for rules only: the vendors' templates do not have it. */
        ENSURE(date_format_parse(value, &p->date) && p->date != DATE_MMYY, PLACEHOLDER_STAGE);
        return OK;
    }
    ENSURE(is(name, SLICE("parse")) && !p->parse_integer, PLACEHOLDER_STAGE);
    ENSURE(is(value, SLICE("integer")) || is(value, SLICE("int")), PLACEHOLDER_STAGE);
    p->parse_integer = true;
    return OK;
}

result placeholder_parse(slice text, struct placeholder *out)
{
    struct reader r = {text};
    *out = (struct placeholder){.date = DATE_DEFAULT};
    slice token = take_word(&r);
    ENSURE(is_token(token), PLACEHOLDER_TOKEN);
    ENSURE(take(&r, ':'), PLACEHOLDER_SYNTAX);
    ENSURE(parse_kind(take_word(&r), &out->kind), PLACEHOLDER_KIND);
    memcpy(out->token, token.at, token.len);
    out->token_len = (uint8_t)token.len;
    while (take(&r, '|')) {
        slice name = take_word(&r);
        ENSURE(!is(name, SLICE("encrypt")), PLACEHOLDER_ENCRYPT);
        ENSURE(is_word(name) && take(&r, ':'), PLACEHOLDER_SYNTAX);
        slice value = take_word(&r);
        ENSURE(is_word(value), PLACEHOLDER_SYNTAX);
        TRY(parse_stage(name, value, out));
    }
    skip_blanks(&r);
    ENSURE(r.rest.len == 0, PLACEHOLDER_SYNTAX);
    return OK;
}

result placeholder_resolve(const struct placeholder *p, const struct plan_field *field, bool whole,
                           struct placeholder_wish *out)
{
    bool by_rules = !p->has_extract && field;
    *out = (struct placeholder_wish){.element = p->has_extract ? p->element : field ? field->element : ELEMENT_NUMBER};
    ENSURE(p->date == DATE_DEFAULT || element_is_date(out->element), PLACEHOLDER_STAGE);
    out->format = p->date != DATE_DEFAULT ? p->date : by_rules ? field->format : DATE_DEFAULT;
    ENSURE(!p->parse_integer || whole, PLACEHOLDER_MIXED_NUMBER);
    out->as_number = whole && (p->parse_integer || (by_rules && field->as_number));
    ENSURE(!out->as_number || element_is_digits(out->element, out->format), ELEMENT_FORMAT);
    return OK;
}

/* --- the scanner --- */

/* Does one of eight bytes equal those of <all>? (x - 1) & ~x has its high bit where a byte x is zero, or above one that is. */
static bool has_byte(uint64_t word, uint64_t all)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = word ^ all;
    return ((x - ones) & ~x & ones << 7) != 0;
}

size_t placeholder_find_opener(slice text)
{
    enum { STEP = 32 };
    size_t i = 0;
    for (; text.len - i >= STEP; i += STEP) { /* without a branch inside: compilers make vector code of it */
        unsigned char hit = 0;
        for (size_t k = 0; k < STEP; k++) hit |= (unsigned char)((text.at[i + k] == '{') | (text.at[i + k] == '<'));
        if (hit) break;
    }
    for (uint64_t word; text.len - i >= sizeof word; i += sizeof word) {
        memcpy(&word, text.at + i, sizeof word);
        if (has_byte(word, UINT64_C(0x7b7b7b7b7b7b7b7b)) || has_byte(word, UINT64_C(0x3c3c3c3c3c3c3c3c))) break;
    }
    while (i < text.len && !placeholder_is_opener(text.at[i])) i++;
    return i;
}

static result idle(struct placeholder_scanner *s)
{
    s->state = PLACEHOLDER_IDLE;
    return OK;
}

/* Plain text so far; <c> may be the first brace of something else. */
static result again(struct placeholder_scanner *s, char c, uint64_t from)
{
    if (!placeholder_is_opener(c)) return idle(s);
    s->state = PLACEHOLDER_BRACE;
    s->open = c;
    s->start = from;
    return OK;
}

static result keep(struct placeholder_scanner *s, char c, enum placeholder_state next)
{
    if (s->len == PLACEHOLDER_MAX_CHARS) {
        ENSURE(s->state < PLACEHOLDER_BODY, PLACEHOLDER_SYNTAX);
        return idle(s);
    }
    s->text[s->len++] = c;
    s->state = next;
    return OK;
}

static result push_brace(struct placeholder_scanner *s, char c, uint64_t from)
{
    if (c != s->open) return again(s, c, from);
    s->state = PLACEHOLDER_OPEN;
    s->second = from;
    s->len = 0;
    s->is_odd_token = s->has_blank = false;
    return OK;
}

static result push_open(struct placeholder_scanner *s, char c, uint64_t from)
{
    if (c == s->open && !s->has_blank) { /* "{{{": the last two count */
        s->start = s->second;
        s->second = from;
        return OK;
    }
    if (ascii_is_white(c)) {
        s->has_blank = true;
        return keep(s, c, PLACEHOLDER_OPEN);
    }
    if (placeholder_is_opener(c) || c == '}' || c == '>' || c == '|') return again(s, c, from);
    s->is_odd_token = !slice_is_word_char(c);
    return keep(s, c, c == ':' ? PLACEHOLDER_COLON : PLACEHOLDER_TOKEN);
}

static result push_token(struct placeholder_scanner *s, char c, uint64_t from)
{
    if (ascii_is_white(c)) return keep(s, c, PLACEHOLDER_AFTER_TOKEN);
    if (c == ':') return keep(s, c, PLACEHOLDER_COLON);
    if (placeholder_is_opener(c) || c == '}' || c == '>' || c == '|') return again(s, c, from);
    s->is_odd_token |= !slice_is_word_char(c);
    return keep(s, c, PLACEHOLDER_TOKEN);
}

static result push_colon(struct placeholder_scanner *s, char c, uint64_t from)
{
    if (ascii_is_white(c)) return keep(s, c, PLACEHOLDER_COLON);
    if (!slice_is_word_char(c)) return again(s, c, from);
    s->kind_at = s->len;
    return keep(s, c, PLACEHOLDER_KIND);
}

/* Past the second word. With a first word that cannot be a token it is a placeholder only if it names one of our kinds:
 * "{{ 12.30 : noon }}" is plain text, "{{ tok.123 : detokenize }}" is a mistake to be told. */
static result push_kind(struct placeholder_scanner *s, char c, uint64_t from)
{
    enum token_kind kind;
    if (slice_is_word_char(c)) return keep(s, c, PLACEHOLDER_KIND);
    if (s->is_odd_token && !parse_kind((slice){s->text + s->kind_at, (size_t)s->len - s->kind_at}, &kind))
        return again(s, c, from);
    s->last = 0;
    s->second = from;
    s->state = PLACEHOLDER_BODY;
    return OK;
}

static result push_body(struct placeholder_scanner *s, char c, uint64_t to, struct placeholder_found *found,
                        bool *is_found)
{
    char close = s->open == '{' ? '}' : '>';
    ENSURE(!(placeholder_is_opener(c) && c == s->last), PLACEHOLDER_SYNTAX);
    if (c != close || s->last != close) {
        s->last = c;
        return keep(s, c, PLACEHOLDER_BODY);
    }
    s->state = PLACEHOLDER_IDLE;
    *is_found = true;
    found->start = s->start;
    found->end = to;
    return placeholder_parse((slice){s->text, s->len - 1u /* without the first closing brace */}, &found->what);
}

result placeholder_push(struct placeholder_scanner *s, char c, uint64_t from, uint64_t to,
                        struct placeholder_found *found, bool *is_found)
{
    *is_found = false;
    switch (s->state) {
    case PLACEHOLDER_IDLE:
        return again(s, c, from);
    case PLACEHOLDER_BRACE:
        return push_brace(s, c, from);
    case PLACEHOLDER_OPEN:
        return push_open(s, c, from);
    case PLACEHOLDER_TOKEN:
        return push_token(s, c, from);
    case PLACEHOLDER_AFTER_TOKEN:
        if (ascii_is_white(c)) return keep(s, c, PLACEHOLDER_AFTER_TOKEN);
        return c == ':' ? keep(s, c, PLACEHOLDER_COLON) : again(s, c, from);
    case PLACEHOLDER_COLON:
        return push_colon(s, c, from);
    case PLACEHOLDER_KIND:
        TRY(push_kind(s, c, from));
        if (s->state != PLACEHOLDER_BODY) return OK;
        return push_body(s, c, to, found, is_found);
    case PLACEHOLDER_BODY:
        return push_body(s, c, to, found, is_found);
    }
    return FAIL(INTERNAL);
}

/* Characters that leave the state as it is, taken at once. */
static size_t take_run(struct placeholder_scanner *s, slice text)
{
    size_t n = 0, room = PLACEHOLDER_MAX_CHARS - (size_t)s->len;
    switch (s->state) {
    case PLACEHOLDER_IDLE:
        return placeholder_find_opener(text);
    case PLACEHOLDER_TOKEN:
    case PLACEHOLDER_KIND:
        room = room < text.len ? room : text.len;
        while (n < room && slice_is_word_char(text.at[n])) n++;
        break;
    case PLACEHOLDER_BODY:
        room = room < text.len ? room : text.len;
        while (n < room && !placeholder_is_opener(text.at[n]) && text.at[n] != '}' && text.at[n] != '>') n++;
        if (n) s->last = text.at[n - 1];
        break;
    default:
        return 0;
    }
    memcpy(s->text + s->len, text.at, n);
    s->len = (uint16_t)(s->len + n);
    return n;
}

/* The whole of "{{ TOKEN : kind }}" at one go, from its first brace on: what a batch has thousands of. Its length; 0: it is not
 * that, or not all there, and the scanner decides. */
static size_t take_simple(slice text, struct placeholder *out)
{
    char open = text.at[0], close = open == '{' ? '}' : '>';
    if (text.len < 2 || text.at[1] != open) return 0;
    struct reader r = {slice_range(text, 2, text.len < PLACEHOLDER_MAX_CHARS ? text.len : PLACEHOLDER_MAX_CHARS)};
    skip_blanks(&r);
    slice token = slice_range(r.rest, 0, slice_find(r.rest, ':'));
    if (token.len == r.rest.len) return 0;
    skip(&r, token.len + 1);
    while (token.len && ascii_is_white(token.at[token.len - 1])) token.len--;
    skip_blanks(&r);
    bool is_permanent = slice_starts(r.rest, SLICE("detokenize"));
    if (!is_token(token) || (!is_permanent && !slice_starts(r.rest, SLICE("transaction")))) return 0;
    skip(&r, is_permanent ? sizeof "detokenize" - 1 : sizeof "transaction" - 1);
    skip_blanks(&r);
    if (r.rest.len < 2 || r.rest.at[0] != close || r.rest.at[1] != close) return 0;
    *out = (struct placeholder){.token_len = (uint8_t)token.len, .kind = is_permanent ? TOKEN_PERMANENT : TOKEN_TEMPORAL};
    memcpy(out->token, token.at, token.len);
    return (size_t)(r.rest.at + 2 - text.at);
}

result placeholder_push_plain(struct placeholder_scanner *s, slice text, uint64_t at, struct placeholder_found *found,
                              bool *is_found, size_t *used)
{
    *is_found = false;
    for (*used = 0; *used < text.len && !*is_found;) {
        *used += take_run(s, (slice){text.at + *used, text.len - *used});
        if (*used == text.len) break;
        size_t simple = placeholder_is_idle(s) ? take_simple(slice_after(text, *used), &found->what) : 0;
        if (simple) {
            found->start = at + *used;
            found->end = found->start + simple;
            *used += simple;
            *is_found = true;
            break;
        }
        TRY(placeholder_push(s, text.at[*used], at + *used, at + *used + 1, found, is_found));
        ++*used;
    }
    return OK;
}

uint64_t placeholder_sure(const struct placeholder_scanner *s, uint64_t at)
{
    return s->state == PLACEHOLDER_IDLE ? at : s->start;
}
