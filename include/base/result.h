/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RESULT_H
#define BASE_RESULT_H

/* One type for "did it work": never mixed with a count, never ignored. What can go wrong stands in one table, errors.def:
 * name, HTTP status to answer with, log level, text for people. Programmer errors are asserts, not results. */

#include <stdbool.h>

#define MUST_USE __attribute__((warn_unused_result))

enum error {
    ERR_NONE = 0,
#define ERROR(name, status, level, text) ERR_##name,
#include "base/errors.def"
#undef ERROR
    ERR_COUNT
};

enum log_level { LOG_LEVEL_DEBUG = 0, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

typedef struct {
    enum error err;
} result;

#define OK ((result){ERR_NONE})
#define FAIL(name) ((result){ERR_##name})
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        result try_ = (call);                                                                                          \
        if (try_.err) return try_;                                                                                     \
    } while (0)
#define ENSURE(condition, name)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) return FAIL(name);                                                                           \
    } while (0)

static inline bool failed(result r)
{
    return r.err != ERR_NONE;
}

const char *error_name(enum error e);   /* "JSON_DEPTH": stable, for logs, metrics and answers */
int error_status(enum error e);         /* the HTTP status this error is answered with */
enum log_level error_level(enum error e);
const char *error_text(enum error e);   /* what is wrong and what to do, one sentence, no secret, no stranger's text */

#endif
