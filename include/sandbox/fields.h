/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_FIELDS_H
#define SANDBOX_FIELDS_H

/* A request body as a flat list of named values, and the strict checks a processor makes on them. A member of a nested JSON
 * object is named "securityAuthentication/sai"; an item of a list takes the list's own name with "[]". */

#include "base/pool.h"

enum field_kind { FIELD_STRING, FIELD_NUMBER, FIELD_BOOL, FIELD_NULL, FIELD_OBJECT, FIELD_LIST };
struct field {
    slice name, value;
    enum field_kind kind;
};
enum { FIELDS_MAX = 200 };
struct fields {
    struct pool *pool; /* borrows; names and values live there */
    struct field *at;
    size_t count;
};

/* ERR_JSON_SYNTAX, also when the document is not an object, holds a member twice, or nests deeper than 8; ERR_TOO_LARGE */
MUST_USE result fields_from_json(struct fields *f, struct pool *pool, slice text);
/* application/x-www-form-urlencoded. ERR_FORM_SYNTAX for a bad percent sign, a field without '=', or one that stands twice */
MUST_USE result fields_from_form(struct fields *f, struct pool *pool, slice text);
const struct field *fields_get(const struct fields *f, const char *name); /* NULL: not there */
slice fields_text(const struct fields *f, const char *name);              /* start NULL: not there */

enum field_check {
    CHECK_TEXT,        /* a string without control characters and without a placeholder left in it */
    CHECK_DIGITS,      /* a string of digits */
    CHECK_INTEGER,     /* JSON: a bare number without sign, fraction or exponent; form: digits */
    CHECK_BOOL,
    CHECK_OBJECT,      /* its members have rules of their own */
    CHECK_LIST,
    CHECK_CARD_NUMBER, /* a string of digits with a valid check digit (ISO/IEC 7812-1) */
    CHECK_MONTH,       /* "01" to "12", or the bare numbers 1 to 12 */
    CHECK_YEAR,        /* "20YY", or the same as a bare number */
    CHECK_ANY_INTEGER, /* as CHECK_INTEGER, or a string of digits */
};
struct field_rule {
    const char *name;
    enum field_check check;
    unsigned min, max; /* length of the text */
    bool required;
};
enum field_fault { FAULT_NONE, FAULT_MISSING, FAULT_SIZE, FAULT_FORMAT, FAULT_UNKNOWN };
/* The first thing wrong, and with which field (valid as long as <f> and <rules>). */
enum field_fault fields_check(const struct fields *f, const struct field_rule *rules, size_t count, slice *name);
/* True if that month has not ended yet. */
bool expiry_is_current(unsigned year, unsigned month);

#endif
