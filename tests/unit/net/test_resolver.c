/* SPDX-License-Identifier: Apache-2.0 */
/* Against a name server of our own on loopback, which says what the test wants. */
#include "net/resolver.h"

#include "../../../src/net/loop_priv.h"
#include "name_server.h"
#include "tools.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static struct resolver *resolver;
static struct name_server dns;

static void start(void)
{
    loop = loop_new();
    resolver = resolver_new(loop, SLICE("# a comment\n192.0.2.77 Processor.Example proc # more\r\n"
                                        "2001:db8::77\tprocessor.example\nnonsense\n300.1.1.1 bad.example\n\n"
                                        "192.0.2.78 processor.example"));
    ck_assert_ptr_nonnull(resolver);
    name_server_start(&dns, loop, resolver);
    dns.ip = "192.0.2.1";
}

static void finish(void)
{
    resolver_free(resolver);
    name_server_stop(&dns);
    loop_free(loop);
}

struct asker {
    unsigned answers;
    size_t count;
    char text[512]; /* addresses, each with a blank behind */
    struct resolver_query *query;
};

static void on_found(void *arg, const struct address *found, size_t count)
{
    struct asker *a = arg;
    a->answers++;
    a->count = count;
    a->query = NULL;
    a->text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char ip[INET6_ADDRSTRLEN], one[64];
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&found[i].at;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&found[i].at;
        bool is_4 = found[i].at.ss_family == AF_INET;
        ck_assert_uint_eq(found[i].len, is_4 ? sizeof *v4 : sizeof *v6);
        inet_ntop(found[i].at.ss_family, is_4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, ip, sizeof ip);
        snprintf(one, sizeof one, "%s#%u ", ip, ntohs(is_4 ? v4->sin_port : v6->sin6_port));
        strncat(a->text, one, sizeof a->text - strlen(a->text) - 1);
    }
}

static void ask(struct asker *a, const char *name)
{
    memset(a, 0, sizeof *a);
    resolver_find(resolver, slice_of(name), 443, on_found, a, &a->query);
}

START_TEST(without_a_query)
{
    static const struct {
        const char *name, *found;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1#443 "},
        {"2001:db8::1", "2001:db8::1#443 "},
        {"[2001:db8::1]", "2001:db8::1#443 "},
        {"localhost", "127.0.0.1#443 ::1#443 "},
        {"LocalHost.", "127.0.0.1#443 ::1#443 "},
        {"shop.localhost", "127.0.0.1#443 ::1#443 "},
        {"processor.example", "192.0.2.77#443 2001:db8::77#443 192.0.2.78#443 "},
        {"PROC", "192.0.2.77#443 "},
        {"", ""},
        {".", ""},
    };
    struct asker a;
    start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases - 1; i++) {
        ask(&a, cases[i].name);
        ck_assert_msg(a.answers == 1 && !a.query, "%s", cases[i].name);
        ck_assert_str_eq(a.text, cases[i].found);
    }
    ck_assert_uint_eq(dns.asked, 0);
    finish();
}
END_TEST

START_TEST(asked_once_and_kept)
{
    struct asker a, b, c;
    start();
    ask(&a, "api.example");
    ask(&b, "API.example."); /* the same name: no second question */
    ck_assert(a.query && b.query && a.answers == 0);
    TURN_UNTIL(loop, a.answers == 1 && b.answers == 1);
    ck_assert_str_eq(a.text, "192.0.2.1#443 ");
    ck_assert_str_eq(b.text, "192.0.2.1#443 ");
    ask(&c, "api.example");
    ck_assert_uint_eq(c.answers, 1);
    ck_assert_ptr_null(c.query);
    ck_assert_str_eq(c.text, "192.0.2.1#443 ");
    for (int i = 0; i < 10; i++) turn(loop);
    ck_assert_uint_eq(dns.asked, 1);
    finish();
}
END_TEST

START_TEST(no_such_name)
{
    struct asker a, b;
    start();
    dns.rcode = RCODE_NO_SUCH_NAME;
    ask(&a, "gone.example");
    TURN_UNTIL(loop, a.answers == 1);
    ck_assert_uint_eq(a.count, 0);
    unsigned asked = dns.asked;
    ask(&b, "gone.example"); /* not again for each request */
    ck_assert_uint_eq(b.answers, 1);
    ck_assert_uint_eq(b.count, 0);
    ck_assert_uint_eq(dns.asked, asked);
    finish();
}
END_TEST

START_TEST(a_dead_server)
{
    struct asker a;
    start();
    dns.rcode = SAY_NOTHING;
    uint64_t began = loop_now_ms(loop);
    ask(&a, "slow.example");
    while (!a.answers) turn(loop);
    ck_assert_uint_eq(a.count, 0);
    ck_assert_uint_ge(loop_now_ms(loop), began + 1500);
    ck_assert_uint_ge(dns.asked, 2); /* asked again on the way */
    finish();
}
END_TEST

START_TEST(cancelled)
{
    struct asker a, b;
    start();
    ask(&a, "api.example");
    ask(&b, "api.example");
    resolver_cancel(a.query);
    resolver_cancel(NULL);
    TURN_UNTIL(loop, b.answers == 1);
    ck_assert_uint_eq(a.answers, 0);
    finish();
}
END_TEST

static struct asker first, second, third;

static void cancel_the_other(void *arg, const struct address *found, size_t count)
{
    struct asker *me = arg, *other = me == &first ? &second : &first;
    on_found(arg, found, count);
    if (!other->answers && other->query) {
        resolver_cancel(other->query);
        other->query = NULL;
    }
    ask(&third, "api.example"); /* asking inside an answer is answered from what is known now */
}

START_TEST(cancelling_and_asking_inside_an_answer)
{
    start();
    resolver_find(resolver, SLICE("api.example"), 1, cancel_the_other, &first, &first.query);
    resolver_find(resolver, SLICE("api.example"), 1, cancel_the_other, &second, &second.query);
    TURN_UNTIL(loop, first.answers + second.answers == 1);
    for (int i = 0; i < 10; i++) turn(loop);
    ck_assert_uint_eq(first.answers + second.answers, 1);
    ck_assert_uint_eq(third.count, 1);
    finish();
}
END_TEST

START_TEST(freed_with_questions_open)
{
    struct asker a, b;
    start();
    dns.rcode = SAY_NOTHING;
    ask(&a, "api.example");
    ask(&b, "other.example");
    finish();
    ck_assert_uint_eq(a.answers + b.answers, 0);
}
END_TEST

/* TTL 0 is kept for 5 s; a failed refresh keeps the old answer. This test lives through those 5 s. */
START_TEST(a_failed_refresh_keeps_the_old_answer)
{
    struct asker a;
    start();
    dns.ttl = 0;
    ask(&a, "api.example");
    TURN_UNTIL(loop, a.answers == 1);
    uint64_t known = loop_now_ms(loop);
    dns.rcode = RCODE_SERVER_FAILURE;
    ask(&a, "api.example");
    ck_assert_uint_eq(a.answers, 1);
    ck_assert_uint_eq(dns.asked, 1);
    while (loop_now_ms(loop) < known + 5100) turn(loop);
    ask(&a, "api.example");
    ck_assert_ptr_nonnull(a.query); /* asked anew */
    while (!a.answers) turn(loop);
    ck_assert_uint_gt(dns.asked, 1);
    ck_assert_str_eq(a.text, "192.0.2.1#443 ");
    unsigned asked = dns.asked;
    ask(&a, "api.example"); /* … and not at each request */
    ck_assert_uint_eq(a.answers, 1);
    ck_assert_uint_eq(dns.asked, asked);
    finish();
}
END_TEST

/* The relay's sandbox forbids opening files: a resolver that tries would kill it. */
START_TEST(opens_no_file_once_made)
{
    struct asker a = {.answers = 0};
    start();
    pid_t child = fork();
    if (child == 0) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        const int calls[] = {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(newfstatat), SCMP_SYS(access)};
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
            if (seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, calls[i], 0) != 0) _exit(3);
        if (seccomp_load(filter) != 0) _exit(2);
        setenv("HOSTALIASES", "/etc/hosts", 1);
        ask(&a, "api.example");
        for (int i = 0; i < 5000 && !a.answers; i++) turn(loop);
        ask(&first, "localhost");
        ask(&second, "alias");
        for (int i = 0; i < 5000 && !second.answers; i++) turn(loop);
        _exit(a.count == 1 && first.count == 2 ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
    finish();
}
END_TEST

RUN_TESTS("resolver", without_a_query, asked_once_and_kept, no_such_name, a_dead_server, cancelled,
          cancelling_and_asking_inside_an_answer, freed_with_questions_open, a_failed_refresh_keeps_the_old_answer,
          opens_no_file_once_made)
