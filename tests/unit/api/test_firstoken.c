/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <stdio.h>
#include <string.h>

#define JSON "content-type: application/json"
#define SIMPLE "/v1/tokenization/simple"
#define REQUESTS "/transactions/requests"
#define TEMPORAL "tmp_0a1b2c3d-0000-4000-8000-000000000001"
#define CARD "{\"card\":\"4111111111111111\",\"name\":\"ANA\",\"exp\":\"01/31\"}"
#define WITH_CVC "{\"card\":\"4111111111111111\",\"name\":\"ANA\",\"exp\":\"01/31\",\"cvv\":\"123\"}"

static struct card_info info(void)
{
    struct card_info i = {.month = 1, .year = 2031, .mask = {.number = "411111******1111", .brand = "visa"}, .created_ms = 1784000000000};
    ck_assert(token_id_from(SLICE("0a1b2c3d-0000-4000-8000-000000000001"), &i.token));
    return i;
}

static void tell(uint32_t index, enum error e, const char *alias)
{
    struct card_info i = info();
    if (alias) ck_assert(token_id_from(slice_of(alias), &i.alias));
    asked.handlers->on_token(asked.owner, index, (result){e}, e ? NULL : &i, true);
}

/* --- POST /v1/tokenization/simple --- */

START_TEST(schemes_are_formats)
{
    static const struct {
        const char *rest;
        enum alias_format format;
        bool unique;
    } cases[] = {
        {"\"scheme\":7", ALIAS_UUID, true},
        {"\"scheme\":\"7\",\"isEightDigitsBin\":true", ALIAS_UUID, true},
        {"\"scheme\":1", ALIAS_DIGITS, true},
        {"\"scheme\":\"1\",\"isEightDigitsBin\":false", ALIAS_DIGITS, true},
        {"\"scheme\":1,\"isEightDigitsBin\":true", ALIAS_EIGHT_DIGITS, true},
        {"\"scheme\":3,\"type\":\"persistent\"", ALIAS_SIX_FOUR, false},
        {"\"type\":\"persistent\",\"isEightDigitsBin\":true,\"scheme\":3", ALIAS_EIGHT_FOUR, false},
        {"\"type\":null,\"scheme\":3,\"unknown\":{\"chd\":[1]}", ALIAS_SIX_FOUR, true},
    };
    char body[512];
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(body, sizeof body, "{\"chd\":[" CARD "],\"tags\":[\"a\"],%s}", cases[i].rest);
        ck_assert(call("POST", SIMPLE, JSON, body));
        admit(0);
        ck_assert_str_eq(asked.questions, "open 2;create 0;");
        ck_assert_str_eq(asked.text[0], "4111111111111111");
        ck_assert_msg(asked.alias.format == cases[i].format && asked.unique == cases[i].unique, "%s", cases[i].rest);
    }
    tell(0, ERR_NONE, "411111ABCDEF1111");
    answered(200, "{\"status_code\":200,\"status\":\"success\",\"desc\":\"Success\",\"data\":{\"tokens\":[{\"card\":\"411111******1111\","
                  "\"token\":\"411111ABCDEF1111\",\"tags\":[],\"scheme\":3,\"status\":1,\"created_by\":{\"name\":\"API\"},"
                  "\"createdAt\":\"2026-07-14T03:33:20.000Z\"}]}}");
    tear_down();
}
END_TEST

START_TEST(a_batch_may_be_mixed)
{
    static const struct {
        const char *card, *code;
    } bad[] = {
        {"{\"card\":\"4111111111111112\",\"name\":\"A\",\"exp\":\"01/31\"}", "CARD_NUMBER"}, {"{\"name\":\"A\",\"exp\":\"01/31\"}", "CARD_NUMBER"},
        {"{\"card\":true,\"exp\":\"01/31\"}", "CARD_NUMBER"}, {"{\"card\":{\"card\":1},\"exp\":\"01/31\"}", "CARD_NUMBER"},
        {"{\"card\":\"4111111111111111\",\"exp\":\"13/31\"}", "CARD_EXPIRY"}, {"{\"card\":\"4111111111111111\"}", "CARD_EXPIRY"},
        {"{\"card\":\"4111111111111111\",\"exp\":131}", "CARD_EXPIRY"}, {"{\"card\":\"4111111111111111\",\"exp\":null}", "CARD_EXPIRY"},
        {"{\"card\":\"4111111111111111\",\"exp\":\"01/31\",\"name\":5}", "CARD_HOLDER"}, {"{}", "CARD_NUMBER"},
    };
    char body[1024], part[128];
    set_up();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        (void)snprintf(body, sizeof body, "{\"chd\":[" CARD ",%s,{\"card\":4111111111111111,\"exp\":\"01/31\",\"name\":null}],\"tags\":[],\"scheme\":7}",
                       bad[i].card);
        ck_assert(call("POST", SIMPLE, JSON, body));
        admit(0);
        ck_assert_str_eq(asked.questions, "open 2;create 0;create 2;");
        tell(2, ERR_NONE, NULL);
        tell(0, i ? ERR_NONE : ERR_VAULT_CONFLICT, NULL);
        (void)snprintf(part, sizeof part, "\"code\":\"%s\"},{\"card\":\"411111******1111\",\"token\":\"0a1b2c3d-0000", bad[i].code);
        answered(200, part);
        answered(200, "{\"card\":null,\"token\":null,\"tags\":[],\"scheme\":7,\"status\":0,\"desc\":\"");
    }
    tear_down();
}
END_TEST

START_TEST(what_hits_all_is_told_once)
{
    static const char body[] = "{\"chd\":[" CARD "," CARD "],\"tags\":[],\"scheme\":7}";
    set_up();
    ck_assert(call("POST", SIMPLE, JSON, body));
    admit(0);
    tell(1, ERR_KEEPER_AWAY, NULL);
    tell(0, ERR_KEEPER_AWAY, NULL);
    answered(503, "{\"status_code\":503,\"status\":\"fail\",\"desc\":\"the vault's process is restarting");
    answered(503, "\"code\":\"KEEPER_AWAY\"}");
    ck_assert(call("POST", SIMPLE, JSON, body));
    admit(0);
    tell(1, ERR_KEEPER_AWAY, NULL);
    tell(0, ERR_NONE, NULL); /* one is stored: he has to know */
    answered(200, "\"status\":1,");
    answered(200, "\"code\":\"KEEPER_AWAY\"}]}}");
    ck_assert(call("POST", SIMPLE, JSON, body));
    asked.refuses = ERR_KEEPER_SLOW; /* not even asked */
    admit(0);
    answered(503, "KEEPER_SLOW");
    tear_down();
}
END_TEST

#define MANY_10 "{},{},{},{},{},{},{},{},{},{}"
static const struct {
    const char *body, *code, *path;
} bad_bodies[] = {
    {"{\"chd\":[" CARD "],\"scheme\":7}", "REQUEST_FIELD", "tags"},
    {"{\"chd\":[" CARD "],\"tags\":null,\"scheme\":7}", "REQUEST_FIELD", "tags"},
    {"{\"chd\":[" CARD "],\"tags\":\"a\",\"scheme\":7}", "REQUEST_FIELD", "tags"},
    {"{\"chd\":[" CARD "],\"tags\":[]}", "REQUEST_FIELD", "scheme"},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":8}", "SCHEME_LUHN_VALID", "scheme"},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":\"8\"}", "SCHEME_LUHN_VALID", "scheme"},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":2}", "REQUEST_FIELD", "scheme"},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":99999999999999999999}", "REQUEST_FIELD", "scheme"},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":7.0}", "REQUEST_FIELD", "scheme"},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":[7]}", "REQUEST_FIELD", "scheme"},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":true}", "REQUEST_FIELD", "scheme"},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":1,\"isEightDigitsBin\":\"true\"}", "REQUEST_FIELD", "isEightDigitsBin"},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":1,\"type\":\"permanent\"}", "REQUEST_FIELD", "type"},
    {"{\"chd\":" CARD ",\"tags\":[],\"scheme\":1}", "REQUEST_FIELD", "chd"},
    {"{\"chd\":[],\"tags\":[],\"scheme\":1}", "REQUEST_FIELD", "chd"},
    {"{\"chd\":null,\"tags\":[],\"scheme\":1}", "REQUEST_FIELD", "chd"},
    {"{\"tags\":[],\"scheme\":1}", "REQUEST_FIELD", "chd"},
    {"{\"chd\":[\"4111111111111111\"],\"tags\":[],\"scheme\":1}", "REQUEST_FIELD", "chd[*]"},
    {"{\"chd\":[[" CARD "]],\"tags\":[],\"scheme\":1}", "REQUEST_FIELD", "chd[*]"},
    {"{\"chd\":[" MANY_10 "," MANY_10 "," MANY_10 "," MANY_10 "," MANY_10 "," MANY_10 "," MANY_10 "," MANY_10 "," MANY_10 "," MANY_10 "," CARD
     "],\"tags\":[],\"scheme\":1}", "REQUEST_FIELD", "chd"},
    {"[" CARD "]", "REQUEST_FIELD", "$"},
    {"7", "REQUEST_FIELD", "$"},
    {"{\"chd\":[" CARD "],\"chd\":[],\"tags\":[],\"scheme\":1}", "JSON_DUPLICATE_KEY", NULL},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":1,\"scheme\":1}", "JSON_DUPLICATE_KEY", NULL},
    {"{\"chd\":[{\"card\":\"1\",\"card\":\"1\"}],\"tags\":[],\"scheme\":1}", "JSON_DUPLICATE_KEY", NULL},
    {"{\"chd\":[" CARD "],\"tags\":[],\"scheme\":1", "JSON_SYNTAX", NULL},
    {"", "JSON_SYNTAX", NULL},
};

START_TEST(bad_bodies_are_told_apart)
{
    char part[128];
    set_up();
    for (size_t i = 0; i < sizeof bad_bodies / sizeof *bad_bodies; i++) {
        ck_assert(call("POST", SIMPLE, JSON, bad_bodies[i].body));
        admit(0);
        ck_assert_str_eq(asked.questions, "open 2;");
        (void)snprintf(part, sizeof part, "\"code\":\"%s\"", bad_bodies[i].code);
        answered(400, part);
        answered(400, "{\"status_code\":400,\"status\":\"fail\",\"desc\":\"");
        (void)snprintf(part, sizeof part, "\"data\":{\"path\":\"%s\",\"description\":\"", bad_bodies[i].path ? bad_bodies[i].path : "");
        if (bad_bodies[i].path) answered(400, part);
    }
    tear_down();
}
END_TEST

/* --- DELETE /v1/tokens --- */

START_TEST(several_tokens_are_deleted)
{
    static const char *const bad[] = {"{}", "{\"tokens\":[]}", "{\"tokens\":\"a\"}", "{\"tokens\":[5]}", "{\"tokens\":[null]}", "{\"tokens\":[[\"tok_good1\"]]}"};
    char many[101 * 12 + 32] = "{\"tokens\":[\"tok_good1\"";
    set_up();
    ck_assert(call("DELETE", "/v1/tokens", JSON, "{\"tokens\":[\"tok_good1\",\"a.b\",\"4111111111111111\",\"tok_good1\"]}"));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 16;delete 0;delete 2;delete 3;");
    tell(0, ERR_NONE, NULL);
    tell(2, ERR_TOKEN_NOT_FOUND, NULL);
    tell(3, ERR_TOKEN_NOT_FOUND, NULL);
    answered(200, "\"data\":{\"tokens\":[{\"id\":\"tok_good1\",\"status\":1},{\"id\":\"\",\"status\":0,\"desc\":\"no such token for this merchant\","
                  "\"code\":\"TOKEN_NOT_FOUND\"},{\"id\":\"\",\"status\":0,");
    answered(200, "},{\"id\":\"tok_good1\",\"status\":0,");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(call("DELETE", "/v1/tokens", JSON, bad[i]));
        admit(0);
        answered(400, "\"path\":\"tokens");
    }
    for (size_t i = 0; i < 100; i++) (void)snprintf(many + strlen(many), sizeof many - strlen(many), ",\"tok_good1\"");
    (void)snprintf(many + strlen(many), sizeof many - strlen(many), "]}");
    ck_assert(call("DELETE", "/v1/tokens", JSON, many));
    admit(0);
    answered(400, "an array of 1 to 100 tokens");
    ck_assert(call("DELETE", "/v1/tokens", "", "{\"tokens\":[\"tok_good1\"]}"));
    admit(0);
    answered(415, "CARD_CONTENT_TYPE");
    ck_assert(call("POST", "/v1/tokens", JSON, "{\"number\":\"4111111111111111\",\"expiration_date\":\"12/2031\"}")); /* as ever */
    admit(0);
    ck_assert_str_eq(asked.questions, "open 2;create 0;");
    ck_assert(!call("GET", "/v1/tokens", "", ""));
    ck_assert_int_eq(status, 405);
    ck_assert_str_eq(allow, "POST, DELETE");
    tear_down();
}
END_TEST

/* --- temporal tokens --- */

START_TEST(a_transaction_request_is_a_temporal_token)
{
    static const struct {
        const char *body, *part;
    } bad[] = {
        {"{\"chd\":" WITH_CVC ",\"ttl\":28801}", "\"code\":\"TEMPORAL_TTL\",\"data\":{\"path\":\"ttl\""},
        {"{\"chd\":" WITH_CVC ",\"ttl\":0}", "TEMPORAL_TTL"},
        {"{\"chd\":" WITH_CVC ",\"ttl\":\"300\"}", "TEMPORAL_TTL"},
        {"{\"chd\":" WITH_CVC ",\"ttl\":-1}", "TEMPORAL_TTL"},
        {"{\"chd\":" WITH_CVC "}", "TEMPORAL_TTL"},
        {"{\"chd\":[" WITH_CVC "],\"ttl\":300}", "\"path\":\"chd\""},
        {"{\"chd\":" CARD ",\"ttl\":300}", "CARD_CVC"},
        {"{\"chd\":{\"card\":\"4111111111111112\",\"exp\":\"01/31\",\"cvv\":\"123\"},\"ttl\":300}", "CARD_NUMBER"},
        {"{\"chd\":{\"card\":\"4111111111111111\",\"exp\":\"01/31\",\"cvv\":123},\"ttl\":300}", "CARD_CVC"},
        {"{\"chd\":{\"card\":\"4111111111111111\",\"exp\":\"01/31\",\"cvv\":\"12345\"},\"ttl\":300}", "CARD_CVC"},
        {"{\"ttl\":300}", "\"path\":\"chd\""},
    };
    set_up();
    ck_assert(call("POST", REQUESTS, JSON, "{\"chd\":" WITH_CVC ",\"amount\":10.5,\"currency\":\"BRL\",\"additional_info\":{\"chd\":{\"card\":1}},\"ttl\":300}"));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 2;temporal 0;");
    ck_assert_str_eq(asked.text[1], "123");
    tell(0, ERR_NONE, NULL);
    answered(200, "\"data\":{\"id\":\"0a1b2c3d-0000-4000-8000-000000000001\",\"card\":\"411111******1111\",\"createdAt\":\"2026-07-14T03:33:20.000Z\","
                  "\"expiresAt\":\"2026-07-14T03:38:20.000Z\"}}");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(call("POST", REQUESTS, JSON, bad[i].body));
        admit(0);
        ck_assert_str_eq(asked.questions, "open 2;");
        answered(400, bad[i].part);
    }
    ck_assert(call("POST", REQUESTS, JSON, "{\"chd\":" WITH_CVC ",\"ttl\":28800}"));
    admit(0);
    tell(0, ERR_TEMPORAL_FULL, NULL);
    answered(503, "TEMPORAL_FULL");
    tear_down();
}
END_TEST

START_TEST(what_becomes_of_it)
{
    set_up();
    ck_assert(call("GET", REQUESTS "/" TEMPORAL "/inspect", "", ""));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 4;temporal-get 0;");
    ck_assert_str_eq(asked.text[0], TEMPORAL);
    tell(0, ERR_NONE, NULL);
    answered(200, "\"data\":{\"status\":\"success\"}}");
    ck_assert(call("HEAD", REQUESTS "/" TEMPORAL "/inspect", "", ""));
    admit(0);
    tell(0, ERR_TOKEN_EXPIRED, NULL);
    answered(200, "\"data\":{\"status\":\"fail\"}}");
    ck_assert(call("DELETE", REQUESTS "/" TEMPORAL, "", ""));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 16;temporal-delete 0;");
    tell(0, ERR_NONE, NULL);
    answered(200, "\"data\":{\"id\":\"" TEMPORAL "\",\"status\":1}}");
    ck_assert(call("DELETE", REQUESTS "/" TEMPORAL, "", ""));
    admit(0);
    tell(0, ERR_TOKEN_EXPIRED, NULL);
    answered(422, "TOKEN_EXPIRED");
    ck_assert(call("POST", REQUESTS "/" TEMPORAL "/tokenize", JSON, "{\"tags\":[],\"scheme\":3,\"type\":\"persistent\"}"));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 2;temporal-store 0;");
    ck_assert(asked.alias.format == ALIAS_SIX_FOUR && !asked.unique);
    tell(0, ERR_NONE, "411111ABCDEF1111");
    answered(200, "{\"tokens\":[{\"card\":\"411111******1111\",\"token\":\"411111ABCDEF1111\",\"tags\":[],\"scheme\":3,\"status\":1,");
    ck_assert(call("POST", REQUESTS "/" TEMPORAL "/tokenize", JSON, "{\"tags\":[],\"scheme\":3}"));
    admit(0);
    tell(0, ERR_TEMPORAL_NO_CARD, NULL);
    answered(422, "TEMPORAL_NO_CARD");
    ck_assert(call("POST", REQUESTS "/" TEMPORAL "/tokenize", JSON, "{\"tags\":[]}"));
    admit(0);
    answered(400, "\"path\":\"scheme\"");
    tear_down();
}
END_TEST

/* --- what is never told, and who may ask --- */

START_TEST(no_number_goes_out)
{
    static const struct {
        const char *method, *path;
    } cases[] = {{"POST", "/v1/detokenization/simple"}, {"GET", REQUESTS "/" TEMPORAL}, {"HEAD", REQUESTS "/" TEMPORAL}};
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(call(cases[i].method, cases[i].path, JSON, "{\"tokens\":[\"tok_good1\"]}"));
        admit(0);
        ck_assert_str_eq(asked.questions, "open 4;"); /* the keeper is asked for nothing */
        answered(403, "\"desc\":\"Cardveil gives no card number to a merchant");
        ck_assert(call(cases[i].method, cases[i].path, "", ""));
        refuse(ERR_KEY_PERMISSION);
        answered(403, "NEVER_REVEALED");
        ck_assert(call(cases[i].method, cases[i].path, "", ""));
        refuse(ERR_KEY_MISSING); /* theirs is a 403 for that, too */
        answered(403, "KEY_MISSING");
        ck_assert_int_eq(error, ERR_KEY_MISSING);
    }
    tear_down();
}
END_TEST

START_TEST(methods_and_paths)
{
    static const struct {
        const char *method, *path, *allow;
    } wrong[] = {{"GET", SIMPLE, "POST"}, {"PUT", REQUESTS "/" TEMPORAL, "GET, HEAD, DELETE"}, {"POST", REQUESTS "/" TEMPORAL "/inspect", "GET, HEAD"},
                 {"GET", REQUESTS "/" TEMPORAL "/tokenize", "POST"}, {"DELETE", REQUESTS, "POST"}};
    static const char *const others[] = {"/v1/tokenization", SIMPLE "/x", REQUESTS "/", REQUESTS "/a/b", REQUESTS "/a/b/inspect", "/transactions", "/transactions/x",
                                         "/v1/tokenization/simpler", REQUESTS "//tokenize"};
    set_up();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert(!call(wrong[i].method, wrong[i].path, "", ""));
        ck_assert_int_eq(status, 405);
        ck_assert_str_eq(allow, wrong[i].allow);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) ck_assert_msg(!api_service.takes(slice_of(others[i])), "%s", others[i]);
    tear_down();
}
END_TEST

RUN_TESTS("firstoken", bad_bodies_are_told_apart, schemes_are_formats, a_batch_may_be_mixed, what_hits_all_is_told_once,
          several_tokens_are_deleted, a_transaction_request_is_a_temporal_token, what_becomes_of_it, no_number_goes_out, methods_and_paths)
