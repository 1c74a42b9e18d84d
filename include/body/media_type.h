/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_MEDIA_TYPE_H
#define BODY_MEDIA_TYPE_H

/* How a body of some media type is read (RFC 6838; structured syntax suffixes: RFC 6839): of a message as a whole, or of one part of
 * it. Inbound, what is in none of the formats that we read is not known to be free of card numbers, so it is refused unless the route
 * lists its type. */

#include "body/plan.h"

/* <type>: without parameters. Empty: BODY_UNTYPED. What cannot be looked into: BODY_OPAQUE. */
enum body_format media_type_format(slice type);

/* For whom rules of this format refused: "send JSON (application/json, …)". */
const char *media_type_advice(enum body_format format);

/* A list such as "image/png, application/pdf", with "image/" and an asterisk for all of a kind. */
bool media_type_is_listed(slice list, slice type);
bool media_type_may_be_listed(slice entry); /* TYPE/SUBTYPE, or an asterisk for the second; nothing that is looked into */

#endif
