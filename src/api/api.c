/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include "base/clock.h"
#include "call.h"
#include "sign/authorization.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_MAGIC = 0x61706963, BODY_MAX_BYTES = 64 * 1024 };

/* The first that takes the path: "/v1/tokens/enroll" has the form of a token's. */
static const struct endpoint *const endpoints[] = {
    &firstoken_removal_endpoint, &tokens_endpoint,  &transactions_endpoint,   &enrol_endpoint,  &credentials_endpoint, &reports_endpoint,
    &events_endpoint,            &aliases_endpoint, &field_sessions_endpoint, &fields_endpoint, &firstoken_endpoint,   &token_endpoint,
};

static const struct endpoint *find(slice path, slice method)
{
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        const struct endpoint *e = endpoints[i];
        if (e->takes(path) && (e->only.len == 0 || slice_eq(method, e->only))) return e;
    }
    return NULL;
}

static bool takes(slice path)
{
    return find(path, SLICE_NONE) != NULL;
}

struct service_call *call_from(void *owner)
{
    struct service_call *c = owner;
    assert(c->magic == CALL_MAGIC);
    return c;
}

/* --- the end --- */

static void call_free(void *object)
{
    struct service_call *c = call_from(object);
    if (c->endpoint->end) c->endpoint->end(c);
    c->magic = 0;
    free(c);
}

/* told: the caller gets what he asked for, the ids of new temporal tokens among it. */
static void call_end(struct service_call *c, bool told)
{
    if (c->nothing_left)
        keeper_end_unsent(c->dialogue);
    else if (told)
        keeper_end(c->dialogue);
    else
        keeper_end_untold(c->dialogue);
    c->dialogue = NULL;
    loop_free_later(c->request.loop, call_free, c);
}

result call_write_failure(result r, struct buf *out, struct service_answer *a)
{
    a->status = error_status(r.err);
    a->error = r.err;
    slice path = r.err == ERR_CARD_FORMAT ? SLICE("format") : SLICE_NONE;
    return envelope_append_failure(out, &(struct failure){.code = error_name(r.err), .text = error_text(r.err), .path = path});
}

static void answer(struct service_call *c, result r)
{
    struct buf json;
    struct service_answer a = {.status = failed(r) ? error_status(r.err) : 200, .error = r.err, .key_id = {c->key_id, c->key_id_len}};
    if (c->endpoint->answer_is_secret)
        buf_init_secret(&json, c->endpoint->answer_max_bytes);
    else
        buf_init(&json, c->endpoint->answer_max_bytes);
    result written = c->endpoint->write(c, r, &json, &a);
    if (failed(written)) {
        buf_clear(&json);
        result ignored = call_write_failure(written, &json, &a); /* an empty body, then: the status says enough */
        (void)ignored;
    }
    a.json = buf_slice(&json);
    if (a.error == ERR_METHOD && !a.allow.at) a.allow = c->endpoint->methods;
    call_end(c, !a.error);
    c->done(c->owner, &a);
    buf_done(&json);
}

void call_settle(struct service_call *c)
{
    assert(c->waiting > 0);
    if (--c->waiting == 0) answer(c, OK);
}

/* --- the beginning --- */

/* A name that no merchant can have makes the key a wrong one. <pair> has the key until the keeper is asked. */
static void take_basic(struct service_call *c, struct buf *pair)
{
    const struct http_head *head = c->request.head;
    struct keeper_caller *caller = &c->request.caller;
    slice value = http_head_get(head, "authorization"), user, key;
    if (caller->api_key.at || !authorization_take_scheme(&value, SLICE("basic"))) return;
    caller->api_key = SLICE("");
    if (http_head_count(head, "authorization") != 1 || failed(authorization_read_basic(value, pair, &user, &key))) return;
    if (!key.at || user.len == 0 || user.len > sizeof c->user) return;
    memcpy(c->user, user.at, user.len);
    c->user_len = user.len;
    caller->api_key = key;
}

/* The key is right: is it of the merchant who was named with it? Not told from a wrong key. */
static result check_user(const struct service_call *c)
{
    const struct config *config = c->request.config;
    if (c->user_len == 0) return OK;
    ENSURE(c->merchant < config->merchant_count, KEY_WRONG);
    ENSURE(slice_eq(config->merchants[c->merchant].name, (slice){c->user, c->user_len}), KEY_WRONG);
    return OK;
}

void call_opened(void *owner, result r, uint32_t merchant, slice key_id)
{
    struct service_call *c = call_from(owner);
    c->merchant = merchant;
    c->key_id_len = key_id.len < sizeof c->key_id ? key_id.len : sizeof c->key_id;
    if (c->key_id_len) memcpy(c->key_id, key_id.at, c->key_id_len);
    if (!failed(r)) r = check_user(c);
    if (!failed(r)) r = c->endpoint->ask(c);
    if (failed(r) || c->waiting == 0) answer(c, r);
}

static result open_dialogue(struct service_call *c)
{
    struct buf pair;
    buf_init_secret(&pair, AUTHORIZATION_BASIC_MAX_BYTES);
    if (c->endpoint->takes_basic) take_basic(c, &pair);
    c->dialogue = keeper_open(c->request.keeper, &c->request.caller, &c->endpoint->handlers, c);
    buf_done(&pair);
    c->request.caller.api_key = SLICE_NONE; /* it is in the frame by now */
    ENSURE(c->dialogue != NULL, MEMORY);
    return OK;
}

static struct service_call *start(const struct service_request *request, service_done done, void *owner)
{
    const struct endpoint *e = find(request->head->path, request->head->method);
    struct service_call *c = calloc(1, e->bytes);
    if (!c) {
        done(owner, &(struct service_answer){.status = 503, .error = ERR_MEMORY});
        return NULL;
    }
    *c = (struct service_call){.magic = CALL_MAGIC, .endpoint = e, .request = *request, .done = done, .owner = owner};
    c->request.caller.purpose = KEEPER_FOR_API;
    result r = e->understand(c);
    if (!failed(r) && !c->needs_nobody) {
        r = open_dialogue(c);
        if (!failed(r)) return c;
    }
    answer(c, r);
    return NULL;
}

static void cancel(struct service_call *c)
{
    call_end(call_from(c), false);
}

const struct service api_service = {.takes = takes, .max_body_bytes = BODY_MAX_BYTES, .start = start, .cancel = cancel};

/* --- what several endpoints need --- */

/* Demanded, not guessed: a page of any site may have a browser post a form or text/plain to a listener that needs no key, but
 * not application/json (Fetch 2.2.2, "CORS-safelisted request-header"). */
bool call_is_json(const struct service_call *c)
{
    const struct http_head *head = c->request.head;
    slice value = http_head_get(head, "content-type");
    slice type = slice_trim(slice_range(value, 0, slice_find(value, ';')));
    return http_head_count(head, "content-type") == 1 && slice_ieq(type, SLICE("application/json"));
}

bool call_has_network(const struct service_call *c)
{
    const struct config *config = c->request.config;
    return c->merchant < config->merchant_count && config->merchants[c->merchant].network >= 0;
}

result call_take_token(struct service_call *c, slice after)
{
    struct token_id id;
    slice path = c->request.head->path;
    size_t before = sizeof "/v1/tokens/" - 1;
    assert(path.len >= before + after.len);
    c->subject = slice_range(path, before, path.len - after.len);
    ENSURE(token_id_from(c->subject, &id), TOKEN_NOT_FOUND);
    return OK;
}
