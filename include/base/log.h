/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/* One JSON object a line, on stderr. A line is built from names known at compile time, numbers, and checked words; there is
 * no function that takes a format string or raw bytes, so no PAN, CVC, cryptogram or key can be put into one:
 *
 *     log_begin(LOG_LEVEL_INFO, "exchange");
 *     log_u64("status", 200);
 *     log_word("route", route_name);
 *     log_end();
 *
 * Lines are collected and written with one write() by log_flush(), which the loop calls some milliseconds later; WARN and ERROR
 * lines, and what waits before them, at once. */

#include "base/result.h"
#include "base/slice.h"

void log_start(const char *process /* borrows for ever; "relay" */, unsigned index, enum log_level least);
void log_begin(enum log_level level, const char *event /* string literal */);
void log_text(const char *name, const char *literal /* a string literal or a table's text, never a stranger's */);
void log_u64(const char *name, uint64_t n);
void log_i64(const char *name, int64_t n);
void log_error(const char *name, enum error e);
/* A word that may come from outside (route, merchant, token id, host). What is not of [A-Za-z0-9._:/@-] shows as '?';
 * at most 128 bytes; any run of 12 or more digits shows as its first 6, 'x', its last 4. */
void log_word(const char *name, slice word);
void log_errno(const char *name, int error_number);
void log_end(void);
void log_flush(void);
size_t log_pending(void); /* bytes collected */

/* Short forms for start-up and failures: event and one reason. */
void log_plain(enum log_level level, const char *event, const char *reason /* literal */);
void log_failure(const char *event, result why);

#endif
