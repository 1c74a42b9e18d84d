/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/reply.h"

#include <check.h>
#include <string.h>

static struct buf out;

static void set_up(void)
{
    buf_init(&out, 65536);
}

static void tear_down(void)
{
    buf_done(&out);
}

static bool has(const char *text)
{
    return slice_find_slice(buf_slice(&out), slice_of(text)) < out.len;
}

START_TEST(test_every_error_has_an_answer)
{
    enum error e = (enum error)(_i + 1);
    struct reply r = reply_of_error(e);
    ck_assert_int_ge(r.status, 400);
    ck_assert_int_le(r.status, 599);
    ck_assert_uint_gt(strlen(r.text), 10);
    ck_assert(!failed(reply_write(&out, &r, 1, true, false)));
    ck_assert(has(error_name(e)));
    ck_assert(has("x-cardveil-source: proxy\r\n"));
    ck_assert(has("x-cardveil-request-id: 00000000-00000001\r\n"));
    ck_assert(has("{\"status\":\"fail\""));
}
END_TEST

START_TEST(test_every_refusal_has_an_answer)
{
    enum http_refusal why = (enum http_refusal)(_i + 1);
    struct reply r = reply_of_refusal(why);
    ck_assert_int_ge(r.status, 400);
    ck_assert(slice_starts(r.description, SLICE("RFC ")) || r.description.len > 10);
    ck_assert(!failed(reply_write(&out, &r, 1, false, false)));
    ck_assert(has("connection: close\r\n"));
}
END_TEST

START_TEST(test_statuses_bring_their_fields)
{
    static const struct {
        enum error e;
        const char *field;
    } cases[] = {{ERR_KEY_MISSING, "www-authenticate: "},
                 {ERR_METHOD, "allow: "},
                 {ERR_KEY_RATE, "retry-after: "},
                 {ERR_KEEPER_AWAY, "retry-after: "}};
    struct reply r = reply_of_error(cases[_i].e);
    ck_assert(!failed(reply_write(&out, &r, 1, true, false)));
    ck_assert(has(cases[_i].field));
}
END_TEST

START_TEST(test_allow_names_the_methods_given)
{
    ck_assert(!failed(reply_write_status_fields(&out, 405, SLICE("POST"), SLICE_NONE)));
    ck_assert(slice_eq(buf_slice(&out), SLICE("allow: POST\r\n")));
    ck_assert(!failed(reply_write_status_fields(&out, 200, SLICE_NONE, SLICE_NONE)));
    ck_assert(slice_eq(buf_slice(&out), SLICE("allow: POST\r\n")));
}
END_TEST

START_TEST(test_challenge_is_the_one_given)
{
    ck_assert(!failed(reply_write_status_fields(&out, 401, SLICE_NONE, SLICE("Signature header=\"s\""))));
    ck_assert(slice_eq(buf_slice(&out), SLICE("www-authenticate: Signature header=\"s\"\r\n")));
}
END_TEST

START_TEST(test_unknown_outcome_is_told)
{
    struct reply r = reply_of_error(ERR_UPSTREAM_TIMEOUT);
    r.outcome_unknown = true;
    ck_assert(!failed(reply_write(&out, &r, 1, true, false)));
    ck_assert(has("x-cardveil-outcome: unknown\r\n"));
    ck_assert(!has("x-cardveil-pan-retry"));
    ck_assert(has("HTTP/1.1 504 "));
    r.pan_retry = true;
    ck_assert(!failed(reply_write(&out, &r, 1, true, false)));
    ck_assert(has("x-cardveil-pan-retry: 1\r\n"));
}
END_TEST

/* Who is told that nothing was sent, or to try again, when something was, pays twice. */
START_TEST(test_unknown_outcome_never_calls_for_another_try)
{
    static const char *const never[] = {"nothing was sent", "nothing went on", "try again", "tried again", "retry-after", "the processor"};
    enum error e = (enum error)(_i + 1);
    struct reply r = reply_of_unknown_outcome(e);
    ck_assert_msg(r.status == 502 || r.status == 504, "%s: %d", r.code, r.status);
    ck_assert_str_eq(r.code, error_name(e));
    size_t opened = 0, closed = 0;
    for (size_t i = 0; i < r.description.len; i++) {
        opened += r.description.at[i] == '(';
        closed += r.description.at[i] == ')';
    }
    ck_assert_msg(opened == closed, "%s: no semicolon in brackets: its text is cut there", r.code);
    ck_assert(!failed(reply_write(&out, &r, 1, true, false)));
    ck_assert(has("x-cardveil-outcome: unknown\r\n"));
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) ck_assert_msg(!has(never[i]), "%s: %s", r.code, never[i]);
    ck_assert_msg(has("may have been") || has("may be done") || has("the outcome is unknown"), "%s: %s", r.code, r.text);
}
END_TEST

START_TEST(test_the_cause_of_an_unknown_outcome_is_told)
{
    struct reply r = reply_of_unknown_outcome(ERR_KEEPER_SLOW);
    ck_assert(!failed(reply_write(&out, &r, 1, true, false)));
    ck_assert(has("\"message\":\"the request was sent and may have been acted upon"));
    ck_assert(has("\"description\":\"the vault's process did not answer in time\""));
    buf_clear(&out);
    struct body_fault fault = {.err = ERR_JSON_DUPLICATE_KEY, .offset = 17, .path = "$.a"};
    r = reply_of_unknown_outcome(ERR_JSON_DUPLICATE_KEY);
    r.fault = &fault;
    ck_assert(!failed(reply_write(&out, &r, 1, true, false)));
    ck_assert(has("\"description\":\"at byte 17 of the answer: a member stands twice in one JSON object\",\"path\":\"$.a\""));
}
END_TEST

START_TEST(test_place_is_told_and_escaped)
{
    struct body_fault fault = {.err = ERR_TOKEN_UNKNOWN, .offset = 17, .path = "$['a\"b']"};
    struct reply r = reply_of_error(ERR_TOKEN_UNKNOWN);
    r.fault = &fault;
    ck_assert(!failed(reply_write(&out, &r, 1, true, false)));
    ck_assert(has("at byte 17 of the body"));
    ck_assert(has("$['a\\\"b']"));
}
END_TEST

START_TEST(test_request_ids_are_never_like_card_numbers)
{
    char text[REQUEST_ID_BYTES];
    request_id_text(0x4111111111111111, text);
    ck_assert(slice_eq((slice){text, sizeof text}, SLICE("41111111-11111111")));
    request_id_text(0xfedcba9876543210, text);
    ck_assert(slice_eq((slice){text, sizeof text}, SLICE("fedcba98-76543210")));
}
END_TEST

START_TEST(test_head_answers_have_no_body)
{
    struct reply r = reply_of_error(ERR_ROUTE_NONE);
    ck_assert(!failed(reply_write(&out, &r, 1, true, true)));
    ck_assert(slice_ends(buf_slice(&out), SLICE("\r\n\r\n")));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reply");
    TCase *t = tcase_create("reply");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, test_every_error_has_an_answer, 0, ERR_COUNT - 1);
    tcase_add_loop_test(t, test_every_refusal_has_an_answer, 0, REFUSAL_COUNT - 1);
    tcase_add_loop_test(t, test_statuses_bring_their_fields, 0, 4);
    tcase_add_test(t, test_allow_names_the_methods_given);
    tcase_add_test(t, test_challenge_is_the_one_given);
    tcase_add_test(t, test_unknown_outcome_is_told);
    tcase_add_loop_test(t, test_unknown_outcome_never_calls_for_another_try, 0, ERR_COUNT - 1);
    tcase_add_test(t, test_the_cause_of_an_unknown_outcome_is_told);
    tcase_add_test(t, test_place_is_told_and_escaped);
    tcase_add_test(t, test_request_ids_are_never_like_card_numbers);
    tcase_add_test(t, test_head_answers_have_no_body);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int bad = srunner_ntests_failed(r);
    srunner_free(r);
    return bad ? 1 : 0;
}
