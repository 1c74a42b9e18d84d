/* SPDX-License-Identifier: Apache-2.0 */
#include "answers_priv.h"

#include <string.h>

/* Hosted card fields: the merchant's server opens a session; the payer's page asks what it is for, and makes a card of it. */

static void put(const struct question *q, const struct field_session *session, slice id)
{
    uint64_t now = loop_now_ms(q->relay->server->loop);
    const struct wire_fields w = {.ttl_s = (uint32_t)((session->expires_ms - now) / 1000), .kind = (uint8_t)session->kind,
                                  .session_len = (uint8_t)id.len, .origin_len = (uint16_t)session->origin.len};
    const slice tails[] = {id, session->origin};
    server_put(q->relay, WIRE_FIELDS, q->dialogue, q->sequence, &w, tails);
}

/* The relay has checked the origin's form already. A stolen one gains nothing by another: it may capture what payers type anyway. */
static result open_session(struct question *q, const struct wire_frame *f, char id[FIELD_SESSION_ID_BYTES], struct field_session *out)
{
    struct keeper_server *server = q->relay->server;
    uint64_t now = loop_now_ms(server->loop);
    struct wire_fields_open w;
    wire_fixed(f, &w, sizeof w);
    ENSURE(w.ttl_s > 0 && w.ttl_s <= FIELD_SESSION_TTL_MAX_S && w.origin_len > 0, FIELD_SESSION_FIELD);
    TRY(field_sessions_put(server->field_sessions, answer_merchant(q), wire_tail(f, 0), (enum field_kind)w.kind, w.ttl_s, now, id));
    TRY(answer_audit(q, "fields.open", (slice){id, FIELD_SESSION_SHOWN_BYTES}, OK));
    return field_sessions_find(server->field_sessions, (slice){id, FIELD_SESSION_ID_BYTES}, now, out);
}

void answer_fields(struct question *q, struct dialogue *d, const struct wire_frame *f)
{
    struct keeper_server *server = q->relay->server;
    struct field_session session;
    char id[FIELD_SESSION_ID_BYTES];
    bool is_new = f->type == WIRE_FIELDS_OPEN;
    result r = is_new ? open_session(q, f, id, &session)
                      : field_sessions_find(server->field_sessions, (slice){d->field_session, sizeof d->field_session},
                                            loop_now_ms(server->loop), &session);
    if (failed(r))
        answer_error(q->relay, WIRE_FIELDS, q->dialogue, q->sequence, r.err);
    else
        put(q, &session, is_new ? (slice){id, sizeof id} : SLICE_NONE);
    answer_finish(q);
}

static bool makes(enum field_kind kind, enum wire_type type)
{
    return type == WIRE_TOKEN_CREATE ? kind != FIELD_TRANSACTION : type == WIRE_TEMPORAL_CREATE && kind != FIELD_TOKEN;
}

enum error answer_check_fields(struct dialogue *d, enum wire_type type)
{
    struct keeper_server *server = d->relay->server;
    uint64_t now = loop_now_ms(server->loop);
    slice id = {d->field_session, sizeof d->field_session};
    struct field_session session;
    if (d->standing.purpose != KEEPER_FOR_FIELDS || type == WIRE_FIELDS_GET) return ERR_NONE;
    if (d->took_field_card) return makes(d->field_kind, type) ? ERR_NONE : ERR_FIELD_SESSION_KIND;
    result r = field_sessions_find(server->field_sessions, id, now, &session);
    if (failed(r)) return r.err;
    d->field_kind = session.kind;
    if (!makes(session.kind, type)) return ERR_FIELD_SESSION_KIND;
    r = field_sessions_use(server->field_sessions, id, now);
    d->took_field_card = !failed(r);
    return r.err;
}
