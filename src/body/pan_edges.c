/* SPDX-License-Identifier: Apache-2.0 */
#include "pan_edges.h"

#include "base/ascii.h"

#include <string.h>

static bool has(slice text, size_t at, slice what)
{
    return at < text.len && slice_starts(slice_after(text, at), what);
}

/* --- gaps --- */

/* UTF-8: U+2000 to U+200B, U+202F, U+205F, U+2060 are blanks, U+2010 to U+2015 and U+2212 dashes. */
static size_t general_punctuation(slice text, size_t at, enum gap *kind)
{
    unsigned char second = (unsigned char)at_or_nul(text, at + 1), third = (unsigned char)at_or_nul(text, at + 2);
    bool is_blank = second == 0x80 ? (third >= 0x80 && third <= 0x8b) || third == 0xaf
                                   : second == 0x81 && (third == 0x9f || third == 0xa0);
    bool is_dash = second == 0x80 ? third >= 0x90 && third <= 0x95 : second == 0x88 && third == 0x92;
    *kind = is_blank ? GAP_BLANK : is_dash ? GAP_DASH : GAP_NONE;
    return *kind ? 3 : 0;
}

static size_t gap_of(enum gap *kind, enum gap what, size_t bytes)
{
    *kind = what;
    return bytes;
}

static size_t blanks(slice text, size_t at, enum gap *kind)
{
    if (ascii_is_digit(at_or_nul(text, at + 1))) return gap_of(kind, GAP_BLANK, 1);
    if (has(text, at, SLICE(" - "))) return gap_of(kind, GAP_ODD, 3);
    return has(text, at, SLICE("  ")) ? gap_of(kind, GAP_ODD, 2) : gap_of(kind, GAP_BLANK, 1);
}

size_t gap_at(slice text, size_t at, enum gap *kind)
{
    *kind = GAP_NONE;
    switch ((unsigned char)at_or_nul(text, at)) {
    case ' ':
        return blanks(text, at, kind);
    case '-':
    case 0x96: /* windows-1252; no text in UTF-8 has that behind a digit, nor the next ones */
    case 0x97:
        return gap_of(kind, GAP_DASH, 1);
    case 0xa0: /* ISO-8859 */
    case 0xad:
        return gap_of(kind, GAP_BLANK, 1);
    case '.':
    case '/':
    case '+':
    case '\t':
        return gap_of(kind, GAP_ODD, 1);
    case '&':
        return has(text, at, SLICE("&nbsp;")) || has(text, at, SLICE("&#160;")) ? gap_of(kind, GAP_BLANK, 6) : 0;
    case 0xc2: /* U+00A0, U+00AD */
        return has(text, at, SLICE("\xc2\xa0")) || has(text, at, SLICE("\xc2\xad")) ? gap_of(kind, GAP_BLANK, 2) : 0;
    case 0xe2:
        return general_punctuation(text, at, kind);
    case 0xe3: /* U+3000 */
        return has(text, at, SLICE("\xe3\x80\x80")) ? gap_of(kind, GAP_BLANK, 3) : 0;
    default:
        return 0;
    }
}

size_t gap_before(slice text, size_t at, enum gap *kind)
{
    enum { LONGEST = 6 };
    for (size_t bytes = at < LONGEST ? at : LONGEST; bytes > 0; bytes--)
        if (gap_at(text, at - bytes, kind) == bytes) return bytes;
    *kind = GAP_NONE;
    return 0;
}

/* --- in front --- */

#define ANY "123456789"
/* As airlines and reservation systems write the form of payment (IATA's two letters), and as words. */
#define CODE(name, first)                                                                                              \
    {                                                                                                                  \
        {name, sizeof name - 1}, first                                                                                 \
    }
static const struct code {
    slice name;
    const char *first; /* digits that its numbers begin with */
} codes[] = {
    CODE("VI", "4"),       CODE("VISA", "4"),   CODE("CA", "25"),     CODE("MC", "25"),        CODE("MASTERCARD", "25"),
    CODE("AX", "3"),       CODE("AMEX", "3"),   CODE("DC", "35"),     CODE("DINERS", "3"),     CODE("DS", "6"),
    CODE("DISCOVER", "6"), CODE("JC", "3"),     CODE("JCB", "3"),     CODE("UP", "68"),        CODE("TP", "1"),
    CODE("CB", "45"),      CODE("CC", ANY),     CODE("CCNO", ANY),    CODE("CCNUM", ANY),      CODE("PAN", ANY),
    CODE("CARD", ANY),     CODE("CARDNO", ANY), CODE("CARDNUM", ANY), CODE("CARDNUMBER", ANY),
};
#undef CODE
enum { CODE_MAX_BYTES = 10 };

static bool is_code(slice word, char digit)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (slice_ieq(word, codes[i].name)) return strchr(codes[i].first, digit) != NULL;
    return false;
}

static slice without(slice word, slice start)
{
    return word.len > start.len && slice_ieq(slice_range(word, 0, start.len), start) ? slice_after(word, start.len)
                                                                                     : word;
}

/* The letters before <end>, but for those of a longer word than any code; empty: a digit stands before them. */
static slice word_before(slice text, size_t end)
{
    size_t at = end;
    while (at > 0 && ascii_is_letter(text.at[at - 1]) && end - at <= CODE_MAX_BYTES)
        at--;
    return slice_range(text, at > 0 && ascii_is_digit(text.at[at - 1]) ? end : at, end);
}

/* "CCVI4111", "FPCCVI4111", "card_4111", "card_number_4111"; not "ORDERCA5111" or "a1CC4111". */
static bool is_behind_code(slice text, size_t at)
{
    enum { GROUP_MIN_DIGITS = 4 }; /* digests and the like have shorter ones mostly, and take no time */
    if (at + GROUP_MIN_DIGITS > text.len || !ascii_is_digit(text.at[at + 1]) || !ascii_is_digit(text.at[at + 2]) ||
        !ascii_is_digit(text.at[at + 3]))
        return false;
    size_t end = text.at[at - 1] == '_' ? at - 1 : at;
    slice word = word_before(text, end);
    bool is_noun = slice_ieq(word, SLICE("number")) || slice_ieq(word, SLICE("num")) || slice_ieq(word, SLICE("no"));
    size_t start = end - word.len;
    if (is_noun && start > 0 && text.at[start - 1] == '_') word = word_before(text, start - 1);
    if (word.len < 2) return false;
    word = without(word, SLICE("FP"));
    return is_code(word, text.at[at]) || is_code(without(word, SLICE("CC")), text.at[at]);
}

/* "%B" is how track 1 begins (ISO/IEC 7813), and "^" ends the number in it. */
static bool is_track1(slice text, size_t at)
{
    size_t end = at;
    if (at >= 2 && text.at[at - 2] == '%') return true;
    if (at >= 2 && ascii_is_alnum(text.at[at - 2])) return false;
    while (ascii_is_digit(at_or_nul(text, end)))
        end++;
    return at_or_nul(text, end) == '^';
}

bool edge_begins(slice text, size_t at, bool *is_named)
{
    *is_named = false;
    if (at == 0) return true;
    char c = text.at[at - 1];
    if (ascii_is_digit(c)) return false;
    if (!ascii_is_letter(c) && c != '_') return true;
    if (c == 'B' && is_track1(text, at)) return true;
    bool is_escape = c == 'n' || c == 'r' || c == 't'; /* "\n" in text that was quoted once more */
    if (is_escape && at >= 2 && text.at[at - 2] == '\\') return true;
    return *is_named = is_behind_code(text, at);
}

/* --- behind --- */

static bool is_month(slice text, size_t at)
{
    char tens = at_or_nul(text, at), ones = at_or_nul(text, at + 1);
    return (tens == '0' && ones >= '1' && ones <= '9') || (tens == '1' && ones >= '0' && ones <= '2');
}

static size_t count_digits(slice text, size_t at)
{
    size_t count = 0;
    while (ascii_is_digit(at_or_nul(text, at + count)))
        count++;
    return count;
}

/* 1225, 2512, 122025, 202512, 12/25, 12-2025; nothing but a CVC's mark goes on behind it. */
static bool is_expiry(slice text, size_t at)
{
    size_t count = count_digits(text, at), end = at + count;
    bool right = count == 4 ? is_month(text, at) || is_month(text, at + 2)
                            : count == 6 && (is_month(text, at) || is_month(text, at + 4));
    if (count == 2 && is_month(text, at) && slice_find(SLICE("/-_."), at_or_nul(text, end)) < 4) {
        size_t year = count_digits(text, end + 1);
        right = year == 2 || year == 4;
        end += 1 + year;
    }
    char c = at_or_nul(text, end);
    return right && (!ascii_is_letter(c) || c == 'X' || c == 'x' || c == 'C' || c == 'c');
}

static bool is_edge(slice text, size_t at)
{
    char c = at_or_nul(text, at);
    return !ascii_is_alnum(c) && c != '_';
}

/* Track 2 (ISO/IEC 7813) as chips and terminals write it: 'D', YYMM and more digits, an 'F' that fills the last byte.
 */
static bool is_track2(slice text, size_t at)
{
    size_t end = at + count_digits(text, at);
    char c = at_or_nul(text, end);
    return end - at >= 4 && (is_month(text, at + 2) || (end - at == 4 && is_month(text, at))) &&
           is_edge(text, end + (c == 'F' || c == 'f'));
}

static bool is_mark(slice text, size_t at)
{
    size_t end = at;
    while (ascii_is_letter(at_or_nul(text, end)) && end - at < 7)
        end++;
    slice word = slice_range(text, at, end);
    bool is_word = slice_ieq(word, SLICE("exp")) || slice_ieq(word, SLICE("expiry")) || slice_ieq(word, SLICE("cvv")) ||
                   slice_ieq(word, SLICE("cvc"));
    if (is_word) return true;
    if (slice_ieq(word, SLICE("d"))) return is_track2(text, end);
    if (slice_ieq(word, SLICE("f"))) return is_edge(text, end); /* fills the last byte of an odd number of digits */
    return (slice_ieq(word, SLICE("x")) || slice_ieq(word, SLICE("xp"))) && is_expiry(text, end);
}

bool edge_ends(slice text, size_t end, bool is_named)
{
    char c = at_or_nul(text, end);
    if (c == '_') return is_named || is_expiry(text, end + 1) || is_mark(text, end + 1);
    return !ascii_is_letter(c) || is_mark(text, end);
}
