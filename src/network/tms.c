/* SPDX-License-Identifier: Apache-2.0 */
#include "tms_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "rules/url.h"
#include "sign/encoding.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>

enum { HOST_MAX_BYTES = 512, KEY_MAX_BYTES = 4096, TARGET_MAX_BYTES = 4096, HEAD_BYTES = 16 * 1024, HEAD_FIELDS = 100 };

static struct tms *tms_of(struct connector *c)
{
    struct tms *t = (struct tms *)(void *)c;
    assert(t->magic == TMS_MAGIC);
    return t;
}

/* --- a call's end --- */

static const char *kind_name(enum tms_kind kind)
{
    static const char *const names[] = {"enrol", "credentials", "state", "remove"};
    return names[kind];
}

static void call_free(void *object)
{
    struct network_call *c = object;
    c->magic = 0;
    timer_free(c->soon);
    free(c);
}

static void call_end(struct network_call *c)
{
    c->tms->calls--;
    timer_stop(c->soon);
    loop_free_later(c->tms->loop, call_free, c);
}

static void call_answer(struct network_call *c, struct network_answer *answer)
{
    answer->took_us = loop_now_us(c->tms->loop) - c->started_us;
    call_end(c);
    c->done(c->owner, answer);
}

static void on_soon(void *arg)
{
    struct network_call *c = arg;
    assert(c->magic == TMS_CALL_MAGIC);
    call_answer(c, &c->at_once);
}

static void log_call(const struct network_call *c, int status, const struct network_answer *answer, result cause)
{
    log_begin(failed(answer->r) ? error_level(answer->r.err) : LOG_LEVEL_DEBUG, "network_call");
    log_word("network", c->tms->connector.config->name);
    log_text("call", kind_name(c->kind));
    if (status) log_u64("status", (uint64_t)status);
    if (failed(answer->r)) log_error("error", answer->r.err);
    if (failed(cause) && cause.err != answer->r.err) log_error("cause", cause.err);
    if (answer->reason) log_text("reason", network_reason_name(answer->reason));
    if (c->tms->breaker.state != BREAKER_CLOSED) log_text("breaker", "open");
    log_u64("took_ms", (loop_now_us(c->tms->loop) - c->started_us) / 1000);
    log_end();
}

/* People hear of it when it opens and when it closes, not of each trial in between. */
static void tell_breaker(const struct tms *t, bool was_closed)
{
    bool is_closed = t->breaker.state == BREAKER_CLOSED;
    if (is_closed == was_closed) return;
    metrics_gauge(METRIC_BREAKERS_OPEN, is_closed ? -1 : 1);
    log_begin(is_closed ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, is_closed ? "network_up" : "network_down");
    log_word("network", t->connector.config->name);
    log_text("effect", is_closed ? "it is called again" : "it is not called but for a trial now and then; payments go out with the card number");
    log_end();
}

static void book(struct tms *t, const struct http_call_answer *a)
{
    uint32_t random = 0;
    bool was_closed = t->breaker.state == BREAKER_CLOSED;
    if (a->r.err == ERR_MEMORY || a->r.err == ERR_INTERNAL) return; /* says nothing about the network */
    if (tms_is_down(a)) {
        (void)RAND_bytes((unsigned char *)&random, sizeof random); /* only jitter: without it the pause is a whole one */
        breaker_failed(&t->breaker, loop_now_ms(t->loop), random);
    } else {
        breaker_succeeded(&t->breaker);
    }
    tell_breaker(t, was_closed);
}

static void on_http(void *owner, const struct http_call_answer *a)
{
    struct network_call *c = owner;
    struct network_answer answer = {.r = FAIL(NETWORK_DOWN)};
    result cause = FAIL(MEMORY);
    assert(c->magic == TMS_CALL_MAGIC);
    c->http = NULL;
    struct credential *credential = secret_alloc(sizeof *credential);
    if (credential) cause = tms_read_answer(c, a, credential, &answer);
    book(c->tms, a);
    log_call(c, a->status, &answer, cause);
    call_answer(c, &answer);
    secret_free(credential, sizeof *credential);
}

/* --- a call's start --- */

static struct network_call *call_new(struct tms *t, enum tms_kind kind, network_done done, void *owner)
{
    struct network_call *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    *c = (struct network_call){.magic = TMS_CALL_MAGIC,
                               .tms = t,
                               .kind = kind,
                               .done = done,
                               .owner = owner,
                               .started_us = loop_now_us(t->loop)};
    c->soon = timer_new(t->loop, on_soon, c);
    if (!c->soon) {
        free(c);
        return NULL;
    }
    t->calls++;
    return c;
}

static struct network_call *answer_at_once(struct network_call *c, result r)
{
    c->at_once.r = r;
    c->at_once.ref = c->ref;
    timer_set(c->soon, 0);
    return c;
}

static result send_call(struct network_call *c, slice method, slice path, slice path_end, slice body)
{
    struct tms *t = c->tms;
    struct buf target;
    buf_init(&target, TARGET_MAX_BYTES);
    result r = buf_append(&target, t->connector.config->upstream.path);
    if (!failed(r)) r = buf_append(&target, path);
    if (!failed(r)) r = buf_append(&target, network_ref_slice(&c->ref));
    if (!failed(r)) r = buf_append(&target, path_end);
    if (!failed(r)) {
        struct tms_request q = {
            .method = method,
            .target = buf_slice(&target),
            .body = body,
            .accept = c->kind == TMS_CREDENTIALS ? SLICE("application/jose") : SLICE("application/json"),
        };
        r = tms_send(t, &q, on_http, c, &c->http);
    }
    buf_done(&target);
    return r;
}

/* NULL: memory. */
static struct network_call *sent_or_answered(struct network_call *c, result r)
{
    if (!failed(r)) return c;
    if (r.err == ERR_MEMORY) {
        call_end(c);
        return NULL;
    }
    log_begin(LOG_LEVEL_ERROR, "network_call");
    log_word("network", c->tms->connector.config->name);
    log_text("call", kind_name(c->kind));
    log_error("cause", r.err);
    log_text("reason", "the request could not be signed; check the network's keys in the configuration");
    log_end();
    return answer_at_once(c, FAIL(NETWORK_CREDENTIALS));
}

static bool network_is_open(struct tms *t)
{
    return breaker_lets_through(&t->breaker, loop_now_ms(t->loop));
}

static struct network_call *enrol(struct connector *connector, const struct network_card *card, network_done done,
                                  void *owner)
{
    struct tms *t = tms_of(connector);
    struct network_call *c = call_new(t, TMS_ENROL, done, owner);
    struct buf body;
    if (!c) return NULL;
    if (!tms_brand_is_supported(t, card->brand)) {
        c->at_once.reason = NETWORK_REASON_UNSUPPORTED_BRAND;
        return answer_at_once(c, FAIL(NETWORK_UNSUPPORTED));
    }
    if (!network_is_open(t)) return answer_at_once(c, FAIL(NETWORK_DOWN));
    buf_init_secret(&body, TMS_BODY_MAX_BYTES);
    result r = tms_write_enrolment(card, &body);
    if (!failed(r)) r = send_call(c, SLICE("POST"), SLICE("/tms/v2/tokenized-cards"), SLICE_NONE, buf_slice(&body));
    buf_done(&body);
    return sent_or_answered(c, r);
}

/* A call about one tokenised card. *go_on: it is to be sent; else an answer is on its way already, or NULL: memory. */
static struct network_call *about(struct tms *t, enum tms_kind kind, slice ref, network_done done, void *owner,
                                  bool *go_on)
{
    struct network_call *c = call_new(t, kind, done, owner);
    *go_on = false;
    if (!c) return NULL;
    if (!network_ref_from(ref, &c->ref))
        return answer_at_once(c, FAIL(NETWORK_TOKEN_GONE)); /* no name that a network gives */
    if (!network_is_open(t)) return answer_at_once(c, FAIL(NETWORK_DOWN));
    *go_on = true;
    return c;
}

static struct network_call *credentials(struct connector *connector, slice ref, bool without_cryptogram,
                                        network_done done, void *owner)
{
    bool go_on;
    struct buf body;
    struct network_call *c = about(tms_of(connector), TMS_CREDENTIALS, ref, done, owner, &go_on);
    if (!go_on) return c;
    c->without_cryptogram = without_cryptogram;
    buf_init(&body, TMS_BODY_MAX_BYTES);
    result r = tms_write_credentials_wish(without_cryptogram, &body);
    if (!failed(r))
        r = send_call(c, SLICE("POST"), SLICE("/tms/v2/tokens/"), SLICE("/payment-credentials"), buf_slice(&body));
    buf_done(&body);
    return sent_or_answered(c, r);
}

static struct network_call *state(struct connector *connector, slice ref, network_done done, void *owner)
{
    bool go_on;
    struct network_call *c = about(tms_of(connector), TMS_STATE, ref, done, owner, &go_on);
    if (!go_on) return c;
    return sent_or_answered(c, send_call(c, SLICE("GET"), SLICE("/tms/v2/tokenized-cards/"), SLICE_NONE, SLICE_NONE));
}

static struct network_call *remove_token(struct connector *connector, slice ref, network_done done, void *owner)
{
    bool go_on;
    struct buf body;
    struct network_call *c = about(tms_of(connector), TMS_REMOVE, ref, done, owner, &go_on);
    if (!go_on) return c;
    buf_init(&body, TMS_BODY_MAX_BYTES);
    result r = tms_write_removal(&body);
    if (!failed(r))
        r = send_call(c, SLICE("POST"), SLICE("/tms/v2/tokenized-cards/"), SLICE("/delete"), buf_slice(&body));
    buf_done(&body);
    return sent_or_answered(c, r);
}

static void cancel(struct network_call *c)
{
    assert(c->magic == TMS_CALL_MAGIC);
    http_call_cancel(c->http);
    c->http = NULL;
    call_end(c);
}

static result notice(struct connector *connector, slice field, slice body, struct network_ref *refs, size_t room,
                     size_t *count)
{
    return tms_notice(tms_of(connector), field, body, clock_wall_ms(), refs, room, count);
}

/* --- the connector --- */

static void tms_free(struct connector *connector)
{
    struct tms *t = tms_of(connector);
    assert(t->calls == 0);
    if (t->breaker.state != BREAKER_CLOSED) metrics_gauge(METRIC_BREAKERS_OPEN, -1);
    upstream_pool_free(t->pool);
    tls_client_free(t->tls);
    buf_done(&t->host);
    buf_done(&t->secret);
    buf_done(&t->notice_key);
    rsa_key_free(t->jwt_key);
    rsa_key_free(t->answer_key);
    t->magic = 0;
    free(t);
}

static const struct connector_engine engine = {
    .name = "cybersource",
    .enrol = enrol,
    .credentials = credentials,
    .state = state,
    .remove = remove_token,
    .cancel = cancel,
    .notice = notice,
    .free = tms_free,
};

/* Which key is unusable; the caller only learns that one is. */
static result told(const struct tms *t, result r, const char *key)
{
    if (!failed(r) || r.err == ERR_MEMORY) return r;
    log_begin(LOG_LEVEL_ERROR, "network_config");
    log_word("network", t->connector.config->name);
    log_text("key", key);
    log_error("cause", r.err);
    log_end();
    return FAIL(CONFIG);
}

static result read_secret(slice base64, struct buf *out)
{
    TRY(base64_read(base64, out));
    ENSURE(out->len, BASE64);
    return OK;
}

static result load_keys(struct tms *t)
{
    const struct config_network *n = t->connector.config;
    if (n->auth == NETWORK_AUTH_JWT_KEY)
        TRY(told(t, rsa_key_private(n->jwt_key, &t->jwt_key), "jwt_key"));
    else
        TRY(told(t, read_secret(n->secret, &t->secret), "secret"));
    TRY(told(t, rsa_key_private(n->answer_key, &t->answer_key), "answer_key"));
    if (n->notice_key.len) TRY(told(t, read_secret(n->notice_key, &t->notice_key), "notice_key"));
    return OK;
}

static result open_pool(struct tms *t, const struct connector_options *options)
{
    const struct config_network *n = options->network;
    if (n->upstream.tls) {
        slice ca = n->ca.len ? n->ca : options->config->system_ca;
        TRY(told(t, tls_client_new(ca, SLICE_NONE, SLICE_NONE, &t->tls), "ca"));
    }
    TRY(told(t, url_write_host(&n->upstream, &t->host), "upstream"));
    t->pool = upstream_pool_new(&(struct upstream_settings){
        .loop = options->loop,
        .resolver = options->resolver,
        .host = n->upstream.host,
        .port = n->upstream.port,
        .tls = t->tls,
        .connect_ms = n->timeout_ms,
        .idle_ms = options->config->idle_upstream_ms,
        .head_limits = {.head_bytes = HEAD_BYTES, .fields = HEAD_FIELDS},
    });
    ENSURE(t->pool != NULL, MEMORY);
    return OK;
}

result tms_connector_new(const struct connector_options *options, struct connector **out)
{
    struct tms *t = calloc(1, sizeof *t);
    *out = NULL;
    ENSURE(t != NULL, MEMORY);
    *t = (struct tms){
        .connector = {.engine = &engine, .config = options->network}, .magic = TMS_MAGIC, .loop = options->loop};
    buf_init(&t->host, HOST_MAX_BYTES);
    buf_init_secret(&t->secret, KEY_MAX_BYTES);
    buf_init_secret(&t->notice_key, KEY_MAX_BYTES);
    result r = load_keys(t);
    if (!failed(r)) r = open_pool(t, options);
    if (failed(r)) {
        tms_free(&t->connector);
        return r;
    }
    *out = &t->connector;
    return OK;
}
