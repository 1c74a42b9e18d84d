/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_EXPLAIN_H
#define PROXY_EXPLAIN_H

/* What a request would become on its way to the processor, made by the same code that sends it, with masked stand-ins for card
 * data; without a network, a keeper or a vault. */

#include "body/body.h"
#include "http/refusal.h"
#include "rules/config.h"

struct explanation;
struct explain_slot {
    slice placeholder; /* as the caller wrote it; empty for what rules insert */
    slice token;
    const char *place; /* "body", "path", "query", or "field" */
    struct body_slot_info info;
    bool applies; /* with the credential that is shown, and not inside what the rules drop or replace */
};

/* Takes config. <request>: one HTTP/1.1 request, head and body, as the client would send it to Cardveil; bare LF line ends in
 * the head are accepted here, and a missing Content-Length or Host is added. ERR_NOT_FOUND: no such route; ERR_JSON_… etc. */
/* *out is set on failure too (unless ERR_MEMORY), so that the place can be told. */
MUST_USE result explain_request(struct config *config, slice route, slice request, enum credential_kind kind,
                                struct explanation **out);
void explain_free(struct explanation *e); /* NULL is fine */
slice explain_text(const struct explanation *e);             /* the request as it would go out, masked */
const struct config_route *explain_route(const struct explanation *e);
const struct upstream_url *explain_upstream(const struct explanation *e); /* after a success: where it would go */
size_t explain_slot_count(const struct explanation *e);      /* slots of the body */
struct explain_slot explain_slot_at(const struct explanation *e, size_t i);
/* The n-th thing that a slot of the rules sets, and the path where; NULL: no more. Of slots that apply only. */
const struct plan_edit *explain_edit_at(const struct explanation *e, size_t slot, size_t n, slice *path);
/* After a failure: where in the body, and why the head was refused. Filled by explain_request. */
const struct body_fault *explain_fault(const struct explanation *e);
enum http_refusal explain_refusal(const struct explanation *e);

#endif
