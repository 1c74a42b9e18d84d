/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_JSON_H
#define NETWORK_JSON_H

/* Takes the few values that are wanted out of a JSON document that came from outside; the rest is only checked. Paths
 * are names with '.' between: "tokenizedCard.number"; "[]" stands for every element of an array; a path that ends in
 * "{}" wants an object or an array and gets its bytes as they stand, every other path wants a string. null is the same
 * as not there.
 *
 * Errors: ERR_JSON_SYNTAX, _CUT_OFF, _DEPTH, _DUPLICATE_KEY (a member on a wanted path stands twice),
 * ERR_NETWORK_ANSWER (something of another type stands on a wanted path), ERR_MEMORY. The parser's memory is wiped. */

#include "base/result.h"
#include "base/slice.h"

enum { JSON_DEPTH_MAX = 64, JSON_PATHS_MAX = 32, JSON_FIELD_MAX_BYTES = 128 };

/* value: unescaped, valid for the call. What it returns ends the reading, if it is not OK. */
typedef result (*json_taken)(void *owner, size_t path, slice value);
MUST_USE result json_take(slice text, const char *const *paths, size_t count, json_taken taken, void *owner);

/* Each path once, into an array. ERR_NETWORK_ANSWER also: a value is longer than there is room for. */
struct json_field {
    size_t len; /* 0: empty or not there */
    char at[JSON_FIELD_MAX_BYTES];
};
MUST_USE result json_take_fields(slice text, const char *const *paths, size_t count, struct json_field *fields);
slice json_field_text(const struct json_field *f);

#endif
