/* SPDX-License-Identifier: Apache-2.0 */
#include "network_fixture.h"

#include "vault/alias_record.h"
#include "vault_priv.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static struct fixture f;

static void setup(void)
{
    fixture_make(&f);
    fixture_open(&f);
}

static void teardown(void)
{
    fixture_remove(&f);
}

/* In the library's place: random, until a test wants each draw to be the one before. */
static int stuck = -1;
int RAND_bytes(unsigned char *out, int len);
int RAND_bytes(unsigned char *out, int len)
{
    if (stuck >= 0) memset(out, stuck, (size_t)len);
    return stuck >= 0 || getrandom(out, (size_t)len, 0) == len;
}

static const struct alias_wish uuid = {.format = ALIAS_UUID}, long_one = {.format = ALIAS_32}, length = {.format = ALIAS_LENGTH},
                               six_four = {.format = ALIAS_SIX_FOUR}, eight_four = {.format = ALIAS_EIGHT_FOUR},
                               digits = {.format = ALIAS_DIGITS}, eight_digits = {.format = ALIAS_EIGHT_DIGITS}, tok = {ALIAS_TEMPLATE, {"tok_{uuid}", 10}},
                               pay = {ALIAS_TEMPLATE, {"{uuid}-pay", 10}};

/* --- how they look --- */

/* d: a digit, L: A-Z, l: any letter, a: letter or digit, w: of a token; others: themselves. */
static bool looks(slice text, const char *pattern)
{
    if (text.len != strlen(pattern)) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i], p = pattern[i];
        bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z', small = c >= 'a' && c <= 'z';
        bool good = p == 'd' ? digit : p == 'L' ? upper : p == 'l' ? upper || small : p == 'a' ? digit || upper || small
                  : p == 'w' ? slice_is_word_char(c) : p == c;
        if (!good) return false;
    }
    return true;
}

static const struct {
    const struct alias_wish *wish;
    const char *number;
    size_t longer;
    const char *pattern;
} shapes[] = {
    {&long_one, "4111111111111111", 0, "lwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"},
    {&length, "4111111111111111", 0, "laaaaaaaaaaaaaal"},
    {&length, "411111111116", 0, "laaaaaaaaaal"},
    {&length, "4111111111111111", 3, "laaaaaaaaaaaaaaaaal"},
    {&six_four, "4111111111111111", 0, "411111LLLLLL1111"},
    {&six_four, "4111111111111111", 2, "411111LLLLLLLL1111"},
    {&six_four, "378282246310005", 0, "378282LLLLL0005"},
    {&six_four, "30569309025904", 0, "LLLLLLLLLL5904"}, /* of fewer than 15 digits only the last four may be shown, as a mask has it */
    {&eight_four, "4111111111111111", 0, "41111111LLLL1111"},
    {&eight_four, "378282246310005", 0, "378282LLLLL0005"}, /* eight of 15 would leave too little unknown */
    {&digits, "4111111111111111", 0, "411111dddddd1111"},
    {&digits, "4111111111111111", 8, "411111dddddddddddddd1111"},
    {&digits, "378282246310005", 0, "378282ddddd0005"},
    {&digits, "411111111116", 0, "dddddddd1116"},
    {&eight_digits, "4111111111111111", 0, "41111111dddd1111"},
    {&eight_digits, "378282246310005", 0, "378282ddddd0005"},
    {&tok, "4111111111111111", 0, "tok_aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa"},
    {&pay, "4111111111111111", 5, "aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa-pay"},
};

START_TEST(an_alias_has_its_shape_and_is_no_card_number)
{
    struct token_id a, before = {0};
    struct card card;
    for (unsigned n = 0; n < 300; n++) {
        expect_err(alias_text_make(shapes[_i].wish, slice_of(shapes[_i].number), shapes[_i].longer, &a), ERR_NONE);
        slice text = token_id_slice(&a);
        ck_assert_msg(looks(text, shapes[_i].pattern), "%.*s", SLICE_ARG(text));
        ck_assert(failed(card_set_number(&card, text)));
        ck_assert(shapes[_i].wish->format != ALIAS_DIGITS || text.at[0] != '0');
        ck_assert(!slice_eq(text, token_id_slice(&before)) || n == 0 || text.len == 15 || shapes[_i].wish == &eight_digits);
        before = a;
    }
}
END_TEST

START_TEST(what_cannot_be_an_alias_is_refused)
{
    static const struct alias_wish none = {ALIAS_TEMPLATE, {"tok_", 4}}, temporal = {ALIAS_TEMPLATE, {"tmp_{uuid}", 10}},
                                   dotted = {ALIAS_TEMPLATE, {"a.{uuid}", 8}}, full = {ALIAS_TEMPLATE, {"abcdefghijklmnopqrstuvwxyzabc{uuid}", 35}};
    struct token_id a;
    slice number = SLICE("4111111111111111");
    expect_err(alias_text_make(&none, number, 0, &a), ERR_TOO_LARGE);
    expect_err(alias_text_make(&temporal, number, 0, &a), ERR_TOO_LARGE);
    expect_err(alias_text_make(&dotted, number, 0, &a), ERR_TOO_LARGE);
    expect_err(alias_text_make(&full, number, 0, &a), ERR_TOO_LARGE);
    expect_err(alias_text_make(&uuid, number, 0, &a), ERR_TOO_LARGE);
    expect_err(alias_text_make(&digits, SLICE("41111111111"), 0, &a), ERR_CARD_NUMBER);
}
END_TEST

/* --- calls made synchronous --- */

struct made {
    unsigned calls;
    result r;
    struct token_id alias;
    bool fell;
};

static void on_made(void *owner, result r, slice alias, bool fell)
{
    struct made *m = owner;
    m->calls++;
    m->r = r;
    m->fell = fell;
    if (!failed(r)) ck_assert(token_id_from(alias, &m->alias));
}

static struct made make(slice token, const struct alias_wish *wish)
{
    struct made m = {0};
    vault_alias_make(f.v, shop, token, wish, on_made, &m);
    vault_flush(f.v);
    ck_assert_uint_eq(m.calls, 1);
    return m;
}

static struct token_id alias_of(slice token, const struct alias_wish *wish)
{
    struct made m = make(token, wish);
    expect_err(m.r, ERR_NONE);
    return m.alias;
}

static void on_resolved(void *owner, result r, slice token)
{
    struct made *m = owner;
    m->calls++;
    m->r = r;
    if (!failed(r)) ck_assert(token_id_from(token, &m->alias));
}

static struct made resolve(slice merchant, slice text)
{
    struct made m = {0};
    vault_alias_resolve(f.v, merchant, text, on_resolved, &m);
    ck_assert_uint_eq(m.calls, 1);
    return m;
}

static void expect_leads(const struct token_id *alias, slice token)
{
    struct made m = resolve(shop, token_id_slice(alias));
    expect_err(m.r, ERR_NONE);
    ck_assert(slice_eq(token_id_slice(&m.alias), token));
}

static bool is_same(const struct token_id *a, const struct token_id *b)
{
    return slice_eq(token_id_slice(a), token_id_slice(b));
}

static bool on_row(void *owner, slice key, slice value)
{
    (void)key;
    (void)value;
    ++*(size_t *)owner;
    return true;
}

static void on_rows(void *owner, result r)
{
    (void)owner;
    expect_err(r, ERR_NONE);
}

static size_t rows_of(enum store_table t)
{
    size_t rows = 0;
    store_scan(f.v->store, t, SLICE_NONE, SIZE_MAX, on_row, on_rows, &rows);
    return rows;
}

/* --- making and finding --- */

static const struct alias_wish *const forms[] = {&long_one, &length, &six_four, &eight_four, &digits, &tok, &pay};
enum { FORMS = sizeof forms / sizeof *forms };

START_TEST(the_same_form_is_the_same_alias)
{
    struct token_id a = stored_card(f.v, shop, 1), b = stored_card(f.v, shop, 2), of_a[FORMS], of_b[FORMS];
    for (size_t i = 0; i < FORMS; i++) {
        of_a[i] = alias_of(token_id_slice(&a), forms[i]);
        of_b[i] = alias_of(token_id_slice(&b), forms[i]);
    }
    fixture_close(&f);
    fixture_open(&f);
    for (size_t i = 0; i < FORMS; i++) {
        struct token_id again = alias_of(token_id_slice(&a), forms[i]);
        ck_assert(is_same(&again, &of_a[i]) && !is_same(&of_a[i], &of_b[i]));
        for (size_t k = 0; k < i; k++) ck_assert(!is_same(&of_a[k], &of_a[i]));
        expect_leads(&of_a[i], token_id_slice(&a));
        expect_leads(&of_b[i], token_id_slice(&b));
    }
    ck_assert_uint_eq(rows_of(STORE_ALIAS), 2 * FORMS);
    ck_assert_uint_eq(rows_of(STORE_ALIASES), 2);
    expect_sound(f.v);
}
END_TEST

START_TEST(a_card_s_own_id_needs_no_record)
{
    static const struct alias_wish bare = {ALIAS_TEMPLATE, {"{uuid}", 6}};
    struct token_id a = stored_card(f.v, shop, 1), own = alias_of(token_id_slice(&a), &uuid), same = alias_of(token_id_slice(&a), &bare);
    ck_assert(is_same(&own, &a) && is_same(&same, &a));
    expect_leads(&a, token_id_slice(&a));
    expect_err(resolve(shop, SLICE("00000000-0000-4000-8000-000000000000")).r, ERR_NONE); /* known or not */
    expect_err(resolve(shop, SLICE("tmp_00000000-0000-4000-8000-000000000000")).r, ERR_NONE);
    ck_assert_uint_eq(rows_of(STORE_ALIAS) + rows_of(STORE_ALIASES), 0);
}
END_TEST

START_TEST(nobody_s_alias_leads_nowhere)
{
    struct token_id a = stored_card(f.v, shop, 1), alias = alias_of(token_id_slice(&a), &six_four);
    expect_err(resolve(SLICE("other"), token_id_slice(&alias)).r, ERR_TOKEN_NOT_FOUND);
    expect_err(resolve(shop, SLICE("411111AAAAAA1111")).r, ERR_TOKEN_NOT_FOUND);
    expect_err(resolve(shop, SLICE("no token!")).r, ERR_TOKEN_NOT_FOUND);
    expect_err(make(SLICE("00000000-0000-4000-8000-000000000000"), &six_four).r, ERR_TOKEN_NOT_FOUND);
}
END_TEST

START_TEST(a_card_without_number_gets_no_new_one)
{
    struct token_id a = stored_card(f.v, shop, 1), alias = alias_of(token_id_slice(&a), &six_four);
    remove_pan(f.v, token_id_slice(&a));
    expect_leads(&alias, token_id_slice(&a));
    struct token_id again = alias_of(token_id_slice(&a), &six_four);
    ck_assert(is_same(&again, &alias));
    expect_err(make(token_id_slice(&a), &digits).r, ERR_TOKEN_NO_PAN);
    expect_sound(f.v);
}
END_TEST

/* A partner is not stopped for ever by what the merchant has configured over the years. */
START_TEST(a_card_with_many_forms_falls_to_its_own_id)
{
    struct token_id a = stored_card(f.v, shop, 1);
    for (unsigned i = 0; i < ALIASES_MAX + 3; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "t%u_{uuid}", i);
        const struct alias_wish wish = {ALIAS_TEMPLATE, slice_of(text)};
        struct made m = make(token_id_slice(&a), &wish);
        expect_err(m.r, ERR_NONE);
        ck_assert(m.fell == (i >= ALIASES_MAX) && is_same(&m.alias, &a) == m.fell);
        expect_leads(&m.alias, token_id_slice(&a));
    }
    ck_assert_uint_eq(rows_of(STORE_ALIAS), ALIASES_MAX);
    expect_sound(f.v);
    expect_err(delete_card(f.v, shop, token_id_slice(&a)).r, ERR_NONE);
    ck_assert_uint_eq(rows_of(STORE_ALIAS) + rows_of(STORE_ALIASES), 0);
}
END_TEST

enum { TIMES = 10000, AT_ONCE = 500 };
struct unique {
    struct token_id token, alias;
    bool is_made;
};

static void on_unique_alias(void *owner, result r, slice alias, bool fell)
{
    struct unique *u = owner;
    u->is_made = !failed(r) && !fell && token_id_from(alias, &u->alias);
    ck_assert(u->is_made);
}

static void on_unique(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    struct unique *u = owner;
    ck_assert(!failed(r) && deed == CARD_CREATED);
    u->token = info->token;
    vault_alias_make(f.v, shop, token_id_slice(&u->token), &eight_four, on_unique_alias, u);
}

/* 'unique: yes': each its own token with its own alias, in the format that has the least room. */
START_TEST(one_card_ten_thousand_times)
{
    static struct unique all[TIMES];
    struct card c = test_card("4111111111111111", "12/30", "");
    for (size_t i = 0; i < TIMES; i++) {
        vault_card_put(f.v, shop, &c, (struct card_put_options){.unique = true}, on_unique, &all[i]);
        if (i % AT_ONCE == AT_ONCE - 1) vault_flush(f.v);
    }
    for (size_t i = 0; i < TIMES; i++)
        while (!all[i].is_made) vault_flush(f.v);
    ck_assert(rows_of(STORE_ALIAS) == TIMES && rows_of(STORE_ALIASES) == TIMES); /* so they are all different */
    for (size_t i = 0; i < TIMES; i += 999) {
        expect_leads(&all[i].alias, token_id_slice(&all[i].token));
        expect_err(delete_card(f.v, shop, token_id_slice(&all[i].token)).r, ERR_NONE);
        expect_err(resolve(shop, token_id_slice(&all[i].alias)).r, ERR_TOKEN_NOT_FOUND);
    }
    expect_sound(f.v);
    expect_err(vault_rotate(f.v, NULL, NULL), ERR_NONE);
    expect_sound(f.v);
    expect_leads(&all[1].alias, token_id_slice(&all[1].token));
}
END_TEST

/* Many of one number, each its own token: a form that is full falls to longer ones, and then says so; two never share one. */
START_TEST(a_full_form_falls_to_a_longer_one)
{
    struct card c = test_card("4111111111111111", "12/30", "");
    struct token_id first = {0};
    for (size_t n = 0; n <= ALIAS_LONGER_MAX + 1; n++) {
        struct token_id token = put_card(f.v, shop, &c, true).info.token;
        stuck = 2;
        struct made m = make(token_id_slice(&token), &digits);
        stuck = -1;
        expect_err(m.r, n <= ALIAS_LONGER_MAX ? ERR_NONE : ERR_ALIAS_ROOM);
        if (failed(m.r)) break;
        ck_assert(m.alias.len == 16 + n && m.fell == (n > 0));
        if (n == 0) first = m.alias;
        struct made again = make(token_id_slice(&token), &digits);
        ck_assert(is_same(&again.alias, &m.alias) && again.fell == m.fell);
        expect_leads(&m.alias, token_id_slice(&token));
    }
    ck_assert_uint_eq(rows_of(STORE_ALIAS), ALIAS_LONGER_MAX + 1);
    ck_assert(looks(token_id_slice(&first), "4111112222221111"));
    expect_sound(f.v);
}
END_TEST

/* The one who comes second in a turn has read before the first one's was written. */
START_TEST(two_at_once_never_share_one)
{
    struct card c = test_card("4111111111111111", "12/30", "");
    struct token_id a = put_card(f.v, shop, &c, true).info.token, b = put_card(f.v, shop, &c, true).info.token;
    struct made of[3] = {{0}};
    stuck = 2;
    vault_alias_make(f.v, shop, token_id_slice(&a), &six_four, on_made, &of[0]);
    vault_alias_make(f.v, shop, token_id_slice(&b), &six_four, on_made, &of[1]);
    vault_alias_make(f.v, shop, token_id_slice(&a), &six_four, on_made, &of[2]);
    for (unsigned i = 0; i < 4; i++) vault_flush(f.v);
    stuck = -1;
    for (size_t i = 0; i < 3; i++) ck_assert(of[i].calls == 1 && !failed(of[i].r));
    ck_assert(is_same(&of[0].alias, &of[2].alias) && !is_same(&of[0].alias, &of[1].alias));
    ck_assert(!of[0].fell && of[1].fell && of[1].alias.len == 17);
    expect_leads(&of[0].alias, token_id_slice(&a));
    expect_leads(&of[1].alias, token_id_slice(&b));
    expect_sound(f.v);
}
END_TEST

/* --- with the card --- */

START_TEST(a_deleted_card_takes_its_aliases_with_it)
{
    struct token_id a = stored_card(f.v, shop, 1), b = stored_card(f.v, shop, 2), aliases[FORMS];
    for (size_t i = 0; i < FORMS; i++) aliases[i] = alias_of(token_id_slice(&a), forms[i]);
    struct token_id other = alias_of(token_id_slice(&b), &six_four);
    expect_err(delete_card(f.v, shop, token_id_slice(&a)).r, ERR_NONE);
    for (size_t i = 0; i < FORMS; i++) expect_err(resolve(shop, token_id_slice(&aliases[i])).r, ERR_TOKEN_NOT_FOUND);
    expect_leads(&other, token_id_slice(&b));
    ck_assert(rows_of(STORE_ALIAS) == 1 && rows_of(STORE_ALIASES) == 1);
    expect_sound(f.v);
}
END_TEST

/* In either order, in one turn: no alias is left without its card. */
START_TEST(a_delete_and_an_alias_meet)
{
    struct token_id a = stored_card(f.v, shop, 1);
    struct answer gone = {0};
    struct made m = {0};
    if (_i == 0) vault_card_delete(f.v, shop, token_id_slice(&a), on_info, &gone);
    vault_alias_make(f.v, shop, token_id_slice(&a), &six_four, on_made, &m);
    if (_i == 1) vault_card_delete(f.v, shop, token_id_slice(&a), on_info, &gone);
    for (unsigned i = 0; i < 4; i++) vault_flush(f.v);
    ck_assert(gone.calls == 1 && !failed(gone.r) && m.calls == 1);
    expect_err(m.r, _i == 0 ? ERR_TOKEN_NOT_FOUND : ERR_NONE);
    ck_assert_uint_eq(rows_of(STORE_ALIAS) + rows_of(STORE_ALIASES), 0);
    expect_sound(f.v);
}
END_TEST

/* --- the whole vault --- */

START_TEST(rotated_backed_up_and_counted)
{
    char copy[PATH_MAX];
    struct vault_stat s;
    struct token_id a = stored_card(f.v, shop, 1), aliases[FORMS];
    for (size_t i = 0; i < FORMS; i++) aliases[i] = alias_of(token_id_slice(&a), forms[i]);
    expect_err(vault_rotate(f.v, NULL, NULL), ERR_NONE);
    expect_err(vault_stat(f.v, &s), ERR_NONE);
    ck_assert(s.records_under_old_keys == 0 && s.key_versions == 1 && s.aliases == FORMS);
    fixture_path(&f, "copy", copy);
    expect_err(vault_backup(f.v, slice_of(copy), NULL, NULL), ERR_NONE);
    fixture_close(&f);
    struct fixture restored = f;
    restored.options.path = slice_of(copy);
    fixture_open(&restored);
    f.v = restored.v;
    for (size_t i = 0; i < FORMS; i++) expect_leads(&aliases[i], token_id_slice(&a));
    expect_sound(f.v);
}
END_TEST

/* Not even the digits that an alias shows. */
START_TEST(the_store_has_no_alias_in_the_clear)
{
    static char file[1 << 22];
    struct token_id a = stored_card(f.v, shop, 1), aliases[FORMS];
    for (size_t i = 0; i < FORMS; i++) aliases[i] = alias_of(token_id_slice(&a), forms[i]);
    fixture_close(&f);
    size_t len = fixture_read(&f, "store.1/data.mdb", file, sizeof file);
    ck_assert(len > 1000 && memmem(file, len, a.at, a.len) != NULL);
    for (size_t i = 0; i < FORMS; i++) ck_assert_ptr_null(memmem(file, len, aliases[i].at, aliases[i].len));
    fixture_open(&f);
}
END_TEST

struct row {
    size_t key_len, value_len;
    char key[STORE_KEY_MAX_BYTES], value[STORE_VALUE_MAX_BYTES];
};
struct rows {
    size_t count;
    struct row at[2];
};

static bool keep_row(void *owner, slice key, slice value)
{
    struct rows *r = owner;
    struct row *row = &r->at[r->count++];
    memcpy(row->key, key.at, row->key_len = key.len);
    memcpy(row->value, value.at, row->value_len = value.len);
    return r->count < 2;
}

static uint64_t bad_records(void)
{
    struct vault_verdict verdict;
    expect_err(vault_verify(f.v, NULL, NULL, &verdict), ERR_NONE);
    return verdict.bad_records;
}

/* An alias whose record is put in another's place does not open: no card's alias can be made to lead to another's card. */
START_TEST(records_cannot_change_places)
{
    static const enum store_table tables[] = {STORE_ALIAS, STORE_ALIASES};
    static struct rows rows;
    struct token_id a = stored_card(f.v, shop, 1), b = stored_card(f.v, shop, 2);
    struct token_id of_a = alias_of(token_id_slice(&a), &six_four), of_b = alias_of(token_id_slice(&b), &six_four);
    rows.count = 0;
    store_scan(f.v->store, tables[_i], SLICE_NONE, SIZE_MAX, keep_row, on_rows, &rows);
    ck_assert_uint_eq(rows.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct row *to = &rows.at[i], *from = &rows.at[1 - i];
        const struct store_write put = {STORE_PUT, tables[_i], {to->key, to->key_len}, {from->value, from->value_len}};
        expect_err(store_commit(f.v->store, &put, 1), ERR_NONE);
    }
    ck_assert_uint_ge(bad_records(), 2);
    if (tables[_i] == STORE_ALIAS) {
        expect_err(resolve(shop, token_id_slice(&of_a)).r, ERR_VAULT_SEAL);
        expect_err(resolve(shop, token_id_slice(&of_b)).r, ERR_VAULT_SEAL);
    } else {
        expect_err(make(token_id_slice(&a), &six_four).r, ERR_VAULT_SEAL);
        expect_err(delete_card(f.v, shop, token_id_slice(&b)).r, ERR_VAULT_SEAL);
    }
}
END_TEST

START_TEST(one_without_the_other_is_told)
{
    static const enum store_table tables[] = {STORE_ALIAS, STORE_ALIASES};
    static struct rows rows;
    struct token_id a = stored_card(f.v, shop, 1);
    (void)alias_of(token_id_slice(&a), &six_four);
    rows.count = 0;
    store_scan(f.v->store, tables[_i], SLICE_NONE, SIZE_MAX, keep_row, on_rows, &rows);
    const struct store_write drop = {STORE_DELETE, tables[_i], {rows.at[0].key, rows.at[0].key_len}, SLICE_NONE};
    ck_assert_uint_eq(bad_records(), 0);
    expect_err(store_commit(f.v->store, &drop, 1), ERR_NONE);
    ck_assert_uint_eq(bad_records(), 1);
}
END_TEST

/* --- kill -9 --- */

enum { CARDS_MAX = 20000 };
struct shared { /* between processes; of each card what was acknowledged */
    volatile unsigned next;
    volatile bool made[CARDS_MAX], asked[CARDS_MAX], gone[CARDS_MAX];
    struct token_id token[CARDS_MAX], alias[CARDS_MAX];
};
static struct shared *shared;

static void acknowledge(void *owner, result r, slice alias, bool fell)
{
    unsigned n = (unsigned)((struct token_id *)owner - shared->alias);
    (void)fell;
    if (failed(r) || !token_id_from(alias, owner)) _exit(10);
    shared->made[n] = true;
}

static void on_put(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    struct token_id *token = owner;
    unsigned n = (unsigned)(token - shared->token);
    (void)deed;
    if (failed(r)) _exit(11);
    *token = info->token;
    vault_alias_make(f.v, shop, token_id_slice(token), forms[n % FORMS], acknowledge, &shared->alias[n]);
}

static void on_gone(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    (void)info;
    (void)deed;
    if (failed(r)) _exit(12);
    *(volatile bool *)owner = true;
}

/* As captures come in: cards and their aliases, and now and then a card that is deleted. */
static void work(void)
{
    fixture_open(&f);
    for (unsigned n = shared->next; n < CARDS_MAX; n++) {
        struct card c = numbered_card(n);
        shared->next = n + 1;
        vault_card_put(f.v, shop, &c, (struct card_put_options){0}, on_put, &shared->token[n]);
        if (n > 8 && n % 3 == 0 && shared->made[n - 6]) {
            shared->asked[n - 6] = true;
            vault_card_delete(f.v, shop, token_id_slice(&shared->token[n - 6]), on_gone, (void *)&shared->gone[n - 6]);
        }
        if (n % 4 == 3) vault_flush(f.v);
    }
}

START_TEST(every_acknowledged_alias_leads_to_its_card_after_kill_9)
{
    unsigned made = 0, gone = 0;
    fixture_close(&f);
    shared = shared_room(sizeof *shared);
    for (unsigned round = 0; round < 10 || ((made <= 40 || gone <= 5) && round < 300); round++) { /* more on a busy machine */
        run_and_kill(work, 40 + round * 13 % 50);
        fixture_open(&f);
        expect_sound(f.v);
        made = gone = 0;
        for (unsigned n = 0; n < shared->next; n++) {
            made += shared->made[n];
            gone += shared->gone[n];
            if (shared->gone[n]) expect_err(resolve(shop, token_id_slice(&shared->alias[n])).r, ERR_TOKEN_NOT_FOUND);
            if (shared->made[n] && !shared->asked[n]) expect_leads(&shared->alias[n], token_id_slice(&shared->token[n]));
        }
        fixture_close(&f);
    }
    ck_assert_msg(made > 40 && gone > 5, "%u, %u", made, gone);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("alias");
    TCase *t = tcase_create("alias");
    const TTest *const tests[] = {what_cannot_be_an_alias_is_refused, the_same_form_is_the_same_alias, a_card_s_own_id_needs_no_record,
                                  nobody_s_alias_leads_nowhere, a_card_without_number_gets_no_new_one, a_card_with_many_forms_falls_to_its_own_id, one_card_ten_thousand_times,
                                  a_full_form_falls_to_a_longer_one, two_at_once_never_share_one, a_deleted_card_takes_its_aliases_with_it,
                                  rotated_backed_up_and_counted, the_store_has_no_alias_in_the_clear,
                                  every_acknowledged_alias_leads_to_its_card_after_kill_9};
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(t, tests[i]);
    tcase_add_loop_test(t, an_alias_has_its_shape_and_is_no_card_number, 0, sizeof shapes / sizeof *shapes);
    tcase_add_loop_test(t, a_delete_and_an_alias_meet, 0, 2);
    tcase_add_loop_test(t, records_cannot_change_places, 0, 2);
    tcase_add_loop_test(t, one_without_the_other_is_told, 0, 2);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
