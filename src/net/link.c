/* SPDX-License-Identifier: Apache-2.0 */
#include "net/link.h"

#include "link_priv.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAGIC = 0x4c494e4b };

struct link *link_of(void *arg)
{
    struct link *l = arg;
    assert(l && l->magic == MAGIC);
    return l;
}

static const char *const state_names[] = {
#define X(name) [LINK_STATE_##name] = #name,
    LINK_STATES(X)
#undef X
};

#define TO(name) (1u << LINK_STATE_##name)
#define ENDED (TO(FLUSHING) | TO(GONE))
static const unsigned legal_moves[LINK_STATE_COUNT] = {
    [LINK_STATE_STARTING] = TO(OPEN) | TO(BROKEN) | ENDED,
    [LINK_STATE_CONNECTING] = TO(HANDSHAKE) | TO(OPEN) | TO(BROKEN) | TO(GONE),
    [LINK_STATE_HANDSHAKE] = TO(OPEN) | TO(BROKEN) | TO(GONE),
    [LINK_STATE_OPEN] = TO(HALF_CLOSED) | TO(BROKEN) | ENDED,
    [LINK_STATE_HALF_CLOSED] = TO(BROKEN) | ENDED,
    [LINK_STATE_BROKEN] = TO(GONE),
    [LINK_STATE_FLUSHING] = TO(LINGERING) | TO(GONE),
    [LINK_STATE_LINGERING] = TO(GONE),
    [LINK_STATE_GONE] = 0,
};
#undef TO
#undef ENDED

void link_move(struct link *l, enum link_state to)
{
    assert(legal_moves[l->state] >> to & 1);
    l->state = (uint8_t)to;
}

const char *link_state_name(const struct link *l)
{
    return state_names[l->state];
}

const char *link_event_name(enum link_event e)
{
    static const char *const names[] = {
        [LINK_CONNECTED] = "connected", [LINK_READABLE] = "readable", [LINK_WRITABLE] = "writable",
        [LINK_CLOSED] = "closed",       [LINK_CUT_OFF] = "cut_off",   [LINK_FAILED] = "failed",
        [LINK_TIMED_OUT] = "timed_out",
    };
    assert((size_t)e < sizeof names / sizeof *names);
    return names[e];
}

bool link_emit(struct link *l, enum link_event e)
{
    l->on_event(l->owner, l, e);
    return !link_is_ended(l);
}

bool link_want_read(struct link *l, bool on)
{
    if (l->reading == on) return true;
    if ((on ? event_add(&l->read_event, NULL) : event_del(&l->read_event)) != 0) return false;
    l->reading = on;
    return true;
}

bool link_want_write(struct link *l, bool on)
{
    if (l->writing == on) return true;
    if ((on ? event_add(&l->write_event, NULL) : event_del(&l->write_event)) != 0) return false;
    l->writing = on;
    return true;
}

void link_stop(struct link *l)
{
    (void)link_want_read(l, false);
    (void)link_want_write(l, false);
    timer_stop(&l->timer);
    l->deadline_ms = l->phase_ms = 0;
    loop_cancel_task(l->loop, &l->task);
}

void link_cut_off(struct link *l)
{
    link_stop(l);
    link_drop_output(l);
    link_move(l, LINK_STATE_BROKEN);
    (void)link_emit(l, LINK_CUT_OFF);
}

void link_fail(struct link *l, enum link_failure why)
{
    link_stop(l);
    link_drop_output(l);
    l->failure = (uint8_t)why;
    link_move(l, LINK_STATE_BROKEN);
    (void)link_emit(l, LINK_FAILED);
}

/* --- deadlines: the owner's and that of the phase share one timer --- */

static void arm(struct link *l)
{
    uint64_t due = l->phase_ms, now = loop_now_ms(l->loop);
    if (!due || (l->deadline_ms && l->deadline_ms < due)) due = l->deadline_ms;
    if (due)
        timer_set(&l->timer, due > now ? due - now : 0);
    else
        timer_stop(&l->timer);
}

void link_set_phase(struct link *l, uint64_t in_ms)
{
    l->phase_ms = in_ms ? loop_now_ms(l->loop) + in_ms : 0;
    arm(l);
}

void link_set_deadline(struct link *l, uint64_t in_ms)
{
    if (l->state == LINK_STATE_BROKEN) return; /* dead: nothing left to wait for */
    l->deadline_ms = in_ms ? loop_now_ms(l->loop) + in_ms : 0;
    arm(l);
}

static void on_deadline(void *arg)
{
    struct link *l = link_of(arg);
    uint64_t now = loop_now_ms(l->loop);
    if (l->phase_ms && now >= l->phase_ms) {
        l->phase_ms = 0;
        if (link_is_ended(l))
            link_die(l);
        else
            link_fail(l, LINK_FAILURE_TIMEOUT);
        return;
    }
    bool passed = l->deadline_ms && now >= l->deadline_ms;
    if (passed) l->deadline_ms = 0;
    arm(l);
    if (passed) (void)link_emit(l, LINK_TIMED_OUT);
}

/* --- beginning --- */

static void open_up(struct link *l)
{
    link_set_phase(l, 0);
    link_move(l, LINK_STATE_OPEN);
    if (!link_want_read(l, true)) {
        link_cut_off(l);
        return;
    }
    if (!link_emit(l, LINK_CONNECTED)) return;
    if (l->state != LINK_STATE_OPEN) return;
    if (link_unsent(l)) link_flush_step(l, false);
    /* What came behind the handshake may be inside OpenSSL already. */
    if (l->ssl && !link_is_held(l))
        link_read_step(l);
    else if (l->ssl)
        l->pending_inside = true;
}

static void handshake_failed(struct link *l)
{
    link_fail(l, l->verify_error != X509_V_OK ? LINK_FAILURE_CERTIFICATE : LINK_FAILURE_TLS);
}

void link_handshake_step(struct link *l)
{
    enum link_io_status s = link_tls_handshake(l);
    if (s == LINK_IO_DONE) {
        (void)link_want_write(l, false);
        open_up(l);
        return;
    }
    bool waits = s == LINK_IO_WANTS_READ || s == LINK_IO_WANTS_WRITE;
    if (!waits || !link_want_read(l, true) || !link_want_write(l, s == LINK_IO_WANTS_WRITE)) handshake_failed(l);
}

static void on_connected(struct link *l)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        link_fail(l, LINK_FAILURE_CONNECT);
        return;
    }
    (void)link_want_write(l, false);
    if (!l->ssl) {
        open_up(l);
        return;
    }
    link_move(l, LINK_STATE_HANDSHAKE);
    link_handshake_step(l);
}

/* --- events --- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = link_of(arg);
    (void)fd;
    (void)what;
    switch ((enum link_state)l->state) {
    case LINK_STATE_HANDSHAKE:
        link_handshake_step(l);
        return;
    case LINK_STATE_OPEN:
        if (l->write_wants_read) link_flush_step(l, true);
        if (l->state != LINK_STATE_OPEN) return;
        if (link_is_held(l))
            (void)link_want_read(l, l->write_wants_read);
        else
            link_read_step(l);
        return;
    case LINK_STATE_HALF_CLOSED:
        (void)link_want_read(l, false);
        if (l->write_wants_read) link_flush_step(l, true);
        return;
    case LINK_STATE_FLUSHING:
    case LINK_STATE_LINGERING:
        link_end_step(l, true);
        return;
    default:
        (void)link_want_read(l, false);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = link_of(arg);
    (void)fd;
    (void)what;
    switch ((enum link_state)l->state) {
    case LINK_STATE_CONNECTING:
        on_connected(l);
        return;
    case LINK_STATE_HANDSHAKE:
        link_handshake_step(l);
        return;
    case LINK_STATE_OPEN:
    case LINK_STATE_HALF_CLOSED:
        if (l->read_wants_write) {
            l->read_wants_write = false;
            l->pending_inside = true;
            loop_next_turn(l->loop, &l->task);
        }
        link_flush_step(l, true);
        return;
    case LINK_STATE_FLUSHING:
        link_end_step(l, false);
        return;
    default:
        (void)link_want_write(l, false);
    }
}

/* What could not be said or done when it became known, because the owner stood on the stack or the kernel tells nothing. */
static void on_turn(void *arg)
{
    struct link *l = link_of(arg);
    if (l->state == LINK_STATE_CONNECTING) {
        link_fail(l, l->failure);
        return;
    }
    if (l->state == LINK_STATE_STARTING) {
        open_up(l);
        return;
    }
    if (l->writable_due) {
        l->writable_due = false;
        if (!link_emit(l, LINK_WRITABLE)) return;
    }
    if (l->input_due) link_give_kept(l);
    if (l->state == LINK_STATE_OPEN) link_report_end(l);
    bool reads = l->state == LINK_STATE_OPEN && !link_is_held(l) && l->end_seen == LINK_IO_DONE;
    if (reads && (l->pending_inside || l->write_failed))
        link_read_step(l);
    else if (l->write_failed && (l->state == LINK_STATE_OPEN || l->state == LINK_STATE_HALF_CLOSED))
        link_cut_off(l);
}

/* --- making --- */

static struct link *link_new(struct loop *loop, int fd, link_callback on_event, void *owner)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->magic = MAGIC;
    l->fd = fd;
    l->loop = loop;
    l->on_event = on_event;
    l->owner = owner;
    l->task.run = on_turn;
    l->task.arg = l;
    buf_init_secret(&l->in, LINK_INPUT_MAX_BYTES + LOOP_SCRATCH_BYTES);
    buf_init_secret(&l->out, LINK_OUTPUT_MAX_BYTES);
    timer_init(&l->timer, loop, on_deadline, l);
    (void)event_assign(&l->read_event, loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable, l);
    (void)event_assign(&l->write_event, loop_base(loop), fd, EV_WRITE | EV_PERSIST, on_writable, l);
    return l;
}

static void prepare_socket(struct link *l)
{
    int on = 1;
    /* A message is written whole; waiting for more (Nagle) would only delay it. */
    if (l->peer.any.sa_family != AF_UNIX) (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static bool attach_tls(struct link *l, SSL *ssl)
{
    l->ssl = ssl;
    return ssl && SSL_set_fd(ssl, l->fd) == 1;
}

struct link *link_accept(struct loop *loop, int fd, struct tls_server *tls, uint64_t handshake_ms, link_callback on_event,
                         void *owner)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};
    socklen_t len = sizeof peer;
    struct link *l = link_new(loop, fd, on_event, owner);
    if (!l) {
        (void)close(fd);
        return NULL;
    }
    (void)getpeername(fd, (struct sockaddr *)&peer, &len); /* gone already: reading will tell */
    memcpy(&l->peer, &peer, sizeof l->peer);
    prepare_socket(l);
    if (!tls) {
        loop_next_turn(loop, &l->task);
        return l;
    }
    tls_server_hold(tls);
    l->server = tls;
    l->state = LINK_STATE_HANDSHAKE;
    if (attach_tls(l, tls_server_open(tls)) && link_want_read(l, true)) {
        link_set_phase(l, handshake_ms);
        return l;
    }
    link_die(l);
    return NULL;
}

static enum link_failure start_connecting(struct link *l, const struct sockaddr *to, socklen_t to_len)
{
    l->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd == -1) return LINK_FAILURE_CONNECT;
    (void)event_assign(&l->read_event, loop_base(l->loop), l->fd, EV_READ | EV_PERSIST, on_readable, l);
    (void)event_assign(&l->write_event, loop_base(l->loop), l->fd, EV_WRITE | EV_PERSIST, on_writable, l);
    prepare_socket(l);
    if (connect(l->fd, to, to_len) != 0 && errno != EINPROGRESS) return LINK_FAILURE_CONNECT;
    return link_want_write(l, true) ? LINK_FAILURE_NONE : LINK_FAILURE_CONNECT;
}

struct link *link_connect(struct loop *loop, const struct sockaddr *to, socklen_t to_len, struct tls_client *tls,
                          slice server_name, uint64_t connect_ms, link_callback on_event, void *owner)
{
    struct link *l = link_new(loop, -1, on_event, owner);
    if (!l) return NULL;
    l->state = LINK_STATE_CONNECTING;
    memcpy(&l->peer, to, to_len < sizeof l->peer ? to_len : sizeof l->peer);
    enum link_failure why = start_connecting(l, to, to_len);
    if (why == LINK_FAILURE_NONE && tls) {
        tls_client_hold(tls);
        l->client = tls;
        if (!attach_tls(l, tls_client_open(tls, server_name))) why = LINK_FAILURE_TLS;
    }
    if (why == LINK_FAILURE_NONE) {
        link_set_phase(l, connect_ms);
        return l;
    }
    (void)link_want_write(l, false);
    l->failure = (uint8_t)why;
    loop_next_turn(loop, &l->task); /* the owner hears of it in the next turn, not before this call returns */
    return l;
}

void link_set_owner(struct link *l, link_callback on_event, void *owner)
{
    l->on_event = on_event;
    l->owner = owner;
}

enum link_failure link_failure(const struct link *l)
{
    return l->failure;
}

const char *link_failure_text(const struct link *l)
{
    switch ((enum link_failure)l->failure) {
    case LINK_FAILURE_NONE:
        return "none";
    case LINK_FAILURE_CONNECT:
        return "connection refused or unreachable";
    case LINK_FAILURE_TIMEOUT:
        return "timed out";
    case LINK_FAILURE_CERTIFICATE:
        return X509_verify_cert_error_string(l->verify_error);
    case LINK_FAILURE_TLS:
        break;
    }
    const char *text = l->tls_error ? ERR_reason_error_string(l->tls_error) : NULL;
    return text ? text : "the peer closed the connection";
}

const struct sockaddr *link_peer(const struct link *l)
{
    return &l->peer.any;
}

bool link_is_tls(const struct link *l)
{
    return l->ssl != NULL;
}

bool link_is_for(const struct link *l, slice host)
{
    return !l->server || tls_server_fits(l->server, l->ssl, host);
}

bool link_is_alive(const struct link *l)
{
    return l->state <= LINK_STATE_OPEN && !l->write_failed && l->end_seen == LINK_IO_DONE &&
           l->failure == LINK_FAILURE_NONE;
}
