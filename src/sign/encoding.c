/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/encoding.h"

#include "base/secret.h"

#include <stdint.h>

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Three bytes, of which the first <bytes> count, become four characters. */
static void write_group(const char *alphabet, const uint8_t *in, size_t bytes, char out[4])
{
    uint32_t bits = (uint32_t)in[0] << 16;
    if (bytes > 1) bits |= (uint32_t)in[1] << 8;
    if (bytes > 2) bits |= in[2];
    for (unsigned i = 0; i < 4; i++)
        out[i] = alphabet[bits >> (18 - 6 * i) & 63];
}

static result write_groups(const char *alphabet, bool padded, slice bytes, struct buf *out)
{
    const uint8_t *in = (const uint8_t *)bytes.at;
    ENSURE(bytes.len < SIZE_MAX / 2, TOO_LARGE);
    TRY(buf_reserve(out, (bytes.len + 2) / 3 * 4));
    size_t rest = bytes.len;
    for (; rest >= 3; rest -= 3, in += 3) {
        write_group(alphabet, in, 3, buf_room(out));
        buf_added(out, 4);
    }
    if (!rest) return OK;
    char *last = buf_room(out);
    write_group(alphabet, in, rest, last);
    for (size_t i = rest + 1; i < 4; i++)
        last[i] = '=';
    buf_added(out, padded ? 4 : rest + 1);
    return OK;
}

result base64_write(slice bytes, struct buf *out)
{
    return write_groups(BASE64, true, bytes, out);
}

result base64url_write(slice bytes, struct buf *out)
{
    return write_groups(BASE64URL, false, bytes, out);
}

/* The six bits a character stands for; -1: not of this alphabet. <last> holds the characters for 62 and 63. */
static int value_of(char c, const char last[2])
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == last[0]) return 62;
    return c == last[1] ? 63 : -1;
}

/* <text> has no padding. RFC 4648 3.5: bits that stand for nothing must be zero, else two texts would mean the same
 * bytes. */
static bool read_groups(const char last[2], slice text, uint8_t *out, size_t *len)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t n = 0;
    if (text.len % 4 == 1) return false;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.at[i], last);
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out[n++] = (uint8_t)(bits >> count);
        bits &= (1U << count) - 1;
    }
    *len = n;
    return bits == 0;
}

/* All or nothing; what was decoded before a mistake was met is wiped, it may be part of a key. */
static result read_text(const char last[2], slice text, struct buf *out)
{
    size_t len, room = text.len / 4 * 3 + 3;
    TRY(buf_reserve(out, room));
    if (read_groups(last, text, (uint8_t *)buf_room(out), &len)) {
        buf_added(out, len);
        return OK;
    }
    secret_wipe(buf_room(out), room);
    return FAIL(BASE64);
}

result base64_read(slice text, struct buf *out)
{
    ENSURE(text.len % 4 == 0, BASE64);
    for (int padding = 0; padding < 2 && slice_ends(text, SLICE("=")); padding++)
        text.len--;
    return read_text("+/", text, out);
}

result base64url_read(slice text, struct buf *out)
{
    return read_text("-_", text, out);
}

result hex_write(slice bytes, struct buf *out)
{
    ENSURE(bytes.len < SIZE_MAX / 2, TOO_LARGE);
    TRY(buf_reserve(out, bytes.len * 2));
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t)bytes.at[i];
        buf_room(out)[0] = "0123456789abcdef"[byte >> 4];
        buf_room(out)[1] = "0123456789abcdef"[byte & 15];
        buf_added(out, 2);
    }
    return OK;
}
