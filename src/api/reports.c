/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/reports/network-tokens?from=&to=&route=: what network tokens did for the merchant (vault/report.h). */
#include "base/clock.h"
#include "body/percent.h"
#include "call.h"
#include "rules/names.h"
#include "vault/report.h"

#include <string.h>

enum { IN_RANGE, SINCE_EVER }; /* the questions' indices */
enum { PARAMETER_MAX_BYTES = 64 };

struct parameter {
    slice value; /* start NULL: not given */
    char room[PARAMETER_MAX_BYTES];
};
struct report_call {
    struct service_call base;
    struct parameter from, to, route;
    result verdict;
    struct report report;
};

static struct report_call *of(struct service_call *c)
{
    return (struct report_call *)c;
}

static bool takes(slice path)
{
    return slice_is(path, "/v1/reports/network-tokens");
}

/* --- the query --- */

/* A plus sign is one: times have them (RFC 3986 2.2; only forms make blanks of them). */
static result read_parameter(struct parameter *p, slice raw)
{
    size_t len = 0, taken;
    ENSURE(p->value.at == NULL, REPORT_QUERY);
    for (; raw.len; raw = slice_after(raw, taken)) {
        char c;
        ENSURE(len < sizeof p->room && percent_read(raw, false, &c, &taken), REPORT_QUERY);
        p->room[len++] = c;
    }
    p->value = (slice){p->room, len};
    return OK;
}

static result read_query(struct report_call *t, slice query)
{
    slice pair;
    if (query.len == 0) return OK;
    while (slice_next(&query, '&', &pair)) {
        size_t split = slice_find(pair, '=');
        slice name = slice_range(pair, 0, split);
        struct parameter *p = slice_is(name, "from") ? &t->from : slice_is(name, "to") ? &t->to : slice_is(name, "route") ? &t->route : NULL;
        ENSURE(p != NULL && split < pair.len, REPORT_QUERY);
        TRY(read_parameter(p, slice_after(pair, split + 1)));
    }
    ENSURE(t->route.value.at == NULL || t->route.value.len > 0, REPORT_QUERY);
    return OK;
}

static result understand(struct service_call *c)
{
    struct report_call *t = of(c);
    struct report_range range;
    ENSURE(slice_is(c->request.head->method, "GET") || slice_is(c->request.head->method, "HEAD"), METHOD);
    TRY(read_query(t, c->request.head->query));
    TRY(report_range_parse(t->from.value, t->to.value, clock_wall_ms(), &range));
    report_init(&t->report, range, t->route.value);
    c->request.caller.permission = PERMIT_REPORT;
    return OK;
}

/* --- asking --- */

static void on_report(void *owner, uint32_t index, result r, const struct report_row *row, bool last)
{
    struct report_call *t = of(call_from(owner));
    if (failed(r)) t->verdict = r;
    if (row && index == IN_RANGE) report_add(&t->report, row->route, row->sums);
    if (row && index == SINCE_EVER) report_add_history(&t->report, row->route, row->sums);
    if (last) call_settle(&t->base);
}

static void know_routes(struct service_call *c)
{
    const struct config *config = c->request.config;
    for (size_t i = 0; i < config->route_count && c->merchant < config->merchant_count; i++)
        if (config_route_serves(&config->routes[i], config->merchants[c->merchant].name)) report_know(&of(c)->report, config->routes[i].name);
}

static result ask(struct service_call *c)
{
    const struct report_range *range = &of(c)->report.range;
    know_routes(c);
    TRY(keeper_report(c->dialogue, IN_RANGE, range->from_hour, range->to_hour, SLICE_NONE));
    c->waiting++;
    TRY(keeper_report(c->dialogue, SINCE_EVER, 0, range->to_hour, SLICE_NONE));
    c->waiting++;
    return OK;
}

/* --- answering --- */

/* The name itself stays out of it: whatever stands there is a stranger's text. */
static result write_unknown_route(const struct report_call *t, struct buf *out, struct service_answer *a)
{
    static const char *const none[] = {NULL};
    const struct report *r = &t->report;
    char hint[NAME_HINT_BYTES];
    name_write_hint(r->only, r->known ? (const char *const *)r->known : none, hint);
    a->error = ERR_REPORT_ROUTE;
    a->status = error_status(a->error);
    return envelope_append_failure(
        out, &(struct failure){.code = error_name(a->error), .text = error_text(a->error), .description = slice_of(hint + strlen("; "))});
}

static result write_answer(struct service_call *c, result r, struct buf *out, struct service_answer *a)
{
    struct report_call *t = of(c);
    if (!failed(r)) r = t->verdict;
    if (!failed(r)) r = report_check(&t->report);
    if (r.err == ERR_REPORT_ROUTE) return write_unknown_route(t, out, a);
    if (failed(r)) return call_write_failure(r, out, a);
    TRY(buf_append(out, SLICE("{\"status\":\"success\",\"message\":\"Network token report\",\"data\":{")));
    TRY(report_write_json(&t->report, out));
    return buf_append(out, SLICE("}}\n"));
}

static void end(struct service_call *c)
{
    report_done(&of(c)->report);
}

const struct endpoint reports_endpoint = {
    .takes = takes,
    .methods = {"GET, HEAD", 9},
    .bytes = sizeof(struct report_call),
    .answer_max_bytes = 1024 * 1024,
    .understand = understand,
    .ask = ask,
    .write = write_answer,
    .end = end,
    .handlers = {.on_opened = call_opened, .on_report = on_report},
};
