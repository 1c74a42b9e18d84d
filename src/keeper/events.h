/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_EVENTS_H
#define KEEPER_EVENTS_H

/* The outbox of webhooks ("Network Token Events"): what happened to a token, for each of its merchant's URLs, strictly in order
 * there. Events come into the vault together with what they tell of; each is delivered at least once, with the same id in every
 * try, and given up after a day.
 *
 *     receiver (merchant, URL), a few deliveries at a time ─┬─ chain of a token:  [ first: due, out ][ second ][ third ]
 *                                                           └─ chain of another   the next goes when the first is settled
 *
 *     {"id":"…","type":"network_token.updated","created_at":"2026-11-26T11:20:05.123Z","merchant":"shop",
 *      "data":{"token":"…","status":"ACTIVE|SUSPENDED|DELETED","expiration_date":"12/2030"}}                             */

#include "server_priv.h"

struct events;
struct events *events_new(struct keeper_server *server); /* and reads the outbox; NULL: memory */
void events_free(struct events *e); /* NULL is fine */
void events_stop(struct events *e); /* nothing more goes out */
void events_work(struct events *e); /* delivers what is due: when there is a registrar, and by its own timer */
void events_tick(struct events *e); /* every second: what a command has resent, what is old */
void events_clock_was_set(struct events *e, int64_t step_ms); /* waits and the day of tries go on as if it had not been */
/* Makes those of one change, of the record as it will be stored; how many. */
size_t events_make(struct keeper_server *server, const char merchant[NETWORK_MERCHANT_MAX_BYTES], const struct token_id *token,
                   const struct network_record *record, struct event *out, size_t room);
void events_add(struct events *e, const struct event *events, size_t count); /* that the vault has */

#endif
