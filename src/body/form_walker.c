/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "body/path_match.h"
#include "body/percent.h"
#include "finder.h"
#include "fingerprint.h"
#include "walker.h"

#include <stdlib.h>
#include <string.h>

/* application/x-www-form-urlencoded (WHATWG URL, section 5.1): pairs between '&', each looked at when all of it is there.
 *
 *   pan=%7B%7BTOK123%3Adetokenize%7D%7D&cvc=123&…
 *   └ pair_start                       └ next '&': scanned up to here                                             */

enum { NAME_MAX_BYTES = 1024 };

struct form_walker {
    struct walk *walk;
    uint64_t pair_start, scanned;
    bool has_paths, edits;
    bool has_leading_drop;
    uint32_t kept, pairs, leading_drop;
    struct placeholder_scanner scanner;
    struct buf decoded; /* inbound: secret; one name or value */
    struct edit_sets edit_sets;
    uint64_t root[PATH_WORDS_MAX], here[PATH_WORDS_MAX], seen[PATH_WORDS_MAX];
    char name[NAME_MAX_BYTES];
    size_t name_len; /* past NAME_MAX_BYTES: longer than any path */
};

struct form_walker *form_walker_new(struct walk *w)
{
    struct form_walker *f = malloc(sizeof *f);
    if (!f) return NULL;
    memset(f, 0, offsetof(struct form_walker, name));
    const struct plan *plan = w->plan;
    f->walk = w;
    f->pair_start = f->scanned = w->base;
    f->has_paths = plan->paths && path_set_count(plan->paths) > 0;
    f->edits = f->has_paths && plan->edit_count > 0 && !w->streamed && !w->finder;
    buf_init_secret(&f->decoded, SIZE_MAX / 4);
    if (f->has_paths) path_match_root(plan->paths, f->root);
    if (f->edits) edit_sets_of(plan, &f->edit_sets);
    return f;
}

void form_walker_free(struct form_walker *f)
{
    if (!f) return;
    buf_done(&f->decoded);
    secret_wipe(f->name, sizeof f->name);
    free(f);
}

static uint16_t node_here(const struct form_walker *f, const uint64_t *set)
{
    for (size_t i = 0; i < path_set_words(f->walk->plan->paths); i++)
        if (f->here[i] & set[i]) return (uint16_t)(i * 64 + (unsigned)__builtin_ctzll(f->here[i] & set[i]));
    return PATH_NONE;
}

static const struct plan_field *field_here(const struct form_walker *f)
{
    const struct plan *plan = f->walk->plan;
    if (!f->has_paths) return NULL;
    for (size_t i = 0; i < plan->field_count; i++)
        if (path_bit(f->here, path_set_end(plan->paths, plan->fields[i].path))) return &plan->fields[i];
    return NULL;
}

static result scan_name(struct form_walker *f, slice raw, uint64_t at)
{
    struct placeholder_found found;
    bool is_found;
    placeholder_reset(&f->scanner);
    f->name_len = 0;
    for (size_t i = 0, len; i < raw.len; i += len) {
        char c;
        ENSURE(percent_read(slice_after(raw, i), true, &c, &len), FORM_SYNTAX);
        if (f->name_len < NAME_MAX_BYTES) f->name[f->name_len] = c;
        f->name_len++;
        if (f->walk->finder || (placeholder_is_idle(&f->scanner) && !placeholder_is_opener(c))) continue;
        result r = placeholder_push(&f->scanner, c, at + i, at + i + len, &found, &is_found);
        ENSURE(!is_found && !failed(r), PLACEHOLDER_IN_KEY);
    }
    return OK;
}

/* Tells the finder of a name or value. */
static result find(struct form_walker *f, slice raw, uint64_t at, const struct plan_field *field)
{
    struct value v = {.text = raw, .start = at, .end = at + raw.len, .field = field};
    TRY(walk_percent_decode(raw, true, false, &f->decoded, &v.text));
    if (v.text.len < raw.len) v.raw_at = walk_percent_raw_at;
    result r = finder_value(f->walk->finder, &v);
    buf_clear(&f->decoded);
    return r;
}

static bool is_captured(const struct form_walker *f)
{
    const struct plan *plan = f->walk->plan;
    return f->has_paths && plan->has_capture && path_bit(f->here, path_set_end(plan->paths, plan->capture));
}

static result scan_value(struct form_walker *f, slice raw, uint64_t at)
{
    if (f->walk->finder) return find(f, raw, at, field_here(f));
    struct placeholder_found found;
    bool is_found, capture = is_captured(f);
    placeholder_reset(&f->scanner);
    if (capture) walk_capture(f->walk, SLICE(""));
    for (size_t i = 0, len; i < raw.len; i += len) {
        char c;
        ENSURE(percent_read(slice_after(raw, i), true, &c, &len), FORM_SYNTAX);
        if (capture) walk_capture_more(f->walk, (slice){&c, 1});
        if (placeholder_is_idle(&f->scanner) && !placeholder_is_opener(c)) continue;
        TRY(placeholder_push(&f->scanner, c, at + i, at + i + len, &found, &is_found));
        if (!is_found) continue;
        bool whole = found.start == at && found.end == at + raw.len;
        TRY(walk_add_slot(f->walk, &found, field_here(f), whole, 0));
    }
    return walk_add_bare(f->walk, raw, at, at + raw.len, field_here(f), 0);
}

/* Which paths name this field. A field that the rules name may stand once: processors differ in which of two they take. Inbound, all of
 * them are card data. */
static result match_name(struct form_walker *f)
{
    memset(f->here, 0, sizeof f->here);
    if (!f->has_paths || f->name_len > NAME_MAX_BYTES) return OK;
    slice name = {f->name, f->name_len};
    (void)path_match_name(f->walk->plan->paths, f->root, name, fingerprint_of(name), f->here);
    for (size_t i = 0; i < PATH_WORDS_MAX && !f->walk->finder; i++) {
        ENSURE(!(f->here[i] & f->seen[i]), FORM_DUPLICATE);
        f->seen[i] |= f->here[i];
    }
    return OK;
}

static result edit_drop(struct form_walker *f, uint64_t start, uint64_t end)
{
    uint32_t index;
    if (f->kept) start--; /* the '&' before it goes too */
    struct splice_entry e = {.kind = SPLICE_DROP, .start = start, .end = end, .why = SPLICE_WHY_DROP};
    TRY(splice_add(&f->walk->splice, &e, &index));
    f->has_leading_drop = f->kept == 0;
    f->leading_drop = index;
    return OK;
}

/* Before the value's slots are added, so that entries stay in order. */
static result edit_pair(struct form_walker *f, uint64_t start, uint64_t value, bool has_value, uint64_t end)
{
    uint32_t index;
    if (!f->edits) return OK;
    if (f->has_leading_drop) f->walk->splice.entries[f->leading_drop].end = start; /* and the '&' after it */
    f->has_leading_drop = false;
    f->pairs++;
    if (node_here(f, f->edit_sets.drop) != PATH_NONE) return edit_drop(f, start, end);
    f->kept++;
    uint16_t node = node_here(f, f->edit_sets.set);
    if (node == PATH_NONE) return OK;
    struct splice_entry e = edit_entry(f->walk->plan, SPLICE_REPLACE, node, value, end);
    e.lacks_equals = !has_value;
    return splice_add(&f->walk->splice, &e, &index);
}

static result take_pair(struct form_walker *f, uint64_t end)
{
    uint64_t start = f->pair_start;
    slice raw = walk_raw(f->walk, start, end);
    size_t equals = slice_find(raw, '=');
    bool has_value = equals < raw.len;
    TRY(scan_name(f, slice_range(raw, 0, equals), start));
    if (f->walk->finder) TRY(find(f, slice_range(raw, 0, equals), start, NULL));
    TRY(match_name(f));
    uint64_t value = has_value ? start + equals + 1 : end;
    TRY(edit_pair(f, start, value, has_value, end));
    return scan_value(f, walk_raw(f->walk, value, end), value);
}

static result fail_pair(struct form_walker *f, result r)
{
    size_t len = f->name_len < NAME_MAX_BYTES ? f->name_len : NAME_MAX_BYTES;
    walk_fault_text(f->walk, (slice){f->name, len});
    return walk_fail(f->walk, r.err, f->pair_start);
}

result form_walker_feed(struct form_walker *f)
{
    uint64_t end = walk_end(f->walk);
    while (f->scanned < end) {
        slice rest = walk_raw(f->walk, f->scanned, end);
        size_t n = slice_find(rest, '&');
        f->scanned += n;
        if (n == rest.len) break;
        result r = take_pair(f, f->scanned);
        if (failed(r)) return fail_pair(f, r);
        f->pair_start = ++f->scanned;
    }
    return OK;
}

static result insert_missing(struct form_walker *f, uint64_t end)
{
    const struct path_set *paths = f->walk->plan->paths;
    uint32_t index;
    bool is_first = true;
    for (uint16_t node = 0; node < path_set_words(paths) * 64; node++) {
        if (!path_bit(f->edit_sets.wanted, node) || path_bit(f->seen, node)) continue;
        struct splice_entry e = edit_entry(f->walk->plan, SPLICE_INSERT, node, end, end);
        e.is_first = is_first;
        e.after_kept = f->kept > 0;
        e.after_any = f->pairs > 0;
        is_first = false;
        TRY(splice_add(&f->walk->splice, &e, &index));
    }
    return OK;
}

result form_walker_end(struct form_walker *f)
{
    uint64_t end = walk_end(f->walk);
    TRY(form_walker_feed(f));
    result r = take_pair(f, end);
    if (failed(r)) return fail_pair(f, r);
    f->pair_start = end;
    return f->edits ? insert_missing(f, end) : OK;
}

uint64_t form_walker_sure(const struct form_walker *f)
{
    return f->pair_start;
}
