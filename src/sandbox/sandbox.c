/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include "base/pool.h"
#include "http/reader.h"
#include "http/writer.h"
#include "net/link.h"
#include "net/listener.h"
#include "net/tls.h"
#include "sandbox/credibanco.h"
#include "sandbox/record.h"
#include "sandbox/rede.h"
#include "sandbox/shop.h"
#include "sandbox/tms.h"

#include <signal.h>
#include <stdlib.h>

enum {
    BODY_MAX = 16 * 1024 * 1024,
    POOL_MAX = 2 * BODY_MAX,
    ANSWER_MAX = 32 * 1024 * 1024,
    HANDSHAKE_MS = 10000,
    IDLE_MS = 60000,
    SLOW_MS = 3000,
    HANG_MS = 120000,
};

struct sandbox {
    struct loop *loop;
    struct listener *listener;
    struct tls_server *tls;
    struct tms *tms;
    struct rede *rede;
    struct credibanco *credibanco;
    struct record *record;
};

struct client {
    struct sandbox *sandbox;
    struct link *link;
    struct http_reader *reader;
    struct timer *timer; /* of a slow answer */
    struct pool *pool;
    struct buf raw_head, body;
    struct sandbox_answer answer;
    bool in_body, waiting, ended, keep_alive, is_head;
};

static void client_free(void *object)
{
    struct client *c = object;
    timer_free(c->timer);
    http_reader_free(c->reader);
    pool_free(c->pool);
    buf_done(&c->raw_head);
    buf_done(&c->body);
    buf_done(&c->answer.body);
    free(c);
}

static void client_end(struct client *c, enum link_end how)
{
    if (c->ended) return;
    c->ended = true;
    link_end(c->link, how);
    loop_free_later(c->sandbox->loop, client_free, c);
}

/* --- answers --- */

static result write_answer(struct client *c)
{
    struct buf *out = link_output(c->link);
    slice body = buf_slice(&c->answer.body);
    TRY(http_write_status_line(out, c->answer.status));
    TRY(http_write_field(out, SLICE("Content-Type"), slice_of(c->answer.content_type ? c->answer.content_type : "application/json")));
    if (c->answer.echo.len > 0) TRY(http_write_field(out, SLICE("X-Echo"), c->answer.echo));
    TRY(http_write_field_u64(out, SLICE("Content-Length"), body.len));
    if (!c->keep_alive) TRY(http_write_field(out, SLICE("Connection"), SLICE("close")));
    TRY(http_write_end_of_head(out));
    if (c->answer.manner == MANNER_CUT) return buf_append(out, slice_range(body, 0, body.len / 2));
    return c->is_head ? OK : buf_append(out, body);
}

static void client_send(struct client *c)
{
    if (failed(write_answer(c))) {
        client_end(c, LINK_END_ABORT);
        return;
    }
    link_flush(c->link);
    link_set_deadline(c->link, IDLE_MS);
    bool cut = c->answer.manner == MANNER_CUT;
    buf_clear(&c->answer.body);
    buf_clear(&c->body);
    buf_clear(&c->raw_head);
    c->answer = (struct sandbox_answer){.body = c->answer.body};
    pool_reset(c->pool);
    if (cut || !c->keep_alive) client_end(c, LINK_END_FLUSH);
}

static void client_finish(struct client *c)
{
    switch (c->answer.manner) {
    case MANNER_DROP: client_end(c, LINK_END_FLUSH); break;
    case MANNER_RESET: client_end(c, LINK_END_ABORT); break;
    case MANNER_ANSWER:
    case MANNER_SLOW:
    case MANNER_HANG:
    case MANNER_CUT:
    case MANNER_ECHO: client_send(c); break;
    }
}

static void on_slow_answer(void *arg)
{
    struct client *c = arg;
    c->waiting = false;
    client_finish(c);
    if (!c->ended) link_resume(c->link);
}

static void client_answer(struct client *c)
{
    uint64_t wait_ms = c->answer.delay_ms;
    if (c->answer.manner == MANNER_SLOW) wait_ms += SLOW_MS;
    if (c->answer.manner == MANNER_HANG) wait_ms += HANG_MS;
    if (!wait_ms) {
        client_finish(c);
        return;
    }
    c->waiting = true;
    link_pause(c->link);
    link_set_deadline(c->link, 0);
    timer_set(c->timer, wait_ms);
}

static void client_refuse(struct client *c, int status, const char *text)
{
    struct json j = {.out = &c->answer.body};
    buf_clear(&c->answer.body);
    c->answer.status = status;
    c->answer.manner = MANNER_ANSWER;
    c->keep_alive = false;
    json_open(&j, NULL, '{');
    json_text(&j, "error", slice_of(text));
    json_close(&j, '}');
    client_send(c);
}

/* --- requests --- */

static result handle_record(struct client *c, const struct http_head *head)
{
    c->answer.status = 200;
    if (slice_is(head->method, "DELETE")) {
        record_clear(c->sandbox->record);
        return buf_append(&c->answer.body, SLICE("{\"requests\":[]}"));
    }
    bool masked = head->query.at && slice_find_slice(head->query, SLICE("mask=1")) < head->query.len;
    bool last = slice_is(head->path, "/_sandbox/last");
    c->answer.content_type = last ? "text/plain" : NULL;
    if (last) return record_write_last(c->sandbox->record, masked, &c->answer.body);
    return record_write(c->sandbox->record, masked, &c->answer.body);
}

static result handle(struct client *c, const struct http_head *head)
{
    struct sandbox *s = c->sandbox;
    struct sandbox_request q = {.head = head, .body = buf_slice(&c->body), .pool = c->pool};
    if (slice_is(head->path, "/_sandbox/requests") || slice_is(head->path, "/_sandbox/last")) return handle_record(c, head);
    if (tms_control_takes(head->path)) return tms_control_handle(s->tms, &q, &c->answer);
    /* Calls of the network come by themselves, between two payments: what became of them is at /_sandbox/network. */
    if (!tms_takes(head->path)) record_add(s->record, buf_slice(&c->raw_head), q.body);
    if (http_head_get(head, "content-encoding").at) {
        c->answer.status = 415;
        return buf_append(&c->answer.body, SLICE("{\"error\":\"send the body without content coding\"}"));
    }
    if (tms_takes(head->path)) return tms_handle(s->tms, &q, &c->answer);
    if (rede_takes(head->path)) return rede_handle(s->rede, &q, &c->answer);
    if (shop_takes(head->path)) return shop_handle(&q, &c->answer);
    if (credibanco_takes(head->path)) return credibanco_handle(s->credibanco, &q, &c->answer);
    c->answer.status = 404;
    return buf_append(&c->answer.body, SLICE("{\"error\":\"no simulated processor has this path; see cardveil sandbox --help\"}"));
}

static void on_head(struct client *c)
{
    const struct http_head *head = http_reader_head(c->reader);
    c->in_body = true;
    c->keep_alive = head->keep_alive;
    c->is_head = head->is_head_method;
    if (head->expects_continue && failed(link_write(c->link, SLICE("HTTP/1.1 100 Continue\r\n\r\n"))))
        client_end(c, LINK_END_ABORT);
}

static void on_request(struct client *c)
{
    c->in_body = false;
    if (failed(handle(c, http_reader_head(c->reader)))) {
        client_refuse(c, 500, "the sandbox failed");
        return;
    }
    client_answer(c);
}

/* False: nothing more to do before more bytes come. */
static bool client_step(struct client *c)
{
    slice input = link_input(c->link);
    size_t used = 0;
    enum http_step step = http_reader_feed(c->reader, input, &used);
    bool kept = true;
    if (!c->in_body) kept = !failed(buf_append(&c->raw_head, slice_range(input, 0, used)));
    if (step == HTTP_BODY) kept = kept && !failed(buf_append(&c->body, http_reader_body(c->reader)));
    link_consume(c->link, used);
    if (!kept) {
        client_refuse(c, 413, "more than the sandbox takes");
        return false;
    }
    switch (step) {
    case HTTP_HEAD: on_head(c); break;
    case HTTP_END: on_request(c); break;
    case HTTP_REFUSED:
        client_refuse(c, refusal_status(http_reader_refusal(c->reader)), refusal_text(http_reader_refusal(c->reader)));
        break;
    case HTTP_BODY: break;
    case HTTP_MORE: return false;
    }
    return !c->ended && !c->waiting;
}

static void on_link(void *owner, struct link *l, enum link_event event)
{
    struct client *c = owner;
    (void)l;
    switch (event) {
    case LINK_READABLE:
        while (client_step(c)) {}
        break;
    case LINK_CLOSED:
        if (!c->waiting) client_end(c, LINK_END_FLUSH);
        break;
    case LINK_CUT_OFF:
    case LINK_FAILED:
    case LINK_TIMED_OUT: client_end(c, LINK_END_ABORT); break;
    case LINK_CONNECTED:
    case LINK_WRITABLE: break;
    }
}

static void on_accept(void *owner, struct listener *listener, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct sandbox *s = owner;
    (void)listener, (void)peer, (void)peer_len;
    struct client *c = calloc(1, sizeof *c);
    if (c) c->link = link_accept(s->loop, fd, s->tls, HANDSHAKE_MS, on_link, c);
    if (!c || !c->link) {
        free(c);
        return;
    }
    c->sandbox = s;
    buf_init(&c->raw_head, RECORD_HEAD_MAX);
    buf_init(&c->body, BODY_MAX);
    buf_init(&c->answer.body, ANSWER_MAX);
    c->reader = http_reader_new(HTTP_REQUESTS, &(struct http_limits){.head_bytes = RECORD_HEAD_MAX / 2, .fields = 100});
    c->pool = pool_new(POOL_MAX);
    c->timer = timer_new(s->loop, on_slow_answer, c);
    if (!c->reader || !c->pool || !c->timer) {
        client_end(c, LINK_END_ABORT);
        return;
    }
    link_set_deadline(c->link, IDLE_MS);
}

/* --- life --- */

static void on_stop(void *arg)
{
    struct sandbox *s = arg;
    loop_stop(s->loop);
}

static result sandbox_start(struct sandbox *s, const struct sandbox_options *options, const char **why)
{
    struct address address;
    int fd = -1;
    *why = "--listen: not a loopback address; a simulated processor listens on 127.0.0.1:PORT or [::1]:PORT only";
    ENSURE(!failed(address_parse(options->listen, &address)) && address_is_loopback(&address), USAGE);
    *why = NULL;
    if (options->certificate.len > 0 && failed(tls_server_new(&(struct tls_identity){options->certificate, options->key}, 1, SLICE_NONE, &s->tls)))
        return FAIL(CRYPTO);
    s->loop = loop_new();
    ENSURE(s->loop, MEMORY);
    TRY(tms_new(s->loop, &options->network, &s->tms, why));
    *why = NULL;
    s->rede = rede_new(s->tms);
    s->credibanco = credibanco_new();
    s->record = record_new();
    ENSURE(s->rede && s->credibanco && s->record, MEMORY);
    TRY(loop_on_signal(s->loop, SIGINT, on_stop, s));
    TRY(loop_on_signal(s->loop, SIGTERM, on_stop, s));
    TRY(address_listen(&address, false, &fd));
    s->listener = listener_new(s->loop, fd, on_accept, s);
    ENSURE(s->listener, MEMORY);
    return OK;
}

result sandbox_new(const struct sandbox_options *options, struct sandbox **out, const char **why)
{
    *why = NULL;
    *out = calloc(1, sizeof **out);
    ENSURE(*out, MEMORY);
    result started = sandbox_start(*out, options, why);
    if (failed(started)) {
        sandbox_free(*out);
        *out = NULL;
    }
    return started;
}

void sandbox_run(struct sandbox *s)
{
    signal(SIGPIPE, SIG_IGN);
    loop_run(s->loop);
}

void sandbox_free(struct sandbox *s)
{
    if (!s) return;
    listener_free(s->listener);
    tms_free(s->tms);
    if (s->loop) loop_free(s->loop);
    tls_server_free(s->tls);
    rede_free(s->rede);
    credibanco_free(s->credibanco);
    record_free(s->record);
    free(s);
}
