/* SPDX-License-Identifier: Apache-2.0 */
#include "client_priv.h"

#include "base/log.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

/* The end of a payment is told when its exchange is long over and nobody waits: so several travel together, a little later. */
enum { TELL_AFTER_MS = 20, WAITING_MAX = 100 * 1000 };

static bool tell(struct keeper_client *c, const struct told_payment *p)
{
    const slice tails[] = {{p->token, p->w.token_len}, {p->network_transaction_id, p->w.network_transaction_id_len}};
    if (!client_has_room(c)) return false;
    client_note_question(c);
    return !failed(wire_put(channel_out(c->channel), WIRE_PAYMENT, 0, 0, &p->w, tails));
}

static void tell_later(struct keeper_client *c)
{
    struct payments_told *t = &c->payments;
    if (t->timer_is_set || !t->untold) return;
    t->timer_is_set = true;
    timer_set(t->timer, TELL_AFTER_MS);
}

static void tell_untold(struct keeper_client *c)
{
    struct payments_told *t = &c->payments;
    while (t->untold && tell(c, t->untold)) t->untold = STAILQ_NEXT(t->untold, link);
}

static void on_timer(void *arg)
{
    struct keeper_client *c = client_from(arg);
    c->payments.timer_is_set = false;
    if (!c->channel) return; /* all of them are told to the next keeper */
    tell_untold(c);
    tell_later(c);
}

static struct told_payment *payment_new(const struct keeper_client *c, const struct payment_outcome *o)
{
    struct told_payment *p = calloc(1, sizeof *p);
    slice id = o->network_transaction_id;
    if (!p) return NULL;
    assert(o->token.len <= sizeof p->token && id.len <= sizeof p->network_transaction_id);
    p->w = (struct wire_payment){.relay = c->payments.relay, .number = c->payments.last_number + 1, .generation = c->generation,
                                 .merchant = o->merchant, .route = o->route, .first = (uint8_t)o->first,
                                 .fallback = (uint8_t)o->fallback, .card_has_token = o->card_has_token,
                                 .first_verdict = (uint8_t)o->first_verdict, .retried = o->retried,
                                 .retry_verdict = (uint8_t)o->retry_verdict, .token_len = (uint8_t)o->token.len,
                                 .network_transaction_id_len = (uint8_t)id.len};
    if (o->token.len) memcpy(p->token, o->token.at, o->token.len);
    if (id.len) memcpy(p->network_transaction_id, id.at, id.len);
    return p;
}

void keeper_payment(struct keeper_client *c, const struct payment_outcome *outcome)
{
    struct payments_told *t = &c->payments;
    struct told_payment *p = t->waiting < WAITING_MAX ? payment_new(c, outcome) : NULL;
    if (!p) {
        if (t->dropped++ == 0) log_plain(LOG_LEVEL_ERROR, "payments_dropped", "too many wait for the keeper: the report will lack some");
        return;
    }
    t->dropped = 0;
    t->last_number++;
    t->waiting++;
    STAILQ_INSERT_TAIL(&t->queue, p, link);
    if (!t->untold) t->untold = p;
    tell_later(c);
}

void payments_kept(struct keeper_client *c, uint64_t up_to)
{
    struct payments_told *t = &c->payments;
    struct told_payment *p;
    while ((p = STAILQ_FIRST(&t->queue)) != NULL && p != t->untold && p->w.number <= up_to) {
        STAILQ_REMOVE_HEAD(&t->queue, link);
        t->waiting--;
        free(p);
    }
}

void payments_tell_all_again(struct keeper_client *c)
{
    c->payments.untold = STAILQ_FIRST(&c->payments.queue);
    tell_later(c);
}

bool payments_start(struct keeper_client *c)
{
    struct payments_told *t = &c->payments;
    STAILQ_INIT(&t->queue);
    t->timer = timer_new(c->loop, on_timer, c);
    return t->timer && RAND_bytes((unsigned char *)&t->relay, sizeof t->relay) == 1;
}

void payments_stop(struct keeper_client *c)
{
    struct payments_told *t = &c->payments;
    struct told_payment *p;
    if (!t->timer) return;
    if (c->channel) {
        tell_untold(c);
        channel_send(c->channel);
    }
    while ((p = STAILQ_FIRST(&t->queue)) != NULL) {
        STAILQ_REMOVE_HEAD(&t->queue, link);
        free(p);
    }
    timer_free(t->timer);
}
