/* SPDX-License-Identifier: Apache-2.0 */
#include "body/path_match.h"
#include "finder.h"
#include "fingerprint.h"
#include "walker.h"

#include <stdlib.h>
#include <string.h>

/* Comma-separated values (RFC 4180), a row looked at when all of it is there. The first row names the columns, and shows what stands
 * between them: a comma, or ';' (spreadsheets of countries with a decimal comma), a tabulator or '|'. It is the one with which the row
 * names most of the rules' columns; where they name none that way, nothing could be told of what comes below, and it is refused.
 *
 *   id,"card ""no""",cvc CRLF  7,"4111 1111…",123 CRLF
 *                             └ row               └ scanned up to here; in quotes or not
 *
 * Outbound a field that ends within a placeholder is refused: '|' may be what separates fields, and it separates a placeholder's stages. */

struct quoting {
    bool is_open;
    bool may_open; /* at the start of a field, or right behind a quote that closed: two of them are one */
};
struct column {
    uint64_t start, end; /* its name */
    const struct plan_field *field; /* NULL: none */
};
struct csv_walker {
    struct walk *walk;
    uint64_t first, row, scanned;
    struct quoting quoting; /* up to <scanned> */
    bool has_names;
    char separator; /* 0: not known yet */
    struct column *columns;
    size_t column_count, column_cap;
    size_t named; /* while the separator is chosen: columns that the rules name */
    struct buf decoded; /* secret: one value with doubled quotes */
    struct placeholder_scanner scanner; /* outbound */
};

struct csv_walker *csv_walker_new(struct walk *w)
{
    struct csv_walker *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->walk = w;
    c->first = c->row = c->scanned = w->base;
    c->quoting.may_open = true;
    buf_init_secret(&c->decoded, SIZE_MAX / 4);
    return c;
}

void csv_walker_free(struct csv_walker *c)
{
    if (!c) return;
    buf_done(&c->decoded);
    free(c->columns);
    free(c);
}

static const char separators[] = ",;\t|";

static bool is_separator(const struct csv_walker *c, char at)
{
    return c->separator ? at == c->separator : at && strchr(separators, at);
}

/* Takes one byte; true: it stands outside of quotes and is none. */
static bool quoting_step(struct quoting *q, char at)
{
    bool was_open = q->is_open;
    if (at != '"') {
        q->may_open = false;
        return !was_open;
    }
    q->is_open = !was_open && q->may_open;
    q->may_open = was_open;
    return false;
}

/* RFC 4180 section 2: "If double-quotes are used to enclose fields, then a double-quote appearing inside a field must be escaped by
 * preceding it with another double quote." Two bytes for one. */
static uint64_t quoted_raw_at(const struct walk *w, struct value *v, size_t offset)
{
    for (; v->mark < offset; v->mark++) v->mark_raw += *walk_at(w, v->mark_raw) == '"' ? 2 : 1;
    return v->mark_raw;
}

/* The text of a field. One that is not quoted as the RFC says is taken as it stands. */
static result decode(struct csv_walker *c, slice raw, struct value *v)
{
    size_t len = raw.len, quotes = 0;
    if (len < 2 || raw.at[0] != '"' || raw.at[len - 1] != '"') return OK;
    slice inner = slice_range(raw, 1, len - 1);
    buf_clear(&c->decoded);
    TRY(buf_reserve(&c->decoded, inner.len));
    for (size_t i = 0; i < inner.len; i++) {
        *buf_room(&c->decoded) = inner.at[i];
        buf_added(&c->decoded, 1);
        if (inner.at[i] != '"') continue;
        if (++i == inner.len || inner.at[i] != '"') return OK;
        quotes++;
    }
    v->text = quotes ? buf_slice(&c->decoded) : inner;
    v->start++;
    v->end--;
    v->raw_at = quotes ? quoted_raw_at : NULL;
    return OK;
}

/* --- rows --- */

static const struct plan_field *field_named(const struct csv_walker *c, slice name)
{
    const struct plan *plan = c->walk->plan;
    uint64_t root[PATH_WORDS_MAX], here[PATH_WORDS_MAX];
    if (!plan->paths || path_set_count(plan->paths) == 0) return NULL;
    path_match_root(plan->paths, root);
    if (!path_match_name(plan->paths, root, name, fingerprint_of(name), here)) return NULL;
    for (size_t i = 0; i < plan->field_count; i++)
        if (path_bit(here, path_set_end(plan->paths, plan->fields[i].path))) return &plan->fields[i];
    return NULL;
}

static result add_column(struct csv_walker *c, const struct value *v)
{
    if (c->column_count == c->column_cap) {
        size_t cap = c->column_cap ? c->column_cap * 2 : 16;
        struct column *columns = realloc(c->columns, cap * sizeof *columns);
        ENSURE(columns != NULL, MEMORY);
        c->columns = columns;
        c->column_cap = cap;
    }
    c->columns[c->column_count++] = (struct column){v->start, v->end, field_named(c, slice_trim(v->text))};
    return OK;
}

/* No part of a placeholder is written with quotes, so it is looked for in the raw bytes. */
static result scan_placeholders(struct csv_walker *c, slice raw, const struct value *v)
{
    struct walk *w = c->walk;
    w->splice.encoding = v->end - v->start < raw.len ? ENCODING_CSV_QUOTED : ENCODING_CSV;
    TRY(walk_scan_text(w, &c->scanner, walk_raw(w, v->start, v->end), v->start, v->field, c->has_names));
    ENSURE(c->scanner.state < PLACEHOLDER_KIND, PLACEHOLDER_SYNTAX);
    return OK;
}

static result take_field(struct csv_walker *c, uint64_t start, uint64_t end, size_t number)
{
    slice raw = walk_raw(c->walk, start, end);
    struct value v = {.text = raw, .start = start, .end = end};
    const struct column *column = c->has_names && number < c->column_count ? &c->columns[number] : NULL;
    if (column) v.field = column->field;
    TRY(decode(c, raw, &v));
    result r = c->has_names ? OK : add_column(c, &v);
    if (!failed(r)) /* a first row that is no row of names may have cards too */
        r = c->walk->finder ? finder_value(c->walk->finder, &v) : scan_placeholders(c, raw, &v);
    buf_clear(&c->decoded);
    if (!failed(r)) return OK;
    if (column && column->start >= c->walk->base) walk_fault_text(c->walk, walk_raw(c->walk, column->start, column->end));
    return walk_fail(c->walk, r.err, start);
}

static result count_name(struct csv_walker *c, uint64_t start, uint64_t end, size_t number)
{
    struct value v = {.text = walk_raw(c->walk, start, end)};
    (void)number;
    TRY(decode(c, v.text, &v));
    c->named += field_named(c, slice_trim(v.text)) != NULL;
    buf_clear(&c->decoded);
    return OK;
}

typedef result (*field_function)(struct csv_walker *c, uint64_t start, uint64_t end, size_t number);

static result each_field(struct csv_walker *c, uint64_t start, uint64_t end, field_function take)
{
    struct quoting q = {.may_open = true};
    size_t number = 0;
    for (uint64_t i = start; i < end; i++) {
        char at = *walk_at(c->walk, i);
        if (!quoting_step(&q, at) || !is_separator(c, at)) continue;
        q.may_open = true;
        TRY(take(c, start, i, number++));
        start = i + 1;
    }
    return take(c, start, end, number);
}

/* --- the row of names --- */

/* Where the first row ended was found with every separator in mind: with the one that it has it must be one row still. */
static result check_one_row(const struct csv_walker *c, uint64_t start, uint64_t end)
{
    struct quoting q = {.may_open = true};
    for (; start < end; start++) {
        char at = *walk_at(c->walk, start);
        if (!quoting_step(&q, at)) continue;
        ENSURE(at != '\n' && at != '\r', CSV_SYNTAX);
        q.may_open = is_separator(c, at);
    }
    return OK;
}

static char first_separator(const struct csv_walker *c, uint64_t start, uint64_t end)
{
    struct quoting q = {.may_open = true};
    for (; start < end; start++) {
        char at = *walk_at(c->walk, start);
        if (!quoting_step(&q, at)) continue;
        if (is_separator(c, at)) return at;
    }
    return separators[0];
}

static result choose_separator(struct csv_walker *c, uint64_t start, uint64_t end)
{
    char chosen = first_separator(c, start, end);
    size_t most = 0;
    for (const char *s = separators; *s && c->walk->plan->field_count > 0; s++) {
        c->separator = *s;
        c->named = 0;
        TRY(each_field(c, start, end, count_name));
        if (c->named > most) chosen = *s;
        if (c->named > most) most = c->named;
    }
    c->separator = chosen;
    return check_one_row(c, start, end);
}

/* A column that the rules take for numbers must be there, or one of theirs where they take none for that. */
static result check_names(struct csv_walker *c)
{
    const struct plan *plan = c->walk->plan;
    bool has_number = false, is_there = plan->field_count == 0;
    for (size_t i = 0; i < plan->field_count; i++) has_number |= plan->fields[i].element == ELEMENT_NUMBER;
    for (size_t i = 0; i < c->column_count; i++) {
        const struct plan_field *field = c->columns[i].field;
        is_there |= field && (!has_number || field->element == ELEMENT_NUMBER);
    }
    if (is_there) return OK;
    for (size_t i = 0, told = 0; i < plan->field_count; i++) {
        if (has_number && plan->fields[i].element != ELEMENT_NUMBER) continue;
        if (told++) walk_fault_text(c->walk, SLICE(", "));
        walk_fault_text(c->walk, path_set_text(plan->paths, plan->fields[i].path));
    }
    return FAIL(CSV_HEADER);
}

static result take_names(struct csv_walker *c, uint64_t start, uint64_t end)
{
    TRY(choose_separator(c, start, end));
    TRY(each_field(c, start, end, take_field));
    c->has_names = true;
    return check_names(c);
}

static const char bom[] = "\xef\xbb\xbf";

static result take_row(struct csv_walker *c, uint64_t end)
{
    uint64_t start = c->row;
    if (start == c->first && slice_starts(walk_raw(c->walk, start, end), SLICE(bom))) start += sizeof bom - 1;
    if (start == end) return OK; /* also between CR and LF */
    struct finder *finder = c->walk->finder;
    if (finder) TRY(finder_open(finder));
    TRY(c->has_names ? each_field(c, start, end, take_field) : take_names(c, start, end));
    return finder ? finder_close_row(finder) : OK;
}

result csv_walker_feed(struct csv_walker *c)
{
    for (uint64_t end = walk_end(c->walk); c->scanned < end; c->scanned++) {
        char at = *walk_at(c->walk, c->scanned);
        uint64_t offset = c->scanned - c->first;
        if (offset < sizeof bom - 1 && at == bom[offset]) continue;
        if (!quoting_step(&c->quoting, at)) continue;
        bool ends_row = at == '\n' || at == '\r', separates = is_separator(c, at);
        c->quoting.may_open = ends_row || separates;
        if (!ends_row) continue;
        result r = take_row(c, c->scanned);
        if (failed(r)) return walk_fail(c->walk, r.err, c->row);
        c->row = c->scanned + 1;
    }
    return OK;
}

result csv_walker_end(struct csv_walker *c)
{
    TRY(csv_walker_feed(c));
    if (c->quoting.is_open) return walk_fail(c->walk, ERR_CSV_SYNTAX, c->row);
    result r = take_row(c, c->scanned);
    return failed(r) ? walk_fail(c->walk, r.err, c->row) : OK;
}

uint64_t csv_walker_sure(const struct csv_walker *c)
{
    return c->row;
}
