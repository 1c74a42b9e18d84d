/* SPDX-License-Identifier: Apache-2.0 */
#include "sign/authorization.h"

#include "sign/encoding.h"

bool authorization_take_scheme(slice *value, slice scheme)
{
    if (value->len <= scheme.len || !slice_ieq(slice_range(*value, 0, scheme.len), scheme) || value->at[scheme.len] != ' ') return false;
    *value = slice_trim(slice_after(*value, scheme.len));
    return true;
}

result authorization_read_basic(slice encoded, struct buf *pair, slice *user, slice *password)
{
    TRY(base64_read(encoded, pair));
    slice text = buf_slice(pair);
    size_t colon = slice_find(text, ':');
    *user = slice_range(text, 0, colon);
    *password = colon < text.len ? slice_after(text, colon + 1) : SLICE_NONE;
    return OK;
}
