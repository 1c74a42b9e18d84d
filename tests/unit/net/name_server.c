/* SPDX-License-Identifier: Apache-2.0 */
#include "name_server.h"

#include "../base/suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t end_of_question(const unsigned char *q, size_t len)
{
    size_t at = 12;
    while (at < len && q[at]) at += q[at] + 1u;
    return at + 5;
}

static void put_16(unsigned char *at, unsigned n)
{
    at[0] = (unsigned char)(n >> 8);
    at[1] = (unsigned char)n;
}

static void on_question(void *arg)
{
    struct name_server *s = arg;
    unsigned char m[1024];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    ssize_t got = recvfrom(s->fd, m, sizeof m - 64, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
    if (got < 17) return;
    size_t end = end_of_question(m, (size_t)got);
    bool is_a = m[end - 3] == 1;
    const char *ip = s->asked && s->then ? s->then : s->ip;
    if (is_a) s->asked++;
    if (s->rcode == SAY_NOTHING) return;
    put_16(m + 2, 0x8180u | (unsigned)s->rcode);
    memset(m + 6, 0, 6);
    if (is_a && s->rcode == RCODE_OK) {
        put_16(m + 6, 1);
        static const unsigned char record[] = {0xc0, 12, 0, 1, 0, 1};
        memcpy(m + end, record, sizeof record);
        put_16(m + end + 6, s->ttl >> 16);
        put_16(m + end + 8, s->ttl & 0xffff);
        put_16(m + end + 10, 4);
        ck_assert_int_eq(inet_pton(AF_INET, ip, m + end + 12), 1);
        end += 16;
    }
    (void)sendto(s->fd, m, end, 0, (struct sockaddr *)&from, from_len);
}

void name_server_start(struct name_server *s, struct loop *loop, struct resolver *resolver)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    char server[64];
    *s = (struct name_server){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .ttl = 60};
    ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&in, &len), 0);
    s->watch = watch_new(loop, s->fd, on_question, s);
    (void)snprintf(server, sizeof server, "127.0.0.1:%u", ntohs(in.sin_port));
    ck_assert(!failed(resolver_use_servers(resolver, server)));
}

void name_server_stop(struct name_server *s)
{
    watch_free(s->watch);
    close(s->fd);
}
