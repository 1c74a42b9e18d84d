/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/wire.h"

#include "body/token_table.h"
#include "keeper/client.h"
#include "keeper/field_sessions.h"

#include <stddef.h>
#include <string.h>

/* A member of the fixed part that may not be larger than <max>: the length of a tail (wide: of two bytes), or a flag. */
struct bounded {
    uint16_t at;
    bool wide;
    uint16_t max;
};
enum { FLAGS_MAX = 7 };
struct layout {
    const char *name;
    enum wire_way way;
    uint16_t fixed, reserved_at, reserved_len;
    struct bounded tail[WIRE_TAILS_MAX], flag[FLAGS_MAX]; /* they end at the first whose max is 0 */
};

/* clang-format off: one frame, one paragraph */
#define BYTE(type, member, most) {offsetof(struct type, member), false, most}
#define WIDE(type, member, most) {offsetof(struct type, member), true, most}
#define RESERVED(type) offsetof(struct type, reserved), sizeof((const struct type *)0)->reserved
static const struct layout layouts[WIRE_TYPE_END] = {
    [WIRE_OPEN] = {"OPEN", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_open), RESERVED(wire_open),
        {BYTE(wire_open, key_len, API_KEY_TEXT_BYTES)}, {BYTE(wire_open, purpose, KEEPER_FOR_TUNNEL), BYTE(wire_open, has_key, 1)}},
    [WIRE_REVEAL] = {"REVEAL", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_reveal), 0, 0,
        {BYTE(wire_reveal, token_len, TOKEN_ID_MAX_BYTES)},
        {BYTE(wire_reveal, kind, TOKEN_TEMPORAL), BYTE(wire_reveal, wanted, WANTED_COUNT - 1),
         BYTE(wire_reveal, merchant_initiated, 1)}},
    [WIRE_TOKEN_CREATE] = {"TOKEN_CREATE", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_create), 0, 0,
        {BYTE(wire_create, number_len, PAN_MAX_DIGITS), BYTE(wire_create, holder_len, HOLDER_MAX_BYTES),
         BYTE(wire_create, template_len, ALIAS_TEMPLATE_MAX_BYTES)},
        {BYTE(wire_create, month, 12), BYTE(wire_create, unique, 1), BYTE(wire_create, format, ALIAS_FORMAT_COUNT - 1)}},
    [WIRE_TOKEN_GET] = {"TOKEN_GET", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_ask), RESERVED(wire_ask),
        {BYTE(wire_ask, token_len, TOKEN_ID_MAX_BYTES)}, {{0}}},
    [WIRE_TOKEN_CHANGE] = {"TOKEN_CHANGE", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_change), 0, 0,
        {BYTE(wire_change, token_len, TOKEN_ID_MAX_BYTES), BYTE(wire_change, holder_len, HOLDER_MAX_BYTES)},
        {BYTE(wire_change, month, 12), BYTE(wire_change, set_expiry, 1), BYTE(wire_change, set_holder, 1),
         BYTE(wire_change, remove_pan, 1)}},
    [WIRE_TOKEN_DELETE] = {"TOKEN_DELETE", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_ask), RESERVED(wire_ask),
        {BYTE(wire_ask, token_len, TOKEN_ID_MAX_BYTES)}, {{0}}},
    [WIRE_ENROL] = {"ENROL", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_enrol), 0, 0,
        {BYTE(wire_enrol, token_len, TOKEN_ID_MAX_BYTES), BYTE(wire_enrol, cvc_len, TOKEN_ID_MAX_BYTES),
         WIDE(wire_enrol, billing_len, WIRE_BILLING_MAX_BYTES)},
        {{0}}},
    [WIRE_CREDENTIALS] = {"CREDENTIALS", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_ask), RESERVED(wire_ask),
        {BYTE(wire_ask, token_len, TOKEN_ID_MAX_BYTES)}, {{0}}},
    [WIRE_NETWORK_TOKEN] = {"NETWORK_TOKEN", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_ask), RESERVED(wire_ask),
        {BYTE(wire_ask, token_len, TOKEN_ID_MAX_BYTES)}, {{0}}},
    [WIRE_SIGN] = {"SIGN", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_sign), 0, 0,
        {WIDE(wire_sign, piece_len, WIRE_PIECE_MAX_BYTES)}, {BYTE(wire_sign, last, 1), BYTE(wire_sign, rs256, 1)}},
    [WIRE_NOTICE] = {"NOTICE", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_notice), 0, 0,
        {WIDE(wire_notice, field_len, WIRE_FIELD_MAX_BYTES), WIDE(wire_notice, body_len, WIRE_PIECE_MAX_BYTES)}, {{0}}},
    [WIRE_REPORT] = {"REPORT", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_report), RESERVED(wire_report),
        {BYTE(wire_report, route_len, WIRE_NAME_MAX_BYTES)}, {{0}}},
    [WIRE_FIELDS_OPEN] = {"FIELDS_OPEN", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_fields_open), RESERVED(wire_fields_open),
        {WIDE(wire_fields_open, origin_len, ORIGIN_MAX_BYTES)}, {BYTE(wire_fields_open, kind, FIELD_BOTH)}},
    [WIRE_FIELDS_GET] = {"FIELDS_GET", WIRE_RELAY_TO_KEEPER, 0, 0, 0, {{0}}, {{0}}},
    [WIRE_PAYMENT] = {"PAYMENT", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_payment), RESERVED(wire_payment),
        {BYTE(wire_payment, token_len, TOKEN_ID_MAX_BYTES),
         BYTE(wire_payment, network_transaction_id_len, NETWORK_TRANSACTION_ID_MAX_BYTES)},
        {BYTE(wire_payment, first, CREDENTIAL_NETWORK_TOKEN), BYTE(wire_payment, fallback, FALLBACK_COUNT - 1),
         BYTE(wire_payment, card_has_token, 1), BYTE(wire_payment, first_verdict, PAYMENT_DECLINED),
         BYTE(wire_payment, retried, 1), BYTE(wire_payment, retry_verdict, PAYMENT_DECLINED)}},
    [WIRE_TEMPORAL_CREATE] = {"TEMPORAL_CREATE", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_temporal), RESERVED(wire_temporal),
        {BYTE(wire_temporal, number_len, PAN_MAX_DIGITS), BYTE(wire_temporal, holder_len, HOLDER_MAX_BYTES),
         BYTE(wire_temporal, cvc_len, CVC_MAX_DIGITS)},
        {BYTE(wire_temporal, month, 12)}},
    [WIRE_TEMPORAL_GET] = {"TEMPORAL_GET", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_ask), RESERVED(wire_ask),
        {BYTE(wire_ask, token_len, TOKEN_ID_MAX_BYTES)}, {{0}}},
    [WIRE_TEMPORAL_DELETE] = {"TEMPORAL_DELETE", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_ask), RESERVED(wire_ask),
        {BYTE(wire_ask, token_len, TOKEN_ID_MAX_BYTES)}, {{0}}},
    [WIRE_TEMPORAL_STORE] = {"TEMPORAL_STORE", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_store), 0, 0,
        {BYTE(wire_store, token_len, TOKEN_ID_MAX_BYTES), BYTE(wire_store, template_len, ALIAS_TEMPLATE_MAX_BYTES)},
        {BYTE(wire_store, unique, 1), BYTE(wire_store, format, ALIAS_FORMAT_COUNT - 1)}},
    [WIRE_CAPTURE] = {"CAPTURE", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_capture), 0, 0,
        {BYTE(wire_capture, number_len, PAN_MAX_DIGITS), BYTE(wire_capture, holder_len, HOLDER_MAX_BYTES),
         BYTE(wire_capture, cvc_len, CVC_MAX_DIGITS)},
        {BYTE(wire_capture, month, 12)}},
    [WIRE_LEAF] = {"LEAF", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_leaf), 0, 0,
        {BYTE(wire_leaf, host_len, CA_NAME_MAX_BYTES), BYTE(wire_leaf, point_len, CA_POINT_BYTES)}, {{0}}},
    [WIRE_END] = {"END", WIRE_RELAY_TO_KEEPER, sizeof(struct wire_end), 0, 0, {{0}}, {BYTE(wire_end, left, WIRE_LEFT_NOTHING)}},
    [WIRE_OPENED] = {"OPENED", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_opened), RESERVED(wire_opened),
        {BYTE(wire_opened, key_id_len, API_KEY_ID_BYTES)}, {{0}}},
    [WIRE_REVEALED] = {"REVEALED", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_revealed), RESERVED(wire_revealed),
        {BYTE(wire_revealed, number_len, PAN_MAX_DIGITS), BYTE(wire_revealed, holder_len, HOLDER_MAX_BYTES),
         BYTE(wire_revealed, cvc_len, CVC_MAX_DIGITS), BYTE(wire_revealed, cryptogram_len, CRYPTOGRAM_MAX_BYTES),
         BYTE(wire_revealed, eci_len, 2), BYTE(wire_revealed, requestor_len, REQUESTOR_DIGITS),
         BYTE(wire_revealed, network_transaction_id_len, NETWORK_TRANSACTION_ID_MAX_BYTES),
         BYTE(wire_revealed, card_last4_len, 4)},
        {BYTE(wire_revealed, month, 12), BYTE(wire_revealed, kind, CREDENTIAL_NETWORK_TOKEN),
         BYTE(wire_revealed, fallback, FALLBACK_COUNT - 1), BYTE(wire_revealed, card_has_token, 1),
         BYTE(wire_revealed, brand, BRAND_COUNT - 1)}},
    [WIRE_TOKEN] = {"TOKEN", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_token), RESERVED(wire_token),
        {BYTE(wire_token, token_len, TOKEN_ID_MAX_BYTES), BYTE(wire_token, number_len, PAN_MAX_DIGITS),
         BYTE(wire_token, brand_len, 11), BYTE(wire_token, alias_len, TOKEN_ID_MAX_BYTES)},
        {BYTE(wire_token, month, 12), BYTE(wire_token, state, CARD_PAN_REMOVED), BYTE(wire_token, has_holder, 1),
         BYTE(wire_token, created, 1), BYTE(wire_token, fell, 1)}},
    [WIRE_CAPTURED] = {"CAPTURED", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_captured), 0, 0,
        {BYTE(wire_captured, alias_len, TOKEN_ID_MAX_BYTES), BYTE(wire_captured, cvc_alias_len, TOKEN_ID_MAX_BYTES)},
        {BYTE(wire_captured, created, 1), BYTE(wire_captured, fell, 1)}},
    [WIRE_NETWORK] = {"NETWORK", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_network), RESERVED(wire_network),
        {BYTE(wire_network, reason_len, 31), BYTE(wire_network, reference_code_len, REFERENCE_CODE_BYTES),
         BYTE(wire_network, number_len, PAN_MAX_DIGITS), BYTE(wire_network, cryptogram_len, CRYPTOGRAM_MAX_BYTES),
         BYTE(wire_network, eci_len, 2), BYTE(wire_network, requestor_len, REQUESTOR_DIGITS),
         BYTE(wire_network, card_last4_len, 4)},
        {BYTE(wire_network, is_known, 1), BYTE(wire_network, state, NETWORK_STATE_COUNT - 1), BYTE(wire_network, already, 1),
         BYTE(wire_network, month, 12), BYTE(wire_network, has_credential, 1), BYTE(wire_network, credential_month, 12),
         BYTE(wire_network, brand, BRAND_COUNT - 1)}},
    [WIRE_SIGNED] = {"SIGNED", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_signed), 0, 0,
        {WIDE(wire_signed, signature_len, WIRE_SIGNATURE_MAX_BYTES)}, {{0}}},
    [WIRE_NOTICED] = {"NOTICED", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_noticed), RESERVED(wire_noticed),
        {{0}}, {{0}}},
    [WIRE_REPORTED] = {"REPORTED", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_reported), RESERVED(wire_reported),
        {BYTE(wire_reported, route_len, WIRE_NAME_MAX_BYTES)}, {BYTE(wire_reported, last, 1)}},
    [WIRE_FIELDS] = {"FIELDS", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_fields), RESERVED(wire_fields),
        {BYTE(wire_fields, session_len, FIELD_SESSION_ID_BYTES), WIDE(wire_fields, origin_len, ORIGIN_MAX_BYTES)},
        {BYTE(wire_fields, kind, FIELD_BOTH)}},
    [WIRE_LEAF_MADE] = {"LEAF_MADE", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_leaf_made), 0, 0,
        {WIDE(wire_leaf_made, certificate_len, CA_LEAF_MAX_BYTES)}, {{0}}},
    [WIRE_WORKING] = {"WORKING", WIRE_KEEPER_TO_RELAY, 0, 0, 0, {{0}}, {{0}}},
    [WIRE_PAYMENTS_KEPT] = {"PAYMENTS_KEPT", WIRE_KEEPER_TO_RELAY, sizeof(struct wire_payments_kept), 0, 0,
        {{0}}, {{0}}},
    [WIRE_ORDER_ENROL] = {"ORDER_ENROL", WIRE_KEEPER_TO_REGISTRAR, sizeof(struct wire_order_enrol), RESERVED(wire_order_enrol),
        {BYTE(wire_order_enrol, network_len, WIRE_NAME_MAX_BYTES), BYTE(wire_order_enrol, number_len, PAN_MAX_DIGITS),
         BYTE(wire_order_enrol, holder_len, HOLDER_MAX_BYTES), BYTE(wire_order_enrol, cvc_len, CVC_MAX_DIGITS),
         WIDE(wire_order_enrol, billing_len, WIRE_BILLING_MAX_BYTES),
         BYTE(wire_order_enrol, correlation_len, REFERENCE_CODE_BYTES)},
        {BYTE(wire_order_enrol, month, 12), BYTE(wire_order_enrol, brand, BRAND_COUNT - 1)}},
    [WIRE_ORDER_CREDENTIALS] = {"ORDER_CREDENTIALS", WIRE_KEEPER_TO_REGISTRAR, sizeof(struct wire_order_ref), RESERVED(wire_order_ref),
        {BYTE(wire_order_ref, network_len, WIRE_NAME_MAX_BYTES), BYTE(wire_order_ref, ref_len, NETWORK_REF_BYTES)},
        {BYTE(wire_order_ref, without_cryptogram, 1)}},
    [WIRE_ORDER_STATE] = {"ORDER_STATE", WIRE_KEEPER_TO_REGISTRAR, sizeof(struct wire_order_ref), RESERVED(wire_order_ref),
        {BYTE(wire_order_ref, network_len, WIRE_NAME_MAX_BYTES), BYTE(wire_order_ref, ref_len, NETWORK_REF_BYTES)},
        {BYTE(wire_order_ref, without_cryptogram, 1)}},
    [WIRE_ORDER_REMOVE] = {"ORDER_REMOVE", WIRE_KEEPER_TO_REGISTRAR, sizeof(struct wire_order_ref), RESERVED(wire_order_ref),
        {BYTE(wire_order_ref, network_len, WIRE_NAME_MAX_BYTES), BYTE(wire_order_ref, ref_len, NETWORK_REF_BYTES)},
        {BYTE(wire_order_ref, without_cryptogram, 1)}},
    [WIRE_ORDER_NOTICE] = {"ORDER_NOTICE", WIRE_KEEPER_TO_REGISTRAR, sizeof(struct wire_order_notice), RESERVED(wire_order_notice),
        {BYTE(wire_order_notice, network_len, WIRE_NAME_MAX_BYTES), WIDE(wire_order_notice, field_len, WIRE_FIELD_MAX_BYTES),
         WIDE(wire_order_notice, body_len, WIRE_PIECE_MAX_BYTES)},
        {{0}}},
    [WIRE_ORDER_DELIVER] = {"ORDER_DELIVER", WIRE_KEEPER_TO_REGISTRAR, sizeof(struct wire_order_deliver), RESERVED(wire_order_deliver),
        {BYTE(wire_order_deliver, merchant_len, WIRE_NAME_MAX_BYTES), BYTE(wire_order_deliver, url_len, WIRE_URL_MAX_BYTES),
         BYTE(wire_order_deliver, event_len, EVENT_ID_BYTES), WIDE(wire_order_deliver, json_len, EVENT_JSON_MAX_BYTES)},
        {{0}}},
    [WIRE_ORDER_CANCEL] = {"ORDER_CANCEL", WIRE_KEEPER_TO_REGISTRAR, 0, 0, 0, {{0}}, {{0}}},
    [WIRE_RESULT] = {"RESULT", WIRE_REGISTRAR_TO_KEEPER, sizeof(struct wire_result), RESERVED(wire_result),
        {BYTE(wire_result, ref_len, NETWORK_REF_BYTES), BYTE(wire_result, instrument_len, NETWORK_REF_BYTES),
         BYTE(wire_result, number_len, PAN_MAX_DIGITS), BYTE(wire_result, cryptogram_len, CRYPTOGRAM_MAX_BYTES),
         BYTE(wire_result, eci_len, 2), BYTE(wire_result, requestor_len, REQUESTOR_DIGITS)},
        {BYTE(wire_result, state, NETWORK_STATE_COUNT - 1), BYTE(wire_result, reason, NETWORK_REASON_COUNT - 1),
         BYTE(wire_result, month, 12), BYTE(wire_result, has_credential, 1), BYTE(wire_result, credential_month, 12)}},
    [WIRE_RESULT_NOTICE] = {"RESULT_NOTICE", WIRE_REGISTRAR_TO_KEEPER, sizeof(struct wire_result_notice), 0, 0,
        {WIDE(wire_result_notice, refs_len, WIRE_REFS_MAX_BYTES)}, {{0}}},
    [WIRE_RESULT_DELIVER] = {"RESULT_DELIVER", WIRE_REGISTRAR_TO_KEEPER, sizeof(struct wire_result_deliver), 0, 0,
        {{0}}, {{0}}},
};
/* clang-format on */

static bool type_is_known(unsigned type)
{
    return type > 0 && type < WIRE_TYPE_END;
}

const char *wire_type_name(enum wire_type t)
{
    assert(type_is_known(t));
    return layouts[t].name;
}

enum wire_way wire_way(enum wire_type t)
{
    assert(type_is_known(t));
    return layouts[t].way;
}

static uint16_t value_of(const struct bounded *b, const char *fixed)
{
    uint16_t wide;
    if (!b->wide) return (uint8_t)fixed[b->at];
    memcpy(&wide, fixed + b->at, sizeof wide);
    return wide;
}

static unsigned tail_count(const struct layout *l)
{
    unsigned n = 0;
    while (n < WIRE_TAILS_MAX && l->tail[n].max)
        n++;
    return n;
}

/* Length of fixed part and tails together, as the fixed part says; false if a length or a flag is past its maximum. */
static bool exact_length(const struct layout *l, const char *fixed, size_t *out)
{
    size_t len = l->fixed;
    for (unsigned i = 0; i < FLAGS_MAX && l->flag[i].max; i++)
        if (value_of(&l->flag[i], fixed) > l->flag[i].max) return false;
    for (unsigned i = 0; i < l->reserved_len; i++)
        if (fixed[l->reserved_at + i] != 0) return false;
    for (unsigned i = 0; i < tail_count(l); i++) {
        uint16_t n = value_of(&l->tail[i], fixed);
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
    for (unsigned i = 0; i < tail_count(l); i++) {
        assert(tails[i].len == value_of(&l->tail[i], fixed));
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
    assert(i < tail_count(l));
    for (unsigned k = 0; k < i; k++)
        from += value_of(&l->tail[k], f->body.at);
    return slice_range(f->body, from, from + value_of(&l->tail[i], f->body.at));
}

uint8_t wire_copy(const struct wire_frame *f, unsigned i, char *to)
{
    slice s = wire_tail(f, i);
    assert(s.len <= UINT8_MAX);
    if (s.len) memcpy(to, s.at, s.len);
    return (uint8_t)s.len;
}

void wire_network_credential(const struct wire_frame *f, uint8_t month, uint16_t year, struct credential *out)
{
    *out = (struct credential){.kind = CREDENTIAL_NETWORK_TOKEN, .month = month, .year = year};
    out->number_len = wire_copy(f, 2, out->number);
    out->cryptogram_len = wire_copy(f, 3, out->cryptogram);
    out->eci_len = wire_copy(f, 4, out->eci);
    out->requestor_len = wire_copy(f, 5, out->requestor);
}

void wire_network_tails(const struct credential *c, slice tails[WIRE_TAILS_MAX])
{
    tails[2] = (slice){c->number, c->number_len};
    tails[3] = (slice){c->cryptogram, c->cryptogram_len};
    tails[4] = (slice){c->eci, c->eci_len};
    tails[5] = (slice){c->requestor, c->requestor_len};
}

unsigned wire_tails(enum wire_type t)
{
    assert(type_is_known(t));
    return tail_count(&layouts[t]);
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

static bool put_text(slice text, char out[WIRE_BILLING_MAX_BYTES], size_t *len)
{
    if (text.len > WIRE_BILLING_TEXT_MAX_BYTES) return false;
    out[(*len)++] = (char)text.len;
    if (text.len) memcpy(out + *len, text.at, text.len);
    *len += text.len;
    return true;
}

bool wire_billing_put(const struct billing_text *b, char out[WIRE_BILLING_MAX_BYTES], size_t *len)
{
    *len = 0;
    return put_text(b->address_1, out, len) && put_text(b->address_2, out, len) && put_text(b->city, out, len) &&
           put_text(b->state, out, len) && put_text(b->postal_code, out, len) && put_text(b->country, out, len);
}

static bool read_text(slice *rest, slice *out)
{
    if (rest->len == 0) return false;
    size_t len = (uint8_t)rest->at[0];
    if (len > WIRE_BILLING_TEXT_MAX_BYTES || rest->len < 1 + len) return false;
    *out = slice_range(*rest, 1, 1 + len);
    *rest = slice_after(*rest, 1 + len);
    return true;
}

bool wire_billing_read(slice bytes, struct billing_text *b)
{
    *b = (struct billing_text){0};
    if (bytes.len == 0) return true;
    return read_text(&bytes, &b->address_1) && read_text(&bytes, &b->address_2) && read_text(&bytes, &b->city) &&
           read_text(&bytes, &b->state) && read_text(&bytes, &b->postal_code) && read_text(&bytes, &b->country) &&
           bytes.len == 0;
}
