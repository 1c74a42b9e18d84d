/* SPDX-License-Identifier: Apache-2.0 */
/* Who is let in and who is believed: contexts from PEM, names, chains, client certificates, versions, sessions. */
#include "../../../src/net/link_priv.h"
#include "tools.h"

#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct owner owner, accepted;
static struct certificate *ca, *other_ca, *leaf;
static struct sockaddr_storage at;
static socklen_t at_len;
static int listening;

static struct certificate *make(const char *san, const struct certificate *issuer, bool expired)
{
    return certificate_new(
        &(struct certificate_wish){.name = "shop.example", .san = san, .issuer = issuer, .expired = expired});
}

static void start(void)
{
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    owner_init(&owner);
    owner_init(&accepted);
    ca = certificate_new(&(struct certificate_wish){.name = "Test CA", .ca = true});
    other_ca = certificate_new(&(struct certificate_wish){.name = "Other CA", .ca = true});
    leaf = make("DNS:shop.example,DNS:*.pay.example,IP:127.0.0.1,IP:::1", ca, false);
    listening = listen_on_loopback(&at, &at_len);
}

static void finish(void)
{
    certificate_free(ca);
    certificate_free(other_ca);
    certificate_free(leaf);
    owner_done(&owner);
    owner_done(&accepted);
    close(listening);
    loop_free(loop);
}

static struct tls_server *server_of(const struct certificate *c, slice client_ca)
{
    struct tls_server *s = NULL;
    ck_assert(!failed(tls_server_new(&(struct tls_identity){slice_of(c->pem), slice_of(c->key_pem)}, 1, client_ca, &s)));
    return s;
}

static struct tls_client *client_of(const struct certificate *trusted, const struct certificate *own)
{
    struct tls_client *c = NULL;
    ck_assert(!failed(tls_client_new(slice_of(trusted->pem), own ? slice_of(own->pem) : SLICE_NONE,
                                     own ? slice_of(own->key_pem) : SLICE_NONE, &c)));
    return c;
}

static void on_both(void *o, struct link *l, enum link_event e)
{
    on_link(o, l, e);
    if (e == LINK_CONNECTED) ck_assert(!failed(link_write(l, SLICE("hello"))));
}

struct meeting {
    struct link *client, *server;
};

static bool is_settled(const struct owner *o)
{
    return o->count[LINK_READABLE] || o->count[LINK_FAILED] || o->count[LINK_CUT_OFF] || o->count[LINK_CLOSED];
}

/* Lets both sides shake hands; each greets when connected. Both hold what they were told. */
static struct meeting meet(struct tls_server *s, struct tls_client *c, const char *name)
{
    struct meeting m;
    owner_done(&owner);
    owner_done(&accepted);
    owner_init(&owner);
    owner_init(&accepted);
    m.client = link_connect(loop, (struct sockaddr *)&at, at_len, c, slice_of(name), 10000, on_both, &owner);
    ck_assert_ptr_nonnull(m.client);
    m.server = link_accept(loop, accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), s, 10000, on_both, &accepted);
    ck_assert_ptr_nonnull(m.server);
    TURN_UNTIL(loop, is_settled(&owner) && (is_settled(&accepted) || owner.count[LINK_FAILED]));
    return m;
}

static void part(struct meeting m)
{
    link_end(m.client, LINK_END_FLUSH);
    link_end(m.server, LINK_END_FLUSH);
    for (int i = 0; i < 5; i++) turn(loop);
}

static bool greets(struct tls_server *s, struct tls_client *c, const char *name)
{
    struct meeting m = meet(s, c, name);
    bool good = slice_is(buf_slice(&owner.got), "hello") && slice_is(buf_slice(&accepted.got), "hello");
    if (!good) {
        ck_assert_uint_eq(owner.count[LINK_CONNECTED], 0); /* nothing was sent to whom we do not believe */
        ck_assert_uint_eq(accepted.got.len, 0);
    }
    part(m);
    return good;
}

START_TEST(names)
{
    static const struct {
        const char *name;
        bool good;
    } cases[] = {
        {"shop.example", true},        {"SHOP.example", true},       {"shop.example.", true},
        {"api.pay.example", true},     {"127.0.0.1", true},          {"::1", true},
        {"[::1]", true},               {"shop.example.evil", false}, {"evil-shop.example", false},
        {"pay.example", false},        {"a.b.pay.example", false},   {"127.0.0.2", false},
        {"::2", false},                {"example", false},
    };
    start();
    struct tls_server *s = server_of(leaf, SLICE_NONE);
    struct tls_client *c = client_of(ca, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(greets(s, c, cases[i].name) == cases[i].good, "%s", cases[i].name);
    tls_client_free(c);
    tls_server_free(s);
    finish();
}
END_TEST

/* A name that cannot be verified is refused before a byte is sent. */
START_TEST(no_name)
{
    static const char nul[] = "shop.example\0.evil";
    char endless[400];
    start();
    memset(endless, 'a', sizeof endless);
    const slice wrong[] = {SLICE_NONE, {nul, sizeof nul - 1}, {endless, sizeof endless}};
    struct tls_client *c = client_of(ca, NULL);
    for (size_t i = 0; i < 3; i++) {
        owner.count[LINK_FAILED] = 0;
        struct link *l = link_connect(loop, (struct sockaddr *)&at, at_len, c, wrong[i], 1000, on_link, &owner);
        TURN_UNTIL(loop, owner.count[LINK_FAILED] == 1);
        ck_assert_int_eq(link_failure(l), LINK_FAILURE_TLS);
        link_end(l, LINK_END_ABORT);
    }
    tls_client_free(c);
    finish();
}
END_TEST

static void expect_refusal(const struct certificate *shown, const struct certificate *trusted, const char *text)
{
    struct tls_server *s = server_of(shown, SLICE_NONE);
    struct tls_client *c = client_of(trusted, NULL);
    struct meeting m = meet(s, c, "shop.example");
    ck_assert_str_eq(owner.order, "F");
    ck_assert_int_eq(link_failure(m.client), LINK_FAILURE_CERTIFICATE);
    ck_assert_str_eq(link_failure_text(m.client), text);
    ck_assert_uint_eq(accepted.got.len, 0);
    part(m);
    tls_client_free(c);
    tls_server_free(s);
}

START_TEST(certificates_not_believed)
{
    start();
    struct certificate *expired = make("DNS:shop.example", ca, true);
    struct certificate *alone = make("DNS:shop.example", NULL, false);
    struct certificate *no_san = make(NULL, ca, false);
    struct certificate *wrong_name = make("DNS:other.example", ca, false);
    struct certificate *for_clients = certificate_new(
        &(struct certificate_wish){.name = "shop.example", .san = "DNS:shop.example", .issuer = ca, .client = true});
    struct certificate *by_a_leaf = certificate_new(
        &(struct certificate_wish){.name = "below a leaf", .san = "DNS:shop.example", .issuer = leaf});
    expect_refusal(leaf, other_ca, "unable to get local issuer certificate");
    expect_refusal(expired, ca, "certificate has expired");
    expect_refusal(alone, ca, "self-signed certificate");
    expect_refusal(no_san, ca, "hostname mismatch"); /* the common name does not count */
    expect_refusal(wrong_name, ca, "hostname mismatch");
    expect_refusal(for_clients, ca, "unsuitable certificate purpose");
    expect_refusal(by_a_leaf, ca, "unable to get local issuer certificate");
    certificate_free(expired);
    certificate_free(alone);
    certificate_free(no_san);
    certificate_free(wrong_name);
    certificate_free(for_clients);
    certificate_free(by_a_leaf);
    finish();
}
END_TEST

/* A trusted leaf is no anchor: partial chains are off. A chain through an intermediate works if the server sends it. */
START_TEST(chains)
{
    char chain[8192];
    start();
    struct certificate *middle =
        certificate_new(&(struct certificate_wish){.name = "Middle CA", .ca = true, .issuer = ca});
    struct certificate *end = make("DNS:shop.example", middle, false);
    struct tls_client *c = client_of(ca, NULL);
    struct tls_client *trusts_leaf = client_of(leaf, NULL);
    struct tls_server *s = NULL, *lone = server_of(end, SLICE_NONE), *direct = server_of(leaf, SLICE_NONE);
    snprintf(chain, sizeof chain, "%s%s", end->pem, middle->pem);
    ck_assert(!failed(tls_server_new(&(struct tls_identity){slice_of(chain), slice_of(end->key_pem)}, 1, SLICE_NONE, &s)));
    ck_assert(greets(s, c, "shop.example"));
    ck_assert(!greets(lone, c, "shop.example"));
    ck_assert(!greets(direct, trusts_leaf, "shop.example"));
    tls_client_free(c);
    tls_client_free(trusts_leaf);
    tls_server_free(s);
    tls_server_free(lone);
    tls_server_free(direct);
    certificate_free(middle);
    certificate_free(end);
    finish();
}
END_TEST

START_TEST(client_certificates)
{
    start();
    struct certificate *good =
        certificate_new(&(struct certificate_wish){.name = "merchant", .issuer = ca, .client = true});
    struct certificate *stranger =
        certificate_new(&(struct certificate_wish){.name = "merchant", .issuer = other_ca, .client = true});
    struct tls_server *s = server_of(leaf, slice_of(ca->pem));
    struct tls_client *with = client_of(ca, good), *wrong = client_of(ca, stranger), *without = client_of(ca, NULL);
    ck_assert(greets(s, with, "shop.example"));
    ck_assert(greets(s, with, "shop.example")); /* resumed: needs the session id context */

    struct meeting m = meet(s, without, "shop.example");
    ck_assert_int_eq(link_failure(m.server), LINK_FAILURE_TLS);
    ck_assert_str_eq(link_failure_text(m.server), "peer did not return a certificate");
    ck_assert_uint_eq(accepted.count[LINK_CONNECTED], 0);
    part(m);
    m = meet(s, wrong, "shop.example");
    ck_assert_int_eq(link_failure(m.server), LINK_FAILURE_CERTIFICATE);
    ck_assert_uint_eq(accepted.count[LINK_CONNECTED], 0);
    ck_assert_uint_eq(owner.got.len, 0);
    part(m);
    tls_client_free(with);
    tls_client_free(wrong);
    tls_client_free(without);
    tls_server_free(s);
    certificate_free(good);
    certificate_free(stranger);
    finish();
}
END_TEST

START_TEST(sessions_are_resumed_for_the_same_name_only)
{
    start();
    struct tls_server *s = server_of(leaf, SLICE_NONE);
    struct tls_client *c = client_of(ca, NULL);
    static const struct {
        const char *name;
        int reused;
    } steps[] = {{"shop.example", 0},    {"shop.example", 1},    {"a.pay.example", 0}, {"a.pay.example", 1},
                 {"shop.example", 0},    {"127.0.0.1", 0},       {"127.0.0.1", 0}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct meeting m = meet(s, c, steps[i].name);
        ck_assert_uint_eq(owner.got.len, 5);
        ck_assert_msg(SSL_session_reused(m.client->ssl) == steps[i].reused, "step %zu", i);
        part(m);
    }
    struct meeting wrong = meet(s, c, "evil.example"); /* a session must not stand in for verifying */
    ck_assert_int_eq(link_failure(wrong.client), LINK_FAILURE_CERTIFICATE);
    part(wrong);
    tls_client_free(c);
    tls_server_free(s);
    finish();
}
END_TEST

START_TEST(contexts_outlive_their_owner)
{
    start();
    struct tls_server *s = server_of(leaf, SLICE_NONE);
    struct tls_client *c = client_of(ca, NULL);
    struct meeting m = meet(s, c, "shop.example");
    tls_client_free(c); /* as a reload does */
    tls_server_free(s);
    ck_assert(!failed(link_write(m.client, SLICE("again"))));
    TURN_UNTIL(loop, accepted.got.len == 10);
    part(m);
    finish();
}
END_TEST

static bool peer_is_taken(int version, const char *alpn, const char *ciphers)
{
    int ends[2];
    struct peer p;
    struct tls_server *s = server_of(leaf, SLICE_NONE);
    owner_done(&owner);
    owner_init(&owner);
    tcp_pair(ends);
    peer_init(&p, ends[0], false, NULL, ca, version);
    SSL_CTX_set_security_level(p.context, 0);
    SSL_set_security_level(p.ssl, 0);
    if (ciphers) ck_assert_int_eq(SSL_set_cipher_list(p.ssl, ciphers), 1);
    if (alpn) ck_assert_int_eq(SSL_set_alpn_protos(p.ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn)), 0);
    struct link *l = link_accept(loop, ends[1], s, 10000, on_link, &owner);
    /* The cipher list alone keeps old versions out today; the version must not depend on it. */
    ck_assert_int_eq(SSL_get_min_proto_version(l->ssl), TLS1_2_VERSION);
    for (int i = 0; i < 1000 && !owner.order_len; i++) {
        (void)SSL_do_handshake(p.ssl);
        turn(loop);
    }
    bool taken = owner.count[LINK_CONNECTED] == 1;
    if (taken) ck_assert_ptr_nonnull(strstr(SSL_get_cipher_name(l->ssl), SSL_version(l->ssl) == TLS1_3_VERSION ? "TLS_" : "ECDHE"));
    link_end(l, LINK_END_ABORT);
    peer_done(&p);
    tls_server_free(s);
    return taken;
}

START_TEST(versions_ciphers_and_protocols)
{
    start();
    ck_assert(peer_is_taken(TLS1_3_VERSION, NULL, NULL));
    ck_assert(peer_is_taken(TLS1_2_VERSION, NULL, NULL));
    ck_assert(!peer_is_taken(TLS1_1_VERSION, NULL, "ALL:@SECLEVEL=0"));
    ck_assert(!peer_is_taken(TLS1_VERSION, NULL, "ALL:@SECLEVEL=0"));
    ck_assert(!peer_is_taken(TLS1_2_VERSION, NULL, "ECDHE-ECDSA-AES128-SHA256"));     /* CBC */
    ck_assert(!peer_is_taken(TLS1_2_VERSION, NULL, "AES128-GCM-SHA256:AES128-SHA")); /* no forward secrecy */
    ck_assert(peer_is_taken(TLS1_2_VERSION, NULL, "ECDHE-ECDSA-AES256-GCM-SHA384"));
    ck_assert(peer_is_taken(0, "\x08http/1.1", NULL));
    ck_assert(peer_is_taken(0, "\x02h2\x08http/1.1", NULL));
    ck_assert(!peer_is_taken(0, "\x02h2", NULL));
    finish();
}
END_TEST

static char *encrypted_key(EVP_PKEY *key)
{
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(), (const unsigned char *)"pass", 4, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &text);
    text = strndup(text, (size_t)len);
    BIO_free(bio);
    return text;
}

START_TEST(bad_pem)
{
    struct tls_server *s = NULL;
    struct tls_client *c = NULL;
    char torn[8192];
    start();
    char *locked = encrypted_key(leaf->key);
    slice good = slice_of(leaf->pem), key = slice_of(leaf->key_pem), trusted = slice_of(ca->pem);
    snprintf(torn, sizeof torn, "%s-----BEGIN CERTIFICATE-----\nMIIB!!\n-----END CERTIFICATE-----\n", ca->pem);
    const slice junk = SLICE("not a certificate"), half = slice_range(good, 0, good.len / 2);
    const struct {
        slice certificate, key, ca;
    } servers[] = {
        {SLICE_NONE, key, SLICE_NONE},
        {good, SLICE_NONE, SLICE_NONE},
        {junk, key, SLICE_NONE},
        {half, key, SLICE_NONE},
        {good, junk, SLICE_NONE},
        {good, slice_of(ca->key_pem), SLICE_NONE}, /* another's key */
        {good, slice_of(locked), SLICE_NONE},      /* must not ask on the terminal */
        {key, good, SLICE_NONE},
        {good, key, junk},
        {good, key, slice_of(torn)},
    };
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        ck_assert_msg(tls_server_new(&(struct tls_identity){servers[i].certificate, servers[i].key}, 1, servers[i].ca, &s).err == ERR_CONFIG, "%zu", i);
    ck_assert_ptr_null(s);
    ck_assert_int_eq(tls_client_new(SLICE_NONE, SLICE_NONE, SLICE_NONE, &c).err, ERR_CONFIG); /* no anchors, no trust */
    ck_assert_int_eq(tls_client_new(slice_of(torn), SLICE_NONE, SLICE_NONE, &c).err, ERR_CONFIG);
    ck_assert_int_eq(tls_client_new(trusted, good, SLICE_NONE, &c).err, ERR_CONFIG);
    ck_assert_int_eq(tls_client_new(trusted, SLICE_NONE, key, &c).err, ERR_CONFIG);
    ck_assert_ptr_null(c);
    tls_client_free(NULL);
    tls_server_free(NULL);
    free(locked);
    finish();
}
END_TEST

static size_t shown_to(struct tls_server *s, struct tls_client *c, const char *name, struct certificate *const *of, const char *fits,
                       const char *misfits)
{
    struct meeting m = meet(s, c, name);
    X509 *shown = SSL_get1_peer_certificate(m.client->ssl);
    ck_assert_msg(shown != NULL, "%s: %s", name, link_failure_text(m.client));
    size_t i = 0;
    while (X509_cmp(of[i]->x509, shown) != 0) i++;
    X509_free(shown);
    for (slice rest = slice_of(fits), host; slice_next(&rest, ' ', &host);)
        ck_assert_msg(link_is_for(m.server, host), "%s: %.*s", name, SLICE_ARG(host));
    for (slice rest = slice_of(misfits), host; misfits[0] && slice_next(&rest, ' ', &host);)
        ck_assert_msg(!link_is_for(m.server, host), "%s: not %.*s", name, SLICE_ARG(host));
    part(m);
    return i;
}

/* One listener, several names: the very name before a wildcard, the first where nothing fits; and which hosts may be asked for over
 * a connection then (RFC 9110 7.4). */
START_TEST(the_certificate_is_chosen_by_name)
{
    start();
    struct certificate *of[] = {make("DNS:a.example,DNS:shared.example,IP:127.0.0.1", ca, false), make("DNS:*.shop.example", ca, false),
                                make("DNS:b.shop.example,DNS:shared.example", ca, false)};
    struct tls_identity identities[3];
    struct tls_server *s = NULL;
    for (size_t i = 0; i < 3; i++) identities[i] = (struct tls_identity){slice_of(of[i]->pem), slice_of(of[i]->key_pem)};
    ck_assert(!failed(tls_server_new(identities, 3, SLICE_NONE, &s)));
    struct tls_client *c = client_of(ca, NULL);
    ck_assert_uint_eq(shown_to(s, c, "a.example", of, "a.example A.Example shared.example unknown.example", "b.shop.example x.shop.example"), 0);
    ck_assert_uint_eq(shown_to(s, c, "x.shop.example", of, "x.shop.example y.shop.example b.shop.example unknown.example", "a.example"), 1);
    ck_assert_uint_eq(shown_to(s, c, "b.shop.example", of, "b.shop.example shared.example", "a.example x.shop.example"), 2);
    ck_assert_uint_eq(shown_to(s, c, "127.0.0.1", of, "127.0.0.1 a.example", "x.shop.example"), 0); /* no SNI */
    ck_assert_uint_eq(shown_to(s, c, "b.shop.example", of, "b.shop.example", "a.example"), 2); /* a session that is resumed */
    ck_assert(!greets(s, c, "unknown.example")); /* the first is shown, and the client does not believe it */
    tls_server_free(s);
    s = server_of(of[0], SLICE_NONE);
    ck_assert_uint_eq(shown_to(s, c, "a.example", of, "a.example b.shop.example any", ""), 0); /* one certificate: for all */
    tls_server_free(s);
    tls_client_free(c);
    for (size_t i = 0; i < 3; i++) certificate_free(of[i]);
    finish();
}
END_TEST

/* Clients must show theirs whatever name they ask for. */
START_TEST(client_certificates_for_every_name)
{
    start();
    struct certificate *second = make("DNS:b.example", ca, false);
    struct certificate *own = certificate_new(&(struct certificate_wish){.name = "client", .client = true, .issuer = ca});
    struct tls_identity identities[] = {{slice_of(leaf->pem), slice_of(leaf->key_pem)}, {slice_of(second->pem), slice_of(second->key_pem)}};
    struct tls_server *s = NULL;
    ck_assert(!failed(tls_server_new(identities, 2, slice_of(ca->pem), &s)));
    struct tls_client *bare = client_of(ca, NULL), *known = client_of(ca, own);
    ck_assert(greets(s, known, "shop.example"));
    ck_assert(greets(s, known, "b.example"));
    static const char *const asked[] = {"shop.example", "b.example"};
    for (size_t i = 0; i < 2; i++) {
        struct meeting m = meet(s, bare, asked[i]);
        TURN_UNTIL(loop, accepted.count[LINK_FAILED]);
        ck_assert_uint_eq(accepted.got.len, 0);
        part(m);
    }
    tls_server_free(s);
    tls_client_free(bare);
    tls_client_free(known);
    certificate_free(second);
    certificate_free(own);
    finish();
}
END_TEST

START_TEST(one_store_for_one_bundle)
{
    start();
    struct tls_client *a = client_of(ca, NULL), *b = client_of(ca, NULL), *c = client_of(other_ca, NULL);
    SSL *x = tls_client_open(a, SLICE("a")), *y = tls_client_open(b, SLICE("a")), *z = tls_client_open(c, SLICE("a"));
    X509_STORE *of_x = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(x));
    ck_assert_ptr_eq(of_x, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(y)));
    ck_assert_ptr_ne(of_x, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(z)));
    SSL_free(x);
    SSL_free(y);
    SSL_free(z);
    tls_client_free(a);
    tls_client_free(b);
    tls_client_free(c);
    finish();
}
END_TEST

RUN_TESTS("tls", names, no_name, certificates_not_believed, chains, client_certificates,
          sessions_are_resumed_for_the_same_name_only, contexts_outlive_their_owner, versions_ciphers_and_protocols, bad_pem,
          one_store_for_one_bundle, the_certificate_is_chosen_by_name, client_certificates_for_every_name)
