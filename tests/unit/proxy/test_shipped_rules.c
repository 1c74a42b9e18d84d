/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/verdict.h"
#include "rules/source.h"

#include "../base/suite.h"

#include <stdio.h>
#include <unistd.h>

/* What each shipped rules file makes of its processor's answers: what is approved, what a card number may repair, and what is never tried
 * again because it is final, not over yet, or not to be repeated so soon. */

static const struct {
    const char *rules;
    int status;
    const char *json;
    enum payment_verdict what;
    bool may_retry;
} cases[] = {
    {"rede", 200, "{\"returnCode\":\"00\",\"brand\":{\"returnCode\":\"00\",\"brandTid\":\"MCC1\"}}", PAYMENT_APPROVED, false},
    {"rede", 200, "{\"returnCode\":\"58\",\"brand\":{\"returnCode\":\"82\"}}", PAYMENT_DECLINED, true},
    {"rede", 200, "{\"returnCode\":\"58\",\"brand\":{\"returnCode\":\"05\",\"merchantAdviceCode\":\"01\"}}", PAYMENT_DECLINED, true},
    {"rede", 200, "{\"returnCode\":\"05\",\"brand\":{\"returnCode\":\"41\"}}", PAYMENT_DECLINED, false},
    {"rede", 200, "{\"returnCode\":\"51\"}", PAYMENT_DECLINED, false},
    {"rede", 200, "{\"brand\":{\"returnCode\":\"05\",\"merchantAdviceCode\":\"03\"}}", PAYMENT_DECLINED, false},
    {"rede", 200, "{\"brand\":{\"returnCode\":\"05\",\"merchantAdviceCode\":\"02\"}}", PAYMENT_DECLINED, false},
    {"rede", 200, "{\"brand\":{\"returnCode\":\"91\",\"merchantAdviceCode\":\"24\"}}", PAYMENT_DECLINED, false},
    {"rede", 503, "{\"returnCode\":\"05\"}", PAYMENT_UNKNOWN, false},
    {"cybersource", 201, "{\"status\":\"AUTHORIZED\",\"processorInformation\":{\"networkTransactionId\":\"016\"}}", PAYMENT_APPROVED, false},
    {"cybersource", 201, "{\"status\":\"DECLINED\",\"errorInformation\":{\"reason\":\"PROCESSOR_DECLINED\"}}", PAYMENT_DECLINED, true},
    {"cybersource", 201, "{\"status\":\"DECLINED\",\"errorInformation\":{\"reason\":\"STOLEN_LOST_CARD\"}}", PAYMENT_DECLINED, false},
    {"cybersource", 201, "{\"status\":\"PENDING_REVIEW\",\"errorInformation\":{\"reason\":\"GENERAL_DECLINE\"}}", PAYMENT_DECLINED, false},
    {"cybersource", 201, "{\"status\":\"DECLINED\",\"errorInformation\":{\"reason\":\"GENERAL_DECLINE\"},"
                         "\"processorInformation\":{\"merchantAdvice\":{\"code\":\"30\"}}}", PAYMENT_DECLINED, false},
    {"adyen", 200, "{\"resultCode\":\"Authorised\",\"additionalData\":{\"networkTxReference\":\"016\"}}", PAYMENT_APPROVED, false},
    {"adyen", 200, "{\"resultCode\":\"Refused\",\"refusalReasonCode\":\"2\"}", PAYMENT_DECLINED, true},
    {"adyen", 200, "{\"resultCode\":\"Refused\",\"refusalReasonCode\":\"12\"}", PAYMENT_DECLINED, false},
    {"adyen", 200, "{\"resultCode\":\"Refused\",\"refusalReasonCode\":\"46\"}", PAYMENT_DECLINED, false},
    {"adyen", 200, "{\"resultCode\":\"RedirectShopper\",\"action\":{}}", PAYMENT_UNKNOWN, false},
    {"checkout", 201, "{\"approved\":true,\"status\":\"Authorized\",\"response_code\":\"10000\"}", PAYMENT_APPROVED, false},
    {"checkout", 201, "{\"approved\":false,\"status\":\"Declined\",\"response_code\":\"20005\"}", PAYMENT_DECLINED, true},
    {"checkout", 201, "{\"approved\":false,\"status\":\"Declined\",\"response_code\":\"30004\"}", PAYMENT_DECLINED, false},
    {"checkout", 202, "{\"id\":\"pay_1\",\"status\":\"Pending\"}", PAYMENT_UNKNOWN, false},
    {"stripe", 200, "{\"status\":\"succeeded\"}", PAYMENT_APPROVED, false},
    {"stripe", 200, "{\"status\":\"requires_action\"}", PAYMENT_UNKNOWN, false},
    {"stripe", 402, "{\"error\":{\"code\":\"card_declined\",\"decline_code\":\"do_not_honor\"}}", PAYMENT_DECLINED, true},
    {"stripe", 402, "{\"error\":{\"code\":\"card_declined\",\"decline_code\":\"insufficient_funds\"}}", PAYMENT_DECLINED, false},
    {"stripe", 402, "{\"error\":{\"code\":\"card_declined\",\"decline_code\":\"stolen_card\"}}", PAYMENT_DECLINED, false},
    {"cielo", 201, "{\"Payment\":{\"Status\":2,\"ReturnCode\":\"6\"}}", PAYMENT_APPROVED, false},
    {"cielo", 201, "{\"Payment\":{\"Status\":3,\"ReturnCode\":\"05\"}}", PAYMENT_DECLINED, true},
    {"cielo", 201, "{\"Payment\":{\"Status\":3,\"ReturnCode\":\"14\"}}", PAYMENT_DECLINED, false},
    {"cielo", 201, "{\"Payment\":{\"Status\":0,\"ReturnCode\":\"05\"}}", PAYMENT_DECLINED, false},
    {"cielo", 201, "{\"Payment\":{\"Status\":12,\"ReturnCode\":\"91\"}}", PAYMENT_DECLINED, false},
    {"braintree", 201, "{\"transaction\":{\"processor_response_code\":\"1000\"}}", PAYMENT_APPROVED, false},
    {"braintree", 422, "{\"transaction\":{\"processor_response_code\":\"2000\"}}", PAYMENT_DECLINED, true},
    {"braintree", 422, "{\"transaction\":{\"processor_response_code\":\"2001\"}}", PAYMENT_DECLINED, false},
    {"credibanco", 200, "{\"orderStatus\":2,\"actionCode\":0}", PAYMENT_APPROVED, false},
    {"credibanco", 200, "{\"orderStatus\":6,\"actionCode\":116}", PAYMENT_DECLINED, false},
};

START_TEST(test_answers)
{
    char file[64];
    struct verdict v;
    struct ruleset *rules = NULL;
    struct problems *problems = problems_new();
    ck_assert_int_eq(chdir(SOURCE_ROOT), 0);
    struct source *source = source_disk();
    (void)snprintf(file, sizeof file, "rules/%s.yaml", cases[_i].rules);
    ck_assert(!failed(ruleset_load(source, slice_of(file), problems, &rules)));
    verdict_of(rules, cases[_i].status, slice_of(cases[_i].json), &v);
    ck_assert_msg(v.what == cases[_i].what && v.may_retry == cases[_i].may_retry, "%s: %s: %s, retried: %d", cases[_i].rules, cases[_i].json,
                  payment_verdict_name(v.what), v.may_retry);
    ruleset_free(rules);
    source_free(source);
    problems_free(problems);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("shipped rules");
    TCase *c = tcase_create("shipped rules");
    tcase_add_loop_test(c, test_answers, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failures = srunner_ntests_failed(r);
    srunner_free(r);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
