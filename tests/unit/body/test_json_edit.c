/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "help.h"

#include <string.h>

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
    plan_drop(plan);
}
END_TEST

/* A credential with only what <has> names: c cryptogram, e ECI, t network transaction id, 4 the card's last four, v a Visa card,
 * p: the card itself. */
static const struct credential *with(const char *has)
{
    static struct credential c;
    c = strchr(has, 'p') ? *card_pan() : *card_network_token();
    if (!strchr(has, 'c')) c.cryptogram_len = 0;
    if (!strchr(has, 'e')) c.eci_len = 0;
    if (strchr(has, 't')) memcpy(c.network_transaction_id, "NTID01", c.network_transaction_id_len = 6);
    if (strchr(has, '4')) memcpy(c.card_last4, "1111", 4);
    if (strchr(has, 'v')) c.brand = BRAND_VISA;
    return &c;
}

struct with_case {
    const char *has, *in, *out;
};

static void check_with(const char *rules, const struct with_case *cases, size_t count)
{
    struct plan *plan = plan_of(BODY_JSON, rules);
    for (size_t i = 0; i < count; i++) {
        struct outcome o = run_every_split(plan, slice_of(cases[i].in), with(cases[i].has));
        ck_assert_msg(o.err == ERR_NONE, "%s %s: %s", cases[i].has, cases[i].in, error_name(o.err));
        ck_assert_msg(slice_is(buf_slice(&o.out), cases[i].out), "%s %s\n gives %.*s\n   not %s", cases[i].has, cases[i].in,
                      SLICE_ARG(buf_slice(&o.out)), cases[i].out);
        outcome_done(&o);
    }
    plan_drop(plan);
}
#define CHECK_WITH(rules, cases) check_with(rules, cases, sizeof(cases) / sizeof *(cases))

/* What the credential lacks is not set, and no object is made for it alone. */
START_TEST(what_is_lacking_is_left_out)
{
    static const struct with_case cases[] = {
        {"ce", "{" CARD "}", "{" SENT "," CRYPT ",\"mpi\":{\"y\":\"Y\",\"eci\":\"05\"}}"},
        {"ce4v", "{" CARD "}", "{" SENT "," CRYPT ",\"mpi\":{\"y\":\"Y\",\"eci\":\"05\"},\"kind\":\"vts\",\"last\":\"1111\"}"},
        {"", "{" CARD "}", "{" SENT "}"},
        {"", "{}", "{}"},
        {"4", "{" CARD "}", "{" SENT ",\"last\":\"1111\"}"},
        {"c", "{" CARD ",\"mpi\":{}}", "{" SENT ",\"mpi\":{\"y\":\"Y\"}," CRYPT "}"},
        {"e", "{\"mpi\":{ }," CARD "}", "{\"mpi\":{\"eci\":\"05\" }," SENT "}"},
        {"v", "{\"mpi\":{ }," CARD "}", "{\"mpi\":{ }," SENT ",\"kind\":\"vts\"}"},
        /* what the caller sent stays where nothing takes its place */
        {"v", "{\"mpi\":null,\"cryptogram\":\"theirs\"," CARD ",\"kind\":1}", "{\"mpi\":null,\"cryptogram\":\"theirs\"," SENT ",\"kind\":\"vts\"}"},
        {"e", "{\"mpi\":null," CARD ",\"kind\":1}", "{\"mpi\":{\"eci\":\"05\"}," SENT ",\"kind\":1}"},
        {"pce4v", "{\"mpi\":null," CARD ",\"kind\":1}", "{\"mpi\":null," KEPT ",\"kind\":1}"},
    };
    CHECK_WITH("field $.number number\nset $.cryptogram cryptogram\nset $.mpi.y =\"Y\" with cryptogram\nset $.mpi.eci eci\n"
               "set $.kind :\"vts\"\nset $.last card_last4", cases);
}
END_TEST

/* The transaction id goes in with the card too, and never over what the caller sent. */
START_TEST(network_transaction_ids)
{
    static const struct with_case cases[] = {
        {"pt", "{" CARD "}", "{" KEPT ",\"prev\":{\"id\":\"NTID01\"}}"},
        {"p", "{" CARD "}", "{" KEPT "}"},
        {"t", "{" CARD "}", "{" SENT ",\"prev\":{\"id\":\"NTID01\"}}"},
        {"ct", "{" CARD "}", "{" SENT ",\"prev\":{\"id\":\"NTID01\",\"c\":\"" CRYPTOGRAM_TEXT "\"}}"},
        {"c", "{" CARD "}", "{" SENT ",\"prev\":{\"c\":\"" CRYPTOGRAM_TEXT "\"}}"},
        {"pt", "{\"prev\":{\"id\":null}," CARD "}", "{\"prev\":{\"id\":null}," KEPT "}"},
        {"ct", "{\"prev\":{\"id\":\"theirs\"}," CARD "}", "{\"prev\":{\"id\":\"theirs\",\"c\":\"" CRYPTOGRAM_TEXT "\"}," SENT "}"},
        /* commas: what stands before is dropped, or is not */
        {"pt", "{\"prev\":{\"cvc\":1}," CARD "}", "{\"prev\":{\"cvc\":1,\"id\":\"NTID01\"}," KEPT "}"},
        {"t", "{\"prev\":{\"cvc\":1}," CARD "}", "{\"prev\":{\"id\":\"NTID01\"}," SENT "}"},
        {"", "{\"prev\":{\"cvc\":1}," CARD "}", "{\"prev\":{}," SENT "}"},
        {"c", "{\"prev\":{ \"cvc\" : 1 }," CARD "}", "{\"prev\":{ \"c\":\"" CRYPTOGRAM_TEXT "\" }," SENT "}"},
    };
    CHECK_WITH("field $.number number\ntransaction $.prev.id\nset $.prev.c cryptogram\ndrop $.prev.cvc", cases);
}
END_TEST

/* Cybersource: the card goes as a whole, with its placeholders; the token comes beside it. */
START_TEST(one_object_for_another)
{
    static const struct with_case cases[] = {
        {"ce", "{\"info\":{\"card\":{" CARD ",\"cvc\":\"{{TOKEN2:transaction|extract:cvv}}\"}}}",
         "{\"info\":{\"token\":{" SENT ",\"expiry\":\"12/2029\",\"month\":12,\"year\":\"29\"," CRYPT "}}}"},
        {"e", "{\"info\":{\"a\":1,\"card\":{" CARD "},\"b\":2}}",
         "{\"info\":{\"a\":1,\"b\":2,\"token\":{" SENT ",\"expiry\":\"12/2029\",\"month\":12,\"year\":\"29\"}}}"},
        {"e", "{\"info\":{\"card\":{" CARD "},\"token\":{\"x\":1}}}",
         "{\"info\":{\"token\":{\"x\":1," SENT ",\"expiry\":\"12/2029\",\"month\":12,\"year\":\"29\"}}}"},
        {"pe", "{\"info\":{\"card\":{" CARD ",\"cvc\":\"{{TOKEN2:transaction|extract:cvv}}\"}}}",
         "{\"info\":{\"card\":{" KEPT ",\"cvc\":\"123\"}}}"},
    };
    CHECK_WITH("field $.info.card.number number\ndrop $.info.card\nset $.info.token.number number\n"
               "set $.info.token.expiry expiry MM/YYYY\nset $.info.token.month exp_month number\nset $.info.token.year exp_year YY\n"
               "set $.info.token.cryptogram cryptogram", cases);
}
END_TEST

static void check_captured(const struct plan *plan, const char *in, long split, const char *want)
{
    struct token_table *tokens = token_table_new(10, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = 1000};
    struct body *b = body_new(&options, tokens);
    slice rest = slice_of(in);
    while (rest.len) {
        size_t n = split && rest.len > (size_t)split ? (size_t)split : rest.len;
        ck_assert(!failed(body_feed(b, slice_range(rest, 0, n))));
        rest = slice_after(rest, n);
    }
    ck_assert(!failed(body_end(b)));
    slice got = body_captured(b);
    ck_assert_msg(want ? got.at && slice_is(got, want) : !got.at, "%s: '%.*s'", in, SLICE_ARG(got));
    body_free(b);
    token_table_free(tokens);
}

START_TEST(captured_text)
{
    static const struct {
        enum body_format format;
        const char *in, *want;
    } cases[] = {
        {BODY_JSON, "{\"a\":{\"b\":\"06\"}}", "06"},
        {BODY_JSON, "{\"a\":{\"b\":\"\\u004d\\/2\"},\"b\":1}", "M/2"},
        {BODY_JSON, "{\"b\":\"x\",\"a\":{\"b\":true}}", "true"},
        {BODY_JSON, "{\"a\":{\"b\":false}}", "false"},
        {BODY_JSON, "{\"a\":{\"b\":-1.50}}", "-1.50"},
        {BODY_JSON, "{\"a\":{\"b\":\"\"}}", ""},
        {BODY_JSON, "{\"a\":{\"b\":null}}", NULL},
        {BODY_JSON, "{\"a\":{\"b\":[\"x\"]}}", NULL},
        {BODY_JSON, "{\"a\":{\"b\":{\"b\":1}}}", NULL},
        {BODY_JSON, "{\"a\":[{\"b\":1}]}", NULL},
        {BODY_JSON, "{\"a\":{\"b\":\"0123456789012345678901234567890123456789012345678901234567890123\"}}",
         "0123456789012345678901234567890123456789012345678901234567890123"},
        {BODY_JSON, "{\"a\":{\"b\":\"01234567890123456789012345678901234567890123456789012345678901234\"}}", NULL},
        {BODY_FORM, "a=1&off%5Fsession=tr%75e+x&b=2", "true x"},
        {BODY_FORM, "off_session", ""},
        {BODY_FORM, "a=1", NULL},
        {BODY_FORM, "off_session=01234567890123456789012345678901234567890123456789012345678901234", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan *plan = plan_of(cases[i].format, cases[i].format == BODY_JSON ? "capture $.a.b" : "capture off_session");
        for (long split = 0; split < 5; split++) check_captured(plan, cases[i].in, split, cases[i].want);
        plan_drop(plan);
    }
    struct plan *several = plan_of(BODY_JSON, "capture $.l[*]");
    check_captured(several, "{\"l\":[null,\"first\",\"second\"]}", 0, "first");
    plan_drop(several);
}
END_TEST

START_TEST(explained_edits)
{
    struct plan *plan = plan_of(BODY_JSON, "field $.number number\ndrop $.number\nset $.t.n number\nset $.t.c cryptogram\n"
                                           "set $.t.k :\"vts\"\ntransaction $.id");
    struct token_table *tokens = token_table_new(10, NULL, NULL);
    const struct body_options options = {.plan = plan, .max_held_bytes = 1000};
    struct body *b = body_new(&options, tokens);
    ck_assert(!failed(body_feed(b, SLICE("{" CARD "}"))) && !failed(body_end(b)));
    ck_assert_uint_eq(body_slot_count(b), 4); /* drop, slot, t, id */
    static const struct {
        const char *has;
        bool shows[4];
        const char *paths[4]; /* of slot 2 */
    } cases[] = {
        {"c", {true, false, true, false}, {"$.t.n", "$.t.c"}},
        {"vt", {true, false, true, true}, {"$.t.n", "$.t.k"}},
        {"pc", {false, true, false, false}, {NULL}},
        {"pt", {false, true, false, true}, {NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct credential *credentials[] = {with(cases[i].has)};
        slice path;
        size_t n = 0;
        for (uint32_t slot = 0; slot < 4; slot++)
            ck_assert_msg(body_slot_shows(b, slot, credentials) == cases[i].shows[slot], "%s: %u", cases[i].has, slot);
        for (; cases[i].paths[n]; n++) {
            ck_assert_ptr_nonnull(body_slot_edit(b, 2, credentials, n, &path));
            ck_assert(slice_is(path, cases[i].paths[n]));
        }
        ck_assert_ptr_null(body_slot_edit(b, 2, credentials, n, &path));
        ck_assert_ptr_null(body_slot_edit(b, 0, credentials, 0, &path));
    }
    struct body_slot_info info;
    ck_assert(body_slot_info(b, 3, &info) && info.is_edit && !info.only_network_token);
    ck_assert_str_eq(info.why, "network_transaction_id.set");
    body_free(b);
    token_table_free(tokens);
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

RUN_TESTS("json_edit", dropping, dropping_elements, setting, setting_and_dropping, deep_and_literal, other_paths, no_token, two_tokens,
          what_is_lacking_is_left_out, network_transaction_ids, one_object_for_another, captured_text, explained_edits)
