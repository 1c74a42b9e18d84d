/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "help.h"

#define CARD "\"number\":\"{{TOKEN1:detokenize}}\""
#define SENT "\"number\":\"" NETWORK_NUMBER_TEXT "\""
#define KEPT "\"number\":\"" PAN_TEXT "\""
#define CRYPT "\"cryptogram\":\"" CRYPTOGRAM_TEXT "\""

struct edit_case {
    const char *in, *token; /* what goes out with a network token; with the PAN only the number changes */
};

/* With the PAN, edits change nothing. */
static void check_pan(const struct plan *plan, const char *in)
{
    struct plan *bare = plan_of(plan->format, "field $.number number\nfield $.x.number number");
    struct outcome with = run_every_split(plan, slice_of(in), card_pan()), without = run_body(bare, slice_of(in), 0, card_pan());
    ck_assert_int_eq(with.err, ERR_NONE);
    ck_assert(slice_eq(buf_slice(&with.out), buf_slice(&without.out)));
    outcome_done(&with);
    outcome_done(&without);
    plan_drop(bare);
}

static void check_edits(const char *rules, const struct edit_case *cases, size_t count)
{
    struct plan *plan = plan_of(BODY_JSON, rules);
    for (size_t i = 0; i < count; i++) {
        struct outcome o = run_every_split(plan, slice_of(cases[i].in), card_network_token());
        ck_assert_msg(o.err == ERR_NONE, "%s: %s", cases[i].in, error_name(o.err));
        ck_assert_msg(slice_is(buf_slice(&o.out), cases[i].token), "%s\n gives %.*s\n   not %s", cases[i].in,
                      SLICE_ARG(buf_slice(&o.out)), cases[i].token);
        outcome_done(&o);
        check_pan(plan, cases[i].in);
    }
    plan_drop(plan);
}
#define CHECK_EDITS(rules, cases) check_edits(rules, cases, sizeof(cases) / sizeof *(cases))

START_TEST(dropping)
{
    static const struct edit_case cases[] = {
        {"{\"cvc\":\"123\"," CARD "}", "{" SENT "}"},
        {"{" CARD ",\"cvc\":\"123\"}", "{" SENT "}"},
        {"{" CARD ",\"cvc\":\"123\",\"b\":2}", "{" SENT ",\"b\":2}"},
        {"{\"x\":{\"cvc\":1}," CARD "}", "{\"x\":{\"cvc\":1}," SENT "}"}, /* another path */
        {"{ \"cvc\" : \"123\" ,\n  " CARD " }", "{ " SENT " }"},
        {"{ " CARD " ,\n  \"cvc\" : \"123\"\n}", "{ " SENT "\n}"},
        {"{ " CARD " , \"cvc\" : \"123\" , \"b\" : 2 }", "{ " SENT " , \"b\" : 2 }"},
        {"{\"cvc\":1,\"cvc2\":2," CARD "}", "{" SENT "}"}, /* two at the front */
        {"{" CARD ",\"cvc\":1,\"cvc2\":2}", "{" SENT "}"},
        {"{\"cvc\":1," CARD ",\"cvc2\":2}", "{" SENT "}"},
        {"{\"cvc\":1," CARD ",\"cvc2\":2,\"z\":0}", "{" SENT ",\"z\":0}"},
        {"{\"cvc\":{\"a\":[1,\"{{TOKEN1:detokenize}}\",{}]}," CARD "}", "{" SENT "}"}, /* a slot inside */
        {"{" CARD ",\"cvc\":\"{{TOKEN1:detokenize|extract:name}}\"}", "{" SENT "}"}, /* no holder: not asked for */
        {"{\"o\":{\"only\":1}," CARD "}", "{\"o\":{}," SENT "}"},
        {"{\"o\":{ \"only\" : [] }," CARD "}", "{\"o\":{  }," SENT "}"},
        {"{\"o\":{\"only\":1,\"b\":{}},\"c\\u0076c\":9," CARD "}", "{\"o\":{\"b\":{}}," SENT "}"},
        {"{\"l\":[{\"pin\":1},{\"a\":1,\"pin\":2},3]," CARD "}", "{\"l\":[{},{\"a\":1},3]," SENT "}"},
    };
    CHECK_EDITS("field $.number number\ndrop $.cvc\ndrop $.cvc2\ndrop $.o.only\ndrop $.l[*].pin", cases);
}
END_TEST

START_TEST(dropping_elements)
{
    static const struct edit_case cases[] = {
        {"{" CARD ",\"l\":[1, 2 ,3]}", "{" SENT ",\"l\":[1 ,3]}"},
        {"{" CARD ",\"l\":[ 1 , {\"a\":[]} ]}", "{" SENT ",\"l\":[ 1 ]}"},
        {"{" CARD ",\"l\":[1]}", "{" SENT ",\"l\":[1]}"},
        {"{" CARD ",\"f\":[ 1 , 2 , 3 ]}", "{" SENT ",\"f\":[ 2 , 3 ]}"},
        {"{" CARD ",\"f\":[ [1] ]}", "{" SENT ",\"f\":[  ]}"},
        {"{" CARD ",\"all\":[\"{{TOKEN1:detokenize|extract:name}}\",[],{\"a\":1}],\"x\":1}", "{" SENT ",\"all\":[],\"x\":1}"},
        {"{" CARD ",\"all\":{\"a\":1, \"b\":[2]}}", "{" SENT ",\"all\":{}}"},
    };
    CHECK_EDITS("field $.number number\ndrop $.l[1]\ndrop $.f[0]\ndrop $.all[*]", cases);
}
END_TEST

START_TEST(setting)
{
    static const struct edit_case cases[] = {
        /* missing: inserted after the last member */
        {"{" CARD "}", "{" SENT "," CRYPT ",\"sec\":{\"sai\":\"05\"},\"n\":5}"},
        {"{ " CARD "\n}", "{ " SENT "," CRYPT ",\"sec\":{\"sai\":\"05\"},\"n\":5\n}"},
        /* there already: replaced, in its place */
        {"{\"cryptogram\":\"old\"," CARD ",\"sec\":{\"sai\":null,\"x\":1},\"n\":[1,{}]}",
         "{" CRYPT "," SENT ",\"sec\":{\"sai\":\"05\",\"x\":1},\"n\":5}"},
        {"{\"cryptogram\" : {\"a\":[\"{{TOKEN1:detokenize}}\"]} ," CARD "}",
         "{\"cryptogram\" : \"" CRYPTOGRAM_TEXT "\" ," SENT ",\"sec\":{\"sai\":\"05\"},\"n\":5}"},
        {"{\"cryptogram\":\"{{TOKEN1:detokenize}}\"," CARD ",\"n\":\"<<TOKEN1:detokenize|parse:integer>>\"}",
         "{" CRYPT "," SENT ",\"n\":5,\"sec\":{\"sai\":\"05\"}}"},
        /* the parent is there */
        {"{\"sec\":{}," CARD "}", "{\"sec\":{\"sai\":\"05\"}," SENT "," CRYPT ",\"n\":5}"},
        {"{\"sec\":{ \"y\" : 1 }," CARD "}", "{\"sec\":{ \"y\" : 1,\"sai\":\"05\" }," SENT "," CRYPT ",\"n\":5}"},
        /* it is there, but is no object */
        {"{\"sec\":null," CARD "}", "{\"sec\":{\"sai\":\"05\"}," SENT "," CRYPT ",\"n\":5}"},
        {"{\"sec\":[1,{\"sai\":2}]," CARD "}", "{\"sec\":{\"sai\":\"05\"}," SENT "," CRYPT ",\"n\":5}"},
        {"{\"sec\":\"\"," CARD "}", "{\"sec\":{\"sai\":\"05\"}," SENT "," CRYPT ",\"n\":5}"},
        {"{\"x\":{\"sec\":{}}," CARD "}", "{\"x\":{\"sec\":{}}," SENT "," CRYPT ",\"sec\":{\"sai\":\"05\"},\"n\":5}"},
    };
    CHECK_EDITS("field $.number number\nset $.cryptogram cryptogram\nset $.sec.sai eci\nset $.n eci number", cases);
}
END_TEST

START_TEST(setting_and_dropping)
{
    static const struct edit_case cases[] = {
        {"{" CARD ",\"cvc\":\"123\"}", "{" SENT "," CRYPT ",\"x\":{\"t\":true}}"},
        {"{" CARD ",\"cvc\":\"123\" }", "{" SENT "," CRYPT ",\"x\":{\"t\":true} }"},
        {"{\"cvc\":\"123\"," CARD "}", "{" SENT "," CRYPT ",\"x\":{\"t\":true}}"},
        {"{\"x\":{\"cvc\":1},\"cvc\":2," CARD "}", "{\"x\":{\"t\":true}," SENT "," CRYPT "}"},
        {"{\"x\":{\"cvc\":1,\"number\":\"{{TOKEN1:detokenize}}\"},\"cvc\":2}",
         "{\"x\":{\"number\":\"" NETWORK_NUMBER_TEXT "\",\"t\":true}," CRYPT "}"},
    };
    CHECK_EDITS("field $.number number\nset $.cryptogram cryptogram\ndrop $.cvc\ndrop $.x.cvc\nset $.x.t =true",
                cases);
}
END_TEST

START_TEST(deep_and_literal)
{
    static const struct edit_case cases[] = {
        {"{" CARD "}", "{" SENT ",\"a b\":{\"c\\\"d\":{\"e\":\"40010030273\"},\"f\":[1, 2]}}"},
        {"{\"a b\":{\"c\\u0022d\":1}," CARD "}", "{\"a b\":{\"c\\u0022d\":{\"e\":\"40010030273\"},\"f\":[1, 2]}," SENT "}"},
        {"{\"a b\":{\"f\":0,\"c\\\"d\":{}}," CARD "}", "{\"a b\":{\"f\":[1, 2],\"c\\\"d\":{\"e\":\"40010030273\"}}," SENT "}"},
    };
    struct plan *plan = plan_of(BODY_JSON, "field $.number number\nset $['a~b']['c\"d'].e requestor");
    uint32_t number;
    size_t at;
    ck_assert(!failed(path_set_add(plan->paths, SLICE("$['a b'].f"), &number, &at)));
    plan->edits[plan->edit_count++] = (struct plan_edit){.path = number, .literal = SLICE("[1, 2]")};
    for (size_t i = 0; i < 3; i++) {
        struct outcome o = run_every_split(plan, slice_of(cases[i].in), card_network_token());
        ck_assert_msg(slice_is(buf_slice(&o.out), cases[i].token), "%s\n gives %.*s\n   not %s", cases[i].in,
                      SLICE_ARG(buf_slice(&o.out)), cases[i].token);
        outcome_done(&o);
    }
    plan_drop(plan);
}
END_TEST

/* Array elements, "*" and "..": what is there is replaced, an object is not made; in one that is there a member is. */
START_TEST(other_paths)
{
    static const struct edit_case cases[] = {
        {"{" CARD ",\"l\":[{\"c\":1},{},2]}", "{" SENT ",\"l\":[{\"c\":\"05\"},{\"c\":\"05\"},2]}"},
        {"{" CARD ",\"l\":[]}", "{" SENT ",\"l\":[]}"},
        {"{" CARD ",\"deep\":[{\"q\":1,\"r\":2}],\"q\":{\"q\":0}}", "{" SENT ",\"deep\":[{\"q\":\"05\",\"r\":2}],\"q\":\"05\"}"},
    };
    CHECK_EDITS("field $.number number\nset $.l[*].c eci\nset $..q eci", cases);
}
END_TEST

/* Without a placeholder there is no credential, so nothing is edited. */
START_TEST(no_token)
{
    struct plan *plan = plan_of(BODY_JSON, "field $.number number\nset $.cryptogram cryptogram\ndrop $.cvc");
    slice in = SLICE("{\"number\":\"1\",\"cvc\":\"2\"}");
    struct outcome o = run_every_split(plan, in, card_network_token());
    ck_assert(slice_eq(buf_slice(&o.out), in));
    outcome_done(&o);
    /* A cryptogram that is to be set must be there. */
    struct credential c = *card_network_token();
    c.cryptogram_len = 0;
    o = run_body(plan, SLICE("{" CARD "}"), WHOLE, &c);
    ck_assert_int_eq(o.err, ERR_ELEMENT_MISSING);
    ck_assert_uint_eq(o.out.len, 0);
    outcome_done(&o);
    plan_drop(plan);
}
END_TEST

/* Of two tokens, the one in the number's own field says whether edits hold. */
START_TEST(two_tokens)
{
    struct plan *plan = plan_of(BODY_JSON, "field $.number number\nfield $.cvc cvc\ndrop $.cvc\nset $.eci eci");
    struct token_table *tokens = token_table_new(10, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = 1000};
    struct body *b = body_new(&options, tokens);
    ck_assert(!failed(body_feed(b, SLICE("{\"cvc\":\"{{TEMPORAL:transaction}}\"," CARD "}"))));
    ck_assert(!failed(body_end(b)));
    const struct credential *both[] = {card_pan(), card_network_token()};
    struct buf out;
    buf_init_secret(&out, 1000);
    ck_assert(!failed(body_render(b, both, &out)));
    ck_assert(slice_is(buf_slice(&out), "{" SENT ",\"eci\":\"05\"}"));
    const struct credential *pans[] = {card_pan(), card_pan()};
    buf_clear(&out);
    ck_assert(!failed(body_render(b, pans, &out))); /* the same splice again: a PAN retry */
    ck_assert(slice_is(buf_slice(&out), "{\"cvc\":\"123\"," KEPT "}"));
    const struct credential *one[] = {card_pan(), NULL};
    buf_clear(&out);
    ck_assert_int_eq(body_render(b, one, &out).err, ERR_INTERNAL);
    buf_done(&out);
    struct body_slot_info info;
    ck_assert_uint_eq(body_slot_count(b), 4);
    ck_assert(body_slot_info(b, 0, &info));
    ck_assert(info.dropped && info.only_network_token && info.start == 1 && info.end == 34 && info.token == 1);
    ck_assert_str_eq(info.why, "network_token.drop");
    ck_assert(body_slot_info(b, 1, &info));
    ck_assert(!info.only_network_token && info.element == ELEMENT_CVC && info.token == 0);
    ck_assert_str_eq(info.why, "card.cvc of the rules");
    ck_assert(body_slot_info(b, 3, &info));
    ck_assert(info.only_network_token && !info.dropped && info.element == ELEMENT_ECI);
    ck_assert_str_eq(info.why, "network_token.set");
    ck_assert(!body_slot_info(b, 4, &info));
    body_free(b);
    token_table_free(tokens);
    plan_drop(plan);
}
END_TEST

RUN_TESTS("json_edit", dropping, dropping_elements, setting, setting_and_dropping, deep_and_literal, other_paths, no_token, two_tokens)
