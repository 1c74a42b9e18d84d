/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "help.h"

/* Credibanco's, as rules/credibanco.yaml has it, and edits. */
static const char rules[] = "field $PAN number\nfield $CVC cvc\nfield $MONTH exp_month MM\nfield YYYY exp_year YYYY\n"
                            "field TEXT holder\nset $CRYPT cryptogram\ndrop $CVC\n";

static void check_cases(const struct lines_case *cases, size_t count)
{
    struct plan *plan = plan_of(BODY_FORM, rules);
    for (size_t i = 0; i < count; i++) check_case(plan, &cases[i]);
    plan_drop(plan);
}
#define CHECK_CASES(cases) check_cases(cases, sizeof(cases) / sizeof *(cases))

START_TEST(values)
{
    static const struct lines_case cases[] = {
        {"%24PAN={{TOKEN1:detokenize}}", "%24PAN=" PAN_TEXT},
        {"a=b&$PAN=%7B%7B%20TOKEN1%3Adetokenize%7d%7D&c=d", "a=b&$PAN=" PAN_TEXT "&c=d"},
        {"TEXT=<<TOKEN1:+detokenize+>>", "TEXT=ANA+D%27%C3%81VILA+%22A%22"},
        {"%24CVC={{TOKEN1:transaction}}&%24MONTH={{TOKEN1:transaction}}&YYYY={{TOKEN1:transaction}}",
         "%24CVC=123&%24MONTH=03&YYYY=2031"},
        {"e={{TOKEN1:detokenize|extract:expiration|date:MM/YY}}", "e=03%2F31"},
        {"e=x{{TOKEN1:detokenize|extract:last4}}y{{TOKEN1:detokenize|extract:bin}}", "e=x1111y411111"},
        {"m={{TOKEN1:detokenize|extract:expiration|date:MM|parse:integer}}", "m=3"},
        {"m=+{{TOKEN1:detokenize|parse:integer}}", NULL, ERR_PLACEHOLDER_MIXED_NUMBER},
        {"a={{TOKEN1:detokenize=b}}", NULL, ERR_PLACEHOLDER_KIND},
    };
    CHECK_CASES(cases);
}
END_TEST

START_TEST(unchanged)
{
    static const char *const texts[] = {
        "", "a", "a=", "=b", "=", "&", "&&a=1&&", "a=1&a=2", "a=%41+%2b&b=%00", "a=\xff\xfe&\xe9=1", "a=b=c", "a={{&b=}}",
        "a={{TOKEN1&b=:detokenize}}", "a={{TOKEN1:detokenize", "a={{TOKEN1:detokenize&b=}}", "$pan=1&$pan=2", "%7B%7B=1",
    };
    struct plan *plan = plan_of(BODY_FORM, rules);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_case(plan, &(struct lines_case){texts[i], texts[i], ERR_NONE});
    plan_drop(plan);
}
END_TEST

START_TEST(refusals)
{
    static const struct lines_case cases[] = {
        {"a=%4", NULL, ERR_FORM_SYNTAX},
        {"a=%", NULL, ERR_FORM_SYNTAX},
        {"a=%4g&b=1", NULL, ERR_FORM_SYNTAX},
        {"%zz=1", NULL, ERR_FORM_SYNTAX},
        {"a=%4&1", NULL, ERR_FORM_SYNTAX},
        {"$PAN=1&b=2&%24PAN=3", NULL, ERR_FORM_DUPLICATE},
        {"$CRYPT&$CRYPT=", NULL, ERR_FORM_DUPLICATE},
        {"{{TOKEN1:detokenize}}=1", NULL, ERR_PLACEHOLDER_IN_KEY},
        {"x%7b{TOKEN1:wrong}}=1", NULL, ERR_PLACEHOLDER_IN_KEY},
        {"a={{short:detokenize}}", NULL, ERR_PLACEHOLDER_TOKEN},
        {"a={{TOKEN1:detokenize}}&b={{TOKEN1:transaction}}", NULL, ERR_TOKEN_WRONG_KIND},
    };
    CHECK_CASES(cases);
}
END_TEST

START_TEST(edits)
{
    static const struct lines_case cases[] = {
        {"$PAN={{TOKEN1:detokenize}}", "$PAN=" NETWORK_NUMBER_TEXT "&%24CRYPT=AgAAAAAAAIR8CQrXcIhbQAAAAAA%3D&lit=a+%26b"},
        {"$CVC=1&$PAN={{TOKEN1:detokenize}}&$CRYPT=x&lit",
         "$PAN=" NETWORK_NUMBER_TEXT "&$CRYPT=AgAAAAAAAIR8CQrXcIhbQAAAAAA%3D&lit=a+%26b"},
        {"lit=&$CRYPT=&$PAN={{TOKEN1:detokenize}}&$CVC={{TOKEN1:detokenize}}",
         "lit=a+%26b&$CRYPT=AgAAAAAAAIR8CQrXcIhbQAAAAAA%3D&$PAN=" NETWORK_NUMBER_TEXT},
        {"a=1&%24CVC=1&$PAN={{TOKEN1:detokenize}}&$CRYPT={{TOKEN1:detokenize}}&lit=",
         "a=1&$PAN=" NETWORK_NUMBER_TEXT "&$CRYPT=AgAAAAAAAIR8CQrXcIhbQAAAAAA%3D&lit=a+%26b"},
        {"$CVC={{TOKEN1:detokenize}}", "%24CRYPT=AgAAAAAAAIR8CQrXcIhbQAAAAAA%3D&lit=a+%26b"},
    };
    struct plan *plan = plan_of(BODY_FORM, rules);
    uint32_t number;
    size_t at;
    ck_assert(!failed(path_set_add(plan->paths, SLICE("lit"), &number, &at)));
    plan->edits[plan->edit_count++] = (struct plan_edit){.path = number, .literal = SLICE("a &b")};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome o = run_every_split(plan, slice_of(cases[i].in), card_network_token());
        ck_assert_msg(slice_is(buf_slice(&o.out), cases[i].out), "%s\n gives %.*s\n   not %s", cases[i].in,
                      SLICE_ARG(buf_slice(&o.out)), cases[i].out);
        outcome_done(&o);
        o = run_every_split(plan, slice_of(cases[i].in), card_pan());
        ck_assert(o.err == ERR_NONE || o.err == ERR_ELEMENT_MISSING);
        outcome_done(&o);
    }
    plan_drop(plan);
}
END_TEST

START_TEST(bare_tokens)
{
    static const struct lines_case cases[] = {
        {"$PAN=TOKEN1&TEXT=TOKEN1&x=TOKEN1&YYYY=TOKEN1", "$PAN=" PAN_TEXT "&TEXT=TOKEN1&x=TOKEN1&YYYY=TOKEN1"},
        {"$PAN=" PAN_TEXT "&$CVC=123", "$PAN=" PAN_TEXT "&$CVC=123"},
        {"$CVC=tmp_token1", "$CVC=123"},
        {"$PAN=a+b&$CVC=", "$PAN=a+b&$CVC="},
    };
    struct plan *plan = plan_of(BODY_FORM, "bare\nfield $PAN number\nfield $CVC cvc\nfield YYYY exp_year YYYY\nfield TEXT holder\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(plan, &cases[i]);
    plan_drop(plan);
}
END_TEST

START_TEST(fault_names_the_field)
{
    struct plan *plan = plan_of(BODY_FORM, rules);
    struct outcome o = run_every_split(plan, SLICE("a=1&card%20x={{abc:detokenize}}"), card_pan());
    ck_assert_int_eq(o.err, ERR_PLACEHOLDER_TOKEN);
    ck_assert_str_eq(o.fault.path, "card x");
    ck_assert_uint_eq(o.fault.offset, 4);
    outcome_done(&o);
    plan_drop(plan);
}
END_TEST

RUN_TESTS("form_walker", values, unchanged, refusals, edits, bare_tokens, fault_names_the_field)
