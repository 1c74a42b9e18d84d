/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_READER_H
#define HTTP_READER_H

/* Reads HTTP/1.x messages from bytes in any split, over llhttp without any lenient flag, and refuses what llhttp lets through
 * (facts: libraries.md section 2). Pull style: feed until it says something.
 *
 *     while (input) { step = http_reader_feed(r, input, &used); consume(used); switch (step) {
 *         MORE: all taken, nothing yet.       HEAD: http_reader_head() is complete, body follows.
 *         BODY: http_reader_body() has bytes. END: the message is complete; the next feed begins the next one.
 *         REFUSED: http_reader_refusal(); the connection must be closed after the answer. } }
 *
 * A reader that is idle (between messages) holds no pool blocks. Trailers and chunk extensions are counted, and dropped. */

#include "http/head.h"
#include "http/refusal.h"

struct http_reader;
struct http_limits {
    size_t head_bytes; /* whole head incl. request line: 16 KiB */
    size_t fields;     /* 100 */
};
enum http_side { HTTP_REQUESTS, HTTP_ANSWERS };
enum http_step { HTTP_MORE, HTTP_HEAD, HTTP_BODY, HTTP_END, HTTP_REFUSED };

struct http_reader *http_reader_new(enum http_side side, const struct http_limits *limits /* copied */); /* NULL: memory */
void http_reader_free(struct http_reader *r);
/* Answers only: the next answer is to a HEAD request, so it has no body whatever its fields say (RFC 9112 6.3). */
void http_reader_expect_head_answer(struct http_reader *r, bool yes);
enum http_step http_reader_feed(struct http_reader *r, slice bytes, size_t *used);
/* The peer ended: END for a body that runs until close, MORE if it is between messages, REFUSED in the middle of one. */
enum http_step http_reader_eof(struct http_reader *r);
const struct http_head *http_reader_head(const struct http_reader *r); /* valid until the feed after END */
slice http_reader_body(const struct http_reader *r);                   /* valid until the next feed; points into <bytes> */
enum http_refusal http_reader_refusal(const struct http_reader *r);
bool http_reader_is_idle(const struct http_reader *r); /* no byte of a message seen */
/* 1xx answers are given as HEAD then END like any other; the caller decides. */

#endif
