/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <stdio.h>
#include <string.h>

#define SESSION "fs_abcdefghijklmnopqrstuvwxyz012345"
#define JSON_TYPE "content-type: application/json"

static void tell_session(const char *id, const char *origin, enum field_kind kind)
{
    const struct field_session_info info = {.id = slice_of(id), .origin = slice_of(origin), .kind = kind, .ttl_s = 60};
    asked.handlers->on_fields(asked.owner, 0, OK, &info);
}

static struct card_info card_info(const char *token)
{
    struct card_info i = {.month = 12, .year = 2030, .mask = {.number = "411111******1111", .brand = "visa"}};
    ck_assert(token_id_from(slice_of(token), &i.token));
    return i;
}

START_TEST(a_session_is_opened_for_an_origin)
{
    static const struct {
        const char *body, *origin, *kind_and_ttl;
    } cases[] = {
        {"{\"origin\":\"https://shop.example\"}", "https://shop.example", "0 900"},
        {"{\"origin\":\"https://Shop.Example:443\",\"kind\":\"both\",\"ttl\":60}", "https://shop.example", "2 60"},
        {"{\"kind\":\"transaction\",\"origin\":\"https://shop.example:8443\"}", "https://shop.example:8443", "1 900"},
        {"{\"origin\":\"http://localhost:3000\",\"ttl\":3600}", "http://localhost:3000", "0 3600"},
        {"{\"origin\":\"http://127.0.0.1:3000\"}", "http://127.0.0.1:3000", "0 900"},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(call("POST", "/v1/field-sessions", JSON_TYPE, cases[i].body));
        admit(0);
        ck_assert_str_eq(asked.questions, "open 2;fields-open 0;");
        ck_assert_str_eq(asked.text[0], cases[i].origin);
        ck_assert_str_eq(asked.text[1], cases[i].kind_and_ttl);
        tell_session(SESSION, "", FIELD_TOKEN);
        answered(201, "{\"session\":\"" SESSION "\",\"url\":\"/fields/" SESSION "\",\"origin\":\"");
    }
    tear_down();
}
END_TEST

START_TEST(a_session_that_cannot_be)
{
    static const struct {
        const char *body, *code;
    } cases[] = {
        {"{}", "FIELD_SESSION_FIELD"},
        {"{\"origin\":1}", "FIELD_SESSION_FIELD"},
        {"{\"origin\":\"\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"*\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"null\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"https://shop.example/\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"https://shop.example/pay\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"https://*.example\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"http://shop.example\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"https://user@shop.example\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"https://shop.example; script-src *\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"https://shop.example\\\" onload=\\\"x\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"https://shop.example\\r\\nx: y\"}", "FIELD_SESSION_ORIGIN"},
        {"{\"origin\":\"https://shop.example\",\"kind\":\"card\"}", "FIELD_SESSION_FIELD"},
        {"{\"origin\":\"https://shop.example\",\"ttl\":0}", "FIELD_SESSION_FIELD"},
        {"{\"origin\":\"https://shop.example\",\"ttl\":3601}", "FIELD_SESSION_FIELD"},
        {"{\"origin\":\"https://shop.example\",\"ttl\":\"60\"}", "FIELD_SESSION_FIELD"},
        {"{\"origin\":\"https://a.example\",\"origin\":\"https://b.example\"}", "JSON_DUPLICATE_KEY"},
        {"{\"origin\":", "JSON_SYNTAX"},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(call("POST", "/v1/field-sessions", JSON_TYPE, cases[i].body));
        admit(0);
        ck_assert_str_eq(asked.questions, "open 2;");
        answered(400, cases[i].code);
    }
    ck_assert(call("POST", "/v1/field-sessions", "content-type: text/plain", "{}"));
    admit(0);
    answered(415, "CARD_CONTENT_TYPE");
    ck_assert(!call("GET", "/v1/field-sessions", "", ""));
    answered(405, "METHOD");
    tear_down();
}
END_TEST

START_TEST(the_page_is_for_its_origin_alone)
{
    set_up();
    ck_assert(call("GET", "/fields/" SESSION, "", ""));
    ck_assert_int_eq((int)asked.caller.purpose, KEEPER_FOR_FIELDS);
    ck_assert(slice_is(asked.caller.api_key, SESSION));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 2;fields-get 0;");
    tell_session("", "https://shop.example", FIELD_BOTH);
    answered(200, "<body data-origin=\"https://shop.example\" data-kind=\"both\">");
    lacks("%");
    ck_assert_ptr_nonnull(strstr(answer_fields, "frame-ancestors https://shop.example\r\n"));
    ck_assert_ptr_nonnull(strstr(answer_fields, "default-src 'none'; script-src 'self'"));
    ck_assert_ptr_nonnull(strstr(answer_fields, "content-type: text/html; charset=utf-8"));
    tear_down();
}
END_TEST

START_TEST(a_page_without_a_session_says_what_to_do)
{
    set_up();
    ck_assert(call("GET", "/fields/" SESSION, "", ""));
    refuse(ERR_FIELD_SESSION);
    answered(404, "This card form has expired");
    ck_assert_int_eq(error, ERR_FIELD_SESSION);
    ck_assert(!call("PUT", "/fields/" SESSION, "", ""));
    answered(405, "METHOD");
    tear_down();
}
END_TEST

START_TEST(the_files_are_everybodys)
{
    set_up();
    ck_assert(!call("GET", "/fields/assets/fields.js", "", ""));
    answered(200, "\"use strict\";");
    ck_assert_str_eq(asked.questions, "");
    ck_assert_ptr_nonnull(strstr(answer_fields, "content-type: text/javascript"));
    ck_assert_ptr_nonnull(strstr(answer_fields, "x-content-type-options: nosniff"));
    ck_assert(!call("GET", "/fields/assets/fields.css", "", ""));
    answered(200, "color-scheme");
    ck_assert(!call("POST", "/fields/assets/fields.js", JSON_TYPE, "{}"));
    answered(405, "METHOD");
    ck_assert(call("GET", "/fields/assets/../secret", "", "")); /* no file: a session that nobody has */
    refuse(ERR_FIELD_SESSION);
    answered(404, "expired");
    tear_down();
}
END_TEST

START_TEST(a_card_becomes_what_the_session_is_for)
{
    struct card_info token = card_info("0a1b2c3d-0000-4000-8000-000000000001"), temporal = card_info("tmp_0a1b2c3d-0000-4000-8000-000000000002");
    static const char plain[] = "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2030\"}";
    static const char with_cvc[] = "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2030\",\"cvc\":\"123\"}";
    set_up();
    ck_assert(call("POST", "/fields/" SESSION, JSON_TYPE, plain));
    admit(0);
    tell_session("", "https://shop.example", FIELD_TOKEN);
    ck_assert_str_eq(asked.questions, "open 2;fields-get 0;create 1;");
    asked.handlers->on_token(asked.owner, 1, OK, &token, true);
    answered(201, "{\"token\":\"0a1b2c3d-0000-4000-8000-000000000001\",\"card\":{\"number\":\"411111******1111\",\"brand\":\"visa\"");

    ck_assert(call("POST", "/fields/" SESSION, JSON_TYPE, with_cvc));
    admit(0);
    tell_session("", "https://shop.example", FIELD_BOTH);
    ck_assert_str_eq(asked.questions, "open 2;fields-get 0;create 1;temporal 2;");
    ck_assert_str_eq(asked.text[1], "123");
    asked.handlers->on_token(asked.owner, 2, OK, &temporal, true);
    asked.handlers->on_token(asked.owner, 1, OK, &token, false);
    answered(201, "{\"token\":\"0a1b2c3d-0000-4000-8000-000000000001\",\"transaction\":\"tmp_0a1b2c3d-0000-4000-8000-000000000002\",");

    ck_assert(call("POST", "/fields/" SESSION, JSON_TYPE, with_cvc));
    admit(0);
    tell_session("", "https://shop.example", FIELD_TRANSACTION);
    ck_assert_str_eq(asked.questions, "open 2;fields-get 0;temporal 2;");
    asked.handlers->on_token(asked.owner, 2, OK, &temporal, true);
    answered(201, "\"data\":{\"transaction\":\"tmp_0a1b2c3d-0000-4000-8000-000000000002\",\"card\":{");
    tear_down();
}
END_TEST

START_TEST(a_card_that_is_none)
{
    static const struct {
        enum field_kind kind;
        const char *body, *code;
        int status;
    } cases[] = {
        {FIELD_TOKEN, "{\"number\":\"4111111111111112\",\"expiration_date\":\"12/2030\"}", "CARD_NUMBER", 400},
        {FIELD_TOKEN, "{\"number\":\"4111111111111111\"}", "CARD_FIELD", 400},
        {FIELD_TOKEN, "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2030\",\"cvc\":\"123\"}", "CARD_FIELD", 400},
        {FIELD_BOTH, "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2030\"}", "TEMPORAL_FIELD", 400},
        {FIELD_BOTH, "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2030\",\"cvc\":\"12\"}", "CARD_CVC", 400},
        {FIELD_TOKEN, "[{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2030\"},{}]", "TOO_LARGE", 413},
        {FIELD_TOKEN, "[]", "CARD_FIELD", 400},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(call("POST", "/fields/" SESSION, JSON_TYPE, cases[i].body));
        admit(0);
        tell_session("", "https://shop.example", cases[i].kind);
        ck_assert_str_eq(asked.questions, "open 2;fields-get 0;");
        answered(cases[i].status, cases[i].code);
        lacks("41111111");
    }
    ck_assert(call("POST", "/fields/" SESSION, "content-type: text/plain", "{}"));
    admit(0);
    answered(415, "CARD_CONTENT_TYPE");
    ck_assert(call("POST", "/fields/" SESSION, JSON_TYPE, "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2030\"}"));
    refuse(ERR_FIELD_SESSION);
    answered(404, "FIELD_SESSION");
    tear_down();
}
END_TEST

RUN_TESTS("fields", a_session_is_opened_for_an_origin, a_session_that_cannot_be, the_page_is_for_its_origin_alone,
          a_page_without_a_session_says_what_to_do, the_files_are_everybodys, a_card_becomes_what_the_session_is_for, a_card_that_is_none)
