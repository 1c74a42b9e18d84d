/* SPDX-License-Identifier: Apache-2.0 */
#include "ruleset_priv.h"

#include "rules/names.h"

#include <string.h>

enum { MATCHES_MAX = 64 }; /* proxy/verdict keeps a bit for each */

/* The list goes into an array that is made large enough for it. */
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

bool rules_read_texts(struct rules_loading *x, const struct tree_node *n, struct texts *out)
{
    if (!make_texts(x, n, out)) return false;
    rules_for_each(x, n, read_code, out);
    return true;
}

/* --- approved, and where the code stands --- */

/* http_status: [ "200", "201" ] */
static void check_statuses(struct rules_loading *x, const struct tree_node *n, const struct texts *statuses)
{
    uint64_t status;
    for (size_t i = 0; i < statuses->count; i++)
        if (!slice_to_u64(statuses->at[i], 599, &status) || status < 200)
            loading_complain(&x->l, n, "'%.*s' is no status of an answer (200 to 599)", name_shown(statuses->at[i]),
                             statuses->at[i].at);
}

/* { PATH: [ values ], … }, and with <may_be_status> http_status among the paths. NULL: out of memory, or nothing right.
 */
static struct reply_match *read_matches(struct rules_loading *x, const struct tree_node *map, bool may_be_status,
                                        size_t *count)
{
    if (map->kind != TREE_MAP) {
        loading_complain(&x->l, map, "expected a mapping of path and codes, such as { $.returnCode: [ \"00\" ] }");
        return NULL;
    }
    struct reply_match *matches = pool_alloc(x->l.pool, (map->count + 1) * sizeof *matches);
    if (!matches) {
        x->l.out_of_memory = true;
        return NULL;
    }
    for (const struct tree_node *n = map->first; n; n = n->next) {
        struct texts codes;
        struct reply_match match = {.is_status = may_be_status && slice_is(n->key, "http_status")};
        if (!match.is_status && !rules_add_path(x, x->r->reply_paths, path_of_key(n), &match.path)) continue;
        if (!rules_read_texts(x, n, &codes)) continue;
        if (match.is_status) check_statuses(x, n, &codes);
        match.values = codes.at;
        match.value_count = codes.count;
        matches[(*count)++] = match;
    }
    if (map->count == 0) loading_complain(&x->l, map, "'%.*s' is empty", SLICE_ARG(map->key));
    if (map->count > MATCHES_MAX) loading_complain(&x->l, map, "more than %d conditions", MATCHES_MAX);
    return matches;
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

/* --- declines --- */

static bool parse_reason(slice word, enum decline_reason *out)
{
    for (unsigned d = DECLINE_NONE + 1; d < DECLINE_COUNT; d++) {
        if (!slice_is(word, decline_name((enum decline_reason)d))) continue;
        *out = (enum decline_reason)d;
        return true;
    }
    return false;
}

static enum decline_reason reason_of(const struct ruleset *r, slice code)
{
    for (size_t i = 0; i < r->decline_count; i++)
        if (slice_eq(r->declines[i].code, code)) return r->declines[i].reason;
    return DECLINE_NONE;
}

static void read_reason(struct rules_loading *x, const struct tree_node *n, enum decline_reason reason)
{
    struct texts codes;
    if (!rules_read_texts(x, n, &codes)) return;
    for (size_t i = 0; i < codes.count; i++) {
        enum decline_reason other = reason_of(x->r, codes.at[i]);
        if (other != DECLINE_NONE)
            loading_complain(&x->l, n, "'%.*s' is '%s' already", name_shown(codes.at[i]), codes.at[i].at,
                             decline_name(other));
        else
            x->r->declines[x->r->decline_count++] = (struct decline_rule){codes.at[i], reason};
    }
}

/* declines: { do_not_honor: [ "05" ] } */
static void read_declines(struct rules_loading *x, const struct tree_node *declines)
{
    const char *known[DECLINE_COUNT] = {NULL};
    size_t count = 0;
    for (unsigned d = DECLINE_NONE + 1; d < DECLINE_COUNT; d++)
        known[d - 1] = decline_name((enum decline_reason)d);
    if (!rules_check_map(x, declines, known)) return;
    for (const struct tree_node *n = declines->first; n; n = n->next)
        count += n->count + 1;
    x->r->declines = pool_alloc(x->l.pool, (count + 1) * sizeof *x->r->declines);
    if (!x->r->declines) {
        x->l.out_of_memory = true;
        return;
    }
    for (const struct tree_node *n = declines->first; n; n = n->next) {
        enum decline_reason reason;
        if (parse_reason(n->key, &reason)) read_reason(x, n, reason);
    }
    if (count == 0) loading_complain(&x->l, declines, "'declines' is empty");
}

/* Schemes fine for repeating what they call final: a list of codes cannot overrule the table of reasons. */
static void read_pan_retry(struct rules_loading *x, const struct tree_node *n)
{
    struct texts codes;
    if (!rules_read_texts(x, n, &codes)) return;
    x->r->pan_retry = codes.at;
    x->r->pan_retry_count = codes.count;
    for (size_t i = 0; i < codes.count; i++) {
        enum decline_reason reason = reason_of(x->r, codes.at[i]);
        if (reason != DECLINE_NONE && !decline_may_retry(reason))
            loading_complain(&x->l, n,
                             "'%.*s' is '%s' under 'declines', which is never tried again: take it out of 'pan_retry'",
                             name_shown(codes.at[i]), codes.at[i].at, decline_name(reason));
    }
}

/* --- network transaction id, initiator --- */

/* PATH of the answer, or { from: PATH of the answer, set: PATH of the request } */
static void read_transaction(struct rules_loading *x, const struct tree_node *n)
{
    static const char *const known[] = {"from", "set", NULL};
    const struct tree_node *from = n, *set = NULL;
    uint32_t path;
    if (n->kind == TREE_MAP) {
        if (!rules_check_map(x, n, known)) return;
        from = tree_get(n, "from");
        set = tree_get(n, "set");
        if (!from) loading_complain(&x->l, n, "'from' is missing: where the answer carries it");
    }
    if (from && rules_check_text(x, from, "a path") && rules_add_path(x, x->r->reply_paths, path_of_value(from), &path))
        x->r->network_transaction_id_path = path;
    if (!set || !rules_check_text(x, set, "a path")) return;
    if (!x->has_edits) {
        loading_complain(&x->l, set, "'set' needs body json or form");
        return;
    }
    struct plan_edit *edit = rules_add_set(x, path_of_value(set));
    if (!edit) return;
    if (!x->edits_at) x->edits_at = set;
    edit->when = EDIT_WITH_TRANSACTION_ID;
    edit->element = ELEMENT_NETWORK_TRANSACTION_ID;
}

/* initiator: { at: PATH of the request, merchant: [ values ] } */
void rules_read_initiator(struct rules_loading *x, const struct tree_node *initiator)
{
    static const char *const known[] = {"at", "merchant", NULL};
    const struct tree_node *at = tree_get(initiator, "at"), *merchant = tree_get(initiator, "merchant");
    struct plan *plan = &x->r->plan;
    struct texts values = {0};
    if (!rules_check_map(x, initiator, known)) return;
    if (!x->has_edits) {
        loading_complain(&x->l, initiator, "'initiator' needs body json or form");
        return;
    }
    if (!at || !merchant) {
        loading_complain(&x->l, initiator, "'%s' is missing: %s", at ? "merchant" : "at",
                         at ? "which values mean that the merchant initiated the payment" : "the path that tells");
        return;
    }
    if (rules_check_text(x, at, "a path") && rules_add_path(x, plan->paths, path_of_value(at), &plan->capture))
        plan->has_capture = true;
    if (!rules_read_texts(x, merchant, &values)) return;
    x->r->merchant_initiated = values.at;
    x->r->merchant_initiated_count = values.count;
    for (size_t i = 0; i < values.count; i++)
        if (values.at[i].len > BODY_CAPTURED_MAX_BYTES)
            loading_complain(&x->l, merchant, "a value is at most %d bytes long", BODY_CAPTURED_MAX_BYTES);
}

/* --- reply --- */

void rules_read_reply(struct rules_loading *x, const struct tree_node *reply)
{
    static const char *const known[] = {"approved",    "decline_code",           "declines", "pan_retry",
                                        "never_retry", "network_transaction_id", NULL};
    if (!rules_check_map(x, reply, known)) return;
    const struct tree_node *approved = tree_get(reply, "approved"), *decline_code = tree_get(reply, "decline_code");
    const struct tree_node *pan_retry = tree_get(reply, "pan_retry"), *declines = tree_get(reply, "declines");
    const struct tree_node *transaction = tree_get(reply, "network_transaction_id"),
                           *never = tree_get(reply, "never_retry");
    if (approved) x->r->approved = read_matches(x, approved, true, &x->r->approved_count);
    if (decline_code) read_decline_codes(x, decline_code);
    if (declines) read_declines(x, declines);
    if (pan_retry) read_pan_retry(x, pan_retry);
    const struct tree_node *needy = declines ? declines : pan_retry;
    /* Without both, a decline is not clear, and a payment could be made twice. */
    if (needy && (!approved || !decline_code))
        loading_complain(&x->l, needy, "'%s' needs 'approved' and 'decline_code': only a clear decline is tried again",
                         declines ? "declines" : "pan_retry");
    if (never) x->r->never_retry = read_matches(x, never, false, &x->r->never_retry_count);
    if (never && !declines && !pan_retry)
        loading_complain(&x->l, never, "'never_retry' says nothing without 'declines' or 'pan_retry'");
    if (transaction) read_transaction(x, transaction);
}
