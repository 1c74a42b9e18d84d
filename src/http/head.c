/* SPDX-License-Identifier: Apache-2.0 */
#include "http/head.h"

slice http_head_get(const struct http_head *h, const char *name)
{
    slice wanted = slice_of(name);
    for (size_t i = 0; i < h->field_count; i++)
        if (slice_ieq(h->fields[i].name, wanted)) return h->fields[i].value;
    return SLICE_NONE;
}

size_t http_head_count(const struct http_head *h, const char *name)
{
    slice wanted = slice_of(name);
    size_t n = 0;
    for (size_t i = 0; i < h->field_count; i++)
        if (slice_ieq(h->fields[i].name, wanted)) n++;
    return n;
}
