/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "inbound_help.h"

#define P "4111111111111111"
#define Q "5555555555554444"
static const char card[] = "field pan number\nfield exp expiry\nfield cvc cvc\nfield card~holder holder\n";

START_TEST(each_row_is_a_card)
{
    static const struct inbound_case cases[] = {
        {"id,pan,exp,cvc\r\n1," P ",12/30,123\r\n2," Q ",01/29,456\r\n", "id,pan,exp,cvc\r\n1,alias_0,12/30,cvc_0\r\n2,alias_1,01/29,cvc_1\r\n",
         P " 12/2030 123; " Q " 01/2029 456"},
        {"pan\n" P, "pan\nalias_0", P},           /* no newline at the end */
        {"pan\r" P "\r", "pan\ralias_0\r", P},
        {"pan\n\n" P "\n\n", "pan\n\nalias_0\n\n", P},
        {"\xef\xbb\xbfpan,x\n" P ",1\n", "\xef\xbb\xbfpan,x\nalias_0,1\n", P},
        {"\xef\xbb\xbf\"pan\",x\n" P ",1\n", "\xef\xbb\xbf\"pan\",x\nalias_0,1\n", P},
        {"cvc, pan ,cvc\n123," P ",123\n", "cvc, pan ,cvc\ncvc_0,alias_0,cvc_0\n", P " 123"},
        {"exp;pan;cvc\n12/30;" P ";123\n", "exp;pan;cvc\n12/30;alias_0;cvc_0\n", P " 12/2030 123"},
        {"exp\tpan\n\t" P "\n", "exp\tpan\n\talias_0\n", P},
        {"pan,cvc\n" P "\n,999\n" Q ",1 2\n", NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "cvc"},
        {"pan,cvc\n" P ",,5555555555554444\n,999\n", "pan,cvc\nalias_0,,5555555555554444\n,cvc_1\n", P "; 999"},
        /* Rows have nothing to do with each other, though only one has a number. */
        {"pan,cvc,exp\n" P ",,\n,999,12/30\n", "pan,cvc,exp\nalias_0,,\n,cvc_1,12/30\n", P "; 999"},
        {"", "", ""},
        {"\n", "\n", ""},
        {"pan", "pan", ""},
    };
    CHECK_INBOUND(BODY_CSV, card, cases);
}
END_TEST

START_TEST(quoted_fields)
{
    static const struct inbound_case cases[] = {
        {"\"pan\",\"card holder\"\n\"" P "\",\"B, \"\"ANA\"\"\"\n", "\"pan\",\"card holder\"\n\"alias_0\",\"B, \"\"ANA\"\"\"\n",
         P " [B, \"ANA\"]"},
        {"a,pan\n\"x\r\ny\",\"" P "\"\n", "a,pan\n\"x\r\ny\",\"alias_0\"\n", P}, /* a newline inside */
        {"pan,\"p\"\"an\"\"\"\n1234567a," P "\n", "pan,\"p\"\"an\"\"\"\n1234567a," P "\n", ""},
        {"pan\n\"\"\n\"\"\"\"\n", NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "pan"},
        {"pan\n\"\"\n", "pan\n\"\"\n", ""},
        {"pan\n\"" P "\"x\n", NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "pan"}, /* not quoted as RFC 4180 says: it stays as it is */
        {"pan\n\"" P "\n", NULL, NULL, ERR_CSV_SYNTAX},
        {"pan\n1\"2\"3,\"\n", NULL, NULL, ERR_CSV_SYNTAX},
        {"pan,\"\"\n\"4111 1111 1111 1111\",\"\"\n", "pan,\"\"\n\"alias_0\",\"\"\n", P},
    };
    CHECK_INBOUND(BODY_CSV, card, cases);
}
END_TEST

START_TEST(the_first_row_shows_what_separates)
{
    static const struct inbound_case cases[] = {
        {"exp|pan|cvc\n12/30|" P "|123\n", "exp|pan|cvc\n12/30|alias_0|cvc_0\n", P " 12/2030 123"},
        {"name, first|pan\na, b|" P "\n", "name, first|pan\na, b|alias_0\n", P},
        {"a;b,pan,cvc\n1;2," P ",123\n", "a;b,pan,cvc\n1;2,alias_0,cvc_0\n", P " 123"},
        {"cvc;a,b;pan\n123;," P ";" Q "\n", "cvc;a,b;pan\ncvc_0;," P ";alias_0\n", Q " 123"},
        {"pan\n" P "|123\n", NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "pan"}, /* not as the first row shows */
        {"pan,s|\"5\n" P ",1\n" P ",\"\n", NULL, NULL, ERR_CSV_SYNTAX}, /* one row with '|', three with ',' */
    };
    CHECK_INBOUND(BODY_CSV, card, cases);
}
END_TEST

START_TEST(no_column_of_the_rules)
{
    static const struct inbound_case cases[] = {
        {P ",12/30\n", NULL, NULL, ERR_CSV_HEADER, INVALID_REFUSE, "pan"},
        {"id,card\n1," P "\n", NULL, NULL, ERR_CSV_HEADER, INVALID_PASS, "pan"},
        {"pan:cvc\n" P ":123\n", NULL, NULL, ERR_CSV_HEADER},
        {"exp,cvc\n12/30,123\n", NULL, NULL, ERR_CSV_HEADER}, /* where are the numbers? */
        {"sep=;\npan;cvc\n" P ";123\n", NULL, NULL, ERR_CSV_HEADER},
    };
    static const struct inbound_case other[] = {
        {"x,cvc\n1,123\n", "x,cvc\n1,cvc_0\n", "123"},
        {"x,y\n1,123\n", NULL, NULL, ERR_CSV_HEADER, INVALID_REFUSE, "cvc, code"},
    };
    CHECK_INBOUND(BODY_CSV, card, cases);
    CHECK_INBOUND(BODY_CSV, "field cvc cvc\nfield code cvc\n", other);
}
END_TEST

START_TEST(by_scan)
{
    static const struct inbound_case cases[] = {
        {"id,note\n1,\"say \"\"" P "\"\" or " Q "\"\n", "id,note\n1,\"say \"\"alias_0\"\" or alias_1\"\n", P "; " Q},
        {P ",1\n" Q "\n", "alias_0,1\nalias_1\n", P "; " Q}, /* no row of names */
        {"a,b\n4111,111111111111\n", "a,b\n4111,111111111111\n", ""},
    };
    CHECK_INBOUND(BODY_CSV, "find", cases);
}
END_TEST

START_TEST(masking)
{
    static const struct inbound_case cases[] = {
        {"pan,x\n\"4111\"\"1111 1111 1112\",2\n", "pan,x\n\"xxxx\"\"xxxx xxxx 1112\",2\n", "", ERR_NONE, INVALID_MASK},
    };
    CHECK_INBOUND(BODY_CSV, card, cases);
}
END_TEST

RUN_TESTS("inbound_csv", each_row_is_a_card, quoted_fields, the_first_row_shows_what_separates, no_column_of_the_rules, by_scan, masking)
