/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/webhook.h"

#include "base/clock.h"
#include "cli/command.h"
#include "vault/network.h"
#include "vault/network_record.h"

#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "usage: cardveil webhook list   [--merchant NAME] [--state pending|delivered|failed] [-c cardveil.yaml] [--json]\n"
    "       cardveil webhook show   ID [-c cardveil.yaml] [--json]\n"
    "       cardveil webhook resend ID [-c cardveil.yaml]\n\n"
    "Webhooks tell a merchant's receivers what became of network tokens. They are tried for a day and kept for a week.\n\n"
    "list    prints each, the oldest first: id, time, state, tries, the receiver's last status ('-': no answer), merchant, token, URL.\n"
    "show    prints one, with the JSON that its receiver gets.\n"
    "resend  has one delivered again, whatever its state, with the same id and JSON and a day of tries; a running 'serve' sees to it\n"
    "        within seconds.\n\n"
    "Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration.\n";

struct arguments {
    const char *merchant, *id;
    int state; /* -1: any */
    bool json;
};
static const char *const states[] = {[EVENT_PENDING] = "pending", [EVENT_DELIVERED] = "delivered", [EVENT_FAILED] = "failed"};

/* --- printing --- */

static slice merchant_of(const struct event *e)
{
    return network_padded(e->merchant, sizeof e->merchant);
}

static slice url_of(const struct event *e)
{
    return network_padded(e->url, sizeof e->url);
}

static void print_json_time(const char *name, int64_t ms)
{
    char time[CLOCK_RFC3339_BYTES];
    clock_rfc3339(ms, time);
    printf(",\"%s\":\"%s\"", name, time);
}

static void print_json(const struct event *e, bool whole)
{
    printf("{\"id\":\"%.*s\",\"state\":\"%s\",\"merchant\":", EVENT_ID_BYTES, e->id, states[e->state]);
    cli_print_json_text(merchant_of(e));
    printf(",\"token\":\"%.*s\",\"url\":", SLICE_ARG(token_id_slice(&e->token)));
    cli_print_json_text(url_of(e));
    printf(",\"tries\":%u", (unsigned)e->tries);
    if (e->last_status) printf(",\"last_status\":%d", e->last_status);
    print_json_time("created", e->created_ms);
    if (e->state == EVENT_PENDING) print_json_time("due", e->due_ms);
    if (e->state == EVENT_DELIVERED) print_json_time("delivered", e->delivered_ms);
    if (whole) printf(",\"event\":%.*s", (int)e->json_len, e->json); /* JSON of our own making */
    printf("}\n");
}

static void print_line(const struct event *e)
{
    char created[CLOCK_RFC3339_BYTES], status[8] = "-";
    clock_rfc3339(e->created_ms, created);
    if (e->last_status) (void)snprintf(status, sizeof status, "%d", e->last_status);
    printf("%.*s  %s  %-9s %3u  %-3s  %.*s  %.*s  %.*s\n", EVENT_ID_BYTES, e->id, created, states[e->state], (unsigned)e->tries, status,
           SLICE_ARG(merchant_of(e)), SLICE_ARG(token_id_slice(&e->token)), SLICE_ARG(url_of(e)));
}

static void print_whole(const struct event *e)
{
    char time[CLOCK_RFC3339_BYTES];
    clock_rfc3339(e->created_ms, time);
    printf("id        %.*s\ncreated   %s\nmerchant  %.*s\ntoken     %.*s\nurl       %.*s\nstate     %s\ntries     %u\n", EVENT_ID_BYTES, e->id, time,
           SLICE_ARG(merchant_of(e)), SLICE_ARG(token_id_slice(&e->token)), SLICE_ARG(url_of(e)), states[e->state], (unsigned)e->tries);
    if (e->last_status) printf("status    %d\n", e->last_status);
    clock_rfc3339(e->state == EVENT_DELIVERED ? e->delivered_ms : e->due_ms, time);
    if (e->state != EVENT_FAILED) printf("%s %s\n", e->state == EVENT_DELIVERED ? "delivered" : "due      ", time);
    printf("\n%.*s\n", (int)e->json_len, e->json);
}

/* --- list --- */

struct listing {
    const struct arguments *a;
    size_t count;
};

static bool list_one(void *owner, const struct event *e)
{
    struct listing *l = owner;
    const struct arguments *a = l->a;
    if (a->merchant && !slice_is(merchant_of(e), a->merchant)) return true;
    if (a->state >= 0 && a->state != (int)e->state) return true;
    l->count++;
    if (a->json)
        print_json(e, false);
    else
        print_line(e);
    return true;
}

static int list(struct cli_vault *c, const void *arguments)
{
    struct listing l = {.a = arguments};
    result r = vault_event_list(c->v, list_one, &l);
    if (failed(r)) return cli_vault_failed(c, r);
    if (l.count == 0) fprintf(stderr, "no such webhooks; they are made when the network token of a merchant with 'webhooks' changes\n");
    return CLI_DONE;
}

/* --- one --- */

struct search {
    slice id;
    bool is_found;
    struct event event;
};

static bool look_at(void *owner, const struct event *e)
{
    struct search *s = owner;
    if (!slice_eq((slice){e->id, sizeof e->id}, s->id)) return true;
    s->is_found = true;
    s->event = *e;
    return false;
}

/* A damaged one beside it does not matter. */
static result find(struct cli_vault *c, const char *id, struct search *out)
{
    *out = (struct search){.id = slice_of(id)};
    result r = vault_event_list(c->v, look_at, out);
    if (out->is_found) return OK;
    return failed(r) ? r : FAIL(NOT_FOUND);
}

static int told(const struct cli_vault *c, result r)
{
    if (r.err != ERR_NOT_FOUND) return cli_vault_failed(c, r);
    fprintf(stderr, "cardveil %s: no webhook has this id; 'cardveil webhook list' prints the ids\n", c->command);
    return CLI_FAILED;
}

static int show(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    struct search s;
    result r = find(c, a->id, &s);
    if (failed(r)) return told(c, r);
    if (a->json)
        print_json(&s.event, true);
    else
        print_whole(&s.event);
    return CLI_DONE;
}

static int resend(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    struct search s;
    result r = find(c, a->id, &s);
    if (failed(r)) return told(c, r);
    r = vault_event_resend(c->v, s.id);
    int status = cli_vault_audit(c, "webhook.resend", merchant_of(&s.event), token_id_slice(&s.event.token), r);
    if (failed(r)) return told(c, r);
    printf("will be sent again: %s\n", a->id);
    return status;
}

/* --- arguments --- */

static const char lacking[] = "name the webhook's id; 'cardveil webhook list' prints the ids";
static const struct cli_action actions[CLI_ACTIONS_MAX] = {
    {"list", "webhook list", list, CLI_VAULT_READ, .words = 1},
    {"show", "webhook show", show, CLI_VAULT_READ, .words = 2, .lacking = lacking},
    {"resend", "webhook resend", resend, CLI_VAULT_WRITE, .words = 2, .lacking = lacking},
};
static const struct cli_command command = {"webhook", USAGE, actions};

static const char *take_state(void *arguments, const char *text)
{
    struct arguments *a = arguments;
    for (int i = 0; i < (int)(sizeof states / sizeof *states); i++) {
        if (strcmp(states[i], text) != 0) continue;
        a->state = i;
        return NULL;
    }
    return "--state takes pending, delivered or failed";
}

static const char *check_arguments(const struct cli_action *action, const struct arguments *a)
{
    if (action->run != list && (a->merchant || a->state >= 0)) return "--merchant and --state belong to list";
    if (action->run == resend && a->json) return "--json belongs to list and show";
    return NULL;
}

int cli_webhook(int argc, char **argv)
{
    struct arguments a = {.state = -1};
    const struct cli_option options[] = {{"merchant", .value = &a.merchant}, {"state", .take = take_state}, {"json", .flag = &a.json}, {NULL}};
    struct cli_typed typed;
    int status;
    if (!cli_read(&command, options, &a, argc, argv, &typed, &status)) return status;
    a.id = typed.word;
    const char *why = check_arguments(typed.action, &a);
    if (why) return cli_wrong_usage(&command, why);
    return cli_vault_run(&(struct cli_work){typed.action->command, typed.file, a.merchant, typed.action->access, typed.action->run}, &a);
}
