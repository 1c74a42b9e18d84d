/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/record.h"

#include <check.h>
#include <string.h>

static const struct {
    const char *number, *mask, *brand;
} cards[] = {
    {"4111111111111111", "411111******1111", "visa"},
    {"4222222222222", "*********2222", "visa"},
    {"4000000000000000006", "400000*********0006", "visa"},
    {"5555555555554444", "555555******4444", "mastercard"},
    {"5105105105105100", "510510******5100", "mastercard"},
    {"2223003122003222", "222300******3222", "mastercard"},
    {"2720992593319364", "272099******9364", "mastercard"},
    {"378282246310005", "378282*****0005", "amex"},
    {"341111111111111", "341111*****1111", "amex"},
    {"6011111111111117", "601111******1117", "discover"},
    {"6445644564456445", "644564******6445", "discover"},
    {"30569309025904", "**********5904", "diners"},
    {"38520000023237", "**********3237", "diners"},
    {"36227206271667", "**********1667", "diners"},
    {"3530111333300000", "353011******0000", "jcb"},
    {"6200000000000005", "620000******0005", "unionpay"},
    {"6362970000457013", "636297******7013", "elo"},
    {"5067310000000010", "506731******0010", "elo"},
    {"6062826786276634", "606282******6634", "hipercard"},
    {"6759649826438453", "675964******8453", "maestro"},
    {"0000000000000000018", "000000*********0018", "unknown"},
};

START_TEST(masks_and_brands)
{
    for (size_t i = 0; i < sizeof cards / sizeof cards[0]; i++) {
        struct card c = {0};
        struct card_mask m;
        ck_assert_msg(!failed(card_set_number(&c, slice_of(cards[i].number))), "%s", cards[i].mask);
        card_mask(&c, &m);
        ck_assert_str_eq(m.number, cards[i].mask);
        card_mask_x(&m);
        for (size_t k = 0; k <= strlen(cards[i].mask); k++)
            ck_assert_int_eq(m.number[k], cards[i].mask[k] == '*' ? 'x' : cards[i].mask[k]);
        ck_assert_str_eq(m.brand, cards[i].brand);
        ck_assert_str_eq(card_brand_name(card_brand_of(&c)), cards[i].brand);
    }
    ck_assert_int_eq(card_brand_of(&(struct card){0}), BRAND_UNKNOWN);
}
END_TEST

START_TEST(numbers_that_are_none)
{
    static const char *const bad[] = {"", "4", "41111111111", "4111111111111112", "41111111111111111111", "4111 1111 1111 1111",
                                      "4111-1111-1111-1111", "411111111111111a", "0000000000000000", "+411111111111111", "41111111111111\xEF\xBC\x91"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct card c = {0};
        ck_assert_int_eq(card_set_number(&c, slice_of(bad[i])).err, ERR_CARD_NUMBER);
        ck_assert_uint_eq(c.number_len, 0);
    }
}
END_TEST

/* Luhn finds each wrong digit and each pair of neighbours swapped but 09 and 90 (ISO/IEC 7812-1 annex B). */
START_TEST(one_wrong_digit_is_found)
{
    char number[] = "5555555555554444";
    struct card c = {0};
    for (size_t i = 0; i < 16; i++) {
        char kept = number[i];
        for (char d = '0'; d <= '9'; d++) {
            number[i] = d;
            ck_assert_int_eq(failed(card_set_number(&c, slice_of(number))), d != kept);
        }
        number[i] = kept;
    }
}
END_TEST

START_TEST(expiries)
{
    static const struct {
        const char *text;
        unsigned month, year; /* 0: refused */
    } cases[] = {
        {"12/30", 12, 2030},  {"01/2031", 1, 2031}, {"07-29", 7, 2029},  {"07-2029", 7, 2029}, {"2029-07", 7, 2029}, {"2029/07", 7, 2029},
        {"0729", 7, 2029},    {"1200", 12, 2000},   {"12/99", 12, 2099}, {"", 0, 0},           {"13/30", 0, 0},      {"00/30", 0, 0},
        {"1/30", 0, 0},       {"12/3", 0, 0},       {"12/030", 0, 0},    {"12/1999", 0, 0},    {"12/2100", 0, 0},    {"122030", 0, 0},
        {"203012", 0, 0},     {"12 / 30", 0, 0},    {"12/30 ", 0, 0},    {"12//30", 0, 0},     {"30/12/01", 0, 0},   {"1a/30", 0, 0},
        {"-1/30", 0, 0},      {"2030-1", 0, 0},     {"2030/13", 0, 0},   {"/", 0, 0},          {"1230/", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct card c = {0};
        result r = card_set_expiry(&c, slice_of(cases[i].text));
        ck_assert_msg(failed(r) == (cases[i].month == 0), "'%s'", cases[i].text);
        ck_assert_msg(c.month == cases[i].month && c.year == cases[i].year, "'%s'", cases[i].text);
    }
}
END_TEST

START_TEST(holders)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"", true},          {"A. PERSON", true},     {"Zoë Müller", true},       {"名前", true},           {"\xF0\x9F\x98\x80", true},
        {"a\nb", false},     {"a\tb", false},         {"\x7F", false},            {"\xC2\x85", false},      {"\xC0\x80", false},
        {"\xE0\x80\xAF", false}, {"\xED\xA0\x80", false}, {"\xF4\x90\x80\x80", false}, {"\xF5\x80\x80\x80", false}, {"\xC3", false},
        {"\xE2\x82", false}, {"\x80", false},         {"\xF0\x8F\xBF\xBF", false}, {"\xC2\xA0", true},
    };
    struct card c = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(failed(card_set_holder(&c, slice_of(cases[i].text))) != cases[i].good, "case %zu", i);
    char text[HOLDER_MAX_BYTES + 1];
    memset(text, 'x', sizeof text);
    ck_assert(!failed(card_set_holder(&c, (slice){text, HOLDER_MAX_BYTES})));
    ck_assert_uint_eq(c.holder_len, HOLDER_MAX_BYTES);
    ck_assert_int_eq(card_set_holder(&c, (slice){text, HOLDER_MAX_BYTES + 1}).err, ERR_CARD_HOLDER);
    ck_assert_int_eq(card_set_holder(&c, (slice){"a\0b", 3}).err, ERR_CARD_HOLDER);
}
END_TEST

START_TEST(token_ids)
{
    struct token_id id;
    char text[TOKEN_ID_MAX_BYTES + 1];
    memset(text, 'a', sizeof text);
    ck_assert(token_id_from(SLICE("aB0_-z"), &id) && slice_is(token_id_slice(&id), "aB0_-z"));
    ck_assert(token_id_from((slice){text, TOKEN_ID_MAX_BYTES}, &id));
    ck_assert(!token_id_from((slice){text, TOKEN_ID_MAX_BYTES + 1}, &id));
    ck_assert(!token_id_from(SLICE("abcde"), &id) && !token_id_from(SLICE("abcde."), &id) && !token_id_from(SLICE("abcde "), &id));
}
END_TEST

/* Every record that decodes says again what it said; every cut of one is refused. */
START_TEST(made_token_ids)
{
    struct token_id permanent, temporal, other;
    ck_assert(!failed(token_id_make(TOKEN_PERMANENT, &permanent)) && !failed(token_id_make(TOKEN_TEMPORAL, &temporal)));
    const slice p = token_id_slice(&permanent), t = token_id_slice(&temporal);
    ck_assert(token_id_from(p, &other) && p.len == 36 && p.at[14] == '4'); /* RFC 9562 5.4: version 4 */
    ck_assert(token_id_from(t, &other) && t.len == 40 && slice_starts(t, SLICE("tmp_")));
    ck_assert(token_id_has_form(p, TOKEN_PERMANENT) && !token_id_has_form(p, TOKEN_TEMPORAL));
    ck_assert(token_id_has_form(t, TOKEN_TEMPORAL) && !token_id_has_form(t, TOKEN_PERMANENT));
    ck_assert(!token_id_has_form(slice_range(t, 0, t.len - 1), TOKEN_TEMPORAL));
    ck_assert(!token_id_has_form(SLICE("tmp_4111111111111111-1111-1111-111111111"), TOKEN_TEMPORAL));
    ck_assert(!token_id_has_form(SLICE("TMP_00000000-0000-4000-8000-000000000000"), TOKEN_TEMPORAL));
    ck_assert(!failed(token_id_make(TOKEN_PERMANENT, &other)) && !slice_eq(p, token_id_slice(&other)));
}
END_TEST

START_TEST(cvcs)
{
    static const char *const good[] = {"000", "123", "1234"}, *const bad[] = {"", "12", "12345", "12a", " 123", "1.2", "***"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) ck_assert_msg(!failed(card_check_cvc(slice_of(good[i]))), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(card_check_cvc(slice_of(bad[i])).err == ERR_CARD_CVC, "%s", bad[i]);
}
END_TEST

START_TEST(records_round_trip)
{
    struct card_record in = {.state = CARD_ACTIVE, .indexed = true, .created_ms = 1, .updated_ms = INT64_MAX}, out;
    uint8_t plain[CARD_RECORD_MAX_BYTES];
    ck_assert(!failed(card_set_number(&in.card, SLICE("4000000000000000006"))));
    ck_assert(!failed(card_set_holder(&in.card, SLICE("A"))));
    card_mask(&in.card, &in.mask);
    size_t len = card_record_encode(&in, plain);
    ck_assert(!failed(card_record_decode((slice){(char *)plain, len}, &out)));
    ck_assert_mem_eq(&in, &out, sizeof in);
    for (size_t cut = 0; cut < len; cut++) ck_assert_int_eq(card_record_decode((slice){(char *)plain, cut}, &out).err, ERR_VAULT_FORMAT);
    card_record_remove_pan(&in);
    len = card_record_encode(&in, plain);
    ck_assert_ptr_null(memmem(plain, len, "4000000000000000006", 19));
    ck_assert(!failed(card_record_decode((slice){(char *)plain, len}, &out)));
    ck_assert_mem_eq(&in, &out, sizeof in);
    ck_assert_str_eq(out.mask.number, "400000*********0006");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("card");
    TCase *t = tcase_create("card");
    tcase_add_test(t, masks_and_brands);
    tcase_add_test(t, numbers_that_are_none);
    tcase_add_test(t, one_wrong_digit_is_found);
    tcase_add_test(t, expiries);
    tcase_add_test(t, holders);
    tcase_add_test(t, token_ids);
    tcase_add_test(t, made_token_ids);
    tcase_add_test(t, cvcs);
    tcase_add_test(t, records_round_trip);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
