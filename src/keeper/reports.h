/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_REPORTS_H
#define KEEPER_REPORTS_H

/* A report is a sum over counters that go back to the first payment. Reports are made one after the other, a few milliseconds of each turn
 * of the loop, so that no payment waits for one and none is the dearer the longer its merchant has been paying.
 *
 *     REPORT ─► queue ─► [ days ][ days ]… a slice of time a turn ─► REPORTED a route, and one with last                    */

#include "answers_priv.h"

struct reports;
struct reports *reports_new(struct keeper_server *server); /* NULL: memory */
void reports_free(struct reports *r); /* nothing may be queued; NULL is fine */
/* Takes q; route: one only, empty: all. Never answers before it returns. */
void reports_add(struct reports *r, struct question *q, uint32_t from_hour, uint32_t to_hour, slice route);
void reports_settle(struct reports *r); /* at shutdown: what is queued is answered KEEPER_AWAY */

#endif
