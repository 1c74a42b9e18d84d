/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include "tools.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct {
    slice text;
    int family; /* 0: refused */
    int port;
    bool loopback;
} addresses[] = {
    {CONST_SLICE("127.0.0.1:8080"), AF_INET, 8080, true},
    {CONST_SLICE("127.255.0.3:1"), AF_INET, 1, true},
    {CONST_SLICE("128.0.0.1:1"), AF_INET, 1, false},
    {CONST_SLICE("0.0.0.0:8443"), AF_INET, 8443, false},
    {CONST_SLICE("[::1]:65535"), AF_INET6, 65535, true},
    {CONST_SLICE("[::]:0"), AF_INET6, 0, false},
    {CONST_SLICE("[::ffff:127.0.0.1]:80"), AF_INET6, 80, true},
    {CONST_SLICE("[::ffff:10.0.0.1]:80"), AF_INET6, 80, false},
    {CONST_SLICE("[2001:db8::7]:443"), AF_INET6, 443, false},
    {CONST_SLICE("unix:/run/cardveil.sock"), AF_UNIX, 0, true},
    {CONST_SLICE("unix:"), 0, 0, false},
    {CONST_SLICE("unix:a\0b"), 0, 0, false},
    {CONST_SLICE(""), 0, 0, false},
    {CONST_SLICE(":80"), 0, 0, false},
    {CONST_SLICE("127.0.0.1"), 0, 0, false},
    {CONST_SLICE("127.0.0.1:"), 0, 0, false},
    {CONST_SLICE("127.0.0.1:65536"), 0, 0, false},
    {CONST_SLICE("127.0.0.1:+1"), 0, 0, false},
    {CONST_SLICE("127.0.0.1:80 "), 0, 0, false},
    {CONST_SLICE("127.1:80"), 0, 0, false},
    {CONST_SLICE("127.0.0.01:80"), 0, 0, false},
    {CONST_SLICE("::1:80"), 0, 0, false},
    {CONST_SLICE("[::1]80"), 0, 0, false},
    {CONST_SLICE("[127.0.0.1]:80"), 0, 0, false},
    {CONST_SLICE("localhost:80"), 0, 0, false},
    {CONST_SLICE("127.0.0.1\0x:80"), 0, 0, false},
};

/* One of each special range, its edges and what lies beyond them. */
START_TEST(public_addresses)
{
    static const char *const public[] = {
        "1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
        "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "[2000::1]",
        "[2001:200::]", "[2001:db7:ffff::1]", "[2001:db9::]", "[2606:4700::1111]", "[3ffe::1]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]", "[2002:808:808::1]"};
    static const char *const special[] = {
        "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.0.0",
        "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255",
        "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255", "[::]", "[::1]",
        "[::2]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:0.0.0.0]", "[64:ff9b::7f00:1]", "[64:ff9b::a00:1]",
        "[64:ff9b:1::808:808]", "[100::1]", "[2001::1]", "[2001:1ff::]", "[2001:db8::1]", "[2002:7f00:1::1]", "[2002:a00:1::]", "[2002:c0a8:101::1]",
        "[3fff::1]", "[3fff:fff::1]", "[4000::1]", "[5f00::1]", "[fc00::1]", "[fdff::1]", "[fe80::1]", "[febf::1]", "[fec0::1]", "[ff00::1]", "[ff02::1]"};
    struct address a;
    char text[64];
    for (size_t i = 0; i < sizeof public / sizeof *public; i++) {
        (void)snprintf(text, sizeof text, "%s:443", public[i]);
        ck_assert(!failed(address_parse(slice_of(text), &a)));
        ck_assert_msg(address_is_public((const struct sockaddr *)&a.at), "%s", text);
    }
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        (void)snprintf(text, sizeof text, "%s:443", special[i]);
        ck_assert_msg(!failed(address_parse(slice_of(text), &a)), "%s", text);
        ck_assert_msg(!address_is_public((const struct sockaddr *)&a.at), "%s", text);
    }
    ck_assert(!failed(address_parse(SLICE("unix:/run/x"), &a)));
    ck_assert(!address_is_public((const struct sockaddr *)&a.at));
}
END_TEST

START_TEST(parsing_addresses)
{
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct address a;
        result r = address_parse(addresses[i].text, &a);
        ck_assert_msg(failed(r) == (addresses[i].family == 0), "case %zu", i);
        if (failed(r)) {
            ck_assert_int_eq(r.err, ERR_CONFIG);
            continue;
        }
        ck_assert_msg(a.at.ss_family == addresses[i].family, "case %zu", i);
        ck_assert_msg(address_is_loopback(&a) == addresses[i].loopback, "case %zu", i);
        if (a.at.ss_family == AF_INET) ck_assert_int_eq(ntohs(((struct sockaddr_in *)&a.at)->sin_port), addresses[i].port);
        if (a.at.ss_family == AF_INET6) ck_assert_int_eq(ntohs(((struct sockaddr_in6 *)&a.at)->sin6_port), addresses[i].port);
    }
}
END_TEST

START_TEST(host_texts)
{
    static const struct {
        slice address;
        const char *text;
    } cases[] = {
        {CONST_SLICE("127.0.0.1:80"), "127.0.0.1"},     {CONST_SLICE("0.9.10.99:80"), "0.9.10.99"},
        {CONST_SLICE("100.101.200.255:1"), "100.101.200.255"}, {CONST_SLICE("[2001:db8::7]:443"), "2001:db8::7"},
        {CONST_SLICE("unix:/run/x"), "unix"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[INET6_ADDRSTRLEN];
        struct address a;
        ck_assert(!failed(address_parse(cases[i].address, &a)));
        address_host_text((const struct sockaddr *)&a.at, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(long_unix_paths)
{
    char text[200];
    struct address a;
    size_t room = sizeof ((struct sockaddr_un *)NULL)->sun_path;
    memcpy(text, "unix:", 5);
    memset(text + 5, 'a', sizeof text - 5);
    ck_assert(!failed(address_parse((slice){text, 5 + room - 1}, &a)));
    ck_assert(failed(address_parse((slice){text, 5 + room}, &a)));
}
END_TEST

static const struct {
    const char *cidr, *in, *out;
} cidrs[] = {
    {"10.0.0.0/8", "10.255.1.2", "11.0.0.0"},
    {"0.0.0.0/0", "200.1.2.3", "2001:db8::1"},
    {"::/0", "2001:db8::1", "1.2.3.4"},
    {"192.168.4.0/22", "192.168.7.255", "192.168.8.0"},
    {"192.168.4.7", "192.168.4.7", "192.168.4.6"},
    {"192.168.4.7/32", "192.168.4.7", "192.168.4.6"},
    {"10.0.0.128/25", "10.0.0.200", "10.0.0.127"},
    {"::1", "::1", "::2"},
    {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
    {"10.0.0.0/8", "::ffff:10.2.3.4", "::ffff:11.0.0.1"},
    {"::ffff:10.0.0.0/104", "10.2.3.4", "11.0.0.1"},
};
static const char *const bad_cidrs[] = {"",        "/8",       "10.0.0.0/",   "10.0.0.0/33", "10.0.0.0/-1",  "10.0.0.0/8/8",
                                        "10.0/8",  "::/129",   "10.0.0.1/8",  "host/8",      "10.0.0.0/08x", "10.0.0.0 /8",
                                        "::1/127", "[::1]/128"};

static bool contains(const struct cidr *c, const char *ip)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1) return cidr_contains(c, (struct sockaddr *)&v4);
    ck_assert_int_eq(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
    return cidr_contains(c, (struct sockaddr *)&v6);
}

START_TEST(matching_cidrs)
{
    struct cidr c;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    for (size_t i = 0; i < sizeof cidrs / sizeof *cidrs; i++) {
        ck_assert_msg(!failed(cidr_parse(slice_of(cidrs[i].cidr), &c)), "%s", cidrs[i].cidr);
        ck_assert_msg(contains(&c, cidrs[i].in), "%s in %s", cidrs[i].in, cidrs[i].cidr);
        ck_assert_msg(!contains(&c, cidrs[i].out), "%s not in %s", cidrs[i].out, cidrs[i].cidr);
    }
    for (size_t i = 0; i < sizeof bad_cidrs / sizeof *bad_cidrs; i++)
        ck_assert_msg(cidr_parse(slice_of(bad_cidrs[i]), &c).err == ERR_CONFIG, "'%s'", bad_cidrs[i]);
    ck_assert(!failed(cidr_parse(SLICE("127.0.0.0/8"), &c)));
    ck_assert(cidr_contains(&c, (struct sockaddr *)&un));
    ck_assert(!failed(cidr_parse(SLICE("10.0.0.0/8"), &c)));
    ck_assert(!cidr_contains(&c, (struct sockaddr *)&un));
}
END_TEST

/* --- accepting --- */

static int accepted[256];
static size_t accepted_count;

static void on_accept(void *owner, struct listener *l, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    (void)owner;
    (void)l;
    ck_assert_uint_gt(peer_len, 0);
    ck_assert(peer->sa_family == AF_INET || peer->sa_family == AF_UNIX);
    ck_assert_uint_lt(accepted_count, 256);
    accepted[accepted_count++] = fd;
}

static int dial(int listening)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&at, &len), 0);
    int fd = socket(at.ss_family, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, len), 0);
    return fd;
}

static int listen_at(const char *text)
{
    struct address a;
    int fd = -1;
    ck_assert(!failed(address_parse(slice_of(text), &a)));
    ck_assert(!failed(address_listen(&a, false, &fd)));
    return fd;
}

START_TEST(accepting_and_pausing)
{
    struct loop *loop = loop_new();
    int at = listen_at("127.0.0.1:0"), client[100];
    unsigned before = open_descriptors();
    struct listener *l = listener_new(loop, at, on_accept, NULL);
    for (int i = 0; i < 100; i++) client[i] = dial(at);
    TURN_UNTIL(loop, accepted_count == 100);
    listener_pause(l);
    int waiting = dial(at);
    for (int i = 0; i < 5; i++) turn(loop);
    ck_assert_uint_eq(accepted_count, 100);
    listener_resume(l);
    TURN_UNTIL(loop, accepted_count == 101);
    for (int i = 0; i < 100; i++) close(client[i]);
    for (size_t i = 0; i < accepted_count; i++) close(accepted[i]);
    close(waiting);
    listener_free(l);
    listener_free(NULL);
    loop_free(loop);
    ck_assert_uint_eq(open_descriptors(), before - 4); /* the listening socket, and the loop's own three */
}
END_TEST

/* Out of descriptors: it must not spin, one client is told, and it accepts again when there are some. */
START_TEST(out_of_descriptors)
{
    struct loop *loop = loop_new();
    int at = listen_at("127.0.0.1:0");
    struct listener *l = listener_new(loop, at, on_accept, NULL);
    int told = dial(at), waits = dial(at);
    struct rlimit old, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = (rlim_t)waits + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    unsigned turns = 0;
    while (!at_end(told)) turn(loop);
    for (uint64_t until = loop_now_ms(loop) + 60; loop_now_ms(loop) < until; turns++) turn(loop);
    ck_assert_uint_eq(accepted_count, 0);
    ck_assert_uint_lt(turns, 100); /* each turn() waits a millisecond; a spinning listener would end it at once */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    TURN_UNTIL(loop, accepted_count == 1);
    close(accepted[0]);
    close(told);
    close(waits);
    listener_free(l);
    loop_free(loop);
}
END_TEST

static void accept_and_free(void *owner, struct listener *l, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    on_accept(owner, l, fd, peer, peer_len);
    listener_free(l);
}

START_TEST(freed_in_its_own_callback)
{
    struct loop *loop = loop_new();
    int at = listen_at("127.0.0.1:0");
    int a = dial(at), b = dial(at);
    (void)listener_new(loop, at, accept_and_free, NULL);
    for (int i = 0; i < 5; i++) turn(loop);
    ck_assert_uint_eq(accepted_count, 1);
    close(accepted[0]);
    close(a);
    close(b);
    loop_free(loop);
}
END_TEST

START_TEST(unix_sockets)
{
    char folder[256], text[300];
    const char *tmp = getenv("TMPDIR");
    struct stat st;
    struct address a;
    int fd, second;
    snprintf(folder, sizeof folder, "%s/cardveil-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/s", folder);
    ck_assert(!failed(address_parse(slice_of(text), &a)));
    ck_assert(!failed(address_listen(&a, false, &fd)));
    ck_assert_int_eq(stat(text + 5, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07, 0); /* not everybody's */
    ck_assert_int_eq(address_listen(&a, false, &second).err, ERR_IO); /* in use */
    close(fd);
    ck_assert(!failed(address_listen(&a, false, &fd))); /* left by a dead process */
    close(fd);
    ck_assert_int_eq(unlink(text + 5), 0);
    FILE *f = fopen(text + 5, "w");
    fclose(f);
    ck_assert_int_eq(address_listen(&a, false, &fd).err, ERR_IO); /* somebody's file is not ours to remove */
    ck_assert_int_eq(unlink(text + 5), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

RUN_TESTS("listener", public_addresses, parsing_addresses, host_texts, long_unix_paths, matching_cidrs, accepting_and_pausing, out_of_descriptors,
          freed_in_its_own_callback, unix_sockets)
