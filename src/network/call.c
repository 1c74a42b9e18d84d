/* SPDX-License-Identifier: Apache-2.0 */
#include "network/call.h"

#include "http/writer.h"

#include <assert.h>
#include <stdlib.h>

enum { CALL_MAGIC = 0x63616c6c, CONNECT_TRIES = 3, HEAD_MAX_BYTES = 64 * 1024, CONTENT_TYPE_MAX_BYTES = 16 * 1024 };

enum call_state { CALL_QUEUED, CALL_CONNECTING, CALL_EXCHANGING, CALL_OVER };

struct http_call {
    unsigned magic;
    enum call_state state;
    struct loop *loop;
    struct upstream_pool *pool;
    http_call_done done;
    void *owner;
    struct timer *timer; /* QUEUED: the turn in which it begins; then the end of whole_ms */
    uint64_t whole_ms;
    struct buf request; /* secret; given up once its first byte is out */
    result verdict;     /* of writing it */
    unsigned tries;
    struct upstream_wish *wish;
    struct upstream *upstream;
    uint64_t sent_before; /* by the connection, for others */
    bool keep_alive;
    int status; /* of the final answer; 0: its head has not come */
    struct buf content_type, body;
};

/* --- the request --- */

static result write_head(const struct http_call_request *q, struct buf *out)
{
    TRY(http_write_request_line(out, q->method, q->target));
    TRY(http_write_field(out, SLICE("host"), q->host));
    for (size_t i = 0; i < q->field_count; i++)
        TRY(http_write_field(out, q->fields[i].name, q->fields[i].value));
    TRY(http_write_field(out, SLICE("accept-encoding"), SLICE("identity")));
    if (q->body.at) TRY(http_write_field_u64(out, SLICE("content-length"), q->body.len));
    return http_write_end_of_head(out);
}

static result write_request(const struct http_call_request *q, struct buf *out)
{
    TRY(write_head(q, out));
    return buf_append(out, q->body);
}

/* --- the end --- */

static void call_free(void *object)
{
    struct http_call *c = object;
    c->magic = 0;
    timer_free(c->timer);
    buf_done(&c->request);
    buf_done(&c->content_type);
    buf_done(&c->body);
    free(c);
}

/* Lets go of everything but the answer, which may still be told in this turn. */
static void end(struct http_call *c)
{
    assert(c->state != CALL_OVER);
    c->state = CALL_OVER;
    timer_stop(c->timer);
    upstream_wish_cancel(c->wish);
    c->wish = NULL;
    upstream_drop(c->upstream);
    c->upstream = NULL;
    loop_free_later(c->loop, call_free, c);
}

static bool has_left(const struct http_call *c)
{
    return c->upstream && link_sent_total(upstream_link(c->upstream)) > c->sent_before;
}

static void fail(struct http_call *c, enum error e)
{
    struct http_call_answer answer = {.r = {e}, .may_have_left = has_left(c), .status = c->status};
    end(c);
    c->done(c->owner, &answer);
}

static void succeed(struct http_call *c)
{
    struct upstream *u = c->upstream;
    bool all_sent =
        link_unsent(upstream_link(u)) == 0; /* else the next request would stand behind the rest of this one */
    if (c->keep_alive && all_sent) {
        c->upstream = NULL;
        upstream_give_back(u);
    }
    end(c);
    c->done(c->owner, &(struct http_call_answer){.status = c->status,
                                                 .content_type = buf_slice(&c->content_type),
                                                 .body = buf_slice(&c->body)});
}

/* --- the answer --- */

static result take_head(struct http_call *c, const struct http_head *h)
{
    if (h->status < 200) return OK;
    c->status = h->status;
    c->keep_alive = h->keep_alive;
    slice coding = http_head_get(h, "content-encoding");
    ENSURE(!coding.at || slice_ieq(coding, SLICE("identity")), UPSTREAM_CODING);
    ENSURE(h->framing != HTTP_LENGTH || h->length <= c->body.max, UPSTREAM_ANSWER);
    return buf_append(&c->content_type, http_head_get(h, "content-type"));
}

static result take_body(struct http_call *c, slice bytes)
{
    result r = buf_append(&c->body, bytes);
    return r.err == ERR_TOO_LARGE ? FAIL(UPSTREAM_ANSWER) : r;
}

/* May end the call. */
static void take_step(struct http_call *c, enum http_step step, const struct http_reader *reader)
{
    result r = OK;
    switch (step) {
    case HTTP_MORE:
        return;
    case HTTP_HEAD:
        r = take_head(c, http_reader_head(reader));
        break;
    case HTTP_BODY:
        r = take_body(c, http_reader_body(reader));
        break;
    case HTTP_END:
        if (c->status) succeed(c); /* else that of an interim answer */
        return;
    case HTTP_REFUSED:
        r = FAIL(UPSTREAM_ANSWER);
        break;
    }
    if (failed(r)) fail(c, r.err);
}

/* --- connections --- */

static void try_again(struct http_call *c);

/* Before its first byte was out, the request can go out on another connection. */
static void lost(struct http_call *c, enum error e)
{
    if (has_left(c)) {
        fail(c, e);
        return;
    }
    upstream_drop(c->upstream);
    c->upstream = NULL;
    try_again(c);
}

static void pump(struct http_call *c, struct link *l)
{
    struct http_reader *reader = upstream_reader(c->upstream);
    enum http_step step;
    if (!has_left(c)) { /* whatever this is, it is no answer to what was not sent */
        lost(c, ERR_UPSTREAM_ANSWER);
        return;
    }
    do {
        size_t used = 0;
        step = http_reader_feed(reader, link_input(l), &used);
        if (step != HTTP_BODY) link_consume(l, used);
        take_step(c, step, reader);
        if (c->state == CALL_OVER) return;
        if (step == HTTP_BODY) link_consume(l, used); /* the data pointed into the input */
    } while (step != HTTP_MORE || link_input(l).len);
}

static void on_end(struct http_call *c, bool clean)
{
    struct http_reader *reader = upstream_reader(c->upstream);
    enum http_step step = clean ? HTTP_HEAD : HTTP_REFUSED;
    c->keep_alive = false;
    while (step == HTTP_HEAD || step == HTTP_END) { /* what the reader had not yet told comes first */
        step = http_reader_eof(reader);
        if (step == HTTP_HEAD || step == HTTP_END) take_step(c, step, reader);
        if (c->state == CALL_OVER) return;
    }
    bool has_begun = step == HTTP_REFUSED && !http_reader_is_idle(reader);
    lost(c, has_begun ? ERR_UPSTREAM_CUT_OFF : ERR_UPSTREAM_CLOSED);
}

static void forget_request_once_out(struct http_call *c)
{
    if (has_left(c)) buf_done(&c->request);
}

static void on_link(void *owner, struct link *l, enum link_event event)
{
    struct http_call *c = owner;
    assert(c->magic == CALL_MAGIC && c->upstream && upstream_link(c->upstream) == l);
    switch (event) {
    case LINK_CONNECTED:
    case LINK_TIMED_OUT:
        return; /* our own timer speaks for the whole call */
    case LINK_READABLE:
        pump(c, l);
        return;
    case LINK_WRITABLE:
        forget_request_once_out(c);
        return;
    case LINK_CLOSED:
        on_end(c, true);
        return;
    case LINK_CUT_OFF:
    case LINK_FAILED:
        on_end(c, false);
        return;
    }
}

static void use_upstream(struct http_call *c, struct upstream *u)
{
    struct link *l = upstream_link(u);
    c->upstream = u;
    c->state = CALL_EXCHANGING;
    c->sent_before = link_sent_total(l);
    link_set_owner(l, on_link, c);
    result r = buf_append(link_output(l), buf_slice(&c->request));
    if (failed(r)) {
        fail(c, r.err);
        return;
    }
    link_flush(l);
    forget_request_once_out(c);
}

static void on_connected(void *owner, result r, struct upstream *u)
{
    struct http_call *c = owner;
    assert(c->magic == CALL_MAGIC && c->state == CALL_CONNECTING);
    c->wish = NULL;
    if (failed(r)) {
        fail(c, r.err);
        return;
    }
    struct link *l = upstream_link(u);
    if (!link_is_alive(l) || link_input(l).len) { /* what comes before we have asked is no answer */
        upstream_drop(u);
        try_again(c);
        return;
    }
    use_upstream(c, u);
}

/* An idle connection for the first try only: where one has died, others may have. */
static void try_again(struct http_call *c)
{
    if (c->tries++ == CONNECT_TRIES) {
        fail(c, ERR_UPSTREAM_CONNECT);
        return;
    }
    struct upstream *u = c->tries == 1 ? upstream_take_idle(c->pool) : NULL;
    if (u) {
        use_upstream(c, u);
        return;
    }
    c->state = CALL_CONNECTING;
    c->wish = upstream_connect(c->pool, on_connected, c);
    if (!c->wish) fail(c, ERR_MEMORY);
}

static void on_timer(void *arg)
{
    struct http_call *c = arg;
    assert(c->magic == CALL_MAGIC);
    switch (c->state) {
    case CALL_QUEUED:
        if (failed(c->verdict)) {
            fail(c, c->verdict.err);
            return;
        }
        timer_set(c->timer, c->whole_ms);
        try_again(c);
        return;
    case CALL_CONNECTING:
        fail(c, ERR_UPSTREAM_CONNECT_TIMEOUT);
        return;
    case CALL_EXCHANGING:
        fail(c, ERR_UPSTREAM_TIMEOUT);
        return;
    case CALL_OVER:
        return;
    }
}

struct http_call *http_call_start(const struct http_call_request *q, http_call_done done, void *owner)
{
    struct http_call *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    *c = (struct http_call){
        .magic = CALL_MAGIC, .loop = q->loop, .pool = q->pool, .done = done, .owner = owner, .whole_ms = q->whole_ms};
    buf_init_secret(&c->request, q->body.len + HEAD_MAX_BYTES);
    buf_init_secret(&c->body, q->max_answer_bytes);
    buf_init(&c->content_type, CONTENT_TYPE_MAX_BYTES);
    c->timer = timer_new(q->loop, on_timer, c);
    c->verdict = write_request(q, &c->request);
    if (!c->timer || c->verdict.err == ERR_MEMORY) {
        call_free(c);
        return NULL;
    }
    timer_set(c->timer, 0);
    return c;
}

void http_call_cancel(struct http_call *c)
{
    if (!c) return;
    assert(c->magic == CALL_MAGIC);
    end(c);
}
