/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit/keeper/fake_vault.h"
#include "base/secret.h"
#include "keeper/server.h"
#include "keeper/wire.h"

#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a stolen relay may send to the keeper, and what a broken keeper may send to a relay. Two properties: a frame that is taken
 * is written again as the same bytes (so nothing in it went unlooked at); and whatever a relay says, the keeper goes on, gives
 * cards only to dialogues that were opened, and forgets the relay when it is gone. The vault is a fake one, in memory. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void die(const char *why)
{
    (void)fprintf(stderr, "%s\n", why);
    abort();
}

static void write_again(const struct wire_frame *f, slice bytes, struct buf *room)
{
    slice tails[WIRE_TAILS_MAX];
    for (unsigned i = 0; i < wire_tails(f->type); i++) tails[i] = wire_tail(f, i);
    buf_clear(room);
    if (failed(wire_put(room, f->type, f->dialogue, f->sequence, f->body.at, tails))) die("no room");
    if (!slice_eq(buf_slice(room), bytes)) die("a frame was read that would be written otherwise");
}

static void check_codec(slice datagram)
{
    struct buf room;
    struct wire_frame f;
    slice rest = datagram;
    size_t at = 0;
    buf_init(&room, 2 * WIRE_BATCH_BYTES);
    while (wire_next(&rest, &f) == WIRE_FRAME) {
        write_again(&f, slice_range(datagram, at, datagram.len - rest.len), &room);
        at = datagram.len - rest.len;
    }
    buf_done(&room);
}

static struct loop *loop;
static struct keeper_server *server;

static void nothing(void *arg)
{
    (void)arg;
}

static void start(void)
{
    const struct keeper_server_options options = {.config = fake_config(), .generation = 1};
    struct keeper_server_options o = options;
    (void)signal(SIGPIPE, SIG_IGN);
    /* OpenSSL's generators are made before the secure heap is there: in it the leak checker would not find who holds what. */
    unsigned char once;
    if (RAND_bytes(&once, 1) != 1 || RAND_priv_bytes(&once, 1) != 1) die("random");
    if (!freopen("/dev/null", "w", stdout) || failed(secret_start(1 << 20))) die("start");
    loop = loop_new();
    o.loop = loop;
    if (!loop || failed(keeper_server_new(&o, &server))) die("start");
}

static void turn(void)
{
    struct timer *t = timer_new(loop, nothing, NULL);
    timer_set(t, 0);
    loop_turn(loop);
    timer_free(t);
}

static void check_server(slice datagram)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == -1) die("socketpair");
    if (failed(keeper_server_add_relay(server, 1, 1, pair[0]))) die("relay");
    fake.audited[0] = '\0';
    if (send(pair[1], datagram.at, datagram.len, MSG_DONTWAIT) == -1) die("send");
    turn();
    turn();
    close(pair[1]);
    for (int i = 0; i < 8 && keeper_server_dialogues(server) > 0; i++) turn();
    turn();
    if (keeper_server_dialogues(server) != 0) die("a dialogue outlived its relay");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice datagram = {(const char *)data, size};
    if (size == 0 || size > WIRE_BATCH_BYTES) return 0;
    if (!server) start();
    check_codec(datagram);
    check_server(datagram);
    return 0;
}
