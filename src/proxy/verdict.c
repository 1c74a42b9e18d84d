/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/verdict.h"

#include "body/json_pick.h"

#include <stdlib.h>
#include <string.h>

const char *payment_verdict_name(enum payment_verdict v)
{
    static const char *const names[] = {[PAYMENT_UNKNOWN] = "unknown", [PAYMENT_APPROVED] = "approved",
                                        [PAYMENT_DECLINED] = "declined"};
    return names[v];
}

struct reading {
    const struct ruleset *rules;
    struct verdict *out;
    uint64_t matched;   /* entries of 'approved', by bit */
    bool is_final;      /* an entry of 'never_retry' matches, or the code is not clear */
    size_t code_rank;   /* place in 'decline_code' of the code that was read: the first one listed wins, whatever stands first */
};
enum { APPROVED_MAX = 64 };

static bool is_one_of(slice value, const slice *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(value, values[i])) return true;
    return false;
}

static void keep(slice value, char *room, size_t size, uint8_t *len)
{
    *len = 0;
    if (value.len > size) return;
    if (value.len) memcpy(room, value.at, value.len);
    *len = (uint8_t)value.len;
}

/* Two codes in one place are no clear decline: which of them the processor meant is anybody's guess. */
static void read_code(struct reading *r, uint32_t path, slice value)
{
    const struct ruleset *rules = r->rules;
    struct verdict *out = r->out;
    for (size_t i = 0; i <= r->code_rank && i < rules->decline_code_count; i++) {
        if (rules->decline_code_paths[i] != path || value.len == 0) continue;
        if (i == r->code_rank) {
            if (!slice_eq(value, (slice){out->code, out->code_len})) r->is_final = true;
            return;
        }
        keep(value, out->code, sizeof out->code, &out->code_len);
        r->code_rank = i;
        return;
    }
}

static void on_value(void *owner, uint32_t path, slice value, bool is_text)
{
    (void)is_text;
    struct reading *r = owner;
    const struct ruleset *rules = r->rules;
    for (size_t i = 0; i < rules->approved_count && i < APPROVED_MAX; i++) {
        const struct reply_match *m = &rules->approved[i];
        if (!m->is_status && m->path == path && is_one_of(value, m->values, m->value_count)) r->matched |= UINT64_C(1) << i;
    }
    for (size_t i = 0; i < rules->never_retry_count; i++) {
        const struct reply_match *m = &rules->never_retry[i];
        if (m->path == path && is_one_of(value, m->values, m->value_count)) r->is_final = true;
    }
    read_code(r, path, value);
    if (rules->network_transaction_id_path == (int64_t)path)
        keep(value, r->out->network_transaction_id, sizeof r->out->network_transaction_id, &r->out->network_transaction_id_len);
}

static bool status_matches(const struct reply_match *m, int status)
{
    uint64_t n;
    for (size_t i = 0; i < m->value_count; i++)
        if (slice_to_u64(m->values[i], 999, &n) && (int)n == status) return true;
    return false;
}

static bool is_approved(const struct reading *r, int status)
{
    const struct ruleset *rules = r->rules;
    for (size_t i = 0; i < rules->approved_count; i++) {
        const struct reply_match *m = &rules->approved[i];
        bool matches = m->is_status ? status_matches(m, status) : i < APPROVED_MAX && (r->matched >> i & 1);
        if (!matches) return false;
    }
    return rules->approved_count > 0;
}

static void judge_decline(const struct ruleset *rules, struct verdict *out)
{
    slice code = {out->code, out->code_len};
    out->what = PAYMENT_DECLINED;
    out->reason = DECLINE_UNKNOWN;
    for (size_t i = 0; i < rules->decline_count; i++) {
        if (!slice_eq(rules->declines[i].code, code)) continue;
        out->reason = rules->declines[i].reason;
        out->may_retry = decline_may_retry(out->reason);
        return;
    }
    if (!is_one_of(code, rules->pan_retry, rules->pan_retry_count)) return;
    out->reason = DECLINE_DECLINED;
    out->may_retry = true;
}

void verdict_of(const struct ruleset *rules, int status, slice body, struct verdict *out)
{
    struct reading r = {.rules = rules, .out = out, .code_rank = rules->decline_code_count};
    *out = (struct verdict){.what = PAYMENT_UNKNOWN};
    if (rules->approved_count == 0) return;
    bool is_clear = body.len > 0 && !failed(json_pick(rules->reply_paths, body, on_value, &r));
    if (!is_clear) {
        *out = (struct verdict){.what = PAYMENT_UNKNOWN}; /* what a broken document said before it broke counts for nothing */
        return;
    }
    if (is_approved(&r, status))
        out->what = PAYMENT_APPROVED;
    else if (status < 500 && out->code_len > 0)
        judge_decline(rules, out);
    if (r.is_final) out->may_retry = false;
}
