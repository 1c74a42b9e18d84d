/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/network-events/{network}: notifications of a card network, on every listener. No API key: what tells that one is genuine is
 * its signature, which the registrar checks. The answer tells a stranger nothing but that he is one; the network tries again later
 * after any other answer than 200. GET answers health checks. */
#include "call.h"

enum { NOTICE_MAX_BYTES = 32 * 1024 };

static const slice prefix = {"/v1/network-events/", 19};

struct event_call {
    struct service_call base;
    bool is_health_check;
    uint32_t network;
    result verdict;
};

static struct event_call *of(struct service_call *c)
{
    return (struct event_call *)c;
}

static bool takes(slice path)
{
    return slice_starts(path, prefix) && path.len > prefix.len;
}

static const char *type_name(enum network_type t)
{
    switch (t) {
    case NETWORK_TYPE_CYBERSOURCE: return "cybersource";
    }
    return "";
}

/* By its name in the configuration; or by its type, where that leaves no doubt. */
static result find_network(const struct config *config, slice name, uint32_t *out)
{
    size_t of_type = 0;
    for (size_t i = 0; i < config->network_count; i++) {
        const struct config_network *n = &config->networks[i];
        bool is_named = slice_eq(n->name, name);
        if (!is_named && !slice_is(name, type_name(n->type))) continue;
        of_type++;
        *out = (uint32_t)i;
        if (is_named) return OK;
    }
    ENSURE(of_type == 1, NOT_FOUND);
    return OK;
}

static result understand(struct service_call *c)
{
    const struct http_head *head = c->request.head;
    c->subject = slice_after(head->path, prefix.len);
    TRY(find_network(c->request.config, c->subject, &of(c)->network));
    of(c)->is_health_check = slice_is(head->method, "GET") || slice_is(head->method, "HEAD");
    ENSURE(of(c)->is_health_check || slice_is(head->method, "POST"), METHOD);
    ENSURE(c->request.body.len <= NOTICE_MAX_BYTES, TOO_LARGE);
    c->request.caller.purpose = KEEPER_FOR_NOTICE;
    c->request.caller.permission = 0;
    c->request.caller.api_key = SLICE_NONE;
    return OK;
}

static void on_noticed(void *owner, uint32_t index, result r)
{
    struct event_call *e = of(call_from(owner));
    (void)index;
    e->verdict = r;
    call_settle(&e->base);
}

static result ask(struct service_call *c)
{
    const struct http_head *head = c->request.head;
    if (of(c)->is_health_check) return OK;
    ENSURE(http_head_count(head, "v-c-signature") == 1, SIGNATURE_FORMAT);
    TRY(keeper_notice(c->dialogue, 0, of(c)->network, http_head_get(head, "v-c-signature"), c->request.body));
    c->waiting++;
    return OK;
}

/* Without detail: whether it was the key, the time or the text is nobody's business who does not know. */
static result write_refusal(result r, struct buf *out, struct service_answer *a)
{
    TRY(call_write_failure(FAIL(SIGNATURE_WRONG), out, a));
    a->error = r.err; /* our own log has it */
    a->challenge = SLICE("Signature header=\"v-c-signature\""); /* a network has no API key */
    return OK;
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    if (!failed(r)) r = of(c)->verdict;
    switch (r.err) {
    case ERR_NONE: return buf_append(out, SLICE("{\"status\":\"success\",\"message\":\"Taken\",\"data\":{}}\n"));
    case ERR_NOT_FOUND:
    case ERR_METHOD:
    case ERR_TOO_LARGE: return call_write_failure(r, out, a);
    case ERR_NETWORK_ANSWER: return write_refusal(r, out, a);
    default: break;
    }
    int status = error_status(r.err);
    if (status < 500 && status != 429) return write_refusal(r, out, a);
    TRY(call_write_failure(r, out, a));
    a->status = 503; /* the network sends it again */
    return OK;
}

const struct endpoint events_endpoint = {
    .takes = takes,
    .methods = {"GET, HEAD, POST", 15},
    .bytes = sizeof(struct event_call),
    .answer_max_bytes = 4096,
    .understand = understand,
    .ask = ask,
    .write = write_answer,
    .handlers = {.on_opened = call_opened, .on_noticed = on_noticed},
};
