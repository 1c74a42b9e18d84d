/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "inbound_help.h"

#define P "4111111111111111"
static const char card[] = "field card[number] number\nfield $EXP expiry\nfield $CVC cvc\nfield holder holder\n";

START_TEST(by_rule)
{
    static const struct inbound_case cases[] = {
        {"a=1&card[number]=" P "&$CVC=123&$EXP=12%2F30&holder=ANA+B%C3%81", "a=1&card[number]=alias_0&$CVC=cvc_0&$EXP=12%2F30&holder=ANA+B%C3%81",
         P " 12/2030 [ANA B\xc3\x81] 123"},
        {"card%5Bnumber%5d=4111+1111%201111-%31111&", "card%5Bnumber%5d=alias_0&", P},
        {"card[number]=+" P "+", "card[number]=+alias_0+", P},
        {"card[number]&card[number]=&card[number]=%20", "card[number]&card[number]=&card[number]=%20", ""},
        {"card[number]=" P "&card%5Bnumber]=" P, "card[number]=alias_0&card%5Bnumber]=alias_0", P}, /* inbound a field may stand twice */
        {"card[number]=" P "&card[number]=5555555555554444&$CVC=123", "card[number]=alias_0&card[number]=alias_1&$CVC=cvc_2",
         P "; 5555555555554444; 123"},
        {"a=" P, "a=" P, ""},
        {"", "", ""},
        {"&&=&a", "&&=&a", ""},
        {"{{TOKEN1:detokenize}}={{x:y}}", "{{TOKEN1:detokenize}}={{x:y}}", ""},
    };
    CHECK_INBOUND(BODY_FORM, card, cases);
}
END_TEST

START_TEST(by_scan)
{
    static const struct inbound_case cases[] = {
        {"a=x%20" P "+y&b=5555+5555-5555+4444", "a=x%20alias_0+y&b=alias_1", P "; 5555555555554444"},
        {"a=%2b378282246310005&b=%30.4111111111111111", "a=%2b378282246310005&b=%30.4111111111111111", ""},
        {"a=%2b" P "&b=http%3a%2f%2fx%3fn%3d4111%252d1111%252d1111%252d1111", "a=%2balias_0&b=http%3a%2f%2fx%3fn%3dalias_0", P},
        {"a=%344111111111111111", "a=%344111111111111111", ""},
        {"a=%3411111111111111%31%26", "a=alias_0%26", P},
        {P "=1&x+" P, "alias_0=1&x+alias_0", P},
        {"json=%7B%22n%22%3A%22" P "%22%7D", "json=%7B%22n%22%3A%22alias_0%22%7D", P},
    };
    CHECK_INBOUND(BODY_FORM, "find", cases);
}
END_TEST

START_TEST(invalid_values)
{
    static const struct inbound_case cases[] = {
        {"a=1&card[number]=4111111111111112", NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "card[number]"},
        {"card[number]=41%311+111111111112&b", "card[number]=xxxx+xxxxxxxx1112&b", "", ERR_NONE, INVALID_MASK},
        {"card[number]=4111111111111112", "card[number]=4111111111111112", "", ERR_NONE, INVALID_PASS},
        {"card[number]=9b2fdc0e-4a53-4c1b-9f0c-1d2e3f405162", "card[number]=9b2fdc0e-4a53-4c1b-9f0c-1d2e3f405162", ""},
        {"a=%4", NULL, NULL, ERR_FORM_SYNTAX, INVALID_REFUSE, "a"},
        {"a=1&b=%zz&c", NULL, NULL, ERR_FORM_SYNTAX, INVALID_REFUSE, "b"},
        {P "%2=1", NULL, NULL, ERR_FORM_SYNTAX, INVALID_REFUSE, ""}, /* the path would tell the number */
    };
    CHECK_INBOUND(BODY_FORM, card, cases);
}
END_TEST

RUN_TESTS("inbound_form", by_rule, by_scan, invalid_values)
