/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ENVELOPE_H
#define BASE_ENVELOPE_H

/* The JSON that every answer of ours is made of: {"status":"success"|"fail","message":…,"data":{…}}. */

#include "base/buf.h"

/* How a request's number is written, in the x-cardveil-request-id field, the log and the API's request_id: eight hex digits, '-',
 * eight more. Never a run of digits that could be taken for a card number (the log masks those). */
enum { REQUEST_ID_BYTES = 17 };
void request_id_text(uint64_t id, char out[REQUEST_ID_BYTES]);

/* Appends <text> as the inside of a JSON string: quotes and backslashes escaped, control characters as blanks. */
MUST_USE result json_append_text(struct buf *out, slice text);
/* Appends <before>, then <value> as the inside of a string, then the closing quote: json_append_member(b, SLICE(",\"a\":\""), v). */
MUST_USE result json_append_member(struct buf *out, slice before, slice value);

struct failure {
    const char *code;        /* stable name: "TOKEN_UNKNOWN" */
    const char *text;        /* what is wrong and what to do */
    slice description;       /* more of it, such as an RFC's sentence; empty: the place, or the text again */
    slice token;             /* the one it is about; may be empty */
    slice path;              /* where in the document; may be empty */
    bool has_offset;
    bool is_of_answer;       /* offset and path are places in what the other side answered */
    uint64_t offset;         /* byte of the document */
};
MUST_USE result envelope_append_failure(struct buf *out, const struct failure *f);

#endif
