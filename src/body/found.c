/* SPDX-License-Identifier: Apache-2.0 */
#include "found.h"

#include "base/secret.h"
#include "body/brand.h"
#include "fingerprint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct found_card {
    struct credential c;  /* month and year may stand alone until the end */
    uint64_t first_start; /* of its places */
};
struct waiting_cvc { /* those of a level, and of the levels below it that have no number, are the last ones */
    uint64_t start;
    uint8_t len;
    char digits[CVC_MAX_DIGITS];
};
struct level {
    uint32_t card;        /* of the only number at or below it, or the first of several; FOUND_NONE */
    bool is_ruled;        /* so are the numbers that count here */
    bool has_several;     /* different numbers */
    uint8_t month;
    uint16_t year;
    uint8_t holder_len;
    uint32_t first_cvc;
    char holder[HOLDER_MAX_BYTES];
};

static struct found_card *card_at(const struct found *f, size_t i)
{
    return (struct found_card *)(void *)f->cards.at + i;
}

static struct level *top(const struct found *f)
{
    return (struct level *)(void *)f->levels.at + (f->level_count - 1);
}

static struct waiting_cvc *cvc_at(const struct found *f, size_t i)
{
    return (struct waiting_cvc *)(void *)f->cvcs.at + i;
}

static result add_item(struct buf *b, const void *item, size_t bytes, size_t *count)
{
    TRY(buf_append(b, (slice){item, bytes}));
    ++*count;
    return OK;
}

static void drop_items(struct buf *b, size_t bytes, size_t *count, size_t left)
{
    if (*count == left) return;
    secret_wipe(b->at + left * bytes, (*count - left) * bytes);
    b->len = left * bytes;
    *count = left;
}

result found_init(struct found *f, size_t max_cards)
{
    *f = (struct found){.max_cards = max_cards < UINT32_MAX ? max_cards : UINT32_MAX - 1};
    buf_init_secret(&f->cards, SIZE_MAX / 4);
    buf_init_secret(&f->levels, SIZE_MAX / 4);
    buf_init_secret(&f->cvcs, SIZE_MAX / 4);
    return found_open(f); /* the document itself */
}

void found_done(struct found *f)
{
    buf_done(&f->cards);
    buf_done(&f->levels);
    buf_done(&f->cvcs);
    free(f->places);
    free(f->order);
    free(f->index);
    *f = (struct found){0};
}

/* --- places --- */

result found_place(struct found *f, const struct place *place)
{
    if (f->place_count == f->place_cap) {
        size_t cap = f->place_cap ? f->place_cap * 2 : 16;
        struct place *places = realloc(f->places, cap * sizeof *places);
        ENSURE(places != NULL, MEMORY);
        f->places = places;
        f->place_cap = cap;
    }
    size_t at = f->place_count++;
    for (; at > 0 && f->places[at - 1].start > place->start; at--) f->places[at] = f->places[at - 1];
    f->places[at] = *place;
    return OK;
}

/* The number or CVC whose place starts there. */
static struct place *place_at(const struct found *f, uint64_t start)
{
    for (size_t i = f->place_count; i-- > 0 && f->places[i].start >= start;)
        if (f->places[i].start == start && f->places[i].kind <= PLACE_CVC) return &f->places[i];
    return NULL;
}

/* --- cards --- */

static result add_card(struct found *f, slice digits, uint64_t start, uint32_t *card)
{
    ENSURE(f->live < f->max_cards, INBOUND_COUNT);
    struct found_card c = {.first_start = start, .c = {.kind = CREDENTIAL_PAN, .brand = brand_of_digits(digits),
                                                       .number_len = (uint8_t)digits.len}};
    if (digits.len) memcpy(c.c.number, digits.at, digits.len);
    *card = (uint32_t)f->card_count;
    result r = add_item(&f->cards, &c, sizeof c, &f->card_count);
    secret_wipe(&c, sizeof c);
    TRY(r);
    f->live++;
    return OK;
}

static bool same_number(const struct credential *a, slice digits)
{
    return slice_eq((slice){a->number, a->number_len}, digits);
}

static bool either(bool has_a, bool has_b, bool are_equal)
{
    return !has_a || !has_b || are_equal;
}

/* Nothing beside the one contradicts what stands beside the other. */
static bool fits_together(const struct credential *a, const struct credential *b)
{
    return either(a->month, b->month, a->month == b->month) && either(a->year, b->year, a->year == b->year) &&
           either(a->cvc_len, b->cvc_len, slice_eq((slice){a->cvc, a->cvc_len}, (slice){b->cvc, b->cvc_len})) &&
           either(a->holder_len, b->holder_len, slice_eq((slice){a->holder, a->holder_len}, (slice){b->holder, b->holder_len}));
}

static void take_missing(struct credential *to, const struct credential *from)
{
    if (!to->month) to->month = from->month;
    if (!to->year) to->year = from->year;
    if (!to->holder_len) {
        to->holder_len = from->holder_len;
        memcpy(to->holder, from->holder, sizeof to->holder);
    }
    if (!to->cvc_len) {
        to->cvc_len = from->cvc_len;
        memcpy(to->cvc, from->cvc, sizeof to->cvc);
    }
}

/* Two cards of one number become one, where they fit. All places of <other> stand at or behind its first one. */
static bool merge_cards(struct found *f, uint32_t card, uint32_t other)
{
    struct found_card *from = card_at(f, other);
    if (card == other || !fits_together(&card_at(f, card)->c, &from->c)) return false;
    take_missing(&card_at(f, card)->c, &from->c);
    for (size_t i = f->place_count; i-- > 0 && f->places[i].start >= from->first_start;)
        if (f->places[i].kind <= PLACE_CVC && f->places[i].card == other) f->places[i].card = card;
    secret_wipe(&from->c, sizeof from->c);
    f->live--;
    if (other + 1 == f->card_count) drop_items(&f->cards, sizeof *from, &f->card_count, other);
    return true;
}

/* --- levels --- */

result found_open(struct found *f)
{
    struct level l = {.card = FOUND_NONE, .first_cvc = (uint32_t)f->cvc_count};
    return add_item(&f->levels, &l, sizeof l, &f->level_count);
}

/* A number at or below the level. One by rule counts more than those found by scan: a telephone number that happens to look like
 * a card's takes nothing from the card that the rules name. */
static void note_number(struct found *f, struct level *l, uint32_t card, bool is_ruled, bool has_several)
{
    bool takes = l->card == FOUND_NONE || (is_ruled && !l->is_ruled);
    const struct credential *c = &card_at(f, card)->c;
    bool same = l->card != FOUND_NONE && same_number(&card_at(f, l->card)->c, (slice){c->number, c->number_len});
    if (takes)
        l->has_several = has_several;
    else if (is_ruled == l->is_ruled && (!same || has_several))
        l->has_several = true;
    l->is_ruled |= is_ruled;
    bool merged = same && merge_cards(f, l->card, card);
    if (takes && !merged) l->card = card;
}

/* A number met before, where nothing can come to stand beside it any more: the same few cards on all lines of a long text are few. */
static uint32_t known_card(const struct found *f, const struct level *l, slice digits, bool is_ruled)
{
    uint32_t known = f->recent[fingerprint_of(digits) % FOUND_RECENT];
    bool serves = !is_ruled && l->has_several && known && known <= f->card_count && same_number(&card_at(f, known - 1)->c, digits);
    return serves ? known - 1 : FOUND_NONE;
}

result found_number(struct found *f, slice digits, bool is_ruled, const struct place *place)
{
    struct level *l = top(f);
    struct place p = *place;
    uint32_t card = known_card(f, l, digits, is_ruled);
    if (card != FOUND_NONE) {
        /* nothing else to be done */
    } else if (l->card != FOUND_NONE && same_number(&card_at(f, l->card)->c, digits)) {
        card = l->card;
        l->is_ruled |= is_ruled;
    } else {
        TRY(add_card(f, digits, place->start, &card));
        f->recent[fingerprint_of(digits) % FOUND_RECENT] = card + 1;
        note_number(f, l, card, is_ruled, false);
    }
    p.kind = PLACE_NUMBER;
    p.card = card;
    return found_place(f, &p);
}

result found_cvc(struct found *f, slice digits, const struct place *place)
{
    struct waiting_cvc w = {.start = place->start, .len = (uint8_t)digits.len};
    struct place p = *place;
    assert(digits.len <= sizeof w.digits);
    ENSURE(f->cvc_count < f->max_cards, INBOUND_COUNT);
    memcpy(w.digits, digits.at, digits.len);
    p.kind = PLACE_CVC;
    p.card = FOUND_NONE;
    TRY(found_place(f, &p));
    result r = add_item(&f->cvcs, &w, sizeof w, &f->cvc_count);
    secret_wipe(&w, sizeof w);
    return r;
}

void found_month(struct found *f, uint8_t month)
{
    if (!top(f)->month) top(f)->month = month;
}

void found_year(struct found *f, uint16_t year)
{
    if (!top(f)->year) top(f)->year = year;
}

void found_holder(struct found *f, slice name)
{
    struct level *l = top(f);
    if (l->holder_len || name.len == 0 || name.len > sizeof l->holder) return;
    memcpy(l->holder, name.at, name.len);
    l->holder_len = (uint8_t)name.len;
}

/* --- settling --- */

/* A card has one CVC: another one in its container is a card of its own. */
static result settle_cvc(struct found *f, const struct waiting_cvc *w, uint32_t card)
{
    slice digits = {w->digits, w->len};
    struct found_card *c = card == FOUND_NONE ? NULL : card_at(f, card);
    bool is_free = c && (c->c.cvc_len == 0 || slice_eq((slice){c->c.cvc, c->c.cvc_len}, digits));
    if (!is_free) {
        TRY(add_card(f, SLICE_NONE, w->start, &card));
        c = card_at(f, card);
    }
    c->c.cvc_len = w->len;
    memcpy(c->c.cvc, w->digits, w->len);
    if (w->start < c->first_start) c->first_start = w->start;
    struct place *p = place_at(f, w->start);
    assert(p);
    p->card = card;
    return OK;
}

static result settle_cvcs(struct found *f, const struct level *l, uint32_t card)
{
    for (size_t i = l->first_cvc; i < f->cvc_count; i++) TRY(settle_cvc(f, cvc_at(f, i), card));
    drop_items(&f->cvcs, sizeof(struct waiting_cvc), &f->cvc_count, l->first_cvc);
    return OK;
}

/* What waits at a level goes to its only number. */
static result settle(struct found *f, struct level *l)
{
    uint32_t card = l->has_several ? FOUND_NONE : l->card;
    if (card != FOUND_NONE) {
        struct credential rest = {.month = l->month, .year = l->year, .holder_len = l->holder_len};
        memcpy(rest.holder, l->holder, sizeof rest.holder);
        take_missing(&card_at(f, card)->c, &rest);
        secret_wipe(&rest, sizeof rest);
    }
    l->month = 0;
    l->year = 0;
    l->holder_len = 0;
    return settle_cvcs(f, l, card);
}

static void pass_up(const struct level *l, struct level *above)
{
    if (!above->month) above->month = l->month;
    if (!above->year) above->year = l->year;
    if (!above->holder_len) {
        above->holder_len = l->holder_len;
        memcpy(above->holder, l->holder, sizeof above->holder);
    }
}

result found_close(struct found *f, bool apart)
{
    assert(f->level_count > 1);
    struct level *l = top(f), *above = l - 1;
    if (l->card == FOUND_NONE && !apart)
        pass_up(l, above);
    else
        TRY(settle(f, l));
    if (l->card != FOUND_NONE) note_number(f, above, l->card, l->is_ruled, l->has_several);
    drop_items(&f->levels, sizeof *l, &f->level_count, f->level_count - 1);
    return OK;
}

/* Numbers the cards by their first places. */
static result put_in_order(struct found *f)
{
    uint32_t next = 0;
    f->order = calloc(f->live + 1, sizeof *f->order);
    f->index = calloc(f->card_count + 1, sizeof *f->index);
    ENSURE(f->order && f->index, MEMORY);
    for (size_t i = 0; i < f->card_count; i++) f->index[i] = FOUND_NONE;
    for (size_t i = 0; i < f->place_count; i++) {
        const struct place *p = &f->places[i];
        if (p->kind > PLACE_CVC || f->index[p->card] != FOUND_NONE) continue;
        f->index[p->card] = next;
        f->order[next++] = p->card;
    }
    assert(next == f->live);
    return OK;
}

result found_end(struct found *f)
{
    assert(f->level_count == 1);
    TRY(settle(f, top(f)));
    for (size_t i = 0; i < f->card_count; i++) {
        struct credential *c = &card_at(f, i)->c;
        if (c->month && c->year) continue; /* half an expiry is none */
        c->month = 0;
        c->year = 0;
    }
    return put_in_order(f);
}

const struct credential *found_card(const struct found *f, size_t index)
{
    assert(f->order && index < f->live);
    return &card_at(f, f->order[index])->c;
}

/* --- rendering --- */

static bool may_be_bare(slice alias)
{
    return slice_is_digits(alias) && alias.at[0] != '0'; /* RFC 8259 section 6: no leading zeros */
}

/* An alias of word characters needs no encoding in any format. */
static result write_alias(slice alias, bool is_bare, struct buf *out)
{
    ENSURE(slice_is_word(alias), INTERNAL);
    bool quoted = is_bare && !may_be_bare(alias);
    if (quoted) TRY(buf_append(out, SLICE("\"")));
    TRY(buf_append(out, alias));
    return quoted ? buf_append(out, SLICE("\"")) : OK;
}

static result write_place(const struct found *f, const struct place *p, const struct inbound_alias *aliases, struct buf *out)
{
    switch ((enum place_kind)p->kind) {
    case PLACE_NUMBER:
        return write_alias(aliases[f->index[p->card]].number, p->is_bare, out);
    case PLACE_CVC:
        return write_alias(aliases[f->index[p->card]].cvc, p->is_bare, out);
    case PLACE_QUOTE:
        return buf_append(out, SLICE("\""));
    case PLACE_MASK:
        TRY(buf_reserve(out, p->length));
        memset(buf_room(out), 'x', p->length);
        buf_added(out, p->length);
        return OK;
    }
    return FAIL(INTERNAL);
}

result found_render(const struct found *f, slice held, const struct inbound_alias *aliases, struct buf *out)
{
    ENSURE(f->order != NULL, INTERNAL);
    uint64_t at = 0;
    TRY(buf_reserve(out, held.len));
    for (size_t i = 0; i < f->place_count; i++) {
        const struct place *p = &f->places[i];
        ENSURE(p->start >= at && p->end >= p->start && p->end <= held.len, INTERNAL);
        TRY(buf_append(out, slice_range(held, (size_t)at, (size_t)p->start)));
        TRY(write_place(f, p, aliases, out));
        at = p->end;
    }
    return buf_append(out, slice_after(held, (size_t)at));
}
