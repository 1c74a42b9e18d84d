/* SPDX-License-Identifier: Apache-2.0 */
#include "reader_priv.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_BYTES_MAX = 1024 * 1024, FIELDS_MAX = 10000, LEADING_BYTES_MAX = 2 * 2 };

struct http_reader *http_reader_new(enum http_side side, const struct http_limits *limits)
{
    assert(limits->head_bytes > 0 && limits->head_bytes <= HEAD_BYTES_MAX && limits->fields <= FIELDS_MAX);
    struct http_reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->side = side;
    r->limits = *limits;
    return r;
}

void http_reader_free(struct http_reader *r)
{
    if (!r) return;
    pool_free(r->pool);
    free(r);
}

void http_reader_expect_head_answer(struct http_reader *r, bool yes)
{
    r->head_answer = yes;
}

void http_reader_take_connect(struct http_reader *r, bool yes)
{
    r->takes_connect = yes;
}

const struct http_head *http_reader_head(const struct http_reader *r)
{
    return &r->head;
}

slice http_reader_body(const struct http_reader *r)
{
    return r->body;
}

enum http_refusal http_reader_refusal(const struct http_reader *r)
{
    return r->refusal;
}

bool http_reader_is_idle(const struct http_reader *r)
{
    return r->pending == HTTP_MORE && (r->phase == PHASE_IDLE || r->phase == PHASE_DONE);
}

bool http_reader_owes_step(const struct http_reader *r)
{
    return r->pending != HTTP_MORE;
}

static enum http_step refuse(struct http_reader *r, enum http_refusal why)
{
    r->refusal = why;
    r->phase = PHASE_REFUSED;
    return HTTP_REFUSED;
}

/* Lets go of the last message: the memory of its head, and everything counted. */
static void forget_message(struct http_reader *r)
{
    struct http_reader fresh = {.side = r->side, .limits = r->limits, .head_answer = r->head_answer, .takes_connect = r->takes_connect,
                                .last = r->last};
    pool_free(r->pool);
    *r = fresh;
}

static bool begin_message(struct http_reader *r)
{
    r->pool = pool_new(head_pool_bytes(&r->limits));
    if (!r->pool) return false;
    parser_begin(r);
    r->phase = PHASE_HEAD;
    return true;
}

/* RFC 9112 2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at least one empty line
 * (CRLF) received prior to the request-line". Two are ignored here; llhttp would ignore 50 MB, and single CRs and LFs.
 * Answers may not have any. */
static enum http_refusal skip_empty_lines(struct http_reader *r, slice bytes, size_t *used)
{
    while (*used < bytes.len) {
        char c = bytes.at[*used];
        bool half = r->leading % 2 == 1;
        if (half && c != '\n') return REFUSAL_LEADING_CRLF;
        if (!half && c != '\r') return c == '\n' ? REFUSAL_LEADING_CRLF : REFUSAL_NONE;
        if (r->side == HTTP_ANSWERS) return REFUSAL_ANSWER_STATUS;
        if (r->leading == LEADING_BYTES_MAX) return REFUSAL_LEADING_CRLF;
        r->leading++;
        ++*used;
    }
    return REFUSAL_NONE;
}

struct taken {
    llhttp_errno_t err;
    const char *pos; /* where it stopped */
    size_t len;      /* how much it took */
};

static struct taken run_parser(struct http_reader *r, slice bytes, uint64_t offset)
{
    static const char nothing[1] = "";
    struct taken t = {.len = bytes.len};
    r->feed_at = bytes.at ? bytes.at : nothing;
    r->feed_end = r->feed_at + bytes.len;
    r->feed_offset = offset;
    r->head_done = r->message_done = false;
    t.err = llhttp_execute(&r->parser, r->feed_at, bytes.len);
    if (t.err != HPE_OK) {
        t.pos = llhttp_get_error_pos(&r->parser);
        t.len = t.pos ? (size_t)(t.pos - r->feed_at) : 0;
    }
    if (t.err == HPE_PAUSED) llhttp_resume(&r->parser);
    assert(t.len <= bytes.len);
    return t;
}

static bool stopped_well(const struct http_reader *r, llhttp_errno_t err)
{
    return err == HPE_OK || (err == HPE_PAUSED && (r->head_done || r->message_done || r->body.len));
}

static enum http_step message_ended(struct http_reader *r)
{
    bool interim = r->head.is_answer && r->head.status < 200;
    r->phase = PHASE_DONE;
    if (!interim) r->head_answer = false;
    r->last = !interim && !r->head.keep_alive;
    return HTTP_END;
}

static enum http_step head_ended(struct http_reader *r)
{
    enum http_refusal why = head_check(r);
    if (why) return refuse(r, why);
    r->phase = PHASE_BODY;
    if (r->message_done) r->pending = HTTP_END;
    return HTTP_HEAD;
}

static enum http_step feed_head(struct http_reader *r, slice bytes, size_t *used)
{
    size_t room = r->limits.head_bytes - r->text.len;
    slice within = bytes.len > room ? slice_range(bytes, 0, room) : bytes;
    struct taken t = run_parser(r, within, r->text.len);
    *used += t.len;
    if (!stopped_well(r, t.err)) return refuse(r, parser_refusal(r, t.err, t.pos));
    if (!head_text_append(r, slice_range(within, 0, t.len), r->head_done)) return refuse(r, REFUSAL_MEMORY);
    if (r->head_done) return head_ended(r);
    if (r->text.len < r->limits.head_bytes) return HTTP_MORE;
    return refuse(r, r->target_seen || r->side == HTTP_ANSWERS ? REFUSAL_HEAD_SIZE : REFUSAL_TARGET_SIZE);
}

/* Limits of what is not data. They hold at every point of the stream; being judged before the error that ended a feed,
 * they give the same refusal for every split. */
static enum http_refusal overhead_check(const struct http_reader *r)
{
    if (r->head.framing != HTTP_CHUNKED) return REFUSAL_NONE;
    uint64_t spare = r->side == HTTP_REQUESTS ? OVERHEAD_BYTES : ANSWER_OVERHEAD_BYTES;
    if (r->stream - r->data > spare + r->data) return REFUSAL_CHUNK_OVERHEAD;
    if (r->in_trailers && r->stream - r->data_end > TRAILER_BYTES) return REFUSAL_TRAILER_SIZE;
    return REFUSAL_NONE;
}

static enum http_step feed_body(struct http_reader *r, slice bytes, size_t *used)
{
    struct taken t = run_parser(r, bytes, r->stream);
    *used += t.len;
    r->stream += t.len;
    enum http_step step = HTTP_MORE;
    enum http_refusal why = overhead_check(r);
    if (!why && !stopped_well(r, t.err)) why = parser_refusal(r, t.err, t.pos);
    if (why)
        step = refuse(r, why);
    else if (r->message_done)
        step = HTTP_END;
    if (r->body.len > 0) {
        r->pending = step; /* data first, then what came after it */
        return HTTP_BODY;
    }
    return step == HTTP_END ? message_ended(r) : step;
}

static enum http_step feed_idle(struct http_reader *r, slice bytes, size_t *used)
{
    if (bytes.len == 0) return HTTP_MORE;
    /* RFC 9112 9.6: "A server that receives a 'close' connection option MUST initiate closure of the connection after
     * it sends the final response"; nor can anything follow a final answer with it. */
    if (r->last) return refuse(r, r->side == HTTP_REQUESTS ? REFUSAL_AFTER_CLOSE : REFUSAL_ANSWER_SURPLUS);
    enum http_refusal why = skip_empty_lines(r, bytes, used);
    if (why) return refuse(r, why);
    if (*used == bytes.len) return HTTP_MORE;
    if (!begin_message(r)) return refuse(r, REFUSAL_MEMORY);
    return feed_head(r, slice_after(bytes, *used), used);
}

enum http_step http_reader_feed(struct http_reader *r, slice bytes, size_t *used)
{
    *used = 0;
    r->body = SLICE_NONE;
    if (r->pending != HTTP_MORE) {
        enum http_step step = r->pending;
        r->pending = HTTP_MORE;
        return step == HTTP_END ? message_ended(r) : step;
    }
    switch (r->phase) {
    case PHASE_IDLE:
        return feed_idle(r, bytes, used);
    case PHASE_HEAD:
        return feed_head(r, bytes, used);
    case PHASE_BODY:
        return feed_body(r, bytes, used);
    case PHASE_DONE:
        forget_message(r);
        return feed_idle(r, bytes, used);
    case PHASE_REFUSED:
        break;
    }
    return HTTP_REFUSED;
}

enum http_step http_reader_eof(struct http_reader *r)
{
    size_t used;
    enum http_step step = http_reader_feed(r, SLICE_NONE, &used);
    if (step != HTTP_MORE || r->phase == PHASE_IDLE) return step;
    if (r->phase == PHASE_BODY && r->head.framing == HTTP_UNTIL_CLOSE) {
        llhttp_finish(&r->parser); /* its answer is on_message_complete's; what counts is that it was called */
        if (r->message_done) return message_ended(r);
    }
    return refuse(r, r->side == HTTP_REQUESTS ? REFUSAL_INCOMPLETE : REFUSAL_ANSWER_CUT_OFF);
}
