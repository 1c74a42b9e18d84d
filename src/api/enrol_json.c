/* SPDX-License-Identifier: Apache-2.0 */
#include "api/enrol_json.h"

#include "base/secret.h"
#include "body/json_pick.h"
#include "body/placeholder.h"

#include <assert.h>
#include <string.h>

enum field {
    FIELD_TYPE = 0, FIELD_NUMBER, FIELD_EXPIRY, FIELD_CVC, FIELD_ADDRESS_1, FIELD_ADDRESS_2, FIELD_CITY, FIELD_STATE, FIELD_POSTAL_CODE,
    FIELD_COUNTRY
};
static const char missing[] = "Some fields are missing in the request";
static const char bad_text[] = "an address is of at most 100 bytes, without control characters";

static const struct {
    const char *path; /* in JSONPath; told without its "$." */
    bool is_required;
} fields[ENROL_FIELD_COUNT] = {
    [FIELD_TYPE] = {"$.transaction_info.type", true},  [FIELD_NUMBER] = {"$.card.number", true},
    [FIELD_EXPIRY] = {"$.card.expiration_date", true}, [FIELD_CVC] = {"$.card.security_code", false},
    [FIELD_ADDRESS_1] = {"$.bill_to.address_1", true}, [FIELD_ADDRESS_2] = {"$.bill_to.address_2", false},
    [FIELD_CITY] = {"$.bill_to.city", true},           [FIELD_STATE] = {"$.bill_to.state", true},
    [FIELD_POSTAL_CODE] = {"$.bill_to.postal_code", true}, [FIELD_COUNTRY] = {"$.bill_to.country", true},
};

/* --- the document --- */

struct reading {
    struct enrol_json *json;
    bool is_repeated;
};

static void on_value(void *owner, uint32_t path, slice value, bool is_text)
{
    struct reading *r = owner;
    struct enrol_value *v = &r->json->values[path];
    if (v->seen) r->is_repeated = true;
    v->seen = true;
    v->is_no_text = !is_text;
    v->too_long = value.len > sizeof v->at;
    v->len = v->too_long ? 0 : value.len;
    if (v->len) memcpy(v->at, value.at, v->len);
}

static result add_paths(struct path_set *paths)
{
    for (size_t i = 0; i < ENROL_FIELD_COUNT; i++) {
        uint32_t number;
        size_t error_at;
        TRY(path_set_add(paths, slice_of(fields[i].path), &number, &error_at));
        assert(number == i);
    }
    return OK;
}

static result read_document(slice text, struct enrol_json *out)
{
    struct reading r = {.json = out};
    struct path_set *paths = path_set_new(PATH_JSON);
    ENSURE(paths != NULL, MEMORY);
    result done = add_paths(paths);
    if (!failed(done)) done = json_pick(paths, text, on_value, &r);
    path_set_free(paths);
    if (!failed(done) && r.is_repeated) done = FAIL(JSON_DUPLICATE_KEY);
    return done;
}

/* --- the values --- */

static result blame(struct enrol_json *e, enum field f, const char *fault)
{
    e->path = fields[f].path + strlen("$.");
    e->fault = fault;
    return FAIL(ENROL_FIELD);
}

static slice value_of(const struct enrol_json *e, enum field f)
{
    return slice_trim((slice){e->values[f].at, e->values[f].len});
}

static result check_presence(struct enrol_json *e)
{
    for (size_t i = 0; i < ENROL_FIELD_COUNT; i++) {
        bool is_there = e->values[i].too_long || value_of(e, (enum field)i).len > 0;
        /* A bare number would lose its zeros on the way: a postal code's, a CVC's. */
        if (e->values[i].is_no_text) return blame(e, (enum field)i, "not a JSON string; put it between quotes");
        if (fields[i].is_required && !is_there) return blame(e, (enum field)i, missing);
    }
    return OK;
}

/* The whole value is one placeholder of that kind; its extract stage, if there is one, asks for what stands there anyway. */
static bool read_placeholder(slice text, enum token_kind kind, enum element element, struct token_id *out)
{
    struct placeholder_scanner s;
    struct placeholder_found found;
    bool is_found = false;
    size_t used;
    placeholder_reset(&s);
    if (failed(placeholder_push_plain(&s, text, 0, &found, &is_found, &used))) return false;
    if (!is_found || found.start != 0 || found.end != text.len || found.what.kind != kind) return false;
    if (found.what.has_extract && found.what.element != element) return false;
    return token_id_from((slice){found.what.token, found.what.token_len}, out);
}

static result read_card(struct enrol_json *e)
{
    struct token_id expiry;
    if (!read_placeholder(value_of(e, FIELD_NUMBER), TOKEN_PERMANENT, ELEMENT_NUMBER, &e->token))
        return blame(e, FIELD_NUMBER, "not a permanent token's placeholder; write {{ TOKEN : detokenize }}");
    if (!read_placeholder(value_of(e, FIELD_EXPIRY), TOKEN_PERMANENT, ELEMENT_EXPIRY, &expiry))
        return blame(e, FIELD_EXPIRY, "not a permanent token's placeholder; write {{ TOKEN : detokenize }}");
    if (!slice_eq(token_id_slice(&expiry), token_id_slice(&e->token)))
        return blame(e, FIELD_EXPIRY, "the placeholder of another token than card.number's; an enrolment is of one card");
    return OK;
}

static result read_cvc(struct enrol_json *e)
{
    struct enrol_value *v = &e->values[FIELD_CVC];
    struct token_id temporal;
    slice text = value_of(e, FIELD_CVC);
    e->cvc = text;
    if (!v->too_long && (text.len == 0 || !failed(card_check_cvc(text)))) return OK;
    if (!read_placeholder(text, TOKEN_TEMPORAL, ELEMENT_CVC, &temporal))
        return blame(e, FIELD_CVC, "neither three or four digits nor a temporal token's placeholder; write {{ TOKEN : transaction }}");
    memcpy(v->at, temporal.at, temporal.len); /* the placeholder was longer */
    e->cvc = (slice){v->at, temporal.len};
    return OK;
}

static bool is_plain(slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f) return false;
    return true;
}

static result read_country(struct enrol_json *e)
{
    char *at = e->values[FIELD_COUNTRY].at;
    slice text = value_of(e, FIELD_COUNTRY);
    for (size_t i = 0; i < 2 && text.len == 2; i++) {
        char c = text.at[i] >= 'a' && text.at[i] <= 'z' ? (char)(text.at[i] - 'a' + 'A') : text.at[i];
        if (c < 'A' || c > 'Z') return blame(e, FIELD_COUNTRY, "not a country code of two letters (ISO 3166-1 alpha-2)");
        at[i] = c;
    }
    if (text.len != 2) return blame(e, FIELD_COUNTRY, "not a country code of two letters (ISO 3166-1 alpha-2)");
    e->billing.country = (slice){at, 2};
    return OK;
}

static result read_billing(struct enrol_json *e)
{
    const struct {
        enum field field;
        slice *to;
    } texts[] = {{FIELD_ADDRESS_1, &e->billing.address_1}, {FIELD_ADDRESS_2, &e->billing.address_2},
                 {FIELD_CITY, &e->billing.city},           {FIELD_STATE, &e->billing.state},
                 {FIELD_POSTAL_CODE, &e->billing.postal_code}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        slice text = value_of(e, texts[i].field);
        if (e->values[texts[i].field].too_long || text.len > ENROL_TEXT_MAX_BYTES || !is_plain(text))
            return blame(e, texts[i].field, bad_text);
        *texts[i].to = text;
    }
    return read_country(e);
}

struct enrol_json *enrol_json_new(void)
{
    return secret_alloc(sizeof(struct enrol_json));
}

result enrol_json_parse(slice text, struct enrol_json *out)
{
    TRY(read_document(text, out));
    TRY(check_presence(out));
    if (!slice_is(value_of(out, FIELD_TYPE), "enroll_card")) return blame(out, FIELD_TYPE, "the type of an enrolment is enroll_card");
    TRY(read_card(out));
    TRY(read_cvc(out));
    return read_billing(out);
}

void enrol_json_free(struct enrol_json *e)
{
    secret_free(e, sizeof *e);
}
