/* SPDX-License-Identifier: Apache-2.0 */
#include "xml_text.h"

#include <string.h>

static void put_character(struct xml_unit *u, uint32_t code)
{
    unsigned char *at = (unsigned char *)u->bytes;
    if (code < 0x80) {
        u->len = 1;
        at[0] = (unsigned char)code;
        return;
    }
    u->len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (unsigned i = u->len - 1u; i > 0; i--, code >>= 6) at[i] = (unsigned char)(0x80 | (code & 0x3f));
    at[0] = (unsigned char)(code | (u->len == 2 ? 0xc0u : u->len == 3 ? 0xe0u : 0xf0u));
}

/* "#52" or "#x34" */
static bool read_code(slice name, uint32_t *code)
{
    uint64_t n = 0;
    if (name.len < 2 || name.at[0] != '#') return false;
    if (name.at[1] != 'x') {
        bool is_number = slice_to_u64(slice_after(name, 1), 0x10ffff, &n);
        *code = (uint32_t)n;
        return is_number;
    }
    for (size_t i = 2; i < name.len; i++) {
        char c = name.at[i];
        bool digit = c >= '0' && c <= '9', letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!digit && !letter) return false;
        n = n << 4 | (uint64_t)(digit ? c - '0' : (c & 7) + 9);
        if (n > 0x10ffff) return false;
    }
    *code = (uint32_t)n;
    return name.len > 2;
}

static result read_reference(struct xml_reader *r, struct xml_unit *u)
{
    static const char *const names[] = {"lt", "gt", "amp", "apos", "quot"};
    slice rest = slice_after(r->raw, r->at + 1);
    size_t len = slice_find(rest, ';');
    slice name = slice_range(rest, 0, len);
    uint32_t code;
    ENSURE(len < rest.len, XML_ENTITY);
    r->at += len + 2;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!slice_is(name, names[i])) continue;
        put_character(u, (unsigned char)"<>&'\""[i]);
        return OK;
    }
    ENSURE(read_code(name, &code), XML_ENTITY);
    put_character(u, code);
    return OK;
}

result xml_read(struct xml_reader *r, struct xml_unit *u)
{
    u->len = 0;
    if (r->at == r->raw.len) return OK;
    char c = r->raw.at[r->at];
    if (c == '&' && (r->kind == XML_TEXT || r->kind == XML_ATTRIBUTE)) return read_reference(r, u);
    r->at++;
    if (c == '\r') { /* a line end, alone or before a line feed */
        if (r->at < r->raw.len && r->raw.at[r->at] == '\n') r->at++;
        c = '\n';
    }
    if (r->kind == XML_ATTRIBUTE && xml_is_space(c)) c = ' ';
    if (r->is_latin1 && (unsigned char)c >= 0x80) {
        put_character(u, (unsigned char)c);
        return OK;
    }
    u->bytes[0] = c;
    u->len = 1;
    return OK;
}

result xml_compare(struct xml_reader r, slice text, struct xml_span text_span, struct xml_span *raw_span)
{
    size_t n = 0;
    struct xml_unit u;
    *raw_span = (struct xml_span){r.raw.len, r.raw.len};
    for (;;) {
        if (n == text_span.from && raw_span->from == r.raw.len) raw_span->from = r.at;
        TRY(xml_read(&r, &u));
        if (u.len == 0) break;
        ENSURE(text.len - n >= u.len && memcmp(text.at + n, u.bytes, u.len) == 0, XML_MISREAD);
        n += u.len;
        if (n == text_span.to) raw_span->to = r.at;
    }
    ENSURE(n == text.len, XML_MISREAD);
    return OK;
}

static size_t skip_space(slice s, size_t at)
{
    while (at < s.len && xml_is_space(s.at[at])) at++;
    return at;
}

static bool ends_name(char c)
{
    return xml_is_space(c) || c == '=' || c == '/' || c == '>';
}

static size_t skip_name(slice s, size_t at)
{
    while (at < s.len && !ends_name(s.at[at])) at++;
    return at;
}

bool xml_next_attribute(slice tag, size_t *at, struct xml_attribute *out)
{
    if (*at == 0) *at = skip_name(tag, 1);
    size_t name = skip_space(tag, *at), name_end = skip_name(tag, name);
    if (name_end == name) return false;
    size_t quote = skip_space(tag, name_end);
    if (quote == tag.len || tag.at[quote] != '=') return false;
    quote = skip_space(tag, quote + 1);
    if (quote == tag.len || (tag.at[quote] != '"' && tag.at[quote] != '\'')) return false;
    size_t value_len = slice_find(slice_after(tag, quote + 1), tag.at[quote]);
    out->name = slice_range(tag, name, name_end);
    out->from = quote + 1;
    out->to = quote + 1 + value_len;
    *at = out->to + 1;
    return *at < tag.len;
}
