/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_BYTES_H
#define VAULT_BYTES_H

/* Big-endian numbers and counted texts in records. */

#include "base/slice.h"

#include <string.h>

static inline void put_u16(uint8_t *at, uint16_t n)
{
    at[0] = (uint8_t)(n >> 8);
    at[1] = (uint8_t)n;
}
static inline void put_u32(uint8_t *at, uint32_t n)
{
    put_u16(at, (uint16_t)(n >> 16));
    put_u16(at + 2, (uint16_t)n);
}
static inline void put_u64(uint8_t *at, uint64_t n)
{
    put_u32(at, (uint32_t)(n >> 32));
    put_u32(at + 4, (uint32_t)n);
}
static inline uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)((unsigned)at[0] << 8 | at[1]);
}
static inline uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)get_u16(at) << 16 | get_u16(at + 2);
}
static inline uint64_t get_u64(const uint8_t *at)
{
    return (uint64_t)get_u32(at) << 32 | get_u32(at + 4);
}
/* A text of at most 255 bytes: length 1, then the bytes. Returns the place after it. */
static inline uint8_t *put_text(uint8_t *at, slice text)
{
    *at++ = (uint8_t)text.len;
    if (text.len) memcpy(at, text.at, text.len);
    return at + text.len;
}
/* Takes one such text off the front; false: there is none, or a longer one. */
static inline bool take_text(slice *rest, size_t max, slice *out)
{
    if (rest->len == 0) return false;
    size_t len = (uint8_t)rest->at[0];
    if (len > max || len > rest->len - 1) return false;
    *out = slice_range(*rest, 1, 1 + len);
    *rest = slice_after(*rest, 1 + len);
    return true;
}

#endif
