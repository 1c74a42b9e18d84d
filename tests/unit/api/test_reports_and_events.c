/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include "base/clock.h"
#include "vault/network.h"

#include <stdio.h>
#include <string.h>

#define REPORT "/v1/reports/network-tokens"
enum { JULY_1_2026 = 495240 /* hours since 1970 */ };

static void tell_row(uint32_t index, const char *route, const uint64_t *sums)
{
    const struct report_row row = {.route = slice_of(route), .sums = sums};
    asked.handlers->on_report(asked.owner, index, OK, &row, false);
}

static void tell_end(uint32_t index, enum error e)
{
    asked.handlers->on_report(asked.owner, index, (result){e}, NULL, true);
}

START_TEST(a_report_is_asked_for_its_hours)
{
    static const struct {
        const char *query;
        uint32_t from, to;
    } cases[] = {
        {"?from=2026-07-01&to=2026-07-01", JULY_1_2026, JULY_1_2026 + 24},
        {"?to=2026-07-01T00:00:00Z", JULY_1_2026 - 30 * 24, JULY_1_2026},
        {"?from=2026-07-01T10:59:59Z&to=2026-07-01T11:00:01Z", JULY_1_2026 + 10, JULY_1_2026 + 12},
        {"?from=2026-07-01T02%3A00%3A00%2B02%3A00&to=2026-07-01T06:00:00+02:00&route=re%64e", JULY_1_2026, JULY_1_2026 + 4},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char target[256];
        (void)snprintf(target, sizeof target, REPORT "%s", cases[i].query);
        ck_assert(call("GET", target, "", ""));
        admit(0);
        ck_assert_str_eq(asked.questions, "open 64;report 0;report 1;");
        ck_assert_uint_eq(asked.from_hour[0], cases[i].from);
        ck_assert_uint_eq(asked.to_hour[0], cases[i].to);
        ck_assert_uint_eq(asked.from_hour[1], 0);
        ck_assert_uint_eq(asked.to_hour[1], cases[i].to);
        ck_assert_str_eq(asked.text[0], "");
        tell_end(0, ERR_NONE);
        tell_end(1, ERR_NONE);
        answered(200, i == 3 ? ",\"route\":\"rede\",\"cards_with_token\":0" : "\"cards_with_token\":0");
    }
    uint32_t now = (uint32_t)(clock_wall_ms() / 3600000);
    ck_assert(call("GET", REPORT, "", ""));
    admit(0);
    ck_assert(asked.to_hour[0] == now + 1 || asked.to_hour[0] == now + 2);
    ck_assert_uint_eq(asked.to_hour[0] - asked.from_hour[0], 30 * 24);
    tear_down();
}
END_TEST

/* Those of the configuration that are this merchant's, and those that once were: nobody else's. */
START_TEST(a_route_that_there_is_not)
{
    static const struct {
        const char *route;
        int status;
        const char *part;
    } cases[] = {
        {"rede", 200, "\"route\":\"rede\""},
        {"any", 200, "\"route\":\"any\""},
        {"gone", 200, "\"route\":\"gone\""},
        {"redr", 404, "\"code\":\"REPORT_ROUTE\",\"description\":\"did you mean 'rede'?\""},
        {"cielo", 404, "\"description\":\"known here: rede, any, gone\""},
        {"4111111111111111", 404, "\"description\":\"known here: rede, any, gone\""},
    };
    const uint64_t sums[COUNTER_COUNT] = {[COUNTER_PAN_APPROVED] = 1};
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char target[256];
        (void)snprintf(target, sizeof target, REPORT "?route=%s", cases[i].route);
        ck_assert(call("GET", target, "", ""));
        admit(0);
        tell_end(0, ERR_NONE);
        tell_row(1, "gone", sums);
        tell_row(1, "rede", sums);
        tell_end(1, ERR_NONE);
        answered(cases[i].status, cases[i].part);
    }
    tear_down();
}
END_TEST

START_TEST(a_query_that_is_wrong)
{
    static const struct {
        const char *query, *code;
    } cases[] = {
        {"?from=yesterday", "REPORT_RANGE"},
        {"?from=", "REPORT_RANGE"},
        {"?from=2026-07-02&to=2026-07-01", "REPORT_RANGE"},
        {"?from=2026-07-01T00:00:00Z&to=2026-07-01T00:00:00Z", "REPORT_RANGE"},
        {"?from=2025-01-01&to=2026-07-01", "REPORT_RANGE"},
        {"?from=2999-01-01", "REPORT_RANGE"},
        {"?from", "REPORT_QUERY"},
        {"?until=2026-07-01", "REPORT_QUERY"},
        {"?from=2026-07-01&from=2026-07-01", "REPORT_QUERY"},
        {"?from=%2", "REPORT_QUERY"},
        {"?route=", "REPORT_QUERY"},
        {"?route=0123456789012345678901234567890123456789012345678901234567890123x", "REPORT_QUERY"},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char target[256];
        (void)snprintf(target, sizeof target, REPORT "%s", cases[i].query);
        ck_assert_msg(!call("GET", target, "", ""), "%s", target);
        answered(400, cases[i].code);
        ck_assert_str_eq(asked.questions, "");
    }
    ck_assert(!call("POST", REPORT, "", ""));
    answered(405, "METHOD");
    tear_down();
}
END_TEST

START_TEST(a_report_tells_what_the_rows_say)
{
    uint64_t own[COUNTER_COUNT] = {[COUNTER_TOKENS_GAINED] = 5, [COUNTER_TOKENS_LOST] = 1};
    uint64_t rede[COUNTER_COUNT] = {[COUNTER_TOKEN_APPROVED] = 9, [COUNTER_TOKEN_DECLINED] = 1};
    set_up();
    ck_assert(call("GET", REPORT, "", ""));
    admit(0);
    tell_row(1, "", own);
    tell_row(1, "rede", rede);
    tell_end(1, ERR_NONE);
    tell_row(0, "rede", rede);
    tell_end(0, ERR_NONE);
    answered(200, "\"cards_with_token\":4,");
    answered(200, "\"first_attempts\":{\"network_token\":{\"approved\":9,\"of\":10,\"rate\":0.9000,\"low\":0.5958,\"high\":0.9821},"
                  "\"card_pan\":{\"approved\":0,\"of\":0,\"rate\":null},\"difference\":null}");
    ck_assert(call("GET", REPORT, "", ""));
    admit(0);
    tell_end(0, ERR_VAULT_STORE);
    tell_end(1, ERR_NONE);
    answered(503, "VAULT_STORE");
    tear_down();
}
END_TEST

/* --- notifications --- */

#define EVENTS "/v1/network-events/"
#define SIGNED "v-c-signature: t=1;keyId=a;sig=YQ=="

START_TEST(a_notification_is_passed_on)
{
    set_up();
    for (int by_type = 0; by_type < 2; by_type++) {
        ck_assert(call("POST", by_type ? EVENTS "cybersource" : EVENTS "visa-tms", SIGNED, "{\"payload\":1}"));
        ck_assert_int_eq(asked.caller.purpose, KEEPER_FOR_NOTICE);
        ck_assert(asked.caller.permission == 0 && asked.caller.api_key.at == NULL);
        admit(0);
        ck_assert_str_eq(asked.questions, "open 0;notice 0;");
        ck_assert_str_eq(asked.text[0], "t=1;keyId=a;sig=YQ==");
        ck_assert_str_eq(asked.text[1], "{\"payload\":1}");
        ck_assert_uint_eq(asked.network, 0);
        asked.handlers->on_noticed(asked.owner, 0, OK);
        answered(200, "\"status\":\"success\"");
    }
    tear_down();
}
END_TEST

START_TEST(a_stranger_learns_nothing)
{
    static const struct {
        enum error e;
        int status;
    } cases[] = {{ERR_SIGNATURE_WRONG, 401}, {ERR_SIGNATURE_FORMAT, 401}, {ERR_JSON_SYNTAX, 401}, {ERR_NETWORK_ANSWER, 401},
                 {ERR_KEEPER_AWAY, 503},     {ERR_KEEPER_SLOW, 503},      {ERR_NETWORK_DOWN, 503}, {ERR_VAULT_STORE, 503},
                 {ERR_INTERNAL, 503},        {ERR_TOO_MANY_BAD_TOKENS, 503}};
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(call("POST", EVENTS "visa-tms", SIGNED, "{}"));
        admit(0);
        asked.handlers->on_noticed(asked.owner, 0, (result){cases[i].e});
        answered(cases[i].status, "{\"status\":\"fail\"");
        if (cases[i].status == 401) answered(401, "\"code\":\"SIGNATURE_WRONG\"");
        ck_assert_int_eq(error, cases[i].e);
    }
    static const char *const unsigned_ones[] = {"", SIGNED "\n" SIGNED};
    for (size_t i = 0; i < 2; i++) {
        ck_assert(call("POST", EVENTS "visa-tms", unsigned_ones[i], "{}"));
        admit(0);
        answered(401, "\"code\":\"SIGNATURE_WRONG\"");
        ck_assert_str_eq(asked.questions, "open 0;");
    }
    tear_down();
}
END_TEST

START_TEST(who_is_not_asked)
{
    static char large[32 * 1024 + 2];
    memset(large, 'x', sizeof large - 1);
    set_up();
    ck_assert(!call("POST", EVENTS "mdes", SIGNED, "{}"));
    answered(404, "NOT_FOUND");
    ck_assert(!call("DELETE", EVENTS "visa-tms", SIGNED, "{}"));
    answered(405, "METHOD");
    ck_assert(!call("POST", EVENTS "visa-tms", SIGNED, large));
    answered(413, "TOO_LARGE");
    large[32 * 1024] = '\0';
    ck_assert(call("POST", EVENTS "visa-tms", SIGNED, large));
    ck_assert(call("GET", EVENTS "visa-tms", "", ""));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 0;");
    answered(200, "\"status\":\"success\"");
    struct config_network two[] = {{.name = SLICE("a")}, {.name = SLICE("b")}};
    config.networks = two;
    config.network_count = 2;
    ck_assert(!call("POST", EVENTS "cybersource", SIGNED, "{}")); /* which of them? */
    answered(404, "NOT_FOUND");
    ck_assert(call("POST", EVENTS "b", SIGNED, "{}"));
    admit(0);
    ck_assert_uint_eq(asked.network, 1);
    two[1].name = SLICE("cybersource");
    ck_assert(call("POST", EVENTS "cybersource", SIGNED, "{}"));
    admit(0);
    ck_assert_uint_eq(asked.network, 1);
    tear_down();
}
END_TEST

RUN_TESTS("reports_and_events", a_report_is_asked_for_its_hours, a_route_that_there_is_not, a_query_that_is_wrong, a_report_tells_what_the_rows_say,
          a_notification_is_passed_on, a_stranger_learns_nothing, who_is_not_asked)
