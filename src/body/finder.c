/* SPDX-License-Identifier: Apache-2.0 */
#include "finder.h"

#include "base/ascii.h"
#include "base/secret.h"
#include "body/brand.h"
#include "body/expiry.h"
#include "body/pan_scan.h"
#include "body/percent.h"
#include "body/utf8.h"
#include "found.h"
#include "track.h"
#include "walker.h"

#include <stdlib.h>
#include <string.h>

struct finder {
    struct walk *walk;
    bool find_pan;
    enum invalid_policy invalid;
    size_t invalid_count;
    struct buf unescaped; /* secret: a value whose percent escapes were undone */
    struct found found;
};

struct finder *finder_new(struct walk *w, const struct inbound_options *options)
{
    struct finder *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    f->walk = w;
    f->find_pan = options->plan->find_pan;
    f->invalid = options->invalid;
    buf_init_secret(&f->unescaped, SIZE_MAX / 4);
    if (!failed(found_init(&f->found, options->max_cards))) return f;
    finder_free(f);
    return NULL;
}

void finder_free(struct finder *f)
{
    if (!f) return;
    found_done(&f->found);
    buf_done(&f->unescaped);
    free(f);
}

bool finder_wants(const struct finder *f, const struct plan_field *field)
{
    return f->find_pan || field;
}

result finder_open(struct finder *f)
{
    return found_open(&f->found);
}

result finder_close(struct finder *f)
{
    return found_close(&f->found, false);
}

result finder_close_row(struct finder *f)
{
    return found_close(&f->found, true);
}

result finder_end(struct finder *f)
{
    return found_end(&f->found);
}

size_t finder_card_count(const struct finder *f)
{
    return f->found.live;
}

const struct credential *finder_card(const struct finder *f, size_t index)
{
    return found_card(&f->found, index);
}

size_t finder_invalid_count(const struct finder *f)
{
    return f->invalid_count;
}

result finder_render(const struct finder *f, const struct inbound_alias *aliases, struct buf *out)
{
    return found_render(&f->found, buf_slice(&f->walk->held), aliases, out);
}

/* --- places --- */

static uint64_t raw_at(const struct finder *f, struct value *v, size_t offset)
{
    return v->raw_at ? v->raw_at(f->walk, v, offset) : v->start + offset;
}

/* The whole of a bare number, or else what stands between the two offsets. */
static struct place place_of(const struct finder *f, struct value *v, size_t from, size_t to)
{
    struct place p = {.is_bare = v->is_bare, .start = v->start, .end = v->end, .length = (uint32_t)(to - from)};
    if (v->is_bare) return p;
    p.start = raw_at(f, v, from);
    p.end = raw_at(f, v, to);
    return p;
}

/* --- numbers found by looking --- */

static result hide(struct finder *f, struct value *v, size_t from, size_t to)
{
    struct place p = {.kind = PLACE_MASK, .start = raw_at(f, v, from), .length = (uint32_t)(to - from)};
    p.end = raw_at(f, v, to);
    return found_place(&f->found, &p);
}

/* The numbers of a text, one by one; <start> and <end> are in <escaped>, of which <text> is what its percent escapes mean. */
struct looker {
    slice text, escaped;
    size_t from, mark, mark_escaped;
    bool is_escaped, has_one;
    size_t start, end;
    struct pan_found p;
};

static size_t escaped_at(struct looker *l, size_t offset)
{
    if (!l->is_escaped) return offset;
    for (; l->mark < offset; l->mark++) {
        char c;
        size_t len;
        (void)percent_read(slice_after(l->escaped, l->mark_escaped), false, &c, &len);
        l->mark_escaped += len;
    }
    return l->mark_escaped;
}

static void look_on(struct looker *l)
{
    l->has_one = pan_scan(l->text, l->from, &l->p);
    if (!l->has_one) return;
    l->from = l->p.end;
    l->start = escaped_at(l, l->p.start);
    l->end = escaped_at(l, l->p.end);
}

/* And what is the rest of a track behind it. <end>: of what was taken so far. */
static result take_number_of(struct finder *f, struct value *v, struct looker *l, size_t *end)
{
    struct track_rest rest;
    struct place place = place_of(f, v, l->start, l->end);
    *end = l->end;
    TRY(found_number(&f->found, (slice){l->p.digits, l->p.len}, false, &place));
    if (!track_rest_after(l->text, l->p.end, &rest)) return OK;
    size_t from = escaped_at(l, rest.from);
    l->from = rest.to;
    *end = escaped_at(l, rest.to);
    return hide(f, v, from, *end);
}

/* As it stands, and as its escapes mean it, both in the order of the text: "card=4111%201111%201111%201111" in a URL. */
static result scan_text(struct finder *f, struct value *v)
{
    struct looker plain = {.text = v->text}, other = {.escaped = v->text, .is_escaped = true};
    size_t end = 0;
    TRY(walk_percent_decode(v->text, false, true, &f->unescaped, &other.text));
    look_on(&plain);
    if (other.text.len < v->text.len) look_on(&other);
    if (!plain.has_one && !other.has_one) return OK; /* and nothing of a number is left here */
    result r = OK;
    while (!failed(r) && (plain.has_one || other.has_one)) {
        bool is_plain = plain.has_one && (!other.has_one || plain.start <= other.start);
        struct looker *next = is_plain ? &plain : &other;
        if (next->start >= end) r = take_number_of(f, v, next, &end);
        look_on(next);
    }
    secret_wipe(&plain, sizeof plain);
    secret_wipe(&other, sizeof other);
    return r;
}

static result scan(struct finder *f, struct value *v)
{
    struct pan_found p;
    result r = OK;
    if (!v->is_bare) return v->text.len < PAN_MIN_DIGITS ? OK : scan_text(f, v); /* escapes only make it shorter */
    if (pan_scan_number(v->text, &p)) {
        struct place place = place_of(f, v, p.start, p.end);
        r = found_number(&f->found, (slice){p.digits, p.len}, false, &place);
    }
    secret_wipe(&p, sizeof p);
    return r;
}

static bool has_number(slice text)
{
    struct pan_found p;
    bool has = pan_scan(text, 0, &p);
    secret_wipe(&p, sizeof p);
    return has;
}

bool finder_has_number(const struct finder *f, slice text)
{
    return f->find_pan && has_number(text);
}

/* --- values that are none --- */

static size_t count_digits(slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) count += ascii_is_digit(text.at[i]);
    return count;
}

static result add_quote(struct finder *f, const struct value *v, uint64_t at)
{
    return v->is_bare ? found_place(&f->found, &(struct place){.start = at, .end = at, .kind = PLACE_QUOTE}) : OK;
}

/* The digits but for the last <shown> become 'x', one place for each run of them. A bare number becomes a string. */
static result mask(struct finder *f, struct value *v, size_t shown)
{
    size_t digits = count_digits(v->text), left = digits > shown ? digits - shown : 0;
    TRY(add_quote(f, v, v->start));
    for (size_t i = 0, end; left > 0; i = end) {
        for (end = i; end < v->text.len && left > 0 && ascii_is_digit(v->text.at[end]); end++) left--;
        if (end == i) {
            end = i + 1;
            continue;
        }
        TRY(hide(f, v, i, end));
    }
    return add_quote(f, v, v->end);
}

/* The last digits of a track are no number's. */
static bool may_be_track(slice text)
{
    return slice_find(text, '=') < text.len || slice_find(text, '^') < text.len;
}

static result take_invalid(struct finder *f, struct value *v, size_t shown)
{
    ENSURE(f->invalid != INVALID_REFUSE, INBOUND_CARD);
    f->invalid_count++;
    if (f->invalid == INVALID_MASK) return mask(f, v, may_be_track(v->text) ? 0 : shown);
    return f->find_pan ? scan(f, v) : OK;
}

/* --- numbers by rule --- */

/* Where the first digit stands and the last one ends; the digits, without the blanks and dashes. False: something else is there, or
 * more digits than a card number has. */
static bool read_number(slice text, size_t *from, size_t *to, char digits[PAN_MAX_DIGITS], size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == ' ' || c == '-') continue;
        if (!ascii_is_digit(c) || *count == PAN_MAX_DIGITS) return false;
        if (*count == 0) *from = i;
        *to = i + 1;
        digits[(*count)++] = c;
    }
    return *count > 0;
}

/* 411111******1111, 411111xxxxxx1111: what is left of a number when it was shown to somebody. */
static bool is_masked(slice text)
{
    size_t letters = 0, marks = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)(text.at[i] | 0x20);
        if (c >= 'a' && c <= 'z') letters++;
        marks += c == 'x';
    }
    return letters > 0 && marks == letters;
}

/* One that says its version and variant (RFC 9562 section 4.1): others are digits that somebody grouped so. */
static bool starts_with_known_uuid(slice text)
{
    enum { VERSION_AT = 14, VARIANT_AT = 19 };
    if (!slice_starts_with_uuid(text)) return false;
    char version = text.at[VERSION_AT], variant = (char)(text.at[VARIANT_AT] | 0x20);
    return version >= '1' && version <= '8' && (variant == '8' || variant == '9' || variant == 'a' || variant == 'b');
}

/* Digits from a group's first one on, "4111-1111_1111…", to the end of some group: are they a card number? */
static bool number_begins(slice word, size_t at)
{
    char digits[PAN_MAX_DIGITS];
    size_t count = 0;
    bool is_number = false;
    for (; at < word.len && count < sizeof digits && !is_number; at++) {
        char c = word.at[at];
        if (!ascii_is_digit(c)) break;
        digits[count++] = c;
        bool ends_group = at + 1 == word.len || !ascii_is_digit(word.at[at + 1]);
        slice run = {digits, count};
        is_number = ends_group && count >= PAN_MIN_DIGITS && brand_is_evident(run, false) && check_digit_is_valid(run);
        if (ends_group && at + 1 < word.len && (word.at[at + 1] == '-' || word.at[at + 1] == '_')) at++;
    }
    secret_wipe(digits, sizeof digits);
    return is_number;
}

/* A number with letters stuck to it, in groups or not. What a UUID has in digits is chance: one number in ten passes the check. */
static bool hides_number(slice word)
{
    enum { UUID_BYTES = 36 };
    for (size_t i = 0, end; i < word.len; i = end) {
        end = i + 1;
        if (starts_with_known_uuid(slice_after(word, i))) {
            end = i + UUID_BYTES;
        } else if (ascii_is_digit(word.at[i])) {
            if (number_begins(word, i)) return true;
            while (end < word.len && ascii_is_digit(word.at[end])) end++;
        }
    }
    return false;
}

static bool has_letter(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_letter(text.at[i])) return true;
    return false;
}

/* What may be a token of ours, or of someone else: it is no secret, so it stays. All digits could be one too (alias: digits), but
 * cannot be told from a mistyped number, so they are invalid. */
static bool has_token_form(slice text)
{
    if (text.len < TOKEN_ID_MIN_BYTES || text.len > TOKEN_ID_MAX_BYTES || !slice_is_word(text)) return false;
    return has_letter(text) && !is_masked(text) && !hides_number(text) && !has_number(text);
}

static result take_number(struct finder *f, struct value *v)
{
    enum { LAST_SHOWN = 4 };
    char digits[PAN_MAX_DIGITS];
    size_t from = 0, to = 0, count;
    bool valid = read_number(v->text, &from, &to, digits, &count) && card_number_is_valid((slice){digits, count});
    result r;
    if (valid) {
        struct place place = place_of(f, v, from, to);
        r = found_number(&f->found, (slice){digits, count}, true, &place);
    } else {
        r = has_token_form(v->text) ? OK : take_invalid(f, v, LAST_SHOWN);
    }
    secret_wipe(digits, sizeof digits);
    return r;
}

/* --- the other elements --- */

static bool is_temporal_token(slice text)
{
    enum { TEMPORAL_TOKEN_BYTES = 40 };
    return text.len == TEMPORAL_TOKEN_BYTES && slice_starts(text, SLICE("tmp_")) && slice_starts_with_uuid(slice_after(text, 4));
}

static result take_cvc(struct finder *f, struct value *v)
{
    enum { CVC_MIN_DIGITS = 3 };
    slice text = slice_trim(v->text);
    bool valid = text.len >= CVC_MIN_DIGITS && text.len <= CVC_MAX_DIGITS && slice_is_digits(text);
    if (!valid) return is_temporal_token(text) ? OK : take_invalid(f, v, 0);
    size_t from = (size_t)(text.at - v->text.at);
    struct place place = place_of(f, v, from, from + text.len);
    return found_cvc(&f->found, text, &place);
}

/* What cannot be read is left out: a card is one without it too. */
static void take_date(struct finder *f, const struct value *v)
{
    slice text = slice_trim(v->text);
    uint8_t month = 0;
    uint16_t year = 0;
    bool whole = false;
    switch (v->field->format) {
    case DATE_MM:
        (void)expiry_parse_month(text, &month);
        break;
    case DATE_YY:
    case DATE_YYYY:
        (void)expiry_parse_year(text, &year);
        break;
    default:
        whole = v->field->element == ELEMENT_EXPIRY;
        if (v->field->element == ELEMENT_EXP_MONTH) (void)expiry_parse_month(text, &month);
        if (v->field->element == ELEMENT_EXP_YEAR) (void)expiry_parse_year(text, &year);
    }
    if (whole && !expiry_parse(text, &month, &year)) return;
    if (month) found_month(&f->found, month);
    if (year) found_year(&f->found, year);
}

static bool is_name(slice text)
{
    if (text.len == 0 || text.len > HOLDER_MAX_BYTES || !utf8_is_valid(text)) return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool is_c1 = c == 0xc2 && (unsigned char)text.at[i + 1] < 0xa0; /* U+0080 to U+009F */
        if (c < 0x20 || c == 0x7f || is_c1) return false;
    }
    return !has_number(text);
}

static void take_beside(struct finder *f, const struct value *v)
{
    if (element_is_date(v->field->element)) take_date(f, v);
    if (v->field->element == ELEMENT_HOLDER && is_name(v->text)) found_holder(&f->found, v->text);
}

result finder_value(struct finder *f, struct value *v)
{
    if (slice_trim(v->text).len == 0) return OK;
    v->mark = 0;
    v->mark_raw = v->start;
    if (v->field && v->field->element == ELEMENT_NUMBER) return take_number(f, v);
    if (v->field && v->field->element == ELEMENT_CVC) return take_cvc(f, v);
    if (v->field) take_beside(f, v);
    return f->find_pan ? scan(f, v) : OK;
}
