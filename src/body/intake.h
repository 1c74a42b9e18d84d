/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_INTAKE_H
#define BODY_INTAKE_H

/* What bodies on their way out and on their way in have in common: bytes are decoded into the held buffer, and the walker of the
 * format looks at them there. */

#include "body/inflate.h"
#include "format_walker.h"

struct intake {
    struct walk walk; /* plan, finder and the like are set before intake_init */
    struct format_walker walker;
    struct inflater *inflater; /* NULL: not compressed */
    size_t expected;           /* 0 once it has been reserved */
    bool is_ended;
};

bool intake_init(struct intake *i, enum content_coding coding, size_t max_held_bytes, size_t expected_bytes); /* false: memory */
void intake_done(struct intake *i); /* wipes; also after intake_init failed */
/* The errors of the walker, ERR_BODY_TOO_LARGE, ERR_BODY_INFLATE, ERR_CONTENT_CODING_BROKEN; in walk.fault too, the first one stays. */
MUST_USE result intake_feed(struct intake *i, slice bytes);
MUST_USE result intake_end(struct intake *i);
uint64_t intake_sure(const struct intake *i); /* see walker.h; the end, once it has ended */

#endif
