/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_BYTES_H
#define VAULT_BYTES_H

/* Big-endian numbers in records. */

#include <stdint.h>

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

#endif
