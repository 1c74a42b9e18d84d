/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy_key.h"

#include "base/buf.h"
#include "sign/encoding.h"

#include <string.h>

enum { BASIC_MAX_BYTES = 512 };

static bool take_scheme(slice *value, slice scheme)
{
    if (value->len <= scheme.len || !slice_ieq(slice_range(*value, 0, scheme.len), scheme) || value->at[scheme.len] != ' ') return false;
    *value = slice_trim(slice_after(*value, scheme.len));
    return true;
}

static void keep(slice key, struct proxy_key *out)
{
    if (key.len > sizeof out->text) return;
    if (key.len) memcpy(out->text, key.at, key.len);
    out->len = key.len;
}

static void keep_basic(slice encoded, struct proxy_key *out)
{
    struct buf pair;
    buf_init_secret(&pair, BASIC_MAX_BYTES);
    if (!failed(base64_read(encoded, &pair))) {
        slice text = buf_slice(&pair), user = slice_range(text, 0, slice_find(text, ':'));
        slice password = user.len < text.len ? slice_after(text, user.len + 1) : SLICE_NONE;
        keep(password.len ? password : user, out);
    }
    buf_done(&pair);
}

void proxy_key_read(const struct http_head *h, struct proxy_key *out)
{
    size_t count = http_head_count(h, "proxy-authorization");
    slice value = http_head_get(h, "proxy-authorization");
    *out = (struct proxy_key){.is_given = count > 0};
    if (count != 1) return; /* of two keys neither counts */
    if (take_scheme(&value, SLICE("bearer")))
        keep(value, out);
    else if (take_scheme(&value, SLICE("basic")))
        keep_basic(value, out);
}
