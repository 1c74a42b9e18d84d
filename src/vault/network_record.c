/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/network_record.h"

#include "base/ascii.h"
#include "base/clock.h"
#include "bytes.h"
#include "vault/seal.h"

_Static_assert((int)NETWORK_RECORD_MAX_BYTES + (int)SEAL_OVERHEAD_BYTES <= (int)STORE_VALUE_MAX_BYTES, "a network record fits");
_Static_assert((int)JOB_RECORD_MAX_BYTES + (int)SEAL_OVERHEAD_BYTES <= (int)STORE_VALUE_MAX_BYTES, "a job fits");
_Static_assert((int)EVENT_RECORD_MAX_BYTES + (int)SEAL_OVERHEAD_BYTES <= (int)STORE_VALUE_MAX_BYTES, "an event fits");
_Static_assert((int)COUNTS_RECORD_MAX_BYTES + (int)SEAL_OVERHEAD_BYTES <= (int)STORE_VALUE_MAX_BYTES, "counts fit");
_Static_assert((int)COUNTER_COUNT <= 255, "their number fits into its byte");

enum { NETWORK_FIXED_BYTES = 1 + 5 + 5 * 8, JOB_FIXED_BYTES = 1 + 5 + 16, EVENT_FIXED_BYTES = 1 + 7 + 8 + 24, STATUS_MAX = 999, HOUR_MS = 60 * 60 * 1000 };

/* --- words --- */

slice network_padded(const char *at, size_t room)
{
    return (slice){at, strnlen(at, room)};
}

slice network_text_slice(const struct network_text *t)
{
    return (slice){t->at, t->len};
}

static bool is_alphanumeric(char c)
{
    return ascii_is_alnum(c);
}

bool network_name_is_good(slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_alphanumeric(name.at[i]) && name.at[i] != '.' && name.at[i] != '_' && name.at[i] != '-') return false;
    return name.len >= 1 && name.len <= NETWORK_MERCHANT_MAX_BYTES;
}

static bool is_ref(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_alphanumeric(s.at[i]) && s.at[i] != '_' && s.at[i] != '-') return false;
    return s.len <= NETWORK_REF_BYTES;
}

static bool is_printable(slice s, char from)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] < from || s.at[i] > '~') return false;
    return s.len > 0;
}

static bool is_time(int64_t ms)
{
    return ms >= 0;
}

static slice code_of(const struct network_record *r)
{
    return network_padded(r->reference_code, sizeof r->reference_code);
}


/* --- network record --- */

static bool expiry_is_sound(const struct network_record *r)
{
    return r->month == 0 ? r->year == 0 : r->month <= 12 && r->year >= 2000 && r->year <= 2099;
}

static bool number_is_sound(const struct network_record *r)
{
    if (r->number_len == 0) return true;
    return r->number_len >= PAN_MIN_DIGITS && r->number_len <= PAN_MAX_DIGITS && slice_is_digits((slice){r->number, r->number_len});
}

static bool requestor_is_sound(const struct network_record *r)
{
    if (r->requestor_len == 0) return true;
    return r->requestor_len <= REQUESTOR_DIGITS && slice_is_digits((slice){r->requestor, r->requestor_len});
}

static bool network_record_is_sound(const struct network_record *r)
{
    slice network = network_padded(r->network, sizeof r->network), code = code_of(r);
    return r->state < NETWORK_STATE_COUNT && r->reason < NETWORK_REASON_COUNT && expiry_is_sound(r) && number_is_sound(r) &&
           requestor_is_sound(r) && (network.len == 0 || network_name_is_good(network)) && is_ref(network_text_slice(&r->ref)) &&
           is_ref(network_text_slice(&r->instrument)) && (code.len == 0 || token_id_has_form(code, TOKEN_PERMANENT)) &&
           is_time(r->first_paid_ms) && is_time(r->asked_ms) && is_time(r->updated_ms) && is_time(r->renewed_ms);
}

result network_record_encode(const struct network_record *r, uint8_t out[NETWORK_RECORD_MAX_BYTES], size_t *len)
{
    ENSURE(network_record_is_sound(r), VAULT_FORMAT);
    out[0] = RECORD_LAYOUT;
    out[1] = (uint8_t)r->state;
    out[2] = r->reason;
    out[3] = r->month;
    put_u16(out + 4, r->year);
    put_u64(out + 6, (uint64_t)r->first_paid_ms);
    put_u64(out + 14, (uint64_t)r->asked_ms);
    put_u64(out + 22, (uint64_t)r->updated_ms);
    put_u64(out + 30, (uint64_t)r->renewed_ms);
    put_u64(out + 38, r->revision);
    uint8_t *at = put_text(out + NETWORK_FIXED_BYTES, code_of(r));
    at = put_text(at, network_padded(r->network, sizeof r->network));
    at = put_text(at, network_text_slice(&r->ref));
    at = put_text(at, network_text_slice(&r->instrument));
    at = put_text(at, (slice){r->number, r->number_len});
    at = put_text(at, (slice){r->requestor, r->requestor_len});
    *len = (size_t)(at - out);
    return OK;
}

/* Takes a text into a field of fixed size, the rest of which is zero already. */
static bool take_into(slice *rest, char *at, size_t room, size_t *len)
{
    slice text;
    if (!take_text(rest, room, &text)) return false;
    if (text.len) memcpy(at, text.at, text.len);
    *len = text.len;
    return memchr(at, '\0', text.len) == NULL; /* a padded field would come out shorter */
}

static bool take_short(slice *rest, char *at, size_t room, uint8_t *len)
{
    size_t n = 0;
    if (!take_into(rest, at, room, &n)) return false;
    *len = (uint8_t)n;
    return true;
}

static bool take_network_texts(slice rest, struct network_record *out)
{
    size_t len;
    return take_into(&rest, out->reference_code, sizeof out->reference_code, &len) &&
           take_into(&rest, out->network, sizeof out->network, &len) &&
           take_short(&rest, out->ref.at, sizeof out->ref.at, &out->ref.len) &&
           take_short(&rest, out->instrument.at, sizeof out->instrument.at, &out->instrument.len) &&
           take_short(&rest, out->number, sizeof out->number, &out->number_len) &&
           take_short(&rest, out->requestor, sizeof out->requestor, &out->requestor_len) && rest.len == 0;
}

result network_record_decode(slice plain, struct network_record *out)
{
    memset(out, 0, sizeof *out);
    ENSURE(plain.len > NETWORK_FIXED_BYTES && plain.at[0] == RECORD_LAYOUT, VAULT_FORMAT);
    const uint8_t *at = (const uint8_t *)plain.at;
    ENSURE(at[1] < NETWORK_STATE_COUNT, VAULT_FORMAT);
    out->state = (enum network_state)at[1];
    out->reason = at[2];
    out->month = at[3];
    out->year = get_u16(at + 4);
    out->first_paid_ms = (int64_t)get_u64(at + 6);
    out->asked_ms = (int64_t)get_u64(at + 14);
    out->updated_ms = (int64_t)get_u64(at + 22);
    out->renewed_ms = (int64_t)get_u64(at + 30);
    out->revision = get_u64(at + 38);
    ENSURE(take_network_texts(slice_after(plain, NETWORK_FIXED_BYTES), out) && network_record_is_sound(out), VAULT_FORMAT);
    return OK;
}

/* --- job --- */

static bool job_is_sound(const struct job *j)
{
    struct token_id token;
    return j->kind >= JOB_ENROL && j->kind <= JOB_REMOVE && network_name_is_good(network_padded(j->merchant, sizeof j->merchant)) &&
           token_id_from(token_id_slice(&j->token), &token) && j->payload_len <= JOB_PAYLOAD_MAX_BYTES && is_time(j->created_ms) &&
           is_time(j->due_ms);
}

result job_encode(const struct job *j, uint8_t out[JOB_RECORD_MAX_BYTES], size_t *len)
{
    ENSURE(job_is_sound(j), VAULT_FORMAT);
    out[0] = RECORD_LAYOUT;
    out[1] = (uint8_t)j->kind;
    put_u32(out + 2, j->tries);
    put_u64(out + 6, (uint64_t)j->created_ms);
    put_u64(out + 14, (uint64_t)j->due_ms);
    uint8_t *at = put_text(out + JOB_FIXED_BYTES, network_padded(j->merchant, sizeof j->merchant));
    at = put_text(at, token_id_slice(&j->token));
    put_u16(at, j->payload_len);
    memcpy(at + 2, j->payload, j->payload_len);
    *len = (size_t)(at + 2 - out) + j->payload_len;
    return OK;
}

/* Takes a counted field: length 2, then the bytes. */
static bool take_long(slice *rest, char *at, size_t room, uint16_t *len)
{
    if (rest->len < 2) return false;
    size_t n = get_u16((const uint8_t *)rest->at);
    if (n > room || n > rest->len - 2) return false;
    memcpy(at, rest->at + 2, n);
    *rest = slice_after(*rest, 2 + n);
    *len = (uint16_t)n;
    return true;
}

result job_decode(slice id, slice plain, struct job *out)
{
    size_t len;
    memset(out, 0, sizeof *out);
    ENSURE(id.len == JOB_ID_BYTES && plain.len > JOB_FIXED_BYTES && plain.at[0] == RECORD_LAYOUT, VAULT_FORMAT);
    const uint8_t *at = (const uint8_t *)plain.at;
    ENSURE(at[1] >= JOB_ENROL && at[1] <= JOB_REMOVE, VAULT_FORMAT);
    memcpy(out->id, id.at, JOB_ID_BYTES);
    out->kind = (enum job_kind)at[1];
    out->tries = get_u32(at + 2);
    out->created_ms = (int64_t)get_u64(at + 6);
    out->due_ms = (int64_t)get_u64(at + 14);
    slice rest = slice_after(plain, JOB_FIXED_BYTES);
    ENSURE(take_into(&rest, out->merchant, sizeof out->merchant, &len) &&
               take_short(&rest, out->token.at, sizeof out->token.at, &out->token.len) &&
               take_long(&rest, out->payload, sizeof out->payload, &out->payload_len) && rest.len == 0 && job_is_sound(out),
           VAULT_FORMAT);
    return OK;
}

void job_set_removal(struct job *j, slice network, slice ref)
{
    uint8_t *at = put_text((uint8_t *)j->payload, network);
    if (ref.len) memcpy(at, ref.at, ref.len);
    j->kind = JOB_REMOVE;
    j->payload_len = (uint16_t)(1 + network.len + ref.len);
}

bool job_removal(const struct job *j, slice *network, slice *ref)
{
    slice rest = {j->payload, j->payload_len};
    if (j->kind != JOB_REMOVE || !take_text(&rest, sizeof j->merchant, network)) return false;
    *ref = rest;
    return ref->len > 0 && is_ref(*ref);
}

/* --- event --- */

void event_key(const struct event *e, char out[EVENT_KEY_BYTES])
{
    put_u64((uint8_t *)out, (uint64_t)e->created_ms);
    memcpy(out + 8, e->id, EVENT_ID_BYTES);
}

static bool event_is_sound(const struct event *e)
{
    struct token_id token;
    return e->state <= EVENT_FAILED && token_id_has_form((slice){e->id, sizeof e->id}, TOKEN_PERMANENT) &&
           network_name_is_good(network_padded(e->merchant, sizeof e->merchant)) && token_id_from(token_id_slice(&e->token), &token) &&
           is_printable(network_padded(e->url, sizeof e->url), '!') && e->last_status >= 0 && e->last_status <= STATUS_MAX &&
           e->json_len <= EVENT_JSON_MAX_BYTES && is_time(e->created_ms) && is_time(e->since_ms) && is_time(e->due_ms) &&
           is_time(e->delivered_ms);
}

result event_encode(const struct event *e, uint8_t out[EVENT_RECORD_MAX_BYTES], size_t *len)
{
    ENSURE(event_is_sound(e), VAULT_FORMAT);
    slice url = network_padded(e->url, sizeof e->url);
    out[0] = RECORD_LAYOUT;
    out[1] = (uint8_t)e->state;
    put_u32(out + 2, e->tries);
    put_u16(out + 6, (uint16_t)e->last_status);
    put_u64(out + 8, e->revision);
    put_u64(out + 16, (uint64_t)(e->since_ms ? e->since_ms : e->created_ms));
    put_u64(out + 24, (uint64_t)e->due_ms);
    put_u64(out + 32, (uint64_t)e->delivered_ms);
    uint8_t *at = put_text(out + EVENT_FIXED_BYTES, network_padded(e->merchant, sizeof e->merchant));
    at = put_text(at, token_id_slice(&e->token));
    put_u16(at, (uint16_t)url.len);
    memcpy(at + 2, url.at, url.len);
    at += 2 + url.len;
    put_u16(at, e->json_len);
    memcpy(at + 2, e->json, e->json_len);
    *len = (size_t)(at + 2 - out) + e->json_len;
    return OK;
}

result event_decode(slice key, slice plain, struct event *out)
{
    size_t len;
    uint16_t url_len;
    memset(out, 0, sizeof *out);
    ENSURE(key.len == EVENT_KEY_BYTES && plain.len > EVENT_FIXED_BYTES && plain.at[0] == RECORD_LAYOUT, VAULT_FORMAT);
    const uint8_t *at = (const uint8_t *)plain.at;
    unsigned status = get_u16(at + 6);
    ENSURE(at[1] <= EVENT_FAILED && status <= STATUS_MAX, VAULT_FORMAT);
    out->created_ms = (int64_t)get_u64((const uint8_t *)key.at);
    memcpy(out->id, key.at + 8, EVENT_ID_BYTES);
    out->state = (enum event_state)at[1];
    out->tries = get_u32(at + 2);
    out->last_status = (int16_t)status;
    out->revision = get_u64(at + 8);
    out->since_ms = (int64_t)get_u64(at + 16);
    out->due_ms = (int64_t)get_u64(at + 24);
    out->delivered_ms = (int64_t)get_u64(at + 32);
    slice rest = slice_after(plain, EVENT_FIXED_BYTES);
    ENSURE(take_into(&rest, out->merchant, sizeof out->merchant, &len) &&
               take_short(&rest, out->token.at, sizeof out->token.at, &out->token.len) &&
               take_long(&rest, out->url, sizeof out->url, &url_len) && take_long(&rest, out->json, sizeof out->json, &out->json_len) &&
               rest.len == 0 && network_padded(out->url, sizeof out->url).len == url_len &&
               (out->since_ms || !out->created_ms) && event_is_sound(out),
           VAULT_FORMAT);
    return OK;
}

/* --- trail, counts, mark --- */

result trail_encode(slice id, uint8_t out[TRAIL_RECORD_MAX_BYTES], size_t *len)
{
    ENSURE(id.len <= NETWORK_TRANSACTION_ID_MAX_BYTES && is_printable(id, ' '), VAULT_FORMAT);
    out[0] = RECORD_LAYOUT;
    *len = (size_t)(put_text(out + 1, id) - out);
    return OK;
}

result trail_decode(slice plain, slice *id)
{
    ENSURE(plain.len >= 1 && plain.at[0] == RECORD_LAYOUT, VAULT_FORMAT);
    slice rest = slice_after(plain, 1);
    ENSURE(take_text(&rest, NETWORK_TRANSACTION_ID_MAX_BYTES, id) && rest.len == 0 && is_printable(*id, ' '), VAULT_FORMAT);
    return OK;
}

void counter_delta_start(struct counter_delta *d, slice merchant, slice route)
{
    *d = (struct counter_delta){.hour = (uint32_t)(clock_wall_ms() / HOUR_MS)};
    if (merchant.len) memcpy(d->merchant, merchant.at, merchant.len < sizeof d->merchant ? merchant.len : sizeof d->merchant);
    if (route.len) memcpy(d->route, route.at, route.len < sizeof d->route ? route.len : sizeof d->route);
}

size_t counts_encode(const uint64_t n[COUNTER_COUNT], uint8_t out[COUNTS_RECORD_MAX_BYTES])
{
    out[0] = RECORD_LAYOUT;
    out[1] = COUNTER_COUNT;
    for (size_t i = 0; i < COUNTER_COUNT; i++) put_u64(out + 2 + 8 * i, n[i]);
    return COUNTS_RECORD_MAX_BYTES;
}

result counts_decode(slice plain, uint64_t n[COUNTER_COUNT])
{
    memset(n, 0, COUNTER_COUNT * sizeof n[0]);
    ENSURE(plain.len >= 2 && plain.at[0] == RECORD_LAYOUT, VAULT_FORMAT);
    const uint8_t *at = (const uint8_t *)plain.at;
    size_t count = at[1];
    ENSURE(count >= 1 && count <= COUNTER_COUNT && plain.len == 2 + 8 * count, VAULT_FORMAT);
    for (size_t i = 0; i < count; i++) n[i] = get_u64(at + 2 + 8 * i);
    return OK;
}

size_t mark_encode(uint64_t sequence, uint8_t out[MARK_RECORD_BYTES])
{
    out[0] = RECORD_LAYOUT;
    put_u64(out + 1, sequence);
    return MARK_RECORD_BYTES;
}

result mark_decode(slice plain, uint64_t *sequence)
{
    ENSURE(plain.len == MARK_RECORD_BYTES && plain.at[0] == RECORD_LAYOUT, VAULT_FORMAT);
    *sequence = get_u64((const uint8_t *)plain.at + 1);
    return OK;
}
