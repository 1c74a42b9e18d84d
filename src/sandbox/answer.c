/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/answer.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

static void put(struct json *j, slice text)
{
    if (!j->failed && failed(buf_append(j->out, text))) j->failed = true;
}

/* Length of the well-formed UTF-8 sequence at <i>; 0 if there is none (RFC 3629 section 4). */
static size_t utf8_length(slice s, size_t i)
{
    const unsigned char *b = (const unsigned char *)s.at + i;
    size_t left = s.len - i;
    if (b[0] < 0x80) return 1;
    if (b[0] >= 0xc2 && b[0] <= 0xdf && left >= 2 && (b[1] & 0xc0) == 0x80) return 2;
    if ((b[0] & 0xf0) == 0xe0 && left >= 3 && (b[1] & 0xc0) == 0x80 && (b[2] & 0xc0) == 0x80) {
        bool overlong = b[0] == 0xe0 && b[1] < 0xa0, surrogate = b[0] == 0xed && b[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (b[0] >= 0xf0 && b[0] <= 0xf4 && left >= 4 && (b[1] & 0xc0) == 0x80 && (b[2] & 0xc0) == 0x80 && (b[3] & 0xc0) == 0x80) {
        bool overlong = b[0] == 0xf0 && b[1] < 0x90, beyond = b[0] == 0xf4 && b[1] > 0x8f;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

static void put_string(struct json *j, slice text)
{
    put(j, SLICE("\""));
    for (size_t i = 0; i < text.len;) {
        unsigned char c = (unsigned char)text.at[i];
        size_t len = utf8_length(text, i);
        char escape[8];
        if (len == 0) {
            put(j, SLICE("\\ufffd"));
        } else if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
            put(j, slice_of(escape));
        } else {
            put(j, (slice){text.at + i, len});
        }
        i += len ? len : 1;
    }
    put(j, SLICE("\""));
}

static void begin_value(struct json *j, const char *name)
{
    if (j->comma) put(j, SLICE(","));
    j->comma = true;
    if (!name) return;
    put_string(j, slice_of(name));
    put(j, SLICE(":"));
}

void json_open(struct json *j, const char *name, char bracket)
{
    begin_value(j, name);
    put(j, (slice){&bracket, 1});
    j->comma = false;
}

void json_close(struct json *j, char bracket)
{
    put(j, (slice){&bracket, 1});
    j->comma = true;
}

void json_text(struct json *j, const char *name, slice value)
{
    begin_value(j, name);
    put_string(j, value);
}

void json_number(struct json *j, const char *name, int64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)n);
    begin_value(j, name);
    put(j, slice_of(text));
}

bool request_has_content_type(const struct sandbox_request *q, const char *type)
{
    slice value = http_head_get(q->head, "content-type");
    return value.at && slice_ieq(slice_trim(slice_range(value, 0, slice_find(value, ';'))), slice_of(type));
}

void random_digits(char *out, size_t digits)
{
    unsigned char bytes[64] = {0};
    if (digits > sizeof bytes) digits = sizeof bytes;
    if (RAND_bytes(bytes, (int)digits) != 1) memset(bytes, 7, digits); /* ids of a simulation only */
    for (size_t i = 0; i < digits; i++) out[i] = (char)('0' + bytes[i] % 10);
    out[digits] = '\0';
}
