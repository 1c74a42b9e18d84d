/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BODY_FUZZ_H
#define TESTS_BODY_FUZZ_H

/* What the fuzz targets of the body room share. An input is a body; its length seeds the cuts. Whatever the bytes, these hold:
 *
 *   - every split gives the same error in the same place, or the same bytes;
 *   - what stands outside slots comes out as it went in;
 *   - what goes out with a network token, members set and dropped, is a document that the walker takes again. */

#include "body/body.h"

struct fuzz_rule {
    const char *path;
    int element; /* -1: drop */
    bool set, as_number;
};
struct plan fuzz_plan(enum body_format format, const struct fuzz_rule *rules, size_t count);
void fuzz_body(const struct plan *plan, slice text);

#endif
