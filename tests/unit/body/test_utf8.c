/* SPDX-License-Identifier: Apache-2.0 */
#include "body/utf8.h"

#include "../base/suite.h"

#include <string.h>

/* The rule, told another way: decode and look whether it is the shortest form of a code point that may be encoded. */
static bool is_right(const unsigned char *at, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned c = at[i], more = c < 0x80 ? 0 : (c & 0xe0) == 0xc0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : (c & 0xf8) == 0xf0 ? 3 : 9;
        if (more == 9 || i + more >= len) return false;
        unsigned long code = more == 0 ? c : c & (0x3fu >> more);
        for (unsigned k = 1; k <= more; k++) {
            if ((at[i + k] & 0xc0) != 0x80) return false;
            code = code << 6 | (at[i + k] & 0x3f);
        }
        static const unsigned long least[] = {0, 0x80, 0x800, 0x10000};
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
        i += more + 1;
    }
    return true;
}

/* Every boundary of RFC 3629 section 4 in every place: lead bytes, and continuation bytes around the limits. */
START_TEST(boundaries)
{
    static const unsigned char tails[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    enum { TAILS = sizeof tails };
    unsigned right = 0;
    for (unsigned lead = 0; lead < 256; lead++) {
        for (unsigned n = 0; n < TAILS * TAILS * TAILS; n++) {
            const unsigned char text[] = {(unsigned char)lead, tails[n % TAILS], tails[n / TAILS % TAILS], tails[n / TAILS / TAILS]};
            for (size_t len = 1; len <= sizeof text; len++) {
                bool expected = is_right(text, len);
                right += expected;
                ck_assert(utf8_is_valid((slice){(const char *)text, len}) == expected);
            }
        }
    }
    ck_assert_uint_gt(right, 10000);
}
END_TEST

START_TEST(named_mistakes)
{
    static const struct {
        const char *text, *what;
        size_t at;
    } cases[] = {
        {"\xc0\x80", "overlong NUL", 0},          {"\xe0\x80\xaf", "overlong slash", 1},   {"\xf0\x80\x80\xaf", "overlong slash", 1},
        {"\xed\xa0\x80", "surrogate D800", 1},    {"\xed\xbf\xbf", "surrogate DFFF", 1},   {"\xf4\x90\x80\x80", "above 10FFFF", 1},
        {"\xf5\x80\x80\x80", "above 10FFFF", 0},  {"a\x80", "stray continuation", 1},      {"a\xc3(", "cut", 2},
        {"\xfe", "never in UTF-8", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct utf8_check u = {0};
        ck_assert_msg(utf8_check_feed(&u, slice_of(cases[i].text)) == cases[i].at, "%s", cases[i].what);
    }
    ck_assert(utf8_is_valid(SLICE("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xf0\x90\x80\x80")));
    ck_assert(!utf8_is_valid(SLICE("\xf0\x9f\x98")));
}
END_TEST

/* The fast run over ASCII must not step over a byte, wherever it stands. */
START_TEST(every_place_and_split)
{
    char text[150];
    for (size_t bad = 0; bad < sizeof text; bad++) {
        memset(text, 'a', sizeof text);
        text[bad] = (char)0xff;
        ck_assert_uint_eq(utf8_check_feed(&(struct utf8_check){0}, (slice){text, sizeof text}), bad);
        if (bad + 1 == sizeof text) continue;
        memcpy(text + bad, "\xc3\xa9", 2);
        for (size_t cut = 0; cut <= sizeof text; cut++) {
            struct utf8_check u = {0};
            ck_assert_uint_eq(utf8_check_feed(&u, (slice){text, cut}), cut);
            ck_assert_int_eq(utf8_check_is_whole(&u), cut != bad + 1);
            ck_assert_uint_eq(utf8_check_feed(&u, (slice){text + cut, sizeof text - cut}), sizeof text - cut);
            ck_assert(utf8_check_is_whole(&u));
        }
    }
}
END_TEST

RUN_TESTS("utf8", boundaries, named_mistakes, every_place_and_split)
