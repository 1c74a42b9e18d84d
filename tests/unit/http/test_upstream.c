/* SPDX-License-Identifier: Apache-2.0 */
#include "http/upstream.h"

#include "../net/tools.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* Which of a name's addresses a pool may connect to. The names are in the hosts file that the resolver is given; what a name server
 * answers comes the same way. */

static struct loop *loop;
static struct resolver *resolver;
static int listening;
static uint16_t port;
static result verdict;
static unsigned answers;

static const char hosts[] = "127.0.0.1 loop.example\n::1 loop.example\n10.255.255.1 private.example\n169.254.169.254 metadata.example\n"
                            "::ffff:127.0.0.1 mapped.example\n64:ff9b::7f00:1 nat64.example\n2002:7f00:1:: sixtofour.example\n0.0.0.0 zero.example\n";

static void start(void)
{
    struct sockaddr_storage at;
    socklen_t len;
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    resolver = resolver_new(loop, slice_of(hosts));
    listening = listen_on_loopback(&at, &len);
    port = ntohs(((struct sockaddr_in *)&at)->sin_port);
    answers = 0;
}

static void finish(void)
{
    resolver_free(resolver);
    close(listening);
    loop_free(loop);
}

static void on_answer(void *owner, result r, struct upstream *u)
{
    (void)owner;
    verdict = r;
    answers++;
    upstream_drop(u);
}

static bool somebody_connected(void)
{
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static enum error connect_to(const char *host, bool public_only)
{
    struct upstream_pool *p = upstream_pool_new(&(struct upstream_settings){.loop = loop, .resolver = resolver, .host = slice_of(host), .port = port,
                                                                            .connect_ms = 1000, .idle_ms = 1000, .public_only = public_only,
                                                                            .head_limits = {.head_bytes = 1024, .fields = 10}});
    unsigned before = answers;
    ck_assert_ptr_nonnull(upstream_connect(p, on_answer, NULL));
    ck_assert_uint_eq(answers, before); /* never before it returns */
    TURN_UNTIL(loop, answers > before);
    upstream_pool_free(p);
    return verdict.err;
}

START_TEST(only_public_addresses)
{
    static const char *const names[] = {"loop.example",      "private.example", "metadata.example", "mapped.example", "nat64.example",
                                        "sixtofour.example", "zero.example",    "localhost",        "127.0.0.1",      "::1"};
    start();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ck_assert_msg(connect_to(names[i], true) == ERR_TARGET_PRIVATE, "%s: %s", names[i], error_name(verdict.err));
        ck_assert_msg(!somebody_connected(), "%s", names[i]);
    }
    finish();
}
END_TEST

START_TEST(any_address_where_it_was_said)
{
    static const char *const names[] = {"loop.example", "mapped.example", "localhost", "127.0.0.1"};
    start();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ck_assert_msg(connect_to(names[i], false) == ERR_NONE, "%s: %s", names[i], error_name(verdict.err));
        ck_assert_msg(somebody_connected(), "%s", names[i]);
    }
    finish();
}
END_TEST

RUN_TESTS("upstream", only_public_addresses, any_address_where_it_was_said)
