/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, UNIX_MODE = 0660, PORT_MAX = 65535, MAPPED_BITS = 96 };

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* inet_pton over a slice. */
static bool to_ip(int family, slice text, void *out)
{
    char name[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof name || slice_find(text, '\0') < text.len) return false;
    memcpy(name, text.at, text.len);
    name[text.len] = '\0';
    return inet_pton(family, name, out) == 1;
}

static result parse_unix(slice path, struct address *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->at;
    ENSURE(path.len > 0 && path.len < sizeof un->sun_path && slice_find(path, '\0') == path.len, CONFIG);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.at, path.len);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return OK;
}

static result parse_ip(slice host, uint16_t port, struct address *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->at;
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']') {
        ENSURE(to_ip(AF_INET6, slice_range(host, 1, host.len - 1), &v6->sin6_addr), CONFIG);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        out->len = sizeof *v6;
        return OK;
    }
    ENSURE(to_ip(AF_INET, host, &v4->sin_addr), CONFIG);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out->len = sizeof *v4;
    return OK;
}

result address_parse(slice text, struct address *out)
{
    size_t colon = text.len;
    uint64_t port;
    memset(out, 0, sizeof *out);
    if (slice_starts(text, SLICE("unix:"))) return parse_unix(slice_after(text, sizeof "unix:" - 1), out);
    while (colon && text.at[colon - 1] != ':') colon--;
    ENSURE(colon > 0, CONFIG);
    ENSURE(slice_to_u64(slice_after(text, colon), PORT_MAX, &port), CONFIG);
    return parse_ip(slice_range(text, 0, colon - 1), (uint16_t)port, out);
}

/* By hand: every request's log and audit lines have one, and inet_ntop() makes it with printf(). */
static void write_ipv4(const struct in_addr *ip, char *at)
{
    unsigned char bytes[4];
    memcpy(bytes, ip, sizeof bytes); /* in network order */
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i) *at++ = '.';
        if (bytes[i] >= 100) *at++ = (char)('0' + bytes[i] / 100);
        if (bytes[i] >= 10) *at++ = (char)('0' + bytes[i] / 10 % 10);
        *at++ = (char)('0' + bytes[i] % 10);
    }
    *at = '\0';
}

void address_host_text(const struct sockaddr *a, char out[INET6_ADDRSTRLEN])
{
    const void *at = a;
    memcpy(out, "unix", sizeof "unix");
    if (a->sa_family == AF_INET) write_ipv4(&((const struct sockaddr_in *)at)->sin_addr, out);
    if (a->sa_family == AF_INET6) (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)at)->sin6_addr, out, INET6_ADDRSTRLEN);
}

bool address_is_loopback(const struct address *a)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->at;
    static const struct cidr v4_loopback = {.at = {127}, .bits = 8};
    switch (a->at.ss_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return cidr_contains(&v4_loopback, (const struct sockaddr *)&a->at);
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) || cidr_contains(&v4_loopback, (const struct sockaddr *)&a->at);
    default:
        return false;
    }
}

static bool set_options(int fd, int family, bool reuse_port)
{
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return false;
    if (reuse_port && family != AF_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) return false;
    /* [::] must not also take what 0.0.0.0 is for: each address listed is one that listens. */
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) return false;
    /* A unix listener may stand for a merchant: never open to everybody, not for a moment, so before bind(). */
    return family != AF_UNIX || fchmod(fd, UNIX_MODE) == 0;
}

/* A socket file that a dead process left: nobody accepts on it. */
static bool remove_stale(const struct address *a)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&a->at;
    struct stat st;
    if (lstat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) return false;
    bool refused = connect(fd, (const struct sockaddr *)&a->at, a->len) != 0 && errno == ECONNREFUSED;
    (void)close(fd);
    return refused && unlink(un->sun_path) == 0;
}

static bool bind_to(int fd, const struct address *a)
{
    const struct sockaddr *at = (const struct sockaddr *)&a->at;
    if (bind(fd, at, a->len) == 0) return true;
    if (errno != EADDRINUSE || at->sa_family != AF_UNIX) return false;
    if (remove_stale(a)) return bind(fd, at, a->len) == 0;
    errno = EADDRINUSE;
    return false;
}

result address_listen(const struct address *a, bool reuse_port, int *fd)
{
    int family = a->at.ss_family;
    int s = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ENSURE(s != -1, IO);
    if (set_options(s, family, reuse_port) && bind_to(s, a) && listen(s, BACKLOG) == 0) {
        *fd = s;
        return OK;
    }
    int why = errno;
    (void)close(s);
    errno = why;
    return FAIL(IO);
}

/* --- CIDR --- */

/* All bits past the prefix are zero: "10.1.2.3/8" is more likely a slip than a wish. */
static bool is_prefix(const unsigned char *at, unsigned bytes, unsigned bits)
{
    for (unsigned i = 0; i < bytes; i++) {
        unsigned kept = bits >= 8 * (i + 1) ? 8 : bits > 8 * i ? bits - 8 * i : 0;
        if (at[i] & (0xffu >> kept)) return false;
    }
    return true;
}

result cidr_parse(slice text, struct cidr *out)
{
    size_t slash = slice_find(text, '/');
    slice ip = slice_range(text, 0, slash);
    uint64_t bits;
    *out = (struct cidr){.family_is_6 = 0};
    if (!to_ip(AF_INET, ip, out->at)) {
        ENSURE(to_ip(AF_INET6, ip, out->at), CONFIG);
        out->family_is_6 = 1;
    }
    uint64_t max = out->family_is_6 ? 128 : 32;
    bits = max;
    if (slash < text.len) ENSURE(slice_to_u64(slice_after(text, slash + 1), max, &bits), CONFIG);
    out->bits = (unsigned char)bits;
    ENSURE(is_prefix(out->at, (unsigned)max / 8, out->bits), CONFIG);
    if (out->family_is_6 && bits >= MAPPED_BITS && memcmp(out->at, mapped_prefix, sizeof mapped_prefix) == 0) {
        struct cidr v4 = {.bits = (unsigned char)(bits - MAPPED_BITS)};
        memcpy(v4.at, out->at + sizeof mapped_prefix, 4);
        *out = v4;
    }
    return OK;
}

static bool same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (whole && memcmp(a, b, whole) != 0) return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* The address as bytes, mapped IPv6 as IPv4; NULL: neither. */
static const unsigned char *ip_bytes(const struct sockaddr *a, bool *is_6)
{
    static const unsigned char loopback[4] = {127, 0, 0, 1};
    const unsigned char *at;
    *is_6 = false;
    switch (a->sa_family) {
    case AF_UNIX:
        return loopback;
    case AF_INET:
        return (const unsigned char *)&((const struct sockaddr_in *)(const void *)a)->sin_addr;
    case AF_INET6:
        at = ((const struct sockaddr_in6 *)(const void *)a)->sin6_addr.s6_addr;
        if (memcmp(at, mapped_prefix, sizeof mapped_prefix) == 0) return at + sizeof mapped_prefix;
        *is_6 = true;
        return at;
    default:
        return NULL;
    }
}

bool cidr_contains(const struct cidr *c, const struct sockaddr *a)
{
    bool is_6;
    const unsigned char *at = ip_bytes(a, &is_6);
    return at && is_6 == (c->family_is_6 != 0) && same_prefix(c->at, at, c->bits);
}
