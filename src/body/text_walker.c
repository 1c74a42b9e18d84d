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

result text_walker_feed(struct text_walker *t)
{
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

uint64_t text_walker_sure(const struct text_walker *t)
{
    return placeholder_sure(&t->scanner, t->at);
}
