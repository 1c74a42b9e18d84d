/* SPDX-License-Identifier: Apache-2.0 */
#include "walker.h"

#include "body/brand.h"
#include "body/percent.h"
#include "finder.h"

#include <string.h>

result walk_add_slot(struct walk *w, const struct placeholder_found *found, const struct plan_field *field, bool whole,
                     unsigned grow)
{
    const struct placeholder *p = &found->what;
    struct placeholder_wish wish;
    uint32_t token, index;
    TRY(placeholder_resolve(p, field, whole, &wish));
    TRY(token_table_add(w->tokens, (slice){p->token, p->token_len}, p->kind, &token));
    token_table_takes(w->tokens, token, wish.element == ELEMENT_CVC);
    struct splice_entry e = {
        .kind = SPLICE_SLOT,
        .start = found->start,
        .end = found->end,
        .token = token,
        .element = (uint8_t)wish.element,
        .format = (uint8_t)wish.format,
        .why = p->has_extract ? SPLICE_WHY_EXTRACT : field ? SPLICE_WHY_RULES : SPLICE_WHY_DEFAULT,
        .as_number = wish.as_number,
    };
    if (wish.as_number) {
        e.start -= grow;
        e.end += grow;
    }
    return splice_add(&w->splice, &e, &index);
}

/* A temporal token shows that it is one (vault/card.h). What stands where a CVC belongs can be nothing else. */
static enum token_kind bare_kind(slice text, enum element element)
{
    return element == ELEMENT_CVC || slice_starts(text, SLICE("tmp_")) ? TOKEN_TEMPORAL : TOKEN_PERMANENT;
}

result walk_add_bare(struct walk *w, slice text, uint64_t start, uint64_t end, const struct plan_field *field, unsigned grow)
{
    if (!w->plan->bare_tokens || !field || (field->element != ELEMENT_NUMBER && field->element != ELEMENT_CVC)) return OK;
    if (text.len < TOKEN_ID_MIN_BYTES || text.len > TOKEN_ID_MAX_BYTES || !slice_is_word(text)) return OK;
    if (slice_is_digits(text) && card_number_is_valid(text)) return OK;
    struct placeholder_found found = {.start = start, .end = end,
                                      .what = {.token_len = (uint8_t)text.len, .kind = bare_kind(text, field->element)}};
    memcpy(found.what.token, text.at, text.len);
    return walk_add_slot(w, &found, field, true, grow);
}

result walk_scan_text(struct walk *w, struct placeholder_scanner *s, slice text, uint64_t at, const struct plan_field *field, bool is_place)
{
    struct placeholder_found found;
    bool is_found;
    placeholder_reset(s);
    for (size_t i = 0, used; i < text.len; i += used) {
        TRY(placeholder_push_plain(s, slice_after(text, i), at + i, &found, &is_found, &used));
        if (!is_found) continue;
        ENSURE(is_place, PLACEHOLDER_PLACE);
        bool whole = found.start == at && found.end == at + text.len;
        TRY(walk_add_slot(w, &found, field, whole, 0));
    }
    return walk_add_bare(w, text, at, at + text.len, field, 0);
}

void walk_capture(struct walk *w, slice text)
{
    if (w->capture != CAPTURE_NONE) return;
    w->capture = CAPTURE_WHOLE;
    walk_capture_more(w, text);
}

void walk_capture_more(struct walk *w, slice text)
{
    if (w->capture != CAPTURE_WHOLE || text.len == 0) return;
    if (text.len > sizeof w->captured - w->captured_len) {
        w->capture = CAPTURE_TOO_LONG;
        return;
    }
    memcpy(w->captured + w->captured_len, text.at, text.len);
    w->captured_len = (uint8_t)(w->captured_len + text.len);
}

result walk_fail(struct walk *w, enum error err, uint64_t offset)
{
    if (w->fault.err == ERR_NONE) {
        w->fault.err = err;
        w->fault.offset = offset;
    }
    return (result){err};
}

void walk_fault_text(struct walk *w, slice text)
{
    size_t len = strlen(w->fault.path), room = sizeof w->fault.path - 1 - len;
    if (text.len > room) {
        text.len = room;
        while (text.len && ((unsigned char)text.at[text.len] & 0xc0) == 0x80) text.len--;
    }
    for (size_t i = 0; i < text.len; i++) /* JSON has no control characters in names, a form may */
        w->fault.path[len + i] = (unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f ? '?' : text.at[i];
    w->fault.path[len + text.len] = 0;
}

result walk_percent_decode(slice raw, bool plus_is_blank, bool lenient, struct buf *room, slice *text)
{
    *text = raw;
    if (slice_find(raw, '%') == raw.len && (!plus_is_blank || slice_find(raw, '+') == raw.len)) return OK;
    buf_clear(room);
    TRY(buf_reserve(room, raw.len));
    for (size_t i = 0, len; i < raw.len; i += len) {
        char *c = buf_room(room);
        bool right = percent_read(slice_after(raw, i), plus_is_blank, c, &len);
        buf_added(room, 1);
        ENSURE(right || lenient, FORM_SYNTAX);
    }
    *text = buf_slice(room);
    return OK;
}

uint64_t walk_percent_raw_at(const struct walk *w, struct value *v, size_t offset)
{
    for (; v->mark < offset; v->mark++) {
        char c;
        size_t len;
        (void)percent_read(walk_raw(w, v->mark_raw, v->end), false, &c, &len);
        v->mark_raw += len;
    }
    return v->mark_raw;
}
