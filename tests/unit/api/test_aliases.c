/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <string.h>

#define ALIAS "7LHXscqwRRkAAAGQm5c0CAlJ0uw0AYQr"
#define JSON_TYPE "content-type: application/json"

static struct card_info info(enum card_state state)
{
    struct card_info i = {.month = 2, .year = 2028, .state = state, .mask = {.number = "489537******6287", .brand = "visa"}};
    ck_assert(token_id_from(SLICE("0a1b2c3d-0000-4000-8000-000000000001"), &i.token));
    return i;
}

static void tell_card(enum card_state state)
{
    const struct card_info i = info(state);
    asked.handlers->on_token(asked.owner, 0, OK, &i, false);
}

static void tell_network(enum error e, enum network_state state)
{
    const struct network_info n = {.state = state, .month = 8, .year = 2027};
    asked.handlers->on_network(asked.owner, 1, (result){e}, e ? NULL : &n, NULL);
}

START_TEST(a_card_without_network_token)
{
    set_up();
    ck_assert(call("GET", "/v1/aliases/" ALIAS, "", ""));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 4;get 0;network 1;");
    ck_assert_str_eq(asked.text[0], ALIAS);
    tell_card(CARD_ACTIVE);
    tell_network(ERR_NETWORK_TOKEN_NONE, NETWORK_NONE);
    answered(200, "{\"alias\":\"" ALIAS "\",\"type\":\"CARD\",\"dateCreated\":\"1970-01-01T00:00:00.000Z\",\"masked\":\"489537xxxxxx6287\","
                  "\"card\":{\"last4\":\"6287\",\"panRemoved\":false,\"expiryMonth\":\"02\",\"expiryYear\":\"28\",\"cardInfo\":{\"brand\":\"VISA\"}}}");
    ck_assert(call("GET", "/v1/aliases/" ALIAS, "", "")); /* a merchant without a network is asked about none */
    admit(1);
    ck_assert_str_eq(asked.questions, "open 4;get 0;");
    tell_card(CARD_ACTIVE);
    lacks("networkToken");
    tear_down();
}
END_TEST

START_TEST(a_card_with_one)
{
    static const struct {
        enum network_state state;
        const char *part;
        bool is_provisioned;
    } cases[] = {
        {NETWORK_ACTIVE, "\"tokenInfo\":{\"expiryMonth\":\"08\",\"expiryYear\":\"27\"},\"networkToken\":{\"status\":\"ACTIVE\",\"expiryMonth\":\"08\",", true},
        {NETWORK_SUSPENDED, "\"networkToken\":{\"status\":\"SUSPENDED\"", false},
        {NETWORK_DELETED, "\"networkToken\":{\"status\":\"DELETED\"", false},
        {NETWORK_PENDING, "\"networkToken\":{\"status\":\"PENDING\"", false},
    };
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(call("GET", "/v1/aliases/" ALIAS, "", ""));
        admit(0);
        tell_network(ERR_NONE, cases[i].state);
        tell_card(CARD_PAN_REMOVED);
        answered(200, cases[i].part);
        answered(200, "\"panRemoved\":true");
        ck_assert((strstr(json, "tokenInfo") != NULL) == cases[i].is_provisioned);
    }
    tear_down();
}
END_TEST

START_TEST(changes_and_the_end)
{
    const struct card_info i = info(CARD_ACTIVE);
    set_up();
    ck_assert(call("PATCH", "/v1/aliases/" ALIAS, JSON_TYPE, "{\"expiryMonth\":\"11\",\"expiryYear\":\"31\"}"));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 8;change 0;");
    asked.handlers->on_token(asked.owner, 0, OK, &i, false);
    answered(200, "\"alias\":\"" ALIAS "\"");
    ck_assert(call("PATCH", "/v1/aliases/" ALIAS, JSON_TYPE, "{\"removePlain\":true}"));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 8;change 0;");
    ck_assert(call("DELETE", "/v1/aliases/" ALIAS, "", ""));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 16;delete 0;");
    asked.handlers->on_token(asked.owner, 0, OK, &i, false);
    ck_assert_int_eq(status, 204);
    ck_assert_str_eq(json, "");
    tear_down();
}
END_TEST

START_TEST(what_goes_wrong_has_their_codes)
{
    static const struct {
        enum error e;
        int status;
        const char *code;
    } refused[] = {{ERR_KEY_WRONG, 401, "UNAUTHORIZED"}, {ERR_KEY_PERMISSION, 403, "FORBIDDEN"}, {ERR_TOKEN_NOT_FOUND, 400, "ALIAS_NOT_FOUND"},
                   {ERR_TOO_MANY_BAD_TOKENS, 429, "VELOCITY_ERROR"}, {ERR_KEEPER_AWAY, 503, "SERVER_ERROR"}};
    static const struct {
        const char *body, *code;
    } bad[] = {{"{\"expiryMonth\":\"13\",\"expiryYear\":\"31\"}", "INVALID_EXPIRATION"}, {"{\"expiryMonth\":\"12\"}", "INVALID_EXPIRATION"},
               {"{\"expiryMonth\":12,\"expiryYear\":2031}", "INVALID_EXPIRATION"}, {"{}", "INVALID_PROPERTY"},
               {"{\"removePlain\":false}", "INVALID_PROPERTY"}, {"{\"createNetworkToken\":true}", "INVALID_PROPERTY"}, {"{", "INVALID_JSON_PAYLOAD"}};
    set_up();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ck_assert(call("GET", "/v1/aliases/" ALIAS, "", ""));
        refuse(refused[i].e);
        answered(refused[i].status, refused[i].code);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(call("PATCH", "/v1/aliases/" ALIAS, JSON_TYPE, bad[i].body));
        admit(0);
        answered(400, bad[i].code);
    }
    ck_assert(!call("GET", "/v1/aliases/a.b", "", ""));
    answered(400, "ALIAS_NOT_FOUND");
    ck_assert(!call("PUT", "/v1/aliases/" ALIAS, "", ""));
    ck_assert_int_eq(status, 405);
    tear_down();
}
END_TEST

/* "shop:cvk_y", as users of PCI Proxy have it. */
START_TEST(merchant_and_key_may_come_as_basic)
{
    static const struct {
        const char *fields, *key;
    } cases[] = {
        {"authorization: Basic c2hvcDpjdmtfeQ==", "cvk_y"},
        {"authorization: bAsIc  c2hvcDpjdmtfeQ==", "cvk_y"},
        {"authorization: Basic c2hvcDo=", ""},       /* shop: */
        {"authorization: Basic OmN2a195", ""},       /* :cvk_y */
        {"authorization: Basic Y3ZrX3k=", ""},       /* cvk_y */
        {"authorization: Basic !", ""},
        {"authorization: Basic c2hvcDpjdmtfeQ==\nauthorization: Basic c2hvcDpjdmtfeQ==", ""},
        {"authorization: Bearer cvk_y", "(none)"},
        {"", "(none)"},
    };
    const struct card_info i = info(CARD_ACTIVE);
    set_up();
    has_no_key = true;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        ck_assert(call("GET", "/v1/aliases/" ALIAS, cases[n].fields, ""));
        ck_assert_msg(strcmp(asked.key, cases[n].key) == 0, "%s: %s", cases[n].fields, asked.key);
    }
    ck_assert(call("GET", "/v1/aliases/" ALIAS, cases[0].fields, ""));
    admit(1); /* the key is other's */
    ck_assert_str_eq(asked.questions, "open 4;");
    answered(401, "UNAUTHORIZED");
    ck_assert_int_eq(error, ERR_KEY_WRONG);
    ck_assert_str_eq(challenge, "Basic realm=\"cardveil\"");
    ck_assert(call("GET", "/v1/aliases/" ALIAS, cases[0].fields, ""));
    admit(2); /* of a merchant that only the keeper knows yet */
    answered(401, "UNAUTHORIZED");
    ck_assert(call("DELETE", "/v1/aliases/" ALIAS, cases[0].fields, ""));
    admit(0);
    ck_assert_str_eq(asked.questions, "open 16;delete 0;");
    asked.handlers->on_token(asked.owner, 0, OK, &i, false);
    ck_assert_int_eq(status, 204);
    ck_assert(call("GET", "/v1/tokens/" ALIAS, cases[0].fields, "")); /* nowhere else */
    ck_assert_str_eq(asked.key, "(none)");
    has_no_key = false;
    ck_assert(call("GET", "/v1/aliases/" ALIAS, "authorization: Basic b3RoZXI6YQ==", "")); /* x-api-key comes first */
    ck_assert_str_eq(asked.key, "cvk_x");
    admit(0);
    ck_assert_str_eq(asked.questions, "open 4;get 0;network 1;");
    tear_down();
}
END_TEST

RUN_TESTS("aliases", a_card_without_network_token, a_card_with_one, changes_and_the_end, what_goes_wrong_has_their_codes,
          merchant_and_key_may_come_as_basic)
