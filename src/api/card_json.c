/* SPDX-License-Identifier: Apache-2.0 */
#include "api/card_json.h"

#include "base/secret.h"
#include "body/yajl_memory.h"

#include <string.h>
#include <yajl/yajl_parse.h>

/* --- the members --- */

enum member { MEMBER_NONE = 0, MEMBER_NUMBER, MEMBER_EXPIRY, MEMBER_HOLDER, MEMBER_UNIQUE, MEMBER_REMOVE, MEMBER_CVC, MEMBER_TTL, MEMBER_FORMAT };

struct parse {
    struct card_json_list *list;
    enum card_json_kind kind;
    size_t max;
    unsigned depth;     /* 0: before or after; 1: in the array; +1 in a card */
    bool in_card, closed;
    enum member member; /* whose value comes next */
    result verdict;     /* of the document */
};

static int stop(struct parse *p, result r)
{
    p->verdict = r;
    return 0;
}

static struct card_json *current(struct parse *p)
{
    return &p->list->cards[p->list->count - 1];
}

static void blame(struct parse *p, result r)
{
    if (failed(r) && !failed(current(p)->verdict)) current(p)->verdict = r;
}

static enum member member_of(slice name, enum card_json_kind kind)
{
    if (slice_is(name, "expiration_date")) return MEMBER_EXPIRY;
    if (slice_is(name, "holder")) return MEMBER_HOLDER;
    if (kind != CARD_JSON_CHANGE && slice_is(name, "number")) return MEMBER_NUMBER;
    if (kind == CARD_JSON_NEW && slice_is(name, "unique")) return MEMBER_UNIQUE;
    if (kind == CARD_JSON_NEW && slice_is(name, "format")) return MEMBER_FORMAT;
    if (kind == CARD_JSON_CHANGE && slice_is(name, "removePlain")) return MEMBER_REMOVE;
    if (kind == CARD_JSON_TEMPORAL && slice_is(name, "cvc")) return MEMBER_CVC;
    if (kind == CARD_JSON_TEMPORAL && slice_is(name, "ttl")) return MEMBER_TTL;
    return MEMBER_NONE;
}

/* The members to name are others in each kind. */
static result field_fault(enum card_json_kind kind)
{
    if (kind == CARD_JSON_CHANGE) return FAIL(CARD_CHANGE);
    return kind == CARD_JSON_TEMPORAL ? FAIL(TEMPORAL_FIELD) : FAIL(CARD_FIELD);
}

static bool *seen_flag(struct card_json *c, enum member m)
{
    switch (m) {
    case MEMBER_NUMBER: return &c->has_number;
    case MEMBER_EXPIRY: return &c->has_expiry;
    case MEMBER_HOLDER: return &c->has_holder;
    case MEMBER_UNIQUE: return &c->has_unique;
    case MEMBER_REMOVE: return &c->remove_pan;
    case MEMBER_CVC: return &c->has_cvc;
    case MEMBER_TTL: return &c->has_ttl;
    case MEMBER_FORMAT: return &c->has_format;
    case MEMBER_NONE: break;
    }
    return NULL;
}

static int on_key(void *context, const unsigned char *at, size_t len)
{
    struct parse *p = context;
    slice name = {(const char *)at, len};
    p->member = member_of(name, p->kind);
    if (p->member == MEMBER_NONE) return stop(p, FAIL(CARD_FIELD));
    bool *seen = seen_flag(current(p), p->member);
    if (*seen) return stop(p, FAIL(JSON_DUPLICATE_KEY));
    *seen = true;
    return 1;
}

result card_json_set_cvc(struct card_json *c, slice text)
{
    TRY(card_check_cvc(text));
    memcpy(c->cvc, text.at, text.len);
    c->cvc_len = (uint8_t)text.len;
    return OK;
}

static result set_ttl(struct card_json *c, slice text)
{
    uint64_t seconds;
    ENSURE(slice_to_u64(text, TEMPORAL_TTL_MAX_S, &seconds) && seconds > 0, TEMPORAL_TTL);
    c->ttl_s = (uint32_t)seconds;
    return OK;
}

static result set_format(struct card_json *c, slice text)
{
    ENSURE(alias_form_read(text, &c->format) == NULL, CARD_FORMAT);
    return OK;
}

static int on_string(void *context, const unsigned char *at, size_t len)
{
    struct parse *p = context;
    slice text = {(const char *)at, len};
    if (!p->in_card) return stop(p, FAIL(CARD_FIELD));
    struct card *card = &current(p)->card;
    switch (p->member) {
    case MEMBER_NUMBER: blame(p, card_set_number(card, text)); break;
    case MEMBER_EXPIRY: blame(p, card_set_expiry(card, text)); break;
    case MEMBER_HOLDER: blame(p, card_set_holder(card, text)); break;
    case MEMBER_CVC: blame(p, card_json_set_cvc(current(p), text)); break;
    case MEMBER_TTL: blame(p, FAIL(TEMPORAL_TTL)); break;
    case MEMBER_FORMAT: blame(p, set_format(current(p), text)); break;
    case MEMBER_NONE:
    case MEMBER_UNIQUE:
    case MEMBER_REMOVE: return stop(p, FAIL(CARD_FIELD));
    }
    p->member = MEMBER_NONE;
    return 1;
}

static int on_boolean(void *context, int yes)
{
    struct parse *p = context;
    if (p->in_card && p->member == MEMBER_UNIQUE) {
        current(p)->unique = yes != 0;
    } else if (p->in_card && p->member == MEMBER_REMOVE) {
        current(p)->remove_pan = yes != 0;
    } else if (p->in_card && p->member == MEMBER_FORMAT) {
        blame(p, FAIL(CARD_FORMAT));
    } else {
        return stop(p, FAIL(CARD_FIELD));
    }
    p->member = MEMBER_NONE;
    return 1;
}

static int on_null(void *context)
{
    struct parse *p = context;
    if (!p->in_card || (p->member != MEMBER_HOLDER && p->member != MEMBER_FORMAT)) return stop(p, FAIL(CARD_FIELD));
    if (p->member == MEMBER_FORMAT) blame(p, FAIL(CARD_FORMAT));
    p->member = MEMBER_NONE;
    return 1;
}

/* {"number":4111111111111111,"format":32} is understood too: its text, never its value. */
static int on_number(void *context, const char *at, size_t len)
{
    struct parse *p = context;
    if (p->in_card && (p->member == MEMBER_NUMBER || p->member == MEMBER_FORMAT)) return on_string(context, (const unsigned char *)at, len);
    if (!p->in_card || (p->member != MEMBER_CVC && p->member != MEMBER_TTL)) return stop(p, FAIL(CARD_FIELD));
    blame(p, p->member == MEMBER_CVC ? FAIL(CARD_CVC) : set_ttl(current(p), (slice){at, len}));
    p->member = MEMBER_NONE;
    return 1;
}

static result grow(struct card_json_list *list)
{
    size_t room = list->room ? list->room * 2 : 1;
    struct card_json *cards = secret_alloc(room * sizeof *cards);
    ENSURE(cards != NULL, MEMORY);
    if (list->count) memcpy(cards, list->cards, list->count * sizeof *cards);
    secret_free(list->cards, list->room * sizeof *cards);
    list->cards = cards;
    list->room = room;
    return OK;
}

result card_json_add(struct card_json_list *list)
{
    if (list->count == list->room) TRY(grow(list));
    list->count++;
    return OK;
}

static int on_start_map(void *context)
{
    struct parse *p = context;
    if (p->in_card || p->closed) return stop(p, FAIL(CARD_FIELD));
    if (p->list->count == p->max) return stop(p, FAIL(TOO_LARGE));
    result r = card_json_add(p->list);
    if (failed(r)) return stop(p, r);
    current(p)->ttl_s = TEMPORAL_TTL_DEFAULT_S;
    p->in_card = true;
    p->depth++;
    return 1;
}

static int on_end_map(void *context)
{
    struct parse *p = context;
    const struct card_json *c = current(p);
    bool is_whole = c->has_number && c->has_expiry && (c->has_cvc || p->kind == CARD_JSON_NEW);
    if (p->kind != CARD_JSON_CHANGE && !is_whole) blame(p, field_fault(p->kind));
    p->in_card = false;
    p->depth--;
    return 1;
}

static int on_start_array(void *context)
{
    struct parse *p = context;
    if (p->depth || p->kind != CARD_JSON_NEW) return stop(p, FAIL(CARD_FIELD));
    p->list->is_array = true;
    p->depth++;
    return 1;
}

static int on_end_array(void *context)
{
    struct parse *p = context;
    p->depth--;
    p->closed = true;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end_map,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

static result verdict_of(const struct parse *p, yajl_status status, bool at_end)
{
    if (failed(p->verdict)) return p->verdict;
    if (status == yajl_status_ok) return OK;
    return at_end ? FAIL(JSON_CUT_OFF) : FAIL(JSON_SYNTAX);
}

static result run_parser(struct parse *p, struct yajl_memory *memory, slice text)
{
    if (setjmp(memory->escape)) return FAIL(MEMORY); /* yajl is gone with its memory */
    yajl_handle y = yajl_alloc(&callbacks, &memory->functions, p);
    yajl_status status = yajl_parse(y, (const unsigned char *)text.at, text.len);
    TRY(verdict_of(p, status, false));
    return verdict_of(p, yajl_memory_complete(y), true); /* never yajl_get_error: it quotes the text */
}

result card_json_parse(slice text, enum card_json_kind kind, size_t max, struct card_json_list *out)
{
    *out = (struct card_json_list){0};
    struct parse p = {.list = out, .kind = kind, .max = max};
    struct yajl_memory memory;
    yajl_memory_init(&memory);
    result r = run_parser(&p, &memory, text);
    yajl_memory_done(&memory);
    if (!failed(r) && out->count == 0 && !out->is_array) r = FAIL(CARD_FIELD);
    if (r.err == ERR_CARD_FIELD) r = field_fault(kind);
    if (failed(r)) card_json_done(out);
    return r;
}

void card_json_done(struct card_json_list *list)
{
    secret_free(list->cards, list->room * sizeof *list->cards);
    *list = (struct card_json_list){0};
}
