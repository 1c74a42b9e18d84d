/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "http/writer.h"

#include <string.h>

/* A request that a service answers (keeper/service.h): the REST API. */

static result write_service_answer(const struct exchange *x, struct buf *out, const struct service_answer *a, bool keep_alive)
{
    TRY(reply_write_head(out, a->status, x->id, false));
    if (a->status != 204)
        TRY(http_write_field(out, SLICE("content-type"), a->content_type.at ? a->content_type : SLICE("application/json")));
    TRY(buf_append(out, a->fields));
    /* RFC 9111 5.2.2.5: "MUST NOT store any part of either the immediate request or response": some of these hold credentials. */
    TRY(http_write_field(out, SLICE("cache-control"), SLICE("no-store")));
    TRY(reply_write_status_fields(out, a->status, a->allow, a->challenge));
    if (a->status == 204) return reply_write_no_content(out, keep_alive);
    TRY(reply_write_length(out, a->json.len, keep_alive));
    return x->is_head_method ? OK : buf_append(out, a->json);
}

static void on_service_done(void *owner, const struct service_answer *a)
{
    struct exchange *x = exchange_from(owner);
    struct link *l = exchange_client_link(x);
    bool keep_alive = x->keep_alive && !x->proxy->draining;
    x->call = NULL;
    x->status = a->status;
    x->error = a->error;
    x->key_id_len = a->key_id.len < sizeof x->key_id ? a->key_id.len : sizeof x->key_id;
    if (x->key_id_len) memcpy(x->key_id, a->key_id.at, x->key_id_len);
    if (l) {
        if (failed(write_service_answer(x, link_output(l), a, keep_alive))) keep_alive = false;
        link_flush(l);
    }
    exchange_finish(x, keep_alive);
}

void service_call_start(struct exchange *x)
{
    /* A reload may have come while the body arrived: the keeper takes indices for those of its client's generation. */
    x->call_gate = gate_hold(x->proxy->gate);
    struct service_request request = {
        .loop = x->proxy->loop,
        .head = x->head,
        .body = buf_slice(&x->plain_body),
        .keeper = x->proxy->keeper,
        .config = x->call_gate->config,
        .caller = tokens_caller(x),
    };
    struct service_call *call = x->proxy->service->start(&request, on_service_done, x);
    if (!exchange_is_over(x)) x->call = call;
}
