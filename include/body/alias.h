/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_ALIAS_H
#define BODY_ALIAS_H

/* What an alias looks like: the token that takes a card number's place in a message. In all but digits and the UUID-like ones, letters
 * at fixed places tell it from a card number; one of digits fails the check digit on purpose. */

#include "base/slice.h"

/* Numbers of vault records: new ones go at the end. */
enum alias_format {
    ALIAS_UUID = 0,      /* the token's own id */
    ALIAS_32,            /* 32 of A-Za-z0-9_- */
    ALIAS_LENGTH,        /* as long as the number: letters and digits, letters always */
    ALIAS_SIX_FOUR,      /* first six, letters, last four; as long as the number */
    ALIAS_EIGHT_FOUR,    /* first eight, letters, last four */
    ALIAS_DIGITS,        /* first six, digits, last four; fails the check digit on purpose */
    ALIAS_TEMPLATE,      /* a text around a UUID, such as "tok_{uuid}" */
    ALIAS_EIGHT_DIGITS,  /* first eight, digits, last four; fails the check digit on purpose */
    ALIAS_FORMAT_COUNT
};
struct alias_wish {
    enum alias_format format;
    slice template_text; /* with ALIAS_TEMPLATE: word characters around one "{uuid}"; at most 64 bytes filled in */
};
/* The token's own id will do: there is nothing to make. */
static inline bool alias_is_own_id(const struct alias_wish *wish)
{
    return wish->format == ALIAS_UUID || (wish->format == ALIAS_TEMPLATE && slice_is(wish->template_text, "{uuid}"));
}

/* One that owns its text: out of a configuration, a request, a frame. */
enum { ALIAS_TEMPLATE_MAX_BYTES = 34 /* as written, with its "{uuid}" */ };
struct alias_form {
    enum alias_format format;
    uint8_t template_len;
    char template_text[ALIAS_TEMPLATE_MAX_BYTES];
};
static inline struct alias_wish alias_form_wish(const struct alias_form *f) /* borrows the text */
{
    return (struct alias_wish){f->format, {f->template_text, f->template_len}};
}
/* "uuid", "32", "length", "six-four", "eight-four", "digits", "eight-digits", or a text around "{uuid}". NULL: right; else what is wrong
 * with it, and *out is not changed. */
const char *alias_form_read(slice text, struct alias_form *out);
slice alias_wish_text(const struct alias_wish *wish); /* as it is written: "six-four", or the template; borrows */

#endif
