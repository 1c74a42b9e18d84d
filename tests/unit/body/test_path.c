/* SPDX-License-Identifier: Apache-2.0 */
#include "body/path_match.h"

#include "../../../src/body/fingerprint.h"
#include "../base/suite.h"

#include <stdio.h>
#include <string.h>

struct syntax_case {
    const char *text;
    int error_at; /* -1: right */
};
static const struct syntax_case syntax[] = {
    {"$", -1},          {"$.a", -1},        {"$.a.b_2", -1},      {"$['a b']", -1},   {"$[\"a'b\"]", -1}, {"$['a\\'b']", -1},
    {"$[0]", -1},       {"$[*].a", -1},     {"$.*", -1},          {"$..a", -1},       {"$..['a b'].c", -1}, {"$..*", -1},
    {"$..[3]", -1},     {"$.\xc3\xa9", -1}, {"$['']", -1},
    {"", 0},            {"a", 0},           {".a", 0},            {"$a", 1},          {"$.", 2},          {"$.a.", 4},
    {"$.1a", 2},        {"$.a-b", 3},       {"$[", 2},            {"$[]", 2},         {"$['a'", 5},       {"$['a", 4},
    {"$[01]", 2},       {"$[-1]", 2},       {"$[1:2]", 3},        {"$['a','b']", 5},  {"$[?@.a]", 2},     {"$[4294967296]", 2},
    {"$...a", 3},       {"$ .a", 1},        {"$.a ", 3},          {"$['\\n']", 4},    {"$[*", 3},         {"$['\x01']", 3},
};

static void check_syntax(enum path_language language, const struct syntax_case *c)
{
    struct path_set *s = path_set_new(language);
    uint32_t number;
    size_t at = 99;
    result r = path_set_add(s, slice_of(c->text), &number, &at);
    if (c->error_at < 0) {
        ck_assert_msg(!failed(r), "%s: %zu", c->text, at);
        ck_assert_uint_eq(path_set_count(s), 1);
        ck_assert(slice_is(path_set_text(s, number), c->text));
    } else {
        ck_assert_msg(r.err == ERR_PATH_SYNTAX, "%s", c->text);
        ck_assert_msg((int)at == c->error_at, "%s: %zu", c->text, at);
        ck_assert_uint_eq(path_set_count(s), 0);
    }
    path_set_free(s);
}

START_TEST(json_syntax)
{
    for (size_t i = 0; i < sizeof syntax / sizeof *syntax; i++) check_syntax(PATH_JSON, &syntax[i]);
}
END_TEST

START_TEST(xml_syntax)
{
    static const struct syntax_case cases[] = {
        {"/a", -1},     {"/a/b", -1},         {"//a", -1},           {"//a/@c", -1},      {"//a//b/@c", -1}, {"//*/x", -1},
        {"/*", -1},     {"//@c", -1},         {"/@c", -1},           {"/a/text()", -1},   {"//*/text()", -1}, {"/ota:a/@ota:c", -1},
        {"/a-b.c_1", -1}, {"/\xc3\xa9", -1},  {"//*[local-name()='PaymentCard']/@CardNumber", -1},
        {"//*[ local-name() = \"a\" ]/text()", -1},
        {"", 0},        {"a", 0},             {"$.a", 0},            {"/", 1},            {"//", 2},         {"///a", 2},
        {"/a/", 3},     {"/a//", 4},          {"/1", 1},             {"/a b", 2},         {"/a/@", 4},       {"/a/@*", 4},
        {"/a/@b/c", 5}, {"/a/@b/text()", 5},  {"/text()", 5},        {"//text()", 6},     {"/a//text()", 8}, {"/a/text()/b", 7},
        {"/a[1]", 2},   {"/*[1]", 3},         {"/*[local-name()=a]", 16}, {"/*[local-name()='a\"]", 18},
        {"/*[local-name()='a'", 19}, {"/*[local-name()='']", 17}, {"/*[name()='a']", 3}, {"/a:", 3}, {"/a:b:c", 4}, {"/.", 1},
        {"/a/../b", 3}, {"/a|/b", 2},         {"/a\n", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_syntax(PATH_XML, &cases[i]);
}
END_TEST

START_TEST(form_syntax)
{
    struct path_set *s = path_set_new(PATH_FORM);
    uint32_t number;
    size_t at;
    ck_assert(!failed(path_set_add(s, SLICE("$PAN"), &number, &at)));
    ck_assert(!failed(path_set_add(s, SLICE("a b[0].c"), &number, &at)));
    ck_assert_uint_eq(number, 1);
    ck_assert(path_set_ends_in_name(s, 1));
    ck_assert_int_eq(path_set_add(s, SLICE(""), &number, &at).err, ERR_PATH_SYNTAX);
    ck_assert_int_eq(path_set_add(s, SLICE("a\nb"), &number, &at).err, ERR_PATH_SYNTAX);
    ck_assert_uint_eq(at, 1);
    path_set_free(s);
}
END_TEST

START_TEST(at_most_256)
{
    struct path_set *s = path_set_new(PATH_JSON);
    uint32_t number;
    size_t at;
    for (unsigned i = 0; i < 256; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "$.a.b%u.c", i);
        ck_assert(!failed(path_set_add(s, (slice){text, (size_t)len}, &number, &at)));
        ck_assert_uint_eq(number, i);
    }
    ck_assert_int_eq(path_set_add(s, SLICE("$.x"), &number, &at).err, ERR_TOO_LARGE);
    path_set_free(s);
    s = path_set_new(PATH_JSON);
    char deep[200] = "$";
    for (unsigned i = 0; i < 65; i++) strncat(deep, ".a", 3);
    ck_assert_int_eq(path_set_add(s, slice_of(deep), &number, &at).err, ERR_PATH_SYNTAX);
    ck_assert(!failed(path_set_add(s, (slice){deep, 1 + 64 * 2}, &number, &at)));
    path_set_free(s);
}
END_TEST

/* Goes down along "name/3/name": digits are array indexes. */
static void walk(const struct path_set *s, const char *place, uint64_t *here)
{
    uint64_t next[PATH_WORDS_MAX];
    slice rest = slice_of(place), step;
    path_match_root(s, here);
    if (!rest.len) return;
    while (slice_next(&rest, '/', &step)) {
        uint64_t index;
        bool alive = slice_to_u64(step, 1000, &index) ? path_match_index(s, here, index, next)
                                                      : path_match_name(s, here, step, fingerprint_of(step), next);
        uint64_t any = 0;
        for (size_t i = 0; i < path_set_words(s); i++) any |= next[i];
        ck_assert_int_eq(alive, any != 0);
        memcpy(here, next, sizeof next);
    }
}

START_TEST(matching)
{
    static const char *const paths[] = {"$", "$.a", "$.a.b", "$['a']['b']", "$[*].b", "$..b", "$.a[0]", "$.a[*]", "$..c[1].b",
                                        "$..*", "$.a..b.c", "$['x y']"};
    static const struct {
        const char *place, *matches; /* numbers, in order, as letters from 'A' */
    } cases[] = {
        {"", "A"},       {"a", "BJ"},       {"a/b", "CDEFHJ"}, {"b", "FJ"},      {"x/b", "EFJ"},    {"a/0", "GHJ"},
        {"a/1", "HJ"},   {"a/0/b", "FJ"},   {"z/c/1/b", "FIJ"}, {"z/c/2/b", "FJ"}, {"c/1/b", "FIJ"}, {"a/b/c", "JK"},
        {"a/q/w/b/c", "JK"}, {"q/b/c", "J"}, {"x y", "JL"},   {"a/a", "HJ"},     {"3/b", "EFJ"},    {"B", "J"},
    };
    for (int far = 0; far < 2; far++) { /* in the second round the paths' nodes are past the first words of the sets */
        struct path_set *s = path_set_new(PATH_JSON);
        uint32_t number, first = far ? 200 : 0;
        size_t at;
        for (uint32_t i = 0; i < first; i++) {
            char text[32];
            int len = snprintf(text, sizeof text, "$.filler%u", i);
            ck_assert(!failed(path_set_add(s, (slice){text, (size_t)len}, &number, &at)));
        }
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
            ck_assert(!failed(path_set_add(s, slice_of(paths[i]), &number, &at)));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            uint64_t here[PATH_WORDS_MAX];
            char got[16] = "";
            walk(s, cases[i].place, here);
            for (uint32_t n = first; n < path_set_count(s); n++)
                if (path_bit(here, path_set_end(s, n))) strncat(got, &"ABCDEFGHIJKLMN"[n - first], 1);
            ck_assert_msg(strcmp(got, cases[i].matches) == 0, "%s: %s, not %s", cases[i].place, got, cases[i].matches);
        }
        path_set_free(s);
    }
}
END_TEST

/* Which of <paths> name <place>, as letters from 'A'. */
static void check_place(const struct path_set *s, const char *place, const char *matches)
{
    uint64_t here[PATH_WORDS_MAX];
    char got[32] = "";
    walk(s, place, here);
    for (uint32_t n = 0; n < path_set_count(s); n++)
        if (path_bit(here, path_set_end(s, n))) strncat(got, &"ABCDEFGHIJKLMN"[n], 1);
    ck_assert_msg(strcmp(got, matches) == 0, "%s: %s, not %s", place, got, matches);
}

START_TEST(xml_matching)
{
    static const char *const paths[] = {"/a", "/a/b/text()", "//b", "//b/@c", "/a/*", "//*/x", "//*[local-name()='b']/p:x", "//@c", "/a/@c"};
    static const char *const cases[][2] = {
        {"", ""},        {"a", "A"},        {"b", "C"},          {"a/b", "BCE"},   {"a/x", "EF"},   {"x", ""},
        {"a/b/x", "FG"}, {"a/b/@c", "DH"},  {"q/b/@c", "DH"},    {"a/@c", "HI"},   {"a/@d", ""},    {"a/b/c", ""},
        {"a/@x", ""},    {"q/w/@c", "H"},
    };
    struct path_set *s = path_set_new(PATH_XML);
    uint32_t number;
    size_t at;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) ck_assert(!failed(path_set_add(s, slice_of(paths[i]), &number, &at)));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_place(s, cases[i][0], cases[i][1]);
    ck_assert(path_set_ends_in_name(s, 3));
    path_set_free(s);
}
END_TEST

RUN_TESTS("path", json_syntax, form_syntax, at_most_256, matching, xml_syntax, xml_matching)
