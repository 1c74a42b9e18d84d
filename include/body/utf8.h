/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_UTF8_H
#define BODY_UTF8_H

/* Strict UTF-8 (RFC 3629 section 3): no overlong forms, no surrogates, nothing above U+10FFFF. yajl's own check lets all three
 * pass. Text may come in any split. */

#include "base/slice.h"

struct utf8_check {
    uint8_t left;      /* continuation bytes still to come */
    uint8_t low, high; /* bounds of the next one */
};

/* Number of bytes before the first wrong one; bytes.len when all are right so far. */
size_t utf8_check_feed(struct utf8_check *u /* zeroed before the first */, slice bytes);
bool utf8_check_is_whole(const struct utf8_check *u); /* false in the middle of a character */
bool utf8_is_valid(slice text);

#endif
