/* SPDX-License-Identifier: Apache-2.0 */
#include "body/body.h"

#include "body/path_match.h"
#include "walker.h"

#include <assert.h>
#include <stdlib.h>

struct body {
    struct walk walk;
    enum body_format format;
    bool is_ended;
    size_t expected; /* 0 once it has been reserved */
    struct inflater *inflater; /* NULL: not compressed */
    union {
        struct json_walker *json;
        struct form_walker *form;
        struct text_walker *text;
    } walker;
};

static enum encoding encoding_of(enum body_format format)
{
    switch (format) {
    case BODY_JSON:
        return ENCODING_JSON_STRING;
    case BODY_FORM:
        return ENCODING_FORM;
    case BODY_XML:
        return ENCODING_XML;
    case BODY_TEXT:
    case BODY_MULTIPART:
    case BODY_CSV:
    case BODY_FORMAT_COUNT:
        break;
    }
    return ENCODING_TEXT;
}

static bool walker_make(struct body *b)
{
    switch (b->format) {
    case BODY_JSON:
        return (b->walker.json = json_walker_new(&b->walk)) != NULL;
    case BODY_FORM:
        return (b->walker.form = form_walker_new(&b->walk)) != NULL;
    case BODY_TEXT:
    case BODY_XML:
    case BODY_MULTIPART:
    case BODY_CSV:
    case BODY_FORMAT_COUNT: /* explicit placeholders only */
        return (b->walker.text = text_walker_new(&b->walk)) != NULL;
    }
    return false;
}

static void walker_free(struct body *b)
{
    switch (b->format) {
    case BODY_JSON:
        json_walker_free(b->walker.json);
        break;
    case BODY_FORM:
        form_walker_free(b->walker.form);
        break;
    case BODY_TEXT:
    case BODY_XML:
    case BODY_MULTIPART:
    case BODY_CSV:
    case BODY_FORMAT_COUNT: /* explicit placeholders only */
        text_walker_free(b->walker.text);
        break;
    }
}

static result walker_feed(struct body *b, bool all)
{
    switch (b->format) {
    case BODY_JSON:
        return json_walker_feed(b->walker.json, all);
    case BODY_FORM:
        return form_walker_feed(b->walker.form);
    case BODY_TEXT:
    case BODY_XML:
    case BODY_MULTIPART:
    case BODY_CSV:
    case BODY_FORMAT_COUNT: /* explicit placeholders only */
        return text_walker_feed(b->walker.text);
    }
    return FAIL(INTERNAL);
}

static uint64_t walker_sure(const struct body *b)
{
    if (b->is_ended) return walk_end(&b->walk);
    switch (b->format) {
    case BODY_JSON:
        return json_walker_sure(b->walker.json);
    case BODY_FORM:
        return form_walker_sure(b->walker.form);
    case BODY_TEXT:
    case BODY_XML:
    case BODY_MULTIPART:
    case BODY_CSV:
    case BODY_FORMAT_COUNT: /* explicit placeholders only */
        return text_walker_sure(b->walker.text);
    }
    return b->walk.base;
}

struct body *body_new(const struct body_options *options, struct token_table *tokens)
{
    struct body *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    struct walk *w = &b->walk;
    b->format = options->plan->format;
    w->plan = options->plan;
    w->tokens = tokens;
    w->streamed = options->streamed;
    b->expected = options->expected_bytes < options->max_held_bytes ? options->expected_bytes : options->max_held_bytes;
    w->max_names = options->max_held_bytes / 4 + 1024; /* more members do not fit into a held body */
    buf_init(&w->held, options->max_held_bytes);
    splice_init(&w->splice, w->plan, tokens, encoding_of(b->format));
    bool made = walker_make(b);
    if (made && options->coding != CODING_IDENTITY) made = (b->inflater = inflater_new(options->coding)) != NULL;
    if (made) return b;
    body_free(b);
    return NULL;
}

void body_free(struct body *b)
{
    if (!b) return;
    walker_free(b);
    inflater_free(b->inflater);
    splice_done(&b->walk.splice);
    buf_done(&b->walk.held);
    free(b);
}

/* The walker sees what was stored before a failure too: the first mistake in the body is told, in whatever pieces it came. */
static result walk_stored(struct body *b, result stored)
{
    TRY(walker_feed(b, failed(stored)));
    return failed(stored) ? walk_fail(&b->walk, stored.err, walk_end(&b->walk)) : OK;
}

static result feed_compressed(struct body *b, slice bytes)
{
    result r = inflater_feed(b->inflater, bytes, &b->walk.held);
    if (r.err == ERR_TOO_LARGE) r = FAIL(BODY_INFLATE);
    return walk_stored(b, r);
}

/* A caller's word for the length takes no memory before as much as a sixteenth of it came. */
static void reserve_expected(struct body *b)
{
    struct buf *held = &b->walk.held;
    if (b->walk.streamed || b->expected <= held->len || held->len < b->expected / 16) return;
    (void)failed(buf_reserve(held, b->expected - held->len)); /* if it fails, the buffer grows step by step */
    b->expected = 0;
}

static result feed_plain(struct body *b, slice bytes)
{
    struct buf *held = &b->walk.held;
    reserve_expected(b);
    size_t room = held->max - held->len;
    bool fits = bytes.len <= room;
    result r = buf_append(held, fits ? bytes : slice_range(bytes, 0, room));
    if (!failed(r) && !fits) r = FAIL(BODY_TOO_LARGE);
    return walk_stored(b, r);
}

result body_feed(struct body *b, slice bytes)
{
    assert(!b->is_ended);
    if (b->walk.fault.err) return (result){b->walk.fault.err};
    if (bytes.len == 0) return OK;
    result r = b->inflater ? feed_compressed(b, bytes) : feed_plain(b, bytes);
    return failed(r) ? walk_fail(&b->walk, r.err, walk_end(&b->walk)) : OK;
}

result body_end(struct body *b)
{
    assert(!b->is_ended);
    if (b->walk.fault.err) return (result){b->walk.fault.err};
    result r = OK;
    if (b->inflater) r = inflater_end(b->inflater);
    if (failed(r)) {
        TRY(walker_feed(b, true));
        return walk_fail(&b->walk, r.err, walk_end(&b->walk));
    }
    if (b->format == BODY_JSON) r = json_walker_end(b->walker.json);
    if (b->format == BODY_FORM) r = form_walker_end(b->walker.form);
    if (failed(r)) return walk_fail(&b->walk, r.err, walk_end(&b->walk));
    b->is_ended = true;
    return OK;
}

const struct body_fault *body_fault(const struct body *b)
{
    return &b->walk.fault;
}

result body_render(const struct body *b, const struct credential *const *credentials, struct buf *out)
{
    const struct walk *w = &b->walk;
    ENSURE(b->is_ended && w->base == 0, INTERNAL);
    return splice_render(&w->splice, buf_slice(&w->held), 0, credentials, out);
}

result body_drain(struct body *b, const struct credential *const *credentials, struct buf *out, bool *done)
{
    struct walk *w = &b->walk;
    *done = false;
    ENSURE(w->streamed, INTERNAL);
    if (w->fault.err) return (result){w->fault.err};
    uint64_t reached;
    result r = splice_drain(&w->splice, buf_slice(&w->held), w->base, walker_sure(b), credentials, out, &reached);
    buf_consume(&w->held, (size_t)(reached - w->base));
    w->base = reached;
    *done = !failed(r) && b->is_ended && w->held.len == 0;
    return r;
}

size_t body_held_bytes(const struct body *b)
{
    return b->walk.held.len;
}

uint32_t body_slot_count(const struct body *b)
{
    return b->walk.splice.count - b->walk.splice.first;
}

slice body_captured(const struct body *b)
{
    const struct walk *w = &b->walk;
    return w->capture == CAPTURE_WHOLE ? (slice){w->captured, w->captured_len} : SLICE_NONE;
}

static const struct splice_entry *entry_of(const struct body *b, uint32_t slot)
{
    const struct splice *s = &b->walk.splice;
    return slot < body_slot_count(b) ? &s->entries[s->first + slot] : NULL;
}

bool body_slot_info(const struct body *b, uint32_t slot, struct body_slot_info *out)
{
    const struct splice *s = &b->walk.splice;
    const struct splice_entry *e = entry_of(b, slot);
    if (!e) return false;
    bool is_edit = e->kind != SPLICE_SLOT;
    *out = (struct body_slot_info){
        .start = e->start,
        .end = e->end,
        .token = is_edit ? s->edit_token : e->token,
        .element = (enum element)e->element,
        .format = (enum date_format)e->format,
        .as_number = e->as_number,
        .why = splice_why_text(e),
        .only_network_token = is_edit && e->why != SPLICE_WHY_TRANSACTION,
        .dropped = e->kind == SPLICE_DROP,
        .is_edit = is_edit,
    };
    return true;
}

bool body_slot_shows(const struct body *b, uint32_t slot, const struct credential *const *credentials)
{
    const struct splice *s = &b->walk.splice;
    return entry_of(b, slot) && splice_entry_shows(s, s->first + slot, credentials);
}

const struct plan_edit *body_slot_edit(const struct body *b, uint32_t slot, const struct credential *const *credentials, size_t n,
                                       slice *path)
{
    const struct splice *s = &b->walk.splice;
    const struct splice_entry *entry = entry_of(b, slot);
    if (!entry || entry->kind == SPLICE_SLOT || entry->kind == SPLICE_DROP || s->edit_token == SPLICE_NO_TOKEN) return NULL;
    const struct credential *c = credentials[s->edit_token];
    for (size_t i = 0; i < s->plan->edit_count; i++) {
        const struct plan_edit *e = &s->plan->edits[i];
        if (e->drop || !edit_is_below(s->plan, e, entry->node) || !edit_holds(e, c) || n-- > 0) continue;
        *path = path_set_text(s->plan->paths, e->path);
        return e;
    }
    return NULL;
}
