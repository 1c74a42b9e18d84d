/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "body/media_type.h"
#include "body/path_match.h"
#include "body/utf8.h"
#include "charset.h"
#include "finder.h"
#include "fingerprint.h"
#include "format_walker.h"
#include "multipart_head.h"

#include <stdlib.h>
#include <string.h>

/* multipart/form-data (RFC 7578) and other kinds of multipart (RFC 2046 section 5.1), line by line:
 *
 *   --b CRLF                                          a delimiter; what stands before the first is the preamble
 *   Content-Disposition: form-data; name="pan" CRLF   head
 *   CRLF
 *   {{TOK123:detokenize}}                             a value: text of a field, looked at when all of it is there; or, of a
 *   CRLF --b-- CRLF                                   file or of any other type, lines; inbound a document of its type
 *
 * Readers differ where a body is not quite right: lines that end in a lone CR or LF, a line that begins with the boundary and goes
 * on, a delimiter behind the last one. All that is refused, so that nobody behind us sees parts that we did not. What is encoded
 * or nested is refused too: a card in it would pass unseen. So is, inbound, what cannot be looked into and is not listed. */

enum { BOUNDARY_MAX_BYTES = 70, DASHES = 2 };
enum multipart_state { MULTIPART_PREAMBLE, MULTIPART_HEAD, MULTIPART_VALUE, MULTIPART_LINES, MULTIPART_DOCUMENT, MULTIPART_EPILOGUE };

struct multipart_walker {
    struct walk *walk;
    enum multipart_state state;
    bool is_form, has_boundary, has_paths, is_failed;
    enum body_format format; /* of a document */
    bool after_crlf;     /* the line before ended in CR LF; or there is none before */
    uint64_t line_start; /* of the current line */
    uint64_t scanned;    /* no line end between line_start and here */
    uint64_t part_start; /* of the head, or of what follows it */
    const struct plan_field *field;
    size_t delimiter_len;
    char delimiter[DASHES + BOUNDARY_MAX_BYTES]; /* "--boundary" */
    struct placeholder_scanner scanner;
    uint64_t root[PATH_WORDS_MAX], here[PATH_WORDS_MAX], seen[PATH_WORDS_MAX];
    struct part_head head;
};

struct line {
    slice text;       /* without its end */
    uint64_t start, next;
    bool has_crlf, is_last; /* is_last: the body ends here, without a line end */
};

/* bcharsnospace and blanks, which may not stand at the end (RFC 2046 section 5.1.1). */
static bool is_boundary(slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (!ascii_is_alnum(c) && !(c && strchr("'()+_,-./:=? ", c))) return false;
    }
    return s.len > 0 && s.len <= BOUNDARY_MAX_BYTES && s.at[s.len - 1] != ' ';
}

struct multipart_walker *multipart_walker_new(struct walk *w, bool is_form)
{
    struct multipart_walker *m = malloc(sizeof *m);
    if (!m) return NULL;
    memset(m, 0, sizeof *m);
    m->walk = w;
    m->is_form = is_form;
    m->after_crlf = true;
    m->has_paths = w->plan->paths && path_set_count(w->plan->paths) > 0;
    if (m->has_paths) path_match_root(w->plan->paths, m->root);
    m->has_boundary = is_boundary(w->boundary);
    if (!m->has_boundary) return m;
    memcpy(m->delimiter, "--", DASHES);
    memcpy(m->delimiter + DASHES, w->boundary.at, w->boundary.len);
    m->delimiter_len = DASHES + w->boundary.len;
    return m;
}

void multipart_walker_free(struct multipart_walker *m)
{
    free(m);
}

static result fail_part(struct multipart_walker *m, result r, uint64_t offset)
{
    m->is_failed = true;
    slice name = {m->head.name, m->head.name_len};
    if (m->walk->fault.err == ERR_NONE && utf8_is_valid(name)) walk_fault_text(m->walk, name);
    return walk_fail(m->walk, r.err, offset);
}

/* --- values --- */

/* <is_place>: may hold a placeholder. White space around a value is not part of it. */
static result take_text(struct multipart_walker *m, uint64_t from, uint64_t to, bool is_place)
{
    const struct plan_field *field = m->field;
    while (from < to && ascii_is_white(*walk_at(m->walk, from))) from++;
    while (from < to && ascii_is_white(*walk_at(m->walk, to - 1))) to--;
    slice text = walk_raw(m->walk, from, to);
    if (text.len == 0) return OK;
    if (!m->walk->finder) return walk_scan_text(m->walk, &m->scanner, text, from, field, is_place);
    if (field && field->element == ELEMENT_HOLDER && !utf8_is_valid(text)) field = NULL; /* a name is kept in UTF-8 or not at all */
    struct value v = {.text = text, .start = from, .end = to, .field = field};
    return finder_value(m->walk->finder, &v);
}

/* --- parts --- */

/* Which paths name this part. Outbound, a field that the rules name may stand once, as in other forms; inbound, all are card data. */
static result match_name(struct multipart_walker *m)
{
    const struct plan *plan = m->walk->plan;
    m->field = NULL;
    if (!m->has_paths) return OK;
    slice name = {m->head.name, m->head.name_len};
    (void)path_match_name(plan->paths, m->root, name, fingerprint_of(name), m->here);
    for (size_t i = 0; i < path_set_words(plan->paths) && !m->walk->finder; i++) {
        ENSURE(!(m->here[i] & m->seen[i]), FORM_DUPLICATE);
        m->seen[i] |= m->here[i];
    }
    for (size_t i = 0; i < plan->field_count && !m->field; i++)
        if (path_bit(m->here, path_set_end(plan->paths, plan->fields[i].path))) m->field = &plan->fields[i];
    return OK;
}

/* Of a part that says nothing of its type: a field of a form is text, for the rest its first bytes speak. */
static enum body_format format_of(const struct part_head *h)
{
    if (!h->has_type && h->is_form && !h->is_file) return BODY_TEXT;
    return media_type_format((slice){h->type, h->type_len});
}

static bool passes(const struct multipart_walker *m)
{
    return m->format == BODY_OPAQUE && media_type_is_listed(m->walk->pass_types, (slice){m->head.type, m->head.type_len});
}

static result begin_content(struct multipart_walker *m)
{
    const struct part_head *h = &m->head;
    bool finds_all = m->walk->finder && m->walk->plan->find_pan;
    m->format = format_of(h);
    bool is_value = m->field || (h->is_form && !h->is_file && (finds_all ? m->format == BODY_TEXT : h->is_text));
    m->state = is_value ? MULTIPART_VALUE : finds_all ? MULTIPART_DOCUMENT : MULTIPART_LINES;
    ENSURE(!h->is_coded || (m->state == MULTIPART_DOCUMENT && passes(m)), MULTIPART_CODING);
    return m->state != MULTIPART_VALUE && m->walk->finder ? finder_open(m->walk->finder) : OK;
}

static result head_line(struct multipart_walker *m, const struct line *l)
{
    ENSURE(l->next - m->part_start <= PART_HEAD_MAX_BYTES, MULTIPART_HEAD);
    ENSURE(!l->is_last, MULTIPART_CUT_OFF);
    ENSURE(l->has_crlf, MULTIPART_SYNTAX);
    if (l->text.len > 0) {
        TRY(part_head_line(&m->head, l->text));
        m->field = NULL;
        return take_text(m, l->start, l->start + l->text.len, false);
    }
    TRY(part_head_end(&m->head));
    TRY(match_name(m));
    m->part_start = l->next;
    return begin_content(m);
}

/* UTF-16 has no digits where we look for them. */
static result check_mark(struct multipart_walker *m, uint64_t end)
{
    slice first = walk_raw(m->walk, m->part_start, end - m->part_start < 2 ? end : m->part_start + 2);
    ENSURE(!slice_is(first, "\xff\xfe") && !slice_is(first, "\xfe\xff"), MULTIPART_CHARSET);
    return OK;
}

static result end_document(struct multipart_walker *m, uint64_t end)
{
    static const struct plan find_pan = {.find_pan = true};
    const struct part_head *h = &m->head;
    const struct nested document = {.format = m->format,
                                    .from = m->part_start,
                                    .to = end,
                                    .type = {h->type, h->type_len},
                                    .charset = h->charset_len ? (slice){h->charset, h->charset_len} : SLICE_NONE,
                                    .name = utf8_is_valid((slice){h->name, h->name_len}) ? (slice){h->name, h->name_len} : SLICE_NONE};
    if (m->format != BODY_OPAQUE) TRY(check_mark(m, end));
    TRY(nested_walk(m->walk, &find_pan, &document));
    return finder_close(m->walk->finder);
}

static result end_part(struct multipart_walker *m, uint64_t end)
{
    if (m->state == MULTIPART_DOCUMENT) return end_document(m, end);
    if (m->state == MULTIPART_LINES && m->walk->finder) return finder_close(m->walk->finder);
    if (m->state != MULTIPART_VALUE) return OK;
    TRY(check_mark(m, end));
    slice value = walk_raw(m->walk, m->part_start, end);
    ENSURE(!m->walk->finder || slice_find(value, 0) == value.len, MULTIPART_CHARSET);
    /* RFC 7578 section 4.6: a field of this name says the charset of the others. */
    if (slice_is((slice){m->head.name, m->head.name_len}, "_charset_"))
        ENSURE(charset_is_readable(walk_raw(m->walk, m->part_start, end)), MULTIPART_CHARSET);
    return take_text(m, m->part_start, end, true);
}

/* delimiter := CRLF "--" boundary, then blanks and the line's end; after the last one "--" before them. */
static result take_delimiter(struct multipart_walker *m, const struct line *l)
{
    slice rest = slice_after(l->text, m->delimiter_len);
    bool is_close = slice_starts(rest, SLICE("--"));
    if (is_close) rest = slice_after(rest, DASHES);
    ENSURE(is_close || !l->is_last, MULTIPART_CUT_OFF);
    ENSURE(slice_trim(rest).len == 0 && (l->has_crlf || l->is_last) && m->after_crlf, MULTIPART_SYNTAX);
    ENSURE(m->state != MULTIPART_HEAD && m->state != MULTIPART_EPILOGUE, MULTIPART_SYNTAX);
    ENSURE(!is_close || m->state != MULTIPART_PREAMBLE, MULTIPART_SYNTAX); /* encapsulation: at least one part */
    TRY(end_part(m, l->start == m->part_start ? l->start : l->start - 2));
    part_head_begin(&m->head, m->is_form);
    m->field = NULL;
    m->part_start = l->next;
    m->state = is_close ? MULTIPART_EPILOGUE : MULTIPART_HEAD;
    return OK;
}

static result take_line(struct multipart_walker *m, const struct line *l)
{
    if (slice_starts(l->text, (slice){m->delimiter, m->delimiter_len})) return take_delimiter(m, l);
    switch (m->state) {
    case MULTIPART_HEAD:
        return head_line(m, l);
    case MULTIPART_VALUE:
    case MULTIPART_DOCUMENT:
        ENSURE(!l->is_last, MULTIPART_CUT_OFF);
        return OK;
    case MULTIPART_LINES:
        if (l->start == m->part_start) TRY(check_mark(m, l->start + l->text.len));
        TRY(take_text(m, l->start, l->start + l->text.len, true));
        ENSURE(!l->is_last, MULTIPART_CUT_OFF);
        return OK;
    case MULTIPART_PREAMBLE:
    case MULTIPART_EPILOGUE: /* nobody reads it; a card in it has come in all the same */
        TRY(take_text(m, l->start, l->start + l->text.len, false));
        ENSURE(!l->is_last || m->state == MULTIPART_EPILOGUE, MULTIPART_CUT_OFF);
        return OK;
    }
    return FAIL(INTERNAL);
}

/* --- lines --- */

/* False: its end has not come yet. */
static bool find_line(struct multipart_walker *m, bool is_end, struct line *l)
{
    uint64_t end = walk_end(m->walk), at = m->scanned;
    slice rest = walk_raw(m->walk, at, end);
    size_t n = 0;
    while (n < rest.len && rest.at[n] != '\n' && rest.at[n] != '\r') n++;
    m->scanned = at += n;
    bool is_cr = n < rest.len && rest.at[n] == '\r', has_next = n + 1 < rest.len;
    if (!is_end && (n == rest.len || (is_cr && !has_next))) return false;
    l->start = m->line_start;
    l->text = walk_raw(m->walk, l->start, at);
    l->is_last = n == rest.len;
    l->has_crlf = is_cr && has_next && rest.at[n + 1] == '\n';
    l->next = l->is_last ? end : at + (l->has_crlf ? 2 : 1);
    return true;
}

static result take_lines(struct multipart_walker *m, bool is_end)
{
    struct line l;
    if (m->is_failed) return (result){m->walk->fault.err};
    if (!m->has_boundary) return fail_part(m, FAIL(MULTIPART_BOUNDARY), 0);
    while (find_line(m, is_end, &l)) {
        result r = take_line(m, &l);
        if (failed(r)) return fail_part(m, r, l.start);
        m->after_crlf = l.has_crlf;
        m->line_start = m->scanned = l.next;
        if (l.is_last) return OK;
    }
    slice begun = walk_raw(m->walk, m->line_start, m->scanned);
    bool is_long = m->state == MULTIPART_HEAD && m->scanned - m->part_start > PART_HEAD_MAX_BYTES;
    bool is_delimiter = slice_starts(begun, (slice){m->delimiter, m->delimiter_len}); /* judged when it is whole */
    return is_long && !is_delimiter ? fail_part(m, FAIL(MULTIPART_HEAD), m->line_start) : OK;
}

result multipart_walker_feed(struct multipart_walker *m)
{
    return take_lines(m, false);
}

result multipart_walker_end(struct multipart_walker *m)
{
    return take_lines(m, true);
}

uint64_t multipart_walker_sure(const struct multipart_walker *m)
{
    return m->state == MULTIPART_VALUE ? m->part_start : m->line_start;
}
