/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_JOSE_HEADER_H
#define SIGN_JOSE_HEADER_H

/* A JOSE header (RFC 7515 4, RFC 7516 4), read no further than needed to know what to do: one flat JSON object whose
 * members are strings, numbers or literals. An object or an array as a value is not taken: the parameters that have
 * them (jwk, x5c, crit, epk) belong to ways of encrypting that are not used here. RFC 7516 4: "The Header Parameter
 * names within the JOSE Header MUST be unique"; those that are read are checked for it. */

#include "base/slice.h"

struct jose_header { /* slices into the text; values as they are spelled, escapes and all */
    slice alg, enc;
    bool zip, crit;
};
bool jose_header_parse(slice json, struct jose_header *out); /* false: not such a header */

#endif
