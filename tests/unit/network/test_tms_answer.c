/* SPDX-License-Identifier: Apache-2.0 */
/* What TMS's answers come to: every status, every state, every reason, and what is no answer at all. */
#include "stage.h"

#include "../../../src/network/tms_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct stage stage;
static struct told told;

static void start_call(enum tms_kind kind)
{
    struct network_card card = stage_card();
    struct connector *c = stage.connector;
    struct network_call *call = NULL;
    memset(&told, 0, sizeof told);
    switch (kind) {
    case TMS_ENROL:
        call = connector_enrol(c, &card, on_told, &told);
        break;
    case TMS_CREDENTIALS:
        call = connector_credentials(c, SLICE("AB12"), false, on_told, &told);
        break;
    case TMS_STATE:
        call = connector_state(c, SLICE("AB12"), on_told, &told);
        break;
    case TMS_REMOVE:
        call = connector_remove(c, SLICE("AB12"), on_told, &told);
        break;
    }
    ck_assert_ptr_nonnull(call);
    ck_assert_uint_eq(told.count, 0);
    player_request(&stage.player);
}

static void call_and_answer(enum tms_kind kind, int status, const char *body)
{
    start_call(kind);
    player_answer(&stage.player, status, *body ? "application/json" : NULL, slice_of(body));
    WAIT_TOLD(&stage, &told);
    ((struct tms *)(void *)stage.connector)->breaker = (struct breaker){0}; /* has tests of its own */
}

#define PENDING NETWORK_PENDING
#define UNPROV NETWORK_UNPROVISIONED
#define NO_REASON NETWORK_REASON_NONE

static const struct {
    enum tms_kind kind;
    int status;
    const char *body;
    enum error e;
    enum network_state state;
    enum network_reason reason;
    const char *ref;
} cases[] = {
    /* enrolment: states */
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"ACTIVE\"}", ERR_NONE, NETWORK_ACTIVE, NO_REASON, "T1"},
    {TMS_ENROL, 200, "{\"id\":\"T1\",\"state\":\"ACTIVE\"}", ERR_NONE, NETWORK_ACTIVE, NO_REASON, "T1"},
    {TMS_ENROL, 202, "{\"id\":\"T1\",\"state\":\"UNPROVISIONED\"}", ERR_NONE, PENDING, NO_REASON, "T1"},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"SUSPENDED\"}", ERR_NONE, NETWORK_SUSPENDED, NO_REASON, "T1"},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"DELETED\"}", ERR_NONE, NETWORK_DELETED, NO_REASON, "T1"},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"ACTIVE\",\"reason\":\"DECLINED\"}", ERR_NONE, NETWORK_ACTIVE,
     NO_REASON, "T1"},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"UNPROVISIONED\",\"reason\":\"CARD_NOT_ELIGIBLE\"}",
     ERR_NETWORK_REFUSED, UNPROV, NETWORK_REASON_CARD_NOT_ELIGIBLE, "T1"},
    {TMS_ENROL, 201, "{\"state\":\"UNPROVISIONED\",\"reason\":\"CARD_NOT_ALLOWED\"}", ERR_NETWORK_REFUSED, UNPROV,
     NETWORK_REASON_CARD_NOT_ALLOWED, ""},
    /* enrolment: every reason */
    {TMS_ENROL, 201, "{\"state\":\"UNPROVISIONED\",\"reason\":\"INVALID_REQUEST\"}", ERR_NETWORK_REFUSED, UNPROV,
     NETWORK_REASON_INVALID_REQUEST, ""},
    {TMS_ENROL, 201, "{\"state\":\"UNPROVISIONED\",\"reason\":\"CARD_VERIFICATION_FAILED\"}", ERR_NETWORK_REFUSED,
     UNPROV, NETWORK_REASON_CARD_VERIFICATION_FAILED, ""},
    {TMS_ENROL, 201, "{\"state\":\"UNPROVISIONED\",\"reason\":\"DECLINED\"}", ERR_NETWORK_REFUSED, UNPROV,
     NETWORK_REASON_DECLINED, ""},
    {TMS_ENROL, 201, "{\"state\":\"UNPROVISIONED\",\"reason\":\"SERVICE_UNAVAILABLE\"}", ERR_NETWORK_REFUSED, UNPROV,
     NETWORK_REASON_SERVICE_UNAVAILABLE, ""},
    {TMS_ENROL, 201, "{\"state\":\"UNPROVISIONED\",\"reason\":\"SYSTEM_ERROR\"}", ERR_NETWORK_REFUSED, UNPROV,
     NETWORK_REASON_SYSTEM_ERROR, ""},
    {TMS_ENROL, 201, "{\"state\":\"UNPROVISIONED\",\"reason\":\"NEW_ONE\"}", ERR_NETWORK_REFUSED, UNPROV,
     NETWORK_REASON_OTHER, ""},
    /* refusals by status */
    {TMS_ENROL, 400, "{\"reason\":\"CARD_NOT_ELIGIBLE\"}", ERR_NETWORK_REFUSED, 0, NETWORK_REASON_CARD_NOT_ELIGIBLE,
     ""},
    {TMS_ENROL, 400, "{\"tokenizedCard\":{\"state\":\"UNPROVISIONED\",\"reason\":\"DECLINED\"}}", ERR_NETWORK_REFUSED,
     0, NETWORK_REASON_DECLINED, ""},
    {TMS_ENROL, 400, "{\"errors\":[{\"type\":\"invalidParameters\",\"message\":\"m\"}]}", ERR_NETWORK_REFUSED, 0,
     NETWORK_REASON_INVALID_REQUEST, ""},
    {TMS_ENROL, 400, "", ERR_NETWORK_REFUSED, 0, NETWORK_REASON_INVALID_REQUEST, ""},
    {TMS_ENROL, 400, "{\"reason\":\"MISSING_FIELD\"}", ERR_NETWORK_REFUSED, 0, NETWORK_REASON_OTHER, ""},
    {TMS_ENROL, 409, "{}", ERR_NETWORK_REFUSED, 0, NETWORK_REASON_OTHER, ""},
    {TMS_REMOVE, 409, "{}", ERR_NETWORK_REFUSED, 0, NETWORK_REASON_OTHER, ""},
    {TMS_ENROL, 422, "{\"reason\":\"DECLINED\"}", ERR_NETWORK_REFUSED, 0, NETWORK_REASON_DECLINED, ""},
    {TMS_CREDENTIALS, 400, "{\"reason\":\"SERVICE_UNAVAILABLE\"}", ERR_NETWORK_REFUSED, 0,
     NETWORK_REASON_SERVICE_UNAVAILABLE, ""},
    {TMS_ENROL, 400, "<html>", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    /* our own credentials */
    {TMS_ENROL, 401, "{}", ERR_NETWORK_CREDENTIALS, 0, NO_REASON, ""},
    {TMS_STATE, 403, "", ERR_NETWORK_CREDENTIALS, 0, NO_REASON, ""},
    {TMS_CREDENTIALS, 401, "<html>", ERR_NETWORK_CREDENTIALS, 0, NO_REASON, ""},
    {TMS_ENROL, 424, "{}", ERR_NETWORK_CREDENTIALS, 0, NO_REASON, ""},
    /* gone */
    {TMS_CREDENTIALS, 404, "{}", ERR_NETWORK_TOKEN_GONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_CREDENTIALS, 410, "", ERR_NETWORK_TOKEN_GONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_STATE, 404, "", ERR_NETWORK_TOKEN_GONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_STATE, 410, "", ERR_NETWORK_TOKEN_GONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_REMOVE, 410, "", ERR_NETWORK_TOKEN_GONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_STATE, 404, "{\"errors\":[{\"type\":\"notFound\",\"message\":\"m\"}]}", ERR_NETWORK_TOKEN_GONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_ENROL, 404, "", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    /* a gateway's page is not the network's word */
    {TMS_STATE, 404, "<html>", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_STATE, 410, "gone", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_REMOVE, 404, "<html>", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_CREDENTIALS, 404, "<html>", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    /* down */
    {TMS_ENROL, 408, "", ERR_NETWORK_DOWN, 0, NO_REASON, ""},
    {TMS_ENROL, 429, "", ERR_NETWORK_DOWN, 0, NO_REASON, ""},
    {TMS_ENROL, 500, "{\"reason\":\"SYSTEM_ERROR\"}", ERR_NETWORK_DOWN, 0, NO_REASON, ""},
    {TMS_REMOVE, 502, "", ERR_NETWORK_DOWN, 0, NO_REASON, ""},
    {TMS_CREDENTIALS, 503, "", ERR_NETWORK_DOWN, 0, NO_REASON, ""},
    {TMS_STATE, 504, "", ERR_NETWORK_DOWN, 0, NO_REASON, ""},
    /* not followed, not understood */
    {TMS_STATE, 302, "", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "<html>", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"id\":\"T1\"}", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"state\":\"ACTIVE\"}", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"active\"}", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"NONE\"}", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"PENDING\"}", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"id\":\"T/1\",\"state\":\"ACTIVE\"}", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"id\":7,\"state\":\"ACTIVE\"}", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"id\":\"T2\",\"state\":\"ACTIVE\"}", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"ACTIVE\"", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"ACTIVE\",\"expirationMonth\":\"13\",\"expirationYear\":\"2031\"}",
     ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_ENROL, 201, "{\"id\":\"T1\",\"state\":\"ACTIVE\",\"instrumentIdentifier\":{\"id\":\"a b\"}}",
     ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
    {TMS_CREDENTIALS, 200, "{\"tokenizedCard\":{}}", ERR_NETWORK_ANSWER, 0, NO_REASON, ""}, /* in the clear */
    /* state */
    {TMS_STATE, 200, "{\"id\":\"AB12\",\"state\":\"SUSPENDED\"}", ERR_NONE, NETWORK_SUSPENDED, NO_REASON, "AB12"},
    {TMS_STATE, 200, "{\"state\":\"ACTIVE\"}", ERR_NONE, NETWORK_ACTIVE, NO_REASON, "AB12"},
    {TMS_STATE, 200, "{\"id\":\"AB12\",\"state\":\"DELETED\"}", ERR_NONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_STATE, 200, "{\"id\":\"AB12\",\"state\":\"UNPROVISIONED\"}", ERR_NONE, PENDING, NO_REASON, "AB12"},
    {TMS_STATE, 200, "{\"id\":\"AB12\",\"state\":\"UNPROVISIONED\",\"reason\":\"DECLINED\"}", ERR_NETWORK_REFUSED,
     UNPROV, NETWORK_REASON_DECLINED, "AB12"},
    {TMS_STATE, 200, "{\"id\":\"OTHER\",\"state\":\"ACTIVE\"}", ERR_NETWORK_ANSWER, 0, NO_REASON,
     ""}, /* another card's */
    /* removal */
    {TMS_REMOVE, 204, "", ERR_NONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_REMOVE, 200, "", ERR_NONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_REMOVE, 200, "{}", ERR_NONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_REMOVE, 200, "{\"id\":\"AB12\",\"state\":\"DELETED\"}", ERR_NONE, NETWORK_DELETED, NO_REASON, "AB12"},
    {TMS_REMOVE, 200, "gone", ERR_NETWORK_ANSWER, 0, NO_REASON, ""},
};

START_TEST(statuses_states_and_reasons)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        call_and_answer(cases[i].kind, cases[i].status, cases[i].body);
        const struct network_answer *a = &told.answer;
        ck_assert_msg(a->r.err == cases[i].e, "%d %s: %s", cases[i].status, cases[i].body, error_name(a->r.err));
        ck_assert_msg(a->state == cases[i].state, "%d %s: %s", cases[i].status, cases[i].body,
                      network_state_name(a->state));
        ck_assert_msg(a->reason == cases[i].reason, "%d %s: %s", cases[i].status, cases[i].body,
                      network_reason_name(a->reason));
        ck_assert_msg(slice_is(network_ref_slice(&a->ref), cases[i].ref), "%d %s", cases[i].status, cases[i].body);
        ck_assert_ptr_null(a->credential);
    }
    stage_finish(&stage);
}
END_TEST

START_TEST(what_a_tokenised_card_tells)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    call_and_answer(TMS_ENROL, 201,
                    "{\"id\":\"T1\",\"state\":\"ACTIVE\",\"expirationMonth\":\"09\",\"expirationYear\":\"2033\","
                    "\"instrumentIdentifier\":{\"id\":\"7030000000000001234\"},\"card\":{\"suffix\":\"1111\"}}");
    ck_assert_uint_eq(told.answer.month, 9);
    ck_assert_uint_eq(told.answer.year, 2033);
    ck_assert(slice_is(network_ref_slice(&told.answer.instrument), "7030000000000001234"));
    call_and_answer(
        TMS_ENROL, 201,
        "{\"id\":\"T1\",\"state\":\"ACTIVE\",\"_links\":{\"self\":{\"href\":\"/tms/v2/tokenized-cards/T1\"},"
        "\"instrumentIdentifier\":{\"href\":\"/tms/v1/instrumentidentifiers/7030000000000009999\"}}}");
    ck_assert_uint_eq(told.answer.month, 0);
    ck_assert(slice_is(network_ref_slice(&told.answer.instrument), "7030000000000009999"));
    stage_finish(&stage);
}
END_TEST

/* What comes instead of an answer. */
static void play_bytes(const char *bytes, bool resets, enum error e)
{
    start_call(TMS_STATE);
    if (*bytes) player_send(&stage.player, slice_of(bytes));
    stage_turns(&stage);
    if (!told.count && resets) player_reset(&stage.player);
    if (!told.count && !resets) player_close(&stage.player);
    WAIT_TOLD(&stage, &told);
    ck_assert_msg(told.answer.r.err == e, "%s: %s", bytes, error_name(told.answer.r.err));
    ((struct tms *)(void *)stage.connector)->breaker = (struct breaker){0};
}

START_TEST(no_answer)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    play_bytes("", false, ERR_NETWORK_DOWN);
    play_bytes("", true, ERR_NETWORK_DOWN);
    play_bytes("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"state\":\"ACTIVE\"}", false, ERR_NETWORK_DOWN);
    play_bytes("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"state\":\"ACTIVE\"}", true, ERR_NETWORK_DOWN);
    play_bytes("SSH-2.0-x\r\n\r\n", false, ERR_NETWORK_ANSWER);
    play_bytes("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", false, ERR_NETWORK_ANSWER);
    play_bytes("HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx", false, ERR_NETWORK_ANSWER);
    stage_finish(&stage);
}
END_TEST

START_TEST(no_answer_in_time)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    stage.network.timeout_ms = 30;
    start_call(TMS_CREDENTIALS);
    WAIT_TOLD(&stage, &told);
    ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_DOWN);
    ck_assert_uint_ge(told.answer.took_us, 29000);
    stage_finish(&stage);
}
END_TEST

START_TEST(nobody_there)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    struct network_card card = stage_card();
    close(stage.player.listening);
    stage.player.listening = -1;
    memset(&told, 0, sizeof told);
    ck_assert_ptr_nonnull(connector_enrol(stage.connector, &card, on_told, &told));
    WAIT_TOLD(&stage, &told);
    ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_DOWN);
    stage_finish(&stage);
}
END_TEST

START_TEST(names)
{
    struct network_ref ref;
    char text[NETWORK_REF_MAX_BYTES + 1];
    memset(text, 'a', sizeof text);
    ck_assert(network_ref_from((slice){text, NETWORK_REF_MAX_BYTES}, &ref));
    ck_assert(!network_ref_from((slice){text, sizeof text}, &ref));
    ck_assert_uint_eq(ref.len, 0);
    ck_assert(network_ref_from(SLICE("aZ09-_"), &ref));
    ck_assert(slice_is(network_ref_slice(&ref), "aZ09-_"));
    ck_assert(!network_ref_from(SLICE(""), &ref));
    for (const char *bad = " ./%\"\\\n\x80"; *bad; bad++)
        ck_assert(!network_ref_from((slice){bad, 1}, &ref));
    ck_assert_str_eq(network_reason_name(NETWORK_REASON_NONE), "");
    ck_assert_str_eq(network_reason_name(NETWORK_REASON_CARD_NOT_ELIGIBLE), "CARD_NOT_ELIGIBLE");
    ck_assert_str_eq(network_reason_name(NETWORK_REASON_OTHER), "OTHER");
}
END_TEST

RUN_TESTS("network tms answer", statuses_states_and_reasons, what_a_tokenised_card_tells, no_answer, no_answer_in_time,
          nobody_there, names)
