/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_WIRE_H
#define KEEPER_WIRE_H

/* What relay and keeper say to each other: frames of a fixed layout, several to a datagram of a SOCK_SEQPACKET pair. Both ends
 * run the same binary (the supervisor re-executes itself), so numbers have the machine's own form and there is no version.
 *
 *     datagram: [ head | fixed part | tails ][ head | fixed part | tails ] …          at most WIRE_BATCH_BYTES
 *
 * The fixed part of a type is one small struct without padding; some of its bytes are the lengths of the tails that follow
 * it. wire_next() hands out a frame only if its length is exactly what these bytes say, every one of them is within its
 * maximum, flags are 0 or 1 and reserved bytes 0. Anything else breaks the whole connection: neither side ever guesses. */

#include "base/buf.h"
#include "base/result.h"
#include "body/credential.h"
#include "keeper/choice.h"
#include "vault/vault.h"

#include <assert.h>

enum {
    WIRE_BATCH_BYTES = 64 * 1024,
    WIRE_DIALOGUES_MAX = 64 * 1024, /* open at once, per relay: the low half of a dialogue's id is below it */
    WIRE_TAILS_MAX = 8,
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
    WIRE_END,
    /* keeper to relay */
    WIRE_OPENED,
    WIRE_REVEALED,
    WIRE_TOKEN,
    WIRE_TYPE_END
};
const char *wire_type_name(enum wire_type t);
bool wire_is_question(enum wire_type t); /* relay to keeper */

struct wire_head {
    uint16_t type;
    uint16_t len;      /* fixed part and tails */
    uint32_t sequence; /* number of the question in its dialogue; 0 in OPEN, OPENED and END */
    uint64_t dialogue; /* generation in the high half, slot in the low half; the relay chooses */
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
struct wire_ask { /* TOKEN_GET, TOKEN_DELETE */
    uint8_t token_len, reserved;
}; /* tail: token */
struct wire_create {
    uint16_t year;
    uint8_t month, unique, number_len, holder_len;
}; /* tails: number, holder */
struct wire_change {
    uint16_t year;
    uint8_t month, set_expiry, set_holder, remove_pan, token_len, holder_len;
}; /* tails: token, holder */
struct wire_temporal {
    uint32_t ttl_s;
    uint16_t year;
    uint8_t month, number_len, holder_len, cvc_len, reserved[2];
}; /* tails: number, holder, CVC */
struct wire_end {
    uint8_t is_unsent; /* 1: nothing of what was revealed has left the relay, so temporal tokens stay. Silence means used. */
};
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
    uint8_t month, state, has_holder, created, token_len, number_len, brand_len, reserved[5];
}; /* tails: token, masked number, brand; all empty on an error */

static_assert(sizeof(struct wire_head) == 16, "no padding may cross the socket");
static_assert(sizeof(struct wire_open) == 48, "no padding may cross the socket");
static_assert(sizeof(struct wire_reveal) == 4, "no padding may cross the socket");
static_assert(sizeof(struct wire_ask) == 2, "no padding may cross the socket");
static_assert(sizeof(struct wire_create) == 6, "no padding may cross the socket");
static_assert(sizeof(struct wire_change) == 8, "no padding may cross the socket");
static_assert(sizeof(struct wire_temporal) == 12, "no padding may cross the socket");
static_assert(sizeof(struct wire_end) == 1, "no padding may cross the socket");
static_assert(sizeof(struct wire_opened) == 8, "no padding may cross the socket");
static_assert(sizeof(struct wire_revealed) == 24, "no padding may cross the socket");
static_assert(sizeof(struct wire_token) == 32, "no padding may cross the socket");

/* Appends one frame. <fixed> is the type's struct, its length bytes set; tails[i] has as many bytes as they say (asserted:
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
/* How many bytes of whole frames at the front of <frames> (as wire_put wrote them) fit into one datagram. */
size_t wire_batch(slice frames);

#endif
