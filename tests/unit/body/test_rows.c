/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "help.h"

/* CSV and JSON line by line on their way out, by the places of the rules. */

#define CSV_RULES "field number number\nfield cvc cvc\nfield month exp_month MM\nfield holder holder\n"
#define JSON_RULES "field $.n number\nfield $.card.month exp_month MM number\nfield $.holder holder\n"
#define T "{{TOKEN1:detokenize}}"
#define BOM "\xef\xbb\xbf"

static void check_cases(enum body_format format, const char *rules, const struct lines_case *cases, size_t count)
{
    struct plan *plan = plan_of(format, rules);
    for (size_t i = 0; i < count; i++) check_case(plan, &cases[i]);
    plan_drop(plan);
}
#define CHECK_CASES(format, rules, cases) check_cases(format, rules, cases, sizeof(cases) / sizeof *(cases))

START_TEST(csv)
{
    static const struct lines_case cases[] = {
        {"id,number,month,note\r\n1," T "," T "," T "\r\n", "id,number,month,note\r\n1," PAN_TEXT ",03," PAN_TEXT "\r\n"},
        {BOM "\"number\";month\n\"" T "\";x " T " y\n\n<<TOKEN2:transaction>>;12", BOM "\"number\";month\n\"" PAN_TEXT "\";x 03 y\n\n" PAN_TEXT ";12"},
        {"number,a\n{{ TOKEN1 : detokenize | extract:last4 }},\"a \"\"" T "\"\"\"\n", "number,a\n1111,\"a \"\"" PAN_TEXT "\"\"\"\n"},
        {"number,holder\n1,\"" T "\"\n", "number,holder\n1,\"ANA D'\xc3\x81VILA \"\"A\"\"\"\n"},
        {"number,holder\n1," T "\n", NULL, ERR_ELEMENT_FORMAT},           /* his name has quotes */
        {"number,holder\n1,\"a\" \"" T "\"\n", NULL, ERR_ELEMENT_FORMAT}, /* not quoted as RFC 4180 says */
        {"number|a\n1|\"{{TOKEN1:detokenize|extract:last4}}\"\n", "number|a\n1|\"1111\"\n"},
        {"number|a\n1|{{TOKEN1:detokenize|extract:last4}}\n", NULL, ERR_PLACEHOLDER_SYNTAX}, /* two fields */
        {"number,a\n1,{{TOKEN1:detokenize\n}}\n", NULL, ERR_PLACEHOLDER_SYNTAX},
        {"number,a\n1,{{ TOKEN1 \n", "number,a\n1,{{ TOKEN1 \n"},
        {"number," T "\n", NULL, ERR_PLACEHOLDER_PLACE},
        {"a,b\n" T ",\n", NULL, ERR_CSV_HEADER},
        {"number\n\"" T, NULL, ERR_CSV_SYNTAX},
        {"number\n{{TOKEN1:wrong}}\n", NULL, ERR_PLACEHOLDER_KIND},
        {"number\nTOKEN1\n", "number\nTOKEN1\n"},
        {"", ""},
    };
    CHECK_CASES(BODY_CSV, CSV_RULES, cases);
}
END_TEST

START_TEST(ndjson)
{
    static const struct lines_case cases[] = {
        {"{\"n\":\"" T "\"}\r\n\n{ \"card\" : {\"month\":\"" T "\"},\"x\":\"" T "\"}", "{\"n\":\"" PAN_TEXT "\"}\r\n\n{ \"card\" : {\"month\":3},\"x\":\"" PAN_TEXT "\"}"},
        {"\x1e{\"n\":\n\"" T "\"}\n\x1e[\"\\u007b{TOKEN1:detokenize}}\"]\n", "\x1e{\"n\":\n\"" PAN_TEXT "\"}\n\x1e[\"" PAN_TEXT "\"]\n"},
        {"{\"holder\":\"" T "\"}\n", "{\"holder\":\"ANA D'\xc3\x81VILA \\\"A\\\"\"}\n"},
        {"{}\n{\"n\":\"" T "\"\n", NULL, ERR_JSON_CUT_OFF},
        {"{}\n{\"" T "\":1}\n", NULL, ERR_PLACEHOLDER_IN_KEY},
        {"{\"n\":\"TOKEN1\"}\n", "{\"n\":\"TOKEN1\"}\n"},
        {"", ""},
    };
    CHECK_CASES(BODY_NDJSON, JSON_RULES, cases);
}
END_TEST

START_TEST(bare_tokens)
{
    static const struct lines_case rows[] = {{"number,cvc,holder,x\nTOKEN1,tmp_TOKEN1,TOKEN1,TOKEN1\n\"TOKEN1\",,,\n",
                                              "number,cvc,holder,x\n" PAN_TEXT ",123,TOKEN1,TOKEN1\n\"" PAN_TEXT "\",,,\n"}};
    static const struct lines_case lines[] = {{"{\"n\":\"TOKEN1\",\"x\":\"TOKEN1\"}\n{\"n\":\"TOKEN1\"}",
                                               "{\"n\":\"" PAN_TEXT "\",\"x\":\"TOKEN1\"}\n{\"n\":\"" PAN_TEXT "\"}"}};
    CHECK_CASES(BODY_CSV, "bare\n" CSV_RULES, rows);
    CHECK_CASES(BODY_NDJSON, "bare\n" JSON_RULES, lines);
}
END_TEST

/* A fault is told with the column's name or the path, and where it is in the whole body. */
START_TEST(faults)
{
    static const struct {
        enum body_format format;
        const char *rules, *in, *path;
        uint64_t offset;
    } cases[] = {{BODY_CSV, CSV_RULES, "number,\"a b\"\n1,{{abc:detokenize}}\n", "a b", 15},
                 {BODY_NDJSON, JSON_RULES, "{}\n{\"a\":[\"{{abc:detokenize}}\"]}\n", "$.a[0]", 9}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan *plan = plan_of(cases[i].format, cases[i].rules);
        struct outcome o = run_every_split(plan, slice_of(cases[i].in), card_pan());
        ck_assert_int_eq(o.err, ERR_PLACEHOLDER_TOKEN);
        ck_assert_str_eq(o.fault.path, cases[i].path);
        ck_assert_uint_eq(o.fault.offset, cases[i].offset);
        outcome_done(&o);
        plan_drop(plan);
    }
}
END_TEST

RUN_TESTS("rows", csv, ndjson, bare_tokens, faults)
