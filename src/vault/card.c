/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/card.h"

#include "body/brand.h"
#include "body/expiry.h"

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

result card_set_number(struct card *c, slice digits)
{
    ENSURE(card_number_is_valid(digits), CARD_NUMBER);
    memset(c->number, 0, sizeof c->number);
    memcpy(c->number, digits.at, digits.len);
    c->number_len = (uint8_t)digits.len;
    return OK;
}

result card_set_expiry(struct card *c, slice text)
{
    uint8_t month;
    uint16_t year;
    ENSURE(expiry_parse(text, &month, &year), CARD_EXPIRY);
    c->month = month;
    c->year = year;
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

enum card_brand card_brand_of(const struct card *c)
{
    return brand_of_digits((slice){c->number, c->number_len});
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

void card_mask_x(struct card_mask *mask)
{
    for (char *at = mask->number; *at; at++)
        if (*at == '*') *at = 'x';
}
