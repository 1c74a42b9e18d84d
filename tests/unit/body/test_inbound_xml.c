/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "inbound_help.h"

#include <string.h>

static const char rules[] = "field //Card/@No number\nfield //Card/No number\nfield //Card/@Exp expiry MMYY\nfield //Card/@Cvc cvc\n"
                            "field //Card/Name holder\nfield //Cvc cvc\n";

START_TEST(cards_by_rule)
{
    static const struct inbound_case cases[] = {
        {"<r><Card No='4111111111111111' Exp='1230' Cvc=\"123\"><Name> A &amp; \xc3\x81 </Name></Card></r>",
         "<r><Card No='alias_0' Exp='1230' Cvc=\"cvc_0\"><Name> A &amp; \xc3\x81 </Name></Card></r>", "4111111111111111 12/2030 [A & \xc3\x81] 123"},
        {"<r><x:Card xmlns:x='u'><x:No>\n 4111 1111-1111&#32;1111\r\n</x:No></x:Card></r>", "<r><x:Card xmlns:x='u'><x:No>\n alias_0\r\n</x:No></x:Card></r>",
         "4111111111111111"},
        {"<r><Card No='&#x34;111111111111111'/></r>", "<r><Card No='alias_0'/></r>", "4111111111111111"},
        {"<r><Card><No><![CDATA[4111111111111111]]></No></Card></r>", "<r><Card><No><![CDATA[alias_0]]></No></Card></r>", "4111111111111111"},
        {"<r><Card No='4111111111111111'/><Card No='5555555555554444' Cvc='1234'/></r>", "<r><Card No='alias_0'/><Card No='alias_1' Cvc='cvc_1'/></r>",
         "4111111111111111; 5555555555554444 1234"},
        {"<r><Card No='4111111111111111'/><Cvc>123</Cvc></r>", "<r><Card No='alias_0'/><Cvc>cvc_0</Cvc></r>", "4111111111111111 123"},
        {"<r><Card No=''/><Card><No> </No></Card></r>", "<r><Card No=''/><Card><No> </No></Card></r>", ""},
        {"<r><Card No='4111111111111112'/></r>", NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "/r/Card/@No"},
        {"<r><Card><No>12</No></Card></r>", NULL, NULL, ERR_INBOUND_CARD, INVALID_REFUSE, "/r/Card/No"},
        {"<r><Card No='411111111111&#49;112'/></r>", "<r><Card No='xxxxxxxxxxxx&#49;112'/></r>", "", ERR_NONE, INVALID_MASK},
        {"<r><t>4111111111111111</t></r>", "<r><t>4111111111111111</t></r>", ""}, /* nobody looks for it */
    };
    CHECK_INBOUND(BODY_XML, rules, cases);
}
END_TEST

static void check_found(slice charset, const char *in, const char *out, const char *cards, enum error err)
{
    struct plan *plan = plan_of(BODY_XML, rules);
    plan->find_pan = true;
    const struct inbound_options options = {.plan = plan, .max_held_bytes = 1 << 20, .max_cards = 10, .charset = charset};
    struct inbound_outcome o = run_inbound_every_split(&options, slice_of(in));
    ck_assert_msg(o.err == err, "%s: %s", in, error_name(o.err));
    if (out) {
        ck_assert_msg(slice_is(buf_slice(&o.out), out), "%.*s", SLICE_ARG(buf_slice(&o.out)));
        ck_assert_msg(slice_is(buf_slice(&o.cards), cards), "%.*s", SLICE_ARG(buf_slice(&o.cards)));
    }
    inbound_outcome_done(&o);
    plan_drop(plan);
}

START_TEST(numbers_anywhere)
{
    check_found(SLICE_NONE, "<?p 378282246310005?><r t='no 5555555555554444.'>x 4111-1111-1111-1111<!-- 5555555555554444 --></r>",
                "<?p alias_0?><r t='no alias_1.'>x alias_2<!-- alias_1 --></r>", "378282246310005; 5555555555554444; 4111111111111111", ERR_NONE);
    check_found(SLICE("ISO-8859-1"), "<r a='\xe9 4111111111111111'>\xe9\xe9 5555555555554444 \xe9<Card Exp='1230' No='4111111111111111'><Name>\xc1</Name></Card></r>",
                "<r a='\xe9 alias_0'>\xe9\xe9 alias_1 \xe9<Card Exp='1230' No='alias_0'><Name>\xc1</Name></Card></r>",
                "4111111111111111 12/2030 [\xc3\x81]; 5555555555554444", ERR_NONE);
    check_found(SLICE_NONE, "<r>4111111111<!-- -->111111</r>", NULL, NULL, ERR_XML_SPLIT);
    check_found(SLICE_NONE, "<!DOCTYPE r [<!ENTITY a '4111111111111111'>]><r>&a;</r>", NULL, NULL, ERR_XML_DOCTYPE);
    check_found(SLICE("utf-16"), "<r/>", NULL, NULL, ERR_XML_ENCODING);
    check_found(SLICE_NONE, "<r xmlns='urn:4111111111111111' xmlns:p='4111111111111111'><p:a>&#52;&#x31;11111111111111</p:a></r>",
                "<r xmlns='urn:alias_0' xmlns:p='alias_0'><p:a>alias_0</p:a></r>", "4111111111111111", ERR_NONE);
}
END_TEST

/* Before the root and behind it: each once, and whatever else is the document's is still seen. */
START_TEST(asides_around_the_root)
{
    check_found(SLICE_NONE, "<?xml version='1.0'?>\n<?p a 4111111111111111?><!-- 4111111111111111 -->\n<?q 5555555555554444?><r>4111111111111111</r>\n<?p 378282246310005?><!--5555555555554444-->",
                "<?xml version='1.0'?>\n<?p a alias_0?><!-- alias_0 -->\n<?q alias_1?><r>alias_0</r>\n<?p alias_2?><!--alias_1-->",
                "4111111111111111; 5555555555554444; 378282246310005", ERR_NONE);
    check_found(SLICE_NONE, "\xef\xbb\xbf<?p 4111111111111111?><r/>", "\xef\xbb\xbf<?p alias_0?><r/>", "4111111111111111", ERR_NONE);
}
END_TEST

START_TEST(what_is_no_place_for_a_number)
{
    static const char *const names[] = {"<r-.4111111111111111/>", "<r><a.4111-1111-1111-1111/></r>", "<r a.4111111111111111=''/>",
                                        "<r xmlns:a.4111111111111111='u'/>", "<?p.4111111111111111 x?><r/>", "<r><?p.4111111111111111?></r>"};
    static const char *const types[] = {"<!DOCTYPE r><r/>", "<!DOCTYPE r SYSTEM '4111111111111111'><r/>", "<!DOCTYPE r PUBLIC '4111111111111111' 'x'><r/>",
                                        "<!DOCTYPE r [<?p 4111111111111111?>]><r/>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) check_found(SLICE_NONE, names[i], NULL, NULL, ERR_XML_NAME);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) check_found(SLICE_NONE, types[i], NULL, NULL, ERR_XML_DOCTYPE);
}
END_TEST

/* Two attributes, one after the other, are two values: nothing of one is taken for the other. */
START_TEST(order_of_places)
{
    check_found(SLICE_NONE, "<r b='5555555555554444' a='4111111111111111'><s>378282246310005</s>6011000990139424</r>",
                "<r b='alias_0' a='alias_1'><s>alias_2</s>alias_3</r>", "5555555555554444; 4111111111111111; 378282246310005; 6011000990139424", ERR_NONE);
}
END_TEST

/* Outbound, rules with places for XML: the same walker looks for placeholders. */
START_TEST(outbound_by_rule)
{
    static const struct lines_case cases[] = {
        {"<r><Card No='{{TOKEN1:detokenize}}' Cvc='{{TOKEN1:detokenize}}' Exp='{{TOKEN1:detokenize}}'/></r>",
         "<r><Card No='" PAN_TEXT "' Cvc='123' Exp='0331'/></r>"},
        {"<r><x>&lt;&lt;TOKEN1:detokenize|extract:name&gt;&gt;</x></r>", "<r><x>ANA D&#39;\xc3\x81VILA &quot;A&quot;</x></r>"},
        {"<r>{{TOKEN1:detokenize}}</r", NULL, ERR_XML_CUT_OFF},
        {"<!DOCTYPE r PUBLIC '-//X//Y' 'http://127.0.0.1:1/x.dtd'><r>{{TOKEN1:detokenize}}</r>",
         "<!DOCTYPE r PUBLIC '-//X//Y' 'http://127.0.0.1:1/x.dtd'><r>" PAN_TEXT "</r>"},
        {"<!DOCTYPE r SYSTEM 'x'><r>&nbsp;</r>", NULL, ERR_XML_ENTITY},
        {"<!DOCTYPE r SYSTEM 'x'><r b='&nbsp;'/>", NULL, ERR_XML_ENTITY},
    };
    struct plan *plan = plan_of(BODY_XML, rules);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(plan, &cases[i]);
    plan_drop(plan);
}
END_TEST

/* A streamed body goes on as far as the walker is sure of it, and is the same in the end. */
START_TEST(streamed)
{
    static const char in[] = "<?xml version='1.0'?>\n<r><Card No='{{TOKEN1:detokenize}}'>text, much of it</Card><a/>{{TOKEN1:detokenize}}<b>x</b></r>\n";
    static const char out[] = "<?xml version='1.0'?>\n<r><Card No='" PAN_TEXT "'>text, much of it</Card><a/>" PAN_TEXT "<b>x</b></r>\n";
    struct plan *plan = plan_of(BODY_XML, rules);
    struct token_table *tokens = token_table_new(10, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = 64, .streamed = true};
    const struct credential *credentials[10] = {card_pan(), card_pan()};
    struct body *b = body_new(&options, tokens);
    struct buf rendered;
    bool done = false;
    size_t most = 0;
    buf_init(&rendered, 1024);
    for (size_t i = 0; i < sizeof in - 1; i++) {
        ck_assert_int_eq(body_feed(b, (slice){in + i, 1}).err, ERR_NONE);
        ck_assert_int_eq(body_drain(b, credentials, &rendered, &done).err, ERR_NONE);
        most = body_held_bytes(b) > most ? body_held_bytes(b) : most;
    }
    ck_assert_int_eq(body_end(b).err, ERR_NONE);
    ck_assert_int_eq(body_drain(b, credentials, &rendered, &done).err, ERR_NONE);
    ck_assert(done && most < 64);
    ck_assert_msg(slice_is(buf_slice(&rendered), out), "%.*s", SLICE_ARG(buf_slice(&rendered)));
    buf_done(&rendered);
    body_free(b);
    token_table_free(tokens);
    plan_drop(plan);
}
END_TEST

RUN_TESTS("inbound_xml", cards_by_rule, numbers_anywhere, asides_around_the_root, what_is_no_place_for_a_number, order_of_places, outbound_by_rule, streamed)
