/* SPDX-License-Identifier: Apache-2.0 */
#include "ruleset_priv.h"

#include "base/ascii.h"
#include "rules/names.h"
#include "rules/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_MAX_BYTES = 16 * 1024 * 1024, TREE_MAX_BYTES = 64 * 1024 * 1024, PATHS_MAX = 256 };

void ruleset_free(struct ruleset *r)
{
    if (!r) return;
    struct ruleset_whole *w = (struct ruleset_whole *)r;
    plan_done(&r->plan);
    plan_done(&r->answer);
    path_set_free(r->reply_paths);
    pool_free(w->pool);
    free(w);
}

static bool path_matches(slice pattern, slice path)
{
    if (!slice_ends(pattern, SLICE("*"))) return slice_eq(pattern, path);
    return slice_starts(path, slice_range(pattern, 0, pattern.len - 1));
}

bool ruleset_accepts(const struct ruleset *r, slice method, slice path)
{
    for (size_t i = 0; i < r->accept_count; i++) {
        const struct accept_rule *a = &r->accept[i];
        if ((slice_is(a->method, "*") || slice_eq(a->method, method)) && path_matches(a->path, path)) return true;
    }
    return false;
}

bool ruleset_finds_cards(const struct ruleset *r)
{
    return r->plan.find_pan || r->plan.field_count > 0;
}

bool ruleset_means_merchant(const struct ruleset *r, slice told)
{
    for (size_t i = 0; told.at && i < r->merchant_initiated_count; i++)
        if (slice_eq(told, r->merchant_initiated[i])) return true;
    return false;
}

bool ruleset_may_retry(const struct ruleset *r)
{
    for (size_t i = 0; i < r->decline_count; i++)
        if (decline_may_retry(r->declines[i].reason)) return true;
    return r->pan_retry_count > 0;
}

/* --- helpers of all sections --- */

struct path_text path_of_value(const struct tree_node *n)
{
    return (struct path_text){n->text, n->line, n->column, n->quoted};
}

struct path_text path_of_key(const struct tree_node *n)
{
    return (struct path_text){n->key, n->key_line, n->key_column, n->key_quoted};
}

static void complain_key(struct rules_loading *x, const struct tree_node *n, const char *const *known)
{
    char hint[NAME_HINT_BYTES];
    name_write_hint(n->key, known, hint);
    problems_add(x->l.problems, x->l.file, n->key_line, n->key_column, "unknown key '%.*s'%s", name_shown(n->key),
                 n->key.at, hint);
}

bool rules_check_map(struct rules_loading *x, const struct tree_node *n, const char *const *known)
{
    if (n->kind == TREE_REFUSED) return false;
    if (n->kind != TREE_MAP) {
        loading_complain(&x->l, n, "expected a mapping (name: value), found %s",
                         n->kind == TREE_SCALAR && n->text.len == 0 ? "nothing" : tree_kind_name(n->kind));
        return false;
    }
    for (const struct tree_node *child = n->first; child; child = child->next) {
        bool is_known = false;
        for (size_t i = 0; known[i]; i++)
            is_known = is_known || slice_is(child->key, known[i]);
        if (!is_known) complain_key(x, child, known);
    }
    return true;
}

bool rules_check_text(struct rules_loading *x, const struct tree_node *n, const char *what)
{
    if (n->kind == TREE_SCALAR && n->text.len > 0) return true;
    if (n->kind == TREE_SCALAR)
        loading_complain(&x->l, n, "expected %s, found nothing", what);
    else if (n->kind != TREE_REFUSED)
        loading_complain(&x->l, n, "expected %s, found %s", what, tree_kind_name(n->kind));
    return false;
}

void rules_for_each(struct rules_loading *x, const struct tree_node *n,
                    void (*each)(struct rules_loading *x, const struct tree_node *n, void *owner), void *owner)
{
    if (n->kind != TREE_LIST) {
        each(x, n, owner);
        return;
    }
    if (!n->first) loading_complain(&x->l, n, "the list is empty");
    for (const struct tree_node *child = n->first; child; child = child->next)
        each(x, child, owner);
}

/* RFC 9110 5.6.2 token; and none that says where the message ends or where it goes, which only we may say. */
bool rules_check_field_name(struct rules_loading *x, const struct tree_node *n)
{
    static const char *const ours[] = {"host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", NULL};
    if (!rules_check_text(x, n, "a header's name")) return false;
    for (size_t i = 0; i < n->text.len; i++) {
        if (ascii_is_token_char(n->text.at[i])) continue;
        loading_complain(&x->l, n, "'%.*s' is no header's name", name_shown(n->text), n->text.at);
        return false;
    }
    for (size_t i = 0; ours[i]; i++) {
        if (!slice_ieq(n->text, slice_of(ours[i]))) continue;
        loading_complain(&x->l, n, "'%s' is Cardveil's own to write", ours[i]);
        return false;
    }
    return true;
}

bool rules_take_bool(struct rules_loading *x, const struct tree_node *n, bool *out)
{
    if (!rules_check_text(x, n, "on or off")) return false;
    if (setting_parse_bool(n->text, out)) return true;
    loading_complain(&x->l, n, "expected on or off (also yes, no, true, false), found '%.*s'", name_shown(n->text),
                     n->text.at);
    return false;
}

/* Characters before <bytes>: columns count characters. */
static unsigned characters_in(slice text, size_t bytes)
{
    unsigned n = 0;
    for (size_t i = 0; i < bytes && i < text.len; i++)
        n += (text.at[i] & 0xC0) != 0x80 ? 1 : 0;
    return n;
}

bool rules_add_path(struct rules_loading *x, struct path_set *set, struct path_text path, uint32_t *number)
{
    size_t count = path_set_count(set), error_at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!slice_eq(path_set_text(set, i), path.text)) continue;
        *number = i;
        return true;
    }
    if (count >= PATHS_MAX) {
        problems_add(x->l.problems, x->l.file, path.line, path.column, "more than %d different paths", PATHS_MAX);
        return false;
    }
    result r = path_set_add(set, path.text, number, &error_at);
    if (!failed(r)) return true;
    if (r.err == ERR_MEMORY) {
        x->l.out_of_memory = true;
        return false;
    }
    /* Exact for what has no escapes, which paths hardly have. */
    unsigned column = path.column + (path.quoted ? 1 : 0) + characters_in(path.text, error_at);
    bool is_xpath = r.err == ERR_PATH_SYNTAX && path_set_language(set) == PATH_XML;
    problems_add(x->l.problems, x->l.file, path.line, column, "'%.*s' is %s", name_shown(path.text), path.text.at,
                 is_xpath ? "not a path of the supported XPath subset: steps such as /a, //a, /*, //*[local-name()='a'], and /@a or "
                            "/text() at the end"
                          : error_text(r.err));
    return false;
}

/* --- accept --- */

static bool is_method(slice text)
{
    if (slice_is(text, "*")) return true;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 'A' || text.at[i] > 'Z') return false;
    return text.len > 0 && text.len <= 20;
}

static const char *check_accept_path(slice path)
{
    size_t star = slice_find(path, '*');
    if (slice_is(path, "*")) return NULL;
    if (star + 1 < path.len) return "may have '*' at its end only";
    return url_check_path(slice_range(path, 0, star));
}

static void read_accept(struct rules_loading *x, const struct tree_node *n, void *owner)
{
    (void)owner;
    if (!rules_check_text(x, n, "a method and a path, such as POST /v1/payments")) return;
    size_t blank = slice_find(n->text, ' ');
    slice method = slice_range(n->text, 0, blank), path = slice_trim(slice_after(n->text, blank));
    if (!is_method(method) || path.len == 0) {
        loading_complain(&x->l, n,
                         "expected a method and a path, such as POST /v1/payments or \"* /v1/*\", found '%.*s'",
                         name_shown(n->text), n->text.at);
        return;
    }
    const char *wrong = check_accept_path(path);
    if (wrong) {
        loading_complain(&x->l, n, "the path '%.*s' %s", name_shown(path), path.at, wrong);
        return;
    }
    for (size_t i = 0; i < x->r->accept_count; i++)
        if (slice_eq(x->r->accept[i].method, method) && slice_eq(x->r->accept[i].path, path))
            loading_complain(&x->l, n, "'%.*s' is accepted already", name_shown(n->text), n->text.at);
    struct accept_rule *a = &x->r->accept[x->r->accept_count++];
    (void)(loading_copy(&x->l, method, &a->method) && loading_copy(&x->l, path, &a->path));
}

static void read_all_accepts(struct rules_loading *x, const struct tree_node *root)
{
    const struct tree_node *accept = tree_get(root, "accept"), *pass_other = tree_get(root, "pass_other");
    if (pass_other) (void)rules_take_bool(x, pass_other, &x->r->pass_other);
    if (!accept && !x->r->pass_other)
        loading_complain(&x->l, root, "these rules accept nothing: add 'accept: [ METHOD /path ]', or pass_other: yes");
    if (!accept) return;
    x->r->accept = pool_alloc(x->l.pool, (accept->count + 1) * sizeof *x->r->accept);
    if (!x->r->accept)
        x->l.out_of_memory = true;
    else
        rules_for_each(x, accept, read_accept, NULL);
}

/* --- the rest of the top level --- */

static void read_upstream(struct rules_loading *x, const struct tree_node *n)
{
    struct upstream_url url;
    if (!rules_check_text(x, n, "https://HOST[:PORT][/PATH]")) return;
    const char *wrong = url_parse(n->text, &url);
    if (wrong) loading_complain(&x->l, n, "'upstream': %s (https://HOST[:PORT][/PATH])", wrong);
    (void)loading_copy(&x->l, n->text, &x->r->upstream);
}

static void read_processor(struct rules_loading *x, const struct tree_node *root)
{
    const struct tree_node *n = tree_get(root, "processor");
    if (!n)
        loading_complain(&x->l, root, "'processor' is missing: the processor's name");
    else if (rules_check_text(x, n, "the processor's name"))
        (void)loading_copy(&x->l, n->text, &x->r->processor);
}

static bool make_path_sets(struct rules_loading *x)
{
    x->r->plan.paths = path_set_new(plan_language(x->r->plan.format));
    x->r->reply_paths = path_set_new(PATH_JSON);
    if (x->r->plan.paths && x->r->reply_paths) return true;
    x->l.out_of_memory = true;
    return false;
}

static void read_rules(struct rules_loading *x, const struct tree_node *root)
{
    static const char *const known[] = {"processor",     "upstream", "accept",    "pass_other",  "body", "card", "find",
                                        "network_token", "reply",    "initiator", "idempotency", "sign", "answer", NULL};
    if (!rules_check_map(x, root, known)) return;
    const struct tree_node *body = tree_get(root, "body"), *upstream = tree_get(root, "upstream");
    const struct tree_node *card = tree_get(root, "card"), *network_token = tree_get(root, "network_token");
    const struct tree_node *reply = tree_get(root, "reply"), *initiator = tree_get(root, "initiator");
    const struct tree_node *sign = tree_get(root, "sign"), *idempotency = tree_get(root, "idempotency");
    const struct tree_node *find = tree_get(root, "find"), *answer = tree_get(root, "answer");
    read_processor(x, root);
    if (upstream) read_upstream(x, upstream);
    read_all_accepts(x, root);
    x->plan = &x->r->plan;
    if (body)
        rules_read_body(x, body, &x->r->any_body);
    else
        loading_complain(&x->l, root, "'body' is missing: one of " RULES_BODIES);
    if (!make_path_sets(x)) return;
    if (card) rules_read_card(x, card);
    if (find) rules_read_find(x, find);
    if (network_token) rules_read_network_token(x, network_token);
    if (reply) rules_read_reply(x, reply);
    if (initiator) rules_read_initiator(x, initiator);
    if (sign) rules_read_sign(x, sign);
    if (idempotency && rules_check_field_name(x, idempotency))
        (void)loading_copy(&x->l, idempotency->text, &x->r->idempotency_field);
    rules_check_edits(x);
    if (answer) rules_read_answer(x, answer); /* the last: from here on x->plan is the answer's */
}

/* "rede" of "…/rules/rede.yaml" */
static slice stem_of(slice file)
{
    size_t from = file.len;
    while (from > 0 && file.at[from - 1] != '/')
        from--;
    slice name = slice_after(file, from);
    if (slice_ends(name, SLICE(".yaml"))) name.len -= 5;
    return name;
}

static result load(struct rules_loading *x, struct pool *tree_pool)
{
    slice text;
    struct tree_node *root = NULL;
    size_t before = problems_count(x->l.problems);
    result r = source_read(x->l.source, x->l.file, &text);
    if (r.err == ERR_MEMORY) return r;
    if (failed(r))
        loading_complain(&x->l, NULL, "cannot read the rules: %s",
                         r.err == ERR_TOO_LARGE ? "larger than 1 MiB" : strerror(errno));
    else
        TRY(tree_read(text, x->l.file, tree_pool, x->l.problems, &root));
    (void)loading_copy(&x->l, stem_of(x->l.file), &x->r->name);
    if (root) read_rules(x, root);
    ENSURE(!x->l.out_of_memory, MEMORY);
    ENSURE(problems_count(x->l.problems) == before, CONFIG);
    return OK;
}

result ruleset_load(struct source *source, slice file, struct problems *problems, struct ruleset **out)
{
    *out = NULL;
    struct ruleset_whole *w = calloc(1, sizeof *w);
    ENSURE(w != NULL, MEMORY);
    w->pool = pool_new(RULES_MAX_BYTES);
    w->r.network_transaction_id_path = -1;
    struct pool *tree_pool = pool_new(TREE_MAX_BYTES);
    result r = FAIL(MEMORY);
    if (w->pool && tree_pool) {
        struct rules_loading x = {.l = {.source = source, .problems = problems, .file = file, .pool = w->pool},
                                  .r = &w->r};
        r = load(&x, tree_pool);
    }
    pool_free(tree_pool);
    if (failed(r))
        ruleset_free(&w->r);
    else
        *out = &w->r;
    return r;
}
