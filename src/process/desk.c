/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include "base/log.h"
#include "base/secret.h"
#include "keeper/channel.h"
#include "keeper/client.h"
#include "network/connector.h"
#include "network/webhook.h"
#include "rules/url.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* One configuration with what was made of it; freed when it is not the current one and no errand is under it. */
struct office {
    struct config *config;
    struct connector **connectors; /* by network */
    struct webhook_sender *sender;
    size_t errands;
};
struct errand {
    struct desk *desk;
    struct office *office;
    uint64_t id;
    struct connector *connector;
    struct network_call *call;         /* one of the two */
    struct webhook_delivery *delivery;
    UT_hash_handle hh;
};
struct desk {
    struct loop *loop;
    struct resolver *resolver;
    struct channel *channel; /* NULL: no keeper */
    char *scratch;           /* secret */
    struct office *current;
    struct errand *errands;
    void (*breach)(void *owner); /* NULL: nobody is told */
    void *breach_owner;
};

/* --- configurations --- */

static void office_free(struct office *o)
{
    if (!o) return;
    assert(o->errands == 0);
    webhook_sender_free(o->sender);
    for (size_t i = 0; o->connectors && i < o->config->network_count; i++) connector_free(o->connectors[i]);
    free(o->connectors);
    config_free(o->config);
    free(o);
}

static result furnish(struct office *o, struct loop *loop, struct resolver *resolver)
{
    const struct config *c = o->config;
    o->connectors = calloc(c->network_count + 1, sizeof *o->connectors);
    ENSURE(o->connectors != NULL, MEMORY);
    for (size_t i = 0; i < c->network_count; i++) {
        const struct connector_options options = {.loop = loop, .resolver = resolver, .config = c, .network = &c->networks[i]};
        TRY(connector_new(&options, &o->connectors[i]));
    }
    return webhook_sender_new(loop, resolver, c, &o->sender);
}

static result office_new(struct loop *loop, struct resolver *resolver, struct config *config, struct office **out)
{
    struct office *o = calloc(1, sizeof *o);
    if (!o) {
        config_free(config);
        return FAIL(MEMORY);
    }
    o->config = config;
    result r = furnish(o, loop, resolver);
    if (failed(r))
        office_free(o);
    else
        *out = o;
    return r;
}

/* --- errands --- */

/* An office may be called back from inside a call of its own: it is freed at the turn's end. */
static void free_office(void *object)
{
    office_free(object);
}

static void leave_office(struct desk *d, struct office *o)
{
    if (--o->errands == 0 && o != d->current) loop_free_later(d->loop, free_office, o);
}

static void errand_free(struct errand *e)
{
    struct desk *d = e->desk;
    struct office *o = e->office;
    HASH_DEL(d->errands, e);
    free(e);
    leave_office(d, o);
}

static void give_up(struct errand *e)
{
    if (e->call) connector_cancel(e->connector, e->call);
    webhook_cancel(e->delivery);
    errand_free(e);
}

static struct errand *errand_new(struct desk *d, uint64_t id)
{
    struct errand *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    *e = (struct errand){.desk = d, .office = d->current, .id = id};
    HASH_ADD(hh, d->errands, id, sizeof e->id, e);
    if (!e->hh.tbl) {
        free(e);
        return NULL;
    }
    e->office->errands++;
    return e;
}

/* --- results --- */

static void put(struct desk *d, enum wire_type type, uint64_t id, const void *fixed, const slice *tails)
{
    if (!d->channel) return;
    result r = wire_put(channel_out(d->channel), type, id, 0, fixed, tails);
    if (failed(r)) log_failure("registrar_answer", r); /* the keeper's own limit ends the order */
}

static void put_failure(struct desk *d, enum wire_type type, uint64_t id, enum error e)
{
    static const slice none[WIRE_TAILS_MAX];
    const struct wire_result result_ = {.error = (uint16_t)e};
    const struct wire_result_notice notice = {.error = (uint16_t)e};
    const struct wire_result_deliver delivery = {.error = (uint16_t)e};
    if (type == WIRE_RESULT)
        put(d, type, id, &result_, none);
    else
        put(d, type, id, type == WIRE_RESULT_NOTICE ? (const void *)&notice : &delivery, none);
}

static void on_network(void *owner, const struct network_answer *a)
{
    struct errand *e = owner;
    const struct credential *c = a->credential;
    slice tails[WIRE_TAILS_MAX] = {network_ref_slice(&a->ref), network_ref_slice(&a->instrument)};
    struct wire_result w = {.took_us = a->took_us, .error = (uint16_t)a->r.err, .state = (uint8_t)a->state, .reason = (uint8_t)a->reason,
                            .month = a->month, .year = a->year, .ref_len = a->ref.len, .instrument_len = a->instrument.len};
    if (c) {
        wire_network_tails(c, tails);
        w.has_credential = 1;
        w.credential_month = c->month;
        w.credential_year = c->year;
        w.number_len = c->number_len;
        w.cryptogram_len = c->cryptogram_len;
        w.eci_len = c->eci_len;
        w.requestor_len = c->requestor_len;
    }
    put(e->desk, WIRE_RESULT, e->id, &w, tails);
    errand_free(e);
}

static void on_delivered(void *owner, result r, int status)
{
    struct errand *e = owner;
    const struct wire_result_deliver w = {.error = (uint16_t)r.err, .status = (int16_t)status};
    put(e->desk, WIRE_RESULT_DELIVER, e->id, &w, NULL);
    errand_free(e);
}

/* --- orders --- */

static struct connector *connector_of(const struct desk *d, slice network)
{
    const struct config *c = d->current->config;
    for (size_t i = 0; i < c->network_count; i++)
        if (slice_eq(c->networks[i].name, network)) return d->current->connectors[i];
    return NULL;
}

static struct network_call *start_enrolment(struct errand *e, const struct wire_frame *f)
{
    struct wire_order_enrol w;
    struct billing_text text;
    wire_fixed(f, &w, sizeof w);
    if (!wire_billing_read(wire_tail(f, 4), &text)) return NULL;
    const struct network_card card = {
        .number = wire_tail(f, 1), .holder = wire_tail(f, 2), .cvc = wire_tail(f, 3), .month = w.month, .year = w.year, .brand = w.brand,
        .billing = {text.address_1, text.address_2, text.city, text.state, text.postal_code, text.country}, .correlation = wire_tail(f, 5)};
    return connector_enrol(e->connector, &card, on_network, e);
}

static struct network_call *start_call(struct errand *e, const struct wire_frame *f)
{
    struct wire_order_ref w;
    if (f->type == WIRE_ORDER_ENROL) return start_enrolment(e, f);
    wire_fixed(f, &w, sizeof w);
    slice ref = wire_tail(f, 1);
    if (f->type == WIRE_ORDER_CREDENTIALS) return connector_credentials(e->connector, ref, w.without_cryptogram, on_network, e);
    if (f->type == WIRE_ORDER_STATE) return connector_state(e->connector, ref, on_network, e);
    return connector_remove(e->connector, ref, on_network, e);
}

static void call_network(struct desk *d, const struct wire_frame *f)
{
    struct connector *connector = connector_of(d, wire_tail(f, 0));
    struct errand *e = connector ? errand_new(d, f->dialogue) : NULL;
    if (e) {
        e->connector = connector;
        e->call = start_call(e, f);
        if (e->call) return;
        errand_free(e);
    }
    put_failure(d, WIRE_RESULT, f->dialogue, ERR_NETWORK_DOWN);
}

static result check_notice(struct desk *d, const struct wire_frame *f, struct network_ref *refs, size_t *count)
{
    struct connector *connector = connector_of(d, wire_tail(f, 0));
    ENSURE(connector != NULL, NETWORK_DOWN);
    return connector_notice(connector, wire_tail(f, 1), wire_tail(f, 2), refs, WIRE_REFS_MAX, count);
}

static void take_notice(struct desk *d, const struct wire_frame *f)
{
    struct network_ref refs[WIRE_REFS_MAX];
    size_t count = 0;
    struct buf text;
    buf_init(&text, WIRE_REFS_MAX_BYTES);
    result r = check_notice(d, f, refs, &count);
    for (size_t i = 0; i < count && !failed(r); i++) {
        if (i > 0) r = buf_append(&text, SLICE(","));
        if (!failed(r)) r = buf_append(&text, network_ref_slice(&refs[i]));
    }
    const slice tail = failed(r) ? SLICE_NONE : buf_slice(&text);
    const struct wire_result_notice w = {.error = (uint16_t)r.err, .refs_len = (uint16_t)tail.len};
    put(d, WIRE_RESULT_NOTICE, f->dialogue, &w, &tail);
    buf_done(&text);
}

static bool is_url(const struct upstream_url *url, slice text)
{
    struct buf b;
    buf_init(&b, WIRE_URL_MAX_BYTES);
    bool is = !failed(url_write(url, &b)) && slice_eq(buf_slice(&b), text);
    buf_done(&b);
    return is;
}

static struct webhook_delivery *start_delivery(struct errand *e, const struct wire_frame *f)
{
    const struct config *c = e->office->config;
    int64_t merchant = config_merchant_index(c, wire_tail(f, 0));
    const struct config_merchant *m = merchant >= 0 ? &c->merchants[merchant] : NULL;
    size_t i = 0;
    while (m && i < m->webhook_count && !is_url(&m->webhooks[i].url, wire_tail(f, 1))) i++;
    if (!m || i == m->webhook_count) return NULL;
    return webhook_send(e->office->sender, (uint32_t)merchant, (uint32_t)i, wire_tail(f, 2), wire_tail(f, 3), on_delivered, e);
}

static void deliver(struct desk *d, const struct wire_frame *f)
{
    struct errand *e = errand_new(d, f->dialogue);
    if (e) {
        e->delivery = start_delivery(e, f);
        if (e->delivery) return;
        errand_free(e);
    }
    put_failure(d, WIRE_RESULT_DELIVER, f->dialogue, ERR_WEBHOOK_UNDELIVERED);
}

static bool on_frame(void *owner, const struct wire_frame *f)
{
    struct desk *d = owner;
    struct errand *e = NULL;
    if (wire_way(f->type) != WIRE_KEEPER_TO_REGISTRAR || f->sequence != 0) return false;
    HASH_FIND(hh, d->errands, &f->dialogue, sizeof f->dialogue, e);
    if (f->type == WIRE_ORDER_CANCEL) {
        if (e) give_up(e); /* else its answer is on its way */
        return true;
    }
    if (e) return false;
    switch (f->type) {
    case WIRE_ORDER_NOTICE: take_notice(d, f); return true;
    case WIRE_ORDER_DELIVER: deliver(d, f); return true;
    default: call_network(d, f); return true;
    }
}

/* --- the connection --- */

static void free_channel(void *object)
{
    channel_free(object);
}

static void give_up_all(struct desk *d)
{
    struct errand *e, *next;
    HASH_ITER (hh, d->errands, e, next) give_up(e);
}

static void disconnect(struct desk *d)
{
    if (!d->channel) return;
    channel_stop(d->channel);
    loop_free_later(d->loop, free_channel, d->channel);
    d->channel = NULL;
    give_up_all(d);
}

static void on_lost(void *owner, enum channel_loss why)
{
    static const char *const reasons[] = {"closed", "malformed frame", "socket failed"};
    struct desk *d = owner;
    log_plain(why == CHANNEL_CLOSED ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, "keeper_lost", reasons[why]);
    disconnect(d);
    if (why != CHANNEL_CLOSED && d->breach) d->breach(d->breach_owner);
}

static const struct channel_handlers handlers = {on_frame, on_lost};

void desk_connect(struct desk *d, int fd)
{
    disconnect(d);
    if (fd < 0) return;
    d->channel = channel_new(d->loop, fd, d->scratch, &handlers, d);
    if (d->channel) return;
    log_failure("keeper_connect", FAIL(MEMORY));
    if (d->breach) d->breach(d->breach_owner); /* nobody would send another pair */
}

void desk_on_breach(struct desk *d, void (*breach)(void *owner), void *owner)
{
    d->breach = breach;
    d->breach_owner = owner;
}

static void on_turn_end(void *arg)
{
    struct desk *d = arg;
    if (d->channel) channel_send(d->channel);
}

/* --- the desk itself --- */

result desk_configure(struct desk *d, struct config *config)
{
    struct office *next = NULL, *old = d->current;
    TRY(office_new(d->loop, d->resolver, config, &next));
    d->current = next;
    if (old->errands == 0) loop_free_later(d->loop, free_office, old);
    return OK;
}

result desk_new(struct loop *loop, struct resolver *resolver, struct config *config, struct desk **out)
{
    struct desk *d = calloc(1, sizeof *d);
    if (!d) {
        config_free(config);
        return FAIL(MEMORY);
    }
    d->loop = loop;
    d->resolver = resolver;
    d->scratch = secret_alloc(WIRE_BATCH_BYTES);
    result r = office_new(loop, resolver, config, &d->current);
    if (!failed(r)) r = d->scratch ? loop_at_turn_end(loop, on_turn_end, d) : FAIL(MEMORY);
    if (failed(r)) {
        desk_free(d);
        return r;
    }
    *out = d;
    return OK;
}

void desk_free(struct desk *d)
{
    if (!d) return;
    give_up_all(d);
    channel_free(d->channel);
    office_free(d->current);
    secret_free(d->scratch, WIRE_BATCH_BYTES);
    free(d);
}
