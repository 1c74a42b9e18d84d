/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "call.h"

#include <stdio.h>

result append_time(struct buf *out, slice before, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_rfc3339(wall_ms, text);
    return json_append_member(out, before, slice_of(text));
}

result append_expiry(struct buf *out, slice before, unsigned month, unsigned year)
{
    char expiry[16];
    int len = snprintf(expiry, sizeof expiry, "%02u/%04u", month, year);
    ENSURE(len > 0 && (size_t)len < sizeof expiry, INTERNAL);
    return json_append_member(out, before, slice_of(expiry));
}

result append_card_info(struct buf *out, const struct card_info *i, int64_t expires_ms)
{
    TRY(json_append_member(out, SLICE("\"token\":\""), token_id_slice(i->alias.len ? &i->alias : &i->token)));
    if (i->alias.len) TRY(json_append_member(out, SLICE(",\"card_token\":\""), token_id_slice(&i->token)));
    if (i->alias_fell) TRY(buf_append(out, SLICE(",\"format_full\":true")));
    TRY(json_append_member(out, SLICE(",\"status\":\""),
                           i->state == CARD_ACTIVE ? SLICE("ACTIVE") : SLICE("PAN_REMOVED")));
    TRY(json_append_member(out, SLICE(",\"card\":{\"number\":\""), slice_of(i->mask.number)));
    TRY(json_append_member(out, SLICE(",\"brand\":\""), slice_of(i->mask.brand)));
    TRY(append_expiry(out, SLICE(",\"expiration_date\":\""), i->month, i->year));
    TRY(buf_append(out, i->has_holder ? SLICE(",\"has_holder\":true}") : SLICE(",\"has_holder\":false}")));
    TRY(append_time(out, SLICE(",\"created_at\":\""), i->created_ms));
    if (expires_ms) return append_time(out, SLICE(",\"expires_at\":\""), expires_ms);
    return append_time(out, SLICE(",\"updated_at\":\""), i->updated_ms);
}

result append_transaction_info(const struct service_call *c, slice type, slice reference, slice status, struct buf *out)
{
    char request[REQUEST_ID_BYTES];
    struct token_id fresh; /* a UUID, as a token's id is */
    if (reference.len == 0) {
        TRY(token_id_make(TOKEN_PERMANENT, &fresh));
        reference = token_id_slice(&fresh);
    }
    request_id_text(c->request.caller.request, request);
    TRY(json_append_member(out, SLICE("\"transaction_info\":{\"type\":\""), type));
    TRY(json_append_member(out, SLICE(",\"reference_code\":\""), reference));
    TRY(json_append_member(out, SLICE(",\"request_id\":\""), (slice){request, sizeof request}));
    TRY(json_append_member(out, SLICE(",\"status\":\""), status));
    TRY(append_time(out, SLICE(",\"created_at\":\""), clock_wall_ms()));
    return buf_append(out, SLICE("}"));
}
