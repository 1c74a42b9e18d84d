/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_LINK_PRIV_H
#define NET_LINK_PRIV_H

/* The inside of a link, shared by link.c (states, events, the public face), link_read.c, link_write.c, link_end.c and the two
 * transports link_plain.c and link_tls.c.
 *
 *     STARTING ────┐                        ┌─► HALF_CLOSED ─┐
 *     CONNECTING ──┼─► HANDSHAKE ─► OPEN ───┤                ├─► FLUSHING ─► LINGERING ─► GONE
 *                  └────────────────► │     └─► BROKEN ──────┴──────────────────────────────►
 *                                                (the owner's link_end moves to the right of the bar) */

#include "loop_priv.h"
#include "net/link.h"
#include "tls_priv.h"

#include <netinet/in.h>

#define LINK_STATES(X)                                                                                                 \
    X(STARTING)    /* accepted, plain: LINK_CONNECTED is due */                                                        \
    X(CONNECTING)  /* or failed to: LINK_FAILED is due when failure is set */                                          \
    X(HANDSHAKE)   /* TLS */                                                                                           \
    X(OPEN)                                                                                                            \
    X(HALF_CLOSED) /* the peer has ended, we may still write */                                                        \
    X(BROKEN)      /* the owner knows */                                                                               \
    X(FLUSHING)    /* ended by the owner: sending what is unsent, then close_notify */                                 \
    X(LINGERING)   /* FIN is sent: discarding what still comes */                                                      \
    X(GONE)        /* waits to be freed at the end of the turn */

enum link_state {
#define X(name) LINK_STATE_##name,
    LINK_STATES(X)
#undef X
    LINK_STATE_COUNT
};

enum link_io_status {
    LINK_IO_DONE,        /* write, handshake: finished. read: all that was there, the kernel tells of more */
    LINK_IO_MORE,        /* read: more may wait inside OpenSSL, where no kernel event tells of it */
    LINK_IO_WANTS_READ,  /* go on when readable */
    LINK_IO_WANTS_WRITE, /* go on when writable */
    LINK_IO_END,         /* the peer ended cleanly */
    LINK_IO_BROKEN
};
struct link_io {
    size_t bytes; /* also with END and BROKEN: what came before */
    enum link_io_status status;
};

struct link {
    uint32_t magic;
    uint8_t state, failure;
    uint8_t end_seen;             /* LINK_IO_END or LINK_IO_BROKEN read, not yet reported */
    bool paused : 1;              /* by the owner */
    bool full : 1;                /* kept input reached its limit */
    bool reading : 1;             /* the read event is added */
    bool writing : 1;             /* the write event is added */
    bool pending_inside : 1;      /* LINK_IO_MORE */
    bool read_wants_write : 1;    /* OpenSSL's read waits for the socket to take bytes */
    bool write_wants_read : 1;
    bool above_water : 1;         /* unsent reached the low-water mark: LINK_WRITABLE will come */
    bool writable_due : 1;        /* … in the next turn */
    bool input_due : 1;           /* LINK_READABLE comes in the next turn, for kept input */
    bool write_failed : 1;        /* LINK_CUT_OFF is due, after what can still be read */
    bool tls_dead : 1;            /* OpenSSL forbids SSL_shutdown after a fatal error */
    int fd;
    struct loop *loop;
    link_callback on_event;
    void *owner;
    SSL *ssl;                     /* NULL: plain */
    struct tls_server *server;    /* holds */
    struct tls_client *client;    /* holds */
    slice view;                   /* what link_input() shows: in the scratch buffer, or in <in> */
    struct buf in, out;
    size_t out_sent;              /* bytes at the front of <out> that are written and wiped */
    uint64_t sent, received;
    uint64_t deadline_ms;         /* the owner's; 0: none */
    uint64_t phase_ms;            /* ours: connect, handshake, flush, linger; 0: none */
    uint64_t end_by_ms;           /* FLUSHING: whatever the progress */
    size_t discarded;             /* LINGERING */
    unsigned long tls_error;
    long verify_error;
    struct timer timer;
    struct event read_event, write_event;
    struct loop_task task;
    struct loop_resident resident;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
};

/* link.c */
const char *link_state_name(const struct link *l);
struct link *link_of(void *arg); /* checks the magic number */
void link_move(struct link *l, enum link_state to);
bool link_emit(struct link *l, enum link_event e); /* false: the owner ended the link */
void link_cut_off(struct link *l);
void link_fail(struct link *l, enum link_failure why);
bool link_want_read(struct link *l, bool on);  /* false: the kernel or memory refused */
bool link_want_write(struct link *l, bool on);
void link_set_phase(struct link *l, uint64_t in_ms);
void link_handshake_step(struct link *l);
void link_stop(struct link *l); /* no event, timer or task will come */
static inline bool link_is_ended(const struct link *l)
{
    return l->state >= LINK_STATE_FLUSHING;
}

/* link_read.c */
void link_read_step(struct link *l);
void link_report_end(struct link *l);
void link_give_kept(struct link *l);
static inline bool link_is_held(const struct link *l)
{
    return l->paused || l->full;
}

/* link_write.c */
enum link_io_status link_push(struct link *l);
void link_flush_step(struct link *l, bool in_event);
void link_drop_output(struct link *l);

/* link_end.c */
void link_end_step(struct link *l, bool readable);
void link_die(struct link *l);

/* link_plain.c, link_tls.c */
struct link_io link_plain_read(struct link *l, char *at, size_t room);
struct link_io link_plain_write(struct link *l, slice bytes);
struct link_io link_tls_read(struct link *l, char *at, size_t room);
struct link_io link_tls_write(struct link *l, slice bytes);
enum link_io_status link_tls_handshake(struct link *l);
enum link_io_status link_tls_close_notify(struct link *l);

#endif
