/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BODY_HELP_H
#define TESTS_BODY_HELP_H

/* What the tests of the body room share: plans written as text, credentials of public test cards, and one body run in any
 * split of its bytes. */

#include "body/body.h"

#define PAN_TEXT "4111111111111111"
#define NETWORK_NUMBER_TEXT "5555555555554444"
#define CRYPTOGRAM_TEXT "AgAAAAAAAIR8CQrXcIhbQAAAAAA="

/* Each line: "field PATH ELEMENT [FORMAT] [number]", "set PATH ELEMENT|=LITERAL|:VISA'S-LITERAL [FORMAT] [number] [with ELEMENT]",
 * "transaction PATH", "drop PATH", "capture PATH" "find" (numbers everywhere, inbound) or
 * "bare" (bare tokens); a blank in a path is written '~'. */
struct plan *plan_of(enum body_format format, const char *lines);
void plan_drop(struct plan *p);

const struct credential *card_pan(void);           /* 03/2031, "ANA D'ÁVILA \"A\"", CVC 123 */
const struct credential *card_network_token(void); /* with cryptogram and ECI 05, no CVC */

struct outcome {
    enum error err;
    struct body_fault fault;
    struct buf out; /* rendered; empty after an error */
    uint32_t tokens;
};
enum { WHOLE = 0, BYTEWISE = 1 }; /* a split: other numbers cut once there, or seed random cuts when negative */
size_t next_cut(size_t at, size_t len, long split, unsigned *seed); /* where the piece that starts at <at> ends, at most */
struct outcome run_body(const struct plan *plan, slice in, long split, const struct credential *c);
/* The same, with options: *base has plan, coding, max_held_bytes. */
struct outcome run_body_with(const struct body_options *base, slice in, long split, const struct credential *c);
void outcome_done(struct outcome *o);
bool same_outcome(const struct outcome *a, const struct outcome *b);
/* Runs <in> whole, then in every other split, and fails the test unless each gives the same; returns the first. */
struct outcome run_every_split(const struct plan *plan, slice in, const struct credential *c);

struct lines_case {
    const char *in, *out; /* out: what goes out with card_pan(); NULL: <err> */
    enum error err;
};
void check_case(const struct plan *plan, const struct lines_case *c);

#endif
