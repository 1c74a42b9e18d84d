/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_JSON_PICK_H
#define BODY_JSON_PICK_H

/* Picks the values at the places of a path_set out of one whole JSON document: what a processor's answer says. Strict like every
 * parser here: one document, depth 64, valid UTF-8. Keeps nothing; its memory is wiped. */

#include "body/path.h"

/* <path>: its number in the set. <value>: a string decoded (is_text), a number as spelt, "true", "false"; not called for null, objects
 * and arrays. Valid for the call. In the order of the document. */
typedef void (*json_pick_value)(void *owner, uint32_t path, slice value, bool is_text);
/* What has no text of its own, before what is in it. */
enum json_pick_kind { JSON_PICK_NULL, JSON_PICK_OBJECT, JSON_PICK_ARRAY };
typedef void (*json_pick_other)(void *owner, uint32_t path, enum json_pick_kind kind);
/* ERR_JSON_SYNTAX, ERR_JSON_DEPTH, ERR_UTF8, ERR_MEMORY. Values that came before the fault were told. */
MUST_USE result json_pick(const struct path_set *paths, slice text, json_pick_value each, void *owner);
MUST_USE result json_pick_all(const struct path_set *paths, slice text, json_pick_value each, json_pick_other other, void *owner);

#endif
