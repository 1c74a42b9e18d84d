/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/wire.h"

#include "body/token_table.h"

#include <stddef.h>
#include <string.h>

/* A byte of the fixed part that may not be larger than <max>: a tail's length, a flag, a reserved byte. */
struct bounded {
    uint8_t at, max;
};
enum { FLAGS_MAX = 9 };
struct layout {
    const char *name;
    uint16_t fixed;
    uint8_t tail_count, flag_count;
    struct bounded tail[WIRE_TAILS_MAX], flag[FLAGS_MAX];
};
#define AT(type, member) offsetof(struct type, member)

static const struct layout layouts[WIRE_TYPE_END] = {
    [WIRE_OPEN] = {"OPEN", sizeof(struct wire_open), 1, 6, {{AT(wire_open, key_len), API_KEY_TEXT_BYTES}},
                   {{AT(wire_open, purpose), 1}, {AT(wire_open, has_key), 1}, {AT(wire_open, reserved), 0},
                    {AT(wire_open, reserved) + 1, 0}, {AT(wire_open, reserved) + 2, 0},
                    {AT(wire_open, reserved) + 3, 0}}},
    [WIRE_REVEAL] = {"REVEAL", sizeof(struct wire_reveal), 1, 3, {{AT(wire_reveal, token_len), TOKEN_ID_MAX_BYTES}},
                     {{AT(wire_reveal, kind), TOKEN_TEMPORAL}, {AT(wire_reveal, wanted), WANTED_COUNT - 1},
                      {AT(wire_reveal, merchant_initiated), 1}}},
    [WIRE_TOKEN_CREATE] = {"TOKEN_CREATE", sizeof(struct wire_create), 2, 2,
                           {{AT(wire_create, number_len), PAN_MAX_DIGITS}, {AT(wire_create, holder_len), HOLDER_MAX_BYTES}},
                           {{AT(wire_create, month), 12}, {AT(wire_create, unique), 1}}},
    [WIRE_TOKEN_GET] = {"TOKEN_GET", sizeof(struct wire_ask), 1, 1, {{AT(wire_ask, token_len), TOKEN_ID_MAX_BYTES}},
                        {{AT(wire_ask, reserved), 0}}},
    [WIRE_TOKEN_CHANGE] = {"TOKEN_CHANGE", sizeof(struct wire_change), 2, 4,
                           {{AT(wire_change, token_len), TOKEN_ID_MAX_BYTES}, {AT(wire_change, holder_len), HOLDER_MAX_BYTES}},
                           {{AT(wire_change, month), 12}, {AT(wire_change, set_expiry), 1}, {AT(wire_change, set_holder), 1},
                            {AT(wire_change, remove_pan), 1}}},
    [WIRE_TOKEN_DELETE] = {"TOKEN_DELETE", sizeof(struct wire_ask), 1, 1, {{AT(wire_ask, token_len), TOKEN_ID_MAX_BYTES}},
                           {{AT(wire_ask, reserved), 0}}},
    [WIRE_TEMPORAL_CREATE] = {"TEMPORAL_CREATE", sizeof(struct wire_temporal), 3, 3,
                              {{AT(wire_temporal, number_len), PAN_MAX_DIGITS}, {AT(wire_temporal, holder_len), HOLDER_MAX_BYTES},
                               {AT(wire_temporal, cvc_len), CVC_MAX_DIGITS}},
                              {{AT(wire_temporal, month), 12}, {AT(wire_temporal, reserved), 0},
                               {AT(wire_temporal, reserved) + 1, 0}}},
    [WIRE_END] = {"END", sizeof(struct wire_end), 0, 1, {{0, 0}}, {{AT(wire_end, is_unsent), 1}}},
    [WIRE_OPENED] = {"OPENED", sizeof(struct wire_opened), 1, 1, {{AT(wire_opened, key_id_len), API_KEY_ID_BYTES}},
                     {{AT(wire_opened, reserved), 0}}},
    [WIRE_REVEALED] = {"REVEALED", sizeof(struct wire_revealed), 8, 8,
                       {{AT(wire_revealed, number_len), PAN_MAX_DIGITS}, {AT(wire_revealed, holder_len), HOLDER_MAX_BYTES},
                        {AT(wire_revealed, cvc_len), CVC_MAX_DIGITS}, {AT(wire_revealed, cryptogram_len), CRYPTOGRAM_MAX_BYTES},
                        {AT(wire_revealed, eci_len), 2}, {AT(wire_revealed, requestor_len), REQUESTOR_DIGITS},
                        {AT(wire_revealed, network_transaction_id_len), NETWORK_TRANSACTION_ID_MAX_BYTES},
                        {AT(wire_revealed, card_last4_len), 4}},
                       {{AT(wire_revealed, month), 12}, {AT(wire_revealed, kind), CREDENTIAL_NETWORK_TOKEN},
                        {AT(wire_revealed, fallback), FALLBACK_COUNT - 1}, {AT(wire_revealed, card_has_token), 1},
                        {AT(wire_revealed, brand), BRAND_COUNT - 1}, {AT(wire_revealed, reserved), 0},
                        {AT(wire_revealed, reserved) + 1, 0}, {AT(wire_revealed, reserved) + 2, 0}}},
    [WIRE_TOKEN] = {"TOKEN", sizeof(struct wire_token), 3, 9,
                    {{AT(wire_token, token_len), TOKEN_ID_MAX_BYTES}, {AT(wire_token, number_len), PAN_MAX_DIGITS},
                     {AT(wire_token, brand_len), 11}},
                    {{AT(wire_token, month), 12}, {AT(wire_token, state), CARD_PAN_REMOVED}, {AT(wire_token, has_holder), 1},
                     {AT(wire_token, created), 1}, {AT(wire_token, reserved), 0}, {AT(wire_token, reserved) + 1, 0},
                     {AT(wire_token, reserved) + 2, 0}, {AT(wire_token, reserved) + 3, 0},
                     {AT(wire_token, reserved) + 4, 0}}},
};

static bool type_is_known(unsigned type)
{
    return type > 0 && type < WIRE_TYPE_END;
}

const char *wire_type_name(enum wire_type t)
{
    assert(type_is_known(t));
    return layouts[t].name;
}

bool wire_is_question(enum wire_type t)
{
    return t >= WIRE_OPEN && t <= WIRE_END;
}

/* Length of fixed part and tails together, from the length bytes; false if one of them, or a flag, is past its maximum. */
static bool exact_length(const struct layout *l, const char *fixed, size_t *out)
{
    size_t len = l->fixed;
    for (unsigned i = 0; i < l->flag_count; i++)
        if ((uint8_t)fixed[l->flag[i].at] > l->flag[i].max) return false;
    for (unsigned i = 0; i < l->tail_count; i++) {
        uint8_t n = (uint8_t)fixed[l->tail[i].at];
        if (n > l->tail[i].max) return false;
        len += n;
    }
    *out = len;
    return true;
}

result wire_put(struct buf *out, enum wire_type type, uint64_t dialogue, uint32_t sequence, const void *fixed,
                const slice *tails)
{
    assert(type_is_known(type));
    const struct layout *l = &layouts[type];
    size_t len = 0;
    bool fits = exact_length(l, fixed, &len);
    assert(fits);
    struct wire_head head = {.type = (uint16_t)type, .len = (uint16_t)len, .sequence = sequence, .dialogue = dialogue};
    TRY(buf_reserve(out, sizeof head + len));
    char *at = buf_room(out);
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    if (l->fixed) memcpy(at, fixed, l->fixed);
    at += l->fixed;
    for (unsigned i = 0; i < l->tail_count; i++) {
        assert(tails[i].len == ((const uint8_t *)fixed)[l->tail[i].at]);
        if (tails[i].len) memcpy(at, tails[i].at, tails[i].len);
        at += tails[i].len;
    }
    buf_added(out, sizeof head + len);
    return OK;
}

enum wire_step wire_next(slice *datagram, struct wire_frame *out)
{
    struct wire_head head;
    size_t len = 0;
    if (datagram->len == 0) return WIRE_DONE;
    if (datagram->len < sizeof head) return WIRE_BROKEN;
    memcpy(&head, datagram->at, sizeof head);
    if (!type_is_known(head.type)) return WIRE_BROKEN;
    const struct layout *l = &layouts[head.type];
    slice rest = slice_after(*datagram, sizeof head);
    if (head.len > rest.len || head.len < l->fixed) return WIRE_BROKEN;
    slice body = slice_range(rest, 0, head.len);
    if (!exact_length(l, body.at, &len) || len != head.len) return WIRE_BROKEN;
    *out = (struct wire_frame){head.type, head.sequence, head.dialogue, body};
    *datagram = slice_after(rest, head.len);
    return WIRE_FRAME;
}

void wire_fixed(const struct wire_frame *f, void *out, size_t bytes)
{
    assert(bytes == layouts[f->type].fixed && bytes <= f->body.len);
    memcpy(out, f->body.at, bytes);
}

slice wire_tail(const struct wire_frame *f, unsigned i)
{
    const struct layout *l = &layouts[f->type];
    size_t from = l->fixed;
    assert(i < l->tail_count);
    for (unsigned k = 0; k < i; k++) from += (uint8_t)f->body.at[l->tail[k].at];
    return slice_range(f->body, from, from + (uint8_t)f->body.at[l->tail[i].at]);
}

size_t wire_batch(slice frames)
{
    size_t take = 0;
    if (frames.len <= WIRE_BATCH_BYTES) return frames.len;
    while (take < frames.len) {
        struct wire_head head;
        assert(frames.len - take >= sizeof head);
        memcpy(&head, frames.at + take, sizeof head);
        size_t len = sizeof head + head.len;
        if (take + len > WIRE_BATCH_BYTES) break;
        take += len;
    }
    assert(take > 0);
    return take;
}
