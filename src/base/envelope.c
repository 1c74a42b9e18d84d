/* SPDX-License-Identifier: Apache-2.0 */
#include "base/envelope.h"

void request_id_text(uint64_t id, char out[REQUEST_ID_BYTES])
{
    for (int i = REQUEST_ID_BYTES - 1; i >= 0; i--) {
        bool is_middle = i == REQUEST_ID_BYTES / 2;
        out[i] = is_middle ? '-' : "0123456789abcdef"[id & 15];
        if (!is_middle) id >>= 4;
    }
}

result json_append_text(struct buf *out, slice text)
{
    size_t plain = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        TRY(buf_append(out, slice_range(text, plain, i)));
        plain = i + 1;
        if (c < 0x20) {
            TRY(buf_append(out, SLICE(" ")));
        } else {
            TRY(buf_append(out, SLICE("\\")));
            TRY(buf_append(out, slice_range(text, i, i + 1)));
        }
    }
    return buf_append(out, slice_after(text, plain));
}

result json_append_member(struct buf *out, slice before, slice value)
{
    TRY(buf_append(out, before));
    TRY(json_append_text(out, value));
    return buf_append(out, SLICE("\""));
}

/* "at byte 17 of the body", and what is wrong there if <f> says so. */
static result append_description(struct buf *out, const struct failure *f)
{
    TRY(buf_append(out, SLICE(",\"description\":\"")));
    if (f->has_offset) {
        TRY(buf_append(out, SLICE("at byte ")));
        TRY(buf_append_u64(out, f->offset));
        TRY(buf_append(out, f->is_of_answer ? SLICE(" of the answer") : SLICE(" of the body")));
        if (f->description.len) TRY(buf_append(out, SLICE(": ")));
    }
    TRY(json_append_text(out, f->has_offset || f->description.len ? f->description : slice_of(f->text)));
    return buf_append(out, SLICE("\""));
}

result envelope_append_failure(struct buf *out, const struct failure *f)
{
    TRY(json_append_member(out, SLICE("{\"status\":\"fail\",\"message\":\""), slice_of(f->text)));
    TRY(json_append_member(out, SLICE(",\"data\":{\"code\":\""), slice_of(f->code)));
    TRY(append_description(out, f));
    if (f->token.len) TRY(json_append_member(out, SLICE(",\"token\":\""), f->token));
    if (f->path.len) TRY(json_append_member(out, SLICE(",\"path\":\""), f->path));
    return buf_append(out, SLICE("}}\n"));
}
