/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/verdict.h"

#include "../base/suite.h"

/* e.Rede's shape: the brand's own code first, then Rede's. */
static slice approved_codes[] = {CONST_SLICE("00")}, statuses[] = {CONST_SLICE("200"), CONST_SLICE("201")},
             listed[] = {CONST_SLICE("82")}, final_advice[] = {CONST_SLICE("03"), CONST_SLICE("21")};
static struct decline_rule declines[] = {{CONST_SLICE("05"), DECLINE_DO_NOT_HONOR},
                                         {CONST_SLICE("41"), DECLINE_LOST_OR_STOLEN},
                                         {CONST_SLICE("51"), DECLINE_INSUFFICIENT_FUNDS},
                                         {CONST_SLICE("91"), DECLINE_ISSUER_UNAVAILABLE}};

static uint32_t add(struct path_set *s, const char *text)
{
    uint32_t number;
    size_t at;
    ck_assert_int_eq(path_set_add(s, slice_of(text), &number, &at).err, ERR_NONE);
    return number;
}

struct fixture {
    struct ruleset rules;
    struct reply_match approved[2], never_retry;
    uint32_t codes[2];
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){.rules = {.reply_paths = path_set_new(PATH_JSON), .declines = declines, .decline_count = 4,
                                    .pan_retry = listed, .pan_retry_count = 1}};
    struct path_set *paths = f->rules.reply_paths;
    uint32_t code = add(paths, "$.returnCode");
    f->approved[0] = (struct reply_match){.path = code, .values = approved_codes, .value_count = 1};
    f->approved[1] = (struct reply_match){.is_status = true, .values = statuses, .value_count = 2};
    f->codes[0] = add(paths, "$.brand.returnCode");
    f->codes[1] = code;
    f->rules.network_transaction_id_path = add(paths, "$.brand.brandTid");
    f->never_retry = (struct reply_match){.path = add(paths, "$.brand.advice"), .values = final_advice, .value_count = 2};
    f->rules.never_retry = &f->never_retry;
    f->rules.never_retry_count = 1;
    f->rules.approved = f->approved;
    f->rules.approved_count = 2;
    f->rules.decline_code_paths = f->codes;
    f->rules.decline_code_count = 2;
}

static const struct {
    int status;
    const char *json;
    enum payment_verdict what;
    enum decline_reason reason;
    bool may_retry;
    const char *code, *transaction;
} cases[] = {
    {200, "{\"returnCode\":\"00\",\"brand\":{\"brandTid\":\"MCC123\"}}", PAYMENT_APPROVED, DECLINE_NONE, false, "00", "MCC123"},
    {201, "{\"returnCode\":\"00\"}", PAYMENT_APPROVED, DECLINE_NONE, false, "00", ""},
    /* both entries must match */
    {402, "{\"returnCode\":\"00\"}", PAYMENT_DECLINED, DECLINE_UNKNOWN, false, "00", ""},
    /* the brand's code decides, wherever it stands */
    {200, "{\"returnCode\":\"58\",\"brand\":{\"returnCode\":\"05\"}}", PAYMENT_DECLINED, DECLINE_DO_NOT_HONOR, true, "05", ""},
    {200, "{\"brand\":{\"returnCode\":\"41\"},\"returnCode\":\"05\"}", PAYMENT_DECLINED, DECLINE_LOST_OR_STOLEN, false, "41", ""},
    {200, "{\"returnCode\":\"51\"}", PAYMENT_DECLINED, DECLINE_INSUFFICIENT_FUNDS, false, "51", ""},
    {400, "{\"returnCode\":\"91\"}", PAYMENT_DECLINED, DECLINE_ISSUER_UNAVAILABLE, true, "91", ""},
    {200, "{\"returnCode\":\"82\"}", PAYMENT_DECLINED, DECLINE_DECLINED, true, "82", ""},
    {200, "{\"returnCode\":\"77\"}", PAYMENT_DECLINED, DECLINE_UNKNOWN, false, "77", ""},
    /* the scheme says: do not try again; whatever the code is, and wherever it stands */
    {200, "{\"returnCode\":\"05\",\"brand\":{\"advice\":\"03\"}}", PAYMENT_DECLINED, DECLINE_DO_NOT_HONOR, false, "05", ""},
    {200, "{\"brand\":{\"advice\":21},\"returnCode\":\"82\"}", PAYMENT_DECLINED, DECLINE_DECLINED, false, "82", ""},
    {200, "{\"brand\":{\"advice\":\"01\"},\"returnCode\":\"82\"}", PAYMENT_DECLINED, DECLINE_DECLINED, true, "82", ""},
    {200, "{\"returnCode\":\"00\",\"brand\":{\"advice\":\"03\"}}", PAYMENT_APPROVED, DECLINE_NONE, false, "00", ""},
    /* two codes in one place */
    {200, "{\"returnCode\":\"05\",\"returnCode\":\"41\"}", PAYMENT_DECLINED, DECLINE_DO_NOT_HONOR, false, "05", ""},
    {200, "{\"returnCode\":\"05\",\"returnCode\":\"05\"}", PAYMENT_DECLINED, DECLINE_DO_NOT_HONOR, true, "05", ""},
    {200, "{\"returnCode\":\"05\",\"returnCode\":\"00\"}", PAYMENT_APPROVED, DECLINE_NONE, false, "05", ""},
    /* never clear: a server's error, no code, no JSON, half an answer, a code past any length */
    {500, "{\"returnCode\":\"05\"}", PAYMENT_UNKNOWN, DECLINE_NONE, false, NULL, ""},
    {502, "<html>", PAYMENT_UNKNOWN, DECLINE_NONE, false, NULL, ""},
    {200, "{\"returnCode\":null}", PAYMENT_UNKNOWN, DECLINE_NONE, false, NULL, ""},
    {200, "{\"returnCode\":\"05\"", PAYMENT_UNKNOWN, DECLINE_NONE, false, NULL, ""},
    {200, "", PAYMENT_UNKNOWN, DECLINE_NONE, false, NULL, ""},
    {200, "{\"returnCode\":\"0505050505050505050505050505050505050505050505050505\"}", PAYMENT_UNKNOWN, DECLINE_NONE, false, NULL, ""},
};

START_TEST(test_what_an_answer_means)
{
    struct fixture f;
    struct verdict v;
    setup(&f);
    verdict_of(&f.rules, cases[_i].status, slice_of(cases[_i].json), &v);
    ck_assert_int_eq(v.what, cases[_i].what);
    ck_assert_int_eq(v.reason, cases[_i].reason);
    ck_assert_int_eq(v.may_retry, cases[_i].may_retry);
    if (cases[_i].code) ck_assert(slice_is((slice){v.code, v.code_len}, cases[_i].code));
    ck_assert(slice_is((slice){v.network_transaction_id, v.network_transaction_id_len}, cases[_i].transaction));
    path_set_free(f.rules.reply_paths);
}
END_TEST

START_TEST(test_rules_that_know_no_approval_judge_nothing)
{
    struct fixture f;
    struct verdict v;
    setup(&f);
    f.rules.approved_count = 0;
    verdict_of(&f.rules, 200, SLICE("{\"returnCode\":\"05\"}"), &v);
    ck_assert_int_eq(v.what, PAYMENT_UNKNOWN);
    ck_assert(!v.may_retry);
    path_set_free(f.rules.reply_paths);
}
END_TEST

/* Seed 003's table, row by row, and that nothing else is in it. */
START_TEST(test_the_table_of_retried_reasons)
{
    static const enum decline_reason retried[] = {
        DECLINE_GATEWAY_REJECTED, DECLINE_DECLINED, DECLINE_REFER_TO_ISSUER, DECLINE_ISSUER_UNAVAILABLE, DECLINE_DO_NOT_HONOR,
        DECLINE_SUSPECTED_FRAUD, DECLINE_EXPIRED_CARD, DECLINE_ERROR, DECLINE_APPLICATION_ERROR, DECLINE_TOKEN_REFUSED};
    size_t count = 0;
    for (size_t i = 0; i < sizeof retried / sizeof *retried; i++) ck_assert(decline_may_retry(retried[i]));
    for (enum decline_reason d = DECLINE_NONE; d < DECLINE_COUNT; d++) count += decline_may_retry(d);
    ck_assert_uint_eq(count, sizeof retried / sizeof *retried);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("verdict");
    TCase *c = tcase_create("verdict");
    tcase_add_loop_test(c, test_what_an_answer_means, 0, sizeof cases / sizeof *cases);
    tcase_add_test(c, test_rules_that_know_no_approval_judge_nothing);
    tcase_add_test(c, test_the_table_of_retried_reasons);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
