/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_RECORD_H
#define SANDBOX_RECORD_H

/* The last requests as they were received, for people who want to see what a processor got. Card data is in it: this is a
 * program for test cards only. */

#include "sandbox/answer.h"

enum { RECORD_KEPT = 100, RECORD_HEAD_MAX = 32 * 1024, RECORD_BODY_MAX = 64 * 1024 };
struct record;
struct record *record_new(void); /* NULL: memory */
void record_free(struct record *r); /* wipes; NULL is fine */
/* Copies; a body past RECORD_BODY_MAX is kept up to there and marked. */
void record_add(struct record *r, slice raw_head, slice body);
void record_clear(struct record *r);
/* Appends {"requests":[{"number","at","method","target","headers":[[name,value]…],"body"}…]}, oldest first. masked: card
 * numbers show first six and last four, CVCs as stars. */
MUST_USE result record_write(const struct record *r, bool masked, struct buf *out);
/* Appends the newest one as plain text: head, empty line, body. Nothing if there is none. */
MUST_USE result record_write_last(const struct record *r, bool masked, struct buf *out);

#endif
