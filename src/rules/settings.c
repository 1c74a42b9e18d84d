/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/settings.h"

#include "base/secret.h"
#include "rules/names.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { PATH_TEXT_BYTES = 160 };

#define RELOAD SETTING_FLAG_RELOAD
#define RESTART SETTING_FLAG_RESTART
#define REQUIRED SETTING_FLAG_REQUIRED
#define INHERITED SETTING_FLAG_INHERITED
#define SECRET SETTING_FLAG_SECRET
#define DRAFT_CONFIG struct draft_config
#define DRAFT_LISTEN struct draft_listen
#define DRAFT_CERTIFICATE struct draft_certificate
#define DRAFT_NETWORK struct draft_network
#define DRAFT_MERCHANT struct draft_merchant
#define DRAFT_WEBHOOK struct draft_webhook
#define DRAFT_TARGET struct draft_target
#define DRAFT_ROUTE struct draft_route
static const struct setting TABLE[SETTING_ID_COUNT] = {
#define SETTING(id, scope, path, member, type, min, max, words, initial, flags, help)                                  \
    {SCOPE_##scope, path, SETTING_##type, offsetof(DRAFT_##scope, member), min, max, words, initial, flags, help},
#include "rules/settings.def"
};
#undef RELOAD
#undef RESTART
#undef REQUIRED
#undef INHERITED
#undef SECRET

const struct setting *settings_row(enum setting_id id)
{
    return &TABLE[id];
}

/* --- loading --- */

void loading_complain(struct loading *l, const struct tree_node *at, const char *format, ...)
{
    char text[sizeof(((struct problem *)0)->text)];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    problems_add(l->problems, l->file, at ? at->line : 0, at ? at->column : 0, "%s", text);
}

bool loading_copy(struct loading *l, slice text, slice *out)
{
    if (!failed(pool_copy(l->pool, text, out))) return true;
    l->out_of_memory = true;
    return false;
}

bool loading_path(struct loading *l, slice path, slice *out)
{
    if (slice_starts(path, SLICE("/")) || l->folder.len == 0) return loading_copy(l, path, out);
    char *at = pool_alloc(l->pool, l->folder.len + path.len);
    if (!at) {
        l->out_of_memory = true;
        return false;
    }
    memcpy(at, l->folder.at, l->folder.len);
    if (path.len) memcpy(at + l->folder.len, path.at, path.len);
    *out = (slice){at, l->folder.len + path.len};
    return true;
}

/* --- private keys --- */

struct secret_text {
    SLIST_ENTRY(secret_text) next;
    char *at;
    size_t len;
};
struct secrets {
    SLIST_HEAD(, secret_text) texts;
};

struct secrets *secrets_new(void)
{
    struct secrets *s = calloc(1, sizeof *s);
    if (s) SLIST_INIT(&s->texts);
    return s;
}

void secrets_free(struct secrets *s)
{
    if (!s) return;
    while (!SLIST_EMPTY(&s->texts)) {
        struct secret_text *t = SLIST_FIRST(&s->texts);
        SLIST_REMOVE_HEAD(&s->texts, next);
        secret_free(t->at, t->len);
        free(t);
    }
    free(s);
}

bool secrets_keep(struct secrets *s, slice bytes, slice *out)
{
    struct secret_text *t = calloc(1, sizeof *t);
    if (!t) return false;
    t->at = secret_alloc(bytes.len);
    if (!t->at) {
        free(t);
        return false;
    }
    t->len = bytes.len;
    if (bytes.len) memcpy(t->at, bytes.at, bytes.len);
    SLIST_INSERT_HEAD(&s->texts, t, next);
    *out = (slice){t->at, t->len};
    return true;
}

/* --- finding rows --- */

static const struct setting *find_row(enum setting_scope scope, slice path)
{
    for (size_t i = 0; i < SETTING_ID_COUNT; i++)
        if (TABLE[i].scope == scope && slice_is(path, TABLE[i].path)) return &TABLE[i];
    return NULL;
}

/* Is there a row below <path>: "vault" of "vault.key"? */
static bool is_section(enum setting_scope scope, slice path)
{
    for (size_t i = 0; i < SETTING_ID_COUNT; i++) {
        slice row = slice_of(TABLE[i].path);
        if (TABLE[i].scope == scope && row.len > path.len && slice_starts(row, path) && row.at[path.len] == '.')
            return true;
    }
    return false;
}

/* The names that may stand in a mapping: the next components of the rows under <prefix> ("" or "vault."), each once. */
struct known_names {
    char text[SETTING_ID_COUNT][32];
    const char *list[SETTING_ID_COUNT + 1];
    size_t count;
};

static void collect_names(enum setting_scope scope, slice prefix, struct known_names *k)
{
    k->count = 0;
    for (size_t i = 0; i < SETTING_ID_COUNT; i++) {
        slice row = slice_of(TABLE[i].path);
        if (TABLE[i].scope != scope || !slice_starts(row, prefix)) continue;
        row = slice_after(row, prefix.len);
        row.len = slice_find(row, '.');
        bool is_new = true;
        for (size_t j = 0; j < k->count; j++)
            is_new = is_new && !slice_is(row, k->text[j]);
        if (!is_new) continue;
        assert(row.len < sizeof k->text[0]);
        memcpy(k->text[k->count], row.at, row.len);
        k->text[k->count][row.len] = '\0';
        k->list[k->count] = k->text[k->count];
        k->count++;
    }
    k->list[k->count] = NULL;
}

/* "buffer" written where "body.buffer" is meant. */
static const char *find_by_last_name(enum setting_scope scope, slice name)
{
    for (size_t i = 0; i < SETTING_ID_COUNT; i++) {
        const char *dot = strrchr(TABLE[i].path, '.');
        if (TABLE[i].scope == scope && dot && slice_is(name, dot + 1)) return TABLE[i].path;
    }
    return NULL;
}

/* --- reading --- */

struct reading {
    struct loading *l;
    enum setting_scope scope;
    void *draft;
    struct setting_places *places;
    bool excused[SETTING_ID_COUNT]; /* probably there, under a misspelt name: not missing too */
};

static void excuse(struct reading *r, slice prefix, const char *name)
{
    for (size_t i = 0; i < SETTING_ID_COUNT; i++) {
        slice row = slice_of(TABLE[i].path);
        if (slice_starts(row, prefix) && slice_starts(slice_after(row, prefix.len), slice_of(name)))
            r->excused[i] = true;
    }
}

static void complain_unknown(struct reading *r, const struct tree_node *n, slice prefix)
{
    struct tree_node at = {.line = n->key_line, .column = n->key_column};
    struct known_names known;
    collect_names(r->scope, prefix, &known);
    const char *near = name_nearest(n->key, known.list);
    const char *elsewhere = find_by_last_name(r->scope, n->key);
    char hint[NAME_HINT_BYTES];
    name_write_hint(n->key, known.list, hint);
    if (near) excuse(r, prefix, near);
    if (!near && elsewhere) (void)snprintf(hint, sizeof hint, "; did you mean '%s'?", elsewhere);
    loading_complain(r->l, &at, "unknown key '%.*s'%s", name_shown(n->key), n->key.at, hint);
}

static void read_row(struct reading *r, const struct setting *row, const struct tree_node *n)
{
    const struct tree_node **place = &r->places->at[row - TABLE];
    if (*place) { /* "a: { b: 1 }" and "a.b: 2": two spellings, so not a key that stands twice to YAML */
        loading_complain(r->l, n, "'%s' is set twice; first in line %u", row->path, (*place)->line);
        return;
    }
    *place = n;
    (void)setting_parse(r->l, row, n, r->draft);
}

static void read_map(struct reading *r, const struct tree_node *map, slice prefix);

static void read_section(struct reading *r, const struct tree_node *n, slice path)
{
    char text[PATH_TEXT_BYTES];
    if (n->kind == TREE_MAP) {
        int len = snprintf(text, sizeof text, "%.*s.", SLICE_ARG(path));
        read_map(r, n, (slice){text, (size_t)len});
        return;
    }
    int len = snprintf(text, sizeof text, "%.*s.at", SLICE_ARG(path));
    const struct setting *row = find_row(r->scope, (slice){text, (size_t)len});
    if (row && n->kind == TREE_SCALAR)
        read_row(r, row, n);
    else if (n->kind == TREE_SCALAR && n->text.len == 0)
        loading_complain(r->l, n, "'%.*s': expected a mapping, found nothing", SLICE_ARG(path));
    else if (n->kind != TREE_REFUSED)
        loading_complain(r->l, n, "'%.*s': expected a mapping, found %s", SLICE_ARG(path), tree_kind_name(n->kind));
}

/* Goes as deep as the table's paths have dots, whatever the file does. */
static void read_map(struct reading *r, const struct tree_node *map, slice prefix)
{
    for (const struct tree_node *n = map->first; n; n = n->next) {
        char text[PATH_TEXT_BYTES];
        size_t len = prefix.len + n->key.len;
        const struct setting *row = NULL;
        if (n->key.len && len < sizeof text / 2) {
            if (prefix.len) memcpy(text, prefix.at, prefix.len);
            memcpy(text + prefix.len, n->key.at, n->key.len);
            row = find_row(r->scope, (slice){text, len});
        } else {
            len = 0;
        }
        if (row)
            read_row(r, row, n);
        else if (len && is_section(r->scope, (slice){text, len}))
            read_section(r, n, (slice){text, len});
        else
            complain_unknown(r, n, prefix);
    }
}

static void set_defaults(struct reading *r)
{
    for (size_t i = 0; i < SETTING_ID_COUNT; i++) {
        const struct setting *row = &TABLE[i];
        if (row->scope != r->scope || !row->initial) continue;
        struct tree_node n = {.kind = TREE_SCALAR, .text = slice_of(row->initial)};
        bool right = setting_parse(r->l, row, &n, r->draft);
        assert(right || r->l->out_of_memory); /* a default that its own row refuses is a mistake in settings.def */
        (void)right;
    }
}

static void check_required(struct reading *r)
{
    for (size_t i = 0; i < SETTING_ID_COUNT; i++) {
        const struct setting *row = &TABLE[i];
        if (row->scope == r->scope && (row->flags & SETTING_FLAG_REQUIRED) && !r->places->at[i] && !r->excused[i])
            loading_complain(r->l, r->places->map, "'%s' is missing: %s", row->path, row->help);
    }
}

void settings_read(struct loading *l, enum setting_scope scope, const struct tree_node *map, void *draft,
                   struct setting_places *places)
{
    struct reading r = {.l = l, .scope = scope, .draft = draft, .places = places};
    memset(places, 0, sizeof *places);
    places->map = map;
    set_defaults(&r);
    if (map->kind == TREE_REFUSED) return;
    if (map->kind != TREE_MAP) {
        loading_complain(l, map, "expected a mapping (name: value), found %s", tree_kind_name(map->kind));
        return;
    }
    read_map(&r, map, SLICE(""));
    check_required(&r);
}

const struct tree_node *setting_place(const struct setting_places *places, enum setting_id id)
{
    return places->at[id] ? places->at[id] : places->map;
}
