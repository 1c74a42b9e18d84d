/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_FOUND_H
#define BODY_FOUND_H

/* Cards and places of one body, while they are found: which element belongs to which number (body/inbound.h says by what rule), and
 * which raw bytes will be written anew.
 *
 *   {"a":{"number":X,"expiry":E},"cvc":C}     levels: root {a {X E}  C}      on closing a level its pending elements go to its only
 *                                                                           number; without one they wait for the level above
 *
 * Two numbers with the same digits in one container are one card, unless what stands beside them differs. */

#include "body/inbound.h"

#define FOUND_NONE UINT32_MAX
enum { FOUND_RECENT = 256 };

enum place_kind { PLACE_NUMBER, PLACE_CVC, PLACE_MASK /* digits become 'x' */, PLACE_QUOTE /* nothing becomes '"' */ };
struct place {
    uint64_t start, end; /* raw */
    uint32_t card;       /* of a number or CVC */
    uint32_t length;     /* of what is masked, decoded */
    uint8_t kind;
    bool is_bare;        /* a JSON number */
};
struct found {
    size_t max_cards;
    struct buf cards, levels, cvcs; /* secret: of struct found_card, struct level, struct waiting_cvc */
    size_t card_count, level_count, cvc_count;
    uint32_t live;                  /* cards that were not merged into another */
    struct place *places;           /* in the order of their starts */
    size_t place_count, place_cap;
    uint32_t recent[FOUND_RECENT];  /* a card and one, by its number's fingerprint; 0: none */
    uint32_t *order;                /* once settled: the cards by their first places */
    uint32_t *index;                /* the other way round */
};

MUST_USE result found_init(struct found *f, size_t max_cards); /* ERR_MEMORY; found_done is right after that too */
void found_done(struct found *f);                              /* wipes */
MUST_USE result found_open(struct found *f);                   /* ERR_MEMORY */
/* ERR_MEMORY, ERR_INBOUND_COUNT. <apart>: what waits for a number in there waits no longer. */
MUST_USE result found_close(struct found *f, bool apart);
MUST_USE result found_end(struct found *f);                    /* settles everything; the same errors */

/* All of them: in the container that is open. ERR_MEMORY, ERR_INBOUND_COUNT. */
MUST_USE result found_number(struct found *f, slice digits, bool is_ruled, const struct place *place);
MUST_USE result found_cvc(struct found *f, slice digits, const struct place *place);
MUST_USE result found_place(struct found *f, const struct place *place); /* ERR_MEMORY */
void found_month(struct found *f, uint8_t month);
void found_year(struct found *f, uint16_t year);
void found_holder(struct found *f, slice name /* at most HOLDER_MAX_BYTES */);

/* After found_end. */
const struct credential *found_card(const struct found *f, size_t index);
MUST_USE result found_render(const struct found *f, slice held, const struct inbound_alias *aliases, struct buf *out);

#endif
