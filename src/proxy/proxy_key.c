/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy_key.h"

#include "base/buf.h"
#include "sign/authorization.h"

#include <string.h>

static void keep(slice key, struct proxy_key *out)
{
    if (key.len > sizeof out->text) return;
    if (key.len) memcpy(out->text, key.at, key.len);
    out->len = key.len;
}

static void keep_basic(slice encoded, struct proxy_key *out)
{
    struct buf pair;
    slice user, password;
    buf_init_secret(&pair, AUTHORIZATION_BASIC_MAX_BYTES);
    if (!failed(authorization_read_basic(encoded, &pair, &user, &password))) keep(password.len ? password : user, out);
    buf_done(&pair);
}

void proxy_key_read(const struct http_head *h, struct proxy_key *out)
{
    size_t count = http_head_count(h, "proxy-authorization");
    slice value = http_head_get(h, "proxy-authorization");
    *out = (struct proxy_key){.is_given = count > 0};
    if (count != 1) return; /* of two keys neither counts */
    if (authorization_take_scheme(&value, SLICE("bearer")))
        keep(value, out);
    else if (authorization_take_scheme(&value, SLICE("basic")))
        keep_basic(value, out);
}
