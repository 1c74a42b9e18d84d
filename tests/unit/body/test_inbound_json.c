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

RUN_TESTS("inbound_json", numbers_by_rule, elements_of_one_object_are_one_card, expiries_that_cannot_be_read_are_left_out,
          half_an_expiry_is_none)
