/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BODY_FAKE_FINDER_H
#define TESTS_BODY_FAKE_FINDER_H

/* A finder that writes down what an XML or multipart walker tells it, and takes every run of 12 to 19 digits for a card number. Linked instead of the
 * real one.
 *
 *   (  )              a container opens, closes
 *   [text]            a value without a field
 *   [text=number]     one with a field                                                                                      */

#include "../../../src/body/finder.h"
#include "../../../src/body/walker.h"

struct fake_run {
    enum error err;
    struct body_fault fault;
    struct buf told; /* as above */
    struct buf out;  /* the body with '#' for each run of digits; empty after an error */
};
struct fake_options {
    const struct plan *plan;
    slice charset, boundary;
    size_t max_held_bytes;
};
struct fake_run fake_inbound(const struct fake_options *options, slice in, long split);
/* Whole, then in every other split: fails the test unless all give the same. */
struct fake_run fake_every_split(const struct fake_options *options, slice in);
void fake_run_done(struct fake_run *r);
/* Outbound, by the walker of the plan's format: the body rendered with card_pan(). */
struct fake_run fake_outbound(const struct fake_options *options, slice in, long split);
struct fake_run fake_outbound_every_split(const struct fake_options *options, slice in);

#endif
