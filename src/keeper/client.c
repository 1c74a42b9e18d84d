/* SPDX-License-Identifier: Apache-2.0 */
#include "client_priv.h"

#include "base/log.h"
#include "base/secret.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct keeper_client *client_from(void *arg)
{
    struct keeper_client *c = arg;
    assert(c->magic == CLIENT_MAGIC);
    return c;
}

void client_stand(struct keeper_dialogue *d, enum standing standing)
{
    struct keeper_client *c = d->client;
    if (d->standing == STANDING_WAITING) TAILQ_REMOVE(&c->waiting, d, link);
    if (d->standing == STANDING_DOOMED) TAILQ_REMOVE(&c->doomed, d, link);
    if (d->standing != STANDING_IDLE) c->waiting_count--;
    d->standing = standing;
    if (standing == STANDING_WAITING) TAILQ_INSERT_TAIL(&c->waiting, d, link);
    if (standing == STANDING_DOOMED) TAILQ_INSERT_TAIL(&c->doomed, d, link);
    if (standing != STANDING_IDLE) c->waiting_count++;
}

/* The keeper gave a sign, or was asked for the first time: the silence is counted from now, the list stays in order. */
void client_await(struct keeper_dialogue *d)
{
    struct keeper_client *c = d->client;
    d->since_ms = loop_now_ms(c->loop);
    client_stand(d, STANDING_WAITING);
    if (c->timer_is_set) return;
    c->timer_is_set = true;
    timer_set(c->timer, c->answer_ms);
}

/* --- the table of dialogues --- */

static bool grow_slots(struct keeper_client *c)
{
    uint32_t count = c->slot_count ? c->slot_count * 2 : FIRST_SLOTS;
    if (count > WIRE_DIALOGUES_MAX) return false;
    struct slot *slots = realloc(c->slots, count * sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = c->slot_count; i < count; i++)
        slots[i] = (struct slot){.next_free = i + 1 < count ? i + 1 : NO_SLOT};
    c->free_slot = c->slot_count;
    c->slots = slots;
    c->slot_count = count;
    return true;
}

bool client_take_slot(struct keeper_client *c, struct keeper_dialogue *d)
{
    if (c->free_slot == NO_SLOT && !grow_slots(c)) return false;
    uint32_t i = c->free_slot;
    struct slot *s = &c->slots[i];
    c->free_slot = s->next_free;
    s->generation++;
    s->dialogue = d;
    d->id = (uint64_t)s->generation << 32 | i;
    return true;
}

void client_give_slot_back(struct keeper_client *c, const struct keeper_dialogue *d)
{
    uint32_t i = (uint32_t)d->id;
    c->slots[i].dialogue = NULL;
    c->slots[i].next_free = c->free_slot;
    c->free_slot = i;
}

struct keeper_dialogue *client_find(const struct keeper_client *c, uint64_t id)
{
    uint32_t i = (uint32_t)id;
    struct keeper_dialogue *d = i < c->slot_count ? c->slots[i].dialogue : NULL;
    return d && d->id == id ? d : NULL;
}

void client_free_dialogue(void *object)
{
    struct keeper_dialogue *d = object;
    assert(d->magic == DIALOGUE_MAGIC);
    d->magic = 0;
    if (d->questions != d->first) free(d->questions);
    free(d);
}

/* --- failures --- */

static void fail_questions(struct keeper_dialogue *d)
{
    result r = {d->failure};
    if (!d->opened) {
        d->opened = true;
        d->unanswered--;
        d->handlers->on_opened(d->owner, r, 0, SLICE_NONE);
    }
    for (uint32_t i = 0; i < d->question_count && !d->ended; i++) {
        struct question *q = &d->questions[i];
        if (q->answered || q->unfinished) continue;
        q->answered = true;
        d->unanswered--;
        client_fail(d, q, r);
    }
}

/* Runs from the loop only, so no caller finds itself called back within its own call. */
static void on_deliver_failures(evutil_socket_t fd, short what, void *arg)
{
    struct keeper_client *c = client_from(arg);
    struct keeper_dialogue *d;
    (void)fd;
    (void)what;
    while ((d = TAILQ_FIRST(&c->doomed)) != NULL) {
        client_stand(d, STANDING_IDLE);
        fail_questions(d);
    }
}

void client_doom(struct keeper_dialogue *d, enum error why)
{
    if (d->failure) return;
    d->failure = why;
    if (d->unanswered == 0) return;
    client_stand(d, STANDING_DOOMED);
    event_active(d->client->deliver_failures, 0, 0);
}

static void on_timer(void *arg)
{
    struct keeper_client *c = client_from(arg);
    struct keeper_dialogue *d;
    uint64_t now = loop_now_ms(c->loop);
    c->timer_is_set = false;
    while ((d = TAILQ_FIRST(&c->waiting)) != NULL && now - d->since_ms >= c->answer_ms) client_doom(d, ERR_KEEPER_SLOW);
    if (!d) return;
    c->timer_is_set = true;
    timer_set(c->timer, d->since_ms + c->answer_ms - now);
}

static void free_channel(void *object)
{
    channel_free(object);
}

static void disconnect(struct keeper_client *c)
{
    if (!c->channel) return;
    channel_stop(c->channel);
    loop_free_later(c->loop, free_channel, c->channel);
    c->channel = NULL;
    c->lazy_bytes = 0;
    for (uint32_t i = 0; i < c->slot_count; i++)
        if (c->slots[i].dialogue) client_doom(c->slots[i].dialogue, ERR_KEEPER_AWAY);
}

static void on_lost(void *owner, enum channel_loss why)
{
    static const char *const reasons[] = {"closed", "malformed frame", "socket failed"};
    struct keeper_client *c = client_from(owner);
    log_plain(why == CHANNEL_CLOSED ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, "keeper_lost", reasons[why]);
    disconnect(c);
    if (why != CHANNEL_CLOSED && c->breach) c->breach(c->breach_owner);
}

/* --- the turn's end --- */

/* An END needs no datagram of its own, which would wake the keeper for nothing: it travels with the next question. */
static void on_turn_end(void *arg)
{
    struct keeper_client *c = client_from(arg);
    if (!c->channel || (channel_waiting(c->channel) <= c->lazy_bytes && c->lazy_bytes < LAZY_MAX_BYTES)) return;
    c->lazy_bytes = 0;
    channel_send(c->channel);
}

/* A question that another hook asks after ours has run must not sit there until the next event: the wake makes that turn come
 * at once. Asked from a callback, as nearly always, it costs one idle call in the same turn. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)client_from(arg);
}

/* --- the client itself --- */

static const struct channel_handlers handlers = {client_on_frame, on_lost};

static bool connect_to(struct keeper_client *c, int fd)
{
    if (fd < 0) return true;
    c->channel = channel_new(c->loop, fd, c->scratch, &handlers, c);
    return c->channel != NULL;
}

void keeper_client_replace(struct keeper_client *c, int fd)
{
    disconnect(c);
    if (!connect_to(c, fd)) {
        log_failure("keeper_connect", FAIL(MEMORY));
        if (c->breach) c->breach(c->breach_owner); /* nobody would send another pair */
    }
    if (c->channel) payments_tell_all_again(c);
}

static bool fill(struct keeper_client *c, int fd)
{
    if (!connect_to(c, fd)) return false;
    c->timer = timer_new(c->loop, on_timer, c);
    c->deliver_failures = event_new(loop_base(c->loop), -1, 0, on_deliver_failures, c);
    c->wake = event_new(loop_base(c->loop), -1, 0, on_wake, c);
    return c->timer && c->deliver_failures && c->wake && payments_start(c) && !failed(loop_at_turn_end(c->loop, on_turn_end, c));
}

struct keeper_client *keeper_client_new(struct loop *loop, int fd, uint64_t answer_ms)
{
    struct keeper_client *c = calloc(1, sizeof *c);
    char *scratch = secret_alloc(WIRE_BATCH_BYTES);
    struct credential *credential = secret_alloc(sizeof *credential);
    if (!c || !scratch || !credential) {
        secret_free(scratch, WIRE_BATCH_BYTES);
        secret_free(credential, sizeof *credential);
        free(c);
        return NULL;
    }
    *c = (struct keeper_client){.magic = CLIENT_MAGIC, .loop = loop, .answer_ms = answer_ms, .scratch = scratch,
                                .credential = credential, .free_slot = NO_SLOT};
    TAILQ_INIT(&c->waiting);
    TAILQ_INIT(&c->doomed);
    if (fill(c, fd)) return c;
    keeper_client_free(c);
    return NULL;
}

void keeper_client_free(struct keeper_client *c)
{
    if (!c) return;
    payments_stop(c);
    for (uint32_t i = 0; i < c->slot_count; i++)
        if (c->slots[i].dialogue) client_free_dialogue(c->slots[i].dialogue);
    channel_free(c->channel);
    timer_free(c->timer);
    if (c->deliver_failures) event_free(c->deliver_failures);
    if (c->wake) event_free(c->wake);
    secret_free(c->scratch, WIRE_BATCH_BYTES);
    secret_free(c->credential, sizeof *c->credential);
    free(c->slots);
    c->magic = 0;
    free(c);
}

void keeper_client_on_breach(struct keeper_client *c, void (*breach)(void *owner), void *owner)
{
    c->breach = breach;
    c->breach_owner = owner;
}

bool keeper_client_is_connected(const struct keeper_client *c)
{
    return c->channel != NULL;
}

void keeper_client_set_generation(struct keeper_client *c, uint32_t generation)
{
    c->generation = generation;
}

size_t keeper_client_waiting(const struct keeper_client *c)
{
    return c->waiting_count;
}
