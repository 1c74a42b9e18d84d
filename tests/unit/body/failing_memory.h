/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAILING_MEMORY_H
#define TESTS_FAILING_MEMORY_H

/* Allocation that can fail: the n-th from now on, once or for good. For programs linked with --wrap of malloc, calloc and realloc. */

#include <stdbool.h>

extern long fail_in; /* 0: never. To be set to that before check is called, which allocates too */
extern bool fail_for_good;
extern unsigned refused; /* so many failed */

#endif
