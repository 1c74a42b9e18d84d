/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_HTTP_TRANSCRIPT_H
#define TESTS_UNIT_HTTP_TRANSCRIPT_H

/* Feeds bytes to a reader in given pieces and writes down all it says, so that two ways of cutting, or a message and its
 * rewritten form, can be compared as text. For the unit tests, the corpus runner and the fuzzer. */

#include "base/buf.h"
#include "http/reader.h"

struct cut {
    size_t first, every; /* pieces: one of <first>, then of <every>; 0: all that is left */
    uint64_t seed;       /* not 0: pieces of random size instead, 1 to <every> */
};
struct reading {
    enum http_side side;
    struct http_limits limits;
    bool head_answer; /* before each message */
    bool eof;         /* the peer ends after the bytes */
    slice bytes;
};
struct transcript {
    struct buf steps;     /* "HEAD BODY END REFUSED:NAME EOF": data in pieces is one BODY */
    struct buf full;      /* the same with everything a head says, the data, and where in the input it ended */
    struct buf rewritten; /* the complete messages written again by the writer */
    enum http_refusal refusal;
    size_t ends;          /* complete messages */
    bool keep_alive;      /* as the last head says; false when refused */
};

void transcript_take(struct transcript *t, const struct reading *what, struct cut how); /* aborts when the reader breaks its word */
void transcript_done(struct transcript *t);
/* The rewritten messages, read again, must say the same as the first time. */
bool transcript_rereads_equal(const struct transcript *t, const struct reading *what);

#endif
