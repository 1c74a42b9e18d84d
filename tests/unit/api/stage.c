/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>

struct asked asked;
bool has_no_key;
struct config config;
struct service_call *running;
unsigned answers;
int status;
enum error error;
char json[1024 * 1024], allow[64], challenge[64], answer_fields[2048];

static struct loop *loop;
static struct http_head head;
static struct http_field fields[8];
static char target_text[1024], field_text[1024];
static struct config_merchant merchants[] = {{.name = {"shop", 4}, .network = 0}, {.name = {"other", 5}, .network = -1}};
static struct config_network networks[1];
static struct config_route routes[] = {{.name = {"rede", 4}, .merchant = {"shop", 4}}, {.name = {"cielo", 5}, .merchant = {"other", 5}}, {.name = {"any", 3}}};

#define TELL(...) (void)snprintf(asked.questions + strlen(asked.questions), sizeof asked.questions - strlen(asked.questions), __VA_ARGS__)

static void keep(unsigned i, slice text)
{
    ck_assert(text.len < sizeof asked.text[i]);
    if (text.len) memcpy(asked.text[i], text.at, text.len);
    asked.text[i][text.len] = '\0';
}

/* --- the fake --- */

struct keeper_dialogue {
    int unused;
};
static struct keeper_dialogue dialogue;

struct keeper_dialogue *keeper_open(struct keeper_client *c, const struct keeper_caller *caller, const struct keeper_handlers *handlers,
                                    void *owner)
{
    (void)c;
    asked.handlers = handlers;
    asked.owner = owner;
    asked.caller = *caller;
    (void)snprintf(asked.key, sizeof asked.key, "%s%.*s", caller->api_key.at ? "" : "(none)", SLICE_ARG(caller->api_key));
    TELL("open %u;", caller->permission);
    return &dialogue;
}

static result question(const char *name, uint32_t index, slice token)
{
    keep(0, token);
    TELL("%s %u;", name, index);
    return (result){asked.refuses};
}

result keeper_token_create(struct keeper_dialogue *d, uint32_t index, const struct card *card, const struct alias_form *alias,
                           bool unique)
{
    (void)d;
    asked.alias = *alias;
    asked.unique = unique;
    return question("create", index, (slice){card->number, card->number_len});
}

result keeper_temporal_create(struct keeper_dialogue *d, uint32_t index, const struct card *card, slice cvc, uint32_t ttl_s)
{
    (void)d;
    (void)ttl_s;
    keep(1, cvc);
    return question("temporal", index, (slice){card->number, card->number_len});
}

result keeper_temporal_get(struct keeper_dialogue *d, uint32_t index, slice token)
{
    (void)d;
    return question("temporal-get", index, token);
}

result keeper_temporal_delete(struct keeper_dialogue *d, uint32_t index, slice token)
{
    (void)d;
    return question("temporal-delete", index, token);
}

result keeper_temporal_store(struct keeper_dialogue *d, uint32_t index, slice token, const struct alias_form *alias, bool unique)
{
    (void)d;
    asked.alias = *alias;
    asked.unique = unique;
    return question("temporal-store", index, token);
}

result keeper_token_get(struct keeper_dialogue *d, uint32_t index, slice token)
{
    (void)d;
    return question("get", index, token);
}

result keeper_token_change(struct keeper_dialogue *d, uint32_t index, slice token, const struct card_change *change)
{
    (void)d;
    (void)change;
    return question("change", index, token);
}

result keeper_token_delete(struct keeper_dialogue *d, uint32_t index, slice token)
{
    (void)d;
    return question("delete", index, token);
}

result keeper_enrol(struct keeper_dialogue *d, uint32_t index, slice token, const struct billing_text *b, slice cvc)
{
    char address[1024];
    (void)d;
    int len = snprintf(address, sizeof address, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s", SLICE_ARG(b->address_1), SLICE_ARG(b->address_2),
                       SLICE_ARG(b->city), SLICE_ARG(b->state), SLICE_ARG(b->postal_code), SLICE_ARG(b->country));
    keep(1, cvc);
    keep(2, (slice){address, (size_t)len});
    return question("enrol", index, token);
}

result keeper_credentials(struct keeper_dialogue *d, uint32_t index, slice token)
{
    (void)d;
    return question("credentials", index, token);
}

result keeper_network_token(struct keeper_dialogue *d, uint32_t index, slice token)
{
    (void)d;
    return question("network", index, token);
}

result keeper_notice(struct keeper_dialogue *d, uint32_t index, uint32_t network, slice signature_field, slice body)
{
    (void)d;
    asked.network = network;
    keep(1, body);
    return question("notice", index, signature_field);
}

result keeper_report(struct keeper_dialogue *d, uint32_t index, uint32_t from_hour, uint32_t to_hour, slice route)
{
    (void)d;
    ck_assert_uint_lt(index, 2);
    asked.from_hour[index] = from_hour;
    asked.to_hour[index] = to_hour;
    return question("report", index, route);
}

result keeper_fields_open(struct keeper_dialogue *d, uint32_t index, slice origin, enum field_kind kind, uint32_t ttl_s)
{
    (void)d;
    (void)snprintf(asked.text[1], sizeof asked.text[1], "%d %u", (int)kind, ttl_s);
    return question("fields-open", index, origin);
}

result keeper_fields_get(struct keeper_dialogue *d, uint32_t index)
{
    (void)d;
    return question("fields-get", index, SLICE_NONE);
}

void keeper_end(struct keeper_dialogue *d)
{
    if (d) asked.ended = "used";
}

void keeper_end_untold(struct keeper_dialogue *d)
{
    if (d) asked.ended = "untold";
}

void keeper_end_unsent(struct keeper_dialogue *d)
{
    if (d) asked.ended = "unsent";
}

/* --- the call --- */

void set_up(void)
{
    static bool is_started;
    if (!is_started) ck_assert(!failed(secret_start(1 << 20)));
    is_started = true;
    loop = loop_new();
    merchants[0].name = SLICE("shop");
    merchants[1].name = SLICE("other");
    networks[0].name = SLICE("visa-tms");
    config = (struct config){.merchants = merchants, .merchant_count = 2, .networks = networks, .network_count = 1, .routes = routes,
                             .route_count = sizeof routes / sizeof *routes};
}

static void cancel_running(void)
{
    if (running) api_service.cancel(running);
    running = NULL;
}

void tear_down(void)
{
    cancel_running();
    loop_free(loop);
}

static void read_head(const char *method, const char *target, const char *given)
{
    slice line, rest;
    (void)snprintf(target_text, sizeof target_text, "%s", target);
    (void)snprintf(field_text, sizeof field_text, "%s", given);
    head = (struct http_head){.method = slice_of(method), .target = slice_of(target_text), .fields = fields};
    size_t split = slice_find(head.target, '?');
    head.path = slice_range(head.target, 0, split);
    if (split < head.target.len) head.query = slice_after(head.target, split + 1);
    rest = slice_of(field_text);
    while (slice_next(&rest, '\n', &line)) {
        size_t colon = slice_find(line, ':');
        if (colon == line.len) continue;
        fields[head.field_count++] = (struct http_field){slice_range(line, 0, colon), slice_trim(slice_after(line, colon + 1))};
    }
}

static void on_done(void *owner, const struct service_answer *a)
{
    ck_assert_ptr_eq(owner, &head);
    ck_assert(a->json.len < sizeof json && a->allow.len < sizeof allow);
    running = NULL;
    answers++;
    status = a->status;
    error = a->error;
    if (a->json.len) memcpy(json, a->json.at, a->json.len);
    json[a->json.len] = '\0';
    if (a->allow.len) memcpy(allow, a->allow.at, a->allow.len);
    allow[a->allow.len] = '\0';
    (void)snprintf(challenge, sizeof challenge, "%.*s", SLICE_ARG(a->challenge));
    (void)snprintf(answer_fields, sizeof answer_fields, "%.*s%s%.*s", SLICE_ARG(a->fields), a->content_type.at ? "content-type: " : "",
                   SLICE_ARG(a->content_type));
}

bool call(const char *method, const char *target, const char *given, const char *body)
{
    cancel_running();
    asked = (struct asked){.ended = ""};
    answers = 0;
    status = 0;
    read_head(method, target, given);
    ck_assert_msg(api_service.takes(head.path), "%s", target);
    const struct service_request request = {.loop = loop, .head = &head, .body = slice_of(body), .config = &config,
                                            .caller = {.request = 0x0123456789abcdef, .api_key = has_no_key ? SLICE_NONE : SLICE("cvk_x")}};
    running = api_service.start(&request, on_done, &head);
    ck_assert((running == NULL) == (answers == 1));
    return running != NULL;
}

void admit(uint32_t merchant)
{
    asked.handlers->on_opened(asked.owner, OK, merchant, SLICE("key1"));
}

void refuse(enum error e)
{
    asked.handlers->on_opened(asked.owner, (result){e}, 0, SLICE_NONE);
}

void answered(int wanted, const char *part)
{
    ck_assert_uint_eq(answers, 1);
    ck_assert_msg(status == wanted, "%d, not %d: %s", status, wanted, json);
    ck_assert_msg(strstr(json, part) != NULL, "%s is not in %s", part, json);
    size_t len = strlen(json);
    ck_assert(len > 0 && json[len - 1] == '\n');
}

void lacks(const char *part)
{
    ck_assert_msg(strstr(json, part) == NULL, "%s is in %s", part, json);
}
