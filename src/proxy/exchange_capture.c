/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "base/metrics.h"
#include "http/writer.h"
#include "media.h"

#include <assert.h>
#include <stdlib.h>

/* Card data on its way in: what of a request is looked through, and the keeper's answers. */

result capture_open_body_of(struct exchange *x, const struct http_head *h, const struct plan *plan, enum content_coding coding)
{
    const struct config_route *route = x->route->config;
    return capture_open_body(x->capture, &(struct inbound_options){
                                             .plan = plan,
                                             .coding = coding,
                                             .max_held_bytes = route->body_buffer_bytes,
                                             .expected_bytes = h->framing == HTTP_LENGTH ? h->length : 0,
                                             .max_cards = route->placeholders,
                                             .invalid = route->invalid,
                                             .charset = media_parameter(h, "charset"),
                                             .boundary = media_parameter(h, "boundary"),
                                             .media_type = media_type(h),
                                             .pass_types = route->pass_types,
                                         });
}

result capture_open_request(struct exchange *x)
{
    x->capture = capture_new();
    ENSURE(x->capture != NULL, MEMORY);
    if (x->head->framing == HTTP_NO_BODY) return OK;
    return capture_open_body_of(x, x->head, x->plan, x->coding);
}

result capture_scan_request(struct exchange *x)
{
    if (!x->plan->find_pan) return OK;
    TRY(capture_add_text(x->capture, x->forwarded_path, ENCODING_PATH, &x->path_text));
    if (exchange_query(x).at) TRY(capture_add_text(x->capture, exchange_query(x), ENCODING_QUERY, &x->query_text));
    x->field_texts = calloc(x->head->field_count + 1, sizeof *x->field_texts);
    ENSURE(x->field_texts != NULL, MEMORY);
    for (size_t i = 0; i < x->head->field_count; i++) {
        const struct http_field *f = &x->head->fields[i];
        if (request_withholds(x, i)) continue;
        ENSURE(!capture_finds(f->name), INBOUND_NAME);
        TRY(capture_add_text(x->capture, f->value, ENCODING_FIELD_VALUE, &x->field_texts[i]));
    }
    return OK;
}

result capture_ask_all(struct exchange *x)
{
    uint32_t asked;
    TRY(capture_ask(x->capture, x->dialogue, &asked));
    x->waiting += asked;
    if (asked && !x->asked_us) x->asked_us = loop_now_us(x->proxy->loop);
    return OK;
}

result capture_request_ended(struct exchange *x)
{
    TRY(capture_end(x->capture));
    return capture_ask_all(x);
}

void capture_on_answer(void *owner, uint32_t card, result r, const struct captured *what)
{
    struct exchange *x = exchange_from(owner);
    assert(x->waiting > 0);
    if (!failed(r)) r = capture_take(x->capture, card, what);
    if (failed(r)) {
        metrics_add(METRIC_MESSAGES_STOPPED, 1);
        exchange_refuse(x, r.err);
        return;
    }
    if (--x->waiting) return;
    x->resolved_us = loop_now_us(x->proxy->loop);
    metrics_time(HISTOGRAM_KEEPER, x->resolved_us - x->asked_us);
    exchange_step(x);
}

/* --- a message that goes back to its sender --- */

/* As he sent it, but for numbers in it. */
static result write_type(struct exchange *x, struct buf *out)
{
    const struct http_head *h = x->head;
    size_t i = 0;
    while (i < h->field_count && !slice_ieq(h->fields[i].name, SLICE("content-type"))) i++;
    if (i == h->field_count || !h->fields[i].value.len) return OK;
    if (!x->field_texts || !x->field_texts[i]) return http_write_field(out, SLICE("content-type"), h->fields[i].value);
    TRY(capture_render_text(x->capture, x->field_texts[i], &x->answer_head));
    return http_write_field(out, SLICE("content-type"), buf_slice(&x->answer_head));
}

/* He chose type and bytes: a browser shall take them for nothing else, and nobody keep them. */
static result write_answer(struct exchange *x, slice body, bool keep_alive, struct buf *out)
{
    TRY(reply_write_head(out, 200, x->id, false));
    if (body.len) TRY(write_type(x, out));
    TRY(http_write_field(out, SLICE("x-content-type-options"), SLICE("nosniff")));
    TRY(http_write_field(out, SLICE("cache-control"), SLICE("no-store")));
    TRY(matches_write_fields(x, out, true));
    TRY(reply_write_length(out, body.len, keep_alive));
    return x->is_head_method ? OK : buf_append(out, body);
}

result capture_write_answer(struct exchange *x, bool keep_alive, struct buf *out)
{
    struct buf *scratch = &x->proxy->scratch;
    result r = capture_render_body(x->capture, scratch);
    if (!failed(r)) r = write_answer(x, buf_slice(scratch), keep_alive, out);
    x->bytes_out = scratch->len;
    buf_clear(scratch);
    return r;
}

void capture_answer_caller(struct exchange *x)
{
    struct link *l = exchange_client_link(x);
    bool keep_alive = x->keep_alive && !x->proxy->draining;
    if (!l) {
        exchange_abort(x, ERR_CLIENT_GONE);
        return;
    }
    result r = capture_write_answer(x, keep_alive, link_output(l));
    if (failed(r)) {
        exchange_abort(x, r.err); /* part of it may stand in the output */
        return;
    }
    x->status = 200;
    x->answer = ANSWER_COMPLETE; /* so the keeper hears that the caller has the aliases */
    link_flush(l);
    exchange_finish(x, keep_alive);
}

void capture_done(struct exchange *x)
{
    if (!x->capture) return;
    x->captured = capture_counts(x->capture);
    metrics_add(METRIC_CAPTURED_CARDS, x->captured.cards);
    metrics_add(METRIC_CAPTURED_CVCS, x->captured.cvcs);
    metrics_add(METRIC_INVALID_FIELDS, x->captured.invalid);
    capture_free(x->capture);
    x->capture = NULL;
}
