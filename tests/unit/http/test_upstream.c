/* SPDX-License-Identifier: Apache-2.0 */
#include "http/upstream.h"

#include "../net/name_server.h"
#include "../net/tools.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Which of a name's addresses a pool may connect to. Names are in the hosts file that the resolver is given, or a name server knows them.
 * Every connection is written down as it is asked for, and then made to the listener here: nothing leaves this machine. */

static struct loop *loop;
static struct resolver *resolver;
static int listening;
static uint16_t port;
static result verdict;
static unsigned answers;
static struct name_server dns;
static char dialled[256];   /* addresses, each with a blank behind */
static uint16_t dialled_to; /* the port here that is connected to */

static const char hosts[] = "127.0.0.1 loop.example\n::1 loop.example\n10.255.255.1 private.example\n169.254.169.254 metadata.example\n"
                            "::ffff:127.0.0.1 mapped.example\n64:ff9b::7f00:1 nat64.example\n2002:7f00:1:: sixtofour.example\n0.0.0.0 zero.example\n"
                            "8.8.8.8 both.example\n10.0.0.1 both.example\n1.1.1.1 both.example\n"
                            "169.254.169.254 after.example\n8.8.8.8 after.example\n::ffff:10.0.0.1 after.example\n";

struct link *__real_link_connect(struct loop *, const struct sockaddr *, socklen_t, struct tls_client *, slice, uint64_t, link_callback, void *);
struct link *__wrap_link_connect(struct loop *, const struct sockaddr *, socklen_t, struct tls_client *, slice, uint64_t, link_callback, void *);

struct link *__wrap_link_connect(struct loop *l, const struct sockaddr *to, socklen_t len, struct tls_client *tls, slice name, uint64_t ms,
                                 link_callback on_event, void *owner)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(dialled_to)};
    char ip[INET6_ADDRSTRLEN];
    (void)len;
    address_host_text(to, ip);
    strncat(dialled, ip, sizeof dialled - strlen(dialled) - 2);
    strcat(dialled, " ");
    return __real_link_connect(l, (const struct sockaddr *)&here, sizeof here, tls, name, ms, on_event, owner);
}

static void start(void)
{
    struct sockaddr_storage at;
    socklen_t len;
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    resolver = resolver_new(loop, slice_of(hosts));
    name_server_start(&dns, loop, resolver);
    listening = listen_on_loopback(&at, &len);
    port = ntohs(((struct sockaddr_in *)&at)->sin_port);
    answers = 0;
    dialled_to = port;
    dialled[0] = '\0';
}

static void finish(void)
{
    resolver_free(resolver);
    name_server_stop(&dns);
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
        ck_assert_msg(!somebody_connected() && !dialled[0], "%s", names[i]);
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

/* DNS rebinding: a name that is public when it is judged, and private when it is connected to. There is one question, and what it
 * brought is both. */
START_TEST(a_name_server_that_changes_its_mind)
{
    start();
    dns.ip = "8.8.8.8";
    dns.then = "127.0.0.1";
    dns.ttl = 0;
    ck_assert_int_eq(connect_to("rebind.example", true), ERR_NONE);
    ck_assert_str_eq(dialled, "8.8.8.8 ");
    ck_assert_uint_eq(dns.asked, 1);
    ck_assert_int_eq(connect_to("rebind.example", true), ERR_NONE); /* kept for 5 s at least, whatever its TTL */
    ck_assert_str_eq(dialled, "8.8.8.8 8.8.8.8 ");
    ck_assert_uint_eq(dns.asked, 1);
    ck_assert_int_eq(connect_to("later.example", true), ERR_TARGET_PRIVATE); /* as the first one is by then */
    ck_assert_str_eq(dialled, "8.8.8.8 8.8.8.8 ");
    ck_assert_uint_eq(dns.asked, 2);
    finish();
}
END_TEST

START_TEST(a_name_with_addresses_of_both_kinds)
{
    struct sockaddr_storage at;
    socklen_t len;
    start();
    ck_assert_int_eq(connect_to("both.example", true), ERR_NONE);
    ck_assert_int_eq(connect_to("after.example", true), ERR_NONE);
    ck_assert_str_eq(dialled, "8.8.8.8 8.8.8.8 ");
    dialled[0] = '\0';
    close(listen_on_loopback(&at, &len));
    dialled_to = ntohs(((struct sockaddr_in *)&at)->sin_port); /* where nobody listens: the next address is tried, if it may be */
    ck_assert_int_eq(connect_to("both.example", true), ERR_UPSTREAM_CONNECT);
    ck_assert_str_eq(dialled, "8.8.8.8 1.1.1.1 ");
    dialled[0] = '\0';
    ck_assert_int_eq(connect_to("after.example", true), ERR_UPSTREAM_CONNECT); /* it says what was tried, not what was left out */
    ck_assert_str_eq(dialled, "8.8.8.8 ");
    finish();
}
END_TEST

RUN_TESTS("upstream", only_public_addresses, any_address_where_it_was_said, a_name_server_that_changes_its_mind, a_name_with_addresses_of_both_kinds)
