/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/report.h"

#include "base/clock.h"
#include "base/envelope.h"

#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 60 * 60 * 1000 };

static result append_count(struct buf *out, const char *before, uint64_t n)
{
    TRY(buf_append(out, slice_of(before)));
    return buf_append_u64(out, n);
}

/* Four decimals: a hundredth of a percent. */
static result append_share(struct buf *out, const char *before, double share)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%.4f", share);
    ENSURE(len > 0 && (size_t)len < sizeof text, INTERNAL);
    TRY(buf_append(out, slice_of(before)));
    return buf_append(out, slice_of(strcmp(text, "-0.0000") == 0 ? "0.0000" : text));
}

static result append_hour(struct buf *out, slice before, uint32_t hour)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_rfc3339((int64_t)hour * HOUR_MS, text);
    return json_append_member(out, before, slice_of(text));
}

static result append_outcomes(struct buf *out, const char *before, struct report_outcomes o)
{
    TRY(append_count(out, before, o.approved));
    TRY(append_count(out, ",\"declined\":", o.declined));
    TRY(append_count(out, ",\"unknown\":", o.unknown));
    return buf_append(out, SLICE("}"));
}

/* {"hits":9,"of":10,"rate":0.9000,"low":0.5958,"high":0.9821}; nothing is known of a rate behind which no count stands. */
static result append_proportion(struct buf *out, const char *before, const char *hits, struct proportion p)
{
    TRY(buf_append(out, slice_of(before)));
    TRY(append_count(out, hits, p.hits));
    TRY(append_count(out, ",\"of\":", p.n));
    if (p.n == 0) return buf_append(out, SLICE(",\"rate\":null}"));
    struct interval i = proportion_interval(p);
    TRY(append_share(out, ",\"rate\":", i.value));
    TRY(append_share(out, ",\"low\":", i.low));
    TRY(append_share(out, ",\"high\":", i.high));
    return buf_append(out, SLICE("}"));
}

static result append_difference(struct buf *out, struct proportion a, struct proportion b)
{
    if (a.n == 0 || b.n == 0) return buf_append(out, SLICE(",\"difference\":null}"));
    struct interval i = proportion_difference(a, b);
    TRY(append_share(out, ",\"difference\":{\"value\":", i.value));
    TRY(append_share(out, ",\"low\":", i.low));
    TRY(append_share(out, ",\"high\":", i.high));
    return buf_append(out, SLICE("}}"));
}

static result append_approval(struct buf *out, const char *before, struct proportion token, struct proportion pan)
{
    TRY(buf_append(out, slice_of(before)));
    TRY(append_proportion(out, "\"network_token\":{", "\"approved\":", token));
    TRY(append_proportion(out, ",\"card_pan\":{", "\"approved\":", pan));
    return append_difference(out, token, pan);
}

static result append_payments(struct buf *out, const uint64_t sums[COUNTER_COUNT])
{
    struct report_figures f;
    report_figures(sums, &f);
    TRY(append_outcomes(out, "\"payments\":{\"network_token\":{\"approved\":", f.token));
    TRY(append_outcomes(out, ",\"card_pan_of_cards_with_token\":{\"approved\":", f.pan_with_token));
    TRY(append_outcomes(out, ",\"card_pan_of_other_cards\":{\"approved\":", f.pan));
    TRY(append_outcomes(out, ",\"pan_retries\":{\"approved\":", f.retry));
    TRY(buf_append(out, SLICE("},\"fallbacks\":{")));
    for (size_t i = COUNTER_FALLBACK_NOT_SUPPORTED; i <= COUNTER_FALLBACK_BUDGET_SPENT; i++) {
        const char *name = counter_name((enum counter)i) + strlen("fallback_");
        TRY(json_append_member(out, i > COUNTER_FALLBACK_NOT_SUPPORTED ? SLICE(",\"") : SLICE("\""), slice_of(name)));
        TRY(append_count(out, ":", sums[i]));
    }
    TRY(append_proportion(out, "},\"comparison\":{\"share_of_network_token\":{", "\"payments\":", f.compared.share));
    TRY(append_approval(out, ",\"first_attempts\":{", f.compared.token, f.compared.pan));
    TRY(append_approval(out, ",\"with_pan_retries\":{", f.compared.token_retried, f.compared.pan));
    return buf_append(out, SLICE("}"));
}

static result append_provisioning(struct buf *out, const uint64_t sums[COUNTER_COUNT])
{
    bool is_first = true;
    TRY(append_count(out, ",\"provisioning\":{\"enrolments\":", sums[COUNTER_ENROL_ASKED]));
    TRY(append_proportion(out, ",\"success\":{", "\"provisioned\":", report_provisioned(sums)));
    TRY(buf_append(out, SLICE(",\"refused\":{")));
    for (size_t i = COUNTER_ENROL_INVALID_REQUEST; i <= COUNTER_ENROL_OTHER; i++) {
        if (sums[i] == 0) continue;
        const char *name = counter_name((enum counter)i) + strlen("refused_");
        TRY(json_append_member(out, is_first ? SLICE("\"") : SLICE(",\""), slice_of(name)));
        TRY(append_count(out, ":", sums[i]));
        is_first = false;
    }
    TRY(append_count(out, "},\"tokens_activated\":", sums[COUNTER_TOKENS_GAINED]));
    TRY(append_count(out, ",\"tokens_ended\":", sums[COUNTER_TOKENS_LOST]));
    return buf_append(out, SLICE("}"));
}

static result append_routes(struct buf *out, const struct report *r)
{
    TRY(buf_append(out, SLICE(",\"routes\":[")));
    for (size_t i = 0; i < r->route_count; i++) {
        const struct report_route *route = &r->routes[i];
        TRY(json_append_member(out, i ? SLICE(",{\"route\":\"") : SLICE("{\"route\":\""), (slice){route->name, route->name_len}));
        TRY(buf_append(out, SLICE(",")));
        TRY(append_payments(out, route->sums));
        TRY(buf_append(out, SLICE("}")));
    }
    return buf_append(out, SLICE("]"));
}

result report_write_json(const struct report *r, struct buf *out)
{
    TRY(append_hour(out, SLICE("\"from\":\""), r->range.from_hour));
    TRY(append_hour(out, SLICE(",\"to\":\""), r->range.to_hour));
    if (r->only.len) TRY(json_append_member(out, SLICE(",\"route\":\""), r->only));
    TRY(append_count(out, ",\"cards_with_token\":", r->activated > r->ended ? r->activated - r->ended : 0));
    TRY(append_provisioning(out, r->all));
    TRY(buf_append(out, SLICE(",")));
    TRY(append_payments(out, r->all));
    return append_routes(out, r);
}
