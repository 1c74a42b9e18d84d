/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "link_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* RFC 9112 9.6: "To avoid the TCP reset problem, servers typically close a connection in stages. First, the server performs a
 * half-close by closing only the write side of the read/write connection. The server then continues to read from the
 * connection until it receives a corresponding close by the client, or until the server is reasonably certain that its own
 * TCP stack has received the client's acknowledgement of the packet(s) containing the server's last response." */
enum {
    STALL_MS = 30 * 1000,      /* FLUSHING: the peer takes nothing */
    FLUSH_MS = 5 * 60 * 1000,  /* FLUSHING: whatever it takes */
    LINGER_MS = 1000,
    LINGER_BYTES = 1024 * 1024
};

static void link_free(void *arg)
{
    struct link *l = link_of(arg);
    event_debug_unassign(&l->read_event);
    event_debug_unassign(&l->write_event);
    timer_done(&l->timer);
    SSL_free(l->ssl);
    tls_server_free(l->server);
    tls_client_free(l->client);
    buf_done(&l->in);
    buf_done(&l->out);
    l->magic = 0;
    free(l);
}

void link_die(struct link *l)
{
    if (l->state == LINK_STATE_FLUSHING || l->state == LINK_STATE_LINGERING) loop_disown(&l->resident);
    link_stop(l);
    link_drop_output(l);
    if (l->fd != -1) (void)close(l->fd);
    l->fd = -1;
    link_move(l, LINK_STATE_GONE);
    loop_free_later(l->loop, link_free, l);
}

static void die_left_over(void *arg)
{
    struct link *l = link_of(arg);
    loop_adopt(l->loop, &l->resident); /* link_die() takes it off again */
    link_die(l);
}

/* Reads and throws away, beneath TLS. False: nothing more will come. */
static bool discard(struct link *l)
{
    char *scratch = loop_scratch(l->loop);
    if (!scratch) return false;
    struct link_io got = link_plain_read(l, scratch, LOOP_SCRATCH_BYTES);
    secret_wipe(scratch, got.bytes);
    if (l->state == LINK_STATE_LINGERING) l->discarded += got.bytes;
    return got.status == LINK_IO_DONE && l->discarded <= LINGER_BYTES;
}

static void linger(struct link *l)
{
    (void)link_want_write(l, false);
    /* end_seen: the peer has ended too, nothing it might still send can cause a reset */
    if (l->end_seen != LINK_IO_DONE || shutdown(l->fd, SHUT_WR) != 0) {
        link_die(l);
        return;
    }
    link_move(l, LINK_STATE_LINGERING);
    link_set_phase(l, LINGER_MS);
}

static void watch_progress(struct link *l, uint64_t sent_before)
{
    uint64_t now = loop_now_ms(l->loop);
    if (l->phase_ms && l->sent == sent_before) return;
    uint64_t left = l->end_by_ms > now ? l->end_by_ms - now : 0;
    link_set_phase(l, left < STALL_MS ? left + 1 : STALL_MS);
}

static void flush_on(struct link *l)
{
    uint64_t sent_before = l->sent;
    enum link_io_status s = link_push(l);
    if (s == LINK_IO_DONE && l->ssl) s = link_tls_close_notify(l);
    switch (s) {
    case LINK_IO_DONE:
        linger(l);
        return;
    case LINK_IO_WANTS_WRITE:
        if (!link_want_write(l, true)) break;
        watch_progress(l, sent_before);
        return;
    default: /* also WANTS_READ: what the peer says is no longer read as TLS */
        break;
    }
    link_die(l);
}

void link_end_step(struct link *l, bool readable)
{
    if (readable && !discard(l)) {
        /* An end of the peer's side does not keep us from sending the rest; a reset will show when writing. */
        if (l->state == LINK_STATE_LINGERING) {
            link_die(l);
            return;
        }
        l->end_seen = LINK_IO_END;
        (void)link_want_read(l, false);
    }
    if (!readable) flush_on(l);
}

static void reset_on_close(struct link *l)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (l->fd != -1) (void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static bool can_flush(const struct link *l)
{
    return !l->write_failed &&
           (l->state == LINK_STATE_STARTING || l->state == LINK_STATE_OPEN || l->state == LINK_STATE_HALF_CLOSED);
}

void link_end(struct link *l, enum link_end how)
{
    if (!l) return;
    assert(!link_is_ended(l));
    if (how == LINK_END_ABORT) reset_on_close(l);
    if (how == LINK_END_ABORT || !can_flush(l)) {
        link_die(l);
        return;
    }
    bool peer_ended = l->state == LINK_STATE_HALF_CLOSED || l->end_seen != LINK_IO_DONE;
    link_stop(l);
    l->end_seen = peer_ended ? LINK_IO_END : LINK_IO_DONE;
    link_move(l, LINK_STATE_FLUSHING);
    l->resident.free_it = die_left_over;
    l->resident.arg = l;
    loop_adopt(l->loop, &l->resident);
    l->end_by_ms = loop_now_ms(l->loop) + FLUSH_MS;
    if (!peer_ended && !link_want_read(l, true)) {
        link_die(l);
        return;
    }
    flush_on(l);
}
