/* SPDX-License-Identifier: Apache-2.0 */
#include "http/refusal.h"

#include <assert.h>

static const struct {
    const char *name;
    int status;
    const char *rfc, *text;
} table[REFUSAL_COUNT] = {
    [REFUSAL_NONE] = {"NONE", 200, "", "nothing is wrong"},
#define REFUSAL(name, status, rfc, text) [REFUSAL_##name] = {#name, status, rfc, text},
#include "http/refusals.def"
#undef REFUSAL
};

const char *refusal_name(enum http_refusal r)
{
    assert(r < REFUSAL_COUNT);
    return table[r].name;
}

int refusal_status(enum http_refusal r)
{
    assert(r < REFUSAL_COUNT);
    return table[r].status;
}

const char *refusal_rfc(enum http_refusal r)
{
    assert(r < REFUSAL_COUNT);
    return table[r].rfc;
}

const char *refusal_text(enum http_refusal r)
{
    assert(r < REFUSAL_COUNT);
    return table[r].text;
}
