/* SPDX-License-Identifier: Apache-2.0 */
#include "body/body.h"

#include "intake.h"

#include <stdlib.h>

struct body {
    struct intake intake;
};

static enum encoding encoding_of(enum body_format format)
{
    switch (format) {
    case BODY_JSON:
    case BODY_NDJSON:
        return ENCODING_JSON_STRING;
    case BODY_FORM:
        return ENCODING_FORM;
    case BODY_XML:
        return ENCODING_XML;
    case BODY_TEXT:
    case BODY_MULTIPART:
    case BODY_CSV: /* by rule its walker says more, field by field */
    case BODY_PARTS:
    case BODY_UNTYPED:
    case BODY_OPAQUE:
    case BODY_FORMAT_COUNT:
        break;
    }
    return ENCODING_TEXT;
}

struct body *body_new(const struct body_options *options, struct token_table *tokens)
{
    struct body *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    struct walk *w = &b->intake.walk;
    w->plan = options->plan;
    w->tokens = tokens;
    w->streamed = options->streamed;
    w->charset = options->charset;
    w->boundary = options->boundary;
    splice_init(&w->splice, w->plan, tokens, encoding_of(w->plan->format));
    if (intake_init(&b->intake, options->coding, options->max_held_bytes, options->expected_bytes)) return b;
    body_free(b);
    return NULL;
}

void body_free(struct body *b)
{
    if (!b) return;
    intake_done(&b->intake);
    splice_done(&b->intake.walk.splice);
    free(b);
}

result body_feed(struct body *b, slice bytes)
{
    return intake_feed(&b->intake, bytes);
}

result body_end(struct body *b)
{
    return intake_end(&b->intake);
}

const struct body_fault *body_fault(const struct body *b)
{
    return &b->intake.walk.fault;
}

result body_render(const struct body *b, const struct credential *const *credentials, struct buf *out)
{
    const struct walk *w = &b->intake.walk;
    ENSURE(b->intake.is_ended && w->base == 0, INTERNAL);
    return splice_render(&w->splice, buf_slice(&w->held), 0, credentials, out);
}

result body_drain(struct body *b, const struct credential *const *credentials, struct buf *out, bool *done)
{
    struct walk *w = &b->intake.walk;
    *done = false;
    ENSURE(w->streamed, INTERNAL);
    if (w->fault.err) return (result){w->fault.err};
    uint64_t reached;
    result r = splice_drain(&w->splice, buf_slice(&w->held), w->base, intake_sure(&b->intake), credentials, out, &reached);
    buf_consume(&w->held, (size_t)(reached - w->base));
    w->base = reached;
    *done = !failed(r) && b->intake.is_ended && w->held.len == 0;
    return r;
}

size_t body_held_bytes(const struct body *b)
{
    return b->intake.walk.held.len;
}

uint32_t body_slot_count(const struct body *b)
{
    return b->intake.walk.splice.count - b->intake.walk.splice.first;
}

slice body_captured(const struct body *b)
{
    const struct walk *w = &b->intake.walk;
    return w->capture == CAPTURE_WHOLE ? (slice){w->captured, w->captured_len} : SLICE_NONE;
}

static const struct splice_entry *entry_of(const struct body *b, uint32_t slot)
{
    const struct splice *s = &b->intake.walk.splice;
    return slot < body_slot_count(b) ? &s->entries[s->first + slot] : NULL;
}

bool body_slot_info(const struct body *b, uint32_t slot, struct body_slot_info *out)
{
    const struct splice *s = &b->intake.walk.splice;
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
    const struct splice *s = &b->intake.walk.splice;
    return entry_of(b, slot) && splice_entry_shows(s, s->first + slot, credentials);
}

const struct plan_edit *body_slot_edit(const struct body *b, uint32_t slot, const struct credential *const *credentials, size_t n,
                                       slice *path)
{
    const struct splice *s = &b->intake.walk.splice;
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
