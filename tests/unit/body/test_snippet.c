/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "help.h"

static const struct {
    enum encoding encoding;
    const char *in, *out; /* NULL: err */
    enum error err;
    bool has_slots;
} cases[] = {
    {ENCODING_FIELD_VALUE, "Bearer {{TOKEN1:detokenize}}", "Bearer " PAN_TEXT, 0, true},
    {ENCODING_FIELD_VALUE, "<<TOKEN1:detokenize|extract:expiration|date:MM/YY>>", "03/31", 0, true},
    {ENCODING_FIELD_VALUE, "%7B%7BTOKEN1:detokenize}}", "%7B%7BTOKEN1:detokenize}}", 0, false}, /* no percent signs here */
    {ENCODING_FIELD_VALUE, "{{x}}", "{{x}}", 0, false},
    {ENCODING_FIELD_VALUE, "", "", 0, false},
    {ENCODING_FIELD_VALUE, "{{TOKEN1:wrong}}", NULL, ERR_PLACEHOLDER_KIND, false},
    {ENCODING_FIELD_VALUE, "{{TOKEN1:detokenize|parse:integer}}", PAN_TEXT, 0, true},
    {ENCODING_FIELD_VALUE, "x{{TOKEN1:detokenize|parse:integer}}", NULL, ERR_PLACEHOLDER_MIXED_NUMBER, false},
    {ENCODING_QUERY, "a=1&n=%7B%7BTOKEN1%3Adetokenize%7D%7D&b=%zz+%", "a=1&n=" PAN_TEXT "&b=%zz+%", 0, true},
    {ENCODING_QUERY, "n={{+TOKEN1:detokenize+|+extract:name}}", "n=ANA%20D%27%C3%81VILA%20%22A%22", 0, true},
    {ENCODING_QUERY, "n={{TOKEN1:detokenize&b=1}}", NULL, ERR_PLACEHOLDER_KIND, false},
    {ENCODING_PATH, "/cards/%7b%7bTOKEN1:detokenize%7d%7d/x", "/cards/" PAN_TEXT "/x", 0, true},
    {ENCODING_PATH, "/c/{{TOKEN1:detokenize|extract:expiration|date:MM/YY}}", "/c/03%2F31", 0, true},
    {ENCODING_PATH, "/c/{{TOKEN1:detokenize%20}}", "/c/" PAN_TEXT, 0, true},
    {ENCODING_PATH, "/c/{{+TOKEN1:detokenize}}", NULL, ERR_PLACEHOLDER_TOKEN, false}, /* a plus is a plus */
};

START_TEST(rendering)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct token_table *tokens = token_table_new(10, NULL, NULL);
        struct snippet *s;
        slice in = slice_of(cases[i].in);
        result r = snippet_new(in, cases[i].encoding, tokens, &s);
        ck_assert_msg(r.err == cases[i].err, "%s: %s", cases[i].in, error_name(r.err));
        ck_assert(failed(r) == (s == NULL));
        ck_assert(snippet_is_needed(in) || !cases[i].has_slots);
        if (s) {
            const struct credential *c[] = {card_pan()};
            struct buf out;
            buf_init_secret(&out, 1000);
            ck_assert_int_eq(snippet_has_slots(s), cases[i].has_slots);
            ck_assert(!failed(snippet_render(s, c, &out)));
            ck_assert_msg(slice_is(buf_slice(&out), cases[i].out), "%s: %.*s", cases[i].in, SLICE_ARG(buf_slice(&out)));
            buf_done(&out);
        }
        snippet_free(s);
        token_table_free(tokens);
    }
}
END_TEST

START_TEST(a_header_takes_no_control_characters)
{
    struct token_table *tokens = token_table_new(10, NULL, NULL);
    struct snippet *s;
    ck_assert(!failed(snippet_new(SLICE("{{TOKEN1:detokenize|extract:name}}"), ENCODING_FIELD_VALUE, tokens, &s)));
    struct credential c = *card_pan();
    c.holder[0] = '\n';
    const struct credential *credentials[] = {&c};
    struct buf out;
    buf_init_secret(&out, 1000);
    ck_assert_int_eq(snippet_render(s, credentials, &out).err, ERR_ELEMENT_FORMAT);
    ck_assert_uint_eq(out.len, 0);
    buf_done(&out);
    snippet_free(s);
    token_table_free(tokens);
}
END_TEST

START_TEST(is_needed)
{
    ck_assert(!snippet_is_needed(SLICE("")));
    ck_assert(!snippet_is_needed(SLICE("/a/b?c=%20%zz%7")));
    ck_assert(snippet_is_needed(SLICE("a{")));
    ck_assert(snippet_is_needed(SLICE("%3c")));
    ck_assert(snippet_is_needed(SLICE("x%7B")));
    ck_assert(snippet_is_needed(SLICE("%7b")));
}
END_TEST

RUN_TESTS("snippet", rendering, a_header_takes_no_control_characters, is_needed)
