/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include "base/secret.h"
#include "vault/card.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Aliases are no secrets, but for the CVC's: with it the CVC can be had, once, by this merchant. */
struct alias_text {
    uint8_t number_len, cvc_len;
    char number[TOKEN_ID_MAX_BYTES], cvc[TOKEN_ID_MAX_BYTES];
};
struct captured_text {
    struct inbound_text *text;
    uint32_t first_card;
};
struct capture {
    struct inbound *body;
    struct captured_text *texts;
    uint32_t text_count, text_room, text_cards;
    struct alias_text *alias_texts; /* by card: those of the texts, then those of the body */
    struct inbound_alias *aliases;  /* borrow alias_texts */
    uint32_t card_count;
    struct capture_counts counts;
};

struct capture *capture_new(void)
{
    return calloc(1, sizeof(struct capture));
}

void capture_free(struct capture *c)
{
    if (!c) return;
    inbound_free(c->body);
    for (uint32_t i = 0; i < c->text_count; i++) inbound_text_free(c->texts[i].text);
    free(c->texts);
    if (c->alias_texts) secret_wipe(c->alias_texts, (c->card_count + 1) * sizeof *c->alias_texts);
    free(c->alias_texts);
    free(c->aliases);
    free(c);
}

/* --- what is in it --- */

result capture_open_body(struct capture *c, const struct inbound_options *options)
{
    assert(!c->body);
    c->body = inbound_new(options);
    ENSURE(c->body != NULL, MEMORY);
    return OK;
}

result capture_feed(struct capture *c, slice bytes)
{
    return c->body ? inbound_feed(c->body, bytes) : OK;
}

result capture_end(struct capture *c)
{
    if (!c->body) return OK;
    TRY(inbound_end(c->body));
    c->counts.invalid = inbound_invalid_count(c->body);
    return OK;
}

const struct body_fault *capture_fault(const struct capture *c)
{
    return c->body ? inbound_fault(c->body) : NULL;
}

static result room_for_text(struct capture *c)
{
    if (c->text_count < c->text_room) return OK;
    uint32_t room = c->text_room ? c->text_room * 2 : 4;
    struct captured_text *more = realloc(c->texts, room * sizeof *more);
    ENSURE(more != NULL, MEMORY);
    c->texts = more;
    c->text_room = room;
    return OK;
}

result capture_add_text(struct capture *c, slice value, enum encoding encoding, uint32_t *text)
{
    struct inbound_text *found = NULL;
    *text = 0;
    TRY(room_for_text(c));
    TRY(inbound_text_new(value, encoding, &found));
    if (!found) return OK;
    c->texts[c->text_count] = (struct captured_text){found, c->text_cards};
    c->text_cards += (uint32_t)inbound_text_card_count(found);
    *text = ++c->text_count;
    return OK;
}

bool capture_finds(slice text)
{
    struct inbound_text *found = NULL;
    result r = inbound_text_new(text, ENCODING_FIELD_VALUE, &found);
    inbound_text_free(found);
    return failed(r) || found;
}

/* --- cards --- */

static const struct credential *card_at(const struct capture *c, uint32_t card)
{
    if (card >= c->text_cards) return inbound_card(c->body, card - c->text_cards);
    uint32_t i = c->text_count - 1;
    while (c->texts[i].first_card > card) i--;
    return inbound_text_card(c->texts[i].text, card - c->texts[i].first_card);
}

static result number_through(struct capture *c)
{
    assert(!c->aliases);
    c->card_count = c->text_cards + (c->body ? (uint32_t)inbound_card_count(c->body) : 0);
    c->aliases = calloc(c->card_count + 1, sizeof *c->aliases);
    c->alias_texts = calloc(c->card_count + 1, sizeof *c->alias_texts);
    ENSURE(c->aliases && c->alias_texts, MEMORY);
    return OK;
}

result capture_ask(struct capture *c, struct keeper_dialogue *d, uint32_t *asked)
{
    *asked = 0;
    TRY(number_through(c));
    for (uint32_t i = 0; i < c->card_count; i++) {
        TRY(keeper_capture(d, i, card_at(c, i)));
        ++*asked;
    }
    return OK;
}

static slice keep(char at[TOKEN_ID_MAX_BYTES], uint8_t *len, slice alias)
{
    *len = (uint8_t)alias.len;
    memcpy(at, alias.at, alias.len);
    return (slice){at, alias.len};
}

/* What has card data in it and got no alias for it must not go on. */
result capture_take(struct capture *c, uint32_t card, const struct captured *what)
{
    assert(card < c->card_count);
    const struct credential *found = card_at(c, card);
    struct alias_text *t = &c->alias_texts[card];
    bool is_number_told = slice_is_word(what->alias) && what->alias.len <= TOKEN_ID_MAX_BYTES;
    bool is_cvc_told = slice_is_word(what->cvc_alias) && what->cvc_alias.len <= TOKEN_ID_MAX_BYTES;
    ENSURE((!found->number_len || is_number_told) && (!found->cvc_len || is_cvc_told), INTERNAL);
    if (found->number_len) c->aliases[card].number = keep(t->number, &t->number_len, what->alias);
    if (found->cvc_len) c->aliases[card].cvc = keep(t->cvc, &t->cvc_len, what->cvc_alias);
    c->counts.cards += found->number_len > 0;
    c->counts.cvcs += found->cvc_len > 0;
    c->counts.fell += what->fell;
    return OK;
}

/* PCI DSS 3.4.1: at most the BIN and the last four digits may be shown; of a short number the last four (vault/card.h). */
static result append_masked(struct buf *out, const struct credential *found)
{
    struct card_mask mask;
    struct card card = {.number_len = found->number_len};
    memcpy(card.number, found->number, found->number_len);
    card_mask(&card, &mask);
    secret_wipe(&card, sizeof card);
    card_mask_x(&mask);
    return buf_append(out, slice_of(mask.number));
}

static result show(struct capture *c, uint32_t card, struct buf *room)
{
    buf_clear(room);
    TRY(append_masked(room, card_at(c, card)));
    return capture_take(c, card, &(struct captured){.alias = buf_slice(room), .cvc_alias = SLICE("xxx")});
}

result capture_show(struct capture *c)
{
    struct buf room;
    result r = number_through(c);
    buf_init(&room, PAN_MAX_DIGITS);
    for (uint32_t i = 0; !failed(r) && i < c->card_count; i++) r = show(c, i, &room);
    buf_done(&room);
    return r;
}

struct capture_counts capture_counts(const struct capture *c)
{
    return c->counts;
}

/* --- what goes on --- */

bool capture_changes_body(const struct capture *c)
{
    return c->card_count > c->text_cards || c->counts.invalid;
}

result capture_render_body(const struct capture *c, struct buf *out)
{
    return c->body ? inbound_render(c->body, c->aliases + c->text_cards, out) : OK;
}

result capture_render_text(const struct capture *c, uint32_t text, struct buf *out)
{
    const struct captured_text *t = &c->texts[text - 1];
    return inbound_text_render(t->text, c->aliases + t->first_card, out);
}

static result append_pair(struct buf *out, slice alias, const struct credential *card)
{
    TRY(buf_append(out, out->len ? SLICE("; ") : SLICE("")));
    TRY(buf_append(out, alias));
    TRY(buf_append(out, SLICE("=")));
    return append_masked(out, card);
}

result capture_write_masked(const struct capture *c, struct buf *out)
{
    enum { PAIR_MAX_BYTES = 2 + TOKEN_ID_MAX_BYTES + 1 + PAN_MAX_DIGITS };
    assert(out->len == 0);
    for (uint32_t i = 0; i < c->card_count && out->len + PAIR_MAX_BYTES <= MASKED_MAX_BYTES; i++)
        if (c->aliases[i].number.len) TRY(append_pair(out, c->aliases[i].number, card_at(c, i)));
    return OK;
}
