/* SPDX-License-Identifier: Apache-2.0 */
/* TLS links against a peer driven by hand: records, ends, slow sides. Each test runs over TLS 1.2 and over 1.3. */
#include "../../../src/net/link_priv.h"
#include "tools.h"

#include <openssl/err.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct loop *loop;
static struct owner owner;
static struct link *link_;
static struct peer peer;
static struct certificate *ca, *leaf;
static struct tls_server *server;
static char large[2 * 1024 * 1024];

static void start_silent(int version, uint64_t handshake_ms)
{
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof large; i++) large[i] = (char)(i * 11 + i / 257);
    loop = loop_new();
    owner_init(&owner);
    ca = certificate_new(&(struct certificate_wish){.name = "Test CA", .ca = true});
    leaf = certificate_new(&(struct certificate_wish){.name = "leaf", .san = "DNS:shop.example", .issuer = ca});
    ck_assert(!failed(tls_server_new(&(struct tls_identity){slice_of(leaf->pem), slice_of(leaf->key_pem)}, 1, SLICE_NONE, &server)));
    tcp_pair(ends);
    peer_init(&peer, ends[0], false, NULL, ca, version);
    link_ = link_accept(loop, ends[1], server, handshake_ms, on_link, &owner);
    ck_assert_ptr_nonnull(link_);
}

static void start(int version)
{
    start_silent(version, 10000);
    peer_handshake(&peer, loop);
    TURN_UNTIL(loop, owner.count[LINK_CONNECTED] == 1);
    ck_assert(link_is_tls(link_));
}

static void finish(void)
{
    link_end(link_, LINK_END_ABORT);
    peer_done(&peer);
    tls_server_free(server);
    certificate_free(leaf);
    certificate_free(ca);
    owner_done(&owner);
    loop_free(loop);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
#define EACH_VERSION for (size_t v_ = 0; v_ < 2; v_++)
#define VERSION (versions[v_])

/* All of it stands in the link's socket: after it is read no event will come. */
static void wait_for_bytes(int bytes)
{
    int waiting = 0;
    for (int i = 0; i < 1000 && waiting < bytes; i++) {
        turn(loop);
        ck_assert_int_eq(ioctl(link_->fd, FIONREAD, &waiting), 0);
    }
    ck_assert_int_ge(waiting, bytes);
}

static void few_turns(void)
{
    for (int i = 0; i < 10; i++) turn(loop);
}

/* Reads until <want> bytes or the end; the number read. */
static size_t peer_read_all(char *to, size_t want)
{
    size_t done = 0;
    for (int i = 0; i < 20000 && done < want && !(SSL_get_shutdown(peer.ssl) & SSL_RECEIVED_SHUTDOWN); i++) {
        size_t n = peer_read(&peer, to + done, want - done);
        done += n;
        if (n == 0) turn(loop);
    }
    return done;
}

START_TEST(bytes_both_ways)
{
    char got[64];
    EACH_VERSION {
        start(VERSION);
        peer_write(&peer, loop, "ping", 4);
        TURN_UNTIL(loop, owner.got.len == 4);
        ck_assert(!failed(link_write(link_, SLICE("pong"))));
        ck_assert_uint_eq(peer_read_all(got, 4), 4);
        ck_assert_mem_eq(got, "pong", 4);
        ck_assert_str_eq(owner.order, "CR");
        ck_assert_uint_eq(link_sent_total(link_), 4);
        ck_assert_uint_eq(link_received_total(link_), 4);
        ck_assert_ptr_null(link_->in.at);
        ck_assert_ptr_null(link_->out.at);
        finish();
    }
}
END_TEST

/* facts 5.1: one 16,000-byte record and a consumer of 1 KB that pauses and resumes at every step. bufferevent delivered 2,000
 * bytes and then nothing for ever. */
START_TEST(stall_with_data_inside_openssl)
{
    EACH_VERSION {
        start(VERSION);
        owner.take_at_most = 1000;
        owner.pause_each_time = true;
        peer_write(&peer, loop, large, 16000);
        for (int i = 0; i < 200 && owner.got.len < 16000; i++) {
            turn(loop);
            link_resume(link_);
        }
        ck_assert_uint_eq(owner.got.len, 16000);
        ck_assert_mem_eq(owner.got.at, large, 16000);
        finish();
    }
}
END_TEST

/* More than the scratch buffer holds is decrypted or waiting: no kernel event tells of what OpenSSL has read ahead. */
START_TEST(more_than_one_scratch_buffer)
{
    EACH_VERSION {
        start(VERSION);
        link_pause(link_);
        peer_write(&peer, loop, large, 200000);
        few_turns();
        ck_assert_uint_eq(owner.got.len, 0);
        link_resume(link_);
        TURN_UNTIL(loop, owner.got.len == 200000);
        ck_assert_mem_eq(owner.got.at, large, 200000);
        finish();
    }
}
END_TEST

/* Each read ends in the middle of a record: the rest is decrypted inside OpenSSL, the socket is empty, and no kernel event will
 * ever tell. Once with an owner that pauses whenever it has taken all it was shown. */
START_TEST(rest_inside_openssl_with_an_empty_socket)
{
    for (size_t i = 0; i < 4; i++) {
        start(versions[i / 2]);
        bool pauses = i % 2;
        loop_limit_reads(loop, 1000);
        link_pause(link_);
        peer_write(&peer, loop, large, 16000);
        wait_for_bytes(16000);
        owner.pause_each_time = pauses;
        link_resume(link_);
        for (int k = 0; k < 50 && owner.got.len < 16000; k++) {
            turn(loop);
            if (pauses) link_resume(link_);
        }
        ck_assert_uint_eq(owner.got.len, 16000);
        ck_assert_mem_eq(owner.got.at, large, 16000);
        ck_assert_uint_eq(owner.count[LINK_READABLE], 16);
        finish();
    }
}
END_TEST

/* The owner leaves everything until the input limit stops the reading, and takes it later. */
START_TEST(input_limit_with_data_inside_openssl)
{
    EACH_VERSION {
        start(VERSION);
        loop_limit_reads(loop, 5000);
        owner.leave_input = true;
        peer_write(&peer, loop, large, 400000);
        few_turns();
        TURN_UNTIL(loop, link_input(link_).len >= LINK_INPUT_MAX_BYTES);
        few_turns();
        ck_assert_uint_lt(link_input(link_).len, LINK_INPUT_MAX_BYTES + LOOP_SCRATCH_BYTES);
        owner.leave_input = false;
        slice in = link_input(link_);
        ck_assert(!failed(buf_append(&owner.got, in)));
        link_consume(link_, in.len);
        TURN_UNTIL(loop, owner.got.len == 400000);
        ck_assert_mem_eq(owner.got.at, large, 400000);
        finish();
    }
}
END_TEST

/* One read() takes many small records out of the socket; SSL_pending() knows nothing of those that are not decrypted yet. */
START_TEST(many_small_records_in_one_read)
{
    EACH_VERSION {
        start(VERSION);
        link_pause(link_);
        for (size_t at = 0; at < 5000; at += 100) peer_write(&peer, loop, large + at, 100);
        wait_for_bytes(5000);
        link_resume(link_);
        for (int k = 0; k < 50 && owner.got.len < 5000; k++) turn(loop);
        ck_assert_uint_eq(owner.got.len, 5000);
        ck_assert_mem_eq(owner.got.at, large, 5000);
        finish();
    }
}
END_TEST

/* The first message comes in the same packets as the end of the handshake. */
START_TEST(data_behind_the_handshake)
{
    start_silent(TLS1_3_VERSION, 10000);
    for (int i = 0; i < 100 && SSL_do_handshake(peer.ssl) != 1; i++) turn(loop);
    size_t n;
    ck_assert_int_eq(SSL_write_ex(peer.ssl, "at once", 7, &n), 1);
    TURN_UNTIL(loop, owner.got.len == 7);
    ck_assert_str_eq(owner.order, "CR");
    finish();
}
END_TEST

START_TEST(paused_on_connected)
{
    start_silent(TLS1_3_VERSION, 10000);
    link_pause(link_);
    for (int i = 0; i < 100 && SSL_do_handshake(peer.ssl) != 1; i++) turn(loop);
    size_t n;
    ck_assert_int_eq(SSL_write_ex(peer.ssl, "at once", 7, &n), 1);
    few_turns();
    ck_assert_str_eq(owner.order, "C");
    link_resume(link_);
    TURN_UNTIL(loop, owner.got.len == 7);
    finish();
}
END_TEST

enum ending { CLOSE_NOTIFY, CLOSE_NOTIFY_AND_FIN, BARE_FIN, RESET };

static void end_peer(enum ending how)
{
    if (how == CLOSE_NOTIFY || how == CLOSE_NOTIFY_AND_FIN) SSL_shutdown(peer.ssl);
    if (how == CLOSE_NOTIFY_AND_FIN || how == BARE_FIN) shutdown(peer.fd, SHUT_WR);
    if (how == RESET) {
        reset_peer(peer.fd);
        peer.fd = -1;
    }
}

/* facts 5.2: only close_notify is a clean end. A FIN without it may be an attacker's truncation, whatever the version. */
START_TEST(ends)
{
    static const struct {
        enum ending how;
        bool data_before;
        const char *order;
    } cases[] = {
        {CLOSE_NOTIFY, false, "Cc"},  {CLOSE_NOTIFY_AND_FIN, false, "Cc"}, {BARE_FIN, false, "Cx"}, {RESET, false, "Cx"},
        {CLOSE_NOTIFY, true, "CRc"},  {CLOSE_NOTIFY_AND_FIN, true, "CRc"}, {BARE_FIN, true, "CRx"},
    };
    EACH_VERSION for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start(VERSION);
        if (cases[i].data_before) peer_write(&peer, loop, "half a message", 14);
        end_peer(cases[i].how);
        TURN_UNTIL(loop, owner.count[LINK_CLOSED] + owner.count[LINK_CUT_OFF] == 1);
        few_turns();
        ck_assert_msg(strcmp(owner.order, cases[i].order) == 0, "case %zu, TLS %x: %s", i, VERSION, owner.order);
        ck_assert_uint_eq(owner.got.len, cases[i].data_before ? 14 : 0);
        ck_assert(!link_is_alive(link_));
        ck_assert_uint_eq(ERR_peek_error(), 0); /* nothing left for the next connection to stumble over */
        finish();
    }
}
END_TEST

START_TEST(an_end_waits_for_a_paused_owner)
{
    EACH_VERSION {
        start(VERSION);
        owner.take_at_most = 5;
        owner.pause_each_time = true;
        peer_write(&peer, loop, large, 3000);
        end_peer(CLOSE_NOTIFY_AND_FIN);
        few_turns();
        ck_assert_str_eq(owner.order, "CR");
        owner.take_at_most = 0;
        owner.pause_each_time = false;
        link_resume(link_);
        TURN_UNTIL(loop, owner.count[LINK_CLOSED] == 1);
        ck_assert_uint_eq(owner.got.len, 3000);
        finish();
    }
}
END_TEST

START_TEST(half_close)
{
    char got[64];
    EACH_VERSION {
        start(VERSION);
        end_peer(CLOSE_NOTIFY);
        TURN_UNTIL(loop, owner.count[LINK_CLOSED] == 1);
        ck_assert(!failed(link_write(link_, SLICE("still an answer"))));
        ck_assert_uint_eq(peer_read_all(got, 15), 15);
        ck_assert_mem_eq(got, "still an answer", 15);
        link_end(link_, LINK_END_FLUSH);
        link_ = NULL;
        ck_assert_uint_eq(peer_read_all(got, 1), 0);
        ck_assert_int_ne(SSL_get_shutdown(peer.ssl) & SSL_RECEIVED_SHUTDOWN, 0);
        finish();
    }
}
END_TEST

START_TEST(small_pieces_are_one_record)
{
    char got[4096];
    EACH_VERSION {
        start(VERSION);
        for (int i = 0; i < 20; i++) ck_assert(!failed(buf_append(link_output(link_), (slice){large, 64})));
        link_flush(link_);
        size_t n = 0;
        for (int i = 0; i < 100 && n == 0; i++) {
            n = peer_read(&peer, got, sizeof got); /* one record at most */
            turn(loop);
        }
        ck_assert_uint_eq(n, 20 * 64);
        finish();
    }
}
END_TEST

START_TEST(slow_reader_holds_the_writer)
{
    static char got[sizeof large];
    EACH_VERSION {
        start(VERSION);
        for (size_t at = 0; at < sizeof large; at += 8192) ck_assert(!failed(link_write(link_, (slice){large + at, 8192})));
        few_turns();
        ck_assert_uint_gt(link_unsent(link_), LINK_LOW_WATER_BYTES);
        ck_assert_uint_eq(owner.count[LINK_WRITABLE], 0);
        ck_assert_uint_eq(peer_read_all(got, sizeof got), sizeof got);
        ck_assert_mem_eq(got, large, sizeof got);
        TURN_UNTIL(loop, owner.count[LINK_WRITABLE] == 1);
        ck_assert_ptr_null(link_->out.at);
        finish();
    }
}
END_TEST

START_TEST(end_delivers_every_byte_and_close_notify)
{
    static char got[sizeof large + 1];
    EACH_VERSION {
        start(VERSION);
        link_pause(link_);
        peer_write(&peer, loop, large, 5000); /* a request nobody reads */
        ck_assert(!failed(link_write(link_, (slice){large, sizeof large})));
        link_end(link_, LINK_END_FLUSH);
        link_ = NULL;
        size_t done = 0;
        while (!(SSL_get_shutdown(peer.ssl) & SSL_RECEIVED_SHUTDOWN)) {
            size_t n = peer_read(&peer, got + done, 3000);
            ck_assert_msg(n || SSL_get_error(peer.ssl, 0) != SSL_ERROR_SYSCALL, "cut off after %zu", done);
            done += n;
            turn(loop);
        }
        ck_assert_uint_eq(done, sizeof large);
        ck_assert_mem_eq(got, large, sizeof large);
        finish();
    }
}
END_TEST

START_TEST(a_silent_client_runs_into_the_deadline)
{
    start_silent(0, 30);
    TURN_UNTIL(loop, owner.count[LINK_FAILED] == 1);
    ck_assert_int_eq(link_failure(link_), LINK_FAILURE_TIMEOUT);
    ck_assert_str_eq(owner.order, "F");
    finish();
}
END_TEST

/* Bytes that do not finish the handshake do not prolong it. */
START_TEST(a_dripping_client_runs_into_the_deadline)
{
    start_silent(0, 60);
    for (int i = 0; owner.order_len == 0; i++) {
        static const unsigned char hello[] = {22, 3, 1, 0x10, 0, 1, 0, 0x0f, 0xfc, 3, 3};
        (void)send(peer.fd, i < (int)sizeof hello ? &hello[i] : (const unsigned char *)"x", 1, MSG_NOSIGNAL);
        usleep(1000);
        turn(loop);
    }
    ck_assert_str_eq(owner.order, "F");
    ck_assert_str_eq(link_failure_text(link_), "timed out");
    finish();
}
END_TEST

START_TEST(not_tls_at_all)
{
    start_silent(0, 10000);
    ck_assert_int_eq(write(peer.fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27), 27);
    TURN_UNTIL(loop, owner.count[LINK_FAILED] == 1);
    ck_assert_int_eq(link_failure(link_), LINK_FAILURE_TLS);
    ck_assert_str_eq(link_failure_text(link_), "http request");
    ck_assert(!link_is_alive(link_));
    finish();
}
END_TEST

START_TEST(gone_during_the_handshake)
{
    start_silent(0, 10000);
    shutdown(peer.fd, SHUT_WR);
    TURN_UNTIL(loop, owner.count[LINK_FAILED] == 1);
    ck_assert_int_eq(link_failure(link_), LINK_FAILURE_TLS);
    finish();
}
END_TEST

/* CVE-2011-1473 and its kin. RFC 9325 3.5 asks for less; nobody needs it here. */
START_TEST(renegotiation_is_refused)
{
    start(TLS1_2_VERSION);
    SSL_renegotiate(peer.ssl);
    (void)SSL_do_handshake(peer.ssl);
    few_turns();
    char got[8];
    (void)peer_read(&peer, got, sizeof got);
    ck_assert_int_eq(SSL_session_reused(link_->ssl), 0);
    ck_assert_int_eq(SSL_num_renegotiations(link_->ssl), 0);
    finish();
}
END_TEST

/* TLS 1.3 key updates change the keys under way, and ask us to answer with our own. */
START_TEST(key_updates)
{
    char got[64];
    start(TLS1_3_VERSION);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        peer_write(&peer, loop, "x", 1);
        TURN_UNTIL(loop, owner.got.len == (size_t)i + 1);
        ck_assert(!failed(link_write(link_, SLICE("y"))));
        ck_assert_uint_eq(peer_read_all(got, 1), 1);
    }
    finish();
}
END_TEST

START_TEST(damaged_record)
{
    EACH_VERSION {
        start(VERSION);
        static const char record[] = {23, 3, 3, 0, 32};
        char junk[32];
        memset(junk, 'j', sizeof junk);
        ck_assert_int_eq(write(peer.fd, record, sizeof record), sizeof record);
        ck_assert_int_eq(write(peer.fd, junk, sizeof junk), sizeof junk);
        TURN_UNTIL(loop, owner.count[LINK_CUT_OFF] == 1);
        ck_assert_uint_eq(owner.got.len, 0);
        finish();
    }
}
END_TEST

RUN_TESTS("link_tls", bytes_both_ways, stall_with_data_inside_openssl, more_than_one_scratch_buffer,
          rest_inside_openssl_with_an_empty_socket, input_limit_with_data_inside_openssl,
          many_small_records_in_one_read, data_behind_the_handshake, paused_on_connected, ends, an_end_waits_for_a_paused_owner, half_close,
          small_pieces_are_one_record, slow_reader_holds_the_writer, end_delivers_every_byte_and_close_notify,
          a_silent_client_runs_into_the_deadline, a_dripping_client_runs_into_the_deadline, not_tls_at_all,
          gone_during_the_handshake, renegotiation_is_refused, key_updates, damaged_record)
