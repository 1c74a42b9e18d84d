/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_ANSWER_ENVELOPE_H
#define PROXY_ANSWER_ENVELOPE_H

/* A destination's answer as a member of a JSON document, for callers that take every answer for JSON:
 *
 *     {"status":201,"data":{"id" : 1.50}}      what parses as JSON stands there byte for byte (RFC 8259)
 *     {"status":502,"data":"Bad\nGateway"}     other text is a string
 *     {"status":200,"data":null}               no content
 *
 * Text is UTF-8 without control characters but tab, line feed and carriage return. <is_foreign>: it was said to be in a charset that
 * is not UTF-8 above ASCII. ERR_ENVELOPE_TEXT: it is none; ERR_MEMORY and ERR_TOO_LARGE as of the buffer. */

#include "base/buf.h"

MUST_USE result answer_envelope_write(int status, slice answer, bool is_foreign, struct buf *out);

#endif
