/* SPDX-License-Identifier: Apache-2.0 */
#include "body/alias.h"

#include "body/credential.h"

#include <string.h>

enum { UUID_BYTES = 36 };

static const char *const NAMES[ALIAS_FORMAT_COUNT] = {
    [ALIAS_UUID] = "uuid",           [ALIAS_32] = "32",         [ALIAS_LENGTH] = "length",
    [ALIAS_SIX_FOUR] = "six-four",   [ALIAS_DIGITS] = "digits", [ALIAS_EIGHT_FOUR] = "eight-four",
    [ALIAS_EIGHT_DIGITS] = "eight-digits"};

/* Word characters around one "{uuid}", short enough for a token, and no card number: tokens are stored, logged and shown. NULL: right. */
static const char *check_template(slice text)
{
    slice hole = SLICE("{uuid}");
    size_t at = slice_find_slice(text, hole), digits = 0;
    if (at == text.len)
        return "expected uuid, 32, length, six-four, eight-four, digits, eight-digits, or a text around {uuid} such as tok_{uuid}";
    if (text.len - hole.len + UUID_BYTES > TOKEN_ID_MAX_BYTES)
        return "a token has at most 64 characters, and a UUID takes 36 of them";
    for (size_t i = 0; i < text.len; i++) {
        if (i == at) i += hole.len;
        if (i < text.len && !slice_is_word_char(text.at[i]))
            return "a token has letters, digits, '_' and '-' only, and one {uuid}";
        digits += i < text.len && slice_is_digits(slice_range(text, i, i + 1));
    }
    if (digits >= PAN_MIN_DIGITS) return "twelve digits and more around {uuid} could be a card number; choose another text";
    if (slice_is(text, "tmp_{uuid}")) return "temporal tokens look like that; choose another text around {uuid}";
    return NULL;
}
_Static_assert(TOKEN_ID_MAX_BYTES - UUID_BYTES + sizeof "{uuid}" - 1 == ALIAS_TEMPLATE_MAX_BYTES, "a template that is right has room");

const char *alias_form_read(slice text, struct alias_form *out)
{
    for (size_t i = 0; i < ALIAS_FORMAT_COUNT; i++) {
        if (!NAMES[i] || !slice_is(text, NAMES[i])) continue;
        *out = (struct alias_form){.format = (enum alias_format)i};
        return NULL;
    }
    const char *wrong = check_template(text);
    if (wrong) return wrong;
    *out = (struct alias_form){.format = ALIAS_TEMPLATE, .template_len = (uint8_t)text.len};
    memcpy(out->template_text, text.at, text.len);
    return NULL;
}

slice alias_wish_text(const struct alias_wish *wish)
{
    return wish->format == ALIAS_TEMPLATE ? wish->template_text : slice_of(NAMES[wish->format]);
}
