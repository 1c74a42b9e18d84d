/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/process/desk.h"
#include "../network/stage.h"
#include "base/secret.h"
#include "keeper/client.h"
#include "keeper/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The registrar's desk between a keeper and a platform that are both played by hand. */

static struct stage stage;
static struct desk *desk;
static int keeper;
static unsigned alive;
static struct config_webhook hook;
static struct config_merchant merchant = {.name = CONST_SLICE("shop"), .webhook_count = 1, .webhooks = &hook};
static char url[80];

/* Made by hand, so freed by hand. */
void config_free(struct config *c)
{
    if (c) alive--;
    free(c);
}

int64_t config_merchant_index(const struct config *c, slice name)
{
    return c->merchant_count && slice_eq(c->merchants[0].name, name) ? 0 : -1;
}

static struct config *make_config(size_t networks)
{
    struct config *c = calloc(1, sizeof *c);
    *c = (struct config){.idle_upstream_ms = 60000, .networks = &stage.network, .network_count = networks, .merchants = &merchant, .merchant_count = 1};
    alive++;
    return c;
}

static void connect_keeper(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    desk_connect(desk, pair[0]);
    keeper = pair[1];
}

static void set_up(void)
{
    ck_assert(!failed(secret_start(1 << 20)));
    stage_start(&stage, NETWORK_AUTH_HTTP_SIGNATURE);
    hook = (struct config_webhook){.url = {.host = SLICE("127.0.0.1"), .port = stage.player.port, .path = SLICE("/hook")}, .secret = SLICE("whsec")};
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/hook", stage.player.port);
    ck_assert(!failed(desk_new(stage.loop, stage.resolver, make_config(1), &desk)));
    connect_keeper();
}

static void tear_down(void)
{
    close(keeper);
    connector_free(stage.connector);
    player_done(&stage.player);
    stage_turns(&stage);
    desk_free(desk); /* after the last turn: a hook of its own belongs to the loop */
    resolver_free(stage.resolver);
    loop_free(stage.loop);
    ck_assert_uint_eq(alive, 0);
    rsa_key_free(stage.public_key);
    EVP_PKEY_free(stage.rsa);
    free(stage.private_pem);
}

static void order(enum wire_type type, uint64_t id, const void *fixed, const slice *tails)
{
    struct buf b;
    buf_init(&b, WIRE_BATCH_BYTES);
    ck_assert(!failed(wire_put(&b, type, id, 0, fixed, tails)));
    ck_assert_int_eq(send(keeper, b.at, b.len, 0), (ssize_t)b.len);
    buf_done(&b);
}

static void order_by_ref(enum wire_type type, uint64_t id, const char *network)
{
    const struct wire_order_ref w = {.network_len = (uint8_t)strlen(network), .ref_len = 5};
    const slice tails[] = {slice_of(network), SLICE("ref-1")};
    order(type, id, &w, tails);
}

static void order_delivery(uint64_t id, const char *to)
{
    const struct wire_order_deliver w = {.json_len = 2, .merchant_len = 4, .url_len = (uint8_t)strlen(to), .event_len = 3};
    const slice tails[] = {SLICE("shop"), slice_of(to), SLICE("e-1"), SLICE("{}")};
    order(WIRE_ORDER_DELIVER, id, &w, tails);
}

static char bytes[WIRE_BATCH_BYTES];
static struct wire_frame frame;
static bool has_result(void)
{
    ssize_t n = recv(keeper, bytes, sizeof bytes, MSG_DONTWAIT);
    slice d = {bytes, n > 0 ? (size_t)n : 0};
    return wire_next(&d, &frame) == WIRE_FRAME;
}

static const struct wire_frame *result_of(uint64_t id, enum wire_type type)
{
    bool came = false;
    TURN_UNTIL(stage.loop, (came = came || has_result()));
    ck_assert_uint_eq(frame.dialogue, id);
    ck_assert_int_eq(frame.type, type);
    return &frame;
}

static struct wire_result network_result(uint64_t id)
{
    struct wire_result w;
    wire_fixed(result_of(id, WIRE_RESULT), &w, sizeof w);
    return w;
}

START_TEST(an_enrolment_goes_out_and_its_answer_comes_back)
{
    char billing[WIRE_BILLING_MAX_BYTES];
    size_t len;
    const struct billing_text text = {.address_1 = SLICE("Carrera 140"), .city = SLICE("Bogota"), .country = SLICE("CO")};
    set_up();
    ck_assert(wire_billing_put(&text, billing, &len));
    const struct wire_order_enrol w = {.billing_len = (uint16_t)len, .year = 2030, .month = 12, .brand = BRAND_VISA, .network_len = 11, .number_len = 16,
                                       .holder_len = 6, .cvc_len = 3, .correlation_len = 36};
    const slice tails[] = {SLICE("cybersource"), SLICE("4111111111111111"), SLICE("ANNA B"), SLICE("123"), {billing, len},
                           SLICE("bfe68a02-51cd-4d66-b2ad-56fc55527e45")};
    order(WIRE_ORDER_ENROL, 9, &w, tails);
    player_request(&stage.player);
    ck_assert(slice_is(player_line(&stage.player), "POST /tms/v2/tokenized-cards HTTP/1.1"));
    slice body = player_body(&stage.player);
    static const char *const told[] = {"4111111111111111", "Carrera 140", "Bogota", "123", "bfe68a02-51cd-4d66-b2ad-56fc55527e45"};
    for (size_t i = 0; i < 5; i++) ck_assert_msg(slice_find_slice(body, slice_of(told[i])) < body.len, "%s", told[i]);
    player_answer(&stage.player, 201, "application/json",
                  SLICE("{\"id\":\"TOKEN1\",\"state\":\"ACTIVE\",\"expirationMonth\":\"11\",\"expirationYear\":\"2031\"}"));
    struct wire_result r = network_result(9);
    ck_assert(r.error == ERR_NONE && r.state == NETWORK_ACTIVE && r.month == 11 && r.year == 2031 && !r.has_credential);
    ck_assert(slice_is(wire_tail(&frame, 0), "TOKEN1"));
    tear_down();
}
END_TEST

START_TEST(a_cryptogram_crosses)
{
    set_up();
    order_by_ref(WIRE_ORDER_CREDENTIALS, 4, "cybersource");
    player_request(&stage.player);
    ck_assert(slice_is(player_line(&stage.player), "POST /tms/v2/tokens/ref-1/payment-credentials HTTP/1.1"));
    stage_answer_jwe(&stage, SLICE("{\"tokenizedCard\":{\"state\":\"ACTIVE\",\"number\":\"4895370000000002\",\"expirationMonth\":\"11\","
                               "\"expirationYear\":\"2031\",\"cryptogram\":\"AgAAAAAAAIR8CQrXcIhbQAAAAAA=\",\"requestorId\":\"40010030273\"},"
                               "\"issuer\":{}}"));
    struct wire_result r = network_result(4);
    ck_assert_str_eq(error_name(r.error), "NONE");
    ck_assert(r.has_credential && r.credential_month == 11 && r.credential_year == 2031);
    ck_assert(slice_is(wire_tail(&frame, 2), "4895370000000002") && slice_is(wire_tail(&frame, 3), "AgAAAAAAAIR8CQrXcIhbQAAAAAA="));
    tear_down();
}
END_TEST

START_TEST(orders_for_nobody)
{
    set_up();
    order_by_ref(WIRE_ORDER_STATE, 1, "elsewhere");
    ck_assert_uint_eq(network_result(1).error, ERR_NETWORK_DOWN);
    struct wire_result_deliver d;
    order_delivery(2, "http://127.0.0.1:1/other");
    wire_fixed(result_of(2, WIRE_RESULT_DELIVER), &d, sizeof d);
    ck_assert(d.error == ERR_WEBHOOK_UNDELIVERED && d.status == 0);
    struct wire_result_notice n;
    const struct wire_order_notice w = {.field_len = 3, .body_len = 2, .network_len = 11};
    const slice tails[] = {SLICE("cybersource"), SLICE("t=1"), SLICE("{}")};
    order(WIRE_ORDER_NOTICE, 3, &w, tails);
    wire_fixed(result_of(3, WIRE_RESULT_NOTICE), &n, sizeof n);
    ck_assert(n.error != ERR_NONE && n.refs_len == 0);
    tear_down();
}
END_TEST

START_TEST(a_webhook_is_delivered)
{
    struct wire_result_deliver d;
    set_up();
    order_delivery(5, url);
    player_request(&stage.player);
    ck_assert(slice_is(player_line(&stage.player), "POST /hook HTTP/1.1") && slice_is(player_body(&stage.player), "{}"));
    ck_assert(slice_is(player_field(&stage.player, "x-cardveil-event-id"), "e-1"));
    player_answer(&stage.player, 204, NULL, SLICE(""));
    wire_fixed(result_of(5, WIRE_RESULT_DELIVER), &d, sizeof d);
    ck_assert(d.error == ERR_NONE && d.status == 204);
    tear_down();
}
END_TEST

START_TEST(what_is_not_wanted_any_more)
{
    set_up();
    order_by_ref(WIRE_ORDER_STATE, 1, "cybersource");
    player_request(&stage.player);
    order(WIRE_ORDER_CANCEL, 1, NULL, NULL);
    order(WIRE_ORDER_CANCEL, 77, NULL, NULL); /* one that has its answer already */
    stage_turns(&stage);
    ck_assert(!has_result());
    order_by_ref(WIRE_ORDER_STATE, 2, "cybersource");
    player_request(&stage.player);
    close(keeper); /* the keeper dies: nobody waits */
    stage_turns(&stage);
    connect_keeper();
    order_by_ref(WIRE_ORDER_STATE, 2, "elsewhere"); /* the new keeper counts anew */
    ck_assert_uint_eq(network_result(2).error, ERR_NETWORK_DOWN);
    tear_down();
}
END_TEST

START_TEST(a_new_configuration_meanwhile)
{
    set_up();
    order_by_ref(WIRE_ORDER_STATE, 1, "cybersource");
    player_request(&stage.player);
    ck_assert(!failed(desk_configure(desk, make_config(0)))); /* no networks any more */
    stage_turns(&stage);
    ck_assert_uint_eq(alive, 2); /* the old one, until its errand is done */
    player_answer(&stage.player, 200, "application/json", SLICE("{\"id\":\"ref-1\",\"state\":\"SUSPENDED\"}"));
    ck_assert_int_eq(network_result(1).state, NETWORK_SUSPENDED);
    stage_turns(&stage);
    ck_assert_uint_eq(alive, 1);
    order_by_ref(WIRE_ORDER_STATE, 2, "cybersource");
    ck_assert_uint_eq(network_result(2).error, ERR_NETWORK_DOWN);
    tear_down();
}
END_TEST

static void count_breach(void *owner)
{
    ++*(unsigned *)owner;
}

/* And tells the process, which cannot get a new connection but by ending. A keeper that is gone is none: the next one comes by itself. */
START_TEST(what_a_keeper_never_says_ends_the_connection)
{
    unsigned told = 0;
    const struct wire_result w = {.error = ERR_NONE};
    const slice tails[WIRE_TAILS_MAX] = {SLICE_NONE};
    char one;
    set_up();
    desk_on_breach(desk, count_breach, &told);
    close(keeper);
    stage_turns(&stage);
    ck_assert_uint_eq(told, 0);
    connect_keeper();
    order(WIRE_RESULT, 1, &w, tails);
    stage_turns(&stage);
    ck_assert_int_eq(recv(keeper, &one, 1, MSG_DONTWAIT), 0);
    ck_assert_uint_eq(told, 1);
    tear_down();
}
END_TEST

/* Without a keeper, and without a word, it would stay so for ever. */
START_TEST(a_connection_that_cannot_be_taken_up_is_told)
{
    unsigned told = 0;
    set_up();
    desk_on_breach(desk, count_breach, &told);
    desk_connect(desk, open("/proc/self/exe", O_RDONLY | O_NONBLOCK | O_CLOEXEC)); /* a file: no loop waits for one */
    ck_assert_uint_eq(told, 1);
    desk_connect(desk, -1);
    ck_assert_uint_eq(told, 1);
    tear_down();
}
END_TEST

RUN_TESTS("desk", an_enrolment_goes_out_and_its_answer_comes_back, a_cryptogram_crosses, orders_for_nobody, a_webhook_is_delivered,
          what_is_not_wanted_any_more, a_new_configuration_meanwhile, what_a_keeper_never_says_ends_the_connection,
          a_connection_that_cannot_be_taken_up_is_told)
