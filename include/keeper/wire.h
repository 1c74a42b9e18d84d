/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_WIRE_H
#define KEEPER_WIRE_H

/* What the processes say to each other: frames of a fixed layout, several to a datagram of a SOCK_SEQPACKET pair. Both ends run the
 * same binary (the supervisor re-executes itself), so numbers have the machine's own form and there is no version.
 *
 *     relay ══ questions ══► keeper ══ orders ══► registrar
 *           ◄══ answers ═══         ◄══ results ═
 *
 *     datagram: [ head | fixed part | tails ][ head | fixed part | tails ] …          at most WIRE_BATCH_BYTES
 *
 * The fixed part of a type is one small struct without padding; some of its members are the lengths of the tails that follow
 * it. wire_next() hands out a frame only if its length is exactly what these say, every one of them is within its maximum, flags
 * are 0 or 1 and reserved bytes 0. Anything else breaks the whole connection: neither side ever guesses. */

#include "base/buf.h"
#include "base/result.h"
#include "body/alias.h"
#include "body/credential.h"
#include "keeper/choice.h"
#include "vault/ca.h"
#include "vault/network.h"

#include <assert.h>

enum {
    WIRE_BATCH_BYTES = 64 * 1024,
    WIRE_DIALOGUES_MAX = 64 * 1024, /* open at once, per relay: the low half of a dialogue's id is below it */
    WIRE_TAILS_MAX = 8,
    WIRE_PIECE_MAX_BYTES = 32 * 1024,  /* of a text to be signed, or a notification's body */
    WIRE_FIELD_MAX_BYTES = 1024,       /* of a notification's signature field */
    WIRE_SIGNATURE_MAX_BYTES = 512,    /* RSA of 4096 bits */
    WIRE_BILLING_TEXT_MAX_BYTES = 100,
    WIRE_BILLING_MAX_BYTES = 6 * (1 + WIRE_BILLING_TEXT_MAX_BYTES),
    WIRE_REFS_MAX = 16,                /* that one notification speaks of */
    WIRE_REFS_MAX_BYTES = WIRE_REFS_MAX * (NETWORK_REF_BYTES + 1),
    WIRE_NAME_MAX_BYTES = 64,          /* of a merchant, a route, a network */
    WIRE_URL_MAX_BYTES = 255,
};

enum wire_type {
    /* relay to keeper */
    WIRE_OPEN = 1,
    WIRE_REVEAL,
    WIRE_TOKEN_CREATE,
    WIRE_TOKEN_GET,
    WIRE_TOKEN_CHANGE,
    WIRE_TOKEN_DELETE,
    WIRE_TEMPORAL_CREATE,
    WIRE_TEMPORAL_GET,
    WIRE_TEMPORAL_DELETE,
    WIRE_TEMPORAL_STORE,
    WIRE_CAPTURE,
    WIRE_ENROL,
    WIRE_CREDENTIALS,
    WIRE_NETWORK_TOKEN,
    WIRE_SIGN,
    WIRE_NOTICE,
    WIRE_REPORT,
    WIRE_FIELDS_OPEN,
    WIRE_FIELDS_GET,
    WIRE_LEAF,
    WIRE_PAYMENT, /* of no dialogue: numbered by the relay, answered by PAYMENTS_KEPT */
    WIRE_END,
    /* keeper to relay */
    WIRE_OPENED,
    WIRE_REVEALED,
    WIRE_TOKEN,
    WIRE_CAPTURED,
    WIRE_NETWORK,
    WIRE_SIGNED,
    WIRE_NOTICED,
    WIRE_REPORTED,
    WIRE_FIELDS,
    WIRE_LEAF_MADE,
    WIRE_WORKING, /* the dialogue is not forgotten: the card network is being waited for */
    WIRE_PAYMENTS_KEPT,
    /* keeper to registrar; the dialogue is the order's number */
    WIRE_ORDER_ENROL,
    WIRE_ORDER_CREDENTIALS,
    WIRE_ORDER_STATE,
    WIRE_ORDER_REMOVE,
    WIRE_ORDER_NOTICE,
    WIRE_ORDER_DELIVER,
    WIRE_ORDER_CANCEL, /* its answer is not wanted any more; none comes, or one that crossed */
    /* registrar to keeper: one for each order */
    WIRE_RESULT,       /* of ENROL, CREDENTIALS, STATE, REMOVE */
    WIRE_RESULT_NOTICE,
    WIRE_RESULT_DELIVER,
    WIRE_TYPE_END
};
const char *wire_type_name(enum wire_type t);
enum wire_way { WIRE_RELAY_TO_KEEPER, WIRE_KEEPER_TO_RELAY, WIRE_KEEPER_TO_REGISTRAR, WIRE_REGISTRAR_TO_KEEPER };
enum wire_way wire_way(enum wire_type t);

struct wire_head {
    uint16_t type;
    uint16_t len;      /* fixed part and tails */
    uint32_t sequence; /* number of the question in its dialogue; 0 in OPEN, OPENED and END, and outside dialogues */
    uint64_t dialogue; /* generation in the high half, slot in the low half; the relay chooses. 0: of none */
};

enum wire_family { WIRE_FAMILY_LOCAL = 0, WIRE_FAMILY_4 = 4, WIRE_FAMILY_6 = 6 };
struct wire_open {
    uint64_t request;
    uint32_t listener, route, permission;
    uint32_t generation; /* of the configuration that listener and route are indices of */
    uint8_t peer[16];
    uint8_t family, purpose, has_key, key_len;
    uint8_t reserved[4];
}; /* tail: API key */
struct wire_reveal {
    uint8_t kind, wanted, merchant_initiated, token_len;
}; /* tail: token */
struct wire_ask { /* TOKEN_GET, TOKEN_DELETE, TEMPORAL_GET, TEMPORAL_DELETE, … */
    uint8_t token_len, reserved;
}; /* tail: token */
struct wire_create {
    uint16_t year;
    uint8_t month, unique, format, number_len, holder_len, template_len;
}; /* tails: number, holder, template of the alias */
struct wire_change {
    uint16_t year;
    uint8_t month, set_expiry, set_holder, remove_pan, token_len, holder_len;
}; /* tails: token, holder */
struct wire_temporal {
    uint32_t ttl_s;
    uint16_t year;
    uint8_t month, number_len, holder_len, cvc_len, reserved[2];
}; /* tails: number, holder, CVC */
struct wire_store { /* the card behind a temporal token */
    uint8_t unique, format, token_len, template_len;
}; /* tails: token, template of the alias */
struct wire_capture {
    uint16_t year;
    uint8_t month, number_len, holder_len, cvc_len; /* number_len 0: a CVC alone */
}; /* tails: number, holder, CVC */
/* How much has left the relay. A connection that breaks is silence: then all of it may have. */
enum wire_left {
    WIRE_LEFT_ALL = 0, /* what was revealed, and the ids of what was made: temporal tokens are used up, new ones stay */
    WIRE_LEFT_UNTOLD,  /* what was revealed; nobody was told the ids of new temporal tokens: those are dropped */
    WIRE_LEFT_NOTHING, /* neither: those that were revealed stay, too */
};
struct wire_end {
    uint8_t left; /* enum wire_left */
};
struct wire_enrol {
    uint16_t billing_len;
    uint8_t token_len, cvc_len;
}; /* tails: token; CVC, or a temporal token; billing (wire_billing_put) */
struct wire_sign { /* one piece; all of one signature have the same sequence */
    uint16_t piece_len;
    uint8_t last, rs256;
}; /* tail: piece */
struct wire_notice {
    uint32_t network;
    uint16_t field_len, body_len;
}; /* tails: signature field, body */
struct wire_report {
    uint32_t from_hour, to_hour;
    uint8_t route_len, reserved[3];
}; /* tail: route */
struct wire_fields_open {
    uint32_t ttl_s;
    uint16_t origin_len;
    uint8_t kind, reserved[1];
}; /* tail: origin */
struct wire_leaf {
    uint8_t host_len, point_len;
}; /* tails: host name, public key (an uncompressed point on P-256) */
struct wire_payment {
    uint64_t relay, number; /* random at the relay's start; counted from 1 */
    uint32_t generation, merchant, route;
    uint8_t first, fallback, card_has_token, first_verdict, retried, retry_verdict;
    uint8_t token_len, network_transaction_id_len, reserved[4];
}; /* tails: token, network transaction id */
struct wire_opened {
    uint32_t merchant;
    uint16_t error;
    uint8_t key_id_len, reserved;
}; /* tail: key id */
struct wire_revealed {
    uint32_t network_us;
    uint16_t error, year;
    uint8_t month, kind, fallback, card_has_token, brand;
    uint8_t number_len, holder_len, cvc_len, cryptogram_len, eci_len, requestor_len, network_transaction_id_len, card_last4_len;
    uint8_t reserved[3];
}; /* tails: the credential, in this order; all empty on an error */
struct wire_token {
    int64_t created_ms, updated_ms;
    uint16_t error, year;
    uint8_t month, state, has_holder, created, fell, token_len, number_len, brand_len, alias_len, reserved[3];
}; /* tails: token, masked number, brand, the alias that was asked for; all empty on an error */
struct wire_captured {
    uint16_t error;
    uint8_t alias_len, cvc_alias_len, created, fell;
}; /* tails: alias, CVC's alias; both empty on an error */
struct wire_network {
    int64_t updated_ms;
    uint16_t error, year, credential_year;
    uint8_t is_known, state, already, month;  /* what network_info has; is_known 0: nothing */
    uint8_t has_credential, credential_month, brand;
    uint8_t reason_len, reference_code_len, number_len, cryptogram_len, eci_len, requestor_len, card_last4_len, reserved[4];
}; /* tails: reason, reference code; number, cryptogram, ECI, requestor, card's last four */
struct wire_signed {
    uint16_t error, signature_len;
}; /* tail: signature */
struct wire_noticed {
    uint16_t error;
    uint8_t reserved[2];
};
struct wire_reported { /* one for each route, then one with last */
    uint64_t sums[COUNTER_COUNT];
    uint16_t error;
    uint8_t last, route_len, reserved[4];
}; /* tail: route */
struct wire_fields { /* FIELDS_OPEN: with the session's id; FIELDS_GET: without */
    uint32_t ttl_s;
    uint16_t error, origin_len;
    uint8_t kind, session_len, reserved[2];
}; /* tails: session, origin */
struct wire_leaf_made {
    uint16_t error, certificate_len;
}; /* tail: certificate, DER */
struct wire_payments_kept {
    uint64_t up_to;
};
struct wire_order_enrol {
    uint16_t billing_len, year;
    uint8_t month, brand, network_len, number_len, holder_len, cvc_len, correlation_len, reserved;
}; /* tails: network's name, number, holder, cvc, billing, correlation */
struct wire_order_ref { /* CREDENTIALS, STATE, REMOVE */
    uint8_t without_cryptogram, network_len, ref_len, reserved;
}; /* tails: network's name, its name of the token */
struct wire_order_notice {
    uint16_t field_len, body_len;
    uint8_t network_len, reserved[3];
}; /* tails: network's name, signature field, body */
struct wire_order_deliver {
    uint16_t json_len;
    uint8_t merchant_len, url_len, event_len, reserved;
}; /* tails: merchant, URL, event id, JSON */
struct wire_result {
    uint64_t took_us;
    uint16_t error, year, credential_year;
    uint8_t state, reason, month, has_credential, credential_month;
    uint8_t ref_len, instrument_len, number_len, cryptogram_len, eci_len, requestor_len, reserved[7];
}; /* tails: token's and instrument's names; number, cryptogram, ECI, requestor */
struct wire_result_notice {
    uint16_t error, refs_len;
}; /* tail: the names it speaks of, a comma between two */
struct wire_result_deliver {
    uint16_t error;
    int16_t status;
};

#define WIRE_SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), "no padding may cross the socket")
WIRE_SIZE(wire_head, 16);
WIRE_SIZE(wire_open, 48);
WIRE_SIZE(wire_reveal, 4);
WIRE_SIZE(wire_ask, 2);
WIRE_SIZE(wire_create, 8);
WIRE_SIZE(wire_change, 8);
WIRE_SIZE(wire_temporal, 12);
WIRE_SIZE(wire_store, 4);
WIRE_SIZE(wire_capture, 6);
WIRE_SIZE(wire_end, 1);
WIRE_SIZE(wire_enrol, 4);
WIRE_SIZE(wire_sign, 4);
WIRE_SIZE(wire_notice, 8);
WIRE_SIZE(wire_report, 12);
WIRE_SIZE(wire_fields_open, 8);
WIRE_SIZE(wire_payment, 40);
WIRE_SIZE(wire_opened, 8);
WIRE_SIZE(wire_revealed, 24);
WIRE_SIZE(wire_token, 32);
WIRE_SIZE(wire_captured, 6);
WIRE_SIZE(wire_network, 32);
WIRE_SIZE(wire_signed, 4);
WIRE_SIZE(wire_noticed, 4);
WIRE_SIZE(wire_reported, COUNTER_COUNT * 8 + 8);
WIRE_SIZE(wire_fields, 12);
WIRE_SIZE(wire_leaf, 2);
WIRE_SIZE(wire_leaf_made, 4);
WIRE_SIZE(wire_payments_kept, 8);
WIRE_SIZE(wire_order_enrol, 12);
WIRE_SIZE(wire_order_ref, 4);
WIRE_SIZE(wire_order_notice, 8);
WIRE_SIZE(wire_order_deliver, 6);
WIRE_SIZE(wire_result, 32);
WIRE_SIZE(wire_result_notice, 4);
WIRE_SIZE(wire_result_deliver, 4);
#undef WIRE_SIZE

/* Appends one frame. <fixed> is the type's struct, its lengths set; tails[i] has as many bytes as they say (asserted:
 * callers check lengths before). ERR_TOO_LARGE, ERR_MEMORY: nothing was appended. */
MUST_USE result wire_put(struct buf *out, enum wire_type type, uint64_t dialogue, uint32_t sequence, const void *fixed,
                         const slice *tails);

struct wire_frame {
    enum wire_type type;
    uint32_t sequence;
    uint64_t dialogue;
    slice body; /* valid as long as the datagram */
};
enum wire_step { WIRE_FRAME, WIRE_DONE, WIRE_BROKEN };
/* Takes the next frame off the front of *datagram. An empty datagram is WIRE_DONE at once; callers treat it as an end. */
enum wire_step wire_next(slice *datagram, struct wire_frame *out);
/* Copies the fixed part out (the frame itself need not be aligned); asserts that <bytes> is the type's size. */
void wire_fixed(const struct wire_frame *f, void *out, size_t bytes);
slice wire_tail(const struct wire_frame *f, unsigned i);
unsigned wire_tails(enum wire_type t); /* how many a frame of that type has */
/* Copies a tail into the field that its table gives it room for; its length. Only for fields as long as the table's maximum. */
uint8_t wire_copy(const struct wire_frame *f, unsigned i, char *to);
/* What a network gave for a token: tails 2 to 5 of WIRE_RESULT and WIRE_NETWORK, the one handing on what the other brought. */
void wire_network_credential(const struct wire_frame *f, uint8_t month, uint16_t year, struct credential *out);
void wire_network_tails(const struct credential *c, slice tails[WIRE_TAILS_MAX]);
/* Six texts, each with its length before it: as frames and jobs have a billing address. False: one is too long. */
struct billing_text;
bool wire_billing_put(const struct billing_text *billing, char out[WIRE_BILLING_MAX_BYTES], size_t *len);
/* Slices into <bytes>. False: not exactly six texts within their maximum. No bytes at all: six empty ones. */
bool wire_billing_read(slice bytes, struct billing_text *out);
/* How many bytes of whole frames at the front of <frames> (as wire_put wrote them) fit into one datagram. */
size_t wire_batch(slice frames);

#endif
