/* SPDX-License-Identifier: Apache-2.0 */
#include "compat.h"
#include "http/writer.h"

/* What was replaced, told in header fields: to who asked, and on push routes to the merchant too.
 *
 *     x-cardveil-matches: captured-cards=2, captured-cvcs=1, revealed-cards=0, revealed-cvcs=0       (a dictionary, RFC 8941)
 *     x-cardveil-masked: ALIAS=411111xxxxxx1111; …                                                   (to the merchant only)    */

struct matches matches_now(const struct exchange *x)
{
    struct matches m = {.captured = x->capture ? capture_counts(x->capture) : x->captured};
    if (x->tokens) m.revealed = token_table_revealed(x->tokens);
    return m;
}

static result append_count(struct buf *out, slice name, uint64_t n)
{
    TRY(buf_append(out, name));
    return buf_append_u64(out, n);
}

static result write_counts(struct buf *out, const struct matches *m)
{
    TRY(append_count(out, SLICE("x-cardveil-matches: captured-cards="), m->captured.cards));
    TRY(append_count(out, SLICE(", captured-cvcs="), m->captured.cvcs));
    TRY(append_count(out, SLICE(", revealed-cards="), m->revealed.cards));
    TRY(append_count(out, SLICE(", revealed-cvcs="), m->revealed.cvcs));
    return buf_append(out, SLICE("\r\n"));
}

/* Asked for by the merchant, or by his route. A partner's word does not count. */
static bool wants_masked(const struct exchange *x)
{
    bool is_asked = !config_route_is_push(x->route->config) && x->asks_masked;
    return x->capture && (x->route->config->masked || is_asked);
}

result matches_write_masked(const struct exchange *x, slice name, struct buf *out)
{
    struct buf pairs;
    buf_init(&pairs, MASKED_MAX_BYTES);
    result r = capture_write_masked(x->capture, &pairs);
    if (!failed(r) && pairs.len) r = http_write_field(out, name, buf_slice(&pairs));
    buf_done(&pairs);
    return r;
}

result matches_write_fields(const struct exchange *x, struct buf *out, bool to_merchant)
{
    struct matches m = matches_now(x);
    TRY(write_counts(out, &m));
    if (to_merchant && wants_masked(x)) TRY(matches_write_masked(x, SLICE("x-cardveil-masked"), out));
    return compat_write_fields(x, out, to_merchant);
}
