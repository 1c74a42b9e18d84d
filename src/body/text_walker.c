/* SPDX-License-Identifier: Apache-2.0 */
#include "walker.h"

#include <stdlib.h>

/* Text of any kind, XML too: placeholders where they stand in the raw bytes, nothing else is understood. */

struct text_walker {
    struct walk *walk;
    uint64_t at;
    struct placeholder_scanner scanner;
};

struct text_walker *text_walker_new(struct walk *w)
{
    struct text_walker *t = malloc(sizeof *t);
    if (!t) return NULL;
    t->walk = w;
    t->at = 0;
    placeholder_reset(&t->scanner);
    return t;
}

void text_walker_free(struct text_walker *t)
{
    free(t);
}

static result take(struct text_walker *t, char c)
{
    struct placeholder_found found;
    bool is_found;
    TRY(placeholder_push(&t->scanner, c, t->at, t->at + 1, &found, &is_found));
    return is_found ? walk_add_slot(t->walk, &found, NULL, false, 0) : OK;
}

result text_walker_feed(struct text_walker *t)
{
    uint64_t end = walk_end(t->walk);
    while (t->at < end) {
        if (placeholder_is_idle(&t->scanner)) t->at += placeholder_find_opener(walk_raw(t->walk, t->at, end));
        if (t->at == end) break;
        result r = take(t, *walk_at(t->walk, t->at));
        if (failed(r)) return walk_fail(t->walk, r.err, t->at);
        t->at++;
    }
    return OK;
}

uint64_t text_walker_sure(const struct text_walker *t)
{
    return placeholder_sure(&t->scanner, t->at);
}
