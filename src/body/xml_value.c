/* SPDX-License-Identifier: Apache-2.0 */
#include "finder.h"
#include "base/ascii.h"
#include "xml_walker.h"

#include <string.h>

/* A value, and how its raw bytes are read. */
struct xml_value {
    struct value value; /* first: xml_raw_at() gets back from it */
    struct xml_reader start;
};

/* Goes on from where it was asked last, so a value is read once more and not once for each question. */
static uint64_t xml_raw_at(const struct walk *w, struct value *v, size_t offset)
{
    struct xml_reader r = ((struct xml_value *)v)->start;
    struct xml_unit u;
    (void)w;
    r.at = (size_t)(v->mark_raw - v->start);
    while (v->mark < offset && !failed(xml_read(&r, &u)) && u.len > 0) v->mark += u.len;
    v->mark_raw = v->start + r.at;
    return v->mark_raw;
}

/* --- outbound: placeholders --- */

static result take_found(struct xml_walker *x, const struct placeholder_found *found, const struct xml_value *v)
{
    struct walk *w = x->walk;
    enum xml_kind kind = v->start.kind;
    bool whole = found->start == v->value.start && found->end == v->value.end;
    ENSURE(kind != XML_ASIDE, PLACEHOLDER_PLACE);
    TRY(walk_add_slot(w, found, v->value.field, whole, 0));
    /* In a CDATA section a name's escapes would be read as they stand, and in another encoding its bytes as other letters. */
    bool takes_names = kind != XML_CDATA && x->is_utf8;
    ENSURE(takes_names || w->splice.entries[w->splice.count - 1].element != ELEMENT_HOLDER, PLACEHOLDER_PLACE);
    return OK;
}

static result scan_placeholders(struct xml_walker *x, const struct xml_value *v)
{
    struct placeholder_found found;
    struct xml_reader r = v->start;
    struct xml_unit u;
    bool is_found;
    placeholder_reset(&x->scanner);
    for (size_t from = r.at;; from = r.at) {
        TRY(xml_read(&r, &u));
        if (u.len == 0) break;
        if (placeholder_is_idle(&x->scanner) && !placeholder_is_opener(u.bytes[0])) continue;
        TRY(placeholder_push(&x->scanner, u.bytes[0], v->value.start + from, v->value.start + r.at, &found, &is_found));
        if (is_found) TRY(take_found(x, &found, v));
    }
    return walk_add_bare(x->walk, v->value.text, v->value.start, v->value.end, v->value.field, 0);
}

/* --- inbound: what is whole to a reader may stand in two pieces --- */

static bool is_between_digits(char c)
{
    return xml_is_space(c) || c == '-';
}

/* Digits at the front, or at the end; *all: there is nothing else. */
static size_t count_digits(slice text, bool at_end, bool *all)
{
    size_t digits = 0, i = 0;
    for (; i < text.len; i++) {
        char c = text.at[at_end ? text.len - 1 - i : i];
        if (!ascii_is_digit(c) && !is_between_digits(c)) break;
        digits += ascii_is_digit(c);
    }
    *all = i == text.len;
    return digits;
}

/* An element's text goes on behind a comment, an instruction or the end of a CDATA section: so may a number. */
static result check_seam(struct xml_walker *x, slice text, const struct plan_field *field)
{
    bool is_number = field && (field->element == ELEMENT_NUMBER || field->element == ELEMENT_CVC), all;
    size_t front = count_digits(text, false, &all), digits = x->tail_digits;
    ENSURE(!(is_number && x->has_number_text), XML_SPLIT);
    x->has_number_text = is_number;
    ENSURE(!(x->walk->plan->find_pan && front && digits && front + digits >= PAN_MIN_DIGITS), XML_SPLIT);
    x->tail_digits = all ? digits + front : count_digits(text, true, &all);
    return OK;
}

/* --- both --- */

static struct xml_span trim(slice text)
{
    size_t from = 0, to = text.len;
    while (from < to && xml_is_space(text.at[from])) from++;
    while (to > from && xml_is_space(text.at[to - 1])) to--;
    return (struct xml_span){from, to};
}

static result tell(struct xml_walker *x, struct xml_value *v)
{
    if (!x->walk->finder) return scan_placeholders(x, v);
    if (v->start.kind == XML_TEXT || v->start.kind == XML_CDATA) TRY(check_seam(x, v->value.text, v->value.field));
    return finder_value(x->walk->finder, &v->value);
}

bool xml_take_value(struct xml_walker *x, slice text, uint64_t from, uint64_t to, enum xml_kind kind, const struct plan_field *field)
{
    struct xml_span span = trim(text), raw_span = span;
    slice raw = walk_raw(x->walk, from, to);
    struct xml_reader r = {.raw = raw, .kind = kind, .is_latin1 = x->is_latin1};
    bool is_plain = slice_eq(raw, text);
    if (!is_plain) {
        result compared = xml_compare(r, text, span, &raw_span);
        if (failed(compared)) return xml_stop(x, compared.err, from);
    }
    if (span.from == span.to) return true; /* white space between elements, mostly */
    r.raw = slice_range(raw, raw_span.from, raw_span.to);
    struct xml_value v = {.value = {.text = slice_range(text, span.from, span.to),
                                    .start = from + raw_span.from,
                                    .end = from + raw_span.to,
                                    .raw_at = is_plain ? NULL : xml_raw_at,
                                    .field = field,
                                    .mark_raw = from + raw_span.from},
                          .start = r};
    result told = tell(x, &v);
    return !failed(told) || xml_stop(x, told.err, v.value.start);
}
