/* SPDX-License-Identifier: Apache-2.0 */
#include "tms_priv.h"

#include "base/clock.h"
#include "network/call.h"
#include "rules/url.h"
#include "sign/digest.h"
#include "sign/encoding.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* Notifications to the merchant: signed, and sent again with back-off until a 2xx status comes. */

enum {
    NOTICE_TRIES = 8, /* 1, 2, 4 … seconds apart: two minutes in all */
    FIRST_RETRY_MS = 1000,
    CALLS_MAX = 16, /* at once: thousands of cards may become ACTIVE together */
    TURN_MS = 10,
    WHOLE_MS = 10 * 1000,
    CONNECT_MS = 2000,
    IDLE_MS = 4000,
    BODY_MAX_BYTES = 4096,
    ANSWER_MAX_BYTES = 64 * 1024,
    KEY_MAX_BYTES = 1024,
    UUID_CHARS = 36,
};

struct notice {
    struct tms_notifier *notifier;
    LIST_ENTRY(notice) link;
    char uuid[UUID_CHARS + 1], id[TMS_ID_CHARS + 1], instrument[TMS_INSTRUMENT_CHARS + 1];
    bool provisioned;
    unsigned tries;
    struct timer *timer; /* to its next try */
    struct http_call *call;
};

struct tms_notifier {
    struct loop *loop;
    const struct tms_options *options;
    struct upstream_url url;
    struct buf host, key;
    struct resolver *resolver;
    struct tls_client *tls;
    struct upstream_pool *pool;
    LIST_HEAD(, notice) waiting;
    unsigned calls; /* under way */
    uint64_t made, delivered, given_up;
    char webhook_id[UUID_CHARS + 1];
};

static void uuid(char out[UUID_CHARS + 1])
{
    random_digits(out, UUID_CHARS);
    for (size_t i = 8; i < 24; i += 5)
        out[i] = '-';
}

static const char *event_type(const struct notice *n)
{
    return n->provisioned ? "tms.networktoken.provisioned" : "tms.networktoken.updated";
}

/* --- what is sent --- */

static void write_instrument(struct json *j, const struct notice *n)
{
    char href[64];
    snprintf(href, sizeof href, "/tms/v1/instrumentidentifiers/%s", n->instrument);
    json_open(j, "_links", '{');
    json_open(j, "paymentInstruments", '[');
    json_close(j, ']');
    json_open(j, "instrumentIdentifiers", '[');
    json_open(j, NULL, '{');
    json_text(j, "href", slice_of(href));
    json_close(j, '}');
    json_close(j, ']');
    json_open(j, "customers", '[');
    json_close(j, ']');
    json_close(j, '}');
}

/* payload: where the member's value stands in the body. */
static result write_body(const struct notice *n, struct buf *out, slice *payload)
{
    struct json j = {.out = out};
    char now[CLOCK_RFC3339_BYTES];
    clock_rfc3339(clock_wall_ms(), now);
    json_open(&j, NULL, '{');
    json_text(&j, "eventType", slice_of(event_type(n)));
    json_text(&j, "eventDate", slice_of(now));
    json_text(&j, "webhookId", slice_of(n->notifier->webhook_id));
    json_text(&j, "notificationId", slice_of(n->uuid));
    json_number(&j, "retryNumber", n->tries);
    json_text(&j, "productId", SLICE("tokenManagement"));
    json_text(&j, "organizationId", n->notifier->options->merchant_id);
    size_t from = out->len + strlen(",\"payload\":");
    json_open(&j, "payload", '{');
    json_open(&j, "data", '{');
    json_text(&j, "id", slice_of(n->id));
    json_text(&j, "type", n->provisioned ? SLICE("tokenizedCardEnrollments") : SLICE("tokenizedCardUpdates"));
    json_text(&j, "version", SLICE("1.0"));
    write_instrument(&j, n);
    json_close(&j, '}');
    json_text(&j, "organizationId", n->notifier->options->merchant_id);
    json_close(&j, '}');
    size_t to = out->len;
    json_close(&j, '}');
    ENSURE(!j.failed, MEMORY);
    *payload = slice_range(buf_slice(out), from, to);
    return OK;
}

static result write_signature(const struct tms_notifier *n, slice signed_bytes, struct buf *out)
{
    uint8_t mac[SHA256_BYTES];
    TRY(buf_append(out, SLICE("t=")));
    size_t from = out->len;
    TRY(buf_append_u64(out, (uint64_t)clock_wall_ms()));
    TRY(hmac_sha256_timed(buf_slice(&n->key), slice_after(buf_slice(out), from), signed_bytes, mac));
    TRY(buf_append(out, SLICE(";keyId=")));
    TRY(buf_append(out, n->options->notify_key_id));
    TRY(buf_append(out, SLICE(";sig=")));
    return base64_write((slice){(const char *)mac, sizeof mac}, out);
}

static void on_answer(void *owner, const struct http_call_answer *answer);

static result start_call(struct notice *n, struct buf *body, struct buf *signature)
{
    struct tms_notifier *o = n->notifier;
    slice payload, target = o->url.path.len ? o->url.path : SLICE("/");
    char retry[12];
    snprintf(retry, sizeof retry, "%u", n->tries);
    TRY(write_body(n, body, &payload));
    TRY(write_signature(o, o->options->notify_whole_body ? buf_slice(body) : payload, signature));
    const struct http_call_field fields[] = {
        {SLICE("content-type"), SLICE("application/json")},      {SLICE("v-c-event-type"), slice_of(event_type(n))},
        {SLICE("v-c-organization-id"), o->options->merchant_id}, {SLICE("v-c-webhook-id"), slice_of(o->webhook_id)},
        {SLICE("v-c-transaction-trace-id"), slice_of(n->uuid)},  {SLICE("v-c-retry-count"), slice_of(retry)},
        {SLICE("v-c-signature"), buf_slice(signature)}};
    n->call = http_call_start(&(struct http_call_request){.pool = o->pool,
                                                          .loop = o->loop,
                                                          .method = SLICE("POST"),
                                                          .target = target,
                                                          .host = buf_slice(&o->host),
                                                          .fields = fields,
                                                          .field_count = sizeof fields / sizeof *fields,
                                                          .body = buf_slice(body),
                                                          .whole_ms = WHOLE_MS,
                                                          .max_answer_bytes = ANSWER_MAX_BYTES},
                              on_answer, n);
    ENSURE(n->call, MEMORY);
    o->calls++;
    return OK;
}

/* --- tries --- */

static void notice_free(void *object)
{
    struct notice *n = object;
    timer_free(n->timer);
    free(n);
}

static void notice_done(struct notice *n)
{
    LIST_REMOVE(n, link);
    loop_free_later(n->notifier->loop, notice_free, n);
}

static void try_later(struct notice *n)
{
    if (++n->tries < NOTICE_TRIES) {
        timer_set(n->timer, (uint64_t)FIRST_RETRY_MS << (n->tries - 1));
        return;
    }
    n->notifier->given_up++;
    notice_done(n);
}

static void on_answer(void *owner, const struct http_call_answer *answer)
{
    struct notice *n = owner;
    n->call = NULL;
    n->notifier->calls--;
    if (failed(answer->r) || answer->status < 200 || answer->status > 299) {
        try_later(n);
        return;
    }
    n->notifier->delivered++;
    notice_done(n);
}

static void on_due(void *arg)
{
    struct notice *n = arg;
    struct buf body, signature;
    if (n->notifier->calls >= CALLS_MAX) {
        timer_set(n->timer, TURN_MS);
        return;
    }
    buf_init(&body, BODY_MAX_BYTES);
    buf_init(&signature, BODY_MAX_BYTES);
    result started = start_call(n, &body, &signature);
    buf_done(&signature);
    buf_done(&body);
    if (failed(started)) try_later(n);
}

void tms_notify(struct tms_notifier *o, const struct tms_token *token, bool provisioned)
{
    struct notice *n = o ? calloc(1, sizeof *n) : NULL;
    if (!n) return;
    *n = (struct notice){.notifier = o, .provisioned = provisioned};
    n->timer = timer_new(o->loop, on_due, n);
    if (!n->timer) {
        free(n);
        return;
    }
    memcpy(n->id, token->id, sizeof n->id);
    memcpy(n->instrument, token->instrument, sizeof n->instrument);
    uuid(n->uuid);
    LIST_INSERT_HEAD(&o->waiting, n, link);
    o->made++;
    timer_set(n->timer, 0);
}

void tms_notifier_write(const struct tms_notifier *o, struct json *j)
{
    json_open(j, "notifications", '{');
    json_number(j, "made", o ? (int64_t)o->made : 0);
    json_number(j, "delivered", o ? (int64_t)o->delivered : 0);
    json_number(j, "given_up", o ? (int64_t)o->given_up : 0);
    json_close(j, '}');
}

/* --- life --- */

static result notifier_start(struct tms_notifier *o, const char **why)
{
    const struct tms_options *options = o->options;
    *why = "--notify-url: not http://LOOPBACK[:PORT][/PATH], nor https:// with --notify-ca";
    ENSURE(!url_parse(options->notify_url, &o->url), USAGE);
    ENSURE(o->url.tls ? options->notify_ca.len > 0 : url_is_loopback(&o->url), USAGE);
    *why = "--notify-key: not one line of Base64";
    TRY(base64_read(options->notify_key, &o->key));
    ENSURE(o->key.len, BASE64);
    *why = "--notify-ca: not certificates in PEM";
    if (o->url.tls) TRY(tls_client_new(options->notify_ca, SLICE_NONE, SLICE_NONE, &o->tls));
    *why = "out of memory";
    TRY(url_write_host(&o->url, &o->host));
    o->resolver = resolver_new(o->loop, SLICE_NONE);
    ENSURE(o->resolver, MEMORY);
    o->pool = upstream_pool_new(&(struct upstream_settings){.loop = o->loop,
                                                            .resolver = o->resolver,
                                                            .host = o->url.host,
                                                            .port = o->url.port,
                                                            .tls = o->tls,
                                                            .connect_ms = CONNECT_MS,
                                                            .idle_ms = IDLE_MS,
                                                            .head_limits = {.head_bytes = 16 * 1024, .fields = 100}});
    ENSURE(o->pool, MEMORY);
    uuid(o->webhook_id);
    return OK;
}

result tms_notifier_new(struct loop *loop, const struct tms_options *options, struct tms_notifier **out,
                        const char **why)
{
    struct tms_notifier *o = calloc(1, sizeof *o);
    *out = NULL;
    *why = "out of memory";
    ENSURE(o, MEMORY);
    o->loop = loop;
    o->options = options;
    buf_init(&o->host, 512);
    buf_init_secret(&o->key, KEY_MAX_BYTES);
    result started = notifier_start(o, why);
    if (failed(started)) {
        tms_notifier_free(o);
        return started;
    }
    *out = o;
    return OK;
}

void tms_notifier_free(struct tms_notifier *o)
{
    if (!o) return;
    while (!LIST_EMPTY(&o->waiting)) {
        struct notice *n = LIST_FIRST(&o->waiting);
        http_call_cancel(n->call);
        notice_done(n);
    }
    upstream_pool_free(o->pool);
    resolver_free(o->resolver);
    tls_client_free(o->tls);
    buf_done(&o->host);
    buf_done(&o->key);
    free(o);
}
