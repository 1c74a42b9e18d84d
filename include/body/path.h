/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_PATH_H
#define BODY_PATH_H

/* Compiled paths: a subset of RFC 9535 JSONPath ($.a.b, $['a b'], [0], [*], ..name) for JSON, a field name for forms ($PAN), parts
 * of multipart and columns of CSV, and a subset of XPath 1.0 for XML:
 *
 *   path = 1*( ( "/" / "//" ) step ) [ "/text()" ]            /OTA_Read/Card/Number   //PaymentCard/@CardNumber
 *   step = [ prefix ":" ] name / "*" / "*[local-name()='" name "']" / "@" [ prefix ":" ] name, which is the last one
 *
 * In XML, places go by local names: a prefix is left aside in paths and documents alike. An element's place is its text, so
 * "/text()" changes nothing; "*" means elements, never attributes. Walkers name the step to an attribute "@name".
 *
 * A set of paths is compiled into one path_set, matched incrementally while a walker goes down and up: no path is matched
 * twice, and a walker's state is a small stack of bit sets. */

#include "base/result.h"
#include "base/slice.h"

enum path_language { PATH_JSON, PATH_FORM /* also columns of CSV and parts of multipart */, PATH_XML };
struct path_set;

struct path_set *path_set_new(enum path_language language);
void path_set_free(struct path_set *s);
enum path_language path_set_language(const struct path_set *s);
/* Adds a path, gives it the next number (0, 1, …). ERR_PATH_SYNTAX and *error_at = offset in <text>. At most 256. */
MUST_USE result path_set_add(struct path_set *s, slice text, uint32_t *number, size_t *error_at);
size_t path_set_count(const struct path_set *s);
slice path_set_text(const struct path_set *s, uint32_t number);

#endif
