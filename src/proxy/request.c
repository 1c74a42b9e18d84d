/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "base/metrics.h"
#include "compat.h"
#include "http/writer.h"
#include "media.h"
#include "rules/url.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- what the route makes of this request --- */

/* A path that climbs ("..", also as %2e) could leave the route's prefix at the processor. */
static bool is_dots(slice segment)
{
    size_t dots = 0;
    while (segment.len) {
        if (segment.at[0] == '.') {
            segment = slice_after(segment, 1);
        } else if (segment.len >= 3 && slice_ieq(slice_range(segment, 0, 3), SLICE("%2e"))) {
            segment = slice_after(segment, 3);
        } else {
            return false;
        }
        dots++;
    }
    return dots == 1 || dots == 2;
}

/* Where a segment ends for any server that may stand behind: "/", "/" and "\" in their escapes, ";" before parameters. */
static size_t segment_end(slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.at[i] == '/' || path.at[i] == ';') return i;
        if (path.at[i] != '%' || path.len - i < 3) continue;
        slice escape = slice_range(path, i, i + 3);
        if (slice_ieq(escape, SLICE("%2f")) || slice_ieq(escape, SLICE("%5c"))) return i;
    }
    return path.len;
}

static bool has_dot_segments(slice path)
{
    size_t end;
    while ((end = segment_end(path)) < path.len) {
        if (is_dots(slice_range(path, 0, end))) return true;
        path = slice_after(path, end + (path.at[end] == '%' ? 3 : 1));
    }
    return is_dots(path);
}

static slice path_after_prefix(slice path, slice prefix)
{
    if (slice_is(prefix, "/")) return path;
    slice rest = slice_after(path, prefix.len);
    return rest.len ? rest : SLICE("/");
}

static result choose_plan(struct exchange *x)
{
    const struct ruleset *rules = x->route->config->rules;
    bool accepted = ruleset_accepts(rules, x->head->method, x->forwarded_path);
    bool is_captured = x->request_work == MESSAGE_CAPTURED;
    enum body_format format = media_type_format(media_type(x->head));
    ENSURE(accepted || rules->pass_other, ROUTE_NOT_ACCEPTED);
    if (x->request_work == MESSAGE_PASSES) return OK;
    /* 'body: text' has no places: what comes in by it is looked through as what it is. */
    if (!accepted || rules->any_body || (is_captured && rules->plan.format == BODY_TEXT)) {
        x->plan = is_captured ? &x->gate->finding[format] : &x->gate->plain[format];
        return OK;
    }
    bool may_be = format == rules->plan.format || rules->plan.format == BODY_TEXT;
    /* As the rules say: if it is nothing like that it is refused as such. But anything is a form. */
    if (format == BODY_UNTYPED && is_captured && rules->plan.format != BODY_FORM) may_be = true;
    ENSURE(x->head->framing == HTTP_NO_BODY || may_be, ROUTE_CONTENT_TYPE);
    x->plan = is_captured ? &rules->plan : &x->route->request_plan;
    return OK;
}

void request_tell_types(const struct exchange *x, struct reply *reply)
{
    enum { TYPE_MAX_BYTES = 100 };
    slice type = media_type(x->head);
    bool is_type = media_type_format(type) != BODY_OPAQUE || media_type_may_be_listed(type);
    bool is_one = http_head_count(x->head, "content-type") == 1;
    if (is_type && is_one && type.len <= TYPE_MAX_BYTES && !capture_finds(type)) reply->place = type;
    reply->description = slice_of(media_type_advice(x->route->config->rules->plan.format));
}

/* A body that goes on as it came, in the coding it came in. */
static void open_plain(struct exchange *x)
{
    buf_done(&x->plain_body);
    buf_init_secret(&x->plain_body, x->route->config->body_buffer_bytes);
}

static result open_body(struct exchange *x)
{
    const struct http_head *h = x->head;
    const struct config_route *route = x->route->config;
    if (x->request_work == MESSAGE_PASSES) open_plain(x);
    if (h->framing == HTTP_NO_BODY) return OK;
    bool over = h->framing == HTTP_LENGTH && h->length > route->body_buffer_bytes;
    ENSURE(!over || x->request_work == MESSAGE_REVEALS, BODY_TOO_LARGE);
    if (x->request_work == MESSAGE_PASSES) return OK;
    ENSURE(http_head_count(h, "content-type") <= 1, ROUTE_CONTENT_TYPE);
    ENSURE(http_head_count(h, "content-encoding") <= 1, CONTENT_CODING);
    TRY(content_coding_parse(http_head_get(h, "content-encoding"), &x->coding));
    if (x->request_work == MESSAGE_CAPTURED) return OK; /* capture_open_request() */
    bool may_stream = route->stream && route->rules->sign.kind == SIGN_NONE; /* a signature stands before the body it is over */
    ENSURE(!over || may_stream, BODY_TOO_LARGE);
    x->streamed = may_stream && (over || h->framing == HTTP_CHUNKED || x->coding != CODING_IDENTITY);
    x->body = body_new(&(struct body_options){.plan = x->plan,
                                              .coding = x->coding,
                                              .max_held_bytes = route->body_buffer_bytes,
                                              .expected_bytes = h->framing == HTTP_LENGTH ? h->length : 0,
                                              .streamed = x->streamed,
                                              .charset = media_parameter(h, "charset"),
                                              .boundary = media_parameter(h, "boundary")},
                       x->tokens);
    ENSURE(x->body != NULL, MEMORY);
    return OK;
}

result request_plan(struct exchange *x, slice prefix)
{
    ENSURE(!has_dot_segments(x->head->path), ROUTE_NOT_ACCEPTED);
    x->forwarded_path = x->called ? x->called_path : path_after_prefix(x->head->path, prefix);
    ENSURE(!has_dot_segments(x->forwarded_path), ROUTE_NOT_ACCEPTED);
    TRY(compat_take_path(x, &x->forwarded_path));
    if (x->route->config->target_header) {
        TRY(target_read(x, x->forwarded_path, &x->forwarded_path));
        ENSURE(!has_dot_segments(x->forwarded_path), ROUTE_NOT_ACCEPTED);
    }
    x->request_work = config_route_request_work(x->route->config);
    x->answer_work = config_route_answer_work(x->route->config);
    TRY(choose_plan(x));
    if (x->is_upstream_itself && x->route->config->upstream.path.len) x->forwarded_path = SLICE("");
    TRY(open_body(x));
    return x->request_work == MESSAGE_CAPTURED ? capture_open_request(x) : OK;
}

/* --- placeholders outside the body --- */

static bool is_body_changed(const struct exchange *x)
{
    return (x->body && body_slot_count(x->body)) || (x->capture && capture_changes_body(x->capture));
}

/* Part of an answer may begin in the middle of a card number. */
static bool is_range(slice name)
{
    return slice_ieq(name, SLICE("range")) || slice_ieq(name, SLICE("if-range"));
}

static bool takes_whole_answer(const struct exchange *x)
{
    return x->answer_work != MESSAGE_PASSES || x->has_envelope;
}

static bool is_named_for_destination(const struct exchange *x, size_t field)
{
    return x->own_fields && field >= x->own_fields;
}

/* Fields that are for us alone, or that we write ourselves. */
bool request_withholds(const struct exchange *x, size_t field)
{
    slice name = x->head->fields[field].name;
    if (signing_withholds(&x->route->config->rules->sign, name)) return true;
    switch (name.len) {
    case 4: if (slice_ieq(name, SLICE("host"))) return true; break;
    case 5:
    case 8: if (target_is_field(name) || (is_range(name) && takes_whole_answer(x))) return true; break;
    case 9: /* the caller's for us, unless he named one for the destination */
        if (slice_ieq(name, SLICE("x-api-key"))) return !is_named_for_destination(x, field);
        break;
    case 14: if (target_is_field(name) || slice_ieq(name, SLICE("ft-access-key"))) return true; break;
    case 19: if (slice_ieq(name, SLICE("proxy-authorization"))) return true; break;
    case 15: if (slice_ieq(name, SLICE("accept-encoding"))) return true; break;
    case 16: if (slice_ieq(name, SLICE("content-encoding"))) return x->coding != CODING_IDENTITY; break;
    default: break;
    }
    if (media_is_digest_field(name)) return is_body_changed(x);
    if (compat_is_field(x, name)) return true;
    return name.len > 11 && slice_ieq(slice_range(name, 0, 11), SLICE("x-cardveil-"));
}

static result scan(slice text, enum encoding encoding, struct exchange *x, struct snippet **out)
{
    if (!snippet_is_needed(text)) return OK;
    return snippet_new(text, encoding, x->tokens, out);
}

static result scan_field(struct exchange *x, size_t i)
{
    const struct http_field *f = &x->head->fields[i];
    if (!snippet_is_needed(f->value) || request_withholds(x, i)) return OK;
    if (!x->field_snippets) {
        x->field_snippets = calloc(x->head->field_count, sizeof(struct snippet *));
        ENSURE(x->field_snippets != NULL, MEMORY);
        x->field_snippet_count = x->head->field_count;
    }
    return snippet_new(f->value, ENCODING_FIELD_VALUE, x->tokens, &x->field_snippets[i]);
}

result request_scan(struct exchange *x)
{
    if (x->request_work == MESSAGE_PASSES) return OK;
    TRY(scan(x->forwarded_path, ENCODING_PATH, x, &x->path_snippet));
    if (exchange_query(x).at) TRY(scan(exchange_query(x), ENCODING_QUERY, x, &x->query_snippet));
    for (size_t i = 0; i < x->head->field_count; i++) TRY(scan_field(x, i));
    return OK;
}

/* --- writing it --- */

/* Renders a snippet or what was captured, or copies the text that it was made of. */
static result append_piece(struct exchange *x, const struct snippet *s, uint32_t captured, slice text, struct buf *out)
{
    if (captured) return capture_render_text(x->capture, captured, out);
    if (!s) return buf_append(out, text);
    return snippet_render(s, x->credentials.at, out);
}

result request_append_target(struct exchange *x, struct buf *out)
{
    TRY(buf_append(out, exchange_upstream(x)->path));
    TRY(append_piece(x, x->path_snippet, x->path_text, x->forwarded_path, out));
    if (!exchange_query(x).at) return OK;
    TRY(buf_append(out, SLICE("?")));
    return append_piece(x, x->query_snippet, x->query_text, exchange_query(x), out);
}

static result write_host(const struct upstream_url *u, struct buf *out)
{
    TRY(buf_append(out, SLICE("host: ")));
    TRY(url_write_host(u, out));
    return buf_append(out, SLICE("\r\n"));
}

/* A second attempt is another payment to the processor, so it has another key; but the same one each time the caller repeats his
 * request, so that repeating it makes no third. */
static bool is_idempotency_key(const struct exchange *x, slice name)
{
    slice key = x->route->config->rules->idempotency_field;
    return key.at && slice_ieq(name, key);
}

static result write_fields(struct exchange *x, struct buf *out)
{
    struct buf *scratch = &x->proxy->scratch;
    for (size_t i = 0; i < x->head->field_count; i++) {
        const struct http_field *f = &x->head->fields[i];
        if (request_withholds(x, i)) continue;
        const struct snippet *s = x->field_snippets ? x->field_snippets[i] : NULL;
        uint32_t captured = x->field_texts ? x->field_texts[i] : 0;
        bool gets_suffix = x->attempt && is_idempotency_key(x, f->name);
        if (!s && !captured && !gets_suffix) {
            TRY(http_write_field(out, f->name, f->value));
            continue;
        }
        size_t before = scratch->len;
        TRY(append_piece(x, s, captured, f->value, scratch));
        if (gets_suffix) TRY(buf_append(scratch, SLICE("-pan")));
        TRY(http_write_field(out, f->name, slice_after(buf_slice(scratch), before)));
    }
    return OK;
}

static result write_target_line(struct exchange *x, struct buf *out)
{
    struct buf *scratch = &x->proxy->scratch;
    size_t before = scratch->len;
    TRY(request_append_target(x, scratch));
    return http_write_request_line(out, x->head->method, slice_after(buf_slice(scratch), before));
}

result request_write_head(struct exchange *x, struct buf *out, bool has_body, bool chunked, uint64_t length)
{
    TRY(write_target_line(x, out));
    TRY(write_host(exchange_upstream(x), out));
    TRY(write_fields(x, out));
    if (x->signing) TRY(signing_write_fields(x->signing, out));
    if (config_route_is_push(x->route->config)) TRY(matches_write_fields(x, out, true));
    /* An answer that we cannot read cannot be checked for what must not come back. */
    TRY(http_write_field(out, SLICE("accept-encoding"), SLICE("identity")));
    if (chunked) {
        TRY(http_write_field(out, SLICE("transfer-encoding"), SLICE("chunked")));
    } else if (has_body) {
        TRY(http_write_field_u64(out, SLICE("content-length"), length));
    }
    return http_write_end_of_head(out);
}

static result render_body(struct exchange *x, struct buf *out)
{
    switch (x->request_work) {
    case MESSAGE_PASSES: return buf_append(out, buf_slice(&x->plain_body));
    case MESSAGE_CAPTURED: return capture_render_body(x->capture, out);
    case MESSAGE_REVEALS: break;
    }
    return body_render(x->body, x->credentials.at, out);
}

/* The body first, into the scratch buffer, because its length stands in the head. */
static result write_whole(struct exchange *x, struct buf *out)
{
    struct buf *scratch = &x->proxy->scratch;
    if (x->head->framing == HTTP_NO_BODY) return request_write_head(x, out, false, false, 0);
    TRY(render_body(x, scratch));
    size_t length = scratch->len;
    TRY(request_write_head(x, out, true, false, length));
    return buf_append(out, slice_range(buf_slice(scratch), 0, length));
}

result request_write_whole(struct exchange *x, struct buf *out)
{
    result r = write_whole(x, out);
    buf_clear(&x->proxy->scratch);
    return r;
}

/* --- sending it --- */

bool request_may_have_left(const struct exchange *x)
{
    bool is_under_way = x->upstream && link_sent_total(upstream_link(x->upstream)) > x->sent_before;
    return is_under_way || x->request != REQUEST_UNSENT || x->answer != ANSWER_NONE;
}

static void note_progress(struct exchange *x)
{
    struct link *l = upstream_link(x->upstream);
    bool some = link_sent_total(l) > x->sent_before; /* a dead link drops its output: nothing unsent, nothing sent */
    bool all = some && link_unsent(l) == 0 && (!x->streamed || x->stream_ended);
    if (some && x->request == REQUEST_UNSENT) x->request = REQUEST_PARTLY_SENT;
    if (all) x->request = REQUEST_SENT;
    /* Before the first byte is out nothing may be forgotten: the attempt can be made again on another connection. */
    if (x->request == REQUEST_UNSENT || x->streamed) return;
    credential_set_forget(&x->credentials);
    capture_done(x);
}

static void use_upstream(struct exchange *x, struct upstream *u)
{
    const struct config_route *route = x->route->config;
    struct link *l = upstream_link(u);
    x->upstream = u;
    x->sent_before = link_sent_total(l);
    x->sent_us = loop_now_us(x->proxy->loop);
    link_set_owner(l, answer_on_upstream, x);
    http_reader_expect_head_answer(upstream_reader(u), x->is_head_method);
    exchange_to(x, EXCHANGE_REPLY);
    if (x->streamed) {
        result r = request_write_head(x, link_output(l), true, true, 0);
        buf_clear(&x->proxy->scratch);
        if (failed(r)) {
            exchange_refuse(x, r.err);
            return;
        }
        link_set_deadline(l, route->whole_ms);
        request_stream(x);
        return;
    }
    result r = request_write_whole(x, link_output(l));
    if (failed(r)) {
        exchange_refuse(x, r.err); /* drops the connection: nothing of it was flushed */
        return;
    }
    link_flush(l);
    note_progress(x);
    link_set_deadline(l, x->request == REQUEST_SENT ? route->first_byte_ms : route->whole_ms);
}

static void on_connected(void *owner, result r, struct upstream *u)
{
    struct exchange *x = owner;
    assert(x->magic == EXCHANGE_MAGIC);
    x->wish = NULL;
    if (failed(r)) {
        exchange_refuse(x, r.err);
        return;
    }
    if (!link_is_alive(upstream_link(u))) {
        upstream_drop(u);
        request_send(x);
        return;
    }
    use_upstream(x, u);
}

void request_send(struct exchange *x)
{
    if (x->tries++ == CONNECT_TRIES) {
        exchange_refuse(x, ERR_UPSTREAM_CONNECT);
        return;
    }
    if (!x->client) { /* nothing was sent, and nobody waits for it */
        exchange_abort(x, ERR_CLIENT_GONE);
        return;
    }
    /* A second attempt has a connection of its own: the one that was just given back may be closing, and a payment that is sent
     * into it has an outcome that nobody knows. */
    struct upstream_pool *pool;
    result r = target_take_pool(x, &pool);
    if (failed(r)) {
        exchange_refuse(x, r.err);
        return;
    }
    struct upstream *u = x->attempt ? NULL : upstream_take_idle(pool);
    if (u) {
        use_upstream(x, u);
        return;
    }
    x->wish = upstream_connect(pool, on_connected, x);
    if (!x->wish) exchange_refuse(x, ERR_MEMORY);
}

/* --- a streamed body --- */

static result drain(struct exchange *x, struct buf *out, bool *done)
{
    struct buf *scratch = &x->proxy->scratch;
    result r = body_drain(x->body, x->credentials.at, scratch, done);
    if (!failed(r)) r = http_write_chunk(out, buf_slice(scratch));
    if (!failed(r) && *done) r = http_write_last_chunk(out);
    buf_clear(scratch);
    return r;
}

static result stream_more(struct exchange *x, struct link *l)
{
    if (x->stream_ended || (body_held_bytes(x->body) == 0 && !x->body_complete)) return OK;
    TRY(drain(x, link_output(l), &x->stream_ended));
    link_flush(l);
    if (x->stream_ended) credential_set_forget(&x->credentials);
    return OK;
}

void request_stream(struct exchange *x)
{
    if (!x->upstream || x->request == REQUEST_SENT || x->answer >= ANSWER_COLLECTED) return;
    struct link *l = upstream_link(x->upstream);
    result r = stream_more(x, l);
    if (failed(r)) {
        exchange_refuse(x, r.err); /* cuts the connection inside a chunked body: the processor sees no whole request */
        return;
    }
    note_progress(x);
    if (x->request == REQUEST_SENT) link_set_deadline(l, x->route->config->first_byte_ms);
    if (!x->body_complete && exchange_takes_body(x) && x->client) client_pump_later(x->client);
}

void request_progress(struct exchange *x)
{
    if (x->streamed) {
        request_stream(x);
        return;
    }
    if (x->request == REQUEST_SENT) return;
    note_progress(x);
    if (x->request == REQUEST_SENT && x->answer == ANSWER_NONE)
        link_set_deadline(upstream_link(x->upstream), x->route->config->first_byte_ms);
}

/* A compressed byte may become a thousand: a streamed body of that kind is taken in small pieces, so that what is held is looked at
 * in between. */
size_t exchange_piece_bytes(const struct exchange *x)
{
    enum { COMPRESSED_PIECE_BYTES = 256 };
    return x->streamed && x->coding != CODING_IDENTITY ? COMPRESSED_PIECE_BYTES : SIZE_MAX;
}
