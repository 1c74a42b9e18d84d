/* SPDX-License-Identifier: Apache-2.0 */
#include "client_priv.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void note_question(struct keeper_client *c)
{
    if (channel_waiting(c->channel) <= c->lazy_bytes) event_active(c->wake, 0, 0);
    c->lazy_bytes = 0;
}

static bool has_room(const struct keeper_client *c)
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
                          .purpose = caller->purpose == KEEPER_FOR_API, .has_key = caller->api_key.at != NULL};
    /* A key that is longer than any of ours goes as an empty one: the keeper finds it wrong like every other. */
    slice key = caller->api_key.len <= API_KEY_TEXT_BYTES ? caller->api_key : SLICE_NONE;
    o.key_len = (uint8_t)key.len;
    read_peer(&caller->peer, &o);
    note_question(c);
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
    if (!has_room(c) || failed(put_open(d, caller))) {
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

/* One question, whatever its type: checks, frame, book-keeping. */
static result ask(struct keeper_dialogue *d, enum wire_type type, uint32_t index, const void *fixed, const slice *tails)
{
    struct keeper_client *c = d->client;
    assert(d->magic == DIALOGUE_MAGIC && !d->ended);
    if (d->failure) return (result){d->failure};
    ENSURE(c->channel != NULL, KEEPER_AWAY);
    ENSURE(has_room(c), KEEPER_SLOW);
    TRY(room_for_question(d));
    note_question(c);
    TRY(wire_put(channel_out(c->channel), type, d->id, d->question_count, fixed, tails));
    d->questions[d->question_count++] = (struct question){.index = index, .of_token_api = type != WIRE_REVEAL};
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
    if (kind == TOKEN_TEMPORAL) d->has_temporal = true;
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

result keeper_token_create(struct keeper_dialogue *d, uint32_t index, const struct card *card, bool unique)
{
    assert(card->number_len <= PAN_MAX_DIGITS && card->holder_len <= HOLDER_MAX_BYTES);
    struct wire_create w = {.year = card->year, .month = card->month, .unique = unique, .number_len = card->number_len,
                            .holder_len = card->holder_len};
    const slice tails[] = {{card->number, card->number_len}, {card->holder, card->holder_len}};
    return ask(d, WIRE_TOKEN_CREATE, index, &w, tails);
}

result keeper_temporal_create(struct keeper_dialogue *d, uint32_t index, const struct card *card, slice cvc, uint32_t ttl_s)
{
    assert(card->number_len <= PAN_MAX_DIGITS && card->holder_len <= HOLDER_MAX_BYTES && cvc.len <= CVC_MAX_DIGITS);
    struct wire_temporal w = {.ttl_s = ttl_s, .year = card->year, .month = card->month, .number_len = card->number_len,
                              .holder_len = card->holder_len, .cvc_len = (uint8_t)cvc.len};
    const slice tails[] = {{card->number, card->number_len}, {card->holder, card->holder_len}, cvc};
    return ask(d, WIRE_TEMPORAL_CREATE, index, &w, tails);
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

/* An END that finds no room is made good by the keeper: it ends a dialogue whose slot is opened again, and stale ones, and takes
 * their temporal tokens for used. */
static void put_end(const struct keeper_dialogue *d, bool is_unsent)
{
    struct keeper_client *c = d->client;
    const struct wire_end w = {.is_unsent = is_unsent};
    bool only_lazy = channel_waiting(c->channel) <= c->lazy_bytes;
    if (d->has_temporal) note_question(c);
    result ignored = wire_put(channel_out(c->channel), WIRE_END, d->id, 0, &w, NULL);
    (void)ignored;
    if (only_lazy && !d->has_temporal) c->lazy_bytes = channel_waiting(c->channel);
    if (d->has_temporal && is_unsent) channel_send(c->channel);
}

static void end(struct keeper_dialogue *d, bool is_unsent)
{
    if (!d) return;
    struct keeper_client *c = d->client;
    assert(d->magic == DIALOGUE_MAGIC && !d->ended);
    d->ended = true;
    client_stand(d, STANDING_IDLE);
    client_give_slot_back(c, d);
    if (d->sent && c->channel && d->failure != ERR_KEEPER_AWAY) put_end(d, is_unsent);
    loop_free_later(c->loop, client_free_dialogue, d);
}

void keeper_end(struct keeper_dialogue *d)
{
    end(d, false);
}

void keeper_end_unsent(struct keeper_dialogue *d)
{
    end(d, true);
}
