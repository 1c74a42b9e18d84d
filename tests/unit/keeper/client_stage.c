/* SPDX-License-Identifier: Apache-2.0 */
#include "client_stage.h"

#include "base/secret.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct loop *loop;
struct keeper_client *client;
int keeper;
char story[CLIENT_STORY_BYTES];

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

void on_opened(void *owner, result r, uint32_t merchant, slice key_id)
{
    TELL("%s opened %s %u %.*s;", (char *)owner, error_name(r.err), merchant, SLICE_ARG(key_id));
}
struct credential last;
struct choice chosen;
void on_revealed(void *owner, uint32_t index, result r, const struct credential *c, const struct choice *choice)
{
    if (c) last = *c;
    if (choice) chosen = *choice;
    TELL("%s revealed %u %s %.*s;", (char *)owner, index, error_name(r.err), c ? c->number_len : 0, c ? c->number : "");
}
void on_token(void *owner, uint32_t index, result r, const struct card_info *info, bool created)
{
    TELL("%s token %u %s %.*s%s;", (char *)owner, index, error_name(r.err), info ? info->token.len : 0,
         info ? info->token.at : "", created ? " new" : "");
}
static void on_captured(void *owner, uint32_t index, result r, const struct captured *what)
{
    TELL("%s captured %u %s", (char *)owner, index, error_name(r.err));
    if (what) TELL(" '%.*s' '%.*s'%s%s", SLICE_ARG(what->alias), SLICE_ARG(what->cvc_alias), what->created ? " new" : "", what->fell ? " fell" : "");
    TELL(";");
}
static void on_network(void *owner, uint32_t index, result r, const struct network_info *info, const struct credential *c)
{
    TELL("%s network %u %s", (char *)owner, index, error_name(r.err));
    if (info) TELL(" %s %s %s%s %u/%u", network_state_name(info->state), info->reason, info->reference_code, info->already ? " already" : "", info->month, info->year);
    if (c) TELL(" %.*s %.*s %u/%u", c->number_len, c->number, c->cryptogram_len, c->cryptogram, c->month, c->year);
    TELL(";");
}
static void on_signed(void *owner, uint32_t index, result r, slice signature)
{
    TELL("%s signed %u %s %.*s;", (char *)owner, index, error_name(r.err), SLICE_ARG(signature));
}
static void on_noticed(void *owner, uint32_t index, result r)
{
    TELL("%s noticed %u %s;", (char *)owner, index, error_name(r.err));
}
static void on_report(void *owner, uint32_t index, result r, const struct report_row *row, bool is_last)
{
    TELL("%s report %u %s", (char *)owner, index, error_name(r.err));
    if (row) TELL(" %.*s %u", SLICE_ARG(row->route), (unsigned)row->sums[COUNTER_TOKEN_APPROVED]);
    TELL("%s;", is_last ? " end" : "");
}
const struct keeper_handlers handlers = {.on_opened = on_opened, .on_revealed = on_revealed, .on_token = on_token, .on_captured = on_captured,
                                                .on_network = on_network, .on_signed = on_signed, .on_noticed = on_noticed,
                                                .on_report = on_report};

int new_pair(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    keeper = pair[1];
    return pair[0];
}

void set_up(uint64_t answer_ms)
{
    ck_assert(!failed(secret_start(1 << 20)));
    loop = loop_new();
    client = keeper_client_new(loop, new_pair(), answer_ms);
    ck_assert_ptr_nonnull(client);
    story[0] = '\0';
}

void tear_down(void)
{
    turn();
    keeper_client_free(client);
    loop_free(loop);
    close(keeper);
}

struct keeper_dialogue *open_as(const char *name)
{
    struct keeper_caller caller = {.listener = 1, .api_key = SLICE("cvk_shop"), .purpose = KEEPER_FOR_PROXY, .route = 2,
                                   .permission = PERMIT_PROXY, .request = 9};
    struct sockaddr_in *in = (void *)&caller.peer;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(0x0a000001);
    struct keeper_dialogue *d = keeper_open(client, &caller, &handlers, (void *)(uintptr_t)name);
    ck_assert_ptr_nonnull(d);
    return d;
}

void ask(struct keeper_dialogue *d, uint32_t index)
{
    ck_assert_int_eq(keeper_reveal(d, index, SLICE("tok_good1"), TOKEN_PERMANENT, (struct wish){0}).err, ERR_NONE);
}

static char datagram[WIRE_BATCH_BYTES];
slice receive(void)
{
    ssize_t n = recv(keeper, datagram, sizeof datagram, MSG_DONTWAIT);
    return n > 0 ? (slice){datagram, (size_t)n} : SLICE_NONE;
}

uint64_t id_in(slice d)
{
    struct wire_frame f;
    ck_assert_int_eq(wire_next(&d, &f), WIRE_FRAME);
    return f.dialogue;
}

void say(enum wire_type type, uint64_t id, uint32_t sequence, const void *fixed, const slice *tails)
{
    struct buf b;
    buf_init(&b, 4096);
    ck_assert(!failed(wire_put(&b, type, id, sequence, fixed, tails)));
    ck_assert_int_eq(send(keeper, b.at, b.len, 0), (ssize_t)b.len);
    buf_done(&b);
}

void say_opened(uint64_t id, enum error e)
{
    struct wire_opened o = {.merchant = 3, .error = (uint16_t)e, .key_id_len = 3};
    slice key = SLICE("kid");
    say(WIRE_OPENED, id, 0, &o, &key);
}

void say_card(uint64_t id, uint32_t sequence)
{
    struct wire_revealed r = {.number_len = 16, .month = 12, .year = 2030};
    const slice tails[WIRE_TAILS_MAX] = {SLICE("4111111111111111")};
    say(WIRE_REVEALED, id, sequence, &r, tails);
}

void say_refused(uint64_t id, uint32_t sequence, enum error e)
{
    struct wire_revealed r = {.error = (uint16_t)e};
    const slice tails[WIRE_TAILS_MAX] = {SLICE_NONE};
    say(WIRE_REVEALED, id, sequence, &r, tails);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void pass(uint64_t ms)
{
    uint64_t until = now_ms() + ms;
    while (now_ms() < until) turn();
}
