/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include "base/log.h"
#include "loop_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAGIC = 0x4c495354, ACCEPTS_A_TURN = 64, PAUSE_MS = 100 };

struct listener {
    unsigned magic;
    int fd;
    int spare; /* given up when descriptors run out, to tell one client so; -1: not to be had */
    bool paused, starved;
    struct loop *loop;
    listener_callback on_accept;
    void *owner;
    struct timer timer;
    struct event event;
};

static struct listener *listener_of(void *arg)
{
    struct listener *l = arg;
    assert(l && l->magic == MAGIC);
    return l;
}

static void listen_on(struct listener *l)
{
    if (!l->paused && event_add(&l->event, NULL) != 0) timer_set(&l->timer, PAUSE_MS);
}

static void on_pause_over(void *arg)
{
    listen_on(listener_of(arg));
}

/* A copy of a descriptor that we have: no file needs to be opened, which the sandbox would refuse. */
static void take_spare(struct listener *l)
{
    if (l->spare == -1) l->spare = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
}

static void starve(struct listener *l)
{
    if (!l->starved) log_plain(LOG_LEVEL_WARN, "accept", "out of descriptors or memory: raise LimitNOFILE or lower the connections");
    l->starved = true;
    if (l->spare != -1) {
        (void)close(l->spare);
        l->spare = -1;
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd != -1) (void)close(fd); /* better told now than left to wait */
        take_spare(l);
    }
    (void)event_del(&l->event);
    timer_set(&l->timer, PAUSE_MS);
}

/* accept(2): "Linux accept() passes already-pending network errors on the new socket as an error code … treat them like EAGAIN
 * by retrying." */
static bool is_the_clients_trouble(int why)
{
    switch (why) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM: /* a firewall's refusal */
        return true;
    default:
        return false;
    }
}

static void on_connection(evutil_socket_t listening, short what, void *arg)
{
    struct listener *l = listener_of(arg);
    (void)listening;
    (void)what;
    for (int i = 0; i < ACCEPTS_A_TURN && !l->paused; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd != -1) {
            l->starved = false;
            l->on_accept(l->owner, l, fd, (const struct sockaddr *)&peer, len);
            if (l->fd == -1) return; /* freed by its owner; dies at the end of the turn */
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        if (!is_the_clients_trouble(errno)) {
            starve(l);
            return;
        }
    }
}

static void free_listener(void *arg)
{
    struct listener *l = listener_of(arg);
    event_debug_unassign(&l->event);
    timer_done(&l->timer);
    l->magic = 0;
    free(l);
}

struct listener *listener_new(struct loop *loop, int fd, listener_callback on_accept, void *owner)
{
    struct listener *l = calloc(1, sizeof *l);
    if (!l) {
        (void)close(fd);
        return NULL;
    }
    *l = (struct listener){.magic = MAGIC, .fd = fd, .spare = -1, .loop = loop, .on_accept = on_accept, .owner = owner};
    timer_init(&l->timer, loop, on_pause_over, l);
    (void)event_assign(&l->event, loop_base(loop), fd, EV_READ | EV_PERSIST, on_connection, l);
    take_spare(l);
    listen_on(l);
    return l;
}

void listener_pause(struct listener *l)
{
    l->paused = true;
    (void)event_del(&l->event);
}

void listener_resume(struct listener *l)
{
    l->paused = false;
    if (!l->timer.due_ms) listen_on(l);
}

void listener_free(struct listener *l)
{
    if (!l) return;
    assert(l->fd != -1);
    (void)event_del(&l->event);
    timer_stop(&l->timer);
    (void)close(l->fd);
    if (l->spare != -1) (void)close(l->spare);
    l->fd = l->spare = -1;
    l->paused = true;
    loop_free_later(l->loop, free_listener, l);
}
