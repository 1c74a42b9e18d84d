/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_SIGNING_H
#define PROXY_SIGNING_H

/* Signs one attempt's request over its final bytes, as the rules' 'sign:' section says. The text to be signed is made here; the
 * route's secret stays with the keeper, which signs it (a stolen relay can have signed what it could have sent anyway, and nothing
 * once it is found). A second attempt is signed anew: new date, new identifier.
 *
 *     rendered target and body ─► text ─► keeper_sign() ─► signature ─► header fields, written by signing_write_fields()       */

#include "base/buf.h"
#include "keeper/client.h"
#include "rules/config.h"

struct signing;
struct signing_request {  /* borrows for the call; rendered */
    const struct config_route *route;
    slice method, target, host;
    slice body;           /* start NULL: none */
    int64_t wall_ms;
    slice (*field)(void *owner, slice name); /* a field of the request as it goes out; start NULL: not there */
    void *owner;
};
/* Makes the text. Nothing is asked yet. ERR_SIGN_KEY: the route lacks a key id or merchant id that the signature names. */
MUST_USE result signing_new(const struct signing_request *request, struct signing **out);
void signing_free(struct signing *s); /* wipes; NULL is fine */
bool signing_needs_keeper(const struct signing *s); /* false: a digest alone */
MUST_USE result signing_ask(struct signing *s, struct keeper_dialogue *d); /* the answer: keeper_handlers.on_signed */
MUST_USE result signing_take(struct signing *s, slice signature);
MUST_USE result signing_write_fields(const struct signing *s, struct buf *out); /* whole header lines */
/* Fields of the caller that such rules write themselves, or that cannot be right any more. */
bool signing_withholds(const struct sign_rule *rule, slice name);

#endif
