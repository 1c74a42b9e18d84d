/* SPDX-License-Identifier: Apache-2.0 */
#include "payments.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "jobs.h"
#include "ledger.h"
#include "vault/alias.h"

#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_MAX = 100 * 1000, /* of one relay: as many as it remembers itself */
    PAYERS_MAX = 4096,      /* more than relays are restarted between two commits */
};

struct payment {
    struct wire_payment w;
    struct token_id token;
    uint8_t id_len;
    char id[NETWORK_TRANSACTION_ID_MAX_BYTES];
    STAILQ_ENTRY(payment) link;
};
/* One relay's life, by the number it drew at its start. */
struct payer {
    struct payments *payments;
    struct relay *relay; /* NULL: gone, or not heard of since */
    uint64_t id, taken, counted, kept; /* numbers: received up to, in the ledger up to, on disk up to */
    bool is_busy;
    bool has_mark; /* else nobody knows yet what is in the ledger: what it tells waits */
    bool has_lost; /* one found no memory: what is behind it waits for the next keeper */
    unsigned number; /* of the relay */
    size_t queued;
    STAILQ_HEAD(, payment) queue;
    LIST_ENTRY(payer) link;
};
struct payments {
    struct keeper_server *server;
    struct ledger *ledger;
    LIST_HEAD(, payer) payers;
    size_t payer_count;
};

static_assert(METRIC_FALLBACK_BUDGET_SPENT - METRIC_FALLBACK_NOT_SUPPORTED == FALLBACK_BUDGET_SPENT - FALLBACK_NOT_SUPPORTED, "one metric for each reason, in order");

static void work_on(struct payer *p);

/* --- what a payment counts for --- */

static enum counter counter_of(const struct wire_payment *w)
{
    static const enum counter by_verdict[3][3] = {
        {COUNTER_PAN_UNKNOWN, COUNTER_PAN_APPROVED, COUNTER_PAN_DECLINED},
        {COUNTER_PAN_WITH_TOKEN_UNKNOWN, COUNTER_PAN_WITH_TOKEN_APPROVED, COUNTER_PAN_WITH_TOKEN_DECLINED},
        {COUNTER_TOKEN_UNKNOWN, COUNTER_TOKEN_APPROVED, COUNTER_TOKEN_DECLINED},
    };
    return by_verdict[w->first == CREDENTIAL_NETWORK_TOKEN ? 2 : w->card_has_token][w->first_verdict];
}

static enum counter retry_counter_of(const struct wire_payment *w)
{
    static const enum counter by_verdict[3] = {COUNTER_RETRY_UNKNOWN, COUNTER_RETRY_APPROVED, COUNTER_RETRY_DECLINED};
    return by_verdict[w->retry_verdict];
}

static void count(struct payments *p, const struct wire_payment *w, slice merchant, slice route)
{
    static const enum counter fallbacks[FALLBACK_COUNT] = {
        [FALLBACK_NOT_SUPPORTED] = COUNTER_FALLBACK_NOT_SUPPORTED, [FALLBACK_NOT_IN_VOLUME] = COUNTER_FALLBACK_NOT_IN_VOLUME,
        [FALLBACK_NOT_PROVISIONED] = COUNTER_FALLBACK_NOT_PROVISIONED, [FALLBACK_SUSPENDED] = COUNTER_FALLBACK_SUSPENDED,
        [FALLBACK_DELETED] = COUNTER_FALLBACK_DELETED, [FALLBACK_FORCED] = COUNTER_FALLBACK_FORCED,
        [FALLBACK_CRYPTOGRAM_FAILED] = COUNTER_FALLBACK_CRYPTOGRAM_FAILED, [FALLBACK_BUDGET_SPENT] = COUNTER_FALLBACK_BUDGET_SPENT};
    /* There is room: asked before, and all counters of a payment stand in one delta. */
    (void)ledger_count(p->ledger, merchant, route, counter_of(w), 1);
    if (w->fallback) (void)ledger_count(p->ledger, merchant, route, fallbacks[w->fallback], 1);
    if (w->retried) (void)ledger_count(p->ledger, merchant, route, retry_counter_of(w), 1);
    if (w->fallback) metrics_add(METRIC_FALLBACK_NOT_SUPPORTED + w->fallback - 1, 1);
    metrics_add(w->first == CREDENTIAL_NETWORK_TOKEN ? METRIC_PAYMENTS_TOKEN : METRIC_PAYMENTS_PAN, 1);
    if (w->retried) metrics_add(METRIC_PAYMENTS_RETRY, 1);
}

/* --- what follows --- */

static void on_trail(void *owner, result r)
{
    (void)owner;
    if (failed(r) && r.err != ERR_TOKEN_NOT_FOUND) log_failure("network_transaction_id", r);
}

static enum payment_verdict last_verdict(const struct wire_payment *w)
{
    return w->retried ? w->retry_verdict : w->first_verdict;
}

static const struct config_route *route_of(const struct payer *p, const struct wire_payment *w, const struct config_merchant **merchant)
{
    const struct version *v = server_version(p->payments->server, w->generation);
    if (!v || w->merchant >= v->config->merchant_count || w->route >= v->config->route_count) return NULL;
    const struct config_route *route = &v->config->routes[w->route];
    *merchant = &v->config->merchants[w->merchant];
    return config_route_serves(route, (*merchant)->name) ? route : NULL;
}

static void follow(struct payer *p, const struct payment *one, const struct network_record *record)
{
    struct keeper_server *server = p->payments->server;
    const struct config_merchant *merchant = NULL;
    const struct config_route *route = route_of(p, &one->w, &merchant);
    if (!route) return;
    count(p->payments, &one->w, merchant->name, route->name);
    if (!record) return; /* a temporal token's card has no life of its own */
    slice token = token_id_slice(&one->token);
    enum payment_verdict verdict = last_verdict(&one->w);
    if (one->id_len && verdict == PAYMENT_APPROVED) /* a later payment must not lean on one that an issuer has declined */
        vault_trail_put(server->vault, merchant->name, token, route->name, (slice){one->id, one->id_len}, on_trail, NULL);
    if (verdict != PAYMENT_DECLINED) jobs_after_payment(server->jobs, merchant, route->provision, token, record);
}

/* --- one after the other --- */

static void forget_first(struct payer *p)
{
    struct payment *one = STAILQ_FIRST(&p->queue);
    STAILQ_REMOVE_HEAD(&p->queue, link);
    p->queued--;
    free(one);
}

static void next(struct payer *p)
{
    p->counted = STAILQ_FIRST(&p->queue)->w.number;
    (void)ledger_mark(p->payments->ledger, p->id, p->counted);
    forget_first(p);
    p->is_busy = false;
}

static void on_record(void *owner, result r, const struct network_record *record)
{
    struct payer *p = owner;
    const struct payment *one = STAILQ_FIRST(&p->queue);
    if (failed(r) && r.err != ERR_TOKEN_NOT_FOUND) log_failure("payment", r);
    if (!failed(r)) follow(p, one, record);
    bool was_later = p->is_busy;
    next(p);
    if (was_later) work_on(p);
}

/* Record, trail and strategy go by the card's own token. */
static void on_token(void *owner, result r, slice token)
{
    struct payer *p = owner;
    struct payment *one = STAILQ_FIRST(&p->queue);
    const struct config_merchant *merchant = NULL;
    if (!failed(r)) (void)token_id_from(token, &one->token);
    if ((failed(r) && r.err != ERR_TOKEN_NOT_FOUND) || !route_of(p, &one->w, &merchant))
        on_record(p, failed(r) ? r : FAIL(TOKEN_NOT_FOUND), NULL);
    else
        vault_network_get(p->payments->server->vault, merchant->name, token_id_slice(&one->token), on_record, p);
}

static void start(struct payer *p, const struct payment *one)
{
    const struct config_merchant *merchant = NULL;
    slice token = token_id_slice(&one->token);
    if (!route_of(p, &one->w, &merchant)) {
        on_record(p, FAIL(TOKEN_NOT_FOUND), NULL);
    } else if (token_id_has_form(token, TOKEN_TEMPORAL)) {
        on_record(p, OK, NULL);
    } else {
        vault_alias_resolve(p->payments->server->vault, merchant->name, token, on_token, p);
    }
}

/* An engine that answers at once answers within start(): <is_busy> is set only where it has not. */
static void work_on(struct payer *p)
{
    const struct payment *one;
    while (p->has_mark && !p->is_busy && ledger_has_room(p->payments->ledger) && (one = STAILQ_FIRST(&p->queue)) != NULL) {
        uint64_t number = one->w.number;
        start(p, one);
        p->is_busy = p->counted < number;
    }
}

/* --- relays --- */

static void drop_payer(struct payer *p)
{
    while (p->queued) forget_first(p);
    LIST_REMOVE(p, link);
    p->payments->payer_count--;
    free(p);
}

/* The relay of that number draws a new one at its start: the one before is gone for good, and so may its mark be. */
static void retire(struct payments *p, const struct relay *r)
{
    struct payer *one = LIST_FIRST(&p->payers), *after;
    for (; one; one = after) {
        after = LIST_NEXT(one, link);
        if (one->number != r->number || one->queued || one->kept < one->counted) continue;
        (void)ledger_mark(p->ledger, one->id, 0);
        drop_payer(one);
    }
}

static struct payer *payer_of(struct payments *p, struct relay *r, uint64_t id)
{
    struct payer *one;
    LIST_FOREACH (one, &p->payers, link)
        if (one->id == id) return one;
    retire(p, r);
    one = p->payer_count < PAYERS_MAX ? calloc(1, sizeof *one) : NULL;
    if (!one) return NULL;
    *one = (struct payer){.payments = p, .id = id, .number = r->number};
    STAILQ_INIT(&one->queue);
    LIST_INSERT_HEAD(&p->payers, one, link);
    p->payer_count++;
    return one;
}

/* A vault that cannot say it now is asked again with the next payment. Told out of turn, that one would acknowledge those before it. */
static void read_mark(struct payer *p)
{
    uint64_t mark = 0;
    if (p->has_mark) return;
    result r = vault_count_mark(p->payments->server->vault, p->id, &mark);
    if (failed(r)) {
        if (!p->queued) log_failure("payment", r); /* once for all that wait */
        return;
    }
    p->has_mark = true;
    p->counted = p->kept = mark;
    if (p->taken < mark) p->taken = mark;
    while (p->queued && STAILQ_FIRST(&p->queue)->w.number <= mark) forget_first(p);
}

static void tell_kept(const struct payer *p)
{
    const struct wire_payments_kept w = {.up_to = p->kept};
    if (p->relay) server_put(p->relay, WIRE_PAYMENTS_KEPT, 0, 0, &w, NULL);
}

static bool enqueue(struct payer *p, const struct wire_payment *w, const struct wire_frame *f)
{
    slice id = wire_tail(f, 1);
    struct payment *one = p->queued < QUEUE_MAX ? calloc(1, sizeof *one) : NULL;
    if (!one) return false;
    one->w = *w;
    one->id_len = (uint8_t)id.len;
    if (id.len) memcpy(one->id, id.at, id.len);
    if (!token_id_from(wire_tail(f, 0), &one->token)) one->token.len = 0;
    STAILQ_INSERT_TAIL(&p->queue, one, link);
    p->queued++;
    p->taken = w->number;
    return true;
}

/* What finds no memory here is not acknowledged, and nothing behind it: the relay tells all of it to the next keeper. */
bool payments_take(struct payments *p, struct relay *r, const struct wire_frame *f)
{
    struct wire_payment w;
    wire_fixed(f, &w, sizeof w);
    if (f->dialogue != 0 || f->sequence != 0 || w.relay == 0 || w.number == 0) return false;
    if (r->payer && r->payer != w.relay) return false; /* drawn once in its life: of many, a stolen one could leave no room for others' */
    r->payer = w.relay;
    struct payer *one = payer_of(p, r, w.relay);
    if (!one) return true;
    one->relay = r;
    read_mark(one);
    if (w.number <= one->kept) {
        tell_kept(one);
        return true;
    }
    if (w.number <= one->taken || one->has_lost) return true;
    one->has_lost = !enqueue(one, &w, f);
    work_on(one);
    return true;
}

void payments_relay_gone(struct payments *p, const struct relay *r)
{
    struct payer *one;
    LIST_FOREACH (one, &p->payers, link)
        if (one->relay == r) one->relay = NULL;
}

static void on_kept(void *owner, uint64_t relay, uint64_t number)
{
    struct payments *p = owner;
    struct payer *one;
    LIST_FOREACH (one, &p->payers, link) {
        if (one->id == relay && number > one->kept) {
            one->kept = number;
            tell_kept(one);
        }
    }
    LIST_FOREACH (one, &p->payers, link)
        work_on(one);
}

void payments_settle(struct payments *p)
{
    ledger_commit(p->ledger);
}

struct payments *payments_new(struct keeper_server *server)
{
    struct payments *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->server = server;
    LIST_INIT(&p->payers);
    p->ledger = ledger_new(server->loop, server->vault, on_kept, p);
    if (p->ledger) return p;
    free(p);
    return NULL;
}

void payments_free(struct payments *p)
{
    struct payer *one;
    if (!p) return;
    while ((one = LIST_FIRST(&p->payers)) != NULL) drop_payer(one);
    ledger_free(p->ledger);
    free(p);
}
