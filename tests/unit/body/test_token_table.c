/* SPDX-License-Identifier: Apache-2.0 */
#include "body/token_table.h"

#include "../base/suite.h"

#include <stdio.h>

static void count_new(void *owner, uint32_t index)
{
    uint32_t *count = owner;
    ck_assert_uint_eq(index, *count);
    ++*count;
}

static slice id_of(uint32_t i, char room[32])
{
    return (slice){room, (size_t)snprintf(room, 32, "token-%u", i)};
}

START_TEST(each_token_once)
{
    enum { TOKENS = 1000 };
    uint32_t told = 0, index;
    char room[32];
    struct token_table *t = token_table_new(3 * TOKENS, count_new, &told);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < TOKENS; i++) {
            uint32_t n = round == 1 ? TOKENS - 1 - i : i;
            enum token_kind kind = n % 3 ? TOKEN_PERMANENT : TOKEN_TEMPORAL;
            ck_assert(!failed(token_table_add(t, id_of(n, room), kind, &index)));
            ck_assert_uint_eq(index, n);
        }
    }
    ck_assert_uint_eq(told, TOKENS);
    ck_assert_uint_eq(token_table_count(t), TOKENS);
    for (uint32_t i = 0; i < TOKENS; i++) {
        ck_assert(slice_eq(token_table_id(t, i), id_of(i, room)));
        ck_assert_int_eq(token_table_kind(t, i), i % 3 ? TOKEN_PERMANENT : TOKEN_TEMPORAL);
    }
    ck_assert_int_eq(token_table_add(t, id_of(0, room), TOKEN_TEMPORAL, &index).err, ERR_PLACEHOLDER_COUNT);
    token_table_free(t);
}
END_TEST

/* A CVC that goes beside a stored card is a CVC and no second card; how many slots take it is no matter. */
START_TEST(what_they_gave)
{
    static const struct {
        bool card, cvc, revealed;
        struct token_counts sum;
    } tokens[] = {
        {true, false, true, {1, 0}}, {false, true, true, {1, 1}}, {true, true, true, {2, 2}},
        {true, true, false, {2, 2}}, {false, false, true, {2, 2}}, {false, true, true, {2, 3}},
    };
    uint32_t index;
    char room[32];
    struct token_table *t = token_table_new(100, NULL, NULL);
    for (uint32_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        ck_assert(!failed(token_table_add(t, id_of(i, room), TOKEN_TEMPORAL, &index)));
        for (int slot = 0; slot < 3; slot++) {
            if (tokens[i].card) token_table_takes(t, index, false);
            if (tokens[i].cvc) token_table_takes(t, index, true);
        }
        if (tokens[i].revealed) token_table_reveal(t, index);
        struct token_counts now = token_table_revealed(t);
        ck_assert(now.cards == tokens[i].sum.cards && now.cvcs == tokens[i].sum.cvcs);
        token_table_reveal(t, 0); /* again, for a second attempt */
    }
    token_table_free(t);
}
END_TEST

START_TEST(one_kind_each)
{
    for (uint32_t before = 0; before < 20; before++) { /* compared at first, then hashed */
        uint32_t index;
        char room[32];
        struct token_table *t = token_table_new(100, NULL, NULL);
        for (uint32_t i = 0; i < before; i++) ck_assert(!failed(token_table_add(t, id_of(i, room), TOKEN_PERMANENT, &index)));
        ck_assert(!failed(token_table_add(t, SLICE("the-one"), TOKEN_TEMPORAL, &index)));
        ck_assert_int_eq(token_table_add(t, SLICE("the-one"), TOKEN_PERMANENT, &index).err, ERR_TOKEN_WRONG_KIND);
        ck_assert(!failed(token_table_add(t, SLICE("the-one"), TOKEN_TEMPORAL, &index)));
        ck_assert_uint_eq(index, before);
        token_table_free(t);
    }
}
END_TEST

START_TEST(id_bounds)
{
    uint32_t index;
    char text[65] = "01234567890123456789012345678901234567890123456789012345678901234";
    struct token_table *t = token_table_new(100, NULL, NULL);
    ck_assert_int_eq(token_table_add(t, (slice){text, 5}, TOKEN_PERMANENT, &index).err, ERR_PLACEHOLDER_TOKEN);
    ck_assert_int_eq(token_table_add(t, (slice){text, 65}, TOKEN_PERMANENT, &index).err, ERR_PLACEHOLDER_TOKEN);
    ck_assert(!failed(token_table_add(t, (slice){text, 6}, TOKEN_PERMANENT, &index)));
    ck_assert(!failed(token_table_add(t, (slice){text, 64}, TOKEN_PERMANENT, &index)));
    ck_assert_uint_eq(token_table_id(t, 1).len, 64);
    token_table_free(t);
    token_table_free(NULL);
    ck_assert_str_eq(token_kind_placeholder(TOKEN_PERMANENT), "detokenize");
    ck_assert_str_eq(token_kind_placeholder(TOKEN_TEMPORAL), "transaction");
}
END_TEST

RUN_TESTS("token_table", each_token_once, what_they_gave, one_kind_each, id_bounds)
