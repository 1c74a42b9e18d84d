/* SPDX-License-Identifier: Apache-2.0 */
#include "ruleset_priv.h"

#include "rules/names.h"

#include <string.h>

/* Texts of a list go into an array that was made large enough for it. */
struct texts {
    slice *at;
    size_t count;
};

static bool make_texts(struct rules_loading *x, const struct tree_node *n, struct texts *out)
{
    out->count = 0;
    out->at = pool_alloc(x->l.pool, (n->count + 1) * sizeof *out->at);
    if (!out->at) x->l.out_of_memory = true;
    return out->at != NULL;
}

static void read_code(struct rules_loading *x, const struct tree_node *n, void *owner)
{
    struct texts *texts = owner;
    if (!rules_check_text(x, n, "a code in quotes, such as \"05\"")) return;
    if (!n->quoted && n->text.at[0] == '0' && n->text.len > 1) {
        /* YAML readers take 05 for a number; other tools that touch this file would lose the zero. */
        loading_complain(&x->l, n, "put the code in quotes: \"%.*s\"", name_shown(n->text), n->text.at);
        return;
    }
    for (size_t i = 0; i < texts->count; i++)
        if (slice_eq(texts->at[i], n->text)) {
            loading_complain(&x->l, n, "'%.*s' stands here twice", name_shown(n->text), n->text.at);
            return;
        }
    if (loading_copy(&x->l, n->text, &texts->at[texts->count])) texts->count++;
}

static void read_approved(struct rules_loading *x, const struct tree_node *approved)
{
    if (approved->kind != TREE_MAP) {
        loading_complain(&x->l, approved, "expected a mapping of path and codes, such as { $.returnCode: [ \"00\" ] }");
        return;
    }
    x->r->approved = pool_alloc(x->l.pool, (approved->count + 1) * sizeof *x->r->approved);
    if (!x->r->approved) {
        x->l.out_of_memory = true;
        return;
    }
    for (const struct tree_node *n = approved->first; n; n = n->next) {
        struct texts codes;
        uint32_t path;
        if (!rules_add_path(x, x->r->reply_paths, path_of_key(n), &path) || !make_texts(x, n, &codes)) continue;
        rules_for_each(x, n, read_code, &codes);
        x->r->approved[x->r->approved_count++] = (struct reply_match){.path = path, .values = codes.at, .value_count = codes.count};
    }
    if (approved->count == 0) loading_complain(&x->l, approved, "'approved' is empty");
}

static void read_decline_code(struct rules_loading *x, const struct tree_node *n, void *owner)
{
    (void)owner;
    uint32_t path;
    if (!rules_check_text(x, n, "a path") || !rules_add_path(x, x->r->reply_paths, path_of_value(n), &path)) return;
    x->r->decline_code_paths[x->r->decline_code_count++] = path;
}

static void read_decline_codes(struct rules_loading *x, const struct tree_node *n)
{
    x->r->decline_code_paths = pool_alloc(x->l.pool, (n->count + 1) * sizeof *x->r->decline_code_paths);
    if (x->r->decline_code_paths)
        rules_for_each(x, n, read_decline_code, NULL);
    else
        x->l.out_of_memory = true;
}

void rules_read_reply(struct rules_loading *x, const struct tree_node *reply)
{
    static const char *const known[] = {"approved", "decline_code", "pan_retry", "network_transaction_id", NULL};
    if (!rules_check_map(x, reply, known)) return;
    const struct tree_node *approved = tree_get(reply, "approved"), *decline_code = tree_get(reply, "decline_code");
    const struct tree_node *pan_retry = tree_get(reply, "pan_retry");
    const struct tree_node *transaction = tree_get(reply, "network_transaction_id");
    if (approved) read_approved(x, approved);
    if (decline_code) read_decline_codes(x, decline_code);
    if (pan_retry) {
        struct texts codes;
        if (make_texts(x, pan_retry, &codes)) {
            rules_for_each(x, pan_retry, read_code, &codes);
            x->r->pan_retry = codes.at;
            x->r->pan_retry_count = codes.count;
        }
        /* Without both, a decline is not clear, and a payment could be made twice. */
        if (!approved || !decline_code)
            loading_complain(&x->l, pan_retry,
                             "'pan_retry' needs 'approved' and 'decline_code': only a clear decline is tried again");
    }
    uint32_t path;
    if (transaction && rules_check_text(x, transaction, "a path") &&
        rules_add_path(x, x->r->reply_paths, path_of_value(transaction), &path))
        x->r->network_transaction_id_path = path;
}
