/* SPDX-License-Identifier: Apache-2.0 */
#include "body/placeholder.h"

#include "../base/suite.h"

#include <string.h>

static const struct {
    const char *in;
    enum error err;
    enum token_kind kind;
    int element; /* -1: no extract stage */
    enum date_format date;
    bool parse;
} texts[] = {
    {"TOKEN1:detokenize", ERR_NONE, TOKEN_PERMANENT, -1, DATE_DEFAULT, false},
    {" \t\r\nTOKEN1 : transaction ", ERR_NONE, TOKEN_TEMPORAL, -1, DATE_DEFAULT, false},
    {"4242428XsEs24242:detokenize|extract:card", ERR_NONE, TOKEN_PERMANENT, ELEMENT_NUMBER, DATE_DEFAULT, false},
    {"7d0c1111-2222-3333-4444-555555555555: detokenize | extract : name", ERR_NONE, TOKEN_PERMANENT, ELEMENT_HOLDER, 0, 0},
    {"TOKEN1:detokenize|extract:expiration|date: MM/YYYY ", ERR_NONE, 0, ELEMENT_EXPIRY, DATE_MM_YYYY, false},
    {"TOKEN1:detokenize|extract:expiration|date:YYYY-MM", ERR_NONE, 0, ELEMENT_EXPIRY, DATE_YYYY_MM_DASH, false},
    {"TOKEN1:detokenize|extract:expiration|date:YYYY/MM", ERR_NONE, 0, ELEMENT_EXPIRY, DATE_YYYY_MM_SLASH, false},
    {"TOKEN1:detokenize|extract:expiration|date:YY|parse:int", ERR_NONE, 0, ELEMENT_EXPIRY, DATE_YY, true},
    {"TOKEN1:detokenize|date:MM", ERR_NONE, 0, -1, DATE_MM, false},
    {"TOKEN1:detokenize|parse:integer", ERR_NONE, 0, -1, DATE_DEFAULT, true},
    {"TOKEN1:transaction|extract:cvv", ERR_NONE, TOKEN_TEMPORAL, ELEMENT_CVC, 0, 0},
    {"TOKEN1:detokenize|extract:last4", ERR_NONE, 0, ELEMENT_LAST4, 0, 0},
    {"TOKEN1:detokenize|extract:bin", ERR_NONE, 0, ELEMENT_BIN, 0, 0},
    {"TOKEN1:detokenize|extract:cryptogram", ERR_NONE, 0, ELEMENT_CRYPTOGRAM, 0, 0},
    {"TOKEN1:detokenize|extract:eci", ERR_NONE, 0, ELEMENT_ECI, 0, 0},
    {"TOKEN1:detokenize|extract:token", ERR_NONE, 0, ELEMENT_TOKEN, 0, 0},
    {"4242420428544242 : detokenization", ERR_NONE, TOKEN_PERMANENT, -1, DATE_DEFAULT, false},
    {"TOKEN:detokenize", ERR_PLACEHOLDER_TOKEN, 0, 0, 0, 0},
    {"0123456789012345678901234567890123456789012345678901234567890123:detokenize", ERR_NONE, 0, -1, 0, 0},
    {"01234567890123456789012345678901234567890123456789012345678901234:detokenize", ERR_PLACEHOLDER_TOKEN, 0, 0, 0, 0},
    {"tok.en1:detokenize", ERR_PLACEHOLDER_TOKEN, 0, 0, 0, 0},
    {":detokenize", ERR_PLACEHOLDER_TOKEN, 0, 0, 0, 0},
    {"TOKEN1 x:detokenize", ERR_PLACEHOLDER_SYNTAX, 0, 0, 0, 0},
    {"TOKEN1:detokenizations", ERR_PLACEHOLDER_KIND, 0, 0, 0, 0},
    {"TOKEN1:Detokenize", ERR_PLACEHOLDER_KIND, 0, 0, 0, 0},
    {"TOKEN1:detokenize|", ERR_PLACEHOLDER_SYNTAX, 0, 0, 0, 0},
    {"TOKEN1:detokenize||extract:card", ERR_PLACEHOLDER_SYNTAX, 0, 0, 0, 0},
    {"TOKEN1:detokenize|extract", ERR_PLACEHOLDER_SYNTAX, 0, 0, 0, 0},
    {"TOKEN1:detokenize|extract:", ERR_PLACEHOLDER_SYNTAX, 0, 0, 0, 0},
    {"TOKEN1:detokenize|extract card", ERR_PLACEHOLDER_SYNTAX, 0, 0, 0, 0},
    {"TOKEN1:detokenize|extract:card extract:name", ERR_PLACEHOLDER_SYNTAX, 0, 0, 0, 0},
    {"TOKEN1:detokenize:x", ERR_PLACEHOLDER_SYNTAX, 0, 0, 0, 0},
    {"TOKEN1:detokenize|extract:pan", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
    {"TOKEN1:detokenize|encrypt:rsa", ERR_PLACEHOLDER_ENCRYPT, 0, 0, 0, 0},
    {"TOKEN1:detokenize | extract:card | encrypt ", ERR_PLACEHOLDER_ENCRYPT, 0, 0, 0, 0},
    {"TOKEN1:detokenize|encrypted", ERR_PLACEHOLDER_SYNTAX, 0, 0, 0, 0},
    {"TOKEN1:detokenize|extract:card|extract:card", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
    {"TOKEN1:detokenize|date:MM|extract:expiration", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
    {"TOKEN1:detokenize|date:MM|date:MM", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
    {"TOKEN1:detokenize|extract:card|date:MM", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
    {"TOKEN1:detokenize|extract:expiration|date:DD", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
    {"TOKEN1:detokenize|extract:expiration|date:MMYY", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
    {"TOKEN1:detokenize|parse:integer|extract:card", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
    {"TOKEN1:detokenize|parse:integer|parse:integer", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
    {"TOKEN1:detokenize|parse:float", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
    {"TOKEN1:detokenize|extract:cvv", ERR_PLACEHOLDER_STAGE, 0, 0, 0, 0},
};

START_TEST(parsing)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct placeholder p;
        result r = placeholder_parse(slice_of(texts[i].in), &p);
        ck_assert_msg(r.err == texts[i].err, "%s: %s", texts[i].in, error_name(r.err));
        if (r.err) continue;
        ck_assert_int_eq(p.kind, texts[i].kind);
        ck_assert_int_eq(p.has_extract ? (int)p.element : -1, texts[i].element);
        ck_assert_int_eq(p.date, texts[i].date);
        ck_assert_int_eq(p.parse_integer, texts[i].parse);
    }
}
END_TEST

START_TEST(token_is_kept)
{
    struct placeholder p;
    ck_assert(!failed(placeholder_parse(SLICE(" a-B_9zz\t: detokenize"), &p)));
    ck_assert(slice_is((slice){p.token, p.token_len}, "a-B_9zz"));
}
END_TEST

/* What a rules' field makes of a placeholder. */
START_TEST(resolving)
{
    const struct plan_field month = {.element = ELEMENT_EXP_MONTH, .format = DATE_MM, .as_number = true};
    const struct plan_field cvc = {.element = ELEMENT_CVC};
    static const struct {
        const char *in;
        int field; /* 0 none, 1 month, 2 cvc */
        bool whole;
        enum error err;
        enum element element;
        enum date_format format;
        bool as_number;
    } cases[] = {
        {"TOKEN1:detokenize", 0, true, ERR_NONE, ELEMENT_NUMBER, DATE_DEFAULT, false},
        {"TOKEN1:detokenize", 1, true, ERR_NONE, ELEMENT_EXP_MONTH, DATE_MM, true},
        {"TOKEN1:detokenize", 1, false, ERR_NONE, ELEMENT_EXP_MONTH, DATE_MM, false},
        {"TOKEN1:detokenize|date:YY", 1, true, ERR_NONE, ELEMENT_EXP_MONTH, DATE_YY, true},
        {"TOKEN1:detokenize|date:MM/YY", 1, true, ERR_ELEMENT_FORMAT, 0, 0, 0},
        {"TOKEN1:detokenize|extract:expiration", 1, true, ERR_NONE, ELEMENT_EXPIRY, DATE_DEFAULT, false},
        {"TOKEN1:detokenize|extract:card", 2, true, ERR_NONE, ELEMENT_NUMBER, DATE_DEFAULT, false},
        {"TOKEN1:transaction", 2, true, ERR_NONE, ELEMENT_CVC, DATE_DEFAULT, false},
        {"TOKEN1:detokenize|date:MM", 0, true, ERR_PLACEHOLDER_STAGE, 0, 0, 0},
        {"TOKEN1:detokenize|date:MM", 2, true, ERR_PLACEHOLDER_STAGE, 0, 0, 0},
        {"TOKEN1:detokenize|parse:integer", 0, false, ERR_PLACEHOLDER_MIXED_NUMBER, 0, 0, 0},
        {"TOKEN1:detokenize|parse:integer", 0, true, ERR_NONE, ELEMENT_NUMBER, DATE_DEFAULT, true},
        {"TOKEN1:detokenize|extract:token|parse:integer", 0, true, ERR_ELEMENT_FORMAT, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct placeholder p;
        struct placeholder_wish wish;
        ck_assert(!failed(placeholder_parse(slice_of(cases[i].in), &p)));
        const struct plan_field *fields[] = {NULL, &month, &cvc};
        result r = placeholder_resolve(&p, fields[cases[i].field], cases[i].whole, &wish);
        ck_assert_msg(r.err == cases[i].err, "%zu: %s", i, error_name(r.err));
        if (r.err) continue;
        ck_assert_int_eq(wish.element, cases[i].element);
        ck_assert_int_eq(wish.format, cases[i].format);
        ck_assert_int_eq(wish.as_number, cases[i].as_number);
    }
}
END_TEST

#define T "TOKEN1:detokenize"

/* found: the raw text between '[' and ']' of each placeholder, in order; one word of an error otherwise. */
static const struct {
    const char *in, *found;
    enum error err;
} scans[] = {
    {"{{" T "}}", "{{" T "}};", ERR_NONE},
    {"a<<" T ">>b{{ " T " }}", "<<" T ">>;{{ " T " }};", ERR_NONE},
    {"{{{{" T "}}}}", "{{" T "}};", ERR_NONE},
    {"{{" T "}}}}{{" T "}}", "{{" T "}};{{" T "}};", ERR_NONE},
    {"{<{{" T "}}", "{{" T "}};", ERR_NONE},
    {"{{ {{" T "}}", "{{" T "}};", ERR_NONE},
    {"{{ a {{" T "}}", "{{" T "}};", ERR_NONE},
    {"{{ a : {{" T "}}", "{{" T "}};", ERR_NONE},
    {"{{ a b {{" T "}}", "{{" T "}};", ERR_NONE},
    {"{{a|b}}<<" T ">>", "<<" T ">>;", ERR_NONE},
    {"{{a:!}}{{" T "}}", "{{" T "}};", ERR_NONE},
    {"{{ $x.y : name }}", "", ERR_NONE},
    {"{{ " T " >>", "", ERR_NONE},
    {"{{ " T " }", "", ERR_NONE},
    {"{{ " T " | extract", "", ERR_NONE},
    {"{{ 12 : 30", "", ERR_NONE},
    {"{{ " T " }a} >a>", "", ERR_NONE}, /* two closing braces, but apart */
    {"{{ " T " <a< {b{", "", ERR_NONE},
    {"{ {" T "}}", "", ERR_NONE},
    {"<a <b>> </a>", "", ERR_NONE},
    {"{{12:30}}", "", ERR_PLACEHOLDER_TOKEN},
    {"{{ " T " } }}", "", ERR_PLACEHOLDER_SYNTAX},
    {"{{ tok.en1 : detokenize }}", "", ERR_PLACEHOLDER_TOKEN},
    {"{{ : transaction }}", "", ERR_PLACEHOLDER_TOKEN},
    {"{{ " T " {{ " T " }}", "", ERR_PLACEHOLDER_SYNTAX}, /* another one inside: refused at once */
    {"{{ " T " << x", "", ERR_PLACEHOLDER_SYNTAX},
    {"<< a:b {{" T "}}", "", ERR_PLACEHOLDER_SYNTAX},
};

static enum error scan(const char *in, bool plain, char *found_text)
{
    struct placeholder_scanner s;
    struct placeholder_found found;
    bool is_found = false;
    size_t len = strlen(in);
    placeholder_reset(&s);
    *found_text = 0;
    for (size_t i = 0, used = 1; i < len; i += used) {
        result r = plain ? placeholder_push_plain(&s, (slice){in + i, len - i}, 1000 + i, &found, &is_found, &used)
                         : placeholder_push(&s, in[i], 1000 + i, 1001 + i, &found, &is_found);
        if (failed(r)) return r.err;
        if (!is_found) continue;
        strncat(found_text, in + (found.start - 1000), found.end - found.start);
        strncat(found_text, ";", 2);
    }
    return ERR_NONE;
}

START_TEST(scanning)
{
    for (size_t i = 0; i < sizeof scans / sizeof *scans; i++) {
        for (int plain = 0; plain < 2; plain++) {
            char found[256];
            enum error err = scan(scans[i].in, plain, found);
            ck_assert_msg(err == scans[i].err, "%s: %s", scans[i].in, error_name(err));
            ck_assert_msg(err || strcmp(found, scans[i].found) == 0, "%s: found %s", scans[i].in, found);
        }
    }
}
END_TEST

/* What is read at one go is what the scanner finds character by character: each form with each character replaced, left out and
 * doubled. */
START_TEST(the_quick_way_finds_the_same)
{
    static const char *const forms[] = {"x{{ TOKEN-1_a : detokenize }} y", "<<TOKEN1:transaction>>{{TOKEN2:detokenize}}"};
    static const char others[] = "{}<>:| \t\r\n-_aZ9.\"\\\x80\xff";
    char text[64], one_go[256], by_one[256];
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        size_t len = strlen(forms[f]);
        for (size_t i = 0; i < len; i++) {
            for (size_t k = 0; k < sizeof others - 1 + 2; k++) {
                memcpy(text, forms[f], len + 1);
                if (k < sizeof others - 1) text[i] = others[k];
                else if (k == sizeof others - 1) memmove(text + i, text + i + 1, len - i);
                else memmove(text + i + 1, text + i, len - i + 1);
                enum error a = scan(text, true, one_go), b = scan(text, false, by_one);
                ck_assert_msg(a == b && strcmp(one_go, by_one) == 0, "%s: %s %s, %s %s", text, error_name(a), one_go,
                              error_name(b), by_one);
            }
        }
    }
}
END_TEST

/* A placeholder is at most 512 characters; white space before its form is not collected for ever. */
START_TEST(bounds)
{
    char text[2000], found[2000];
    memset(text, ' ', sizeof text);
    memcpy(text, "{{" T, sizeof "{{" T - 1);
    memcpy(text + 512, "}}", 3);
    for (int plain = 0; plain < 2; plain++) ck_assert_int_eq(scan(text, plain, found), ERR_NONE);
    ck_assert_uint_eq(strlen(found), 515);
    memcpy(text + 512, "    }}", 7);
    for (int plain = 0; plain < 2; plain++) ck_assert_int_eq(scan(text, plain, found), ERR_PLACEHOLDER_SYNTAX);
    memset(text, ' ', sizeof text);
    memcpy(text, "{{", 2);
    memcpy(text + 1000, T "}}", sizeof T "}}");
    for (int plain = 0; plain < 2; plain++) ck_assert_int_eq(scan(text, plain, found), ERR_NONE);
    ck_assert_str_eq(found, "");
}
END_TEST

START_TEST(finding_openers)
{
    char text[100];
    for (size_t len = 0; len < sizeof text; len++) {
        memset(text, 'z', sizeof text);
        ck_assert_uint_eq(placeholder_find_opener((slice){text, len}), len);
        for (size_t at = 0; at < len; at++) {
            text[at] = at % 2 ? '<' : '{';
            if (at + 1 < len) text[at + 1] = (char)0x80;
            ck_assert_uint_eq(placeholder_find_opener((slice){text, len}), at);
            text[at] = at % 2 ? (char)0xfb : '|'; /* near misses */
        }
    }
}
END_TEST

RUN_TESTS("placeholder", parsing, token_is_kept, resolving, scanning, the_quick_way_finds_the_same, bounds,
          finding_openers)
