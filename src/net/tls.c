/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls.h"

#include "tls_priv.h"
#include "trust.h"

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 254, SESSION_SECONDS = 3600, VERIFY_DEPTH = 8, SECURITY_LEVEL = 2 };

/* Forward secrecy and AEAD only. PCI DSS 4.0.1 4.2.1: strong cryptography; RFC 9325 4.2 names the same families. */
static const char ciphers_tls12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const unsigned char alpn_http11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

struct tls_server {
    unsigned users;
    SSL_CTX **contexts; /* one for each identity */
    size_t count;
    struct trust *client_trust;
};

struct tls_client {
    unsigned users;
    SSL_CTX *context;
    struct trust *trust;
    SSL_SESSION *session;          /* the newest ticket, good for session_name only: resuming does not verify the name again */
    char session_name[NAME_BYTES];
};

/* An encrypted key must not make OpenSSL ask on the terminal. */
static int no_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static result set_rules(SSL_CTX *c)
{
    /* CLEANSE_PLAINTEXT: what OpenSSL decrypted is wiped in its own buffer once we have it.
     * RELEASE_BUFFERS: an idle connection holds no record buffers, some 34 KB less. */
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(c, 1); /* one read() a record instead of two; link_tls.c asks SSL_has_pending, not SSL_pending */
    SSL_CTX_set_security_level(c, SECURITY_LEVEL);
    SSL_CTX_set_verify_depth(c, VERIFY_DEPTH);
    SSL_CTX_set_default_passwd_cb(c, no_passphrase);
    ENSURE(SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1, CRYPTO);
    ENSURE(SSL_CTX_set_cipher_list(c, ciphers_tls12) == 1, CRYPTO);
    ENSURE(SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") == 1, CRYPTO);
    return OK;
}

static BIO *bio_of(slice pem)
{
    return pem.len > 0 && pem.len <= INT_MAX ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
}

static result add_chain(SSL_CTX *c, BIO *pem)
{
    X509 *leaf = PEM_read_bio_X509_AUX(pem, NULL, no_passphrase, NULL);
    ENSURE(leaf != NULL, CONFIG);
    int used = SSL_CTX_use_certificate(c, leaf);
    X509_free(leaf);
    ENSURE(used == 1, CONFIG);
    X509 *above;
    ERR_clear_error();
    while ((above = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL))) {
        if (SSL_CTX_add0_chain_cert(c, above) == 1) continue;
        X509_free(above);
        return FAIL(CONFIG);
    }
    unsigned long e = ERR_peek_last_error();
    ENSURE(ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE, CONFIG);
    return OK;
}

static result use_certificate(SSL_CTX *c, slice certificate)
{
    BIO *bio = bio_of(certificate);
    ENSURE(bio != NULL, CONFIG);
    result r = add_chain(c, bio);
    BIO_free(bio);
    return r;
}

static result use_key(SSL_CTX *c, slice key)
{
    BIO *bio = bio_of(key);
    ENSURE(bio != NULL, CONFIG);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ENSURE(k != NULL, CONFIG);
    int used = SSL_CTX_use_PrivateKey(c, k);
    EVP_PKEY_free(k);
    ENSURE(used == 1 && SSL_CTX_check_private_key(c) == 1, CONFIG);
    return OK;
}

static result use_identity(SSL_CTX *c, slice certificate, slice key)
{
    TRY(use_certificate(c, certificate));
    return use_key(c, key);
}

/* RFC 7301 3.2: "In the event that the server supports no protocols that the client advertises, then the server SHALL respond
 * with a fatal "no_application_protocol" alert." A client without ALPN is taken as HTTP/1.1. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *arg)
{
    unsigned char *chosen = NULL;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, alpn_http11, sizeof alpn_http11, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* --- servers --- */

static result ask_for_clients(SSL_CTX *c, const struct trust *trust)
{
    SSL_CTX_set1_cert_store(c, trust_store(trust));
    STACK_OF(X509_OBJECT) *anchors = X509_STORE_get0_objects(trust_store(trust));
    for (int i = 0; i < sk_X509_OBJECT_num(anchors); i++) {
        X509 *a = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(anchors, i));
        if (a) ENSURE(SSL_CTX_add_client_CA(c, a) == 1, MEMORY);
    }
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return OK;
}

static bool is_named(SSL_CTX *c, slice host, unsigned flags)
{
    return X509_check_host(SSL_CTX_get0_certificate(c), host.at, host.len, flags | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

/* The first with that very name, or else the first with a wildcard for it, which stands for one whole label (RFC 9525 6.3). NULL:
 * none names it. */
static SSL_CTX *context_for(const struct tls_server *t, slice host)
{
    static const unsigned passes[] = {X509_CHECK_FLAG_NO_WILDCARDS, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS};
    if (host.len == 0) return NULL; /* X509_check_host() would measure it itself */
    for (size_t pass = 0; pass < sizeof passes / sizeof *passes; pass++)
        for (size_t i = 0; i < t->count; i++)
            if (is_named(t->contexts[i], host, passes[pass])) return t->contexts[i];
    return NULL;
}

static int choose_identity(SSL *ssl, int *alert, void *arg)
{
    const struct tls_server *t = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *c = name ? context_for(t, slice_of(name)) : NULL;
    (void)alert;
    if (c) SSL_set_SSL_CTX(ssl, c);
    /* RFC 6066 3 lets a server that does not know the name go on: whether the default certificate will do is the client's to say. */
    return c ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

bool tls_server_fits(const struct tls_server *t, const SSL *ssl, slice host)
{
    if (t->count < 2) return true;
    SSL_CTX *shown = SSL_get_SSL_CTX(ssl), *better = context_for(t, host);
    return !better || better == shown || is_named(shown, host, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
}

static result context_fill(struct tls_server *t, SSL_CTX *c)
{
    static const unsigned char session_context[] = "cardveil";
    TRY(set_rules(c));
    SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
    /* Tickets only: nothing is kept here per session. One is enough for a client that keeps its connection. */
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(c, SESSION_SECONDS);
    ENSURE(SSL_CTX_set_num_tickets(c, 1) == 1, CRYPTO);
    ENSURE(SSL_CTX_set_session_id_context(c, session_context, sizeof session_context - 1) == 1, CRYPTO);
    return t->client_trust ? ask_for_clients(c, t->client_trust) : OK;
}

static result server_fill(struct tls_server *t, const struct tls_identity *identities, size_t count, slice client_ca)
{
    if (client_ca.len) TRY(trust_hold(client_ca, &t->client_trust));
    t->contexts = calloc(count, sizeof(SSL_CTX *));
    ENSURE(t->contexts != NULL, MEMORY);
    for (size_t i = 0; i < count; i++) {
        SSL_CTX *c = SSL_CTX_new(TLS_server_method());
        ENSURE(c != NULL, CRYPTO);
        t->contexts[t->count++] = c;
        TRY(context_fill(t, c));
        TRY(use_identity(c, identities[i].certificate, identities[i].key));
    }
    if (count == 1) return OK;
    /* Each connection begins with the first context; only its callback is asked. */
    SSL_CTX_set_tlsext_servername_callback(t->contexts[0], choose_identity);
    SSL_CTX_set_tlsext_servername_arg(t->contexts[0], t);
    return OK;
}

result tls_server_new(const struct tls_identity *identities, size_t count, slice client_ca, struct tls_server **out)
{
    assert(count > 0);
    struct tls_server *t = calloc(1, sizeof *t);
    ENSURE(t != NULL, MEMORY);
    t->users = 1;
    result r = server_fill(t, identities, count, client_ca);
    ERR_clear_error(); /* its texts may show more than our own error name */
    if (failed(r)) {
        tls_server_free(t);
        return r;
    }
    *out = t;
    return OK;
}

static result bare_fill(struct tls_server *t)
{
    t->contexts = calloc(1, sizeof(SSL_CTX *));
    ENSURE(t->contexts != NULL, MEMORY);
    t->contexts[0] = SSL_CTX_new(TLS_server_method());
    ENSURE(t->contexts[0] != NULL, CRYPTO);
    t->count = 1;
    return context_fill(t, t->contexts[0]);
}

result tls_server_bare(struct tls_server **out, SSL_CTX **context)
{
    struct tls_server *t = calloc(1, sizeof *t);
    ENSURE(t != NULL, MEMORY);
    t->users = 1;
    result r = bare_fill(t);
    if (failed(r)) {
        tls_server_free(t);
        return r;
    }
    *out = t;
    *context = t->contexts[0];
    return OK;
}

void tls_server_hold(struct tls_server *t)
{
    t->users++;
}

void tls_server_free(struct tls_server *t)
{
    if (!t || --t->users) return;
    for (size_t i = 0; i < t->count; i++) SSL_CTX_free(t->contexts[i]);
    free(t->contexts);
    trust_release(t->client_trust);
    free(t);
}

SSL *tls_server_open(struct tls_server *t)
{
    SSL *ssl = SSL_new(t->contexts[0]);
    if (ssl) SSL_set_accept_state(ssl);
    return ssl;
}

/* Comes with each ticket. Without SNI the server is an address: those sessions are not kept. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name || strlen(name) >= sizeof t->session_name || SSL_get_verify_result(ssl) != X509_V_OK) return 0;
    memcpy(t->session_name, name, strlen(name) + 1);
    SSL_SESSION_free(t->session);
    t->session = session;
    return 1; /* takes the reference */
}

static result client_fill(struct tls_client *t, slice ca, slice certificate, slice key)
{
    t->context = SSL_CTX_new(TLS_client_method());
    ENSURE(t->context != NULL, CRYPTO);
    TRY(set_rules(t->context));
    TRY(trust_hold(ca, &t->trust));
    SSL_CTX_set1_cert_store(t->context, trust_store(t->trust));
    SSL_CTX_set_verify(t->context, SSL_VERIFY_PEER, NULL);
    if (certificate.len || key.len) TRY(use_identity(t->context, certificate, key));
    ENSURE(SSL_CTX_set_alpn_protos(t->context, alpn_http11, sizeof alpn_http11) == 0, CRYPTO); /* 0 is success here */
    SSL_CTX_set_session_cache_mode(t->context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_timeout(t->context, SESSION_SECONDS);
    SSL_CTX_sess_set_new_cb(t->context, keep_session);
    ENSURE(SSL_CTX_set_app_data(t->context, t) == 1, MEMORY);
    return OK;
}

result tls_client_new(slice ca, slice certificate, slice key, struct tls_client **out)
{
    struct tls_client *t = calloc(1, sizeof *t);
    ENSURE(t != NULL, MEMORY);
    t->users = 1;
    result r = client_fill(t, ca, certificate, key);
    ERR_clear_error();
    if (failed(r)) {
        tls_client_free(t);
        return r;
    }
    *out = t;
    return OK;
}

void tls_client_hold(struct tls_client *t)
{
    t->users++;
}

void tls_client_free(struct tls_client *t)
{
    if (!t || --t->users) return;
    SSL_SESSION_free(t->session);
    SSL_CTX_free(t->context);
    trust_release(t->trust);
    free(t);
}

/* NUL-terminated, without brackets and without the root's dot. */
static bool name_copy(slice name, char out[NAME_BYTES])
{
    if (name.len > 2 && name.at[0] == '[' && name.at[name.len - 1] == ']') name = slice_range(name, 1, name.len - 1);
    if (name.len > 1 && name.at[name.len - 1] == '.') name.len--;
    if (name.len == 0 || name.len >= NAME_BYTES || slice_find(name, '\0') < name.len) return false;
    memcpy(out, name.at, name.len);
    out[name.len] = '\0';
    return true;
}

static bool is_address(const char *name)
{
    unsigned char at[16];
    return inet_pton(AF_INET, name, at) == 1 || inet_pton(AF_INET6, name, at) == 1;
}

static bool expect_peer(struct tls_client *t, SSL *ssl, const char *name)
{
    /* RFC 6066 3: "Literal IPv4 and IPv6 addresses are not permitted in "HostName"." */
    if (is_address(name)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    /* RFC 9525: a wildcard stands for one whole label (6.3), and the subject's common name no longer counts (2). */
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (SSL_set1_host(ssl, name) != 1 || SSL_set_tlsext_host_name(ssl, name) != 1) return false;
    if (t->session && strcmp(t->session_name, name) == 0) (void)SSL_set_session(ssl, t->session);
    return true;
}

SSL *tls_client_open(struct tls_client *t, slice server_name)
{
    char name[NAME_BYTES];
    if (!name_copy(server_name, name)) return NULL;
    SSL *ssl = SSL_new(t->context);
    if (!ssl) return NULL;
    SSL_set_connect_state(ssl);
    if (expect_peer(t, ssl, name)) return ssl;
    SSL_free(ssl);
    return NULL;
}
