/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "finder.h"
#include "format_walker.h"

#include <stdlib.h>

/* JSON documents one after another, each looked at when all of it is there:
 *
 *   {"pan":"4111…"} LF {"pan":"5555…"} LF            newline-delimited JSON: one a line
 *   RS {"pan": LF "4111…"} LF RS {"pan":…} LF        JSON text sequences (RFC 7464): from one record separator to the next
 *
 * No JSON has a record separator in it, and a body that begins with one is a sequence. Documents have nothing to do with each other. */

enum { RECORD_SEPARATOR = 0x1e };

struct ndjson_walker {
    struct walk *walk;
    uint64_t record, scanned;
    char separator; /* 0: not known yet */
};

struct ndjson_walker *ndjson_walker_new(struct walk *w)
{
    struct ndjson_walker *n = calloc(1, sizeof *n);
    if (!n) return NULL;
    n->walk = w;
    n->record = n->scanned = w->base;
    return n;
}

void ndjson_walker_free(struct ndjson_walker *n)
{
    free(n);
}

static bool is_blank(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_white(text.at[i])) return false;
    return true;
}

static result take_record(struct ndjson_walker *n, uint64_t end)
{
    const struct nested document = {.format = BODY_JSON, .from = n->record, .to = end};
    if (is_blank(walk_raw(n->walk, n->record, end))) return OK;
    struct finder *finder = n->walk->finder;
    if (finder) TRY(finder_open(finder));
    TRY(nested_walk(n->walk, n->walk->plan, &document));
    return finder ? finder_close_row(finder) : OK;
}

result ndjson_walker_feed(struct ndjson_walker *n)
{
    uint64_t end = walk_end(n->walk);
    if (n->scanned < end && !n->separator) n->separator = *walk_at(n->walk, n->scanned) == RECORD_SEPARATOR ? RECORD_SEPARATOR : '\n';
    while (n->scanned < end) {
        slice rest = walk_raw(n->walk, n->scanned, end);
        size_t len = slice_find(rest, n->separator);
        n->scanned += len;
        if (len == rest.len) break;
        result r = take_record(n, n->scanned);
        if (failed(r)) return walk_fail(n->walk, r.err, n->record);
        n->record = ++n->scanned;
    }
    return OK;
}

result ndjson_walker_end(struct ndjson_walker *n)
{
    TRY(ndjson_walker_feed(n));
    result r = take_record(n, n->scanned);
    return failed(r) ? walk_fail(n->walk, r.err, n->record) : OK;
}

uint64_t ndjson_walker_sure(const struct ndjson_walker *n)
{
    return n->record;
}
