/* SPDX-License-Identifier: Apache-2.0 */
#include "tools.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

/* libevent then dies of an event that is used before it is made, made twice while it waits, or freed while it waits. */
__attribute__((constructor)) static void be_strict(void)
{
    event_enable_debug_mode();
}

static void nothing(void *arg)
{
    (void)arg;
}

void turn(struct loop *loop)
{
    struct timer *t = timer_new(loop, nothing, NULL);
    timer_set(t, 1);
    loop_turn(loop);
    timer_free(t);
}

int listen_on_loopback(struct sockaddr_storage *at, socklen_t *len)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(listen(fd, 128), 0);
    *len = sizeof *at;
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)at, len), 0);
    return fd;
}

static void set_size(int fd, int option, int bytes)
{
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof bytes), 0);
}

void tcp_pair(int ends[2])
{
    struct sockaddr_storage at;
    socklen_t len;
    int listening = listen_on_loopback(&at, &len);
    /* Small and fixed from us to the peer, or the kernel would take megabytes and nothing would ever be slow; the other way
     * room for more than a link reads at once. The window is settled when connecting. */
    set_size(listening, SO_RCVBUF, 256 * 1024);
    set_size(listening, SO_SNDBUF, 128 * 1024);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_size(ends[0], SO_RCVBUF, 128 * 1024);
    ck_assert_int_eq(connect(ends[0], (struct sockaddr *)&at, len), 0);
    do ends[1] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (ends[1] == -1 && errno == EAGAIN);
    ck_assert_int_ne(ends[1], -1);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    close(listening);
}

void reset_peer(int fd)
{
    struct linger now = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

size_t read_some(int fd, char *to, size_t room)
{
    ssize_t n = read(fd, to, room);
    ck_assert_msg(n >= 0 || errno == EAGAIN, "read: %s", strerror(errno));
    return n > 0 ? (size_t)n : 0;
}

bool at_end(int fd)
{
    char c;
    return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

bool is_reset(int fd)
{
    char c;
    return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == -1 && errno == ECONNRESET;
}

unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(d);
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

void owner_init(struct owner *o)
{
    memset(o, 0, sizeof *o);
    buf_init(&o->got, 1 << 26);
}

void owner_done(struct owner *o)
{
    buf_done(&o->got);
}

static void take_input(struct owner *o, struct link *l)
{
    slice in = link_input(l);
    if (o->leave_input) return;
    size_t n = o->take_at_most && o->take_at_most < in.len ? o->take_at_most : in.len;
    ck_assert(!failed(buf_append(&o->got, slice_range(in, 0, n))));
    link_consume(l, n);
    if (o->pause_each_time) link_pause(l);
}

void on_link(void *owner, struct link *l, enum link_event e)
{
    struct owner *o = owner;
    o->count[e]++;
    if (o->order_len < sizeof o->order - 1) o->order[o->order_len++] = "CRWcxFT"[e];
    if (e == LINK_READABLE) take_input(o, l);
    if (e == LINK_CLOSED && o->end_on_close) {
        link_end(l, LINK_END_FLUSH);
        o->link = NULL;
    }
}

static char *pem_of(BIO *bio)
{
    char *at, *copy;
    long len = BIO_get_mem_data(bio, &at);
    ck_assert_int_gt(len, 0);
    copy = strndup(at, (size_t)len);
    BIO_free(bio);
    return copy;
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(e);
    ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

struct certificate *certificate_new(const struct certificate_wish *wish)
{
    static long serial = 1;
    struct certificate *c = calloc(1, sizeof *c);
    c->key = EVP_EC_gen("P-256");
    c->x509 = X509_new();
    const struct certificate *issuer = wish->issuer ? wish->issuer : c;
    X509_set_version(c->x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c->x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c->x509), -2 * 86400);
    X509_gmtime_adj(X509_getm_notAfter(c->x509), wish->expired ? -86400 : 86400);
    X509_set_pubkey(c->x509, c->key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c->x509), "CN", MBSTRING_UTF8, (const unsigned char *)wish->name, -1, -1,
                               0);
    X509_set_issuer_name(c->x509, X509_get_subject_name(issuer->x509));
    add_extension(c->x509, issuer->x509, NID_basic_constraints, wish->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (wish->san) add_extension(c->x509, issuer->x509, NID_subject_alt_name, wish->san);
    if (!wish->ca) add_extension(c->x509, issuer->x509, NID_ext_key_usage, wish->client ? "clientAuth" : "serverAuth");
    ck_assert_int_gt(X509_sign(c->x509, issuer->key, EVP_sha256()), 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, c->x509);
    c->pem = pem_of(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, c->key, NULL, NULL, 0, NULL, NULL);
    c->key_pem = pem_of(bio);
    return c;
}

void certificate_free(struct certificate *c)
{
    if (!c) return;
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
    free(c->pem);
    free(c->key_pem);
    free(c);
}

void peer_init(struct peer *p, int fd, bool as_server, const struct certificate *own, const struct certificate *ca,
               int version)
{
    p->fd = fd;
    p->context = SSL_CTX_new(as_server ? TLS_server_method() : TLS_client_method());
    if (version) {
        SSL_CTX_set_min_proto_version(p->context, version);
        SSL_CTX_set_max_proto_version(p->context, version);
    }
    SSL_CTX_set_mode(p->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (own) {
        ck_assert_int_eq(SSL_CTX_use_certificate(p->context, own->x509), 1);
        ck_assert_int_eq(SSL_CTX_use_PrivateKey(p->context, own->key), 1);
    }
    if (ca) X509_STORE_add_cert(SSL_CTX_get_cert_store(p->context), ca->x509);
    p->ssl = SSL_new(p->context);
    ck_assert_int_eq(SSL_set_fd(p->ssl, fd), 1);
    if (as_server)
        SSL_set_accept_state(p->ssl);
    else
        SSL_set_connect_state(p->ssl);
}

static bool peer_waits(struct peer *p, int code)
{
    int why = SSL_get_error(p->ssl, code);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

void peer_handshake(struct peer *p, struct loop *loop)
{
    for (int i = 0; i < 1000; i++) {
        ERR_clear_error();
        int code = SSL_do_handshake(p->ssl);
        turn(loop);
        if (code == 1) return;
        ck_assert_msg(peer_waits(p, code), "the peer's handshake failed");
    }
    ck_abort_msg("the handshake never ended");
}

size_t peer_read(struct peer *p, char *to, size_t room)
{
    size_t n = 0;
    ERR_clear_error();
    return SSL_read_ex(p->ssl, to, room, &n) == 1 ? n : 0;
}

void peer_write(struct peer *p, struct loop *loop, const char *at, size_t len)
{
    size_t done = 0, n = 0;
    while (done < len) {
        ERR_clear_error();
        int code = SSL_write_ex(p->ssl, at + done, len - done, &n);
        if (code == 1)
            done += n;
        else
            ck_assert(peer_waits(p, code));
        if (done < len) turn(loop);
    }
}

void peer_done(struct peer *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->context);
    if (p->fd != -1) close(p->fd);
}
