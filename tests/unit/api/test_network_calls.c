/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <stdio.h>
#include <string.h>

#define TOKEN "7589d7f0-f138-4647-a247-5ba24a40ec01"
#define REFERENCE "bfe68a02-51cd-4d66-b2ad-56fc55527e45"
#define JSON "content-type: application/json"

static const char body[] = "{\"transaction_info\":{\"type\":\"enroll_card\"},\"card\":{\"number\":\"{{" TOKEN ":detokenize}}\","
                           "\"expiration_date\":\"{{" TOKEN ":detokenize}}\",\"security_code\":\"{{tmp_abcdef:transaction}}\"},"
                           "\"bill_to\":{\"address_1\":\"1 Rua\",\"city\":\"SP\",\"state\":\"SP\",\"postal_code\":\"01000\",\"country\":\"br\"}}";
static const struct network_info known = {.state = NETWORK_PENDING, .reference_code = REFERENCE, .updated_ms = 1784000000000};

static void tell_network(uint32_t index, enum error e, const struct network_info *info, const struct credential *c)
{
    asked.handlers->on_network(asked.owner, index, (result){e}, info, c);
}

/* --- enrolment --- */

static void begin_enrolment(void)
{
    ck_assert(call("POST", "/v1/tokens/enroll", JSON "; charset=utf-8", body));
    admit(0);
}

START_TEST(an_enrolment_is_asked_as_it_was_sent)
{
    set_up();
    begin_enrolment();
    ck_assert_str_eq(asked.questions, "open 128;enrol 0;");
    ck_assert_int_eq(asked.caller.purpose, KEEPER_FOR_API);
    ck_assert_str_eq(asked.text[0], TOKEN);
    ck_assert_str_eq(asked.text[1], "tmp_abcdef");
    ck_assert_str_eq(asked.text[2], "1 Rua||SP|SP|01000|BR");
    api_service.cancel(running); /* nobody knows what became of it */
    running = NULL;
    ck_assert_str_eq(asked.ended, "untold");
    tear_down();
}
END_TEST

START_TEST(each_decision_has_its_answer)
{
    static const struct network_info already = {.state = NETWORK_ACTIVE, .already = true, .reference_code = REFERENCE};
    static const struct network_info refused = {.state = NETWORK_UNPROVISIONED, .reason = "CARD_NOT_ELIGIBLE", .reference_code = REFERENCE};
    static const struct network_info active = {.state = NETWORK_ACTIVE, .reference_code = REFERENCE};
    static const struct {
        enum error e;
        const struct network_info *info;
        int status;
        const char *message, *word, *error_info, *ended;
    } cases[] = {
        {ERR_NONE, &known, 200, "Network token successfully stored", "Enrolled", NULL, "used"},
        {ERR_NONE, &active, 200, "Network token successfully stored", "Enrolled", NULL, "used"},
        {ERR_NONE, &already, 409, "Network token already exists", "Already_enrolled", NULL, "untold"},
        {ERR_ENROLLED_ALREADY, &active, 409, "Network token already exists", "Already_enrolled", NULL, "unsent"},
        {ERR_NONE, &refused, 409, "Network token is unavailable", "Not_enrolled", "CARD_NOT_ELIGIBLE", "untold"},
        {ERR_NETWORK_REFUSED, &refused, 409, "Network token is unavailable", "Not_enrolled", "CARD_NOT_ELIGIBLE", "untold"},
        {ERR_NETWORK_REFUSED, NULL, 409, "Network token is unavailable", "Not_enrolled", "INVALID_REQUEST", "untold"},
        {ERR_NETWORK_UNSUPPORTED, NULL, 409, "Workflow not implemented", "Not_enrolled", "INVALID_REQUEST", "unsent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char part[128];
        set_up();
        begin_enrolment();
        tell_network(0, cases[i].e, cases[i].info, NULL);
        (void)snprintf(part, sizeof part, "{\"status\":\"success\",\"message\":\"%s\",\"data\":{", cases[i].message);
        answered(cases[i].status, part);
        answered(cases[i].status, "\"transaction_info\":{\"type\":\"enroll_card_response\",\"reference_code\":\"");
        if (cases[i].info) answered(cases[i].status, "\"reference_code\":\"" REFERENCE "\"");
        answered(cases[i].status, "\"request_id\":\"01234567-89abcdef\"");
        (void)snprintf(part, sizeof part, "\"status\":\"%s\",\"created_at\":\"20", cases[i].word);
        answered(cases[i].status, part);
        (void)snprintf(part, sizeof part, ",\"error_info\":{\"reason\":\"Unprovisioned\",\"message\":\"%s\"}}}",
                       cases[i].error_info ? cases[i].error_info : "");
        if (cases[i].error_info) answered(cases[i].status, part);
        if (!cases[i].error_info) lacks("error_info");
        ck_assert_str_eq(asked.ended, cases[i].ended);
        tear_down();
    }
}
END_TEST

START_TEST(each_failure_of_an_enrolment_has_its_answer)
{
    static const struct {
        enum error e;
        int status;
        const char *part, *path, *ended;
    } cases[] = {
        {ERR_TOKEN_NOT_FOUND, 400, "\"message\":\"Invalid request\"", "card.number", "unsent"},
        {ERR_TOKEN_UNKNOWN, 400, "\"message\":\"Invalid request\"", "card.number", "unsent"},
        {ERR_TOKEN_WRONG_KIND, 400, "\"message\":\"Invalid request\"", "card.number", "unsent"},
        {ERR_TOKEN_NO_PAN, 400, "\"message\":\"Invalid request\"", "card.number", "unsent"},
        {ERR_TOKEN_EXPIRED, 400, "\"message\":\"Invalid request\"", "card.security_code", "unsent"},
        {ERR_NETWORK_OFF, 403, "\"code\":\"NETWORK_OFF\"", NULL, "unsent"},
        {ERR_NETWORK_DOWN, 503, "\"code\":\"NETWORK_DOWN\"", NULL, "untold"},
        {ERR_KEEPER_SLOW, 503, "\"code\":\"KEEPER_SLOW\"", NULL, "untold"},
        {ERR_NETWORK_ANSWER, 500, "\"message\":\"Internal server error\"", NULL, "untold"},
        {ERR_NETWORK_CREDENTIALS, 500, "\"message\":\"Internal server error\"", NULL, "untold"},
        {ERR_VAULT_SEAL, 500, "\"description\":\"An unexpected error occurred while processing the request\"", NULL, "unsent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_up();
        begin_enrolment();
        tell_network(0, cases[i].e, NULL, NULL);
        answered(cases[i].status, cases[i].part);
        answered(cases[i].status, "{\"status\":\"fail\"");
        ck_assert_int_eq(error, cases[i].e);
        if (cases[i].path) answered(400, cases[i].path);
        if (!cases[i].path) lacks("\"path\"");
        ck_assert_str_eq(asked.ended, cases[i].ended);
        tear_down();
    }
}
END_TEST

START_TEST(what_is_not_asked_of_the_network)
{
    set_up();
    ck_assert(!call("GET", "/v1/tokens/enroll", "", ""));
    answered(405, "METHOD");
    ck_assert_str_eq(allow, "POST");
    ck_assert(call("POST", "/v1/tokens/enroll", JSON, body));
    refuse(ERR_KEY_PERMISSION);
    answered(403, "KEY_PERMISSION");
    ck_assert(call("POST", "/v1/tokens/enroll", JSON, body));
    admit(1);
    answered(403, "NETWORK_OFF");
    ck_assert(call("POST", "/v1/tokens/enroll", JSON, body));
    admit(7); /* of a configuration that is newer than ours */
    answered(403, "NETWORK_OFF");
    ck_assert(call("POST", "/v1/tokens/enroll", "content-type: text/plain", body));
    admit(0);
    answered(415, "CARD_CONTENT_TYPE");
    ck_assert(call("POST", "/v1/tokens/enroll", JSON, "{\"transaction_info\":{\"type\":\"enroll_card\"}}"));
    admit(0);
    answered(400, "{\"status\":\"fail\",\"message\":\"Invalid request\",\"data\":{\"code\":\"ENROL_FIELD\","
                  "\"description\":\"Some fields are missing in the request\",\"path\":\"card.number\"}}\n");
    ck_assert_str_eq(asked.questions, "open 128;");
    ck_assert_str_eq(asked.ended, "unsent");
    ck_assert(call("POST", "/v1/tokens/enroll", JSON, "{"));
    admit(0);
    answered(400, "\"code\":\"JSON_SYNTAX\"");
    answered(400, "\"message\":\"Invalid request\"");
    ck_assert(call("POST", "/v1/tokens/enroll", JSON, body));
    asked.refuses = ERR_KEEPER_AWAY;
    admit(0);
    answered(503, "KEEPER_AWAY");
    ck_assert_str_eq(asked.ended, "unsent");
    tear_down();
}
END_TEST

/* --- payment credentials --- */

#define CREDENTIALS "/v1/tokens/" TOKEN "/payment-credentials"

START_TEST(credentials_are_told_whole)
{
    static const struct network_info active = {.state = NETWORK_ACTIVE, .reference_code = REFERENCE};
    struct credential c = {.kind = CREDENTIAL_NETWORK_TOKEN, .number_len = 16, .cryptogram_len = 28, .eci_len = 2, .month = 3, .year = 2029};
    memcpy(c.number, "4895370000000003", 16);
    memcpy(c.cryptogram, "AgAAAAAABk4DWZ4C28yUQAAAAAA=", 28);
    memcpy(c.eci, "07", 2);
    set_up();
    ck_assert(call("GET", CREDENTIALS, "", ""));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 32;credentials 0;");
    ck_assert_str_eq(asked.text[0], TOKEN);
    tell_network(0, ERR_NONE, &active, &c);
    answered(200, "\"transaction_info\":{\"type\":\"get_payment_credentials_response\",\"reference_code\":\"" REFERENCE
                  "\",\"request_id\":\"01234567-89abcdef\",\"status\":\"Provisioned\",\"created_at\":\"20");
    answered(200, "\"network_token_info\":{\"status\":\"ACTIVE\",\"card\":{\"number\":\"4895370000000003\",\"expiration_month\":\"03\","
                  "\"expiration_year\":\"2029\",\"cryptogram\":\"AgAAAAAABk4DWZ4C28yUQAAAAAA=\"},\"eci\":\"07\"}}}\n");
    tear_down();
}
END_TEST

START_TEST(credentials_that_there_are_not)
{
    static const struct network_info suspended = {.state = NETWORK_SUSPENDED, .reference_code = REFERENCE};
    static const struct {
        enum error e;
        const struct network_info *info;
        int status;
        const char *part;
    } cases[] = {
        {ERR_NETWORK_TOKEN_NONE, &known, 404, "\"message\":\"No active network token found\""},
        {ERR_NETWORK_TOKEN_NONE, NULL, 404, "\"status\":\"Not_found\""},
        {ERR_NETWORK_TOKEN_NONE, &suspended, 404, "\"network_token_info\":{\"status\":\"SUSPENDED\"}"},
        {ERR_NETWORK_TOKEN_GONE, NULL, 404, "\"status\":\"Not_found\""},
        {ERR_NETWORK_REFUSED, NULL, 404, "\"status\":\"Not_found\""},
        {ERR_NETWORK_UNSUPPORTED, NULL, 404, "\"status\":\"Not_found\""},
        {ERR_NONE, &known, 404, "\"status\":\"Not_found\""}, /* no credential with it */
        {ERR_TOKEN_NOT_FOUND, NULL, 404, "\"code\":\"TOKEN_NOT_FOUND\""},
        {ERR_NETWORK_DOWN, NULL, 503, "\"code\":\"NETWORK_DOWN\""},
        {ERR_KEEPER_AWAY, NULL, 503, "\"code\":\"KEEPER_AWAY\""},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(call("GET", CREDENTIALS, "", ""));
        admit(0);
        tell_network(0, cases[i].e, cases[i].info, NULL);
        answered(cases[i].status, cases[i].part);
        answered(cases[i].status, "{\"status\":\"fail\"");
    }
    ck_assert(call("GET", CREDENTIALS, "", ""));
    admit(1);
    answered(403, "NETWORK_OFF");
    ck_assert(!call("HEAD", CREDENTIALS, "", "")); /* would spend a cryptogram for nothing */
    answered(405, "METHOD");
    ck_assert_str_eq(allow, "GET");
    ck_assert(!call("GET", "/v1/tokens/a/payment-credentials", "", ""));
    answered(404, "TOKEN_NOT_FOUND");
    tear_down();
}
END_TEST

/* --- a token's own page --- */

static struct card_info card(void)
{
    struct card_info i = {.month = 12, .year = 2031, .mask = {"411111******1111", "visa"}, .created_ms = 1784000000000, .updated_ms = 1784000000000};
    ck_assert(token_id_from(SLICE(TOKEN), &i.token));
    return i;
}

START_TEST(a_token_shows_its_network_token)
{
    static const struct {
        enum error e;
        struct network_info info;
        const char *part; /* NULL: no network_token */
    } cases[] = {
        {ERR_NONE, {.state = NETWORK_ACTIVE, .month = 11, .year = 2029, .updated_ms = 1784000000123},
         ",\"network_token\":{\"status\":\"ACTIVE\",\"expiration_date\":\"11/2029\",\"updated_at\":\"2026-07-14T03:33:20.123Z\"}}}\n"},
        {ERR_NONE, {.state = NETWORK_UNPROVISIONED, .reason = "DECLINED"}, "\"network_token\":{\"status\":\"UNPROVISIONED\",\"reason\":\"DECLINED\"}"},
        {ERR_NONE, {.state = NETWORK_PENDING}, "\"network_token\":{\"status\":\"PENDING\"}"},
        {ERR_NONE, {.state = NETWORK_NONE}, NULL},
        {ERR_NETWORK_OFF, {0}, NULL},
        {ERR_NETWORK_TOKEN_NONE, {0}, NULL},
    };
    struct card_info info = card();
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool first = i % 2 == 0; /* the answers come in any order */
        ck_assert(call("GET", "/v1/tokens/" TOKEN, "", ""));
        admit(0);
        ck_assert_str_eq(asked.questions, "open 4;get 0;network 1;");
        if (first) tell_network(1, cases[i].e, failed((result){cases[i].e}) ? NULL : &cases[i].info, NULL);
        asked.handlers->on_token(asked.owner, 0, OK, &info, false);
        if (!first) tell_network(1, cases[i].e, failed((result){cases[i].e}) ? NULL : &cases[i].info, NULL);
        answered(200, cases[i].part ? cases[i].part : "411111******1111");
        if (!cases[i].part) lacks("network_token");
    }
    ck_assert(call("GET", "/v1/tokens/" TOKEN, "", ""));
    admit(1);
    ck_assert_str_eq(asked.questions, "open 4;get 0;");
    asked.handlers->on_token(asked.owner, 0, OK, &info, false);
    answered(200, "\"updated_at\":\"2026-07-14T03:33:20.000Z\"}}\n");
    tear_down();
}
END_TEST

START_TEST(a_token_that_there_is_not)
{
    struct card_info info = card();
    set_up();
    ck_assert(call("GET", "/v1/tokens/" TOKEN, "", ""));
    admit(0);
    tell_network(1, ERR_TOKEN_NOT_FOUND, NULL, NULL);
    asked.handlers->on_token(asked.owner, 0, FAIL(TOKEN_NOT_FOUND), NULL, false);
    answered(404, "TOKEN_NOT_FOUND");
    ck_assert(call("GET", "/v1/tokens/" TOKEN, "", ""));
    admit(0);
    asked.handlers->on_token(asked.owner, 0, OK, &info, false);
    tell_network(1, ERR_VAULT_SEAL, NULL, NULL); /* half an answer would pass for a card without one */
    answered(500, "VAULT_SEAL");
    tear_down();
}
END_TEST

RUN_TESTS("network_calls", an_enrolment_is_asked_as_it_was_sent, each_decision_has_its_answer, each_failure_of_an_enrolment_has_its_answer,
          what_is_not_asked_of_the_network, credentials_are_told_whole, credentials_that_there_are_not, a_token_shows_its_network_token,
          a_token_that_there_is_not)
