/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t read_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t clock_now_ms(void)
{
    return clock_now_us() / 1000;
}

int64_t clock_wall_ms(void)
{
    return (int64_t)(read_us(CLOCK_REALTIME) / 1000);
}

void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_BYTES])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    unsigned ms = (unsigned)(wall_ms % 1000);
    struct tm tm;
    char text[64];
    gmtime_r(&seconds, &tm);
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out, CLOCK_RFC3339_BYTES, "%.19s.%03uZ", len ? text : "0000-00-00T00:00:00", ms % 1000u);
}

/* Takes <digits> digits and the character after them, which must be one of <after> ("" : the end), off the front. */
static bool take(slice *rest, size_t digits, const char *after, unsigned *out)
{
    uint64_t n;
    if (rest->len < digits || !slice_to_u64(slice_range(*rest, 0, digits), 9999, &n)) return false;
    *rest = slice_after(*rest, digits);
    *out = (unsigned)n;
    if (!*after) return true;
    if (rest->len == 0 || !strchr(after, rest->at[0])) return false;
    *rest = slice_after(*rest, 1);
    return true;
}

static bool take_date(slice *rest, struct tm *tm)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day;
    if (!take(rest, 4, "-", &year) || !take(rest, 2, "-", &month) || !take(rest, 2, "", &day)) return false;
    if (year < 1970 || month < 1 || month > 12) return false;
    bool leaps = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    *tm = (struct tm){.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day};
    return day >= 1 && day <= days[month - 1] + leaps;
}

/* RFC 3339 4.2: local time is UTC plus the offset. */
static bool take_offset(slice rest, int64_t *seconds)
{
    unsigned hour, minute;
    *seconds = 0;
    if (slice_ieq(rest, SLICE("Z"))) return true;
    if (rest.len == 0 || (rest.at[0] != '+' && rest.at[0] != '-')) return false;
    int sign = rest.at[0] == '+' ? 1 : -1;
    rest = slice_after(rest, 1);
    if (!take(&rest, 2, ":", &hour) || !take(&rest, 2, "", &minute) || rest.len || hour > 23 || minute > 59) return false;
    *seconds = sign * ((int64_t)hour * 3600 + (int64_t)minute * 60);
    return true;
}

bool clock_rfc3339_parse(slice text, int64_t *wall_ms, bool *is_date)
{
    struct tm tm;
    unsigned hour, minute, second, thousandths = 0;
    int64_t offset;
    if (!take_date(&text, &tm)) return false;
    *is_date = text.len == 0;
    *wall_ms = (int64_t)timegm(&tm) * 1000;
    if (*is_date) return true;
    if (text.at[0] != 'T' && text.at[0] != 't') return false;
    text = slice_after(text, 1);
    if (!take(&text, 2, ":", &hour) || !take(&text, 2, ":", &minute) || !take(&text, 2, "", &second)) return false;
    if (hour > 23 || minute > 59 || second > 60) return false;
    if (text.len && text.at[0] == '.') {
        size_t end = 1;
        for (unsigned worth = 100; end < text.len && text.at[end] >= '0' && text.at[end] <= '9'; end++, worth /= 10)
            thousandths += (unsigned)(text.at[end] - '0') * worth;
        if (end == 1) return false;
        text = slice_after(text, end);
    }
    if (!take_offset(text, &offset)) return false;
    if (second == 60) second = 59, thousandths = 999;
    *wall_ms += ((int64_t)hour * 3600 + (int64_t)minute * 60 + second - offset) * 1000 + thousandths;
    return *wall_ms >= 0;
}

int64_t clock_month_end_ms(unsigned year, unsigned month)
{
    struct tm tm = {.tm_year = (int)year - 1900, .tm_mon = (int)month, .tm_mday = 1}; /* tm_mon counts from 0: the month after */
    return (int64_t)timegm(&tm) * 1000;
}

/* Not strftime's %a and %b: those follow the locale. */
void clock_http_date(int64_t wall_ms, char out[CLOCK_HTTP_DATE_BYTES])
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    (void)snprintf(out, CLOCK_HTTP_DATE_BYTES, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * (tm.tm_wday % 7),
                   (unsigned)tm.tm_mday % 100u, months + 3 * (tm.tm_mon % 12), (unsigned)(tm.tm_year + 1900) % 10000u,
                   (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
}
