/* SPDX-License-Identifier: Apache-2.0 */
#include "body/brand.h"

enum { BIN_DIGITS = 6 };

/* First digits by brand, the more particular first: an Elo or Cabal range lies inside the wide ones below it. Six digits
 * decide; shorter entries are filled up. Sources: the schemes' published ranges (Visa 4; Mastercard 51-55, 2221-2720;
 * Amex 34, 37; Discover 6011, 644-649, 65, 622126-622925; Diners 300-305, 309, 36, 38-39; JCB 3528-3589; UnionPay 62,
 * 8100-8171; Maestro 50, 56-58, 63, 67, of which the first rows are the evident ones). Mir, RuPay (its 353, 356 and 65
 * are JCB's and Discover's), Verve, Troy, Dankort and UATP as Wikipedia's "Payment card number" has them; Cabal,
 * Naranja, Sodexo and JCB's ranges from 3088 to 3349 as the gateway library ActiveMerchant has them. UATP's is a tenth
 * of all numbers, and Facebook's account numbers with 15 digits lie in it: vague. */
static const struct range {
    uint32_t from, to;
    enum card_brand brand;
    bool is_vague; /* only a number that something else says is one */
} ranges[] = {
    {401178, 401179, BRAND_ELO, false},        {431274, 431274, BRAND_ELO, false},
    {438935, 438935, BRAND_ELO, false},        {451416, 451416, BRAND_ELO, false},
    {457393, 457393, BRAND_ELO, false},        {457631, 457632, BRAND_ELO, false},
    {504175, 504175, BRAND_ELO, false},        {506699, 506778, BRAND_ELO, false},
    {509000, 509999, BRAND_ELO, false},        {627780, 627780, BRAND_ELO, false},
    {636297, 636297, BRAND_ELO, false},        {636368, 636368, BRAND_ELO, false},
    {650031, 650033, BRAND_ELO, false},        {650035, 650051, BRAND_ELO, false},
    {650405, 650439, BRAND_ELO, false},        {650485, 650538, BRAND_ELO, false},
    {650541, 650598, BRAND_ELO, false},        {650700, 650718, BRAND_ELO, false},
    {650720, 650727, BRAND_ELO, false},        {650901, 650978, BRAND_ELO, false},
    {651652, 651679, BRAND_ELO, false},        {655000, 655019, BRAND_ELO, false},
    {655021, 655058, BRAND_ELO, false},        {384100, 384100, BRAND_HIPERCARD, false},
    {384140, 384140, BRAND_HIPERCARD, false},  {384160, 384160, BRAND_HIPERCARD, false},
    {606282, 606282, BRAND_HIPERCARD, false},  {637095, 637095, BRAND_HIPERCARD, false},
    {637568, 637568, BRAND_HIPERCARD, false},  {637599, 637599, BRAND_HIPERCARD, false},
    {637609, 637609, BRAND_HIPERCARD, false},  {637612, 637612, BRAND_HIPERCARD, false},
    {589562, 589562, BRAND_NARANJA, false},    {589657, 589657, BRAND_CABAL, false},
    {603522, 603522, BRAND_CABAL, false},      {604201, 604400, BRAND_CABAL, false},
    {650272, 650272, BRAND_CABAL, false},      {600818, 600818, BRAND_SODEXO, false},
    {603389, 603389, BRAND_SODEXO, false},     {606068, 606071, BRAND_SODEXO, false},
    {506099, 506198, BRAND_VERVE, false},      {507865, 507964, BRAND_VERVE, false},
    {501900, 501999, BRAND_DANKORT, false},    {979200, 979299, BRAND_TROY, false},
    {220000, 220499, BRAND_MIR, false},        {400000, 499999, BRAND_VISA, false},
    {510000, 559999, BRAND_MASTERCARD, false}, {222100, 272099, BRAND_MASTERCARD, false},
    {340000, 349999, BRAND_AMEX, false},       {370000, 379999, BRAND_AMEX, false},
    {601100, 601199, BRAND_DISCOVER, false},   {622126, 622925, BRAND_DISCOVER, false},
    {644000, 659999, BRAND_DISCOVER, false},   {300000, 305999, BRAND_DINERS, false},
    {309000, 309999, BRAND_DINERS, false},     {360000, 369999, BRAND_DINERS, false},
    {380000, 399999, BRAND_DINERS, false},     {308800, 308999, BRAND_JCB, false},
    {310000, 310299, BRAND_JCB, false},        {311200, 312099, BRAND_JCB, false},
    {315800, 315999, BRAND_JCB, false},        {333700, 334999, BRAND_JCB, false},
    {352800, 358999, BRAND_JCB, false},        {620000, 629999, BRAND_UNIONPAY, false},
    {810000, 817199, BRAND_UNIONPAY, false},   {508000, 508999, BRAND_RUPAY, false},
    {600000, 609999, BRAND_RUPAY, false},      {817200, 829999, BRAND_RUPAY, false},
    {501800, 501899, BRAND_MAESTRO, false},    {502000, 502099, BRAND_MAESTRO, false},
    {503800, 503899, BRAND_MAESTRO, false},    {589300, 589399, BRAND_MAESTRO, false},
    {630400, 630499, BRAND_MAESTRO, false},    {675900, 675999, BRAND_MAESTRO, false},
    {676100, 676399, BRAND_MAESTRO, false},    {500000, 509999, BRAND_MAESTRO, true},
    {560000, 589999, BRAND_MAESTRO, true},     {630000, 639999, BRAND_MAESTRO, true},
    {670000, 679999, BRAND_MAESTRO, true},     {100000, 199999, BRAND_UATP, true},
};

#define LENGTH(n) (UINT32_C(1) << (n))
#define LENGTHS(from, to) (LENGTH((to) + 1) - LENGTH(from))
static const struct {
    uint32_t lengths; /* a bit for each */
    uint8_t usual;
} brands[BRAND_COUNT] = {
    [BRAND_VISA] = {LENGTH(13) | LENGTH(16) | LENGTH(19), 16},
    [BRAND_MASTERCARD] = {LENGTH(16), 16},
    [BRAND_AMEX] = {LENGTH(15), 15},
    [BRAND_DISCOVER] = {LENGTHS(16, 19), 16},
    [BRAND_DINERS] = {LENGTHS(14, 19), 14},
    [BRAND_JCB] = {LENGTHS(16, 19), 16},
    [BRAND_UNIONPAY] = {LENGTHS(16, 19), 0}, /* credit cards 16, most debit cards 19 */
    [BRAND_ELO] = {LENGTH(16), 16},
    [BRAND_HIPERCARD] = {LENGTHS(16, 19), 16},
    [BRAND_MAESTRO] = {LENGTHS(12, 19), 0},
    [BRAND_MIR] = {LENGTHS(16, 19), 16},
    [BRAND_RUPAY] = {LENGTH(16), 16},
    [BRAND_VERVE] = {LENGTH(16) | LENGTH(18) | LENGTH(19), 0},
    [BRAND_TROY] = {LENGTH(16), 16},
    [BRAND_DANKORT] = {LENGTH(16), 16},
    [BRAND_NARANJA] = {LENGTH(16), 16},
    [BRAND_CABAL] = {LENGTH(16), 16},
    [BRAND_SODEXO] = {LENGTH(16), 16},
    [BRAND_UATP] = {LENGTH(15), 15},
};

static const struct range *range_of(slice digits)
{
    uint32_t least = 0, most = 0;
    if (digits.len == 0) return NULL;
    for (size_t i = 0; i < BIN_DIGITS; i++) {
        bool known = i < digits.len;
        least = least * 10 + (known ? (uint32_t)(digits.at[i] - '0') : 0);
        most = most * 10 + (known ? (uint32_t)(digits.at[i] - '0') : 9);
    }
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (least >= ranges[i].from && most <= ranges[i].to) return &ranges[i];
    return NULL;
}

enum card_brand brand_of_digits(slice digits)
{
    const struct range *r = range_of(digits);
    return r ? r->brand : BRAND_UNKNOWN;
}

bool brand_has_length(enum card_brand brand, size_t digits)
{
    return brand < BRAND_COUNT && digits <= PAN_MAX_DIGITS && (brands[brand].lengths & LENGTH(digits));
}

size_t brand_usual_length(enum card_brand brand)
{
    return brand < BRAND_COUNT ? brands[brand].usual : 0;
}

bool brand_is_evident(slice digits, bool is_named)
{
    const struct range *r = range_of(digits);
    return r && (is_named || !r->is_vague) && brand_has_length(r->brand, digits.len);
}

/* From the right, every second digit is doubled; the sum of all digits is a multiple of ten. */
bool luhn_is_valid(slice digits)
{
    unsigned sum = 0;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(digits.at[digits.len - 1 - i] - '0');
        if (i % 2) digit *= 2;
        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0;
}

/* Naranja's own check digit: weights from the right 2 to 7 and 2 to 7 again, eleven less the remainder by eleven, zero
 * for ten and eleven. */
static bool naranja_is_valid(slice digits)
{
    unsigned sum = 0;
    if (digits.len != 16 || brand_of_digits(digits) != BRAND_NARANJA) return false;
    for (unsigned i = 0; i < 15; i++)
        sum += (unsigned)(digits.at[14 - i] - '0') * (i % 6 + 2);
    unsigned check = 11 - sum % 11;
    return (check > 9 ? 0 : check) == (unsigned)(digits.at[15] - '0');
}

bool check_digit_is_valid(slice digits)
{
    return luhn_is_valid(digits) || naranja_is_valid(digits);
}

bool card_number_is_valid(slice digits)
{
    if (digits.len < PAN_MIN_DIGITS || digits.len > PAN_MAX_DIGITS || !slice_is_digits(digits)) return false;
    bool all_zeros = true;
    for (size_t i = 0; i < digits.len; i++)
        all_zeros &= digits.at[i] == '0';
    return !all_zeros && check_digit_is_valid(digits);
}
