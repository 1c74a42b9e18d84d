/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/ascii.h"
#include "base/clock.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 2048, PENDING_BYTES = 64 * 1024, WORD_BYTES = 128, DIGITS_SHOWN_WHOLE = 11 };

static struct {
    const char *process;
    unsigned index;
    enum log_level least, level;
    bool open, wanted;
    size_t line_len, pending_len;
    char line[LINE_BYTES];
    char pending[PENDING_BYTES];
} out = {.process = "cardveil", .least = LOG_LEVEL_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_start(const char *process, unsigned index, enum log_level least)
{
    out.process = process;
    out.index = index;
    out.least = least;
}

static void put(slice s)
{
    /* A line that does not fit is cut; the closing brace always has room. */
    size_t room = LINE_BYTES - 4 - out.line_len;
    size_t n = s.len < room ? s.len : room;
    if (n) memcpy(out.line + out.line_len, s.at, n);
    out.line_len += n;
}

static void put_u64(uint64_t n)
{
    char text[24];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    put((slice){text + at, sizeof text - at});
}

static void put_name(const char *name)
{
    put(SLICE(",\""));
    put(slice_of(name));
    put(SLICE("\":"));
}

/* Only the milliseconds change from line to line: the rest is formatted once a second. */
static void put_time(void)
{
    static char text[CLOCK_RFC3339_BYTES];
    static int64_t second = -1;
    int64_t now = clock_wall_ms();
    unsigned ms = (unsigned)(now % 1000);
    if (now / 1000 != second) clock_rfc3339(now, text);
    second = now / 1000;
    char *digits = text + sizeof "2026-11-20T19:06:26." - 1;
    digits[0] = (char)('0' + ms / 100);
    digits[1] = (char)('0' + ms / 10 % 10);
    digits[2] = (char)('0' + ms % 10);
    put((slice){text, sizeof text - 1});
}

void log_begin(enum log_level level, const char *event)
{
    assert(!out.open);
    out.open = true;
    out.level = level;
    out.wanted = level >= out.least;
    out.line_len = 0;
    if (!out.wanted) return;
    put(SLICE("{\"time\":\""));
    put_time();
    put(SLICE("\",\"level\":\""));
    put(slice_of(level_names[level]));
    put(SLICE("\",\"process\":\""));
    put(slice_of(out.process));
    put(SLICE("\",\"n\":"));
    put_u64(out.index);
    log_text("event", event);
}

/* Literals of ours hold no control characters; quotes and backslashes are escaped all the same. */
static void put_quoted(slice s)
{
    put(SLICE("\""));
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c == '"' || c == '\\') put(SLICE("\\"));
        if (c >= 0x20) put((slice){s.at + i, 1});
    }
    put(SLICE("\""));
}

void log_text(const char *name, const char *literal)
{
    if (!out.wanted) return;
    put_name(name);
    put_quoted(slice_of(literal));
}

void log_u64(const char *name, uint64_t n)
{
    if (!out.wanted) return;
    put_name(name);
    put_u64(n);
}

void log_i64(const char *name, int64_t n)
{
    if (!out.wanted) return;
    put_name(name);
    if (n < 0) put(SLICE("-"));
    put_u64(n < 0 ? (uint64_t)0 - (uint64_t)n : (uint64_t)n);
}

void log_error(const char *name, enum error e)
{
    log_text(name, error_name(e));
}

/* Letters and the signs that words may have; digits have rules of their own. */
static bool is_shown(char c)
{
    return (slice_is_word_char(c) && !ascii_is_digit(c)) || c == '.' || c == ':' || c == '/' || c == '@';
}

static void put_digits(slice run)
{
    if (run.len <= DIGITS_SHOWN_WHOLE) {
        put(run);
        return;
    }
    put(slice_range(run, 0, 6));
    put(SLICE("x"));
    put(slice_after(run, run.len - 4));
}

void log_word(const char *name, slice word)
{
    if (!out.wanted) return;
    put_name(name);
    put(SLICE("\""));
    /* Cut between runs of digits, never within one: its beginning alone would not be masked. */
    for (size_t i = 0, end; i < word.len && i < WORD_BYTES; i = end) {
        for (end = i; end < word.len && ascii_is_digit(word.at[end]);) end++;
        if (end > i) {
            put_digits(slice_range(word, i, end));
            continue;
        }
        while (end < word.len && end < WORD_BYTES && is_shown(word.at[end])) end++;
        put(end > i ? slice_range(word, i, end) : SLICE("?"));
        if (end == i) end++;
    }
    put(SLICE("\""));
}

void log_errno(const char *name, int error_number)
{
    const char *text = strerrorname_np(error_number);
    log_text(name, text ? text : "unknown");
}

void log_end(void)
{
    assert(out.open);
    out.open = false;
    if (!out.wanted) return;
    out.line[out.line_len++] = '}';
    out.line[out.line_len++] = '\n';
    if (out.pending_len + out.line_len > PENDING_BYTES) log_flush();
    memcpy(out.pending + out.pending_len, out.line, out.line_len);
    out.pending_len += out.line_len;
    if (out.level >= LOG_LEVEL_WARN) log_flush();
}

size_t log_pending(void)
{
    return out.pending_len;
}

void log_flush(void)
{
    size_t done = 0;
    while (done < out.pending_len) {
        ssize_t n = write(STDERR_FILENO, out.pending + done, out.pending_len - done);
        if (n <= 0) break; /* nowhere to say it; losing log lines must not stop payments */
        done += (size_t)n;
    }
    out.pending_len = 0;
}

void log_plain(enum log_level level, const char *event, const char *reason)
{
    log_begin(level, event);
    log_text("reason", reason);
    log_end();
}

void log_failure(const char *event, result why)
{
    log_begin(error_level(why.err), event);
    log_error("error", why.err);
    log_text("reason", error_text(why.err));
    log_end();
}
