/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/report.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 60 * 60 * 1000, DAY_HOURS = 24 };

/* --- the range --- */

static result read_time(slice text, bool is_end, int64_t *hour)
{
    int64_t ms;
    bool is_date;
    ENSURE(clock_rfc3339_parse(text, &ms, &is_date), REPORT_RANGE);
    *hour = is_end && !is_date ? (ms + HOUR_MS - 1) / HOUR_MS : ms / HOUR_MS;
    if (is_end && is_date) *hour += DAY_HOURS;
    return OK;
}

result report_range_parse(slice from, slice to, int64_t now_ms, struct report_range *out)
{
    int64_t begin, end = now_ms / HOUR_MS + 1; /* this hour, too */
    if (to.at) TRY(read_time(to, true, &end));
    begin = end - REPORT_DAYS * DAY_HOURS;
    if (begin < 0) begin = 0;
    if (from.at) TRY(read_time(from, false, &begin));
    ENSURE(begin < end && end - begin <= REPORT_DAYS_MAX * DAY_HOURS && end <= UINT32_MAX, REPORT_RANGE);
    *out = (struct report_range){(uint32_t)begin, (uint32_t)end};
    return OK;
}

/* --- the sums --- */

void report_init(struct report *r, struct report_range range, slice only)
{
    *r = (struct report){.range = range, .only = only};
}

void report_done(struct report *r)
{
    for (size_t i = 0; i < r->known_count; i++) free(r->known[i]);
    free(r->known);
    free(r->routes);
    *r = (struct report){0};
}

/* --- the routes that may be asked for --- */

static bool is_known(const struct report *r, slice route)
{
    for (size_t i = 0; i < r->known_count; i++)
        if (slice_is(route, r->known[i])) return true;
    return false;
}

static result add_known(struct report *r, slice route)
{
    char **more = realloc(r->known, (r->known_count + 2) * sizeof *more);
    ENSURE(more != NULL, MEMORY);
    r->known = more;
    more[r->known_count] = strndup(route.at, route.len);
    ENSURE(more[r->known_count] != NULL, MEMORY);
    more[++r->known_count] = NULL;
    return OK;
}

void report_know(struct report *r, slice route)
{
    if (r->only.len == 0 || route.len == 0 || is_known(r, route)) return;
    result added = add_known(r, route);
    if (failed(added)) r->verdict = added;
}

result report_check(const struct report *r)
{
    TRY(r->verdict);
    ENSURE(r->only.len == 0 || is_known(r, r->only), REPORT_ROUTE);
    return OK;
}

/* --- adding --- */

static bool is_provisioning(size_t counter)
{
    return counter >= COUNTER_ENROL_ASKED;
}

static void add_sums(uint64_t to[COUNTER_COUNT], const uint64_t sums[COUNTER_COUNT], bool provisioning, bool payments)
{
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        if (is_provisioning(i) ? provisioning : payments) to[i] += sums[i];
}

static result add_route(struct report *r, slice name, const uint64_t sums[COUNTER_COUNT])
{
    ENSURE(name.len <= ROUTE_NAME_MAX_BYTES, TOO_LARGE);
    struct report_route *more = realloc(r->routes, (r->route_count + 1) * sizeof *more);
    ENSURE(more != NULL, MEMORY);
    r->routes = more;
    struct report_route *route = &more[r->route_count++];
    *route = (struct report_route){.name_len = name.len};
    memcpy(route->name, name.at, name.len);
    memcpy(route->sums, sums, sizeof route->sums);
    return OK;
}

void report_add(struct report *r, slice route, const uint64_t sums[COUNTER_COUNT])
{
    bool wanted = route.len && (r->only.len == 0 || slice_eq(route, r->only));
    add_sums(r->all, sums, true, wanted);
    if (!wanted) return;
    result added = add_route(r, route, sums);
    if (failed(added)) r->verdict = added;
}

void report_add_history(struct report *r, slice route, const uint64_t sums[COUNTER_COUNT])
{
    report_know(r, route);
    r->activated += sums[COUNTER_TOKENS_GAINED];
    r->ended += sums[COUNTER_TOKENS_LOST];
}

/* --- the figures --- */

static struct report_outcomes outcomes(const uint64_t sums[COUNTER_COUNT], enum counter approved)
{
    return (struct report_outcomes){sums[approved], sums[approved + 1], sums[approved + 2]};
}
_Static_assert(COUNTER_TOKEN_UNKNOWN == COUNTER_TOKEN_APPROVED + 2 && COUNTER_PAN_WITH_TOKEN_UNKNOWN == COUNTER_PAN_WITH_TOKEN_APPROVED + 2 &&
                   COUNTER_PAN_UNKNOWN == COUNTER_PAN_APPROVED + 2 && COUNTER_RETRY_UNKNOWN == COUNTER_RETRY_APPROVED + 2,
               "approved, declined, unknown");

static uint64_t payments(struct report_outcomes o)
{
    return o.approved + o.declined + o.unknown;
}

static struct proportion approval(struct report_outcomes o)
{
    return (struct proportion){o.approved, o.approved + o.declined};
}

void report_figures(const uint64_t sums[COUNTER_COUNT], struct report_figures *out)
{
    struct report_outcomes token = outcomes(sums, COUNTER_TOKEN_APPROVED), retry = outcomes(sums, COUNTER_RETRY_APPROVED);
    struct report_outcomes pan = outcomes(sums, COUNTER_PAN_WITH_TOKEN_APPROVED);
    /* Each retry follows a declined network token and takes its place. */
    uint64_t lost = retry.unknown < token.declined ? retry.unknown : token.declined;
    struct proportion retried = {token.approved + retry.approved, token.approved + token.declined - lost};
    if (retried.hits > retried.n) retried.hits = retried.n;
    *out = (struct report_figures){
        .token = token,
        .pan_with_token = pan,
        .pan = outcomes(sums, COUNTER_PAN_APPROVED),
        .retry = retry,
        .compared = {.share = {payments(token), payments(token) + payments(pan)},
                     .token = approval(token),
                     .pan = approval(pan),
                     .token_retried = retried},
    };
}

struct proportion report_provisioned(const uint64_t sums[COUNTER_COUNT])
{
    uint64_t refused = 0;
    for (size_t i = COUNTER_ENROL_INVALID_REQUEST; i <= COUNTER_ENROL_OTHER; i++) refused += sums[i];
    return (struct proportion){sums[COUNTER_ENROL_ACTIVE], sums[COUNTER_ENROL_ACTIVE] + refused};
}
