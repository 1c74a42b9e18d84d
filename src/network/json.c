/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "body/yajl_memory.h"

#include <assert.h>
#include <string.h>
#include <yajl/yajl_parse.h>

typedef uint32_t path_set; /* a bit for each path */

struct level { /* an object or array that is open */
    bool is_array;
    path_set here;     /* paths that lead here or further in */
    path_set elements; /* array: those that go on into its elements */
    path_set seen;     /* object: those whose member has come */
    size_t start;      /* its first byte */
};

struct reading {
    slice text;
    const char *const *paths;
    size_t count;
    size_t segments[JSON_PATHS_MAX];
    path_set raw; /* want an object's bytes */
    json_taken taken;
    void *owner;
    yajl_handle yajl;
    struct level levels[JSON_DEPTH_MAX];
    size_t depth;
    path_set next; /* paths on which the value after this member's name lies */
    result verdict;
};

/* --- paths --- */

static slice path_text(const struct reading *r, size_t i)
{
    slice path = slice_of(r->paths[i]);
    return slice_ends(path, SLICE("{}")) ? slice_range(path, 0, path.len - 2) : path;
}

static bool segment_is(const struct reading *r, size_t i, size_t n, slice name)
{
    slice rest = path_text(r, i), segment;
    for (size_t at = 0; slice_next(&rest, '.', &segment); at++)
        if (at == n) return slice_eq(segment, name);
    return false;
}

static size_t segment_count(const struct reading *r, size_t i)
{
    slice rest = path_text(r, i), segment;
    size_t n = 0;
    while (slice_next(&rest, '.', &segment))
        n++;
    return n;
}

/* Of <from>, those that go on with <name> inside the innermost container. */
static path_set going_on(const struct reading *r, path_set from, slice name)
{
    path_set found = 0;
    for (size_t i = 0; i < r->count; i++)
        if (from >> i & 1 && segment_is(r, i, r->depth - 1, name)) found |= (path_set)1 << i;
    return found;
}

/* Of <from>, those that end at a value in the innermost container. */
static path_set ending(const struct reading *r, path_set from)
{
    path_set found = 0;
    for (size_t i = 0; i < r->count; i++)
        if (from >> i & 1 && r->segments[i] == r->depth) found |= (path_set)1 << i;
    return found;
}

/* --- events --- */

static int stop(struct reading *r, result verdict)
{
    r->verdict = verdict;
    return !failed(verdict);
}

/* The paths on which the value that comes now lies. */
static path_set paths_of_value(const struct reading *r)
{
    if (r->depth == 0) return r->next;
    const struct level *l = &r->levels[r->depth - 1];
    return l->is_array ? l->elements : r->next;
}

static int give(struct reading *r, path_set to, slice value)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!(to >> i & 1)) continue;
        result given = r->taken(r->owner, i, value);
        if (failed(given)) return stop(r, given);
    }
    return 1;
}

static int on_string(void *context, const unsigned char *at, size_t len)
{
    struct reading *r = context;
    path_set to = ending(r, paths_of_value(r));
    if (to & r->raw) return stop(r, FAIL(NETWORK_ANSWER));
    return give(r, to, (slice){(const char *)at, len});
}

static int on_other(struct reading *r)
{
    return ending(r, paths_of_value(r)) ? stop(r, FAIL(NETWORK_ANSWER)) : 1;
}

static int on_number(void *context, const char *at, size_t len)
{
    (void)at;
    (void)len;
    return on_other(context);
}

static int on_boolean(void *context, int yes)
{
    (void)yes;
    return on_other(context);
}

static int on_null(void *context)
{
    (void)context;
    return 1;
}

static int on_key(void *context, const unsigned char *at, size_t len)
{
    struct reading *r = context;
    struct level *l = &r->levels[r->depth - 1];
    slice name = {(const char *)at, len};
    r->next = slice_is(name, "[]") ? 0 : going_on(r, l->here, name);
    if (r->next & l->seen) return stop(r, FAIL(JSON_DUPLICATE_KEY));
    l->seen |= r->next;
    return 1;
}

static int open_level(struct reading *r, bool is_array)
{
    path_set here = paths_of_value(r);
    if (ending(r, here) & ~r->raw) return stop(r, FAIL(NETWORK_ANSWER));
    if (r->depth == JSON_DEPTH_MAX) return stop(r, FAIL(JSON_DEPTH));
    struct level *l = &r->levels[r->depth++];
    *l = (struct level){.is_array = is_array, .here = here, .start = yajl_get_bytes_consumed(r->yajl) - 1};
    if (is_array) l->elements = going_on(r, here, SLICE("[]"));
    return 1;
}

static int close_level(struct reading *r)
{
    const struct level *l = &r->levels[--r->depth];
    path_set to = ending(r, l->here) & r->raw;
    return give(r, to, slice_range(r->text, l->start, yajl_get_bytes_consumed(r->yajl)));
}

static int on_start_map(void *context)
{
    return open_level(context, false);
}

static int on_start_array(void *context)
{
    return open_level(context, true);
}

static int on_end(void *context)
{
    return close_level(context);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end,
};

/* --- the document --- */

static result verdict_of(const struct reading *r, yajl_status status, enum error otherwise)
{
    if (failed(r->verdict)) return r->verdict;
    return status == yajl_status_ok ? OK : (result){otherwise};
}

static result run(struct reading *r, struct yajl_memory *memory)
{
    if (setjmp(memory->escape)) return FAIL(MEMORY); /* yajl is gone with its memory */
    r->yajl = yajl_alloc(&callbacks, &memory->functions, r);
    yajl_status status = yajl_parse(r->yajl, (const unsigned char *)r->text.at, r->text.len);
    TRY(verdict_of(r, status, ERR_JSON_SYNTAX));
    return verdict_of(r, yajl_memory_complete(r->yajl), ERR_JSON_CUT_OFF); /* never yajl_get_error: it quotes the text */
}

result json_take(slice text, const char *const *paths, size_t count, json_taken taken, void *owner)
{
    struct reading r = {.text = text, .paths = paths, .count = count, .taken = taken, .owner = owner};
    struct yajl_memory memory;
    assert(count <= JSON_PATHS_MAX);
    for (size_t i = 0; i < count; i++) {
        r.segments[i] = segment_count(&r, i);
        r.next |= (path_set)1 << i;
        if (slice_ends(slice_of(paths[i]), SLICE("{}"))) r.raw |= (path_set)1 << i;
    }
    yajl_memory_init(&memory);
    result verdict = run(&r, &memory);
    yajl_memory_done(&memory);
    return verdict;
}

/* --- fields --- */

static result keep(void *owner, size_t path, slice value)
{
    struct json_field *f = (struct json_field *)owner + path;
    ENSURE(value.len <= sizeof f->at, NETWORK_ANSWER);
    if (value.len) memcpy(f->at, value.at, value.len);
    f->len = value.len;
    return OK;
}

result json_take_fields(slice text, const char *const *paths, size_t count, struct json_field *fields)
{
    for (size_t i = 0; i < count; i++)
        fields[i].len = 0;
    return json_take(text, paths, count, keep, fields);
}

slice json_field_text(const struct json_field *f)
{
    return (slice){f->at, f->len};
}
