/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit/http/transcript.h"

#include <stdio.h>
#include <stdlib.h>

/* The first byte chooses side, limits and cutting, the rest is what a peer sends. Whatever it is: every split tells the
 * same, the reader keeps its word (transcript.c aborts when it does not), and what is accepted says the same when it
 * was written anew and is read again. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct reading *what, const struct transcript *whole, struct cut how)
{
    struct transcript t;
    transcript_take(&t, what, how);
    if (!slice_eq(buf_slice(&t.full), buf_slice(&whole->full))) {
        fprintf(stderr, "whole: %.*s\ncut:   %.*s\n", SLICE_ARG(buf_slice(&whole->full)),
                SLICE_ARG(buf_slice(&t.full)));
        abort();
    }
    transcript_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    uint8_t mode = data[0];
    struct reading what = {
        .side = mode & 1 ? HTTP_ANSWERS : HTTP_REQUESTS,
        .limits = {.head_bytes = mode & 2 ? 256 : 16 * 1024, .fields = mode & 2 ? 4 : 100},
        .head_answer = (mode & 7) == 5,
        .eof = mode & 8,
        .bytes = {(const char *)data + 1, size - 1},
    };
    struct transcript whole;
    transcript_take(&whole, &what, (struct cut){0});
    same(&what, &whole, (struct cut){.every = 1});
    same(&what, &whole, (struct cut){.every = 2 + (mode >> 4), .seed = 1u + mode});
    if (!transcript_rereads_equal(&whole, &what)) {
        fprintf(stderr, "not the same again: %.*s\n", SLICE_ARG(buf_slice(&whole.full)));
        abort();
    }
    transcript_done(&whole);
    return 0;
}
