/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_BUNDLE_OF_H
#define TESTS_FUZZ_BUNDLE_OF_H

#include "rules/source.h"

/* A source of a few files in memory: a fuzzer's input must not make the parser open files of this machine. */
struct bundle_file {
    const char *path; /* absolute */
    slice content;
};
struct source *bundle_of(const struct bundle_file *files, size_t count);

#endif
