/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "inbound_help.h"

#include <stdio.h>

static const char card[] = "field $..number number\nfield $..expiry expiry\nfield $..month exp_month\nfield $..year exp_year\n"
                           "field $..cvc cvc\nfield $..holder holder\n";

START_TEST(numbers_by_rule)
{
    static const struct inbound_case cases[] = {
        {"{\"number\":\"4111111111111111\"}", "{\"number\":\"alias_0\"}", "4111111111111111"},
        {"{ \"number\" : \"4111 1111-1111 1111\" , \"a\":1.0e2 }", "{ \"number\" : \"alias_0\" , \"a\":1.0e2 }", "4111111111111111"},
        {"{\"number\":\" 4111111111111111 \"}", "{\"number\":\" alias_0 \"}", "4111111111111111"},
        {"{\"number\":4111111111111111}", "{\"number\":\"alias_0\"}", "4111111111111111"},
        {"{\"number\":\"\\u0034111111111111\\u00311\\u0031\"}", "{\"number\":\"alias_0\"}", "4111111111111111"},
        {"{\"number\":\"\\u00e9\"}", NULL, NULL, ERR_INBOUND_CARD},
        {"{\"number\":\"\"}", "{\"number\":\"\"}", ""},
        {"{\"number\":\"  \"}", "{\"number\":\"  \"}", ""},
        {"{\"number\":null,\"cvc\":null,\"expiry\":null}", "{\"number\":null,\"cvc\":null,\"expiry\":null}", ""},
        {"{\"number\":true}", "{\"number\":true}", ""},
        {"[{\"number\":\"4111111111111111\"},{\"number\":\"5555555555554444\"}]", "[{\"number\":\"alias_0\"},{\"number\":\"alias_1\"}]",
         "4111111111111111; 5555555555554444"},
        {"{\"text\":\"4111111111111111\"}", "{\"text\":\"4111111111111111\"}", ""}, /* nobody looks for it */
        {"{\"number\":\"0000000000000000018\"}", "{\"number\":\"alias_0\"}", "0000000000000000018"}, /* of no brand: the rules say so */
        {"\"4111111111111111\"", "\"4111111111111111\"", ""},
    };
    CHECK_INBOUND(BODY_JSON, card, cases);
}
END_TEST

START_TEST(elements_of_one_object_are_one_card)
{
    static const struct inbound_case cases[] = {
        {"{\"number\":\"4111111111111111\",\"expiry\":\"12/30\",\"cvc\":\"123\",\"holder\":\"ANA \\u00c1\"}",
         "{\"number\":\"alias_0\",\"expiry\":\"12/30\",\"cvc\":\"cvc_0\",\"holder\":\"ANA \\u00c1\"}",
         "4111111111111111 12/2030 [ANA \xc3\x81] 123"},
        {"{\"cvc\":123,\"month\":3,\"year\":30,\"number\":\"4111111111111111\"}",
         "{\"cvc\":\"cvc_0\",\"month\":3,\"year\":30,\"number\":\"alias_0\"}", "4111111111111111 03/2030 123"},
        {"{\"card\":{\"number\":\"4111111111111111\",\"exp\":{\"month\":\"01\",\"year\":\"2031\"}},\"secret\":{\"cvc\":\"0123\"}}",
         "{\"card\":{\"number\":\"alias_0\",\"exp\":{\"month\":\"01\",\"year\":\"2031\"}},\"secret\":{\"cvc\":\"cvc_0\"}}",
         "4111111111111111 01/2031 0123"},
        {"[{\"number\":\"4111111111111111\",\"cvc\":\"111\"},{\"cvc\":\"222\",\"number\":\"5555555555554444\",\"expiry\":\"2029-01\"}]",
         "[{\"number\":\"alias_0\",\"cvc\":\"cvc_0\"},{\"cvc\":\"cvc_1\",\"number\":\"alias_1\",\"expiry\":\"2029-01\"}]",
         "4111111111111111 111; 5555555555554444 01/2029 222"},
        /* Could belong to either: a card of its own; an expiry is left out. */
        {"{\"a\":{\"number\":\"4111111111111111\"},\"b\":{\"number\":\"5555555555554444\"},\"cvc\":\"123\",\"expiry\":\"12/30\"}",
         "{\"a\":{\"number\":\"alias_0\"},\"b\":{\"number\":\"alias_1\"},\"cvc\":\"cvc_2\",\"expiry\":\"12/30\"}",
         "4111111111111111; 5555555555554444; 123"},
        {"{\"cvc\":\"123\",\"list\":[{\"number\":\"4111111111111111\"},{\"number\":\"5555555555554444\"}]}",
         "{\"cvc\":\"cvc_0\",\"list\":[{\"number\":\"alias_1\"},{\"number\":\"alias_2\"}]}", "123; 4111111111111111; 5555555555554444"},
        {"{\"cvc\":\"123\",\"expiry\":\"12/30\"}", "{\"cvc\":\"cvc_0\",\"expiry\":\"12/30\"}", "123"},
        /* A second CVC is no part of the card, the same once more is. */
        {"{\"number\":\"4111111111111111\",\"cvc\":\"123\",\"x\":{\"cvc\":\"456\"},\"y\":{\"cvc\":\"123\"}}",
         "{\"number\":\"alias_0\",\"cvc\":\"cvc_0\",\"x\":{\"cvc\":\"cvc_1\"},\"y\":{\"cvc\":\"cvc_0\"}}", "4111111111111111 123; 456"},
        /* One number twice is one card, unless what stands beside it differs. */
        {"[{\"number\":\"4111111111111111\",\"expiry\":\"12/30\"},{\"number\":\"4111111111111111\",\"cvc\":\"123\"}]",
         "[{\"number\":\"alias_0\",\"expiry\":\"12/30\"},{\"number\":\"alias_0\",\"cvc\":\"cvc_0\"}]", "4111111111111111 12/2030 123"},
        {"[{\"number\":\"4111111111111111\",\"cvc\":\"111\"},{\"number\":\"4111111111111111\",\"cvc\":\"222\"}]",
         "[{\"number\":\"alias_0\",\"cvc\":\"cvc_0\"},{\"number\":\"alias_1\",\"cvc\":\"cvc_1\"}]",
         "4111111111111111 111; 4111111111111111 222"},
        {"{\"a\":{\"number\":\"4111111111111111\"},\"b\":{\"number\":\"4111111111111111\"},\"cvc\":\"123\"}",
         "{\"a\":{\"number\":\"alias_0\"},\"b\":{\"number\":\"alias_0\"},\"cvc\":\"cvc_0\"}", "4111111111111111 123"},
    };
    CHECK_INBOUND(BODY_JSON, card, cases);
}
END_TEST

START_TEST(expiries_that_cannot_be_read_are_left_out)
{
    static const char *const none[] = {"\"13/30\"", "\"0/30\"", "\"12/1999\"", "\"122030\"", "\"\"", "\"soon\"", "1230.5", "\"1/30\"", "null"};
    static const char *const good[] = {"\"12/30\"", "\"12/2030\"", "\"1230\"", "1230", "\"2030-12\"", "\"2030/12\"", "\"12-30\"", "\" 12/30 \""};
    struct plan *plan = plan_of(BODY_JSON, card);
    char in[128], out[128];
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        snprintf(in, sizeof in, "{\"number\":\"4111111111111111\",\"expiry\":%s}", none[i]);
        snprintf(out, sizeof out, "{\"number\":\"alias_0\",\"expiry\":%s}", none[i]);
        check_inbound_case(plan, &(struct inbound_case){in, out, "4111111111111111", ERR_NONE, INVALID_REFUSE, NULL});
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(in, sizeof in, "{\"number\":\"4111111111111111\",\"expiry\":%s}", good[i]);
        check_inbound_case(plan, &(struct inbound_case){in, NULL, "4111111111111111 12/2030", ERR_NONE, INVALID_REFUSE, NULL});
    }
    plan_drop(plan);
}
END_TEST

START_TEST(half_an_expiry_is_none)
{
    static const struct inbound_case cases[] = {
        {"{\"number\":\"4111111111111111\",\"month\":\"12\"}", NULL, "4111111111111111"},
        {"{\"number\":\"4111111111111111\",\"month\":\"12\",\"year\":\"x\"}", NULL, "4111111111111111"},
        {"{\"number\":\"4111111111111111\",\"month\":12,\"year\":2030}", NULL, "4111111111111111 12/2030"},
    };
    CHECK_INBOUND(BODY_JSON, card, cases);
}
END_TEST

#define P "4111111111111111"
#define UUID "9b2fdc0e-4a53-4c1b-9f0c-1d2e3f405162"

START_TEST(numbers_by_scan)
{
    static const struct inbound_case cases[] = {
        {"{\"a\":\"card 4111 1111 1111 1111 12 25, and 5555-5555-5555-4444.\"}", "{\"a\":\"card alias_0 12 25, and alias_1.\"}",
         P "; 5555555555554444"},
        {"{\"a\":\"\\t4111\\u00201111 \\u0031111 11\\u00311\\n\"}", "{\"a\":\"\\talias_0\\n\"}", P},
        {"{\"a\":\"\\u00e9\\ud83d\\ude00 " P "\\/5555555555554444\\\"\"}", "{\"a\":\"\\u00e9\\ud83d\\ude00 alias_0\\/alias_1\\\"\"}",
         P "; 5555555555554444"},
        {"[" P ",-" P "," P ".0,4.1e9]", "[\"alias_0\",\"alias_0\",\"alias_0\",4.1e9]", P},
        {"[" P "e0,4.111111111111111E15,-41111111111111110e-1," P ".25]", "[\"alias_0\",\"alias_0\",\"alias_0\"," P ".25]", P},
        {"{\"url\":\"https://x/?n=4111%201111%201111%201111\\u0026m=" P "\"}", "{\"url\":\"https://x/?n=alias_0\\u0026m=alias_0\"}", P},
        {"{\"url\":\"%34111%31\\u00311111111111 \\u002534111111111111111\"}", "{\"url\":\"alias_0 alias_0\"}", P},
        {"{\"fop\":\"VI" P "EXP1225\"}", "{\"fop\":\"VIalias_0EXP1225\"}", P},
        {"{\"" P "\":\"" P "\",\"b\":{\"x " P "\":1}}", "{\"alias_0\":\"alias_0\",\"b\":{\"x alias_0\":1}}", P},
        {"\"" P "\"", "\"alias_0\"", P},
        {P, "\"alias_0\"", P},
        {"{\"track\":\"%B" P "^ANA^3012?;" P "=3012?\"}", "{\"track\":\"%Balias_0^ANA^3012?;alias_0=3012?\"}", P},
        {"{\"in\":\"{\\\"number\\\":\\\"" P "\\\"}\"}", "{\"in\":\"{\\\"number\\\":\\\"alias_0\\\"}\"}", P},
        {"{\"a\":\"" UUID "\",\"b\":\"411111AbCdEf1111\",\"c\":\"4111111234561111\"}", NULL, ""},
    };
    CHECK_INBOUND(BODY_JSON, "find", cases);
}
END_TEST

START_TEST(rules_and_scan_together)
{
    static const struct inbound_case cases[] = {
        /* The number that the rules name takes what stands beside it, whatever else looks like one. */
        {"{\"number\":\"" P "\",\"cvc\":\"123\",\"note\":\"was 5555555555554444\"}",
         "{\"number\":\"alias_0\",\"cvc\":\"cvc_0\",\"note\":\"was alias_1\"}", P " 123; 5555555555554444"},
        {"{\"note\":\"was 5555555555554444\",\"cvc\":\"123\",\"card\":{\"number\":\"" P "\"}}",
         "{\"note\":\"was alias_0\",\"cvc\":\"cvc_1\",\"card\":{\"number\":\"alias_1\"}}", "5555555555554444; " P " 123"},
        {"{\"note\":\"" P "\",\"cvc\":\"123\",\"card\":{\"number\":\"" P "\"}}",
         "{\"note\":\"alias_0\",\"cvc\":\"cvc_0\",\"card\":{\"number\":\"alias_0\"}}", P " 123"},
        {"{\"text\":\"" P "\",\"cvc\":\"123\",\"expiry\":\"12/30\"}", "{\"text\":\"alias_0\",\"cvc\":\"cvc_0\",\"expiry\":\"12/30\"}",
         P " 12/2030 123"},
        {"{\"text\":\"" P "\",\"more\":\"5555555555554444\",\"cvc\":\"123\"}", "{\"text\":\"alias_0\",\"more\":\"alias_1\",\"cvc\":\"cvc_2\"}",
         P "; 5555555555554444; 123"},
        /* A number met before keeps what stood beside it there, and takes nothing from elsewhere. */
        {"[{\"number\":\"" P "\",\"cvc\":\"123\"},\"5555555555554444\",\"" P "\",{\"a\":\"" P "\",\"cvc\":\"456\"}]",
         "[{\"number\":\"alias_0\",\"cvc\":\"cvc_0\"},\"alias_1\",\"alias_0\",{\"a\":\"alias_2\",\"cvc\":\"cvc_2\"}]",
         P " 123; 5555555555554444; " P " 456"},
        /* A number in the holder's field is no name. */
        {"{\"number\":\"" P "\",\"holder\":\"5555555555554444\"}", "{\"number\":\"alias_0\",\"holder\":\"alias_1\"}",
         P "; 5555555555554444"},
        {"{\"number\":\"x 5555555555554444\"}", "{\"number\":\"x alias_0\"}", "5555555555554444", ERR_NONE, INVALID_PASS},
    };
    char rules[512];
    snprintf(rules, sizeof rules, "%sfind", card);
    CHECK_INBOUND(BODY_JSON, rules, cases);
}
END_TEST

START_TEST(tokens_stay_at_ruled_fields)
{
    static const char *const tokens[] = {UUID, "tok_" UUID, "AbCdEfGh12345678AbCdEfGh12345678", "411111AbCdEf1111", "41111111ABCD1111",
                                         "7LHXscqw_-7LHXscqw", "tmp_" UUID, "123456-a",
                                         /* A UUID's digits are chance, check digit or not. */
                                         "9b2fdc0e-4a53-4c1b-9f0c-501800000009", "tok_41111111-0000-4111-9f0c-1d2e3f405162", "tok4_41111111-0000-4111-9F0C-1D2E3F405162_1", "cus_4111-1111-1111-1112", "4111-1111-y-1111-1111",
                                         "tok_20261126-145011-123456"};
    struct plan *plan = plan_of(BODY_JSON, card);
    char in[128];
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        snprintf(in, sizeof in, "{\"number\":\"%s\",\"cvc\":\"tmp_" UUID "\"}", tokens[i]);
        check_inbound_case(plan, &(struct inbound_case){in, in, "", ERR_NONE, INVALID_REFUSE, NULL});
    }
    plan_drop(plan);
}
END_TEST

START_TEST(invalid_numbers_follow_the_policy)
{
    static const struct {
        const char *value, *masked;
    } cases[] = {
        {"\"4111111111111112\"", "\"xxxxxxxxxxxx1112\""},
        {"\"4111 1111 1111 1112\"", "\"xxxx xxxx xxxx 1112\""},
        {"\"4111 1111\\u002d1\\u00311\"", "\"xxxx xxx1\\u002d1\\u00311\""}, /* the last four digits as they stand */
        {"\"411111******1111\"", "\"xxxxxx******1111\""},
        {"\"411111xxxxxx1111\"", "\"xxxxxxxxxxxx1111\""},
        {"\"4111111111111111, 12/30\"", "\"xxxxxxxxxxxxxxxx, 12/30\""}, /* nothing but a number */
        {"\"PAN4111111111111111\"", "\"PANxxxxxxxxxxxx1111\""}, /* else it would have the form of a token */
        {"\"CC_4111-1111-1111-1111\"", "\"CC_xxxx-xxxx-xxxx-1111\""},
        {"\"VISA4111-1111-1111-1111\"", "\"VISAxxxx-xxxx-xxxx-1111\""},
        {"\"a1-4111_1111_1111_1111-x9\"", "\"ax-xxxx_xxxx_xxxx_x111-x9\""},
        {"\"tok_41111111-1111-1111-1111-000000000000\"", "\"tok_xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxx0000\""}, /* a UUID of no version */
        {"\";4111111111111111=25122010000012345?\"", "\";xxxxxxxxxxxxxxxx=xxxxxxxxxxxxxxxxx?\""}, /* the last digits are the track's */
        {"\"PAN-4111-1111-1111-1111\"", "\"PAN-xxxx-xxxx-xxxx-1111\""},
        {"\"0000000000000000\"", "\"xxxxxxxxxxxx0000\""},
        {"\"41111111111111111111\"", "\"xxxxxxxxxxxxxxxx1111\""},
        {"\"123\"", "\"123\""},
        {"\"n/a\"", "\"n/a\""},
        {"4111111111111112", "\"xxxxxxxxxxxx1112\""},
        {"-41111111.5e10", "\"-xxxxxxx1.5e10\""},
    };
    struct plan *plan = plan_of(BODY_JSON, card);
    char in[128], out[128];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(in, sizeof in, "{\"a\":[{\"number\":%s}]}", cases[i].value);
        snprintf(out, sizeof out, "{\"a\":[{\"number\":%s}]}", cases[i].masked);
        check_inbound_case(plan, &(struct inbound_case){in, NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "$.a[0].number"});
        check_inbound_case(plan, &(struct inbound_case){in, in, "", ERR_NONE, INVALID_PASS, ""});
        check_inbound_case(plan, &(struct inbound_case){in, out, "", ERR_NONE, INVALID_MASK, ""});
    }
    plan_drop(plan);
}
END_TEST

START_TEST(invalid_cvcs_follow_the_policy)
{
    static const char *const values[] = {"\"12\"", "\"12345\"", "\"12a\"", "12", "1.5", "\"***\"", "\"" UUID "\""};
    static const char *const masked[] = {"\"xx\"", "\"xxxxx\"", "\"xxa\"", "\"xx\"", "\"x.x\"", "\"***\"",
                                         "\"xbxfdcxe-xaxx-xcxb-xfxc-xdxexfxxxxxx\""};
    struct plan *plan = plan_of(BODY_JSON, card);
    char in[128], out[128];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(in, sizeof in, "{\"cvc\":%s}", values[i]);
        snprintf(out, sizeof out, "{\"cvc\":%s}", masked[i]);
        check_inbound_case(plan, &(struct inbound_case){in, NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "$.cvc"});
        check_inbound_case(plan, &(struct inbound_case){in, in, "", ERR_NONE, INVALID_PASS, ""});
        check_inbound_case(plan, &(struct inbound_case){in, out, "", ERR_NONE, INVALID_MASK, ""});
    }
    plan_drop(plan);
}
END_TEST

START_TEST(invalid_values_are_counted)
{
    struct plan *plan = plan_of(BODY_JSON, card);
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 4096, .max_cards = 10, .invalid = INVALID_MASK};
    struct inbound_outcome o = run_inbound_every_split(&options, SLICE("[{\"number\":\"1\"},{\"cvc\":1},{\"number\":\"" P "\"}]"));
    ck_assert_int_eq(o.err, ERR_NONE);
    ck_assert_uint_eq(o.invalid, 2);
    ck_assert_uint_eq(o.count, 1);
    inbound_outcome_done(&o);
    plan_drop(plan);
}
END_TEST

/* A list or an object where the rules expect a number. */
START_TEST(what_stands_below_a_number_is_one)
{
    static const struct inbound_case cases[] = {
        {"{\"number\":[\"" P "\",{\"x\":{\"y\":5555555555554444}}]}", "{\"number\":[\"alias_0\",{\"x\":{\"y\":\"alias_1\"}}]}",
         P "; 5555555555554444"},
        {"{\"number\":{\"value\":\"4111\"}}", NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "$.number.value"},
        {"{\"cvc\":{\"a\":\"123\"},\"b\":\"123\"}", "{\"cvc\":{\"a\":\"cvc_0\"},\"b\":\"123\"}", "123"},
        {"{\"number\":{\"cvc\":\"123\",\"number\":\"" P "\"}}", "{\"number\":{\"cvc\":\"cvc_0\",\"number\":\"alias_0\"}}", P " 123"},
        {"{\"holder\":{\"x\":\"12\"}}", "{\"holder\":{\"x\":\"12\"}}", ""},
    };
    CHECK_INBOUND(BODY_JSON, card, cases);
}
END_TEST

START_TEST(refusals)
{
    static const struct inbound_case cases[] = {
        {"{\"number\":\"" P "\"", NULL, NULL, ERR_JSON_CUT_OFF},
        {"{\"number\":\"" P "\"}x", NULL, NULL, ERR_JSON_TRAILING},
        {"{\"number\":\"" P "\",\"number\":\"1\"}", NULL, NULL, ERR_JSON_DUPLICATE_KEY, INVALID_REFUSE, "$.number"},
        {"{\"a\":\"\\ud800\"}", NULL, NULL, ERR_JSON_SURROGATE, INVALID_REFUSE, "$.a"},
        {"{\"\\udc00\":1}", NULL, NULL, ERR_JSON_SURROGATE},
        {"{\"number\":\"\xff\"}", NULL, NULL, ERR_UTF8},
        {" ", NULL, NULL, ERR_JSON_CUT_OFF},
        {"{\"4111111111111111\":{\"a\":tru}}", NULL, NULL, ERR_JSON_SYNTAX, INVALID_REFUSE, ""}, /* the path would tell the number */
        {"{\"a\":\"{{x:y}} << TOKEN1:detokenize >>\"}", "{\"a\":\"{{x:y}} << TOKEN1:detokenize >>\"}", ""}, /* nobody fills those */
    };
    CHECK_INBOUND(BODY_JSON, card, cases);
}
END_TEST

static enum error run_with_most(const struct plan *plan, size_t max_cards, slice in)
{
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 4096, .max_cards = max_cards};
    struct inbound_outcome o = run_inbound_every_split(&options, in);
    inbound_outcome_done(&o);
    return o.err;
}

START_TEST(cards_are_counted)
{
    struct plan *plan = plan_of(BODY_JSON, card);
    slice two = SLICE("[{\"number\":\"" P "\"},{\"number\":\"5555555555554444\"}]"), cvcs = SLICE("[{\"cvc\":\"123\"},{\"cvc\":\"124\"}]");
    slice same = SLICE("[{\"number\":\"" P "\"},{\"number\":\"" P "\"}]"), mixed = SLICE("[{\"number\":\"" P "\"},{\"cvc\":\"124\"},{\"cvc\":\"125\"}]");
    ck_assert_int_eq(run_with_most(plan, 2, two), ERR_NONE);
    ck_assert_int_eq(run_with_most(plan, 1, two), ERR_INBOUND_COUNT);
    ck_assert_int_eq(run_with_most(plan, 2, cvcs), ERR_NONE);
    ck_assert_int_eq(run_with_most(plan, 1, cvcs), ERR_INBOUND_COUNT);
    ck_assert_int_eq(run_with_most(plan, 2, mixed), ERR_NONE); /* the first belongs to the number */
    ck_assert_int_eq(run_with_most(plan, 2, same), ERR_NONE);
    plan_drop(plan);
}
END_TEST

START_TEST(an_alias_of_digits_is_a_bare_number)
{
    static const struct {
        const char *alias, *out;
        enum error err;
    } cases[] = {
        {"4111112222221111", "[4111112222221111]", ERR_NONE}, {"0111112222221111", "[\"0111112222221111\"]", ERR_NONE},
        {"tok_1", "[\"tok_1\"]", ERR_NONE},                   {"", NULL, ERR_INTERNAL},
        {"a\"b", NULL, ERR_INTERNAL},                         {"a b", NULL, ERR_INTERNAL},
    };
    struct plan *plan = plan_of(BODY_JSON, "find");
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 4096, .max_cards = 10};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inbound *b = inbound_new(&options);
        struct buf out;
        buf_init(&out, 4096);
        ck_assert(!failed(inbound_feed(b, SLICE("[" P "]"))) && !failed(inbound_end(b)));
        ck_assert_int_eq(inbound_render(b, &(struct inbound_alias){.number = slice_of(cases[i].alias)}, &out).err, cases[i].err);
        if (cases[i].out) ck_assert(slice_is(buf_slice(&out), cases[i].out));
        buf_done(&out);
        inbound_free(b);
    }
    plan_drop(plan);
}
END_TEST

START_TEST(brands_are_told)
{
    struct plan *plan = plan_of(BODY_JSON, "find");
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 4096, .max_cards = 10};
    struct inbound *b = inbound_new(&options);
    ck_assert(!failed(inbound_feed(b, SLICE("[\"378282246310005\"]"))) && !failed(inbound_end(b)));
    ck_assert_int_eq(inbound_card(b, 0)->brand, BRAND_AMEX);
    inbound_free(b);
    plan_drop(plan);
}
END_TEST

/* Escapes are followed once, not from the start of the string for each number: a megabyte of them would take minutes. */
START_TEST(many_numbers_in_one_escaped_string)
{
    enum { COUNT = 60000 };
    struct buf in;
    struct plan *plan = plan_of(BODY_JSON, "find");
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 8u << 20, .max_cards = 10};
    buf_init(&in, 8u << 20);
    ck_assert(!failed(buf_append(&in, SLICE("\"\\n"))));
    for (size_t i = 0; i < COUNT; i++) ck_assert(!failed(buf_append(&in, SLICE(P " "))));
    ck_assert(!failed(buf_append(&in, SLICE("\""))));
    struct inbound_outcome o = run_inbound_with(&options, buf_slice(&in), WHOLE);
    ck_assert_int_eq(o.err, ERR_NONE);
    ck_assert_uint_eq(o.count, 1);
    ck_assert_uint_eq(o.out.len, 4 + COUNT * 8);
    inbound_outcome_done(&o);
    buf_done(&in);
    plan_drop(plan);
}
END_TEST

RUN_TESTS("inbound_json", numbers_by_rule, elements_of_one_object_are_one_card, expiries_that_cannot_be_read_are_left_out,
          half_an_expiry_is_none, numbers_by_scan, rules_and_scan_together, tokens_stay_at_ruled_fields,
          invalid_numbers_follow_the_policy, invalid_cvcs_follow_the_policy, invalid_values_are_counted,
          what_stands_below_a_number_is_one, refusals, cards_are_counted, an_alias_of_digits_is_a_bare_number, brands_are_told,
          many_numbers_in_one_escaped_string)
