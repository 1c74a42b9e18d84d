/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "help.h"

#include <string.h>

#define T "TOKEN-1_abc"

/* e.Rede's, as rules/rede.yaml has it, and a few places of other shapes. */
static const char fields[] = "field $.cardNumber number\n"
                             "field $.expirationMonth exp_month MM\n"
                             "field $.expirationYear exp_year YYYY\n"
                             "field $.securityCode cvc\n"
                             "field $.cardHolderName holder\n"
                             "field $.card.number number number\n"
                             "field $.card.month exp_month number\n"
                             "field $.card['the~date'] expiry MMYY\n"
                             "field $.list[1].pan number\n"
                             "field $.all[*].name holder\n"
                             "field $..deep.pan last4\n";

static void check_cases(const struct lines_case *cases, size_t count)
{
    struct plan *plan = plan_of(BODY_JSON, fields);
    for (size_t i = 0; i < count; i++) check_case(plan, &cases[i]);
    plan_drop(plan);
}
#define CHECK_CASES(cases) check_cases(cases, sizeof(cases) / sizeof *(cases))

START_TEST(placeholders)
{
    static const struct lines_case cases[] = {
        {"{\"cardNumber\":\"{{" T ":detokenize}}\"}", "{\"cardNumber\":\"" PAN_TEXT "\"}"},
        {"{\"cardNumber\":\"<< " T " : detokenize >>\"}", "{\"cardNumber\":\"" PAN_TEXT "\"}"},
        {"{\"cardHolderName\":\"{{ " T ":detokenize }}\"}", "{\"cardHolderName\":\"ANA D'\xc3\x81VILA \\\"A\\\"\"}"},
        {"{\"securityCode\" : \"{{\\t" T ":transaction\\n}}\" }", "{\"securityCode\" : \"123\" }"},
        {"{\"expirationMonth\":\"{{" T ":detokenize}}\",\"expirationYear\":\"{{" T ":detokenize}}\"}",
         "{\"expirationMonth\":\"03\",\"expirationYear\":\"2031\"}"},
        {"{\"expirationYear\":\"{{" T ":detokenize | date:YY}}\"}", "{\"expirationYear\":\"31\"}"},
        {"{\"elsewhere\":\"{{" T ":detokenize}}\"}", "{\"elsewhere\":\"" PAN_TEXT "\"}"},
        {"{\"elsewhere\":\"{{" T ":detokenize|extract:expiration|date:MM}}/ {{" T
         ":detokenize | extract:expiration | date:YY }}\"}", "{\"elsewhere\":\"03/ 31\"}"},
        {"[\"{{" T ":detokenize|extract:token}}\"]", "[\"" T "\"]"},
        {"\"{{" T ":detokenize|extract:bin}}\"", "\"411111\""},
        {"{\"cardNumber\":\"{{" T ":detokenize | extract:last4}}\"}", "{\"cardNumber\":\"1111\"}"},
        {"{\"x\":\"a{{" T ":detokenize|extract:last4}}b<<" T ":detokenize|extract:last4>>c\"}", "{\"x\":\"a1111b1111c\"}"},
        {"{\"x\":\"{{{" T ":detokenize|extract:last4}}}\"}", "{\"x\":\"{1111}\"}"},
        /* escapes: the braces, the token, the words */
        {"{\"x\":\"\\u007b\\u007B" T "\\u003adetokenize\\u007d}\"}", "{\"x\":\"" PAN_TEXT "\"}"},
        {"{\"x\":\"\\u003c<" T ":\\u0064etokenize\\u0020>\\u003e\"}", "{\"x\":\"" PAN_TEXT "\"}"},
        {"{\"x\":\"\\\"{{" T ":detokenize}}\\\\ \\ud83d\\ude00\"}", "{\"x\":\"\\\"" PAN_TEXT "\\\\ \\ud83d\\ude00\"}"},
        {"{\"card\\u004eumber\":\"{{" T ":detokenize}}\",\"x\":1}", "{\"card\\u004eumber\":\"" PAN_TEXT "\",\"x\":1}"},
        /* braces of the document, of plain text and of placeholders, with strings before, between and behind */
        {"{\"a\":\"b\",\"c\":{\"<\":\"{\",\"d\":[\"e\",{\"f\":\"g{\"},\"{{" T ":detokenize|extract:last4}}\",\"h\"]},\"i\":\"{{" T
         ":detokenize|extract:last4}}\",\"j\":\"<<" T ":detokenize|extract:bin>>\",\"k\":{\"l\":\"\"}}",
         "{\"a\":\"b\",\"c\":{\"<\":\"{\",\"d\":[\"e\",{\"f\":\"g{\"},\"1111\",\"h\"]},\"i\":\"1111\",\"j\":\"411111\","
         "\"k\":{\"l\":\"\"}}"},
        /* other paths */
        {"{\"list\":[{\"pan\":\"{{" T ":detokenize|extract:name}}\"},{\"pan\":\"{{" T ":detokenize}}\"}]}",
         "{\"list\":[{\"pan\":\"ANA D'\xc3\x81VILA \\\"A\\\"\"},{\"pan\":\"" PAN_TEXT "\"}]}"},
        {"{\"all\":{\"k\":{\"name\":\"{{" T ":detokenize}}\"}}}", "{\"all\":{\"k\":{\"name\":\"ANA D'\xc3\x81VILA \\\"A\\\"\"}}}"},
        {"{\"q\":[[{\"deep\":{\"pan\":\"{{" T ":detokenize}}\"}}]]}", "{\"q\":[[{\"deep\":{\"pan\":\"1111\"}}]]}"},
        {"{\"deep\":{\"pan\":\"{{" T ":detokenize}}\",\"q\":{\"pan\":\"{{" T ":detokenize}}\"}}}",
         "{\"deep\":{\"pan\":\"1111\",\"q\":{\"pan\":\"" PAN_TEXT "\"}}}"},
    };
    CHECK_CASES(cases);
}
END_TEST

/* As Firstoken's documents write them. */
START_TEST(spellings_of_templates)
{
    static const struct lines_case cases[] = {
        {"{\"chd\":{\"card\":\"{{" T ":detokenize | extract:card}}\",\"exp\":\"{{" T ":detokenize | extract:expiration | date:MM/YY}}\"}}",
         "{\"chd\":{\"card\":\"" PAN_TEXT "\",\"exp\":\"03/31\"}}"},
        {"{\"a\":\" {{" T " : detokenization|extract:card}}\",\"b\":\"{{4242428XsEs24242:detokenize|extract:card}}\"}",
         "{\"a\":\" " PAN_TEXT "\",\"b\":\"" PAN_TEXT "\"}"},
        {"{\"y\":\"{{4242420428544242: detokenize | extract:expiration | date: YYYY/MM }}\",\"t\":\"{{4242420428544242:detokenize|extract:token}}\"}",
         "{\"y\":\"2031/03\",\"t\":\"4242420428544242\"}"},
        {"{\"m\":\"{{" T ":detokenize|extract:expiration|date: MM |parse:int}}\",\"n\":\"{{ " T " : detokenize | parse : integer }}\"}",
         "{\"m\":3,\"n\":" PAN_TEXT "}"},
        {"{\"securityCode\":\"{{" T ":transaction}}\",\"c\":\"{{" T ":transaction | extract:cvv}}\"}",
         "{\"securityCode\":\"123\",\"c\":\"123\"}"},
        {"{\"e\":\"{{" T ":detokenize | extract:expiration | date:MM}}/ {{" T ":detokenize | extract:expiration | date:YY}}\"}", "{\"e\":\"03/ 31\"}"},
        {"{\"x\":\"{{" T ":detokenize | extract:card | encrypt}}\"}", NULL, ERR_PLACEHOLDER_ENCRYPT},
    };
    CHECK_CASES(cases);
}
END_TEST

START_TEST(numbers)
{
    static const struct lines_case cases[] = {
        {"{\"x\":\"{{" T ":detokenize|parse:integer}}\"}", "{\"x\":" PAN_TEXT "}"},
        {"{\"x\":\"{{" T ":detokenize|extract:expiration|date:MM|parse:int}}\"}", "{\"x\":3}"},
        {"{\"card\":{\"number\":\"{{" T ":detokenize}}\",\"month\":\"{{" T ":detokenize}}\"}}",
         "{\"card\":{\"number\":" PAN_TEXT ",\"month\":3}}"},
        {"{\"card\":{\"month\":\"0{{" T ":detokenize}}\"}}", "{\"card\":{\"month\":\"003\"}}"}, /* not the whole string */
        {"{\"card\":{\"month\":\"{{" T ":detokenize|extract:expiration|date:MM}}\"}}", "{\"card\":{\"month\":\"03\"}}"},
        {"{\"card\":{\"the date\":\"{{" T ":detokenize}}\"}}", "{\"card\":{\"the date\":\"0331\"}}"},
        {"{\"x\":\" {{" T ":detokenize|parse:integer}}\"}", NULL, ERR_PLACEHOLDER_MIXED_NUMBER},
        {"{\"x\":\"{{" T ":detokenize|parse:integer}}{{" T ":detokenize}}\"}", NULL, ERR_PLACEHOLDER_MIXED_NUMBER},
        {"{\"x\":\"{{" T ":detokenize|extract:name|parse:integer}}\"}", NULL, ERR_ELEMENT_FORMAT},
        {"{\"x\":\"{{" T ":detokenize|extract:expiration|parse:integer}}\"}", NULL, ERR_ELEMENT_FORMAT},
    };
    CHECK_CASES(cases);
}
END_TEST

START_TEST(bare_tokens)
{
    static const struct lines_case cases[] = {
        {"{\"cardNumber\":\"" T "\",\"x\":\"" T "\",\"cardHolderName\":\"" T "\",\"expirationYear\":\"" T "\"}",
         "{\"cardNumber\":\"" PAN_TEXT "\",\"x\":\"" T "\",\"cardHolderName\":\"" T "\",\"expirationYear\":\"" T "\"}"},
        {"{\"card\":{\"number\":\"" T "\"}}", "{\"card\":{\"number\":" PAN_TEXT "}}"},
        {"{\"cardNumber\":4111117654321111}", "{\"cardNumber\":" PAN_TEXT "}"}, /* an alias of digits */
        {"{\"securityCode\":\"tmp_" T "\",\"cardNumber\":\"tmp_" T "\"}", "{\"securityCode\":\"123\",\"cardNumber\":\"" PAN_TEXT "\"}"},
        {"{\"cardNumber\":\"" PAN_TEXT "\",\"securityCode\":\"123\"}", "{\"cardNumber\":\"" PAN_TEXT "\",\"securityCode\":\"123\"}"},
        {"{\"cardNumber\":\"" T " \"}", "{\"cardNumber\":\"" T " \"}"},
        {"{\"cardNumber\":\"\\u0054OKEN1\",\"securityCode\":\"\"}", "{\"cardNumber\":\"\\u0054OKEN1\",\"securityCode\":\"\"}"},
        {"{\"cardNumber\":\"{{" T ":detokenize}}\"}", "{\"cardNumber\":\"" PAN_TEXT "\"}"},
        {"{\"" T "\":1}", "{\"" T "\":1}"},
    };
    struct plan *plan = plan_of(BODY_JSON, fields);
    plan->bare_tokens = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(plan, &cases[i]);
    plan_drop(plan);
}
END_TEST

START_TEST(plain_text)
{
    static const char *const texts[] = {
        "{\"x\":\"{{ not closed : word\"}", "{\"x\":\"{{ " T " : detokenize }\"}", "{\"x\":\"{ " T ": detokenize }\"}",
        "{\"x\":\"{{ two words : detokenize }}\"}", "{\"x\":\"{{name}}\"}", "{\"x\":\"{{ a | b }}\"}",
        "{\"x\":\"<<EOF\"}", "{\"x\":\"<a></a>\"}", "{\"x\":\"{{}}<<>>\"}", "{\"x\":\"{{ $a.b : c }}\"}",
        "{\"x\":\"{{\",\"y\":\"" T ":detokenize}}\"}", /* never across two strings */
        "{\"x{{\":\"" T ":detokenize}}\"}", "{\"{{x}}\":1}",
        " [ 1.50e+10 , -0, 1E400, 0.1 ,\t123456789012345678901234567890 , \"\\u0041\\/\\n\" , true,null,false ] \r\n",
        "{\"a\":{},\"b\":[],\"c\":[[],{}],\"\":\"\"}", "\"x\"", "12", "-1.5e3", "null", " true ",
        "{\"\xc3\xa9\":\"\xf0\x9f\x98\x80\xed\x9f\xbf\",\"\\u0000\":\"\\u0000\"}",
    };
    struct plan *plan = plan_of(BODY_JSON, fields);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_case(plan, &(struct lines_case){texts[i], texts[i], ERR_NONE});
    plan_drop(plan);
}
END_TEST

START_TEST(refusals)
{
    static const struct lines_case cases[] = {
        {"{\"x\":\"{{ abc : detokenize }}\"}", NULL, ERR_PLACEHOLDER_TOKEN},
        {"{\"x\":\"{{ " T " : detokenise }}\"}", NULL, ERR_PLACEHOLDER_KIND},
        {"{\"x\":\"{{ " T " : detokenize | extract:cvv }}\"}", NULL, ERR_PLACEHOLDER_STAGE},
        {"{\"x\":\"{{ " T " : detokenize | date:MM }}\"}", NULL, ERR_PLACEHOLDER_STAGE},
        {"{\"x\":\"{{ " T " : detokenize extract:card }}\"}", NULL, ERR_PLACEHOLDER_SYNTAX},
        {"{\"{{" T ":detokenize}}\":1}", NULL, ERR_PLACEHOLDER_IN_KEY},
        {"{\"a{\\u007b" T ":wrong}}\":1}", NULL, ERR_PLACEHOLDER_IN_KEY},
        {"{\"x\":\"{{" T ":detokenize}}\",\"y\":\"{{" T ":transaction}}\"}", NULL, ERR_TOKEN_WRONG_KIND},
        {"{\"a\":1,\"a\":2}", NULL, ERR_JSON_DUPLICATE_KEY},
        {"{\"a\":1,\"\\u0061\":2}", NULL, ERR_JSON_DUPLICATE_KEY},
        {"[{\"b\":{\"x\":1,\"y\":2,\"x\":3}}]", NULL, ERR_JSON_DUPLICATE_KEY},
        {"{\"x\":\"\\ud800\"}", NULL, ERR_JSON_SURROGATE},
        {"{\"x\":\"\\udc00\\ud800\"}", NULL, ERR_JSON_SURROGATE},
        {"{\"x\":\"\\udc00\\udc00\"}", NULL, ERR_JSON_SURROGATE},
        {"{\"x\":\"\\ud800\\u0041\"}", NULL, ERR_JSON_SURROGATE},
        {"{\"x\":\"\\ud800a\"}", NULL, ERR_JSON_SURROGATE},
        {"{\"\\udbff\":1}", NULL, ERR_JSON_SURROGATE},
        {"{\"x\":1}{\"x\":2}", NULL, ERR_JSON_TRAILING},
        {"{\"x\":1} x", NULL, ERR_JSON_TRAILING},
        {"{\"x\":1}\"open", NULL, ERR_JSON_TRAILING},
        {"{\"x\":1}\f", NULL, ERR_JSON_TRAILING},
        {"1 2", NULL, ERR_JSON_TRAILING},
        {"{\"x\":1", NULL, ERR_JSON_CUT_OFF},
        {"{\"x\":\"abc", NULL, ERR_JSON_CUT_OFF},
        {"", NULL, ERR_JSON_CUT_OFF},
        {" \n", NULL, ERR_JSON_CUT_OFF},
        {"-", NULL, ERR_JSON_CUT_OFF},
        {"{\"x\":\f1}", NULL, ERR_JSON_SYNTAX},
        {"\v1", NULL, ERR_JSON_SYNTAX},
        {"{\"x\":1,\f\"y\":2}", NULL, ERR_JSON_SYNTAX},
        {"{\"x\":1\v}", NULL, ERR_JSON_SYNTAX},
        {"{\"x\":{{" T ":detokenize}}}", NULL, ERR_JSON_SYNTAX},
        {"{\"x\":'a'}", NULL, ERR_JSON_SYNTAX},
        {"{\"x\":1,}", NULL, ERR_JSON_SYNTAX},
        {"[01]", NULL, ERR_JSON_SYNTAX},
        {"[1.]", NULL, ERR_JSON_SYNTAX},
        {"[\"\x01\"]", NULL, ERR_JSON_SYNTAX},
        {"/* */ 1", NULL, ERR_JSON_SYNTAX},
        {"\xef\xbb\xbf{}", NULL, ERR_JSON_SYNTAX},
        {"[\"\xff\"]", NULL, ERR_UTF8},
        {"[\"\xed\xa0\x80\"]", NULL, ERR_UTF8},
        {"[\"\xc3\xa9\xc3", NULL, ERR_UTF8},
        {"{\"a\":1,\"a\":\"\xff\"}", NULL, ERR_JSON_DUPLICATE_KEY}, /* the first mistake is told */
        {"{\"a\":\"\xff\",\"a\":1}", NULL, ERR_UTF8},
    };
    CHECK_CASES(cases);
}
END_TEST

static void nest(char *at, size_t depth, const char *pair)
{
    memset(at, pair[0], depth);
    memset(at + depth, pair[1], depth);
    at[2 * depth] = 0;
}

START_TEST(depth)
{
    char text[200];
    struct plan *plan = plan_of(BODY_JSON, fields);
    nest(text, 64, "[]");
    check_case(plan, &(struct lines_case){text, text, ERR_NONE});
    nest(text, 65, "[]");
    check_case(plan, &(struct lines_case){text, NULL, ERR_JSON_DEPTH});
    plan_drop(plan);
}
END_TEST

START_TEST(fault_paths)
{
    static const struct {
        const char *in, *path;
        unsigned offset;
    } cases[] = {
        {"{\"cardNumber\":\"{{abc:detokenize}}\"}", "$.cardNumber", 14},
        {"{\"a\":[0,{\"b c\":\"\\ud800\"}]}", "$.a[1][\"b c\"]", 15},
        {"{\"a\":1,\"a\":2}", "$.a", 7},
        {"[1,2,x]", "$[1]", 5},
        {"{\"a\":{\"b\":1},\"c\":2} ,", "$", 20},
        {"\xff", "$", 0},
    };
    struct plan *plan = plan_of(BODY_JSON, fields);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome o = run_every_split(plan, slice_of(cases[i].in), card_pan());
        ck_assert_str_eq(o.fault.path, cases[i].path);
        ck_assert_uint_eq(o.fault.offset, cases[i].offset);
        outcome_done(&o);
    }
    plan_drop(plan);
}
END_TEST

/* Objects of many members: compared at first, sorted at the end. */
START_TEST(many_members)
{
    struct plan *plan = plan_of(BODY_JSON, fields);
    for (unsigned members = 1; members < 300; members += members < 40 ? 1 : 37) {
        struct buf text;
        buf_init(&text, 1 << 20);
        for (unsigned i = 0; i < members; i++) {
            ck_assert(!failed(buf_append(&text, i ? SLICE(",\"m") : SLICE("{\"m"))));
            ck_assert(!failed(buf_append_u64(&text, i)));
            ck_assert(!failed(buf_append(&text, SLICE("\":{\"m0\":0}"))));
        }
        size_t good = text.len;
        ck_assert(!failed(buf_append(&text, SLICE("}"))));
        struct outcome o = run_body(plan, buf_slice(&text), WHOLE, card_pan());
        ck_assert_int_eq(o.err, ERR_NONE);
        ck_assert(slice_eq(buf_slice(&o.out), buf_slice(&text)));
        outcome_done(&o);
        for (unsigned twice = 0; twice < members; twice += 1 + members / 7) {
            text.len = good;
            ck_assert(!failed(buf_append(&text, SLICE(",\"m"))));
            ck_assert(!failed(buf_append_u64(&text, twice)));
            ck_assert(!failed(buf_append(&text, SLICE("\":0}"))));
            o = run_body(plan, buf_slice(&text), -7, card_pan());
            ck_assert_int_eq(o.err, ERR_JSON_DUPLICATE_KEY);
            outcome_done(&o);
        }
        buf_done(&text);
    }
    plan_drop(plan);
}
END_TEST

RUN_TESTS("json_walker", placeholders, spellings_of_templates, numbers, bare_tokens, plain_text, refusals, depth, fault_paths, many_members)
