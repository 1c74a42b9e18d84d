/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer, against a server that is played by hand. */
#include "player.h"

#include "network/call.h"

#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct resolver *resolver;
static struct upstream_pool *pool;
static struct player player;

struct seen {
    unsigned count;
    struct http_call_answer answer; /* its slices are copied below */
    struct buf type, body;
};

static void seen_init(struct seen *s)
{
    *s = (struct seen){0};
    buf_init(&s->type, 1024);
    buf_init(&s->body, 1 << 20);
}

static void seen_done(struct seen *s)
{
    buf_done(&s->type);
    buf_done(&s->body);
}

static void on_done(void *owner, const struct http_call_answer *a)
{
    struct seen *s = owner;
    s->count++;
    s->answer = *a;
    ck_assert(!failed(buf_append(&s->type, a->content_type)));
    ck_assert(!failed(buf_append(&s->body, a->body)));
}

static void start(void)
{
    loop = loop_new();
    resolver = resolver_new(loop, SLICE_NONE);
    player_init(&player, loop);
    pool = upstream_pool_new(&(struct upstream_settings){.loop = loop,
                                                         .resolver = resolver,
                                                         .host = SLICE("127.0.0.1"),
                                                         .port = player.port,
                                                         .connect_ms = 5000,
                                                         .idle_ms = 60000,
                                                         .head_limits = {16 * 1024, 100}});
}

static void finish(void)
{
    upstream_pool_free(pool);
    player_done(&player);
    resolver_free(resolver);
    turn(loop);
    loop_free(loop);
}

static const struct http_call_field fields[] = {{CONST_SLICE("accept"), CONST_SLICE("application/json")},
                                                {CONST_SLICE("v-c-merchant-id"), CONST_SLICE("demo")}};

static struct http_call *send_body(struct seen *s, slice body, uint64_t whole_ms)
{
    return http_call_start(&(struct http_call_request){.pool = pool,
                                                       .loop = loop,
                                                       .method = SLICE("POST"),
                                                       .target = SLICE("/a?b"),
                                                       .host = SLICE("api.example"),
                                                       .fields = fields,
                                                       .field_count = 2,
                                                       .body = body,
                                                       .whole_ms = whole_ms,
                                                       .max_answer_bytes = 1000},
                           on_done, s);
}

static struct http_call *send_call(struct seen *s)
{
    seen_init(s);
    struct http_call *c = send_body(s, SLICE("{\"x\":1}"), 60000);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(s->count, 0);
    return c;
}

#define WAIT(s) TURN_UNTIL(loop, (s).count == 1)

static void few_turns(void)
{
    for (int i = 0; i < 10; i++)
        turn(loop);
}

START_TEST(the_request_is_written_once_and_whole)
{
    struct seen s;
    start();
    send_call(&s);
    player_request(&player);
    ck_assert(slice_is(buf_slice(&player.got),
                       "POST /a?b HTTP/1.1\r\nhost: api.example\r\naccept: application/json\r\n"
                       "v-c-merchant-id: demo\r\naccept-encoding: identity\r\ncontent-length: 7\r\n\r\n"
                       "{\"x\":1}"));
    player_answer(&player, 201, "application/json", SLICE("{}"));
    WAIT(s);
    ck_assert(!failed(s.answer.r));
    ck_assert_int_eq(s.answer.status, 201);
    ck_assert(slice_is(buf_slice(&s.type), "application/json"));
    ck_assert(slice_is(buf_slice(&s.body), "{}"));
    seen_done(&s);
    finish();
}
END_TEST

START_TEST(without_a_body_no_length_is_told)
{
    struct seen s;
    start();
    seen_init(&s);
    struct http_call_request q = {.pool = pool,
                                  .loop = loop,
                                  .method = SLICE("GET"),
                                  .target = SLICE("/a"),
                                  .host = SLICE("h"),
                                  .whole_ms = 60000,
                                  .max_answer_bytes = 10};
    ck_assert_ptr_nonnull(http_call_start(&q, on_done, &s));
    player_request(&player);
    ck_assert(slice_is(buf_slice(&player.got), "GET /a HTTP/1.1\r\nhost: h\r\naccept-encoding: identity\r\n\r\n"));
    player_answer(&player, 204, NULL, SLICE_NONE);
    WAIT(s);
    ck_assert_int_eq(s.answer.status, 204);
    seen_done(&s);
    finish();
}
END_TEST

/* --- answers --- */

static const struct {
    const char *name, *bytes;
    bool closes;
    enum error e;
    int status;
    const char *body;
} answers[] = {
    {"length", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", false, ERR_NONE, 200, "hello"},
    {"chunked", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", false,
     ERR_NONE, 200, "hello"},
    {"until close", "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello", true, ERR_NONE, 200, "hello"},
    {"1.0", "HTTP/1.0 200 OK\r\n\r\nhello", true, ERR_NONE, 200, "hello"},
    {"no content", "HTTP/1.1 204 No Content\r\n\r\n", false, ERR_NONE, 204, ""},
    {"interim ones first",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: a\r\n\r\nHTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno",
     false, ERR_NONE, 500, "no"},
    {"interim only", "HTTP/1.1 100 Continue\r\n\r\n", true, ERR_UPSTREAM_CLOSED, 0, ""},
    {"nothing", "", true, ERR_UPSTREAM_CLOSED, 0, ""},
    {"half a head", "HTTP/1.1 200 OK\r\nconte", true, ERR_UPSTREAM_CUT_OFF, 0, ""},
    {"half a body", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", true, ERR_UPSTREAM_CUT_OFF, 200, ""},
    {"half a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", true, ERR_UPSTREAM_CUT_OFF, 200,
     ""},
    {"not HTTP", "SSH-2.0-server\r\n", false, ERR_UPSTREAM_ANSWER, 0, ""},
    {"two framings", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", false,
     ERR_UPSTREAM_ANSWER, 0, ""},
    {"too large, told", "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n", false, ERR_UPSTREAM_ANSWER, 200, ""},
    {"compressed", "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx", false,
     ERR_UPSTREAM_CODING, 200, ""},
    {"identity", "HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 1\r\n\r\nx", false, ERR_NONE, 200,
     "x"},
};
enum { ANSWERS = sizeof answers / sizeof answers[0] };

static void play_answer(size_t i, size_t piece)
{
    struct seen s;
    start();
    send_call(&s);
    player_request(&player);
    slice rest = slice_of(answers[i].bytes);
    while (rest.len) {
        size_t n = rest.len < piece ? rest.len : piece;
        if (s.count) break;
        player_send(&player, slice_range(rest, 0, n));
        rest = slice_after(rest, n);
        if (rest.len) turn(loop);
    }
    if (answers[i].closes) player_close(&player);
    WAIT(s);
    ck_assert_msg(s.answer.r.err == answers[i].e, "%s: %s", answers[i].name, error_name(s.answer.r.err));
    ck_assert_msg(s.answer.status == answers[i].status, "%s: %d", answers[i].name, s.answer.status);
    ck_assert_msg(slice_is(buf_slice(&s.body), answers[i].body), "%s", answers[i].name);
    ck_assert_msg(s.answer.may_have_left == failed(s.answer.r), "%s", answers[i].name);
    few_turns();
    ck_assert_uint_eq(s.count, 1);
    ck_assert_uint_eq(player.accepted, 1);
    seen_done(&s);
    finish();
}

START_TEST(answers_whole)
{
    for (size_t i = 0; i < ANSWERS; i++)
        play_answer(i, SIZE_MAX);
}
END_TEST

START_TEST(answers_byte_by_byte)
{
    for (size_t i = 0; i < ANSWERS; i++)
        play_answer(i, 1);
}
END_TEST

/* A body that grows past the maximum without having said so. */
START_TEST(too_large_untold)
{
    char chunk[600];
    struct seen s;
    start();
    send_call(&s);
    player_request(&player);
    memset(chunk, 'x', sizeof chunk);
    player_send(&player, SLICE("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n258\r\n"));
    player_send(&player, (slice){chunk, sizeof chunk});
    player_send(&player, SLICE("\r\n258\r\n"));
    player_send(&player, (slice){chunk, sizeof chunk});
    WAIT(s);
    ck_assert_int_eq(s.answer.r.err, ERR_UPSTREAM_ANSWER);
    ck_assert_int_eq(s.answer.status, 200);
    ck_assert_uint_eq(s.body.len, 0);
    seen_done(&s);
    finish();
}
END_TEST

START_TEST(reset_in_the_middle_of_an_answer)
{
    struct seen s;
    start();
    send_call(&s);
    player_request(&player);
    player_send(&player, SLICE("HTTP/1.1 200 OK\r\n"));
    few_turns();
    player_reset(&player);
    WAIT(s);
    ck_assert_int_eq(s.answer.r.err, ERR_UPSTREAM_CUT_OFF);
    ck_assert(s.answer.may_have_left);
    ck_assert_int_eq(s.answer.status, 0);
    seen_done(&s);
    finish();
}
END_TEST

/* Until close, but cut off: a reset is no end. */
START_TEST(reset_of_an_answer_until_close)
{
    struct seen s;
    start();
    send_call(&s);
    player_request(&player);
    player_send(&player, SLICE("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhel"));
    few_turns();
    player_reset(&player);
    WAIT(s);
    ck_assert_int_eq(s.answer.r.err, ERR_UPSTREAM_CUT_OFF);
    ck_assert_int_eq(s.answer.status, 200);
    seen_done(&s);
    finish();
}
END_TEST

/* --- time --- */

START_TEST(no_answer_in_time)
{
    struct seen s;
    start();
    seen_init(&s);
    ck_assert_ptr_nonnull(send_body(&s, SLICE("{}"), 50));
    player_request(&player);
    player_send(&player, SLICE("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"));
    WAIT(s);
    ck_assert_int_eq(s.answer.r.err, ERR_UPSTREAM_TIMEOUT);
    ck_assert(s.answer.may_have_left);
    ck_assert_int_eq(s.answer.status, 200);
    TURN_UNTIL(loop, is_reset(player.fd) || at_end(player.fd));
    seen_done(&s);
    finish();
}
END_TEST

/* The handshake's deadline is the pool's; the whole call's is ours and ends it earlier. */
START_TEST(not_connected_in_time)
{
    struct seen s;
    struct certificate *ca = certificate_new(&(struct certificate_wish){.name = "CA", .ca = true});
    struct tls_client *tls;
    start();
    ck_assert(!failed(tls_client_new(slice_of(ca->pem), SLICE_NONE, SLICE_NONE, &tls)));
    upstream_pool_free(pool);
    pool = upstream_pool_new(&(struct upstream_settings){.loop = loop,
                                                         .resolver = resolver,
                                                         .host = SLICE("127.0.0.1"),
                                                         .port = player.port,
                                                         .tls = tls,
                                                         .connect_ms = 60000,
                                                         .idle_ms = 60000,
                                                         .head_limits = {16 * 1024, 100}});
    seen_init(&s);
    ck_assert_ptr_nonnull(send_body(&s, SLICE("{}"), 50));
    player_accept(&player); /* and no ServerHello */
    WAIT(s);
    ck_assert_int_eq(s.answer.r.err, ERR_UPSTREAM_CONNECT_TIMEOUT);
    ck_assert(!s.answer.may_have_left);
    seen_done(&s);
    finish();
    tls_client_free(tls);
    certificate_free(ca);
}
END_TEST

/* --- connections --- */

START_TEST(nobody_there)
{
    struct seen s;
    start();
    close(player.listening);
    player.listening = -1;
    send_call(&s);
    WAIT(s);
    ck_assert_int_eq(s.answer.r.err, ERR_UPSTREAM_CONNECT);
    ck_assert(!s.answer.may_have_left);
    seen_done(&s);
    finish();
}
END_TEST

static void call_once(enum error e)
{
    struct seen s;
    send_call(&s);
    player_request(&player);
    player_answer(&player, 200, NULL, SLICE("ok"));
    WAIT(s);
    ck_assert_int_eq(s.answer.r.err, e);
    seen_done(&s);
}

START_TEST(a_connection_is_used_again)
{
    start();
    call_once(ERR_NONE);
    call_once(ERR_NONE);
    call_once(ERR_NONE);
    ck_assert_uint_eq(player.accepted, 1);
    finish();
}
END_TEST

START_TEST(an_answer_that_closes_is_not_followed_on_its_connection)
{
    struct seen s;
    start();
    send_call(&s);
    player_request(&player);
    player_send(&player, SLICE("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"));
    WAIT(s);
    seen_done(&s);
    call_once(ERR_NONE);
    ck_assert_uint_eq(player.accepted, 2);
    finish();
}
END_TEST

/* The processor has closed an idle connection and we have seen it: the pool has dropped it. */
START_TEST(an_idle_connection_that_was_closed)
{
    start();
    call_once(ERR_NONE);
    player_close(&player);
    few_turns();
    call_once(ERR_NONE);
    ck_assert_uint_eq(player.accepted, 2);
    finish();
}
END_TEST

static void reset_now(void *arg)
{
    player_reset(arg);
}

/* Reset in the very turn in which the next request takes the connection: the kernel refuses its first byte, so nothing
 * can have left and it goes out once more, on a new connection. */
START_TEST(an_idle_connection_that_died_before_a_byte_was_out)
{
    struct seen s;
    start();
    call_once(ERR_NONE);
    struct timer *t = timer_new(loop, reset_now, &player);
    timer_set(t, 0); /* fires before the call's own */
    send_call(&s);
    player_request(&player);
    ck_assert(slice_is(player_body(&player), "{\"x\":1}"));
    player_answer(&player, 200, NULL, SLICE("ok"));
    WAIT(s);
    ck_assert_msg(!failed(s.answer.r), "%s", error_name(s.answer.r.err));
    ck_assert_uint_eq(player.accepted, 2);
    timer_free(t);
    seen_done(&s);
    finish();
}
END_TEST

/* Closed while the request was on its way: the bytes may have been taken, so it is told and not repeated. */
START_TEST(an_idle_connection_that_died_with_the_request_is_told)
{
    struct seen s;
    start();
    call_once(ERR_NONE);
    send_call(&s);
    player_request(&player);
    player_close(&player);
    WAIT(s);
    ck_assert_int_eq(s.answer.r.err, ERR_UPSTREAM_CLOSED);
    ck_assert(s.answer.may_have_left);
    few_turns();
    ck_assert(!player_is_called(&player));
    seen_done(&s);
    finish();
}
END_TEST

/* Bytes that come before the request is out are nobody's answer: on an idle connection, and on a new one. */
START_TEST(an_answer_before_the_request_is_none)
{
    struct seen s;
    start();
    call_once(ERR_NONE);
    player_answer(&player, 408, NULL, SLICE("too late"));
    few_turns();
    send_call(&s);
    TURN_UNTIL(loop, player.accepted == 2 || player_is_called(&player)); /* connected, and not yet in use */
    player_answer(&player, 408, NULL, SLICE("too early"));
    TURN_UNTIL(loop, player.accepted == 3 || player_is_called(&player));
    player_request(&player);
    player_answer(&player, 200, NULL, SLICE("ok"));
    WAIT(s);
    ck_assert_int_eq(s.answer.status, 200);
    ck_assert_uint_eq(player.accepted, 3);
    seen_done(&s);
    finish();
}
END_TEST

/* A large request that is answered before it was read whole: the answer counts, the connection does not. */
START_TEST(answered_before_all_was_sent)
{
    static char large[8 * 1024 * 1024];
    struct seen s;
    start();
    seen_init(&s);
    memset(large, 'x', sizeof large);
    ck_assert_ptr_nonnull(send_body(&s, (slice){large, sizeof large}, 60000));
    player_accept(&player);
    few_turns();
    player_answer(&player, 413, NULL, SLICE("no"));
    WAIT(s);
    ck_assert(!failed(s.answer.r));
    ck_assert_int_eq(s.answer.status, 413);
    ck_assert_ptr_null(upstream_take_idle(pool));
    seen_done(&s);
    finish();
}
END_TEST

/* --- giving up --- */

START_TEST(cancelled_at_every_point)
{
    for (int point = 0; point < 4; point++) {
        struct seen s;
        start();
        struct http_call *c = send_call(&s);
        if (point == 1) turn(loop);
        if (point == 2) player_request(&player);
        if (point == 3) {
            player_request(&player);
            player_send(&player, SLICE("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"));
            few_turns();
        }
        http_call_cancel(c);
        few_turns();
        ck_assert_uint_eq(s.count, 0);
        ck_assert_ptr_null(upstream_take_idle(pool));
        seen_done(&s);
        finish();
    }
    http_call_cancel(NULL);
}
END_TEST

/* A value made of someone's text cannot split the request: nothing is sent. */
START_TEST(a_field_that_http_cannot_carry)
{
    struct seen s;
    const struct http_call_field bad = {SLICE("x"), SLICE("a\r\nb: c")};
    start();
    seen_init(&s);
    struct http_call_request q = {.pool = pool,
                                  .loop = loop,
                                  .method = SLICE("GET"),
                                  .target = SLICE("/a"),
                                  .host = SLICE("h"),
                                  .fields = &bad,
                                  .field_count = 1,
                                  .whole_ms = 60000,
                                  .max_answer_bytes = 10};
    ck_assert_ptr_nonnull(http_call_start(&q, on_done, &s));
    WAIT(s);
    ck_assert_int_eq(s.answer.r.err, ERR_INTERNAL);
    ck_assert(!s.answer.may_have_left);
    ck_assert(!player_is_called(&player));
    seen_done(&s);
    finish();
}
END_TEST

RUN_TESTS("network call", the_request_is_written_once_and_whole, without_a_body_no_length_is_told, answers_whole,
          answers_byte_by_byte, too_large_untold, reset_in_the_middle_of_an_answer, reset_of_an_answer_until_close,
          no_answer_in_time, not_connected_in_time, nobody_there, a_connection_is_used_again,
          an_answer_that_closes_is_not_followed_on_its_connection, an_idle_connection_that_was_closed,
          an_idle_connection_that_died_before_a_byte_was_out, an_idle_connection_that_died_with_the_request_is_told,
          an_answer_before_the_request_is_none, answered_before_all_was_sent, cancelled_at_every_point,
          a_field_that_http_cannot_carry)
