/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/fields.h"

#include "base/clock.h"
#include "base/secret.h"
#include "vault/card.h"

#include <string.h>
#include <yajl/yajl_parse.h>

enum { DEPTH_MAX = 8, NAME_MAX_BYTES = 256 };

struct reading {
    struct fields *fields;
    unsigned depth;
    size_t prefix[DEPTH_MAX + 1]; /* length of the name at each depth */
    bool is_list[DEPTH_MAX + 1];
    char name[NAME_MAX_BYTES];
    size_t name_len;
    enum error err;
};

const struct field *fields_get(const struct fields *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (slice_is(f->at[i].name, name)) return &f->at[i];
    return NULL;
}

slice fields_text(const struct fields *f, const char *name)
{
    const struct field *found = fields_get(f, name);
    return found ? found->value : SLICE_NONE;
}

static result fields_init(struct fields *f, struct pool *pool)
{
    *f = (struct fields){.pool = pool};
    f->at = pool_alloc(pool, FIELDS_MAX * sizeof *f->at);
    ENSURE(f->at, MEMORY);
    return OK;
}

static result fields_add(struct fields *f, slice name, enum field_kind kind, slice value)
{
    ENSURE(f->count < FIELDS_MAX, TOO_LARGE);
    struct field *added = &f->at[f->count];
    TRY(pool_copy(f->pool, name, &added->name));
    TRY(pool_copy(f->pool, value, &added->value));
    added->kind = kind;
    f->count++;
    return OK;
}

/* --- JSON --- */

static int reading_fail(struct reading *r, enum error err)
{
    if (!r->err) r->err = err;
    return 0;
}

static int on_value(struct reading *r, enum field_kind kind, slice value)
{
    if (r->depth == 0) return reading_fail(r, ERR_JSON_SYNTAX); /* the document itself must be an object */
    result added = fields_add(r->fields, (slice){r->name, r->name_len}, kind, value);
    return failed(added) ? reading_fail(r, added.err) : 1;
}

static int on_null(void *ctx)
{
    return on_value(ctx, FIELD_NULL, SLICE_NONE);
}

static int on_boolean(void *ctx, int value)
{
    return on_value(ctx, FIELD_BOOL, value ? SLICE("true") : SLICE("false"));
}

static int on_number(void *ctx, const char *text, size_t len)
{
    return on_value(ctx, FIELD_NUMBER, (slice){text, len});
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    return on_value(ctx, FIELD_STRING, (slice){(const char *)text, len});
}

static int name_append(struct reading *r, slice text)
{
    if (text.len > sizeof r->name - r->name_len) return reading_fail(r, ERR_TOO_LARGE);
    if (text.len) memcpy(r->name + r->name_len, text.at, text.len);
    r->name_len += text.len;
    return 1;
}

static int on_open(struct reading *r, enum field_kind kind)
{
    if (r->depth == 0 && kind != FIELD_OBJECT) return reading_fail(r, ERR_JSON_SYNTAX);
    if (r->depth == DEPTH_MAX) return reading_fail(r, ERR_JSON_SYNTAX);
    if (r->depth > 0 && !r->is_list[r->depth] && !on_value(r, kind, SLICE_NONE)) return 0;
    if (kind == FIELD_LIST && !name_append(r, SLICE("[]"))) return 0;
    if (kind == FIELD_OBJECT && r->depth > 0 && !name_append(r, SLICE("/"))) return 0;
    r->depth++;
    r->prefix[r->depth] = r->name_len;
    r->is_list[r->depth] = kind == FIELD_LIST;
    return 1;
}

static int on_close(void *ctx)
{
    struct reading *r = ctx;
    r->depth--;
    r->name_len = r->prefix[r->depth];
    return 1;
}

static int on_map(void *ctx)
{
    return on_open(ctx, FIELD_OBJECT);
}

static int on_list(void *ctx)
{
    return on_open(ctx, FIELD_LIST);
}

static bool is_below_a_list(const struct reading *r)
{
    for (unsigned i = 1; i <= r->depth; i++)
        if (r->is_list[i]) return true;
    return false;
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
    struct reading *r = ctx;
    slice key = {(const char *)text, len};
    if (slice_find(key, '/') < len || slice_find(key, '[') < len) return reading_fail(r, ERR_JSON_SYNTAX);
    r->name_len = r->prefix[r->depth];
    if (!name_append(r, key)) return 0;
    slice name = {r->name, r->name_len};
    for (size_t i = 0; i < r->fields->count && !is_below_a_list(r); i++)
        if (slice_eq(r->fields->at[i].name, name)) return reading_fail(r, ERR_JSON_SYNTAX);
    return 1;
}

static const yajl_callbacks json_callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close,
    .yajl_start_array = on_list,
    .yajl_end_array = on_close,
};

result fields_from_json(struct fields *f, struct pool *pool, slice text)
{
    TRY(fields_init(f, pool));
    struct reading reading = {.fields = f};
    yajl_handle parser = yajl_alloc(&json_callbacks, NULL, &reading);
    ENSURE(parser, MEMORY);
    yajl_status status = yajl_parse(parser, (const unsigned char *)text.at, text.len);
    if (status == yajl_status_ok) status = yajl_complete_parse(parser);
    yajl_free(parser);
    if (reading.err) return (result){reading.err};
    ENSURE(status == yajl_status_ok, JSON_SYNTAX);
    return OK;
}

/* --- forms --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static result form_decode(struct pool *pool, slice text, slice *out)
{
    char *at = pool_alloc(pool, text.len + 1);
    ENSURE(at, MEMORY);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '+') c = ' ';
        if (c == '%') {
            ENSURE(i + 2 < text.len, FORM_SYNTAX);
            int high = hex_digit(text.at[i + 1]), low = hex_digit(text.at[i + 2]);
            ENSURE(high >= 0 && low >= 0, FORM_SYNTAX);
            c = (char)(high * 16 + low);
            i += 2;
        }
        at[len++] = c;
    }
    *out = (slice){at, len};
    return OK;
}

result fields_from_form(struct fields *f, struct pool *pool, slice text)
{
    TRY(fields_init(f, pool));
    slice pair;
    for (slice rest = text; text.len > 0 && slice_next(&rest, '&', &pair);) {
        size_t equals = slice_find(pair, '=');
        ENSURE(equals > 0 && equals < pair.len, FORM_SYNTAX);
        slice name, value;
        TRY(form_decode(pool, slice_range(pair, 0, equals), &name));
        TRY(form_decode(pool, slice_after(pair, equals + 1), &value));
        for (size_t i = 0; i < f->count; i++)
            ENSURE(!slice_eq(f->at[i].name, name), FORM_SYNTAX);
        TRY(fields_add(f, name, FIELD_STRING, value));
    }
    return OK;
}

/* --- checks --- */

static bool is_plain_text(slice text)
{
    if (slice_find_slice(text, SLICE("{{")) < text.len || slice_find_slice(text, SLICE("<<")) < text.len) return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f) return false;
    return true;
}

static bool is_number_between(const struct field *f, uint64_t least, uint64_t most, size_t digits)
{
    uint64_t n;
    if (f->kind != FIELD_STRING && f->kind != FIELD_NUMBER) return false;
    if (f->kind == FIELD_STRING && f->value.len != digits) return false;
    return slice_to_u64(f->value, most, &n) && n >= least;
}

static bool is_card_number(slice digits)
{
    struct card card = {0};
    bool good = slice_is_digits(digits) && !failed(card_set_number(&card, digits));
    secret_wipe(&card, sizeof card);
    return good;
}

static bool field_is_good(const struct field *f, enum field_check check)
{
    switch (check) {
    case CHECK_TEXT: return f->kind == FIELD_STRING && is_plain_text(f->value);
    case CHECK_DIGITS: return f->kind == FIELD_STRING && slice_is_digits(f->value);
    case CHECK_INTEGER: return f->kind == FIELD_NUMBER && slice_is_digits(f->value);
    case CHECK_ANY_INTEGER:
        return (f->kind == FIELD_STRING || f->kind == FIELD_NUMBER) && slice_is_digits(f->value);
    case CHECK_BOOL: return f->kind == FIELD_BOOL;
    case CHECK_OBJECT: return f->kind == FIELD_OBJECT;
    case CHECK_LIST: return f->kind == FIELD_LIST;
    case CHECK_CARD_NUMBER: return f->kind == FIELD_STRING && is_card_number(f->value);
    case CHECK_MONTH: return is_number_between(f, 1, 12, 2);
    case CHECK_YEAR: return is_number_between(f, 2000, 2099, 4);
    }
    return false;
}

static const struct field_rule *rule_of(const struct field_rule *rules, size_t count, slice name)
{
    size_t list = slice_find_slice(name, SLICE("[]")); /* what a list holds is not looked into */
    for (size_t i = 0; i < count; i++)
        if (slice_is(slice_range(name, 0, list), rules[i].name)) return &rules[i];
    return NULL;
}

static enum field_fault field_fault_of(const struct field *f, const struct field_rule *rule)
{
    if (f->kind == FIELD_OBJECT || f->kind == FIELD_LIST || f->kind == FIELD_BOOL)
        return field_is_good(f, rule->check) ? FAULT_NONE : FAULT_FORMAT;
    if (f->value.len < rule->min || f->value.len > rule->max) return FAULT_SIZE;
    return field_is_good(f, rule->check) ? FAULT_NONE : FAULT_FORMAT;
}

enum field_fault fields_check(const struct fields *f, const struct field_rule *rules, size_t count, slice *name)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct field_rule *rule = rule_of(rules, count, f->at[i].name);
        *name = f->at[i].name;
        if (!rule) return FAULT_UNKNOWN;
        if (slice_find_slice(*name, SLICE("[]")) < name->len) continue;
        enum field_fault fault = field_fault_of(&f->at[i], rule);
        if (fault) return fault;
    }
    for (size_t i = 0; i < count; i++) {
        *name = slice_of(rules[i].name);
        if (rules[i].required && !fields_get(f, rules[i].name)) return FAULT_MISSING;
    }
    *name = SLICE_NONE;
    return FAULT_NONE;
}

bool expiry_is_current(unsigned year, unsigned month)
{
    char now[CLOCK_RFC3339_BYTES];
    clock_rfc3339(clock_wall_ms(), now);
    uint64_t now_year = 0, now_month = 0;
    if (!slice_to_u64((slice){now, 4}, 9999, &now_year) || !slice_to_u64((slice){now + 5, 2}, 12, &now_month)) return false;
    return year > now_year || (year == now_year && month >= now_month);
}
