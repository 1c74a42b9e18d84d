/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Time: monotonic for deadlines and durations, wall for what people and certificates read. */

#include "base/slice.h"

uint64_t clock_now_us(void);  /* monotonic microseconds */
uint64_t clock_now_ms(void);  /* monotonic milliseconds */
int64_t clock_wall_ms(void);  /* milliseconds since 1970-01-01T00:00:00Z */
enum { CLOCK_RFC3339_BYTES = sizeof "2026-11-20T19:06:26.123Z" };
void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_BYTES]); /* UTC, NUL-terminated (RFC 3339 5.6) */
/* A date-time, or a date, which is its beginning in UTC. False: neither (RFC 3339 5.6), or before 1970. A leap second is the end of its
 * minute. */
bool clock_rfc3339_parse(slice text, int64_t *wall_ms, bool *is_date);
/* The first millisecond after a month (1 to 12), in UTC: what expires with that month has expired by then. */
int64_t clock_month_end_ms(unsigned year, unsigned month);
enum { CLOCK_HTTP_DATE_BYTES = sizeof "Thu, 26 Nov 2026 11:21:50 GMT" };
void clock_http_date(int64_t wall_ms, char out[CLOCK_HTTP_DATE_BYTES]); /* IMF-fixdate, NUL-terminated (RFC 9110 5.6.7) */

#endif
