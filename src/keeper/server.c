/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"
#include "jobs.h"
#include "no_pan.h"
#include "payments.h"
#include "reports.h"
#include "server_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "sign/jwe.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    TICK_MS = 1000,
    FIRST_SLOTS = 64,
    UNREAD_MAX_BYTES = 1024 * 1024,      /* answers a relay has not read: past it, its questions wait */
    QUESTIONS_MAX = 64 * 1024,           /* with an engine that answers later */
};

/* --- configurations --- */

struct version *server_version(const struct keeper_server *s, uint32_t generation)
{
    struct version *v;
    TAILQ_FOREACH (v, &s->versions, link)
        if (v->generation == generation) return v;
    return NULL;
}

void server_hold(struct version *v)
{
    v->holds++;
}

struct rsa_key **version_key(struct version *v, uint32_t route)
{
    if (!v->keys) v->keys = calloc(v->config->route_count, sizeof *v->keys);
    return v->keys ? &v->keys[route] : NULL;
}

struct breaker *version_patience(struct version *v, uint32_t route, uint32_t network)
{
    if (!v->patience) v->patience = calloc(v->config->route_count * v->config->network_count, sizeof *v->patience);
    return v->patience ? &v->patience[route * v->config->network_count + network] : NULL;
}

/* A version that left the list lives on as long as something under it does. */
void server_release(struct version *v)
{
    if (!v) return;
    assert(v->holds > 0);
    if (--v->holds > 0) return;
    for (size_t i = 0; v->keys && i < v->config->route_count; i++) rsa_key_free(v->keys[i]);
    free(v->keys);
    free(v->patience);
    config_free(v->config);
    free(v);
}

static void drop_oldest(struct keeper_server *s)
{
    size_t count = 0;
    struct version *v;
    TAILQ_FOREACH (v, &s->versions, link)
        count++;
    if (count <= VERSIONS_KEPT) return;
    v = TAILQ_FIRST(&s->versions);
    assert(v != s->current);
    TAILQ_REMOVE(&s->versions, v, link);
    server_release(v);
}

static void make_current(struct keeper_server *s, struct version *v)
{
    if (s->current) s->current->replaced_ms = loop_now_ms(s->loop);
    s->current = v;
}

result keeper_server_configure(struct keeper_server *s, struct config *config, uint32_t generation)
{
    struct version *v = server_version(s, generation);
    if (v) {
        config_free(config); /* known already: a reload that was taken back */
        make_current(s, v);
        return OK;
    }
    v = calloc(1, sizeof *v);
    if (!v) {
        config_free(config);
        return FAIL(MEMORY);
    }
    *v = (struct version){.generation = generation, .config = config, .holds = 1};
    TAILQ_INSERT_TAIL(&s->versions, v, link);
    make_current(s, v);
    drop_oldest(s);
    return OK;
}

/* --- dialogues --- */

struct dialogue *server_find(const struct relay *r, uint64_t id)
{
    uint32_t i = (uint32_t)id;
    struct dialogue *d = i < r->slot_count ? r->slots[i] : NULL;
    return d && d->id == id ? d : NULL;
}

/* Not before: a message never waits for a card network, nor for what is written for one. */
static void enrol_captured(const struct dialogue *d)
{
    const struct standing *s = &d->standing;
    for (size_t i = 0; i < d->captured_count; i++)
        jobs_after_capture(d->relay->server->jobs, s->version->config->merchants[s->merchant].name, token_id_slice(&d->captured[i]));
}

/* Whoever ends a dialogue without the relay's word that nothing was sent must take its temporal tokens for used, and the ids of those
 * that it made for known. */
static void end_dialogue(struct dialogue *d, enum wire_left left)
{
    struct keeper_server *s = d->relay->server;
    temporal_settle(s->temporal, &d->temporal, left != WIRE_LEFT_NOTHING);
    temporal_release(s->temporal, &d->made, left == WIRE_LEFT_ALL);
    server_forget_signing(d);
    d->relay->slots[(uint32_t)d->id] = NULL;
    TAILQ_REMOVE(&s->dialogues, d, link);
    s->dialogue_count--;
    enrol_captured(d);
    free(d->captured);
    server_release(d->standing.version);
    free(d);
}

static void touch(struct dialogue *d)
{
    struct keeper_server *s = d->relay->server;
    uint64_t now = loop_now_ms(s->loop);
    if (d->seen_ms == now) return;
    d->seen_ms = now;
    TAILQ_REMOVE(&s->dialogues, d, link);
    TAILQ_INSERT_TAIL(&s->dialogues, d, link);
}

static bool room_for_slot(struct relay *r, uint32_t i)
{
    if (i < r->slot_count) return true;
    uint32_t count = r->slot_count ? r->slot_count : FIRST_SLOTS;
    while (count <= i) count *= 2;
    struct dialogue **slots = realloc(r->slots, count * sizeof(struct dialogue *));
    if (!slots) return false;
    for (uint32_t k = r->slot_count; k < count; k++) slots[k] = NULL;
    r->slots = slots;
    r->slot_count = count;
    return true;
}

static struct dialogue *start_dialogue(struct relay *r, uint64_t id)
{
    struct keeper_server *s = r->server;
    struct dialogue *d = room_for_slot(r, (uint32_t)id) ? calloc(1, sizeof *d) : NULL;
    if (!d) return NULL;
    *d = (struct dialogue){.id = id, .relay = r, .seen_ms = loop_now_ms(s->loop)};
    r->slots[(uint32_t)id] = d;
    TAILQ_INSERT_TAIL(&s->dialogues, d, link);
    s->dialogue_count++;
    return d;
}

static bool open_is_sound(const struct relay *r, const struct wire_frame *f)
{
    struct wire_open o;
    wire_fixed(f, &o, sizeof o);
    bool family_is_known = o.family == WIRE_FAMILY_LOCAL || o.family == WIRE_FAMILY_4 || o.family == WIRE_FAMILY_6;
    return (uint32_t)f->dialogue < WIRE_DIALOGUES_MAX && f->sequence == 0 && family_is_known &&
           (o.has_key || o.key_len == 0) && !server_find(r, f->dialogue);
}

static bool handle_open(struct relay *r, const struct wire_frame *f)
{
    if (!open_is_sound(r, f)) return false;
    uint32_t i = (uint32_t)f->dialogue;
    if (i < r->slot_count && r->slots[i]) end_dialogue(r->slots[i], WIRE_LEFT_ALL); /* its END found no room on the relay's side */
    struct wire_opened opened = {.error = ERR_MEMORY};
    slice key_id = SLICE_NONE;
    struct dialogue *d = start_dialogue(r, f->dialogue);
    if (d) {
        server_admit(d, f);
        opened.error = (uint16_t)d->refusal;
        opened.merchant = d->refusal ? 0 : d->standing.merchant;
        key_id = (slice){d->standing.actor, d->standing.actor_len};
        opened.key_id_len = (uint8_t)key_id.len;
    }
    return !failed(wire_put(channel_out(r->channel), WIRE_OPENED, f->dialogue, 0, &opened, &key_id));
}

static bool handle_end(struct relay *r, const struct wire_frame *f)
{
    struct dialogue *d = server_find(r, f->dialogue);
    struct wire_end w;
    if (f->sequence != 0) return false;
    wire_fixed(f, &w, sizeof w);
    if (d) end_dialogue(d, (enum wire_left)w.left);
    return true;
}

static bool on_frame(void *owner, const struct wire_frame *f)
{
    struct relay *r = owner;
    if (wire_way(f->type) != WIRE_RELAY_TO_KEEPER) return false;
    if (f->type == WIRE_OPEN) return handle_open(r, f);
    if (f->type == WIRE_END) return handle_end(r, f);
    if (f->type == WIRE_PAYMENT) return payments_take(r->server->payments, r, f);
    struct dialogue *d = server_find(r, f->dialogue);
    if (d) touch(d);
    server_answer(r, d, f);
    return true;
}

/* --- relays --- */

static void free_channel(void *object)
{
    channel_free(object);
}

static void free_relay(struct relay *r)
{
    LIST_REMOVE(r, link);
    free(r->slots);
    free(r);
}

static void disconnect(struct relay *r)
{
    if (!r->channel) return;
    channel_stop(r->channel);
    loop_free_later(r->server->loop, free_channel, r->channel);
    r->channel = NULL;
    for (uint32_t i = 0; i < r->slot_count; i++)
        if (r->slots[i]) end_dialogue(r->slots[i], WIRE_LEFT_ALL);
    payments_relay_gone(r->server->payments, r);
}

static void tell_breach(const struct keeper_server *s, uint32_t pair)
{
    if (s->on_breach) s->on_breach(s->owner, pair);
}

static void on_lost(void *owner, enum channel_loss why)
{
    static const char *const reasons[] = {"closed", "malformed frame: the relay's connection is dropped", "socket failed"};
    struct relay *r = owner;
    log_begin(why == CHANNEL_CLOSED ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "relay_lost");
    log_u64("relay", r->number);
    log_text("reason", reasons[why]);
    log_end();
    if (why != CHANNEL_CLOSED) tell_breach(r->server, r->pair);
    disconnect(r); /* the relay itself is freed at the turn's end, when the vault has none of its questions */
}

static const struct channel_handlers handlers = {on_frame, on_lost};

result keeper_server_add_relay(struct keeper_server *s, unsigned number, uint32_t pair, int fd)
{
    struct relay *r;
    LIST_FOREACH (r, &s->relays, link)
        if (r->number == number) disconnect(r);
    r = calloc(1, sizeof *r);
    if (!r) {
        close(fd);
        return FAIL(MEMORY);
    }
    *r = (struct relay){.server = s, .number = number, .pair = pair};
    r->channel = channel_new(s->loop, fd, s->scratch, &handlers, r);
    if (!r->channel) {
        free(r);
        return FAIL(MEMORY);
    }
    LIST_INSERT_HEAD(&s->relays, r, link);
    return OK;
}

/* --- the turn's end --- */

static void take_back_cards(struct relay *r)
{
    struct buf *out = channel_out(r->channel);
    size_t settled = r->settled_bytes < out->len ? r->settled_bytes : out->len;
    if (failed(server_take_back(out, settled))) r->is_full = true;
}

static void end_turn_of(struct relay *r, bool audit_is_sound)
{
    if (!audit_is_sound && r->channel) take_back_cards(r);
    if (r->channel && !r->is_full) channel_send(r->channel);
    if (r->channel && r->is_full) {
        log_begin(LOG_LEVEL_ERROR, "relay_lost");
        log_u64("relay", r->number);
        log_text("reason", "it does not read its answers");
        log_end();
        tell_breach(r->server, r->pair);
        disconnect(r);
    }
    if (r->channel) {
        r->settled_bytes = channel_waiting(r->channel);
        channel_pause(r->channel, r->settled_bytes > UNREAD_MAX_BYTES || r->questions > QUESTIONS_MAX);
    } else if (r->questions == 0) {
        free_relay(r);
    }
}

/* The order that makes an answer true: writes and audit lines reach the disk, then the answers leave. */
static void on_turn_end(void *arg)
{
    struct keeper_server *s = arg;
    vault_flush(s->vault);
    bool audit_is_sound = !vault_audit_is_failing(s->vault);
    struct relay *r = LIST_FIRST(&s->relays), *next;
    registry_send(s->registry, audit_is_sound);
    for (; r; r = next) {
        next = LIST_NEXT(r, link);
        end_turn_of(r, audit_is_sound);
    }
}

/* --- waiting for the card network --- */

enum { SIGNS_A_LIMIT = 3 }; /* of the relay's patience */

static void set_at_work(struct keeper_server *s)
{
    if (s->at_work_is_set || TAILQ_EMPTY(&s->waiting)) return;
    s->at_work_is_set = true;
    timer_set(s->at_work, s->current->config->keeper_ms / SIGNS_A_LIMIT + 1);
}

static void on_at_work(void *arg)
{
    struct keeper_server *s = arg;
    struct question *q;
    s->at_work_is_set = false;
    TAILQ_FOREACH (q, &s->waiting, link) {
        struct dialogue *d = server_find(q->relay, q->dialogue);
        if (!d) continue;
        touch(d);
        server_put(q->relay, WIRE_WORKING, q->dialogue, 0, NULL, NULL);
    }
    set_at_work(s);
}

void server_wait(struct question *q)
{
    struct keeper_server *s = q->relay->server;
    q->is_waiting = true;
    TAILQ_INSERT_TAIL(&s->waiting, q, link);
    set_at_work(s);
}

void server_stop_waiting(struct question *q)
{
    if (q->is_waiting) TAILQ_REMOVE(&q->relay->server->waiting, q, link);
    q->is_waiting = false;
}

int64_t server_wall_ms(struct keeper_server *s)
{
    int64_t now_ms = clock_wall_ms(), step_ms = due_clock_step_ms(&s->clock, now_ms, clock_now_ms());
    if (!step_ms) return now_ms;
    log_begin(LOG_LEVEL_WARN, "clock_set");
    log_i64("by_ms", step_ms);
    log_end();
    if (s->jobs) jobs_clock_was_set(s->jobs, step_ms);
    if (s->events) events_clock_was_set(s->events, step_ms);
    return now_ms;
}

static void on_tick(void *arg)
{
    struct keeper_server *s = arg;
    struct dialogue *d;
    uint64_t now = loop_now_ms(s->loop);
    while ((d = TAILQ_FIRST(&s->dialogues)) != NULL && now - d->seen_ms >= FORGOTTEN_MS) end_dialogue(d, WIRE_LEFT_ALL);
    temporal_expire(s->temporal, now);
    field_sessions_expire(s->field_sessions, now);
    (void)server_wall_ms(s);
    events_tick(s->events);
    no_pan_tick(s->no_pan);
    vault_tick(s->vault);
    timer_set(s->tick, TICK_MS);
}

static void on_registrar_breach(void *owner)
{
    const struct keeper_server *s = owner;
    tell_breach(s, s->registrar_pair);
}

void keeper_server_registrar(struct keeper_server *s, uint32_t pair, int fd)
{
    s->registrar_pair = pair;
    registry_replace(s->registry, fd);
    jobs_work(s->jobs);
    events_work(s->events);
}

/* --- the server itself --- */

static result start(struct keeper_server *s, const struct keeper_server_options *o)
{
    TAILQ_INIT(&s->versions);
    LIST_INIT(&s->relays);
    TAILQ_INIT(&s->dialogues);
    TAILQ_INIT(&s->waiting);
    TRY(keeper_server_configure(s, o->config, o->generation));
    s->bad = bad_tokens_new();
    s->rates = key_rates_new();
    s->temporal = temporal_table_new(o->config->temporal_tokens);
    s->field_sessions = field_sessions_new();
    s->tick = timer_new(s->loop, on_tick, s);
    s->scratch = secret_alloc(WIRE_BATCH_BYTES);
    s->card = secret_alloc(sizeof *s->card);
    s->at_work = timer_new(s->loop, on_at_work, s);
    s->registry = s->scratch ? registry_new(s->loop, s->scratch, on_registrar_breach, s) : NULL;
    s->payments = payments_new(s);
    s->jobs = jobs_new(s);
    s->events = events_new(s);
    s->no_pan = no_pan_new(s);
    s->reports = reports_new(s);
    ENSURE(s->at_work && s->registry && s->payments && s->jobs && s->events && s->reports && s->no_pan, MEMORY);
    ENSURE(s->bad && s->rates && s->temporal && s->field_sessions && s->tick && s->scratch && s->card, MEMORY);
    TRY(loop_at_turn_end(s->loop, on_turn_end, s));
    timer_set(s->tick, TICK_MS);
    return OK;
}

result keeper_server_new(const struct keeper_server_options *options, struct keeper_server **out)
{
    struct keeper_server *s = calloc(1, sizeof *s);
    if (!s) {
        config_free(options->config);
        return FAIL(MEMORY);
    }
    s->loop = options->loop;
    s->vault = options->vault;
    s->on_breach = options->on_breach;
    s->owner = options->owner;
    result r = start(s, options);
    if (failed(r))
        keeper_server_free(s);
    else
        *out = s;
    return r;
}

/* Answers the open questions, whose relays are still there, and writes down what the queues know. */
static void stop(struct keeper_server *s)
{
    if (s->jobs) jobs_stop(s->jobs);
    if (s->events) events_stop(s->events);
    if (s->registry) registry_settle(s->registry);
    if (s->payments) payments_settle(s->payments);
    if (s->reports) reports_settle(s->reports);
    vault_settle(s->vault);
}

void keeper_server_free(struct keeper_server *s)
{
    struct relay *r;
    struct version *v;
    if (!s) return;
    stop(s);
    while ((r = LIST_FIRST(&s->relays)) != NULL) {
        disconnect(r);
        assert(r->questions == 0);
        free_relay(r);
    }
    while ((v = TAILQ_FIRST(&s->versions)) != NULL) {
        TAILQ_REMOVE(&s->versions, v, link);
        server_release(v);
    }
    bad_tokens_free(s->bad);
    key_rates_free(s->rates);
    temporal_table_free(s->temporal);
    field_sessions_free(s->field_sessions);
    events_free(s->events);
    no_pan_free(s->no_pan);
    reports_free(s->reports);
    jobs_free(s->jobs);
    payments_free(s->payments);
    registry_free(s->registry);
    timer_free(s->at_work);
    timer_free(s->tick);
    secret_free(s->scratch, WIRE_BATCH_BYTES);
    secret_free(s->card, sizeof *s->card);
    free(s);
}

size_t keeper_server_dialogues(const struct keeper_server *s)
{
    return s->dialogue_count;
}
