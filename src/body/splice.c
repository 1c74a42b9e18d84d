/* SPDX-License-Identifier: Apache-2.0 */
#include "splice.h"

#include <assert.h>
#include <stdlib.h>

void splice_init(struct splice *s, const struct plan *plan, const struct token_table *tokens, enum encoding encoding)
{
    *s = (struct splice){.plan = plan, .tokens = tokens, .encoding = encoding, .edit_token = SPLICE_NO_TOKEN};
}

void splice_done(struct splice *s)
{
    free(s->entries);
    s->entries = NULL;
    s->first = s->count = s->cap = 0;
}

/* A payment has one card. Where a body has slots of several tokens, the number in the rules' own field decides. */
static void note_edit_token(struct splice *s, const struct splice_entry *e)
{
    uint8_t rank = e->element != ELEMENT_NUMBER ? 1 : e->why == SPLICE_WHY_RULES ? 3 : 2;
    if (rank <= s->edit_rank) return;
    s->edit_rank = rank;
    s->edit_token = e->token;
}

result splice_add(struct splice *s, const struct splice_entry *e, uint32_t *index)
{
    if (s->count == s->cap) {
        ENSURE(s->cap <= UINT32_MAX / 2, TOO_LARGE);
        uint32_t cap = s->cap ? s->cap * 2 : 8;
        struct splice_entry *entries = realloc(s->entries, cap * sizeof *entries);
        ENSURE(entries != NULL, MEMORY);
        s->entries = entries;
        s->cap = cap;
    }
    assert(s->count == s->first || s->entries[s->count - 1].start <= e->start);
    *index = s->count;
    s->entries[s->count] = *e;
    s->entries[s->count++].encoding = (uint8_t)s->encoding;
    if (e->kind == SPLICE_SLOT) note_edit_token(s, e);
    return OK;
}

const char *splice_why_text(const struct splice_entry *e)
{
    static const char *const by_rules[ELEMENT_COUNT] = {
        [ELEMENT_NUMBER] = "card.number of the rules",         [ELEMENT_EXPIRY] = "card.expiry of the rules",
        [ELEMENT_EXP_MONTH] = "card.exp_month of the rules",   [ELEMENT_EXP_YEAR] = "card.exp_year of the rules",
        [ELEMENT_CVC] = "card.cvc of the rules",               [ELEMENT_HOLDER] = "card.holder of the rules",
        [ELEMENT_LAST4] = "card.last4 of the rules",           [ELEMENT_BIN] = "card.bin of the rules",
        [ELEMENT_CRYPTOGRAM] = "card.cryptogram of the rules", [ELEMENT_ECI] = "card.eci of the rules",
        [ELEMENT_REQUESTOR] = "card.requestor of the rules",   [ELEMENT_TOKEN] = "card.token of the rules",
        [ELEMENT_NETWORK_TRANSACTION_ID] = "card.network_transaction_id of the rules",
        [ELEMENT_CARD_LAST4] = "card.card_last4 of the rules",
    };
    switch ((enum splice_why)e->why) {
    case SPLICE_WHY_EXTRACT:
        return "extract stage";
    case SPLICE_WHY_RULES:
        return by_rules[e->element];
    case SPLICE_WHY_SET:
        return "network_token.set";
    case SPLICE_WHY_TRANSACTION:
        return "network_transaction_id.set";
    case SPLICE_WHY_DROP:
        return "network_token.drop";
    case SPLICE_WHY_DEFAULT:
        break;
    }
    return "default";
}

/* --- rendering --- */

struct render {
    const struct splice *splice;
    slice text;
    uint64_t base, at; /* written up to here */
    const struct credential *const *credentials;
    const struct credential *edit; /* NULL: edits do not apply */
    bool drops;
    bool has_inserted; /* at this place */
    struct edit_sets sets;
    struct buf *out;
};

/* edit stays NULL, and sets unset, unless choose_edits() is called: streamed bodies have no edits. */
static void render_begin(struct render *r, const struct splice *s, slice text, uint64_t base,
                         const struct credential *const *credentials, struct buf *out)
{
    r->splice = s;
    r->text = text;
    r->base = r->at = base;
    r->credentials = credentials;
    r->edit = NULL;
    r->drops = r->has_inserted = false;
    r->out = out;
}

static void choose_edits(struct render *r)
{
    const struct splice *s = r->splice;
    if (s->edit_token == SPLICE_NO_TOKEN || !s->plan || s->plan->edit_count == 0) return;
    const struct credential *c = r->credentials[s->edit_token];
    if (!c) return;
    r->edit = c;
    r->drops = c->kind == CREDENTIAL_NETWORK_TOKEN;
    edit_sets_for(s->plan, c, &r->sets);
}

static bool holds(const struct render *r, const struct splice_entry *e)
{
    if (e->kind == SPLICE_SLOT) return true;
    if (e->kind == SPLICE_DROP) return r->drops;
    return r->edit && edit_sets_have(&r->sets, e->node);
}

bool splice_entry_shows(const struct splice *s, uint32_t index, const struct credential *const *credentials)
{
    struct render r;
    render_begin(&r, s, SLICE_NONE, 0, credentials, NULL);
    choose_edits(&r);
    for (uint32_t i = s->first; i <= index; i++) {
        const struct splice_entry *e = &s->entries[i];
        bool shows = e->start >= r.at && holds(&r, e);
        if (i == index) return shows;
        if (shows) r.at = e->end;
    }
    return false;
}

static result copy_to(struct render *r, uint64_t offset)
{
    result done = buf_append(r->out, slice_range(r->text, (size_t)(r->at - r->base), (size_t)(offset - r->base)));
    r->at = offset;
    return done;
}

static result write_slot(struct render *r, const struct splice_entry *e)
{
    const struct credential *c = r->credentials[e->token];
    ENSURE(c != NULL, INTERNAL);
    return element_write(c, token_table_id(r->splice->tokens, e->token), (enum element)e->element,
                         (enum date_format)e->format, e->as_number, (enum encoding)e->encoding, r->out);
}

static result write_edit(struct render *r, const struct splice_entry *e)
{
    const struct plan *plan = r->splice->plan;
    slice token = token_table_id(r->splice->tokens, r->splice->edit_token);
    bool insert = e->kind == SPLICE_INSERT;
    if (e->kind == SPLICE_DROP) return OK;
    if (insert && (r->has_inserted || (r->drops ? e->after_kept : e->after_any)))
        TRY(buf_append(r->out, plan->format == BODY_FORM ? SLICE("&") : SLICE(",")));
    r->has_inserted = insert;
    if (e->lacks_equals) TRY(buf_append(r->out, SLICE("=")));
    if (plan->format == BODY_FORM) return edit_write_form(plan, e->node, insert, r->edit, token, r->out);
    return insert ? edit_write_member(plan, &r->sets, e->node, r->edit, token, r->out)
                  : edit_write_json(plan, &r->sets, e->node, r->edit, token, r->out);
}

static result write_entry(struct render *r, const struct splice_entry *e)
{
    if (e->kind == SPLICE_INSERT && e->is_first) r->has_inserted = false;
    if (!holds(r, e)) return OK;
    TRY(copy_to(r, e->start));
    TRY(e->kind == SPLICE_SLOT ? write_slot(r, e) : write_edit(r, e));
    r->at = e->end;
    return OK;
}

/* Room for the whole of it at once: growing would copy card data around. */
static size_t most_bytes(const struct splice *s, size_t text_bytes)
{
    size_t most = text_bytes;
    for (uint32_t i = s->first; i < s->count; i++)
        if (s->entries[i].kind == SPLICE_SLOT) most += element_max_bytes((enum element)s->entries[i].element);
    return most;
}

result splice_render(const struct splice *s, slice text, uint64_t base, const struct credential *const *credentials,
                     struct buf *out)
{
    struct render r;
    render_begin(&r, s, text, base, credentials, out);
    choose_edits(&r);
    TRY(buf_reserve(out, most_bytes(s, text.len)));
    for (uint32_t i = s->first; i < s->count; i++)
        if (s->entries[i].start >= r.at) TRY(write_entry(&r, &s->entries[i]));
    return copy_to(&r, base + text.len);
}

result splice_drain(struct splice *s, slice text, uint64_t base, uint64_t sure,
                    const struct credential *const *credentials, struct buf *out, uint64_t *reached)
{
    struct render r;
    render_begin(&r, s, text, base, credentials, out);
    result done = OK;
    for (; s->first < s->count && !failed(done); s->first++) {
        const struct splice_entry *e = &s->entries[s->first];
        if (!credentials || !credentials[e->token]) {
            sure = e->start;
            break;
        }
        done = write_entry(&r, e);
    }
    if (!failed(done) && r.at < sure) done = copy_to(&r, sure);
    *reached = r.at;
    if (s->first == s->count) s->first = s->count = 0;
    return done;
}
