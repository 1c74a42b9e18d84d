/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/answer_envelope.h"

#include "body/json_pick.h"
#include "body/utf8.h"
#include "exchange_priv.h"
#include "media.h"

enum { NO_CONTENT = 204, RESET_CONTENT = 205, NOT_MODIFIED = 304 };

/* --- the document --- */

static bool is_text(slice s, bool is_foreign)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bool is_control = (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
        if (is_control || (is_foreign && c >= 0x80)) return false;
    }
    return utf8_is_valid(s);
}

static void ignore_value(void *owner, uint32_t path, slice value, bool is_value_text)
{
    (void)owner;
    (void)path;
    (void)value;
    (void)is_value_text;
}

/* ERR_JSON_…, ERR_UTF8: it is none. */
static result parse_json(slice text)
{
    struct path_set *none = path_set_new(PATH_JSON);
    ENSURE(none != NULL, MEMORY);
    result r = json_pick(none, text, ignore_value, NULL);
    path_set_free(none);
    return r;
}

static result write_data(slice answer, bool is_foreign, struct buf *out)
{
    if (answer.len == 0) return buf_append(out, SLICE("null"));
    result parsed = parse_json(answer);
    if (!failed(parsed)) return buf_append(out, answer);
    if (parsed.err == ERR_MEMORY) return parsed;
    ENSURE(is_text(answer, is_foreign), ENVELOPE_TEXT);
    TRY(buf_append(out, SLICE("\"")));
    TRY(encoding_write(answer, ENCODING_JSON_STRING, out));
    return buf_append(out, SLICE("\""));
}

result answer_envelope_write(int status, slice answer, bool is_foreign, struct buf *out)
{
    TRY(buf_append(out, SLICE("{\"status\":")));
    TRY(buf_append_u64(out, (uint64_t)status));
    TRY(buf_append(out, SLICE(",\"data\":")));
    TRY(write_data(answer, is_foreign, out));
    return buf_append(out, SLICE("}"));
}

/* --- of an exchange --- */

/* Where no content may be, no envelope can (RFC 9110 15.3.5, 15.3.6, 15.4.5). */
bool envelope_is_worn(const struct exchange *x)
{
    return x->has_envelope && x->status != NO_CONTENT && x->status != RESET_CONTENT && x->status != NOT_MODIFIED;
}

bool envelope_replaces(slice name)
{
    return slice_ieq(name, SLICE("content-type")) || media_is_digest_field(name);
}

static bool is_foreign(slice charset)
{
    return charset.at && !slice_ieq(charset, SLICE("utf-8")) && !slice_ieq(charset, SLICE("utf8"));
}

result envelope_begin(struct exchange *x, const struct http_head *h)
{
    size_t most = x->route->config->body_buffer_bytes;
    ENSURE(h->framing != HTTP_LENGTH || h->length <= most, ENVELOPE_SIZE);
    x->is_foreign_text = is_foreign(media_parameter(h, "charset"));
    buf_done(&x->collected);
    buf_init_secret(&x->collected, most);
    return OK;
}

result envelope_put_on(struct exchange *x)
{
    struct buf whole;
    if (!envelope_is_worn(x) || x->is_head_method || x->answer != ANSWER_COLLECTED) return OK;
    buf_init_secret(&whole, SCRATCH_MAX_BYTES);
    result r = answer_envelope_write(x->status, buf_slice(&x->collected), x->is_foreign_text, &whole);
    if (failed(r)) {
        buf_done(&whole);
        return r.err == ERR_TOO_LARGE ? FAIL(ENVELOPE_SIZE) : r;
    }
    buf_done(&x->collected);
    x->collected = whole;
    return OK;
}
