/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <string.h>

/* The IANA registries of special-purpose addresses (RFC 6890 and its successors), as of what a request from outside may be led to. */

struct range {
    unsigned char at[16];
    unsigned char bits;
};

static const struct range special_v4[] = {
    {{0}, 8},             /* "this network", RFC 791; 0.0.0.0 connects to this machine */
    {{10}, 8},            /* private, RFC 1918 */
    {{100, 64}, 10},      /* shared by carriers (CGNAT), RFC 6598 */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local, RFC 3927; clouds keep their metadata and its credentials there */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocol assignments, RFC 6890 */
    {{192, 0, 2}, 24},    /* documentation, RFC 5737 */
    {{192, 88, 99}, 24},  /* 6to4 relays, RFC 7526: gone */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks, RFC 2544 */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4},           /* reserved, and broadcast */
};

/* Of IPv6 only 2000::/3 is assigned to the public at all (RFC 4291 2.4): loopback, unspecified, unique local, link-local, multicast
 * and the IPv4-compatible ones lie outside. These lie inside: */
static const struct range special_v6[] = {
    {{0x20, 0x01}, 23},             /* protocol assignments, RFC 2928: Teredo, ORCHID, benchmarks */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation, RFC 3849 */
    {{0x3f, 0xff}, 20},             /* documentation, RFC 9637 */
};
static const struct range global_v6 = {{0x20}, 3};

/* An IPv4 address inside an IPv6 one is judged as what it leads to. */
static const struct {
    struct range range;
    size_t inner; /* where the four bytes stand */
} inside_v6[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12}, /* IPv4-mapped, RFC 4291 2.5.5.2 */
    {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},                   /* NAT64, RFC 6052 */
    {{{0x20, 0x02}, 16}, 2},                                /* 6to4, RFC 3056 */
};

static bool is_in(const struct range *r, const unsigned char *at)
{
    unsigned whole = r->bits / 8, rest = r->bits % 8;
    if (memcmp(at, r->at, whole) != 0) return false;
    return rest == 0 || ((at[whole] ^ r->at[whole]) >> (8 - rest)) == 0;
}

static bool is_in_any(const struct range *list, size_t count, const unsigned char *at)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(&list[i], at)) return true;
    return false;
}

static bool is_public_v4(const unsigned char *at)
{
    return !is_in_any(special_v4, sizeof special_v4 / sizeof *special_v4, at);
}

static bool is_public_v6(const unsigned char *at)
{
    for (size_t i = 0; i < sizeof inside_v6 / sizeof *inside_v6; i++)
        if (is_in(&inside_v6[i].range, at)) return is_public_v4(at + inside_v6[i].inner);
    return is_in(&global_v6, at) && !is_in_any(special_v6, sizeof special_v6 / sizeof *special_v6, at);
}

bool address_is_public(const struct sockaddr *a)
{
    unsigned char at[16];
    switch (a->sa_family) {
    case AF_INET:
        memcpy(at, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
        return is_public_v4(at);
    case AF_INET6:
        memcpy(at, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
        return is_public_v6(at);
    default:
        return false;
    }
}
