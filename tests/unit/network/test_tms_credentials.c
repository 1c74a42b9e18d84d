/* SPDX-License-Identifier: Apache-2.0 */
/* Payment credentials: the JWE opened, then every field checked by itself. */
#include "stage.h"

#include "../../../src/network/tms_priv.h"

#include <stdio.h>
#include <string.h>

/* --- the whole way --- */

static struct stage stage;
static struct told told;

#define CARD(more)                                                                                                     \
    "{\"card\":{\"number\":\"4111111111111111\",\"expirationMonth\":\"01\",\"expirationYear\":\"2028\"},"              \
    "\"tokenizedCard\":{\"state\":\"ACTIVE\",\"number\":\"4895370012345678\",\"expirationMonth\":\"12\","              \
    "\"expirationYear\":\"2031\",\"type\":\"visa\"" more "}}"
#define FULL                                                                                                           \
    CARD(",\"cryptogram\":\"AgAAAAAAAIR8CQrXcIhbQAAAAAA=\",\"eci\":\"7\",\"requestorId\":\"40012345678\",\"id\":"      \
         "\"AB12\"")

static void ask(bool without_cryptogram)
{
    memset(&told, 0, sizeof told);
    ck_assert_ptr_nonnull(connector_credentials(stage.connector, SLICE("AB12"), without_cryptogram, on_told, &told));
    player_request(&stage.player);
}

START_TEST(number_expiry_cryptogram_and_eci_of_one_answer)
{
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    ask(false);
    stage_answer_jwe(&stage, SLICE(FULL));
    WAIT_TOLD(&stage, &told);
    ck_assert_msg(!failed(told.answer.r), "%s", error_name(told.answer.r.err));
    const struct credential *c = told.answer.credential;
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(c->kind, CREDENTIAL_NETWORK_TOKEN);
    ck_assert_int_eq(c->brand, BRAND_VISA);
    ck_assert(slice_is((slice){c->number, c->number_len}, "4895370012345678"));
    ck_assert_uint_eq(c->month, 12);
    ck_assert_uint_eq(c->year, 2031);
    ck_assert(slice_is((slice){c->cryptogram, c->cryptogram_len}, "AgAAAAAAAIR8CQrXcIhbQAAAAAA="));
    ck_assert(slice_is((slice){c->eci, c->eci_len}, "07"));
    ck_assert(slice_is((slice){c->requestor, c->requestor_len}, "40012345678"));
    ck_assert_int_eq(c->holder_len + c->cvc_len + c->network_transaction_id_len, 0);
    ck_assert_int_eq(told.answer.state, NETWORK_ACTIVE);
    ck_assert(slice_is(network_ref_slice(&told.answer.ref), "AB12"));
    ck_assert_uint_eq(told.answer.month, 12);
    ck_assert_uint_eq(told.answer.year, 2031);
    stage_finish(&stage);
}
END_TEST

START_TEST(answers_that_do_not_open)
{
    struct buf jwe;
    stage_start(&stage, NETWORK_AUTH_JWT_SECRET);
    buf_init(&jwe, 64 * 1024);
    ck_assert(!failed(jwe_encrypt(stage.public_key, SLICE("1"), SLICE(FULL), &jwe)));
    ask(false); /* as another type */
    player_answer(&stage.player, 200, "application/json", buf_slice(&jwe));
    WAIT_TOLD(&stage, &told);
    ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_ANSWER);
    ask(false); /* the same, with a parameter */
    player_answer(&stage.player, 200, "Application/JOSE; charset=utf-8", buf_slice(&jwe));
    WAIT_TOLD(&stage, &told);
    ck_assert(!failed(told.answer.r));
    ask(false); /* altered */
    jwe.at[jwe.len - 3] ^= 1;
    player_answer(&stage.player, 200, "application/jose", buf_slice(&jwe));
    WAIT_TOLD(&stage, &told);
    ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_ANSWER);
    ck_assert_ptr_null(told.answer.credential);
    ask(false);
    player_answer(&stage.player, 200, "application/jose", SLICE_NONE);
    WAIT_TOLD(&stage, &told);
    ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_ANSWER);
    buf_done(&jwe);
    stage_finish(&stage);
}
END_TEST

/* --- field by field --- */

#define TOKEN(number, month, year, rest)                                                                               \
    "{\"tokenizedCard\":{\"state\":\"ACTIVE\",\"number\":\"" number "\",\"expirationMonth\":\"" month                  \
    "\",\"expirationYear\":\"" year "\"" rest "}}"
#define FOUR64(x) x x x x x x x x x x x x x x x x

static const struct {
    const char *json;
    bool without_cryptogram;
    enum error e;
    const char *cryptogram, *eci;
} cases[] = {
    {TOKEN("489537001234", "01", "2000", ",\"cryptogram\":\"A\""), false, ERR_NONE, "A", ""},
    {TOKEN("4895370012345678901", "12", "2099", ",\"cryptogram\":\"" FOUR64("abcd") "\",\"eci\":\"05\""), false,
     ERR_NONE, FOUR64("abcd"), "05"},
    {CARD(",\"cryptogram\":\"A\",\"eci\":\"5\""), false, ERR_NONE, "A", "05"},
    {CARD(",\"cryptogram\":\"A\",\"eci\":null"), false, ERR_NONE, "A", ""},
    {CARD(",\"cryptogram\":\"A-_/+=\""), false, ERR_NONE, "A-_/+=", ""},
    /* neither Base64 nor hex: it could not be found again in a processor's answer */
    {CARD(",\"cryptogram\":\"A%41\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A\\\\u0041\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A\\\"B\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A&B\""), false, ERR_NETWORK_ANSWER, "", ""},
    /* for merchant-initiated payments: no cryptogram, and none kept */
    {CARD(""), true, ERR_NONE, "", ""},
    {CARD(",\"cryptogram\":\"A\",\"eci\":\"5\""), true, ERR_NONE, "", ""},
    /* missing */
    {CARD(""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"\""), false, ERR_NETWORK_ANSWER, "", ""},
    {"{\"tokenizedCard\":{\"state\":\"ACTIVE\",\"number\":\"4895370012345678\",\"cryptogram\":\"A\"}}", false,
     ERR_NETWORK_ANSWER, "", ""},
    {"{\"tokenizedCard\":{\"state\":\"ACTIVE\",\"expirationMonth\":\"12\",\"expirationYear\":\"2031\",\"cryptogram\":"
     "\"A\"}}",
     false, ERR_NETWORK_ANSWER, "", ""},
    {"{\"tokenizedCard\":{\"number\":\"4895370012345678\",\"expirationMonth\":\"12\",\"expirationYear\":\"2031\","
     "\"cryptogram\":\"A\"}}",
     false, ERR_NETWORK_ANSWER, "", ""},
    {"{\"card\":{\"number\":\"4111111111111111\"}}", false, ERR_NETWORK_ANSWER, "", ""},
    {"{}", false, ERR_NETWORK_ANSWER, "", ""},
    /* malformed */
    {TOKEN("48953700123", "12", "2031", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {TOKEN("48953700123456789012", "12", "2031", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {TOKEN("489537001234567x", "12", "2031", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {TOKEN("4895 3700 1234 5678", "12", "2031", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {TOKEN("4895370012345678", "00", "2031", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {TOKEN("4895370012345678", "13", "2031", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {TOKEN("4895370012345678", "1", "2031", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {TOKEN("4895370012345678", "12", "31", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {TOKEN("4895370012345678", "12", "1999", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {TOKEN("4895370012345678", "12", "2100", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {TOKEN("4895370012345678", "", "", ",\"cryptogram\":\"A\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"" FOUR64("abcd") "e\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A B\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A\\u0000\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A\\n\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"\\u00e9\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A\",\"eci\":\"007\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A\",\"eci\":\"a\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A\",\"eci\":5"), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A\",\"requestorId\":\"4001234567\""), false, ERR_NETWORK_ANSWER, "", ""},
    {CARD(",\"cryptogram\":\"A\",\"requestorId\":\"4001234567x\""), false, ERR_NETWORK_ANSWER, "", ""},
    /* two of one: whose cryptogram would it be? */
    {CARD(",\"cryptogram\":\"A\",\"cryptogram\":\"B\""), false, ERR_JSON_DUPLICATE_KEY, "", ""},
    {"{\"tokenizedCard\":{\"state\":\"ACTIVE\",\"number\":\"4895370012345678\",\"expirationMonth\":\"12\","
     "\"expirationYear\":"
     "\"2031\"},\"tokenizedCard\":{\"cryptogram\":\"A\"}}",
     false, ERR_JSON_DUPLICATE_KEY, "", ""},
    {"[]x", false, ERR_JSON_SYNTAX, "", ""},
    {"", false, ERR_JSON_CUT_OFF, "", ""},
};

START_TEST(each_field)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct credential c = {0};
        struct network_answer a = {0};
        tms_read_credentials(slice_of(cases[i].json), cases[i].without_cryptogram, &c, &a);
        ck_assert_msg(a.r.err == cases[i].e, "%s: %s", cases[i].json, error_name(a.r.err));
        ck_assert_int_eq(a.credential == &c, cases[i].e == ERR_NONE);
        if (failed(a.r)) continue;
        ck_assert_msg(slice_is((slice){c.cryptogram, c.cryptogram_len}, cases[i].cryptogram), "%s", cases[i].json);
        ck_assert_msg(slice_is((slice){c.eci, c.eci_len}, cases[i].eci), "%s", cases[i].json);
    }
}
END_TEST

#define STATE(state, more)                                                                                             \
    "{\"tokenizedCard\":{\"state\":\"" state "\",\"number\":\"4895370012345678\",\"expirationMonth\":\"12\","          \
    "\"expirationYear\":\"2031\",\"cryptogram\":\"A\"" more "}}"

START_TEST(only_an_active_token_has_credentials)
{
    static const struct {
        const char *json;
        enum error e;
        enum network_state state;
        enum network_reason reason;
    } states[] = {
        {STATE("ACTIVE", ""), ERR_NONE, NETWORK_ACTIVE, NETWORK_REASON_NONE},
        {STATE("SUSPENDED", ""), ERR_NETWORK_REFUSED, NETWORK_SUSPENDED, NETWORK_REASON_OTHER},
        {STATE("DELETED", ""), ERR_NETWORK_TOKEN_GONE, NETWORK_DELETED, NETWORK_REASON_NONE},
        {STATE("UNPROVISIONED", ",\"reason\":\"DECLINED\""), ERR_NETWORK_REFUSED, NETWORK_UNPROVISIONED,
         NETWORK_REASON_DECLINED},
        {STATE("active", ""), ERR_NETWORK_ANSWER, NETWORK_NONE, NETWORK_REASON_NONE},
    };
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct credential c = {0};
        struct network_answer a = {0};
        tms_read_credentials(slice_of(states[i].json), false, &c, &a);
        ck_assert_msg(a.r.err == states[i].e, "%s: %s", states[i].json, error_name(a.r.err));
        ck_assert_int_eq(a.state, states[i].state);
        ck_assert_int_eq(a.reason, states[i].reason);
        ck_assert_int_eq(a.credential != NULL, states[i].e == ERR_NONE);
        ck_assert_int_eq(c.number_len != 0, states[i].e == ERR_NONE);
    }
}
END_TEST

START_TEST(brands)
{
    static const struct {
        const char *type;
        enum card_brand brand;
    } types[] = {{"visa", BRAND_VISA},
                 {"mastercard", BRAND_MASTERCARD},
                 {"americanexpress", BRAND_AMEX},
                 {"else", BRAND_UNKNOWN}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char json[512];
        struct credential c;
        struct network_answer a = {0};
        snprintf(json, sizeof json, STATE("ACTIVE", ",\"type\":\"%s\""), types[i].type);
        tms_read_credentials(slice_of(json), false, &c, &a);
        ck_assert(!failed(a.r));
        ck_assert_int_eq(c.brand, types[i].brand);
    }
}
END_TEST

RUN_TESTS("network tms credentials", number_expiry_cryptogram_and_eci_of_one_answer, answers_that_do_not_open,
          each_field, only_an_active_token_has_credentials, brands)
