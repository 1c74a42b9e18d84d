/* SPDX-License-Identifier: Apache-2.0 */
#include "base/result.h"

#include <assert.h>

static const struct {
    const char *name;
    int status;
    enum log_level level;
    const char *text;
} table[ERR_COUNT] = {
    [ERR_NONE] = {"NONE", 200, LOG_LEVEL_INFO, "no error"},
#define ERROR(name, status, level, text) [ERR_##name] = {#name, status, LOG_LEVEL_##level, text},
#include "base/errors.def"
#undef ERROR
};

const char *error_name(enum error e)
{
    assert(e < ERR_COUNT);
    return table[e].name;
}

int error_status(enum error e)
{
    assert(e < ERR_COUNT);
    return table[e].status;
}

enum log_level error_level(enum error e)
{
    assert(e < ERR_COUNT);
    return table[e].level;
}

const char *error_text(enum error e)
{
    assert(e < ERR_COUNT);
    return table[e].text;
}
