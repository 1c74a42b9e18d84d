/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/alias.h"

#include <openssl/rand.h>
#include <string.h>

enum { LAST_SHOWN = 4, SIX = 6, SIX_FROM = 15, EIGHT = 8, EIGHT_FROM = 16, LONG_BYTES = 32 };

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define SMALL "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* Each of the alphabet is as likely as any other: bytes past its last whole multiple are drawn anew. */
static result append_random(struct token_id *out, size_t count, const char *alphabet)
{
    size_t room = strlen(alphabet), fair = 256 - 256 % room;
    uint8_t bytes[TOKEN_ID_MAX_BYTES];
    ENSURE(count <= sizeof out->at - out->len, TOO_LARGE);
    while (count > 0) {
        ENSURE(RAND_bytes(bytes, sizeof bytes) == 1, CRYPTO);
        for (size_t i = 0; i < sizeof bytes && count > 0; i++) {
            if (bytes[i] >= fair) continue;
            out->at[out->len++] = alphabet[bytes[i] % room];
            count--;
        }
    }
    return OK;
}

static result append(struct token_id *out, slice text)
{
    ENSURE(text.len <= sizeof out->at - out->len, TOO_LARGE);
    memcpy(out->at + out->len, text.at, text.len);
    out->len = (uint8_t)(out->len + text.len);
    return OK;
}

static size_t digits_in(const struct token_id *id)
{
    size_t n = 0;
    for (size_t i = 0; i < id->len; i++) n += id->at[i] >= '0' && id->at[i] <= '9';
    return n;
}

/* --- without the number's digits --- */

/* Too few digits for a card number to stand in it, whatever stands between them. */
static result make_long(struct token_id *out)
{
    do {
        out->len = 0;
        TRY(append_random(out, 1, LETTERS SMALL));
        TRY(append_random(out, LONG_BYTES - 1, LETTERS SMALL DIGITS "_-"));
    } while (digits_in(out) >= PAN_MIN_DIGITS);
    return OK;
}

/* A letter at either end: no digit in it stands at a word's edge. */
static result make_length(size_t len, struct token_id *out)
{
    TRY(append_random(out, 1, LETTERS SMALL));
    TRY(append_random(out, len - 2, LETTERS SMALL DIGITS));
    return append_random(out, 1, LETTERS SMALL);
}

static result make_template(slice text, struct token_id *out)
{
    slice hole = SLICE("{uuid}");
    struct token_id uuid;
    size_t at = slice_find_slice(text, hole);
    ENSURE(at < text.len, TOO_LARGE);
    TRY(token_id_make(TOKEN_PERMANENT, &uuid));
    TRY(append(out, slice_range(text, 0, at)));
    TRY(append(out, token_id_slice(&uuid)));
    TRY(append(out, slice_after(text, at + hole.len)));
    slice made = token_id_slice(out);
    ENSURE(slice_is_word(made) && !token_id_has_form(made, TOKEN_PERMANENT) && !token_id_has_form(made, TOKEN_TEMPORAL), TOO_LARGE);
    return OK;
}

/* --- with them --- */

static size_t first_shown(size_t digits, bool eight)
{
    if (eight && digits >= EIGHT_FROM) return EIGHT;
    return digits >= SIX_FROM ? SIX : 0;
}

static result make_shown(slice number, bool eight, const char *between, size_t longer, struct token_id *out)
{
    size_t first = first_shown(number.len, eight), middle = number.len - first - LAST_SHOWN + longer;
    TRY(append(out, slice_range(number, 0, first)));
    TRY(append_random(out, middle, between));
    return append(out, slice_after(number, number.len - LAST_SHOWN));
}

static bool may_be_a_number(slice digits)
{
    struct card card;
    return !failed(card_set_number(&card, digits));
}

/* Some readers take it for a number: it has no zero in front. */
static result make_digits(slice number, bool eight, size_t longer, struct token_id *out)
{
    do {
        out->len = 0;
        TRY(make_shown(number, eight, DIGITS, longer, out));
    } while (out->at[0] == '0' || may_be_a_number(token_id_slice(out)));
    return OK;
}

result alias_text_make(const struct alias_wish *wish, slice number, size_t longer, struct token_id *out)
{
    out->len = 0;
    ENSURE(number.len >= PAN_MIN_DIGITS && number.len <= PAN_MAX_DIGITS, CARD_NUMBER);
    switch (wish->format) {
    case ALIAS_32: return make_long(out);
    case ALIAS_LENGTH: return make_length(number.len + longer, out);
    case ALIAS_SIX_FOUR: return make_shown(number, false, LETTERS, longer, out);
    case ALIAS_EIGHT_FOUR: return make_shown(number, true, LETTERS, longer, out);
    case ALIAS_DIGITS: return make_digits(number, false, longer, out);
    case ALIAS_EIGHT_DIGITS: return make_digits(number, true, longer, out);
    case ALIAS_TEMPLATE: return make_template(wish->template_text, out);
    case ALIAS_UUID:
    case ALIAS_FORMAT_COUNT: break;
    }
    return FAIL(TOO_LARGE);
}
