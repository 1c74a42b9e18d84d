/* SPDX-License-Identifier: Apache-2.0 */
/* Deliveries against receivers that are played by hand. */
#include "player.h"

#include "base/clock.h"
#include "network/webhook.h"
#include "sign/webhook.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct resolver *resolver;
static struct player first, second;
static struct config_webhook webhooks[2];
static struct config_merchant merchants[2];
static struct config config;
static struct webhook_sender *sender;

struct told {
    unsigned count;
    result r;
    int status;
};

static void on_done(void *owner, result r, int status)
{
    struct told *t = owner;
    t->count++;
    t->r = r;
    t->status = status;
}

static void start(void)
{
    loop = loop_new();
    resolver = resolver_new(loop, SLICE_NONE);
    player_init(&first, loop);
    player_init(&second, loop);
    webhooks[0] =
        (struct config_webhook){.url = {.host = SLICE("127.0.0.1"), .port = first.port, .path = SLICE("/hook?shop=1")},
                                .secret = SLICE("first secret")};
    webhooks[1] = (struct config_webhook){.url = {.host = SLICE("127.0.0.1"), .port = second.port, .path = SLICE("")},
                                          .secret = SLICE("second secret")};
    merchants[0] = (struct config_merchant){.name = SLICE("none")};
    merchants[1] = (struct config_merchant){.name = SLICE("shop"), .webhooks = webhooks, .webhook_count = 2};
    config = (struct config){.merchants = merchants, .merchant_count = 2, .idle_upstream_ms = 60000};
    ck_assert(!failed(webhook_sender_new(loop, resolver, &config, &sender)));
}

static void finish(void)
{
    webhook_sender_free(sender);
    player_done(&first);
    player_done(&second);
    resolver_free(resolver);
    turn(loop);
    loop_free(loop);
}

#define EVENT "{\"id\":\"evt_1\",\"status\":\"ACTIVE\"}"

static struct webhook_delivery *deliver(uint32_t webhook, struct told *t)
{
    *t = (struct told){0};
    struct webhook_delivery *d = webhook_send(sender, 1, webhook, SLICE("evt_1"), SLICE(EVENT), on_done, t);
    ck_assert_ptr_nonnull(d);
    ck_assert_uint_eq(t->count, 0);
    return d;
}

#define WAIT(t) TURN_UNTIL(loop, (t).count == 1)

START_TEST(what_is_sent)
{
    char expected[1024];
    struct told t;
    start();
    deliver(0, &t);
    player_request(&first);
    slice signature = player_field(&first, "x-cardveil-signature");
    snprintf(expected, sizeof expected,
             "POST /hook?shop=1 HTTP/1.1\r\nhost: 127.0.0.1:%u\r\ncontent-type: "
             "application/json\r\nx-cardveil-event-id: evt_1\r\n"
             "x-cardveil-signature: %.*s\r\naccept-encoding: identity\r\ncontent-length: %zu\r\n\r\n%s",
             first.port, (int)signature.len, signature.at, strlen(EVENT), EVENT);
    ck_assert_msg(slice_is(buf_slice(&first.got), expected), "%.*s", (int)first.got.len, first.got.at);
    int64_t now = clock_wall_ms() / 1000;
    ck_assert(webhook_signature_matches(signature, SLICE("first secret"), SLICE(EVENT), now, 300));
    ck_assert(!webhook_signature_matches(signature, SLICE("second secret"), SLICE(EVENT), now, 300));
    player_answer(&first, 200, NULL, SLICE("thanks"));
    WAIT(t);
    ck_assert(!failed(t.r));
    ck_assert_int_eq(t.status, 200);
    finish();
}
END_TEST

START_TEST(each_url_has_its_own_secret_and_connection)
{
    struct told t, u;
    start();
    deliver(1, &t);
    deliver(0, &u);
    player_request(&second);
    player_request(&first);
    ck_assert(slice_is(player_line(&second), "POST / HTTP/1.1"));
    ck_assert(webhook_signature_matches(player_field(&second, "x-cardveil-signature"), SLICE("second secret"),
                                        SLICE(EVENT), clock_wall_ms() / 1000, 300));
    player_answer(&second, 204, NULL, SLICE_NONE);
    WAIT(t);
    ck_assert_uint_eq(u.count, 0);
    player_answer(&first, 202, NULL, SLICE_NONE);
    WAIT(u);
    deliver(0, &u);
    player_request(&first);
    player_answer(&first, 200, NULL, SLICE_NONE);
    WAIT(u);
    ck_assert_uint_eq(first.accepted, 1);
    ck_assert_uint_eq(second.accepted, 1);
    finish();
}
END_TEST

/* The status alone decides, also where the rest of the answer fails. */
START_TEST(statuses)
{
    static const struct {
        const char *bytes;
        bool closes, delivered;
        int status;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false, true, 200},
        {"HTTP/1.1 204 No Content\r\n\r\n", false, true, 204},
        {"HTTP/1.1 299 Odd\r\ncontent-length: 0\r\n\r\n", false, true, 299},
        {"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", false, true, 200},
        {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", true, true, 200},
        {"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx", false, true, 200},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false, true, 200},
        {"HTTP/1.1 100 Continue\r\n\r\n", true, false, 0},
        {"HTTP/1.1 300 Choose\r\ncontent-length: 0\r\n\r\n", false, false, 300},
        {"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n", false, false, 400},
        {"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", false, false, 500},
        {"HTTP/1.1 200 O", true, false, 0},
        {"nonsense\r\n\r\n", false, false, 0},
        {"", true, false, 0},
    };
    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct told t;
        deliver(0, &t);
        player_request(&first);
        if (*cases[i].bytes) player_send(&first, slice_of(cases[i].bytes));
        if (cases[i].closes) player_close(&first);
        WAIT(t);
        ck_assert_msg(t.r.err == (cases[i].delivered ? ERR_NONE : ERR_WEBHOOK_UNDELIVERED), "%s", cases[i].bytes);
        ck_assert_msg(t.status == cases[i].status, "%s: %d", cases[i].bytes, t.status);
    }
    finish();
}
END_TEST

START_TEST(a_redirection_is_not_followed)
{
    char bytes[256];
    struct told t;
    start();
    deliver(0, &t);
    player_request(&first);
    snprintf(bytes, sizeof bytes,
             "HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:%u/\r\ncontent-length: 0\r\n\r\n", second.port);
    player_send(&first, slice_of(bytes));
    WAIT(t);
    ck_assert_int_eq(t.r.err, ERR_WEBHOOK_UNDELIVERED);
    ck_assert_int_eq(t.status, 307);
    for (int i = 0; i < 10; i++)
        turn(loop);
    ck_assert(!player_is_called(&second));
    ck_assert(!player_is_called(&first));
    finish();
}
END_TEST

START_TEST(nobody_there)
{
    struct told t;
    start();
    close(first.listening);
    first.listening = -1;
    deliver(0, &t);
    WAIT(t);
    ck_assert_int_eq(t.r.err, ERR_WEBHOOK_UNDELIVERED);
    ck_assert_int_eq(t.status, 0);
    finish();
}
END_TEST

START_TEST(no_such_webhook)
{
    struct told t;
    start();
    ck_assert_ptr_null(webhook_send(sender, 0, 0, SLICE("e"), SLICE("{}"), on_done, &t));
    ck_assert_ptr_null(webhook_send(sender, 1, 2, SLICE("e"), SLICE("{}"), on_done, &t));
    ck_assert_ptr_null(webhook_send(sender, 2, 0, SLICE("e"), SLICE("{}"), on_done, &t));
    finish();
}
END_TEST

START_TEST(given_up)
{
    struct told t, u;
    start();
    webhook_cancel(deliver(0, &t));
    webhook_cancel(NULL);
    for (int i = 0; i < 10; i++)
        turn(loop);
    ck_assert(!player_is_called(&first));
    deliver(0, &t);
    deliver(1, &u);
    player_request(&first);
    finish(); /* frees the sender with two under way */
    ck_assert_uint_eq(t.count + u.count, 0);
}
END_TEST

START_TEST(anchors_that_are_unusable)
{
    struct webhook_sender *other;
    start();
    webhooks[1].url.tls = true;
    webhooks[1].ca = SLICE("not PEM");
    ck_assert_int_eq(webhook_sender_new(loop, resolver, &config, &other).err, ERR_CONFIG);
    ck_assert_ptr_null(other);
    finish();
    webhook_sender_free(NULL);
}
END_TEST

RUN_TESTS("network webhook", what_is_sent, each_url_has_its_own_secret_and_connection, statuses,
          a_redirection_is_not_followed, nobody_there, no_such_webhook, given_up, anchors_that_are_unusable)
