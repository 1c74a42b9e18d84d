/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "base/log.h"
#include "net/listener.h"

/* One line per exchange: enums, numbers and checked words; never a stranger's bytes (PCI DSS 10.2.2: who, what, when, result,
 * where from). */

static void log_peer(const struct exchange *x)
{
    char text[INET6_ADDRSTRLEN];
    if (!x->client) return;
    address_host_text(client_peer(x->client), text);
    log_word("peer", slice_of(text));
}

static void log_timing(const struct exchange *x)
{
    uint64_t now = loop_now_us(x->proxy->loop);
    log_u64("us", now - x->started_us);
    if (x->resolved_us > x->asked_us) log_u64("keeper_us", x->resolved_us - x->asked_us);
    if (x->answered_us > x->sent_us) log_u64("upstream_us", x->answered_us - x->sent_us);
}

/* The token that credential and fallback speak of: the one that the caller is told of. */
static void log_card(const struct exchange *x)
{
    uint32_t tokens = x->tokens ? token_table_count(x->tokens) : 0;
    if (!tokens) return;
    log_u64("tokens", tokens);
    log_word("token", token_table_id(x->tokens, x->told_of ? x->told_of - 1 : 0));
    if (!x->guard) return;
    log_text("credential", credential_kind_name(x->choice.kind));
    if (fallback_name(x->choice.fallback)) log_text("fallback", fallback_name(x->choice.fallback));
    if (x->echoes) log_u64("echoes", x->echoes);
}

/* What the processor said of the payment, attempt by attempt. Its own codes are words of its making: checked, and short. */
static void log_attempt(const struct attempt *a, const char *verdict, const char *reason, const char *code)
{
    if (a->verdict.what == PAYMENT_UNKNOWN) return;
    log_text(verdict, payment_verdict_name(a->verdict.what));
    if (a->verdict.reason == DECLINE_NONE) return;
    log_text(reason, decline_name(a->verdict.reason));
    log_word(code, (slice){a->verdict.code, a->verdict.code_len});
}

static void log_payment(const struct exchange *x)
{
    if (x->attempt == 0 && !x->retry_failure) {
        log_attempt(&x->attempts[0], "payment", "decline", "decline_code");
        return;
    }
    log_attempt(&x->attempts[0], "first_payment", "first_decline", "first_decline_code");
    log_attempt(&x->attempts[1], "payment", "decline", "decline_code");
    log_u64("pan_retry", 1);
    if (x->retry_failure) log_error("pan_retry_failed", x->retry_failure);
}

/* What became aliases. fell: of a longer format than the route's, because that had no room. */
static void log_captured(const struct exchange *x)
{
    const struct capture_counts c = matches_now(x).captured;
    if (c.cards) log_u64("captured_cards", c.cards);
    if (c.cvcs) log_u64("captured_cvcs", c.cvcs);
    if (c.invalid) log_u64("invalid_fields", c.invalid);
    if (c.fell) log_u64("longer_aliases", c.fell);
}

void exchange_log(const struct exchange *x)
{
    char id[REQUEST_ID_BYTES];
    const struct config *config = x->gate->config;
    request_id_text(x->id, id);
    log_begin(x->error ? error_level(x->error) : LOG_LEVEL_INFO, "exchange");
    log_word("request", (slice){id, sizeof id});
    log_u64("status", (uint64_t)x->status);
    if (x->error) log_error("reason", x->error);
    if (x->refusal) log_text("reason", refusal_name(x->refusal));
    if (x->upstream_refusal) log_text("upstream_refusal", refusal_name(x->upstream_refusal));
    if (x->error && x->request != REQUEST_UNSENT && !x->upstream_status) log_text("outcome", "unknown");
    if (x->route) log_word("route", x->route->config->name);
    if (target_host(x).at) log_word("target", target_host(x));
    if (x->merchant >= 0 && (size_t)x->merchant < config->merchant_count)
        log_word("merchant", config->merchants[x->merchant].name);
    if (x->key_id_len) log_word("key", (slice){x->key_id, x->key_id_len});
    if (x->route && x->route->config->direction != DIRECTION_FORWARD_PULL)
        log_text("direction", route_direction_name(x->route->config->direction));
    log_card(x);
    log_captured(x);
    log_payment(x);
    if (x->upstream_status) log_u64("upstream_status", (uint64_t)x->upstream_status);
    log_u64("bytes_in", x->bytes_in);
    log_u64("bytes_out", x->bytes_out);
    log_timing(x);
    log_peer(x);
    log_end();
}
