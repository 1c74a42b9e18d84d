/* SPDX-License-Identifier: Apache-2.0 */
#include "transcript.h"

#include "http/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 64 * 1024 * 1024 };

/* Not assert(): the fuzzer must see it in every build. */
static void must(bool word, const char *broken)
{
    if (word) return;
    fprintf(stderr, "the reader broke its word: %s\n", broken);
    abort();
}

static void add(struct buf *b, slice s)
{
    must(!failed(buf_append(b, s)), "test buffer full");
}

static void add_text(struct buf *b, const char *s)
{
    add(b, slice_of(s));
}

static void add_number(struct buf *b, const char *name, uint64_t n)
{
    add_text(b, name);
    must(!failed(buf_append_u64(b, n)), "test buffer full");
}

static void add_bytes(struct buf *b, const char *name, slice s)
{
    add_number(b, name, s.len);
    add_text(b, ":");
    add(b, s);
}

/* What a head says and a rewritten one must say again; the version and the reason phrase are our own there. */
static void write_down(struct buf *b, const struct http_head *h, bool rereading)
{
    bool until_close = h->framing == HTTP_UNTIL_CLOSE;
    add_bytes(b, " method=", h->method);
    add_bytes(b, " target=", h->target);
    add_bytes(b, " path=", h->path);
    add_bytes(b, h->query.at ? " query=" : " no query ", h->query);
    add_bytes(b, " authority=", h->authority);
    add_number(b, " expects=", h->expects_continue);
    add_number(b, " head=", h->is_head_method);
    add_number(b, " status=", (uint64_t)h->status);
    add_number(b, " framing=", rereading && until_close ? HTTP_CHUNKED : h->framing);
    add_number(b, " length=", h->framing == HTTP_LENGTH || h->length_told ? h->length : 0);
    add_number(b, " told=", h->length_told);
    add_number(b, " keep=", h->keep_alive);
    if (!rereading) {
        add_number(b, " minor=", h->minor);
        add_bytes(b, " reason=", h->reason);
    }
    for (size_t i = 0; i < h->field_count; i++) {
        add_bytes(b, "\n  ", h->fields[i].name);
        add_bytes(b, "=", h->fields[i].value);
    }
}

struct run {
    const struct reading *what;
    struct transcript *out;
    struct http_reader *reader;
    struct buf body; /* of this message */
    struct buf head; /* its rewritten head */
    size_t taken;
    bool in_body, ended;
    enum http_framing framing;
};

static void wrote(result r)
{
    must(!failed(r), "an accepted head was refused by the writer");
}

static void rewrite_head(struct run *run, const struct http_head *h)
{
    struct buf *b = &run->head;
    if (h->is_answer)
        wrote(http_write_status_line(b, h->status));
    else
        wrote(http_write_request_line(b, h->method, h->target));
    if (!h->is_answer) wrote(http_write_field(b, SLICE("Host"), h->authority));
    for (size_t i = 0; i < h->field_count; i++)
        wrote(http_write_field(b, h->fields[i].name, h->fields[i].value));
    if (h->expects_continue) wrote(http_write_field(b, SLICE("Expect"), SLICE("100-continue")));
    if (!h->keep_alive) wrote(http_write_field(b, SLICE("Connection"), SLICE("close")));
    if (h->framing == HTTP_LENGTH || h->length_told) wrote(http_write_field_u64(b, SLICE("Content-Length"), h->length));
    if (h->framing == HTTP_CHUNKED || h->framing == HTTP_UNTIL_CLOSE)
        wrote(http_write_field(b, SLICE("Transfer-Encoding"), SLICE("chunked")));
    wrote(http_write_end_of_head(b));
}

static void rewrite_message(struct run *run)
{
    struct buf *b = &run->out->rewritten;
    add(b, buf_slice(&run->head));
    if (run->framing == HTTP_CHUNKED || run->framing == HTTP_UNTIL_CLOSE) {
        wrote(http_write_chunk(b, buf_slice(&run->body)));
        wrote(http_write_last_chunk(b));
    } else {
        add(b, buf_slice(&run->body));
    }
    buf_clear(&run->head);
    buf_clear(&run->body);
}

static void on_head(struct run *run)
{
    const struct http_head *h = http_reader_head(run->reader);
    must(!run->in_body, "HEAD inside a message");
    must(h->is_answer || (h->path.len > 0 && h->path.at[0] == '/'), "a path without '/'");
    must(!h->is_answer || h->framing != HTTP_UNTIL_CLOSE || !h->keep_alive, "kept alive after a body until close");
    run->in_body = true;
    run->framing = h->framing;
    run->out->keep_alive = h->keep_alive || (h->is_answer && h->status < 200);
    add_text(&run->out->steps, "HEAD ");
    add_number(&run->out->full, "HEAD @", run->taken);
    write_down(&run->out->full, h, false);
    add_text(&run->out->full, "\n");
    rewrite_head(run, h);
}

static void on_body(struct run *run, slice piece)
{
    slice data = http_reader_body(run->reader);
    must(run->in_body && data.len > 0 && run->framing != HTTP_NO_BODY, "BODY where there is none");
    must(data.at >= piece.at && data.at + data.len <= piece.at + piece.len, "BODY outside the bytes given");
    if (run->body.len == 0) add_text(&run->out->steps, "BODY ");
    add(&run->body, data);
}

static void on_end(struct run *run)
{
    must(run->in_body, "END without HEAD");
    must(run->framing != HTTP_LENGTH || run->body.len == http_reader_head(run->reader)->length,
         "END before its length");
    run->in_body = false;
    run->out->ends++;
    add_text(&run->out->steps, "END ");
    add_number(&run->out->full, "END @", run->taken);
    add_bytes(&run->out->full, " body=", buf_slice(&run->body));
    add_text(&run->out->full, "\n");
    rewrite_message(run);
    if (run->what->side == HTTP_ANSWERS) http_reader_expect_head_answer(run->reader, run->what->head_answer);
}

static void on_refused(struct run *run)
{
    enum http_refusal why = http_reader_refusal(run->reader);
    size_t used;
    must(why != REFUSAL_NONE && why < REFUSAL_COUNT, "REFUSED without a reason");
    must(http_reader_feed(run->reader, SLICE("GET / HTTP/1.1\r\n"), &used) == HTTP_REFUSED, "REFUSED is for good");
    run->out->refusal = why;
    run->out->keep_alive = false;
    add_text(&run->out->steps, "REFUSED:");
    add_text(&run->out->steps, refusal_name(why));
    add_bytes(&run->out->full, "REFUSED body=", buf_slice(&run->body));
    add_text(&run->out->full, refusal_name(why));
    run->ended = true;
}

static void on_step(struct run *run, enum http_step step, slice piece)
{
    switch (step) {
    case HTTP_MORE:
        break;
    case HTTP_HEAD:
        on_head(run);
        break;
    case HTTP_BODY:
        on_body(run, piece);
        break;
    case HTTP_END:
        on_end(run);
        break;
    case HTTP_REFUSED:
        on_refused(run);
        break;
    }
}

/* Each piece is memory of its own, so a reader that kept a pointer into an earlier one is caught by the sanitizer. */
static void feed_piece(struct run *run, slice bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    must(copy != NULL, "no memory for the test");
    memcpy(copy, bytes.at, bytes.len);
    slice left = {copy, bytes.len};
    enum http_step step;
    do {
        size_t used;
        step = http_reader_feed(run->reader, left, &used);
        must(used <= left.len, "took more than it was given");
        slice piece = left;
        left = slice_after(left, used);
        run->taken += used;
        must(step != HTTP_MORE || left.len == 0, "MORE with bytes left");
        on_step(run, step, piece);
    } while (step != HTTP_MORE && !run->ended);
    free(copy);
}

static void feed_eof(struct run *run)
{
    enum http_step step;
    do {
        step = http_reader_eof(run->reader);
        on_step(run, step, SLICE_NONE);
    } while (step != HTTP_MORE && !run->ended);
    if (!run->ended) add_text(&run->out->steps, "EOF");
    must(run->ended || http_reader_is_idle(run->reader), "ended in the middle of a message");
}

static size_t piece_len(struct cut *how, size_t at, size_t left)
{
    size_t n = at == 0 && how->first ? how->first : how->every;
    if (how->seed) {
        how->seed ^= how->seed << 13; /* xorshift64 */
        how->seed ^= how->seed >> 7;
        how->seed ^= how->seed << 17;
        n = 1 + (size_t)(how->seed % how->every);
    }
    return n == 0 || n > left ? left : n;
}

void transcript_take(struct transcript *t, const struct reading *what, struct cut how)
{
    *t = (struct transcript){.keep_alive = true};
    struct run run = {.what = what, .out = t, .reader = http_reader_new(what->side, &what->limits)};
    must(run.reader != NULL, "no memory for the test");
    buf_init(&t->steps, TEXT_MAX);
    buf_init(&t->full, TEXT_MAX);
    buf_init(&t->rewritten, TEXT_MAX);
    buf_init(&run.body, TEXT_MAX);
    buf_init(&run.head, TEXT_MAX);
    if (what->side == HTTP_ANSWERS) http_reader_expect_head_answer(run.reader, what->head_answer);
    for (size_t at = 0; at < what->bytes.len && !run.ended;) {
        size_t n = piece_len(&how, at, what->bytes.len - at);
        feed_piece(&run, slice_range(what->bytes, at, at + n));
        at += n;
    }
    if (what->eof && !run.ended) feed_eof(&run);
    buf_done(&run.body);
    buf_done(&run.head);
    http_reader_free(run.reader);
}

void transcript_done(struct transcript *t)
{
    buf_done(&t->steps);
    buf_done(&t->full);
    buf_done(&t->rewritten);
}

/* Reads all complete messages and writes down what a rewritten message must say again. */
static void essence(struct buf *out, const struct reading *what)
{
    struct http_reader *r = http_reader_new(what->side, &what->limits);
    must(r != NULL, "no memory for the test");
    struct buf message;
    buf_init(&message, TEXT_MAX);
    slice left = what->bytes;
    bool told_eof = false;
    for (;;) {
        if (http_reader_is_idle(r)) http_reader_expect_head_answer(r, what->head_answer);
        size_t used = 0;
        enum http_step step = told_eof ? http_reader_eof(r) : http_reader_feed(r, left, &used);
        left = slice_after(left, used);
        if (step == HTTP_HEAD) {
            buf_clear(&message);
            write_down(&message, http_reader_head(r), true);
        }
        if (step == HTTP_BODY) add(&message, http_reader_body(r));
        if (step == HTTP_END) add(out, buf_slice(&message));
        if (step == HTTP_REFUSED || (step == HTTP_MORE && (told_eof || !what->eof))) break;
        if (step == HTTP_MORE) told_eof = true;
    }
    buf_done(&message);
    http_reader_free(r);
}

bool transcript_rereads_equal(const struct transcript *t, const struct reading *what)
{
    struct reading again = *what;
    struct buf first, second;
    again.bytes = buf_slice(&t->rewritten);
    /* Our own blanks after colons, Host and the like may make a head longer than it was. */
    again.limits.head_bytes += 8 * again.limits.fields + 256;
    again.limits.fields += 4;
    buf_init(&first, TEXT_MAX);
    buf_init(&second, TEXT_MAX);
    essence(&first, what);
    essence(&second, &again);
    bool equal = slice_eq(buf_slice(&first), buf_slice(&second));
    buf_done(&first);
    buf_done(&second);
    return equal;
}
