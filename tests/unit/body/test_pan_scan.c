/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "body/brand.h"
#include "body/pan_scan.h"

#include <stdio.h>
#include <string.h>

/* --- the corpora: tests/corpus/pans --- */

enum { FILE_MAX_BYTES = 1 << 20 };

static slice load(const char *name)
{
    static char text[FILE_MAX_BYTES];
    char path[512];
    snprintf(path, sizeof path, "%s/%s", PANS_FOLDER, name);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    size_t len = fread(text, 1, sizeof text, f);
    ck_assert_uint_lt(len, sizeof text);
    fclose(f);
    return (slice){text, len};
}

static bool next_line(slice *rest, slice *line)
{
    while (slice_next(rest, '\n', line))
        if (line->len && !slice_starts(*line, SLICE("# "))) return true;
    return false;
}

/* What a scan of the line finds, as "NUMBER NUMBER". */
static size_t found_in(slice line, char *out, size_t room)
{
    struct pan_found p;
    size_t len = 0;
    for (size_t from = 0; pan_scan(line, from, &p); from = p.end) {
        ck_assert(p.start >= from && p.end <= line.len && p.start < p.end && p.len <= PAN_MAX_DIGITS);
        len += (size_t)snprintf(out + len, room - len, "%s%.*s", len ? " " : "", (int)p.len, p.digits);
    }
    out[len] = 0;
    return len;
}

START_TEST(every_card_is_found)
{
    slice rest = load("cards.txt"), line;
    unsigned lines = 0, right = 0;
    while (next_line(&rest, &line)) {
        char found[256];
        size_t arrow = slice_find_slice(line, SLICE(" => "));
        ck_assert_msg(arrow < line.len, "%.*s", SLICE_ARG(line));
        size_t len = found_in(slice_range(line, 0, arrow), found, sizeof found);
        lines++;
        if (slice_eq((slice){found, len}, slice_after(line, arrow + 4)))
            right++;
        else
            printf("%.*s, but found '%s'\n", SLICE_ARG(line), found);
    }
    printf("pan_scan: recall %u of %u texts with cards\n", right, lines);
    ck_assert_uint_gt(lines, 550);
    ck_assert_uint_eq(right, lines);
}
END_TEST

START_TEST(no_near_miss_is_taken_for_one)
{
    slice rest = load("near_misses.txt"), line;
    unsigned lines = 0, wrong = 0;
    while (next_line(&rest, &line)) {
        char found[256];
        lines++;
        if (found_in(line, found, sizeof found) == 0) continue;
        wrong++;
        printf("'%.*s' has no card, but found '%s'\n", SLICE_ARG(line), found);
    }
    printf("pan_scan: precision: %u of %u near misses taken for cards\n", wrong, lines);
    ck_assert_uint_gt(lines, 750);
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* --- places --- */

START_TEST(places)
{
    static const struct {
        const char *text;
        size_t from, start, end;
    } cases[] = {
        {"4111111111111111", 0, 0, 16},
        {"a 4111 1111 1111 1111 b", 0, 2, 21},
        {"4111 1111 1111 1111 12 25", 0, 0, 19},
        {"4111111111111111 5555555555554444", 1, 17, 33}, /* a group that was begun before <from> is not cut */
        {"4111111111111111 5555555555554444", 16, 17, 33},
        {"%B4111111111111111^", 0, 2, 18},
        {"CCVI4111111111111111EXP1225", 0, 4, 20}, /* nothing of what touches it */
        {"card_4111111111111111_1225", 0, 5, 21},
        {"4111.1111.1111.1111.", 0, 0, 19},
        {"4111\u00a01111\u00a01111\u00a01111\u00a0123", 0, 0, 22},
        {"4111&nbsp;1111&nbsp;1111&nbsp;1111&nbsp;", 0, 0, 34},
        {"+4111  1111  1111  1111", 0, 1, 23},
        {"4111111111111111D2512101F", 0, 0, 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pan_found p;
        ck_assert_msg(pan_scan(slice_of(cases[i].text), cases[i].from, &p), "%s", cases[i].text);
        ck_assert_uint_eq(p.start, cases[i].start);
        ck_assert_uint_eq(p.end, cases[i].end);
    }
    struct pan_found p;
    ck_assert(!pan_scan(SLICE("4111111111111111"), 16, &p));
    ck_assert(!pan_scan(SLICE("4111111111111111"), 99, &p));
    ck_assert(!pan_scan(SLICE_NONE, 0, &p));
}
END_TEST

/* A number of JSON, by its value. */
START_TEST(literals)
{
    static const struct {
        const char *text, *digits; /* NULL: none */
    } cases[] = {
        {"4111111111111111", "4111111111111111"},
        {"-4111111111111111", "4111111111111111"},
        {"4111111111111111.0", "4111111111111111"},
        {"4111111111111111.000e0", "4111111111111111"},
        {"4111111111111111E-0", "4111111111111111"},
        {"4.111111111111111e15", "4111111111111111"},
        {"-4.111111111111111E+15", "4111111111111111"},
        {"0.0004111111111111111e19", "4111111111111111"},
        {"41111111111111110000e-4", "4111111111111111"},
        {"4111111111111111e00000000000000000000000", "4111111111111111"},
        {"6.2e15", NULL},
        {"620000000000000500000000e-8", "6200000000000005"},
        {"6304e12", "6304000000000000"},
        {"4e18", NULL},
        {"4000000000000000006", "4000000000000000006"},
        {"4111111111111111.25", NULL},
        {"4111111111111112", NULL},
        {"411111111111111.1", NULL},
        {"4111111111111111e1", NULL},
        {"4111111111111111e-1", NULL},
        {"4111111111111111e99999999999999999999999", NULL},
        {"4111111111111111e-99999999999999999999999", NULL},
        {"41111111111111114111111111111111", NULL},
        {"0", NULL},
        {"-0.0e5", NULL},
        {"0.0000000000000000000000000000", NULL},
        {"1e400", NULL},
        {"-", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pan_found p;
        bool found = pan_scan_number(slice_of(cases[i].text), &p);
        ck_assert_msg(found == (cases[i].digits != NULL), "%s", cases[i].text);
        if (!found) continue;
        ck_assert_msg(slice_is((slice){p.digits, p.len}, cases[i].digits), "%s", cases[i].text);
        ck_assert_uint_eq(p.start, 0);
        ck_assert_uint_eq(p.end, strlen(cases[i].text));
    }
}
END_TEST

/* Texts that end where a scan may not look: each is copied to memory of its own size. */
START_TEST(nothing_behind_the_end_is_read)
{
    static const char *const texts[] = {"4111111111111111.", "4111111111111111.0", "4111111111111111-", "4111 1111 1111 1111 ", "9400 1000 0000 0000 0000 00",
                                        "DE89 3704 0044 0532 0130 00", "AB12 4111 1111 1111 1111", "%B4111111111111111", "+", "CARD_NUMBER_4111111111111111_12-2025CVC",
                                        "4111111111111111D25121010000012345678F", "4111\u20111111\u20111111\u20111111\u2011", "4111&nbsp;1111&nbsp;",
                                        "B4111111111111111^", "4111111111111111.12/25", "378282246310005F", "4111 - 1111 - 1111 - 1111 - ",
                                        "4111111111111111XP12_25X", "4.111111111111111e+15"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t len = 0; len <= strlen(texts[i]); len++) {
            char *copy = malloc(len + !len);
            struct pan_found p;
            memcpy(copy, texts[i], len);
            for (size_t from = 0; pan_scan((slice){copy, len}, from, &p); from = p.end) ck_assert_uint_le(p.end, len);
            free(copy);
        }
    }
}
END_TEST

/* Whatever surrounds it, what is found is what stands there: a number of a brand, its digits in order. */
START_TEST(what_is_found_is_there)
{
    static const char alphabet[] = "0123456789012345678901234567890123456789444555 -  --.+xB%=/_DdVICA";
    unsigned seed = 4, found = 0;
    for (unsigned round = 0; round < 60000; round++) {
        char text[48];
        struct pan_found p;
        for (size_t i = 0; i < sizeof text; i++) text[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        for (size_t from = 0; pan_scan((slice){text, sizeof text}, from, &p); from = p.end) {
            char digits[48];
            size_t count = 0;
            for (size_t i = p.start; i < p.end; i++)
                if (text[i] >= '0' && text[i] <= '9') digits[count++] = text[i];
            ck_assert_uint_eq(count, p.len);
            ck_assert_mem_eq(digits, p.digits, count);
            ck_assert(card_number_is_valid((slice){digits, count}) && brand_is_evident((slice){digits, count}, true));
            ck_assert(p.start == 0 || text[p.start - 1] < '0' || text[p.start - 1] > '9');
            ck_assert(p.end == sizeof text || text[p.end] < '0' || text[p.end] > '9');
            found++;
        }
    }
    ck_assert_uint_gt(found, 30);
}
END_TEST

/* Much of the worst there is; with anything worse than linear this does not end in the time a test has. */
START_TEST(large_texts)
{
    static const char *const pieces[] = {"4", "4 ", "41 1", "4111 1111 1111 1111 ", "4-1-", "9400 1000 ", "AB12 4111 ", "4111111111111112-", "a1", "VI4", "card_4111", "4111.", "4.", "4\u00a0", "4&nbsp;", "411 - ", "4111D2512",
                                        "4111_1225_", "4/", "AB12\u00a04111\u00a0", "+4 "};
    enum { BYTES = 1 << 18 };
    char *text = malloc(BYTES);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct pan_found p;
        size_t len = strlen(pieces[i]);
        for (size_t at = 0; at + len <= BYTES; at += len) memcpy(text + at, pieces[i], len);
        for (size_t from = 0; pan_scan((slice){text, BYTES / len * len}, from, &p);) from = p.end;
    }
    free(text);
}
END_TEST

RUN_TESTS("pan_scan", every_card_is_found, no_near_miss_is_taken_for_one, places, literals, nothing_behind_the_end_is_read, what_is_found_is_there,
          large_texts)
