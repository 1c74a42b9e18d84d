/* SPDX-License-Identifier: Apache-2.0 */
#include "body/expiry.h"

static bool number_between(slice digits, unsigned least, unsigned most, unsigned *out)
{
    uint64_t n;
    if (!slice_to_u64(digits, most, &n) || n < least) return false;
    *out = (unsigned)n;
    return true;
}

static bool is_separator(char c)
{
    return c == '/' || c == '-';
}

/* Cuts the text into its month and its year; false where it is none of the forms. */
static bool split(slice text, slice *month, slice *year)
{
    size_t at = 0;
    while (at < text.len && !is_separator(text.at[at])) at++;
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

bool expiry_parse_month(slice text, uint8_t *month)
{
    unsigned n;
    if (text.len > 2 || !number_between(text, 1, 12, &n)) return false;
    *month = (uint8_t)n;
    return true;
}

bool expiry_parse_year(slice text, uint16_t *year)
{
    unsigned n;
    if (text.len == 2 && number_between(text, 0, 99, &n)) n += 2000;
    else if (text.len != 4 || !number_between(text, 2000, 2099, &n)) return false;
    *year = (uint16_t)n;
    return true;
}

bool expiry_parse(slice text, uint8_t *month, uint16_t *year)
{
    slice month_text, year_text;
    return split(text, &month_text, &year_text) && expiry_parse_month(month_text, month) && expiry_parse_year(year_text, year);
}
