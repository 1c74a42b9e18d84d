/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "base/metrics.h"
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
        if (!request_withholds(x, f->name)) TRY(capture_add_text(x->capture, f->value, ENCODING_FIELD_VALUE, &x->field_texts[i]));
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
