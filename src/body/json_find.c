/* SPDX-License-Identifier: Apache-2.0 */
#include "json_walker.h"

#include "finder.h"

/* RFC 3629 section 3: bytes of a code point. */
static size_t utf8_bytes(unsigned code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/* Follows the string's escapes from where it was asked last. A number's digits are characters of one byte each, so the offset falls
 * between two characters. */
static uint64_t raw_at(const struct walk *w, struct value *v, size_t offset)
{
    while (v->mark < offset && v->mark_raw < v->end) {
        slice raw = walk_raw(w, v->mark_raw, v->end);
        unsigned code;
        size_t len = 1, decoded = 1;
        if (raw.at[0] == '\\' && !failed(json_read_escape(raw, &code, &len))) decoded = utf8_bytes(code);
        v->mark_raw += len;
        v->mark += decoded;
    }
    return v->mark_raw;
}

/* The decoded text has '?' for a lone surrogate, so escapes are looked at here too. */
static result check_escapes(slice raw)
{
    for (size_t i = 0, len; i < raw.len; i += len) {
        unsigned code;
        len = 1;
        if (raw.at[i] == '\\') TRY(json_read_escape(slice_after(raw, i), &code, &len));
    }
    return OK;
}

/* The rules' field of this value: their paths', or what stands below a number or CVC of theirs is held to be one too. */
static const struct plan_field *field_of(const struct json_walker *j)
{
    const struct plan_field *field = json_field_here(j);
    return field ? field : j->levels[j->depth].inherited;
}

static bool tell(struct json_walker *j, struct value *v)
{
    result r = finder_value(j->walk->finder, v);
    return !failed(r) || json_stop(j, r.err, j->token_start);
}

bool json_find_string(struct json_walker *j, slice text, bool is_key)
{
    uint64_t start = j->token_start + 1, end = j->token_end - 1;
    bool is_escaped = end - start != text.len; /* escapes are longer than what they stand for */
    result r = is_escaped ? check_escapes(walk_raw(j->walk, start, end)) : OK;
    if (failed(r)) return json_stop(j, r.err, j->token_start);
    const struct plan_field *field = is_key ? NULL : field_of(j);
    if (!finder_wants(j->walk->finder, field)) return true;
    return tell(j, &(struct value){.text = text, .start = start, .end = end, .field = field, .raw_at = is_escaped ? raw_at : NULL});
}

bool json_find_number(struct json_walker *j, slice text)
{
    const struct plan_field *field = field_of(j);
    if (!finder_wants(j->walk->finder, field)) return true;
    return tell(j, &(struct value){.text = text, .start = j->token_start, .end = j->token_end, .field = field, .is_bare = true});
}

const struct plan_field *json_find_inherited(const struct json_walker *j)
{
    const struct plan_field *field = field_of(j);
    return field && (field->element == ELEMENT_NUMBER || field->element == ELEMENT_CVC) ? field : NULL;
}
