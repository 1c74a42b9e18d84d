/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_REPORT_H
#define VAULT_REPORT_H

/* What network tokens did for one merchant over a time: figures from the counters (vault/network.h), for GET
 * /v1/reports/network-tokens and 'cardveil report', which both ask for the same two sums and write the same JSON.
 *
 *     vault_count_sum [from, to) ─► report_add           ┐
 *     vault_count_sum [0, to)    ─► report_add_history   ┴─► report_write_json, report_figures
 *
 * Counters are kept per hour, so a range is in whole hours. An unknown outcome (no answer, or one that the rules cannot judge) is no
 * decline: it is told, and left out of the approval rates. */

#include "base/buf.h"
#include "base/proportion.h"
#include "vault/network.h"

enum { REPORT_DAYS = 30, REPORT_DAYS_MAX = 400 };
struct report_range {
    uint32_t from_hour, to_hour; /* since 1970; to is not in it */
};
/* RFC 3339 dates or times; start NULL: not given. Days are of UTC; <to> as a date has all of that day in it. Without <to>: until
 * now; without <from>: REPORT_DAYS before <to>. Begun hours count as whole ones. ERR_REPORT_RANGE. */
MUST_USE result report_range_parse(slice from, slice to, int64_t now_ms, struct report_range *out);

struct report_route {
    size_t name_len;
    char name[ROUTE_NAME_MAX_BYTES];
    uint64_t sums[COUNTER_COUNT];
};
struct report {
    struct report_range range;
    slice only;                        /* the one route wanted; empty: all. Borrows */
    char **known;                      /* where one is wanted: those that there are or were, NULL-ended; NULL: none */
    size_t known_count;
    struct report_route *routes;
    size_t route_count;
    uint64_t all[COUNTER_COUNT];       /* payments: of the wanted routes; provisioning: the merchant's, whatever the route */
    uint64_t activated, ended;         /* since ever, up to the range's end: the difference has a token then */
    result verdict;                    /* of the adding */
};
void report_init(struct report *r, struct report_range range, slice only);
void report_done(struct report *r);
/* A route that the configuration has. One that it had may be asked for, too, while the history counts its payments. */
void report_know(struct report *r, slice route);
/* A row of vault_count_sum over the range, all routes; and one of the sum over [0, range.to_hour). */
void report_add(struct report *r, slice route, const uint64_t sums[COUNTER_COUNT]);
void report_add_history(struct report *r, slice route, const uint64_t sums[COUNTER_COUNT]);
/* When all is added. ERR_MEMORY, ERR_TOO_LARGE; ERR_REPORT_ROUTE: the route that is wanted is not a known one. */
MUST_USE result report_check(const struct report *r);

struct report_outcomes {
    uint64_t approved, declined, unknown;
};
struct report_comparison { /* payments with cards that have a token */
    struct proportion share;           /* with the network token */
    struct proportion token, pan;      /* approved of judged: first attempts only */
    struct proportion token_retried;   /* what the merchant gets: a payment that the PAN retry saved counts as approved */
};
struct report_figures {
    struct report_outcomes token, pan_with_token, pan, retry;
    struct report_comparison compared;
};
void report_figures(const uint64_t sums[COUNTER_COUNT], struct report_figures *out);
/* Decided enrolments that gave a token, and how many were decided. */
struct proportion report_provisioned(const uint64_t sums[COUNTER_COUNT]);

/* Appends the members of an object, without its braces. ERR_TOO_LARGE, ERR_MEMORY. */
MUST_USE result report_write_json(const struct report *r, struct buf *out);

#endif
