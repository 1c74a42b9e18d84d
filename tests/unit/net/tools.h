/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_NET_TOOLS_H
#define TESTS_NET_TOOLS_H

/* What the tests of links share: a loop that never waits for ever, connected sockets, an owner that writes down what it was
 * told, certificates made in memory, and a TLS peer driven by hand, so that each test decides every byte and every end. */

#include "../base/suite.h"
#include "net/link.h"
#include "net/tls.h"

#include <openssl/ssl.h>

/* One turn that takes a few milliseconds at most. */
void turn(struct loop *loop);
#define TURN_UNTIL(loop, condition)                                                                                    \
    do {                                                                                                               \
        for (int turns_ = 0; turns_ < 10000 && !(condition); turns_++) turn(loop);                                     \
        ck_assert_msg((condition), "never: %s", #condition);                                                           \
    } while (0)

void tcp_pair(int ends[2]);  /* loopback; both non-blocking, close-on-exec */
int listen_on_loopback(struct sockaddr_storage *at, socklen_t *len);
void reset_peer(int fd);     /* closes with RST */
size_t read_some(int fd, char *to, size_t room); /* non-blocking; 0: nothing now; dies on error */
bool at_end(int fd);         /* the other side has sent FIN and all is read */
bool is_reset(int fd);       /* reading says ECONNRESET */
unsigned open_descriptors(void);

/* Writes down the events of a link, and does with them what the test asks for. */
struct owner {
    unsigned count[LINK_TIMED_OUT + 1];
    char order[64];          /* initials: C R W c x F T */
    size_t order_len;
    struct buf got;
    size_t take_at_most;     /* per LINK_READABLE; 0: everything */
    bool pause_each_time, leave_input, end_on_close;
    struct link *link;
};
void owner_init(struct owner *o);
void owner_done(struct owner *o);
void on_link(void *owner, struct link *l, enum link_event e);

/* PEM in memory; free() both. */
struct certificate {
    X509 *x509;
    EVP_PKEY *key;
    char *pem, *key_pem;
};
struct certificate_wish {
    const char *name, *san;  /* san: "DNS:shop.example,IP:127.0.0.1" */
    bool ca, expired, client;
    const struct certificate *issuer; /* NULL: itself */
};
struct certificate *certificate_new(const struct certificate_wish *wish);
void certificate_free(struct certificate *c);

/* The other side of a TLS link. */
struct peer {
    SSL *ssl;
    SSL_CTX *context;
    int fd;
};
void peer_init(struct peer *p, int fd, bool as_server, const struct certificate *own, const struct certificate *ca,
               int version);
void peer_handshake(struct peer *p, struct loop *loop);
size_t peer_read(struct peer *p, char *to, size_t room); /* 0: nothing now */
void peer_write(struct peer *p, struct loop *loop, const char *at, size_t len);
void peer_done(struct peer *p);

#endif
