/* SPDX-License-Identifier: Apache-2.0 */
#include "tms_priv.h"

#include <stdlib.h>
#include <string.h>

/* What people and tests ask the simulated network, and tell it to do. */

enum { LATENCY_MAX_MS = 120 * 1000 };
static const char *const mode_names[] = {"normal", "reset", "down"};

static const struct field_rule mode_rules[] = {
    {"latency_ms", CHECK_INTEGER, 1, 6, false},
    {"mode", CHECK_TEXT, 4, 6, false},
};
static const struct field_rule event_rules[] = {{"state", CHECK_TEXT, 6, 9, true}};

bool tms_control_takes(slice path)
{
    return slice_is(path, "/_sandbox/network") || slice_starts(path, SLICE("/_sandbox/tms/"));
}

static result answer_mistake(struct sandbox_answer *a, int status, const char *text)
{
    struct json j = {.out = &a->body};
    a->status = status;
    json_open(&j, NULL, '{');
    json_text(&j, "error", slice_of(text));
    json_close(&j, '}');
    return j.failed ? FAIL(MEMORY) : OK;
}

/* --- what was handed out --- */

static void put_card_number(struct json *j, const char *name, const char *number, bool masked)
{
    char text[24];
    size_t len = strlen(number);
    snprintf(text, sizeof text, "%s", number);
    if (masked) memset(text + 6, '*', len - 10);
    json_text(j, name, slice_of(text));
}

static void put_token(struct json *j, const struct tms_token *token, bool masked)
{
    char expiry[16];
    snprintf(expiry, sizeof expiry, "%02u/%04u", token->month, token->year);
    json_open(j, NULL, '{');
    json_text(j, "id", slice_of(token->id));
    json_text(j, "instrument", slice_of(token->instrument));
    put_card_number(j, "card", token->card, masked);
    json_text(j, "suffix", slice_of(token->suffix));
    json_text(j, "reference", slice_of(token->reference));
    json_text(j, "state", slice_of(tms_state_name(token->state)));
    if (token->reason) json_text(j, "reason", slice_of(token->reason));
    put_card_number(j, "number", token->number, masked);
    if (token->provisioned) json_text(j, "expiry", slice_of(expiry));
    json_number(j, "asked", token->asked);
    json_number(j, "cryptograms", token->counter);
    json_close(j, '}');
}

static int by_card(const void *a, const void *b)
{
    return strcmp((*(const struct tms_token *const *)a)->card, (*(const struct tms_token *const *)b)->card);
}

/* "enrolments": how many tokens each card got, and how often that was asked for. */
static void put_enrolments(struct json *j, const struct tms_store *s, bool masked)
{
    size_t count = tms_store_count(s);
    const struct tms_token **tokens = calloc(count + 1, sizeof *tokens);
    if (!tokens) {
        j->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        tokens[i] = tms_store_at(s, i);
    qsort(tokens, count, sizeof *tokens, by_card);
    json_open(j, "enrolments", '[');
    for (size_t from = 0, to; from < count; from = to) {
        int64_t asked = 0;
        for (to = from; to < count && by_card(&tokens[from], &tokens[to]) == 0; to++)
            asked += tokens[to]->asked;
        json_open(j, NULL, '{');
        put_card_number(j, "card", tokens[from]->card, masked);
        json_number(j, "creates", (int64_t)(to - from));
        json_number(j, "asked", asked);
        json_close(j, '}');
    }
    json_close(j, ']');
    free(tokens);
}

static void put_cryptograms(struct json *j, const struct tms_store *s, bool masked)
{
    int64_t used = 0, repeated = 0;
    json_open(j, "cryptograms", '[');
    for (size_t i = 0; i < tms_store_cryptogram_count(s); i++) {
        const struct tms_cryptogram *c = tms_store_cryptogram_at(s, i);
        used += c->used > 0;
        repeated += c->used > 1;
        json_open(j, NULL, '{');
        json_text(j, "cryptogram", masked ? SLICE("****") : slice_of(c->text));
        json_text(j, "token", slice_of(tms_store_at(s, c->token)->id));
        json_number(j, "used", c->used);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_number(j, "cryptograms_used", used);
    json_number(j, "cryptograms_used_again", repeated);
}

static result answer_all(const struct tms *t, bool masked, struct sandbox_answer *a)
{
    struct json j = {.out = &a->body};
    a->status = 200;
    json_open(&j, NULL, '{');
    json_text(&j, "mode", slice_of(mode_names[t->mode]));
    json_number(&j, "latency_ms", (int64_t)t->latency_ms);
    json_number(&j, "unauthorized", (int64_t)t->refused);
    tms_notifier_write(t->notifier, &j);
    put_enrolments(&j, t->store, masked);
    json_open(&j, "tokens", '[');
    for (size_t i = 0; i < tms_store_count(t->store); i++)
        put_token(&j, tms_store_at(t->store, i), masked);
    json_close(&j, ']');
    put_cryptograms(&j, t->store, masked);
    json_close(&j, '}');
    return j.failed ? FAIL(TOO_LARGE) : OK;
}

/* --- what it is told to do --- */

static bool parse_mode(slice name, enum tms_mode *mode)
{
    for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++) {
        if (!slice_is(name, mode_names[i])) continue;
        *mode = (enum tms_mode)i;
        return true;
    }
    return false;
}

static result handle_mode(struct tms *t, const struct sandbox_request *q, struct sandbox_answer *a)
{
    struct fields f;
    slice name;
    uint64_t latency_ms = t->latency_ms;
    enum tms_mode mode = t->mode;
    bool good = !failed(fields_from_json(&f, q->pool, q->body)) &&
                fields_check(&f, mode_rules, sizeof mode_rules / sizeof *mode_rules, &name) == FAULT_NONE;
    if (good && fields_get(&f, "latency_ms"))
        good = slice_to_u64(fields_text(&f, "latency_ms"), LATENCY_MAX_MS, &latency_ms);
    if (good && fields_get(&f, "mode")) good = parse_mode(fields_text(&f, "mode"), &mode);
    if (!good)
        return answer_mistake(
            a, 400, "send {\"latency_ms\": 0 to 120000, \"mode\": \"normal\", \"reset\" or \"down\"}, either or both");
    t->latency_ms = latency_ms;
    t->mode = mode;
    return answer_all(t, true, a);
}

static result handle_event(struct tms *t, const struct sandbox_request *q, struct sandbox_answer *a)
{
    struct fields f;
    enum tms_event event;
    slice name, id, rest = slice_after(q->head->path, SLICE("/_sandbox/tms/").len);
    bool is_event = slice_next(&rest, '/', &id) && slice_is(rest, "event") && slice_is(q->head->method, "POST");
    struct tms_token *token = is_event ? tms_store_by_id(t->store, id) : NULL;
    if (!token) return answer_mistake(a, 404, "no network token has this id; POST /_sandbox/tms/{id}/event");
    if (failed(fields_from_json(&f, q->pool, q->body)) || fields_check(&f, event_rules, 1, &name) != FAULT_NONE ||
        !tms_event_parse(fields_text(&f, "state"), &event))
        return answer_mistake(a, 400,
                              "send {\"state\": \"ACTIVE\", \"SUSPENDED\", \"DELETED\", \"RENEWED\" or \"REPLACED\"}");
    if (!tms_life_event(t, token, event)) return answer_mistake(a, 409, "not possible in the token's state");
    struct json j = {.out = &a->body};
    a->status = 200;
    put_token(&j, token, true);
    return j.failed ? FAIL(MEMORY) : OK;
}

result tms_control_handle(struct tms *t, const struct sandbox_request *q, struct sandbox_answer *a)
{
    if (!slice_is(q->head->path, "/_sandbox/network")) return handle_event(t, q, a);
    if (slice_is(q->head->method, "POST")) return handle_mode(t, q, a);
    if (slice_is(q->head->method, "DELETE")) tms_store_clear(t->store);
    bool masked = q->head->query.at && slice_find_slice(q->head->query, SLICE("mask=1")) < q->head->query.len;
    return answer_all(t, masked, a);
}
