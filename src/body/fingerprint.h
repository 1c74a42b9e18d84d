/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_FINGERPRINT_H
#define BODY_FINGERPRINT_H

/* A 64-bit fingerprint of a member name: equal names have equal fingerprints, so comparing fingerprints never misses a
 * duplicate. Two different names that collide are taken for a duplicate and refused, which somebody can only do to their own
 * request; so it need not be keyed. */

#include "base/slice.h"

#include <string.h>

static inline uint64_t fingerprint_fold(uint64_t a, uint64_t b)
{
    /* __extension__: 128-bit products are not ISO C, but gcc's and clang's on every 64-bit machine. */
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t fingerprint_of(slice s)
{
    const uint64_t odd_a = UINT64_C(0x9e3779b97f4a7c15), odd_b = UINT64_C(0xe7037ed1a0b428db);
    uint64_t f = odd_b ^ s.len, word = 0;
    size_t i = 0;
    for (; s.len - i >= sizeof word; i += sizeof word) {
        memcpy(&word, s.at + i, sizeof word);
        f = fingerprint_fold(f ^ word, odd_a);
    }
    word = 0;
    for (unsigned shift = 0; i < s.len; i++, shift += 8) word |= (uint64_t)(unsigned char)s.at[i] << shift;
    return fingerprint_fold(fingerprint_fold(f ^ word, odd_a) ^ odd_b, odd_a);
}

#endif
