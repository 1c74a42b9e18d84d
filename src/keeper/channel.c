/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/channel.h"

#include "base/secret.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_PER_TURN = 4, NEARLY_FULL_BYTES = WIRE_BATCH_BYTES / 2, KEPT_OUT_BYTES = 256 * 1024, CHANNEL_MAGIC = 0x63686e6c };

struct channel {
    uint32_t magic;
    int fd;
    bool alive, blocked, paused;
    char *scratch;
    struct buf out;
    size_t sent; /* of out: bytes that have left */
    struct event *readable, *writable;
    const struct channel_handlers *handlers;
    void *owner;
};

static struct channel *from_callback(void *arg)
{
    struct channel *c = arg;
    assert(c->magic == CHANNEL_MAGIC);
    return c;
}

void channel_stop(struct channel *c)
{
    c->alive = false;
    event_del(c->readable);
    event_del(c->writable);
    buf_release(&c->out);
    c->sent = 0;
}

static void lose(struct channel *c, enum channel_loss why)
{
    if (!c->alive) return;
    channel_stop(c);
    c->handlers->on_lost(c->owner, why);
}

static void handle(struct channel *c, slice datagram)
{
    struct wire_frame frame;
    enum wire_step step;
    while (c->alive && (step = wire_next(&datagram, &frame)) != WIRE_DONE) {
        if (step == WIRE_FRAME && c->handlers->on_frame(c->owner, &frame)) continue;
        lose(c, CHANNEL_BROKEN);
        return;
    }
}

/* True: more may be waiting. A datagram that is far from full was the other side's whole turn, so no second recv() is spent on
 * learning that there is nothing more; the poll is level-triggered. */
static bool read_one(struct channel *c)
{
    /* MSG_TRUNC tells the true length. No room for ancillary data: descriptors that a stolen relay passes are dropped. */
    ssize_t n = recv(c->fd, c->scratch, WIRE_BATCH_BYTES, MSG_DONTWAIT | MSG_TRUNC);
    if (n > 0 && n <= WIRE_BATCH_BYTES) {
        handle(c, (slice){c->scratch, (size_t)n});
        secret_wipe(c->scratch, (size_t)n);
        return c->alive && n >= NEARLY_FULL_BYTES;
    }
    if (n == 0) {
        lose(c, CHANNEL_CLOSED);
    } else if (n > WIRE_BATCH_BYTES) {
        secret_wipe(c->scratch, WIRE_BATCH_BYTES);
        lose(c, CHANNEL_BROKEN);
    } else if (errno != EAGAIN && errno != EINTR) {
        lose(c, errno == ECONNRESET ? CHANNEL_CLOSED : CHANNEL_FAILED);
    }
    return false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct channel *c = from_callback(arg);
    (void)fd;
    (void)what;
    for (int i = 0; i < READS_PER_TURN && c->alive && !c->paused && read_one(c); i++) continue;
}

/* Only notes it: what is waiting leaves at the turn's end, after the hook that makes it safe to leave. */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct channel *c = from_callback(arg);
    (void)fd;
    (void)what;
    c->blocked = false;
}

static bool add_events(struct channel *c, struct loop *loop)
{
    c->readable = event_new(loop_base(loop), c->fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(loop_base(loop), c->fd, EV_WRITE, on_writable, c);
    return c->readable && c->writable && event_add(c->readable, NULL) == 0;
}

struct channel *channel_new(struct loop *loop, int fd, char *scratch, const struct channel_handlers *handlers, void *owner)
{
    struct channel *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return NULL;
    }
    *c = (struct channel){.magic = CHANNEL_MAGIC, .fd = fd, .alive = true, .scratch = scratch, .handlers = handlers,
                          .owner = owner};
    buf_init_secret(&c->out, CHANNEL_OUT_MAX_BYTES);
    if (add_events(c, loop)) return c;
    channel_free(c);
    return NULL;
}

void channel_free(struct channel *c)
{
    if (!c) return;
    if (c->readable) event_free(c->readable);
    if (c->writable) event_free(c->writable);
    close(c->fd);
    buf_done(&c->out);
    c->magic = 0;
    free(c);
}

struct buf *channel_out(struct channel *c)
{
    return &c->out;
}

size_t channel_waiting(const struct channel *c)
{
    return c->out.len - c->sent;
}

bool channel_is_alive(const struct channel *c)
{
    return c->alive;
}

void channel_pause(struct channel *c, bool paused)
{
    if (!c->alive || paused == c->paused) return;
    c->paused = paused;
    if (paused)
        event_del(c->readable);
    else if (event_add(c->readable, NULL) == -1)
        lose(c, CHANNEL_FAILED);
}

static void wait_for_room(struct channel *c)
{
    c->blocked = true;
    buf_consume(&c->out, c->sent);
    c->sent = 0;
    if (event_add(c->writable, NULL) == -1) lose(c, CHANNEL_FAILED);
}

void channel_send(struct channel *c)
{
    if (!c->alive || c->blocked) return;
    while (c->sent < c->out.len) {
        slice left = slice_after(buf_slice(&c->out), c->sent);
        size_t bytes = wire_batch(left);
        ssize_t n = send(c->fd, left.at, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == (ssize_t)bytes) {
            c->sent += bytes;
            continue;
        }
        if (n == -1 && errno == EINTR) continue;
        if (n == -1 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)) {
            wait_for_room(c);
            return;
        }
        lose(c, n == -1 && (errno == EPIPE || errno == ECONNRESET) ? CHANNEL_CLOSED : CHANNEL_FAILED);
        return;
    }
    c->sent = 0;
    if (c->out.cap > KEPT_OUT_BYTES)
        buf_release(&c->out);
    else
        buf_clear(&c->out);
}
