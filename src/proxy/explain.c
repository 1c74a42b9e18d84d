/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/explain.h"

#include "body/path_match.h"
#include "exchange_priv.h"
#include "http/reader.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_MAX_BYTES = 64 * 1024 * 1024, NAME_BYTES = 128 };

static const char PAN_STAND_IN[] = "411111******1111", NETWORK_TOKEN_STAND_IN[] = "489537******0000";

struct explanation {
    struct proxy proxy; /* only its scratch buffer and gate are used */
    struct exchange exchange;
    struct http_reader *reader;
    enum credential_kind kind;
    struct buf normal; /* the request with proper line ends and framing */
    struct buf body;   /* its body alone */
    struct buf out;    /* as it would go out */
    struct buf masked; /* the same, as it may be shown */
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

/* Who initiated the payment: the caller's field says, or the place that the rules name. */
static bool is_merchant_initiated(const struct exchange *x)
{
    slice said = http_head_get(x->head, "x-cardveil-initiator");
    if (said.at) return slice_ieq(said, SLICE("merchant"));
    return x->body && ruleset_means_merchant(x->route->config->rules, body_captured(x->body));
}

/* A Visa card. A payment by the merchant carries an earlier one's id, and where the rules say so, no cryptogram. */
static void stand_in(const struct exchange *x, struct credential *c, enum credential_kind kind)
{
    bool by_merchant = is_merchant_initiated(x);
    *c = (struct credential){.kind = kind, .brand = BRAND_VISA, .month = 12, .year = 2030};
    memcpy(c->card_last4, "1111", sizeof c->card_last4);
    if (by_merchant) set_text(c->network_transaction_id, &c->network_transaction_id_len, "***************");
    set_text(c->number, &c->number_len, kind == CREDENTIAL_PAN ? PAN_STAND_IN : NETWORK_TOKEN_STAND_IN);
    set_text(c->holder, &c->holder_len, "CARD HOLDER");
    set_text(c->cvc, &c->cvc_len, "***");
    if (kind == CREDENTIAL_PAN) return;
    set_text(c->requestor, &c->requestor_len, "***********");
    if (by_merchant && x->route->config->rules->network_token_mit_without_cryptogram) return;
    set_text(c->cryptogram, &c->cryptogram_len, "****************************");
    set_text(c->eci, &c->eci_len, "05");
}

static void on_token(void *owner, uint32_t index)
{
    (void)owner;
    (void)index;
}

static result fill_credentials(struct exchange *x, enum credential_kind kind)
{
    struct credential c;
    stand_in(x, &c, kind);
    for (uint32_t i = 0; i < token_table_count(x->tokens); i++) {
        TRY(credential_set_reserve(&x->credentials, i));
        TRY(credential_set_put(&x->credentials, i, &c));
    }
    return OK;
}

/* --- masking: what the caller wrote in clear may be a card number, a CVC or a credential too --- */

struct mask {
    const struct plan *plan; /* NULL: no rules name anything */
    struct buf *out;
    bool in_body;
    bool has_edits;          /* what stands where the rules set something is ours, and masked already */
    const struct sign_rule *sign;
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Letters and digits in lower case, so that security_code, securityCode and %24CVC are known. False: too long to tell. */
static bool flatten(slice name, char flat[NAME_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (c == '%' && i + 2 < name.len && hex_value(name.at[i + 1]) >= 0 && hex_value(name.at[i + 2]) >= 0) {
            c = (char)(hex_value(name.at[i + 1]) * 16 + hex_value(name.at[i + 2]));
            i += 2;
        }
        if (!isalnum((unsigned char)c)) continue;
        if (n + 1 == NAME_BYTES) return false;
        flat[n++] = (char)tolower((unsigned char)c);
    }
    flat[n] = '\0';
    return true;
}

static bool rules_name_cvc(const struct plan *plan, const char *flat)
{
    char last[NAME_BYTES];
    for (size_t i = 0; plan && i < plan->field_count; i++) {
        if (plan->fields[i].element != ELEMENT_CVC) continue;
        slice path = path_set_text(plan->paths, plan->fields[i].path);
        while (slice_find(path, '.') < path.len) path = slice_after(path, slice_find(path, '.') + 1);
        if (flatten(path, last) && strcmp(last, flat) == 0) return true;
    }
    return false;
}

/* Does a path of the rules lead through a member of this name, or (with <at_end>) to it? */
static bool is_on_path(const struct plan *plan, uint32_t path, const char *flat, bool at_end)
{
    char known[NAME_BYTES];
    uint16_t node = path_set_end(plan->paths, path);
    for (bool is_end = true;; is_end = false) {
        const struct path_node *n = path_set_node(plan->paths, node);
        if (n->edge == PATH_EDGE_ROOT) return false;
        if ((at_end || !is_end) && n->edge == PATH_EDGE_NAME && flatten(n->name, known) && strcmp(known, flat) == 0) return true;
        node = n->parent;
    }
}

/* tokenizedCard and authorizationOptions hold no secret for what they are called: the rules know what stands there. */
static bool rules_know_name(const struct mask *m, const char *flat)
{
    const struct plan *plan = m->plan;
    if (!plan || !m->in_body) return false;
    for (size_t i = 0; i < plan->field_count; i++)
        if (is_on_path(plan, plan->fields[i].path, flat, plan->fields[i].element != ELEMENT_CVC)) return true;
    for (size_t i = 0; i < plan->edit_count; i++)
        if (is_on_path(plan, plan->edits[i].path, flat, m->has_edits && !plan->edits[i].drop)) return true;
    return plan->has_capture && is_on_path(plan, plan->capture, flat, true);
}

static bool is_secret_name(const struct mask *m, slice name)
{
    static const char *const marks[] = {"authorization", "cookie", "secret",       "password", "token", "key",
                                        "cvc",           "cvv",    "securitycode", "csc"};
    char flat[NAME_BYTES];
    if (!flatten(name, flat)) return true;
    if (rules_name_cvc(m->plan, flat)) return true;
    if (rules_know_name(m, flat)) return false;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strstr(flat, marks[i])) return true;
    return false;
}

/* Stand-ins stay as they are: they show what was put where. */
static bool is_stand_in(slice value)
{
    size_t stars = 0;
    while (stars < value.len && value.at[stars] == '*') stars++;
    return stars == value.len || slice_is(value, PAN_STAND_IN) || slice_is(value, NETWORK_TOKEN_STAND_IN);
}

static result mask_value(struct mask *m, slice value, bool is_secret)
{
    return buf_append(m->out, is_secret && !is_stand_in(value) ? SLICE("***") : value);
}

/* name=value pairs: a form body, or a query. */
static result mask_pairs(struct mask *m, slice text)
{
    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        while (end < text.len && !strchr("&;", text.at[end])) end++;
        slice pair = slice_range(text, at, end), name = slice_range(pair, 0, slice_find(pair, '='));
        TRY(buf_append(m->out, name));
        if (name.len < pair.len) {
            TRY(buf_append(m->out, SLICE("=")));
            TRY(mask_value(m, slice_after(pair, name.len + 1), is_secret_name(m, name)));
        }
        if (end < text.len) TRY(buf_append(m->out, slice_range(text, end, end + 1)));
        at = end + (end < text.len);
    }
    return OK;
}

struct json_mask {
    struct mask *m;
    slice text;
    size_t at, depth, hidden; /* hidden: the depth of an object or array that a secret name holds; 0: none */
    bool is_secret;           /* the value that comes next */
};

static size_t string_end(slice text, size_t at)
{
    while (at < text.len && text.at[at] != '"') at += text.at[at] == '\\' && at + 1 < text.len ? 2 : 1;
    return at;
}

static result mask_json_string(struct json_mask *j)
{
    size_t start = j->at + 1, end = string_end(j->text, start), next = end + (end < j->text.len);
    slice inner = slice_range(j->text, start, end);
    j->at = next;
    while (next < j->text.len && isspace((unsigned char)j->text.at[next])) next++;
    bool is_name = next < j->text.len && j->text.at[next] == ':';
    TRY(buf_append(j->m->out, SLICE("\"")));
    TRY(mask_value(j->m, inner, !is_name && (j->is_secret || j->hidden)));
    j->is_secret = is_name && is_secret_name(j->m, inner);
    return end < j->text.len ? buf_append(j->m->out, SLICE("\"")) : OK;
}

static result mask_json_number(struct json_mask *j)
{
    size_t start = j->at;
    while (j->at < j->text.len && (isalnum((unsigned char)j->text.at[j->at]) || strchr("+-.", j->text.at[j->at]))) j->at++;
    return mask_value(j->m, slice_range(j->text, start, j->at), j->is_secret || j->hidden);
}

static void mask_json_mark(struct json_mask *j, char c)
{
    if (c == '{' || c == '[') {
        j->depth++;
        if (j->is_secret && !j->hidden) j->hidden = j->depth;
    }
    if (c == '}' || c == ']') {
        if (j->hidden == j->depth) j->hidden = 0;
        j->depth--;
    }
    if (strchr("{}[],", c)) j->is_secret = false;
}

/* The walker has passed this text: it is whole JSON. */
static result mask_json(struct mask *m, slice text)
{
    struct json_mask j = {.m = m, .text = text};
    while (j.at < text.len) {
        char c = text.at[j.at];
        if (c == '"') {
            TRY(mask_json_string(&j));
        } else if (c == '-' || isdigit((unsigned char)c)) {
            TRY(mask_json_number(&j));
        } else {
            mask_json_mark(&j, c);
            TRY(buf_append(m->out, slice_range(text, j.at, j.at + 1)));
            j.at++;
        }
    }
    return OK;
}

/* Made of a signature, or of stand-ins: nothing that would go out. Date and account are shown. */
static bool is_signature(const struct mask *m, slice name)
{
    bool is_plain = slice_ieq(name, SLICE("date")) || slice_ieq(name, SLICE("v-c-merchant-id"));
    return !is_plain && signing_withholds(m->sign, name);
}

static result mask_head(struct mask *m, slice head)
{
    slice line;
    if (!slice_next(&head, '\n', &line)) return OK;
    size_t query = slice_find(line, '?');
    TRY(buf_append(m->out, slice_range(line, 0, query)));
    if (query < line.len) {
        slice rest = slice_after(line, query + 1);
        size_t end = slice_find(rest, ' ');
        TRY(buf_append(m->out, SLICE("?")));
        TRY(mask_pairs(m, slice_range(rest, 0, end)));
        TRY(buf_append(m->out, slice_after(rest, end)));
    }
    TRY(buf_append(m->out, SLICE("\n")));
    while (slice_next(&head, '\n', &line)) {
        if (!head.at && line.len == 0) break; /* behind the last line's end */
        slice name = slice_range(line, 0, slice_find(line, ':'));
        if (name.len < line.len && (is_secret_name(m, name) || is_signature(m, name))) {
            TRY(buf_append(m->out, name));
            line = SLICE(": ***\r");
        }
        TRY(buf_append(m->out, line));
        TRY(buf_append(m->out, SLICE("\n")));
    }
    return OK;
}

/* The end of the longest Luhn-valid number that begins at <at>, digits with single blanks or dashes between; 0: none. */
static size_t pan_end(slice text, size_t at, size_t *digits)
{
    size_t end = 0;
    unsigned sums[2] = {0, 0}; /* the last digit is counted once: of two sums the one that began with the right parity */
    for (size_t n = 0, i = at; i < text.len && isdigit((unsigned char)text.at[i]) && n < PAN_MAX_DIGITS;) {
        unsigned d = (unsigned)(text.at[i] - '0'), twice = d > 4 ? d * 2 - 9 : d * 2;
        sums[n % 2] += d;
        sums[(n + 1) % 2] += twice;
        n++;
        i++;
        bool group_ends = i == text.len || !isdigit((unsigned char)text.at[i]);
        if (group_ends && n >= PAN_MIN_DIGITS && sums[(n - 1) % 2] % 10 == 0) {
            end = i;
            *digits = n;
        }
        if (group_ends && i < text.len && strchr(" -+", text.at[i])) i++; /* '+': a blank in a form */
        else if (group_ends && slice_starts(slice_after(text, i), SLICE("%20"))) i += 3;
    }
    return end;
}

static void mask_numbers(char *at, size_t len)
{
    slice text = {at, len};
    for (size_t i = 0; i < len; i++) {
        size_t digits = 0, seen = 0, end = 0;
        if (isdigit((unsigned char)at[i]) && (i == 0 || !isdigit((unsigned char)at[i - 1]))) end = pan_end(text, i, &digits);
        for (; i < end; i++) {
            if (at[i] == '%') i += 3;
            if (!isdigit((unsigned char)at[i])) continue;
            if (seen >= 6 && seen + 4 < digits) at[i] = '*';
            seen++;
        }
    }
}

static result mask_request(struct explanation *e)
{
    struct mask m = {.plan = e->exchange.plan, .out = &e->masked, .sign = &e->exchange.route->config->rules->sign};
    slice text = buf_slice(&e->out);
    size_t head = slice_find_slice(text, SLICE("\r\n\r\n")) + 2;
    ENSURE(head + 2 <= text.len, INTERNAL);
    TRY(mask_head(&m, slice_range(text, 0, head)));
    TRY(buf_append(m.out, SLICE("\r\n")));
    slice body = slice_after(text, head + 2);
    m.in_body = true;
    for (size_t i = 0; i < explain_slot_count(e) && !m.has_edits; i++) {
        struct explain_slot s = explain_slot_at(e, i);
        m.has_edits = s.applies && s.info.is_edit && !s.info.dropped;
    }
    size_t first = 0;
    while (first < body.len && isspace((unsigned char)body.at[first])) first++;
    bool is_json = first < body.len && strchr("{[\"", body.at[first]);
    TRY(is_json ? mask_json(&m, body) : mask_pairs(&m, body));
    mask_numbers(e->masked.at, e->masked.len);
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
    if (x->request_work == MESSAGE_CAPTURED) return capture_feed(x->capture, bytes);
    if (x->request_work == MESSAGE_PASSES) return buf_append(&x->plain_body, bytes);
    return x->body ? body_feed(x->body, bytes) : OK;
}

static result take_head(struct explanation *e, const struct route *route)
{
    struct exchange *x = &e->exchange;
    x->head = http_reader_head(e->reader);
    slice prefix = route->config->prefix;
    /* A path as the processor knows it is as good as one with the route's prefix. */
    bool prefixed = gate_route(x->gate, x->head->authority, x->head->path) == route;
    x->route = route;
    TRY(request_plan(x, prefixed ? prefix : SLICE("/")));
    x->streamed = false;
    return x->request_work == MESSAGE_CAPTURED ? capture_scan_request(x) : request_scan(x);
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
    if (x->request_work != MESSAGE_CAPTURED) return x->body ? body_end(x->body) : OK;
    TRY(capture_end(x->capture));
    return capture_show(x->capture);
}

/* As it would be signed, but over stand-ins and without a key: what it comes to is masked. */
static result sign(struct exchange *x)
{
    if (x->route->config->rules->sign.kind == SIGN_NONE) return OK;
    TRY(exchange_make_signing(x));
    return signing_needs_keeper(x->signing) ? signing_take(x->signing, SLICE("***")) : OK;
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
    TRY(sign(x));
    if (config_route_goes_on(route->config))
        TRY(request_write_whole(x, &e->out));
    else
        TRY(capture_write_answer(x, true, &e->out));
    return mask_request(e);
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
    buf_init(&e->masked, SCRATCH_MAX_BYTES);
    e->kind = kind;
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
    buf_done(&e->masked);
    free(e);
}

slice explain_text(const struct explanation *e)
{
    return buf_slice(&e->masked);
}

const struct config_route *explain_route(const struct explanation *e)
{
    return e->exchange.route ? e->exchange.route->config : NULL;
}

const struct upstream_url *explain_upstream(const struct explanation *e)
{
    return exchange_upstream(&e->exchange);
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
    bool has_token = s.info.token < token_table_count(x->tokens);
    s.applies = has_token && body_slot_shows(x->body, (uint32_t)i, x->credentials.at);
    if (has_token) s.token = token_table_id(x->tokens, s.info.token);
    if (s.info.end <= e->body.len && x->coding == CODING_IDENTITY)
        s.placeholder = slice_range(buf_slice(&e->body), s.info.start, s.info.end);
    return s;
}

const struct plan_edit *explain_edit_at(const struct explanation *e, size_t slot, size_t n, slice *path)
{
    const struct exchange *x = &e->exchange;
    return body_slot_edit(x->body, (uint32_t)slot, x->credentials.at, n, path);
}

const struct body_fault *explain_fault(const struct explanation *e)
{
    const struct exchange *x = &e->exchange;
    if (x->capture) return capture_fault(x->capture);
    return x->body ? body_fault(x->body) : NULL;
}

enum http_refusal explain_refusal(const struct explanation *e)
{
    return e->reader ? http_reader_refusal(e->reader) : REFUSAL_NONE;
}
