/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_REFUSAL_H
#define HTTP_REFUSAL_H

/* Why a message head or body framing is refused: one row of refusals.def each, with the name that logs, metrics and answers
 * show, the status, the sentence of the RFC, and the text. REFUSAL(name, status, rfc, text). The status is for a refused request;
 * a refused answer of the processor is always 502, whatever the row (ERR_UPSTREAM_ANSWER). */

#include <stddef.h>

enum http_refusal {
    REFUSAL_NONE = 0,
#define REFUSAL(name, status, rfc, text) REFUSAL_##name,
#include "http/refusals.def"
#undef REFUSAL
    REFUSAL_COUNT
};

const char *refusal_name(enum http_refusal r);
int refusal_status(enum http_refusal r);
const char *refusal_rfc(enum http_refusal r);  /* "RFC 9112 6.1: …" */
const char *refusal_text(enum http_refusal r);

#endif
