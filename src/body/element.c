/* SPDX-License-Identifier: Apache-2.0 */
#include "body/element.h"

#include "base/ascii.h"
#include "base/secret.h"
#include "body/utf8.h"

#include <assert.h>
#include <string.h>

static const char *const element_names[ELEMENT_COUNT] = {
    [ELEMENT_NUMBER] = "number",       [ELEMENT_EXPIRY] = "expiry", [ELEMENT_EXP_MONTH] = "exp_month",
    [ELEMENT_EXP_YEAR] = "exp_year",   [ELEMENT_CVC] = "cvc",       [ELEMENT_HOLDER] = "holder",
    [ELEMENT_LAST4] = "last4",         [ELEMENT_BIN] = "bin",       [ELEMENT_CRYPTOGRAM] = "cryptogram",
    [ELEMENT_ECI] = "eci",             [ELEMENT_REQUESTOR] = "requestor", [ELEMENT_TOKEN] = "token",
    [ELEMENT_NETWORK_TRANSACTION_ID] = "network_transaction_id", [ELEMENT_CARD_LAST4] = "card_last4",
};
static const char *const date_names[DATE_COUNT] = {
    [DATE_DEFAULT] = "default", [DATE_MM] = "MM",           [DATE_YY] = "YY",
    [DATE_YYYY] = "YYYY",       [DATE_MM_YY] = "MM/YY",     [DATE_MM_YYYY] = "MM/YYYY",
    [DATE_YYYY_MM_SLASH] = "YYYY/MM", [DATE_YYYY_MM_DASH] = "YYYY-MM", [DATE_MMYY] = "MMYY",
};

bool element_parse(slice name, enum element *out)
{
    for (unsigned e = 0; e < ELEMENT_COUNT; e++) {
        if (e == ELEMENT_TOKEN || !slice_is(name, element_names[e])) continue; /* rules cannot ask for the token itself */
        *out = (enum element)e;
        return true;
    }
    return false;
}

const char *element_name(enum element e)
{
    assert(e < ELEMENT_COUNT);
    return element_names[e];
}

bool date_format_parse(slice name, enum date_format *out)
{
    for (unsigned f = DATE_MM; f < DATE_COUNT; f++) {
        if (date_names[f][0] != (name.len ? name.at[0] : 0) || !slice_is(name, date_names[f])) continue;
        *out = (enum date_format)f;
        return true;
    }
    return false;
}

const char *date_format_name(enum date_format f)
{
    assert(f < DATE_COUNT);
    return date_names[f];
}

bool element_is_date(enum element e)
{
    return e == ELEMENT_EXPIRY || e == ELEMENT_EXP_MONTH || e == ELEMENT_EXP_YEAR;
}

static enum date_format date_format_of(enum element e, enum date_format f)
{
    if (f != DATE_DEFAULT) return f;
    return e == ELEMENT_EXP_MONTH ? DATE_MM : e == ELEMENT_EXP_YEAR ? DATE_YYYY : DATE_MM_YYYY;
}

bool element_is_digits(enum element e, enum date_format f)
{
    if (!element_is_date(e)) return e != ELEMENT_HOLDER && e != ELEMENT_CRYPTOGRAM && e != ELEMENT_TOKEN && e != ELEMENT_NETWORK_TRANSACTION_ID;
    f = date_format_of(e, f);
    return f == DATE_MM || f == DATE_YY || f == DATE_YYYY || f == DATE_MMYY;
}

size_t element_max_bytes(enum element e)
{
    switch (e) {
    case ELEMENT_HOLDER:
        return 6 * HOLDER_MAX_BYTES; /* every byte as \u00xx or &quot; */
    case ELEMENT_CRYPTOGRAM:
        return 3 * CRYPTOGRAM_MAX_BYTES; /* every byte as %xx */
    case ELEMENT_TOKEN:
        return TOKEN_ID_MAX_BYTES;
    case ELEMENT_NETWORK_TRANSACTION_ID:
        return 6 * NETWORK_TRANSACTION_ID_MAX_BYTES;
    default:
        return 24; /* 19 digits, or a date with one %2F */
    }
}

enum { DATE_MAX_BYTES = 8 };

static size_t put_digits(char *at, unsigned n, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; n /= 10) at[i] = (char)('0' + n % 10);
    return digits;
}

static size_t date_write(const struct credential *c, enum date_format f, char at[DATE_MAX_BYTES])
{
    const char *pattern = date_names[f];
    size_t len = 0;
    while (*pattern) {
        size_t run = strspn(pattern, *pattern == 'M' ? "M" : *pattern == 'Y' ? "Y" : "/-");
        if (*pattern == 'M')
            len += put_digits(at + len, c->month, 2);
        else if (*pattern == 'Y')
            len += put_digits(at + len, run == 2 ? c->year % 100u : c->year, run == 2 ? 2 : 4);
        else
            at[len++] = *pattern;
        pattern += run;
    }
    return len;
}

/* The element as plain text: borrowed from the credential, or written into <room>. */
static result element_text(const struct credential *c, slice token, enum element e, enum date_format f,
                           char room[DATE_MAX_BYTES], slice *out)
{
    switch (e) {
    case ELEMENT_NUMBER:
        *out = (slice){c->number, c->number_len};
        break;
    case ELEMENT_EXPIRY:
    case ELEMENT_EXP_MONTH:
    case ELEMENT_EXP_YEAR:
        ENSURE(c->month != 0, ELEMENT_MISSING);
        ENSURE(c->month <= 12 && c->year >= 2000 && c->year <= 2099, ELEMENT_FORMAT);
        *out = (slice){room, date_write(c, date_format_of(e, f), room)};
        break;
    case ELEMENT_CVC:
        *out = (slice){c->cvc, c->cvc_len};
        break;
    case ELEMENT_HOLDER:
        *out = (slice){c->holder, c->holder_len};
        break;
    case ELEMENT_LAST4:
        *out = c->number_len < 4 ? SLICE_NONE : (slice){c->number + c->number_len - 4, 4};
        break;
    case ELEMENT_BIN: /* six digits: what PCI DSS 3.4.1 lets everyone see of a PAN of any length */
        *out = c->number_len < 6 ? SLICE_NONE : (slice){c->number, 6};
        break;
    case ELEMENT_CRYPTOGRAM:
        *out = (slice){c->cryptogram, c->cryptogram_len};
        break;
    case ELEMENT_ECI:
        *out = (slice){c->eci, c->eci_len};
        break;
    case ELEMENT_REQUESTOR:
        *out = (slice){c->requestor, c->requestor_len};
        break;
    case ELEMENT_TOKEN:
        *out = token;
        break;
    case ELEMENT_NETWORK_TRANSACTION_ID:
        *out = (slice){c->network_transaction_id, c->network_transaction_id_len};
        break;
    case ELEMENT_CARD_LAST4:
        *out = c->card_last4[0] ? (slice){c->card_last4, sizeof c->card_last4} : SLICE_NONE;
        break;
    case ELEMENT_COUNT:
        return FAIL(INTERNAL);
    }
    ENSURE(out->len > 0, ELEMENT_MISSING);
    return OK;
}

bool element_is_there(const struct credential *c, enum element e)
{
    char room[DATE_MAX_BYTES];
    slice text;
    bool is_there = element_text(c, SLICE("token"), e, DATE_DEFAULT, room, &text).err != ERR_ELEMENT_MISSING;
    secret_wipe(room, sizeof room);
    return is_there;
}

static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

static char *put_hex(char *at, const char *before, unsigned char c)
{
    at = put_text(at, before);
    *at++ = "0123456789ABCDEF"[c >> 4];
    *at++ = "0123456789ABCDEF"[c & 15];
    return at;
}

static char *put_xml(char *at, unsigned char c)
{
    switch (c) {
    case '&':
        return put_text(at, "&amp;");
    case '<':
        return put_text(at, "&lt;");
    case '>':
        return put_text(at, "&gt;");
    case '"':
        return put_text(at, "&quot;");
    case '\'':
        return put_text(at, "&#39;");
    default:
        *at++ = (char)c;
        return at;
    }
}

/* Writes one byte as the place asks; at most six bytes. */
static char *put_encoded(char *at, unsigned char c, enum encoding encoding)
{
    switch (encoding) {
    case ENCODING_JSON_STRING: /* RFC 8259 section 7 */
        if (c < 0x20) return put_hex(at, "\\u00", c);
        if (c == '"' || c == '\\') *at++ = '\\';
        break;
    case ENCODING_FORM: /* WHATWG URL, application/x-www-form-urlencoded percent-encode set */
        if (c == ' ') c = '+';
        else if (!ascii_is_alnum((char)c) && !strchr("*-._", c)) return put_hex(at, "%", c);
        break;
    case ENCODING_QUERY:
    case ENCODING_PATH: /* RFC 3986 section 2.3: unreserved */
        if (!ascii_is_alnum((char)c) && !strchr("-._~", c)) return put_hex(at, "%", c);
        break;
    case ENCODING_XML:
        return put_xml(at, c);
    case ENCODING_CSV_QUOTED: /* RFC 4180 section 2 (7): doubled */
        if (c == '"') *at++ = '"';
        break;
    case ENCODING_TEXT:
    case ENCODING_FIELD_VALUE:
    case ENCODING_CSV:
        break;
    }
    *at++ = (char)c;
    return at;
}

/* What the place cannot hold in any encoding. */
static bool is_refused(unsigned char c, enum encoding encoding)
{
    bool control = c < 0x20 || c == 0x7f, is_csv = encoding == ENCODING_CSV || encoding == ENCODING_CSV_QUOTED;
    /* RFC 9110 section 5.5: "Field values containing CR, LF, or NUL characters are invalid and dangerous"; we let no control
     * character pass. XML 1.0 has no form for control characters at all. A NUL fits nowhere that encodes with strchr. */
    if (c == 0 || (control && (encoding == ENCODING_FIELD_VALUE || encoding == ENCODING_XML || is_csv))) return true;
    return encoding == ENCODING_CSV && strchr("\",;|", c); /* it would move all that stands behind it into the next column */
}

result encoding_write(slice text, enum encoding encoding, struct buf *out)
{
    ENSURE(encoding != ENCODING_JSON_STRING || utf8_is_valid(text), ELEMENT_FORMAT);
    TRY(buf_reserve(out, 6 * text.len));
    char *start = buf_room(out), *at = start;
    bool refused = false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        refused |= is_refused(c, encoding);
        at = c ? put_encoded(at, c, encoding) : at;
    }
    if (refused) {
        secret_wipe(start, (size_t)(at - start));
        return FAIL(ELEMENT_FORMAT);
    }
    buf_added(out, (size_t)(at - start));
    return OK;
}

static slice without_leading_zeros(slice digits)
{
    while (digits.len > 1 && digits.at[0] == '0') digits = slice_after(digits, 1);
    return digits;
}

result element_write(const struct credential *c, slice token, enum element e, enum date_format format, bool as_number,
                     enum encoding encoding, struct buf *out)
{
    ENSURE(format == DATE_DEFAULT || element_is_date(e), ELEMENT_FORMAT);
    char room[DATE_MAX_BYTES];
    slice text;
    TRY(element_text(c, token, e, format, room, &text));
    result r;
    if (as_number)
        r = slice_is_digits(text) ? buf_append(out, without_leading_zeros(text)) : FAIL(ELEMENT_FORMAT);
    else if (element_is_digits(e, format) && slice_is_digits(text))
        r = buf_append(out, text);
    else
        r = encoding_write(text, encoding, out);
    if (text.at == room) secret_wipe(room, sizeof room);
    return r;
}
