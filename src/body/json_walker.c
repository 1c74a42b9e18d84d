/* SPDX-License-Identifier: Apache-2.0 */
#include "json_walker.h"

#include "base/ascii.h"
#include "finder.h"
#include "fingerprint.h"

#include <stdlib.h>
#include <string.h>

/* --- where we are --- */

static uint64_t *state_of(const struct json_walker *j, unsigned depth)
{
    return j->states + depth * j->words;
}

static struct json_level *level_of(struct json_walker *j)
{
    return &j->levels[j->depth];
}

int json_stop(struct json_walker *j, enum error err, uint64_t offset)
{
    if (j->stopped == ERR_NONE) {
        j->stopped = err;
        j->stopped_at = offset;
    }
    return 0;
}

/* yajl says where a token ended. It began after the one before, and the white space, ',' and ':' between them; those are
 * looked at here because yajl takes more for white space than JSON does. */
static bool token_begin(struct json_walker *j)
{
    uint64_t end = j->fed + yajl_get_bytes_consumed(j->yajl);
    uint64_t known = walk_end(j->walk);
    j->token_end = end < known ? end : known;
    const char *from = walk_at(j->walk, j->gap_end), *at = from;
    while (ascii_is_white(*at) || *at == ',' || *at == ':') at++;
    j->token_start = j->gap_end + (uint64_t)(at - from);
    return (*at != '\f' && *at != '\v') || json_stop(j, ERR_JSON_SYNTAX, j->token_start);
}

static void token_done(struct json_walker *j)
{
    j->last_end = j->gap_end = j->token_end;
}

/* --- values --- */

static bool value_begin(struct json_walker *j, bool is_object)
{
    struct json_level *l = level_of(j);
    if (j->depth > 0 && !l->is_map) {
        j->live = l->live && path_match_index(j->walk->plan->paths, state_of(j, j->depth), l->members,
                                              state_of(j, j->depth + 1));
        l->members++;
        if (j->edits && !json_edit_member(j)) return false;
    }
    return !j->edits || !j->live || json_edit_value(j, is_object);
}

static void value_done(struct json_walker *j)
{
    if (j->edits) json_edit_value_done(j);
    token_done(j);
    if (j->depth == 0) j->is_done = true;
}

/* The rules want to know the text at one place. */
static void capture(struct json_walker *j, slice text)
{
    const struct plan *plan = j->walk->plan;
    if (plan->has_capture && j->live && path_bit(state_of(j, j->depth + 1), path_set_end(plan->paths, plan->capture)))
        walk_capture(j->walk, text);
}

const struct plan_field *json_field_here(const struct json_walker *j)
{
    if (!j->live) return NULL;
    const struct plan *plan = j->walk->plan;
    const uint64_t *here = state_of(j, j->depth + 1);
    for (size_t i = 0; i < plan->field_count; i++)
        if (path_bit(here, path_set_end(plan->paths, plan->fields[i].path))) return &plan->fields[i];
    return NULL;
}

static int scalar(struct json_walker *j, slice text)
{
    if (!token_begin(j) || !value_begin(j, false)) return 0;
    if (text.at) capture(j, text);
    value_done(j);
    return 1;
}

static int on_null(void *context)
{
    return scalar(context, SLICE_NONE);
}

static int on_boolean(void *context, int value)
{
    return scalar(context, value ? SLICE("true") : SLICE("false"));
}

static int on_number(void *context, const char *text, size_t len)
{
    struct json_walker *j = context;
    slice number = {text, len};
    if (!token_begin(j) || !value_begin(j, false)) return 0;
    if (j->walk->finder && !json_find_number(j, number)) return 0;
    result r = j->walk->finder ? OK : walk_add_bare(j->walk, number, j->token_start, j->token_end, json_field_here(j), 0);
    if (failed(r)) return json_stop(j, r.err, j->token_start);
    capture(j, number);
    value_done(j);
    return 1;
}

/* Keys may hold no placeholder, values get a slot. */
static result take_found(struct json_walker *j, result pushed, const struct placeholder_found *found, bool is_found,
                         bool is_key)
{
    if (is_key) ENSURE(!is_found && !failed(pushed), PLACEHOLDER_IN_KEY);
    TRY(pushed);
    if (!is_found) return OK;
    bool whole = found->start == j->token_start + 1 && found->end == j->token_end - 1;
    return walk_add_slot(j->walk, found, json_field_here(j), whole, 1);
}

/* Where the first brace stands in [from, to); <to>: nowhere. Searched past the string's end, so that the many short strings of
 * a large body cost no search of their own. */
static uint64_t find_brace(struct json_walker *j, uint64_t from, uint64_t to)
{
    if (j->plain_to < to) {
        if (j->plain_to < from) j->plain_to = from;
        j->plain_to += placeholder_find_opener(walk_raw(j->walk, j->plain_to, walk_end(j->walk)));
    }
    return j->plain_to < to ? j->plain_to : to;
}

static result scan_plain(struct json_walker *j, slice raw, uint64_t at, bool is_key)
{
    struct placeholder_found found;
    bool is_found;
    size_t used;
    for (size_t i = (size_t)(find_brace(j, at, at + raw.len) - at); i < raw.len; i += used) {
        result r = placeholder_push_plain(&j->scanner, slice_after(raw, i), at + i, &found, &is_found, &used);
        TRY(take_found(j, r, &found, is_found, is_key));
    }
    return OK;
}

static unsigned hex4(const char *at)
{
    unsigned n = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)at[i];
        n = n << 4 | (c <= '9' ? c - '0' : (c | 0x20u) - 'a' + 10);
    }
    return n;
}

/* RFC 7493 section 2.1: strings "MUST NOT include code points that identify Surrogates", so a half pair is refused: some parsers make
 * '?' of it, some invalid bytes. */
result json_read_escape(slice raw, unsigned *code, size_t *len)
{
    static const char plain[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    ENSURE(raw.len >= 2, JSON_SYNTAX);
    *len = 2;
    const char *known = raw.at[1] ? strchr(plain, raw.at[1]) : NULL;
    if (known) {
        *code = (unsigned char)means[known - plain];
        return OK;
    }
    ENSURE(raw.at[1] == 'u' && raw.len >= 6, JSON_SYNTAX);
    *len = 6;
    *code = hex4(raw.at + 2);
    if (*code < 0xd800 || *code > 0xdfff) return OK;
    ENSURE(*code < 0xdc00 && raw.len >= 12 && raw.at[6] == '\\' && raw.at[7] == 'u', JSON_SURROGATE);
    unsigned low = hex4(raw.at + 8);
    ENSURE(low >= 0xdc00 && low <= 0xdfff, JSON_SURROGATE);
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    *len = 12;
    return OK;
}

static result scan_escaped(struct json_walker *j, slice raw, uint64_t at, bool is_key)
{
    struct placeholder_found found;
    bool is_found;
    for (size_t i = 0; i < raw.len;) {
        char c = raw.at[i];
        size_t len = 1;
        unsigned code;
        if (c == '\\') {
            TRY(json_read_escape(slice_after(raw, i), &code, &len));
            c = (char)(code < 0x80 ? code : 0x80); /* any beyond ASCII: no part of a placeholder */
        }
        if (!placeholder_is_idle(&j->scanner) || placeholder_is_opener(c)) {
            result r = placeholder_push(&j->scanner, c, at + i, at + i + len, &found, &is_found);
            TRY(take_found(j, r, &found, is_found, is_key));
        }
        i += len;
    }
    return OK;
}

/* Escapes are longer than what they stand for, so equal lengths mean that there are none. */
static bool scan_string(struct json_walker *j, slice text, bool is_key)
{
    if (j->walk->finder) return json_find_string(j, text, is_key);
    uint64_t at = j->token_start + 1;
    slice raw = walk_raw(j->walk, at, j->token_end - 1);
    placeholder_reset(&j->scanner);
    result r = raw.len == text.len ? scan_plain(j, raw, at, is_key) : scan_escaped(j, raw, at, is_key);
    if (!failed(r) && !is_key && raw.len == text.len) r = walk_add_bare(j->walk, raw, at, at + raw.len, json_field_here(j), 1);
    return !failed(r) || json_stop(j, r.err, j->token_start);
}

static int on_string(void *context, const unsigned char *text, size_t len)
{
    struct json_walker *j = context;
    slice string = {(const char *)text, len};
    if (!token_begin(j) || !value_begin(j, false) || !scan_string(j, string, false)) return 0;
    capture(j, string);
    value_done(j);
    return 1;
}

/* --- member names --- */

static bool name_push(struct json_walker *j, uint64_t fingerprint)
{
    if (j->name_count == j->name_cap) {
        if (j->name_cap >= j->walk->max_names) return json_stop(j, ERR_BODY_TOO_LARGE, j->token_start);
        size_t cap = j->name_cap * 2;
        bool first = j->names == j->name_room;
        uint64_t *names = realloc(first ? NULL : j->names, cap * sizeof *names);
        if (!names) return json_stop(j, ERR_MEMORY, j->token_start);
        if (first) memcpy(names, j->name_room, sizeof j->name_room);
        j->names = names;
        j->name_cap = cap;
    }
    j->names[j->name_count++] = fingerprint;
    return true;
}

/* The first members of an object are compared with all before; what comes after them is sorted when the object ends. */
static bool name_is_new(struct json_walker *j, uint64_t fingerprint)
{
    uint64_t *names = j->names + level_of(j)->first_name;
    size_t count = j->name_count - level_of(j)->first_name;
    bool found = false;
    if (count >= JSON_NAMES_COMPARED) return true;
    for (size_t i = 0; i < count; i++) found |= names[i] == fingerprint;
    return !found;
}

static int compare_names(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static bool names_are_unique(struct json_walker *j)
{
    uint64_t *names = j->names + level_of(j)->first_name;
    size_t count = j->name_count - level_of(j)->first_name;
    if (count <= JSON_NAMES_COMPARED) return true;
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count; i++)
        if (names[i] == names[i - 1]) return false;
    return true;
}

static int on_key(void *context, const unsigned char *text, size_t len)
{
    struct json_walker *j = context;
    if (!token_begin(j)) return 0;
    struct json_level *l = level_of(j);
    slice name = {(const char *)text, len};
    uint64_t f = fingerprint_of(name);
    l->key_at = j->token_start;
    l->key_end = j->token_end;
    l->members++;
    if (!scan_string(j, name, true)) return 0;
    /* RFC 8259 section 4: "The names within an object SHOULD be unique": parsers differ in which of two they take. */
    if (!name_is_new(j, f)) return json_stop(j, ERR_JSON_DUPLICATE_KEY, j->token_start);
    if (!name_push(j, f)) return 0;
    j->live = l->live && path_match_name(j->walk->plan->paths, state_of(j, j->depth), name, f, state_of(j, j->depth + 1));
    if (j->edits && !json_edit_member(j)) return 0;
    token_done(j);
    return 1;
}

/* --- objects and arrays --- */

static int container_begin(struct json_walker *j, bool is_map)
{
    if (!token_begin(j) || !value_begin(j, is_map)) return 0;
    if (j->depth == JSON_MAX_DEPTH) return json_stop(j, ERR_JSON_DEPTH, j->token_start);
    struct json_level l = {.is_map = is_map, .live = j->live, .first_name = j->name_count, .drop = JSON_NO_ENTRY,
                           .replace = JSON_NO_ENTRY};
    if (j->walk->finder) {
        l.inherited = json_find_inherited(j);
        result r = finder_open(j->walk->finder);
        if (failed(r)) return json_stop(j, r.err, j->token_start);
    }
    j->depth++;
    *level_of(j) = l;
    if (j->edits) json_edit_container(j);
    token_done(j);
    return 1;
}

static int on_start_map(void *context)
{
    return container_begin(context, true);
}

static int on_start_array(void *context)
{
    return container_begin(context, false);
}

static int container_end(struct json_walker *j)
{
    result r = j->walk->finder ? finder_close(j->walk->finder) : OK;
    if (failed(r)) return json_stop(j, r.err, j->token_start);
    j->depth--;
    value_done(j);
    return 1;
}

static int on_end_array(void *context)
{
    struct json_walker *j = context;
    return token_begin(j) && container_end(j);
}

static int on_end_map(void *context)
{
    struct json_walker *j = context;
    if (!token_begin(j)) return 0;
    if (!names_are_unique(j)) {
        level_of(j)->members = 0; /* the fault is the object's, not its last member's */
        return json_stop(j, ERR_JSON_DUPLICATE_KEY, j->token_start);
    }
    j->name_count = level_of(j)->first_name;
    if (j->edits && !json_edit_object_done(j)) return 0;
    return container_end(j);
}

/* --- feeding --- */

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number, /* raw text: numbers are never converted */
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end_map,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

/* No option of yajl is set: each one makes it more lenient. NULL when memory is short. */
static yajl_handle new_parser(struct json_walker *j)
{
    if (setjmp(j->memory.escape)) return NULL;
    return yajl_alloc(&callbacks, &j->memory.functions, j);
}

static yajl_status parse(struct json_walker *j, slice bytes)
{
    if (setjmp(j->memory.escape)) {
        (void)json_stop(j, ERR_MEMORY, j->gap_end);
        return yajl_status_client_canceled;
    }
    return yajl_parse(j->yajl, (const unsigned char *)bytes.at, bytes.len);
}

static yajl_status parse_end(struct json_walker *j)
{
    if (setjmp(j->memory.escape)) {
        (void)json_stop(j, ERR_MEMORY, j->gap_end);
        return yajl_status_client_canceled;
    }
    return yajl_complete_parse(j->yajl);
}

/* White space after the last token is done with; what follows it is a token of which only a part came. */
static void skip_gap(struct json_walker *j)
{
    uint64_t end = j->fed;
    while (j->gap_end < end) {
        char c = *walk_at(j->walk, j->gap_end);
        if (!ascii_is_white(c) && c != ',' && c != ':') return;
        j->gap_end++;
    }
}

static result check_trailing(struct json_walker *j)
{
    for (; j->gap_end < j->fed; j->gap_end++)
        if (!ascii_is_white(*walk_at(j->walk, j->gap_end))) return json_fault(j, ERR_JSON_TRAILING, j->gap_end);
    return OK;
}

/* Where yajl gave up: after the last token, white space and one separator. A guess that is the same for every split. */
static uint64_t syntax_error_at(const struct json_walker *j)
{
    uint64_t at = j->last_end > j->walk->base ? j->last_end : j->walk->base;
    while (at < j->fed && ascii_is_white(*walk_at(j->walk, at))) at++;
    if (at < j->fed && (*walk_at(j->walk, at) == ',' || *walk_at(j->walk, at) == ':')) at++;
    return at;
}

static result parse_up_to(struct json_walker *j, uint64_t end)
{
    slice bytes = walk_raw(j->walk, j->fed, end);
    if (bytes.len && !j->is_done) {
        yajl_status status = parse(j, bytes);
        if (j->stopped) return json_fault(j, j->stopped, j->stopped_at);
        if (status != yajl_status_ok && !j->is_done) {
            j->fed = end;
            return json_fault(j, ERR_JSON_SYNTAX, syntax_error_at(j));
        }
    }
    j->fed = end;
    if (j->is_done) return check_trailing(j);
    skip_gap(j);
    return OK;
}

/* yajl reads a token that came in part again from its start when more comes. A large string in tiny pieces would cost the square
 * of its length, so we wait until as much has come as there was. */
static bool is_worth_it(const struct json_walker *j, uint64_t end)
{
    return end - j->fed >= j->fed - j->gap_end;
}

result json_walker_feed(struct json_walker *j, bool all)
{
    uint64_t end = walk_end(j->walk);
    size_t right = utf8_check_feed(&j->utf8, walk_raw(j->walk, j->checked, end));
    if (j->checked + right < end) {
        uint64_t wrong = j->checked + right;
        TRY(parse_up_to(j, wrong)); /* so that the first mistake is told, however the bytes were split */
        return json_fault(j, ERR_UTF8, wrong);
    }
    j->checked = end;
    return all || is_worth_it(j, end) ? parse_up_to(j, end) : OK;
}

result json_walker_end(struct json_walker *j)
{
    TRY(parse_up_to(j, walk_end(j->walk)));
    if (!utf8_check_is_whole(&j->utf8)) return json_fault(j, ERR_UTF8, j->fed);
    if (j->is_done) return OK;
    yajl_status status = parse_end(j);
    if (j->stopped) return json_fault(j, j->stopped, j->stopped_at);
    if (!j->is_done || status != yajl_status_ok) return json_fault(j, ERR_JSON_CUT_OFF, j->fed);
    return check_trailing(j);
}

uint64_t json_walker_sure(const struct json_walker *j)
{
    return j->gap_end;
}

struct json_walker *json_walker_new(struct walk *w)
{
    const struct plan *plan = w->plan;
    bool has_paths = plan->paths && path_set_count(plan->paths) > 0;
    size_t words = has_paths ? path_set_words(plan->paths) : 0;
    bool edits = has_paths && plan->edit_count > 0 && !w->streamed && !w->finder;
    size_t sets = words * (JSON_MAX_DEPTH + 2) * (edits ? 2 : 1);
    struct json_walker *j = malloc(sizeof *j + sets * sizeof(uint64_t));
    if (!j) return NULL;
    memset(j, 0, offsetof(struct json_walker, levels));
    j->walk = w;
    j->checked = j->fed = j->gap_end = j->last_end = w->base;
    j->words = words;
    j->states = j->sets;
    j->seen = edits ? j->sets + words * (JSON_MAX_DEPTH + 2) : NULL;
    j->levels[0] = (struct json_level){.drop = JSON_NO_ENTRY, .replace = JSON_NO_ENTRY};
    j->names = j->name_room;
    j->name_cap = JSON_NAMES_ROOM;
    j->edits = edits;
    if (edits) edit_sets_of(plan, &j->edit_sets);
    j->live = has_paths;
    if (has_paths) path_match_root(plan->paths, state_of(j, 1));
    yajl_memory_init(&j->memory);
    j->yajl = new_parser(j);
    if (j->yajl) return j;
    json_walker_free(j);
    return NULL;
}

void json_walker_free(struct json_walker *j)
{
    if (!j) return;
    yajl_memory_done(&j->memory);
    if (j->names != j->name_room) free(j->names);
    free(j);
}
