/* SPDX-License-Identifier: Apache-2.0 */
#include "api/firstoken_json.h"

#include "body/json_pick.h"

#include <assert.h>
#include <string.h>

enum value_kind { VALUE_TEXT, VALUE_NUMBER, VALUE_BOOLEAN, VALUE_NULL, VALUE_OBJECT, VALUE_ARRAY };
enum field {
    FIELD_ROOT = 0, FIELD_CARDS, FIELD_CARD, FIELD_NUMBER, FIELD_NAME, FIELD_EXPIRY, FIELD_CVC, FIELD_TAGS, FIELD_SCHEME, FIELD_EIGHT, FIELD_TYPE,
    FIELD_TTL, FIELD_TOKENS, FIELD_TOKEN, FIELD_COUNT
};
enum { OF_CARDS = 1 << FIRSTOKEN_CARDS, OF_TOKENS = 1 << FIRSTOKEN_TOKENS, OF_REQUEST = 1 << FIRSTOKEN_REQUEST, OF_STORE = 1 << FIRSTOKEN_STORE };

/* Where each stands, in which bodies, and what it has to be; those of a card have errors of their own. */
static const struct {
    enum field field;
    unsigned kinds;
    const char *path, *expected;
} places[] = {
    {FIELD_ROOT, OF_CARDS | OF_TOKENS | OF_REQUEST | OF_STORE, "$", "the body is one JSON object"},
    {FIELD_CARDS, OF_CARDS, "$.chd", "an array of 1 to 100 cards"},
    {FIELD_CARD, OF_CARDS, "$.chd[*]", "a card is an object with card, name and exp"},
    {FIELD_NUMBER, OF_CARDS, "$.chd[*].card", NULL},
    {FIELD_NAME, OF_CARDS, "$.chd[*].name", NULL},
    {FIELD_EXPIRY, OF_CARDS, "$.chd[*].exp", NULL},
    {FIELD_CARD, OF_REQUEST, "$.chd", "one object with card, name, exp and cvv"},
    {FIELD_NUMBER, OF_REQUEST, "$.chd.card", NULL},
    {FIELD_NAME, OF_REQUEST, "$.chd.name", NULL},
    {FIELD_EXPIRY, OF_REQUEST, "$.chd.exp", NULL},
    {FIELD_CVC, OF_REQUEST, "$.chd.cvv", NULL},
    {FIELD_TTL, OF_REQUEST, "$.ttl", "a whole number of seconds from 1 to 28800"},
    {FIELD_TAGS, OF_CARDS | OF_STORE, "$.tags", "an array, even if it is empty"},
    {FIELD_SCHEME, OF_CARDS | OF_STORE, "$.scheme", "1, 3 or 7"},
    {FIELD_EIGHT, OF_CARDS | OF_STORE, "$.isEightDigitsBin", "true or false"},
    {FIELD_TYPE, OF_CARDS | OF_STORE, "$.type", "persistent, or left out"},
    {FIELD_TOKENS, OF_TOKENS, "$.tokens", "an array of 1 to 100 tokens"},
    {FIELD_TOKEN, OF_TOKENS, "$.tokens[*]", "a token is a JSON string"},
};
enum { PLACES = sizeof places / sizeof *places };

struct reading {
    struct firstoken_json *json;
    enum firstoken_kind kind;
    uint8_t place_of[PLACES]; /* a path's number in the set ─► its row */
    bool seen[FIELD_COUNT];
    bool is_eight, is_persistent;
    result verdict;
};

static void stop(struct reading *r, result why)
{
    if (!failed(r->verdict)) r->verdict = why;
}

static const char *path_shown(const char *path)
{
    return path[1] == '.' ? path + 2 : path;
}

static void blame(struct reading *r, enum field field, result why)
{
    for (size_t i = 0; i < PLACES && !failed(r->verdict); i++) {
        if (places[i].field != field || !(places[i].kinds & 1u << r->kind)) continue;
        r->json->path = path_shown(places[i].path);
        r->json->fault = places[i].expected;
        stop(r, why);
    }
}

/* --- one card --- */

static struct card_json *current(const struct reading *r)
{
    return &r->json->list.cards[r->json->list.count - 1];
}

/* The first that is wrong with it. */
static void judge(struct card_json *c, result r)
{
    if (failed(r) && !failed(c->verdict)) c->verdict = r;
}

static void card_begins(struct reading *r)
{
    if (r->json->list.count == FIRSTOKEN_ITEMS_MAX) {
        blame(r, FIELD_CARDS, FAIL(REQUEST_FIELD));
        return;
    }
    result added = card_json_add(&r->json->list);
    if (failed(added)) stop(r, added);
}

static bool *flag_of(struct card_json *c, enum field field)
{
    switch (field) {
    case FIELD_NUMBER: return &c->has_number;
    case FIELD_NAME: return &c->has_holder;
    case FIELD_EXPIRY: return &c->has_expiry;
    default: return &c->has_cvc;
    }
}

/* What is no text is wrong in the way an empty one is; a name may be null, a number's digits may come without quotes. */
static void card_value(struct reading *r, enum field field, enum value_kind kind, slice value)
{
    struct card_json *c = current(r);
    bool *flag = flag_of(c, field);
    bool is_text = kind == VALUE_TEXT;
    if (*flag) stop(r, FAIL(JSON_DUPLICATE_KEY));
    *flag = true;
    if (field == FIELD_NUMBER)
        judge(c, card_set_number(&c->card, is_text || kind == VALUE_NUMBER ? value : SLICE_NONE));
    else if (field == FIELD_NAME)
        judge(c, is_text || kind == VALUE_NULL ? card_set_holder(&c->card, value) : FAIL(CARD_HOLDER));
    else if (field == FIELD_EXPIRY)
        judge(c, card_set_expiry(&c->card, is_text ? value : SLICE_NONE));
    else
        judge(c, card_json_set_cvc(c, is_text ? value : SLICE_NONE));
}

static void check_cards(struct reading *r)
{
    for (size_t i = 0; i < r->json->list.count; i++) {
        struct card_json *c = &r->json->list.cards[i];
        if (!c->has_number) judge(c, FAIL(CARD_NUMBER));
        if (!c->has_expiry) judge(c, FAIL(CARD_EXPIRY));
        if (r->kind == FIRSTOKEN_REQUEST && !c->has_cvc) judge(c, FAIL(CARD_CVC));
    }
}

/* --- the rest --- */

static void read_scheme(struct reading *r, enum value_kind kind, slice value)
{
    enum { LUHN_VALID = 8 };
    uint64_t n = 0;
    bool is_right = (kind == VALUE_TEXT || kind == VALUE_NUMBER) && slice_to_u64(value, LUHN_VALID, &n);
    r->json->scheme = (unsigned)n;
    if (is_right && n == LUHN_VALID)
        blame(r, FIELD_SCHEME, FAIL(SCHEME_LUHN_VALID));
    else if (!is_right || (n != 1 && n != 3 && n != 7))
        blame(r, FIELD_SCHEME, FAIL(REQUEST_FIELD));
}

static enum alias_format format_of(unsigned scheme, bool is_eight)
{
    if (scheme == 1) return is_eight ? ALIAS_EIGHT_DIGITS : ALIAS_DIGITS;
    if (scheme == 3) return is_eight ? ALIAS_EIGHT_FOUR : ALIAS_SIX_FOUR;
    return ALIAS_UUID;
}

static void read_ttl(struct reading *r, enum value_kind kind, slice value)
{
    uint64_t seconds = 0;
    if (kind != VALUE_NUMBER || !slice_to_u64(value, TEMPORAL_TTL_MAX_S, &seconds) || seconds == 0)
        blame(r, FIELD_TTL, FAIL(TEMPORAL_TTL));
    r->json->ttl_s = (uint32_t)seconds;
}

static void read_token(struct reading *r, enum value_kind kind, slice value)
{
    struct firstoken_json *j = r->json;
    if (kind != VALUE_TEXT)
        blame(r, FIELD_TOKEN, FAIL(REQUEST_FIELD));
    else if (j->token_count == FIRSTOKEN_ITEMS_MAX)
        blame(r, FIELD_TOKENS, FAIL(REQUEST_FIELD));
    else if (!token_id_from(value, &j->tokens[j->token_count++]))
        j->tokens[j->token_count - 1].len = 0;
}

static void read_field(struct reading *r, enum field field, enum value_kind kind, slice value)
{
    bool is_right = true;
    switch (field) {
    case FIELD_ROOT: is_right = kind == VALUE_OBJECT; break;
    case FIELD_CARDS:
    case FIELD_TAGS:
    case FIELD_TOKENS: is_right = kind == VALUE_ARRAY; break;
    case FIELD_SCHEME: read_scheme(r, kind, value); break;
    case FIELD_EIGHT:
        is_right = kind == VALUE_BOOLEAN;
        r->is_eight = slice_is(value, "true");
        break;
    case FIELD_TYPE:
        r->is_persistent = kind == VALUE_TEXT && slice_is(value, "persistent");
        is_right = r->is_persistent || kind == VALUE_NULL;
        break;
    case FIELD_TTL: read_ttl(r, kind, value); break;
    default: break;
    }
    if (!is_right) blame(r, field, FAIL(REQUEST_FIELD));
}

static bool may_repeat(const struct reading *r, enum field field)
{
    return field == FIELD_TOKEN || (field == FIELD_CARD && r->kind == FIRSTOKEN_CARDS);
}

static void on_field(struct reading *r, uint32_t path, enum value_kind kind, slice value)
{
    enum field field = places[r->place_of[path]].field;
    if (failed(r->verdict)) return;
    if (field >= FIELD_NUMBER && field <= FIELD_CVC) {
        card_value(r, field, kind, value);
        return;
    }
    if (r->seen[field] && !may_repeat(r, field)) stop(r, FAIL(JSON_DUPLICATE_KEY));
    r->seen[field] = true;
    if (field == FIELD_TOKEN)
        read_token(r, kind, value);
    else if (field == FIELD_CARD && kind == VALUE_OBJECT)
        card_begins(r);
    else if (field == FIELD_CARD)
        blame(r, field, FAIL(REQUEST_FIELD));
    else
        read_field(r, field, kind, value);
}

/* --- the document --- */

static void on_value(void *owner, uint32_t path, slice value, bool is_text)
{
    bool is_word = slice_is(value, "true") || slice_is(value, "false");
    on_field(owner, path, is_text ? VALUE_TEXT : is_word ? VALUE_BOOLEAN : VALUE_NUMBER, value);
}

static void on_other(void *owner, uint32_t path, enum json_pick_kind kind)
{
    on_field(owner, path, kind == JSON_PICK_NULL ? VALUE_NULL : kind == JSON_PICK_OBJECT ? VALUE_OBJECT : VALUE_ARRAY, SLICE_NONE);
}

static result add_paths(struct reading *r, struct path_set *paths)
{
    for (size_t i = 0; i < PLACES; i++) {
        uint32_t number;
        size_t error_at;
        if (!(places[i].kinds & 1u << r->kind)) continue;
        TRY(path_set_add(paths, slice_of(places[i].path), &number, &error_at));
        assert(number < PLACES);
        r->place_of[number] = (uint8_t)i;
    }
    return OK;
}

static void check_whole(struct reading *r)
{
    static const enum field needed[FIRSTOKEN_KIND_COUNT][3] = {[FIRSTOKEN_CARDS] = {FIELD_CARDS, FIELD_TAGS, FIELD_SCHEME},
                                                               [FIRSTOKEN_TOKENS] = {FIELD_TOKENS},
                                                               [FIRSTOKEN_REQUEST] = {FIELD_CARD},
                                                               [FIRSTOKEN_STORE] = {FIELD_TAGS, FIELD_SCHEME}};
    for (size_t i = 0; i < 3; i++) /* FIELD_ROOT, the filler, is always there: else the text was no JSON */
        if (!r->seen[needed[r->kind][i]]) blame(r, needed[r->kind][i], FAIL(REQUEST_FIELD));
    if (r->kind == FIRSTOKEN_CARDS && r->json->list.count == 0) blame(r, FIELD_CARDS, FAIL(REQUEST_FIELD));
    if (r->kind == FIRSTOKEN_TOKENS && r->json->token_count == 0) blame(r, FIELD_TOKENS, FAIL(REQUEST_FIELD));
    if (r->kind == FIRSTOKEN_REQUEST && !r->seen[FIELD_TTL]) blame(r, FIELD_TTL, FAIL(TEMPORAL_TTL));
    if (failed(r->verdict)) return;
    check_cards(r);
    if (r->kind == FIRSTOKEN_REQUEST) stop(r, current(r)->verdict);
    r->json->form = (struct alias_form){.format = format_of(r->json->scheme, r->is_eight)};
    r->json->unique = !r->is_persistent;
}

result firstoken_json_parse(slice text, enum firstoken_kind kind, struct firstoken_json *out)
{
    struct reading r = {.json = out, .kind = kind};
    memset(out, 0, sizeof *out);
    struct path_set *paths = path_set_new(PATH_JSON);
    ENSURE(paths != NULL, MEMORY);
    result done = add_paths(&r, paths);
    if (!failed(done)) done = json_pick_all(paths, text, on_value, on_other, &r);
    path_set_free(paths);
    if (!failed(done)) check_whole(&r);
    if (!failed(done)) done = r.verdict;
    if (failed(done)) card_json_done(&out->list);
    return done;
}

void firstoken_json_done(struct firstoken_json *j)
{
    card_json_done(&j->list);
}
