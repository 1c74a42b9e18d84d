/* SPDX-License-Identifier: Apache-2.0 */
/* The connector as a whole: when it calls at all, its breaker, its connections, its end. */
#include "stage.h"

#include "base/metrics.h"

#include "../../../src/network/tms_priv.h"

#include <string.h>
#include <unistd.h>

static struct stage stage;
static struct told told;

static struct tms *tms(void)
{
    return (struct tms *)(void *)stage.connector;
}

static struct network_call *ask_state(struct told *t)
{
    memset(t, 0, sizeof *t);
    struct network_call *c = connector_state(stage.connector, SLICE("AB12"), on_told, t);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(t->count, 0);
    return c;
}

static void exchange(int status, enum error e)
{
    ask_state(&told);
    player_request(&stage.player);
    player_answer(&stage.player, status, "application/json", SLICE("{\"state\":\"ACTIVE\"}"));
    WAIT_TOLD(&stage, &told);
    ck_assert_msg(told.answer.r.err == e, "%d: %s", status, error_name(told.answer.r.err));
}

/* Nothing has reached the platform. */
static void check_not_called(void)
{
    stage_turns(&stage);
    ck_assert(!player_is_called(&stage.player));
}

/* --- without a call --- */

START_TEST(brands_that_no_network_takes)
{
    static const enum card_brand others[] = {BRAND_UNKNOWN, BRAND_DISCOVER, BRAND_ELO /* configured, and not TMS's */,
                                             BRAND_COUNT};
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    stage.network.brands &= ~(1U << BRAND_AMEX);
    for (size_t i = 0; i <= sizeof others / sizeof others[0]; i++) {
        struct network_card card = stage_card();
        card.brand = i < sizeof others / sizeof others[0] ? others[i] : BRAND_AMEX; /* TMS's, and not configured */
        memset(&told, 0, sizeof told);
        ck_assert_ptr_nonnull(connector_enrol(stage.connector, &card, on_told, &told));
        ck_assert_uint_eq(told.count, 0);
        WAIT_TOLD(&stage, &told);
        ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_UNSUPPORTED);
        ck_assert_int_eq(told.answer.reason, NETWORK_REASON_UNSUPPORTED_BRAND);
    }
    check_not_called();
    stage_finish(&stage);
}
END_TEST

/* A reference stands in the request's path: nothing but a reference may. */
START_TEST(references_that_no_network_gives)
{
    static const slice bad[] = {CONST_SLICE(""), CONST_SLICE("../payments"), CONST_SLICE("a/b"), CONST_SLICE("a b"),
                                CONST_SLICE("a?b")};
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(&told, 0, sizeof told);
        ck_assert_ptr_nonnull(connector_credentials(stage.connector, bad[i], false, on_told, &told));
        WAIT_TOLD(&stage, &told);
        ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_TOKEN_GONE);
    }
    check_not_called();
    stage_finish(&stage);
}
END_TEST

/* A key id that cannot be written into a header field is ours to mend; nothing is sent, and nothing crashes. */
START_TEST(what_cannot_be_signed)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    stage.network.key_id = SLICE("a\r\nb: c");
    ask_state(&told);
    WAIT_TOLD(&stage, &told);
    ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_CREDENTIALS);
    check_not_called();
    stage_finish(&stage);
}
END_TEST

/* --- the breaker --- */

START_TEST(failures_in_a_row_open_it)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    for (int i = 0; i < BREAKER_FAILURES; i++)
        exchange(503, ERR_NETWORK_DOWN);
    ck_assert_int_eq(tms()->breaker.state, BREAKER_OPEN);
    ck_assert_uint_eq(metrics_sum(METRIC_BREAKERS_OPEN), 1);
    for (int kind = 0; kind < 3; kind++) {
        struct network_card card = stage_card();
        memset(&told, 0, sizeof told);
        ck_assert_ptr_nonnull(kind == 0   ? connector_enrol(stage.connector, &card, on_told, &told)
                              : kind == 1 ? connector_credentials(stage.connector, SLICE("AB12"), false, on_told, &told)
                                          : connector_remove(stage.connector, SLICE("AB12"), on_told, &told));
        ck_assert_uint_eq(told.count, 0);
        WAIT_TOLD(&stage, &told);
        ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_DOWN);
    }
    check_not_called();
    tms()->breaker.until_ms = 0; /* the pause is over */
    exchange(200, ERR_NONE);
    ck_assert_int_eq(tms()->breaker.state, BREAKER_CLOSED);
    ck_assert_uint_eq(metrics_sum(METRIC_BREAKERS_OPEN), 0);
    exchange(200, ERR_NONE);
    stage_finish(&stage);
}
END_TEST

START_TEST(what_counts_and_what_does_not)
{
    static const struct {
        int status;
        enum error e;
        bool counts;
    } cases[] = {
        {500, ERR_NETWORK_DOWN, true},         {429, ERR_NETWORK_DOWN, true},
        {400, ERR_NETWORK_REFUSED, false},     {409, ERR_NETWORK_REFUSED, false},
        {401, ERR_NETWORK_CREDENTIALS, false}, {404, ERR_NETWORK_TOKEN_GONE, false},
        {302, ERR_NETWORK_ANSWER, false},      {200, ERR_NONE, false},
    };
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tms()->breaker = (struct breaker){.failures = 2};
        exchange(cases[i].status, cases[i].e);
        ck_assert_msg(tms()->breaker.failures == (cases[i].counts ? 3 : 0), "%d: %u", cases[i].status,
                      tms()->breaker.failures);
    }
    stage_finish(&stage);
}
END_TEST

START_TEST(connections_that_fail_count)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    close(stage.player.listening);
    stage.player.listening = -1;
    for (int i = 0; i < BREAKER_FAILURES; i++) {
        ask_state(&told);
        WAIT_TOLD(&stage, &told);
        ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_DOWN);
    }
    ck_assert_int_eq(tms()->breaker.state, BREAKER_OPEN);
    stage_finish(&stage);
}
END_TEST

/* --- calls at once --- */

START_TEST(one_connection_serves_many_calls)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    for (int i = 0; i < 5; i++)
        exchange(200, ERR_NONE);
    ck_assert_uint_eq(stage.player.accepted, 1);
    stage_finish(&stage);
}
END_TEST

/* A call's done may start the next: the connection is free by then. */
static void ask_again(void *owner, const struct network_answer *a)
{
    ck_assert(!failed(a->r));
    struct told *next = owner;
    ck_assert_ptr_nonnull(connector_state(stage.connector, SLICE("CD34"), on_told, next));
}

START_TEST(a_call_from_within_done)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    memset(&told, 0, sizeof told);
    ck_assert_ptr_nonnull(connector_state(stage.connector, SLICE("AB12"), ask_again, &told));
    player_request(&stage.player);
    player_answer(&stage.player, 200, NULL, SLICE("{\"state\":\"ACTIVE\"}"));
    player_request(&stage.player);
    ck_assert(slice_is(player_line(&stage.player), "GET /tms/v2/tokenized-cards/CD34 HTTP/1.1"));
    player_answer(&stage.player, 200, NULL, SLICE("{\"state\":\"SUSPENDED\"}"));
    WAIT_TOLD(&stage, &told);
    ck_assert_int_eq(told.answer.state, NETWORK_SUSPENDED);
    ck_assert_uint_eq(stage.player.accepted, 1);
    stage_finish(&stage);
}
END_TEST

START_TEST(cancelled)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    connector_cancel(stage.connector, ask_state(&told)); /* before it began */
    check_not_called();
    struct network_call *c = ask_state(&told); /* on its way */
    player_request(&stage.player);
    connector_cancel(stage.connector, c);
    stage_turns(&stage);
    tms()->breaker = (struct breaker){.state = BREAKER_OPEN, .until_ms = UINT64_MAX};
    connector_cancel(stage.connector, ask_state(&told)); /* with its answer waiting */
    stage_turns(&stage);
    ck_assert_uint_eq(told.count, 0);
    connector_cancel(stage.connector, NULL);
    stage_finish(&stage);
}
END_TEST

/* --- keys --- */

static void check_config(enum error e)
{
    struct connector *c;
    result r = connector_new(
        &(struct connector_options){
            .loop = stage.loop, .resolver = stage.resolver, .config = &stage.config, .network = &stage.network},
        &c);
    ck_assert_msg(r.err == e, "%s", error_name(r.err));
    ck_assert_int_eq(c != NULL, e == ERR_NONE);
    connector_free(c);
}

START_TEST(keys_that_are_unusable)
{
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    check_config(ERR_NONE);
    stage.network.secret = SLICE("not Base64!");
    check_config(ERR_CONFIG);
    stage.network.secret = SLICE("");
    check_config(ERR_CONFIG);
    stage.network.auth = NETWORK_AUTH_JWT_KEY; /* the secret is not needed */
    check_config(ERR_NONE);
    stage.network.jwt_key = SLICE("not PEM");
    check_config(ERR_CONFIG);
    stage.network.jwt_key = slice_of(stage.private_pem);
    stage.network.answer_key = SLICE("");
    check_config(ERR_CONFIG);
    stage.network.answer_key = slice_of(stage.private_pem);
    stage.network.notice_key = SLICE("====");
    check_config(ERR_CONFIG);
    stage.network.notice_key = SLICE("");
    check_config(ERR_NONE);
    stage.network.upstream.tls = true;
    stage.network.ca = SLICE("not PEM");
    check_config(ERR_CONFIG);
    stage_finish(&stage);
}
END_TEST

/* A platform with a certificate of somebody else's gets no byte of a card. */
START_TEST(a_stranger_with_a_certificate)
{
    struct network_card card = stage_card();
    struct certificate *ca = certificate_new(&(struct certificate_wish){.name = "CA", .ca = true});
    struct certificate *other = certificate_new(&(struct certificate_wish){.name = "x", .san = "IP:127.0.0.1"});
    struct connector *c;
    struct peer peer;
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    stage.network.upstream.tls = true;
    stage.network.ca = slice_of(ca->pem);
    ck_assert(!failed(connector_new(
        &(struct connector_options){
            .loop = stage.loop, .resolver = stage.resolver, .config = &stage.config, .network = &stage.network},
        &c)));
    memset(&told, 0, sizeof told);
    ck_assert_ptr_nonnull(connector_enrol(c, &card, on_told, &told));
    player_accept(&stage.player);
    peer_init(&peer, stage.player.fd, true, other, NULL, 0);
    for (int i = 0; i < 1000 && !told.count; i++) {
        SSL_do_handshake(peer.ssl);
        turn(stage.loop);
    }
    ck_assert_uint_eq(told.count, 1);
    ck_assert_int_eq(told.answer.r.err, ERR_NETWORK_DOWN);
    peer.fd = -1;
    peer_done(&peer);
    connector_free(c);
    stage_finish(&stage);
    certificate_free(other);
    certificate_free(ca);
}
END_TEST

RUN_TESTS("network tms", brands_that_no_network_takes, references_that_no_network_gives, what_cannot_be_signed,
          failures_in_a_row_open_it, what_counts_and_what_does_not, connections_that_fail_count,
          one_connection_serves_many_calls, a_call_from_within_done, cancelled, keys_that_are_unusable,
          a_stranger_with_a_certificate)
