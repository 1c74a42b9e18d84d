/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/report.h"

#include "../base/suite.h"

#include <string.h>

static struct buf out;

static const char *json_of(const struct report *r)
{
    buf_done(&out);
    buf_init(&out, 1 << 20);
    ck_assert(!failed(report_write_json(r, &out)));
    ck_assert(!failed(buf_append(&out, (slice){"", 1})));
    return out.at;
}

static void expect(const char *json, const char *part)
{
    ck_assert_msg(strstr(json, part) != NULL, "%s is not in %s", part, json);
}

static const struct report_range range = {495240, 495264}; /* 2026-07-01 */

START_TEST(nothing_was_paid)
{
    struct report r;
    report_init(&r, range, SLICE_NONE);
    const char *json = json_of(&r);
    expect(json, "\"from\":\"2026-07-01T00:00:00.000Z\",\"to\":\"2026-07-02T00:00:00.000Z\",\"cards_with_token\":0,");
    expect(json, "\"success\":{\"provisioned\":0,\"of\":0,\"rate\":null},\"refused\":{}");
    expect(json, "\"share_of_network_token\":{\"payments\":0,\"of\":0,\"rate\":null}");
    expect(json, "\"difference\":null");
    expect(json, "\"routes\":[]");
    ck_assert_ptr_null(strstr(json, "nan"));
    report_done(&r);
    buf_done(&out);
}
END_TEST

START_TEST(figures_of_one_route)
{
    const uint64_t sums[COUNTER_COUNT] = {
        [COUNTER_TOKEN_APPROVED] = 56, [COUNTER_TOKEN_DECLINED] = 14, [COUNTER_TOKEN_UNKNOWN] = 2,
        [COUNTER_PAN_WITH_TOKEN_APPROVED] = 48, [COUNTER_PAN_WITH_TOKEN_DECLINED] = 32, [COUNTER_PAN_WITH_TOKEN_UNKNOWN] = 1,
        [COUNTER_PAN_APPROVED] = 500, [COUNTER_PAN_DECLINED] = 100,
        [COUNTER_RETRY_APPROVED] = 4, [COUNTER_RETRY_DECLINED] = 3, [COUNTER_RETRY_UNKNOWN] = 1,
        [COUNTER_FALLBACK_BUDGET_SPENT] = 7,
    };
    struct report r;
    report_init(&r, range, SLICE_NONE);
    report_add(&r, SLICE("rede"), sums);
    ck_assert(!failed(r.verdict));
    const char *json = json_of(&r);
    expect(json, "\"payments\":{\"network_token\":{\"approved\":56,\"declined\":14,\"unknown\":2},"
                 "\"card_pan_of_cards_with_token\":{\"approved\":48,\"declined\":32,\"unknown\":1},"
                 "\"card_pan_of_other_cards\":{\"approved\":500,\"declined\":100,\"unknown\":0},"
                 "\"pan_retries\":{\"approved\":4,\"declined\":3,\"unknown\":1}},"
                 "\"fallbacks\":{\"not_supported\":0,\"not_in_volume\":0,\"not_provisioned\":0,\"suspended\":0,\"deleted\":0,\"forced\":0,"
                 "\"cryptogram_failed\":0,\"budget_spent\":7},");
    /* 72 of 153; Wilson and Newcombe by another program (56 of 70 against 48 of 80: 0.0524 to 0.3339). */
    expect(json, "\"share_of_network_token\":{\"payments\":72,\"of\":153,\"rate\":0.4706,\"low\":0.3932,\"high\":0.5494}");
    expect(json, "\"first_attempts\":{\"network_token\":{\"approved\":56,\"of\":70,\"rate\":0.8000,\"low\":0.6918,\"high\":0.8770},"
                 "\"card_pan\":{\"approved\":48,\"of\":80,\"rate\":0.6000,\"low\":0.4905,\"high\":0.7004},"
                 "\"difference\":{\"value\":0.2000,\"low\":0.0524,\"high\":0.3339}}");
    /* Four of the declined were saved; one went where nobody knows. */
    expect(json, "\"with_pan_retries\":{\"network_token\":{\"approved\":60,\"of\":69,\"rate\":0.8696,");
    report_done(&r);
    buf_done(&out);
}
END_TEST

START_TEST(routes_and_provisioning)
{
    const uint64_t one[COUNTER_COUNT] = {[COUNTER_TOKEN_APPROVED] = 1}, two[COUNTER_COUNT] = {[COUNTER_TOKEN_APPROVED] = 2};
    const uint64_t own[COUNTER_COUNT] = {[COUNTER_ENROL_ASKED] = 12, [COUNTER_ENROL_ACTIVE] = 8, [COUNTER_ENROL_DECLINED] = 1,
                                         [COUNTER_ENROL_CARD_NOT_ELIGIBLE] = 1, [COUNTER_TOKENS_GAINED] = 8, [COUNTER_TOKENS_LOST] = 1};
    for (int only = 0; only < 2; only++) {
        struct report r;
        report_init(&r, range, only ? SLICE("b") : SLICE_NONE);
        report_add(&r, SLICE("a"), one);
        report_add(&r, SLICE(""), own);
        report_add(&r, SLICE("b"), two);
        report_add_history(&r, SLICE(""), own);
        report_add_history(&r, SLICE("a"), one);
        const char *json = json_of(&r);
        expect(json, "\"cards_with_token\":7,");
        expect(json, "\"provisioning\":{\"enrolments\":12,\"success\":{\"provisioned\":8,\"of\":10,\"rate\":0.8000,\"low\":0.4902,\"high\":0.9433},"
                     "\"refused\":{\"card_not_eligible\":1,\"declined\":1},\"tokens_activated\":8,\"tokens_ended\":1},");
        expect(json, only ? "\"tokens_ended\":1},\"payments\":{\"network_token\":{\"approved\":2," : "\"tokens_ended\":1},\"payments\":{\"network_token\":{\"approved\":3,");
        expect(json, only ? "\"routes\":[{\"route\":\"b\"," : "\"routes\":[{\"route\":\"a\",");
        if (only) expect(json, ",\"route\":\"b\",\"cards_with_token\"");
        ck_assert_uint_eq(r.route_count, only ? 1 : 2);
        report_done(&r);
    }
    buf_done(&out);
}
END_TEST

/* Counters that a crash of the counting itself would leave: nothing may be past its whole. */
START_TEST(a_route_is_known_by_configuration_or_history)
{
    const uint64_t sums[COUNTER_COUNT] = {0};
    struct report r;
    report_init(&r, range, SLICE("old"));
    ck_assert_uint_eq(report_check(&r).err, ERR_REPORT_ROUTE);
    report_know(&r, SLICE("new"));
    report_add_history(&r, SLICE_NONE, sums); /* provisioning */
    report_add_history(&r, SLICE("new"), sums);
    ck_assert_uint_eq(report_check(&r).err, ERR_REPORT_ROUTE);
    ck_assert_uint_eq(r.known_count, 1);
    report_add_history(&r, SLICE("old"), sums);
    ck_assert(!failed(report_check(&r)));
    ck_assert_str_eq(r.known[0], "new");
    ck_assert_str_eq(r.known[1], "old");
    ck_assert_ptr_null(r.known[2]);
    report_done(&r);
}
END_TEST

START_TEST(counts_that_do_not_fit)
{
    const uint64_t sums[COUNTER_COUNT] = {[COUNTER_RETRY_APPROVED] = 5, [COUNTER_RETRY_UNKNOWN] = 9, [COUNTER_TOKEN_DECLINED] = 2};
    struct report r;
    struct report_figures f;
    report_figures(sums, &f);
    ck_assert(f.compared.token_retried.hits == 0 && f.compared.token_retried.n == 0);
    report_init(&r, range, SLICE_NONE);
    report_add(&r, SLICE("a"), sums);
    (void)json_of(&r);
    report_done(&r);
    buf_done(&out);
}
END_TEST

START_TEST(ranges)
{
    static const struct {
        const char *from, *to;
        int64_t hours; /* 0: refused */
    } cases[] = {
        {NULL, NULL, 30 * 24},
        {"2026-07-01", "2026-07-31", 31 * 24},
        {"2026-07-01T23:59:59Z", "2026-07-02T00:00:00Z", 1},
        {"2025-06-01", "2026-07-05", 400 * 24},
        {"2025-06-01", "2026-07-06", 0},
        {"2026-07-02", "2026-07-01", 0},
        {"1970-01-01", "1970-01-01", 24},
        {NULL, "1970-01-02", 48},
        {"", NULL, 0},
        {"x", NULL, 0},
        {NULL, "2026-07-32", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct report_range got = {0};
        slice from = cases[i].from ? slice_of(cases[i].from) : SLICE_NONE, to = cases[i].to ? slice_of(cases[i].to) : SLICE_NONE;
        result r = report_range_parse(from, to, INT64_C(1784000000000), &got);
        ck_assert_int_eq(r.err, cases[i].hours ? ERR_NONE : ERR_REPORT_RANGE);
        ck_assert_int_eq((int64_t)got.to_hour - got.from_hour, cases[i].hours);
    }
}
END_TEST

RUN_TESTS("report", nothing_was_paid, figures_of_one_route, routes_and_provisioning, a_route_is_known_by_configuration_or_history, counts_that_do_not_fit, ranges)
