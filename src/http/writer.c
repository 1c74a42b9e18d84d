/* SPDX-License-Identifier: Apache-2.0 */
#include "http/writer.h"

#include <string.h>

enum { NUMBER_BYTES = 20 /* of UINT64_MAX */, HEX_BYTES = 16 };

/* RFC 9110 5.6.2: token = 1*tchar. One bit per byte value. */
bool http_is_token(slice s)
{
    static const uint32_t tchar[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
    unsigned bad = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bad |= ~(tchar[c >> 5] >> (c & 31)) & 1u;
    }
    return s.len > 0 && !bad;
}

/* RFC 9110 5.5: "Field values containing CR, LF, or NUL characters are invalid and dangerous". Other control bytes but
 * HTAB are no part of field-content either. Without branches, so compilers test many bytes at once. */
static bool is_value(slice s)
{
    unsigned bad = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bad |= (unsigned)(c < ' ') & (unsigned)(c != '\t');
        bad |= (unsigned)(c == 0x7f);
    }
    return !bad;
}

static bool is_target(slice s)
{
    unsigned bad = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bad |= (unsigned)(c <= ' ') | (unsigned)(c >= 0x7f);
    }
    return s.len > 0 && !bad;
}

/* Appends all parts, after making room for all of them. */
static result append_all(struct buf *out, const slice *parts, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        ENSURE(parts[i].len <= SIZE_MAX - total, TOO_LARGE);
        total += parts[i].len;
    }
    TRY(buf_reserve(out, total));
    char *at = buf_room(out);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len) memcpy(at, parts[i].at, parts[i].len);
        at += parts[i].len;
    }
    buf_added(out, total);
    return OK;
}

static slice number_text(uint64_t n, unsigned base, char *end)
{
    char *at = end;
    do {
        *--at = "0123456789abcdef"[n % base];
        n /= base;
    } while (n);
    return (slice){at, (size_t)(end - at)};
}

result http_write_request_line(struct buf *out, slice method, slice target)
{
    ENSURE(http_is_token(method) && is_target(target), INTERNAL);
    const slice parts[] = {method, SLICE(" "), target, SLICE(" HTTP/1.1\r\n")};
    return append_all(out, parts, sizeof parts / sizeof *parts);
}

result http_write_status_line(struct buf *out, int status)
{
    ENSURE(status >= 100 && status <= 999, INTERNAL);
    char digits[NUMBER_BYTES];
    slice code = number_text((uint64_t)status, 10, digits + sizeof digits);
    const slice parts[] = {SLICE("HTTP/1.1 "), code, SLICE(" "), slice_of(http_reason(status)), SLICE("\r\n")};
    return append_all(out, parts, sizeof parts / sizeof *parts);
}

result http_write_field(struct buf *out, slice name, slice value)
{
    ENSURE(http_is_token(name) && is_value(value), INTERNAL);
    const slice parts[] = {name, SLICE(": "), value, SLICE("\r\n")};
    return append_all(out, parts, sizeof parts / sizeof *parts);
}

result http_write_field_u64(struct buf *out, slice name, uint64_t n)
{
    char digits[NUMBER_BYTES];
    return http_write_field(out, name, number_text(n, 10, digits + sizeof digits));
}

result http_write_end_of_head(struct buf *out)
{
    return buf_append(out, SLICE("\r\n"));
}

result http_write_chunk(struct buf *out, slice data)
{
    if (data.len == 0) return OK;
    char digits[HEX_BYTES];
    const slice parts[] = {number_text(data.len, 16, digits + sizeof digits), SLICE("\r\n"), data, SLICE("\r\n")};
    return append_all(out, parts, sizeof parts / sizeof *parts);
}

result http_write_last_chunk(struct buf *out)
{
    return buf_append(out, SLICE("0\r\n\r\n"));
}
