/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/registry.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "keeper/channel.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum {
    ORDER_MAGIC = 0x6f726472,
    ORDERS_MAX = 64 * 1024,
    WAITING_MAX_BYTES = 4 * 1024 * 1024, /* that the registrar has not taken */
};

/* Where an order stands: <fresh> until the turn's end; out; or <doomed>, to be answered from the loop. */
enum stand { STAND_FRESH, STAND_OUT, STAND_DOOMED };
struct order {
    uint32_t magic;
    struct registry *registry;
    uint64_t id;
    enum stand stand;
    enum wire_type answer;
    bool is_late;
    union {
        registry_done done;
        registry_noticed noticed;
        registry_delivered delivered;
    } call;
    void *owner;
    struct timer *timer;
    TAILQ_ENTRY(order) link;
    UT_hash_handle hh;
};
TAILQ_HEAD(orders, order);

struct registry {
    struct loop *loop;
    struct channel *channel; /* NULL: no registrar */
    char *scratch;
    struct credential *credential; /* secret: the one being handed over */
    uint64_t last_id;
    size_t settled_bytes; /* of the channel's waiting ones: from turns whose audit lines are written */
    bool is_settled;
    struct order *by_id;
    struct orders fresh, out, doomed;
    struct event *deliver_doomed;
    void (*on_breach)(void *owner);
    void *owner;
};

static struct orders *list_of(struct registry *r, enum stand stand)
{
    return stand == STAND_FRESH ? &r->fresh : stand == STAND_OUT ? &r->out : &r->doomed;
}

static void move_to(struct order *o, enum stand stand)
{
    TAILQ_REMOVE(list_of(o->registry, o->stand), o, link);
    o->stand = stand;
    TAILQ_INSERT_TAIL(list_of(o->registry, stand), o, link);
}

static void forget(struct order *o)
{
    struct registry *r = o->registry;
    assert(o->magic == ORDER_MAGIC);
    TAILQ_REMOVE(list_of(r, o->stand), o, link);
    HASH_DEL(r->by_id, o);
    timer_free(o->timer);
    o->magic = 0;
    free(o);
    metrics_gauge(METRIC_NETWORK_ORDERS, -1);
}

static void tell_to_cancel(const struct order *o)
{
    struct registry *r = o->registry;
    if (o->stand == STAND_DOOMED || !r->channel) return;
    result ignored = wire_put(channel_out(r->channel), WIRE_ORDER_CANCEL, o->id, 0, NULL, NULL);
    (void)ignored; /* an answer that nobody waits for is dropped */
}

void registry_cancel(struct order *o)
{
    if (!o) return;
    tell_to_cancel(o);
    forget(o);
}

/* --- failures: from the loop, or at shutdown --- */

static void fail_order(struct order *o)
{
    metrics_add(METRIC_NETWORK_CALLS_FAILED, o->answer == WIRE_RESULT);
    const struct order was = *o;
    const struct registry_answer answer = {.r = FAIL(NETWORK_DOWN), .is_late = o->is_late};
    forget(o);
    if (was.answer == WIRE_RESULT_NOTICE)
        was.call.noticed(was.owner, answer.r, NULL, 0);
    else if (was.answer == WIRE_RESULT_DELIVER)
        was.call.delivered(was.owner, answer.r, 0);
    else
        was.call.done(was.owner, &answer);
}

static void fail_all(struct orders *list)
{
    struct order *o;
    while ((o = TAILQ_FIRST(list)) != NULL) fail_order(o);
}

static void on_deliver_doomed(evutil_socket_t fd, short what, void *arg)
{
    struct registry *r = arg;
    (void)fd;
    (void)what;
    fail_all(&r->doomed);
}

static void doom(struct order *o)
{
    if (o->stand == STAND_DOOMED) return;
    timer_stop(o->timer);
    move_to(o, STAND_DOOMED);
    event_active(o->registry->deliver_doomed, 0, 0);
}

static void doom_all(struct orders *list)
{
    struct order *o;
    while ((o = TAILQ_FIRST(list)) != NULL) doom(o);
}

static void on_time_over(void *arg)
{
    struct order *o = arg;
    assert(o->magic == ORDER_MAGIC);
    tell_to_cancel(o);
    o->is_late = true;
    move_to(o, STAND_DOOMED);
    fail_order(o);
}

/* --- answers --- */

/* Another error would be told on as if the keeper had found it: a stolen registrar could make a caller's tokens unknown, and have him
 * locked out for guessing. */
static bool is_verdict(enum error e)
{
    switch (e) {
    case ERR_NONE:
    case ERR_NETWORK_DOWN:
    case ERR_NETWORK_REFUSED:
    case ERR_NETWORK_UNSUPPORTED:
    case ERR_NETWORK_ANSWER:
    case ERR_NETWORK_CREDENTIALS:
    case ERR_NETWORK_TOKEN_GONE: return true;
    default: return false;
    }
}

static bool take_result(struct registry *r, struct order *o, const struct wire_frame *f)
{
    struct wire_result w;
    wire_fixed(f, &w, sizeof w);
    if (!is_verdict(w.error)) return false;
    const struct order was = *o;
    bool is_refusal = w.error == ERR_NETWORK_REFUSED || w.error == ERR_NETWORK_UNSUPPORTED || w.error == ERR_NETWORK_TOKEN_GONE;
    metrics_add(!w.error ? METRIC_NETWORK_CALLS : is_refusal ? METRIC_NETWORK_CALLS_REFUSED : METRIC_NETWORK_CALLS_FAILED, 1);
    forget(o);
    struct registry_answer answer = {.r = {w.error}, .state = w.state, .reason = w.reason, .ref = wire_tail(f, 0),
                                     .instrument = wire_tail(f, 1), .month = w.month, .year = w.year, .took_us = w.took_us};
    if (w.has_credential) {
        wire_network_credential(f, w.credential_month, w.credential_year, r->credential);
        bool is_sound = credential_is_sound(r->credential);
        answer.has_lapsed = is_sound && clock_wall_ms() >= clock_month_end_ms(r->credential->year, r->credential->month);
        if (is_sound && !answer.has_lapsed)
            answer.credential = r->credential;
        else
            answer.r = FAIL(NETWORK_ANSWER); /* a payment goes on with the card's number; with this it would not go at all */
    }
    was.call.done(was.owner, &answer);
    secret_wipe(r->credential, sizeof *r->credential);
    return true;
}

static bool take_notice(struct order *o, const struct wire_frame *f)
{
    struct wire_result_notice w;
    slice refs[WIRE_REFS_MAX], rest = wire_tail(f, 0);
    size_t count = 0;
    wire_fixed(f, &w, sizeof w);
    if (w.error >= ERR_COUNT) return false;
    while (count < WIRE_REFS_MAX && slice_next(&rest, ',', &refs[count])) count += refs[count].len > 0;
    const struct order was = *o;
    forget(o);
    was.call.noticed(was.owner, (result){w.error}, refs, count);
    return true;
}

static bool take_delivery(struct order *o, const struct wire_frame *f)
{
    struct wire_result_deliver w;
    wire_fixed(f, &w, sizeof w);
    if (w.error != ERR_NONE && w.error != ERR_WEBHOOK_UNDELIVERED) return false;
    const struct order was = *o;
    forget(o);
    was.call.delivered(was.owner, (result){w.error}, w.status);
    return true;
}

static bool on_frame(void *owner, const struct wire_frame *f)
{
    struct registry *r = owner;
    struct order *o = NULL;
    if (wire_way(f->type) != WIRE_REGISTRAR_TO_KEEPER || f->sequence != 0) return false;
    HASH_FIND(hh, r->by_id, &f->dialogue, sizeof f->dialogue, o);
    if (!o || o->stand == STAND_DOOMED) return f->dialogue <= r->last_id; /* its time was over while the answer was on its way */
    if (o->answer != f->type) return false;
    if (f->type == WIRE_RESULT_NOTICE) return take_notice(o, f);
    return f->type == WIRE_RESULT_DELIVER ? take_delivery(o, f) : take_result(r, o, f);
}

/* --- the connection --- */

static void free_channel(void *object)
{
    channel_free(object);
}

static void disconnect(struct registry *r)
{
    if (!r->channel) return;
    channel_stop(r->channel);
    loop_free_later(r->loop, free_channel, r->channel);
    r->channel = NULL;
    r->settled_bytes = 0;
    doom_all(&r->fresh);
    doom_all(&r->out);
}

static void on_lost(void *owner, enum channel_loss why)
{
    static const char *const reasons[] = {"closed", "malformed frame", "socket failed"};
    struct registry *r = owner;
    log_plain(why == CHANNEL_CLOSED ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, "registrar_lost", reasons[why]);
    disconnect(r);
    if (why != CHANNEL_CLOSED) r->on_breach(r->owner);
}

static const struct channel_handlers handlers = {on_frame, on_lost};

bool registry_is_away(const struct registry *r)
{
    return r->channel == NULL;
}

void registry_replace(struct registry *r, int fd)
{
    disconnect(r);
    if (fd < 0) return;
    r->channel = channel_new(r->loop, fd, r->scratch, &handlers, r);
    if (r->channel) return;
    log_failure("registrar_connect", FAIL(MEMORY));
    r->on_breach(r->owner);
}

/* What was written behind the settled bytes tells of cards whose audit lines are lost: it goes nowhere. */
static void take_back(struct registry *r)
{
    struct buf *out = channel_out(r->channel);
    size_t settled = r->settled_bytes < out->len ? r->settled_bytes : out->len;
    secret_wipe(out->at + settled, out->len - settled);
    out->len = settled;
    doom_all(&r->fresh);
}

void registry_send(struct registry *r, bool audit_is_sound)
{
    struct order *o;
    if (!r->channel) return;
    if (!audit_is_sound) take_back(r);
    channel_send(r->channel);
    if (!r->channel) return;
    r->settled_bytes = channel_waiting(r->channel);
    while ((o = TAILQ_FIRST(&r->fresh)) != NULL) move_to(o, STAND_OUT);
}

/* --- orders --- */

static struct order *order_new(struct registry *r, enum wire_type answer, void *owner)
{
    if (r->is_settled || HASH_COUNT(r->by_id) >= ORDERS_MAX) return NULL;
    struct order *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    *o = (struct order){.magic = ORDER_MAGIC, .registry = r, .id = ++r->last_id, .stand = STAND_FRESH, .answer = answer, .owner = owner};
    o->timer = timer_new(r->loop, on_time_over, o);
    if (o->timer) HASH_ADD(hh, r->by_id, id, sizeof o->id, o);
    if (!o->timer || !o->hh.tbl) {
        timer_free(o->timer);
        free(o);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&r->fresh, o, link);
    metrics_gauge(METRIC_NETWORK_ORDERS, 1);
    return o;
}

static struct order *place(struct order *o, enum wire_type type, const void *fixed, const slice *tails, uint64_t limit_ms)
{
    struct registry *r = o->registry;
    bool has_room = r->channel && channel_waiting(r->channel) < WAITING_MAX_BYTES;
    if (has_room && !failed(wire_put(channel_out(r->channel), type, o->id, 0, fixed, tails)))
        timer_set(o->timer, limit_ms);
    else
        doom(o);
    return o;
}

struct order *registry_enrol(struct registry *r, const struct registry_card *c, uint64_t limit_ms, registry_done done, void *owner)
{
    struct order *o = order_new(r, WIRE_RESULT, owner);
    if (!o) return NULL;
    o->call.done = done;
    const struct wire_order_enrol w = {.billing_len = (uint16_t)c->billing.len, .year = c->year, .month = c->month, .brand = (uint8_t)c->brand,
                                       .network_len = (uint8_t)c->network.len, .number_len = (uint8_t)c->number.len,
                                       .holder_len = (uint8_t)c->holder.len, .cvc_len = (uint8_t)c->cvc.len,
                                       .correlation_len = (uint8_t)c->correlation.len};
    const slice tails[] = {c->network, c->number, c->holder, c->cvc, c->billing, c->correlation};
    return place(o, WIRE_ORDER_ENROL, &w, tails, limit_ms);
}

static struct order *by_ref(struct registry *r, enum wire_type type, slice network, slice ref, bool without_cryptogram,
                            uint64_t limit_ms, registry_done done, void *owner)
{
    struct order *o = order_new(r, WIRE_RESULT, owner);
    if (!o) return NULL;
    o->call.done = done;
    const struct wire_order_ref w = {.without_cryptogram = without_cryptogram, .network_len = (uint8_t)network.len, .ref_len = (uint8_t)ref.len};
    const slice tails[] = {network, ref};
    return place(o, type, &w, tails, limit_ms);
}

struct order *registry_credentials(struct registry *r, slice network, slice ref, bool without_cryptogram, uint64_t limit_ms,
                                   registry_done done, void *owner)
{
    return by_ref(r, WIRE_ORDER_CREDENTIALS, network, ref, without_cryptogram, limit_ms, done, owner);
}

struct order *registry_state(struct registry *r, slice network, slice ref, uint64_t limit_ms, registry_done done, void *owner)
{
    return by_ref(r, WIRE_ORDER_STATE, network, ref, false, limit_ms, done, owner);
}

struct order *registry_remove(struct registry *r, slice network, slice ref, uint64_t limit_ms, registry_done done, void *owner)
{
    return by_ref(r, WIRE_ORDER_REMOVE, network, ref, false, limit_ms, done, owner);
}

struct order *registry_notice(struct registry *r, slice network, slice field, slice body, uint64_t limit_ms, registry_noticed done, void *owner)
{
    struct order *o = order_new(r, WIRE_RESULT_NOTICE, owner);
    if (!o) return NULL;
    o->call.noticed = done;
    const struct wire_order_notice w = {.field_len = (uint16_t)field.len, .body_len = (uint16_t)body.len, .network_len = (uint8_t)network.len};
    const slice tails[] = {network, field, body};
    return place(o, WIRE_ORDER_NOTICE, &w, tails, limit_ms);
}

struct order *registry_deliver(struct registry *r, slice merchant, slice url, slice event_id, slice json, uint64_t limit_ms,
                               registry_delivered done, void *owner)
{
    struct order *o = order_new(r, WIRE_RESULT_DELIVER, owner);
    if (!o) return NULL;
    o->call.delivered = done;
    const struct wire_order_deliver w = {.json_len = (uint16_t)json.len, .merchant_len = (uint8_t)merchant.len, .url_len = (uint8_t)url.len,
                                         .event_len = (uint8_t)event_id.len};
    const slice tails[] = {merchant, url, event_id, json};
    return place(o, WIRE_ORDER_DELIVER, &w, tails, limit_ms);
}

/* --- the registry itself --- */

struct registry *registry_new(struct loop *loop, char *scratch, void (*on_breach)(void *owner), void *owner)
{
    struct registry *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    *r = (struct registry){.loop = loop, .scratch = scratch, .on_breach = on_breach, .owner = owner};
    TAILQ_INIT(&r->fresh);
    TAILQ_INIT(&r->out);
    TAILQ_INIT(&r->doomed);
    r->credential = secret_alloc(sizeof *r->credential);
    r->deliver_doomed = event_new(loop_base(loop), -1, 0, on_deliver_doomed, r);
    if (r->credential && r->deliver_doomed) return r;
    registry_free(r);
    return NULL;
}

void registry_settle(struct registry *r)
{
    r->is_settled = true;
    fail_all(&r->fresh);
    fail_all(&r->out);
    fail_all(&r->doomed);
}

void registry_free(struct registry *r)
{
    struct order *o;
    if (!r) return;
    while ((o = TAILQ_FIRST(&r->fresh)) != NULL || (o = TAILQ_FIRST(&r->out)) != NULL || (o = TAILQ_FIRST(&r->doomed)) != NULL) forget(o);
    channel_free(r->channel);
    if (r->deliver_doomed) event_free(r->deliver_doomed);
    secret_free(r->credential, sizeof *r->credential);
    free(r);
}

size_t registry_waiting(const struct registry *r)
{
    return HASH_COUNT(r->by_id);
}
