/* SPDX-License-Identifier: Apache-2.0 */
#include "finder.h"
#include "walker.h"

#include <stdlib.h>

/* Text of any kind, XML too: placeholders where they stand in the raw bytes, nothing else is understood. Inbound: one value a line. */

struct text_walker {
    struct walk *walk;
    uint64_t at;
    uint64_t line; /* inbound: where it starts; looked at up to <at> */
    struct placeholder_scanner scanner;
};

struct text_walker *text_walker_new(struct walk *w)
{
    struct text_walker *t = malloc(sizeof *t);
    if (!t) return NULL;
    t->walk = w;
    t->at = t->line = w->base;
    placeholder_reset(&t->scanner);
    return t;
}

void text_walker_free(struct text_walker *t)
{
    free(t);
}

static result take_line(struct text_walker *t)
{
    result r = finder_value(t->walk->finder, &(struct value){.text = walk_raw(t->walk, t->line, t->at), .start = t->line, .end = t->at});
    return failed(r) ? walk_fail(t->walk, r.err, t->line) : OK;
}

static result find_lines(struct text_walker *t)
{
    for (uint64_t end = walk_end(t->walk); t->at < end; t->at++) {
        char c = *walk_at(t->walk, t->at);
        if (c != '\n' && c != '\r') continue;
        TRY(take_line(t));
        t->line = t->at + 1;
    }
    return OK;
}

result text_walker_feed(struct text_walker *t)
{
    if (t->walk->finder) return find_lines(t);
    uint64_t end = walk_end(t->walk);
    while (t->at < end) {
        struct placeholder_found found;
        bool is_found;
        size_t used;
        slice rest = walk_raw(t->walk, t->at, end);
        result r = placeholder_push_plain(&t->scanner, rest, t->at, &found, &is_found, &used);
        t->at += used;
        if (!failed(r) && is_found) r = walk_add_slot(t->walk, &found, NULL, false, 0);
        if (failed(r)) return walk_fail(t->walk, r.err, t->at);
    }
    return OK;
}

result text_walker_end(struct text_walker *t)
{
    TRY(text_walker_feed(t));
    return t->walk->finder ? take_line(t) : OK;
}

uint64_t text_walker_sure(const struct text_walker *t)
{
    return placeholder_sure(&t->scanner, t->at);
}
