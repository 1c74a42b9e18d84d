/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_READER_H
#define HTTP_READER_H

/* Reads HTTP/1.x messages from bytes in any split, over llhttp without any lenient flag, and refuses what llhttp lets through.
 * The events are the same for every split. Pull style: feed until it says MORE, also with nothing left, for an END needs no
 * further bytes:
 *
 *     do { step = http_reader_feed(r, input, &used); consume(used); switch (step) {
 *         HEAD: http_reader_head() is complete, body or END follows.
 *         BODY: http_reader_body() has bytes, of which used are taken.
 *         END: the message is complete. Stop here until its exchange is done: the next feed, even of nothing, lets go of the
 *              head's memory and begins the next message.
 *         REFUSED: http_reader_refusal(); for good: the connection must be closed after the answer.
 *         MORE: all bytes are taken. } } while (step != MORE);
 *
 * A reader that is idle (between messages) holds no pool blocks. Trailers and chunk extensions are counted, and dropped.
 *
 * What it decides where the RFCs leave room:
 *   Upgrade      A request with any protocol but 'h2c' is refused. h2c (Java's HttpClient offers it by itself on plain
 *                connections) is taken out and so ignored, as RFC 9110 7.8 allows. In answers only 101 is refused; other
 *                answers may advertise (Apache does), and the field is dropped.
 *   Connection   In requests, an option that names Host, Transfer-Encoding, Authorization, x-api-key, Cookie, Cache-Control or
 *                any Content-* field is refused (RFC 9110 7.6.1); in answers it is ignored. Other named fields are dropped.
 *   Host         One is needed in HTTP/1.0 too. An absolute-form target must have the same authority.
 *   bodies       Any method may have one. An answer to HEAD, or 204 or 304, has none, whatever its fields say.
 *   chunk lines  At any point all bytes that are not data (chunk lines, extensions, trailers) may be at most 16 KiB
 *                (answers: 128 KiB) more than the data so far: chunks of six bytes may come for ever, 100,000 one-byte chunks
 *                or 1 KiB extensions may not. The last chunk's line with the trailers: 8 KiB. */

#include "http/head.h"
#include "http/refusal.h"

struct http_reader;
struct http_limits {
    size_t head_bytes; /* whole head incl. request line: 16 KiB; at most 1 MiB */
    size_t fields;     /* 100; at most 10,000. Trailers may have as many again */
};
enum http_side { HTTP_REQUESTS, HTTP_ANSWERS };
enum http_step { HTTP_MORE, HTTP_HEAD, HTTP_BODY, HTTP_END, HTTP_REFUSED };

struct http_reader *http_reader_new(enum http_side side, const struct http_limits *limits /* copied */); /* NULL: memory */
void http_reader_free(struct http_reader *r);
/* Answers only: the next answer is to a HEAD request, so it has no body whatever its fields say (RFC 9112 6.3). Say it before
 * its bytes are fed; holds over interim answers, until END of a final one. */
void http_reader_expect_head_answer(struct http_reader *r, bool yes);
/* Requests only: CONNECT is taken too, for a proxy. What follows its head is not HTTP, and must not be fed. */
void http_reader_take_connect(struct http_reader *r, bool yes);
enum http_step http_reader_feed(struct http_reader *r, slice bytes, size_t *used);
/* The peer ended cleanly: END for a body that runs until close, MORE if it is between messages, REFUSED in the middle of one.
 * What is not yet fetched (HEAD, END) comes first: call until MORE or REFUSED. A connection that was cut off (over TLS, without
 * close_notify) must not be told here: a body until close is then cut off too (REFUSAL_ANSWER_CUT_OFF). */
enum http_step http_reader_eof(struct http_reader *r);
const struct http_head *http_reader_head(const struct http_reader *r); /* valid until the feed after END */
slice http_reader_body(const struct http_reader *r);                   /* valid until the next feed; points into <bytes> */
enum http_refusal http_reader_refusal(const struct http_reader *r);
bool http_reader_is_idle(const struct http_reader *r); /* no byte of a message seen; empty lines before one do not count */
/* A step waits that needs no further bytes (the end that came together with the last data): back-pressure must not hold it. */
bool http_reader_owes_step(const struct http_reader *r);
/* 1xx answers are given as HEAD then END like any other; the caller decides. Bytes after the END of a final answer are the
 * caller's to judge (REFUSAL_ANSWER_SURPLUS): the reader does not know whether another request was sent. */

#endif
