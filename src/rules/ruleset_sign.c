/* SPDX-License-Identifier: Apache-2.0 */
#include "ruleset_priv.h"

#include "rules/names.h"

#include <string.h>

/* sign: how every request of this processor is signed. Secrets are the route's; what stands here may be shown to
 * anyone. */

enum { PIECES_MAX = 32 };

/* The parts that have a word of their own. */
static const struct {
    const char *name;
    enum sign_part part;
} PARTS[] = {{"method", SIGN_PART_METHOD}, {"path", SIGN_PART_PATH},          {"query", SIGN_PART_QUERY},
             {"host", SIGN_PART_HOST},     {"date", SIGN_PART_DATE},          {"timestamp", SIGN_PART_TIMESTAMP},
             {"key_id", SIGN_PART_KEY_ID}, {"body", SIGN_PART_BODY},          {"body_sha256", SIGN_PART_BODY_SHA256},
             {"newline", SIGN_PART_TEXT},  {"signature", SIGN_PART_SIGNATURE}};
static const char *const OVER_NAMES[] = {"method", "path", "query",       "host",    "date", "timestamp",
                                         "key_id", "body", "body_sha256", "newline", NULL};
static const char *const VALUE_NAMES[] = {"signature", "key_id", "timestamp", "date", NULL};

const char *sign_part_name(enum sign_part p)
{
    for (size_t i = 0; p != SIGN_PART_TEXT && i < sizeof PARTS / sizeof *PARTS; i++)
        if (PARTS[i].part == p) return PARTS[i].name;
    return NULL;
}

bool sign_rule_has(const struct sign_rule *s, enum sign_part part)
{
    for (size_t i = 0; i < s->over_count; i++)
        if (s->over[i].part == part) return true;
    for (size_t i = 0; i < s->value_count; i++)
        if (s->value[i].part == part) return true;
    return false;
}

static bool find_part(slice name, const char *const *allowed, enum sign_part *out)
{
    for (size_t i = 0; allowed[i]; i++)
        for (size_t k = 0; slice_is(name, allowed[i]) && k < sizeof PARTS / sizeof *PARTS; k++)
            if (slice_is(name, PARTS[k].name)) {
                *out = PARTS[k].part;
                return true;
            }
    return false;
}

static void complain_part(struct rules_loading *x, const struct tree_node *n, slice name, const char *const *allowed)
{
    char hint[NAME_HINT_BYTES];
    name_write_hint(name, allowed, hint);
    loading_complain(&x->l, n, "unknown part '%.*s'%s", name_shown(name), name.at, hint);
}

/* --- over --- */

/* body | newline | { field: X-Login } | { text: "." } */
static void read_over(struct rules_loading *x, const struct tree_node *n, void *owner)
{
    static const char *const known[] = {"field", "text", NULL};
    struct sign_rule *sign = owner;
    struct sign_piece *piece = &sign->over[sign->over_count];
    if (sign->over_count == PIECES_MAX) return;
    if (n->kind == TREE_MAP) {
        const struct tree_node *field = tree_get(n, "field"), *text = tree_get(n, "text");
        if (!rules_check_map(x, n, known)) return;
        if (!field == !text) {
            loading_complain(&x->l, n, "expected either 'field' (a header's name) or 'text'");
            return;
        }
        if (field ? !rules_check_field_name(x, field) : !rules_check_text(x, text, "text")) return;
        piece->part = field ? SIGN_PART_FIELD : SIGN_PART_TEXT;
        sign->over_count += loading_copy(&x->l, field ? field->text : text->text, &piece->text);
        return;
    }
    if (!rules_check_text(x, n, "a part of the request, such as body")) return;
    if (!find_part(n->text, OVER_NAMES, &piece->part)) {
        complain_part(x, n, n->text, OVER_NAMES);
        return;
    }
    if (piece->part == SIGN_PART_TEXT)
        piece->text = SLICE("\n"); /* a rules file has no control characters in its text */
    sign->over_count++;
}

/* --- value --- */

static bool add_text(struct rules_loading *x, struct sign_rule *sign, slice text)
{
    struct sign_piece *piece = &sign->value[sign->value_count];
    if (text.len == 0) return true;
    piece->part = SIGN_PART_TEXT;
    sign->value_count += loading_copy(&x->l, text, &piece->text);
    return piece->text.at != NULL;
}

/* "V2-HMAC-SHA256, Signature: {signature}" */
static void read_value(struct rules_loading *x, const struct tree_node *n, struct sign_rule *sign)
{
    slice rest = n->text;
    while (rest.len) {
        size_t open = slice_find(rest, '{'), close = slice_find(rest, '}');
        if (sign->value_count + 2 > PIECES_MAX) {
            loading_complain(&x->l, n, "more than %d parts", PIECES_MAX);
            return;
        }
        if (open == rest.len && close == rest.len) {
            (void)add_text(x, sign, rest);
            return;
        }
        if (close < open || close == rest.len) {
            loading_complain(&x->l, n, "a brace without its partner; {signature} is how a part is written");
            return;
        }
        slice name = slice_range(rest, open + 1, close);
        if (!add_text(x, sign, slice_range(rest, 0, open))) return;
        if (!find_part(name, VALUE_NAMES, &sign->value[sign->value_count].part)) {
            complain_part(x, n, name, VALUE_NAMES);
            return;
        }
        sign->value_count++;
        rest = slice_after(rest, close + 1);
    }
}

/* --- hmac-sha256 --- */

static void check_hmac(struct rules_loading *x, const struct tree_node *n, const struct sign_rule *sign)
{
    bool is_told = false, is_signed = false, has_time = false;
    for (size_t i = 0; i < sign->value_count; i++) {
        is_told = is_told || sign->value[i].part == SIGN_PART_TIMESTAMP;
        is_signed = is_signed || sign->value[i].part == SIGN_PART_SIGNATURE;
    }
    for (size_t i = 0; i < sign->over_count; i++)
        has_time = has_time || sign->over[i].part == SIGN_PART_TIMESTAMP;
    if (!is_signed) loading_complain(&x->l, n, "'value' has no {signature}");
    if (has_time && !is_told)
        loading_complain(
            &x->l, n, "'over' has the timestamp, which the processor cannot guess: put {timestamp} into 'value' too");
}

static void read_hmac(struct rules_loading *x, const struct tree_node *n)
{
    struct sign_rule *sign = &x->r->sign;
    const struct tree_node *over = tree_get(n, "over"), *field = tree_get(n, "field"), *value = tree_get(n, "value");
    const struct tree_node *encoding = tree_get(n, "encoding");
    const char *missing = !over ? "over" : !field ? "field" : !value ? "value" : NULL;
    if (missing) {
        loading_complain(&x->l, n,
                         "'%s' is missing: hmac-sha256 needs 'over' (what is signed), 'field' and 'value' (the header)",
                         missing);
        return;
    }
    sign->over = pool_alloc(x->l.pool, PIECES_MAX * sizeof *sign->over);
    sign->value = pool_alloc(x->l.pool, PIECES_MAX * sizeof *sign->value);
    if (!sign->over || !sign->value) {
        x->l.out_of_memory = true;
        return;
    }
    if (over->count > PIECES_MAX) loading_complain(&x->l, over, "more than %d parts", PIECES_MAX);
    rules_for_each(x, over, read_over, sign);
    if (rules_check_field_name(x, field)) (void)loading_copy(&x->l, field->text, &sign->field);
    if (rules_check_text(x, value, "the header's value, with {signature} in it")) {
        read_value(x, value, sign);
        check_hmac(x, value, sign);
    }
    if (!encoding || !rules_check_text(x, encoding, "hex or base64")) return;
    if (slice_is(encoding->text, "base64"))
        sign->encoding = SIGN_BASE64;
    else if (!slice_is(encoding->text, "hex"))
        loading_complain(&x->l, encoding, "expected hex or base64, found '%.*s'", name_shown(encoding->text),
                         encoding->text.at);
}

/* --- all kinds --- */

static void read_algorithm(struct rules_loading *x, const struct tree_node *n)
{
    if (!rules_check_text(x, n, "HS256 or RS256")) return;
    x->r->sign.rs256 = slice_is(n->text, "RS256");
    if (!x->r->sign.rs256 && !slice_is(n->text, "HS256"))
        loading_complain(&x->l, n, "expected HS256 or RS256, found '%.*s'", name_shown(n->text), n->text.at);
}

static const char *const ONLY_TYPE[] = {"type", NULL}, *const OF_JWT[] = {"type", "algorithm", NULL};
static const char *const OF_HMAC[] = {"type", "over", "field", "value", "encoding", NULL};
static const struct {
    const char *name;
    enum sign_kind kind;
    const char *const *known;
} KINDS[] = {{"digest", SIGN_DIGEST, ONLY_TYPE},
             {"cybersource-http-signature", SIGN_CYBERSOURCE, ONLY_TYPE},
             {"cybersource-jwt", SIGN_CYBERSOURCE_JWT, OF_JWT},
             {"hmac-sha256", SIGN_HMAC_SHA256, OF_HMAC}};
enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS };

const char *sign_kind_name(enum sign_kind k)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (KINDS[i].kind == k) return KINDS[i].name;
    return NULL;
}

void rules_read_sign(struct rules_loading *x, const struct tree_node *sign)
{
    static const char words[] = "one of: digest cybersource-http-signature cybersource-jwt hmac-sha256";
    const struct tree_node *type = tree_get(sign, "type"), *algorithm = tree_get(sign, "algorithm");
    if (sign->kind == TREE_MAP && !type) loading_complain(&x->l, sign, "'type' is missing: %s", words);
    if (sign->kind != TREE_MAP) (void)rules_check_map(x, sign, OF_HMAC);
    if (!type || !rules_check_text(x, type, words)) return;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!slice_is(type->text, KINDS[i].name)) continue;
        x->r->sign.kind = KINDS[i].kind;
        (void)rules_check_map(x, sign, KINDS[i].known);
        if (algorithm && KINDS[i].kind == SIGN_CYBERSOURCE_JWT) read_algorithm(x, algorithm);
        if (KINDS[i].kind == SIGN_HMAC_SHA256) read_hmac(x, sign);
        return;
    }
    loading_complain(&x->l, type, "expected %s, found '%.*s'", words, name_shown(type->text), type->text.at);
}
