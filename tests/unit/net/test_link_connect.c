/* SPDX-License-Identifier: Apache-2.0 */
/* Links on their way to being connected: success, refusal, deadline, an owner that gives up. */
#include "../../../src/net/link_priv.h"
#include "tools.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct owner owner;
static struct link *link_; /* link() is unistd.h's */
static int peer;

static void finish(void)
{
    link_end(link_, LINK_END_ABORT);
    if (peer != -1) close(peer);
    owner_done(&owner);
    loop_free(loop);
}

static void few_turns(void)
{
    for (int i = 0; i < 10; i++) turn(loop);
}

static struct link *dial(const struct sockaddr_storage *at, socklen_t len, uint64_t ms)
{
    return link_connect(loop, (const struct sockaddr *)at, len, NULL, SLICE_NONE, ms, on_link, &owner);
}

START_TEST(connecting)
{
    struct sockaddr_storage at;
    socklen_t len;
    loop = loop_new();
    owner_init(&owner);
    int listening = listen_on_loopback(&at, &len), on = 0;
    socklen_t on_len = sizeof on;
    link_ = dial(&at, len, 1000);
    ck_assert(!failed(link_write(link_, SLICE("early")))); /* sent when connected */
    ck_assert_uint_eq(link_sent_total(link_), 0);
    TURN_UNTIL(loop, owner.count[LINK_CONNECTED] == 1);
    peer = accept(listening, NULL, NULL);
    char got[8];
    ck_assert_int_eq(recv(peer, got, sizeof got, 0), 5);
    ck_assert_int_eq(getsockopt(link_->fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_len), 0);
    ck_assert_int_ne(on, 0);
    ck_assert_int_eq(fcntl(link_->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(listening);
    finish();
}
END_TEST

START_TEST(refused)
{
    struct sockaddr_storage at;
    socklen_t len;
    loop = loop_new();
    owner_init(&owner);
    peer = -1;
    close(listen_on_loopback(&at, &len));
    link_ = dial(&at, len, 1000);
    ck_assert_uint_eq(owner.order_len, 0); /* never from inside the call */
    TURN_UNTIL(loop, owner.count[LINK_FAILED] == 1);
    ck_assert_int_eq(link_failure(link_), LINK_FAILURE_CONNECT);
    ck_assert(!link_is_alive(link_));
    few_turns();
    ck_assert_str_eq(owner.order, "F");
    finish();
}
END_TEST

START_TEST(impossible_family)
{
    struct sockaddr_storage at = {.ss_family = AF_APPLETALK};
    loop = loop_new();
    owner_init(&owner);
    peer = -1;
    link_ = dial(&at, sizeof at, 1000);
    ck_assert_ptr_nonnull(link_);
    TURN_UNTIL(loop, owner.count[LINK_FAILED] == 1);
    ck_assert_int_eq(link_failure(link_), LINK_FAILURE_CONNECT);
    ck_assert_str_eq(link_failure_text(link_), "connection refused or unreachable");
    finish();
}
END_TEST

/* A listener whose backlog is full lets SYNs fall: the connect deadline must end it. */
START_TEST(connect_deadline)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    int fill[8];
    loop = loop_new();
    owner_init(&owner);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(listen(listening, 0), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&at, &len), 0);
    for (int i = 0; i < 8; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fill[i], (struct sockaddr *)&at, len);
    }
    link_ = dial(&at, len, 50);
    TURN_UNTIL(loop, owner.count[LINK_FAILED] == 1);
    ck_assert_int_eq(link_failure(link_), LINK_FAILURE_TIMEOUT);
    for (int i = 0; i < 8; i++) close(fill[i]);
    peer = listening;
    finish();
}
END_TEST

START_TEST(ending_while_connecting)
{
    struct sockaddr_storage at;
    socklen_t len;
    loop = loop_new();
    owner_init(&owner);
    peer = listen_on_loopback(&at, &len);
    link_end(dial(&at, len, 1000), LINK_END_FLUSH);
    link_end(dial(&at, len, 1000), LINK_END_ABORT);
    few_turns();
    ck_assert_uint_eq(owner.order_len, 0);
    link_ = NULL;
    finish();
}
END_TEST

RUN_TESTS("link_connect", connecting, refused, impossible_family, connect_deadline, ending_while_connecting)
