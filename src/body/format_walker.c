/* SPDX-License-Identifier: Apache-2.0 */
#include "format_walker.h"

#include "base/ascii.h"
#include "body/media_type.h"
#include "body/utf8.h"
#include "charset.h"

#include <string.h>

/* Outbound, what has no walker of its own, or no places by rule, serves explicit placeholders as plain text. */
static enum body_format served_as(const struct walk *w, enum body_format format)
{
    bool may_have_places = format == BODY_XML || format == BODY_MULTIPART || format == BODY_CSV || format == BODY_NDJSON;
    if (w->finder || format == BODY_JSON || format == BODY_FORM) return format;
    return may_have_places && w->plan->field_count > 0 ? format : BODY_TEXT;
}

static bool make(struct format_walker *f, struct walk *w)
{
    switch (f->format) {
    case BODY_JSON:
        return (f->as.json = json_walker_new(w)) != NULL;
    case BODY_FORM:
        return (f->as.form = form_walker_new(w)) != NULL;
    case BODY_XML:
        return (f->as.xml = xml_walker_new(w)) != NULL;
    case BODY_MULTIPART:
    case BODY_PARTS:
        return (f->as.multipart = multipart_walker_new(w, f->format == BODY_MULTIPART)) != NULL;
    case BODY_CSV:
        return (f->as.csv = csv_walker_new(w)) != NULL;
    case BODY_NDJSON:
        return (f->as.ndjson = ndjson_walker_new(w)) != NULL;
    case BODY_TEXT:
        return (f->as.text = text_walker_new(w)) != NULL;
    case BODY_UNTYPED:
    case BODY_OPAQUE:
    case BODY_FORMAT_COUNT:
        break;
    }
    return true;
}

bool format_walker_init(struct format_walker *f, struct walk *w, enum body_format format)
{
    *f = (struct format_walker){.format = served_as(w, format)};
    f->is_untyped = f->format == BODY_UNTYPED;
    return make(f, w);
}

void format_walker_done(struct format_walker *f)
{
    switch (f->format) {
    case BODY_JSON:
        json_walker_free(f->as.json);
        break;
    case BODY_FORM:
        form_walker_free(f->as.form);
        break;
    case BODY_XML:
        xml_walker_free(f->as.xml);
        break;
    case BODY_MULTIPART:
    case BODY_PARTS:
        multipart_walker_free(f->as.multipart);
        break;
    case BODY_CSV:
        csv_walker_free(f->as.csv);
        break;
    case BODY_NDJSON:
        ndjson_walker_free(f->as.ndjson);
        break;
    case BODY_TEXT:
        text_walker_free(f->as.text);
        break;
    case BODY_UNTYPED:
    case BODY_OPAQUE:
    case BODY_FORMAT_COUNT:
        break;
    }
}

/* --- what is asked of every format --- */

static bool is_plain_text(enum body_format format)
{
    return format == BODY_TEXT || format == BODY_CSV || format == BODY_FORM;
}

/* XML says itself what it is, and so do the parts of a form. Of all else a name that is not known, or stands twice, could be one in which
 * a number is not the bytes that are looked for: JSON is UTF-8 (RFC 8259 section 8.1), but whoever believes "utf-7" reads another one. */
static bool is_readable(const struct format_walker *f, const struct walk *w)
{
    bool says_itself = f->format == BODY_XML || f->format == BODY_MULTIPART || f->format == BODY_PARTS;
    if (!w->charset.at || f->format == BODY_OPAQUE) return true;
    return says_itself ? w->charset.len > 0 : charset_is_readable(w->charset);
}

/* White space, or of the mark that some programs write before UTF-8: no other character begins with two of its bytes. */
static bool is_blank(char c)
{
    return ascii_is_white(c) || c == '\xEF' || c == '\xBB' || c == '\xBF';
}

/* The first byte that is no white space tells. What is no JSON, or no XML, although it begins so, is refused as such. */
static result choose(struct format_walker *f, struct walk *w, bool is_end)
{
    slice held = walk_raw(w, w->base, walk_end(w));
    while (f->blanks < held.len && is_blank(held.at[f->blanks])) f->blanks++;
    if (f->blanks == held.len && !is_end) return OK;
    char first = f->blanks < held.len ? held.at[f->blanks] : 0;
    f->format = first == '{' || first == '[' ? BODY_JSON : first == '<' ? BODY_XML : BODY_TEXT;
    if (make(f, w)) return OK;
    f->format = BODY_UNTYPED;
    return FAIL(MEMORY);
}

static result check_type(struct walk *w)
{
    if (walk_end(w) == w->base || media_type_is_listed(w->pass_types, w->media_type)) return OK;
    walk_fault_text(w, w->media_type);
    return walk_fail(w, ERR_INBOUND_TYPE, w->base);
}

/* What says nothing of its charset may be UTF-16 all the same, as spreadsheets write it: no form, no CSV and no text has a zero byte. */
static result check_text(const struct format_walker *f, struct walk *w)
{
    slice held = walk_raw(w, w->base, walk_end(w));
    if (!w->finder || !is_plain_text(f->format) || !held.len) return OK;
    bool has_zero = memchr(held.at, 0, held.len) != NULL;
    if (f->is_untyped && (has_zero || !utf8_is_valid(held))) return walk_fail(w, ERR_INBOUND_UNTYPED, w->base);
    return has_zero ? walk_fail(w, ERR_CHARSET, w->base) : OK;
}

/* --- feeding --- */

static result feed(struct format_walker *f, bool all)
{
    switch (f->format) {
    case BODY_JSON:
        return json_walker_feed(f->as.json, all);
    case BODY_FORM:
        return form_walker_feed(f->as.form);
    case BODY_XML:
        return xml_walker_feed(f->as.xml, all);
    case BODY_MULTIPART:
    case BODY_PARTS:
        return multipart_walker_feed(f->as.multipart);
    case BODY_CSV:
        return csv_walker_feed(f->as.csv);
    case BODY_NDJSON:
        return ndjson_walker_feed(f->as.ndjson);
    case BODY_TEXT:
        return text_walker_feed(f->as.text);
    case BODY_UNTYPED:
    case BODY_OPAQUE:
    case BODY_FORMAT_COUNT:
        break;
    }
    return OK;
}

static result end(struct format_walker *f)
{
    switch (f->format) {
    case BODY_JSON:
        return json_walker_end(f->as.json);
    case BODY_FORM:
        return form_walker_end(f->as.form);
    case BODY_XML:
        return xml_walker_end(f->as.xml);
    case BODY_MULTIPART:
    case BODY_PARTS:
        return multipart_walker_end(f->as.multipart);
    case BODY_CSV:
        return csv_walker_end(f->as.csv);
    case BODY_NDJSON:
        return ndjson_walker_end(f->as.ndjson);
    case BODY_TEXT:
        return text_walker_end(f->as.text);
    case BODY_UNTYPED:
    case BODY_OPAQUE:
    case BODY_FORMAT_COUNT:
        break;
    }
    return OK;
}

result format_walker_feed(struct format_walker *f, struct walk *w, bool all)
{
    if (w->finder && !is_readable(f, w)) return walk_fail(w, ERR_CHARSET, w->base);
    if (f->format == BODY_OPAQUE) return check_type(w);
    if (f->format == BODY_UNTYPED) TRY(choose(f, w, false));
    return feed(f, all);
}

result format_walker_end(struct format_walker *f, struct walk *w)
{
    if (f->format == BODY_UNTYPED) TRY(choose(f, w, true));
    TRY(check_text(f, w));
    return end(f);
}

uint64_t format_walker_sure(const struct format_walker *f, const struct walk *w)
{
    switch (f->format) {
    case BODY_JSON:
        return json_walker_sure(f->as.json);
    case BODY_FORM:
        return form_walker_sure(f->as.form);
    case BODY_XML:
        return xml_walker_sure(f->as.xml);
    case BODY_MULTIPART:
        return multipart_walker_sure(f->as.multipart);
    case BODY_TEXT:
        return text_walker_sure(f->as.text);
    case BODY_CSV:
        return csv_walker_sure(f->as.csv);
    case BODY_NDJSON:
        return ndjson_walker_sure(f->as.ndjson);
    case BODY_PARTS: /* inbound only, and nothing of that is passed on before its end */
    case BODY_UNTYPED:
    case BODY_OPAQUE:
    case BODY_FORMAT_COUNT:
        break;
    }
    return w->base;
}

/* --- documents within a body --- */

static result walk_all(struct format_walker *f, struct walk *w)
{
    TRY(format_walker_feed(f, w, true));
    return format_walker_end(f, w);
}

static result tell_fault(struct walk *w, const struct walk *inner, result r, slice name)
{
    if (w->fault.err != ERR_NONE) return r;
    walk_fault_text(w, name);
    if (name.len && inner->fault.path[0]) walk_fault_text(w, SLICE(": "));
    walk_fault_text(w, slice_of(inner->fault.path));
    return walk_fail(w, r.err, inner->fault.err ? inner->fault.offset : inner->base);
}

result nested_walk(struct walk *w, const struct plan *plan, const struct nested *n)
{
    slice raw = walk_raw(w, n->from, n->to);
    struct walk inner = *w;
    struct format_walker f;
    inner.plan = plan;
    inner.charset = n->charset;
    inner.boundary = SLICE_NONE;
    inner.media_type = n->type;
    inner.held = (struct buf){.at = (char *)raw.at, .len = raw.len, .max = w->held.max}; /* borrowed: nobody writes there */
    inner.base = n->from;
    result r = format_walker_init(&f, &inner, n->format) ? walk_all(&f, &inner) : FAIL(MEMORY);
    format_walker_done(&f);
    w->splice = inner.splice;
    return failed(r) ? tell_fault(w, &inner, r, n->name) : OK;
}
