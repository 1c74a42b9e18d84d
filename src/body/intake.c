/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include <assert.h>

/* --- a walker for each format --- */

/* Outbound, what has no walker of its own, or no places by rule, serves explicit placeholders as plain text. */
static enum body_format format_of(const struct walk *w)
{
    enum body_format format = w->plan->format;
    bool has_places = w->finder || w->plan->field_count > 0;
    switch (format) {
    case BODY_JSON:
    case BODY_FORM:
        return format;
    case BODY_XML:
    case BODY_MULTIPART:
        return has_places ? format : BODY_TEXT;
    case BODY_CSV:
        return w->finder ? format : BODY_TEXT;
    case BODY_TEXT:
    case BODY_FORMAT_COUNT:
        break;
    }
    return BODY_TEXT;
}

static bool walker_make(struct intake *i)
{
    switch (format_of(&i->walk)) {
    case BODY_JSON:
        return (i->walker.json = json_walker_new(&i->walk)) != NULL;
    case BODY_FORM:
        return (i->walker.form = form_walker_new(&i->walk)) != NULL;
    case BODY_XML:
        return (i->walker.xml = xml_walker_new(&i->walk)) != NULL;
    case BODY_MULTIPART:
        return (i->walker.multipart = multipart_walker_new(&i->walk)) != NULL;
    case BODY_CSV:
        return (i->walker.csv = csv_walker_new(&i->walk)) != NULL;
    default:
        return (i->walker.text = text_walker_new(&i->walk)) != NULL;
    }
}

static void walker_free(struct intake *i)
{
    switch (format_of(&i->walk)) {
    case BODY_JSON:
        json_walker_free(i->walker.json);
        break;
    case BODY_FORM:
        form_walker_free(i->walker.form);
        break;
    case BODY_XML:
        xml_walker_free(i->walker.xml);
        break;
    case BODY_MULTIPART:
        multipart_walker_free(i->walker.multipart);
        break;
    case BODY_CSV:
        csv_walker_free(i->walker.csv);
        break;
    default:
        text_walker_free(i->walker.text);
        break;
    }
}

static result walker_feed(struct intake *i, bool all)
{
    switch (format_of(&i->walk)) {
    case BODY_JSON:
        return json_walker_feed(i->walker.json, all);
    case BODY_FORM:
        return form_walker_feed(i->walker.form);
    case BODY_XML:
        return xml_walker_feed(i->walker.xml, all);
    case BODY_MULTIPART:
        return multipart_walker_feed(i->walker.multipart);
    case BODY_CSV:
        return csv_walker_feed(i->walker.csv);
    default:
        return text_walker_feed(i->walker.text);
    }
}

static result walker_end(struct intake *i)
{
    switch (format_of(&i->walk)) {
    case BODY_JSON:
        return json_walker_end(i->walker.json);
    case BODY_FORM:
        return form_walker_end(i->walker.form);
    case BODY_XML:
        return xml_walker_end(i->walker.xml);
    case BODY_MULTIPART:
        return multipart_walker_end(i->walker.multipart);
    case BODY_CSV:
        return csv_walker_end(i->walker.csv);
    default:
        return text_walker_end(i->walker.text);
    }
}

uint64_t intake_sure(const struct intake *i)
{
    if (i->is_ended) return walk_end(&i->walk);
    switch (format_of(&i->walk)) {
    case BODY_JSON:
        return json_walker_sure(i->walker.json);
    case BODY_FORM:
        return form_walker_sure(i->walker.form);
    case BODY_XML:
        return xml_walker_sure(i->walker.xml);
    case BODY_MULTIPART:
        return multipart_walker_sure(i->walker.multipart);
    case BODY_CSV: /* inbound only, and nothing of that is passed on before its end */
        return i->walk.base;
    default:
        return text_walker_sure(i->walker.text);
    }
}

/* --- feeding --- */

bool intake_init(struct intake *i, enum content_coding coding, size_t max_held_bytes, size_t expected_bytes)
{
    struct walk *w = &i->walk;
    i->expected = expected_bytes < max_held_bytes ? expected_bytes : max_held_bytes;
    w->max_names = max_held_bytes / 4 + 1024; /* more members do not fit into a held body */
    if (w->finder)
        buf_init_secret(&w->held, max_held_bytes);
    else
        buf_init(&w->held, max_held_bytes);
    bool made = walker_make(i);
    if (made && coding != CODING_IDENTITY) made = (i->inflater = inflater_new(coding)) != NULL;
    return made;
}

void intake_done(struct intake *i)
{
    walker_free(i);
    inflater_free(i->inflater);
    buf_done(&i->walk.held);
}

/* The walker sees what was stored before a failure too: the first mistake in the body is told, in whatever pieces it came. */
static result walk_stored(struct intake *i, result stored)
{
    TRY(walker_feed(i, failed(stored)));
    return failed(stored) ? walk_fail(&i->walk, stored.err, walk_end(&i->walk)) : OK;
}

static result feed_compressed(struct intake *i, slice bytes)
{
    result r = inflater_feed(i->inflater, bytes, &i->walk.held);
    if (r.err == ERR_TOO_LARGE) r = FAIL(BODY_INFLATE);
    return walk_stored(i, r);
}

/* A caller's word for the length takes no memory before as much as a sixteenth of it came. */
static void reserve_expected(struct intake *i)
{
    struct buf *held = &i->walk.held;
    if (i->walk.streamed || i->expected <= held->len || held->len < i->expected / 16) return;
    (void)failed(buf_reserve(held, i->expected - held->len)); /* if it fails, the buffer grows step by step */
    i->expected = 0;
}

static result feed_plain(struct intake *i, slice bytes)
{
    struct buf *held = &i->walk.held;
    reserve_expected(i);
    size_t room = held->max - held->len;
    bool fits = bytes.len <= room;
    result r = buf_append(held, fits ? bytes : slice_range(bytes, 0, room));
    if (!failed(r) && !fits) r = FAIL(BODY_TOO_LARGE);
    return walk_stored(i, r);
}

result intake_feed(struct intake *i, slice bytes)
{
    assert(!i->is_ended);
    if (i->walk.fault.err) return (result){i->walk.fault.err};
    if (bytes.len == 0) return OK;
    result r = i->inflater ? feed_compressed(i, bytes) : feed_plain(i, bytes);
    return failed(r) ? walk_fail(&i->walk, r.err, walk_end(&i->walk)) : OK;
}

result intake_end(struct intake *i)
{
    assert(!i->is_ended);
    if (i->walk.fault.err) return (result){i->walk.fault.err};
    result r = OK;
    if (i->inflater) r = inflater_end(i->inflater);
    if (failed(r)) {
        TRY(walker_feed(i, true));
        return walk_fail(&i->walk, r.err, walk_end(&i->walk));
    }
    r = walker_end(i);
    if (failed(r)) return walk_fail(&i->walk, r.err, walk_end(&i->walk));
    i->is_ended = true;
    return OK;
}
