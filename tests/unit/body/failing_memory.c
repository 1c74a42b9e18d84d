/* SPDX-License-Identifier: Apache-2.0 */
#include "failing_memory.h"

#include <stddef.h>

long fail_in;
bool fail_for_good;
unsigned refused;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *at, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes);

static bool is_refused(void)
{
    if (fail_in == 0 || --fail_in > 0) return false;
    if (fail_for_good) fail_in = 1;
    refused++;
    return true;
}

void *__wrap_malloc(size_t bytes)
{
    return is_refused() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return is_refused() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *at, size_t bytes)
{
    return is_refused() ? NULL : __real_realloc(at, bytes);
}
