/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_TMS_STORE_H
#define SANDBOX_TMS_STORE_H

/* What the simulated network knows: network tokens with their states, and each cryptogram it gave out. An id, a token
 * number and a cryptogram each hold the place of what they name, so all are found without searching; a card's tokens by
 * a hash of its number. */

#include "base/slice.h"
#include "net/loop.h"

#include <stdio.h>

enum tms_behaviour {
    TMS_CARD_ELIGIBLE,
    TMS_CARD_REFUSED,
    TMS_CARD_SLOW,
    TMS_CARD_SUSPENDED, /* this and the next three: some time after ACTIVE */
    TMS_CARD_DELETED,
    TMS_CARD_RENEWED,
    TMS_CARD_REPLACED,
    TMS_CARD_NO_CRYPTOGRAM
};
struct tms_card {
    const char *number;
    enum tms_behaviour behaviour;
    const char *reason, *help;
};
const struct tms_card *tms_card_of(slice number);

enum tms_state { TMS_UNPROVISIONED, TMS_ACTIVE, TMS_SUSPENDED, TMS_DELETED };
const char *tms_state_name(enum tms_state s);

enum {
    TMS_ID_CHARS = 32,
    TMS_INSTRUMENT_CHARS = 19,
    TMS_NUMBER_DIGITS = 16,
    TMS_REFERENCE_MAX = 64,
    TMS_CRYPTOGRAM_BYTES = 20,
    TMS_CRYPTOGRAM_CHARS = 28
};

struct tms_token {
    uint32_t index, next; /* next: of the same hash, plus one; 0: none */
    char id[TMS_ID_CHARS + 1], instrument[TMS_INSTRUMENT_CHARS + 1], number[TMS_NUMBER_DIGITS + 1];
    char card[20], reference[TMS_REFERENCE_MAX + 1],
        suffix[5]; /* suffix: of the card behind it, which may be replaced */
    const struct tms_card *behaviour;
    enum tms_state state;
    bool provisioned, removed; /* removed: by its merchant */
    const char *reason;        /* why it will never be ACTIVE; NULL: no reason */
    unsigned month, year, card_month, card_year;
    unsigned asked;      /* how many enrolments it answered */
    unsigned counter;    /* application transaction counter: cryptograms given out */
    struct timer *timer; /* to what comes by itself: ACTIVE, then what its card does */
    void *owner;
};
struct tms_cryptogram {
    uint32_t token;
    unsigned month, year, used; /* the expiry that was told with it */
    char text[TMS_CRYPTOGRAM_CHARS + 1];
};

struct tms_store;
struct tms_store *tms_store_new(void);    /* NULL: memory */
void tms_store_free(struct tms_store *s); /* wipes; NULL is fine */
void tms_store_clear(struct tms_store *s);

struct tms_expiry {
    unsigned month, year;
};
/* UNPROVISIONED, without a timer. NULL: memory, or more than 100 million. */
struct tms_token *tms_store_add(struct tms_store *s, slice card, slice reference, struct tms_expiry expiry);
/* One that its merchant has not removed; NULL: none. */
struct tms_token *tms_store_enrolled(const struct tms_store *s, slice card, slice reference);
struct tms_token *tms_store_by_id(const struct tms_store *s, slice id);
struct tms_token *tms_store_by_instrument(const struct tms_store *s, slice id);
struct tms_token *tms_store_by_number(const struct tms_store *s, slice number);
bool tms_is_token_number(slice number); /* of a range of network tokens, given out or not */
bool tms_is_mastercard(slice number);
bool tms_is_visa(slice number);
size_t tms_store_count(const struct tms_store *s);
struct tms_token *tms_store_at(const struct tms_store *s, size_t index);

struct tms_cryptogram *tms_store_issue(struct tms_store *s,
                                       struct tms_token *t); /* NULL: memory. Valid until the next issue */
struct tms_cryptogram *tms_store_cryptogram(const struct tms_store *s, slice text);
size_t tms_store_cryptogram_count(const struct tms_store *s);
const struct tms_cryptogram *tms_store_cryptogram_at(const struct tms_store *s, size_t index);

#endif
