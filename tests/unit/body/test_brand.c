/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "body/brand.h"

#include <string.h>

START_TEST(brands_and_lengths)
{
    static const struct {
        const char *digits;
        enum card_brand brand;
        bool is_evident;
    } cases[] = {
        {"4111111111111111", BRAND_VISA, true},      {"411111111111111", BRAND_VISA, false},      {"4222222222222", BRAND_VISA, true},
        {"4000000000000000006", BRAND_VISA, true},   {"5100000000000000", BRAND_MASTERCARD, true}, {"5599999999999999", BRAND_MASTERCARD, true},
        {"2221000000000000", BRAND_MASTERCARD, true}, {"2720999999999999", BRAND_MASTERCARD, true}, {"2220999999999999", BRAND_UNKNOWN, false},
        {"2721000000000000", BRAND_UNKNOWN, false},  {"510000000000000", BRAND_MASTERCARD, false}, {"340000000000000", BRAND_AMEX, true},
        {"3400000000000000", BRAND_AMEX, false},     {"6011000000000000", BRAND_DISCOVER, true},  {"6011000000000000000", BRAND_DISCOVER, true},
        {"6440000000000000", BRAND_DISCOVER, true},  {"30500000000000", BRAND_DINERS, true},      {"30600000000000", BRAND_UNKNOWN, false},
        {"3090000000000000", BRAND_DINERS, true},    {"36000000000000", BRAND_DINERS, true},      {"3600000000000", BRAND_DINERS, false},
        {"3528000000000000", BRAND_JCB, true},       {"3589999999999999", BRAND_JCB, true},       {"3527999999999999", BRAND_UNKNOWN, false},
        {"352800000000000", BRAND_JCB, false},       {"6200000000000000000", BRAND_UNIONPAY, true}, {"8100000000000000", BRAND_UNIONPAY, true},
        {"6362970000000000", BRAND_ELO, true},       {"6062820000000000", BRAND_HIPERCARD, true},
        {"676300000000", BRAND_MAESTRO, true},       {"676400000000", BRAND_MAESTRO, false},      {"5000000000000000", BRAND_MAESTRO, false},
        {"2200000000000000", BRAND_MIR, true},       {"2204999999999999999", BRAND_MIR, true},    {"2205000000000000", BRAND_UNKNOWN, false},
        {"220000000000000", BRAND_MIR, false},       {"5080000000000000", BRAND_RUPAY, true},     {"6000000000000000", BRAND_RUPAY, true},
        {"8172000000000000", BRAND_RUPAY, true},     {"8299999999999999", BRAND_RUPAY, true},     {"8300000000000000", BRAND_UNKNOWN, false},
        {"60000000000000000", BRAND_RUPAY, false},   {"6521500000000000", BRAND_DISCOVER, true},  {"3530000000000000", BRAND_JCB, true},
        {"5060990000000000", BRAND_VERVE, true},     {"5061989999999999999", BRAND_VERVE, true},  {"5061990000000000", BRAND_MAESTRO, false},
        {"5078650000000000", BRAND_VERVE, true},     {"9792000000000000", BRAND_TROY, true},      {"9793000000000000", BRAND_UNKNOWN, false},
        {"5019000000000000", BRAND_DANKORT, true},   {"5895620000000000", BRAND_NARANJA, true},   {"5895630000000000", BRAND_MAESTRO, false},
        {"6042010000000000", BRAND_CABAL, true},     {"5896570000000000", BRAND_CABAL, true},     {"6060710000000000", BRAND_SODEXO, true},
        {"3088000000000000", BRAND_JCB, true},       {"3349990000000000", BRAND_JCB, true},       {"3350000000000000", BRAND_UNKNOWN, false},
        {"135412345678911", BRAND_UATP, false},      {"1354123456789110", BRAND_UATP, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(brand_of_digits(slice_of(cases[i].digits)) == cases[i].brand, "%s", cases[i].digits);
        ck_assert_msg(brand_is_evident(slice_of(cases[i].digits), false) == cases[i].is_evident, "%s", cases[i].digits);
    }
}
END_TEST

/* A field page shows the brand while the number is typed. */
START_TEST(first_digits)
{
    static const struct {
        const char *digits;
        enum card_brand brand;
    } cases[] = {
        {"", BRAND_UNKNOWN},      {"4", BRAND_VISA},         {"5", BRAND_UNKNOWN},    {"51", BRAND_MASTERCARD}, {"2", BRAND_UNKNOWN}, {"222", BRAND_UNKNOWN},
        {"2230", BRAND_MASTERCARD}, {"3", BRAND_UNKNOWN},    {"34", BRAND_AMEX},      {"36", BRAND_DINERS},     {"353", BRAND_JCB},
        {"352", BRAND_UNKNOWN},   {"62", BRAND_UNIONPAY},    {"6011", BRAND_DISCOVER}, {"63629", BRAND_MAESTRO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(brand_of_digits(slice_of(cases[i].digits)) == cases[i].brand, "%s", cases[i].digits);
}
END_TEST

/* Where a scheme's code stands in front, the wide ranges count too, and no other length. */
START_TEST(named_numbers)
{
    ck_assert(brand_is_evident(SLICE("135412345678911"), true) && !brand_is_evident(SLICE("1354123456789110"), true));
    ck_assert(brand_is_evident(SLICE("5000000000000000"), true) && !brand_is_evident(SLICE("9000000000000000"), true));
}
END_TEST

START_TEST(check_digits)
{
    ck_assert(card_number_is_valid(SLICE("5895627823453005")) && !luhn_is_valid(SLICE("5895627823453005"))); /* Mercado Pago's Naranja */
    ck_assert(!card_number_is_valid(SLICE("5895627823453006")));
    ck_assert(!card_number_is_valid(SLICE("5895637823453005")));
    ck_assert(!check_digit_is_valid(SLICE("589562782345300")));
    ck_assert(check_digit_is_valid(SLICE("4111111111111111")) && !check_digit_is_valid(SLICE("4111111111111112")));
}
END_TEST

START_TEST(lengths)
{
    ck_assert(!brand_has_length(BRAND_UNKNOWN, 16) && !brand_has_length(BRAND_COUNT, 16) && !brand_has_length(BRAND_VISA, 0));
    ck_assert(!brand_has_length(BRAND_MAESTRO, 20) && !brand_has_length(BRAND_MAESTRO, 11) && !brand_has_length(BRAND_VISA, 4000));
    ck_assert(brand_has_length(BRAND_MAESTRO, 12) && brand_has_length(BRAND_MAESTRO, 19));
    for (enum card_brand b = BRAND_VISA; b < BRAND_COUNT; b++) {
        size_t usual = brand_usual_length(b);
        ck_assert(usual == 0 || brand_has_length(b, usual));
    }
    ck_assert_uint_eq(brand_usual_length(BRAND_UNKNOWN), 0);
}
END_TEST

START_TEST(card_numbers)
{
    static const char *const good[] = {"4111111111111111", "676300000000", "0000000000000000018"};
    static const char *const bad[] = {"", "0", "4111111111111112", "00000000000000", "67630000000", "41111111111111111111", "4111 1111 1111 1111", "411111111111111a"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char digits[24];
        memcpy(digits, good[i], strlen(good[i]) + 1);
        for (char *last = digits + strlen(digits) - 1; !luhn_is_valid(slice_of(digits)) && *last < '9';) ++*last;
        ck_assert_msg(card_number_is_valid(slice_of(digits)), "%s", digits);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!card_number_is_valid(slice_of(bad[i])), "%s", bad[i]);
}
END_TEST

RUN_TESTS("brand", brands_and_lengths, first_digits, named_numbers, check_digits, lengths, card_numbers)
