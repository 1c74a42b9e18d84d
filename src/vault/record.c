/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/record.h"

#include "base/secret.h"
#include "bytes.h"

#include <string.h>

enum { FIXED_BYTES = 22 };

size_t card_record_encode(const struct card_record *r, uint8_t out[CARD_RECORD_MAX_BYTES])
{
    bool removed = r->state == CARD_PAN_REMOVED;
    uint8_t *at = out;
    *at++ = CARD_RECORD_LAYOUT;
    *at++ = (uint8_t)r->state;
    *at++ = r->indexed;
    *at++ = r->card.month;
    put_u16(at, r->card.year);
    put_u64(at + 2, (uint64_t)r->created_ms);
    put_u64(at + 10, (uint64_t)r->updated_ms);
    at += 18;
    at = put_text(at, slice_of(r->mask.brand));
    at = put_text(at, removed ? slice_of(r->mask.number) : (slice){r->card.number, r->card.number_len});
    at = put_text(at, (slice){r->card.holder, r->card.holder_len});
    return (size_t)(at - out);
}

static bool is_mask(slice s)
{
    if (s.len != 0 && (s.len < PAN_MIN_DIGITS || s.len > PAN_MAX_DIGITS)) return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] != '*' && (s.at[i] < '0' || s.at[i] > '9')) return false;
    return true;
}

static result decode_texts(slice rest, struct card_record *out)
{
    slice brand, number, holder;
    enum card_brand known;
    ENSURE(take_text(&rest, CARD_BRAND_MAX_BYTES, &brand) && card_brand_parse(brand, &known), VAULT_FORMAT);
    ENSURE(take_text(&rest, PAN_MAX_DIGITS, &number), VAULT_FORMAT);
    ENSURE(take_text(&rest, HOLDER_MAX_BYTES, &holder) && rest.len == 0, VAULT_FORMAT);
    if (out->state == CARD_PAN_REMOVED) {
        ENSURE(is_mask(number), VAULT_FORMAT);
        if (number.len) memcpy(out->mask.number, number.at, number.len);
        memcpy(out->mask.brand, brand.at, brand.len);
    } else {
        ENSURE(number.len >= PAN_MIN_DIGITS && slice_is_digits(number), VAULT_FORMAT);
        memcpy(out->card.number, number.at, number.len);
        out->card.number_len = (uint8_t)number.len;
        card_mask(&out->card, &out->mask);
    }
    if (holder.len) memcpy(out->card.holder, holder.at, holder.len);
    out->card.holder_len = (uint8_t)holder.len;
    return OK;
}

result card_record_decode(slice plain, struct card_record *out)
{
    memset(out, 0, sizeof *out);
    ENSURE(plain.len > FIXED_BYTES && plain.at[0] == CARD_RECORD_LAYOUT, VAULT_FORMAT);
    const uint8_t *at = (const uint8_t *)plain.at;
    ENSURE(at[1] <= CARD_PAN_REMOVED && at[2] <= 1 && at[3] <= 12, VAULT_FORMAT);
    out->state = (enum card_state)at[1];
    out->indexed = at[2] == 1;
    out->card.month = at[3];
    out->card.year = get_u16(at + 4);
    out->created_ms = (int64_t)get_u64(at + 6);
    out->updated_ms = (int64_t)get_u64(at + 14);
    return decode_texts(slice_after(plain, FIXED_BYTES), out);
}

void card_record_remove_pan(struct card_record *r)
{
    secret_wipe(r->card.number, sizeof r->card.number);
    r->card.number_len = 0;
    r->state = CARD_PAN_REMOVED;
    r->indexed = false;
}

void card_record_info(const struct card_record *r, const struct token_id *token, struct card_info *out)
{
    *out = (struct card_info){
        .token = *token,
        .mask = r->mask,
        .month = r->card.month,
        .year = r->card.year,
        .has_holder = r->card.holder_len > 0,
        .state = r->state,
        .created_ms = r->created_ms,
        .updated_ms = r->updated_ms,
    };
}
