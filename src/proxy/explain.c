/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/explain.h"

#include "exchange_priv.h"
#include "http/reader.h"

#include <stdlib.h>
#include <string.h>

enum { REQUEST_MAX_BYTES = 64 * 1024 * 1024 };

struct explanation {
    struct proxy proxy; /* only its scratch buffer and gate are used */
    struct exchange exchange;
    struct http_reader *reader;
    struct buf normal; /* the request with proper line ends and framing */
    struct buf body;   /* its body alone */
    struct buf out;
};

/* --- a request typed by hand becomes a proper one --- */

static size_t head_end(slice request, size_t *gap)
{
    size_t crlf = slice_find_slice(request, SLICE("\r\n\r\n")), lf = slice_find_slice(request, SLICE("\n\n"));
    *gap = crlf < lf ? 4 : 2;
    if (crlf == request.len && lf == request.len) *gap = 0;
    return crlf < lf ? crlf : lf;
}

static bool line_names(slice line, slice name)
{
    size_t colon = slice_find(line, ':');
    return colon < line.len && slice_ieq(slice_range(line, 0, colon), name);
}

static result normalise(slice request, struct buf *out)
{
    size_t gap, end = head_end(request, &gap);
    slice head = slice_range(request, 0, end), body = slice_after(request, end + gap), line;
    bool has_host = false, has_framing = false;
    while (slice_next(&head, '\n', &line)) {
        if (slice_ends(line, SLICE("\r"))) line.len--;
        if (line.len == 0) continue;
        has_host = has_host || line_names(line, SLICE("host"));
        has_framing = has_framing || line_names(line, SLICE("content-length")) ||
                      line_names(line, SLICE("transfer-encoding"));
        TRY(buf_append(out, line));
        TRY(buf_append(out, SLICE("\r\n")));
    }
    if (!has_host) TRY(buf_append(out, SLICE("host: cardveil\r\n")));
    if (!has_framing && body.len) {
        TRY(buf_append(out, SLICE("content-length: ")));
        TRY(buf_append_u64(out, body.len));
        TRY(buf_append(out, SLICE("\r\n")));
    }
    TRY(buf_append(out, SLICE("\r\n")));
    return buf_append(out, body);
}

/* --- stand-ins --- */

static void set_text(char *at, uint8_t *len, const char *text)
{
    *len = (uint8_t)strlen(text);
    memcpy(at, text, *len);
}

static void stand_in(struct credential *c, enum credential_kind kind)
{
    *c = (struct credential){.kind = kind, .month = 12, .year = 2030};
    set_text(c->number, &c->number_len, kind == CREDENTIAL_PAN ? "411111******1111" : "489537******0000");
    set_text(c->holder, &c->holder_len, "CARD HOLDER");
    set_text(c->cvc, &c->cvc_len, "***");
    if (kind == CREDENTIAL_PAN) return;
    set_text(c->cryptogram, &c->cryptogram_len, "****************************");
    set_text(c->eci, &c->eci_len, "05");
    set_text(c->requestor, &c->requestor_len, "***********");
}

static void on_token(void *owner, uint32_t index)
{
    (void)owner;
    (void)index;
}

static result fill_credentials(struct exchange *x, enum credential_kind kind)
{
    struct credential c;
    stand_in(&c, kind);
    for (uint32_t i = 0; i < token_table_count(x->tokens); i++) {
        TRY(credential_set_reserve(&x->credentials, i));
        TRY(credential_set_put(&x->credentials, i, &c));
    }
    return OK;
}

/* --- the run --- */

static const struct route *route_named(const struct gate *g, slice name)
{
    for (size_t i = 0; i < g->config->route_count; i++)
        if (slice_eq(g->routes[i].config->name, name)) return &g->routes[i];
    return NULL;
}

static result take_body(struct explanation *e, slice bytes)
{
    struct exchange *x = &e->exchange;
    TRY(buf_append(&e->body, bytes));
    return x->body ? body_feed(x->body, bytes) : OK;
}

static result take_head(struct explanation *e, const struct route *route)
{
    struct exchange *x = &e->exchange;
    x->head = http_reader_head(e->reader);
    slice prefix = route->config->prefix;
    /* A path as the processor knows it is as good as one with the route's prefix. */
    bool prefixed = gate_route(x->gate, x->head->path) == route;
    x->route = route;
    TRY(request_plan(x, prefixed ? prefix : SLICE("/")));
    x->streamed = false;
    return request_scan(x);
}

static result run(struct explanation *e, const struct route *route, slice bytes)
{
    struct exchange *x = &e->exchange;
    while (!x->body_complete) {
        size_t used = 0;
        enum http_step step = http_reader_feed(e->reader, bytes, &used);
        if (step == HTTP_HEAD) TRY(take_head(e, route));
        if (step == HTTP_BODY) TRY(take_body(e, http_reader_body(e->reader)));
        if (step == HTTP_END) x->body_complete = true;
        ENSURE(step != HTTP_REFUSED, USAGE);
        bytes = slice_after(bytes, used);
        ENSURE(step != HTTP_MORE || bytes.len, CLIENT_TIMEOUT);
    }
    return x->body ? body_end(x->body) : OK;
}

static result explain(struct explanation *e, slice route_name, slice request, enum credential_kind kind)
{
    struct exchange *x = &e->exchange;
    const struct route *route = route_named(x->gate, route_name);
    struct http_limits limits = {.head_bytes = x->gate->config->head_bytes, .fields = x->gate->config->head_fields};
    ENSURE(route != NULL, NOT_FOUND);
    x->route = route;
    x->tokens = token_table_new(route->config->placeholders, on_token, NULL);
    e->reader = http_reader_new(HTTP_REQUESTS, &limits);
    ENSURE(x->tokens != NULL && e->reader != NULL, MEMORY);
    TRY(normalise(request, &e->normal));
    TRY(run(e, route, buf_slice(&e->normal)));
    TRY(fill_credentials(x, kind));
    return request_write_whole(x, &e->out);
}

result explain_request(struct config *config, slice route, slice request, enum credential_kind kind,
                       struct explanation **out)
{
    struct explanation *e = calloc(1, sizeof *e);
    *out = e;
    if (!e) {
        config_free(config);
        return FAIL(MEMORY);
    }
    buf_init_secret(&e->proxy.scratch, SCRATCH_MAX_BYTES);
    buf_init(&e->normal, REQUEST_MAX_BYTES);
    buf_init(&e->body, REQUEST_MAX_BYTES);
    buf_init(&e->out, SCRATCH_MAX_BYTES);
    e->exchange.magic = EXCHANGE_MAGIC;
    e->exchange.proxy = &e->proxy;
    result r = gate_new(NULL, NULL, config, &e->exchange.gate);
    return failed(r) ? r : explain(e, route, request, kind);
}

void explain_free(struct explanation *e)
{
    if (!e) return;
    exchange_done(&e->exchange);
    http_reader_free(e->reader);
    buf_done(&e->proxy.scratch);
    buf_done(&e->normal);
    buf_done(&e->body);
    buf_done(&e->out);
    free(e);
}

slice explain_text(const struct explanation *e)
{
    return buf_slice(&e->out);
}

const struct config_route *explain_route(const struct explanation *e)
{
    return e->exchange.route ? e->exchange.route->config : NULL;
}

size_t explain_slot_count(const struct explanation *e)
{
    return e->exchange.body ? body_slot_count(e->exchange.body) : 0;
}

struct explain_slot explain_slot_at(const struct explanation *e, size_t i)
{
    struct explain_slot s = {.place = "body"};
    const struct exchange *x = &e->exchange;
    if (!body_slot_info(x->body, (uint32_t)i, &s.info)) return s;
    if (s.info.token < token_table_count(x->tokens)) s.token = token_table_id(x->tokens, s.info.token);
    if (s.info.end <= e->body.len && x->coding == CODING_IDENTITY)
        s.placeholder = slice_range(buf_slice(&e->body), s.info.start, s.info.end);
    return s;
}

const struct body_fault *explain_fault(const struct explanation *e)
{
    return e->exchange.body ? body_fault(e->exchange.body) : NULL;
}

enum http_refusal explain_refusal(const struct explanation *e)
{
    return e->reader ? http_reader_refusal(e->reader) : REFUSAL_NONE;
}
