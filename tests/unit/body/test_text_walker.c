/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "help.h"

START_TEST(text)
{
    static const struct lines_case cases[] = {
        {"", ""},
        {"plain \xff { < } {{ x }} \0", "plain \xff { < } {{ x }} "},
        {"a {{TOKEN1:detokenize}} b <<TOKEN1:detokenize|extract:name>>", "a " PAN_TEXT " b ANA D'\xc3\x81VILA \"A\""},
        {"{{ TOKEN1 : detokenize", "{{ TOKEN1 : detokenize"},
        {"{{TOKEN1:detokenize|parse:integer}}", NULL, ERR_PLACEHOLDER_MIXED_NUMBER},
        {"x {{TOKEN1:wrong}}", NULL, ERR_PLACEHOLDER_KIND},
    };
    struct plan *plan = plan_of(BODY_TEXT, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(plan, &cases[i]);
    plan_drop(plan);
}
END_TEST

START_TEST(xml)
{
    static const struct lines_case cases[] = {
        {"<a><n>{{TOKEN1:detokenize|extract:card}}</n></a>", "<a><n>" PAN_TEXT "</n></a>"},
        {"<n a=\"{{TOKEN1:detokenize|extract:name}}\"/>", "<n a=\"ANA D&#39;\xc3\x81VILA &quot;A&quot;\"/>"},
        {"<![CDATA[ << ]]><b>{{</b>", "<![CDATA[ << ]]><b>{{</b>"},
    };
    struct plan *plan = plan_of(BODY_XML, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(plan, &cases[i]);
    plan_drop(plan);
}
END_TEST

/* A holder's name is the payer's: it must not end the string that it stands in. */
START_TEST(json_lines)
{
    static const struct lines_case cases[] = {
        {"{\"n\":\"{{TOKEN1:detokenize|extract:name}}\"}\n{\"p\":\"{{TOKEN1:detokenize}}\"}\n",
         "{\"n\":\"ANA D'\xc3\x81VILA \\\"A\\\"\"}\n{\"p\":\"" PAN_TEXT "\"}\n"},
    };
    struct plan *plan = plan_of(BODY_NDJSON, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(plan, &cases[i]);
    plan_drop(plan);
}
END_TEST

RUN_TESTS("text_walker", text, xml, json_lines)
