/* SPDX-License-Identifier: Apache-2.0 */
#include "answers_priv.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *action;
    unsigned permission;
    enum wire_type answer;
} questions[WIRE_TYPE_END] = {
    [WIRE_REVEAL] = {"reveal", PERMIT_PROXY, WIRE_REVEALED},
    [WIRE_TOKEN_CREATE] = {"token.create", PERMIT_TOKENIZE, WIRE_TOKEN},
    [WIRE_TOKEN_GET] = {"token.read", PERMIT_READ, WIRE_TOKEN},
    [WIRE_TOKEN_CHANGE] = {"token.change", PERMIT_CHANGE, WIRE_TOKEN},
    [WIRE_TOKEN_DELETE] = {"token.delete", PERMIT_DELETE, WIRE_TOKEN},
    [WIRE_TEMPORAL_CREATE] = {"temporal.create", PERMIT_TOKENIZE, WIRE_TOKEN},
    [WIRE_TEMPORAL_GET] = {"temporal.read", PERMIT_READ, WIRE_TOKEN},
    [WIRE_TEMPORAL_DELETE] = {"temporal.delete", PERMIT_DELETE, WIRE_TOKEN},
    [WIRE_TEMPORAL_STORE] = {"token.create", PERMIT_TOKENIZE, WIRE_TOKEN},
    [WIRE_CAPTURE] = {"token.capture", 0, WIRE_CAPTURED},
    [WIRE_ENROL] = {"token.enrol", PERMIT_ENROL, WIRE_NETWORK},
    [WIRE_CREDENTIALS] = {"network.credentials", PERMIT_CREDENTIALS, WIRE_NETWORK},
    [WIRE_NETWORK_TOKEN] = {"network.read", PERMIT_READ, WIRE_NETWORK},
    [WIRE_SIGN] = {"request.sign", PERMIT_PROXY, WIRE_SIGNED},
    [WIRE_NOTICE] = {"network.notice", 0, WIRE_NOTICED},
    [WIRE_REPORT] = {"report.read", PERMIT_REPORT, WIRE_REPORTED},
    [WIRE_FIELDS_OPEN] = {"fields.open", PERMIT_TOKENIZE, WIRE_FIELDS},
    [WIRE_FIELDS_GET] = {"fields.read", PERMIT_TOKENIZE, WIRE_FIELDS},
    [WIRE_LEAF] = {"ca.sign", PERMIT_PROXY, WIRE_LEAF_MADE},
};

/* --- writing answers --- */

/* An answer that finds no room means that the relay does not read: the connection ends with the turn, nothing is half told. */
void server_put(struct relay *r, enum wire_type type, uint64_t dialogue, uint32_t sequence, const void *fixed, const slice *tails)
{
    if (!r->channel || !channel_is_alive(r->channel)) return;
    if (failed(wire_put(channel_out(r->channel), type, dialogue, sequence, fixed, tails))) r->is_full = true;
}

void answer_error(struct relay *r, enum wire_type answer, uint64_t dialogue, uint32_t sequence, enum error e)
{
    static const slice none[WIRE_TAILS_MAX];
    struct wire_revealed revealed = {.error = (uint16_t)e};
    struct wire_token token = {.error = (uint16_t)e};
    struct wire_captured captured = {.error = (uint16_t)e};
    struct wire_network network = {.error = (uint16_t)e};
    struct wire_signed signature = {.error = (uint16_t)e};
    struct wire_noticed noticed = {.error = (uint16_t)e};
    struct wire_reported reported = {.error = (uint16_t)e, .last = 1};
    struct wire_fields fields = {.error = (uint16_t)e};
    struct wire_leaf_made leaf = {.error = (uint16_t)e};
    const void *fixed = &token;
    assert(e != ERR_NONE);
    switch (answer) {
    case WIRE_REVEALED: fixed = &revealed; break;
    case WIRE_CAPTURED: fixed = &captured; break;
    case WIRE_NETWORK: fixed = &network; break;
    case WIRE_SIGNED: fixed = &signature; break;
    case WIRE_NOTICED: fixed = &noticed; break;
    case WIRE_REPORTED: fixed = &reported; break;
    case WIRE_FIELDS: fixed = &fields; break;
    case WIRE_LEAF_MADE: fixed = &leaf; break;
    default: break;
    }
    server_put(r, answer, dialogue, sequence, fixed, none);
}

static void put_info(const struct question *q, const struct card_info *info, bool created)
{
    slice number = {info->mask.number, strnlen(info->mask.number, sizeof info->mask.number - 1)};
    slice brand = {info->mask.brand, strnlen(info->mask.brand, sizeof info->mask.brand - 1)};
    struct wire_token w = {.created_ms = info->created_ms, .updated_ms = info->updated_ms, .month = info->month,
                           .year = info->year, .state = info->state == CARD_PAN_REMOVED, .has_holder = info->has_holder,
                           .created = created, .fell = info->alias_fell, .token_len = info->token.len,
                           .number_len = (uint8_t)number.len, .brand_len = (uint8_t)brand.len, .alias_len = info->alias.len};
    const slice tails[] = {token_id_slice(&info->token), number, brand, token_id_slice(&info->alias)};
    server_put(q->relay, WIRE_TOKEN, q->dialogue, q->sequence, &w, tails);
}

/* --- after the vault --- */

/* A put that found the card has made none, and one that changed it did what PATCH does. */
static const char *action_of(const struct question *q, result outcome, enum card_deed deed)
{
    static const char *const put_actions[] = {[CARD_FOUND] = "token.find", [CARD_CREATED] = "token.create",
                                              [CARD_CHANGED] = "token.change"};
    bool puts = q->type == WIRE_TOKEN_CREATE || q->type == WIRE_TEMPORAL_STORE;
    return puts && !failed(outcome) ? put_actions[deed] : questions[q->type].action;
}

slice answer_merchant(const struct question *q)
{
    return q->standing.version->config->merchants[q->standing.merchant].name;
}

result answer_audit(const struct question *q, const char *action, slice token, result outcome)
{
    const struct standing *s = &q->standing;
    struct audit_entry entry = {.action = action, .merchant = answer_merchant(q),
                                .actor = {s->actor, s->actor_len}, .peer = {s->peer, s->peer_len}, .token = token, .request = s->request,
                                .outcome = outcome};
    const struct config_route *route = standing_route(s);
    if (s->actor_len == 0) entry.actor = s->by_address ? SLICE("address") : SLICE("listener");
    if (route) entry.route = route->name;
    return vault_audit(q->relay->server->vault, &entry);
}

void answer_finish(struct question *q)
{
    struct relay *r = q->relay;
    server_stop_waiting(q);
    registry_cancel(q->order);
    secret_free(q->credential, sizeof *q->credential);
    secret_free(q->found, sizeof *q->found);
    secret_free(q->change, sizeof *q->change);
    secret_free(q->cvc, q->cvc_len);
    if (q->billing) secret_wipe(q->billing, q->billing_len);
    free(q->billing);
    server_release(q->standing.version);
    free(q);
    r->questions--;
}

void answer_resolve(struct question *q, vault_resolve_callback then)
{
    vault_alias_resolve(q->relay->server->vault, answer_merchant(q), token_id_slice(&q->token), then, q);
}

result answer_take_token(struct question *q, result r, slice token)
{
    if (r.err == ERR_TOKEN_NOT_FOUND) return OK;
    if (!failed(r) && !token_id_from(token, &q->token)) r = FAIL(INTERNAL);
    return r;
}

/* Whoever asks for a token that is not there may be guessing, whatever he asks it for: a payment, its masked card, its end. */
void answer_count_guess(const struct question *q, result r)
{
    struct keeper_server *server = q->relay->server;
    const struct config *c = q->standing.version->config;
    if (r.err == ERR_TOKEN_UNKNOWN || r.err == ERR_TOKEN_NOT_FOUND)
        bad_tokens_count(server->bad, &q->standing.caller, loop_now_ms(server->loop), c->bad_tokens_window_ms);
}

void answer_info(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    struct question *q = owner;
    slice token = !failed(r) && info ? token_id_slice(&info->token) : token_id_slice(&q->token);
    result written = answer_audit(q, action_of(q, r, deed), token, r);
    answer_count_guess(q, r);
    if (!failed(r) && !info) r = FAIL(INTERNAL);
    if (!failed(r)) r = written;
    if (failed(r))
        answer_error(q->relay, WIRE_TOKEN, q->dialogue, q->sequence, r.err);
    else
        put_info(q, info, deed == CARD_CREATED);
    answer_finish(q);
}

static void on_card_read(void *owner, result r, const struct card *card, const struct card_info *info)
{
    (void)card;
    answer_info(owner, r, info, CARD_FOUND);
}

/* --- towards the vault --- */

static struct question *question_new(struct dialogue *d, const struct wire_frame *f)
{
    struct question *q = calloc(1, sizeof *q);
    if (!q) return NULL;
    *q = (struct question){.relay = d->relay, .dialogue = d->id, .sequence = f->sequence, .type = f->type,
                           .standing = d->standing};
    server_hold(q->standing.version);
    d->relay->questions++;
    return q;
}

static bool guesses_too_much(const struct dialogue *d, uint64_t now)
{
    const struct config *c = d->standing.version->config;
    return bad_tokens_is_blocked(d->relay->server->bad, &d->standing.caller, now, c->bad_tokens, c->bad_tokens_window_ms);
}

static enum error check_allowance(struct dialogue *d, enum wire_type type)
{
    struct keeper_server *server = d->relay->server;
    uint64_t now = loop_now_ms(server->loop);
    if (guesses_too_much(d, now)) return ERR_TOO_MANY_BAD_TOKENS;
    if (type != WIRE_REVEAL && type != WIRE_CREDENTIALS) return ERR_NONE; /* either gives out what can be paid with */
    /* By the current configuration: a relay must not keep an old, larger allowance by naming an old one. */
    uint64_t per_second = server->current->config->reveals_per_second;
    return bucket_take(&d->relay->reveals, per_second, now) ? ERR_NONE : ERR_KEEPER_REFUSED;
}

static bool is_year(uint16_t year)
{
    return year >= 2000 && year <= 2099;
}

/* The relay has checked this already; a stolen one has not. */
result answer_read_card(slice number, slice holder, uint8_t month, uint16_t year, struct card *out)
{
    memset(out, 0, sizeof *out);
    TRY(card_set_number(out, number));
    TRY(card_set_holder(out, holder));
    ENSURE(month ? is_year(year) : year == 0, CARD_EXPIRY);
    out->month = month;
    out->year = year;
    return OK;
}

static result read_change(const struct wire_frame *f, struct keeper_server *server, struct card_change *out)
{
    struct wire_change w;
    slice holder = wire_tail(f, 1);
    wire_fixed(f, &w, sizeof w);
    *out = (struct card_change){.set_expiry = w.set_expiry, .set_holder = w.set_holder, .remove_pan = w.remove_pan};
    if (w.set_expiry) {
        ENSURE(w.month && is_year(w.year), CARD_EXPIRY);
        out->month = w.month;
        out->year = w.year;
    }
    if (!w.set_holder) return OK;
    TRY(card_set_holder(server->card, holder));
    out->holder_len = server->card->holder_len;
    memcpy(out->holder, server->card->holder, out->holder_len);
    return OK;
}

static void on_token_known(void *owner, result r, slice token)
{
    struct question *q = owner;
    struct vault *vault = q->relay->server->vault;
    r = answer_take_token(q, r, token);
    slice own = token_id_slice(&q->token);
    if (failed(r))
        answer_info(q, r, NULL, CARD_FOUND);
    else if (q->type == WIRE_TOKEN_GET)
        vault_card_get(vault, answer_merchant(q), own, on_card_read, q);
    else if (q->type == WIRE_TOKEN_CHANGE)
        vault_card_change(vault, answer_merchant(q), own, q->change, answer_info, q);
    else
        vault_card_delete(vault, answer_merchant(q), own, answer_info, q);
}

static result keep_change(struct question *q, const struct wire_frame *f)
{
    struct keeper_server *server = q->relay->server;
    q->change = secret_alloc(sizeof *q->change);
    ENSURE(q->change != NULL, MEMORY);
    result r = read_change(f, server, q->change);
    secret_wipe(server->card, sizeof *server->card);
    return r;
}

static void ask_about_token(struct question *q, const struct wire_frame *f)
{
    result r = token_id_from(wire_tail(f, 0), &q->token) ? OK : FAIL(TOKEN_NOT_FOUND);
    if (!failed(r) && f->type == WIRE_TOKEN_CHANGE) r = keep_change(q, f);
    if (failed(r))
        answer_info(q, r, NULL, CARD_FOUND);
    else
        answer_resolve(q, on_token_known);
}

/* What each kind of dialogue is for, and nothing more. */
static bool fits_purpose(const struct standing *s, enum wire_type type)
{
    bool has_permission = (s->permission & questions[type].permission) != 0;
    const struct config_route *route = standing_route(s);
    switch (s->purpose) {
    case KEEPER_FOR_NOTICE: return type == WIRE_NOTICE;
    case KEEPER_FOR_PUSH: return type == (route->direction == DIRECTION_FILTER_PUSH ? WIRE_CAPTURE : WIRE_REVEAL);
    case KEEPER_FOR_TUNNEL: return type == WIRE_LEAF;
    case KEEPER_FOR_PROXY: return (has_permission && type != WIRE_LEAF) || (type == WIRE_CAPTURE && config_route_answer_work(route) == MESSAGE_CAPTURED);
    case KEEPER_FOR_FIELDS: return type == WIRE_FIELDS_GET || type == WIRE_TOKEN_CREATE || type == WIRE_TEMPORAL_CREATE;
    case KEEPER_FOR_API: return has_permission && type != WIRE_FIELDS_GET;
    }
    return false;
}

static enum error check_question(struct dialogue *d, enum wire_type type)
{
    if (!d) return ERR_KEEPER_REFUSED;
    if (d->refusal) return d->refusal;
    if (!fits_purpose(&d->standing, type)) return ERR_KEEPER_REFUSED;
    if (d->standing.purpose == KEEPER_FOR_NOTICE) return ERR_NONE;
    enum error e = check_allowance(d, type);
    return e ? e : answer_check_fields(d, type);
}

/* The PAN after a network token is for the payment that the network token was for: a relay that asks for it first is stolen. */
static enum error check_retry(const struct dialogue *d, const struct wire_frame *f)
{
    struct wire_reveal w;
    wire_fixed(f, &w, sizeof w);
    return w.wanted == WANTED_PAN_RETRY && !d->gave_network_token ? ERR_KEEPER_REFUSED : ERR_NONE;
}

void server_answer(struct relay *r, struct dialogue *d, const struct wire_frame *f)
{
    enum error e = check_question(d, f->type);
    if (!e && f->type == WIRE_REVEAL) e = check_retry(d, f);
    if (!e && f->type == WIRE_SIGN) {
        server_sign(d, f);
        return;
    }
    struct question *q = e ? NULL : question_new(d, f);
    if (!e && !q) e = ERR_MEMORY;
    if (e) {
        if (f->type == WIRE_REVEAL) metrics_add(METRIC_REVEALS_REFUSED, 1);
        answer_error(r, questions[f->type].answer, f->dialogue, f->sequence, e);
        return;
    }
    switch (f->type) {
    case WIRE_REVEAL: answer_reveal(q, d, f); return;
    case WIRE_TOKEN_CREATE: answer_create(q, f); return;
    case WIRE_TEMPORAL_CREATE: answer_temporal_create(q, d, f); return;
    case WIRE_TEMPORAL_GET:
    case WIRE_TEMPORAL_DELETE:
    case WIRE_TEMPORAL_STORE: answer_temporal(q, f); return;
    case WIRE_CAPTURE: answer_capture(q, f); return;
    case WIRE_ENROL: answer_enrol(q, d, f); return;
    case WIRE_CREDENTIALS: answer_credentials(q, f); return;
    case WIRE_NETWORK_TOKEN: answer_network_token(q, f); return;
    case WIRE_NOTICE: answer_notice(q, f); return;
    case WIRE_LEAF: answer_leaf(q, f); return;
    case WIRE_REPORT: answer_report(q, f); return;
    case WIRE_FIELDS_OPEN:
    case WIRE_FIELDS_GET: answer_fields(q, d, f); return;
    default: ask_about_token(q, f); return;
    }
}

/* --- an audit line that could not be written --- */

static bool tells_a_secret(const struct wire_frame *f)
{
    struct wire_revealed r;
    struct wire_network n;
    if (f->type == WIRE_NETWORK) {
        wire_fixed(f, &n, sizeof n);
        return n.has_credential;
    }
    if (f->type != WIRE_REVEALED) return false;
    wire_fixed(f, &r, sizeof r);
    return r.error == ERR_NONE;
}

static result put_refusal(struct buf *out, const struct wire_frame *f)
{
    static const slice none[WIRE_TAILS_MAX];
    const struct wire_revealed revealed = {.error = ERR_VAULT_AUDIT};
    const struct wire_network network = {.error = ERR_VAULT_AUDIT};
    const void *fixed = f->type == WIRE_NETWORK ? (const void *)&network : &revealed;
    return wire_put(out, f->type, f->dialogue, f->sequence, fixed, none);
}

result server_take_back(struct buf *out, size_t from)
{
    struct buf kept;
    struct wire_frame f;
    const slice all = slice_after(buf_slice(out), from);
    slice rest = all;
    size_t start = 0;
    result r = OK;
    buf_init_secret(&kept, CHANNEL_OUT_MAX_BYTES);
    while (!failed(r) && wire_next(&rest, &f) == WIRE_FRAME) {
        if (tells_a_secret(&f))
            r = put_refusal(&kept, &f);
        else
            r = buf_append(&kept, slice_range(all, start, all.len - rest.len));
        start = all.len - rest.len;
    }
    secret_wipe(out->at + from, out->len - from);
    out->len = from;
    if (!failed(r)) r = buf_append(out, buf_slice(&kept));
    buf_done(&kept);
    return r;
}
