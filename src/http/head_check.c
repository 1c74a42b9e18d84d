/* SPDX-License-Identifier: Apache-2.0 */
#include "reader_priv.h"

#include <string.h>

/* What llhttp accepts and a proxy may not (facts: libraries.md section 2), judged on the finished head before anything
 * of it is acted on. Framing is worked out here from the fields and must agree with what llhttp made of them. */

enum { CONNECTION_OPTIONS_MAX = 32 };

struct seen {
    size_t hosts, lengths, codings, connections;
    slice host, length, coding;
    slice expect, upgrade;
};

/* method SP target SP HTTP/1.x CRLF, to the byte: llhttp takes several blanks, RTSP and ICE, and a line without
 * version. */
static enum http_refusal request_line_check(struct http_reader *r)
{
    const struct head_text *t = &r->text;
    slice text = {t->at, t->len};
    size_t method = slice_find(text, ' ');
    size_t end = t->target.to;
    static const char version[] = " HTTP/1.x\r\n"; /* x: checked when it was seen */
    if (!r->version_seen) return REFUSAL_VERSION;  /* HTTP/0.9 */
    if (t->target.from != method + 1 || t->len - end < sizeof version - 1) return REFUSAL_REQUEST_LINE;
    if (memcmp(t->at + end, version, 8) != 0 || memcmp(t->at + end + 9, version + 9, 2) != 0)
        return REFUSAL_REQUEST_LINE;
    size_t begin = end + sizeof version - 1;
    if (t->count ? t->marks[0].name.from != begin : t->len != begin + 2) return REFUSAL_REQUEST_LINE;
    r->head.method = slice_range(text, 0, method);
    r->head.is_head_method = r->parser.method == HTTP_METHOD_HEAD;
    return REFUSAL_NONE;
}

/* The status line ends in CRLF (llhttp before 9.4.2 was loose) and its phrase has no control bytes, which llhttp lets
 * pass. RFC 9110 15: "three-digit integer code"; a first digit of 0 has no class. */
static enum http_refusal status_line_check(struct http_reader *r)
{
    const struct head_text *t = &r->text;
    slice text = {t->at, t->len};
    size_t lf = slice_find(text, '\n');
    if (lf == 0 || lf == text.len || slice_find(text, '\r') != lf - 1) return REFUSAL_ANSWER_STATUS;
    if (t->count ? t->marks[0].name.from != lf + 1 : t->len != lf + 3) return REFUSAL_ANSWER_STATUS;
    r->head.reason = span_slice(t, t->reason);
    for (size_t i = 0; i < r->head.reason.len; i++) {
        unsigned char c = (unsigned char)r->head.reason.at[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) return REFUSAL_ANSWER_STATUS;
    }
    r->head.status = r->parser.status_code;
    if (r->head.status < 100) return REFUSAL_ANSWER_STATUS;
    return r->head.status == 101 ? REFUSAL_ANSWER_UPGRADE : REFUSAL_NONE;
}

/* Whether the field goes on to the other side; what does not is noted. */
static bool sort_field(const struct http_reader *r, const struct http_field *f, struct seen *seen,
                       enum http_refusal *why)
{
    bool request = r->side == HTTP_REQUESTS;
    switch (known_field(f->name)) {
    case KNOWN_NONE:
        return true;
    case KNOWN_HOST:
        seen->hosts++;
        seen->host = f->value;
        return !request;
    case KNOWN_CONNECTION:
        seen->connections++;
        return false;
    case KNOWN_CONTENT_LENGTH:
        seen->lengths++;
        seen->length = f->value;
        return false;
    case KNOWN_TRANSFER_ENCODING:
        seen->codings++;
        seen->coding = f->value;
        return false;
    case KNOWN_EXPECT:
        if (!slice_ieq(f->value, SLICE("100-continue")))
            seen->expect = SLICE("other");
        else if (!seen->expect.at)
            seen->expect = f->value;
        return false;
    case KNOWN_UPGRADE:
        if (!slice_ieq(f->value, SLICE("h2c"))) seen->upgrade = f->value;
        return false;
    case KNOWN_HOP:
        return false;
    case KNOWN_TWIN:
        if (request) *why = REFUSAL_FIELD_UNDERSCORE;
        return false; /* from an answer it is only dropped: refusing would hide what became of a payment */
    }
    return true;
}

static enum http_refusal sort_fields(struct http_reader *r, struct seen *seen)
{
    const struct head_text *t = &r->text;
    struct http_head *h = &r->head;
    enum http_refusal why = REFUSAL_NONE;
    if (t->count == 0) return REFUSAL_NONE;
    h->fields = pool_alloc(r->pool, t->count * sizeof *h->fields);
    if (!h->fields) return REFUSAL_MEMORY;
    for (size_t i = 0; i < t->count && !why; i++) {
        struct http_field *f = &h->fields[h->field_count];
        f->name = span_slice(t, t->marks[i].name);
        f->value = slice_trim(span_slice(t, t->marks[i].value));
        if (sort_field(r, f, seen, &why)) h->field_count++;
    }
    return why;
}

/* Fields for all recipients. Dropping one of them would change what the message means to the next server. */
static bool is_end_to_end(slice name)
{
    static const slice names[] = {
        {"host", 4},      {"transfer-encoding", 17}, {"authorization", 13},
        {"x-api-key", 9}, {"cache-control", 13},     {"cookie", 6},
        {"expect", 6},    {"set-cookie", 10},
    };
    if (name.len > 8 && slice_ieq(slice_range(name, 0, 8), SLICE("content-"))) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_ieq(name, names[i])) return true;
    return false;
}

static void drop_fields(struct http_head *h, slice name)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->field_count; i++)
        if (!slice_ieq(h->fields[i].name, name)) h->fields[kept++] = h->fields[i];
    h->field_count = kept;
}

/* RFC 9110 7.6.1: "Intermediaries MUST parse a received Connection header field before a message is forwarded and, for
 * each connection-option in this field, remove any header or trailer field(s) from the message with the same name". */
static enum http_refusal connection_check(struct http_reader *r, const struct seen *seen)
{
    const struct head_text *t = &r->text;
    struct http_head *h = &r->head;
    bool close = false, keep = false;
    size_t options = 0;
    for (size_t i = 0; i < t->count && seen->connections > 0; i++) {
        if (known_field(span_slice(t, t->marks[i].name)) != KNOWN_CONNECTION) continue;
        slice rest = span_slice(t, t->marks[i].value), option;
        while (slice_next(&rest, ',', &option)) {
            option = slice_trim(option);
            if (option.len == 0) continue;
            if (++options > CONNECTION_OPTIONS_MAX) return REFUSAL_CONNECTION_OPTION;
            if (slice_ieq(option, SLICE("close"))) {
                close = true;
            } else if (slice_ieq(option, SLICE("keep-alive"))) {
                keep = true;
            } else if (!is_end_to_end(option)) {
                drop_fields(h, option);
            } else if (r->side == HTTP_REQUESTS) {
                return REFUSAL_CONNECTION_OPTION;
            }
        }
    }
    h->keep_alive = !close && (h->minor == 1 || keep); /* RFC 9112 9.3 */
    return REFUSAL_NONE;
}

static enum http_refusal coding_check(struct http_reader *r, const struct seen *seen)
{
    bool answer = r->side == HTTP_ANSWERS;
    if (seen->lengths) return REFUSAL_TE_AND_LENGTH;
    /* RFC 9112 6.1: "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header field
     * MUST treat the message as if the framing is faulty". */
    if (r->head.minor == 0) return answer ? REFUSAL_ANSWER_TE : REFUSAL_TE_ON_1_0;
    if (seen->codings == 1 && slice_ieq(seen->coding, SLICE("chunked")) && (r->parser.flags & F_CHUNKED)) {
        r->head.framing = HTTP_CHUNKED;
        return REFUSAL_NONE;
    }
    return answer ? REFUSAL_ANSWER_TE : REFUSAL_TRANSFER_ENCODING;
}

static enum http_refusal length_check(struct http_reader *r, const struct seen *seen)
{
    if (seen->lengths > 1 || !slice_to_u64(seen->length, UINT64_MAX, &r->head.length)) return REFUSAL_CONTENT_LENGTH;
    /* The parser's own reading of the number; a body that it has begun to count by it is refused if they differ. */
    if (r->head.length != r->parser.content_length) return REFUSAL_CONTENT_LENGTH;
    r->head.framing = HTTP_LENGTH;
    return REFUSAL_NONE;
}

/* The framing fields of an answer that has no body. RFC 9110 8.6 and RFC 9112 6.1 forbid them with 1xx and 204. On a
 * 1xx they are refused, since the final answer must follow at once; on a 204 they are ignored as RFC 9112 6.3 says, but
 * the connection is not used again if they announce anything. */
static enum http_refusal bodiless_check(struct http_reader *r, const struct seen *seen)
{
    struct http_head *h = &r->head;
    bool announced = seen->codings > 0 || (seen->lengths && h->length > 0);
    h->framing = HTTP_NO_BODY;
    h->length_told = seen->lengths && h->status >= 200 && h->status != 204;
    if (announced && h->status < 200) return REFUSAL_ANSWER_INTERIM_BODY;
    if (announced && h->status == 204) h->keep_alive = false;
    return REFUSAL_NONE;
}

static enum http_refusal framing_check(struct http_reader *r, const struct seen *seen)
{
    enum http_refusal why = REFUSAL_NONE;
    bool bodiless = is_bodiless_answer(r);
    if (seen->codings)
        why = coding_check(r, seen);
    else if (seen->lengths)
        why = length_check(r, seen);
    else if (r->side == HTTP_ANSWERS && !bodiless)
        r->head.framing = HTTP_UNTIL_CLOSE;
    if (why) return why;
    if (r->head.framing == HTTP_UNTIL_CLOSE) r->head.keep_alive = false;
    return bodiless ? bodiless_check(r, seen) : REFUSAL_NONE;
}

static enum http_refusal host_check(struct http_reader *r, const struct seen *seen)
{
    if (seen->hosts > 1) return REFUSAL_HOST_MANY;
    if (seen->host.len == 0) return REFUSAL_HOST_MISSING;
    if (!host_is_valid(seen->host)) return REFUSAL_HOST_BAD;
    r->head.authority = seen->host;
    return REFUSAL_NONE;
}

static enum http_refusal request_check(struct http_reader *r, const struct seen *seen)
{
    struct http_head *h = &r->head;
    slice target = span_slice(&r->text, r->text.target);
    if (r->parser.method == HTTP_CONNECT) return seen->hosts > 1 ? REFUSAL_HOST_MANY : connect_check(r, target, seen->host);
    enum http_refusal why = host_check(r, seen);
    if (!why) why = target_check(r, target);
    if (why) return why;
    if (seen->upgrade.at) return REFUSAL_UPGRADE;
    if (seen->expect.at && !slice_ieq(seen->expect, SLICE("100-continue"))) return REFUSAL_EXPECT;
    /* RFC 9110 10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore that
     * expectation", and may when the framing says there is no content. */
    bool content = h->framing == HTTP_CHUNKED || (h->framing == HTTP_LENGTH && h->length > 0);
    h->expects_continue = seen->expect.at && h->minor == 1 && content;
    return REFUSAL_NONE;
}

enum http_refusal head_check(struct http_reader *r)
{
    struct seen seen = {0};
    bool answer = r->side == HTTP_ANSWERS;
    r->head.is_answer = answer; /* all else is zero since the last message was forgotten */
    r->head.minor = r->parser.http_minor;
    enum http_refusal why = answer ? status_line_check(r) : request_line_check(r);
    if (!why) why = sort_fields(r, &seen);
    if (!why) why = connection_check(r, &seen);
    if (!why) why = framing_check(r, &seen);
    if (!why && !answer) why = request_check(r, &seen);
    return why;
}
