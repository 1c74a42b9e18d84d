/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include "base/clock.h"
#include "cli/command.h"
#include "rules/config.h"
#include "rules/names.h"
#include "vault/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "usage: cardveil report [--from TIME] [--to TIME] [--route NAME] [--merchant NAME] [-c cardveil.yaml] [--json]\n\n"
    "What network tokens did: cards that have one, enrolments, and payments by credential with their approval rates.\n\n"
    "  --from, --to  dates or times (RFC 3339), in whole hours of UTC; a date as --to has that day in it (default: the last 30 days)\n"
    "  --route       payments of that route only, of those merchants that have or had it; enrolments are the merchant's, whatever the route\n"
    "  --merchant    that merchant only (default: each)\n"
    "  --json        one object a merchant, with the members of GET /v1/reports/network-tokens\n\n"
    "Approval rates are of judged first attempts; with each its count and its 95 % interval (Wilson). 'retries counted' is what the\n"
    "merchant gets: a payment that the PAN retry saved counts as approved. Differences have their 95 % interval (Newcombe): one that\n"
    "has 0 in it shows no difference. Cards fall on a side of a route's volume by a hash, so their payments may be compared; but a PAN\n"
    "that went out for another reason (see the fallbacks) is among them, too.\n\n"
    "Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration.\n";

enum { JSON_MAX_BYTES = 4 * 1024 * 1024 };
static const int HOUR_S = 60 * 60;

struct arguments {
    const char *from, *to, *merchant, *route;
    struct report_range range;
    bool json;
};

static const struct cli_command command = {"report", USAGE, NULL};

/* --- figures as text --- */

static void print_hour(const char *before, uint32_t hour)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_rfc3339((int64_t)hour * HOUR_S * 1000, text);
    printf("%s%.16sZ", before, text);
}

static void print_rate(struct proportion p)
{
    if (p.n == 0) {
        printf("-");
        return;
    }
    struct interval i = proportion_interval(p);
    printf("%.1f %% of %" PRIu64 " (%.1f to %.1f)", 100 * i.value, p.n, 100 * i.low, 100 * i.high);
}

static void print_outcomes(const char *name, struct report_outcomes o)
{
    printf("    %-30s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "  ", name, o.approved, o.declined, o.unknown);
    print_rate((struct proportion){o.approved, o.approved + o.declined});
    printf("\n");
}

static void print_difference(const char *name, struct proportion a, struct proportion b)
{
    printf("    %-30s ", name);
    if (a.n == 0 || b.n == 0) {
        printf("-\n");
        return;
    }
    struct interval i = proportion_difference(a, b);
    printf("%+.1f points (%+.1f to %+.1f)\n", 100 * i.value, 100 * i.low, 100 * i.high);
}

static void print_named(const char *title, const uint64_t sums[COUNTER_COUNT], enum counter first, enum counter last, const char *prefix)
{
    const char *before = " ";
    printf("%s", title);
    for (unsigned i = first; i <= (unsigned)last; i++) {
        if (sums[i] == 0) continue;
        printf("%s%s %" PRIu64, before, counter_name((enum counter)i) + strlen(prefix), sums[i]);
        before = ", ";
    }
    printf("%s\n", before[0] == ' ' ? " none" : "");
}

static void print_payments(slice route, const uint64_t sums[COUNTER_COUNT])
{
    struct report_figures f;
    report_figures(sums, &f);
    printf("\n  %s%.*s\n    %-30s  approved  declined   unknown  approval rate (95 %% interval)\n", route.len ? "route " : "all routes", SLICE_ARG(route),
           "payments with");
    print_outcomes("NETWORK_TOKEN", f.token);
    print_outcomes("  then retried with the PAN", f.retry);
    print_outcomes("CARD_PAN, card has a token", f.pan_with_token);
    print_outcomes("CARD_PAN, card has none", f.pan);
    printf("    %-30s %31s", "NETWORK_TOKEN, retries counted", "");
    print_rate(f.compared.token_retried);
    printf("\n    of cards that have a token:\n    %-30s ", "share of NETWORK_TOKEN");
    print_rate(f.compared.share);
    printf("\n");
    print_difference("NETWORK_TOKEN minus CARD_PAN", f.compared.token, f.compared.pan);
    print_difference("  retries counted", f.compared.token_retried, f.compared.pan);
    print_named("    fallbacks to the PAN:", sums, COUNTER_FALLBACK_NOT_SUPPORTED, COUNTER_FALLBACK_BUDGET_SPENT, "fallback_");
}

static void print_text(const struct report *r, slice merchant)
{
    printf("%.*s", SLICE_ARG(merchant));
    print_hour("  from ", r->range.from_hour);
    print_hour(" to ", r->range.to_hour);
    printf("\n\n  cards with a network token      %" PRIu64 "  (in this time: %" PRIu64 " activated, %" PRIu64 " ended)\n",
           r->activated > r->ended ? r->activated - r->ended : 0, r->all[COUNTER_TOKENS_GAINED], r->all[COUNTER_TOKENS_LOST]);
    printf("  enrolments                      %" PRIu64 ", provisioned: ", r->all[COUNTER_ENROL_ASKED]);
    print_rate(report_provisioned(r->all));
    print_named("\n  refused:", r->all, COUNTER_ENROL_INVALID_REQUEST, COUNTER_ENROL_OTHER, "refused_");
    if (r->only.len == 0) print_payments(SLICE_NONE, r->all);
    for (size_t i = 0; i < r->route_count; i++) print_payments((slice){r->routes[i].name, r->routes[i].name_len}, r->routes[i].sums);
    if (r->only.len && r->route_count == 0) printf("\n  no payments on route %.*s\n", SLICE_ARG(r->only));
}

static result print_json(const struct report *r, slice merchant)
{
    struct buf json;
    buf_init(&json, JSON_MAX_BYTES);
    result written = report_write_json(r, &json);
    if (!failed(written)) {
        printf("{\"merchant\":");
        cli_print_json_text(merchant);
        printf(",%.*s}\n", (int)json.len, json.at);
    }
    buf_done(&json);
    return written;
}

/* --- the work --- */

static void add_row(void *owner, slice route, const uint64_t sums[COUNTER_COUNT])
{
    report_add(owner, route, sums);
}

static void add_history(void *owner, slice route, const uint64_t sums[COUNTER_COUNT])
{
    report_add_history(owner, route, sums);
}

struct reporting {
    struct cli_vault *c;
    const struct arguments *a;
    slice route;           /* empty: all */
    size_t shown;
    struct report nowhere; /* has all the routes that could have been asked for */
};

static result gather(const struct reporting *g, slice merchant, struct report *r)
{
    const struct config *config = g->c->config;
    for (size_t i = 0; i < config->route_count; i++)
        if (config_route_serves(&config->routes[i], merchant)) report_know(r, config->routes[i].name);
    TRY(vault_count_sum(g->c->v, merchant, r->range.from_hour, r->range.to_hour, SLICE_NONE, add_row, r));
    TRY(vault_count_sum(g->c->v, merchant, 0, r->range.to_hour, SLICE_NONE, add_history, r));
    return report_check(r);
}

static result print_report(struct reporting *g, const struct report *r, slice merchant)
{
    if (g->shown++ && !g->a->json) printf("\n\n");
    if (g->a->json) return print_json(r, merchant);
    print_text(r, merchant);
    return OK;
}

/* A route is one merchant's, mostly: the others have nothing to say. */
static result report_merchant(struct reporting *g, slice merchant)
{
    struct report r;
    report_init(&r, g->a->range, g->route);
    result done = gather(g, merchant, &r);
    for (size_t i = 0; i < r.known_count; i++) report_know(&g->nowhere, slice_of(r.known[i]));
    if (!failed(done)) done = print_report(g, &r, merchant);
    report_done(&r);
    return done.err == ERR_REPORT_ROUTE ? OK : done;
}

static int unknown_route(const struct reporting *g)
{
    static const char *const none[] = {NULL};
    char hint[NAME_HINT_BYTES];
    name_write_hint(g->route, g->nowhere.known ? (const char *const *)g->nowhere.known : none, hint);
    fprintf(stderr, "cardveil report: there is no route '%.*s'%s%s, nor were payments of one ever counted%s\n", name_shown(g->route), g->route.at,
            g->a->merchant ? " of merchant " : "", g->a->merchant ? g->a->merchant : "", hint);
    return CLI_WRONG;
}

static int report_all(struct reporting *g)
{
    const struct config *config = g->c->config;
    for (size_t i = 0; i < config->merchant_count; i++) {
        slice merchant = config->merchants[i].name;
        if (g->a->merchant && !slice_is(merchant, g->a->merchant)) continue;
        result r = report_merchant(g, merchant);
        if (failed(r)) return cli_vault_failed(g->c, r);
    }
    return g->shown || g->route.len == 0 ? CLI_DONE : unknown_route(g);
}

static int report(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    struct reporting g = {.c = c, .a = a, .route = a->route ? slice_of(a->route) : SLICE_NONE};
    report_init(&g.nowhere, a->range, g.route);
    int status = report_all(&g);
    report_done(&g.nowhere);
    return status;
}

static const char *take_route(void *arguments, const char *name)
{
    struct arguments *a = arguments;
    a->route = name;
    return name[0] ? NULL : "--route takes a route's name";
}

int cli_report(int argc, char **argv)
{
    struct arguments a = {0};
    const struct cli_option options[] = {{"from", .value = &a.from}, {"to", .value = &a.to}, {"route", .take = take_route},
                                         {"merchant", .value = &a.merchant}, {"json", .flag = &a.json}, {NULL}};
    struct cli_typed typed;
    int status;
    if (!cli_read(&command, options, &a, argc, argv, &typed, &status)) return status;
    slice from = a.from ? slice_of(a.from) : SLICE_NONE, to = a.to ? slice_of(a.to) : SLICE_NONE;
    if (failed(report_range_parse(from, to, clock_wall_ms(), &a.range)))
        return cli_wrong_usage(&command, "--from and --to are dates or times (RFC 3339), from before to, at most 400 days");
    return cli_vault_run(&(struct cli_work){"report", typed.file, a.merchant, CLI_VAULT_READ, report}, &a);
}
