/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange_priv.h"

#include "base/metrics.h"
#include "base/secret.h"
#include "compat.h"
#include "proxy/proxy_key.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

/* The exchange's dialogue with the keeper: every token it meets is asked for as soon as it is known how it shall be paid with,
 * which is at once, unless the rules tell customer from merchant by a field of the body: then at its end. */

#define FORCED_KIND_FIELD "x-cardveil-card-token-type"
#define INITIATOR_FIELD "x-cardveil-initiator"
#define MASKED_FIELD "x-cardveil-masked"

/* What is wrong with a request is told to those who may send one: until the keeper knows the caller, it waits. */
static void on_opened(void *owner, result r, uint32_t merchant, slice key_id)
{
    struct exchange *x = exchange_from(owner);
    if (failed(r)) {
        exchange_refuse(x, r.err);
        return;
    }
    x->opened = true;
    x->merchant = merchant;
    x->key_id_len = key_id.len < sizeof x->key_id ? key_id.len : sizeof x->key_id;
    if (x->key_id_len) memcpy(x->key_id, key_id.at, x->key_id_len);
    if (!x->refusal_due) x->refusal_due = compat_check_merchant(x).err;
    if (!x->refusal_due) x->refusal_due = target_allow(x).err;
    if (x->refusal_due)
        exchange_refuse(x, x->refusal_due);
    else
        exchange_step(x);
}

/* --- asking --- */

static result ask_for(struct exchange *x, uint32_t index)
{
    const struct wish wish = {.wanted = x->streamed ? WANTED_PAN_STREAMED : x->wanted, .merchant_initiated = x->merchant_initiated};
    TRY(credential_set_reserve(&x->credentials, index));
    TRY(keeper_reveal(x->dialogue, index, token_table_id(x->tokens, index), token_table_kind(x->tokens, index), wish));
    if (x->waiting++ == 0 && !x->asked_us) x->asked_us = loop_now_us(x->proxy->loop);
    return OK;
}

void tokens_on_new(void *owner, uint32_t index)
{
    struct exchange *x = exchange_from(owner);
    if (x->awaits_initiator) return;
    result r = ask_for(x, index);
    if (failed(r)) x->error = r.err; /* told when the walker returns: this is inside it */
}

static result ask_for_all(struct exchange *x)
{
    for (uint32_t i = 0; i < token_table_count(x->tokens); i++) TRY(ask_for(x, i));
    return OK;
}

/* The body is there, and with it the field that tells who initiated the payment. */
result tokens_body_ended(struct exchange *x)
{
    if (!x->awaits_initiator) return OK;
    x->merchant_initiated = ruleset_means_merchant(x->route->config->rules, x->body ? body_captured(x->body) : SLICE_NONE);
    x->awaits_initiator = false;
    return ask_for_all(x);
}

/* A second attempt: every card anew, as its number. */
result tokens_ask_again(struct exchange *x)
{
    x->wanted = WANTED_PAN_RETRY;
    x->told_of = 0;
    return ask_for_all(x);
}

/* --- answers --- */

static result keep_credential(struct exchange *x, uint32_t index, const struct credential *revealed)
{
    TRY(credential_set_put(&x->credentials, index, revealed));
    token_table_reveal(x->tokens, index);
    if (x->answer_work == MESSAGE_REVEALS) return OK; /* it is the answer that they go into */
    if (!x->guard) x->guard = echo_guard_new();
    ENSURE(x->guard != NULL, MEMORY);
    return echo_guard_add(x->guard, revealed, token_table_id(x->tokens, index), token_table_kind(x->tokens, index));
}

/* A streamed body is not drained for each of its cards: many reveals come with one datagram. */
static bool is_worth_a_step(struct exchange *x)
{
    if (!x->streamed || x->waiting == 0 || ++x->undrained >= REVEALS_AT_ONCE) {
        x->undrained = 0;
        return true;
    }
    return false;
}

/* The caller is told of the first permanent token; of the first temporal one (a CVC, mostly) where there is no other. */
static bool is_told_of(struct exchange *x, uint32_t index)
{
    if (x->told_of) {
        enum token_kind told = token_table_kind(x->tokens, x->told_of - 1), kind = token_table_kind(x->tokens, index);
        bool comes_before = told == kind ? index + 1 < x->told_of : kind == TOKEN_PERMANENT;
        if (!comes_before) return false;
    }
    x->told_of = index + 1;
    return true;
}

static void on_revealed(void *owner, uint32_t index, result r, const struct credential *credential, const struct choice *choice)
{
    struct exchange *x = exchange_from(owner);
    assert(x->waiting > 0);
    if (!failed(r)) r = keep_credential(x, index, credential);
    if (failed(r)) {
        x->bad_token = index + 1;
        exchange_refuse(x, r.err);
        return;
    }
    if (is_told_of(x, index)) {
        x->choice = *choice;
        if (x->attempt) x->choice.fallback = FALLBACK_NONE; /* x-cardveil-pan-retry says why it is the PAN */
    }
    if (--x->waiting == 0) {
        x->resolved_us = loop_now_us(x->proxy->loop);
        metrics_time(HISTOGRAM_KEEPER, x->resolved_us - x->asked_us);
    }
    if (is_worth_a_step(x)) exchange_step(x);
}

static void on_signed(void *owner, uint32_t index, result r, slice signature)
{
    struct exchange *x = exchange_from(owner);
    (void)index;
    if (!failed(r)) r = signing_take(x->signing, signature);
    if (failed(r)) {
        exchange_refuse(x, r.err);
        return;
    }
    x->is_signed = true;
    exchange_step(x);
}

static const struct keeper_handlers handlers = {.on_opened = on_opened, .on_revealed = on_revealed, .on_captured = capture_on_answer,
                                               .on_signed = on_signed};

/* --- opening --- */

/* A word that is not known must not pass for "as you like": the caller meant one of the two. */
static result read_wanted(struct exchange *x)
{
    size_t count = http_head_count(x->head, FORCED_KIND_FIELD);
    if (count == 0) return OK;
    ENSURE(count == 1 && wanted_parse(http_head_get(x->head, FORCED_KIND_FIELD), &x->wanted), FORCED_KIND);
    return OK;
}

static result read_initiator(struct exchange *x)
{
    size_t count = http_head_count(x->head, INITIATOR_FIELD);
    slice value = http_head_get(x->head, INITIATOR_FIELD);
    if (count == 0) {
        x->awaits_initiator = x->plan->has_capture && !x->streamed;
        return OK;
    }
    x->merchant_initiated = slice_ieq(value, SLICE("merchant"));
    ENSURE(count == 1 && (x->merchant_initiated || slice_ieq(value, SLICE("customer"))), INITIATOR);
    return OK;
}

struct keeper_caller tokens_caller(const struct exchange *x)
{
    struct keeper_caller caller = {
        .listener = client_listen(x->client),
        .api_key = http_head_get(x->head, "x-api-key"),
        .request = x->id,
    };
    if (http_head_count(x->head, "x-api-key") > 1) caller.api_key = SLICE(""); /* which one? neither: it is a wrong key */
    (void)compat_api_key(x, &caller.api_key);
    const struct sockaddr *peer = client_peer(x->client);
    caller.peer.ss_family = peer->sa_family;
    if (peer->sa_family == AF_INET) memcpy(&caller.peer, peer, sizeof(struct sockaddr_in));
    if (peer->sa_family == AF_INET6) memcpy(&caller.peer, peer, sizeof(struct sockaddr_in6));
    return caller;
}

/* Through the forward proxy the key may come as the proxy's, with the request or with the tunnel. */
static void introduce(const struct exchange *x, struct keeper_caller *caller, struct proxy_key *key)
{
    const struct client_origin *origin = client_origin(x->client);
    if (origin) client_origin_introduce(origin, caller);
    if (origin || !x->is_proxied || caller->api_key.at) return;
    proxy_key_read(x->head, key);
    if (key->is_given) caller->api_key = (slice){key->text, key->len};
}

result tokens_open(struct exchange *x)
{
    struct keeper_caller caller = tokens_caller(x);
    struct proxy_key key = {.len = 0};
    const struct config_route *route = x->route->config;
    caller.purpose = config_route_is_push(route) ? KEEPER_FOR_PUSH : KEEPER_FOR_PROXY;
    caller.route = x->route->index;
    caller.permission = route->direction == DIRECTION_FILTER_PUSH ? PERMIT_TOKENIZE : PERMIT_PROXY;
    introduce(x, &caller, &key);
    x->dialogue = keeper_open(x->proxy->keeper, &caller, &handlers, x);
    secret_wipe(&key, sizeof key); /* it is in the frame by now */
    ENSURE(x->dialogue != NULL, MEMORY);
    if (x->request_work != MESSAGE_REVEALS) return OK; /* a partner has no say in it */
    x->asks_masked = slice_ieq(http_head_get(x->head, MASKED_FIELD), SLICE("yes"));
    TRY(read_wanted(x));
    return read_initiator(x);
}
