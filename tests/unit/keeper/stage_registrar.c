/* SPDX-License-Identifier: Apache-2.0 */
#include "stage_registrar.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int registrar = -1;
static int tap = -1;

void registrar_start(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    keeper_server_registrar(server, 999, pair[0]);
    registrar = pair[1];
}

void registrar_stop(void)
{
    if (registrar >= 0) close(registrar);
    registrar = -1;
    if (tap >= 0) close(tap);
    tap = -1;
    turns(3);
}

struct keeper_dialogue *pay(void)
{
    struct keeper_dialogue *d = open_dialogue(caller("cvk_shop", 0));
    expect("opened NONE 1 shop1;");
    reveal(d, 1, "tok_good1", TOKEN_PERMANENT);
    return d;
}

static char bytes[WIRE_BATCH_BYTES];
static slice rest;
static struct order_seen seen;

static bool take_order(void)
{
    struct wire_frame f;
    if (rest.len == 0) {
        ssize_t n = recv(registrar, bytes, sizeof bytes, MSG_DONTWAIT);
        rest = (slice){bytes, n > 0 ? (size_t)n : 0};
    }
    if (wire_next(&rest, &f) != WIRE_FRAME) return false;
    ck_assert_int_eq(wire_way(f.type), WIRE_KEEPER_TO_REGISTRAR);
    seen = (struct order_seen){.type = f.type, .id = f.dialogue};
    (void)snprintf(seen.text, sizeof seen.text, "%s", wire_type_name(f.type));
    for (unsigned i = 0; i < wire_tails(f.type); i++) {
        size_t used = strlen(seen.text);
        (void)snprintf(seen.text + used, sizeof seen.text - used, " %.*s", SLICE_ARG(wire_tail(&f, i)));
    }
    return true;
}

const struct order_seen *registrar_order(void)
{
    bool any = false;
    for (unsigned i = 0; i < 3000 && !any; i++) {
        any = take_order();
        if (!any) turn();
    }
    ck_assert_msg(any, "nothing was ordered");
    return &seen;
}

const struct order_seen *last_order(void)
{
    return &seen;
}

bool registrar_is_idle(void)
{
    turns(6);
    return !take_order();
}

void registrar_say(uint64_t id, enum wire_type type, const void *fixed, const slice *tails)
{
    struct buf b;
    buf_init(&b, WIRE_BATCH_BYTES);
    ck_assert(!failed(wire_put(&b, type, id, 0, fixed, tails)));
    ck_assert_int_eq(send(registrar, b.at, b.len, 0), (ssize_t)b.len);
    buf_done(&b);
    turns(4);
}

void registrar_state(enum network_state state, const char *ref)
{
    const struct wire_result w = {.state = (uint8_t)state, .month = 12, .year = 2031, .ref_len = (uint8_t)strlen(ref)};
    const slice tails[WIRE_TAILS_MAX] = {slice_of(ref)};
    registrar_say(seen.id, WIRE_RESULT, &w, tails);
}

void registrar_fail(enum error e, enum network_reason reason)
{
    const struct wire_result w = {.error = (uint16_t)e, .reason = (uint8_t)reason, .state = NETWORK_UNPROVISIONED};
    const slice tails[WIRE_TAILS_MAX] = {SLICE_NONE};
    registrar_say(seen.id, WIRE_RESULT, &w, tails);
}

void registrar_credential(const char *cryptogram)
{
    const struct wire_result w = {.state = NETWORK_ACTIVE, .has_credential = 1, .credential_month = 12, .credential_year = 2031,
                                  .number_len = 16, .cryptogram_len = (uint8_t)strlen(cryptogram), .eci_len = 2, .requestor_len = 11};
    const slice tails[WIRE_TAILS_MAX] = {[2] = SLICE("4895370000000002"), [3] = slice_of(cryptogram), [4] = SLICE("05"),
                                         [5] = SLICE("40010030273")};
    registrar_say(seen.id, WIRE_RESULT, &w, tails);
}

/* --- a relay whose every byte is kept --- */

static char tapped[WIRE_BATCH_BYTES];
static size_t tapped_len;
static uint32_t tap_sequence;

static void tap_say(enum wire_type type, uint32_t sequence, const void *fixed, const slice *tails)
{
    struct buf b;
    buf_init(&b, 4096);
    ck_assert(!failed(wire_put(&b, type, 1, sequence, fixed, tails)));
    ck_assert_int_eq(send(tap, b.at, b.len, 0), (ssize_t)b.len);
    buf_done(&b);
}

void tap_relay(void)
{
    const struct wire_open o = {.listener = 1, .permission = PERMIT_PROXY, .generation = 1};
    tap = add_relay(7);
    tap_say(WIRE_OPEN, 0, &o, &(slice){NULL, 0});
}

void tap_reveal(const char *token, enum wanted wanted, bool merchant_initiated)
{
    const struct wire_reveal w = {.wanted = (uint8_t)wanted, .merchant_initiated = merchant_initiated, .token_len = (uint8_t)strlen(token)};
    const slice tail = slice_of(token);
    tap_say(WIRE_REVEAL, tap_sequence++, &w, &tail);
}

slice tap_read(void)
{
    ssize_t n;
    turns(6);
    while ((n = recv(tap, tapped + tapped_len, sizeof tapped - tapped_len, MSG_DONTWAIT)) > 0) tapped_len += (size_t)n;
    return (slice){tapped, tapped_len};
}
