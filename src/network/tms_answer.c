/* SPDX-License-Identifier: Apache-2.0 */
#include "tms_priv.h"

#include "json.h"

enum { JWE_PLAIN_MAX_BYTES = 32 * 1024 };

/* --- words --- */

enum network_reason tms_reason_from(slice name)
{
    if (name.len == 0) return NETWORK_REASON_NONE;
    for (enum network_reason r = NETWORK_REASON_NONE + 1; r < NETWORK_REASON_COUNT; r++)
        if (slice_is(name, network_reason_name(r))) return r;
    return NETWORK_REASON_OTHER;
}

bool tms_state_from(slice name, enum network_state *out)
{
    static const enum network_state known[] = {NETWORK_ACTIVE, NETWORK_SUSPENDED, NETWORK_DELETED,
                                               NETWORK_UNPROVISIONED};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!slice_is(name, network_state_name(known[i]))) continue;
        *out = known[i];
        return true;
    }
    return false;
}

bool tms_expiry_from(slice month, slice year, uint8_t *month_out, uint16_t *year_out)
{
    uint64_t m, y;
    *month_out = 0;
    *year_out = 0;
    if (!month.len && !year.len) return true;
    if (month.len != 2 || year.len != 4 || !slice_to_u64(month, 12, &m) || !slice_to_u64(year, 2099, &y)) return false;
    if (m == 0 || y < 2000) return false;
    *month_out = (uint8_t)m;
    *year_out = (uint16_t)y;
    return true;
}

/* --- statuses --- */

/* The platform's statuses for TMS (facts, 2.1), and 408, 429 and 5xx as HTTP means them. */
enum meaning { MEANS_DONE, MEANS_DOWN, MEANS_OUR_CREDENTIALS, MEANS_GONE, MEANS_REFUSED, MEANS_NOTHING };

static enum meaning meaning_of(int status)
{
    switch (status) {
    case 401:
    case 403: /* the profile may not do this */
    case 424:
        return MEANS_OUR_CREDENTIALS; /* there is no such profile */
    case 404:
    case 410:
        return MEANS_GONE;
    case 408:
    case 429:
        return MEANS_DOWN;
    default:
        break;
    }
    if (status >= 200 && status < 300) return MEANS_DONE;
    if (status >= 400 && status < 500) return MEANS_REFUSED; /* 400, 409: linked to a payment instrument, 422 */
    return status >= 500 ? MEANS_DOWN : MEANS_NOTHING;
}

bool tms_is_down(const struct http_call_answer *a)
{
    if (a->r.err == ERR_MEMORY || a->r.err == ERR_INTERNAL) return false; /* ours */
    return failed(a->r) || meaning_of(a->status) == MEANS_DOWN;
}

/* --- a tokenised card --- */

enum { CARD_ID, CARD_STATE, CARD_REASON, CARD_MONTH, CARD_YEAR, CARD_INSTRUMENT, CARD_INSTRUMENT_LINK, CARD_FIELDS };
static const char *const card_paths[CARD_FIELDS] = {"id",
                                                    "state",
                                                    "reason",
                                                    "expirationMonth",
                                                    "expirationYear",
                                                    "instrumentIdentifier.id",
                                                    "_links.instrumentIdentifier.href"};

/* "/tms/v1/instrumentidentifiers/7030000000000001234" */
static slice tail_of(slice href)
{
    slice rest = href, segment = SLICE_NONE;
    while (slice_next(&rest, '/', &segment))
        continue;
    return segment;
}

static result take_refs(const struct network_call *c, const struct json_field *f, struct network_answer *out)
{
    slice id = json_field_text(&f[CARD_ID]), instrument = json_field_text(&f[CARD_INSTRUMENT]);
    if (!instrument.len) instrument = tail_of(json_field_text(&f[CARD_INSTRUMENT_LINK]));
    ENSURE(!instrument.len || network_ref_from(instrument, &out->instrument), NETWORK_ANSWER);
    if (!id.len) {
        out->ref = c->ref;
        return OK;
    }
    ENSURE(network_ref_from(id, &out->ref), NETWORK_ANSWER);
    /* An answer about another card would put that card's state on this one. */
    ENSURE(!c->ref.len || slice_eq(id, network_ref_slice(&c->ref)), NETWORK_ANSWER);
    return OK;
}

/* UNPROVISIONED stands for both: with a reason it has failed, without one it is still under way. */
static result judge(const struct network_call *c, struct network_answer *out)
{
    if (out->state == NETWORK_UNPROVISIONED) {
        ENSURE(out->reason == NETWORK_REASON_NONE, NETWORK_REFUSED);
        out->state = NETWORK_PENDING;
    }
    out->reason = NETWORK_REASON_NONE;
    ENSURE(out->ref.len || c->kind != TMS_ENROL, NETWORK_ANSWER);
    return OK;
}

static result read_card(const struct network_call *c, slice body, struct network_answer *out)
{
    struct json_field f[CARD_FIELDS];
    TRY(json_take_fields(body, card_paths, CARD_FIELDS, f));
    TRY(take_refs(c, f, out));
    ENSURE(tms_expiry_from(json_field_text(&f[CARD_MONTH]), json_field_text(&f[CARD_YEAR]), &out->month, &out->year),
           NETWORK_ANSWER);
    out->reason = tms_reason_from(json_field_text(&f[CARD_REASON]));
    if (c->kind == TMS_REMOVE && !f[CARD_STATE].len) {
        out->state = NETWORK_DELETED;
        return OK;
    }
    ENSURE(tms_state_from(json_field_text(&f[CARD_STATE]), &out->state), NETWORK_ANSWER);
    return judge(c, out);
}

/* --- credentials --- */

static bool is_jose(slice content_type)
{
    return slice_ieq(slice_trim(slice_range(content_type, 0, slice_find(content_type, ';'))),
                     SLICE("application/jose"));
}

static result read_credentials(const struct network_call *c, const struct http_call_answer *a,
                               struct credential *credential, struct network_answer *out)
{
    struct buf plain;
    ENSURE(is_jose(a->content_type), NETWORK_ANSWER);
    buf_init_secret(&plain, JWE_PLAIN_MAX_BYTES);
    result r = jwe_decrypt(c->tms->answer_key, a->body, &plain);
    if (!failed(r)) tms_read_credentials(buf_slice(&plain), c->without_cryptogram, credential, out);
    buf_done(&plain);
    TRY(r);
    out->ref = c->ref;
    return out->r;
}

/* --- refusals --- */

enum { REFUSAL_REASON, REFUSAL_CARD_REASON, REFUSAL_FIELDS };
static const char *const refusal_paths[REFUSAL_FIELDS] = {"reason", "tokenizedCard.reason"};

/* The status alone says as much as INVALID_REQUEST does, if the body gives no reason. */
static result read_refusal(const struct http_call_answer *a, struct network_answer *out)
{
    struct json_field f[REFUSAL_FIELDS] = {{0}};
    if (a->body.len) TRY(json_take_fields(a->body, refusal_paths, REFUSAL_FIELDS, f));
    slice reason = json_field_text(&f[f[REFUSAL_CARD_REASON].len ? REFUSAL_CARD_REASON : REFUSAL_REASON]);
    out->reason = tms_reason_from(reason);
    if (out->reason == NETWORK_REASON_NONE)
        out->reason = a->status == 400 ? NETWORK_REASON_INVALID_REQUEST : NETWORK_REASON_OTHER;
    return FAIL(NETWORK_REFUSED);
}

/* A gateway on the way, or an address that is wrong, says 404 too, mostly with a page for people. Believed, it would end every token
 * that is asked about, for good: so who says it must at least speak as TMS does. */
static result read_gone(const struct network_call *c, const struct http_call_answer *a, struct network_answer *out)
{
    struct json_field f[REFUSAL_FIELDS];
    ENSURE(c->kind != TMS_ENROL, NETWORK_ANSWER); /* nothing was there that could be gone */
    if (a->body.len) TRY(json_take_fields(a->body, refusal_paths, REFUSAL_FIELDS, f));
    out->ref = c->ref;
    out->state = NETWORK_DELETED;
    return FAIL(NETWORK_TOKEN_GONE);
}

/* --- the whole --- */

static result read_done(const struct network_call *c, const struct http_call_answer *a, struct credential *credential,
                        struct network_answer *out)
{
    if (c->kind == TMS_CREDENTIALS) return read_credentials(c, a, credential, out);
    if (c->kind == TMS_REMOVE && !a->body.len) {
        out->ref = c->ref;
        out->state = NETWORK_DELETED;
        return OK;
    }
    return read_card(c, a->body, out);
}

static result read_any(const struct network_call *c, const struct http_call_answer *a, struct credential *credential,
                       struct network_answer *out)
{
    if (a->r.err == ERR_UPSTREAM_ANSWER || a->r.err == ERR_UPSTREAM_CODING) return FAIL(NETWORK_ANSWER);
    ENSURE(!failed(a->r), NETWORK_DOWN);
    switch (meaning_of(a->status)) {
    case MEANS_DONE:
        return read_done(c, a, credential, out);
    case MEANS_DOWN:
        return FAIL(NETWORK_DOWN);
    case MEANS_OUR_CREDENTIALS:
        return FAIL(NETWORK_CREDENTIALS);
    case MEANS_GONE:
        return read_gone(c, a, out);
    case MEANS_REFUSED:
        return read_refusal(a, out);
    case MEANS_NOTHING:
        break;
    }
    return FAIL(NETWORK_ANSWER);
}

/* What goes on only in here, a parser's error or a ciphertext that does not open, is an answer not understood. */
static result as_told(result r)
{
    switch (r.err) {
    case ERR_NONE:
    case ERR_NETWORK_DOWN:
    case ERR_NETWORK_REFUSED:
    case ERR_NETWORK_CREDENTIALS:
    case ERR_NETWORK_TOKEN_GONE:
        return r;
    case ERR_MEMORY:
        return FAIL(NETWORK_DOWN); /* the answer is lost, nothing is known */
    default:
        return FAIL(NETWORK_ANSWER);
    }
}

result tms_read_answer(const struct network_call *c, const struct http_call_answer *a, struct credential *credential,
                       struct network_answer *out)
{
    *out = (struct network_answer){0};
    result cause = read_any(c, a, credential, out);
    result r = as_told(cause);
    if (r.err == ERR_NETWORK_ANSWER) *out = (struct network_answer){0}; /* nothing of it is to be used */
    out->r = r;
    return failed(a->r) ? a->r : cause;
}
