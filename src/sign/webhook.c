/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/webhook.h"

#include "base/secret.h"
#include "sign/digest.h"
#include "sign/encoding.h"

#include <assert.h>

enum { TIME_MAX_BYTES = 20, HEX_BYTES = 2 * SHA256_BYTES };

result webhook_signature_write(slice secret, int64_t time_s, slice body, struct buf *out)
{
    uint8_t mac[SHA256_BYTES];
    assert(time_s >= 0);
    TRY(buf_reserve(out,
                    sizeof "t=,s=" + TIME_MAX_BYTES + HEX_BYTES)); /* so that nothing below can leave half a field */
    TRY(buf_append(out, SLICE("t=")));
    size_t at = out->len;
    TRY(buf_append_u64(out, (uint64_t)time_s));
    TRY(hmac_sha256_timed(secret, slice_after(buf_slice(out), at), body, mac));
    TRY(buf_append(out, SLICE(",s=")));
    return hex_write((slice){(const char *)mac, sizeof mac}, out);
}

static bool in_time(slice time, int64_t now_s, int64_t age_s)
{
    uint64_t t;
    if (!slice_to_u64(time, INT64_MAX, &t)) return false;
    int64_t age = now_s - (int64_t)t; /* both are above zero: no overflow */
    return now_s >= 0 && age <= age_s && age >= -age_s;
}

bool webhook_signature_matches(slice field, slice secret, slice body, int64_t now_s, int64_t age_s)
{
    slice time;
    uint8_t mac[SHA256_BYTES];
    struct buf hex;
    if (!slice_starts(field, SLICE("t="))) return false;
    slice rest = slice_after(field, 2);
    if (!slice_next(&rest, ',', &time) || !slice_starts(rest, SLICE("s=")) || !in_time(time, now_s, age_s))
        return false;
    if (failed(hmac_sha256_timed(secret, time, body, mac))) return false;
    buf_init_secret(&hex, HEX_BYTES); /* the right signature: not for a sender of wrong ones to find */
    bool same = !failed(hex_write((slice){(const char *)mac, sizeof mac}, &hex)) &&
                slice_eq_secret(buf_slice(&hex), slice_after(rest, 2));
    buf_done(&hex);
    secret_wipe(mac, sizeof mac);
    return same;
}
