/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "inbound_help.h"

#define P "4111111111111111"
#define Q "5555555555554444"

START_TEST(lines)
{
    static const struct inbound_case cases[] = {
        {"card " P "\nor " Q "\r\nend", "card alias_0\nor alias_1\r\nend", P "; " Q},
        {"4111 1111\n1111 1111", "4111 1111\n1111 1111", ""},
        {P, "alias_0", P},
        {"", "", ""},
        {"\xff\xfe\x00" P "\n", "\xff\xfe", ""},
        {"{{x:y}} <<TOKEN1:detokenize>>", "{{x:y}} <<TOKEN1:detokenize>>", ""},
        {P " " P " " Q "\n" P, "alias_0 alias_0 alias_1\nalias_0", P "; " Q},
        {P "\n" Q "\n" P "\n" Q "\n" Q, "alias_0\nalias_1\nalias_0\nalias_1\nalias_1", P "; " Q},
    };
    CHECK_INBOUND(BODY_TEXT, "find", cases);
}
END_TEST

/* Of a magnetic stripe nothing behind the expiry goes on: there is the card's verification value. */
START_TEST(tracks)
{
    static const struct inbound_case cases[] = {
        {"%B" P "^DOE/ANA^2512201000001234?;" P "=2512201000001234?\n",
         "%Balias_0^DOE/ANA^2512xxxxxxxxxxxx?;alias_0=2512xxxxxxxxxxxx?\n", P},
        {"t2=" P "=25122015555555555554444, 5555555555554444", "t2=alias_0=2512xxxxxxxxxxxxxxxxxxx, alias_1", P "; " Q},
        {"%B" P "^DOE/ANA ^^201AB CD 12?", "%Balias_0^DOE/ANA ^^xxxxxxxxxxx?", P},
        {"%B" P "^^2512201A1, lost", "%Balias_0^^2512xxxxx, lost", P},
        {P "==201123", "alias_0==xxxxxx", P},
        {P "=2512", "alias_0=2512", P},
        {P "=25122", "alias_0=25122", P},
        {P "=x; " P "^2", "alias_0=x; alias_0^2", P},
        {P "^DOE/ANA?", "alias_0^DOE/ANA?", P},
    };
    CHECK_INBOUND(BODY_TEXT, "find", cases);
}
END_TEST

static enum error of_charset(enum body_format format, slice charset)
{
    struct plan *plan = plan_of(format, "find");
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 4096, .max_cards = 10, .charset = charset};
    struct inbound_outcome o = run_inbound_with(&options, format == BODY_JSON ? SLICE("[]") : SLICE("a=1"), WHOLE);
    enum error err = o.err;
    inbound_outcome_done(&o);
    plan_drop(plan);
    return err;
}

START_TEST(charsets)
{
    static const char *const wide[] = {"UTF-16", "utf-16le", "utf-32", "ISO-10646-UCS-2", "utf-7", "ibm1047", "ebcdic-us", "unicode", "csUnicode", "cp500",
                                       "ibm-037", "'utf-16'", "shift_jis", "gb18030", "x-whatever"};
    static const char *const fine[] = {"utf-8", "UTF8", "iso-8859-1", "ISO-8859-15", "windows-1252", "us-ascii"};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        ck_assert_int_eq(of_charset(BODY_TEXT, slice_of(wide[i])), ERR_CHARSET);
        ck_assert_int_eq(of_charset(BODY_FORM, slice_of(wide[i])), ERR_CHARSET);
        ck_assert_int_eq(of_charset(BODY_CSV, slice_of(wide[i])), ERR_CHARSET);
        ck_assert_int_eq(of_charset(BODY_JSON, slice_of(wide[i])), ERR_CHARSET);
        ck_assert_int_eq(of_charset(BODY_NDJSON, slice_of(wide[i])), ERR_CHARSET);
    }
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) ck_assert_int_eq(of_charset(BODY_TEXT, slice_of(fine[i])), ERR_NONE);
    ck_assert_int_eq(of_charset(BODY_TEXT, SLICE_NONE), ERR_NONE);
    ck_assert_int_eq(of_charset(BODY_TEXT, SLICE("")), ERR_CHARSET); /* none, or two of them */
    ck_assert_int_eq(of_charset(BODY_XML, SLICE("")), ERR_CHARSET);
    ck_assert_int_eq(of_charset(BODY_JSON, SLICE("")), ERR_CHARSET);
    ck_assert_int_eq(of_charset(BODY_JSON, SLICE("Utf-8")), ERR_NONE);
    ck_assert_int_eq(of_charset(BODY_JSON, SLICE_NONE), ERR_NONE);
}
END_TEST

/* What says nothing of its charset and is UTF-16 all the same, as spreadsheets write it. */
START_TEST(zero_bytes)
{
    static const enum body_format formats[] = {BODY_TEXT, BODY_CSV, BODY_FORM};
    static const char wide[] = "\xff\xfe" "4\0001\0001\0001\0001\0001\0001\0001\0001\0001\0001\0001\0001\0001\0001\0001\0";
    static const slice texts[] = {{wide, sizeof wide - 1}, {wide + 2, sizeof wide - 3}, {"\0004\0001\0001", 6}, {"4\0\0\0001", 5}, {"a=b\0", 4}};
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            struct plan *plan = plan_of(formats[f], "find");
            const struct inbound_options options = {.plan = plan, .max_held_bytes = 4096, .max_cards = 10};
            struct inbound_outcome o = run_inbound_every_split(&options, texts[i]);
            ck_assert_int_eq(o.err, ERR_CHARSET);
            inbound_outcome_done(&o);
            plan_drop(plan);
        }
}
END_TEST

START_TEST(too_large)
{
    struct plan *plan = plan_of(BODY_TEXT, "find");
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 20, .max_cards = 10};
    struct inbound_outcome o = run_inbound_every_split(&options, SLICE("a " P "\n123"));
    ck_assert_int_eq(o.err, ERR_BODY_TOO_LARGE);
    inbound_outcome_done(&o);
    plan_drop(plan);
}
END_TEST

/* --- header values, queries, paths --- */

static const struct {
    enum encoding encoding;
    const char *in, *out; /* NULL: no number in it */
} texts[] = {
    {ENCODING_FIELD_VALUE, "card=" P "; " Q, "card=alias_0; alias_1"},
    {ENCODING_FIELD_VALUE, "card=%34111111111111111", "card=alias_0"},
    {ENCODING_FIELD_VALUE, "", NULL},
    {ENCODING_FIELD_VALUE, "no digits at all in this", NULL},
    {ENCODING_FIELD_VALUE, "+" P, "+alias_0"},
    {ENCODING_FIELD_VALUE, "+378282246310005", NULL},
    {ENCODING_FIELD_VALUE, "https://x.example/pay?n=%204111%201111%201111%201111&m=1", "https://x.example/pay?n=%20alias_0&m=1"},
    {ENCODING_FIELD_VALUE, "https://x.example/pay?n=4111+1111+1111+1111", "https://x.example/pay?n=alias_0"},
    {ENCODING_FIELD_VALUE, "c=%34%31%31%31111111111111; d=%zz%", "c=alias_0; d=%zz%"},
    {ENCODING_FIELD_VALUE, "c=%22" P "%22; d=100%; e=" P, "c=%22alias_0%22; d=100%; e=alias_0"},
    {ENCODING_FIELD_VALUE, P " and %204111-1111-1111-1111 and " P, "alias_0 and %20alias_0 and alias_0"},
    {ENCODING_FIELD_VALUE, "100%" P, "100%alias_0"}, /* "%41" is an escape, and its reader may not know */
    {ENCODING_FIELD_VALUE, "phone=%2B491701234567%20", NULL},
    {ENCODING_QUERY, "next=https%3A%2F%2Fx.example%2F%3Fn%3D4111%252B1111%252B1111%252B1111", "next=https%3A%2F%2Fx.example%2F%3Fn%3Dalias_0"},
    {ENCODING_QUERY, "a=1&n=%34111+1111%201111-1111&b=%zz+%", "a=1&n=alias_0&b=%zz+%"},
    {ENCODING_QUERY, P "&" P, "alias_0&alias_0"},
    {ENCODING_QUERY, "n=+" P, "n=+alias_0"},
    {ENCODING_QUERY, "n=%2B" P, "n=%2Balias_0"}, /* more digits than a telephone number has */
    {ENCODING_QUERY, "n=%2B378282246310005", NULL},
    {ENCODING_PATH, "/cards/" P "/x", "/cards/alias_0/x"},
    {ENCODING_PATH, "/cards/+" P, "/cards/+alias_0"},
    {ENCODING_PATH, "/cards/%20" P, "/cards/%20alias_0"},
};

START_TEST(header_values_queries_and_paths)
{
    static const struct inbound_alias aliases[] = {{CONST_SLICE("alias_0"), {0}}, {CONST_SLICE("alias_1"), {0}}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct inbound_text *t;
        ck_assert(!failed(inbound_text_new(slice_of(texts[i].in), texts[i].encoding, &t)));
        ck_assert_msg((t == NULL) == (texts[i].out == NULL), "%s", texts[i].in);
        if (!t) continue;
        struct buf out;
        buf_init(&out, 4096);
        ck_assert(slice_is((slice){inbound_text_card(t, 0)->number, 16}, P));
        ck_assert_uint_le(inbound_text_card_count(t), 2);
        ck_assert(!failed(inbound_text_render(t, aliases, &out)));
        ck_assert_msg(slice_is(buf_slice(&out), texts[i].out), "%s gives %.*s", texts[i].in, SLICE_ARG(buf_slice(&out)));
        ck_assert_int_eq(inbound_text_render(t, (struct inbound_alias[2]){{SLICE_NONE, SLICE_NONE}}, &out).err, ERR_INTERNAL);
        buf_done(&out);
        inbound_text_free(t);
    }
    inbound_text_free(NULL);
}
END_TEST

RUN_TESTS("inbound_text", lines, tracks, charsets, zero_bytes, too_large, header_values_queries_and_paths)
