/* SPDX-License-Identifier: Apache-2.0 */
#include "body/json_pick.h"

#include "body/path_match.h"
#include "body/utf8.h"
#include "body/yajl_memory.h"
#include "fingerprint.h"

#include <stdlib.h>
#include <yajl/yajl_parse.h>

enum { DEPTH_MAX = 64 };

struct pick {
    const struct path_set *paths;
    size_t words;
    json_pick_value each;
    json_pick_other other;             /* NULL: nobody wants to know */
    void *owner;
    unsigned depth;
    enum error stopped;
    bool live;                         /* some path is, or goes on, at the value that comes next */
    struct {
        bool is_map, live;
        uint64_t elements;
    } levels[DEPTH_MAX + 1];
    uint64_t *states;                  /* one set of nodes for each level, and one for the value that comes next */
};

static uint64_t *state_of(struct pick *p, unsigned depth)
{
    return p->states + depth * p->words;
}

/* The value that comes next is an element of an array, or (its name was seen) a member, or the whole document. */
static void value_begin(struct pick *p)
{
    if (p->depth == 0 || p->levels[p->depth].is_map) return;
    p->live = p->levels[p->depth].live &&
              path_match_index(p->paths, state_of(p, p->depth), p->levels[p->depth].elements++, state_of(p, p->depth + 1));
}

static int scalar(struct pick *p, slice value, bool is_text)
{
    value_begin(p);
    if (!p->live) return 1;
    for (uint32_t i = 0; i < path_set_count(p->paths); i++)
        if (path_bit(state_of(p, p->depth + 1), path_set_end(p->paths, i))) p->each(p->owner, i, value, is_text);
    return 1;
}

static void tell_other(struct pick *p, enum json_pick_kind kind)
{
    if (!p->live || !p->other) return;
    for (uint32_t i = 0; i < path_set_count(p->paths); i++)
        if (path_bit(state_of(p, p->depth + 1), path_set_end(p->paths, i))) p->other(p->owner, i, kind);
}

static int on_null(void *context)
{
    value_begin(context);
    tell_other(context, JSON_PICK_NULL);
    return 1;
}

static int on_boolean(void *context, int value)
{
    return scalar(context, value ? SLICE("true") : SLICE("false"), false);
}

static int on_number(void *context, const char *text, size_t len)
{
    return scalar(context, (slice){text, len}, false);
}

static int on_string(void *context, const unsigned char *text, size_t len)
{
    return scalar(context, (slice){(const char *)text, len}, true);
}

static int on_key(void *context, const unsigned char *text, size_t len)
{
    struct pick *p = context;
    slice name = {(const char *)text, len};
    p->live = p->levels[p->depth].live &&
              path_match_name(p->paths, state_of(p, p->depth), name, fingerprint_of(name), state_of(p, p->depth + 1));
    return 1;
}

static int container_begin(struct pick *p, bool is_map)
{
    value_begin(p);
    tell_other(p, is_map ? JSON_PICK_OBJECT : JSON_PICK_ARRAY);
    if (p->depth == DEPTH_MAX) {
        p->stopped = ERR_JSON_DEPTH;
        return 0;
    }
    p->depth++;
    p->levels[p->depth].is_map = is_map;
    p->levels[p->depth].live = p->live;
    p->levels[p->depth].elements = 0;
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

static int on_end(void *context)
{
    struct pick *p = context;
    p->depth--;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,           .yajl_boolean = on_boolean, .yajl_number = on_number,
    .yajl_string = on_string,       .yajl_map_key = on_key,     .yajl_start_map = on_start_map,
    .yajl_start_array = on_start_array, .yajl_end_map = on_end, .yajl_end_array = on_end,
};

static result run_parser(struct pick *p, struct yajl_memory *memory, slice text)
{
    if (setjmp(memory->escape)) return FAIL(MEMORY); /* yajl is gone with its memory */
    yajl_handle y = yajl_alloc(&callbacks, &memory->functions, p);
    yajl_config(y, yajl_dont_validate_strings, 1); /* utf8_is_valid is stricter */
    yajl_status status = yajl_parse(y, (const unsigned char *)text.at, text.len);
    if (status == yajl_status_ok) status = yajl_memory_complete(y);
    if (p->stopped) return (result){p->stopped};
    return status == yajl_status_ok ? OK : FAIL(JSON_SYNTAX);
}

result json_pick(const struct path_set *paths, slice text, json_pick_value each, void *owner)
{
    return json_pick_all(paths, text, each, NULL, owner);
}

result json_pick_all(const struct path_set *paths, slice text, json_pick_value each, json_pick_other other, void *owner)
{
    ENSURE(utf8_is_valid(text), UTF8);
    struct pick p = {.paths = paths, .words = path_set_words(paths), .each = each, .other = other, .owner = owner, .live = true};
    p.states = calloc(DEPTH_MAX + 2, p.words * sizeof *p.states);
    ENSURE(p.states != NULL, MEMORY);
    /* The document itself stands one level below nothing: "$" is what comes next. */
    path_match_root(paths, state_of(&p, 1));
    struct yajl_memory memory;
    yajl_memory_init(&memory);
    result r = run_parser(&p, &memory, text);
    yajl_memory_done(&memory);
    free(p.states);
    return r;
}
