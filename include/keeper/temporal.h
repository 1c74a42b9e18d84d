/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_TEMPORAL_H
#define KEEPER_TEMPORAL_H

/* Temporal tokens: a card together with its CVC, for one authorisation. They are in this process's secret memory and nowhere
 * else: no file, no log, no audit line has their card data (PCI DSS 3.3.1), and they end with the process. The table's memory
 * is of a fixed size, taken and locked at the start. Time is an argument, so that tests need not wait.
 *
 *     put ──► free ──reserve──► reserved by one dialogue ──settle, used──► wiped
 *              ▲                        │
 *              └───settle, not used─────┘                      (ttl over, or never told to anybody, in any state: wiped)
 *
 * A token that was used, has expired or never was is the same: ERR_TOKEN_EXPIRED. Its id has 122 random bits and a form
 * of its own (token_id_has_form), so it need not be remembered, and guessing one is hopeless. No merchant has more of them than it
 * leaves places free (share.h). */

#include "vault/card.h"

#include <sys/queue.h>

enum {
    TEMPORAL_TTL_DEFAULT_S = 30 * 60,
    TEMPORAL_TTL_MAX_S = 8 * 60 * 60,
};

struct temporal_card { /* secret memory only */
    struct card card;
    uint8_t cvc_len;
    char cvc[CVC_MAX_DIGITS];
};

struct temporal;
struct temporal_table;
/* The tokens that one dialogue has reserved, and those that it made. Zero-filled: none. Neither may move; the first must be settled,
 * and the second released, before it goes away. */
LIST_HEAD(temporal_holder, temporal);
LIST_HEAD(temporal_maker, temporal);

struct temporal_table *temporal_table_new(size_t places /* of all merchants together; at least 1 */); /* NULL: memory */
void temporal_table_free(struct temporal_table *t); /* wipes; no holder or maker may be left; NULL is fine */

/* Copies the card. ERR_TEMPORAL_FULL: the merchant has as many as it may; ERR_CRYPTO, ERR_MEMORY. ttl_s is 1 to TEMPORAL_TTL_MAX_S. */
MUST_USE result temporal_put(struct temporal_table *t, slice merchant /* 1 to 64 bytes */, const struct card *card, slice cvc,
                             uint32_t ttl_s, uint64_t now_ms, struct temporal_maker *maker, struct token_id *out);
/* Is there one of that merchant, free or reserved? */
bool temporal_is_known(const struct temporal_table *t, slice merchant, slice token, uint64_t now_ms);
/* *out is valid until the next call. ERR_TOKEN_EXPIRED: there is none of that merchant, or another dialogue has reserved it. The same
 * dialogue may ask again: a PAN retry belongs to the one authorisation. */
MUST_USE result temporal_reserve(struct temporal_table *t, slice merchant, slice token, uint64_t now_ms,
                                 struct temporal_holder *holder, const struct temporal_card **out);
void temporal_settle(struct temporal_table *t, struct temporal_holder *holder, bool used); /* all of them; the holder is empty */
/* All of them; the maker is empty. told: somebody may know their ids, so they stay. Not: nobody can ever pay with them, so they are wiped. */
void temporal_release(struct temporal_table *t, struct temporal_maker *maker, bool told);
void temporal_expire(struct temporal_table *t, uint64_t now_ms); /* every second or so: wipes those whose time is over */

#endif
