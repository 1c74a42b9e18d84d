/* SPDX-License-Identifier: Apache-2.0 */
#include "client_priv.h"

#include "base/secret.h"

#include <string.h>

static void settle(struct keeper_dialogue *d)
{
    d->unanswered--;
    if (d->unanswered)
        client_await(d);
    else
        client_stand(d, STANDING_IDLE);
}

static struct question *open_question(const struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct question *q = f->sequence < d->question_count ? &d->questions[f->sequence] : NULL;
    return q && !q->answered && !q->unfinished && q->answer == f->type ? q : NULL;
}

static uint32_t close_question(struct keeper_dialogue *d, struct question *q)
{
    uint32_t index = q->index;
    q->answered = true;
    settle(d);
    return index;
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

static void read_credential(const struct wire_frame *f, const struct wire_revealed *r, struct credential *out)
{
    *out = (struct credential){.kind = r->kind ? CREDENTIAL_NETWORK_TOKEN : CREDENTIAL_PAN, .brand = r->brand, .month = r->month, .year = r->year};
    out->number_len = wire_copy(f, 0, out->number);
    out->holder_len = wire_copy(f, 1, out->holder);
    out->cvc_len = wire_copy(f, 2, out->cvc);
    out->cryptogram_len = wire_copy(f, 3, out->cryptogram);
    out->eci_len = wire_copy(f, 4, out->eci);
    out->requestor_len = wire_copy(f, 5, out->requestor);
    out->network_transaction_id_len = wire_copy(f, 6, out->network_transaction_id);
    (void)wire_copy(f, 7, out->card_last4);
}

static bool handle_revealed(struct keeper_client *c, struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_revealed r;
    struct question *q = open_question(d, f);
    wire_fixed(f, &r, sizeof r);
    if (!q || r.error >= ERR_COUNT || (r.card_last4_len && r.card_last4_len != sizeof c->credential->card_last4)) return false;
    uint32_t index = close_question(d, q);
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
    struct question *q = open_question(d, f);
    wire_fixed(f, &t, sizeof t);
    if (!q || t.error >= ERR_COUNT) return false;
    uint32_t index = close_question(d, q);
    struct card_info info = {.month = t.month, .year = t.year, .has_holder = t.has_holder,
                             .state = t.state ? CARD_PAN_REMOVED : CARD_ACTIVE, .created_ms = t.created_ms,
                             .updated_ms = t.updated_ms};
    info.token.len = wire_copy(f, 0, info.token.at);
    (void)wire_copy(f, 1, info.mask.number);
    (void)wire_copy(f, 2, info.mask.brand);
    info.alias.len = wire_copy(f, 3, info.alias.at);
    info.alias_fell = t.fell;
    d->handlers->on_token(d->owner, index, (result){t.error}, t.error ? NULL : &info, t.created);
    return true;
}

static bool handle_captured(struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_captured w;
    struct question *q = open_question(d, f);
    wire_fixed(f, &w, sizeof w);
    if (!q || w.error >= ERR_COUNT) return false;
    uint32_t index = close_question(d, q);
    const struct captured what = {.alias = wire_tail(f, 0), .cvc_alias = wire_tail(f, 1), .created = w.created, .fell = w.fell};
    d->handlers->on_captured(d->owner, index, (result){w.error}, w.error ? NULL : &what);
    return true;
}

static void copy_text(char *to, size_t room, slice text)
{
    assert(text.len < room);
    if (text.len) memcpy(to, text.at, text.len);
    to[text.len] = '\0';
}

static void read_network_info(const struct wire_frame *f, const struct wire_network *w, struct network_info *out)
{
    *out = (struct network_info){.state = w->state, .already = w->already, .month = w->month, .year = w->year, .updated_ms = w->updated_ms};
    copy_text(out->reason, sizeof out->reason, wire_tail(f, 0));
    copy_text(out->reference_code, sizeof out->reference_code, wire_tail(f, 1));
}

static void read_network_credential(const struct wire_frame *f, const struct wire_network *w, struct credential *out)
{
    wire_network_credential(f, w->credential_month, w->credential_year, out);
    out->brand = w->brand;
    (void)wire_copy(f, 6, out->card_last4);
}

static bool handle_network(struct keeper_client *c, struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_network w;
    struct network_info info;
    struct question *q = open_question(d, f);
    wire_fixed(f, &w, sizeof w);
    if (!q || w.error >= ERR_COUNT || (w.card_last4_len && w.card_last4_len != sizeof c->credential->card_last4)) return false;
    uint32_t index = close_question(d, q);
    if (w.is_known) read_network_info(f, &w, &info);
    if (w.has_credential) read_network_credential(f, &w, c->credential);
    d->handlers->on_network(d->owner, index, (result){w.error}, w.is_known ? &info : NULL, w.has_credential ? c->credential : NULL);
    secret_wipe(c->credential, sizeof *c->credential);
    return true;
}

static bool handle_signed(struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_signed w;
    struct question *q = open_question(d, f);
    wire_fixed(f, &w, sizeof w);
    if (!q || w.error >= ERR_COUNT) return false;
    uint32_t index = close_question(d, q);
    d->handlers->on_signed(d->owner, index, (result){w.error}, wire_tail(f, 0));
    return true;
}

static bool handle_noticed(struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_noticed w;
    struct question *q = open_question(d, f);
    wire_fixed(f, &w, sizeof w);
    if (!q || w.error >= ERR_COUNT) return false;
    uint32_t index = close_question(d, q);
    d->handlers->on_noticed(d->owner, index, (result){w.error});
    return true;
}

static bool handle_reported(struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_reported w;
    struct question *q = open_question(d, f);
    wire_fixed(f, &w, sizeof w);
    if (!q || w.error >= ERR_COUNT || (w.error && !w.last)) return false;
    if (!w.last) {
        const struct report_row row = {.route = wire_tail(f, 0), .sums = w.sums};
        client_await(d);
        d->handlers->on_report(d->owner, q->index, OK, &row, false);
        return true;
    }
    uint32_t index = close_question(d, q);
    d->handlers->on_report(d->owner, index, (result){w.error}, NULL, true);
    return true;
}

static bool handle_fields(struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_fields w;
    struct question *q = open_question(d, f);
    wire_fixed(f, &w, sizeof w);
    if (!q || w.error >= ERR_COUNT) return false;
    uint32_t index = close_question(d, q);
    const struct field_session_info info = {.id = wire_tail(f, 0), .origin = wire_tail(f, 1), .kind = (enum field_kind)w.kind,
                                            .ttl_s = w.ttl_s};
    d->handlers->on_fields(d->owner, index, (result){w.error}, w.error ? NULL : &info);
    return true;
}

static bool handle_leaf(struct keeper_dialogue *d, const struct wire_frame *f)
{
    struct wire_leaf_made w;
    struct question *q = open_question(d, f);
    wire_fixed(f, &w, sizeof w);
    if (!q || w.error >= ERR_COUNT) return false;
    uint32_t index = close_question(d, q);
    d->handlers->on_leaf(d->owner, index, (result){w.error}, wire_tail(f, 0));
    return true;
}

/* The keeper waits for the card network and says so: it has not forgotten the dialogue. */
static bool handle_working(struct keeper_dialogue *d)
{
    if (d->unanswered) client_await(d);
    return true;
}

void client_fail(struct keeper_dialogue *d, const struct question *q, result r)
{
    switch (q->answer) {
    case WIRE_REVEALED: d->handlers->on_revealed(d->owner, q->index, r, NULL, NULL); return;
    case WIRE_CAPTURED: d->handlers->on_captured(d->owner, q->index, r, NULL); return;
    case WIRE_NETWORK: d->handlers->on_network(d->owner, q->index, r, NULL, NULL); return;
    case WIRE_SIGNED: d->handlers->on_signed(d->owner, q->index, r, SLICE_NONE); return;
    case WIRE_NOTICED: d->handlers->on_noticed(d->owner, q->index, r); return;
    case WIRE_FIELDS: d->handlers->on_fields(d->owner, q->index, r, NULL); return;
    case WIRE_LEAF_MADE: d->handlers->on_leaf(d->owner, q->index, r, SLICE_NONE); return;
    case WIRE_REPORTED: d->handlers->on_report(d->owner, q->index, r, NULL, true); return;
    default: d->handlers->on_token(d->owner, q->index, r, NULL, false); return;
    }
}

static bool handle_payments_kept(struct keeper_client *c, const struct wire_frame *f)
{
    struct wire_payments_kept w;
    wire_fixed(f, &w, sizeof w);
    payments_kept(c, w.up_to);
    return f->dialogue == 0 && f->sequence == 0;
}

bool client_on_frame(void *owner, const struct wire_frame *f)
{
    struct keeper_client *c = client_from(owner);
    if (wire_way(f->type) != WIRE_KEEPER_TO_RELAY) return false;
    if (f->type == WIRE_PAYMENTS_KEPT) return handle_payments_kept(c, f);
    struct keeper_dialogue *d = client_find(c, f->dialogue);
    if (!d || d->failure) return true; /* ended or given up while the answer was on its way */
    switch (f->type) {
    case WIRE_OPENED: return handle_opened(d, f);
    case WIRE_REVEALED: return handle_revealed(c, d, f);
    case WIRE_TOKEN: return handle_token(d, f);
    case WIRE_CAPTURED: return handle_captured(d, f);
    case WIRE_NETWORK: return handle_network(c, d, f);
    case WIRE_SIGNED: return handle_signed(d, f);
    case WIRE_NOTICED: return handle_noticed(d, f);
    case WIRE_REPORTED: return handle_reported(d, f);
    case WIRE_FIELDS: return handle_fields(d, f);
    case WIRE_LEAF_MADE: return handle_leaf(d, f);
    case WIRE_WORKING: return handle_working(d);
    default: return false;
    }
}
