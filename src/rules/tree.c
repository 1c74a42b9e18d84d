/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/tree.h"

#include "rules/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { TEXT_MAX_BYTES = 1024 * 1024, DEPTH_MAX = 32, NODES_MAX = 100000, KEYS_MAX = 1000 };

/* One open mapping or list. A mapping's events alternate: key, value, key, value. */
struct frame {
    struct tree_node *node, **tail;
    bool has_key;
    slice key;
    unsigned key_line, key_column;
    bool key_quoted;
};
struct builder {
    struct pool *pool;
    struct problems *problems;
    slice file;
    struct frame frames[DEPTH_MAX];
    size_t depth, nodes;
    struct tree_node *root;
    bool had_document;
};
enum step { GO_ON, STOP, NO_MEMORY };

const char *tree_kind_name(enum tree_kind k)
{
    static const char *const names[] = {"text", "a mapping", "a list", "an alias"};
    return names[k];
}

const struct tree_node *tree_get(const struct tree_node *map, const char *key)
{
    if (map->kind != TREE_MAP) return NULL;
    for (const struct tree_node *n = map->first; n; n = n->next)
        if (slice_is(n->key, key)) return n;
    return NULL;
}

static unsigned place(size_t from_zero)
{
    return from_zero < 0x7FFFFFFF ? (unsigned)from_zero + 1 : 0x7FFFFFFF;
}

__attribute__((format(printf, 3, 4))) static void complain(struct builder *b, yaml_mark_t at, const char *format, ...)
{
    char text[sizeof(((struct problem *)0)->text)];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    problems_add(b->problems, b->file, place(at.line), place(at.column), "%s", text);
}

/* --- attaching --- */

static void refuse_anchor_and_tag(struct builder *b, yaml_mark_t at, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor) complain(b, at, "anchors (&name) are not supported; write the value out");
    if (tag) complain(b, at, "tags (!name) are not supported");
}

static bool has_control_character(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7F) return true;
    return false;
}

static enum step copy_scalar(struct builder *b, const yaml_event_t *event, slice *out)
{
    slice text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    if (has_control_character(text)) {
        complain(b, event->start_mark, "a line break or control character inside a value is not allowed");
        text = SLICE("");
    }
    return failed(pool_copy(b->pool, text, out)) ? NO_MEMORY : GO_ON;
}

static enum step take_key(struct builder *b, struct frame *f, const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT) {
        complain(b, event->start_mark, "expected a name before ':', found something else");
        return STOP;
    }
    refuse_anchor_and_tag(b, event->start_mark, event->data.scalar.anchor, event->data.scalar.tag);
    f->has_key = true;
    f->key_line = place(event->start_mark.line);
    f->key_column = place(event->start_mark.column);
    f->key_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return copy_scalar(b, event, &f->key);
}

/* YAML 1.2.2, section 3.2.1.1: "mapping keys must be unique". libyaml does not check it. */
static bool is_twice(struct builder *b, const struct frame *f)
{
    for (const struct tree_node *n = f->node->first; n; n = n->next) {
        if (!slice_eq(n->key, f->key)) continue;
        problems_add(b->problems, b->file, f->key_line, f->key_column, "'%.*s' stands here twice; first in line %u",
                     name_shown(f->key), f->key.at, n->key_line);
        return true;
    }
    return false;
}

/* Puts a value where it belongs. A value under a key that stands twice is kept out of the tree, but parsed. */
static enum step attach(struct builder *b, struct tree_node *n, yaml_mark_t at)
{
    if (b->depth == 0) {
        b->root = n;
        return GO_ON;
    }
    struct frame *f = &b->frames[b->depth - 1];
    bool keep = true;
    if (f->node->kind == TREE_MAP) {
        if (f->node->count >= KEYS_MAX) {
            complain(b, at, "more than %d keys in one mapping", KEYS_MAX);
            return STOP;
        }
        n->key = f->key;
        n->key_line = f->key_line;
        n->key_column = f->key_column;
        n->key_quoted = f->key_quoted;
        f->has_key = false;
        keep = !is_twice(b, f);
    }
    if (!keep) return GO_ON;
    *f->tail = n;
    f->tail = &n->next;
    f->node->count++;
    return GO_ON;
}

static struct tree_node *new_node(struct builder *b, enum tree_kind kind, yaml_mark_t at)
{
    struct tree_node *n = pool_alloc(b->pool, sizeof *n);
    if (!n) return NULL;
    n->kind = kind;
    n->line = place(at.line);
    n->column = place(at.column);
    return n;
}

/* --- events --- */

static bool wants_key(const struct builder *b)
{
    return b->depth > 0 && b->frames[b->depth - 1].node->kind == TREE_MAP && !b->frames[b->depth - 1].has_key;
}

static enum step on_scalar(struct builder *b, const yaml_event_t *event)
{
    struct tree_node *n = new_node(b, TREE_SCALAR, event->start_mark);
    if (!n) return NO_MEMORY;
    refuse_anchor_and_tag(b, event->start_mark, event->data.scalar.anchor, event->data.scalar.tag);
    n->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    enum step step = copy_scalar(b, event, &n->text);
    return step == GO_ON ? attach(b, n, event->start_mark) : step;
}

static enum step on_open(struct builder *b, const yaml_event_t *event)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    refuse_anchor_and_tag(b, event->start_mark,
                          is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
                          is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag);
    if (b->depth == DEPTH_MAX) {
        complain(b, event->start_mark, "nested deeper than %d levels", DEPTH_MAX);
        return STOP;
    }
    struct tree_node *n = new_node(b, is_map ? TREE_MAP : TREE_LIST, event->start_mark);
    if (!n) return NO_MEMORY;
    enum step step = attach(b, n, event->start_mark);
    if (step == GO_ON) b->frames[b->depth++] = (struct frame){.node = n, .tail = &n->first};
    return step;
}

static enum step on_alias(struct builder *b, const yaml_event_t *event)
{
    complain(b, event->start_mark,
             "aliases (*name) are not supported; write the value out, or put it in quotes if it is meant as text");
    struct tree_node *n = new_node(b, TREE_REFUSED, event->start_mark);
    return n ? attach(b, n, event->start_mark) : NO_MEMORY;
}

static enum step on_document(struct builder *b, const yaml_event_t *event)
{
    if (b->had_document) {
        complain(b, event->start_mark, "a second document ('---') in one file; keep one");
        return STOP;
    }
    b->had_document = true;
    return GO_ON;
}

static enum step on_event(struct builder *b, const yaml_event_t *event)
{
    bool is_value = event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT ||
                    event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
    if (is_value && ++b->nodes > NODES_MAX) {
        complain(b, event->start_mark, "more than %d values in one file", NODES_MAX);
        return STOP;
    }
    if (is_value && wants_key(b)) return take_key(b, &b->frames[b->depth - 1], event);
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(b, event);
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, event);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        b->depth--;
        return GO_ON;
    case YAML_ALIAS_EVENT:
        return on_alias(b, event);
    case YAML_DOCUMENT_START_EVENT:
        return on_document(b, event);
    case YAML_STREAM_END_EVENT:
        return STOP;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return GO_ON;
    }
    return GO_ON;
}

/* --- libyaml's own errors --- */

/* Reader errors carry a byte offset only. */
static void complain_at_offset(struct builder *b, slice text, size_t offset, const char *what)
{
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < offset && i < text.len; i++) {
        column = text.at[i] == '\n' ? 1 : column + ((text.at[i] & 0xC0) != 0x80 ? 1 : 0);
        line += text.at[i] == '\n' ? 1 : 0;
    }
    problems_add(b->problems, b->file, line, column, "not valid YAML: %s", what);
}

static enum step on_parser_error(struct builder *b, const yaml_parser_t *parser, slice text)
{
    if (parser->error == YAML_MEMORY_ERROR) return NO_MEMORY;
    const char *what = parser->problem ? parser->problem : "unreadable";
    if (parser->error == YAML_READER_ERROR)
        complain_at_offset(b, text, parser->problem_offset, what);
    else if (parser->context)
        complain(b, parser->problem_mark, "not valid YAML: %s (%s)", what, parser->context);
    else
        complain(b, parser->problem_mark, "not valid YAML: %s", what);
    return STOP;
}

static enum step run(struct builder *b, yaml_parser_t *parser, slice text)
{
    enum step step = GO_ON;
    while (step == GO_ON) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            b->root = NULL; /* half a tree would give misleading complaints */
            return on_parser_error(b, parser, text);
        }
        bool at_end = event.type == YAML_STREAM_END_EVENT;
        step = on_event(b, &event);
        yaml_event_delete(&event);
        if (step == STOP && !at_end) b->root = NULL;
    }
    return step;
}

result tree_read(slice text, slice file, struct pool *pool, struct problems *problems, struct tree_node **out)
{
    *out = NULL;
    if (text.len > TEXT_MAX_BYTES) {
        problems_add(problems, file, 0, 0, "larger than 1 MiB");
        return OK;
    }
    struct builder b = {.pool = pool, .problems = problems, .file = file};
    yaml_parser_t parser;
    ENSURE(yaml_parser_initialize(&parser), MEMORY);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.len ? text.at : ""), text.len);
    size_t before = problems_count(problems);
    enum step step = run(&b, &parser, text);
    yaml_parser_delete(&parser);
    ENSURE(step != NO_MEMORY, MEMORY);
    if (!b.root && problems_count(problems) == before) problems_add(problems, file, 0, 0, "the file is empty");
    *out = b.root;
    return OK;
}
