/* SPDX-License-Identifier: Apache-2.0 */
#include "client_priv.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

void client_note_question(struct keeper_client *c)
{
    if (channel_waiting(c->channel) <= c->lazy_bytes) event_active(c->wake, 0, 0);
    c->lazy_bytes = 0;
}

bool client_has_room(const struct keeper_client *c)
{
    return c->channel && channel_waiting(c->channel) < WAITING_MAX_BYTES;
}

static void read_peer(const struct sockaddr_storage *peer, struct wire_open *o)
{
    if (peer->ss_family == AF_INET) {
        o->family = WIRE_FAMILY_4;
        memcpy(o->peer, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    } else if (peer->ss_family == AF_INET6) {
        o->family = WIRE_FAMILY_6;
        memcpy(o->peer, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
    }
}

static result put_open(struct keeper_dialogue *d, const struct keeper_caller *caller)
{
    struct keeper_client *c = d->client;
    struct wire_open o = {.request = caller->request, .listener = caller->listener, .route = caller->route,
                          .permission = caller->permission, .generation = c->generation,
                          .purpose = (uint8_t)caller->purpose, .has_key = caller->api_key.at != NULL};
    /* A key that is longer than any of ours goes as an empty one: the keeper finds it wrong like every other. */
    slice key = caller->api_key.len <= API_KEY_TEXT_BYTES ? caller->api_key : SLICE_NONE;
    o.key_len = (uint8_t)key.len;
    read_peer(&caller->peer, &o);
    client_note_question(c);
    return wire_put(channel_out(c->channel), WIRE_OPEN, d->id, 0, &o, &key);
}

static bool start_dialogue(struct keeper_dialogue *d, const struct keeper_caller *caller)
{
    struct keeper_client *c = d->client;
    if (!client_take_slot(c, d)) return false;
    if (!c->channel) {
        client_doom(d, ERR_KEEPER_AWAY);
        return true;
    }
    if (!client_has_room(c) || failed(put_open(d, caller))) {
        client_give_slot_back(c, d);
        return false;
    }
    d->sent = true;
    client_await(d);
    return true;
}

struct keeper_dialogue *keeper_open(struct keeper_client *c, const struct keeper_caller *caller,
                                    const struct keeper_handlers *of, void *owner)
{
    struct keeper_dialogue *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    *d = (struct keeper_dialogue){.magic = DIALOGUE_MAGIC, .client = c, .handlers = of, .owner = owner, .unanswered = 1,
                                  .question_room = FIRST_QUESTIONS};
    d->questions = d->first;
    if (start_dialogue(d, caller)) return d;
    free(d);
    return NULL;
}

static result room_for_question(struct keeper_dialogue *d)
{
    if (d->question_count < d->question_room) return OK;
    uint32_t room = d->question_room * 4;
    bool was_first = d->questions == d->first;
    struct question *more = realloc(was_first ? NULL : d->questions, room * sizeof *more);
    ENSURE(more != NULL, MEMORY);
    if (was_first) memcpy(more, d->first, sizeof d->first);
    d->questions = more;
    d->question_room = room;
    return OK;
}

static enum wire_type answer_to(enum wire_type question)
{
    switch (question) {
    case WIRE_REVEAL: return WIRE_REVEALED;
    case WIRE_CAPTURE: return WIRE_CAPTURED;
    case WIRE_ENROL:
    case WIRE_CREDENTIALS:
    case WIRE_NETWORK_TOKEN: return WIRE_NETWORK;
    case WIRE_SIGN: return WIRE_SIGNED;
    case WIRE_NOTICE: return WIRE_NOTICED;
    case WIRE_REPORT: return WIRE_REPORTED;
    case WIRE_FIELDS_OPEN:
    case WIRE_FIELDS_GET: return WIRE_FIELDS;
    case WIRE_LEAF: return WIRE_LEAF_MADE;
    default: return WIRE_TOKEN;
    }
}

static result check_asking(const struct keeper_dialogue *d)
{
    assert(d->magic == DIALOGUE_MAGIC && !d->ended);
    if (d->failure) return (result){d->failure};
    ENSURE(d->client->channel != NULL, KEEPER_AWAY);
    ENSURE(client_has_room(d->client), KEEPER_SLOW);
    return OK;
}

static result put_question(struct keeper_dialogue *d, enum wire_type type, uint32_t sequence, const void *fixed, const slice *tails)
{
    client_note_question(d->client);
    return wire_put(channel_out(d->client->channel), type, d->id, sequence, fixed, tails);
}

/* One question, whatever its type: checks, frame, book-keeping. */
static result ask(struct keeper_dialogue *d, enum wire_type type, uint32_t index, const void *fixed, const slice *tails)
{
    TRY(check_asking(d));
    TRY(room_for_question(d));
    TRY(put_question(d, type, d->question_count, fixed, tails));
    d->questions[d->question_count++] = (struct question){.index = index, .answer = answer_to(type)};
    if (d->unanswered++ == 0) client_await(d);
    return OK;
}

static result ask_by_token(struct keeper_dialogue *d, enum wire_type type, uint32_t index, slice token)
{
    ENSURE(token.len <= TOKEN_ID_MAX_BYTES, TOKEN_UNKNOWN);
    struct wire_ask a = {.token_len = (uint8_t)token.len};
    return ask(d, type, index, &a, &token);
}

result keeper_reveal(struct keeper_dialogue *d, uint32_t index, slice token, enum token_kind kind, struct wish wish)
{
    ENSURE(token.len <= TOKEN_ID_MAX_BYTES, TOKEN_UNKNOWN);
    struct wire_reveal w = {.kind = kind == TOKEN_TEMPORAL, .wanted = (uint8_t)wish.wanted,
                            .merchant_initiated = wish.merchant_initiated, .token_len = (uint8_t)token.len};
    if (kind == TOKEN_TEMPORAL) d->end_matters = true;
    return ask(d, WIRE_REVEAL, index, &w, &token);
}

result keeper_token_get(struct keeper_dialogue *d, uint32_t index, slice token)
{
    return ask_by_token(d, WIRE_TOKEN_GET, index, token);
}

result keeper_token_delete(struct keeper_dialogue *d, uint32_t index, slice token)
{
    return ask_by_token(d, WIRE_TOKEN_DELETE, index, token);
}

result keeper_token_create(struct keeper_dialogue *d, uint32_t index, const struct card *card, const struct alias_form *alias, bool unique)
{
    assert(card->number_len <= PAN_MAX_DIGITS && card->holder_len <= HOLDER_MAX_BYTES);
    struct wire_create w = {.year = card->year, .month = card->month, .unique = unique, .format = (uint8_t)alias->format,
                            .number_len = card->number_len, .holder_len = card->holder_len, .template_len = alias->template_len};
    const slice tails[] = {{card->number, card->number_len}, {card->holder, card->holder_len}, alias_form_wish(alias).template_text};
    return ask(d, WIRE_TOKEN_CREATE, index, &w, tails);
}

result keeper_temporal_create(struct keeper_dialogue *d, uint32_t index, const struct card *card, slice cvc, uint32_t ttl_s)
{
    assert(card->number_len <= PAN_MAX_DIGITS && card->holder_len <= HOLDER_MAX_BYTES && cvc.len <= CVC_MAX_DIGITS);
    struct wire_temporal w = {.ttl_s = ttl_s, .year = card->year, .month = card->month, .number_len = card->number_len,
                              .holder_len = card->holder_len, .cvc_len = (uint8_t)cvc.len};
    const slice tails[] = {{card->number, card->number_len}, {card->holder, card->holder_len}, cvc};
    d->has_made = true;
    return ask(d, WIRE_TEMPORAL_CREATE, index, &w, tails);
}

result keeper_temporal_get(struct keeper_dialogue *d, uint32_t index, slice token)
{
    return ask_by_token(d, WIRE_TEMPORAL_GET, index, token);
}

result keeper_temporal_delete(struct keeper_dialogue *d, uint32_t index, slice token)
{
    return ask_by_token(d, WIRE_TEMPORAL_DELETE, index, token);
}

result keeper_temporal_store(struct keeper_dialogue *d, uint32_t index, slice token, const struct alias_form *alias, bool unique)
{
    ENSURE(token.len <= TOKEN_ID_MAX_BYTES, TOKEN_EXPIRED);
    struct wire_store w = {.unique = unique, .format = (uint8_t)alias->format, .token_len = (uint8_t)token.len,
                           .template_len = alias->template_len};
    const slice tails[] = {token, alias_form_wish(alias).template_text};
    return ask(d, WIRE_TEMPORAL_STORE, index, &w, tails);
}

result keeper_capture(struct keeper_dialogue *d, uint32_t index, const struct credential *found)
{
    assert(found->kind == CREDENTIAL_PAN && found->number_len <= PAN_MAX_DIGITS && found->holder_len <= HOLDER_MAX_BYTES);
    assert(found->cvc_len <= CVC_MAX_DIGITS && found->month <= 12);
    struct wire_capture w = {.year = found->year, .month = found->month, .number_len = found->number_len, .holder_len = found->holder_len,
                             .cvc_len = found->cvc_len};
    const slice tails[] = {{found->number, found->number_len}, {found->holder, found->holder_len}, {found->cvc, found->cvc_len}};
    d->end_matters = true;
    return ask(d, WIRE_CAPTURE, index, &w, tails);
}

result keeper_token_change(struct keeper_dialogue *d, uint32_t index, slice token, const struct card_change *change)
{
    ENSURE(token.len <= TOKEN_ID_MAX_BYTES, TOKEN_UNKNOWN);
    assert(change->holder_len <= HOLDER_MAX_BYTES);
    struct wire_change w = {.year = change->year, .month = change->month, .set_expiry = change->set_expiry,
                            .set_holder = change->set_holder, .remove_pan = change->remove_pan,
                            .token_len = (uint8_t)token.len, .holder_len = change->holder_len};
    const slice tails[] = {token, {change->holder, change->holder_len}};
    return ask(d, WIRE_TOKEN_CHANGE, index, &w, tails);
}

result keeper_enrol(struct keeper_dialogue *d, uint32_t index, slice token, const struct billing_text *billing, slice cvc)
{
    char bytes[WIRE_BILLING_MAX_BYTES];
    size_t len;
    ENSURE(token.len <= TOKEN_ID_MAX_BYTES, TOKEN_UNKNOWN);
    ENSURE(wire_billing_put(billing, bytes, &len) && cvc.len <= TOKEN_ID_MAX_BYTES, ENROL_FIELD);
    if (cvc.len > CVC_MAX_DIGITS) d->end_matters = true;
    struct wire_enrol w = {.token_len = (uint8_t)token.len, .cvc_len = (uint8_t)cvc.len, .billing_len = (uint16_t)len};
    const slice tails[] = {token, cvc, {bytes, len}};
    return ask(d, WIRE_ENROL, index, &w, tails);
}

result keeper_credentials(struct keeper_dialogue *d, uint32_t index, slice token)
{
    return ask_by_token(d, WIRE_CREDENTIALS, index, token);
}

result keeper_network_token(struct keeper_dialogue *d, uint32_t index, slice token)
{
    return ask_by_token(d, WIRE_NETWORK_TOKEN, index, token);
}

/* The text whose pieces are being given: at most one at a time. */
static struct question *unfinished_text(struct keeper_dialogue *d, uint32_t index)
{
    struct question *q = d->question_count ? &d->questions[d->question_count - 1] : NULL;
    return q && q->unfinished && q->index == index ? q : NULL;
}

static result put_piece(struct keeper_dialogue *d, uint32_t sequence, slice piece, bool last, bool rs256)
{
    struct wire_sign w = {.piece_len = (uint16_t)piece.len, .last = last, .rs256 = rs256};
    return put_question(d, WIRE_SIGN, sequence, &w, &piece);
}

result keeper_sign(struct keeper_dialogue *d, uint32_t index, slice piece, bool last, bool rs256)
{
    TRY(check_asking(d));
    struct question *q = unfinished_text(d, index);
    if (!q) {
        TRY(room_for_question(d));
        q = &d->questions[d->question_count++];
        *q = (struct question){.index = index, .answer = WIRE_SIGNED, .unfinished = true};
    }
    uint32_t sequence = (uint32_t)(q - d->questions);
    while (piece.len > WIRE_PIECE_MAX_BYTES) {
        TRY(put_piece(d, sequence, slice_range(piece, 0, WIRE_PIECE_MAX_BYTES), false, rs256));
        piece = slice_after(piece, WIRE_PIECE_MAX_BYTES);
    }
    TRY(put_piece(d, sequence, piece, last, rs256));
    if (!last) return OK;
    q->unfinished = false;
    if (d->unanswered++ == 0) client_await(d);
    return OK;
}

result keeper_notice(struct keeper_dialogue *d, uint32_t index, uint32_t network, slice signature_field, slice body)
{
    ENSURE(signature_field.len <= WIRE_FIELD_MAX_BYTES, SIGNATURE_FORMAT);
    ENSURE(body.len <= WIRE_PIECE_MAX_BYTES, TOO_LARGE);
    struct wire_notice w = {.network = network, .field_len = (uint16_t)signature_field.len, .body_len = (uint16_t)body.len};
    const slice tails[] = {signature_field, body};
    return ask(d, WIRE_NOTICE, index, &w, tails);
}

result keeper_report(struct keeper_dialogue *d, uint32_t index, uint32_t from_hour, uint32_t to_hour, slice route)
{
    ENSURE(route.len <= WIRE_NAME_MAX_BYTES, ROUTE_NONE);
    struct wire_report w = {.from_hour = from_hour, .to_hour = to_hour, .route_len = (uint8_t)route.len};
    return ask(d, WIRE_REPORT, index, &w, &route);
}

result keeper_fields_open(struct keeper_dialogue *d, uint32_t index, slice origin, enum field_kind kind, uint32_t ttl_s)
{
    ENSURE(origin.len <= ORIGIN_MAX_BYTES, FIELD_SESSION_ORIGIN);
    struct wire_fields_open w = {.ttl_s = ttl_s, .kind = (uint8_t)kind, .origin_len = (uint16_t)origin.len};
    return ask(d, WIRE_FIELDS_OPEN, index, &w, &origin);
}

result keeper_fields_get(struct keeper_dialogue *d, uint32_t index)
{
    return ask(d, WIRE_FIELDS_GET, index, NULL, NULL);
}

result keeper_leaf(struct keeper_dialogue *d, uint32_t index, slice host, const uint8_t point[CA_POINT_BYTES])
{
    ENSURE(host.len <= CA_NAME_MAX_BYTES, CA_NAME);
    struct wire_leaf w = {.host_len = (uint8_t)host.len, .point_len = CA_POINT_BYTES};
    const slice tails[] = {host, {(const char *)point, CA_POINT_BYTES}};
    return ask(d, WIRE_LEAF, index, &w, tails);
}

/* An END that finds no room is made good by the keeper: it ends a dialogue whose slot is opened again, and stale ones, and takes
 * their temporal tokens for used, and the ids of new ones for told. */
static void put_end(const struct keeper_dialogue *d, enum wire_left left)
{
    struct keeper_client *c = d->client;
    const struct wire_end w = {.left = (uint8_t)left};
    bool only_lazy = channel_waiting(c->channel) <= c->lazy_bytes;
    bool matters = d->end_matters || (d->has_made && left != WIRE_LEFT_ALL);
    if (matters) client_note_question(c);
    result ignored = wire_put(channel_out(c->channel), WIRE_END, d->id, 0, &w, NULL);
    (void)ignored;
    if (only_lazy && !matters) c->lazy_bytes = channel_waiting(c->channel);
    if (matters && left == WIRE_LEFT_NOTHING) channel_send(c->channel);
}

static void end(struct keeper_dialogue *d, enum wire_left left)
{
    if (!d) return;
    struct keeper_client *c = d->client;
    assert(d->magic == DIALOGUE_MAGIC && !d->ended);
    d->ended = true;
    client_stand(d, STANDING_IDLE);
    client_give_slot_back(c, d);
    if (d->sent && c->channel && d->failure != ERR_KEEPER_AWAY) put_end(d, left);
    loop_free_later(c->loop, client_free_dialogue, d);
}

void keeper_end(struct keeper_dialogue *d)
{
    end(d, WIRE_LEFT_ALL);
}

void keeper_end_untold(struct keeper_dialogue *d)
{
    end(d, WIRE_LEFT_UNTOLD);
}

void keeper_end_unsent(struct keeper_dialogue *d)
{
    end(d, WIRE_LEFT_NOTHING);
}
