/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/ruleset.h"

static const struct {
    const char *name;
    bool may_retry;
} declines[DECLINE_COUNT] = {
    [DECLINE_NONE] = {"none", false},
#define DECLINE(name, text, retry) [DECLINE_##name] = {text, retry},
#include "rules/declines.def"
#undef DECLINE
};

const char *decline_name(enum decline_reason d)
{
    return d < DECLINE_COUNT ? declines[d].name : declines[DECLINE_NONE].name;
}

bool decline_may_retry(enum decline_reason d)
{
    return d < DECLINE_COUNT && declines[d].may_retry;
}
