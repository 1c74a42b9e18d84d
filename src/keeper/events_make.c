/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "base/clock.h"
#include "base/envelope.h"
#include "base/log.h"
#include "rules/url.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert((int)CONFIG_WEBHOOK_URL_MAX_BYTES < (int)WIRE_URL_MAX_BYTES, "the configuration takes no longer one, '/' included");

/* The receiver as a text, by which it is known for as long as its events live. False: longer than an event has room for. */
static bool events_url(const struct upstream_url *url, char out[WIRE_URL_MAX_BYTES + 1])
{
    struct buf b;
    buf_init(&b, WIRE_URL_MAX_BYTES);
    bool fits = !failed(url_write(url, &b));
    memset(out, 0, WIRE_URL_MAX_BYTES + 1);
    if (fits) memcpy(out, b.at, b.len);
    buf_done(&b);
    return fits;
}

static result write_json(const struct event *e, slice merchant, const struct network_record *record, struct buf *out)
{
    char time[CLOCK_RFC3339_BYTES], expiry[32];
    clock_rfc3339(e->created_ms, time);
    TRY(json_append_member(out, SLICE("{\"id\":\""), (slice){e->id, sizeof e->id}));
    TRY(json_append_member(out, SLICE(",\"type\":\"network_token.updated\",\"created_at\":\""), slice_of(time)));
    TRY(json_append_member(out, SLICE(",\"merchant\":\""), merchant));
    TRY(json_append_member(out, SLICE(",\"data\":{\"token\":\""), token_id_slice(&e->token)));
    TRY(json_append_member(out, SLICE(",\"status\":\""), slice_of(network_state_name(record->state))));
    if (record->reason) TRY(json_append_member(out, SLICE(",\"reason\":\""), slice_of(network_reason_name(record->reason))));
    if (record->month) {
        (void)snprintf(expiry, sizeof expiry, "%02u/%04u", record->month, record->year);
        TRY(json_append_member(out, SLICE(",\"expiration_date\":\""), slice_of(expiry)));
    }
    return buf_append(out, SLICE("}}"));
}

static result make(const struct config_merchant *merchant, const struct config_webhook *webhook, const struct token_id *token,
                   const struct network_record *record, struct event *e)
{
    struct token_id id;
    struct buf json;
    *e = (struct event){.token = *token, .revision = record->revision + 1, .state = EVENT_PENDING, .created_ms = clock_wall_ms()};
    TRY(token_id_make(TOKEN_PERMANENT, &id));
    ENSURE(id.len == sizeof e->id && merchant->name.len <= sizeof e->merchant, INTERNAL);
    ENSURE(events_url(&webhook->url, e->url), TOO_LARGE);
    memcpy(e->id, id.at, sizeof e->id);
    memcpy(e->merchant, merchant->name.at, merchant->name.len);
    e->since_ms = e->due_ms = e->created_ms;
    buf_init(&json, sizeof e->json);
    result r = write_json(e, merchant->name, record, &json);
    if (!failed(r)) {
        memcpy(e->json, json.at, json.len);
        e->json_len = (uint16_t)json.len;
    }
    buf_done(&json);
    return r;
}

size_t events_make(struct keeper_server *server, const char merchant[NETWORK_MERCHANT_MAX_BYTES], const struct token_id *token,
                   const struct network_record *record, struct event *out, size_t room)
{
    const struct config *c = server->current->config;
    int64_t index = config_merchant_index(c, network_padded(merchant, NETWORK_MERCHANT_MAX_BYTES));
    const struct config_merchant *m = index >= 0 ? &c->merchants[index] : NULL;
    size_t count = 0;
    for (size_t i = 0; m && i < m->webhook_count && count < room; i++) {
        result r = make(m, &m->webhooks[i], token, record, &out[count]);
        if (failed(r))
            log_failure("webhook", r);
        else
            count++;
    }
    return count;
}
