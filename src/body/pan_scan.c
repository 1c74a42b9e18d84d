/* SPDX-License-Identifier: Apache-2.0 */
#include "body/pan_scan.h"

#include "base/ascii.h"
#include "base/secret.h"
#include "body/brand.h"
#include "pan_edges.h"

#include <string.h>

/*   … ref. 12-34 4111 1111 1111 1111 12/25       groups: digits that touch no letter but what pan_edges.h allows. A run: groups with a
 *          └───── run ──────────────────┘         gap between them. Numbers are looked for from each group of a run on, to the end of
 *                                                 another. */

enum { GROUPS_MAX = PAN_MAX_DIGITS, RUN_DIGITS_LOOKED_AT = 23 };

/* Digits from one group on, as far as a number could reach. */
struct reach {
    size_t start;
    size_t count;                  /* digits */
    char digits[PAN_MAX_DIGITS];
    unsigned odd_sum, even_sum;    /* the check sum with every second digit doubled, from the second or from the first one on */
    size_t groups;
    uint8_t sizes[GROUPS_MAX];
    bool is_named;                 /* a scheme's code stands in front */
    bool has_dash;                 /* between groups */
    slice odd;                     /* the odd gap between them; length 0: none */
};

/* Part of a word of ASCII. */
static bool is_word(char c)
{
    return slice_is_word_char(c) && c != '-' && !ascii_is_digit(c);
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
    while (at < text.len && !ascii_is_digit(text.at[at])) at++;
    return at;
}

static size_t skip_digits(slice text, size_t at)
{
    while (at < text.len && ascii_is_digit(text.at[at])) at++;
    return at;
}

/* --- what stands around it --- */

/* Is there a blank or a dash behind <end>, or before <start>, and a digit beyond it? */
static bool goes_on_behind(slice text, size_t end)
{
    enum gap kind;
    size_t bytes = gap_at(text, end, &kind);
    return bytes && kind != GAP_ODD && ascii_is_digit(at_or_nul(text, end + bytes));
}

static bool goes_on_before(slice text, size_t start)
{
    enum gap kind;
    size_t bytes = gap_before(text, start, &kind);
    return bytes && kind != GAP_ODD && start > bytes && ascii_is_digit(text.at[start - bytes - 1]);
}

static bool begins_fraction(slice text, size_t at)
{
    return at >= 2 && text.at[at - 1] == '.' && ascii_is_digit(text.at[at - 2]);
}

/* "4111111111111111.25" is a decimal number; ".0" behind it is what a spreadsheet makes of a card number, and no decimal number goes
 * on with a slash or another point: "4111111111111111.12/25". */
static bool has_fraction(slice text, size_t end)
{
    if (at_or_nul(text, end) != '.' || !ascii_is_digit(at_or_nul(text, end + 1))) return false;
    size_t at = end + 1, past = skip_digits(text, at);
    char c = at_or_nul(text, past);
    if ((c == '/' || c == '.') && ascii_is_digit(at_or_nul(text, past + 1))) return false;
    while (at_or_nul(text, at) == '0') at++;
    return ascii_is_digit(at_or_nul(text, at)) || is_word(at_or_nul(text, at));
}

static bool is_in_uuid(slice text, size_t start, size_t end)
{
    enum { UUID_BYTES = 36 };
    for (size_t at = start > UUID_BYTES ? start - UUID_BYTES : 0; at < end && at < text.len; at++)
        if (slice_starts_with_uuid(slice_after(text, at))) return true;
    return false;
}

/* Goes on with ISO 7064 MOD 97-10 over one character, a letter as two digits (ISO 13616-1). */
static unsigned mod97(unsigned so_far, char c)
{
    return ascii_is_digit(c) ? (so_far * 10 + (unsigned)(c - '0')) % 97 : (so_far * 100 + (unsigned)(c - 'A') + 10) % 97;
}

/* Does a valid IBAN, printed in groups of four, begin at <at> and reach beyond <start>? */
static bool is_iban_at(slice text, size_t at, size_t start)
{
    enum { IBAN_MIN = 15, IBAN_MAX = 34 };
    const char *head = text.at + at;
    unsigned sum = 0, count = 4;
    if (text.len - at < 5 || !ascii_is_upper(head[0]) || !ascii_is_upper(head[1]) || !ascii_is_digit(head[2]) || !ascii_is_digit(head[3])) return false;
    if (at > 0 && (is_word(text.at[at - 1]) || ascii_is_digit(text.at[at - 1]))) return false;
    enum gap kind;
    for (size_t i = at + 4, bytes; (bytes = gap_at(text, i, &kind)) && count < IBAN_MAX;) {
        size_t in_group = 0;
        for (i += bytes; in_group < 4 && i < text.len && (ascii_is_digit(text.at[i]) || ascii_is_upper(text.at[i])); i++, in_group++)
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
    enum { IBAN_GROUPS_BEFORE = 8 };
    enum gap kind;
    for (size_t i = 0, at = start, bytes; i < IBAN_GROUPS_BEFORE && (bytes = gap_before(text, at, &kind)) && at >= bytes + 4; i++) {
        at -= bytes + 4;
        if (is_iban_at(text, at, start)) return true;
    }
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
    static const uint8_t most[] = {4, 4, 4, 4}, longest[] = {4, 4, 4, 4, 3}, amex[] = {4, 6, 5}, diners[] = {4, 6, 4}, uatp[] = {4, 5, 6};
    return is_grouped(r, most, sizeof most) || is_grouped(r, longest, sizeof longest) || is_grouped(r, amex, sizeof amex) ||
           is_grouped(r, diners, sizeof diners) || is_grouped(r, uatp, sizeof uatp);
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
    enum gap before, after;
    if (!r->has_dash || is_printed_form(r)) return false;
    size_t front = gap_before(text, r->start, &before), back = gap_at(text, end, &after);
    char c = at_or_nul(text, end + back);
    bool is_cut_before = before == GAP_DASH && r->start > front && (ascii_is_digit(text.at[r->start - front - 1]) || is_word(text.at[r->start - front - 1]));
    return is_cut_before || (after == GAP_DASH && (ascii_is_digit(c) || is_word(c)));
}

/* Rows of small numbers are common, so digits one by one or in twos and threes are a number only where nothing goes on beside them. */
static bool is_part_of_row(slice text, const struct reach *r, size_t end)
{
    return r->groups > 1 && r->sizes[0] < 4 && (goes_on_before(text, r->start) || goes_on_behind(text, end));
}

/* Of an even number of digits no half byte is left that an 'F' could fill. */
static bool is_filled_for_nothing(slice text, const struct reach *r, size_t end)
{
    return r->count % 2 == 0 && (at_or_nul(text, end) | 0x20) == 'f';
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
    r->even_sum += is_even ? doubled(digit) : digit;
    r->odd_sum += is_even ? digit : doubled(digit);
    r->digits[r->count++] = c;
}

/* The last digit is never doubled: of an even count the first one is. Naranja has its own rule. */
static bool has_check_digit(const struct reach *r)
{
    bool is_luhn = (r->count % 2 == 0 ? r->even_sum : r->odd_sum) % 10 == 0;
    return is_luhn || (r->count == 16 && memcmp(r->digits, "589562", 6) == 0 && check_digit_is_valid((slice){r->digits, r->count}));
}

/* Takes the group at <at>; false where there is none that could belong to a number. */
static bool take_group(slice text, struct reach *r, size_t at, size_t *end)
{
    size_t first = r->count;
    if (r->groups == GROUPS_MAX) return false;
    for (*end = at; *end < text.len && ascii_is_digit(text.at[*end]); ++*end) {
        if (r->count == PAN_MAX_DIGITS) return false;
        take_digit(r, text.at[*end]);
    }
    if (*end == at || !edge_ends(text, *end, r->is_named)) return false;
    r->sizes[r->groups++] = (uint8_t)(r->count - first);
    return true;
}

static bool is_number(slice text, const struct reach *r, size_t end)
{
    slice digits = {r->digits, r->count};
    if (r->count < PAN_MIN_DIGITS || !has_check_digit(r) || !brand_is_evident(digits, r->is_named)) return false;
    bool is_form = r->odd.len ? is_printed_form(r) : is_likely_form(r) && !has_fraction(text, end);
    return is_form && !cuts_dashes(text, r, end) && !is_part_of_row(text, r, end) && !is_filled_for_nothing(text, r, end) &&
           !is_rather_no_visa(r) && !is_in_uuid(text, r->start, end) && !is_in_iban(text, r->start);
}

/* Past the gap behind a group; 0: nothing of the number comes behind it. An odd gap is the only one in its number. */
static size_t skip_gap(slice text, struct reach *r, size_t end)
{
    enum gap kind;
    size_t bytes = gap_at(text, end, &kind);
    slice gap = {text.at + end, bytes};
    if (!bytes) return 0;
    if (kind == GAP_ODD && r->groups == 1 && r->sizes[0] == 4) r->odd = gap;
    if (kind == GAP_ODD || r->odd.len) return slice_eq(r->odd, gap) ? end + bytes : 0;
    r->has_dash |= kind == GAP_DASH;
    return end + bytes;
}

/* The number that starts with the group at <start>. <behind_plus>: digits of a telephone number before it, which has fifteen at
 * most (ITU-T E.164), or zero for none. */
static bool find_from(slice text, size_t start, bool is_named, bool is_behind_plus, size_t plus_digits, struct pan_found *out)
{
    enum { PHONE_MAX_DIGITS = 15 };
    struct reach r;
    r.start = start;
    r.count = r.groups = 0;
    r.odd_sum = r.even_sum = 0;
    r.is_named = is_named;
    r.has_dash = false;
    r.odd = SLICE_NONE;
    bool found = false, usual = false;
    for (size_t at = start, end; !usual && take_group(text, &r, at, &end);) {
        bool in_phone = is_behind_plus && plus_digits + r.count <= PHONE_MAX_DIGITS;
        if (!in_phone && is_number(text, &r, end)) {
            found = true;
            out->start = start;
            out->end = end;
            out->len = (uint8_t)r.count;
            memcpy(out->digits, r.digits, r.count);
            usual = r.count == brand_usual_length(brand_of_digits((slice){r.digits, r.count}));
        }
        at = skip_gap(text, &r, end);
        if (!at) break;
    }
    if (r.count >= PAN_MIN_DIGITS) secret_wipe(&r, sizeof r);
    return found;
}

/* A parcel number of the United States' post: 20 or 22 digits that begin with 9, printed in fours. Past its end, or <start>. */
static size_t skip_parcel(slice text, size_t start)
{
    size_t digits = 0, at = start;
    enum gap kind;
    if (text.at[start] != '9') return start;
    for (size_t end; digits < RUN_DIGITS_LOOKED_AT; at = end + gap_at(text, end, &kind)) {
        end = at;
        while (ascii_is_digit(at_or_nul(text, end)) && end - at < 5) end++;
        bool is_last = !goes_on_behind(text, end);
        digits += end - at;
        if (end - at > 4 || (!is_last && end - at != 4)) return start;
        if (is_last) return digits == 20 || digits == 22 ? end : start;
    }
    return start;
}

static bool is_gap(slice text, size_t from, size_t to)
{
    enum gap kind;
    size_t bytes = gap_at(text, from, &kind);
    return bytes && from + bytes == to;
}

bool pan_scan(slice text, size_t from, struct pan_found *out)
{
    size_t run_end = SIZE_MAX, run_digits = 0; /* of the run so far; where the last group ended */
    bool is_behind_plus = false, is_named;
    for (size_t at = skip_to_digit(text, from < text.len ? from : text.len), end; at < text.len; at = skip_to_digit(text, end)) {
        end = skip_digits(text, at);
        if (!edge_begins(text, at, &is_named) || begins_fraction(text, at) || !edge_ends(text, end, is_named)) continue;
        bool goes_on = run_end != SIZE_MAX && is_gap(text, run_end, at);
        if (!goes_on) {
            run_digits = 0;
            is_behind_plus = at > 0 && text.at[at - 1] == '+';
            size_t past = skip_parcel(text, at);
            if (past > at) {
                end = past;
                continue;
            }
        }
        if (find_from(text, at, is_named, is_behind_plus, run_digits, out)) return true;
        run_digits += end - at;
        run_end = end;
    }
    return false;
}

/* --- numbers of JSON --- */

/* An integer's digits, without zeros in front. */
struct integer {
    size_t count;
    long zeros; /* that came behind the last other digit */
    char digits[PAN_MAX_DIGITS];
};

static bool add_digit(struct integer *n, char c)
{
    if (c == '0') {
        n->zeros += n->count > 0;
        return true;
    }
    if (n->zeros > PAN_MAX_DIGITS || n->count + (size_t)n->zeros + 1 > PAN_MAX_DIGITS) return false;
    for (; n->zeros > 0; n->zeros--) n->digits[n->count++] = '0';
    n->digits[n->count++] = c;
    return true;
}

static bool read_exponent(slice text, long *out)
{
    enum { EXPONENT_MAX = 10000 };
    bool is_negative = text.len && text.at[0] == '-';
    size_t at = text.len && (text.at[0] == '-' || text.at[0] == '+');
    long value = 0;
    for (; at < text.len; at++) {
        value = value * 10 + (text.at[at] - '0');
        if (value > EXPONENT_MAX) return false;
    }
    *out = is_negative ? -value : value;
    return true;
}

static bool read_literal(slice text, struct integer *n)
{
    bool is_fraction = false;
    long exponent = 0, decimals = 0;
    size_t at = text.len && text.at[0] == '-';
    for (; at < text.len && (text.at[at] | 0x20) != 'e'; at++) {
        if (text.at[at] == '.') {
            is_fraction = true;
            continue;
        }
        decimals += is_fraction;
        if (!add_digit(n, text.at[at])) return false;
    }
    if (at < text.len && !read_exponent(slice_after(text, at + 1), &exponent)) return false;
    exponent += n->zeros - decimals;
    if (!n->count || exponent < 0 || (size_t)exponent + n->count > PAN_MAX_DIGITS) return false;
    memset(n->digits + n->count, '0', (size_t)exponent);
    n->count += (size_t)exponent;
    return true;
}

bool pan_scan_number(slice literal, struct pan_found *out)
{
    struct integer n;
    n.count = 0;
    n.zeros = 0;
    bool found = read_literal(literal, &n) && pan_scan((slice){n.digits, n.count}, 0, out) && out->len == n.count;
    out->start = 0;
    out->end = literal.len;
    secret_wipe(&n, sizeof n);
    return found;
}
