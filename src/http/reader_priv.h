/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_READER_PRIV_H
#define HTTP_READER_PRIV_H

/* The reader's parts share this: reader.c feeds and hands out, parser.c holds llhttp's callbacks and names its errors,
 * head_text.c keeps the head's bytes, head_check.c turns them into a checked struct http_head, host.c and target.c check
 * what their names say. */

#include "base/pool.h"
#include "http/reader.h"

#include <assert.h>

/* llhttp's method HEAD and our step of the same name are both wanted here. */
#define HTTP_HEAD HTTP_METHOD_HEAD
#include <llhttp.h>
#undef HTTP_HEAD

/* What of a head is kept while it arrives: its bytes, exactly as received, copied once, and where in them each part stands.
 * Offsets, since the text may move while it grows. */
struct span {
    uint32_t from, to;
};
struct field_mark {
    struct span name, value;
};
struct head_text {
    char *at;
    size_t len, cap;
    struct span target, reason;
    struct field_mark *marks;
    size_t count, mark_cap;
};

enum phase { PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_DONE, PHASE_REFUSED };
enum where { AT_START_LINE, AT_NAME, AT_VALUE }; /* in the head or the trailers; tells apart what llhttp calls one error */

enum { TRAILER_NAME_BYTES = 20, TRAILER_BYTES = 8 * 1024 };
enum { OVERHEAD_BYTES = 16 * 1024, ANSWER_OVERHEAD_BYTES = 128 * 1024 };

struct http_reader {
    llhttp_t parser; /* first, so that llhttp's pointer is ours without a cast through void */
    enum http_side side;
    struct http_limits limits;
    enum phase phase;
    enum http_step pending; /* already known, told at the next feed; HTTP_MORE: nothing */
    enum http_refusal refusal;
    unsigned leading;       /* bytes of empty lines before the request line */
    bool takes_connect;
    bool head_answer;       /* the next final answer has no body: its request was HEAD */
    bool last;              /* the message that ended said that no other follows */

    enum where where;
    bool version_seen, target_seen;
    bool head_done, message_done; /* llhttp said so in this feed */
    const char *feed_at;          /* the bytes given to llhttp ... */
    const char *feed_end;
    uint64_t feed_offset;         /* ... begin here: in the head's text, or in the body's stream */

    struct pool *pool; /* NULL while idle */
    struct head_text text;
    struct http_head head;

    slice body;
    uint64_t stream, data; /* body phase: all bytes so far, and those of them that are data */
    uint64_t data_end;     /* where in the stream the last data ended */
    bool in_trailers;
    size_t trailer_count, trailer_name_len;
    char trailer_name[TRAILER_NAME_BYTES];
};

/* parser.c */
void parser_begin(struct http_reader *r);
enum http_refusal parser_refusal(const struct http_reader *r, llhttp_errno_t err, const char *pos);
bool is_bodiless_answer(const struct http_reader *r);

/* head_text.c; all false: memory */
bool head_text_append(struct http_reader *r, slice bytes, bool complete);
bool head_text_add_field(struct http_reader *r);
size_t head_pool_bytes(const struct http_limits *limits);
static inline slice span_slice(const struct head_text *t, struct span s)
{
    return (slice){t->at + s.from, s.to - s.from};
}

/* head_check.c, target.c, host.c: REFUSAL_NONE if all is well */
enum http_refusal head_check(struct http_reader *r);
enum http_refusal target_check(struct http_reader *r, slice target);
enum http_refusal connect_check(struct http_reader *r, slice target, slice host /* start NULL: there was none */);
bool host_is_valid(slice host);

/* known_field.c */
enum known_field {
    KNOWN_NONE,
    KNOWN_HOST,
    KNOWN_CONNECTION,
    KNOWN_CONTENT_LENGTH,
    KNOWN_TRANSFER_ENCODING,
    KNOWN_EXPECT,
    KNOWN_UPGRADE,
    KNOWN_HOP,  /* Keep-Alive, Proxy-Connection, TE, Trailer, HTTP2-Settings: only for this connection */
    KNOWN_TWIN, /* Content-Length or Transfer-Encoding with '_' for '-' */
};
enum known_field known_field(slice name);

#endif
