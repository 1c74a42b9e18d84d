/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include "base/secret.h"
#include "vault/network.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct loop *loop;
struct keeper_server *server;
struct keeper_client *client;
struct config *config;
char story[STORY_BYTES];
struct choice chosen;
struct credential revealed;
struct wish wish;
struct token_id cvc_alias;
char field_session[FIELD_SESSION_ID_BYTES + 1];

static void nothing(void *arg)
{
    (void)arg;
}

void turn(void)
{
    struct timer *t = timer_new(loop, nothing, NULL);
    timer_set(t, 1);
    loop_turn(loop);
    timer_free(t);
}

void turns(unsigned n)
{
    while (n--) turn();
}

#define TELL(...) (void)snprintf(story + strlen(story), sizeof story - strlen(story), __VA_ARGS__)

static void on_opened(void *owner, result r, uint32_t merchant, slice key_id)
{
    (void)owner;
    TELL("opened %s %u %.*s;", error_name(r.err), merchant, SLICE_ARG(key_id));
}
static void on_revealed(void *owner, uint32_t index, result r, const struct credential *c, const struct choice *choice)
{
    (void)owner;
    ck_assert((c == NULL) == (choice == NULL));
    if (choice) chosen = *choice;
    if (c) revealed = *c;
    TELL("revealed %u %s", index, error_name(r.err));
    if (c)
        TELL(" %.*s %u/%u %.*s", c->number_len, c->number, c->month, c->year, c->holder_len, c->holder);
    if (c && c->cvc_len) TELL(" cvc %.*s", c->cvc_len, c->cvc);
    TELL(";");
}
static void on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created)
{
    (void)owner;
    TELL("token %u %s", index, error_name(r.err));
    if (info) TELL(" %.*s %s %s %u/%u%s", info->token.len, info->token.at, info->mask.number, info->mask.brand, info->month, info->year,
             created ? " new" : "");
    if (info && info->alias.len) TELL(" as %.*s", info->alias.len, info->alias.at);
    if (info && info->alias_fell) TELL(" fell");
    TELL(";");
}
static void on_captured(void *owner, uint32_t index, result r, const struct captured *what)
{
    (void)owner;
    ck_assert((what == NULL) == failed(r));
    if (what && what->cvc_alias.len) ck_assert(token_id_from(what->cvc_alias, &cvc_alias));
    TELL("captured %u %s", index, error_name(r.err));
    if (what)
        TELL(" %.*s%s%s%s", SLICE_ARG(what->alias), what->cvc_alias.len ? " cvc" : "", what->created ? " new" : "", what->fell ? " fell" : "");
    TELL(";");
}
static void on_network(void *owner, uint32_t index, result r, const struct network_info *info, const struct credential *c)
{
    (void)owner;
    TELL("network %u %s", index, error_name(r.err));
    if (info) TELL(" %s%s%s%s", network_state_name(info->state), info->reason[0] ? " " : "", info->reason, info->already ? " already" : "");
    if (c) TELL(" %.*s %.*s %.4s", c->number_len, c->number, c->cryptogram_len, c->cryptogram, c->card_last4);
    TELL(";");
}
static void on_signed(void *owner, uint32_t index, result r, slice signature)
{
    (void)owner;
    TELL("signed %u %s ", index, error_name(r.err));
    for (size_t i = 0; i < signature.len && i < 32; i++) TELL("%02x", (unsigned char)signature.at[i]);
    TELL(";");
}
static void on_fields(void *owner, uint32_t index, result r, const struct field_session_info *info)
{
    (void)owner;
    TELL("fields %u %s", index, error_name(r.err));
    if (info) {
        TELL(" %.*s %d %u", SLICE_ARG(info->origin), (int)info->kind, info->ttl_s);
        if (info->id.len) (void)snprintf(field_session, sizeof field_session, "%.*s", SLICE_ARG(info->id));
    }
    TELL(";");
}
static void on_leaf(void *owner, uint32_t index, result r, slice certificate)
{
    (void)owner;
    TELL("leaf %u %s %.*s;", index, error_name(r.err), SLICE_ARG(certificate));
}
static void on_noticed(void *owner, uint32_t index, result r)
{
    (void)owner;
    TELL("noticed %u %s;", index, error_name(r.err));
}
static void on_report(void *owner, uint32_t index, result r, const struct report_row *row, bool last)
{
    (void)owner;
    TELL("report %u %s", index, error_name(r.err));
    if (row) TELL(" %.*s", SLICE_ARG(row->route));
    for (enum counter c = 0; row && c < COUNTER_COUNT; c++)
        if (row->sums[c]) TELL(" %u=%u", c, (unsigned)row->sums[c]);
    TELL("%s;", last ? " end" : "");
}
static const struct keeper_handlers handlers = {.on_opened = on_opened, .on_revealed = on_revealed, .on_token = on_token, .on_captured = on_captured, .on_network = on_network,
                                                .on_signed = on_signed, .on_leaf = on_leaf, .on_noticed = on_noticed, .on_report = on_report, .on_fields = on_fields};

uint32_t broken_pairs;
static void on_breach(void *owner, uint32_t pair)
{
    ck_assert_ptr_null(owner);
    broken_pairs = broken_pairs * 1000 + pair;
}

int add_relay(unsigned number)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    ck_assert(!failed(keeper_server_add_relay(server, number, 100 + number, pair[0])));
    return pair[1];
}

void set_up(void)
{
    ck_assert(!failed(secret_start(1 << 20)));
    loop = loop_new();
    config = fake_config();
    const struct keeper_server_options options = {.loop = loop, .vault = NULL, .config = config, .generation = 1, .on_breach = on_breach};
    ck_assert(!failed(keeper_server_new(&options, &server)));
    client = keeper_client_new(loop, add_relay(0), 60000);
    keeper_client_set_generation(client, 1);
    story[0] = '\0';
    broken_pairs = 0;
    wish = (struct wish){0};
}

void tear_down(void)
{
    turns(2);
    keeper_client_replace(client, -1);
    turns(3);
    ck_assert_uint_eq(keeper_server_dialogues(server), 0);
    keeper_client_free(client);
    keeper_server_free(server);
    loop_free(loop);
    ck_assert_uint_eq(fake_configs_alive(), 0);
}

struct keeper_caller caller(const char *key, uint32_t listener)
{
    struct keeper_caller c = {.listener = listener, .purpose = KEEPER_FOR_PROXY, .route = 0, .permission = PERMIT_PROXY, .request = 9};
    struct sockaddr_in *in = (void *)&c.peer;
    if (key) c.api_key = slice_of(key);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
    return c;
}

struct keeper_dialogue *open_dialogue(struct keeper_caller c)
{
    struct keeper_dialogue *d = keeper_open(client, &c, &handlers, NULL);
    ck_assert_ptr_nonnull(d);
    return d;
}

void reveal(struct keeper_dialogue *d, uint32_t index, const char *token, enum token_kind kind)
{
    ck_assert_int_eq(keeper_reveal(d, index, slice_of(token), kind, wish).err, ERR_NONE);
}

const char *wait_for(const char *what)
{
    const char *found = NULL;
    for (unsigned i = 0; i < 1000 && !found; i++) {
        found = strstr(story, what);
        if (!found) turn();
    }
    story[0] = '\0';
    return found;
}

void expect(const char *what)
{
    turns(4);
    ck_assert_str_eq(story, what);
    story[0] = '\0';
}
