/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a body of the API; the first one chooses whose: 'e' an enrolment, 'n' new cards, 'c' a change of one, 't' a temporal
 * token; in Firstoken's shapes 'f' cards, 'd' tokens to delete, 'r' a request, 's' a scheme to store with. Refused by an error that names a fault of the body, or taken; then every value is one that the keeper may get, blanks around
 * the document make no difference, and an enrolment that is written anew from what was taken out of it says the same. */
#include "api/card_json.h"
#include "api/enrol_json.h"
#include "api/firstoken_json.h"
#include "base/envelope.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

enum { SECRET_HEAP_BYTES = 1 << 20, CARDS_MAX = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) abort();
}

static bool is_of_the_document(enum error e)
{
    switch (e) {
    case ERR_JSON_SYNTAX:
    case ERR_JSON_CUT_OFF:
    case ERR_JSON_TRAILING:
    case ERR_JSON_DEPTH:
    case ERR_JSON_DUPLICATE_KEY:
    case ERR_JSON_SURROGATE:
    case ERR_UTF8: return true;
    default: return false;
    }
}

/* Blanks at the end of a text that is cut off inside a string are another fault. */
static bool is_same_fault(enum error a, enum error b)
{
    return a == b || (is_of_the_document(a) && is_of_the_document(b));
}

/* The same between blanks. */
static void surround(slice text, struct buf *out)
{
    require(!failed(buf_append(out, SLICE(" \r\n\t"))));
    require(!failed(buf_append(out, text)));
    require(!failed(buf_append(out, SLICE("\n  "))));
}

/* --- enrolments --- */

static void check_text(slice text, bool is_wanted)
{
    require(text.len <= ENROL_TEXT_MAX_BYTES && (text.len > 0 || !is_wanted));
    for (size_t i = 0; i < text.len; i++) require((unsigned char)text.at[i] >= ' ' && text.at[i] != 0x7f);
}

static void check_enrolment(const struct enrol_json *e)
{
    struct token_id id;
    slice country = e->billing.country;
    require(token_id_from(token_id_slice(&e->token), &id));
    require(e->cvc.len == 0 || !failed(card_check_cvc(e->cvc)) || token_id_from(e->cvc, &id));
    check_text(e->billing.address_1, true);
    check_text(e->billing.address_2, false);
    check_text(e->billing.city, true);
    check_text(e->billing.state, true);
    check_text(e->billing.postal_code, true);
    require(country.len == 2 && country.at[0] >= 'A' && country.at[0] <= 'Z' && country.at[1] >= 'A' && country.at[1] <= 'Z');
}

static void append(struct buf *out, const char *before, slice value)
{
    require(!failed(json_append_member(out, slice_of(before), value)));
}

static void append_placeholder(struct buf *out, const char *before, slice token, const char *kind)
{
    struct buf text;
    buf_init(&text, 1 << 10);
    require(!failed(buf_append(&text, SLICE("<<"))) && !failed(buf_append(&text, token)) && !failed(buf_append(&text, slice_of(kind))));
    append(out, before, buf_slice(&text));
    buf_done(&text);
}

static void write_enrolment(const struct enrol_json *e, struct buf *out)
{
    slice token = token_id_slice(&e->token);
    append(out, "{\"transaction_info\":{\"type\":\"", SLICE("enroll_card"));
    append_placeholder(out, "},\"card\":{\"number\":\"", token, ":detokenize>>");
    append_placeholder(out, ",\"expiration_date\":\"", token, ":detokenize>>");
    if (e->cvc.len > CVC_MAX_DIGITS)
        append_placeholder(out, ",\"security_code\":\"", e->cvc, ":transaction>>");
    else
        append(out, ",\"security_code\":\"", e->cvc);
    append(out, "},\"bill_to\":{\"address_1\":\"", e->billing.address_1);
    append(out, ",\"address_2\":\"", e->billing.address_2);
    append(out, ",\"city\":\"", e->billing.city);
    append(out, ",\"state\":\"", e->billing.state);
    append(out, ",\"postal_code\":\"", e->billing.postal_code);
    append(out, ",\"country\":\"", e->billing.country);
    require(!failed(buf_append(out, SLICE("}}"))));
}

static bool is_same(const struct enrol_json *a, const struct enrol_json *b)
{
    return slice_eq(token_id_slice(&a->token), token_id_slice(&b->token)) && slice_eq(a->cvc, b->cvc) &&
           slice_eq(a->billing.address_1, b->billing.address_1) && slice_eq(a->billing.address_2, b->billing.address_2) &&
           slice_eq(a->billing.city, b->billing.city) && slice_eq(a->billing.state, b->billing.state) &&
           slice_eq(a->billing.postal_code, b->billing.postal_code) && slice_eq(a->billing.country, b->billing.country);
}

static enum error parse_enrolment(slice text, struct enrol_json *e)
{
    result r = enrol_json_parse(text, e);
    if (r.err == ERR_ENROL_FIELD)
        require(e->path && e->path[0] && e->fault && e->fault[0]);
    else if (failed(r))
        require(is_of_the_document(r.err));
    else
        check_enrolment(e);
    return r.err;
}

static void try_enrolment(slice text)
{
    struct enrol_json *first = enrol_json_new(), *second = enrol_json_new(), *third = enrol_json_new();
    struct buf again;
    require(first && second && third);
    enum error err = parse_enrolment(text, first);
    buf_init(&again, 1 << 20);
    surround(text, &again);
    require(is_same_fault(parse_enrolment(buf_slice(&again), second), err));
    if (err == ERR_NONE) {
        require(is_same(first, second));
        buf_clear(&again);
        write_enrolment(first, &again);
        require(parse_enrolment(buf_slice(&again), third) == ERR_NONE && is_same(first, third));
    }
    buf_done(&again);
    enrol_json_free(first);
    enrol_json_free(second);
    enrol_json_free(third);
}

/* --- cards --- */

static void check_card(const struct card_json *c, enum card_json_kind kind)
{
    struct card copy = {0};
    if (failed(c->verdict)) return;
    if (kind != CARD_JSON_CHANGE) require(c->has_number && c->has_expiry);
    if (c->has_number) require(!failed(card_set_number(&copy, (slice){c->card.number, c->card.number_len})));
    if (c->has_expiry) require(c->card.month >= 1 && c->card.month <= 12 && c->card.year >= 2000 && c->card.year <= 2099);
    if (c->has_holder) require(!failed(card_set_holder(&copy, (slice){c->card.holder, c->card.holder_len})));
    if (kind == CARD_JSON_TEMPORAL) require(!failed(card_check_cvc((slice){c->cvc, c->cvc_len})));
    else require(!c->has_cvc && !c->has_ttl && c->cvc_len == 0);
    require(c->ttl_s >= 1 && c->ttl_s <= TEMPORAL_TTL_MAX_S);
}

static enum error parse_cards(slice text, enum card_json_kind kind, size_t *count)
{
    struct card_json_list list;
    result r = card_json_parse(text, kind, CARDS_MAX, &list);
    if (failed(r))
        require(is_of_the_document(r.err) || r.err == ERR_TOO_LARGE || r.err == ERR_CARD_FIELD || r.err == ERR_CARD_CHANGE ||
                r.err == ERR_TEMPORAL_FIELD);
    else
        require(list.count <= CARDS_MAX && (list.count == 1 || list.is_array) && (kind == CARD_JSON_NEW || !list.is_array));
    for (size_t i = 0; i < list.count && !failed(r); i++) check_card(&list.cards[i], kind);
    *count = failed(r) ? 0 : list.count;
    card_json_done(&list);
    return r.err;
}

static void try_cards(slice text, enum card_json_kind kind)
{
    size_t count, count_again;
    struct buf again;
    enum error err = parse_cards(text, kind, &count);
    buf_init(&again, 1 << 20);
    surround(text, &again);
    require(is_same_fault(parse_cards(buf_slice(&again), kind, &count_again), err) && count == count_again);
    buf_done(&again);
}

/* --- Firstoken's shapes --- */

static void check_firstoken(const struct firstoken_json *j, enum firstoken_kind kind)
{
    struct token_id id;
    require(j->list.count <= FIRSTOKEN_ITEMS_MAX && j->token_count <= FIRSTOKEN_ITEMS_MAX && j->form.format != ALIAS_TEMPLATE);
    require((j->list.count > 0) == (kind == FIRSTOKEN_CARDS || kind == FIRSTOKEN_REQUEST) && (j->token_count > 0) == (kind == FIRSTOKEN_TOKENS));
    for (size_t i = 0; i < j->token_count; i++) require(j->tokens[i].len == 0 || token_id_from(token_id_slice(&j->tokens[i]), &id));
    for (size_t i = 0; i < j->list.count; i++) {
        const struct card_json *c = &j->list.cards[i];
        struct card copy = {0};
        if (failed(c->verdict)) continue;
        require(!failed(card_set_number(&copy, (slice){c->card.number, c->card.number_len})));
        require(!failed(card_set_holder(&copy, (slice){c->card.holder, c->card.holder_len})));
        require(c->card.month >= 1 && c->card.month <= 12 && c->card.year >= 2000 && c->card.year <= 2099);
        require(kind == FIRSTOKEN_CARDS ? c->cvc_len == 0 : !failed(card_check_cvc((slice){c->cvc, c->cvc_len})));
    }
    if (kind == FIRSTOKEN_REQUEST) require(!failed(j->list.cards[0].verdict) && j->ttl_s >= 1 && j->ttl_s <= TEMPORAL_TTL_MAX_S);
    if (kind == FIRSTOKEN_CARDS || kind == FIRSTOKEN_STORE) require(j->scheme == 1 || j->scheme == 3 || j->scheme == 7);
}

static enum error parse_firstoken(slice text, enum firstoken_kind kind)
{
    static struct firstoken_json json;
    result r = firstoken_json_parse(text, kind, &json);
    if (!failed(r))
        check_firstoken(&json, kind);
    else if (r.err == ERR_REQUEST_FIELD || r.err == ERR_SCHEME_LUHN_VALID || r.err == ERR_TEMPORAL_TTL)
        require(json.path && json.fault);
    else
        require(is_of_the_document(r.err) || (kind == FIRSTOKEN_REQUEST && r.err >= ERR_CARD_NUMBER && r.err <= ERR_CARD_CVC));
    require(!failed(r) || json.list.count == 0);
    firstoken_json_done(&json);
    return r.err;
}

static void try_firstoken(slice text, enum firstoken_kind kind)
{
    struct buf again;
    buf_init(&again, 1 << 20);
    surround(text, &again);
    require(is_same_fault(parse_firstoken(text, kind), parse_firstoken(buf_slice(&again), kind)));
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_started;
    if (!is_started) require(!failed(secret_start(SECRET_HEAP_BYTES)));
    is_started = true;
    if (size == 0 || size > 64 * 1024) return 0;
    slice text = {(const char *)data + 1, size - 1};
    switch (data[0]) {
    case 'e': try_enrolment(text); break;
    case 'n': try_cards(text, CARD_JSON_NEW); break;
    case 'c': try_cards(text, CARD_JSON_CHANGE); break;
    case 't': try_cards(text, CARD_JSON_TEMPORAL); break;
    case 'f': try_firstoken(text, FIRSTOKEN_CARDS); break;
    case 'd': try_firstoken(text, FIRSTOKEN_TOKENS); break;
    case 'r': try_firstoken(text, FIRSTOKEN_REQUEST); break;
    case 's': try_firstoken(text, FIRSTOKEN_STORE); break;
    default: break;
    }
    return 0;
}
