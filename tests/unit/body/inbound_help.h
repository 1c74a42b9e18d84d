/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INBOUND_HELP_H
#define TESTS_INBOUND_HELP_H

/* What the tests of bodies on their way in share: one body run in any split of its bytes, rendered with the aliases "alias_0" for the
 * number of card 0 and "cvc_0" for its CVC, and so on. */

#include "body/inbound.h"
#include "help.h"

struct inbound_outcome {
    enum error err;
    struct body_fault fault;
    struct buf out;   /* rendered; empty after an error */
    struct buf cards; /* "4111111111111111 12/2030 [ANA] 123; …" without what is missing */
    size_t count, invalid;
};
struct inbound_outcome run_inbound_with(const struct inbound_options *options, slice in, long split);
struct inbound_outcome run_inbound(const struct plan *plan, slice in, long split); /* invalid values are refused; 1,000 cards */
void inbound_outcome_done(struct inbound_outcome *o);
/* Runs <in> whole, then in every other split, and fails the test unless each gives the same; returns the first. */
struct inbound_outcome run_inbound_every_split(const struct inbound_options *options, slice in);

struct inbound_case {
    const char *in, *out; /* out: NULL: <err> */
    const char *cards;
    enum error err;
    enum invalid_policy invalid;
    const char *path; /* of the fault; NULL: not looked at */
};
void check_inbound_case(const struct plan *plan, const struct inbound_case *c);
void check_inbound_cases(enum body_format format, const char *rules, const struct inbound_case *cases, size_t count);
#define CHECK_INBOUND(format, rules, cases) check_inbound_cases(format, rules, cases, sizeof(cases) / sizeof *(cases))

#endif
