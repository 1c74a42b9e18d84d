/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "base/metrics.h"
#include "compat.h"
#include "http/writer.h"

#include <assert.h>

enum { INFLATED_AT_ONCE_BYTES = 512 };

/* --- where it goes --- */

/* The client's output, or nowhere once the client is gone. */
static struct buf *client_out(struct exchange *x)
{
    struct link *l = exchange_client_link(x);
    return l ? link_output(l) : NULL;
}

static void flush_client(struct exchange *x)
{
    struct link *l = exchange_client_link(x);
    if (l) link_flush(l);
}

/* --- the head --- */

static bool is_ours(const struct exchange *x, slice name)
{
    if (compat_is_field(x, name)) return true;
    return name.len > 11 && slice_ieq(slice_range(name, 0, 11), SLICE("x-cardveil-"));
}

static result guard_text(struct exchange *x, slice text, unsigned *hits)
{
    struct buf *scratch = &x->proxy->scratch;
    TRY(echo_guard_feed(x->guard, text, scratch, hits));
    return echo_guard_end(x->guard, scratch, hits);
}

/* A field's value through the echo guard, appended to <out>, the scratch buffer. A placeholder cannot stand in a name: such a
 * field is left out. So are our own names: nobody else may set them. */
result answer_guard_value(struct exchange *x, const struct http_field *f, struct buf *out, bool *passes)
{
    unsigned in_name = 0;
    *passes = !is_ours(x, f->name);
    if (!*passes) return OK;
    if (!x->guard) return buf_append(out, f->value);
    result r = guard_text(x, f->name, &in_name);
    buf_clear(out);
    x->echoes += in_name;
    *passes = in_name == 0;
    return failed(r) || in_name ? r : guard_text(x, f->value, &x->echoes);
}

static result append_field(struct exchange *x, const struct http_field *f, struct buf *out)
{
    struct buf *scratch = &x->proxy->scratch;
    bool passes;
    /* Of an interim answer: there is no time to ask for an alias. */
    if (x->answer_work == MESSAGE_CAPTURED && (capture_finds(f->name) || capture_finds(f->value))) return OK;
    if (!x->guard) return is_ours(x, f->name) ? OK : http_write_field(out, f->name, f->value);
    result r = answer_guard_value(x, f, scratch, &passes);
    if (!failed(r) && passes) r = http_write_field(out, f->name, buf_slice(scratch));
    buf_clear(scratch);
    return r;
}

/* The processor's fields as they came, but for secrets, our own names and a coding we undo. */
static result append_fields(struct exchange *x, const struct http_head *h, struct buf *out)
{
    for (size_t i = 0; i < h->field_count; i++) {
        const struct http_field *f = &h->fields[i];
        if (x->inflater && slice_ieq(f->name, SLICE("content-encoding"))) continue;
        if (envelope_is_worn(x) && envelope_replaces(f->name)) continue;
        TRY(append_field(x, f, out));
    }
    return OK;
}

static uint64_t micros(uint64_t from, uint64_t to)
{
    return from && to > from ? to - from : 0;
}

/* "keeper;dur=0.226": milliseconds with three decimals (Server-Timing, W3C). */
static result append_duration(struct buf *out, slice name, uint64_t us)
{
    char decimals[] = {'.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10), (char)('0' + us % 10)};
    TRY(buf_append(out, name));
    TRY(buf_append_u64(out, us / 1000));
    return buf_append(out, (slice){decimals, sizeof decimals});
}

static result write_server_timing(struct exchange *x, struct buf *out)
{
    TRY(append_duration(out, SLICE("server-timing: keeper;dur="), micros(x->asked_us, x->resolved_us)));
    if (x->choice.network_us) TRY(append_duration(out, SLICE(", network;dur="), x->choice.network_us));
    TRY(append_duration(out, SLICE(", upstream;dur="), micros(x->sent_us, x->answered_us)));
    return buf_append(out, SLICE("\r\n"));
}

/* A payment without a token is told nothing of tokens. */
static bool is_told_matches(const struct exchange *x)
{
    return x->guard || x->route->config->direction != DIRECTION_FORWARD_PULL || x->answer_work == MESSAGE_CAPTURED;
}

static result write_our_fields(struct exchange *x, struct buf *out)
{
    if (x->guard) {
        const char *fallback = fallback_name(x->choice.fallback);
        TRY(http_write_field(out, SLICE("x-cardveil-card-token-type"),
                             slice_of(credential_kind_name(x->choice.kind))));
        if (fallback) TRY(http_write_field(out, SLICE("x-cardveil-fallback"), slice_of(fallback)));
        if (x->attempt) TRY(http_write_field(out, SLICE("x-cardveil-pan-retry"), SLICE("1")));
    }
    if (is_told_matches(x)) TRY(matches_write_fields(x, out, !config_route_is_push(x->route->config)));
    return write_server_timing(x, out);
}

static bool client_keeps_alive(const struct exchange *x)
{
    return x->keep_alive && x->body_complete && !x->proxy->draining && x->framing != ANSWER_UNTIL_CLOSE;
}

/* <fields>: the processor's, already guarded and written out. */
static result write_head(struct exchange *x, slice fields, bool has_length, uint64_t length)
{
    struct buf *out = client_out(x);
    if (!out) return OK;
    TRY(reply_write_head(out, x->status, x->id, true));
    TRY(buf_append(out, fields));
    if (envelope_is_worn(x)) TRY(http_write_field(out, SLICE("content-type"), SLICE("application/json")));
    TRY(write_our_fields(x, out));
    if (has_length) return reply_write_length(out, length, client_keeps_alive(x));
    if (x->framing == ANSWER_CHUNKED) TRY(http_write_field(out, SLICE("transfer-encoding"), SLICE("chunked")));
    TRY(http_write_field(out, SLICE("connection"), client_keeps_alive(x) ? SLICE("keep-alive") : SLICE("close")));
    return http_write_end_of_head(out);
}

/* Interim answers other than 100 belong to the client (RFC 9110 15.2: "A proxy MUST forward 1xx responses unless the proxy
 * itself requested the generation of the 1xx response"). HTTP/1.0 knows none. */
static result pass_interim(struct exchange *x, const struct http_head *h)
{
    struct buf *out = client_out(x);
    if (h->status == 100 || x->is_http_1_0 || !out) return OK;
    TRY(http_write_status_line(out, h->status));
    TRY(append_fields(x, h, out));
    return http_write_end_of_head(out);
}

static bool is_rewritten(const struct exchange *x)
{
    return x->answer_work != MESSAGE_PASSES;
}

/* Held until it is complete, whatever its length: it cannot go on otherwise. */
static bool is_taken_whole(const struct exchange *x)
{
    return is_rewritten(x) || envelope_is_worn(x);
}

/* Read through before it goes on: for what was sent, for card data, or for tokens, or to be put into an envelope. */
static bool is_held(const struct exchange *x)
{
    return x->guard || is_taken_whole(x);
}

/* A guarded answer must be read to be checked: gzip and deflate are undone, anything else is refused. */
static result open_coding(struct exchange *x, const struct http_head *h)
{
    enum content_coding coding;
    if (!is_held(x) || h->framing == HTTP_NO_BODY) return OK;
    size_t count = http_head_count(h, "content-encoding");
    if (count == 0) return OK;
    ENSURE(count == 1 && !failed(content_coding_parse(http_head_get(h, "content-encoding"), &coding)), UPSTREAM_CODING);
    if (coding == CODING_IDENTITY) return OK;
    x->inflater = inflater_new(coding);
    ENSURE(x->inflater != NULL, MEMORY);
    return OK;
}

static enum answer_framing unlimited_framing(const struct exchange *x)
{
    return x->is_http_1_0 ? ANSWER_UNTIL_CLOSE : ANSWER_CHUNKED;
}

/* What a GET would have had is not known of an answer that is rewritten (RFC 9110 8.6). */
static bool may_lack_length(const struct exchange *x)
{
    return x->framing == ANSWER_WITHOUT_BODY && (x->status == 204 || x->status == 304 || x->is_head_method);
}

static result begin_answer(struct exchange *x, const struct http_head *h)
{
    x->upstream_status = x->status = h->status;
    x->upstream_keep_alive = h->keep_alive;
    x->answered_us = loop_now_us(x->proxy->loop);
    metrics_time(HISTOGRAM_UPSTREAM, micros(x->sent_us, x->answered_us));
    TRY(open_coding(x, h));
    if (envelope_is_worn(x)) TRY(envelope_begin(x, h));
    if (is_rewritten(x)) return rewrite_begin(x, h);
    TRY(append_fields(x, h, &x->answer_head));
    if (h->framing == HTTP_NO_BODY) {
        x->framing = ANSWER_WITHOUT_BODY;
        x->answer = ANSWER_PASSED;
        bool may_tell = h->length_told; /* RFC 9110 8.6: what a GET would have had */
        if (may_lack_length(x))
            return write_head(x, buf_slice(&x->answer_head), may_tell && !is_held(x), h->length);
        return write_head(x, buf_slice(&x->answer_head), true, 0);
    }
    if (is_held(x)) {
        x->framing = ANSWER_WITH_LENGTH; /* unless it turns out to be longer than what is held */
        x->answer = ANSWER_COLLECTED;
        return OK;
    }
    x->framing = h->framing == HTTP_LENGTH ? ANSWER_WITH_LENGTH : unlimited_framing(x);
    x->answer = ANSWER_PASSED;
    return write_head(x, buf_slice(&x->answer_head), h->framing == HTTP_LENGTH, h->length);
}

/* --- the body --- */

static result pass(struct exchange *x, slice bytes)
{
    struct buf *out = client_out(x);
    x->bytes_out += bytes.len;
    if (!out) return OK;
    return x->framing == ANSWER_CHUNKED ? http_write_chunk(out, bytes) : buf_append(out, bytes);
}

/* A guarded answer that is longer than what we hold goes on in chunks. */
static result pass_collected(struct exchange *x)
{
    if (x->answer == ANSWER_COLLECTED) {
        if (is_taken_whole(x) || x->collected.len <= COLLECT_MAX_BYTES) return OK;
        x->framing = unlimited_framing(x);
        x->answer = ANSWER_PASSED;
        TRY(write_head(x, buf_slice(&x->answer_head), false, 0));
    }
    TRY(pass(x, buf_slice(&x->collected)));
    buf_clear(&x->collected);
    return OK;
}

static result collect(struct exchange *x, slice bytes)
{
    return x->guard ? echo_guard_feed(x->guard, bytes, &x->collected, &x->echoes) : buf_append(&x->collected, bytes);
}

static result take_held(struct exchange *x, slice bytes)
{
    struct buf *scratch = &x->proxy->scratch;
    if (!x->inflater) {
        TRY(collect(x, bytes));
        return pass_collected(x);
    }
    /* Small pieces, because a compressed answer may grow a thousandfold. */
    while (bytes.len) {
        size_t n = bytes.len < 128 ? bytes.len : 128;
        result r = inflater_feed(x->inflater, slice_range(bytes, 0, n), scratch);
        if (!failed(r)) r = collect(x, buf_slice(scratch));
        buf_clear(scratch);
        TRY(r);
        TRY(pass_collected(x));
        bytes = slice_after(bytes, n);
    }
    return OK;
}

static result take_body(struct exchange *x, slice bytes)
{
    return is_held(x) ? take_held(x, bytes) : pass(x, bytes);
}

static result end_held(struct exchange *x)
{
    if (!is_held(x) || x->framing == ANSWER_WITHOUT_BODY) return OK;
    if (x->inflater) TRY(inflater_end(x->inflater));
    return x->guard ? echo_guard_end(x->guard, &x->collected, &x->echoes) : OK;
}

result answer_write_collected(struct exchange *x)
{
    bool has_length = !may_lack_length(x);
    if (x->answer == ANSWER_COLLECTED) TRY(write_head(x, buf_slice(&x->answer_head), has_length, x->collected.len));
    if (x->collected.len) TRY(pass(x, buf_slice(&x->collected)));
    buf_clear(&x->collected);
    struct buf *out = client_out(x);
    if (out && x->framing == ANSWER_CHUNKED) TRY(http_write_last_chunk(out));
    return OK;
}

/* --- the end, good or bad --- */

void answer_release_upstream(struct exchange *x)
{
    struct upstream *u = x->upstream;
    x->upstream = NULL;
    if (x->upstream_keep_alive && x->request == REQUEST_SENT)
        upstream_give_back(u);
    else
        upstream_drop(u);
}

void answer_complete(struct exchange *x)
{
    x->answer = ANSWER_COMPLETE;
    if (x->echoes) metrics_add(METRIC_ECHOES, x->echoes);
    flush_client(x);
    if (x->upstream) answer_release_upstream(x);
    exchange_finish(x, client_keeps_alive(x));
}

/* The processor's side failed. What may be done about it depends on how far the request went. */
static void fail(struct exchange *x, enum error e)
{
    bool nothing_sent = !request_may_have_left(x);
    if (nothing_sent && x->streamed) {
        exchange_refuse(x, ERR_UPSTREAM_CONNECT);
        return;
    }
    if (nothing_sent) {
        upstream_drop(x->upstream);
        x->upstream = NULL;
        exchange_to(x, EXCHANGE_SEND);
        request_send(x);
        return;
    }
    if (x->answer >= ANSWER_PASSED)
        exchange_abort(x, e);
    else
        exchange_refuse_unknown(x, e);
}

static void fail_answer(struct exchange *x, result r)
{
    if (r.err == ERR_CONTENT_CODING_BROKEN) r = FAIL(UPSTREAM_CODING);
    if (r.err == ERR_TOO_LARGE && is_taken_whole(x)) r = is_rewritten(x) ? FAIL(ANSWER_TOO_LARGE) : FAIL(ENVELOPE_SIZE);
    if (x->answer >= ANSWER_PASSED)
        exchange_abort(x, r.err);
    else
        exchange_refuse_unknown(x, r.err);
}

/* Back-pressure: the processor is not read while the client does not take what is there. */
static bool client_is_full(struct exchange *x)
{
    struct link *l = exchange_client_link(x);
    return l && link_unsent(l) > FLOW_HIGH_BYTES;
}

static void on_head(struct exchange *x, const struct http_head *h)
{
    if (h->status < 200) {
        x->answer = ANSWER_INTERIM;
        result r = pass_interim(x, h);
        if (failed(r)) fail_answer(x, r);
        return;
    }
    uint64_t gone_ms = micros(x->sent_us, loop_now_us(x->proxy->loop)) / 1000, whole_ms = x->route->config->whole_ms;
    link_set_deadline(upstream_link(x->upstream), whole_ms > gone_ms ? whole_ms - gone_ms : 1);
    result r = begin_answer(x, h);
    if (failed(r)) fail_answer(x, r);
}

static void on_end(struct exchange *x)
{
    if (x->answer == ANSWER_INTERIM) {
        x->answer = ANSWER_NONE;
        return;
    }
    result r = end_held(x);
    if (!failed(r) && x->answer == ANSWER_COLLECTED && attempt_again(x)) return;
    if (!failed(r) && is_rewritten(x)) {
        rewrite_run(x);
        return;
    }
    if (!failed(r)) r = envelope_put_on(x);
    if (!failed(r)) r = answer_write_collected(x);
    if (failed(r))
        fail_answer(x, r);
    else
        answer_complete(x);
}

static void on_body(struct exchange *x, slice bytes)
{
    result r = take_body(x, bytes);
    if (failed(r)) fail_answer(x, r);
}

static void on_step(struct exchange *x, enum http_step step, struct http_reader *reader)
{
    switch (step) {
    case HTTP_MORE: return;
    case HTTP_HEAD: on_head(x, http_reader_head(reader)); return;
    case HTTP_BODY: on_body(x, http_reader_body(reader)); return;
    case HTTP_END: on_end(x); return;
    case HTTP_REFUSED:
        x->upstream_refusal = http_reader_refusal(reader);
        fail_answer(x, FAIL(UPSTREAM_ANSWER));
        return;
    }
}

/* What the reader gets at once. A compressed answer may grow a thousandfold: small pieces, so that the client's side is looked
 * at in between. */
static slice next_piece(const struct exchange *x, const struct link *l)
{
    slice in = link_input(l);
    return x->inflater ? slice_range(in, 0, in.len < INFLATED_AT_ONCE_BYTES ? in.len : INFLATED_AT_ONCE_BYTES) : in;
}

/* False: the client has not taken what there is. It is asked after the flush: only what stays unsent makes the link tell
 * LINK_WRITABLE, and so the processor be read again. */
static bool client_has_room(struct exchange *x)
{
    if (!client_is_full(x)) return true;
    flush_client(x);
    return !client_is_full(x);
}

/* Whether that was the last step of this connection: the exchange is over, or has let go of it (and of its reader) for a second
 * attempt. */
static bool is_done_with_upstream(const struct exchange *x)
{
    return exchange_is_over(x) || !x->upstream;
}

/* Asks the reader until it says MORE: an answer's end needs no further bytes. */
static void pump(struct exchange *x, struct link *l)
{
    struct http_reader *reader = upstream_reader(x->upstream);
    enum http_step step;
    do {
        size_t used = 0;
        if (!http_reader_owes_step(reader) && !client_has_room(x)) {
            link_pause(l);
            return;
        }
        step = http_reader_feed(reader, next_piece(x, l), &used);
        if (step != HTTP_BODY) link_consume(l, used);
        on_step(x, step, reader);
        if (is_done_with_upstream(x)) return;
        if (step == HTTP_BODY) link_consume(l, used); /* the data pointed into the input */
    } while (step != HTTP_MORE || link_input(l).len);
    flush_client(x);
}

static void on_upstream_end(struct exchange *x, bool clean)
{
    struct http_reader *reader = upstream_reader(x->upstream);
    enum http_step step = HTTP_HEAD;
    while (clean && (step == HTTP_HEAD || step == HTTP_BODY || step == HTTP_END)) {
        step = http_reader_eof(reader); /* what it had not yet told comes first */
        if (step != HTTP_HEAD && step != HTTP_END) break;
        x->upstream_keep_alive = false;
        on_step(x, step, reader);
        if (is_done_with_upstream(x)) return;
    }
    bool has_begun = x->answer >= ANSWER_COLLECTED || step == HTTP_REFUSED || !http_reader_is_idle(reader);
    fail(x, has_begun ? ERR_UPSTREAM_CUT_OFF : ERR_UPSTREAM_CLOSED);
}

void answer_on_upstream(void *owner, struct link *l, enum link_event event)
{
    struct exchange *x = owner;
    assert(x->magic == EXCHANGE_MAGIC && x->upstream && upstream_link(x->upstream) == l);
    switch (event) {
    case LINK_CONNECTED: return;
    case LINK_READABLE: pump(x, l); return;
    case LINK_WRITABLE: request_progress(x); return;
    case LINK_CLOSED: on_upstream_end(x, true); return;
    case LINK_CUT_OFF:
    case LINK_FAILED: on_upstream_end(x, false); return;
    case LINK_TIMED_OUT: fail(x, ERR_UPSTREAM_TIMEOUT); return;
    }
}
