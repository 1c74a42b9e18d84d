/* SPDX-License-Identifier: Apache-2.0 */
#include "body/pan_scan.h"

#include "base/secret.h"
#include "body/brand.h"

#include <string.h>

/*   … ref. 12-34 4111 1111 1111 1111 12/25       groups: digits that touch no letter. A run: groups with one blank or dash between
 *          └───── run ──────────────────┘         them. Numbers are looked for from each group of a run on, to the end of another. */

enum { GROUPS_MAX = PAN_MAX_DIGITS, RUN_DIGITS_LOOKED_AT = 23 };

/* Digits from one group on, as far as a number could reach. */
struct reach {
    size_t start;
    size_t count;                  /* digits */
    char digits[PAN_MAX_DIGITS];
    unsigned odd, even;            /* the check sum with every second digit doubled, from the second or from the first one on */
    size_t groups;
    uint8_t sizes[GROUPS_MAX];
    bool has_dash;                 /* between groups */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* Part of a word of ASCII. Beyond it everything is a boundary: Chinese text puts a number right behind a word. */
static bool is_word(char c)
{
    return slice_is_word_char(c) && c != '-' && !is_digit(c);
}

static bool is_separator(char c)
{
    return c == ' ' || c == '-';
}

static char at_or_nul(slice text, size_t i)
{
    return i < text.len ? text.at[i] : 0;
}

/* Eight bytes at a time: most text has no digits. */
static size_t skip_to_digit(slice text, size_t at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
    for (uint64_t word; text.len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text.at + at, sizeof word);
        word ^= ones * '0'; /* a digit is below ten now; a borrow can only come from such a byte */
        if ((word - ones * 10) & ~word & highs) break;
    }
    while (at < text.len && !is_digit(text.at[at])) at++;
    return at;
}

static size_t skip_digits(slice text, size_t at)
{
    while (at < text.len && is_digit(text.at[at])) at++;
    return at;
}

/* --- what stands around it --- */

/* May a group begin here? "%B" is how track 1 begins (ISO/IEC 7813). */
static bool begins_group(slice text, size_t at)
{
    if (at == 0) return true;
    char before = text.at[at - 1];
    if (before == 'B' && at >= 2 && text.at[at - 2] == '%') return true;
    return !is_word(before) && !is_digit(before);
}

static bool begins_fraction(slice text, size_t at)
{
    return at >= 2 && text.at[at - 1] == '.' && is_digit(text.at[at - 2]);
}

/* "4111111111111111.25" is a decimal number; ".0" behind it is what a spreadsheet makes of a card number. */
static bool has_fraction(slice text, size_t end)
{
    if (at_or_nul(text, end) != '.' || !is_digit(at_or_nul(text, end + 1))) return false;
    size_t at = end + 1;
    while (at_or_nul(text, at) == '0') at++;
    return is_digit(at_or_nul(text, at)) || is_word(at_or_nul(text, at));
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_uuid_at(slice text, size_t at)
{
    static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"; /* RFC 9562 section 4 */
    if (text.len - at < sizeof form - 1) return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'h' ? !is_hex(text.at[at + i]) : text.at[at + i] != '-') return false;
    return true;
}

static bool is_in_uuid(slice text, size_t start, size_t end)
{
    enum { UUID_BYTES = 36 };
    for (size_t at = start > UUID_BYTES ? start - UUID_BYTES : 0; at < end && at < text.len; at++)
        if (is_uuid_at(text, at)) return true;
    return false;
}

/* Goes on with ISO 7064 MOD 97-10 over one character, a letter as two digits (ISO 13616-1). */
static unsigned mod97(unsigned so_far, char c)
{
    return is_digit(c) ? (so_far * 10 + (unsigned)(c - '0')) % 97 : (so_far * 100 + (unsigned)(c - 'A') + 10) % 97;
}

/* Does a valid IBAN, printed in groups of four, begin at <at> and reach beyond <start>? */
static bool is_iban_at(slice text, size_t at, size_t start)
{
    enum { IBAN_MIN = 15, IBAN_MAX = 34 };
    const char *head = text.at + at;
    unsigned sum = 0, count = 4;
    if (text.len - at < 5 || !is_upper(head[0]) || !is_upper(head[1]) || !is_digit(head[2]) || !is_digit(head[3])) return false;
    if (at > 0 && (is_word(text.at[at - 1]) || is_digit(text.at[at - 1]))) return false;
    for (size_t i = at + 4; i + 1 < text.len && text.at[i] == ' ' && count < IBAN_MAX;) {
        size_t in_group = 0;
        for (i++; in_group < 4 && i < text.len && (is_digit(text.at[i]) || is_upper(text.at[i])); i++, in_group++)
            sum = mod97(sum, text.at[i]);
        count += (unsigned)in_group;
        unsigned whole = sum;
        for (size_t j = 0; j < 4; j++) whole = mod97(whole, head[j]);
        if (i > start && count >= IBAN_MIN && whole == 1) return true;
        if (in_group < 4) return false;
    }
    return false;
}

static bool is_in_iban(slice text, size_t start)
{
    enum { IBAN_PRINTED_BYTES = 42 };
    for (size_t back = 5; back <= IBAN_PRINTED_BYTES && back <= start; back += 5)
        if (text.at[start - 1] == ' ' && is_iban_at(text, start - back, start)) return true;
    return false;
}

/* --- how the digits are grouped --- */

static bool is_grouped(const struct reach *r, const uint8_t *sizes, size_t count)
{
    return r->groups == count && memcmp(r->sizes, sizes, count) == 0;
}

/* As cards show it. */
static bool is_printed_form(const struct reach *r)
{
    static const uint8_t most[] = {4, 4, 4, 4}, amex[] = {4, 6, 5}, diners[] = {4, 6, 4};
    return is_grouped(r, most, sizeof most) || is_grouped(r, amex, sizeof amex) || is_grouped(r, diners, sizeof diners);
}

/* In one piece, in equal groups with a rest, or in large ones. What is left is dates, times, telephone and order numbers. */
static bool is_likely_form(const struct reach *r)
{
    enum { EQUAL_MOST = 6, LARGE = 4 };
    size_t last = r->groups - 1;
    bool equal = r->sizes[0] <= EQUAL_MOST && r->sizes[last] <= r->sizes[0], large = true;
    for (size_t i = 0; i < last; i++) equal &= r->sizes[i] == r->sizes[0];
    for (size_t i = 0; i <= last; i++) large &= r->sizes[i] >= LARGE;
    return r->groups == 1 || equal || large;
}

/* Dashes bind: "302-4567890-1234567" is one thing, of which no part is a card. Only what is grouped as a card is goes as far as it
 * goes: "4111-1111-1111-1111-123". */
static bool cuts_dashes(slice text, const struct reach *r, size_t end)
{
    if (!r->has_dash || is_printed_form(r)) return false;
    bool before = r->start > 1 && text.at[r->start - 1] == '-' && (is_digit(text.at[r->start - 2]) || is_word(text.at[r->start - 2]));
    char after = at_or_nul(text, end + 1);
    return before || (at_or_nul(text, end) == '-' && (is_digit(after) || is_word(after)));
}

/* Rows of small numbers are common, so digits one by one or in twos and threes are a number only where nothing goes on beside them. */
static bool is_part_of_row(slice text, const struct reach *r, size_t end)
{
    if (r->groups == 1 || r->sizes[0] >= 4) return false;
    bool before = r->start > 1 && is_separator(text.at[r->start - 1]) && is_digit(text.at[r->start - 2]);
    return before || (is_separator(at_or_nul(text, end)) && is_digit(at_or_nul(text, end + 1)));
}

/* Thirteen digits that begin with 4 were Visa's once. Most that are met are barcodes of Germany and Japan (GS1: weights 1 and 3) and
 * German mobile numbers without the plus. */
static bool is_rather_no_visa(const struct reach *r)
{
    if (r->count != 13 || r->digits[0] != '4') return false;
    unsigned sum = 0;
    for (size_t i = 0; i < r->count; i++) sum += (unsigned)(r->digits[i] - '0') * (i % 2 ? 3 : 1);
    bool is_mobile = memcmp(r->digits, "491", 3) == 0 && r->digits[3] >= '5' && r->digits[3] <= '7';
    return sum % 10 == 0 || is_mobile;
}

/* --- looking --- */

static unsigned doubled(unsigned digit)
{
    return digit < 5 ? 2 * digit : 2 * digit - 9;
}

static void take_digit(struct reach *r, char c)
{
    unsigned digit = (unsigned)(c - '0');
    bool is_even = r->count % 2 == 0;
    r->even += is_even ? doubled(digit) : digit;
    r->odd += is_even ? digit : doubled(digit);
    r->digits[r->count++] = c;
}

/* The last digit is never doubled: of an even count the first one is. */
static bool has_check_digit(const struct reach *r)
{
    return (r->count % 2 == 0 ? r->even : r->odd) % 10 == 0;
}

/* Takes the group at <at>; false where there is none that could belong to a number. */
static bool take_group(slice text, struct reach *r, size_t at, size_t *end)
{
    size_t first = r->count;
    if (r->groups == GROUPS_MAX) return false;
    for (*end = at; *end < text.len && is_digit(text.at[*end]); ++*end) {
        if (r->count == PAN_MAX_DIGITS) return false;
        take_digit(r, text.at[*end]);
    }
    if (*end == at || is_word(at_or_nul(text, *end))) return false;
    r->sizes[r->groups++] = (uint8_t)(r->count - first);
    return true;
}

static bool is_number(slice text, const struct reach *r, size_t end)
{
    slice digits = {r->digits, r->count};
    return r->count >= PAN_MIN_DIGITS && has_check_digit(r) && brand_is_evident(digits) && is_likely_form(r) &&
           !cuts_dashes(text, r, end) && !is_part_of_row(text, r, end) && !has_fraction(text, end) && !is_rather_no_visa(r) && !is_in_uuid(text, r->start, end) &&
           !is_in_iban(text, r->start);
}

/* The number that starts with the group at <start>. <behind_plus>: digits of a telephone number before it, which has fifteen at
 * most (ITU-T E.164), or zero for none. */
static bool find_from(slice text, size_t start, bool is_behind_plus, size_t plus_digits, struct pan_found *out)
{
    struct reach r;
    r.start = start;
    r.count = r.groups = 0;
    r.odd = r.even = 0;
    r.has_dash = false;
    bool found = false, usual = false;
    for (size_t at = start, end; !usual && take_group(text, &r, at, &end); at = end + 1) {
        bool in_phone = is_behind_plus && (plus_digits == 0 || plus_digits + r.count <= 15);
        if (!in_phone && is_number(text, &r, end)) {
            found = true;
            out->start = start;
            out->end = end;
            out->len = (uint8_t)r.count;
            memcpy(out->digits, r.digits, r.count);
            usual = r.count == brand_usual_length(brand_of_digits((slice){r.digits, r.count}));
        }
        if (!is_separator(at_or_nul(text, end))) break;
        r.has_dash |= text.at[end] == '-';
    }
    if (r.count >= PAN_MIN_DIGITS) secret_wipe(&r, sizeof r);
    return found;
}

/* A parcel number of the United States' post: 20 or 22 digits that begin with 9, printed in fours. Past its end, or <start>. */
static size_t skip_parcel(slice text, size_t start)
{
    size_t digits = 0, at = start;
    for (size_t end; digits < RUN_DIGITS_LOOKED_AT; at = end + 1) {
        end = at;
        while (is_digit(at_or_nul(text, end)) && end - at < 5) end++;
        bool is_last = at_or_nul(text, end) != ' ' || !is_digit(at_or_nul(text, end + 1));
        digits += end - at;
        if (end - at > 4 || (!is_last && end - at != 4)) return start;
        if (is_last) return text.at[start] == '9' && (digits == 20 || digits == 22) ? end : start;
    }
    return start;
}

bool pan_scan(slice text, size_t from, struct pan_found *out)
{
    size_t run_end = SIZE_MAX, run_digits = 0; /* of the run so far; where the last group ended */
    bool is_behind_plus = false;
    for (size_t at = skip_to_digit(text, from < text.len ? from : text.len), end; at < text.len; at = skip_to_digit(text, end)) {
        end = skip_digits(text, at);
        if (!begins_group(text, at) || begins_fraction(text, at) || is_word(at_or_nul(text, end))) continue;
        bool goes_on = run_end != SIZE_MAX && at == run_end + 1 && is_separator(text.at[run_end]);
        if (!goes_on) {
            run_digits = 0;
            is_behind_plus = at > 0 && text.at[at - 1] == '+';
            size_t past = skip_parcel(text, at);
            if (past > at) {
                end = past;
                continue;
            }
        }
        if (find_from(text, at, is_behind_plus, run_digits, out)) return true;
        run_digits += end - at;
        run_end = end;
    }
    return false;
}
