/* SPDX-License-Identifier: Apache-2.0 */
#include "api/enrol_json.h"

#include "base/secret.h"
#include "../base/suite.h"

#include <stdio.h>
#include <string.h>

#define TOKEN "7589d7f0-f138-4647-a247-5ba24a40ec01"
#define PLACE "{{ " TOKEN " : detokenize }}"

static struct enrol_json *json;

static void set_up(void)
{
    ck_assert(!failed(secret_start(1 << 20)));
    json = enrol_json_new();
    ck_assert_ptr_nonnull(json);
}

/* The document with one member's value put in its place, as JSON; NULL: the member is left out. */
static enum error parse(const char *member, const char *value)
{
    static const struct {
        const char *object, *name, *value;
    } members[] = {
        {"transaction_info", "type", "\"enroll_card\""},
        {"card", "number", "\"" PLACE "\""},
        {"card", "expiration_date", "\"" PLACE "\""},
        {"card", "security_code", NULL},
        {"bill_to", "address_1", "\"Carrera 140\""},
        {"bill_to", "address_2", NULL},
        {"bill_to", "city", "\"Bogot\xc3\xa1 DC\""},
        {"bill_to", "state", "\"Bogot\\u00e1\""},
        {"bill_to", "postal_code", "\"110001\""},
        {"bill_to", "country", "\"CO\""},
    };
    char text[8192] = "{", before[64] = "";
    bool is_first = true;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        bool is_meant = member && strcmp(member, members[i].name) == 0;
        const char *v = is_meant ? value : members[i].value;
        if (strcmp(before, members[i].object) != 0) {
            (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s\"%s\":{", before[0] ? "}," : "", members[i].object);
            (void)snprintf(before, sizeof before, "%s", members[i].object);
            is_first = true;
        }
        if (!v) continue;
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s\"%s\":%s", is_first ? "" : ",", members[i].name, v);
        is_first = false;
    }
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "}}");
    enrol_json_free(json);
    json = enrol_json_new();
    return enrol_json_parse(slice_of(text), json).err;
}

START_TEST(what_a_good_one_says)
{
    set_up();
    ck_assert_int_eq(parse(NULL, NULL), ERR_NONE);
    ck_assert(slice_is(token_id_slice(&json->token), TOKEN));
    ck_assert(json->cvc.len == 0 && json->billing.address_2.len == 0);
    ck_assert(slice_is(json->billing.address_1, "Carrera 140"));
    ck_assert(slice_is(json->billing.city, "Bogot\xc3\xa1 DC"));
    ck_assert(slice_is(json->billing.state, "Bogot\xc3\xa1"));
    ck_assert(slice_is(json->billing.postal_code, "110001"));
    ck_assert(slice_is(json->billing.country, "CO"));
    enrol_json_free(json);
}
END_TEST

START_TEST(values_that_are_taken)
{
    static const struct {
        const char *member, *value, *cvc;
    } cases[] = {
        {"number", "\"<<" TOKEN ":detokenize>>\"", ""},
        {"number", "\"  {{" TOKEN ":detokenize | extract:card}} \"", ""},
        {"number", "\"\\u007b{" TOKEN ":detokenize}}\"", ""},
        {"expiration_date", "\"{{" TOKEN ":detokenize|extract:expiration|date:MM/YY}}\"", ""},
        {"security_code", "\"123\"", "123"},
        {"security_code", "\"0123\"", "0123"},
        {"security_code", "\"\"", ""},
        {"security_code", "null", ""},
        {"security_code", "\"{{ tmp_abcdef : transaction }}\"", "tmp_abcdef"},
        {"security_code", "\"{{ tmp_abcdef : transaction | extract:cvv }}\"", "tmp_abcdef"},
        {"address_2", "null", ""},
        {"address_2", "\"4\"", ""},
        {"country", "\"co\"", ""},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(parse(cases[i].member, cases[i].value) == ERR_NONE, "%s: %s: %s", cases[i].member, cases[i].value, json->fault);
        ck_assert_msg(slice_is(json->cvc, cases[i].cvc), "%s", cases[i].value);
        ck_assert(slice_is(token_id_slice(&json->token), TOKEN) && slice_is(json->billing.country, "CO"));
    }
    enrol_json_free(json);
}
END_TEST

START_TEST(what_is_missing_is_named)
{
    static const char *const paths[] = {"transaction_info.type", "card.number", "card.expiration_date", "bill_to.address_1",
                                        "bill_to.city", "bill_to.state", "bill_to.postal_code", "bill_to.country"};
    static const char *const values[] = {NULL, "null", "\"\"", "\"  \"", "{}", "[]", "[\"x\"]"};
    set_up();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            ck_assert_int_eq(parse(strchr(paths[i], '.') + 1, values[k]), ERR_ENROL_FIELD);
            ck_assert_str_eq(json->path, paths[i]);
            ck_assert_str_eq(json->fault, "Some fields are missing in the request");
        }
    }
    enrol_json_free(json);
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
    static char long_text[128], endless[700];
    memset(long_text, 'x', 104);
    long_text[0] = long_text[102] = '"'; /* 101 bytes */
    long_text[103] = '\0';
    memset(endless, 'y', 690);
    endless[0] = endless[689] = '"';
    const struct {
        const char *member, *value, *path;
    } cases[] = {
        {"type", "\"payment\"", "transaction_info.type"},
        {"type", "true", "transaction_info.type"},
        {"number", "\"4111111111111111\"", "card.number"},
        {"number", "4111111111111111", "card.number"},
        {"number", "\"" TOKEN "\"", "card.number"},
        {"number", "\"{{ " TOKEN " }}\"", "card.number"},
        {"number", "\"{{ " TOKEN " : transaction }}\"", "card.number"},
        {"number", "\"{{ " TOKEN " : detokenize | extract:cvv }}\"", "card.number"},
        {"number", "\"{{ " TOKEN " : detokenize }}1\"", "card.number"},
        {"number", "\"x" PLACE "\"", "card.number"},
        {"number", "\"" PLACE PLACE "\"", "card.number"},
        {"number", "\"{{ short : detokenize }}\"", "card.number"},
        {"number", "\"{{ " TOKEN " : detokenise }}\"", "card.number"},
        {"number", endless, "card.number"},
        {"expiration_date", "\"12/2030\"", "card.expiration_date"},
        {"expiration_date", "\"{{ 6589d7f0-f138-4647-a247-5ba24a40ec01 : detokenize }}\"", "card.expiration_date"},
        {"expiration_date", "\"{{ " TOKEN " : detokenize | extract:card }}\"", "card.expiration_date"},
        {"security_code", "\"12\"", "card.security_code"},
        {"security_code", "\"12345\"", "card.security_code"},
        {"security_code", "\"abc\"", "card.security_code"},
        {"security_code", "\"" PLACE "\"", "card.security_code"},
        {"security_code", "\"{{ tmp_abcdef : transaction | extract:card }}\"", "card.security_code"},
        {"security_code", endless, "card.security_code"},
        {"address_1", long_text, "bill_to.address_1"},
        {"address_1", "\"a\\nb\"", "bill_to.address_1"},
        {"address_2", "\"a\\u0000b\"", "bill_to.address_2"},
        {"address_2", endless, "bill_to.address_2"},
        {"city", "\"a\\u007f\"", "bill_to.city"},
        {"city", "7", "bill_to.city"},
        {"postal_code", "110001", "bill_to.postal_code"},
        {"security_code", "123", "card.security_code"},
        {"address_2", "false", "bill_to.address_2"},
        {"country", "\"COL\"", "bill_to.country"},
        {"country", "\"C1\"", "bill_to.country"},
        {"country", "\"C\"", "bill_to.country"},
        {"country", "\"\xc3\xa1\"", "bill_to.country"},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(parse(cases[i].member, cases[i].value) == ERR_ENROL_FIELD, "%s: %s", cases[i].member, cases[i].value);
        ck_assert_str_eq(json->path, cases[i].path);
        ck_assert_msg(!strstr(json->fault, "missing"), "%s: %s", cases[i].member, cases[i].value);
    }
    long_text[101] = '"';
    long_text[102] = '\0'; /* 100 bytes */
    ck_assert_int_eq(parse("address_1", long_text), ERR_NONE);
    ck_assert_uint_eq(json->billing.address_1.len, 100);
    enrol_json_free(json);
}
END_TEST

START_TEST(documents)
{
    static const struct {
        const char *text;
        enum error e;
    } cases[] = {
        {"", ERR_JSON_SYNTAX},
        {"{", ERR_JSON_SYNTAX},
        {"{}{}", ERR_JSON_SYNTAX},
        {"{}\"x", ERR_JSON_SYNTAX},
        {"{\"card\":{\"security_code\": {{ tmp_abcdef: transaction}}\"}}", ERR_JSON_SYNTAX},
        {"{\"a\":\"\xff\"}", ERR_UTF8},
        {"[]", ERR_ENROL_FIELD},
        {"{}", ERR_ENROL_FIELD},
        {"{\"card\":{\"number\":\"a\",\"number\":\"b\"}}", ERR_JSON_DUPLICATE_KEY},
        {"{\"card\":{\"number\":\"a\"},\"card\":{\"number\":\"b\"}}", ERR_JSON_DUPLICATE_KEY},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enrol_json_free(json);
        json = enrol_json_new();
        ck_assert_msg(enrol_json_parse(slice_of(cases[i].text), json).err == cases[i].e, "%s", cases[i].text);
    }
    /* What others send beside it does not matter. */
    enrol_json_free(json);
    json = enrol_json_new();
    const char *more = "{\"transaction_info\":{\"type\":\"enroll_card\",\"reference_code\":\"7\"},\"order\":[{\"card\":{\"number\":\"x\"}}],"
                       "\"card\":{\"number\":\"" PLACE "\",\"expiration_date\":\"" PLACE "\",\"holder\":\"Ana\"},\"bill_to\":{\"email\":\"a@b\","
                       "\"address_1\":\"a\",\"city\":\"b\",\"state\":\"c\",\"postal_code\":\"d\",\"country\":\"BR\"}}";
    ck_assert(!failed(enrol_json_parse(slice_of(more), json)));
    enrol_json_free(json);
}
END_TEST

RUN_TESTS("enrol_json", what_a_good_one_says, values_that_are_taken, what_is_missing_is_named, what_is_wrong_is_named, documents)
