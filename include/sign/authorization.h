/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_AUTHORIZATION_H
#define SIGN_AUTHORIZATION_H

/* What stands in Authorization and Proxy-Authorization (RFC 9110 11.4): a scheme, whatever its case, and its credentials. */

#include "base/buf.h"

enum { AUTHORIZATION_BASIC_MAX_BYTES = 512 }; /* of user name and password together */
/* <value> begins with that scheme: what follows is left in it. */
bool authorization_take_scheme(slice *value, slice scheme);
/* What follows "Basic" (RFC 7617 2). <pair>: a secret buffer, empty, that user and password point into; password: start NULL where there
 * is no colon. ERR_BASE64, ERR_TOO_LARGE. */
MUST_USE result authorization_read_basic(slice encoded, struct buf *pair, slice *user, slice *password);

#endif
