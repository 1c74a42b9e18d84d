/* SPDX-License-Identifier: Apache-2.0 */
/* Random documents, random edits, and every combination of what a credential may have: the result is a right document,
 * the same for every split, and holds exactly what the edits that hold say, told by another parser. */
#include "../base/suite.h"
#include "help.h"

#include "body/json_pick.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENTS = 60, TEXT_BYTES = 4096, VALUES_MAX = 64 };

/* What may be in a plan; none lies inside another. */
static const char *const JSON_EDITS[] = {
    "set $.a cryptogram",
    "set $.b.c eci",
    "set $.b.d =\"Y\" with cryptogram",
    "set $.e.f.g network_transaction_id",
    "set $.e.f.i card_last4",
    "set $.e.j :\"vts\"",
    "transaction $.b.k",
    "transaction $.h.a",
    "drop $.d",
    "drop $.b.a",
    "set $.i.b expiry MM/YYYY",
    "drop $.e.d",
    "drop $.j",
    "set $.k.a.b.c =true",
};
static const char *const FORM_EDITS[] = {
    "set a cryptogram",
    "set b[c] eci",
    "set b[d] =Y with cryptogram",
    "set c network_transaction_id",
    "set i card_last4",
    "set j :vts",
    "transaction k",
    "drop d",
    "drop b[a]",
    "set f expiry MMYY",
    "drop e",
    "set g =a&b",
};
enum { JSON_COUNT = sizeof JSON_EDITS / sizeof *JSON_EDITS, FORM_COUNT = sizeof FORM_EDITS / sizeof *FORM_EDITS };

struct text {
    char at[TEXT_BYTES];
    size_t len;
    unsigned seed;
};

static unsigned dice(struct text *t, unsigned sides)
{
    return (unsigned)rand_r(&t->seed) % sides;
}

static void put(struct text *t, const char *s)
{
    size_t len = strlen(s);
    ck_assert(t->len + len < sizeof t->at);
    memcpy(t->at + t->len, s, len);
    t->len += len;
}

static void put_space(struct text *t)
{
    static const char *const gaps[] = {"", "", "", " ", "\n "};
    put(t, gaps[dice(t, 5)]);
}

static void put_object(struct text *t, unsigned depth);

static void put_value(struct text *t, unsigned depth)
{
    static const char *const scalars[] = {
        "1", "-2.50", "null", "true", "\"x\"", "\"\"", "\"{{TOKEN1:detokenize}}\"", "[]", "[1, {\"a\":2}]"};
    if (depth < 3 && dice(t, 2))
        put_object(t, depth + 1);
    else
        put(t, scalars[dice(t, sizeof scalars / sizeof *scalars)]);
}

/* Each name at most once, in a random order. */
static void put_object(struct text *t, unsigned depth)
{
    const char *names = "abcdefghijk";
    unsigned step = 1 + dice(t, 10), at = dice(t, 11), count = dice(t, 12);
    char name[8];
    bool any = false;
    put(t, "{");
    put_space(t);
    if (depth == 0) put(t, "\"n\":\"{{TOKEN1:detokenize}}\"");
    any = depth == 0;
    for (unsigned i = 0; i < count; i++, at = (at + step) % 11) { /* 11 is prime: no name comes twice */
        if (dice(t, depth ? 4 : 2)) continue;                     /* small ones, which drops empty */
        if (any) put(t, ",");
        put_space(t);
        (void)snprintf(name, sizeof name, "\"%c\":", names[at]);
        put(t, name);
        put_space(t);
        put_value(t, depth);
        put_space(t);
        any = true;
    }
    put(t, "}");
}

static void put_form(struct text *t)
{
    static const char *const names[] = {"a", "b[c]", "b%5Bd%5D", "c", "d", "b[a]", "e", "f", "g", "i", "j"};
    unsigned step = 1 + dice(t, 10), at = dice(t, 11), count = dice(t, 12), token = dice(t, 12);
    bool any = false;
    for (unsigned i = 0; i < 12; i++, at = (at + step) % 11) {
        bool is_token = i == token;
        if (!is_token && (i >= count || i >= 11 || dice(t, 2))) continue;
        if (any) put(t, "&");
        any = true;
        put(t, is_token ? "n={{TOKEN1:detokenize}}&" : "");
        if (is_token) t->len--;
        if (is_token) continue;
        put(t, names[at]);
        if (dice(t, 3)) put(t, dice(t, 2) ? "=x+y" : "={{TOKEN1:detokenize}}");
    }
}

/* --- credentials: every combination --- */

enum {
    HAS_CRYPTOGRAM = 1,
    HAS_ECI = 2,
    HAS_TRANSACTION = 4,
    HAS_LAST4 = 8,
    IS_VISA = 16,
    IS_PAN = 32,
    COMBINATIONS = 64
};

static struct credential credential_with(unsigned has)
{
    struct credential c = has & IS_PAN ? *card_pan() : *card_network_token();
    if (!(has & HAS_CRYPTOGRAM)) c.cryptogram_len = 0;
    if (!(has & HAS_ECI)) c.eci_len = 0;
    if (has & HAS_TRANSACTION) memcpy(c.network_transaction_id, "NTID01", c.network_transaction_id_len = 6);
    if (has & HAS_LAST4) memcpy(c.card_last4, "1111", 4);
    if (has & IS_VISA) c.brand = BRAND_VISA;
    return c;
}

/* The value an edit sets, as plain text; NULL: it does not hold. Written apart from the code under test, edit by edit.
 */
static const char *expected(const char *edit, unsigned has)
{
    static const struct {
        const char *part;
        unsigned needs;
        const char *value;
    } values[] = {{"with cryptogram", HAS_CRYPTOGRAM, "Y"},
                  {" cryptogram", HAS_CRYPTOGRAM, CRYPTOGRAM_TEXT},
                  {" eci", HAS_ECI, "05"},
                  {" network_transaction_id", HAS_TRANSACTION, "NTID01"},
                  {"transaction ", HAS_TRANSACTION, "NTID01"},
                  {" card_last4", HAS_LAST4, "1111"},
                  {" :", IS_VISA, "vts"},
                  {"MM/YYYY", 0, "12/2029"},
                  {"MMYY", 0, "1229"},
                  {"=true", 0, "true"},
                  {"=a&b", 0, "a&b"}};
    bool with_card = strncmp(edit, "transaction", 11) == 0;
    if ((has & IS_PAN) && !with_card) return NULL;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strstr(edit, values[i].part)) return (has & values[i].needs) == values[i].needs ? values[i].value : NULL;
    return NULL;
}

static slice path_of(const char *edit)
{
    slice rest = slice_of(edit), word;
    ck_assert(slice_next(&rest, ' ', &word) && slice_next(&rest, ' ', &word));
    return word;
}

/* --- what another parser finds --- */

struct found {
    size_t count;
    char value[64];
};
struct finding {
    struct found at[JSON_COUNT];
};

static void on_value(void *owner, uint32_t path, slice value, bool is_text)
{
    (void)is_text;
    struct finding *f = owner;
    ck_assert(value.len < sizeof f->at[path].value);
    f->at[path].count++;
    memcpy(f->at[path].value, value.at, value.len);
    f->at[path].value[value.len] = 0;
}

static void find_json(slice text, struct finding *f)
{
    struct path_set *paths = path_set_new(PATH_JSON);
    for (size_t i = 0; i < JSON_COUNT; i++) {
        uint32_t number;
        size_t at;
        ck_assert(!failed(path_set_add(paths, path_of(JSON_EDITS[i]), &number, &at)) && number == i);
    }
    memset(f, 0, sizeof *f);
    ck_assert_msg(json_pick(paths, text, on_value, f).err == ERR_NONE, "no JSON: %.*s", SLICE_ARG(text));
    path_set_free(paths);
}

/* Names and values between '&', decoded; no pair is empty. */
static void find_form(slice text, struct finding *f)
{
    slice pair;
    memset(f, 0, sizeof *f);
    for (slice rest = text; slice_next(&rest, '&', &pair);) {
        char plain[256];
        size_t n = 0, equals = 0;
        ck_assert_msg(pair.len > 0 && pair.len < sizeof plain, "an empty pair: %.*s", SLICE_ARG(text));
        for (size_t i = 0; i < pair.len; i++) {
            char c = pair.at[i];
            unsigned code;
            if (c == '%') {
                const char hex[] = {pair.at[i + 1], pair.at[i + 2], 0};
                ck_assert_int_eq(sscanf(hex, "%x", &code), 1);
                c = (char)code;
                i += 2;
            } else if (c == '=' && !equals) {
                equals = n + 1;
            }
            plain[n++] = c;
        }
        slice name = {plain, equals ? equals - 1 : n};
        for (size_t k = 0; k < FORM_COUNT; k++)
            if (slice_eq(name, path_of(FORM_EDITS[k])))
                on_value(f, (uint32_t)k, equals ? (slice){plain + equals, n - equals} : SLICE(""), true);
    }
}

/* --- the property --- */

struct trial {
    enum body_format format;
    const char *const *edits;
    size_t count;
    unsigned chosen; /* edits of the plan, by bit */
    struct plan *plan;
    slice in;
};

static void check_edit(const struct trial *t, size_t i, unsigned has, const struct found *before,
                       const struct found *after, slice out)
{
    const char *edit = t->edits[i];
    bool is_chosen = t->chosen >> i & 1, drops = strncmp(edit, "drop", 4) == 0,
         gentle = strncmp(edit, "transaction", 11) == 0;
    const char *want = is_chosen && !drops ? expected(edit, has) : NULL;
    if (gentle && before->count) want = NULL; /* the caller's own stays */
    if (is_chosen && drops && !(has & IS_PAN)) {
        ck_assert_msg(after->count == 0, "%s is still there (%x): %.*s", edit, has, SLICE_ARG(out));
    } else if (want &&
               !(gentle &&
                 after->count == 0)) { /* null, an object or a list at a gentle place stays too, and is not told */
        ck_assert_msg(after->count == 1 && strcmp(after->value, want) == 0, "%s (%x) in %.*s\n gives %.*s", edit, has,
                      SLICE_ARG(t->in), SLICE_ARG(out));
    } else if (!want) {
        bool same = after->count == before->count && strcmp(after->value, before->value) == 0;
        /* A scalar above it may have made room for an object of another edit. */
        ck_assert_msg(same, "%s (%x) in %.*s\n gives %.*s", edit, has, SLICE_ARG(t->in), SLICE_ARG(out));
    }
}

static void check_combination(const struct trial *t, unsigned has)
{
    struct credential c = credential_with(has);
    struct plan *bare = plan_of(t->format, t->format == BODY_FORM ? "field n number" : "field $.n number");
    struct outcome plain = run_body(bare, t->in, WHOLE, &c), whole = run_body(t->plan, t->in, WHOLE, &c);
    ck_assert_msg(whole.err == ERR_NONE && plain.err == ERR_NONE, "%s: %.*s", error_name(whole.err), SLICE_ARG(t->in));
    struct finding before, after;
    slice out = buf_slice(&whole.out);
    (t->format == BODY_FORM ? find_form : find_json)(buf_slice(&plain.out), &before);
    (t->format == BODY_FORM ? find_form : find_json)(out, &after);
    for (size_t i = 0; i < t->count; i++)
        check_edit(t, i, has, &before.at[i], &after.at[i], out);
    static const long splits[] = {BYTEWISE, -1, -2};
    for (size_t i = 0; i < 3; i++) {
        struct outcome again = run_body(t->plan, t->in, splits[i], &c);
        ck_assert_msg(same_outcome(&whole, &again), "split %ld of %.*s", splits[i], SLICE_ARG(t->in));
        outcome_done(&again);
    }
    /* strict, no key twice: as the next one in line would read it */
    struct outcome reread = run_body(bare, out, WHOLE, &c);
    ck_assert_msg(reread.err == ERR_NONE, "%s: %.*s", error_name(reread.err), SLICE_ARG(out));
    outcome_done(&reread);
    outcome_done(&plain);
    outcome_done(&whole);
    plan_drop(bare);
}

static void check_document(enum body_format format, unsigned seed)
{
    struct text text = {.seed = seed}, rules = {.seed = seed + 1000};
    struct trial t = {.format = format,
                      .edits = format == BODY_FORM ? FORM_EDITS : JSON_EDITS,
                      .count = format == BODY_FORM ? FORM_COUNT : JSON_COUNT};
    put(&rules, format == BODY_FORM ? "field n number\n" : "field $.n number\n");
    for (size_t i = 0; i < t.count; i++) {
        if (dice(&rules, 3) == 0) continue;
        t.chosen |= 1u << i;
        put(&rules, t.edits[i]);
        put(&rules, "\n");
    }
    rules.at[rules.len] = 0;
    t.plan = plan_of(format, rules.at);
    if (format == BODY_FORM)
        put_form(&text);
    else
        put_object(&text, 0);
    t.in = (slice){text.at, text.len};
    for (unsigned has = 0; has < COMBINATIONS; has++)
        check_combination(&t, has);
    plan_drop(t.plan);
}

START_TEST(json_documents)
{
    for (unsigned seed = 0; seed < DOCUMENTS; seed++)
        check_document(BODY_JSON, seed);
}
END_TEST

START_TEST(form_documents)
{
    for (unsigned seed = 0; seed < DOCUMENTS; seed++)
        check_document(BODY_FORM, seed);
}
END_TEST

RUN_TESTS("edit_property", json_documents, form_documents)
