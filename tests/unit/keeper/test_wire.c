/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "body/token_table.h"
#include "keeper/client.h"
#include "keeper/field_sessions.h"
#include "keeper/wire.h"

#include <stddef.h>
#include <string.h>

/* One good frame of each type, with every tail in it. */
static const struct wire_open open_fixed = {.request = 7, .listener = 1, .route = 2, .permission = 4, .generation = 3,
                                            .family = WIRE_FAMILY_4, .purpose = 1, .has_key = 1, .key_len = 5};
static const struct wire_reveal reveal_fixed = {.kind = TOKEN_TEMPORAL, .wanted = WANTED_PAN_RETRY, .merchant_initiated = 1, .token_len = 6};
static const struct wire_ask ask_fixed = {.token_len = 6};
static const struct wire_create create_fixed = {.year = 2030, .month = 12, .unique = 1, .format = ALIAS_TEMPLATE, .number_len = 16,
                                                .holder_len = 3, .template_len = 10};
static const struct wire_store store_fixed = {.unique = 1, .format = ALIAS_TEMPLATE, .token_len = 7, .template_len = 10};
static const struct wire_change change_fixed = {.year = 2030, .month = 1, .set_expiry = 1, .set_holder = 1, .remove_pan = 1,
                                                .token_len = 6, .holder_len = 3};
static const struct wire_temporal temporal_fixed = {.ttl_s = 300, .year = 2030, .month = 12, .number_len = 16, .holder_len = 3,
                                                    .cvc_len = 3};
static const struct wire_capture capture_fixed = {.year = 2030, .month = 12, .number_len = 16, .holder_len = 3, .cvc_len = 3};
static const struct wire_captured captured_fixed = {.alias_len = 6, .cvc_alias_len = 7, .created = 1, .fell = 1};
static const struct wire_end end_fixed = {.left = WIRE_LEFT_NOTHING};
static const struct wire_opened opened_fixed = {.merchant = 1, .error = ERR_NONE, .key_id_len = 4};
static const struct wire_revealed revealed_fixed = {.year = 2030, .month = 12, .kind = 1, .number_len = 16, .holder_len = 3,
                                                    .cvc_len = 3, .cryptogram_len = 28, .eci_len = 2, .requestor_len = 11,
                                                    .network_transaction_id_len = 5, .card_last4_len = 4, .brand = BRAND_VISA,
                                                    .fallback = FALLBACK_FORCED, .card_has_token = 1, .network_us = 77};
static const struct wire_token token_fixed = {.created_ms = 1, .updated_ms = 2, .month = 12, .year = 2030, .state = 1,
                                              .has_holder = 1, .created = 1, .fell = 1, .token_len = 6, .number_len = 16,
                                              .brand_len = 4, .alias_len = 8};
static const struct wire_enrol enrol_fixed = {.token_len = 6, .cvc_len = 3, .billing_len = 8};
static const struct wire_sign sign_fixed = {.piece_len = 5, .last = 1, .rs256 = 1};
static const struct wire_notice notice_fixed = {.network = 1, .field_len = 5, .body_len = 2};
static const struct wire_report report_fixed = {.from_hour = 1, .to_hour = 2, .route_len = 4};
static const struct wire_fields_open fields_open_fixed = {.ttl_s = 900, .kind = FIELD_BOTH, .origin_len = 17};
static const struct wire_fields fields_fixed = {.ttl_s = 899, .kind = FIELD_TRANSACTION, .session_len = 6, .origin_len = 17};
static const struct wire_leaf leaf_fixed = {.host_len = 11, .point_len = 6};
static const struct wire_leaf_made leaf_made_fixed = {.certificate_len = 4};
static const struct wire_payment payment_fixed = {.relay = 1, .number = 2, .generation = 3, .merchant = 4, .route = 5, .first = 1, .fallback = 1,
                                                          .card_has_token = 1, .first_verdict = 2, .retried = 1, .retry_verdict = 1,
                                                          .token_len = 6, .network_transaction_id_len = 5};
static const struct wire_network network_fixed = {.updated_ms = 1, .year = 2030, .month = 12, .credential_year = 2031, .credential_month = 11,
                                                          .is_known = 1, .state = NETWORK_ACTIVE, .already = 1, .has_credential = 1, .brand = BRAND_VISA,
                                                          .reason_len = 8, .reference_code_len = 3, .number_len = 16, .cryptogram_len = 4, .eci_len = 2,
                                                          .requestor_len = 11, .card_last4_len = 4};
static const struct wire_signed signed_fixed = {.signature_len = 4};
static const struct wire_noticed noticed_fixed = {.error = ERR_SIGNATURE_WRONG};
static const struct wire_reported reported_fixed = {.sums = {1, 2}, .last = 1, .route_len = 4};
static const struct wire_payments_kept kept_fixed = {.up_to = 7};
static const struct wire_order_enrol order_enrol_fixed = {.billing_len = 3, .year = 2030, .month = 12, .brand = BRAND_VISA, .network_len = 4,
                                                                  .number_len = 16, .holder_len = 3, .cvc_len = 3, .correlation_len = 3};
static const struct wire_order_ref order_ref_fixed = {.without_cryptogram = 1, .network_len = 4, .ref_len = 5};
static const struct wire_order_notice order_notice_fixed = {.field_len = 5, .body_len = 2, .network_len = 4};
static const struct wire_order_deliver order_deliver_fixed = {.json_len = 2, .merchant_len = 4, .url_len = 9, .event_len = 3};
static const struct wire_result result_fixed = {.took_us = 1, .year = 2030, .credential_year = 2031, .state = NETWORK_ACTIVE,
                                                        .reason = NETWORK_REASON_DECLINED, .month = 12, .has_credential = 1, .credential_month = 11,
                                                        .ref_len = 5, .instrument_len = 3, .number_len = 16, .cryptogram_len = 4, .eci_len = 2,
                                                        .requestor_len = 11};
static const struct wire_result_notice result_notice_fixed = {.refs_len = 3};
static const struct wire_result_deliver result_deliver_fixed = {.status = 200};

static const struct sample {
    enum wire_type type;
    const void *fixed;
    size_t fixed_bytes, tail_count;
    slice tails[WIRE_TAILS_MAX];
} samples[] = {
    {WIRE_OPEN, &open_fixed, sizeof open_fixed, 1, {CONST_SLICE("cvk_a")}},
    {WIRE_REVEAL, &reveal_fixed, sizeof reveal_fixed, 1, {CONST_SLICE("tok123")}},
    {WIRE_TOKEN_CREATE, &create_fixed, sizeof create_fixed, 3, {CONST_SLICE("4111111111111111"), CONST_SLICE("A B"), CONST_SLICE("tok_{uuid}")}},
    {WIRE_TOKEN_GET, &ask_fixed, sizeof ask_fixed, 1, {CONST_SLICE("tok123")}},
    {WIRE_TOKEN_CHANGE, &change_fixed, sizeof change_fixed, 2, {CONST_SLICE("tok123"), CONST_SLICE("C D")}},
    {WIRE_TOKEN_DELETE, &ask_fixed, sizeof ask_fixed, 1, {CONST_SLICE("tok123")}},
    {WIRE_TEMPORAL_CREATE, &temporal_fixed, sizeof temporal_fixed, 3,
     {CONST_SLICE("4111111111111111"), CONST_SLICE("A B"), CONST_SLICE("123")}},
    {WIRE_TEMPORAL_GET, &ask_fixed, sizeof ask_fixed, 1, {CONST_SLICE("tok123")}},
    {WIRE_TEMPORAL_DELETE, &ask_fixed, sizeof ask_fixed, 1, {CONST_SLICE("tok123")}},
    {WIRE_TEMPORAL_STORE, &store_fixed, sizeof store_fixed, 2, {CONST_SLICE("tmp_123"), CONST_SLICE("tok_{uuid}")}},
    {WIRE_CAPTURE, &capture_fixed, sizeof capture_fixed, 3,
     {CONST_SLICE("4111111111111111"), CONST_SLICE("A B"), CONST_SLICE("123")}},
    {WIRE_ENROL, &enrol_fixed, sizeof enrol_fixed, 3, {CONST_SLICE("tok123"), CONST_SLICE("123"), CONST_SLICE("\001a\001b\000\000\000\000")}},
    {WIRE_CREDENTIALS, &ask_fixed, sizeof ask_fixed, 1, {CONST_SLICE("tok123")}},
    {WIRE_NETWORK_TOKEN, &ask_fixed, sizeof ask_fixed, 1, {CONST_SLICE("tok123")}},
    {WIRE_SIGN, &sign_fixed, sizeof sign_fixed, 1, {CONST_SLICE("piece")}},
    {WIRE_NOTICE, &notice_fixed, sizeof notice_fixed, 2, {CONST_SLICE("t=1;k"), CONST_SLICE("{}")}},
    {WIRE_REPORT, &report_fixed, sizeof report_fixed, 1, {CONST_SLICE("rede")}},
    {WIRE_FIELDS_OPEN, &fields_open_fixed, sizeof fields_open_fixed, 1, {CONST_SLICE("https://a.example")}},
    {WIRE_FIELDS_GET, NULL, 0, 0, {CONST_SLICE("")}},
    {WIRE_LEAF, &leaf_fixed, sizeof leaf_fixed, 2, {CONST_SLICE("api.example"), CONST_SLICE("\004point")}},
    {WIRE_PAYMENT, &payment_fixed, sizeof payment_fixed, 2, {CONST_SLICE("tok123"), CONST_SLICE("MCC12")}},
    {WIRE_END, &end_fixed, sizeof end_fixed, 0, {CONST_SLICE("")}},
    {WIRE_OPENED, &opened_fixed, sizeof opened_fixed, 1, {CONST_SLICE("key1")}},
    {WIRE_REVEALED, &revealed_fixed, sizeof revealed_fixed, 8,
     {CONST_SLICE("4111111111111111"), CONST_SLICE("A B"), CONST_SLICE("123"), CONST_SLICE("0123456789012345678901234567"),
      CONST_SLICE("05"), CONST_SLICE("40010030273"), CONST_SLICE("MCC12"), CONST_SLICE("1111")}},
    {WIRE_TOKEN, &token_fixed, sizeof token_fixed, 4,
     {CONST_SLICE("tok123"), CONST_SLICE("411111******1111"), CONST_SLICE("visa"), CONST_SLICE("411111-1")}},
    {WIRE_CAPTURED, &captured_fixed, sizeof captured_fixed, 2, {CONST_SLICE("tok123"), CONST_SLICE("tmp_123")}},
    {WIRE_NETWORK, &network_fixed, sizeof network_fixed, 7, {CONST_SLICE("DECLINED"), CONST_SLICE("a-b"), CONST_SLICE("4895370000000002"), CONST_SLICE("AAA="), CONST_SLICE("05"), CONST_SLICE("40010030273"), CONST_SLICE("1111")}},
    {WIRE_SIGNED, &signed_fixed, sizeof signed_fixed, 1, {CONST_SLICE("sign")}},
    {WIRE_NOTICED, &noticed_fixed, sizeof noticed_fixed, 0, {CONST_SLICE("")}},
    {WIRE_REPORTED, &reported_fixed, sizeof reported_fixed, 1, {CONST_SLICE("rede")}},
    {WIRE_FIELDS, &fields_fixed, sizeof fields_fixed, 2, {CONST_SLICE("fs_abc"), CONST_SLICE("https://a.example")}},
    {WIRE_LEAF_MADE, &leaf_made_fixed, sizeof leaf_made_fixed, 1, {CONST_SLICE("leaf")}},
    {WIRE_WORKING, NULL, 0, 0, {CONST_SLICE("")}},
    {WIRE_PAYMENTS_KEPT, &kept_fixed, sizeof kept_fixed, 0, {CONST_SLICE("")}},
    {WIRE_ORDER_ENROL, &order_enrol_fixed, sizeof order_enrol_fixed, 6, {CONST_SLICE("visa"), CONST_SLICE("4111111111111111"), CONST_SLICE("A B"), CONST_SLICE("123"), CONST_SLICE("abc"), CONST_SLICE("u-i")}},
    {WIRE_ORDER_CREDENTIALS, &order_ref_fixed, sizeof order_ref_fixed, 2, {CONST_SLICE("visa"), CONST_SLICE("ref-1")}},
    {WIRE_ORDER_STATE, &order_ref_fixed, sizeof order_ref_fixed, 2, {CONST_SLICE("visa"), CONST_SLICE("ref-1")}},
    {WIRE_ORDER_REMOVE, &order_ref_fixed, sizeof order_ref_fixed, 2, {CONST_SLICE("visa"), CONST_SLICE("ref-1")}},
    {WIRE_ORDER_NOTICE, &order_notice_fixed, sizeof order_notice_fixed, 3, {CONST_SLICE("visa"), CONST_SLICE("t=1;k"), CONST_SLICE("{}")}},
    {WIRE_ORDER_DELIVER, &order_deliver_fixed, sizeof order_deliver_fixed, 4, {CONST_SLICE("shop"), CONST_SLICE("https://a"), CONST_SLICE("e-1"), CONST_SLICE("{}")}},
    {WIRE_ORDER_CANCEL, NULL, 0, 0, {CONST_SLICE("")}},
    {WIRE_RESULT, &result_fixed, sizeof result_fixed, 6, {CONST_SLICE("ref-1"), CONST_SLICE("i-1"), CONST_SLICE("4895370000000002"), CONST_SLICE("AAA="), CONST_SLICE("05"), CONST_SLICE("40010030273")}},
    {WIRE_RESULT_NOTICE, &result_notice_fixed, sizeof result_notice_fixed, 1, {CONST_SLICE("a,b")}},
    {WIRE_RESULT_DELIVER, &result_deliver_fixed, sizeof result_deliver_fixed, 0, {CONST_SLICE("")}},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static void put(struct buf *out, const struct sample *s)
{
    result r = wire_put(out, s->type, 0x1234567890, 77, s->fixed, s->tails);
    ck_assert_int_eq(r.err, ERR_NONE);
}

static enum wire_step first_step(slice datagram)
{
    struct wire_frame f;
    return wire_next(&datagram, &f);
}

static enum wire_step step_over(slice datagram)
{
    struct wire_frame f;
    enum wire_step step;
    do step = wire_next(&datagram, &f);
    while (step == WIRE_FRAME);
    return step;
}

START_TEST(every_type_comes_back_as_it_went)
{
    struct buf all;
    struct wire_frame f;
    char fixed[512];
    buf_init(&all, 1 << 20);
    ck_assert_int_eq(SAMPLES, WIRE_TYPE_END - 1); /* a new type needs a sample */
    for (size_t i = 0; i < SAMPLES; i++) put(&all, &samples[i]);
    slice datagram = buf_slice(&all);
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        ck_assert_int_eq(wire_next(&datagram, &f), WIRE_FRAME);
        ck_assert_int_eq(f.type, s->type);
        ck_assert_uint_eq(f.dialogue, 0x1234567890);
        ck_assert_uint_eq(f.sequence, 77);
        wire_fixed(&f, fixed, s->fixed_bytes);
        if (s->fixed_bytes) ck_assert_mem_eq(fixed, s->fixed, s->fixed_bytes);
        for (unsigned k = 0; k < s->tail_count; k++) ck_assert(slice_eq(wire_tail(&f, k), s->tails[k]));
    }
    ck_assert_int_eq(wire_next(&datagram, &f), WIRE_DONE);
    buf_done(&all);
}
END_TEST

/* A frame alone in its datagram, told to be of another length than it is; and one cut off at each byte. */
START_TEST(every_wrong_length_is_refused)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        struct buf one;
        buf_init(&one, 1 << 20);
        put(&one, &samples[i]);
        size_t body = one.len - sizeof(struct wire_head);
        for (uint16_t len = 0; len < body + 64; len++) {
            memcpy(one.at + offsetof(struct wire_head, len), &len, sizeof len);
            ck_assert_int_eq(first_step(buf_slice(&one)), len == body ? WIRE_FRAME : WIRE_BROKEN);
        }
        uint16_t right = (uint16_t)body;
        memcpy(one.at + offsetof(struct wire_head, len), &right, sizeof right);
        for (size_t cut = 1; cut < one.len; cut++)
            ck_assert_int_eq(first_step(slice_range(buf_slice(&one), 0, cut)), WIRE_BROKEN);
        buf_done(&one);
    }
}
END_TEST

/* The same with bytes enough behind it: a length that fits the datagram but not the frame is as wrong. */
START_TEST(a_frame_cannot_swallow_the_next)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        struct buf two;
        buf_init(&two, 1 << 20);
        put(&two, &samples[i]);
        size_t body = two.len - sizeof(struct wire_head);
        put(&two, &samples[i]);
        for (uint16_t len = 0; len < two.len - sizeof(struct wire_head); len++) {
            memcpy(two.at + offsetof(struct wire_head, len), &len, sizeof len);
            if (len != body) ck_assert_int_eq(first_step(buf_slice(&two)), WIRE_BROKEN);
        }
        buf_done(&two);
    }
}
END_TEST

START_TEST(unknown_types_are_refused)
{
    static const uint16_t unknown[] = {0, WIRE_TYPE_END, WIRE_TYPE_END + 1, 0x100, 0xffff};
    struct buf one;
    buf_init(&one, 1 << 20);
    put(&one, &samples[6]);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        memcpy(one.at, &unknown[i], sizeof unknown[i]);
        ck_assert_int_eq(step_over(buf_slice(&one)), WIRE_BROKEN);
    }
    buf_done(&one);
}
END_TEST

static const struct {
    enum wire_type type;
    size_t at;
    uint8_t value;
    bool is_length;
} bad[] = {
    {WIRE_OPEN, offsetof(struct wire_open, key_len), API_KEY_TEXT_BYTES + 1, true},
    {WIRE_OPEN, offsetof(struct wire_open, purpose), KEEPER_FOR_TUNNEL + 1, false},
    {WIRE_OPEN, offsetof(struct wire_open, has_key), 2, false},
    {WIRE_OPEN, offsetof(struct wire_open, reserved), 1, false},
    {WIRE_OPEN, offsetof(struct wire_open, reserved) + 3, 1, false},
    {WIRE_REVEAL, offsetof(struct wire_reveal, kind), 2, false},
    {WIRE_REVEAL, offsetof(struct wire_reveal, wanted), WANTED_COUNT, false},
    {WIRE_REVEAL, offsetof(struct wire_reveal, merchant_initiated), 2, false},
    {WIRE_REVEAL, offsetof(struct wire_reveal, token_len), TOKEN_ID_MAX_BYTES + 1, true},
    {WIRE_TOKEN_GET, offsetof(struct wire_ask, reserved), 1, false},
    {WIRE_TOKEN_DELETE, offsetof(struct wire_ask, reserved), 1, false},
    {WIRE_TOKEN_CREATE, offsetof(struct wire_create, number_len), PAN_MAX_DIGITS + 1, true},
    {WIRE_TOKEN_CREATE, offsetof(struct wire_create, holder_len), HOLDER_MAX_BYTES + 1, true},
    {WIRE_TOKEN_CREATE, offsetof(struct wire_create, month), 13, false},
    {WIRE_TOKEN_CREATE, offsetof(struct wire_create, unique), 2, false},
    {WIRE_TOKEN_CREATE, offsetof(struct wire_create, format), ALIAS_FORMAT_COUNT, false},
    {WIRE_TOKEN_CREATE, offsetof(struct wire_create, template_len), ALIAS_TEMPLATE_MAX_BYTES + 1, true},
    {WIRE_TEMPORAL_GET, offsetof(struct wire_ask, reserved), 1, false},
    {WIRE_TEMPORAL_DELETE, offsetof(struct wire_ask, token_len), TOKEN_ID_MAX_BYTES + 1, true},
    {WIRE_TEMPORAL_STORE, offsetof(struct wire_store, unique), 2, false},
    {WIRE_TEMPORAL_STORE, offsetof(struct wire_store, format), ALIAS_FORMAT_COUNT, false},
    {WIRE_TEMPORAL_STORE, offsetof(struct wire_store, token_len), TOKEN_ID_MAX_BYTES + 1, true},
    {WIRE_TEMPORAL_STORE, offsetof(struct wire_store, template_len), ALIAS_TEMPLATE_MAX_BYTES + 1, true},
    {WIRE_TOKEN_CHANGE, offsetof(struct wire_change, remove_pan), 2, false},
    {WIRE_TOKEN_CHANGE, offsetof(struct wire_change, month), 13, false},
    {WIRE_TEMPORAL_CREATE, offsetof(struct wire_temporal, number_len), PAN_MAX_DIGITS + 1, true},
    {WIRE_TEMPORAL_CREATE, offsetof(struct wire_temporal, holder_len), HOLDER_MAX_BYTES + 1, true},
    {WIRE_TEMPORAL_CREATE, offsetof(struct wire_temporal, cvc_len), CVC_MAX_DIGITS + 1, true},
    {WIRE_TEMPORAL_CREATE, offsetof(struct wire_temporal, month), 13, false},
    {WIRE_TEMPORAL_CREATE, offsetof(struct wire_temporal, reserved) + 1, 1, false},
    {WIRE_CAPTURE, offsetof(struct wire_capture, number_len), PAN_MAX_DIGITS + 1, true},
    {WIRE_CAPTURE, offsetof(struct wire_capture, holder_len), HOLDER_MAX_BYTES + 1, true},
    {WIRE_CAPTURE, offsetof(struct wire_capture, cvc_len), CVC_MAX_DIGITS + 1, true},
    {WIRE_CAPTURE, offsetof(struct wire_capture, month), 13, false},
    {WIRE_CAPTURED, offsetof(struct wire_captured, alias_len), TOKEN_ID_MAX_BYTES + 1, true},
    {WIRE_CAPTURED, offsetof(struct wire_captured, cvc_alias_len), TOKEN_ID_MAX_BYTES + 1, true},
    {WIRE_CAPTURED, offsetof(struct wire_captured, created), 2, false},
    {WIRE_CAPTURED, offsetof(struct wire_captured, fell), 2, false},
    {WIRE_END, offsetof(struct wire_end, left), 3, false},
    {WIRE_OPENED, offsetof(struct wire_opened, key_id_len), API_KEY_ID_BYTES + 1, true},
    {WIRE_OPENED, offsetof(struct wire_opened, reserved), 1, false},
    {WIRE_REVEALED, offsetof(struct wire_revealed, number_len), PAN_MAX_DIGITS + 1, true},
    {WIRE_REVEALED, offsetof(struct wire_revealed, cvc_len), CVC_MAX_DIGITS + 1, true},
    {WIRE_REVEALED, offsetof(struct wire_revealed, cryptogram_len), CRYPTOGRAM_MAX_BYTES + 1, true},
    {WIRE_REVEALED, offsetof(struct wire_revealed, eci_len), 3, true},
    {WIRE_REVEALED, offsetof(struct wire_revealed, requestor_len), 12, true},
    {WIRE_REVEALED, offsetof(struct wire_revealed, kind), 2, false},
    {WIRE_REVEALED, offsetof(struct wire_revealed, network_transaction_id_len), NETWORK_TRANSACTION_ID_MAX_BYTES + 1, true},
    {WIRE_REVEALED, offsetof(struct wire_revealed, card_last4_len), 5, true},
    {WIRE_REVEALED, offsetof(struct wire_revealed, fallback), FALLBACK_COUNT, false},
    {WIRE_REVEALED, offsetof(struct wire_revealed, card_has_token), 2, false},
    {WIRE_REVEALED, offsetof(struct wire_revealed, brand), BRAND_COUNT, false},
    {WIRE_REVEALED, offsetof(struct wire_revealed, reserved) + 2, 1, false},
    {WIRE_TOKEN, offsetof(struct wire_token, brand_len), 12, true},
    {WIRE_TOKEN, offsetof(struct wire_token, number_len), PAN_MAX_DIGITS + 1, true},
    {WIRE_TOKEN, offsetof(struct wire_token, state), 2, false},
    {WIRE_TOKEN, offsetof(struct wire_token, alias_len), TOKEN_ID_MAX_BYTES + 1, true},
    {WIRE_TOKEN, offsetof(struct wire_token, fell), 2, false},
    {WIRE_TOKEN, offsetof(struct wire_token, reserved) + 2, 1, false},
    {WIRE_ENROL, offsetof(struct wire_enrol, cvc_len), TOKEN_ID_MAX_BYTES + 1, true},
    {WIRE_CREDENTIALS, offsetof(struct wire_ask, reserved), 1, false},
    {WIRE_SIGN, offsetof(struct wire_sign, last), 2, false},
    {WIRE_SIGN, offsetof(struct wire_sign, rs256), 2, false},
    {WIRE_LEAF, offsetof(struct wire_leaf, host_len), CA_NAME_MAX_BYTES + 1, true},
    {WIRE_LEAF, offsetof(struct wire_leaf, point_len), CA_POINT_BYTES + 1, true},
    {WIRE_REPORT, offsetof(struct wire_report, route_len), WIRE_NAME_MAX_BYTES + 1, true},
    {WIRE_REPORT, offsetof(struct wire_report, reserved) + 2, 1, false},
    {WIRE_FIELDS_OPEN, offsetof(struct wire_fields_open, kind), FIELD_BOTH + 1, false},
    {WIRE_FIELDS, offsetof(struct wire_fields, session_len), FIELD_SESSION_ID_BYTES + 1, true},
    {WIRE_PAYMENT, offsetof(struct wire_payment, first_verdict), 3, false},
    {WIRE_PAYMENT, offsetof(struct wire_payment, retry_verdict), 3, false},
    {WIRE_PAYMENT, offsetof(struct wire_payment, fallback), FALLBACK_COUNT, false},
    {WIRE_PAYMENT, offsetof(struct wire_payment, reserved) + 3, 1, false},
    {WIRE_NETWORK, offsetof(struct wire_network, state), NETWORK_STATE_COUNT, false},
    {WIRE_NETWORK, offsetof(struct wire_network, reason_len), 32, true},
    {WIRE_NETWORK, offsetof(struct wire_network, reference_code_len), 37, true},
    {WIRE_NETWORK, offsetof(struct wire_network, reserved) + 3, 1, false},
    {WIRE_REPORTED, offsetof(struct wire_reported, last), 2, false},
    {WIRE_ORDER_ENROL, offsetof(struct wire_order_enrol, brand), BRAND_COUNT, false},
    {WIRE_ORDER_STATE, offsetof(struct wire_order_ref, ref_len), NETWORK_REF_BYTES + 1, true},
    {WIRE_RESULT, offsetof(struct wire_result, reason), NETWORK_REASON_COUNT, false},
    {WIRE_RESULT, offsetof(struct wire_result, state), NETWORK_STATE_COUNT, false},
    {WIRE_RESULT, offsetof(struct wire_result, reserved) + 6, 1, false},
};

/* Lengths past their maximum, flags that are neither 0 nor 1, reserved bytes that are not 0. */
START_TEST(bytes_out_of_range_are_refused)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf one;
        buf_init(&one, 1 << 20);
        put(&one, &samples[bad[i].type - 1]);
        /* Enough bytes behind it, and a length that fits what the byte would say: only its maximum refuses it. */
        uint16_t len = (uint16_t)(one.len - sizeof(struct wire_head));
        char *at = one.at + sizeof(struct wire_head) + bad[i].at;
        if (bad[i].is_length) {
            len = (uint16_t)(len + bad[i].value - (uint8_t)*at);
            *at = (char)bad[i].value;
            memcpy(one.at + offsetof(struct wire_head, len), &len, sizeof len);
            char padding[256] = {0};
            ck_assert_int_eq(buf_append(&one, (slice){padding, sizeof padding}).err, ERR_NONE);
            one.len = sizeof(struct wire_head) + len;
        } else {
            *at = (char)bad[i].value;
        }
        struct wire_frame f;
        slice datagram = buf_slice(&one);
        ck_assert_msg(wire_next(&datagram, &f) == WIRE_BROKEN, "case %zu", i);
        buf_done(&one);
    }
}
END_TEST

/* Lengths of two bytes. */
START_TEST(long_tails_have_their_maximum_too)
{
    static char bytes[WIRE_PIECE_MAX_BYTES + 1];
    static const struct {
        enum wire_type type;
        size_t at, most;
    } longest[] = {
        {WIRE_SIGN, offsetof(struct wire_sign, piece_len), WIRE_PIECE_MAX_BYTES},
        {WIRE_NOTICE, offsetof(struct wire_notice, body_len), WIRE_PIECE_MAX_BYTES},
        {WIRE_NOTICE, offsetof(struct wire_notice, field_len), WIRE_FIELD_MAX_BYTES},
        {WIRE_ENROL, offsetof(struct wire_enrol, billing_len), WIRE_BILLING_MAX_BYTES},
        {WIRE_FIELDS_OPEN, offsetof(struct wire_fields_open, origin_len), ORIGIN_MAX_BYTES},
        {WIRE_FIELDS, offsetof(struct wire_fields, origin_len), ORIGIN_MAX_BYTES},
        {WIRE_SIGNED, offsetof(struct wire_signed, signature_len), WIRE_SIGNATURE_MAX_BYTES},
        {WIRE_LEAF_MADE, offsetof(struct wire_leaf_made, certificate_len), CA_LEAF_MAX_BYTES},
        {WIRE_ORDER_DELIVER, offsetof(struct wire_order_deliver, json_len), EVENT_JSON_MAX_BYTES},
        {WIRE_RESULT_NOTICE, offsetof(struct wire_result_notice, refs_len), WIRE_REFS_MAX_BYTES},
    };
    for (size_t i = 0; i < sizeof longest / sizeof *longest; i++) {
        for (uint16_t more = 0; more < 2; more++) {
            struct buf one;
            uint16_t was, is = (uint16_t)(longest[i].most + more), len;
            buf_init(&one, 1 << 20);
            put(&one, &samples[longest[i].type - 1]);
            memcpy(&was, one.at + sizeof(struct wire_head) + longest[i].at, sizeof was);
            memcpy(one.at + sizeof(struct wire_head) + longest[i].at, &is, sizeof is);
            len = (uint16_t)(one.len - sizeof(struct wire_head) - was + is);
            memcpy(one.at + offsetof(struct wire_head, len), &len, sizeof len);
            ck_assert(!failed(buf_append(&one, (slice){bytes, (size_t)(is - was)})));
            ck_assert_msg(first_step(buf_slice(&one)) == (more ? WIRE_BROKEN : WIRE_FRAME), "case %zu", i);
            buf_done(&one);
        }
    }
}
END_TEST

START_TEST(a_billing_address_comes_back)
{
    char bytes[WIRE_BILLING_MAX_BYTES], longest[WIRE_BILLING_TEXT_MAX_BYTES + 1];
    size_t len;
    struct billing_text in = {.address_1 = SLICE("Carrera 140"), .city = SLICE("Bogota"), .country = SLICE("CO")}, out;
    memset(longest, 'x', sizeof longest);
    in.address_2 = (slice){longest, WIRE_BILLING_TEXT_MAX_BYTES};
    ck_assert(wire_billing_put(&in, bytes, &len));
    ck_assert(wire_billing_read((slice){bytes, len}, &out));
    ck_assert(slice_eq(in.address_1, out.address_1) && slice_eq(in.address_2, out.address_2) && slice_eq(in.city, out.city));
    ck_assert(out.state.len == 0 && out.postal_code.len == 0 && slice_is(out.country, "CO"));
    for (size_t cut = 1; cut < len; cut++) ck_assert(!wire_billing_read((slice){bytes, cut}, &out));
    ck_assert(wire_billing_read(SLICE_NONE, &out) && out.city.len == 0);
    bytes[0] = (char)(WIRE_BILLING_TEXT_MAX_BYTES + 1);
    ck_assert(!wire_billing_read((slice){bytes, len}, &out));
    in.city = (slice){longest, sizeof longest};
    ck_assert(!wire_billing_put(&in, bytes, &len));
}
END_TEST

START_TEST(nothing_is_sent_that_was_not_written)
{
    struct buf one;
    buf_init(&one, 1 << 20);
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t before = one.len, tails = 0;
        for (size_t k = 0; k < samples[i].tail_count; k++) tails += samples[i].tails[k].len;
        put(&one, &samples[i]);
        ck_assert_uint_eq(one.len - before, sizeof(struct wire_head) + samples[i].fixed_bytes + tails);
    }
    buf_done(&one);
}
END_TEST

START_TEST(a_batch_ends_between_frames)
{
    struct buf many;
    buf_init(&many, 1 << 22);
    while (many.len < 3 * WIRE_BATCH_BYTES) put(&many, &samples[many.len % SAMPLES]);
    slice left = buf_slice(&many);
    unsigned datagrams = 0;
    while (left.len) {
        size_t n = wire_batch(left);
        ck_assert_uint_gt(n, 0);
        ck_assert_uint_le(n, WIRE_BATCH_BYTES);
        ck_assert_int_eq(step_over(slice_range(left, 0, n)), WIRE_DONE);
        left = slice_after(left, n);
        datagrams++;
    }
    ck_assert_uint_eq(datagrams, 4);
    buf_done(&many);
}
END_TEST

START_TEST(a_full_buffer_takes_no_half_frame)
{
    struct buf small;
    buf_init(&small, 600);
    while (!failed(wire_put(&small, WIRE_REVEAL, 1, 1, &reveal_fixed, samples[1].tails))) continue;
    ck_assert_uint_eq(small.len % (sizeof(struct wire_head) + sizeof reveal_fixed + 6), 0);
    ck_assert_int_eq(step_over(buf_slice(&small)), WIRE_DONE);
    buf_done(&small);
}
END_TEST

RUN_TESTS("wire", every_type_comes_back_as_it_went, every_wrong_length_is_refused, a_frame_cannot_swallow_the_next,
          unknown_types_are_refused, bytes_out_of_range_are_refused, long_tails_have_their_maximum_too, a_billing_address_comes_back, nothing_is_sent_that_was_not_written,
          a_batch_ends_between_frames, a_full_buffer_takes_no_half_frame)
