/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/card.h"

#include <openssl/rand.h>
#include <stddef.h>
#include <string.h>

slice token_id_slice(const struct token_id *id)
{
    return (slice){id->at, id->len};
}

bool token_id_from(slice text, struct token_id *out)
{
    if (text.len < TOKEN_ID_MIN_BYTES || text.len > TOKEN_ID_MAX_BYTES || !slice_is_word(text)) return false;
    memcpy(out->at, text.at, text.len);
    out->len = (uint8_t)text.len;
    return true;
}

enum { UUID_BYTES = 36 };

static slice prefix_of(enum token_kind kind)
{
    return kind == TOKEN_TEMPORAL ? SLICE("tmp_") : SLICE("");
}

result token_id_make(enum token_kind kind, struct token_id *out)
{
    static const char hex[] = "0123456789abcdef";
    const slice prefix = prefix_of(kind);
    uint8_t random[16];
    ENSURE(RAND_bytes(random, sizeof random) == 1, CRYPTO);
    random[6] = (uint8_t)((random[6] & 0x0F) | 0x40);
    random[8] = (uint8_t)((random[8] & 0x3F) | 0x80);
    char *at = out->at;
    memcpy(at, prefix.at, prefix.len);
    at += prefix.len;
    for (size_t i = 0; i < sizeof random; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
        *at++ = hex[random[i] >> 4];
        *at++ = hex[random[i] & 15];
    }
    out->len = (uint8_t)(at - out->at);
    return OK;
}

static bool is_hex_digit(char c)
{
    return ((unsigned char)(c - '0') < 10) | ((unsigned char)(c - 'a') < 6);
}

bool token_id_has_form(slice text, enum token_kind kind)
{
    const slice prefix = prefix_of(kind);
    if (text.len != prefix.len + UUID_BYTES || !slice_starts(text, prefix)) return false;
    const char *uuid = text.at + prefix.len;
    unsigned digits = 0; /* counted without a branch: each audit line of a payment has a token */
    for (size_t i = 0; i < UUID_BYTES; i++) digits += is_hex_digit(uuid[i]);
    return digits == UUID_BYTES - 4 && uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-';
}

result card_check_cvc(slice text)
{
    enum { CVC_MIN_DIGITS = 3 };
    ENSURE(text.len >= CVC_MIN_DIGITS && text.len <= CVC_MAX_DIGITS && slice_is_digits(text), CARD_CVC);
    return OK;
}

/* ISO/IEC 7812-1 annex B: from the right, every second digit is doubled; the sum of all digits is a multiple of ten. */
static bool luhn_is_valid(slice digits)
{
    unsigned sum = 0;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(digits.at[digits.len - 1 - i] - '0');
        if (i % 2) digit *= 2;
        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0;
}

static bool is_all_zeros(slice digits)
{
    for (size_t i = 0; i < digits.len; i++)
        if (digits.at[i] != '0') return false;
    return true;
}

result card_set_number(struct card *c, slice digits)
{
    ENSURE(digits.len >= PAN_MIN_DIGITS && digits.len <= PAN_MAX_DIGITS, CARD_NUMBER);
    ENSURE(slice_is_digits(digits) && !is_all_zeros(digits) && luhn_is_valid(digits), CARD_NUMBER);
    memset(c->number, 0, sizeof c->number);
    memcpy(c->number, digits.at, digits.len);
    c->number_len = (uint8_t)digits.len;
    return OK;
}

static bool number_between(slice digits, unsigned least, unsigned most, unsigned *out)
{
    uint64_t n;
    if (!slice_to_u64(digits, most, &n) || n < least) return false;
    *out = (unsigned)n;
    return true;
}

static bool is_expiry_separator(char c)
{
    return c == '/' || c == '-';
}

/* Cuts the text into its month and its year; false where it is none of the forms. */
static bool split_expiry(slice text, slice *month, slice *year)
{
    size_t at = 0;
    while (at < text.len && !is_expiry_separator(text.at[at])) at++;
    if (at == text.len) { /* MMYY; six digits alone could be MMYYYY or YYYYMM */
        if (text.len != 4) return false;
        *month = slice_range(text, 0, 2);
        *year = slice_after(text, 2);
        return true;
    }
    slice first = slice_range(text, 0, at), second = slice_after(text, at + 1);
    bool year_first = first.len == 4;
    *month = year_first ? second : first;
    *year = year_first ? first : second;
    return month->len == 2 && (year->len == 4 || (year->len == 2 && !year_first));
}

result card_set_expiry(struct card *c, slice text)
{
    slice month_text, year_text;
    unsigned month, year;
    ENSURE(split_expiry(text, &month_text, &year_text), CARD_EXPIRY);
    ENSURE(number_between(month_text, 1, 12, &month), CARD_EXPIRY);
    if (year_text.len == 2) {
        ENSURE(number_between(year_text, 0, 99, &year), CARD_EXPIRY);
        year += 2000;
    } else {
        ENSURE(number_between(year_text, 2000, 2099, &year), CARD_EXPIRY);
    }
    c->month = (uint8_t)month;
    c->year = (uint16_t)year;
    return OK;
}

/* Length of the well-formed UTF-8 sequence (RFC 3629 section 4) at the front of text; 0: none. */
static size_t utf8_sequence(const uint8_t *at, size_t len)
{
    uint8_t first = at[0], low = 0x80, high = 0xBF;
    if (first < 0x80) return 1;
    size_t need = first >= 0xC2 && first <= 0xDF ? 2 : (first & 0xF0) == 0xE0 ? 3 : first >= 0xF0 && first <= 0xF4 ? 4 : 0;
    if (need == 0 || need > len) return 0;
    if (first == 0xE0) low = 0xA0; /* overlong */
    if (first == 0xED) high = 0x9F; /* surrogates */
    if (first == 0xF0) low = 0x90; /* overlong */
    if (first == 0xF4) high = 0x8F; /* above U+10FFFF */
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < need; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    return need;
}

static bool is_control(const uint8_t *at, size_t sequence)
{
    if (sequence == 1) return at[0] < 0x20 || at[0] == 0x7F;
    return sequence == 2 && at[0] == 0xC2 && at[1] < 0xA0; /* U+0080 to U+009F */
}

result card_set_holder(struct card *c, slice text)
{
    ENSURE(text.len <= HOLDER_MAX_BYTES, CARD_HOLDER);
    const uint8_t *at = (const uint8_t *)text.at;
    for (size_t i = 0; i < text.len;) {
        size_t sequence = utf8_sequence(at + i, text.len - i);
        ENSURE(sequence > 0 && !is_control(at + i, sequence), CARD_HOLDER);
        i += sequence;
    }
    memset(c->holder, 0, sizeof c->holder);
    if (text.len) memcpy(c->holder, text.at, text.len);
    c->holder_len = (uint8_t)text.len;
    return OK;
}

/* First digits by brand, the more particular first: an Elo or Hipercard range lies inside the wide ones below it. Six digits
 * decide; shorter entries are filled up. Sources: the schemes' published ranges (Visa 4; Mastercard 51-55, 2221-2720;
 * Amex 34, 37; Discover 6011, 644-649, 65, 622126-622925; Diners 300-305, 3095, 36, 38-39; JCB 3528-3589; UnionPay 62). */
static const struct brand_range {
    uint32_t from, to;
    enum card_brand brand;
} brand_ranges[] = {
    {401178, 401179, BRAND_ELO},        {431274, 431274, BRAND_ELO},        {438935, 438935, BRAND_ELO},
    {451416, 451416, BRAND_ELO},        {457393, 457393, BRAND_ELO},        {457631, 457632, BRAND_ELO},
    {504175, 504175, BRAND_ELO},        {506699, 506778, BRAND_ELO},        {509000, 509999, BRAND_ELO},
    {627780, 627780, BRAND_ELO},        {636297, 636297, BRAND_ELO},        {636368, 636368, BRAND_ELO},
    {650031, 650033, BRAND_ELO},        {650035, 650051, BRAND_ELO},        {650405, 650439, BRAND_ELO},
    {650485, 650538, BRAND_ELO},        {650541, 650598, BRAND_ELO},        {650700, 650718, BRAND_ELO},
    {650720, 650727, BRAND_ELO},        {650901, 650978, BRAND_ELO},        {651652, 651679, BRAND_ELO},
    {655000, 655019, BRAND_ELO},        {655021, 655058, BRAND_ELO},        {384100, 384100, BRAND_HIPERCARD},
    {384140, 384140, BRAND_HIPERCARD},  {384160, 384160, BRAND_HIPERCARD},  {606282, 606282, BRAND_HIPERCARD},
    {637095, 637095, BRAND_HIPERCARD},  {637568, 637568, BRAND_HIPERCARD},  {637599, 637599, BRAND_HIPERCARD},
    {637609, 637609, BRAND_HIPERCARD},  {637612, 637612, BRAND_HIPERCARD},  {400000, 499999, BRAND_VISA},
    {510000, 559999, BRAND_MASTERCARD}, {222100, 272099, BRAND_MASTERCARD}, {340000, 349999, BRAND_AMEX},
    {370000, 379999, BRAND_AMEX},       {601100, 601199, BRAND_DISCOVER},   {622126, 622925, BRAND_DISCOVER},
    {644000, 659999, BRAND_DISCOVER},   {300000, 305999, BRAND_DINERS},     {309500, 309599, BRAND_DINERS},
    {360000, 369999, BRAND_DINERS},     {380000, 399999, BRAND_DINERS},     {352800, 358999, BRAND_JCB},
    {620000, 629999, BRAND_UNIONPAY},   {500000, 509999, BRAND_MAESTRO},    {560000, 589999, BRAND_MAESTRO},
    {630000, 639999, BRAND_MAESTRO},    {670000, 679999, BRAND_MAESTRO},
};

enum card_brand card_brand_of(const struct card *c)
{
    uint32_t bin = 0;
    if (c->number_len < PAN_MIN_DIGITS) return BRAND_UNKNOWN;
    for (size_t i = 0; i < 6; i++) bin = bin * 10 + (uint32_t)(c->number[i] - '0');
    for (size_t i = 0; i < sizeof brand_ranges / sizeof brand_ranges[0]; i++)
        if (bin >= brand_ranges[i].from && bin <= brand_ranges[i].to) return brand_ranges[i].brand;
    return BRAND_UNKNOWN;
}

void card_mask(const struct card *c, struct card_mask *out)
{
    enum { BIN_SHOWN = 6, LAST_SHOWN = 4, BIN_SHOWN_FROM = 15 };
    memset(out, 0, sizeof *out);
    size_t len = c->number_len, first = len >= BIN_SHOWN_FROM ? BIN_SHOWN : 0;
    const char *brand = card_brand_name(card_brand_of(c));
    memcpy(out->brand, brand, strlen(brand));
    if (len < PAN_MIN_DIGITS) return;
    memset(out->number, '*', len);
    memcpy(out->number, c->number, first);
    memcpy(out->number + len - LAST_SHOWN, c->number + len - LAST_SHOWN, LAST_SHOWN);
}
