/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_ELEMENT_H
#define BODY_ELEMENT_H

/* Which part of a credential a slot takes, in which format, and in which encoding of the place it stands in. */

#include "base/buf.h"
#include "body/credential.h"

enum element {
    ELEMENT_NUMBER = 0, ELEMENT_EXPIRY, ELEMENT_EXP_MONTH, ELEMENT_EXP_YEAR, ELEMENT_CVC, ELEMENT_HOLDER,
    ELEMENT_LAST4, ELEMENT_BIN, ELEMENT_CRYPTOGRAM, ELEMENT_ECI, ELEMENT_REQUESTOR, ELEMENT_TOKEN,
    ELEMENT_NETWORK_TRANSACTION_ID, ELEMENT_CARD_LAST4, ELEMENT_COUNT
};
enum date_format {
    DATE_DEFAULT = 0, /* the element's own: MM, YYYY, or MM/YYYY for the whole expiry */
    DATE_MM, DATE_YY, DATE_YYYY, DATE_MM_YY, DATE_MM_YYYY, DATE_YYYY_MM_SLASH, DATE_YYYY_MM_DASH, DATE_MMYY, DATE_COUNT
};
enum encoding { /* how a value must be written where it stands */
    ENCODING_TEXT = 0, ENCODING_JSON_STRING, ENCODING_FORM, ENCODING_QUERY, ENCODING_PATH, ENCODING_FIELD_VALUE, ENCODING_XML,
    ENCODING_CSV, ENCODING_CSV_QUOTED /* RFC 4180: a field without quotes around it, and one with them */
};

bool element_parse(slice name /* number, expiry, exp_month, exp_year, cvc, holder, last4, bin, cryptogram, eci, requestor */,
                   enum element *out);
const char *element_name(enum element e);
bool date_format_parse(slice name /* MM, YY, YYYY, MM/YY, MM/YYYY, YYYY/MM, YYYY-MM, MMYY */, enum date_format *out);
const char *date_format_name(enum date_format f);

/* Appends the element. as_number: bare digits without leading zeros (a JSON number), only where the element is all digits.
 * ERR_ELEMENT_MISSING, ERR_ELEMENT_FORMAT. <token> is the token's own id, for ELEMENT_TOKEN. */
MUST_USE result element_write(const struct credential *c, slice token, enum element e, enum date_format format,
                              bool as_number, enum encoding encoding, struct buf *out);
/* Appends any text, encoded as the place asks. ERR_ELEMENT_FORMAT if the place cannot hold it: control characters in a header
 * value, in XML or in CSV, quotes or what separates fields in a field of CSV without quotes, NUL anywhere, invalid UTF-8 in JSON. */
MUST_USE result encoding_write(slice text, enum encoding encoding, struct buf *out);
bool element_is_there(const struct credential *c, enum element e); /* has the credential this element? */
bool element_is_date(enum element e);
bool element_is_digits(enum element e, enum date_format f); /* could it be a bare JSON number? */
size_t element_max_bytes(enum element e);                   /* at most so many in any encoding */

#endif
