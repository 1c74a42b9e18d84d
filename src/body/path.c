/* SPDX-License-Identifier: Apache-2.0 */
#include "body/path.h"

#include "body/path_match.h"
#include "fingerprint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(name) ((name)->is_lost = true)
#include <uthash.h>

enum { PATHS_MAX = 256, PATH_MAX_BYTES = 1024, SEGMENTS_MAX = 64 };

struct name {
    slice text; /* owned */
    uint64_t fingerprint;
    uint16_t first_node;
    bool is_lost; /* the hash table had no memory for it */
    UT_hash_handle hh;
};
struct path {
    slice text; /* owned */
    uint16_t end;
};
struct path_set {
    enum path_language language;
    struct path paths[PATHS_MAX];
    uint32_t path_count;
    struct path_node *nodes;
    uint32_t node_count, node_cap;
    struct name *names;
    uint64_t names_seen; /* one bit per top six bits of a fingerprint: most members of a document are in no path */
    uint16_t first_any, first_index;
    uint64_t sticky[PATH_WORDS_MAX];
};

static void set_bit(uint64_t *set, uint16_t node)
{
    set[node / 64] |= UINT64_C(1) << (node % 64);
}

static uint64_t seen_bit(uint64_t fingerprint)
{
    return UINT64_C(1) << (fingerprint >> 58);
}

static result copy_text(slice text, slice *out)
{
    char *at = malloc(text.len + 1);
    ENSURE(at != NULL, MEMORY);
    if (text.len) memcpy(at, text.at, text.len);
    *out = (slice){at, text.len};
    return OK;
}

static void free_text(slice text)
{
    free((char *)text.at); /* it was made by copy_text */
}

static result node_add(struct path_set *s, struct path_node n, uint16_t *out)
{
    ENSURE(s->node_count < PATH_NODES_MAX, TOO_LARGE);
    if (s->node_count == s->node_cap) {
        uint32_t cap = s->node_cap ? s->node_cap * 2 : 16;
        struct path_node *nodes = realloc(s->nodes, cap * sizeof *nodes);
        ENSURE(nodes != NULL, MEMORY);
        s->nodes = nodes;
        s->node_cap = cap;
    }
    *out = (uint16_t)s->node_count;
    s->nodes[s->node_count++] = n;
    return OK;
}

struct path_set *path_set_new(enum path_language language)
{
    struct path_set *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->language = language;
    s->first_any = s->first_index = PATH_NONE;
    struct path_node root = {.edge = PATH_EDGE_ROOT, .parent = PATH_NONE, .first_child = PATH_NONE,
                             .next_sibling = PATH_NONE, .sticky = PATH_NONE, .next_of_edge = PATH_NONE};
    uint16_t zero;
    if (!failed(node_add(s, root, &zero))) return s;
    free(s);
    return NULL;
}

void path_set_free(struct path_set *s)
{
    if (!s) return;
    struct name *n, *next;
    HASH_ITER(hh, s->names, n, next) {
        HASH_DEL(s->names, n);
        free_text(n->text);
        free(n);
    }
    for (uint32_t i = 0; i < s->path_count; i++) free_text(s->paths[i].text);
    free(s->nodes);
    free(s);
}

static struct name *name_find(const struct path_set *s, slice text, uint64_t fingerprint)
{
    struct name *n = NULL;
    if (!(s->names_seen & seen_bit(fingerprint))) return NULL;
    HASH_FIND_BYHASHVALUE(hh, s->names, text.at, text.len, (unsigned)fingerprint, n);
    return n;
}

static result name_intern(struct path_set *s, slice text, struct name **out)
{
    uint64_t f = fingerprint_of(text);
    *out = name_find(s, text, f);
    if (*out) return OK;
    struct name *n = calloc(1, sizeof *n);
    ENSURE(n != NULL, MEMORY);
    n->fingerprint = f;
    n->first_node = PATH_NONE;
    if (!failed(copy_text(text, &n->text))) {
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, s->names, n->text.at, n->text.len, (unsigned)f, n);
        if (!n->is_lost) {
            s->names_seen |= seen_bit(f);
            *out = n;
            return OK;
        }
        free_text(n->text);
    }
    free(n);
    return FAIL(MEMORY);
}

static bool same_edge(const struct path_node *n, enum path_edge edge, slice name, uint64_t index)
{
    if (n->edge != edge) return false;
    return edge == PATH_EDGE_NAME ? slice_eq(n->name, name) : edge != PATH_EDGE_INDEX || n->index == index;
}

/* The child of *at along that edge, made if it is new; *at becomes it. */
static result descend(struct path_set *s, uint16_t *at, enum path_edge edge, slice name, uint64_t index)
{
    uint16_t last = PATH_NONE;
    for (uint16_t c = s->nodes[*at].first_child; c != PATH_NONE; c = s->nodes[c].next_sibling) {
        last = c;
        if (!same_edge(&s->nodes[c], edge, name, index)) continue;
        *at = c;
        return OK;
    }
    struct name *interned = NULL;
    if (edge == PATH_EDGE_NAME) TRY(name_intern(s, name, &interned));
    uint16_t *list = edge == PATH_EDGE_NAME    ? &interned->first_node
                     : edge == PATH_EDGE_ANY   ? &s->first_any
                     : edge == PATH_EDGE_INDEX ? &s->first_index
                                               : NULL;
    struct path_node n = {.edge = edge, .parent = *at, .first_child = PATH_NONE,
                          .next_sibling = PATH_NONE, .sticky = PATH_NONE,
                          .next_of_edge = list ? *list : (uint16_t)PATH_NONE, .index = index,
                          .name = interned ? interned->text : SLICE_NONE};
    uint16_t new_node;
    TRY(node_add(s, n, &new_node));
    if (list) *list = new_node;
    *(last == PATH_NONE ? &s->nodes[*at].first_child : &s->nodes[last].next_sibling) = new_node;
    if (edge == PATH_EDGE_STICKY) {
        s->nodes[*at].sticky = new_node;
        set_bit(s->sticky, new_node);
    }
    *at = new_node;
    return OK;
}

/* --- the text of a path: the part of RFC 9535 that names places; for XML, of XPath 1.0 --- */

struct reader {
    slice text;
    size_t at;
};

static int peek(const struct reader *r)
{
    return r->at < r->text.len ? (unsigned char)r->text.at[r->at] : -1;
}

static bool take(struct reader *r, char c)
{
    if (peek(r) != c) return false;
    r->at++;
    return true;
}

/* member-name-shorthand = name-first *name-char; name-first = ALPHA / "_" / %x80-... (RFC 9535 section 2.5.1.1) */
static bool is_name_char(int c, bool first)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80) return true;
    return !first && c >= '0' && c <= '9';
}

static result read_shorthand(struct reader *r, slice *name)
{
    size_t from = r->at;
    while (is_name_char(peek(r), r->at == from)) r->at++;
    ENSURE(r->at > from, PATH_SYNTAX);
    *name = slice_range(r->text, from, r->at);
    return OK;
}

/* 'a b' or "a b"; a backslash takes the next character as it is. */
static result read_quoted(struct reader *r, char *room, slice *name)
{
    int quote = peek(r);
    size_t len = 0;
    r->at++;
    while (peek(r) != quote) {
        if (take(r, '\\')) ENSURE(peek(r) == '\\' || peek(r) == '\'' || peek(r) == '"', PATH_SYNTAX);
        ENSURE(peek(r) >= 0x20, PATH_SYNTAX);
        room[len++] = r->text.at[r->at++];
    }
    r->at++;
    *name = (slice){room, len};
    return OK;
}

static result read_index(struct reader *r, uint64_t *index)
{
    size_t from = r->at;
    while (peek(r) >= '0' && peek(r) <= '9') r->at++;
    slice digits = slice_range(r->text, from, r->at);
    /* RFC 9535 section 2.3.3.1: an index has no leading zeros. */
    if (!slice_to_u64(digits, UINT32_MAX, index) || (digits.len > 1 && digits.at[0] == '0')) {
        r->at = from;
        return FAIL(PATH_SYNTAX);
    }
    return OK;
}

static result read_bracket(struct path_set *s, struct reader *r, char *room, uint16_t *at)
{
    slice name = SLICE_NONE;
    uint64_t index = 0;
    enum path_edge edge = PATH_EDGE_INDEX;
    if (take(r, '*')) {
        edge = PATH_EDGE_ANY;
    } else if (peek(r) == '\'' || peek(r) == '"') {
        edge = PATH_EDGE_NAME;
        TRY(read_quoted(r, room, &name));
    } else {
        TRY(read_index(r, &index));
    }
    ENSURE(take(r, ']'), PATH_SYNTAX);
    return descend(s, at, edge, name, index);
}

static result read_segment(struct path_set *s, struct reader *r, char *room, uint16_t *at)
{
    slice name;
    if (take(r, '[')) return read_bracket(s, r, room, at);
    ENSURE(take(r, '.'), PATH_SYNTAX);
    if (take(r, '.')) {
        TRY(descend(s, at, PATH_EDGE_STICKY, SLICE_NONE, 0));
        if (take(r, '[')) return read_bracket(s, r, room, at);
    }
    if (take(r, '*')) return descend(s, at, PATH_EDGE_ANY, SLICE_NONE, 0);
    TRY(read_shorthand(r, &name));
    return descend(s, at, PATH_EDGE_NAME, name, 0);
}

static result compile_json(struct path_set *s, struct reader *r, char *room, uint16_t *end)
{
    *end = 0;
    ENSURE(take(r, '$'), PATH_SYNTAX);
    for (unsigned segments = 0; r->at < r->text.len; segments++) {
        ENSURE(segments < SEGMENTS_MAX, PATH_SYNTAX);
        TRY(read_segment(s, r, room, end));
    }
    return OK;
}

static result compile_form(struct path_set *s, struct reader *r, uint16_t *end)
{
    *end = 0;
    ENSURE(r->text.len > 0, PATH_SYNTAX);
    for (; r->at < r->text.len; r->at++) ENSURE(peek(r) >= 0x20 && peek(r) != 0x7f, PATH_SYNTAX);
    return descend(s, end, PATH_EDGE_NAME, r->text, 0);
}

/* NCName (Namespaces in XML 1.0 section 3), with any character beyond ASCII taken for a letter. */
static bool is_ncname_char(int c, bool first)
{
    return is_name_char(c, first) || (!first && (c == '-' || c == '.'));
}

static result read_ncname(struct reader *r, slice *name)
{
    size_t from = r->at;
    while (is_ncname_char(peek(r), r->at == from)) r->at++;
    ENSURE(r->at > from, PATH_SYNTAX);
    *name = slice_range(r->text, from, r->at);
    return OK;
}

static bool take_word(struct reader *r, slice word)
{
    if (!slice_starts(slice_after(r->text, r->at), word)) return false;
    r->at += word.len;
    return true;
}

static void skip_blanks(struct reader *r)
{
    while (take(r, ' ')) continue;
}

/* What follows "*[": local-name()='a', then the bracket. */
static result read_local_name(struct reader *r, slice *name)
{
    skip_blanks(r);
    ENSURE(take_word(r, SLICE("local-name()")), PATH_SYNTAX);
    skip_blanks(r);
    ENSURE(take(r, '='), PATH_SYNTAX);
    skip_blanks(r);
    char quote = take(r, '"') ? '"' : '\'';
    ENSURE(quote == '"' || take(r, quote), PATH_SYNTAX);
    TRY(read_ncname(r, name));
    ENSURE(take(r, quote), PATH_SYNTAX);
    skip_blanks(r);
    ENSURE(take(r, ']'), PATH_SYNTAX);
    return OK;
}

/* One step after its slashes. An attribute is a step named "@name", so no element can be taken for it. */
static result read_xml_step(struct path_set *s, struct reader *r, char *room, uint16_t *at)
{
    slice name;
    bool attribute = take(r, '@');
    if (!attribute && take(r, '*')) {
        if (!take(r, '[')) return descend(s, at, PATH_EDGE_ANY, SLICE_NONE, 0);
        TRY(read_local_name(r, &name));
        return descend(s, at, PATH_EDGE_NAME, name, 0);
    }
    TRY(read_ncname(r, &name));
    if (take(r, ':')) TRY(read_ncname(r, &name)); /* places go by local names, whatever prefix a document chose */
    if (!attribute) return descend(s, at, PATH_EDGE_NAME, name, 0);
    ENSURE(r->at == r->text.len, PATH_SYNTAX); /* nothing is below an attribute */
    room[0] = '@';
    memcpy(room + 1, name.at, name.len);
    return descend(s, at, PATH_EDGE_NAME, (slice){room, name.len + 1}, 0);
}

static result compile_xml(struct path_set *s, struct reader *r, char *room, uint16_t *end)
{
    *end = 0;
    ENSURE(peek(r) == '/', PATH_SYNTAX);
    for (unsigned segments = 0; r->at < r->text.len; segments++) {
        ENSURE(segments < SEGMENTS_MAX && take(r, '/'), PATH_SYNTAX);
        bool deep = take(r, '/');
        if (segments > 0 && !deep && slice_is(slice_after(r->text, r->at), "text()")) {
            r->at = r->text.len; /* an element's place is its text */
            return OK;
        }
        if (deep) TRY(descend(s, end, PATH_EDGE_STICKY, SLICE_NONE, 0));
        TRY(read_xml_step(s, r, room, end));
    }
    return OK;
}

static result compile(struct path_set *s, struct reader *r, char *room, uint16_t *end)
{
    switch (s->language) {
    case PATH_JSON:
        return compile_json(s, r, room, end);
    case PATH_FORM:
        return compile_form(s, r, end);
    case PATH_XML:
        return compile_xml(s, r, room, end);
    }
    return FAIL(INTERNAL);
}

enum path_language path_set_language(const struct path_set *s)
{
    return s->language;
}

result path_set_add(struct path_set *s, slice text, uint32_t *number, size_t *error_at)
{
    char room[PATH_MAX_BYTES];
    struct reader r = {text, 0};
    *error_at = 0;
    ENSURE(s->path_count < PATHS_MAX, TOO_LARGE);
    ENSURE(text.len <= sizeof room, TOO_LARGE);
    struct path *p = &s->paths[s->path_count];
    result done = compile(s, &r, room, &p->end);
    *error_at = r.at;
    TRY(done);
    TRY(copy_text(text, &p->text));
    *number = s->path_count++;
    return OK;
}

size_t path_set_count(const struct path_set *s)
{
    return s->path_count;
}

slice path_set_text(const struct path_set *s, uint32_t number)
{
    assert(number < s->path_count);
    return s->paths[number].text;
}

/* --- matching --- */

size_t path_set_words(const struct path_set *s)
{
    return (s->node_count + 63) / 64;
}

const struct path_node *path_set_node(const struct path_set *s, uint16_t node)
{
    assert(node < s->node_count);
    return &s->nodes[node];
}

uint16_t path_set_end(const struct path_set *s, uint32_t number)
{
    assert(number < s->path_count);
    return s->paths[number].end;
}

bool path_set_ends_in_name(const struct path_set *s, uint32_t number)
{
    return path_set_node(s, path_set_end(s, number))->edge == PATH_EDGE_NAME;
}

/* Makes <node> true; what follows ".." is true with it. */
static void arrive(const struct path_set *s, uint64_t *to, uint16_t node)
{
    set_bit(to, node);
    if (s->nodes[node].sticky != PATH_NONE) set_bit(to, s->nodes[node].sticky);
}

void path_match_root(const struct path_set *s, uint64_t *at)
{
    memset(at, 0, path_set_words(s) * sizeof *at);
    arrive(s, at, 0);
}

static bool keep_sticky(const struct path_set *s, const uint64_t *from, uint64_t *to)
{
    uint64_t any = 0;
    size_t words = path_set_words(s);
    for (size_t i = 0; i < words; i++) any |= to[i] = from[i] & s->sticky[i];
    return any != 0;
}

static bool follow(const struct path_set *s, const uint64_t *from, uint16_t node, uint64_t *to)
{
    if (!path_bit(from, s->nodes[node].parent)) return false;
    arrive(s, to, node);
    return true;
}

static bool follow_any(const struct path_set *s, const uint64_t *from, uint64_t *to)
{
    bool alive = false;
    for (uint16_t n = s->first_any; n != PATH_NONE; n = s->nodes[n].next_of_edge) alive |= follow(s, from, n, to);
    return alive;
}

bool path_match_name(const struct path_set *s, const uint64_t *from, slice name, uint64_t fingerprint, uint64_t *to)
{
    bool alive = keep_sticky(s, from, to);
    bool is_attribute = s->language == PATH_XML && name.len && name.at[0] == '@'; /* which '*' does not mean */
    if (!is_attribute) alive |= follow_any(s, from, to);
    const struct name *known = name_find(s, name, fingerprint);
    if (!known) return alive;
    for (uint16_t n = known->first_node; n != PATH_NONE; n = s->nodes[n].next_of_edge) alive |= follow(s, from, n, to);
    return alive;
}

bool path_match_index(const struct path_set *s, const uint64_t *from, uint64_t index, uint64_t *to)
{
    bool alive = keep_sticky(s, from, to);
    alive |= follow_any(s, from, to);
    for (uint16_t n = s->first_index; n != PATH_NONE; n = s->nodes[n].next_of_edge)
        if (s->nodes[n].index == index) alive |= follow(s, from, n, to);
    return alive;
}
