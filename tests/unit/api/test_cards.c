/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <stdio.h>
#include <string.h>

#define JSON "content-type: application/json"
#define VISA "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2031\"}"
#define TOKEN "7589d7f0-f138-4647-a247-5ba24a40ec01"

static void tell(uint32_t index, enum error e, bool created)
{
    struct card_info i = {.month = 12, .year = 2031, .mask = {"411111******1111", "visa"}, .created_ms = 1784000000000, .updated_ms = 1784000000000};
    ck_assert(token_id_from(SLICE(TOKEN), &i.token));
    asked.handlers->on_token(asked.owner, index, (result){e}, e ? NULL : &i, created);
}

START_TEST(one_card)
{
    set_up();
    ck_assert(call("POST", "/v1/tokens", JSON, VISA));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 2;create 0;");
    tell(0, ERR_NONE, true);
    answered(201, "{\"status\":\"success\",\"message\":\"Token stored\",\"data\":{\"token\":\"" TOKEN "\",\"status\":\"ACTIVE\"");
    ck_assert(call("POST", "/v1/tokens", JSON, VISA));
    admit(0);
    tell(0, ERR_NONE, false);
    answered(200, "Token already exists");
    ck_assert(call("POST", "/v1/tokens", JSON, VISA));
    admit(0);
    tell(0, ERR_VAULT_FULL, false);
    answered(507, "VAULT_FULL");
    ck_assert(call("POST", "/v1/tokens", JSON, "{\"number\":\"4111111111111112\",\"expiration_date\":\"12/2031\"}"));
    admit(0);
    answered(400, "CARD_NUMBER");
    ck_assert_int_eq(error, ERR_CARD_NUMBER);
    tear_down();
}
END_TEST

START_TEST(a_batch_is_answered_in_its_order)
{
    set_up();
    ck_assert(call("POST", "/v1/tokens", JSON, "[" VISA ",{\"number\":\"1\",\"expiration_date\":\"12/2031\"}," VISA "]"));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 2;create 0;create 2;");
    tell(2, ERR_NONE, true);
    ck_assert_uint_eq(answers, 0);
    tell(0, ERR_VAULT_BUSY, false);
    answered(200, "\"message\":\"1 of 3 tokens stored\",\"data\":{\"tokens\":[{\"status\":\"fail\",\"code\":\"VAULT_BUSY\"");
    answered(200, "},{\"status\":\"fail\",\"code\":\"CARD_NUMBER\"");
    answered(200, "},{\"token\":\"" TOKEN "\"");
    ck_assert(call("POST", "/v1/tokens", JSON, "[]"));
    admit(0);
    answered(400, "CARD_COUNT");
    ck_assert(call("POST", "/v1/tokens", JSON, "[{\"number\":\"1\",\"expiration_date\":\"12/2031\"}]")); /* nothing to ask */
    admit(0);
    answered(200, "0 of 1 tokens stored");
    tear_down();
}
END_TEST

/* Whoever was not told of his temporal token will never pay with it. */
START_TEST(a_temporal_token_that_nobody_is_told_of_is_given_up)
{
    static const char body[] = "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2031\",\"cvc\":\"123\"}";
    set_up();
    ck_assert(call("POST", "/v1/transactions", JSON, body));
    admit(1);
    tell(0, ERR_TEMPORAL_FULL, false);
    answered(503, "TEMPORAL_FULL");
    ck_assert_str_eq(asked.ended, "untold");
    ck_assert(call("POST", "/v1/transactions", JSON, body));
    admit(1);
    tear_down(); /* he left */
    ck_assert_str_eq(asked.ended, "untold");
}
END_TEST

START_TEST(a_token_may_have_another_form)
{
    static const struct {
        const char *format;
        enum alias_format is;
        const char *template_text;
    } right[] = {{"\"uuid\"", ALIAS_UUID, ""}, {"\"six-four\"", ALIAS_SIX_FOUR, ""}, {"\"eight-digits\"", ALIAS_EIGHT_DIGITS, ""},
                 {"32", ALIAS_32, ""}, {"\"32\"", ALIAS_32, ""}, {"\"tok_{uuid}\"", ALIAS_TEMPLATE, "tok_{uuid}"},
                 {"\"abcdefghijklmnopqrstuvwxyzab{uuid}\"", ALIAS_TEMPLATE, "abcdefghijklmnopqrstuvwxyzab{uuid}"}};
    static const char *const wrong[] = {"\"six\"", "\"4111_1111{uuid}-1111\"", "\"\"", "\"tok_\"", "\"a b{uuid}\"", "\"{uuid}{uuid}\"", "\"tmp_{uuid}\"", "true", "7", "null",
                                        "\"abcdefghijklmnopqrstuvwxyzabc{uuid}\""};
    char body[256];
    set_up();
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        (void)snprintf(body, sizeof body, "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2031\",\"unique\":true,\"format\":%s}", right[i].format);
        ck_assert(call("POST", "/v1/tokens", JSON, body));
        admit(0);
        ck_assert_str_eq(asked.questions, "open 2;create 0;");
        ck_assert_int_eq(asked.alias.format, right[i].is);
        ck_assert(slice_is(alias_form_wish(&asked.alias).template_text, right[i].template_text) && asked.unique);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        (void)snprintf(body, sizeof body, "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2031\",\"format\":%s}", wrong[i]);
        ck_assert(call("POST", "/v1/tokens", JSON, body));
        admit(0);
        answered(422, "\"code\":\"CARD_FORMAT\"");
        answered(422, "\"path\":\"format\"");
    }
    ck_assert(call("POST", "/v1/tokens", JSON, VISA));
    admit(0);
    ck_assert_int_eq(asked.alias.format, ALIAS_UUID);
    struct card_info i = {.month = 12, .year = 2031, .mask = {"411111******1111", "visa"}, .alias_fell = true};
    ck_assert(token_id_from(SLICE(TOKEN), &i.token) && token_id_from(SLICE("411111ABCDEFG1111"), &i.alias));
    asked.handlers->on_token(asked.owner, 0, OK, &i, true);
    answered(201, "\"data\":{\"token\":\"411111ABCDEFG1111\",\"card_token\":\"" TOKEN "\",\"format_full\":true,\"status\"");
    ck_assert(call("GET", "/v1/tokens/411111ABCDEF1111", "", "")); /* and by which id a token was asked */
    admit(1);
    tell(0, ERR_NONE, false);
    answered(200, "\"data\":{\"token\":\"411111ABCDEF1111\",\"card_token\":\"" TOKEN "\",\"status\"");
    ck_assert(call("GET", "/v1/tokens/" TOKEN, "", ""));
    admit(1);
    tell(0, ERR_NONE, false);
    lacks("card_token");
    tear_down();
}
END_TEST

START_TEST(the_other_calls)
{
    set_up();
    ck_assert(call("POST", "/v1/transactions", JSON, "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2031\",\"cvc\":\"123\",\"ttl\":60}"));
    admit(1);
    ck_assert_str_eq(asked.questions, "open 2;temporal 0;");
    ck_assert_str_eq(asked.text[1], "123");
    tell(0, ERR_NONE, true);
    answered(201, "\"expires_at\":\"2026-07-14T03:34:20.000Z\"");
    ck_assert_str_eq(asked.ended, "used");
    ck_assert(call("PATCH", "/v1/tokens/" TOKEN, JSON, "{\"removePlain\":true}"));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 8;change 0;");
    tell(0, ERR_NONE, false);
    answered(200, "Token changed");
    ck_assert(call("DELETE", "/v1/tokens/" TOKEN, "", ""));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 16;delete 0;");
    tell(0, ERR_NONE, false);
    answered(200, "{\"status\":\"success\",\"message\":\"Token deleted\",\"data\":{\"token\":\"" TOKEN "\"}}\n");
    ck_assert(!call("PUT", "/v1/tokens/" TOKEN, "", ""));
    answered(405, "METHOD");
    ck_assert_str_eq(allow, "GET, HEAD, PATCH, DELETE");
    ck_assert(!call("GET", "/v1/tokens/a/b", "", ""));
    answered(404, "TOKEN_NOT_FOUND");
    tear_down();
}
END_TEST

START_TEST(paths_that_are_not_ours)
{
    static const char *const paths[] = {"/v1", "/v1/token", "/v1/tokensx", "/v1/transactions/", "/v1/reports", "/v1/network-events/", "/rede/v1/tokens"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) ck_assert_msg(!api_service.takes(slice_of(paths[i])), "%s", paths[i]);
}
END_TEST

RUN_TESTS("cards", one_card, a_batch_is_answered_in_its_order, a_temporal_token_that_nobody_is_told_of_is_given_up,
          a_token_may_have_another_form, the_other_calls, paths_that_are_not_ours)
