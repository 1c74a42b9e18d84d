/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/reply.h"

#include "http/writer.h"

struct reply reply_of_error(enum error e)
{
    return (struct reply){.status = error_status(e), .code = error_name(e), .text = error_text(e)};
}

/* These are only told when a request has left, and say so themselves. */
static bool is_of_answer(enum error e)
{
    return e >= ERR_UPSTREAM_TIMEOUT && e <= ERR_ANSWER_PARTIAL;
}

struct reply reply_of_unknown_outcome(enum error e)
{
    enum { BAD_GATEWAY = 502 };
    struct reply r = reply_of_error(e);
    r.outcome_unknown = true;
    if (is_of_answer(e)) return r;
    slice cause = slice_of(r.text); /* up to the semicolon; what to do, after it, is for a request that was not sent */
    r.description = slice_range(cause, 0, slice_find(cause, ';'));
    r.status = BAD_GATEWAY;
    r.text = "the request was sent and may have been acted upon, but the answer to it could not be passed on; ask the other side what "
             "was done before sending it once more";
    return r;
}

struct reply reply_of_refusal(enum http_refusal r)
{
    return (struct reply){
        .status = refusal_status(r), .code = refusal_name(r), .text = refusal_text(r), .description = slice_of(refusal_rfc(r))};
}

static result append_envelope(struct buf *out, const struct reply *r)
{
    struct failure f = {.code = r->code, .text = r->text, .description = r->description, .token = r->token};
    if (r->place.len) f.path = r->place;
    if (r->fault) {
        f.has_offset = true;
        f.is_of_answer = r->outcome_unknown;
        f.offset = r->fault->offset;
        f.path = slice_of(r->fault->path);
    }
    return envelope_append_failure(out, &f);
}

result reply_write_head(struct buf *out, int status, uint64_t request_id, bool from_processor)
{
    char id[REQUEST_ID_BYTES];
    request_id_text(request_id, id);
    TRY(http_write_status_line(out, status));
    TRY(http_write_field(out, SLICE("x-cardveil-request-id"), (slice){id, sizeof id}));
    return http_write_field(out, SLICE("x-cardveil-source"), from_processor ? SLICE("processor") : SLICE("proxy"));
}

result reply_write_length(struct buf *out, uint64_t length, bool keep_alive)
{
    TRY(http_write_field_u64(out, SLICE("content-length"), length));
    TRY(http_write_field(out, SLICE("connection"), keep_alive ? SLICE("keep-alive") : SLICE("close")));
    return http_write_end_of_head(out);
}

result reply_write_no_content(struct buf *out, bool keep_alive)
{
    TRY(http_write_field(out, SLICE("connection"), keep_alive ? SLICE("keep-alive") : SLICE("close")));
    return http_write_end_of_head(out);
}

result reply_write_status_fields(struct buf *out, int status, slice allow, slice challenge)
{
    switch (status) {
    case 401: /* RFC 9110 15.5.2: "MUST send a WWW-Authenticate header field" */
        return http_write_field(out, SLICE("www-authenticate"), challenge.len ? challenge : SLICE("ApiKey header=\"x-api-key\""));
    case 405: /* RFC 9110 15.5.6: "MUST generate an Allow header field" */
        return http_write_field(out, SLICE("allow"),
                                allow.len ? allow : SLICE("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    case 407: /* RFC 9110 15.5.8: "MUST send a Proxy-Authenticate header field" */
        return http_write_field(out, SLICE("proxy-authenticate"), SLICE("Basic realm=\"cardveil\""));
    case 429: return http_write_field(out, SLICE("retry-after"), SLICE("60"));
    case 503: return http_write_field(out, SLICE("retry-after"), SLICE("1"));
    default: return OK;
    }
}

static result write_compat(struct buf *out, const struct reply *r, uint64_t request_id)
{
    char id[REQUEST_ID_BYTES];
    request_id_text(request_id, id);
    TRY(http_write_field_u64(out, SLICE("x-cc-error-code"), (uint64_t)r->compat_code));
    TRY(http_write_field(out, SLICE("x-cc-error"), slice_of(r->text)));
    return http_write_field(out, SLICE("x-cc-proxy-action-id"), (slice){id, sizeof id});
}

static result write_with_body(struct buf *out, struct buf *body, const struct reply *r, uint64_t request_id,
                              bool keep_alive, bool without_body)
{
    if (!r->is_empty) TRY(append_envelope(body, r));
    TRY(reply_write_head(out, r->status, request_id, false));
    if (!r->is_empty) TRY(http_write_field(out, SLICE("content-type"), SLICE("application/json")));
    if (r->compat_code) TRY(write_compat(out, r, request_id));
    if (r->outcome_unknown) TRY(http_write_field(out, SLICE("x-cardveil-outcome"), SLICE("unknown")));
    if (r->pan_retry) TRY(http_write_field(out, SLICE("x-cardveil-pan-retry"), SLICE("1")));
    TRY(reply_write_status_fields(out, r->status, SLICE_NONE, r->challenge));
    TRY(reply_write_length(out, body->len, keep_alive));
    return without_body ? OK : buf_append(out, buf_slice(body));
}

result reply_write(struct buf *out, const struct reply *reply, uint64_t request_id, bool keep_alive, bool without_body)
{
    struct buf body;
    buf_init(&body, 8192);
    result r = write_with_body(out, &body, reply, request_id, keep_alive, without_body);
    buf_done(&body);
    return r;
}
