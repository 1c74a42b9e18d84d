/* SPDX-License-Identifier: Apache-2.0 */
#include "tms_store.h"

#include "base/secret.h"
#include "sandbox/tms.h"
#include "sign/encoding.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { HASHES = 1 << 14, TOKENS_MAX = 100 * 1000 * 1000, PREFIX_DIGITS = 6, PLACE_DIGITS = 9, PLACE_BYTES = 5 };
static const char VISA_RANGE[] = "489537", MASTERCARD_RANGE[] = "520473"; /* + place, 9 digits + check digit */

static const struct tms_card cards[] = {
#define TMS_CARD(number, behaviour, reason, help) {number, TMS_CARD_##behaviour, reason, help},
#include "sandbox/tms_cards.def"
#undef TMS_CARD
};

struct tms_store {
    struct tms_token **tokens;
    struct tms_cryptogram *cryptograms;
    size_t count, cap, cryptogram_count, cryptogram_cap;
    uint32_t heads[HASHES]; /* place of the newest token of that hash, plus one; 0: none */
};

const struct tms_card *tms_card_of(slice number)
{
    static const struct tms_card eligible = {"", TMS_CARD_ELIGIBLE, NULL, ""},
                                 other = {"", TMS_CARD_REFUSED, "CARD_NOT_ELIGIBLE", ""};
    for (size_t i = 0; i < sizeof cards / sizeof *cards; i++)
        if (slice_is(number, cards[i].number)) return &cards[i];
    return tms_is_visa(number) || tms_is_mastercard(number) ? &eligible : &other;
}

void tms_print_cards(FILE *out)
{
    for (size_t i = 0; i < sizeof cards / sizeof *cards; i++)
        fprintf(out, "  %-17s %s\n", cards[i].number, cards[i].help);
}

const char *tms_state_name(enum tms_state s)
{
    static const char *const names[] = {"UNPROVISIONED", "ACTIVE", "SUSPENDED", "DELETED"};
    return names[s];
}

/* --- life --- */

struct tms_store *tms_store_new(void)
{
    return calloc(1, sizeof(struct tms_store));
}

void tms_store_clear(struct tms_store *s)
{
    for (size_t i = 0; i < s->count; i++) {
        timer_free(s->tokens[i]->timer);
        secret_wipe(s->tokens[i], sizeof *s->tokens[i]);
        free(s->tokens[i]);
    }
    secret_wipe(s->cryptograms, s->cryptogram_cap * sizeof *s->cryptograms);
    free(s->tokens);
    free(s->cryptograms);
    *s = (struct tms_store){0};
}

void tms_store_free(struct tms_store *s)
{
    if (s) tms_store_clear(s);
    free(s);
}

/* Room for one more of <size> bytes each; what they held moves, and is wiped where it was. */
static bool grow(void **at, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) return true;
    size_t wanted = *cap ? *cap * 2 : 64;
    void *larger = calloc(wanted, size);
    if (!larger) return false;
    if (count) memcpy(larger, *at, count * size);
    secret_wipe(*at, count * size);
    free(*at);
    *at = larger;
    *cap = wanted;
    return true;
}

/* --- numbers --- */

bool tms_is_visa(slice number)
{
    return slice_starts(number, SLICE("4"));
}

bool tms_is_mastercard(slice number)
{
    uint64_t bin;
    if (number.len < 4 || !slice_to_u64(slice_range(number, 0, 4), 9999, &bin)) return false;
    return (bin >= 5100 && bin <= 5599) || (bin >= 2221 && bin <= 2720);
}

bool tms_is_token_number(slice number)
{
    return number.len == TMS_NUMBER_DIGITS &&
           (slice_starts(number, slice_of(VISA_RANGE)) || slice_starts(number, slice_of(MASTERCARD_RANGE)));
}

/* ISO/IEC 7812-1, annex B */
static char check_digit(const char *digits, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned d = (unsigned)(digits[count - 1 - i] - '0') * (i % 2 == 0 ? 2 : 1);
        sum += d > 9 ? d - 9 : d;
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

static void random_hex(char *out, size_t digits)
{
    unsigned char bytes[TMS_ID_CHARS];
    if (RAND_bytes(bytes, (int)digits) != 1) memset(bytes, 7, digits); /* ids of a simulation only */
    for (size_t i = 0; i < digits; i++)
        out[i] = "0123456789ABCDEF"[bytes[i] & 15];
    out[digits] = '\0';
}

static void name_token(struct tms_token *t)
{
    const char *range = tms_is_mastercard(slice_of(t->card)) ? MASTERCARD_RANGE : VISA_RANGE;
    snprintf(t->id, sizeof t->id, "%08X", t->index);
    random_hex(t->id + 8, TMS_ID_CHARS - 8);
    snprintf(t->suffix, sizeof t->suffix, "%s", t->card + strlen(t->card) - 4);
    snprintf(t->instrument, sizeof t->instrument, "701%012u%s", t->index, t->suffix);
    snprintf(t->number, sizeof t->number, "%s%09u", range, t->index);
    t->number[TMS_NUMBER_DIGITS - 1] = check_digit(t->number, TMS_NUMBER_DIGITS - 1);
}

/* --- tokens --- */

static size_t hash_of(slice card)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (size_t i = 0; i < card.len; i++)
        hash = (hash ^ (unsigned char)card.at[i]) * 16777619U;
    return hash % HASHES;
}

struct tms_token *tms_store_add(struct tms_store *s, slice card, slice reference, struct tms_expiry expiry)
{
    assert(card.len >= 12 && card.len < sizeof((struct tms_token *)0)->card && reference.len <= TMS_REFERENCE_MAX);
    if (s->count >= TOKENS_MAX || !grow((void **)&s->tokens, s->count, &s->cap, sizeof *s->tokens)) return NULL;
    struct tms_token *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    uint32_t *head = &s->heads[hash_of(card)];
    memcpy(t->card, card.at, card.len);
    if (reference.len) memcpy(t->reference, reference.at, reference.len);
    t->index = (uint32_t)s->count;
    t->next = *head;
    t->behaviour = tms_card_of(card);
    t->card_month = expiry.month;
    t->card_year = expiry.year;
    name_token(t);
    s->tokens[s->count++] = t;
    *head = t->index + 1;
    return t;
}

struct tms_token *tms_store_enrolled(const struct tms_store *s, slice card, slice reference)
{
    for (uint32_t at = s->heads[hash_of(card)]; at; at = s->tokens[at - 1]->next) {
        struct tms_token *t = s->tokens[at - 1];
        if (slice_is(card, t->card) && slice_is(reference, t->reference) && !t->removed) return t;
    }
    return NULL;
}

static struct tms_token *token_at(const struct tms_store *s, uint64_t index)
{
    return index < s->count ? s->tokens[index] : NULL;
}

struct tms_token *tms_store_by_id(const struct tms_store *s, slice id)
{
    uint64_t index = 0;
    if (id.len != TMS_ID_CHARS) return NULL;
    for (size_t i = 0; i < 8; i++) {
        const char *digit = memchr("0123456789ABCDEF", id.at[i], 16);
        if (!digit) return NULL;
        index = index * 16 + (uint64_t)(digit - "0123456789ABCDEF");
    }
    struct tms_token *t = token_at(s, index);
    return t && slice_is(id, t->id) ? t : NULL;
}

struct tms_token *tms_store_by_instrument(const struct tms_store *s, slice id)
{
    uint64_t index;
    if (id.len != TMS_INSTRUMENT_CHARS || !slice_to_u64(slice_range(id, 3, 15), TOKENS_MAX, &index)) return NULL;
    struct tms_token *t = token_at(s, index);
    return t && slice_is(id, t->instrument) ? t : NULL;
}

struct tms_token *tms_store_by_number(const struct tms_store *s, slice number)
{
    uint64_t index;
    if (!tms_is_token_number(number)) return NULL;
    if (!slice_to_u64(slice_range(number, PREFIX_DIGITS, PREFIX_DIGITS + PLACE_DIGITS), TOKENS_MAX, &index))
        return NULL;
    struct tms_token *t = token_at(s, index);
    return t && slice_is(number, t->number) ? t : NULL;
}

size_t tms_store_count(const struct tms_store *s)
{
    return s->count;
}

struct tms_token *tms_store_at(const struct tms_store *s, size_t index)
{
    assert(index < s->count);
    return s->tokens[index];
}

/* --- cryptograms --- */

struct tms_cryptogram *tms_store_issue(struct tms_store *s, struct tms_token *t)
{
    uint8_t bytes[TMS_CRYPTOGRAM_BYTES];
    struct buf text;
    if (!grow((void **)&s->cryptograms, s->cryptogram_count, &s->cryptogram_cap, sizeof *s->cryptograms)) return NULL;
    if (RAND_bytes(bytes, sizeof bytes) != 1) return NULL;
    size_t place = s->cryptogram_count;
    for (unsigned i = 0; i < PLACE_BYTES; i++)
        bytes[i] = (uint8_t)(place >> (8 * i));
    struct tms_cryptogram *c = &s->cryptograms[place];
    *c = (struct tms_cryptogram){.token = t->index, .month = t->month, .year = t->year};
    buf_init(&text, TMS_CRYPTOGRAM_CHARS);
    bool written = !failed(base64_write((slice){(const char *)bytes, sizeof bytes}, &text));
    if (written) memcpy(c->text, text.at, TMS_CRYPTOGRAM_CHARS);
    buf_done(&text);
    if (!written) return NULL;
    s->cryptogram_count++;
    t->counter++;
    return c;
}

struct tms_cryptogram *tms_store_cryptogram(const struct tms_store *s, slice text)
{
    struct buf bytes;
    uint64_t place = 0;
    buf_init(&bytes, 2 * TMS_CRYPTOGRAM_BYTES);
    bool readable = !failed(base64_read(text, &bytes)) && bytes.len == TMS_CRYPTOGRAM_BYTES;
    for (unsigned i = 0; readable && i < PLACE_BYTES; i++)
        place |= (uint64_t)(uint8_t)bytes.at[i] << (8 * i);
    buf_done(&bytes);
    if (!readable || place >= s->cryptogram_count || !slice_is(text, s->cryptograms[place].text)) return NULL;
    return &s->cryptograms[place];
}

size_t tms_store_cryptogram_count(const struct tms_store *s)
{
    return s->cryptogram_count;
}

const struct tms_cryptogram *tms_store_cryptogram_at(const struct tms_store *s, size_t index)
{
    assert(index < s->cryptogram_count);
    return &s->cryptograms[index];
}
