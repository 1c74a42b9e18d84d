/* SPDX-License-Identifier: Apache-2.0 */
#include "multipart_head.h"

#include "base/ascii.h"
#include "charset.h"

#include <string.h>

void part_head_begin(struct part_head *h, bool is_form)
{
    memset(h, 0, offsetof(struct part_head, name));
    h->is_form = is_form;
    h->is_text = true;
}

static size_t token_len(slice s)
{
    size_t n = 0;
    while (n < s.len && ascii_is_token_char(s.at[n])) n++;
    return n;
}

/* A quoted string: a backslash escapes a quote or another backslash (RFC 2045's quoted-pair); before anything else it is itself, as
 * in the paths that old browsers send. *used: with both quotes. */
static result read_quoted_text(slice s, char *room, size_t *len, size_t *used)
{
    size_t i = 1;
    *len = 0;
    while (i < s.len && s.at[i] != '"') {
        if (s.at[i] == '\\' && i + 1 < s.len && (s.at[i + 1] == '"' || s.at[i + 1] == '\\')) i++;
        ENSURE(*len < PART_NAME_MAX_BYTES, MULTIPART_HEAD);
        room[(*len)++] = s.at[i++];
    }
    ENSURE(i < s.len, MULTIPART_HEAD);
    *used = i + 1;
    return OK;
}

/* Takes "; name=value" off the front. *name is empty at the end. */
static result next_parameter(slice *rest, slice *name, char *room, size_t *len)
{
    *rest = slice_trim(*rest);
    *name = SLICE_NONE;
    *len = 0;
    if (rest->len == 0) return OK;
    ENSURE(rest->at[0] == ';', MULTIPART_HEAD);
    *rest = slice_trim(slice_after(*rest, 1));
    if (rest->len == 0) return OK;
    size_t n = token_len(*rest), used;
    ENSURE(n > 0 && n < rest->len && rest->at[n] == '=', MULTIPART_HEAD);
    *name = slice_range(*rest, 0, n);
    *rest = slice_after(*rest, n + 1);
    if (rest->len > 0 && rest->at[0] == '"') {
        TRY(read_quoted_text(*rest, room, len, &used));
    } else {
        used = token_len(*rest);
        ENSURE(used > 0 && used <= PART_NAME_MAX_BYTES, MULTIPART_HEAD);
        memcpy(room, rest->at, used);
        *len = used;
    }
    *rest = slice_after(*rest, used);
    return OK;
}

/* form-data; name="card"; filename="a.csv". In other kinds of multipart it may be any, and need not have a name. */
static result read_disposition(struct part_head *h, slice value)
{
    char room[PART_NAME_MAX_BYTES];
    bool has_name = false;
    size_t n = token_len(value), len;
    ENSURE(!h->has_disposition && (!h->is_form || slice_ieq(slice_range(value, 0, n), SLICE("form-data"))), MULTIPART_HEAD);
    h->has_disposition = true;
    slice rest = slice_after(value, n), name;
    for (;;) {
        TRY(next_parameter(&rest, &name, room, &len));
        if (name.len == 0) break;
        if (slice_ieq(name, SLICE("filename")) || slice_ieq(name, SLICE("filename*"))) h->is_file = true;
        ENSURE(!slice_ieq(name, SLICE("name*")), MULTIPART_HEAD); /* RFC 7578 section 4.2 has no such form of it */
        if (!slice_ieq(name, SLICE("name"))) continue;
        ENSURE(!has_name, MULTIPART_HEAD); /* readers differ in which of two they take */
        has_name = true;
        memcpy(h->name, room, len);
        h->name_len = len;
    }
    ENSURE(has_name || !h->is_form, MULTIPART_HEAD);
    return OK;
}

static bool starts_ignoring_case(slice s, slice start)
{
    return s.len >= start.len && slice_ieq(slice_range(s, 0, start.len), start);
}

static result read_type(struct part_head *h, slice value)
{
    char room[PART_NAME_MAX_BYTES];
    size_t end = slice_find(value, ';'), len;
    slice type = slice_trim(slice_range(value, 0, end)), rest = slice_after(value, end), name;
    ENSURE(!h->has_type, MULTIPART_HEAD);
    h->has_type = true;
    h->is_text = starts_ignoring_case(type, SLICE("text/"));
    ENSURE(type.len <= sizeof h->type, MULTIPART_HEAD);
    memcpy(h->type, type.at, type.len);
    h->type_len = type.len;
    ENSURE(!starts_ignoring_case(type, SLICE("multipart/")) && !starts_ignoring_case(type, SLICE("message/")), MULTIPART_NESTED);
    for (;;) {
        TRY(next_parameter(&rest, &name, room, &len));
        if (name.len == 0) return OK;
        if (!slice_ieq(name, SLICE("charset"))) continue;
        ENSURE(h->charset_len == 0 && len <= sizeof h->charset && charset_is_readable((slice){room, len}), MULTIPART_CHARSET);
        memcpy(h->charset, room, len);
        h->charset_len = len;
    }
}

static result read_coding(struct part_head *h, slice value)
{
    static const char *const plain[] = {"7bit", "8bit", "binary"};
    ENSURE(!h->has_coding, MULTIPART_HEAD);
    h->has_coding = true;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (slice_ieq(value, slice_of(plain[i]))) return OK;
    h->is_coded = true;
    return OK;
}

result part_head_line(struct part_head *h, slice line)
{
    size_t n = token_len(line); /* 0: also a line folded to the one before */
    ENSURE(n > 0 && n < line.len && line.at[n] == ':' && ++h->fields <= PART_FIELDS_MAX, MULTIPART_HEAD);
    for (size_t i = 0; i < line.len; i++) ENSURE(((unsigned char)line.at[i] >= 0x20 || line.at[i] == '\t') && line.at[i] != 0x7f, MULTIPART_HEAD);
    slice name = slice_range(line, 0, n), value = slice_trim(slice_after(line, n + 1));
    if (slice_ieq(name, SLICE("content-disposition"))) return read_disposition(h, value);
    if (slice_ieq(name, SLICE("content-type"))) return read_type(h, value);
    if (slice_ieq(name, SLICE("content-transfer-encoding"))) return read_coding(h, value);
    return OK;
}

result part_head_end(const struct part_head *h)
{
    ENSURE(h->has_disposition || !h->is_form, MULTIPART_HEAD);
    return OK;
}
