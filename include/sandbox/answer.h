/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_ANSWER_H
#define SANDBOX_ANSWER_H

/* What a simulated processor is asked and what it answers, apart from connections; and a small writer of JSON. */

#include "base/buf.h"
#include "http/head.h"
#include "sandbox/decision.h"

struct sandbox_request {
    const struct http_head *head; /* borrows */
    slice body;                   /* decoded */
    struct pool *pool;            /* for the request's life */
};
struct sandbox_answer {
    int status;
    enum manner manner;
    slice echo;               /* MANNER_ECHO: a card number for the header x-echo; lives in the request's pool */
    const char *content_type; /* NULL: JSON */
    uint64_t delay_ms;        /* before it is sent */
    struct buf body;
};

/* JSON, member by member. Errors (memory, size) show in json_failed() at the end. */
struct json {
    struct buf *out;
    bool comma, failed;
};
void json_open(struct json *j, const char *name /* NULL: none */, char bracket);
void json_close(struct json *j, char bracket);
void json_text(struct json *j, const char *name, slice value); /* escapes; bytes that are not UTF-8 become U+FFFD */
void json_number(struct json *j, const char *name, int64_t n);

bool request_has_content_type(const struct sandbox_request *q, const char *type);
/* So many decimal digits of randomness, for ids. Writes a NUL. */
void random_digits(char *out, size_t digits);

#endif
