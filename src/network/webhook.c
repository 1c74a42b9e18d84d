/* SPDX-License-Identifier: Apache-2.0 */
#include "network/webhook.h"

#include "base/clock.h"
#include "base/log.h"
#include "network/call.h"
#include "rules/url.h"
#include "sign/webhook.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

enum {
    SENDER_MAGIC = 0x77686b73,
    DELIVERY_MAGIC = 0x77686b64,
    WHOLE_MS = 10 * 1000,
    ANSWER_MAX_BYTES = 64 * 1024, /* nobody reads it; so much is taken so that the connection can be used again */
    TEXT_MAX_BYTES = 1024,
    HEAD_BYTES = 16 * 1024,
    HEAD_FIELDS = 100,
};

struct target { /* one URL */
    const struct config_webhook *config;
    struct tls_client *tls; /* NULL: plain, for loopback */
    struct upstream_pool *pool;
    struct buf host; /* as in the Host field */
};

struct merchant {
    struct target *targets;
    size_t count;
};

struct webhook_delivery {
    unsigned magic;
    struct webhook_sender *sender;
    struct http_call *call;
    webhook_done done;
    void *owner;
    LIST_ENTRY(webhook_delivery) under_way;
};
LIST_HEAD(delivery_list, webhook_delivery);

struct webhook_sender {
    unsigned magic;
    struct loop *loop;
    struct merchant *merchants;
    size_t count;
    struct delivery_list under_way;
};

/* --- targets --- */

static void target_done(struct target *t)
{
    upstream_pool_free(t->pool);
    tls_client_free(t->tls);
    buf_done(&t->host);
}

static result target_init(struct target *t, struct webhook_sender *s, struct resolver *resolver,
                          const struct config *config, const struct config_webhook *w)
{
    t->config = w;
    buf_init(&t->host, TEXT_MAX_BYTES);
    TRY(url_write_host(&w->url, &t->host));
    if (w->url.tls) TRY(tls_client_new(w->ca.len ? w->ca : config->system_ca, SLICE_NONE, SLICE_NONE, &t->tls));
    t->pool = upstream_pool_new(&(struct upstream_settings){
        .loop = s->loop,
        .resolver = resolver,
        .host = w->url.host,
        .port = w->url.port,
        .tls = t->tls,
        .connect_ms = WHOLE_MS,
        .idle_ms = config->idle_upstream_ms,
        .head_limits = {.head_bytes = HEAD_BYTES, .fields = HEAD_FIELDS},
    });
    ENSURE(t->pool != NULL, MEMORY);
    return OK;
}

static result merchant_init(struct merchant *m, struct webhook_sender *s, struct resolver *resolver,
                            const struct config *config, const struct config_merchant *c)
{
    if (c->webhook_count == 0) return OK;
    m->targets = calloc(c->webhook_count, sizeof *m->targets);
    ENSURE(m->targets != NULL, MEMORY);
    for (; m->count < c->webhook_count; m->count++) {
        result r = target_init(&m->targets[m->count], s, resolver, config, &c->webhooks[m->count]);
        if (!failed(r)) continue;
        target_done(&m->targets[m->count]);
        if (r.err == ERR_MEMORY) return r;
        log_begin(LOG_LEVEL_ERROR, "webhook_config");
        log_word("merchant", c->name);
        log_word("host", c->webhooks[m->count].url.host);
        log_error("cause", r.err);
        log_end();
        return FAIL(CONFIG);
    }
    return OK;
}

void webhook_sender_free(struct webhook_sender *s)
{
    if (!s) return;
    assert(s->magic == SENDER_MAGIC);
    while (!LIST_EMPTY(&s->under_way))
        webhook_cancel(LIST_FIRST(&s->under_way));
    for (size_t i = 0; i < s->count; i++) {
        for (size_t k = 0; k < s->merchants[i].count; k++)
            target_done(&s->merchants[i].targets[k]);
        free(s->merchants[i].targets);
    }
    free(s->merchants);
    s->magic = 0;
    free(s);
}

result webhook_sender_new(struct loop *loop, struct resolver *resolver, const struct config *config,
                          struct webhook_sender **out)
{
    struct webhook_sender *s = calloc(1, sizeof *s);
    *out = NULL;
    ENSURE(s != NULL, MEMORY);
    *s = (struct webhook_sender){.magic = SENDER_MAGIC, .loop = loop};
    LIST_INIT(&s->under_way);
    s->merchants = calloc(config->merchant_count ? config->merchant_count : 1, sizeof *s->merchants);
    result r = s->merchants ? OK : FAIL(MEMORY);
    for (size_t i = 0; i < config->merchant_count && !failed(r); i++) {
        s->count = i + 1;
        r = merchant_init(&s->merchants[i], s, resolver, config, &config->merchants[i]);
    }
    if (failed(r)) {
        webhook_sender_free(s);
        return r;
    }
    *out = s;
    return OK;
}

/* --- deliveries --- */

static void delivery_free(void *object)
{
    struct webhook_delivery *d = object;
    d->magic = 0;
    free(d);
}

static void delivery_end(struct webhook_delivery *d)
{
    LIST_REMOVE(d, under_way);
    loop_free_later(d->sender->loop, delivery_free, d);
}

void webhook_cancel(struct webhook_delivery *d)
{
    if (!d) return;
    assert(d->magic == DELIVERY_MAGIC);
    http_call_cancel(d->call);
    delivery_end(d);
}

/* The receiver's status is its word: it counts also where the rest of the answer was cut off or too large. A
 * redirection is a status like any other that is not 2xx. */
static void on_answer(void *owner, const struct http_call_answer *a)
{
    struct webhook_delivery *d = owner;
    assert(d->magic == DELIVERY_MAGIC);
    bool delivered = a->status >= 200 && a->status < 300;
    delivery_end(d);
    d->done(d->owner, delivered ? OK : FAIL(WEBHOOK_UNDELIVERED), a->status);
}

static struct http_call *start_call(struct webhook_delivery *d, const struct target *t, slice event_id, slice json)
{
    struct buf signature;
    struct http_call *call = NULL;
    buf_init(&signature, TEXT_MAX_BYTES);
    result r = webhook_signature_write(t->config->secret, clock_wall_ms() / 1000, json, &signature);
    if (!failed(r)) {
        const struct http_call_field fields[] = {
            {SLICE("content-type"), SLICE("application/json")},
            {SLICE(WEBHOOK_EVENT_FIELD), event_id},
            {SLICE(WEBHOOK_SIGNATURE_FIELD), buf_slice(&signature)},
        };
        call = http_call_start(
            &(struct http_call_request){.pool = t->pool,
                                        .loop = d->sender->loop,
                                        .method = SLICE("POST"),
                                        .target = t->config->url.path.len ? t->config->url.path : SLICE("/"),
                                        .host = buf_slice(&t->host),
                                        .fields = fields,
                                        .field_count = sizeof fields / sizeof fields[0],
                                        .body = json,
                                        .whole_ms = WHOLE_MS,
                                        .max_answer_bytes = ANSWER_MAX_BYTES},
            on_answer, d);
    }
    buf_done(&signature);
    return call;
}

struct webhook_delivery *webhook_send(struct webhook_sender *s, uint32_t merchant, uint32_t webhook, slice event_id,
                                      slice json, webhook_done done, void *owner)
{
    assert(s->magic == SENDER_MAGIC);
    if (merchant >= s->count || webhook >= s->merchants[merchant].count) return NULL;
    struct webhook_delivery *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    *d = (struct webhook_delivery){.magic = DELIVERY_MAGIC, .sender = s, .done = done, .owner = owner};
    d->call = start_call(d, &s->merchants[merchant].targets[webhook], event_id, json);
    if (!d->call) {
        free(d);
        return NULL;
    }
    LIST_INSERT_HEAD(&s->under_way, d, under_way);
    return d;
}
