/* SPDX-License-Identifier: Apache-2.0 */
#include "client_priv.h"

#include "base/log.h"
#include "base/secret.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

static struct keeper_client *client_from(void *arg)
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

static struct keeper_dialogue *find(const struct keeper_client *c, uint64_t id)
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
        if (q->answered) continue;
        q->answered = true;
        d->unanswered--;
        if (q->of_token_api)
            d->handlers->on_token(d->owner, q->index, r, NULL, false);
        else
            d->handlers->on_revealed(d->owner, q->index, r, NULL, NULL);
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
    log_plain(LOG_LEVEL_WARN, "keeper_lost", reasons[why]);
    disconnect(client_from(owner));
}

/* --- answers --- */

static void settle(struct keeper_dialogue *d)
{
    d->unanswered--;
    if (d->unanswered)
        client_await(d);
    else
        client_stand(d, STANDING_IDLE);
}

static struct question *open_question(const struct keeper_dialogue *d, uint32_t sequence, bool of_token_api)
{
    struct question *q = sequence < d->question_count ? &d->questions[sequence] : NULL;
    return q && !q->answered && q->of_token_api == of_token_api ? q : NULL;
}

static bool handle_opened(struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_opened o;
    wire_fixed(f, &o, sizeof o);
    if (d->opened || o.error >= ERR_COUNT) return false;
    d->opened = true;
    settle(d);
    d->handlers->on_opened(d->owner, (result){o.error}, o.merchant, wire_tail(f, 0));
    return true;
}

static void take(char *to, uint8_t len, const struct wire_frame *f, unsigned tail)
{
    slice s = wire_tail(f, tail);
    assert(s.len == len);
    if (len) memcpy(to, s.at, len);
}

static void read_credential(const struct wire_frame *f, const struct wire_revealed *r, struct credential *out)
{
    *out = (struct credential){.kind = r->kind ? CREDENTIAL_NETWORK_TOKEN : CREDENTIAL_PAN, .brand = r->brand, .month = r->month,
                               .year = r->year, .number_len = r->number_len, .holder_len = r->holder_len, .cvc_len = r->cvc_len,
                               .cryptogram_len = r->cryptogram_len, .eci_len = r->eci_len, .requestor_len = r->requestor_len,
                               .network_transaction_id_len = r->network_transaction_id_len};
    take(out->number, r->number_len, f, 0);
    take(out->holder, r->holder_len, f, 1);
    take(out->cvc, r->cvc_len, f, 2);
    take(out->cryptogram, r->cryptogram_len, f, 3);
    take(out->eci, r->eci_len, f, 4);
    take(out->requestor, r->requestor_len, f, 5);
    take(out->network_transaction_id, r->network_transaction_id_len, f, 6);
    take(out->card_last4, r->card_last4_len, f, 7);
}

static bool handle_revealed(struct keeper_client *c, struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_revealed r;
    struct question *q = open_question(d, f->sequence, false);
    wire_fixed(f, &r, sizeof r);
    if (!q || r.error >= ERR_COUNT || (r.card_last4_len && r.card_last4_len != sizeof c->credential->card_last4)) return false;
    uint32_t index = q->index;
    q->answered = true;
    settle(d);
    if (r.error) {
        d->handlers->on_revealed(d->owner, index, (result){r.error}, NULL, NULL);
        return true;
    }
    read_credential(f, &r, c->credential);
    const struct choice choice = {.kind = c->credential->kind, .fallback = r.fallback, .card_has_token = r.card_has_token,
                                  .network_us = r.network_us};
    d->handlers->on_revealed(d->owner, index, OK, c->credential, &choice);
    secret_wipe(c->credential, sizeof *c->credential);
    return true;
}

static bool handle_token(struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_token t;
    struct question *q = open_question(d, f->sequence, true);
    wire_fixed(f, &t, sizeof t);
    if (!q || t.error >= ERR_COUNT) return false;
    uint32_t index = q->index;
    q->answered = true;
    settle(d);
    struct card_info info = {.month = t.month, .year = t.year, .has_holder = t.has_holder,
                             .state = t.state ? CARD_PAN_REMOVED : CARD_ACTIVE, .created_ms = t.created_ms,
                             .updated_ms = t.updated_ms};
    info.token.len = t.token_len;
    take(info.token.at, t.token_len, f, 0);
    take(info.mask.number, t.number_len, f, 1);
    take(info.mask.brand, t.brand_len, f, 2);
    d->handlers->on_token(d->owner, index, (result){t.error}, t.error ? NULL : &info, t.created);
    return true;
}

static bool on_frame(void *owner, const struct wire_frame *f)
{
    struct keeper_client *c = client_from(owner);
    if (wire_is_question(f->type)) return false;
    struct keeper_dialogue *d = find(c, f->dialogue);
    if (!d || d->failure) return true; /* ended or given up while the answer was on its way */
    switch (f->type) {
    case WIRE_OPENED: return handle_opened(d, f);
    case WIRE_REVEALED: return handle_revealed(c, d, f);
    case WIRE_TOKEN: return handle_token(d, f);
    default: return false;
    }
}

static const struct channel_handlers handlers = {on_frame, on_lost};

/* --- the client itself --- */

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

static bool connect_to(struct keeper_client *c, int fd)
{
    if (fd < 0) return true;
    c->channel = channel_new(c->loop, fd, c->scratch, &handlers, c);
    return c->channel != NULL;
}

void keeper_client_replace(struct keeper_client *c, int fd)
{
    disconnect(c);
    if (!connect_to(c, fd)) log_failure("keeper_connect", FAIL(MEMORY));
}

static bool fill(struct keeper_client *c, int fd)
{
    if (!connect_to(c, fd)) return false;
    c->timer = timer_new(c->loop, on_timer, c);
    c->deliver_failures = event_new(loop_base(c->loop), -1, 0, on_deliver_failures, c);
    c->wake = event_new(loop_base(c->loop), -1, 0, on_wake, c);
    return c->timer && c->deliver_failures && c->wake && !failed(loop_at_turn_end(c->loop, on_turn_end, c));
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
