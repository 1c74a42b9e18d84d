/* SPDX-License-Identifier: Apache-2.0 */
#include "reader_priv.h"

#include "base/ascii.h"

#include <stddef.h>
#include <string.h>

/* llhttp's side: callbacks that only note where things stand (nothing is acted on before the head is complete), and the
 * refusal that one of its errors means. No lenient flag is ever set; a test greps for it. */

static_assert(LLHTTP_VERSION_MAJOR == 9 && LLHTTP_VERSION_MINOR >= 2, "older versions take obs-fold and bare CR");
static_assert(offsetof(struct http_reader, parser) == 0, "reader_of casts");

static struct http_reader *reader_of(llhttp_t *p)
{
    return (struct http_reader *)p;
}

static int refuse(struct http_reader *r, enum http_refusal why)
{
    r->refusal = why;
    return HPE_USER;
}

/* A part may come in pieces, but they follow each other without a gap: the only gap there could be is a folded line. */
static int note(struct http_reader *r, struct span *s, const char *at, size_t len)
{
    uint32_t from = (uint32_t)(r->feed_offset + (uint64_t)(at - r->feed_at));
    if (s->from == s->to) s->from = s->to = from;
    if (s->to != from) return refuse(r, REFUSAL_OBS_FOLD);
    s->to = from + (uint32_t)len;
    return 0;
}

static int on_method_complete(llhttp_t *p)
{
    struct http_reader *r = reader_of(p);
    switch (p->method) {
    case HTTP_GET:
    case HTTP_METHOD_HEAD:
    case HTTP_POST:
    case HTTP_PUT:
    case HTTP_PATCH:
    case HTTP_DELETE:
    case HTTP_OPTIONS:
        return 0;
    case HTTP_PRI: /* the preface of HTTP/2 */
        return refuse(r, REFUSAL_VERSION);
    case HTTP_CONNECT:
        return r->takes_connect ? 0 : refuse(r, REFUSAL_CONNECT);
    default:
        return refuse(r, REFUSAL_METHOD);
    }
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
    struct http_reader *r = reader_of(p);
    return note(r, &r->text.target, at, len);
}

static int on_url_complete(llhttp_t *p)
{
    reader_of(p)->target_seen = true;
    return 0;
}

static int on_version_complete(llhttp_t *p)
{
    struct http_reader *r = reader_of(p);
    if (p->http_major != 1 || p->http_minor > 1) return refuse(r, REFUSAL_VERSION);
    r->version_seen = true;
    return 0;
}

static int on_status(llhttp_t *p, const char *at, size_t len)
{
    struct http_reader *r = reader_of(p);
    return note(r, &r->text.reason, at, len);
}

/* Trailers come through the same callbacks as the head's fields. Of them only the start of the name is kept, to refuse
 * those that would frame or route (RFC 9110 6.5.1); libevent merged trailers into the head and got CVE-2026-63379. */
static int on_trailer_name(struct http_reader *r, const char *at, size_t len)
{
    size_t room = sizeof r->trailer_name - r->trailer_name_len;
    size_t keep = len < room ? len : room;
    memcpy(r->trailer_name + r->trailer_name_len, at, keep);
    r->trailer_name_len += keep;
    return 0;
}

static int on_trailer_name_complete(struct http_reader *r)
{
    slice name = {r->trailer_name, r->trailer_name_len};
    r->trailer_name_len = 0;
    if (++r->trailer_count > r->limits.fields) return refuse(r, REFUSAL_TRAILER_SIZE);
    switch (known_field(name)) {
    case KNOWN_HOST:
    case KNOWN_CONTENT_LENGTH:
    case KNOWN_TRANSFER_ENCODING:
    case KNOWN_TWIN:
        return refuse(r, REFUSAL_TRAILER_FIELD);
    default:
        return 0;
    }
}

static int on_header_field(llhttp_t *p, const char *at, size_t len)
{
    struct http_reader *r = reader_of(p);
    if (len == 0) return 0;
    if (r->in_trailers) return on_trailer_name(r, at, len);
    if (r->where != AT_NAME) {
        r->where = AT_NAME;
        if (!head_text_add_field(r)) return refuse(r, REFUSAL_MEMORY);
    }
    return note(r, &r->text.marks[r->text.count - 1].name, at, len);
}

static int on_header_field_complete(llhttp_t *p)
{
    struct http_reader *r = reader_of(p);
    r->where = AT_VALUE;
    if (r->in_trailers) return on_trailer_name_complete(r);
    /* Counted now, not when a name begins: llhttp tells of a name that turns out wrong in some splits only. */
    return r->text.count > r->limits.fields ? refuse(r, REFUSAL_FIELD_COUNT) : 0;
}

static int on_header_value(llhttp_t *p, const char *at, size_t len)
{
    struct http_reader *r = reader_of(p);
    if (r->in_trailers || len == 0) return 0;
    return note(r, &r->text.marks[r->text.count - 1].value, at, len);
}

static int on_header_value_complete(llhttp_t *p)
{
    reader_of(p)->where = AT_START_LINE; /* of a line: the next name begins a field */
    return 0;
}

/* RFC 9112 6.3: "Any response to a HEAD request and any response with a 1xx, 204, or 304 status code is always
 * terminated by the first empty line after the header fields, regardless of the header fields present in the message".
 */
bool is_bodiless_answer(const struct http_reader *r)
{
    int status = r->parser.status_code;
    if (r->side != HTTP_ANSWERS) return false;
    return r->head_answer || status < 200 || status == 204 || status == 304;
}

static int on_headers_complete(llhttp_t *p)
{
    struct http_reader *r = reader_of(p);
    r->head_done = true;
    return is_bodiless_answer(r) ? 1 : HPE_PAUSED; /* 1: no body, which leads straight to on_message_complete */
}

static int on_chunk_header(llhttp_t *p)
{
    struct http_reader *r = reader_of(p);
    if (p->content_length == 0) r->in_trailers = true;
    r->where = AT_START_LINE;
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    struct http_reader *r = reader_of(p);
    if (len == 0) return 0;
    /* Chunk overhead is judged where it is largest, at the start of data, so that every split is judged alike. */
    uint64_t before = r->feed_offset + (uint64_t)(at - r->feed_at);
    uint64_t spare = r->side == HTTP_REQUESTS ? OVERHEAD_BYTES : ANSWER_OVERHEAD_BYTES;
    if (before - r->data > spare + r->data) return refuse(r, REFUSAL_CHUNK_OVERHEAD);
    assert(r->body.len == 0);
    r->body = (slice){at, len};
    r->data += len;
    r->data_end = before + len;
    return 0;
}

static int on_chunk_complete(llhttp_t *p)
{
    /* One span of data per feed; a chunk whose data came in an earlier feed needs no stop. */
    return reader_of(p)->body.len ? HPE_PAUSED : 0;
}

static int on_message_complete(llhttp_t *p)
{
    reader_of(p)->message_done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_method_complete = on_method_complete,
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_version_complete = on_version_complete,
    .on_status = on_status,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_chunk_complete = on_chunk_complete,
    .on_message_complete = on_message_complete,
};

/* Each message gets a fresh parser, so no state of one can reach the next. */
void parser_begin(struct http_reader *r)
{
    llhttp_init(&r->parser, r->side == HTTP_REQUESTS ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
}

static enum http_refusal start_line_refusal(const struct http_reader *r)
{
    return r->side == HTTP_ANSWERS ? REFUSAL_ANSWER_STATUS : REFUSAL_REQUEST_LINE;
}

/* A framing field that llhttp refuses because of the other one, or because of its value. */
static enum http_refusal framing_refusal(const struct http_reader *r, int other_flag, enum http_refusal own)
{
    if (r->parser.flags & other_flag) return REFUSAL_TE_AND_LENGTH;
    if (own == REFUSAL_TRANSFER_ENCODING && r->side == HTTP_ANSWERS) return REFUSAL_ANSWER_TE;
    return own;
}

/* The byte that stands <back> before <pos> in the head, which may have come in an earlier feed. */
static char byte_before(const struct http_reader *r, const char *pos, size_t back)
{
    size_t here = (size_t)(pos - r->feed_at);
    if (here >= back) return r->feed_at[here - back];
    size_t missing = back - here;
    return missing <= r->text.len ? r->text.at[r->text.len - missing] : '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static enum http_refusal field_refusal(const struct http_reader *r, const char *pos, char c)
{
    if (r->where != AT_VALUE) return REFUSAL_FIELD_NAME;
    /* llhttp stops at the blank that begins the line after a value, but behind the one after an empty value, and behind
     * a bare LF that stands where a value would begin. */
    char last = byte_before(r, pos, 1), second = byte_before(r, pos, 2);
    if (last == '\n' && second != '\r') return REFUSAL_BARE_LF;
    bool folded = (last == '\n' && is_blank(c)) || (is_blank(last) && second == '\n' && byte_before(r, pos, 3) == '\r');
    return folded ? REFUSAL_OBS_FOLD : REFUSAL_FIELD_VALUE;
}

static enum http_refusal body_refusal(const struct http_reader *r, llhttp_errno_t err)
{
    if (!r->in_trailers) return REFUSAL_CHUNK_SYNTAX;
    bool framing = err == HPE_INVALID_CONTENT_LENGTH || err == HPE_INVALID_TRANSFER_ENCODING ||
                   err == HPE_UNEXPECTED_CONTENT_LENGTH;
    return framing ? REFUSAL_TRAILER_FIELD : REFUSAL_TRAILER_SYNTAX;
}

enum http_refusal parser_refusal(const struct http_reader *r, llhttp_errno_t err, const char *pos)
{
    char c = pos >= r->feed_at && pos < r->feed_end ? *pos : '\0';
    if (r->refusal) return r->refusal; /* our own; llhttp gives the error of the callback that refused */
    if (r->phase == PHASE_BODY) return body_refusal(r, err);
    switch (err) {
    case HPE_INVALID_METHOD:
        return ascii_is_token_char(c) ? REFUSAL_METHOD : REFUSAL_REQUEST_LINE;
    case HPE_INVALID_URL:
        return REFUSAL_TARGET_SYNTAX;
    case HPE_INVALID_VERSION:
        return r->version_seen ? start_line_refusal(r) : REFUSAL_VERSION;
    case HPE_PAUSED_H2_UPGRADE:
        return REFUSAL_VERSION;
    case HPE_INVALID_HEADER_TOKEN:
        return field_refusal(r, pos, c);
    case HPE_UNEXPECTED_SPACE:
        return REFUSAL_OBS_FOLD;
    case HPE_STRICT:
    case HPE_LF_EXPECTED:
        return REFUSAL_BARE_CR;
    case HPE_CR_EXPECTED:
        return REFUSAL_BARE_LF;
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return REFUSAL_CONTENT_LENGTH;
    case HPE_INVALID_CONTENT_LENGTH:
        return framing_refusal(r, F_TRANSFER_ENCODING, REFUSAL_CONTENT_LENGTH);
    case HPE_INVALID_TRANSFER_ENCODING:
        return framing_refusal(r, F_CONTENT_LENGTH, REFUSAL_TRANSFER_ENCODING);
    default: /* INVALID_CONSTANT, INVALID_STATUS, and what later versions may add */
        return start_line_refusal(r);
    }
}
